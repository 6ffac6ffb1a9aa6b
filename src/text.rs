//! Interned text: every alias and id becomes a `u32` once, while it is read.
//!
//! From there on who-is-who is an array look-up and no text is compared twice. Decoders fill an [`Interner`] each;
//! [`Texts::absorb`] joins them in the order of files, so that numbers do not depend on threads.

use hashbrown::HashTable;

/// A text's number; [`EMPTY`] is no text.
pub type TextId = u32;
/// No text: empty, or not reported.
pub const EMPTY: TextId = 0;
/// Between the parts of a list as it is kept: no source uses it.
pub const LIST_SEPARATOR: char = '\u{1f}';

fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // A fixed seed: an attacker who floods buckets slows a run down, a random one would make runs differ in nothing
    // but is not needed, since numbers follow the order of insertion.
    let mut h = foldhash::fast::FixedState::with_seed(0x7267_7274).build_hasher();
    h.write(bytes);
    h.finish()
}

/// Distinct texts in order of first sight.
#[derive(Default)]
pub struct Interner {
    bytes: Vec<u8>,
    /// `ends[id - 1]` is where text `id` ends.
    ends: Vec<usize>,
    hashes: Vec<u64>,
    table: HashTable<u32>,
}

impl Interner {
    /// The number of `text`; the empty text is [`EMPTY`].
    pub fn intern(&mut self, text: &str) -> TextId {
        if text.is_empty() { EMPTY } else { self.intern_hashed(text.as_bytes(), hash(text.as_bytes())) }
    }

    fn intern_hashed(&mut self, text: &[u8], hash: u64) -> TextId {
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(&id) = self.table.find(hash, |&id| slice(bytes, ends, id) == text) {
            return id;
        }
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        let id = u32::try_from(self.ends.len()).expect("fewer than 2^32 distinct texts fit into memory");
        let hashes = &self.hashes;
        self.table.insert_unique(hash, id, |&id| hashes[id as usize - 1]);
        id
    }

    fn get(&self, id: TextId) -> &[u8] {
        slice(&self.bytes, &self.ends, id)
    }
}

fn slice<'a>(bytes: &'a [u8], ends: &[usize], id: TextId) -> &'a [u8] {
    let i = id as usize - 1;
    &bytes[if i == 0 { 0 } else { ends[i - 1] }..ends[i]]
}

/// Every text of a run, with what it folds to.
#[derive(Default)]
pub struct Texts {
    all: Interner,
    folded: Vec<TextId>,
    /// The folded part behind the last `\`; [`EMPTY`] when there is none.
    tail: Vec<TextId>,
}

impl Texts {
    /// Takes over what a decoder interned; the answer maps its numbers to ours (index 0 is [`EMPTY`]).
    pub fn absorb(&mut self, part: Interner) -> Vec<TextId> {
        if self.all.ends.is_empty() {
            let last = part.ends.len() as TextId;
            self.all = part;
            return (0..=last).collect();
        }
        let mut map = Vec::with_capacity(part.ends.len() + 1);
        map.push(EMPTY);
        for id in 1..=part.ends.len() {
            map.push(self.all.intern_hashed(part.get(id as TextId), part.hashes[id - 1]));
        }
        map
    }

    /// The number of a text that comes after [`Texts::fold_all`]; it has no tail.
    pub fn add(&mut self, text: &str) -> TextId {
        let id = self.all.intern(text);
        if self.folded.len() < self.len() {
            let folded = self.all.intern(&fold(text));
            self.folded.resize(self.len(), folded);
            self.tail.resize(self.len(), EMPTY);
        }
        id
    }

    /// The number of a text that was seen; [`EMPTY`] when it was not.
    pub fn find(&self, text: &str) -> TextId {
        if text.is_empty() {
            return EMPTY;
        }
        let (bytes, ends) = (&self.all.bytes, &self.all.ends);
        let same = |&id: &u32| slice(bytes, ends, id) == text.as_bytes();
        self.all.table.find(hash(text.as_bytes()), same).copied().unwrap_or(EMPTY)
    }

    /// Computes what every text folds to, once all are there.
    pub fn fold_all(&mut self) {
        self.folded = vec![EMPTY; 1];
        self.tail = vec![EMPTY; 1];
        let mut id = 1;
        while id <= self.all.ends.len() {
            let text = self.all.get(id as TextId);
            let plain = text.iter().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
            let folded = if plain {
                id as TextId
            } else {
                let low = fold(std::str::from_utf8(text).expect("only str is interned"));
                self.all.intern(&low)
            };
            self.folded.push(folded);
            let text = std::str::from_utf8(self.all.get(folded)).expect("only str is interned");
            let tail = match text.rfind('\\') {
                Some(at) => {
                    let tail = text[at + 1..].trim().to_owned();
                    self.all.intern(&tail)
                }
                None => EMPTY,
            };
            self.tail.push(tail);
            id += 1;
        }
    }

    /// The text.
    pub fn get(&self, id: TextId) -> &str {
        if id == EMPTY {
            return "";
        }
        std::str::from_utf8(self.all.get(id)).expect("only str is interned")
    }

    /// What it folds to: trimmed, lower-cased.
    pub fn folded(&self, id: TextId) -> TextId {
        self.folded[id as usize]
    }

    /// Of `DOMAIN\user` the folded part behind the last `\`; [`EMPTY`] when there is none.
    pub fn tail(&self, id: TextId) -> TextId {
        self.tail[id as usize]
    }

    /// One more than the highest number.
    pub fn len(&self) -> usize {
        self.all.ends.len() + 1
    }

    /// Is there no text at all?
    pub fn is_empty(&self) -> bool {
        self.all.ends.is_empty()
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
        let ids: Vec<_> = ["CORP\\Ann", "corp\\ann", "ann", "", "日本 Ä"].map(|t| one.intern(t)).into();
        let mut all = Texts::default();
        let map = all.absorb(one);
        all.fold_all();
        let id = |i: usize| map[ids[i] as usize];
        assert_eq!(all.folded(id(0)), all.folded(id(1)));
        assert_ne!(id(0), id(1));
        assert_eq!(all.tail(id(0)), id(2));
        assert_eq!(id(3), EMPTY);
        assert_eq!(all.get(all.folded(id(4))), "日本 ä");
        assert_eq!(all.folded(EMPTY), EMPTY);
        assert_eq!(all.find("ann"), id(2));
        assert_eq!(all.find("nobody"), EMPTY);
    }
}
