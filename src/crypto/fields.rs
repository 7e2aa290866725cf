//! The one encoding under every AEAD and MAC here: fields, each behind its length.
//!
//! It knows no key and no meaning of a field. `second.rs` holds an encoder of its own on purpose.
//!
//! **Invariant:** the encoding is injective: no two lists of fields give the same bytes. Lengths
//! are eight bytes, so that none is too long to be written and nothing here can fail.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// HMAC-SHA-256 with its key absorbed. Cloned for each message, which saves two compressions.
pub(super) type HmacState = Hmac<Sha256>;

/// A growing list of fields: `length 8 (little-endian) | bytes`, one after the other.
pub(super) struct Fields(Vec<u8>);

impl Fields {
    /// Starts with the label, which names the use and its version.
    pub(super) fn labelled(label: &str) -> Self {
        Self(Vec::with_capacity(192)).field(label.as_bytes())
    }

    /// Adds a field.
    pub(super) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&prefix(bytes));
        self.0.extend_from_slice(bytes);
        self
    }

    /// Lends the encoding.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Computes the MAC over the encoding of `parts`, without writing the encoding down.
pub(super) fn hmac<'part>(
    keyed: &HmacState,
    parts: impl IntoIterator<Item = &'part [u8]>,
) -> [u8; 32] {
    let mut state = keyed.clone();
    for part in parts {
        state.update(&prefix(part));
        state.update(part);
    }
    state.finalize().into_bytes().into()
}

/// Computes the MAC over `parts` as they are, one after the other.
pub(super) fn concatenated(keyed: &HmacState, parts: &[&[u8]]) -> [u8; 32] {
    let mut state = keyed.clone();
    for part in parts {
        state.update(part);
    }
    state.finalize().into_bytes().into()
}

fn prefix(bytes: &[u8]) -> [u8; 8] {
    (bytes.len() as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_border_changes_the_encoding() {
        let encode = |parts: [&[u8]; 2]| {
            Fields::labelled("test").field(parts[0]).field(parts[1]).as_bytes().to_vec()
        };
        assert_ne!(encode([b"ab", b"c"]), encode([b"a", b"bc"]));
        assert_ne!(encode([b"", b"abc"]), encode([b"abc", b""]));
    }
}
