//! A hash without a seed: the core has no randomness of its own, and these tables hold our words.
//!
//! Not for keys that a stranger chooses; what a profile counts distinct values with is bounded.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map from words of ours.
pub(super) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FoldHasher>>;

/// A set of words of ours.
pub(super) type FastSet<K> = HashSet<K, BuildHasherDefault<FoldHasher>>;

/// Multiplies and rotates, eight bytes at a time.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct FoldHasher(u64);

const OFFSET: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xa076_1d64_78bd_642f;

impl FoldHasher {
    fn mix(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word ^ OFFSET) * u128::from(FACTOR);
        // Both halves of the product: the low one alone knows nothing of the high bits.
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
        let folded = (wide >> 64) as u64 ^ wide as u64;
        self.0 = folded;
    }
}

impl Hasher for FoldHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        let mut word = [0; 8];
        word[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(word) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }
}

/// The hash of some bytes.
pub(super) fn of(bytes: &[u8]) -> u64 {
    let mut hasher = FoldHasher::default();
    hasher.write(bytes);
    hasher.finish()
}
