//! What checks say of the subjects of a block, a bit for each subject, so that counting and combining take 64 at once.

use std::rc::Rc;

use polars::prelude::BooleanChunked;

use crate::report::model::Counts;

/// A bit for each subject of a block; bits behind the last subject are 0.
pub type Bits = Vec<u64>;

/// What became of one subject under one check, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// The check does not concern it.
    NotApplicable,
    /// It holds.
    Passed,
    /// The data cannot tell.
    Indeterminate,
    /// It fails, and a waiver accepts it.
    Waived,
    /// It fails.
    Failed,
}

impl Mark {
    const ALL: [Mark; 5] = [Mark::NotApplicable, Mark::Passed, Mark::Indeterminate, Mark::Waived, Mark::Failed];
}

/// Where a condition is true, and where it is known to be true or false.
pub struct Known {
    /// True.
    pub is: Bits,
    /// True or false.
    pub known: Bits,
}

impl Known {
    /// Of a column of truth values.
    pub fn of(column: &BooleanChunked) -> Known {
        let len = column.len();
        let all = all(len);
        let mut out = Known { is: Vec::with_capacity(all.len()), known: Vec::with_capacity(all.len()) };
        for array in column.downcast_iter() {
            if array.len() == len {
                let words = |bits: &polars_arrow::bitmap::Bitmap| -> Bits {
                    let chunks = bits.chunks::<u64>();
                    let rest = (chunks.remainder_len() > 0).then(|| chunks.remainder());
                    chunks.chain(rest).zip(&all).map(|(bits, all)| bits & all).collect()
                };
                out.known = array.validity().map_or_else(|| all.clone(), words);
                out.is = words(array.values()).iter().zip(&out.known).map(|(is, known)| is & known).collect();
                return out;
            }
        }
        // Of several arrays, one after the other.
        (out.is, out.known) = (vec![0; all.len()], vec![0; all.len()]);
        for (i, value) in column.iter().enumerate() {
            out.is[i / 64] |= u64::from(value == Some(true)) << (i % 64);
            out.known[i / 64] |= u64::from(value.is_some()) << (i % 64);
        }
        out
    }
}

/// A bit for each of so many subjects.
pub fn all(len: usize) -> Bits {
    let mut bits = vec![u64::MAX; len.div_ceil(64)];
    if let Some(last) = bits.last_mut()
        && !len.is_multiple_of(64)
    {
        *last = (1 << (len % 64)) - 1;
    }
    bits
}

/// Is the bit of a subject set?
pub fn bit(bits: &[u64], i: usize) -> bool {
    bits[i / 64] >> (i % 64) & 1 == 1
}

/// How many are set in both.
pub fn both(a: &[u64], b: &[u64]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a & b).count_ones())).sum()
}

/// The subjects whose bits are set, in order.
pub fn ones(bits: &[u64]) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().flat_map(|(n, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let i = left.trailing_zeros();
            left &= left.wrapping_sub(1);
            (i < 64).then_some(n * 64 + i as usize)
        })
    })
}

/// The mark of each subject of a block.
#[derive(Clone)]
pub struct Marks {
    /// By [`Mark`]; of each subject one bit is set.
    of: [Bits; 5],
}

impl Marks {
    /// As [`crate::check::Verdict::of`] judges each subject.
    pub fn of(applies: &Known, fails: &Known, len: usize) -> Marks {
        let mut marks = Marks { of: std::array::from_fn(|_| vec![0; len.div_ceil(64)]) };
        for (w, all) in all(len).into_iter().enumerate() {
            let not_applicable = applies.known[w] & !applies.is[w];
            let failed = applies.is[w] & fails.is[w];
            let passed = applies.is[w] & fails.known[w] & !fails.is[w];
            marks.of[Mark::NotApplicable as usize][w] = not_applicable;
            marks.of[Mark::Failed as usize][w] = failed;
            marks.of[Mark::Passed as usize][w] = passed;
            marks.of[Mark::Indeterminate as usize][w] = all & !(not_applicable | failed | passed);
        }
        marks
    }

    /// Who has a mark.
    pub fn with(&self, mark: Mark) -> &[u64] {
        &self.of[mark as usize]
    }

    /// The mark of one subject.
    pub fn get(&self, i: usize) -> Mark {
        Mark::ALL.into_iter().find(|mark| bit(self.with(*mark), i)).unwrap_or(Mark::Indeterminate)
    }

    /// Of a subject that failed: a waiver accepts it.
    pub fn waive(&mut self, i: usize) {
        self.of[Mark::Failed as usize][i / 64] &= !(1 << (i % 64));
        self.of[Mark::Waived as usize][i / 64] |= 1 << (i % 64);
    }

    /// Takes the worse mark of each subject.
    fn worsen(&mut self, other: &Marks) {
        for w in 0..self.of[0].len() {
            let mut worse = 0;
            for mark in Mark::ALL.into_iter().rev() {
                let here = (self.of[mark as usize][w] | other.of[mark as usize][w]) & !worse;
                self.of[mark as usize][w] = here;
                worse |= here;
            }
        }
    }

    /// The worst mark of each subject over some checks; null where none of them is about subjects of the kind.
    pub fn worst(marks: &[Option<Marks>], checks: impl Iterator<Item = usize>) -> Option<Marks> {
        let mut of_kind = checks.filter_map(|c| marks[c].as_ref());
        let mut all = of_kind.next()?.clone();
        of_kind.for_each(|other| all.worsen(other));
        Some(all)
    }

    /// Counts everybody.
    pub fn tally(&self, counts: &mut Counts) {
        let ones = |mark: Mark| self.with(mark).iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        add(counts, Mark::ALL.map(ones));
    }

    /// Counts those whom a scope takes in. Whom it cannot tell cannot be judged.
    pub fn tally_within(&self, scope: &Scope, counts: &mut Counts) {
        let mut by_mark = Mark::ALL.map(|mark| both(self.with(mark), &scope.inside));
        let unknown = Mark::ALL.map(|mark| both(self.with(mark), &scope.unknown));
        by_mark[Mark::Indeterminate as usize] += unknown.iter().sum::<u64>();
        add(counts, by_mark);
    }
}

fn add(counts: &mut Counts, by_mark: [u64; 5]) {
    let [not_applicable, passed, indeterminate, waived, failed] = by_mark;
    counts.population += by_mark.iter().sum::<u64>();
    counts.not_applicable += not_applicable;
    counts.passed += passed;
    counts.indeterminate += indeterminate;
    counts.waived += waived;
    counts.failed += failed;
}

/// Whom the scope of a requirement takes in.
pub struct Scope {
    inside: Bits,
    unknown: Bits,
}

impl Scope {
    /// By its condition.
    pub fn of(condition: &BooleanChunked) -> Rc<Scope> {
        let Known { is, known } = Known::of(condition);
        let unknown = all(condition.len()).iter().zip(&known).map(|(all, known)| all & !known).collect();
        Rc::new(Scope { inside: is, unknown })
    }

    /// Is a subject known to be outside?
    pub fn leaves_out(&self, i: usize) -> bool {
        !bit(&self.inside, i) && !bit(&self.unknown, i)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NewChunkedArray, PlSmallStr};
    use proptest::prelude::*;

    use super::*;
    use crate::check::Verdict;

    fn column(values: &[Option<bool>]) -> BooleanChunked {
        BooleanChunked::from_slice_options(PlSmallStr::EMPTY, values)
    }

    fn marks(pairs: &[(Option<bool>, Option<bool>)]) -> Marks {
        let (a, f): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        Marks::of(&Known::of(&column(&a)), &Known::of(&column(&f)), pairs.len())
    }

    proptest! {
        #[test]
        fn bits_say_what_verdicts_say(
            rows in proptest::collection::vec(any::<[Option<bool>; 5]>(), 0..200),
            waived in any::<prop::sample::Index>(),
        ) {
            let (mut one, other) = (
                marks(&rows.iter().map(|r| (r[0], r[1])).collect::<Vec<_>>()),
                marks(&rows.iter().map(|r| (r[2], r[3])).collect::<Vec<_>>()),
            );
            let mark = |a, f| match Verdict::of(a, f) {
                Verdict::NotApplicable => Mark::NotApplicable,
                Verdict::Pass => Mark::Passed,
                Verdict::Fail => Mark::Failed,
                Verdict::Indeterminate => Mark::Indeterminate,
            };
            let mut want: Vec<Mark> = rows.iter().map(|r| mark(r[0], r[1])).collect();
            let failed: Vec<usize> = ones(one.with(Mark::Failed)).collect();
            prop_assert_eq!(&failed, &(0..want.len()).filter(|&i| want[i] == Mark::Failed).collect::<Vec<_>>());
            if !failed.is_empty() {
                let i = failed[waived.index(failed.len())];
                one.waive(i);
                want[i] = Mark::Waived;
            }
            prop_assert_eq!((0..want.len()).map(|i| one.get(i)).collect::<Vec<_>>(), want.clone());
            let worst = Marks::worst(&[Some(one), None, Some(other)], 0..3).expect("two are of the kind");
            let scope = Scope::of(&column(&rows.iter().map(|r| r[4]).collect::<Vec<_>>()));
            let (mut all, mut within) = (Counts::default(), Counts::default());
            let (mut of_all, mut of_scope) = ([0; 5], [0; 5]);
            for (i, (r, first)) in rows.iter().zip(&want).enumerate() {
                let worse = mark(r[2], r[3]).max(*first);
                prop_assert_eq!(worst.get(i), worse);
                prop_assert_eq!(scope.leaves_out(i), r[4] == Some(false));
                of_all[worse as usize] += 1;
                match r[4] {
                    Some(true) => of_scope[worse as usize] += 1,
                    None => of_scope[Mark::Indeterminate as usize] += 1,
                    Some(false) => {}
                }
            }
            worst.tally(&mut all);
            worst.tally_within(&scope, &mut within);
            for (counts, by_mark) in [(all, of_all), (within, of_scope)] {
                let mut wanted = Counts::default();
                add(&mut wanted, by_mark);
                prop_assert_eq!(format!("{counts:?}"), format!("{wanted:?}"));
            }
        }
    }
}
