//! Indexes of rows by key and time: filled once, in parallel, then only read.
//!
//! Keys below the number of identities have an array of their own entries' beginnings; names that resolve to nobody are
//! few and lie sorted behind them.

use rayon::prelude::*;

use crate::identity::{Key, NO_KEY};
use crate::text::{TextId, slot};

/// Where the entries of each key begin.
#[derive(Default)]
struct Starts {
    /// By identity, and one more: where those of unresolved names begin.
    identities: Vec<u32>,
    /// By identity, a bit: does it have entries? Most have none in most indexes, and these few bytes stay in cache.
    any: Vec<u64>,
    /// Unresolved names, sorted, with the beginning of each.
    names: Vec<(Key, u32)>,
    end: u32,
}

impl Starts {
    fn of(&self, key: Key) -> std::ops::Range<usize> {
        let slot = key as usize;
        if slot + 1 < self.identities.len() {
            if self.any[slot / 64] >> (slot % 64) & 1 == 0 {
                return 0..0;
            }
            return self.identities[slot] as usize..self.identities[slot + 1] as usize;
        }
        match self.names.binary_search_by_key(&key, |n| n.0) {
            Ok(i) => self.names[i].1 as usize..self.names.get(i + 1).map_or(self.end, |n| n.1) as usize,
            Err(_) => 0..0,
        }
    }

    fn groups(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let identities = self.identities.windows(2).map(|w| w[0] as usize..w[1] as usize);
        let ends = self.names.iter().skip(1).map(|n| n.1).chain([self.end]);
        identities.chain(self.names.iter().zip(ends).map(|(n, end)| n.1 as usize..end as usize))
    }
}

/// Puts values into the order of their keys, those of one key in the order given.
fn by_key<V: Copy + Default + Send + Sync>(identities: usize, entries: &[(Key, V)]) -> (Starts, Vec<V>) {
    let mut starts = vec![0u32; identities + 1];
    let mut named: Vec<(Key, u32)> = Vec::new();
    for (i, &(key, _)) in entries.iter().enumerate() {
        match key {
            NO_KEY => {}
            key if (key as usize) < identities => starts[key as usize + 1] += 1,
            key => named.push((key, i as u32)),
        }
    }
    for i in 0..identities {
        starts[i + 1] += starts[i];
    }
    let resolved = starts[identities] as usize;
    let mut values = vec![V::default(); resolved];
    let mut next = starts.clone();
    for &(key, value) in entries {
        if (key as usize) < identities {
            let at = &mut next[key as usize];
            values[*at as usize] = value;
            *at += 1;
        }
    }
    named.par_sort_unstable();
    values.extend(named.iter().map(|&(_, i)| entries[i as usize].1));
    let mut names: Vec<(Key, u32)> =
        named.iter().enumerate().map(|(i, &(key, _))| (key, (resolved + i) as u32)).collect();
    names.dedup_by_key(|n| n.0);
    let mut any = vec![0u64; identities.div_ceil(64)];
    for (slot, _) in starts.windows(2).enumerate().filter(|(_, w)| w[0] < w[1]) {
        any[slot / 64] |= 1 << (slot % 64);
    }
    (Starts { identities: starts, any, names, end: values.len() as u32 }, values)
}

/// An instant and the caller's number.
type Entry = (i64, u32);

/// Instants by key, those of one key in order of instant and number.
#[derive(Default)]
pub struct TimeIndex {
    starts: Starts,
    entries: Vec<Entry>,
}

impl TimeIndex {
    /// Sorts what it is given; the number is the caller's (an event row, a position). Entries without a key are left out.
    ///
    /// `identities` is how many keys stand for identities.
    pub fn build(identities: usize, entries: &[(Key, Entry)]) -> TimeIndex {
        let (starts, mut entries) = by_key(identities, entries);
        let mut groups = Vec::new();
        let mut rest = entries.as_mut_slice();
        for range in starts.groups() {
            let (group, after) = rest.split_at_mut(range.len());
            if group.len() > 1 {
                groups.push(group);
            }
            rest = after;
        }
        groups.into_par_iter().with_min_len(64).for_each(|group| group.sort_unstable());
        TimeIndex { starts, entries }
    }

    fn split(&self, key: Key, t: i64) -> (&[Entry], &[Entry]) {
        let of_key = self.of(key);
        of_key.split_at(of_key.partition_point(|e| e.0 < t))
    }

    /// Entries of the key, in order.
    pub fn of(&self, key: Key) -> &[Entry] {
        &self.entries[self.starts.of(key)]
    }

    /// The last before `t` (strict).
    pub fn before(&self, key: Key, t: i64) -> Option<Entry> {
        self.split(key, t).0.last().copied()
    }

    /// The first at or after `t`.
    pub fn from(&self, key: Key, t: i64) -> Option<Entry> {
        self.split(key, t).1.first().copied()
    }

    /// Entries of the key before `t`, the latest first.
    pub fn back_from(&self, key: Key, t: i64) -> impl Iterator<Item = Entry> + '_ {
        self.split(key, t).0.iter().rev().copied()
    }

    /// Entries of the key at or after `t`, in order.
    pub fn since(&self, key: Key, t: i64) -> impl Iterator<Item = Entry> + '_ {
        self.split(key, t).1.iter().copied()
    }

    /// Entries of the key in `[from, until)`, in order.
    pub fn between(&self, key: Key, from: i64, until: i64) -> impl Iterator<Item = Entry> + '_ {
        self.since(key, from).take_while(move |e| e.0 < until)
    }

    /// All entries, key by key.
    pub fn groups(&self) -> impl Iterator<Item = &[Entry]> {
        self.starts.groups().map(|range| &self.entries[range]).filter(|g| !g.is_empty())
    }
}

/// Rows by key, those of one key in order.
#[derive(Default)]
pub struct RowIndex {
    starts: Starts,
    rows: Vec<u32>,
}

impl RowIndex {
    /// Rows are given in order; those without a key are left out.
    pub fn build(identities: usize, entries: &[(Key, u32)]) -> RowIndex {
        let (starts, rows) = by_key(identities, entries);
        RowIndex { starts, rows }
    }

    /// Rows of a key.
    pub fn of(&self, key: Key) -> impl Iterator<Item = u32> + '_ {
        self.rows[self.starts.of(key)].iter().copied()
    }
}

/// Rows by a text and a system: numbers of texts are dense, and one id in two systems is rare.
#[derive(Default)]
pub struct TextIndex {
    /// By text: one more than the row that was added last, 0 for none.
    head: Vec<u32>,
    /// Of a row added later: one more than the row before it with the same text.
    next: hashbrown::HashMap<u32, u32>,
}

impl TextIndex {
    /// Of several rows of one text and system the last counts.
    pub fn build(texts: usize, rows: impl Iterator<Item = (TextId, u32)>) -> TextIndex {
        let mut index = TextIndex { head: vec![0; texts], ..TextIndex::default() };
        for (text, row) in rows {
            let head = &mut index.head[slot(text)];
            if *head != 0 {
                index.next.insert(row, *head);
            }
            *head = row + 1;
        }
        index
    }

    /// The row of a text for which `fits` holds: of several the last.
    pub fn get(&self, text: TextId, fits: impl Fn(u32) -> bool) -> Option<u32> {
        let mut row = self.head[slot(text)].checked_sub(1)?;
        while !fits(row) {
            row = self.next.get(&row)?.checked_sub(1)?;
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_looks_both_ways() {
        let entries = [(2, (1, 2)), (1, (9, 1)), (NO_KEY, (3, 9)), (1, (5, 0)), (7, (4, 4)), (7, (2, 5)), (9, (6, 6))];
        for identities in [0, 2, 3, 9] {
            let index = TimeIndex::build(identities, &entries);
            assert_eq!(index.before(1, 9), Some((5, 0)));
            assert_eq!(index.from(1, 9), Some((9, 1)));
            assert_eq!(index.before(1, 5), None);
            assert_eq!(index.from(1, 10), None);
            assert_eq!(index.before(2, 1), None);
            assert_eq!(index.before(0, 99), None);
            assert_eq!(index.from(5, 0), None);
            assert_eq!(index.from(NO_KEY, 0), None);
            assert_eq!(index.since(7, 0).collect::<Vec<_>>(), [(2, 5), (4, 4)]);
            assert_eq!(index.between(7, 0, 4).collect::<Vec<_>>(), [(2, 5)]);
            assert_eq!(index.back_from(7, 5).collect::<Vec<_>>(), [(4, 4), (2, 5)]);
            assert_eq!(index.groups().map(<[_]>::len).collect::<Vec<_>>(), [2, 1, 2, 1]);
        }
    }

    #[test]
    fn rows_stay_in_order() {
        for identities in [0, 4, 9] {
            let index = RowIndex::build(identities, &[(5, 1), (3, 2), (5, 3), (NO_KEY, 4), (3, 9)]);
            assert_eq!(index.of(5).collect::<Vec<_>>(), [1, 3]);
            assert_eq!(index.of(3).collect::<Vec<_>>(), [2, 9]);
            assert_eq!(index.of(4).count() + index.of(NO_KEY).count(), 0);
        }
    }

    #[test]
    fn one_id_in_two_systems() {
        let systems = [7, 8, 7, 9];
        let index = TextIndex::build(4, [(1, 0), (1, 1), (2, 2), (1, 3)].into_iter());
        let get = |text, system| index.get(text, |r| systems[r as usize] == system);
        assert_eq!([get(1, 7), get(1, 8), get(1, 9), get(2, 7)], [Some(0), Some(1), Some(3), Some(2)]);
        assert_eq!([get(1, 1), get(2, 8), get(3, 7)], [None; 3]);
    }
}
