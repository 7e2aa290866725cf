//! The part of a token by which the vault keys an entry.
//!
//! It does not know its kind: a column's treatment does.

use std::{cmp::Ordering, fmt, hash};

use data_encoding::HEXLOWER;

/// The bytes by which the vault keys an entry, within a domain.
///
/// Sixteen bytes for `keyed`, `random` and `uuid`; the token's text for `format`. Ordered as bytes,
/// which is the order in which the vault is loaded. A token is not secret, so it may print.
#[derive(Clone)]
pub struct TokenBody(Bytes);

/// Sixteen bytes lie in place: a run holds millions of them, and a heap block each would cost more
/// than the bytes.
#[derive(Clone)]
enum Bytes {
    Sixteen([u8; 16]),
    Other(Box<[u8]>),
}

impl TokenBody {
    /// Takes a copy of the bytes, as the vault or a file holds them.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(match bytes.try_into() {
            Ok(sixteen) => Bytes::Sixteen(sixteen),
            Err(_) => Bytes::Other(bytes.into()),
        })
    }

    /// Lends the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Sixteen(bytes) => bytes,
            Bytes::Other(bytes) => bytes,
        }
    }

    /// The bytes, where there are sixteen of them.
    #[must_use]
    pub fn sixteen(&self) -> Option<[u8; 16]> {
        match &self.0 {
            Bytes::Sixteen(bytes) => Some(*bytes),
            Bytes::Other(_) => None,
        }
    }
}

impl From<[u8; 16]> for TokenBody {
    fn from(bytes: [u8; 16]) -> Self {
        Self(Bytes::Sixteen(bytes))
    }
}

impl AsRef<[u8]> for TokenBody {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for TokenBody {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for TokenBody {}

impl Ord for TokenBody {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for TokenBody {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl hash::Hash for TokenBody {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for TokenBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenBody({})", HEXLOWER.encode(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_ordered_as_bytes_whatever_their_length() {
        let mut bodies =
            [&b"42"[..], b"4111111111111111", b"41111111111111110", b""].map(TokenBody::new);
        bodies.sort();

        let bytes: Vec<&[u8]> = bodies.iter().map(TokenBody::as_bytes).collect();
        assert_eq!(bytes, [&b""[..], b"4111111111111111", b"41111111111111110", b"42"]);
    }

    #[test]
    fn a_body_is_its_bytes_however_it_was_made() {
        assert_eq!(TokenBody::from([7; 16]), TokenBody::new(&[7; 16]));
    }
}
