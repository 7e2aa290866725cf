//! The forms in which a value may lie in a file.
//!
//! A database writes text as it got it; applications around it write the same value as UTF-16, as
//! hex in a dump, as a string in JSON. This file knows forms, not who writes them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::filter::STEM_BYTES_MAX;
use crate::value::{Original, ValueType};

/// One form in which the scan looks for a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// The bytes themselves; for text nearly always UTF-8.
    Raw,
    /// UTF-16, little-endian, without a byte order mark.
    Utf16Le,
    /// Lowercase hex digits, as in `\x…`.
    HexLower,
    /// Uppercase hex digits, as in `X'…'`.
    HexUpper,
    /// As in a JSON string that escapes only what it must.
    Json,
    /// As in a JSON string that escapes everything outside ASCII (`\u00e9`).
    JsonAscii,
    /// A wide integer in eight bytes, the lowest first, as in PostgreSQL's pages. The highest first,
    /// as in SQLite's, is [`Encoding::Raw`].
    IntegerLe,
    /// A long integer in digits, as in dumps and logs.
    Decimal,
    /// The sixteen bytes of a text that is a UUID, as in PostgreSQL's pages.
    Uuid,
    /// A long number in groups of four digits, two bytes each, as in PostgreSQL's `numeric`.
    Numeric,
    /// A moment in microseconds since 2000, in eight bytes, the lowest first, as in PostgreSQL's
    /// pages. Only where it has seconds: whole minutes stand in many other columns.
    Timestamp,
}

/// From here on an integer in eight bytes is met nowhere by chance, where its bytes tell.
const WIDE_MIN: u64 = 1 << 48;
/// From here on an integer in digits is: it has twelve of them.
const LONG_MIN: u64 = 100_000_000_000;

impl Encoding {
    /// Every form, in the order in which a tie is decided.
    pub const ALL: [Self; 11] = [
        Self::Raw,
        Self::Utf16Le,
        Self::HexLower,
        Self::HexUpper,
        Self::Json,
        Self::JsonAscii,
        Self::IntegerLe,
        Self::Decimal,
        Self::Uuid,
        Self::Numeric,
        Self::Timestamp,
    ];

    /// The word that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Utf16Le => "utf16_le",
            Self::HexLower => "hex_lower",
            Self::HexUpper => "hex_upper",
            Self::Json => "json",
            Self::JsonAscii => "json_ascii",
            Self::IntegerLe => "integer_le",
            Self::Decimal => "decimal",
            Self::Uuid => "uuid",
            Self::Numeric => "numeric",
            Self::Timestamp => "timestamp",
        }
    }

    /// Writes the whole value in this form; `None` where the form is not defined for it, or is no
    /// other than an earlier one of [`Encoding::ALL`].
    #[must_use]
    pub fn encode(self, original: &Original) -> Option<Zeroizing<Vec<u8>>> {
        if original.kind() == ValueType::Integer {
            return self.integer(original);
        }
        if self.is_binary() {
            return self.binary(text_of(original)?);
        }
        self.write(original.expose(), text_of(original))
    }

    /// Whether this is how a database keeps a value of another type than text, whose text is known.
    pub(super) fn is_binary(self) -> bool {
        match self {
            Self::IntegerLe | Self::Uuid | Self::Numeric | Self::Timestamp => true,
            Self::Raw
            | Self::Utf16Le
            | Self::HexLower
            | Self::HexUpper
            | Self::Json
            | Self::JsonAscii
            | Self::Decimal => false,
        }
    }

    /// The bytes of a value whose text this is.
    fn binary(self, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = match self {
            Self::IntegerLe => {
                let number: i64 = text.parse().ok()?;
                let is_plain = number.unsigned_abs() >= WIDE_MIN && number.to_string() == text;
                is_plain.then(|| number.to_le_bytes().to_vec())?
            }
            Self::Uuid => uuid(text)?,
            Self::Numeric => numeric(text)?,
            Self::Timestamp => timestamp(text)?,
            Self::Raw
            | Self::Utf16Le
            | Self::HexLower
            | Self::HexUpper
            | Self::Json
            | Self::JsonAscii
            | Self::Decimal => return None,
        };
        // What begins with one byte repeated is met on every unused page.
        (!super::filter::is_uniform(&bytes) && tells(&bytes)).then(|| Zeroizing::new(bytes))
    }

    /// Writes what the first [`STEM_BYTES_MAX`] bytes of [`Encoding::encode`] would be, without
    /// writing the rest of a large value.
    ///
    /// Gives `Some` in a few cases where `encode` gives `None` only if the heads of two forms are
    /// the same; a filter does not mind.
    pub(super) fn stem(self, original: &Original) -> Option<Zeroizing<Vec<u8>>> {
        if original.kind() == ValueType::Integer {
            return self.integer(original);
        }
        if self.is_binary() {
            let mut stem = self.binary(text_of(original)?)?;
            stem.truncate(STEM_BYTES_MAX);
            return Some(stem);
        }
        let bytes = original.expose();
        let mut stem = match text_of(original) {
            Some(text) => {
                let cut = text.char_indices().nth(STEM_BYTES_MAX).map_or(text.len(), |(at, _)| at);
                self.write(&bytes[..cut], Some(&text[..cut]))?
            }
            None => self.write(&bytes[..bytes.len().min(STEM_BYTES_MAX)], None)?,
        };
        stem.truncate(STEM_BYTES_MAX);
        Some(stem)
    }

    /// The forms of an integer, as far as its width allows to tell it from others.
    fn integer(self, original: &Original) -> Option<Zeroizing<Vec<u8>>> {
        let number = i64::from_be_bytes(original.expose().try_into().ok()?);
        let is_wide = number.unsigned_abs() >= WIDE_MIN && tells(&number.to_be_bytes());
        let is_long = number.unsigned_abs() >= LONG_MIN;
        let written = match self {
            Self::Raw if is_wide => number.to_be_bytes().to_vec(),
            Self::IntegerLe if is_wide => number.to_le_bytes().to_vec(),
            Self::Decimal if is_long => number.to_string().into_bytes(),
            Self::Raw
            | Self::Utf16Le
            | Self::HexLower
            | Self::HexUpper
            | Self::Json
            | Self::JsonAscii
            | Self::IntegerLe
            | Self::Decimal
            | Self::Uuid
            | Self::Numeric
            | Self::Timestamp => return None,
        };
        Some(Zeroizing::new(written))
    }

    fn write(self, bytes: &[u8], text: Option<&str>) -> Option<Zeroizing<Vec<u8>>> {
        let written = match self {
            Self::Raw => bytes.to_vec(),
            Self::Utf16Le => text?.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::HexLower => data_encoding::HEXLOWER.encode(bytes).into_bytes(),
            Self::HexUpper => {
                // Only where a digit is a letter do the two cases differ.
                let has_letters = bytes.iter().any(|byte| byte & 0x0f > 9 || byte >> 4 > 9);
                has_letters.then(|| data_encoding::HEXUPPER.encode(bytes).into_bytes())?
            }
            Self::Json => {
                let text = text.filter(|text| text.chars().any(must_be_escaped))?;
                escaped(text, false)
            }
            Self::JsonAscii => escaped(text.filter(|text| !text.is_ascii())?, true),
            Self::IntegerLe | Self::Decimal | Self::Uuid | Self::Numeric | Self::Timestamp => {
                return None;
            }
        };
        Some(Zeroizing::new(written))
    }
}

/// The text, where the value is text in valid UTF-8.
fn text_of(original: &Original) -> Option<&str> {
    (original.kind() == ValueType::Text)
        .then(|| std::str::from_utf8(original.expose()).ok())
        .flatten()
}

/// Whether the bytes of a binary form tell it from what any file holds. Counters, flags, masks and
/// small numbers beside each other are `00` and `ff` for the most part: 2^48 in eight bytes, or a
/// UUID that counts from one, is found everywhere.
fn tells(form: &[u8]) -> bool {
    let (telling_min, different_min) = if form.len() < 16 { (5, 4) } else { (8, 6) };
    // A stem is a hit already.
    let stem = &form[..form.len().min(STEM_BYTES_MAX)];
    let telling: Zeroizing<Vec<u8>> =
        Zeroizing::new(stem.iter().copied().filter(|byte| !matches!(byte, 0x00 | 0xff)).collect());
    let is_first = |(at, byte): &(usize, &u8)| !telling[..*at].contains(byte);
    let different = telling.iter().enumerate().filter(is_first).count();
    telling.len() >= telling_min && different >= different_min
}

/// The bytes of a UUID in its usual form.
fn uuid(text: &str) -> Option<Vec<u8>> {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let bytes = text.as_bytes();
    if bytes.len() != 36 || HYPHENS.iter().any(|at| bytes[*at] != b'-') {
        return None;
    }
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(bytes.iter().filter(|byte| **byte != b'-').copied().collect());
    data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok().filter(|bytes| bytes.len() == 16)
}

/// The digits of a number, in fours from its point, without zeros at both ends.
// SPEC: NumericShort and NumericLong of src/backend/utils/adt/numeric.c of PostgreSQL 13 to 18.
fn numeric(text: &str) -> Option<Vec<u8>> {
    const GROUPS_MIN: usize = 4;
    let text = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() < 2 * GROUPS_MIN
        || whole.is_empty()
        || !are_digits(whole)
        || !are_digits(fraction)
    {
        return None;
    }
    let before = "0".repeat(whole.len().next_multiple_of(4) - whole.len());
    let behind = "0".repeat(fraction.len().next_multiple_of(4) - fraction.len());
    let digits = Zeroizing::new(format!("{before}{whole}{fraction}{behind}"));
    let groups = digits
        .as_bytes()
        .chunks(4)
        .map(|four| four.iter().fold(0_u16, |sum, digit| sum * 10 + u16::from(digit - b'0')));
    let groups: Zeroizing<Vec<u16>> = Zeroizing::new(groups.collect());
    let from = groups.iter().position(|group| *group != 0)?;
    let to = groups.iter().rposition(|group| *group != 0)?;
    let groups = &groups[from..=to];
    (groups.len() >= GROUPS_MIN)
        .then(|| groups.iter().flat_map(|group| group.to_le_bytes()).collect())
}

/// The eight bytes of a moment, written as PostgreSQL writes it: in UTC, where it has a zone.
fn timestamp(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_suffix("+00").unwrap_or(text);
    if text.len() < 19 || text.as_bytes()[10] != b' ' {
        return None;
    }
    let moment: jiff::civil::DateTime = text.parse().ok()?;
    let begin = jiff::civil::DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
    if moment.second() == 0 && moment.subsec_nanosecond() == 0 {
        return None;
    }
    let micros = i64::try_from(moment.duration_since(begin).as_micros()).ok()?;
    Some(micros.to_le_bytes().to_vec())
}

// SPEC: RFC 8259, section 7: what a JSON string must escape.
fn must_be_escaped(character: char) -> bool {
    matches!(character, '"' | '\\' | '\0'..='\x1f')
}

fn escaped(text: &str, ascii_only: bool) -> Vec<u8> {
    let mut json = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..='\x1f' => push_unit(&mut json, character as u16),
            _ if ascii_only && !character.is_ascii() => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    push_unit(&mut json, *unit);
                }
            }
            _ => json.push(character),
        }
    }
    json.into_bytes()
}

fn push_unit(json: &mut String, unit: u16) {
    // Writing into a string cannot fail.
    let _ = write!(json, "\\u{unit:04x}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
        encoding.encode(&Original::text(text)).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn json_is_what_serde_writes_between_the_quotes() {
        let text = "say \"hi\"\\\n\t\u{1}\u{8}\u{c} Zoë";
        let json = serde_json::to_string(text).unwrap();
        assert_eq!(encoded(Encoding::Json, text).unwrap(), json.as_bytes()[1..json.len() - 1]);
    }

    #[test]
    fn json_in_ascii_writes_surrogates() {
        assert_eq!(encoded(Encoding::JsonAscii, "Zoë 😀").unwrap(), b"Zo\\u00eb \\ud83d\\ude00");
    }

    #[test]
    fn a_form_that_adds_nothing_is_left_out() {
        assert_eq!(encoded(Encoding::Json, "alice@example.com"), None);
        assert_eq!(encoded(Encoding::JsonAscii, "alice@example.com"), None);
        assert_eq!(encoded(Encoding::HexUpper, "12345678"), None);
        assert_eq!(Encoding::Utf16Le.encode(&Original::new(ValueType::Blob, vec![1; 9])), None);
    }

    #[test]
    fn an_integer_is_sought_where_it_is_wide_enough() {
        let forms = |number: i64| {
            let form = |encoding: &Encoding| encoding.encode(&Original::integer(number)).is_some();
            Encoding::ALL.into_iter().filter(form).collect::<Vec<_>>()
        };
        assert_eq!(forms(4_711), []);
        assert_eq!(forms(447_700_900_123), [Encoding::Decimal]);
        let all = [Encoding::Raw, Encoding::IntegerLe, Encoding::Decimal];
        assert_eq!(forms(4_111_111_111_111_111), all);
    }

    #[test]
    fn a_text_that_is_of_another_type_is_sought_in_the_bytes_of_that_type_too() {
        let uuid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
        let bytes = encoded(Encoding::Uuid, uuid).unwrap();
        assert_eq!(bytes[..4], [0x0a, 0x1b, 0x2c, 0x3d]);
        assert_eq!(encoded(Encoding::Uuid, "00000000-0000-0000-0000-000000000000"), None);
        assert_eq!(
            encoded(Encoding::IntegerLe, "4111111111111111"),
            Some(4_111_111_111_111_111_i64.to_le_bytes().to_vec())
        );
        assert_eq!(encoded(Encoding::IntegerLe, "04111111111111111"), None);
        // SELECT numeric_send(1234567890123.4567): groups 1, 2345, 6789, 123, 4567.
        let groups: Vec<u8> =
            [1_u16, 2345, 6789, 123, 4567].into_iter().flat_map(u16::to_le_bytes).collect();
        assert_eq!(encoded(Encoding::Numeric, "-1234567890123.4567"), Some(groups));
        assert_eq!(encoded(Encoding::Numeric, "1234.5"), None);
        // SELECT timestamptz_send('2024-05-06 07:08:09.123456+00'), the other way round.
        let moment = vec![0x80, 0x6a, 0x1b, 0x80, 0xc2, 0xba, 0x02, 0x00];
        assert_eq!(encoded(Encoding::Timestamp, "2024-05-06 07:08:09.123456+00"), Some(moment));
        assert_eq!(encoded(Encoding::Timestamp, "2000-01-02 00:00:00"), None);
        assert_eq!(encoded(Encoding::Timestamp, "alice@example.com, at large"), None);
    }

    #[test]
    fn bytes_that_lie_in_every_file_are_not_sought() {
        for number in [i64::MIN, i64::MIN + 1, i64::MAX, 1 << 40, 1 << 48, 1 << 56, (1 << 53) + 1] {
            let text = number.to_string();
            assert_eq!(encoded(Encoding::IntegerLe, &text), None, "{text}");
            let integer = Original::integer(number);
            for form in [Encoding::Raw, Encoding::IntegerLe] {
                assert!(form.encode(&integer).is_none(), "{text}");
                assert!(form.stem(&integer).is_none(), "{text}");
            }
            assert!(Encoding::Decimal.encode(&integer).is_some(), "{text}");
            assert!(encoded(Encoding::Raw, &text).is_some(), "{text}");
        }
        for (form, text) in [
            (Encoding::Uuid, "00000001-0000-0000-0000-000000000000"),
            (Encoding::Uuid, "01000000-0000-0000-0000-000000000000"),
            (Encoding::Uuid, "00000000-0000-4000-8000-000000000001"),
            (Encoding::Timestamp, "2000-01-01 00:00:00.000001+00"),
            (Encoding::Timestamp, "2000-01-01 00:00:01+00"),
            (Encoding::Numeric, "1000000000001"),
        ] {
            assert_eq!(encoded(form, text), None, "{text}");
            assert!(form.stem(&Original::text(text)).is_none(), "{text}");
            assert!(encoded(Encoding::Raw, text).is_some(), "{text}");
        }
        for (form, text) in [
            (Encoding::Uuid, "6f1c0b52-93d7-4a1e-b0c4-52e8a97f3d10"),
            (Encoding::Uuid, "018f4e2a-7c31-7b09-9d55-3e6f20c1a8b4"),
            (Encoding::Timestamp, "2024-05-06 07:08:09.123456+00"),
            (Encoding::Timestamp, "2024-05-06 07:08:09+00"),
            (Encoding::IntegerLe, "4929123456781234"),
            (Encoding::IntegerLe, "-4929123456781234"),
            (Encoding::Numeric, "4929123456781234"),
        ] {
            assert!(encoded(form, text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_stem_is_the_head_of_the_whole() {
        for text in [
            "alice@example.com",
            "Zoë \"Łukasz\" 😀 and a longer note about nothing at all",
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        ] {
            let original = Original::text(text);
            for encoding in Encoding::ALL {
                let Some(whole) = encoding.encode(&original) else { continue };
                let stem = encoding.stem(&original).unwrap();
                assert_eq!(*stem, whole[..whole.len().min(STEM_BYTES_MAX)], "{encoding:?}");
            }
        }
    }
}
