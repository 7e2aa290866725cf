//! What copies are looked for by: keyed hashes of the in-scope values, and where they were met.
//!
//! Knows no database. Values come in one at a time; of each a keyed 64-bit hash is kept, under a key
//! that is drawn for one search and forgotten with it.
//!
//! **Invariant:** memory is bounded whatever comes in: past [`VALUES_MAX`] only the values whose
//! hash ends in so many zero bits are kept, column by column, so that shares stay true on average.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::policy::ColumnName;
use crate::residue::WINDOW_BYTES;
use crate::token::{TOKEN_CHARS, Token};
use crate::value::{Original, ValueType};

/// Values that are kept at most, of all columns together: some 60 MiB.
const VALUES_MAX: usize = 1 << 20;

/// The longest value that is looked for inside a longer text.
const WITHIN_BYTES_MAX: usize = 71;

/// Integers below this occur everywhere.
const INTEGER_MIN: u64 = 10_000_000;

/// From so many bytes on, one value that is met is no chance.
const LONG_BYTES: usize = 12;

/// Distinct values that are no chance together.
const SEVERAL: u64 = 3;

/// Short values count only where at least so many of them are met, and most of all there are.
const SHORT_MIN: u64 = 20;

/// Takes in the values of the columns in scope.
pub(crate) struct WantedBuilder {
    hasher: RandomState,
    columns: Vec<Taken>,
    kept: usize,
    values_max: usize,
}

/// The values of one column.
struct Taken {
    name: ColumnName,
    /// Only hashes that end in so many zero bits are kept.
    level: u32,
    values: HashMap<u64, Shape>,
}

/// What is known of a value beside its hash.
#[derive(Clone, Copy)]
struct Shape {
    /// The hash of its first bytes; 0 where it is not looked for inside texts.
    window: u64,
    length: u8,
    /// So short that other columns hold it by chance.
    is_short: bool,
}

/// What is looked for.
pub(crate) struct Wanted {
    hasher: RandomState,
    columns: Vec<Sought>,
    /// Hash → the last of its entries.
    first: HashMap<u64, u32>,
    entries: Vec<Entry>,
    /// Hash of a value's first bytes → bit `n`: such values of `n + 8` bytes are there.
    windows: HashMap<u64, u64>,
}

/// One column whose values are looked for.
pub(crate) struct Sought {
    /// The column.
    pub(crate) name: ColumnName,
    /// How many of its distinct values are looked for.
    pub(crate) distinct: u64,
    /// Whether these are all.
    pub(crate) is_exact: bool,
}

struct Entry {
    column: u16,
    /// Its number among the values of its column.
    place: u32,
    is_short: bool,
    length: u8,
    next: Option<u32>,
}

/// What one column outside the policy was found to hold.
#[derive(Default)]
pub(crate) struct Met {
    /// Values that were looked at.
    pub(crate) seen: u64,
    /// By the column whose values they are.
    hits: HashMap<u16, Hits>,
}

#[derive(Default)]
struct Hits {
    cells: u64,
    containing: u64,
    whole: Marks,
    within: Marks,
    longest: u8,
    longest_within: u8,
    strong: u64,
}

/// A set of small numbers.
#[derive(Default)]
struct Marks {
    words: Vec<u64>,
    count: u64,
}

/// Values of one column that another one holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    /// Which of [`Wanted::columns`].
    pub(crate) column: usize,
    /// Its distinct values that were met.
    pub(crate) matched: u64,
    /// Cells that are one of them.
    pub(crate) cells: u64,
    /// Cells of longer text that have one of them inside.
    pub(crate) containing: u64,
}

impl WantedBuilder {
    /// Begins to take in the values of these columns.
    pub(crate) fn new(columns: impl IntoIterator<Item = ColumnName>) -> Self {
        Self::bounded(columns, VALUES_MAX)
    }

    fn bounded(columns: impl IntoIterator<Item = ColumnName>, values_max: usize) -> Self {
        let taken = |name| Taken { name, level: 0, values: HashMap::new() };
        Self {
            hasher: RandomState::new(),
            columns: columns.into_iter().map(taken).collect(),
            kept: 0,
            values_max,
        }
    }

    /// Takes in one value of a column, unless it is a token, or so small that it says nothing.
    pub(crate) fn add(&mut self, column: usize, original: &Original) {
        let Some(is_short) = is_short(original) else { return };
        let hash = hash(&self.hasher, original.kind(), original.expose());
        let Some(taken) = self.columns.get_mut(column) else { return };
        if hash.trailing_zeros() < taken.level {
            return;
        }
        let bytes = original.expose();
        let is_sought_within = original.kind() == ValueType::Text
            && (WINDOW_BYTES..=WITHIN_BYTES_MAX).contains(&bytes.len());
        let shape = Shape {
            window: if is_sought_within { window(&self.hasher, bytes) } else { 0 },
            length: u8::try_from(bytes.len()).unwrap_or(u8::MAX),
            is_short,
        };
        if taken.values.insert(hash, shape).is_none() {
            self.kept += 1;
        }
        while self.kept > self.values_max {
            self.thin();
        }
    }

    /// Halves the column that holds most.
    fn thin(&mut self) {
        let Some(largest) = self.columns.iter_mut().max_by_key(|taken| taken.values.len()) else {
            return;
        };
        let before = largest.values.len();
        largest.level += 1;
        let level = largest.level;
        largest.values.retain(|hash, _| hash.trailing_zeros() >= level);
        self.kept -= before - largest.values.len();
    }

    /// Ends the taking in.
    pub(crate) fn build(self) -> Wanted {
        let mut wanted = Wanted {
            hasher: self.hasher,
            columns: Vec::with_capacity(self.columns.len()),
            first: HashMap::with_capacity(self.kept),
            entries: Vec::with_capacity(self.kept),
            windows: HashMap::new(),
        };
        for (column, taken) in self.columns.into_iter().enumerate() {
            let column = u16::try_from(column).unwrap_or(u16::MAX);
            wanted.columns.push(Sought {
                name: taken.name,
                distinct: taken.values.len() as u64,
                is_exact: taken.level == 0,
            });
            for (place, (hash, shape)) in taken.values.into_iter().enumerate() {
                wanted.insert(column, place, hash, shape);
            }
        }
        wanted
    }
}

impl Wanted {
    /// The columns whose values are looked for.
    pub(crate) fn columns(&self) -> &[Sought] {
        &self.columns
    }

    /// Whether there is nothing to look for.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn insert(&mut self, column: u16, place: usize, hash: u64, shape: Shape) {
        let at = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let next = self.first.insert(hash, at);
        self.entries.push(Entry {
            column,
            place: u32::try_from(place).unwrap_or(u32::MAX),
            is_short: shape.is_short,
            length: shape.length,
            next,
        });
        if shape.window != 0 {
            let bit = usize::from(shape.length) - WINDOW_BYTES;
            *self.windows.entry(shape.window).or_default() |= 1 << bit;
        }
    }

    /// Looks at one value of a column outside the policy: as a whole, and what is inside it.
    pub(crate) fn look(&self, met: &mut Met, original: &Original) {
        met.seen += 1;
        let bytes = original.expose();
        let hash = hash(&self.hasher, original.kind(), bytes);
        let Some(first) = self.first.get(&hash) else {
            if original.kind() == ValueType::Text && bytes.len() > WINDOW_BYTES {
                self.look_within(met, bytes);
            }
            return;
        };
        for entry in self.chain(*first) {
            let hits = met.hits.entry(entry.column).or_default();
            hits.cells += 1;
            if hits.whole.mark(entry.place) {
                hits.strong += u64::from(!entry.is_short);
            }
            hits.longest = hits.longest.max(entry.length);
        }
    }

    /// Looks for values inside a longer text: between characters that are no letters or digits.
    fn look_within(&self, met: &mut Met, bytes: &[u8]) {
        let mut found: Vec<u16> = Vec::new();
        for from in 0..=bytes.len().saturating_sub(WINDOW_BYTES) {
            if from > 0 && is_inner(bytes[from - 1]) && is_inner(bytes[from]) {
                continue;
            }
            let Some(lengths) = self.windows.get(&window(&self.hasher, &bytes[from..])) else {
                continue;
            };
            for length in WINDOW_BYTES..=WITHIN_BYTES_MAX.min(bytes.len() - from) {
                let upto = from + length;
                let ends = bytes
                    .get(upto)
                    .is_none_or(|&after| !is_inner(after) || !is_inner(bytes[upto - 1]));
                if lengths >> (length - WINDOW_BYTES) & 1 == 0 || !ends {
                    continue;
                }
                let hash = hash(&self.hasher, ValueType::Text, &bytes[from..upto]);
                let Some(first) = self.first.get(&hash) else { continue };
                for entry in self.chain(*first) {
                    let hits = met.hits.entry(entry.column).or_default();
                    hits.within.mark(entry.place);
                    hits.longest_within = hits.longest_within.max(entry.length);
                    if !found.contains(&entry.column) {
                        found.push(entry.column);
                        hits.containing += 1;
                    }
                }
            }
        }
    }

    fn chain(&self, first: u32) -> impl Iterator<Item = &Entry> {
        let at = |at: u32| self.entries.get(at as usize);
        std::iter::successors(at(first), move |entry| entry.next.and_then(at))
    }

    /// What was met often enough, or is long enough, to be no chance.
    pub(crate) fn shares(&self, met: &Met) -> Vec<Share> {
        let mut shares = Vec::new();
        for (column, hits) in &met.hits {
            let column = usize::from(*column);
            let Some(sought) = self.columns.get(column) else { continue };
            let is_whole = is_no_chance(hits.strong, hits.longest) || {
                // Short values: nearly all of them, many, and most of what is there.
                let matched = hits.whole.count;
                matched >= SHORT_MIN
                    && matched * 10 >= sought.distinct * 9
                    && hits.cells * 2 >= met.seen
            };
            let is_within = is_no_chance(hits.within.count, hits.longest_within);
            if is_whole || is_within {
                shares.push(Share {
                    column,
                    matched: if is_whole { hits.whole.count } else { 0 },
                    cells: if is_whole { hits.cells } else { 0 },
                    containing: if is_within { hits.containing } else { 0 },
                });
            }
        }
        shares.sort_by_key(|share| share.column);
        shares
    }
}

fn is_no_chance(distinct: u64, longest: u8) -> bool {
    distinct >= SEVERAL || (distinct > 0 && usize::from(longest) >= LONG_BYTES)
}

impl Marks {
    /// Marks a number; whether it was not marked before.
    fn mark(&mut self, place: u32) -> bool {
        let (word, bit) = (place as usize / 64, 1_u64 << (place % 64));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let is_new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.count += u64::from(is_new);
        is_new
    }
}

/// Whether a value is short; `None` where it is nothing to look for.
fn is_short(original: &Original) -> Option<bool> {
    let bytes = original.expose();
    match original.kind() {
        ValueType::Text => {
            if bytes.trim_ascii().is_empty() || is_token(bytes) {
                return None;
            }
            Some(bytes.len() < WINDOW_BYTES)
        }
        ValueType::Blob => (bytes.len() >= WINDOW_BYTES).then_some(false),
        ValueType::Integer => {
            let number = original.as_integer()?;
            (number.unsigned_abs() >= INTEGER_MIN).then_some(false)
        }
        ValueType::Real => None,
    }
}

/// Whether a text is a token, or holds one within the template of its column.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    if bytes.len() < TOKEN_CHARS || bytes.len() > TOKEN_CHARS * 4 {
        return false;
    }
    (0..=bytes.len() - TOKEN_CHARS).any(|from| {
        bytes[from..].starts_with(b"sl")
            && std::str::from_utf8(&bytes[from..from + TOKEN_CHARS])
                .is_ok_and(|text| Token::parse(text).is_ok())
    })
}

fn hash(hasher: &RandomState, kind: ValueType, bytes: &[u8]) -> u64 {
    hasher.hash_one((kind.code(), bytes))
}

/// The hash of the first bytes of a text; never 0.
fn window(hasher: &RandomState, bytes: &[u8]) -> u64 {
    hasher.hash_one(&bytes[..WINDOW_BYTES]) | 1
}

/// Whether a word goes on over this byte.
fn is_inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(values_max: usize) -> WantedBuilder {
        let name = ColumnName::parse("customers.email").unwrap();
        WantedBuilder::bounded([name], values_max)
    }

    fn look(wanted: &Wanted, texts: &[&str]) -> Vec<Share> {
        let mut met = Met::default();
        for text in texts {
            wanted.look(&mut met, &Original::text(text));
        }
        wanted.shares(&met)
    }

    #[test]
    fn whole_values_are_counted_by_distinct_and_by_cells() {
        let mut taking = builder(100);
        for text in ["alice@example.com", "bob@example.com", "carol@example.com"] {
            taking.add(0, &Original::text(text));
        }
        let wanted = taking.build();
        assert_eq!((wanted.columns()[0].distinct, wanted.columns()[0].is_exact), (3, true));
        let shares =
            look(&wanted, &["bob@example.com", "bob@example.com", "dave@example.com", "", "x"]);
        assert_eq!(shares, [Share { column: 0, matched: 1, cells: 2, containing: 0 }]);
    }

    #[test]
    fn values_inside_texts_are_counted_once_a_cell_and_between_words_only() {
        let mut taking = builder(100);
        taking.add(0, &Original::text("alice@example.com"));
        let wanted = taking.build();
        let shares = look(
            &wanted,
            &[
                "wrote to alice@example.com, and again to alice@example.com",
                r#"{"to":"alice@example.com"}"#,
                "malice@example.com is somebody else",
                "alice@example.community is another",
            ],
        );
        assert_eq!(shares, [Share { column: 0, matched: 0, cells: 0, containing: 2 }]);
    }

    #[test]
    fn short_values_count_only_where_nearly_all_of_them_are_met() {
        let names: Vec<String> = (0..40).map(|n| format!("N{n:03}")).collect();
        let mut taking = builder(1_000);
        for name in &names {
            taking.add(0, &Original::text(name));
        }
        let wanted = taking.build();
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(look(&wanted, &all[..20]).is_empty());
        assert_eq!(look(&wanted, &all)[0].matched, 40);
    }

    #[test]
    fn small_numbers_and_tokens_are_nothing_to_look_for() {
        let mut taking = builder(10);
        taking.add(0, &Original::integer(4_711));
        taking.add(0, &Original::real(1.5));
        assert!(taking.build().is_empty());
        assert!(!is_token(b"alice@example.com"));
    }

    #[test]
    fn past_the_bound_a_share_of_the_values_stands_for_all() {
        let mut taking = builder(1_000);
        let texts: Vec<String> = (0..20_000).map(|n| format!("person{n}@example.com")).collect();
        for text in &texts {
            taking.add(0, &Original::text(text));
        }
        let wanted = taking.build();
        let sought = &wanted.columns()[0];
        assert!(!sought.is_exact && sought.distinct <= 1_000 && sought.distinct > 100);
        let half: Vec<&str> = texts[..10_000].iter().map(String::as_str).collect();
        let matched = look(&wanted, &half)[0].matched;
        assert!((sought.distinct / 3..sought.distinct * 2 / 3).contains(&matched), "{matched}");
    }
}
