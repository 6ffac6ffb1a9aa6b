//! A record's JSON laid out flat while it is checked: what a mapping looks at, where it stands, and nothing built.
//!
//! Only what is sure is read so. Where a record is no JSON, or says what it says in an unusual way (an escape in a text that is kept,
//! a member twice, a number with an exponent, brackets many deep), there is none, and [`Sieve::read`] tells.
//!
//! A machine writes the members of its records in one order. So the name that followed a name last is compared first, and only where
//! it is another is it looked for.

use super::sieve::Sieve;

/// Brackets in brackets, far below what `serde_json` takes.
const DEEPEST: usize = 64;
/// Members of an object of which all are kept; more are compared with each other for too long.
const MOST_MEMBERS: usize = 48;
/// Names that are learnt of one object, and of all; a log of more is read like any that nobody knows.
const MOST_OF_ONE: usize = 255;
const MOST_LEARNT: usize = 8192;
/// Bytes of a name with its quotes and colon up to which it is learnt.
const LONGEST_NAME: usize = 32;

/// No place, shape or member.
const NONE: u32 = u32::MAX;

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    Number,
    Text,
    Array,
    Object,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    kind: Kind,
    /// The item behind this one and all within it.
    next: u32,
    /// Of a member its name.
    key: (u32, u32),
    /// Of a text what stands between its quotes; of a number all of it.
    at: (u32, u32),
}

/// What a sieve keeps, as a list of places in records: the first is the record itself.
#[derive(Debug)]
pub(super) struct Plan {
    places: Vec<Place>,
}

#[derive(Debug, Default)]
struct Place {
    /// Everything below is kept.
    whole: bool,
    /// Names, and the place of each.
    members: Vec<(String, u32)>,
    /// Bit of a length: some member's name is so long; those of 63 and more share a bit.
    lengths: u64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { places: vec![Place { whole: true, ..Place::default() }] }
    }
}

impl Plan {
    /// What a sieve keeps.
    pub(super) fn of(sieve: &Sieve) -> Plan {
        let mut plan = Plan { places: vec![Place::default()] };
        plan.fill(0, sieve);
        plan
    }

    fn fill(&mut self, place: u32, sieve: &Sieve) {
        self.places[place as usize].whole = sieve.is_whole();
        for (name, within) in sieve.members() {
            let member = self.add(place, name);
            self.fill(member, within);
        }
    }

    fn add(&mut self, place: u32, name: &str) -> u32 {
        let member = self.places.len() as u32;
        let place = &mut self.places[place as usize];
        place.members.push((name.to_owned(), member));
        place.lengths |= 1 << name.len().min(63);
        self.places.push(Place::default());
        member
    }

    /// The places that keys lead through, one a key. What is kept whole anyway gets them as it is asked for them.
    pub(super) fn places<'k>(&mut self, keys: impl Iterator<Item = &'k str>) -> Vec<u32> {
        let mut at = 0;
        keys.map(|key| {
            at = self.find(at, key.as_bytes()).map_or_else(
                || {
                    let member = self.add(at, key);
                    // A sieve has every name that is looked for where not all is kept.
                    self.places[member as usize].whole = true;
                    member
                },
                |(_, member)| member,
            );
            at
        })
        .collect()
    }

    /// The member of a place with this name, in any case, and which of its members that is.
    fn find(&self, place: u32, name: &[u8]) -> Option<(usize, u32)> {
        let place = &self.places[place as usize];
        if place.lengths >> name.len().min(63) & 1 == 0 {
            return None;
        }
        let n = place.members.iter().position(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))?;
        Some((n, place.members[n].1))
    }
}

/// What objects that stand in one place looked like so far.
#[derive(Debug)]
struct Shape {
    /// Its place; [`NONE`] below what is kept whole, and where nothing is kept.
    place: u32,
    /// Everything below is kept.
    whole: bool,
    members: Vec<Known>,
    /// The member that objects begin with.
    first: u32,
}

/// A member of which the name was met before.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The name in quotes, and a colon: bytes behind it are 0.
    name: [u128; 2],
    /// Which of these bytes count.
    mask: [u128; 2],
    length: u32,
    kept: Kept,
    /// The [`Shape`] of objects that stand there.
    within: u32,
    /// The member that followed last.
    next: u32,
}

/// What is kept of a member.
#[derive(Clone, Copy, Debug)]
enum Kept {
    No,
    /// A member that is met twice has the same number, in whatever case it is written.
    Yes {
        place: u32,
        nth: u32,
    },
}

/// Of a name in an object: what is known of it.
enum Name {
    /// Which member it is.
    Known(u32),
    /// It is kept, below what is kept whole; or not.
    Other { kept: bool },
}

/// Where everything that is kept of one record stands; used again for the next, of the same plan.
#[derive(Debug, Default)]
pub(super) struct Tape {
    items: Vec<Item>,
    /// By place of the plan: what stands there, from 1; 0 where nothing does, or where an array is on the way.
    placed: Vec<u32>,
    shapes: Vec<Shape>,
    learnt: usize,
}

/// A record and where in it everything stands.
#[derive(Clone, Copy)]
pub(super) struct Record<'q> {
    text: &'q str,
    items: &'q [Item],
    placed: &'q [u32],
}

/// Shapes of objects of which no name is learnt: what is kept, and what is not.
const OTHER_KEPT: u32 = 0;
const OTHER_PASSED: u32 = 1;
/// The shape of records.
const OUTERMOST: u32 = 2;

impl Tape {
    /// Lays out the object that `bytes` begins with, and gives its length. Null where that is not sure, or where the bytes end before
    /// it does. Whether it is UTF-8 is left to [`Tape::record`].
    pub(super) fn lay(&mut self, bytes: &[u8], plan: &Plan) -> Option<usize> {
        self.items.clear();
        self.placed.clear();
        self.placed.resize(plan.places.len(), 0);
        if self.shapes.is_empty() {
            let shape = |place, whole| Shape { place, whole, members: Vec::new(), first: NONE };
            self.shapes = vec![shape(NONE, true), shape(NONE, false), shape(0, plan.places[0].whole)];
        }
        if bytes.len() > u32::MAX as usize || bytes.first() != Some(&b'{') {
            return None;
        }
        let here = self.push(Kind::Object, (0, 0), (0, 0));
        self.placed[0] = here as u32 + 1;
        let mut at = Reading { tape: self, plan, bytes };
        at.object::<true>(0, OUTERMOST, Way::Straight, DEEPEST)
    }

    /// What was laid out of `bytes`; null where they are no UTF-8.
    pub(super) fn record<'q>(&'q self, bytes: &'q [u8]) -> Option<Record<'q>> {
        Some(Record { text: std::str::from_utf8(bytes).ok()?, items: &self.items, placed: &self.placed })
    }

    fn push(&mut self, kind: Kind, key: (u32, u32), at: (usize, usize)) -> usize {
        let here = self.items.len();
        self.items.push(Item { kind, next: here as u32 + 1, key, at: (at.0 as u32, at.1 as u32) });
        here
    }

    fn close(&mut self, here: usize) {
        self.items[here].next = self.items.len() as u32;
    }

    /// What is known of a name that stands in an object of this shape; null where it is not sure that it stands there once.
    fn name(&mut self, plan: &Plan, shape: u32, name: &[u8]) -> Option<Name> {
        let of = &self.shapes[shape as usize];
        let same = |known: &Known| known.length as usize == name.len() + 3 && known.is(name);
        if let Some(known) = of.members.iter().position(same) {
            return Some(Name::Known(known as u32));
        }
        let found = if of.place == NONE { None } else { plan.find(of.place, name) };
        let kept = match (found, of.whole) {
            // Here a name that is written in two ways is met twice.
            (found, true) => {
                let alike = of.members.iter().find(|known| known.is_in_any_case(name));
                let nth = match alike.map(|known| known.kept) {
                    Some(Kept::Yes { nth, .. }) => nth,
                    _ => of.members.len() as u32,
                };
                Kept::Yes { place: found.map_or(NONE, |(_, place)| place), nth }
            }
            (Some((nth, place)), false) => Kept::Yes { place, nth: nth as u32 },
            (None, false) => Kept::No,
        };
        if let Kept::Yes { nth, .. } = kept
            && nth >= 64
            && !of.whole
        {
            return None;
        }
        let most = if of.whole { MOST_MEMBERS } else { MOST_OF_ONE };
        let learns = shape > OTHER_PASSED && of.members.len() < most && self.learnt < MOST_LEARNT;
        match Known::new(name, kept).filter(|_| learns) {
            Some(known) => {
                self.learnt += 1;
                let members = &mut self.shapes[shape as usize].members;
                members.push(known);
                Some(Name::Known(members.len() as u32 - 1))
            }
            None if found.is_some() => None,
            None if of.whole && of.members.iter().any(|known| known.is_in_any_case(name)) => None,
            None => Some(Name::Other { kept: of.whole }),
        }
    }

    /// Notes which member follows another, and says what is known of it: its place in the shape, what is kept, what followed it last.
    fn follows(&mut self, shape: u32, before: u32, name: &Name) -> (u32, Kept, u32) {
        let shape = &mut self.shapes[shape as usize];
        match name {
            Name::Known(nth) => {
                match shape.members.get_mut(before as usize) {
                    Some(before) => before.next = *nth,
                    None => shape.first = *nth,
                }
                let known = &shape.members[*nth as usize];
                (*nth, known.kept, known.next)
            }
            Name::Other { kept: true } => (NONE, Kept::Yes { place: NONE, nth: 0 }, NONE),
            Name::Other { kept: false } => (NONE, Kept::No, NONE),
        }
    }

    /// The shape of objects that stand at a member.
    fn within(&mut self, plan: &Plan, shape: u32, member: u32) -> u32 {
        let known = self.shapes[shape as usize].members[member as usize];
        if known.within != NONE {
            return known.within;
        }
        let within = self.shapes.len() as u32;
        let (place, whole) = match known.kept {
            Kept::No => (NONE, false),
            Kept::Yes { place: NONE, .. } => (NONE, true),
            Kept::Yes { place, .. } => (place, plan.places[place as usize].whole),
        };
        self.shapes.push(Shape { place, whole, members: Vec::new(), first: NONE });
        self.shapes[shape as usize].members[member as usize].within = within;
        within
    }

    /// Whether an object that is open has a member of this name, in any case, or more than are compared.
    fn is_twice(&self, bytes: &[u8], object: usize, key: &[u8]) -> bool {
        let mut at = object + 1;
        let mut members = 0;
        while let Some(item) = self.items.get(at) {
            members += 1;
            if members > MOST_MEMBERS || bytes[item.key.0 as usize..item.key.1 as usize].eq_ignore_ascii_case(key) {
                return true;
            }
            at = item.next as usize;
        }
        false
    }
}

impl Known {
    /// Null of a name that is too long.
    fn new(name: &[u8], kept: Kept) -> Option<Known> {
        let length = name.len() + 3;
        let mut bytes = [0; LONGEST_NAME];
        let mut mask = [0; LONGEST_NAME];
        let into = bytes.get_mut(..length)?;
        into[0] = b'"';
        into[1..=name.len()].copy_from_slice(name);
        into[length - 2..].copy_from_slice(b"\":");
        mask[..length].fill(u8::MAX);
        let halves = |bytes: [u8; LONGEST_NAME]| {
            let half = |n: usize| bytes[n..n + 16].try_into().map(u128::from_le_bytes).unwrap_or_default();
            [half(0), half(16)]
        };
        let (name, mask) = (halves(bytes), halves(mask));
        Some(Known { name, mask, length: length as u32, kept, within: NONE, next: NONE })
    }

    fn bytes(&self) -> [u8; LONGEST_NAME] {
        let mut bytes = [0; LONGEST_NAME];
        bytes[..16].copy_from_slice(&self.name[0].to_le_bytes());
        bytes[16..].copy_from_slice(&self.name[1].to_le_bytes());
        bytes
    }

    fn is(&self, name: &[u8]) -> bool {
        self.bytes()[1..self.length as usize - 2] == *name
    }

    fn is_in_any_case(&self, name: &[u8]) -> bool {
        self.bytes()[1..self.length as usize - 2].eq_ignore_ascii_case(name)
    }

    /// Whether bytes begin with the name, its quotes and a colon.
    #[inline(always)]
    fn begins(&self, bytes: &[u8], at: usize) -> bool {
        let sixteen = |at: usize| Some(u128::from_le_bytes(bytes.get(at..at + 16)?.try_into().ok()?));
        let same = |n: usize| sixteen(at + 16 * n).map(|bytes| (bytes ^ self.name[n]) & self.mask[n] == 0);
        let all = match same(0) {
            Some(true) if self.length > 16 => same(1),
            first => first,
        };
        // Near the end of what there is.
        let rest = || bytes.get(at..).is_some_and(|rest| rest.starts_with(&self.bytes()[..self.length as usize]));
        all.unwrap_or_else(rest)
    }
}

/// Whether what stands in a place can be told by its place: in an array there are several.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Straight,
    ThroughAnArray,
}

/// One value of an object or array, as far as what is kept of it goes.
#[derive(Clone, Copy)]
struct Member {
    key: (u32, u32),
    place: u32,
    /// The object's shape, and which of its members this is; of others the shape of objects that stand here.
    shape: u32,
    nth: u32,
}

/// A record being laid out.
struct Reading<'t> {
    tape: &'t mut Tape,
    plan: &'t Plan,
    bytes: &'t [u8],
}

impl Reading<'_> {
    /// Where the object ends whose bracket opens at `open`; where it is kept, it is the last item.
    fn object<const KEPT: bool>(&mut self, open: usize, shape: u32, way: Way, deeper: usize) -> Option<usize> {
        let bytes = self.bytes;
        let deeper = deeper.checked_sub(1)?;
        let here = self.tape.items.len().wrapping_sub(1);
        let mut at = solid(bytes, open + 1)?;
        if bytes[at] == b'}' {
            return Some(at + 1);
        }
        let mut met = 0_u64;
        let mut guess = self.tape.shapes[shape as usize].first;
        let mut before = NONE;
        loop {
            let guessed = match self.tape.shapes[shape as usize].members.get(guess as usize) {
                Some(known) if known.begins(bytes, at) => Some((known.kept, known.next, known.length)),
                _ => None,
            };
            // Which member of the shape it is, what is kept of it, and what is likely to follow.
            let (nth, kept, next, key);
            if let Some((as_known, follows, length)) = guessed {
                (nth, kept, next) = (guess, as_known, follows);
                key = (at as u32 + 1, at as u32 + length - 2);
                at += length as usize;
            } else {
                if *bytes.get(at)? != b'"' {
                    return None;
                }
                let (close, plain) = text_end(bytes, at + 1)?;
                let name = &bytes[at + 1..close];
                key = (at as u32 + 1, close as u32);
                at = solid(bytes, close + 1)?;
                if bytes[at] != b':' {
                    return None;
                }
                at += 1;
                let name = match plain {
                    true => self.tape.name(self.plan, shape, name)?,
                    false if KEPT => return None,
                    false => Name::Other { kept: false },
                };
                (nth, kept, next) = self.tape.follows(shape, before, &name);
                if KEPT && nth == NONE && matches!(kept, Kept::Yes { .. }) {
                    let name = &bytes[key.0 as usize..key.1 as usize];
                    if self.tape.is_twice(bytes, here, name) {
                        return None;
                    }
                }
            }
            before = nth;
            guess = next;
            at = solid(bytes, at)?;
            at = match kept {
                Kept::Yes { place, nth: which } if KEPT => {
                    if nth != NONE {
                        // Twice, perhaps in another case: which of them counts is told elsewhere.
                        if met >> which & 1 == 1 {
                            return None;
                        }
                        met |= 1 << which;
                    }
                    let shape = if nth == NONE { OTHER_KEPT } else { shape };
                    self.value::<true>(at, Member { key, place, shape, nth }, way, deeper)?
                }
                _ => {
                    let shape = if nth == NONE { OTHER_PASSED } else { shape };
                    self.value::<false>(at, Member { key, place: NONE, shape, nth }, way, deeper)?
                }
            };
            at = solid(bytes, at)?;
            match bytes[at] {
                b',' => at = solid(bytes, at + 1)?,
                b'}' => {
                    if KEPT {
                        self.tape.close(here);
                    }
                    return Some(at + 1);
                }
                _ => return None,
            }
        }
    }

    /// Where a value ends.
    #[inline(always)]
    fn value<const KEPT: bool>(&mut self, at: usize, member: Member, way: Way, deeper: usize) -> Option<usize> {
        let bytes = self.bytes;
        match *bytes.get(at)? {
            b'"' => {
                let (close, plain) = text_end(bytes, at + 1)?;
                if KEPT {
                    self.keep(Kind::Text, member, (at + 1, close), way);
                    return plain.then_some(close + 1);
                }
                Some(close + 1)
            }
            b'{' | b'[' => self.structure::<KEPT>(at, member, way, deeper),
            b't' => self.word::<KEPT, _>(at, member, way, (b"true", Kind::True)),
            b'f' => self.word::<KEPT, _>(at, member, way, (b"false", Kind::False)),
            b'n' => self.word::<KEPT, _>(at, member, way, (b"null", Kind::Null)),
            _ => {
                let (end, plain) = number_end(bytes, at)?;
                if KEPT {
                    self.keep(Kind::Number, member, (at, end), way);
                    return plain.then_some(end);
                }
                Some(end)
            }
        }
    }

    fn structure<const KEPT: bool>(&mut self, at: usize, member: Member, way: Way, deeper: usize) -> Option<usize> {
        let bytes = self.bytes;
        if bytes[at] == b'{' {
            let within = match member.nth {
                NONE => member.shape,
                nth => self.tape.within(self.plan, member.shape, nth),
            };
            if KEPT {
                self.keep(Kind::Object, member, (at, at), way);
            }
            return self.object::<KEPT>(at, within, way, deeper);
        }
        let deeper = deeper.checked_sub(1)?;
        let here = self.tape.items.len();
        if KEPT {
            self.keep(Kind::Array, member, (at, at), way);
        }
        let mut at = solid(bytes, at + 1)?;
        if bytes[at] == b']' {
            return Some(at + 1);
        }
        let element = Member { key: (0, 0), ..member };
        loop {
            at = self.value::<KEPT>(at, element, Way::ThroughAnArray, deeper)?;
            at = solid(bytes, at)?;
            match bytes[at] {
                b',' => at = solid(bytes, at + 1)?,
                b']' => {
                    if KEPT {
                        self.tape.close(here);
                    }
                    return Some(at + 1);
                }
                _ => return None,
            }
        }
    }

    fn word<const KEPT: bool, const N: usize>(
        &mut self,
        at: usize,
        member: Member,
        way: Way,
        (word, kind): (&[u8; N], Kind),
    ) -> Option<usize> {
        let end = at + N;
        if KEPT {
            self.keep(kind, member, (at, end), way);
        }
        (self.bytes.get(at..)?.first_chunk::<N>()? == word).then_some(end)
    }

    #[inline(always)]
    fn keep(&mut self, kind: Kind, member: Member, at: (usize, usize), way: Way) {
        let here = self.tape.push(kind, member.key, at);
        if way == Way::Straight
            && let Some(placed) = self.tape.placed.get_mut(member.place as usize)
        {
            *placed = here as u32 + 1;
        }
    }
}

impl<'q> Record<'q> {
    pub(super) fn kind(&self, at: u32) -> Kind {
        self.items[at as usize].kind
    }

    /// The same without places: of another plan than paths know.
    pub(super) fn unplaced(self) -> Record<'q> {
        Record { placed: &[], ..self }
    }

    /// Whether what paths know of places holds of it.
    pub(super) fn is_placed(&self) -> bool {
        !self.placed.is_empty()
    }

    /// What stands at the last of these places, each of them within the one before; null where that has to be looked at more closely, for an
    /// array or a text is on the way.
    pub(super) fn placed(&self, places: &[u32]) -> Option<Option<u32>> {
        let at = |place: &u32| self.placed[*place as usize].checked_sub(1);
        let (last, before) = places.split_last()?;
        if let Some(at) = at(last) {
            return Some(Some(at));
        }
        let inmost = before.iter().rev().find_map(at).unwrap_or(0);
        (!matches!(self.kind(inmost), Kind::Array | Kind::Text)).then_some(None)
    }

    /// The text or number that stands there.
    pub(super) fn text(&self, at: u32) -> &'q str {
        let (from, to) = self.items[at as usize].at;
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The member of an object with this name, in any case; there is but one.
    pub(super) fn member(&self, object: u32, key: &str) -> Option<u32> {
        if self.kind(object) != Kind::Object {
            return None;
        }
        let bytes = self.text.as_bytes();
        let mut within = self.within(object);
        within.find(|at| {
            let (from, to) = self.items[*at as usize].key;
            (to - from) as usize == key.len() && bytes[from as usize..to as usize].eq_ignore_ascii_case(key.as_bytes())
        })
    }

    /// Members or elements, in order.
    pub(super) fn within(self, around: u32) -> impl Iterator<Item = u32> + use<'q> {
        let end = self.items[around as usize].next;
        let mut at = around + 1;
        std::iter::from_fn(move || {
            let here = at;
            (here < end).then(|| {
                at = self.items[here as usize].next;
                here
            })
        })
    }
}

/// The first byte from `at` on that is no white space.
#[inline(always)]
fn solid(bytes: &[u8], mut at: usize) -> Option<usize> {
    if *bytes.get(at)? > b' ' {
        return Some(at);
    }
    while matches!(bytes.get(at)?, b' ' | b'\t' | b'\r' | b'\n') {
        at += 1;
    }
    Some(at)
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The quote that closes a text, and whether everything before it stands for itself; null where a text may not go on so.
#[inline(always)]
fn text_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut plain = true;
    loop {
        // Eight bytes at once: a quote, a backslash or a control character among them. The lowest that is marked is one. Of what is below
        // 0x20 and of the quote alone a flip of the second bit makes what is below 0x21.
        while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) {
            let x = u64::from_le_bytes(eight);
            let low_or_quote = (x ^ (LOW * 0x02)).wrapping_sub(LOW * 0x21);
            let slash = (x ^ (LOW * 0x5c)).wrapping_sub(LOW);
            let marked = (low_or_quote | slash) & !x & HIGH;
            if marked != 0 {
                at += marked.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match *bytes.get(at)? {
            b'"' => return Some((at, plain)),
            b'\\' => {
                plain = false;
                at += match *bytes.get(at + 1)? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                    b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => 6,
                    _ => return None,
                };
            }
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// Where a number ends, and whether it has no exponent.
fn number_end(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let digits = |mut at: usize| {
        let from = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        (at > from).then_some(at)
    };
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at)? };
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    let plain = !matches!(bytes.get(at), Some(b'e' | b'E'));
    if !plain {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits(at)?;
    }
    // What follows is looked at by whoever asked; a digit behind a zero is no number.
    (!bytes.get(at).is_some_and(u8::is_ascii_digit)).then_some((at, plain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::sieve::tests::sieve;
    use super::*;

    fn built(record: Record<'_>, at: u32) -> Value {
        match record.kind(at) {
            Kind::Null => Value::Null,
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Number => serde_json::from_str(record.text(at)).expect("a number"),
            Kind::Text => Value::from(record.text(at)),
            Kind::Array => record.within(at).map(|at| built(record, at)).collect(),
            Kind::Object => {
                let member = |at: u32| {
                    let (from, to) = record.items[at as usize].key;
                    (record.text[from as usize..to as usize].to_owned(), built(record, at))
                };
                Value::Object(record.within(at).map(member).collect())
            }
        }
    }

    fn laid(text: &[u8], sieve: &Sieve) -> Option<(usize, Value)> {
        laid_by(&mut Tape::default(), text, sieve)
    }

    fn laid_by(tape: &mut Tape, text: &[u8], sieve: &Sieve) -> Option<(usize, Value)> {
        let length = tape.lay(text, &Plan::of(sieve))?;
        tape.record(&text[..length]).map(|record| (length, built(record, 0)))
    }

    #[test]
    fn what_is_not_sure_is_not_laid_out() {
        let sieve = sieve(&["a", "b.c"]);
        for text in [
            "",
            "{",
            "x",
            "[]",
            "{\"a\":1",
            "{\"x\":nope}",
            "{\"x\":01}",
            "{\"x\":1.}",
            "{\"x\":-}",
            "{\"x\":tru}",
            "{\"x\":[1,]}",
            "{\"x\":1,}",
            "{\"x\" 1}",
            "{x:1}",
            "{\"x\":\"\u{1}\"}",
            "{\"x\":\"\\x\"}",
            "{\"x\":\"\\u12g4\"}",
            "{\"x\":\"a}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"A\":2}",
            "{\"a\":{\"x\":1,\"X\":2}}",
            "{\"a\":\"\\n\"}",
            "{\"\\u0061\":1}",
            "{\"a\":1e5}",
            "{\"x\":1e}",
            "{\"x\":.5}",
            "{\"x\":+1}",
            "{\"x\":1}\u{0}",
        ] {
            let whole = laid(text.as_bytes(), &sieve).filter(|(length, _)| *length == text.len());
            assert!(whole.is_none(), "{text}");
        }
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(DEEPEST), "]".repeat(DEEPEST));
        assert!(laid(deep.as_bytes(), &sieve).is_none());
        assert!(laid(b"{\"x\":\"\xff\"}", &sieve).is_none());
        let text =
            "{\"x\":1e5,\"y\":\"\\u00e9\\n\",\"b\":{\"c\":[-0.5,{\"d\":null}],\"e\":[]},\"a\" : {} , \"z\":[{}]} ";
        let (length, value) = laid(text.as_bytes(), &sieve).expect("sure");
        assert_eq!((length, value.to_string()), (text.len() - 1, r#"{"b":{"c":[-0.5,{"d":null}]},"a":{}}"#.to_owned()));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z\"\\\\é\n ]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("[a-c]{1,2}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What is laid out is what the sieve keeps, and nothing is that is no JSON, whatever is done to the text.
        #[test]
        fn as_the_sieve_reads_it(value in value(), at in 0.0..1.0_f64, byte in prop::option::of(any::<u8>()), pretty in any::<bool>()) {
            let record = serde_json::json!({"b": value, "x": value, "A": value});
            let first = if pretty { format!("{record:#}") } else { record.to_string() }.into_bytes();
            let mut text = first.clone();
            if let Some(byte) = byte {
                let place = (text.len() as f64 * at) as usize;
                text[place] = byte;
            }
            for paths in [&["a", "b.c.a"][..], &["*"], &["x[a=b].c", "b.a"]] {
                let sieve = sieve(paths);
                // What other records looked like makes no difference.
                let mut tape = Tape::default();
                for other in [&first, &text, &first, &text] {
                    prop_assert_eq!(laid_by(&mut tape, other, &sieve), laid(other, &sieve));
                }
                let again = serde_json::json!({"x": value, "A": {"B": value, "b": 1}, "b": [value, {"c": value}]}).to_string();
                prop_assert_eq!(laid_by(&mut tape, again.as_bytes(), &sieve), laid(again.as_bytes(), &sieve));
                if let Some((length, value)) = laid(&text, &sieve) {
                    prop_assert_eq!(sieve.read(&text[..length]).expect("JSON"), value);
                }
            }
        }
    }
}
