//! Columns of instants, in half of their width while all of them are whole seconds of the years 1970 to 2105, as most
//! systems write them.
//!
//! A column becomes wide with the first instant that does not fit, and none is ever rounded.

use crate::rows::NULL;
use crate::time::SECOND;

/// No instant, among seconds.
const NONE: u32 = u32::MAX;

/// Seconds since 1970, if that says all of it.
pub fn narrow(us: i64) -> Option<u32> {
    if us == NULL {
        return Some(NONE);
    }
    let seconds = us.div_euclid(SECOND);
    u32::try_from(seconds).ok().filter(|s| *s != NONE && seconds * SECOND == us)
}

/// Microseconds of what [`narrow`] made seconds of.
pub fn wide(seconds: u32) -> i64 {
    if seconds == NONE { NULL } else { i64::from(seconds) * SECOND }
}

/// Instants in microseconds; [`NULL`] is none.
#[derive(Clone, Debug)]
pub struct Instants(Width);

#[derive(Clone, Debug)]
enum Width {
    Seconds(Vec<u32>),
    Micros(Vec<i64>),
}

impl Default for Instants {
    fn default() -> Instants {
        Instants(Width::Seconds(Vec::new()))
    }
}

impl Instants {
    /// None yet, with room for so many.
    pub fn with_room(len: usize) -> Instants {
        Instants(Width::Seconds(Vec::with_capacity(len)))
    }

    /// So many of none.
    pub fn none(len: usize) -> Instants {
        Instants(Width::Seconds(vec![NONE; len]))
    }

    /// How many.
    pub fn len(&self) -> usize {
        match &self.0 {
            Width::Seconds(v) => v.len(),
            Width::Micros(v) => v.len(),
        }
    }

    /// Not even one of none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them; null where there is none, and behind the last.
    pub fn get(&self, i: usize) -> Option<i64> {
        match &self.0 {
            Width::Seconds(v) => v.get(i).filter(|s| **s != NONE).map(|s| i64::from(*s) * SECOND),
            Width::Micros(v) => v.get(i).copied().filter(|us| *us != NULL),
        }
    }

    /// Are two of them the same, or both none?
    pub fn same(&self, a: usize, b: usize) -> bool {
        match &self.0 {
            Width::Seconds(v) => v[a] == v[b],
            Width::Micros(v) => v[a] == v[b],
        }
    }

    /// How many are none.
    pub fn missing(&self) -> usize {
        match &self.0 {
            Width::Seconds(v) => v.iter().filter(|s| **s == NONE).count(),
            Width::Micros(v) => v.iter().filter(|us| **us == NULL).count(),
        }
    }

    fn widen(&mut self) -> &mut Vec<i64> {
        if let Width::Seconds(v) = &self.0 {
            let mut micros = Vec::with_capacity(v.capacity());
            micros.extend(v.iter().map(|s| wide(*s)));
            self.0 = Width::Micros(micros);
        }
        match &mut self.0 {
            Width::Micros(v) => v,
            Width::Seconds(_) => unreachable!("it was widened"),
        }
    }

    /// Adds one, or [`NULL`].
    pub fn push(&mut self, us: i64) {
        match (&mut self.0, narrow(us)) {
            (Width::Seconds(v), Some(seconds)) => v.push(seconds),
            _ => self.widen().push(us),
        }
    }

    /// Adds one that is seconds since 1970, of years before 2106.
    pub fn push_seconds(&mut self, seconds: u32) {
        match &mut self.0 {
            Width::Seconds(v) => v.push(seconds),
            Width::Micros(v) => v.push(i64::from(seconds) * SECOND),
        }
    }

    /// Puts one, or [`NULL`], in the place of another.
    pub fn set(&mut self, i: usize, us: i64) {
        match (&mut self.0, narrow(us)) {
            (Width::Seconds(v), Some(seconds)) => v[i] = seconds,
            _ => self.widen()[i] = us,
        }
    }

    /// Puts one in the place of another.
    pub fn copy(&mut self, to: usize, from: usize) {
        match &mut self.0 {
            Width::Seconds(v) => v[to] = v[from],
            Width::Micros(v) => v[to] = v[from],
        }
    }

    /// None from the last on up to `len`.
    pub fn pad(&mut self, len: usize) {
        match &mut self.0 {
            Width::Seconds(v) => v.resize(len, NONE),
            Width::Micros(v) => v.resize(len, NULL),
        }
    }

    /// Adds all of others.
    pub fn append(&mut self, other: &Instants) {
        match (&mut self.0, &other.0) {
            (Width::Seconds(a), Width::Seconds(b)) => a.extend_from_slice(b),
            (_, Width::Micros(b)) => self.widen().extend_from_slice(b),
            (Width::Micros(a), Width::Seconds(b)) => a.extend(b.iter().map(|s| wide(*s))),
        }
    }

    /// Has it room for so many?
    pub fn capacity(&self) -> usize {
        match &self.0 {
            Width::Seconds(v) => v.capacity(),
            Width::Micros(v) => v.capacity(),
        }
    }

    /// Room for exactly so many more.
    pub fn reserve_exact(&mut self, more: usize) {
        match &mut self.0 {
            Width::Seconds(v) => v.reserve_exact(more),
            Width::Micros(v) => v.reserve_exact(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn instant() -> impl Strategy<Value = i64> {
        let edge = i64::from(u32::MAX) * SECOND;
        prop_oneof![
            4 => (0..1_i64 << 32).prop_map(|s| s * SECOND),
            1 => Just(NULL),
            1 => prop::sample::select(vec![-SECOND, -1, 0, 1, edge - SECOND, edge - 1, edge, edge + SECOND, 1 << 61]),
        ]
    }

    proptest! {
        #[test]
        fn what_is_put_comes_back(
            values in prop::collection::vec(instant(), 0..12),
            more in prop::collection::vec(instant(), 0..12),
            put in (0..24_usize, instant()),
        ) {
            let of = |values: &[i64]| values.iter().fold(Instants::default(), |mut all, us| { all.push(*us); all });
            let (mut all, mut plain) = (of(&values), values.clone());
            all.pad(values.len() + 2);
            plain.extend([NULL, NULL]);
            all.append(&of(&more));
            plain.extend(&more);
            let (i, us) = (put.0 % plain.len(), put.1);
            all.set(i, us);
            plain[i] = us;
            all.copy(0, i);
            plain[0] = plain[i];
            prop_assert_eq!(all.len(), plain.len());
            prop_assert_eq!(all.missing(), plain.iter().filter(|us| **us == NULL).count());
            prop_assert_eq!(all.get(plain.len()), None);
            for (n, us) in plain.iter().enumerate() {
                prop_assert_eq!(all.get(n), Some(*us).filter(|us| *us != NULL));
                prop_assert_eq!(all.same(n, 0), *us == plain[0]);
                prop_assert!(narrow(*us).is_none_or(|s| wide(s) == *us));
            }
        }
    }
}
