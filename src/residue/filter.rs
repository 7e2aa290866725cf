//! The filter: which bytes may begin an original.
//!
//! Each says no to what the next, larger one would have to be asked about:
//!
//! 1. two small tables of the beginnings and the ends of *windows*, the first eight bytes of each
//!    form of each value: they stay in a core's own caches, and are asked at every byte offset;
//! 2. a Bloom filter of keyed hashes of windows;
//! 3. one of the beginnings of *stems* that are longer than a window; a stem is the first 32 bytes of
//!    a form, or all of a shorter one;
//! 4. one of stems: values that share a window (`+49 1511…`) are told apart there, before anything is
//!    written down.
//!
//! **Invariant:** a value that was added is never missed at an offset where its stem lies. All of
//! them err only towards more candidates, also when more values are added than were expected.
//!
//! **Invariant:** the filter answers membership, so it is as sensitive as an index of the values:
//! it cannot be cloned, printed or serialised, and is wiped when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::bloom::{Bloom, Table};
use super::encoding::Encoding;
use crate::value::{Original, ValueType};

/// How many bytes are tested at each offset, and the shortest value that is searched for.
pub const WINDOW_BYTES: usize = 8;

/// How many bytes of a form are proven at least before an offset counts as a hit; forms that are
/// shorter are proven whole.
pub const STEM_BYTES_MAX: usize = 32;

/// After how many bytes of a longer stem it is asked whether any goes on like this: a window that many
/// values share would have every length asked for otherwise.
const LANDINGS: [usize; 2] = [12, 20];

/// Told apart from a length: what is hashed is the beginning of a stem.
const LANDING: usize = 1 << 8;

/// How many offsets are looked at together: none waits for the memory of another.
pub(super) const TOGETHER: usize = 1_024;

/// Values that no byte scan can search for, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsearchable {
    /// Text under eight bytes.
    pub short_text: u64,
    /// Blobs under eight bytes.
    pub short_blob: u64,
    /// Integers of few digits: bytes that occur everywhere.
    pub integer: u64,
    /// Reals.
    pub real: u64,
    /// Values that begin with one byte repeated, as every unused page does.
    pub uniform: u64,
    /// Values of a type that the database keeps in bytes of its own, which are not searched for, or
    /// lie in every file; their texts are.
    #[serde(default)]
    pub typed: u64,
}

impl Unsearchable {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.short_text + self.short_blob + self.integer + self.real + self.uniform + self.typed
    }
}

/// Takes in originals, one at a time, and keeps hashes of their heads.
pub struct FilterBuilder {
    filter: Filter,
}

impl FilterBuilder {
    /// Starts a filter under a fresh random key, sized for about this many values.
    ///
    /// More values than expected cost speed, not truth. Memory is fixed here: 24 bytes a value,
    /// 160 MiB at most.
    #[must_use]
    pub fn new(key: [u8; 16], values_expected: u64) -> Self {
        let filter = Filter {
            mixer: Mixer::new(&key),
            begin: Table::sized(values_expected),
            end: Table::sized(values_expected),
            windows: Bloom::sized(values_expected, 1),
            landings: Bloom::sized(values_expected, 2),
            stems: Bloom::sized(values_expected, 1),
            stem_lengths: 0,
            values: 0,
            unsearchable: Unsearchable::default(),
        };
        Self { filter }
    }

    /// Adds a value in every form it has, or counts why it cannot be searched for.
    ///
    /// Adding one value twice is harmless; it is counted twice.
    pub fn add(&mut self, original: &Original) {
        let not_searchable = &mut self.filter.unsearchable;
        let bytes = original.expose();
        match original.kind() {
            ValueType::Integer
                if Encoding::ALL.iter().all(|form| form.encode(original).is_none()) =>
            {
                not_searchable.integer += 1;
            }
            ValueType::Real => not_searchable.real += 1,
            ValueType::Text if bytes.len() < WINDOW_BYTES => not_searchable.short_text += 1,
            ValueType::Blob if bytes.len() < WINDOW_BYTES => not_searchable.short_blob += 1,
            ValueType::Text | ValueType::Blob if is_uniform(bytes) => not_searchable.uniform += 1,
            ValueType::Text | ValueType::Blob | ValueType::Integer => {
                self.filter.values += 1;
                if original.kind() == ValueType::Integer && Encoding::Raw.encode(original).is_none()
                {
                    // In digits it is told from others, in its bytes it is not.
                    not_searchable.typed += 1;
                }
                for encoding in Encoding::ALL {
                    if let Some(stem) = encoding.stem(original) {
                        self.filter.insert(&stem);
                    }
                }
            }
        }
    }

    /// Adds a value that the database keeps in another form than its text.
    ///
    /// A type whose bytes are known is searched for in them; of the others it is counted that they
    /// are not.
    pub fn add_typed(&mut self, original: &Original) {
        let (values, not_searchable) = (self.filter.values, self.filter.unsearchable.total());
        self.add(original);
        let was_added = self.filter.values > values;
        let is_sought = |form: Encoding| form.is_binary() && form.encode(original).is_some();
        // A whole number may be a `bigint` or a `numeric`: which of them, nobody says here.
        let is_whole =
            std::str::from_utf8(original.expose()).is_ok_and(|text| text.parse::<i64>().is_ok());
        let has_bytes = if is_whole {
            is_sought(Encoding::IntegerLe) && is_sought(Encoding::Numeric)
        } else {
            Encoding::ALL.into_iter().any(is_sought)
        };
        if was_added && !has_bytes && self.filter.unsearchable.total() == not_searchable {
            self.filter.unsearchable.typed += 1;
        }
    }

    /// Ends the taking in.
    #[must_use]
    pub fn build(self) -> Filter {
        self.filter
    }
}

impl fmt::Debug for FilterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FilterBuilder({} values)", self.filter.values)
    }
}

/// Which bytes may begin an original. See the room's documentation.
pub struct Filter {
    pub(super) mixer: Mixer,
    /// Of the first three bytes of windows.
    begin: Table,
    /// Of their last four.
    end: Table,
    windows: Bloom,
    landings: Bloom,
    stems: Bloom,
    /// Bit `n` is set where a stem of `n` bytes was added.
    stem_lengths: u64,
    values: u64,
    unsearchable: Unsearchable,
}

impl Filter {
    /// How many values are searched for, repeated ones counted each time.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.values
    }

    /// The values that could not be taken in.
    #[must_use]
    pub fn unsearchable(&self) -> Unsearchable {
        self.unsearchable
    }

    /// Names what the scan looks for and how: SHA-256, in hex, over the scanner's constants and
    /// forms. Two scans may be compared where this is the same; neither key nor values are in it.
    #[must_use]
    pub fn config_hash() -> String {
        let mut hash = Sha256::new();
        hash.update(b"sealift/residue/v1");
        hash.update([8, 32]);
        for encoding in Encoding::ALL {
            hash.update(encoding.name());
            hash.update([0]);
        }
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }

    /// At which of the first `starts` offsets of `bytes` a value may begin, [`TOGETHER`] at most.
    ///
    /// Nothing here branches on what is found: the look-ups in a large filter wait for memory
    /// together, and not one after the other.
    pub(super) fn may_begin<'p>(
        &self,
        bytes: &[u8],
        starts: usize,
        places: &'p mut [u16; TOGETHER],
    ) -> &'p [u16] {
        let windows = bytes.array_windows::<WINDOW_BYTES>().take(starts.min(TOGETHER));
        let mut count = 0;
        for (at, window) in (0_u16..).zip(windows) {
            let (begin, end) = self.mixer.ends(u64::from_le_bytes(*window));
            places[count] = at;
            count += usize::from(self.begin.holds(begin) & self.end.holds(end));
        }
        let count = retain(places, count, |at| {
            let window = bytes[at..].first_chunk().map_or(0, |window| u64::from_le_bytes(*window));
            self.windows.holds(self.mixer.window(window))
        });
        if self.stem_lengths & ((1 << LANDINGS[0]) - 1) != 0 {
            // There are stems too short to land: each is asked for by its length.
            return &places[..count];
        }
        let count = retain(places, count, |at| {
            let landing = bytes[at..].first_chunk::<{ LANDINGS[0] }>();
            landing.is_some_and(|landing| {
                self.landings.holds(self.mixer.hash(landing, LANDING | LANDINGS[0]))
            })
        });
        &places[..count]
    }

    /// Calls `found` with the hash of each stem that `bytes` may begin with.
    pub(super) fn stems_at(&self, bytes: &[u8], mut found: impl FnMut(u64)) {
        let longest = bytes.len().min(STEM_BYTES_MAX);
        let mut state = self.mixer.start();
        for lane in 0..=longest / WINDOW_BYTES {
            let from = lane * WINDOW_BYTES;
            for length in from..(from + WINDOW_BYTES).min(longest + 1) {
                let rest = &bytes[from..length];
                if LANDINGS.contains(&length)
                    && !self.landings.holds(self.mixer.end(state, rest, LANDING | length))
                {
                    return;
                }
                if self.stem_lengths >> length & 1 == 1 {
                    let hash = self.mixer.end(state, rest, length);
                    if self.stems.holds(hash) {
                        found(hash);
                    }
                }
            }
            if from + WINDOW_BYTES <= longest {
                state = self.mixer.step(state, lane_of(&bytes[from..]));
            }
        }
    }

    fn insert(&mut self, stem: &[u8]) {
        let window = lane_of(stem);
        let (begin, end) = self.mixer.ends(window);
        self.begin.insert(begin);
        self.end.insert(end);
        self.windows.insert(self.mixer.window(window));
        for landing in LANDINGS.into_iter().filter(|landing| *landing <= stem.len()) {
            self.landings.insert(self.mixer.hash(&stem[..landing], LANDING | landing));
        }
        self.stems.insert(self.mixer.stem(stem));
        self.stem_lengths |= 1 << stem.len();
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} values)", self.values)
    }
}

/// A keyed hash made for speed: one wide multiplication per eight bytes.
///
/// It spreads values over the filter and makes the bits useless without the key. It is no MAC; what
/// leaves memory ([`super::HitDigest`]) is made by HMAC.
pub(super) struct Mixer {
    key: Zeroizing<[u64; 2]>,
}

impl Mixer {
    fn new(key: &[u8; 16]) -> Self {
        // Stretched, because a multiplier with a pattern in it spreads badly; odd, so that the
        // multiplication forgets nothing.
        let stretched = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
        let (left, right) = (lane_of(&stretched[..8]), lane_of(&stretched[8..16]) | 1);
        Self { key: Zeroizing::new([left, right]) }
    }

    #[inline]
    fn window(&self, window: u64) -> u64 {
        fold(window ^ self.key[0], self.key[1])
    }

    /// The first three and the last four bytes of a window, spread by the key.
    #[inline]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the upper bits of the product are the point"
    )]
    fn ends(&self, window: u64) -> (u32, u32) {
        let key = self.key[1];
        let (begin, end) =
            ((window & 0xff_ffff).wrapping_mul(key), (window >> 32).wrapping_mul(key));
        ((begin >> 32) as u32, (end >> 32) as u32)
    }

    /// The hash of a stem, its length included.
    pub(super) fn stem(&self, stem: &[u8]) -> u64 {
        self.hash(stem, stem.len())
    }

    fn hash(&self, bytes: &[u8], length: usize) -> u64 {
        let lanes = bytes.chunks_exact(WINDOW_BYTES);
        let rest = lanes.remainder();
        let state = lanes.fold(self.start(), |state, lane| self.step(state, lane_of(lane)));
        self.end(state, rest, length)
    }

    fn start(&self) -> u64 {
        self.key[0] ^ 0x9e37_79b9_7f4a_7c15
    }

    fn step(&self, state: u64, lane: u64) -> u64 {
        fold(state ^ lane, self.key[1] ^ 0xd6e8_feb8_6659_fd92).rotate_left(23)
    }

    fn end(&self, state: u64, rest: &[u8], length: usize) -> u64 {
        fold(self.step(state, lane_of(rest)) ^ length as u64, self.key[1])
    }
}

/// Keeps the places that pass, in front, and says how many they are.
#[inline]
fn retain(places: &mut [u16; TOGETHER], count: usize, passes: impl Fn(usize) -> bool) -> usize {
    let mut kept = 0;
    for from in 0..count {
        let at = places[from];
        places[kept] = at;
        kept += usize::from(passes(usize::from(at)));
    }
    kept
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "folding the two halves together is the point")]
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Up to eight bytes as a number, missing ones zero.
fn lane_of(bytes: &[u8]) -> u64 {
    let mut lane = [0; WINDOW_BYTES];
    let length = bytes.len().min(WINDOW_BYTES);
    lane[..length].copy_from_slice(&bytes[..length]);
    u64::from_le_bytes(lane)
}

pub(super) fn is_uniform(bytes: &[u8]) -> bool {
    bytes.iter().take(WINDOW_BYTES).all(|byte| *byte == bytes[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    #[test]
    fn every_stem_that_was_added_is_found() {
        let mut builder = FilterBuilder::new(KEY, 10);
        let texts: Vec<String> = (0..40).map(|n| format!("customer{}", "x".repeat(n))).collect();
        for text in &texts {
            builder.add(&Original::text(text));
        }
        let filter = builder.build();
        for text in &texts {
            let stem = &text.as_bytes()[..text.len().min(STEM_BYTES_MAX)];
            let expected = filter.mixer.stem(stem);
            let mut found = Vec::new();
            filter.stems_at(text.as_bytes(), |hash| found.push(hash));
            assert!(found.contains(&expected), "{} bytes", text.len());
        }
    }

    #[test]
    fn a_value_passes_at_its_offset_whether_shorter_ones_were_added_or_not() {
        for texts in [["alice@example.com", "Bob of the Example"], ["Bob Exam", "Carol Example"]] {
            let mut builder = FilterBuilder::new(KEY, 10);
            for text in texts {
                builder.add(&Original::text(text));
            }
            let filter = builder.build();
            for (text, at) in texts.iter().flat_map(|text| (0..40).map(move |at| (text, at))) {
                let bytes = ["-".repeat(at).as_bytes(), text.as_bytes()].concat();
                let mut places = [0; TOGETHER];
                let passed = filter.may_begin(&bytes, bytes.len(), &mut places);
                assert!(passed.iter().any(|place| usize::from(*place) == at), "{text} at {at}");
            }
        }
    }

    #[test]
    fn what_cannot_be_searched_for_is_counted_by_type() {
        let mut builder = FilterBuilder::new(KEY, 10);
        builder.add(&Original::integer(4711));
        builder.add(&Original::real(1.5));
        builder.add(&Original::text("Anna"));
        builder.add(&Original::new(ValueType::Blob, vec![1, 2]));
        builder.add(&Original::new(ValueType::Blob, vec![0; 64]));
        builder.add(&Original::text("alice@example.com"));
        let filter = builder.build();
        let expected = Unsearchable {
            short_text: 1,
            short_blob: 1,
            integer: 1,
            real: 1,
            uniform: 1,
            typed: 0,
        };
        assert_eq!(filter.unsearchable(), expected);
        assert_eq!(filter.values(), 1);
    }

    #[test]
    fn a_type_whose_bytes_are_not_known_is_counted() {
        let mut builder = FilterBuilder::new(KEY, 3);
        builder.add_typed(&Original::text("1987-06-05"));
        builder.add_typed(&Original::text("0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"));
        builder.add_typed(&Original::text("42"));
        let filter = builder.build();
        let expected = Unsearchable { typed: 1, short_text: 1, ..Unsearchable::default() };
        assert_eq!((filter.values(), filter.unsearchable()), (2, expected));
    }

    #[test]
    fn a_value_whose_bytes_lie_in_every_file_is_sought_as_a_text_and_counted() {
        let sparse = [
            "281474976710656",
            "-9223372036854775808",
            "00000001-0000-0000-0000-000000000000",
            "2000-01-01 00:00:00.000001+00",
        ];
        let mut builder = FilterBuilder::new(KEY, 5);
        for text in sparse {
            builder.add_typed(&Original::text(text));
        }
        builder.add_typed(&Original::text("4929123456781234"));
        builder.add(&Original::integer(1 << 48));
        builder.add(&Original::integer(4_929_123_456_781_234));
        let filter = builder.build();
        let expected = Unsearchable { typed: 5, ..Unsearchable::default() };
        assert_eq!((filter.values(), filter.unsearchable()), (7, expected));
    }

    #[test]
    fn few_windows_pass_by_chance_in_a_full_filter() {
        let mut builder = FilterBuilder::new(KEY, 20_000);
        for n in 0..20_000_u64 {
            builder
                .add(&Original::text(&format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        }
        let filter = builder.build();
        let passed = (0..100_000_u64)
            .filter(|n| {
                let window = n.wrapping_mul(0xd6e8_feb8_6659_fd93);
                filter.windows.holds(filter.mixer.window(window))
            })
            .count();
        assert!(passed < 2_000, "{passed} of 100,000 passed");
    }

    #[test]
    fn a_filter_prints_a_count_only() {
        let mut builder = FilterBuilder::new(KEY, 1);
        builder.add(&Original::text("alice@example.com"));
        assert_eq!(format!("{:?}", builder.build()), "Filter(1 values)");
    }
}
