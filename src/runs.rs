//! A number for each row that follows from the row before in nearly all of them: the file, the record, the columns
//! reported. Kept as runs, found by binary search among few; row by row only where there are many.

/// Fewer runs are always kept as runs.
const FEW: usize = 256;
/// Rows of a run, on average, below which each row has its own number.
const SHORT: usize = 8;

/// Numbers by row.
#[derive(Clone, Debug)]
pub struct Runs {
    /// By how much a number is larger than that of the row before it in the same run.
    step: u32,
    len: usize,
    kept: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    /// The first row of each run and its number.
    Runs(Vec<(u32, u32)>),
    Each(Vec<u32>),
}

impl Runs {
    /// No rows; those of one run have the same number.
    pub fn same() -> Runs {
        Runs { step: 0, len: 0, kept: Kept::Runs(Vec::new()) }
    }

    /// No rows; those of one run have consecutive numbers.
    pub fn consecutive() -> Runs {
        Runs { step: 1, len: 0, kept: Kept::Runs(Vec::new()) }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// No rows at all?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of a row.
    pub fn get(&self, row: usize) -> u32 {
        match &self.kept {
            Kept::Each(v) => v[row],
            Kept::Runs(runs) => {
                let at = match runs.as_slice() {
                    [_] => 0,
                    runs => runs.partition_point(|run| run.0 as usize <= row) - 1,
                };
                let (first, number) = runs[at];
                number + self.step * (row as u32 - first)
            }
        }
    }

    /// Adds one row.
    pub fn push(&mut self, number: u32) {
        self.push_run(number, 1);
    }

    /// Adds so many rows, of which the first has this number.
    pub fn push_run(&mut self, number: u32, rows: usize) {
        if rows == 0 {
            return;
        }
        match &mut self.kept {
            Kept::Each(v) => v.extend((0..rows as u32).map(|i| number + self.step * i)),
            Kept::Runs(runs) => {
                let next = |&(first, number): &(u32, u32)| number + self.step * (self.len as u32 - first);
                if runs.last().map(next) != Some(number) {
                    runs.push((self.len as u32, number));
                }
            }
        }
        self.len += rows;
        if let Kept::Runs(runs) = &self.kept
            && runs.len() > FEW
            && runs.len() > self.len / SHORT
        {
            self.spell_out();
        }
    }

    /// Adds the rows of others, their numbers larger by `more`.
    pub fn append(&mut self, other: &Runs, more: u32) {
        match &other.kept {
            Kept::Each(v) => v.iter().for_each(|number| self.push(number + more)),
            Kept::Runs(runs) => {
                let ends = runs.iter().skip(1).map(|run| run.0).chain([other.len as u32]);
                runs.iter().zip(ends).for_each(|(run, end)| self.push_run(run.1 + more, (end - run.0) as usize));
            }
        }
    }

    /// Gives one row another number.
    pub fn set(&mut self, row: usize, number: u32) {
        if self.get(row) != number {
            self.spell_out()[row] = number;
        }
    }

    /// Makes another number of each; of numbers that are the same in a run.
    pub fn each(&mut self, of: impl Fn(u32) -> u32) {
        assert!(self.step == 0, "what is consecutive would no longer be");
        match &mut self.kept {
            Kept::Each(v) => v.iter_mut().for_each(|number| *number = of(*number)),
            Kept::Runs(runs) => runs.iter_mut().for_each(|run| run.1 = of(run.1)),
        }
    }

    fn spell_out(&mut self) -> &mut Vec<u32> {
        if let Kept::Runs(_) = &self.kept {
            self.kept = Kept::Each((0..self.len).map(|row| self.get(row)).collect());
        }
        match &mut self.kept {
            Kept::Each(v) => v,
            Kept::Runs(_) => unreachable!("each row has its own number now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_keeps_its_number(
            given in prop::collection::vec((0..5_u32, 0..5_usize), 0..900),
            more in prop::collection::vec((0..5_u32, 0..40_usize), 0..9),
            put in prop::option::of((0..1000_usize, 0..5_u32)),
            step in 0..2_u32,
        ) {
            let of = |given: &[(u32, usize)]| {
                let mut runs = if step == 0 { Runs::same() } else { Runs::consecutive() };
                given.iter().for_each(|(number, rows)| runs.push_run(*number, *rows));
                runs
            };
            let plain = |given: &[(u32, usize)], more: u32| -> Vec<u32> {
                given.iter().flat_map(|(number, rows)| (0..*rows as u32).map(move |i| number + step * i + more)).collect()
            };
            let mut runs = of(&given);
            runs.append(&of(&more), 7);
            let mut all = plain(&given, 0);
            all.extend(plain(&more, 7));
            if let Some((row, number)) = put.filter(|_| !all.is_empty()) {
                runs.set(row % all.len(), number);
                let row = row % all.len();
                all[row] = number;
            }
            prop_assert_eq!(runs.len(), all.len());
            prop_assert!(all.iter().enumerate().all(|(row, number)| runs.get(row) == *number));
        }
    }
}
