//! Counts what a column holds, in one pass and in bounded memory.
//!
//! Knows no database. Of a value it keeps a keyed 64-bit hash at most, and that only until the
//! figures are drawn; the key is the caller's, drawn for one pass and then forgotten.
//!
//! **Invariant:** the figures never understate how often the most frequent value occurs: a gate
//! that rests on them may block too much, never too little.

use std::collections::HashMap;
use std::hash::BuildHasher;

use super::facts::ColumnFacts;
use crate::policy::{ColumnRule, EmptyRule};
use crate::value::ValueType;

/// Up to so many distinct values are counted; beyond, a sample of the hashes stands for all.
const SAMPLE_MAX: usize = 65_536;

/// Counters of the frequent values. No value is undercounted by more than `values / (these + 1)`,
/// 0.2 %, which is well below the share that the gate asks about.
const FREQUENT_MAX: usize = 512;

/// Counts the values of one column.
pub struct Counter<H> {
    facts: ColumnFacts,
    hasher: H,
    template: Option<(String, String)>,
    empty: EmptyRule,
    /// Hash → occurrences, of the hashes whose lowest `level` bits are zero.
    sample: HashMap<u64, u64>,
    level: u32,
    /// Misra-Gries: hash → occurrences, less what was taken off all at once.
    frequent: HashMap<u64, u64>,
    taken_off: u64,
}

impl<H: BuildHasher> Counter<H> {
    /// Begins to count the column of a rule.
    #[must_use]
    pub fn new(rule: &ColumnRule, hasher: H) -> Self {
        let template = rule.template.as_deref().and_then(|text| text.split_once("{token}"));
        Self {
            facts: ColumnFacts { column: rule.name.column.clone(), ..ColumnFacts::default() },
            hasher,
            template: template.map(|(before, after)| (before.to_owned(), after.to_owned())),
            empty: rule.empty,
            sample: HashMap::new(),
            level: 0,
            frequent: HashMap::new(),
            taken_off: 0,
        }
    }

    /// Counts a NULL.
    pub fn observe_null(&mut self) {
        self.facts.nulls += 1;
    }

    /// Counts a value, given by its type and its canonical bytes.
    pub fn observe(&mut self, kind: ValueType, bytes: &[u8]) {
        let facts = &mut self.facts;
        let length = bytes.len() as u64;
        facts.bytes_max = facts.bytes_max.max(length);
        facts.bytes_total += length;
        match kind {
            ValueType::Text => {
                facts.types.text += 1;
                self.observe_text(bytes);
            }
            ValueType::Integer => {
                facts.types.integer += 1;
                let digits = i64::from_be_bytes(eight(bytes)).to_string();
                facts.luhn_valid += u64::from(is_card(digits.as_bytes()));
            }
            ValueType::Real => {
                facts.types.real += 1;
                let real = f64::from_bits(u64::from_be_bytes(eight(bytes)));
                facts.whole_reals += u64::from(real.is_finite() && real.fract() == 0.0);
            }
            ValueType::Blob => facts.types.blob += 1,
        }
        // What stays as it is gives no token away.
        if self.empty == EmptyRule::Keep && kind == ValueType::Text && bytes.is_empty() {
            return;
        }
        self.observe_hash(self.hasher.hash_one((kind.code(), bytes)));
    }

    /// Ends the count.
    #[must_use]
    pub fn finish(self) -> ColumnFacts {
        let mut facts = self.facts;
        let sampled = self.sample.len() as u64;
        facts.distinct_exact = self.level == 0;
        facts.distinct = sampled.saturating_mul(1 << self.level.min(63)).min(facts.types.total());
        let top = if facts.distinct_exact { &self.sample } else { &self.frequent };
        let most = top.values().copied().max().unwrap_or_default();
        let missed = if facts.distinct_exact { 0 } else { self.taken_off };
        facts.top_count_max = (most + missed).min(facts.types.total());
        facts
    }

    fn observe_text(&mut self, bytes: &[u8]) {
        let facts = &mut self.facts;
        if bytes.is_empty() {
            facts.empties += 1;
            return;
        }
        let digits = count(bytes, u8::is_ascii_digit);
        let alnum = count(bytes, u8::is_ascii_alphanumeric);
        facts.digits_min = Some(facts.digits_min.map_or(digits, |least| least.min(digits)));
        facts.alnum_min = Some(facts.alnum_min.map_or(alnum, |least| least.min(alnum)));
        facts.embedded_nul += u64::from(bytes.contains(&0));
        facts.luhn_valid += u64::from(is_card(bytes));
        let Ok(text) = std::str::from_utf8(bytes) else {
            facts.invalid_utf8 += 1;
            return;
        };
        facts.uuid_v8 += u64::from(is_uuid_v8(text));
        let inside = self.template.as_ref().and_then(|(before, after)| {
            text.strip_prefix(before.as_str())?.strip_suffix(after.as_str())
        });
        facts.token_shaped += u64::from(is_token(text) || inside.is_some_and(is_token));
    }

    fn observe_hash(&mut self, hash: u64) {
        if hash.trailing_zeros() >= self.level {
            *self.sample.entry(hash).or_default() += 1;
            while self.sample.len() > SAMPLE_MAX {
                self.level += 1;
                let level = self.level;
                self.sample.retain(|hash, _| hash.trailing_zeros() >= level);
            }
        }
        if let Some(count) = self.frequent.get_mut(&hash) {
            *count += 1;
        } else if self.frequent.len() < FREQUENT_MAX {
            self.frequent.insert(hash, 1);
        } else {
            self.taken_off += 1;
            self.frequent.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
    }
}

fn count(bytes: &[u8], is: impl Fn(&u8) -> bool) -> u64 {
    bytes.iter().filter(|byte| is(byte)).count() as u64
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.try_into().unwrap_or_default()
}

/// Whether these are 12 to 19 digits with a correct check digit; spaces and hyphens do not count.
fn is_card(text: &[u8]) -> bool {
    let mut digits = 0_usize;
    let mut sum = 0_u32;
    for &byte in text.iter().rev() {
        match byte {
            b'0'..=b'9' => {
                let digit = u32::from(byte - b'0');
                let twice = if digits % 2 == 1 { digit * 2 } else { digit };
                sum += if twice > 9 { twice - 9 } else { twice };
                digits += 1;
            }
            b' ' | b'-' => {}
            _ => return false,
        }
    }
    (12..=19).contains(&digits) && sum.is_multiple_of(10)
}

fn is_uuid_v8(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'8',
            19 => matches!(byte.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether this is a token by its grammar: `sl`, kind, domain code, `_`, 28 characters.
fn is_token(text: &str) -> bool {
    let crockford = |byte: u8| {
        byte.is_ascii_digit()
            || (byte.is_ascii_lowercase() && !matches!(byte, b'i' | b'l' | b'o' | b'u'))
    };
    text.len() == 35
        && text.bytes().enumerate().all(|(place, byte)| match place {
            0 => byte == b's',
            1 => byte == b'l',
            2 => matches!(byte, b'k' | b'r'),
            6 => byte == b'_',
            _ => crockford(byte),
        })
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;
    use crate::plan::fixture;

    fn counter() -> Counter<RandomState> {
        Counter::new(&fixture::rule("t.c"), RandomState::new())
    }

    #[test]
    fn few_values_are_counted_exactly() {
        let mut counter = counter();
        counter.observe_null();
        for text in ["a", "b", "a", ""] {
            counter.observe(ValueType::Text, text.as_bytes());
        }
        counter.observe(ValueType::Integer, &7_i64.to_be_bytes());
        let facts = counter.finish();
        assert_eq!((facts.nulls, facts.empties, facts.distinct), (1, 1, 4));
        assert_eq!((facts.types.text, facts.types.integer, facts.top_count_max), (4, 1, 2));
        assert!(facts.distinct_exact);
    }

    #[test]
    fn many_values_are_estimated_and_the_top_is_never_understated() {
        let mut counter = counter();
        for number in 0..300_000_i64 {
            counter.observe(ValueType::Integer, &number.to_be_bytes());
            if number % 20 == 0 {
                counter.observe(ValueType::Text, b"the frequent one");
            }
        }
        let facts = counter.finish();
        assert!(!facts.distinct_exact);
        assert!((270_000..330_000).contains(&facts.distinct), "{}", facts.distinct);
        assert!((15_000..15_700).contains(&facts.top_count_max), "{}", facts.top_count_max);
    }

    #[test]
    fn shapes_are_told_apart() {
        let mut counter = counter();
        for text in [
            "4111 1111 1111 1111",
            "4111111111111112",
            "slk001_0123456789abcdefghjkmnpqrstv",
            "slk001_0123456789abcdefghjkmnpqrsti",
            "9b2d5c1e-1234-8abc-9def-0123456789ab",
            "9b2d5c1e-1234-4abc-9def-0123456789ab",
        ] {
            counter.observe(ValueType::Text, text.as_bytes());
        }
        counter.observe(ValueType::Integer, &4_111_111_111_111_111_i64.to_be_bytes());
        counter.observe(ValueType::Text, b"\xff\0");
        let facts = counter.finish();
        assert_eq!((facts.luhn_valid, facts.token_shaped, facts.uuid_v8), (2, 1, 1));
        assert_eq!((facts.invalid_utf8, facts.embedded_nul, facts.digits_min), (1, 1, Some(0)));
    }
}
