//! Sets that never miss what was put in, and sometimes hold what was not.
//!
//! Keys come in as hashes; what they stand for is not known here.
//!
//! **Invariant:** wiped when dropped, and neither cloned nor printed: a set answers membership.

use zeroize::Zeroize;

/// Bits per expected entry. At 16, one in some 200 passes by chance.
const BITS_PER_ENTRY: u64 = 16;
/// Forms that nearly every value has: raw, UTF-16, and hex in two cases.
const FORMS_PER_VALUE: u64 = 4;
/// What a filter takes at most: 64 MiB.
const BITS_MAX: u64 = 1 << 29;
const BITS_MIN: u64 = 1 << 13;

/// A Bloom filter whose four bits per entry lie in one word, so that a look-up is one access.
pub(super) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    /// Room for the forms of so many values, in a `share` of what a filter may take.
    pub(super) fn sized(values_expected: u64, share: u64) -> Self {
        let bits = values_expected
            .saturating_mul(FORMS_PER_VALUE * BITS_PER_ENTRY)
            .clamp(BITS_MIN, BITS_MAX / share);
        Self { words: vec![0; usize::try_from(bits / 64).unwrap_or(usize::MAX)] }
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the result is below the number of words")]
    fn place(&self, hash: u64) -> (usize, u64) {
        let word = ((hash >> 32) * self.words.len() as u64) >> 32;
        let bits = 1 << (hash & 63)
            | 1 << (hash >> 6 & 63)
            | 1 << (hash >> 12 & 63)
            | 1 << (hash >> 18 & 63);
        (word as usize, bits)
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let (word, bits) = self.place(hash);
        self.words[word] |= bits;
    }

    #[inline]
    pub(super) fn holds(&self, hash: u64) -> bool {
        let (word, bits) = self.place(hash);
        self.words[word] & bits == bits
    }
}

impl Drop for Bloom {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

/// Bits of a table where the values are few: 32 KiB, which stay in the first cache of a core.
const TABLE_BITS_MIN: u64 = 1 << 18;
/// Bits of a table where they are many: two tables of 256 KiB stay in the second.
const TABLE_BITS_MAX: u64 = 1 << 21;

/// A table of one bit a hash.
pub(super) struct Table {
    words: Vec<u64>,
    /// Leaves of a hash the number of its bit.
    shift: u32,
}

impl Table {
    /// Two bits a value, within what a core's own caches hold: numbers have forms whose bytes take
    /// every value there is, and a table that is nearly full says no to nothing.
    pub(super) fn sized(values_expected: u64) -> Self {
        let bits = values_expected
            .saturating_mul(2)
            .clamp(TABLE_BITS_MIN, TABLE_BITS_MAX)
            .next_power_of_two();
        let words = vec![0; usize::try_from(bits / 64).unwrap_or(usize::MAX)];
        Self { words, shift: u32::BITS - bits.ilog2() }
    }

    /// The upper bits count.
    #[inline]
    fn place(&self, hash: u32) -> (usize, u32) {
        let bit = hash >> self.shift;
        ((bit >> 6) as usize & (self.words.len() - 1), bit & 63)
    }

    pub(super) fn insert(&mut self, hash: u32) {
        let (word, bit) = self.place(hash);
        self.words[word] |= 1 << bit;
    }

    #[inline]
    pub(super) fn holds(&self, hash: u32) -> bool {
        let (word, bit) = self.place(hash);
        self.words[word] >> bit & 1 == 1
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}
