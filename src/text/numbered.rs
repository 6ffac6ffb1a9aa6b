//! Numbered ids: a short prefix and digits, as tickets, log records and inventories count them (`INC0012345`).
//!
//! Where many neighbours of such an id are there, none of them needs to be kept or looked for: its number says where it
//! is. Numbers are taken by pages of 256. Whether a page is laid out is decided once, from the first texts that show
//! it, and holds for all that come later, so that a text never has two numbers; ids of other pages are kept as any
//! other text is.

use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use rayon::prelude::*;
use smol_str::SmolStr;

/// Bits of a number that name its place in a page.
pub(super) const PAGE_BITS: u32 = 8;
/// Ids of one page.
pub(super) const PAGE: usize = 1 << PAGE_BITS;
/// How often a page has to be met at first to be laid out: it takes about as much memory as so many texts.
const DENSE: u32 = 16;
/// So many pages at most, half of the numbers that there are.
const MOST_PAGES: usize = 1 << 21;
/// Families beyond are texts like any other: real sources have a dozen.
const MOST_FAMILIES: usize = 1024;
/// Of a family whose ids are scattered so many pages are remembered before no further one is laid out.
const MOST_SCATTERED: usize = 4096;
/// Fewer digits are no id, more do not fit.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=12;
/// Longest prefix: with the most digits an id lies within a [`SmolStr`].
const PREFIX: usize = 11;

/// Ids that differ in their number alone.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Family {
    prefix: SmolStr,
    digits: u8,
}

/// Can a text fold to a numbered id? Folding takes away what is not visible at its end.
pub(super) fn may_be_one(text: &[u8]) -> bool {
    match text {
        [.., b'!'..=b'~'] => {
            text.len() >= *DIGITS.start() && text[text.len() - DIGITS.start()..].iter().all(u8::is_ascii_digit)
        }
        _ => true,
    }
}

fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

impl Family {
    /// The family and the number of an id; null for a text that is none.
    fn of(text: &str) -> Option<(Family, u64)> {
        let bytes = text.as_bytes();
        let digits = bytes.iter().rev().take(DIGITS.end() + 1).take_while(|b| b.is_ascii_digit()).count();
        let (prefix, number) = bytes.split_at(bytes.len() - digits);
        let plain = |b: &u8| matches!(b, b'!'..=b'/' | b':'..=b'~');
        let is_one = DIGITS.contains(&digits) && prefix.len() <= PREFIX && prefix.iter().all(plain);
        is_one.then(|| (Family { prefix: SmolStr::new(&text[..prefix.len()]), digits: digits as u8 }, value(number)))
    }

    /// The number of a text of this family.
    fn number(&self, text: &str) -> Option<u64> {
        let digits = text.as_bytes().strip_prefix(self.prefix.as_bytes())?;
        // Every digit is looked at: that is faster here than to stop at the first that is none.
        let are = digits.iter().fold(digits.len() == usize::from(self.digits), |are, d| are & d.is_ascii_digit());
        are.then(|| value(digits))
    }

    fn folded(&self) -> Family {
        Family { prefix: SmolStr::from(self.prefix.to_ascii_lowercase()), digits: self.digits }
    }

    fn text(&self, number: u64) -> SmolStr {
        let mut text = [0; PREFIX + *DIGITS.end()];
        let (prefix, digits) = (self.prefix.len(), usize::from(self.digits));
        text[..prefix].copy_from_slice(self.prefix.as_bytes());
        let mut rest = number;
        for digit in text[prefix..prefix + digits].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        SmolStr::new(std::str::from_utf8(&text[..prefix + digits]).expect("a prefix of ASCII and digits"))
    }
}

/// A numbered id of one part.
struct Id {
    family: u32,
    number: u64,
}

/// Numbered ids of one part, each as often as it was met.
#[derive(Default)]
pub(super) struct Met {
    families: Vec<Family>,
    by_family: HashMap<Family, u32>,
    ids: Vec<Id>,
}

impl Met {
    /// The place of a numbered id; null for a text that is none. `family` is what the column's last one was.
    pub(super) fn take(&mut self, text: &str, family: &mut u32) -> Option<u32> {
        if !text.as_bytes().last()?.is_ascii_digit() {
            return None;
        }
        let number = self.families.get(*family as usize).and_then(|last| last.number(text));
        let number = match number {
            Some(number) => number,
            None => {
                let (of, number) = Family::of(text)?;
                let new = self.families.len() as u32;
                *family = *self.by_family.entry(of).or_insert_with_key(|of| {
                    self.families.push(of.clone());
                    new
                });
                number
            }
        };
        self.ids.push(Id { family: *family, number });
        Some(u32::try_from(self.ids.len() - 1).expect("a part holds less than 4 GiB of text"))
    }

    pub(super) fn reserve(&mut self, ids: usize) {
        self.ids.reserve(ids);
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Ids of one page that follow each other: the family, which page, and they.
    fn runs(&self) -> impl Iterator<Item = (usize, u64, &[Id])> {
        let page = |id: &Id| (id.family as usize, id.number >> PAGE_BITS);
        self.ids.chunk_by(move |a, b| page(a) == page(b)).map(move |run| (page(&run[0]).0, page(&run[0]).1, run))
    }
}

/// A page that is laid out.
struct Page {
    family: u32,
    /// The number of its first id.
    first: u64,
    /// Its chunk of slots.
    chunk: u32,
}

/// A family of the whole.
struct Known {
    family: Family,
    /// Page → where it is laid out; null where it is not.
    pages: HashMap<u64, Option<u32>>,
    /// How many of these are laid out.
    laid: usize,
    /// Will pages that are not known be laid out?
    open: bool,
}

/// What the ids of one part became.
pub(super) struct Taken {
    /// Of each that lies on a page its slot, of others 0.
    pub(super) slots: Vec<u32>,
    /// The texts of the others, in order.
    pub(super) texts: Vec<SmolStr>,
}

/// All pages of the whole, in the order in which they were laid out.
#[derive(Default)]
pub(super) struct Pages {
    families: Vec<Known>,
    /// Of families that fold alike only the first has pages.
    by_folded: HashMap<Family, u32>,
    pages: Vec<Page>,
    /// Bit of each id: was it met?
    met: Vec<AtomicU64>,
}

impl Pages {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Takes over what parts met. New pages, those behind [`Pages::len`] before, lie in the chunks of slots from `chunk` on.
    pub(super) fn merge(&mut self, parts: &[&Met], chunk: usize) -> Vec<Taken> {
        let families: Vec<Vec<Option<u32>>> =
            parts.iter().map(|part| part.families.iter().map(|family| self.family(family)).collect()).collect();
        let all = parts.par_iter().zip(&families);
        let before = self.pages.len();
        let mut unknown: Vec<(u32, u64, u32)> =
            all.clone().flat_map_iter(|(part, of)| self.unknown(part, of)).collect();
        unknown.par_sort_unstable();
        for same in unknown.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let times = same.iter().fold(0, |sum: u32, page| sum.saturating_add(page.2));
            self.decide(same[0].0, same[0].1, times);
        }
        for (page, chunk) in self.pages[before..].iter_mut().zip(chunk..) {
            page.chunk = chunk as u32;
        }
        self.met.resize_with(self.pages.len() * (PAGE / 64), AtomicU64::default);
        all.map(|(part, of)| self.places(part, of)).collect()
    }

    /// Pages that are laid out.
    pub(super) fn len(&self) -> usize {
        self.pages.len()
    }

    /// The family of the whole that may have pages for this one.
    fn family(&mut self, family: &Family) -> Option<u32> {
        let full = self.families.len() == MOST_FAMILIES;
        let next = self.families.len() as u32;
        let known = match self.by_folded.entry(family.folded()) {
            hashbrown::hash_map::Entry::Occupied(known) => *known.get(),
            hashbrown::hash_map::Entry::Vacant(_) if full => return None,
            hashbrown::hash_map::Entry::Vacant(new) => {
                let family = family.clone();
                self.families.push(Known { family, pages: HashMap::new(), laid: 0, open: true });
                *new.insert(next)
            }
        };
        (self.families[known as usize].family == *family).then_some(known)
    }

    /// The pages of a part that nothing was decided of, and how often each was met in a row.
    fn unknown(&self, part: &Met, families: &[Option<u32>]) -> Vec<(u32, u64, u32)> {
        let mut unknown = Vec::new();
        for (family, page, run) in part.runs() {
            let Some(family) = families[family] else { continue };
            let known = &self.families[family as usize];
            if known.open && !known.pages.contains_key(&page) {
                unknown.push((family, page, run.len() as u32));
            }
        }
        unknown
    }

    fn decide(&mut self, family: u32, page: u64, times: u32) {
        let known = &mut self.families[family as usize];
        if !known.open {
            return;
        }
        let dense = times >= DENSE && self.pages.len() < MOST_PAGES;
        known.pages.insert(page, dense.then_some(self.pages.len() as u32));
        if dense {
            known.laid += 1;
            self.pages.push(Page { family, first: page << PAGE_BITS, chunk: 0 });
        }
        let scattered = known.pages.len() - known.laid;
        known.open = scattered < MOST_SCATTERED.max(known.laid);
    }

    fn places(&self, part: &Met, families: &[Option<u32>]) -> Taken {
        let mut taken = Taken { slots: Vec::with_capacity(part.ids.len()), texts: Vec::new() };
        for (family, page, run) in part.runs() {
            let known = families[family].map(|known| &self.families[known as usize].pages);
            match known.and_then(|pages| pages.get(&page).copied().flatten()) {
                Some(page) => {
                    let first = self.pages[page as usize].chunk << PAGE_BITS;
                    let mut met = [0_u64; PAGE / 64];
                    for id in run {
                        let at = id.number as u8;
                        met[usize::from(at) / 64] |= 1 << (at % 64);
                        taken.slots.push(first | u32::from(at));
                    }
                    for (all, met) in self.met[page as usize * (PAGE / 64)..].iter().zip(met) {
                        all.fetch_or(met, Ordering::Relaxed);
                    }
                }
                None => {
                    let family = &part.families[family];
                    taken.slots.extend(run.iter().map(|_| 0));
                    taken.texts.extend(run.iter().map(|id| family.text(id.number)));
                }
            }
        }
        taken
    }

    /// The text of an id.
    pub(super) fn text(&self, page: u32, at: u8) -> SmolStr {
        let page = &self.pages[page as usize];
        self.families[page.family as usize].family.text(page.first | u64::from(at))
    }

    /// The slot of the id that folds to this, and whether it was met; null where it lies on no page.
    pub(super) fn find(&self, folded: &str) -> Option<(u32, bool)> {
        let (family, number) = Family::of(folded)?;
        let family = *self.by_folded.get(&family)?;
        let page = (*self.families[family as usize].pages.get(&(number >> PAGE_BITS))?)?;
        let at = number as u8;
        let word = &self.met[page as usize * (PAGE / 64) + usize::from(at) / 64];
        let slot = self.pages[page as usize].chunk << PAGE_BITS | u32::from(at);
        Some((slot, word.load(Ordering::Relaxed) >> (at % 64) & 1 == 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{EMPTY, Interner, PLAIN, Sight, TextId, Texts, fold};

    /// Joins parts in turn; the number of each text.
    fn joined(texts: &mut Texts, parts: &[Vec<String>]) -> Vec<Vec<TextId>> {
        let read = |part: &Vec<String>| {
            let (mut interner, mut sight) = (Interner::default(), Sight::default());
            let ids: Vec<TextId> = part.iter().map(|text| interner.intern_plain(text, &mut sight)).collect();
            (interner.seal(), ids)
        };
        let (sealed, ids): (Vec<_>, Vec<_>) = parts.iter().map(read).unzip();
        let maps = texts.merge(&sealed);
        maps.iter().zip(ids).map(|(map, ids)| ids.into_iter().map(|id| map.plain(id)).collect()).collect()
    }

    fn ids(prefix: &str, width: usize, numbers: impl Iterator<Item = u64>) -> Vec<String> {
        numbers.map(|n| format!("{prefix}{n:0width$}")).collect()
    }

    #[test]
    fn what_is_a_numbered_id() {
        for (text, is) in [
            ("INC0012345", Some((3, 12_345))),
            ("000001", Some((0, 1))),
            ("evt-999999999999", Some((4, 999_999_999_999))),
            ("evt-9999999999999", None),
            ("12345", None),
            ("a1-000001", None),
            ("a prefix-000001", None),
            ("twelve-chars000001", None),
            ("é000001", None),
            ("10.1.2.255", None),
            ("", None),
            ("INC0012345 ", None),
        ] {
            let found = Family::of(text);
            assert_eq!(found.as_ref().map(|(family, number)| (family.prefix.len(), *number)), is, "{text}");
            let met = Met::default().take(text, &mut 0);
            assert_eq!(met.is_some(), is.is_some(), "{text}");
            if let Some((family, number)) = found {
                assert_eq!((family.text(number).as_str(), family.number(text)), (text, Some(number)));
                for other in ["", "INC", "INC00123x5", "evt-00000000000", "INC+012345"] {
                    assert_eq!(family.number(other), None, "{text} and {other}");
                }
            }
        }
    }

    #[test]
    fn a_text_has_one_number_whatever_was_laid_out_when_it_came() {
        let mut texts = Texts::default();
        let batches = [
            // Dense, scattered, and a page that is met in part only.
            vec![ids("INC", 7, 0..1000), ids("INC", 7, (0..40).map(|n| n * 1000)), ids("evt-", 10, 2560..2570)],
            // Now dense, but kept as texts since the first batch; another spelling; another width.
            vec![
                ids("evt-", 10, 2500..4000),
                ids("inc", 7, 500..900),
                ids("INC", 8, 0..300),
                vec!["free text".to_owned()],
            ],
            vec![ids("INC", 7, 0..40_000), ids("evt-", 10, 0..5000), ids("Inc", 7, 0..10)],
        ];
        let mut seen: std::collections::BTreeMap<String, TextId> = std::collections::BTreeMap::new();
        for parts in &batches {
            for (part, found) in parts.iter().zip(joined(&mut texts, parts)) {
                for (text, id) in part.iter().zip(found) {
                    assert_eq!(&*texts.get(id), text.as_str());
                    assert_eq!(*seen.entry(text.clone()).or_insert(id), id, "{text}");
                }
            }
        }
        texts.close();
        let distinct: std::collections::BTreeSet<TextId> = seen.values().copied().collect();
        assert_eq!(distinct.len(), seen.len());
        assert!(texts.plain.pages.len() > 100);
        // Far fewer texts are kept than there are.
        let kept: usize = texts.plain.shards.iter().map(|shard| shard.ends.len()).sum();
        assert!(kept < seen.len() / 4, "{kept} of {}", seen.len());
        let mut by_folded: std::collections::BTreeMap<String, TextId> = std::collections::BTreeMap::new();
        for (text, id) in &seen {
            assert_eq!(texts.get_folded(*id), fold(text));
            assert!(texts.knows(&fold(text)), "{text}");
            let folded = texts.folded(*id);
            assert_eq!(*by_folded.entry(fold(text)).or_insert(folded), folded, "{text}");
            assert!(crate::text::slot(*id) < texts.slots());
        }
        assert_eq!(by_folded.values().collect::<std::collections::BTreeSet<_>>().len(), by_folded.len());
        assert!(!texts.knows("inc0040000") && !texts.knows("evt-0000005000"), "on a page, and never met");
        assert!(texts.plain.pages.find("evt-0000005000").is_some_and(|(_, met)| !met));
    }

    #[test]
    fn scattered_ids_are_texts() {
        let mut texts = Texts::default();
        let scattered = ids("", 12, (0..20_000).map(|n| n * 7_919_011));
        let found = joined(&mut texts, std::slice::from_ref(&scattered)).remove(0);
        assert!(texts.plain.pages.is_empty());
        assert!(texts.plain.pages.families[0].pages.len() <= MOST_SCATTERED);
        // Closed is closed, however dense what comes.
        let dense = ids("", 12, 0..1000);
        joined(&mut texts, std::slice::from_ref(&dense));
        assert!(texts.plain.pages.is_empty());
        for (text, id) in scattered.iter().zip(found) {
            assert_eq!(&*texts.get(id), text.as_str());
            assert!(id & PLAIN != 0 && id != EMPTY);
        }
    }

    #[test]
    fn families_without_end_are_texts() {
        let mut texts = Texts::default();
        let letters = |n: usize| [n / 676 % 26, n / 26 % 26, n % 26].map(|l| (b'a' + l as u8) as char);
        let many: Vec<String> =
            (0..2 * MOST_FAMILIES).flat_map(|n| ids(&String::from_iter(letters(n)), 6, 0..100)).collect();
        let found = joined(&mut texts, std::slice::from_ref(&many)).remove(0);
        assert_eq!((texts.plain.pages.families.len(), texts.plain.pages.len()), (MOST_FAMILIES, MOST_FAMILIES));
        let again = joined(&mut texts, std::slice::from_ref(&many)).remove(0);
        assert_eq!(found, again);
        for (text, id) in many.iter().zip(found) {
            assert_eq!(&*texts.get(id), text.as_str());
        }
    }
}
