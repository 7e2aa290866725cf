//! Originals: the sensitive values as they stood in the source, and their canonical encodings.
//!
//! This room knows no database and no key. It holds what every engine maps its values onto.
//!
//! **Invariant:** an [`Original`] cannot print, clone or serialise. Its bytes are wiped when it is
//! dropped, and the one way to look inside is [`Original::expose`], so that a reader can search
//! for every place that does.

use std::fmt;

use zeroize::Zeroizing;

pub mod base32;
mod row_key;

pub use row_key::{KeyPart, RowKey, RowKeyError};

/// What type a value has, independent of the engine that stores it.
///
/// The numbers are part of the sealed format (associated data, MAC input, backup) and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValueType {
    /// Text, as the bytes that the engine holds. Usually UTF-8, but SQLite does not insist.
    Text = 1,
    /// A signed 64-bit integer, eight bytes, big-endian.
    Integer = 2,
    /// An IEEE 754 double, its eight bits-as-bytes, big-endian.
    Real = 3,
    /// Bytes without an interpretation.
    Blob = 4,
}

impl ValueType {
    /// Every type, in the order of its code.
    pub const ALL: [Self; 4] = [Self::Text, Self::Integer, Self::Real, Self::Blob];

    /// The number by which formats name this type.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Finds the type with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The word that messages and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Blob => "blob",
        }
    }
}

/// A sensitive value as it stood in the source row. Wiped from memory when dropped.
pub struct Original {
    kind: ValueType,
    bytes: Zeroizing<Vec<u8>>,
}

impl Original {
    /// Takes over bytes in the canonical encoding of `kind`.
    ///
    /// Integers and reals must be eight bytes; see [`ValueType`].
    #[must_use]
    pub fn new(kind: ValueType, bytes: Vec<u8>) -> Self {
        debug_assert!(
            !matches!(kind, ValueType::Integer | ValueType::Real) || bytes.len() == 8,
            "numbers are eight bytes"
        );
        Self { kind, bytes: Zeroizing::new(bytes) }
    }

    /// Makes a text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::new(ValueType::Text, text.as_bytes().to_vec())
    }

    /// Makes an integer.
    #[must_use]
    pub fn integer(number: i64) -> Self {
        Self::new(ValueType::Integer, number.to_be_bytes().to_vec())
    }

    /// Makes a real.
    #[must_use]
    pub fn real(number: f64) -> Self {
        Self::new(ValueType::Real, number.to_bits().to_be_bytes().to_vec())
    }

    /// The type of the value.
    #[must_use]
    pub fn kind(&self) -> ValueType {
        self.kind
    }

    /// Lends the canonical bytes. Search for this name to find who looks at originals.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// The length of the canonical bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether this is the empty text or the empty blob.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The number, where this is an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        (self.kind == ValueType::Integer).then(|| i64::from_be_bytes(eight(&self.bytes)))
    }

    /// The number, where this is a real.
    #[must_use]
    pub fn as_real(&self) -> Option<f64> {
        (self.kind == ValueType::Real)
            .then(|| f64::from_bits(u64::from_be_bytes(eight(&self.bytes))))
    }

    /// The text, where this is text in valid UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        (self.kind == ValueType::Text).then(|| std::str::from_utf8(&self.bytes).ok()).flatten()
    }

    /// Whether two originals have the same type and the same bytes.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.kind == other.kind && *self.bytes == *other.bytes
    }

    /// Makes a second copy. Named so that each copy of an original is a decision.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { kind: self.kind, bytes: self.bytes.clone() }
    }
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    let mut number = [0; 8];
    let length = bytes.len().min(8);
    number[..length].copy_from_slice(&bytes[..length]);
    number
}

impl fmt::Debug for Original {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Original({}, {} bytes)", self.kind.name(), self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_prints_its_type_and_length_only() {
        assert_eq!(
            format!("{:?}", Original::text("alice@example.com")),
            "Original(text, 17 bytes)"
        );
    }

    #[test]
    fn numbers_come_back() {
        assert_eq!(Original::integer(-7).as_integer(), Some(-7));
        assert_eq!(Original::real(1.5).as_real(), Some(1.5));
        assert_eq!(Original::integer(1).as_real(), None);
    }

    #[test]
    fn an_integer_is_not_its_digits() {
        assert!(!Original::integer(7).same_as(&Original::text("7")));
    }
}
