//! Columns of facts, built 64 values at once.

use polars::prelude::{BooleanChunked, Float64Chunked, IntoSeries, PlSmallStr, Series};
use polars_arrow::array::BooleanArray;
use polars_arrow::bitmap::Bitmap;
use polars_arrow::datatypes::ArrowDataType;

/// Bits of values and of their being known, as they come.
#[derive(Default)]
struct Packed {
    values: Vec<u64>,
    known: Vec<u64>,
    len: usize,
    unknown: usize,
}

impl Packed {
    fn of(items: impl Iterator<Item = Option<bool>>) -> Packed {
        let room = items.size_hint().0.div_ceil(64);
        let mut packed =
            Packed { values: Vec::with_capacity(room), known: Vec::with_capacity(room), ..Packed::default() };
        let (mut value, mut known, mut n) = (0_u64, 0_u64, 0);
        for item in items {
            value |= u64::from(item == Some(true)) << n;
            known |= u64::from(item.is_some()) << n;
            n += 1;
            if n == 64 {
                packed.push(value, known, 64);
                (value, known, n) = (0, 0, 0);
            }
        }
        if n > 0 {
            packed.push(value, known, n);
        }
        packed
    }

    fn push(&mut self, value: u64, known: u64, n: usize) {
        self.values.push(value);
        self.known.push(known);
        self.len += n;
        self.unknown += n - known.count_ones() as usize;
    }

    fn validity(&self) -> Option<Bitmap> {
        (self.unknown > 0).then(|| bitmap(&self.known, self.len))
    }
}

fn bitmap(words: &[u64], len: usize) -> Bitmap {
    Bitmap::from_u8_vec(words.iter().flat_map(|word| word.to_le_bytes()).collect(), len)
}

fn truths(packed: &Packed) -> BooleanChunked {
    let array = BooleanArray::new(ArrowDataType::Boolean, bitmap(&packed.values, packed.len), packed.validity());
    BooleanChunked::with_chunk(PlSmallStr::EMPTY, array)
}

/// A column of truth values.
pub fn bools(name: &str, items: impl Iterator<Item = Option<bool>>) -> Series {
    truths(&Packed::of(items)).with_name(PlSmallStr::from_str(name)).into_series()
}

/// A column of numbers.
pub fn numbers(name: &str, items: impl Iterator<Item = Option<f64>>) -> Series {
    let mut values = Vec::with_capacity(items.size_hint().0);
    let packed = Packed::of(items.map(|item| {
        values.push(item.unwrap_or_default());
        item.map(|_| true)
    }));
    Float64Chunked::from_vec_validity(PlSmallStr::from_str(name), values, packed.validity()).into_series()
}

/// A column of words, of which there are few: each is compared once, whatever the number of rows.
pub struct Words<'a> {
    /// By row: the place of its word, from 1; 0 where there is none.
    codes: Vec<u16>,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    /// Of each row.
    pub fn of(items: impl Iterator<Item = Option<&'a str>>) -> Words<'a> {
        let mut words: Vec<&'a str> = Vec::new();
        let mut places: hashbrown::HashMap<&'a str, u16> = hashbrown::HashMap::new();
        let mut place = |word: &'a str| {
            // Words are mostly the same few constants, so that their addresses tell.
            let near = words.iter().take(16).position(|known| std::ptr::eq(*known, word));
            near.map_or_else(
                || {
                    *places.entry(word).or_insert_with(|| {
                        words.push(word);
                        u16::try_from(words.len()).expect("a block has fewer rows than that")
                    })
                },
                |near| near as u16 + 1,
            )
        };
        let codes = items.map(|item| item.map_or(0, &mut place)).collect();
        Words { codes, words }
    }

    /// Where the column has a word.
    pub fn known(&self) -> Vec<u64> {
        Packed::of(self.codes.iter().map(|code| (*code != 0).then_some(true))).known
    }

    /// Where it has one of these; null where it has none at all.
    pub fn one_of(&self, texts: &[&str]) -> BooleanChunked {
        let none = std::iter::once(None);
        let hits: Vec<Option<bool>> = none.chain(self.words.iter().map(|word| Some(texts.contains(word)))).collect();
        truths(&Packed::of(self.codes.iter().map(|code| hits[usize::from(*code)])))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn columns_hold_what_was_put_into_them(
            bits in proptest::collection::vec(any::<Option<bool>>(), 0..200),
            floats in proptest::collection::vec(any::<Option<f32>>(), 0..200),
            texts in proptest::collection::vec(proptest::option::of("[ab]{0,2}"), 0..200),
        ) {
            let series = bools("b", bits.iter().copied());
            prop_assert_eq!(series.bool().expect("truth values").iter().collect::<Vec<_>>(), bits);
            let floats: Vec<Option<f64>> = floats.into_iter().map(|x| x.filter(|x| !x.is_nan()).map(f64::from)).collect();
            let series = numbers("n", floats.iter().copied());
            prop_assert_eq!(series.f64().expect("numbers").iter().collect::<Vec<_>>(), floats);
            let words = Words::of(texts.iter().map(Option::as_deref));
            let want: Vec<Option<bool>> = texts.iter().map(|t| t.as_deref().map(|t| t == "a" || t == "bb")).collect();
            prop_assert_eq!(words.one_of(&["a", "bb"]).iter().collect::<Vec<_>>(), want);
            let known = words.known();
            for (i, text) in texts.iter().enumerate() {
                prop_assert_eq!(known[i / 64] >> (i % 64) & 1 == 1, text.is_some());
            }
        }
    }
}
