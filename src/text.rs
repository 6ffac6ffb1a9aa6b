//! Interned text: every alias and id becomes a `u32` once, while it is read.
//!
//! From there on who-is-who is an array look-up and no text is compared twice. Names of identities and systems, which
//! are few and meet all the time, have numbers of their own, so that arrays over them stay in cache; ids, addresses and
//! free text, which are many, are numbered apart. Decoders fill an [`Interner`] each; [`Texts::merge`] joins them shard
//! by shard in parallel. Numbers follow the order of parts and the hash of a text, never the threads. Ids that are
//! counted are not kept at all where their neighbours are there too (`numbered.rs`).

mod numbered;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use hashbrown::{HashMap, HashTable};
use rayon::prelude::*;
use smol_str::SmolStr;

use numbered::{Met, PAGE, PAGE_BITS, Pages};

/// A text's number; [`EMPTY`] is no text.
pub type TextId = u32;
/// No text: empty, or not reported.
pub const EMPTY: TextId = 0;
/// Between the parts of a list as it is kept: no source uses it.
pub const LIST_SEPARATOR: char = '\u{1f}';

/// Parts of the whole that are joined independently: enough that the tables of one stay in the second-level cache.
const SHARDS: usize = 256;
/// Bit of the numbers of plain texts.
const PLAIN: u32 = 1 << 30;
/// Bit of the numbers that a part gives to numbered ids.
const NUMBERED: u32 = 1 << 31;

/// Where the value of a text lies in an array over all names or all plain texts.
pub fn slot(id: TextId) -> usize {
    (id & !PLAIN) as usize
}

/// A hash that is the same in every run.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // A fixed seed: an attacker who floods buckets slows a run down, a random one would make runs differ in nothing
    // but is not needed, since no output follows the order of numbers.
    let mut h = foldhash::fast::FixedState::with_seed(0x7267_7274).build_hasher();
    h.write(bytes);
    h.finish()
}

/// Hash of what a text folds to.
fn hash_folded(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if is_folded(bytes) {
        return hash(bytes);
    }
    let mut low = [0; 64];
    match low.get_mut(..bytes.len()) {
        Some(low) if text.is_ascii() && ends_visibly(bytes) => {
            low.copy_from_slice(bytes);
            low.make_ascii_lowercase();
            hash(low)
        }
        _ => hash(fold(text).as_bytes()),
    }
}

/// Is it sure that a text folds to itself?
fn is_folded(bytes: &[u8]) -> bool {
    // Without a way out of the loop, so that many are looked at at once.
    ends_visibly(bytes) && !bytes.iter().fold(false, |other, b| other | !b.is_ascii() | b.is_ascii_uppercase())
}

fn ends_visibly(bytes: &[u8]) -> bool {
    matches!(bytes, [0x21..=0x7e] | [0x21..=0x7e, .., 0x21..=0x7e])
}

/// Do two texts fold to the same?
fn fold_alike(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() { a.trim().eq_ignore_ascii_case(b.trim()) } else { fold(a) == fold(b) }
}

/// Not the bits that [`Tag`] keeps.
fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

/// Half of a hash: within one shard hardly two texts have the same.
type Tag = u32;

fn tag_of(hash: u64) -> Tag {
    hash as Tag
}

/// A hash as hash tables take them, of which they look at both ends.
fn spread(tag: Tag) -> u64 {
    u64::from(tag).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Distinct texts of one part in order of first sight, with what they fold to.
#[derive(Default)]
pub struct Interner {
    names: Local,
    plain: Local,
    numbered: Met,
    /// What a name folds to, where that is another.
    folded: Vec<(u32, u32)>,
    /// Of a folded name with a `\` in it, the part behind the last.
    tails: Vec<(u32, u32)>,
}

/// How often a column of plain text says something new. Where nearly every value is new, as with ids, looking for it
/// first would be in vain; one that comes again is then found when parts are joined.
#[derive(Clone, Default)]
pub struct Sight {
    seen: u16,
    new: u16,
    /// The family of the last numbered id.
    family: u32,
}

impl Sight {
    const TRIAL: u16 = 1024;

    fn mostly_new(&self) -> bool {
        self.seen == Sight::TRIAL && self.new > Sight::TRIAL / 8 * 7
    }
}

impl Interner {
    /// With room for what so many bytes of input hold as a rule.
    pub fn for_input(bytes: usize) -> Interner {
        let mut interner = Interner::default();
        interner.plain.bytes.reserve(bytes / 12);
        interner.plain.ends.reserve(bytes / 200);
        interner.plain.hashes.reserve(bytes / 200);
        interner.numbered.reserve(bytes / 60);
        interner.names.table.reserve(bytes / 256, |_| 0);
        interner
    }

    /// The number of a name in this part; the empty text is [`EMPTY`].
    pub fn intern(&mut self, text: &str) -> TextId {
        if text.is_empty() {
            return EMPTY;
        }
        let (id, new) = self.names.intern(text, hash(text.as_bytes()));
        if new && !text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase() && b != b'\\') {
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

    /// The number of a plain text in this part, one that is no name; the empty text is [`EMPTY`].
    pub fn intern_plain(&mut self, text: &str, sight: &mut Sight) -> TextId {
        if text.is_empty() {
            return EMPTY;
        }
        if let Some(at) = self.numbered.take(text, &mut sight.family) {
            return NUMBERED | at;
        }
        let hash = hash_folded(text);
        if sight.mostly_new() {
            return self.plain.push(text, hash);
        }
        let (id, new) = self.plain.intern(text, hash);
        if sight.seen < Sight::TRIAL {
            sight.seen += 1;
            sight.new += u16::from(new);
        }
        id
    }

    /// How many texts there are; numbered ids count as often as they were met.
    pub fn len(&self) -> usize {
        self.names.ends.len() + self.plain.ends.len() + self.numbered.len()
    }

    /// Is there no text at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lays the texts out by shard, so that joining reads them one behind the other.
    pub fn seal(self) -> Sealed {
        Sealed {
            names: self.names.seal(),
            plain: self.plain.seal(),
            numbered: self.numbered,
            folded: self.folded,
            tails: self.tails,
        }
    }
}

/// Texts of one part and one space.
#[derive(Default)]
struct Local {
    bytes: Vec<u8>,
    /// `ends[id - 1]` is where text `id` ends.
    ends: Vec<u32>,
    hashes: Vec<u64>,
    table: HashTable<u32>,
}

impl Local {
    fn push(&mut self, text: &str, hash: u64) -> TextId {
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(u32::try_from(self.bytes.len()).expect("a part holds less than 4 GiB of text"));
        self.hashes.push(hash);
        self.ends.len() as u32
    }

    fn intern(&mut self, text: &str, hash: u64) -> (TextId, bool) {
        let (bytes, ends) = (&self.bytes, &self.ends);
        let get = |id: u32| &bytes[start(ends, id as usize - 1)..ends[id as usize - 1] as usize];
        if let Some(&id) = self.table.find(hash, |&id| get(id) == text.as_bytes()) {
            return (id, false);
        }
        let id = self.push(text, hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, id, |&id| hashes[id as usize - 1]);
        (id, true)
    }

    fn seal(self) -> Layer {
        if self.ends.is_empty() {
            return Layer::default();
        }
        let mut starts = vec![0u32; SHARDS + 1];
        let mut sizes = vec![0usize; SHARDS + 1];
        for (i, &h) in self.hashes.iter().enumerate() {
            let s = shard_of(h) + 1;
            starts[s] += 1;
            sizes[s] += self.ends[i] as usize - start(&self.ends, i);
        }
        for s in 0..SHARDS {
            starts[s + 1] += starts[s];
            sizes[s + 1] += sizes[s];
        }
        let (mut next, mut at) = (starts.clone(), sizes);
        let n = self.hashes.len();
        let (mut order, mut texts, mut bytes) = (vec![0; n], vec![(0, 0); n], vec![0; self.bytes.len()]);
        let mut from = 0;
        for (i, (&h, &end)) in self.hashes.iter().zip(&self.ends).enumerate() {
            let s = shard_of(h);
            let text = &self.bytes[from..end as usize];
            from = end as usize;
            bytes[at[s]..at[s] + text.len()].copy_from_slice(text);
            at[s] += text.len();
            let place = next[s] as usize;
            (order[place], texts[place]) = (i as u32 + 1, (tag_of(h), at[s] as u32));
            next[s] += 1;
        }
        let bytes = String::from_utf8(bytes).expect("whole texts were moved about");
        Layer { bytes, texts, order, starts }
    }
}

/// Where text `i` begins.
fn start(ends: &[u32], i: usize) -> usize {
    if i == 0 { 0 } else { ends[i - 1] as usize }
}

/// Texts of one part, ready to be joined.
#[derive(Default)]
pub struct Sealed {
    names: Layer,
    plain: Layer,
    numbered: Met,
    folded: Vec<(u32, u32)>,
    tails: Vec<(u32, u32)>,
}

/// Texts of one part and one space, shard by shard, each in order of first sight.
#[derive(Default)]
struct Layer {
    bytes: String,
    /// Tag and end of each.
    texts: Vec<(Tag, u32)>,
    /// Its number in the part.
    order: Vec<u32>,
    /// Where each shard begins; none where there is no text.
    starts: Vec<u32>,
}

impl Layer {
    fn shard(&self, s: usize) -> std::ops::Range<usize> {
        self.starts.get(s..s + 2).map_or(0..0, |ends| ends[0] as usize..ends[1] as usize)
    }
}

/// What the numbers of one part are in the whole; at [`EMPTY`] stands [`EMPTY`].
pub struct Map {
    names: Vec<TextId>,
    plain: Vec<TextId>,
    numbered: Vec<TextId>,
}

impl Map {
    /// The number of a name.
    pub fn name(&self, id: TextId) -> TextId {
        self.names[id as usize]
    }

    /// The number of a plain text.
    pub fn plain(&self, id: TextId) -> TextId {
        if id & NUMBERED == 0 { self.plain[id as usize] } else { self.numbered[(id & !NUMBERED) as usize] }
    }
}

/// A text of a run, as it was read.
#[derive(Clone, Debug)]
pub enum Text<'a> {
    /// It is kept.
    Kept(&'a str),
    /// It was made from its number.
    Made(SmolStr),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Kept(text) => text,
            Text::Made(text) => text,
        }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl From<Text<'_>> for SmolStr {
    fn from(text: Text<'_>) -> SmolStr {
        match text {
            Text::Kept(text) => SmolStr::new(text),
            Text::Made(text) => text,
        }
    }
}

/// Which texts a space holds, and so what their hashes are made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Hashed as they are; what they fold to is a name as well.
    Names,
    /// Hashed folded; of those that fold to the same the first stands for all.
    Plain,
}

/// The texts of a run and one space whose hashes fall into one shard.
#[derive(Default)]
struct Shard {
    bytes: String,
    ends: Vec<u32>,
    /// While texts are joined: the tag and number of each.
    table: HashTable<(Tag, u32)>,
    /// The same, made anew when a text is asked for afterwards.
    asked: OnceLock<HashTable<(Tag, u32)>>,
    /// Of a plain text that folds like an earlier one, or like a numbered one, that one.
    like: HashMap<u32, Like>,
}

/// What a plain text folds like.
#[derive(Clone, Copy)]
enum Like {
    /// A text of the same shard.
    Text(u32),
    /// The slot of a numbered one.
    Numbered(u32),
}

impl Shard {
    fn get(&self, i: usize) -> &str {
        &self.bytes[start(&self.ends, i)..self.ends[i] as usize]
    }

    fn intern(&mut self, text: &str, tag: Tag, kind: Kind) -> u32 {
        let mut like = None;
        let found = self.table.find(spread(tag), |&(other, i)| {
            if other != tag {
                return false;
            }
            let other = self.get(i as usize);
            if kind == Kind::Plain && other != text && like.is_none() && fold_alike(other, text) {
                like = Some(i);
            }
            other == text
        });
        if let Some(&(_, i)) = found {
            return i;
        }
        let i = self.ends.len() as u32;
        self.bytes.push_str(text);
        self.ends.push(u32::try_from(self.bytes.len()).expect("a 256th of all texts is less than 4 GiB"));
        self.table.insert_unique(spread(tag), (tag, i), |entry| spread(entry.0));
        if let Some(first) = like {
            self.like.insert(i, self.like.get(&first).copied().unwrap_or(Like::Text(first)));
        }
        i
    }

    /// Looks for texts that fold like one that lies on a page, when all pages are known.
    fn like_numbered(&mut self, pages: &Pages) {
        if pages.is_empty() {
            return;
        }
        for i in 0..self.ends.len() {
            let text = self.get(i);
            if !numbered::may_be_one(text.as_bytes()) {
                continue;
            }
            if let Some((slot, _)) = pages.find(&fold(text)) {
                self.like.insert(i as u32, Like::Numbered(slot));
            }
        }
    }

    fn find(&self, hash: u64, kind: Kind, is: impl Fn(&str) -> bool) -> Option<u32> {
        let all = || {
            let mut table = HashTable::with_capacity(self.ends.len());
            for i in 0..self.ends.len() {
                let text = self.get(i);
                let tag = tag_of(if kind == Kind::Plain { hash_folded(text) } else { self::hash(text.as_bytes()) });
                table.insert_unique(spread(tag), (tag, i as u32), |entry: &(Tag, u32)| spread(entry.0));
            }
            table
        };
        let table = if self.table.is_empty() { self.asked.get_or_init(all) } else { &self.table };
        let tag = tag_of(hash);
        table.find(spread(tag), |&(other, i)| other == tag && is(self.get(i as usize))).map(|entry| entry.1)
    }
}

/// So many slots in a row belong together.
#[derive(Clone, Copy)]
enum Chunk {
    /// Texts of a shard, from this one on.
    Texts { shard: u32, first: u32 },
    /// A page of numbered ids.
    Page(u32),
}

/// All names, or all plain texts.
struct Space {
    kind: Kind,
    shards: Vec<Shard>,
    /// Slots, [`PAGE`] at a time; the first has none, so that no text has the number [`EMPTY`].
    chunks: Vec<Chunk>,
    /// The chunks of each shard.
    chunks_of: Vec<Vec<u32>>,
    /// Of plain texts those that are numbered.
    pages: Pages,
}

impl Space {
    fn new(kind: Kind) -> Space {
        Space {
            kind,
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            chunks: vec![Chunk::Texts { shard: 0, first: u32::MAX }],
            chunks_of: vec![Vec::new(); SHARDS],
            pages: Pages::default(),
        }
    }

    fn id_at(&self, slot: u32) -> TextId {
        if self.kind == Kind::Plain { slot | PLAIN } else { slot }
    }

    fn id(&self, shard: usize, i: u32) -> TextId {
        let (chunk, at) = (i >> PAGE_BITS, i % PAGE as u32);
        self.id_at(self.chunks_of[shard][chunk as usize] << PAGE_BITS | at)
    }

    /// Makes chunks for the texts that shards have got.
    fn lay_out(&mut self) {
        for (s, (shard, chunks)) in self.shards.iter().zip(&mut self.chunks_of).enumerate() {
            while chunks.len() * PAGE < shard.ends.len() {
                let first = (chunks.len() * PAGE) as u32;
                chunks.push(self.chunks.len() as u32);
                self.chunks.push(Chunk::Texts { shard: s as u32, first });
            }
        }
        assert!(self.chunks.len() < (PLAIN >> PAGE_BITS) as usize, "fewer than 2^30 distinct texts fit into memory");
    }

    /// Numbered ids: the number of each that lies on a page, and what is kept as text.
    fn merge_numbered(&mut self, parts: &[&Met]) -> (Vec<Vec<TextId>>, Vec<Layer>) {
        let before = self.pages.len();
        let taken = self.pages.merge(parts, self.chunks.len());
        self.chunks.extend((before..self.pages.len()).map(|page| Chunk::Page(page as u32)));
        let kept = |texts: &[SmolStr]| {
            let mut local = Local::default();
            texts.iter().for_each(|text| {
                local.push(text, hash_folded(text));
            });
            local.seal()
        };
        let layers = taken.par_iter().map(|taken| kept(&taken.texts)).collect();
        let id = |slot: u32| if slot == 0 { EMPTY } else { self.id_at(slot) };
        let ids = taken.into_par_iter().map(|taken| taken.slots.into_iter().map(id).collect()).collect();
        (ids, layers)
    }

    fn merge(&mut self, parts: &[&Layer]) -> Vec<Vec<TextId>> {
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
        let kind = self.kind;
        self.shards.par_iter_mut().zip(pieces).enumerate().for_each(|(s, (shard, pieces))| {
            let new: usize = pieces.iter().map(|p| p.len()).sum();
            shard.table.reserve(new / 2, |entry| spread(entry.0));
            for (part, piece) in parts.iter().zip(pieces) {
                let range = part.shard(s);
                let mut from = if range.start == 0 { 0 } else { part.texts[range.start - 1].1 as usize };
                for (&(tag, end), number) in part.texts[range].iter().zip(piece) {
                    *number = shard.intern(&part.bytes[from..end as usize], tag, kind);
                    from = end as usize;
                }
            }
        });
        self.lay_out();
        numbers
            .par_iter()
            .zip(parts)
            .map(|(numbers, part)| {
                let mut map = vec![EMPTY; numbers.len() + 1];
                for s in 0..SHARDS {
                    let range = part.shard(s);
                    for (&of_part, &i) in part.order[range.clone()].iter().zip(&numbers[range]) {
                        map[of_part as usize] = self.id(s, i);
                    }
                }
                map
            })
            .collect()
    }

    fn close(&mut self) {
        let (kind, pages) = (self.kind, &self.pages);
        self.shards.par_iter_mut().for_each(|shard| {
            // Names are asked for all the time.
            if kind == Kind::Plain {
                shard.table = HashTable::new();
                shard.like_numbered(pages);
            }
            shard.bytes.shrink_to_fit();
            shard.ends.shrink_to_fit();
        });
    }

    /// One more than the highest slot.
    fn len(&self) -> usize {
        self.chunks.len() << PAGE_BITS
    }

    fn get(&self, id: TextId) -> Text<'_> {
        let at = slot(id);
        match self.chunks[at >> PAGE_BITS] {
            Chunk::Texts { shard, first } => Text::Kept(self.shards[shard as usize].get(first as usize + at % PAGE)),
            Chunk::Page(page) => Text::Made(self.pages.text(page, at as u8)),
        }
    }

    /// What is the same number for all plain texts that fold alike.
    fn like(&self, id: TextId) -> TextId {
        let at = slot(id);
        let Chunk::Texts { shard, first } = self.chunks[at >> PAGE_BITS] else { return id };
        let like = &self.shards[shard as usize].like;
        if like.is_empty() {
            return id;
        }
        match like.get(&(first + (at % PAGE) as u32)) {
            Some(Like::Text(i)) => self.id(shard as usize, *i),
            Some(Like::Numbered(slot)) => self.id_at(*slot),
            None => id,
        }
    }

    /// The number of a text with this hash that is so.
    fn find(&self, hash: u64, is: impl Fn(&str) -> bool) -> TextId {
        let s = shard_of(hash);
        self.shards[s].find(hash, self.kind, is).map_or(EMPTY, |i| self.id(s, i))
    }
}

/// Every text of a run, with what it folds to.
pub struct Texts {
    names: Space,
    plain: Space,
    /// By name; its own number where it is folded already.
    folded: Vec<TextId>,
    tails: HashMap<TextId, TextId>,
}

impl Default for Texts {
    fn default() -> Texts {
        Texts {
            names: Space::new(Kind::Names),
            plain: Space::new(Kind::Plain),
            folded: Vec::new(),
            tails: HashMap::new(),
        }
    }
}

impl Texts {
    /// Takes over what decoders interned; each answer maps the numbers of one of them to ours.
    pub fn merge(&mut self, parts: &[Sealed]) -> Vec<Map> {
        let (names, plain) = (&mut self.names, &mut self.plain);
        let (names, (plain, numbered)) = rayon::join(
            || names.merge(&parts.iter().map(|p| &p.names).collect::<Vec<_>>()),
            || {
                let (mut ids, kept) = plain.merge_numbered(&parts.iter().map(|p| &p.numbered).collect::<Vec<_>>());
                let mut plain = plain.merge(&parts.iter().map(|p| &p.plain).chain(&kept).collect::<Vec<_>>());
                let kept = plain.split_off(parts.len());
                for (ids, kept) in ids.iter_mut().zip(kept) {
                    let missing = ids.iter_mut().filter(|id| **id == EMPTY);
                    missing.zip(&kept[1..]).for_each(|(id, kept)| *id = *kept);
                }
                (plain, ids)
            },
        );
        self.folded.extend(self.folded.len() as u32..self.names.len() as u32);
        for (part, map) in parts.iter().zip(&names) {
            for &(id, folded) in &part.folded {
                self.folded[map[id as usize] as usize] = map[folded as usize];
            }
            for &(id, tail) in &part.tails {
                self.tails.insert(map[id as usize], map[tail as usize]);
            }
        }
        let maps = names.into_iter().zip(plain).zip(numbered);
        maps.map(|((names, plain), numbered)| Map { names, plain, numbered }).collect()
    }

    /// Room for the plain texts of so many bytes of canonical tables. What stays is best laid down before what comes and goes: behind it
    /// the memory of the latter cannot be given back. Room that is not used costs nothing.
    pub fn expect_input(&mut self, bytes: u64) {
        // About an eighth of them is text that comes once, and about each hundredth begins one.
        let share = |of: u64| usize::try_from(bytes / of / SHARDS as u64).unwrap_or(0).min(1 << 28);
        for shard in &mut self.plain.shards {
            shard.bytes.reserve_exact(share(8));
            shard.ends.reserve_exact(share(100));
        }
    }

    /// Makes room for the plain texts still to come, were they like what came: `more` is how much of it, as a share of what was read.
    /// Growing by doubling puts every number into its table again each time.
    pub fn expect(&mut self, more: f64) {
        // Of names the later parts mostly repeat those of the first.
        self.plain.shards.par_iter_mut().for_each(|shard| {
            let of = |len: usize| ((len as f64 * more) as usize).min(1 << 22);
            shard.table.reserve(of(shard.ends.len()), |entry| spread(entry.0));
            let (ends, bytes) = (of(shard.ends.len()), of(shard.bytes.len()));
            shard.ends.reserve_exact(ends);
            shard.bytes.reserve_exact(bytes);
        });
    }

    /// Gives back the memory that only further merges need; there are none afterwards.
    pub fn close(&mut self) {
        rayon::join(|| self.names.close(), || self.plain.close());
        self.folded.shrink_to_fit();
    }

    /// The number of a name that was seen; [`EMPTY`] when it was not.
    pub fn find(&self, text: &str) -> TextId {
        if text.is_empty() {
            return EMPTY;
        }
        self.names.find(hash(text.as_bytes()), |other| other == text)
    }

    /// Was a name or a plain text seen that folds to this?
    pub fn knows(&self, folded: &str) -> bool {
        self.find(folded) != EMPTY
            || self.plain.pages.find(folded).is_some_and(|(_, met)| met)
            || self.plain.find(hash_folded(folded), |other| fold_alike(other, folded)) != EMPTY
    }

    /// The text.
    pub fn get(&self, id: TextId) -> Text<'_> {
        match id {
            EMPTY => Text::Kept(""),
            id if id & PLAIN == 0 => self.names.get(id),
            id => self.plain.get(id),
        }
    }

    /// The text of a name; the empty text for any other.
    pub fn name(&self, id: TextId) -> &str {
        match self.get(id) {
            Text::Kept(text) if id & PLAIN == 0 => text,
            _ => "",
        }
    }

    /// What is the same number for all that fold alike: of a name the folded one, of plain texts the first, or one that is
    /// numbered. For plain texts only when the last were read ([`Texts::close`]).
    pub fn folded(&self, id: TextId) -> TextId {
        if id & PLAIN == 0 {
            return self.folded.get(id as usize).copied().unwrap_or(EMPTY);
        }
        self.plain.like(id)
    }

    /// The text, folded.
    pub fn get_folded(&self, id: TextId) -> Cow<'_, str> {
        if id & PLAIN == 0 {
            return Cow::Borrowed(self.name(self.folded(id)));
        }
        match self.plain.get(id) {
            Text::Kept(text) if is_folded(text.as_bytes()) => Cow::Borrowed(text),
            text => Cow::Owned(fold(&text)),
        }
    }

    /// Of a folded `domain\user` the part behind the last `\`; [`EMPTY`] when there is none.
    pub fn tail(&self, folded: TextId) -> TextId {
        if self.tails.is_empty() {
            return EMPTY;
        }
        self.tails.get(&folded).copied().unwrap_or(EMPTY)
    }

    /// Slots of names: how long an array over them is, see [`slot`].
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// Slots of names or of plain texts, whichever are more.
    pub fn slots(&self) -> usize {
        self.names.len().max(self.plain.len())
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
        let id = |i: usize| map.name(ids[i]);
        assert_eq!(all.folded(id(0)), all.folded(id(1)));
        assert_eq!(all.folded(id(1)), id(1));
        assert_ne!(id(0), id(1));
        assert_eq!(all.tail(all.folded(id(0))), id(2));
        assert_eq!(id(3), EMPTY);
        assert_eq!(&*all.get(all.folded(id(4))), "日本 ä");
        assert_eq!(all.tail(id(5)), EMPTY);
        assert_eq!(&*all.get(all.folded(id(6))), "ας");
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
                    let id = map.name(id);
                    assert_eq!(&*all.get(id), text(n));
                    assert_eq!(&*all.get(all.folded(id)), fold(&text(n)));
                    assert_eq!(*seen.entry(text(n)).or_insert(id), id);
                }
            }
        }
        assert_eq!(seen.values().collect::<std::collections::BTreeSet<_>>().len(), seen.len());
        assert_eq!(all.find("corp\\user0"), all.folded(all.find("CORP\\User0")));
        assert_eq!(&*all.get(all.tail(all.find("corp\\user0"))), "user0");
    }

    #[test]
    fn plain_texts_that_fold_alike_share_a_number_for_comparing() {
        let given = ["INC1", "inc1", "Inc1", "INC2", "É1", "é1", "ſs", "SS", "a b", "A B", "", "\u{212a}1", "k1"];
        let mut all = Texts::default();
        let mut ids: HashMap<&str, TextId> = HashMap::new();
        for order in [given.to_vec(), given.iter().rev().copied().collect()] {
            let mut part = Interner::default();
            let mut sight = Sight::default();
            let local: Vec<TextId> = order.iter().map(|t| part.intern_plain(t, &mut sight)).collect();
            let map = all.merge(&[part.seal()]).remove(0);
            for (text, id) in order.into_iter().zip(local) {
                let id = map.plain(id);
                assert_eq!(*ids.entry(text).or_insert(id), id, "{text}");
                assert_eq!((&*all.get(id), &*all.get_folded(id)), (text, fold(text).as_str()));
            }
        }
        for (a, x) in &ids {
            for (b, y) in &ids {
                assert_eq!(all.folded(*x) == all.folded(*y), fold(a) == fold(b), "{a} and {b}");
            }
        }
        assert!(all.knows("inc1") && all.knows("é1") && !all.knows("inc3"));
        all.close();
        assert!(all.knows("inc1") && all.knows("é1") && !all.knows("inc3"));
        assert_eq!(all.find("inc1"), EMPTY, "a name was asked for");
    }

    #[test]
    fn what_comes_again_after_many_new_ones_is_the_same() {
        let mut part = Interner::default();
        let mut sight = Sight::default();
        let ids: Vec<TextId> = (0..5000).map(|n| part.intern_plain(&format!("id-{}", n % 3000), &mut sight)).collect();
        assert_ne!(ids[0], ids[3000], "not looked for");
        let mut all = Texts::default();
        let map = all.merge(&[part.seal()]).remove(0);
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(map.plain(*id), map.plain(ids[n % 3000]));
        }
    }
}
