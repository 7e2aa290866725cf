//! Drawing from a seed: the same on every machine.
//!
//! It knows nothing of what is drawn for whom.

use std::convert::Infallible;

use fake::rand::TryRng;

/// Draws from a seed: `SplitMix64`, which is short, fast and the same everywhere. The lists of the
/// crate `fake` are drawn from with it too.
// SPEC: https://prng.di.unimi.it/splitmix64.c
pub(super) struct Draw(u64);

impl Draw {
    /// What is drawn for one number of a seed.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut draw = Self(seed);
        let start = draw.next() ^ number.wrapping_mul(0xd1b5_4a32_d192_ed03);
        Self(start)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number under `limit`. The bias of a remainder does not matter to invented people.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let place = self.below(list.len() as u64);
        &list[usize::try_from(place).unwrap_or(0)]
    }

    /// One of these shapes, with a digit for each `#` and one that is not zero for each `^`.
    pub(super) fn shaped(&mut self, shapes: &[&str]) -> String {
        let shape = *self.one_of(shapes);
        shape
            .chars()
            .map(|place| {
                let digit = match place {
                    '#' => self.below(10),
                    '^' => 1 + self.below(9),
                    other => return other,
                };
                u32::try_from(digit)
                    .ok()
                    .and_then(|digit| char::from_digit(digit, 10))
                    .unwrap_or('0')
            })
            .collect()
    }

    /// A date that every calendar has.
    pub(super) fn date(&mut self, year_first: u64, years: u64) -> String {
        let (year, month, day) =
            (year_first + self.below(years), 1 + self.below(12), 1 + self.below(28));
        format!("{year}-{month:02}-{day:02}")
    }
}

/// What the crate `fake` draws with. It cannot fail.
impl TryRng for Draw {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half: a shift by 32 always fits.
        Ok(u32::try_from(self.next() >> 32).unwrap_or(u32::MAX))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for piece in bytes.chunks_mut(8) {
            let drawn = self.next().to_le_bytes();
            piece.copy_from_slice(&drawn[..piece.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut draw = Draw(1_234_567);
        assert_eq!(draw.next(), 6_457_827_717_110_365_317);
        assert_eq!(draw.next(), 3_203_168_211_198_807_973);
    }
}
