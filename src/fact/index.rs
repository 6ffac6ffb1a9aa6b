//! Indexes of rows by key and time: filled once, in parallel, then only read.
//!
//! Keys below the number of identities have an array of their own entries' beginnings; names that resolve to nobody are
//! few and lie sorted behind them.

use std::cell::Cell;

use rayon::prelude::*;

use crate::identity::{Key, NO_KEY};
use crate::instants::{narrow, wide};
use crate::rows::NULL;
use crate::slots::{Ranked, Slots};
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

/// In so many portions keys are taken apart, each of which then lies in the cache.
const PORTIONS: usize = 256;

/// Puts values into the order of their keys, those of one key in the order given and then into that of `order`.
///
/// First each goes to its portion of the keys, and only there to its key: values go to few places at a time, wherever their keys lie.
fn by_key<V: Copy + Default + Send + Sync>(
    identities: usize,
    entries: impl Iterator<Item = (Key, V)> + Clone,
    order: impl Fn(&mut [V]) + Sync,
) -> (Starts, Vec<V>) {
    let shift = (identities / PORTIONS).checked_ilog2().map_or(0, |bits| bits + 1);
    let mut counts = vec![0usize; (identities >> shift) + 1];
    for (key, _) in entries.clone().filter(|e| (e.0 as usize) < identities) {
        counts[key as usize >> shift] += 1;
    }
    let mut next = Vec::with_capacity(counts.len());
    let mut resolved = 0;
    for count in &counts {
        next.push(resolved);
        resolved += count;
    }
    let mut laid = vec![(0, V::default()); resolved];
    let mut named: Vec<(Key, V)> = Vec::new();
    for (key, value) in entries {
        if (key as usize) < identities {
            let at = &mut next[key as usize >> shift];
            laid[*at] = (key, value);
            *at += 1;
        } else if key != NO_KEY {
            named.push((key, value));
        }
    }
    let mut starts = vec![0u32; identities + 1];
    let mut values = Vec::with_capacity(resolved + named.len());
    values.resize(resolved, V::default());
    let mut portions = Vec::with_capacity(counts.len());
    let (mut all, mut free) = (laid.as_slice(), values.as_mut_slice());
    for (count, ends) in counts.iter().zip(starts[1..].chunks_mut(1 << shift)) {
        let (entries, others) = all.split_at(*count);
        let (values, rest) = free.split_at_mut(*count);
        portions.push((entries, values, ends));
        (all, free) = (others, rest);
    }
    let mask = (1 << shift) - 1;
    portions.into_par_iter().for_each(|(entries, values, ends)| {
        for (key, _) in entries {
            ends[*key as usize & mask] += 1;
        }
        let mut before = 0;
        for end in &mut *ends {
            before += std::mem::replace(end, before);
        }
        for (key, value) in entries {
            let at = &mut ends[*key as usize & mask];
            values[*at as usize] = *value;
            *at += 1;
        }
        let mut from = 0;
        for end in ends {
            order(&mut values[from..*end as usize]);
            from = *end as usize;
        }
    });
    // Ends were counted from the beginning of each portion.
    let mut before = 0;
    for (count, ends) in counts.iter().zip(starts[1..].chunks_mut(1 << shift)) {
        ends.iter_mut().for_each(|end| *end += before);
        before += *count as u32;
    }
    let mut any = vec![0u64; identities.div_ceil(64)];
    for (slot, ends) in starts.windows(2).enumerate() {
        any[slot / 64] |= u64::from(ends[1] > ends[0]) << (slot % 64);
    }
    named.par_sort_by_key(|n| n.0);
    let mut names: Vec<(Key, u32)> = Vec::new();
    for same in named.chunk_by(|a, b| a.0 == b.0) {
        let from = values.len();
        names.push((same[0].0, from as u32));
        values.extend(same.iter().map(|n| n.1));
        order(&mut values[from..]);
    }
    names.shrink_to_fit();
    (Starts { identities: starts, any, names, end: values.len() as u32 }, values)
}

/// An instant and the caller's number.
pub type Entry = (i64, u32);

/// Entries in order, in half of their width where their instants are whole seconds.
#[derive(Clone, Copy)]
pub enum Acts<'a> {
    /// Seconds since 1970.
    Seconds(&'a [(u32, u32)]),
    /// Microseconds.
    Micros(&'a [Entry]),
}

impl<'a> Acts<'a> {
    /// How many.
    pub fn len(self) -> usize {
        match self {
            Acts::Seconds(all) => all.len(),
            Acts::Micros(all) => all.len(),
        }
    }

    /// None?
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    fn get(self, i: usize) -> Option<Entry> {
        match self {
            Acts::Seconds(all) => all.get(i).map(|e| (wide(e.0), e.1)),
            Acts::Micros(all) => all.get(i).copied(),
        }
    }

    /// Each of them.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Entry> + ExactSizeIterator + 'a {
        (0..self.len()).map(move |i| self.get(i).expect("it is one of them"))
    }

    /// Those before `t` and those at or after it.
    fn split(self, t: i64) -> (Acts<'a>, Acts<'a>) {
        match self {
            Acts::Seconds(all) => {
                let (before, from) = all.split_at(all.partition_point(|e| wide(e.0) < t));
                (Acts::Seconds(before), Acts::Seconds(from))
            }
            Acts::Micros(all) => {
                let (before, from) = all.split_at(all.partition_point(|e| e.0 < t));
                (Acts::Micros(before), Acts::Micros(from))
            }
        }
    }
}

enum Width {
    Seconds(Vec<(u32, u32)>),
    Micros(Vec<Entry>),
}

/// Instants by key, those of one key in order of instant and number.
pub struct TimeIndex {
    starts: Starts,
    entries: Width,
}

impl Default for TimeIndex {
    fn default() -> TimeIndex {
        TimeIndex { starts: Starts::default(), entries: Width::Seconds(Vec::new()) }
    }
}

impl TimeIndex {
    /// Sorts what it is given; the number is the caller's (an event row, a position). Entries without a key are left out.
    ///
    /// `identities` is how many keys stand for identities.
    pub fn build(identities: usize, entries: impl Iterator<Item = (Key, Entry)> + Clone) -> TimeIndex {
        let all_whole = Cell::new(true);
        let seconds = entries.clone().map(|(key, (t, number))| {
            let whole = narrow(t).filter(|_| t != NULL);
            all_whole.set(all_whole.get() && whole.is_some());
            (key, (whole.unwrap_or_default(), number))
        });
        // Nearly always they are: that they are is seen on the way.
        let (starts, of_seconds) = by_key(identities, seconds, <[(u32, u32)]>::sort_unstable);
        if all_whole.get() {
            return TimeIndex { starts, entries: Width::Seconds(of_seconds) };
        }
        let (starts, entries) = by_key(identities, entries, <[Entry]>::sort_unstable);
        TimeIndex { starts, entries: Width::Micros(entries) }
    }

    fn range(&self, range: std::ops::Range<usize>) -> Acts<'_> {
        match &self.entries {
            Width::Seconds(all) => Acts::Seconds(&all[range]),
            Width::Micros(all) => Acts::Micros(&all[range]),
        }
    }

    fn split(&self, key: Key, t: i64) -> (Acts<'_>, Acts<'_>) {
        self.of(key).split(t)
    }

    /// Entries of the key, in order.
    pub fn of(&self, key: Key) -> Acts<'_> {
        self.range(self.starts.of(key))
    }

    /// The last before `t` (strict).
    pub fn before(&self, key: Key, t: i64) -> Option<Entry> {
        self.split(key, t).0.iter().next_back()
    }

    /// The first at or after `t`.
    pub fn from(&self, key: Key, t: i64) -> Option<Entry> {
        self.split(key, t).1.get(0)
    }

    /// The last before `t` (strict) and the first at or after it.
    pub fn around(&self, key: Key, t: i64) -> [Option<Entry>; 2] {
        let (before, from) = self.split(key, t);
        [before.iter().next_back(), from.get(0)]
    }

    /// Entries of the key before `t`, the latest first.
    pub fn back_from(&self, key: Key, t: i64) -> impl Iterator<Item = Entry> + '_ {
        self.split(key, t).0.iter().rev()
    }

    /// Entries of the key at or after `t`, in order.
    pub fn since(&self, key: Key, t: i64) -> impl Iterator<Item = Entry> + '_ {
        self.split(key, t).1.iter()
    }

    /// Entries of the key in `[from, until)`, in order.
    pub fn between(&self, key: Key, from: i64, until: i64) -> impl Iterator<Item = Entry> + '_ {
        self.since(key, from).take_while(move |e| e.0 < until)
    }

    /// All entries, key by key.
    pub fn groups(&self) -> impl Iterator<Item = Acts<'_>> {
        self.starts.groups().map(|range| self.range(range)).filter(|g| !g.is_empty())
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
    pub fn build(identities: usize, entries: impl Iterator<Item = (Key, u32)> + Clone) -> RowIndex {
        let (starts, rows) = by_key(identities, entries, |_| ());
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
    texts: Ranked,
    /// By place of the text: the row that was added last.
    head: Vec<u32>,
    /// Of a row added later: the row before it with the same text.
    next: hashbrown::HashMap<u32, u32>,
}

impl TextIndex {
    /// Of several rows of one text and system the last counts.
    pub fn build(slots: usize, rows: impl Iterator<Item = (TextId, u32)> + Clone) -> TextIndex {
        let mut texts = Slots::none_of(slots);
        let again = rows.clone().fold(false, |again, (text, _)| again | !texts.insert(slot(text)));
        let texts = texts.ranked();
        let mut index = TextIndex { head: vec![NONE; texts.len()], texts, ..TextIndex::default() };
        for (text, row) in rows {
            let head = &mut index.head[index.texts.place(slot(text)).expect("each was put into the set")];
            if again && *head != NONE {
                index.next.insert(row, *head);
            }
            *head = row;
        }
        index
    }

    /// The row of a text for which `fits` holds: of several the last.
    pub fn get(&self, text: TextId, fits: impl Fn(u32) -> bool) -> Option<u32> {
        let mut row = self.head[self.texts.place(slot(text))?];
        while !fits(row) {
            row = *self.next.get(&row)?;
        }
        Some(row)
    }
}

/// No row.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn index_looks_both_ways() {
        let entries = [(2, (1, 2)), (1, (9, 1)), (NO_KEY, (3, 9)), (1, (5, 0)), (7, (4, 4)), (7, (2, 5)), (9, (6, 6))];
        for identities in [0, 2, 3, 9] {
            // In whole seconds the same is kept in half of the width.
            let narrow = TimeIndex::build(identities, entries.into_iter().map(|(key, (t, n))| (key, (t * SECOND, n))));
            assert!(matches!(narrow.entries, Width::Seconds(_)));
            for (key, t) in (0..10).flat_map(|key| (0..11).map(move |t| (key, t))) {
                let index = TimeIndex::build(identities, entries.into_iter());
                assert!(matches!(index.entries, Width::Micros(_)));
                let times = |e: Entry| (e.0 * SECOND, e.1);
                assert_eq!(narrow.before(key, t * SECOND), index.before(key, t).map(times));
                assert_eq!(narrow.from(key, t * SECOND), index.from(key, t).map(times));
                assert_eq!(narrow.from(key, t * SECOND - 1), index.from(key, t).map(times));
                assert_eq!(index.around(key, t), [index.before(key, t), index.from(key, t)]);
                assert!(narrow.since(key, t * SECOND).eq(index.since(key, t).map(times)));
                assert!(narrow.back_from(key, t * SECOND).eq(index.back_from(key, t).map(times)));
            }
            let index = TimeIndex::build(identities, entries.into_iter());
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
            assert_eq!(index.groups().map(Acts::len).collect::<Vec<_>>(), [2, 1, 2, 1]);
        }
    }

    #[test]
    fn portions_of_keys_are_put_together() {
        for identities in [1, 255, 256, 257, 5000, 65_537] {
            let entries = (0..20_000_u32).map(|n| {
                let key = n.wrapping_mul(2_654_435_761) % (identities as u32 + 300);
                (if n % 50 == 0 { NO_KEY } else { key }, (i64::from(n * 7919 % 1000) * SECOND, n))
            });
            let index = TimeIndex::build(identities, entries.clone());
            let mut expected: std::collections::BTreeMap<Key, Vec<Entry>> = std::collections::BTreeMap::new();
            entries.clone().filter(|e| e.0 != NO_KEY).for_each(|(key, e)| expected.entry(key).or_default().push(e));
            let rows = RowIndex::build(identities, entries.map(|(key, e)| (key, e.1)));
            for key in 0..identities as u32 + 301 {
                let mut of_key = expected.remove(&key).unwrap_or_default();
                assert!(rows.of(key).eq(of_key.iter().map(|e| e.1)), "{key} of {identities}");
                of_key.sort_unstable();
                assert!(index.of(key).iter().eq(of_key), "{key} of {identities}");
            }
        }
    }

    #[test]
    fn rows_stay_in_order() {
        for identities in [0, 4, 9] {
            let index = RowIndex::build(identities, [(5, 1), (3, 2), (5, 3), (NO_KEY, 4), (3, 9)].into_iter());
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
