//! Interned text: every alias and id becomes a `u32` once, while it is read.
//!
//! From there on who-is-who is an array look-up and no text is compared twice. Decoders fill an [`Interner`] each, small
//! enough to stay in cache; [`Texts::merge`] joins them shard by shard in parallel. Numbers follow the order of parts and
//! the hash of a text, never the threads.

use hashbrown::{HashMap, HashTable};
use rayon::prelude::*;

/// A text's number; [`EMPTY`] is no text.
pub type TextId = u32;
/// No text: empty, or not reported.
pub const EMPTY: TextId = 0;
/// Between the parts of a list as it is kept: no source uses it.
pub const LIST_SEPARATOR: char = '\u{1f}';

/// Parts of the whole that are joined independently: enough that the tables of one stay in the second-level cache.
const SHARDS: usize = 256;
/// Marks a number that counts the new texts of a shard, as long as merging has not placed them.
const NEW: u32 = 1 << 31;

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // A fixed seed: an attacker who floods buckets slows a run down, a random one would make runs differ in nothing
    // but is not needed, since no output follows the order of numbers.
    let mut h = foldhash::fast::FixedState::with_seed(0x7267_7274).build_hasher();
    h.write(bytes);
    h.finish()
}

/// Not the bits that a hash table takes for its buckets (the lowest) or its tags (the highest seven).
fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

/// Distinct texts of one part in order of first sight, with what they fold to.
#[derive(Default)]
pub struct Interner {
    bytes: Vec<u8>,
    /// `ends[id - 1]` is where text `id` ends.
    ends: Vec<usize>,
    hashes: Vec<u64>,
    /// What a text folds to, where that is another.
    folded: Vec<(u32, u32)>,
    /// Of a folded text with a `\` in it, the part behind the last.
    tails: Vec<(u32, u32)>,
    table: HashTable<u32>,
}

impl Interner {
    /// With room for so many texts of ordinary length.
    pub fn with_capacity(texts: usize) -> Interner {
        Interner {
            bytes: Vec::with_capacity(texts * 16),
            ends: Vec::with_capacity(texts),
            hashes: Vec::with_capacity(texts),
            table: HashTable::with_capacity(texts),
            ..Interner::default()
        }
    }

    /// The number of `text`; the empty text is [`EMPTY`].
    pub fn intern(&mut self, text: &str) -> TextId {
        if text.is_empty() {
            return EMPTY;
        }
        let hash = hash(text.as_bytes());
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&id) = self.table.find(hash, |&id| slice(bytes, ends, id) == text.as_bytes()) {
            return id;
        }
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 distinct texts fit into memory");
        let hashes = &self.hashes;
        self.table.insert_unique(hash, id, |&id| hashes[id as usize - 1]);
        if !text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase() && b != b'\\') {
            self.fold(text, id);
        }
        id
    }

    fn fold(&mut self, text: &str, id: TextId) {
        let low = if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) { None } else { Some(fold(text)) };
        let folded = low.as_deref().map_or(id, |low| self.intern(low));
        if folded != id {
            // The folded text has seen to its own tail.
            self.folded.push((id, folded));
            return;
        }
        if let Some(at) = text.rfind('\\') {
            let tail = self.intern(text[at + 1..].trim());
            self.tails.push((id, tail));
        }
    }

    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Is there no text at all?
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Lays the texts out by shard, so that joining reads them one behind the other.
    pub fn seal(self) -> Sealed {
        let mut starts = vec![0u32; SHARDS + 1];
        for &h in &self.hashes {
            starts[shard_of(h) + 1] += 1;
        }
        for s in 0..SHARDS {
            starts[s + 1] += starts[s];
        }
        let mut next = starts.clone();
        let mut order = vec![0; self.hashes.len()];
        for (i, &h) in self.hashes.iter().enumerate() {
            let at = &mut next[shard_of(h)];
            order[*at as usize] = i as u32 + 1;
            *at += 1;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut texts = Vec::with_capacity(order.len());
        for &id in &order {
            bytes.extend_from_slice(slice(&self.bytes, &self.ends, id));
            texts.push((self.hashes[id as usize - 1], bytes.len()));
        }
        Sealed { bytes, texts, order, starts, folded: self.folded, tails: self.tails }
    }
}

/// Texts of one part, shard by shard, each in order of first sight.
#[derive(Default)]
pub struct Sealed {
    bytes: Vec<u8>,
    /// Hash and end of each.
    texts: Vec<(u64, usize)>,
    /// Its number in the part.
    order: Vec<u32>,
    /// Where each shard begins.
    starts: Vec<u32>,
    folded: Vec<(u32, u32)>,
    tails: Vec<(u32, u32)>,
}

impl Sealed {
    fn shard(&self, s: usize) -> std::ops::Range<usize> {
        self.starts[s] as usize..self.starts[s + 1] as usize
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], id: TextId) -> &'a [u8] {
    let i = id as usize - 1;
    &bytes[if i == 0 { 0 } else { ends[i - 1] }..ends[i]]
}

/// The texts of a run whose hashes fall into one shard.
#[derive(Default)]
struct Shard {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    hashes: Vec<u64>,
    /// Numbers of its texts in the whole; those of the merge at hand are still missing.
    ids: Vec<TextId>,
    table: HashTable<u32>,
}

impl Shard {
    fn get(&self, i: usize) -> &[u8] {
        &self.bytes[if i == 0 { 0 } else { self.ends[i - 1] as usize }..self.ends[i] as usize]
    }

    /// The number of a text, or which of the new ones it is.
    fn intern(&mut self, text: &[u8], hash: u64) -> u32 {
        let found = self.table.find(hash, |&i| self.get(i as usize) == text).copied();
        if let Some(i) = found {
            return self.ids.get(i as usize).copied().unwrap_or_else(|| NEW | (i - self.ids.len() as u32));
        }
        let i = self.ends.len() as u32;
        self.bytes.extend_from_slice(text);
        self.ends.push(u32::try_from(self.bytes.len()).expect("a 256th of all texts is less than 4 GiB"));
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, i, |&i| hashes[i as usize]);
        NEW | (i - self.ids.len() as u32)
    }
}

/// Numbers that one merge gave to the new texts of one shard.
struct Span {
    start: TextId,
    shard: usize,
    first: usize,
}

/// Every text of a run, with what it folds to.
pub struct Texts {
    shards: Vec<Shard>,
    /// By start.
    spans: Vec<Span>,
    /// By number; its own where it is folded already.
    folded: Vec<TextId>,
    tails: HashMap<TextId, TextId>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            spans: Vec::new(),
            folded: vec![EMPTY],
            tails: HashMap::new(),
        }
    }
}

impl Texts {
    /// Takes over what decoders interned; each answer maps the numbers of one of them to ours (index 0 is [`EMPTY`]).
    pub fn merge(&mut self, parts: &[Sealed]) -> Vec<Vec<TextId>> {
        let mut numbers: Vec<Vec<u32>> = parts.iter().map(|p| vec![0; p.texts.len()]).collect();
        // Of each part the piece that each shard fills.
        let mut pieces: Vec<Vec<&mut [u32]>> = (0..SHARDS).map(|_| Vec::with_capacity(parts.len())).collect();
        for (numbers, part) in numbers.iter_mut().zip(parts) {
            let mut rest = numbers.as_mut_slice();
            for (s, pieces) in pieces.iter_mut().enumerate() {
                let (piece, after) = rest.split_at_mut(part.shard(s).len());
                pieces.push(piece);
                rest = after;
            }
        }
        self.shards.par_iter_mut().zip(pieces).enumerate().for_each(|(s, (shard, pieces))| {
            let new: usize = pieces.iter().map(|p| p.len()).sum();
            shard.table.reserve(new / 2, |&i| shard.hashes[i as usize]);
            for (part, piece) in parts.iter().zip(pieces) {
                let range = part.shard(s);
                let mut from = if range.start == 0 { 0 } else { part.texts[range.start - 1].1 };
                for (&(hash, end), number) in part.texts[range].iter().zip(piece) {
                    *number = shard.intern(&part.bytes[from..end], hash);
                    from = end;
                }
            }
        });
        let mut firsts = Vec::with_capacity(SHARDS);
        for (s, shard) in self.shards.iter_mut().enumerate() {
            let (start, first) = (self.folded.len() as u32, shard.ids.len());
            let new = (shard.ends.len() - first) as u32;
            assert!(start < NEW - new, "fewer than 2^31 distinct texts fit into memory");
            firsts.push(start);
            if new > 0 {
                shard.ids.extend(start..start + new);
                self.folded.extend(start..start + new);
                self.spans.push(Span { start, shard: s, first });
            }
        }
        let maps: Vec<Vec<TextId>> = numbers
            .par_iter()
            .zip(parts)
            .map(|(numbers, part)| {
                let mut map = vec![EMPTY; numbers.len() + 1];
                for (s, first) in firsts.iter().enumerate() {
                    let range = part.shard(s);
                    for (&id, &number) in part.order[range.clone()].iter().zip(&numbers[range]) {
                        map[id as usize] = if number & NEW == 0 { number } else { first + (number & !NEW) };
                    }
                }
                map
            })
            .collect();
        for (part, map) in parts.iter().zip(&maps) {
            for &(id, folded) in &part.folded {
                self.folded[map[id as usize] as usize] = map[folded as usize];
            }
            for &(id, tail) in &part.tails {
                self.tails.insert(map[id as usize], map[tail as usize]);
            }
        }
        maps
    }

    /// Gives back the memory that only further merges need.
    pub fn close(&mut self) {
        self.shards.par_iter_mut().for_each(|shard| {
            shard.hashes = Vec::new();
            shard.bytes.shrink_to_fit();
            shard.ends.shrink_to_fit();
            shard.ids.shrink_to_fit();
        });
        self.folded.shrink_to_fit();
    }

    /// The number of a text that was seen; [`EMPTY`] when it was not.
    pub fn find(&self, text: &str) -> TextId {
        if text.is_empty() {
            return EMPTY;
        }
        let hash = hash(text.as_bytes());
        let shard = &self.shards[shard_of(hash)];
        let found = shard.table.find(hash, |&i| shard.get(i as usize) == text.as_bytes());
        found.map_or(EMPTY, |&i| shard.ids[i as usize])
    }

    /// The text.
    pub fn get(&self, id: TextId) -> &str {
        if id == EMPTY {
            return "";
        }
        let span = &self.spans[self.spans.partition_point(|s| s.start <= id) - 1];
        let text = self.shards[span.shard].get(span.first + (id - span.start) as usize);
        std::str::from_utf8(text).expect("only str is interned")
    }

    /// What it folds to: trimmed, lower-cased.
    pub fn folded(&self, id: TextId) -> TextId {
        self.folded[id as usize]
    }

    /// Of a folded `domain\user` the part behind the last `\`; [`EMPTY`] when there is none.
    pub fn tail(&self, folded: TextId) -> TextId {
        self.tails.get(&folded).copied().unwrap_or(EMPTY)
    }

    /// One more than the highest number.
    pub fn len(&self) -> usize {
        self.folded.len()
    }

    /// Is there no text at all?
    pub fn is_empty(&self) -> bool {
        self.folded.len() == 1
    }
}

/// Trimmed and lower-cased: how aliases, enums, systems and ticket ids compare.
pub fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_and_tails() {
        let mut one = Interner::default();
        let ids: Vec<_> = ["CORP\\Ann", "corp\\ann", "ann", "", "日本 Ä", "a\\", "ΑΣ"].map(|t| one.intern(t)).into();
        let mut all = Texts::default();
        let map = all.merge(&[one.seal()]).remove(0);
        let id = |i: usize| map[ids[i] as usize];
        assert_eq!(all.folded(id(0)), all.folded(id(1)));
        assert_eq!(all.folded(id(1)), id(1));
        assert_ne!(id(0), id(1));
        assert_eq!(all.tail(all.folded(id(0))), id(2));
        assert_eq!(id(3), EMPTY);
        assert_eq!(all.get(all.folded(id(4))), "日本 ä");
        assert_eq!(all.tail(id(5)), EMPTY);
        assert_eq!(all.get(all.folded(id(6))), "ας");
        assert_eq!(all.folded(EMPTY), EMPTY);
        assert_eq!(all.find("ann"), id(2));
        assert_eq!(all.find("nobody"), EMPTY);
    }

    #[test]
    fn equal_texts_of_all_parts_and_merges_have_one_number() {
        let text = |n: u32| format!("{}{n}", if n.is_multiple_of(3) { "CORP\\User" } else { "user" });
        let part = |range: std::ops::Range<u32>| {
            let mut interner = Interner::default();
            let ids: Vec<TextId> = range.clone().map(|n| interner.intern(&text(n))).collect();
            (interner, range, ids)
        };
        let mut all = Texts::default();
        let mut seen: HashMap<String, TextId> = HashMap::new();
        for batch in [vec![part(0..3000), part(1000..5000)], vec![], vec![part(4000..9000), part(0..10)]] {
            let (interners, given): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|(i, r, ids)| (i.seal(), (r, ids))).unzip();
            let maps = all.merge(&interners);
            for (map, (range, ids)) in maps.iter().zip(given) {
                for (n, id) in range.zip(ids) {
                    let id = map[id as usize];
                    assert_eq!(all.get(id), text(n));
                    assert_eq!(all.get(all.folded(id)), fold(&text(n)));
                    assert_eq!(*seen.entry(text(n)).or_insert(id), id);
                }
            }
        }
        let distinct: std::collections::BTreeSet<_> = (0..all.len() as u32).map(|id| all.get(id)).collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all.find("corp\\user0"), all.folded(all.find("CORP\\User0")));
        assert_eq!(all.get(all.tail(all.find("corp\\user0"))), "user0");
    }
}
