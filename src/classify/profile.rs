//! One column, value after value.
//!
//! A profile turns every original into text as far as it is text, and has it looked at once. It
//! decides nothing: that is [`super::weigh`].

use std::io::Write as _;

use zeroize::Zeroizing;

use super::counts::Counts;
use super::document::Document;
use super::finding::Finding;
use super::free_text;
use super::heading::Heading;
use super::kind::Place;
use super::pattern::{Compiled, Detectors};
use super::values::{Look, Places, Sighting, recognise};
use super::{Subject, decode, hash, weigh};
use crate::value::{Original, ValueType};

/// Longer values are looked at up to here.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Longer documents are not parsed.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// Looks at the values of one column, in bounded memory.
pub struct Profile<'d> {
    detectors: &'d Detectors,
    heading: Heading,
    table: String,
    patterns: Vec<Matches<'d>>,
    counts: Counts,
    /// Profiles of places in documents; nothing within a document's own profiles.
    document: Option<Box<Document<'d>>>,
    is_within: bool,
}

/// A policy's pattern and how many values it matched.
pub(super) struct Matches<'d> {
    pub(super) pattern: &'d Compiled,
    pub(super) count: u64,
}

impl<'d> Profile<'d> {
    /// Begins to look at a column.
    #[must_use]
    pub fn new(detectors: &'d Detectors, subject: &Subject<'_>) -> Self {
        Self::begin(detectors, subject, false)
    }

    /// Begins to look at a place in documents, which holds no documents of its own.
    pub(super) fn within(detectors: &'d Detectors, subject: &Subject<'_>) -> Self {
        Self::begin(detectors, subject, true)
    }

    fn begin(detectors: &'d Detectors, subject: &Subject<'_>, is_within: bool) -> Self {
        let patterns = detectors.for_column(subject.column);
        Self {
            detectors,
            heading: Heading::of(subject),
            table: subject.table.to_owned(),
            patterns: patterns.into_iter().map(|pattern| Matches { pattern, count: 0 }).collect(),
            counts: Counts::new(),
            document: None,
            is_within,
        }
    }

    /// Counts a NULL.
    pub fn add_null(&mut self) {
        self.counts.sampled += 1;
        self.counts.nulls += 1;
    }

    /// Looks at a value.
    pub fn add(&mut self, original: &Original) {
        self.counts.sampled += 1;
        match original.kind() {
            ValueType::Text => match std::str::from_utf8(original.expose()) {
                Ok(text) => self.add_text(text),
                Err(_) => self.add_bytes(original.expose()),
            },
            ValueType::Blob => self.add_bytes(original.expose()),
            ValueType::Integer => self.add_integer(original.as_integer().unwrap_or_default()),
            ValueType::Real => self.add_real(original.as_real().unwrap_or_default()),
        }
    }

    /// A text within a document.
    pub(super) fn add_inner(&mut self, text: &str) {
        self.counts.sampled += 1;
        self.add_text(text);
    }

    /// A whole number within a document.
    pub(super) fn add_inner_integer(&mut self, number: i64) {
        self.counts.sampled += 1;
        self.add_integer(number);
    }

    /// Another number within a document.
    pub(super) fn add_inner_real(&mut self, number: f64) {
        self.counts.sampled += 1;
        self.add_real(number);
    }

    /// What the column holds.
    #[must_use]
    pub fn findings(self) -> Vec<Finding> {
        let mut findings = weigh::findings(&self.heading, &self.counts, &self.patterns);
        if let Some(document) = self.document {
            // What a column of documents is, its places say.
            if self.counts.documents * 2 >= self.counts.tested {
                findings.clear();
            }
            findings.extend(document.findings());
        }
        findings
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        match decode::text_of(bytes, VALUE_BYTES_MAX) {
            Some(text) => self.add_text(&text),
            None => self.counts.skipped += 1,
        }
    }

    fn add_text(&mut self, text: &str) {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            self.counts.empties += 1;
            return;
        }
        self.counts.tested += 1;
        let start = trimmed.as_bytes()[0];
        if (start == b'{' || start == b'[') && !self.is_within && self.add_document(trimmed) {
            return;
        }
        let text = free_text::cut(trimmed, VALUE_BYTES_MAX);
        let seen = self.look_at(text);
        self.counts.take(&seen);
    }

    fn look_at(&mut self, text: &str) -> Sighting {
        self.counts.distinct.take(hash::of(text.as_bytes()));
        for matches in &mut self.patterns {
            matches.count += u64::from(matches.pattern.value.is_match(text));
        }
        let look = Look::at(text);
        let seen = recognise(&look);
        let mut contained = seen.searched();
        if free_text::is_text(&look, &seen) {
            self.counts.texts += 1;
            contained.join(free_text::scan(text));
        }
        self.counts.take_contained(contained);
        seen
    }

    fn add_integer(&mut self, number: i64) {
        let mut buffer = Zeroizing::new([0_u8; 24]);
        let length = write_into(&mut *buffer, format_args!("{number}"));
        self.counts.tested += 1;
        let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
        let mut seen = self.look_at(text);
        // A year of birth, or seconds or milliseconds since 1970.
        let is_moment = (-2_300_000_000..2_300_000_000).contains(&number)
            && number.abs() > 10_000_000
            || (-2_300_000_000_000..2_300_000_000_000).contains(&number)
                && number.abs() > 10_000_000_000;
        if (1900..=2030).contains(&number) || is_moment {
            seen.plausible.add(Place::DateOfBirth);
        }
        // Leading zeros fall where a postcode or a short code is stored as a number.
        if (501..=99_999).contains(&number) {
            seen.plausible.add(Place::Postcode);
        }
        for place in NOT_INTEGERS {
            seen.plausible.remove(place);
        }
        self.counts.take(&seen);
    }

    fn add_real(&mut self, number: f64) {
        if !number.is_finite() {
            self.counts.skipped += 1;
            return;
        }
        if number.fract() == 0.0 && number.abs() < 1e15 {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and far below 2^63")]
            return self.add_integer(number as i64);
        }
        let mut buffer = Zeroizing::new([0_u8; 40]);
        let length = write_into(&mut *buffer, format_args!("{number}"));
        self.counts.tested += 1;
        let text = std::str::from_utf8(&buffer[..length]).unwrap_or_default();
        let seen = self.look_at(text);
        let mut number = Sighting::default();
        for place in [Place::GeoPoint, Place::Income] {
            if seen.plausible.has(place) {
                number.plausible.add(place);
            }
        }
        self.counts.take(&number);
    }

    /// Parses a document and has its places looked at. Whether it was one.
    fn add_document(&mut self, text: &str) -> bool {
        if text.len() > DOCUMENT_BYTES_MAX {
            return false;
        }
        let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { return false };
        self.counts.documents += 1;
        let document = self
            .document
            .get_or_insert_with(|| Box::new(Document::new(self.detectors, &self.table)));
        document.add(&value);
        true
    }
}

/// What no whole number is, whatever its column is called.
const NOT_INTEGERS: [Place; 4] =
    [Place::Secret, Place::Username, Place::Health, Place::PostalAddress];

/// Writes into a buffer on the stack, and says how many bytes.
fn write_into(buffer: &mut [u8], text: std::fmt::Arguments<'_>) -> usize {
    let size = buffer.len();
    let mut rest = buffer;
    // What does not fit is no number that any kind has.
    let _ = rest.write_fmt(text);
    size - rest.len()
}

impl Sighting {
    /// The kinds that a text is searched for, where a whole value is one of them.
    fn searched(&self) -> Places {
        let mut places = Places::default();
        for place in [Place::Email, Place::Phone, Place::Card, Place::Iban, Place::Ip] {
            if self.matched.has(place) {
                places.add(place);
            }
        }
        places
    }
}
