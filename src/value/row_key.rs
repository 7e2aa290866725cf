//! Row keys: which row is meant, in a form that files and cursors can hold.

use std::fmt;

use super::ValueType;

/// One column of a row key: a type and its canonical bytes (see [`ValueType`]).
///
/// A key is never NULL, and a column that is itself in scope is never part of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyPart {
    /// The type of the value.
    pub kind: ValueType,
    /// The canonical bytes of the value.
    pub bytes: Vec<u8>,
}

impl KeyPart {
    /// Makes an integer part.
    #[must_use]
    pub fn integer(number: i64) -> Self {
        Self { kind: ValueType::Integer, bytes: number.to_be_bytes().to_vec() }
    }

    /// Makes a text part.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self { kind: ValueType::Text, bytes: text.as_bytes().to_vec() }
    }
}

/// The key of one source row: the values of a primary key or of a unique, not-null index.
///
/// Encoding: for each part `type 1 | length 4 (big-endian) | bytes`. The order of rows is the
/// database's own (types and collations); the encoding only has to be injective.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RowKey(pub Vec<KeyPart>);

/// The bytes are not a row key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a row key is malformed at byte {at}")]
pub struct RowKeyError {
    /// Where reading stopped.
    pub at: usize,
}

impl RowKey {
    /// Writes the key.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.iter().map(|part| part.bytes.len() + 5).sum());
        for part in &self.0 {
            bytes.push(part.kind.code());
            let length = u32::try_from(part.bytes.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&part.bytes);
        }
        bytes
    }

    /// Reads a key written by [`RowKey::encode`].
    ///
    /// # Errors
    ///
    /// Returns [`RowKeyError`] for anything that `encode` does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, RowKeyError> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let malformed = RowKeyError { at };
            let kind = ValueType::from_code(bytes[at]).ok_or(malformed)?;
            let length = bytes.get(at + 1..at + 5).ok_or(malformed)?;
            let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let part = bytes.get(at + 5..).and_then(|rest| rest.get(..length)).ok_or(malformed)?;
            parts.push(KeyPart { kind, bytes: part.to_vec() });
            at += 5 + length;
        }
        Ok(Self(parts))
    }
}

/// Shows the key as an operator would write it, for messages that must name a row.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            let number = <[u8; 8]>::try_from(part.bytes.as_slice()).ok();
            match (part.kind, number) {
                (ValueType::Integer, Some(bytes)) => write!(f, "{}", i64::from_be_bytes(bytes))?,
                (ValueType::Real, Some(bytes)) => {
                    write!(f, "{}", f64::from_bits(u64::from_be_bytes(bytes)))?;
                }
                (ValueType::Text, _) => write!(f, "{:?}", String::from_utf8_lossy(&part.bytes))?,
                _ => write!(f, "x'{}'", data_encoding::HEXLOWER.encode(&part.bytes))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_composite_key_comes_back() {
        let key = RowKey(vec![KeyPart::integer(-3), KeyPart::text("a\0b"), KeyPart::text("")]);
        assert_eq!(RowKey::decode(&key.encode()), Ok(key));
    }

    #[test]
    fn a_cut_key_is_refused() {
        let bytes = RowKey(vec![KeyPart::text("abc")]).encode();
        assert!(RowKey::decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
