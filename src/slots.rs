//! Sets of slots of texts ([`crate::text::slot`]): a bit for each, and where wanted the place of each among those that are in.
//!
//! Slots are dense and there are tens of millions of them: bits stay in the cache where an array over slots does not.

/// A set of slots.
pub struct Slots(Vec<u64>);

impl Slots {
    /// None of so many.
    pub fn none_of(slots: usize) -> Slots {
        Slots(vec![0; slots.div_ceil(64)])
    }

    /// Puts a slot into the set; was it not there?
    pub fn insert(&mut self, slot: usize) -> bool {
        let (word, bit) = (&mut self.0[slot / 64], 1 << (slot % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// The set with the place of each slot, to which none is added any more.
    pub fn ranked(self) -> Ranked {
        let mut before = Vec::with_capacity(self.0.len() + 1);
        let mut count = 0;
        before.push(0);
        for word in &self.0 {
            count += word.count_ones();
            before.push(count);
        }
        Ranked { bits: self.0, before }
    }
}

/// A set of slots in which each has a place.
#[derive(Default)]
pub struct Ranked {
    bits: Vec<u64>,
    /// By word of bits: how many slots lie before it; and how many there are.
    before: Vec<u32>,
}

impl Ranked {
    /// How many slots are in the set.
    pub fn len(&self) -> usize {
        self.before.last().map_or(0, |count| *count as usize)
    }

    /// Is none in the set?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of a slot among those in the set; null when it is not in it.
    pub fn place(&self, slot: usize) -> Option<usize> {
        let word = *self.bits.get(slot / 64)?;
        let bit = 1_u64 << (slot % 64);
        (word & bit != 0).then(|| self.before[slot / 64] as usize + (word & (bit - 1)).count_ones() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_slot_has_its_place(given in prop::collection::vec(0..300_usize, 0..90)) {
            let mut slots = Slots::none_of(300);
            let mut sorted: Vec<usize> = Vec::new();
            for slot in given {
                prop_assert_eq!(slots.insert(slot), !sorted.contains(&slot));
                sorted.push(slot);
                sorted.sort_unstable();
                sorted.dedup();
            }
            let ranked = slots.ranked();
            prop_assert_eq!(ranked.len(), sorted.len());
            for slot in 0..400 {
                prop_assert_eq!(ranked.place(slot), sorted.binary_search(&slot).ok());
            }
        }
    }
}
