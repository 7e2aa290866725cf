//! Base32 in Crockford's alphabet, lowercase: tokens, credentials and recovery codes are written
//! in it.
//!
//! Lowercase, because a case-insensitive collation must not merge two tokens; Crockford's, because
//! it has no `i`, `l`, `o` and `u` to misread. This file knows none of the formats that use it.
//!
//! **Invariant:** one sequence of bytes has one text. Uppercase, padding, and bits left over at the
//! end are refused, so that comparing texts compares bytes.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

/// The 32 symbols, in the order of their values.
pub const SYMBOLS: &str = "0123456789abcdefghjkmnpqrstvwxyz";

/// The text is not canonical base32.
///
/// It says neither which text nor where: what is decoded here is often secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text is not lowercase Crockford base32")]
pub struct Base32Error;

/// Writes bytes, most significant bit first, without padding: 16 bytes are 26 symbols, 32 are 52.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    CROCKFORD.encode(bytes)
}

/// As [`encode`], behind a text that is there.
pub fn append(bytes: &[u8], text: &mut String) {
    CROCKFORD.encode_append(bytes, text);
}

/// Reads what [`encode`] writes.
///
/// # Errors
///
/// Returns [`Base32Error`] for anything that `encode` does not write: another symbol, an uppercase
/// letter, an impossible length, a set bit after the last byte.
pub fn decode(text: &str) -> Result<Vec<u8>, Base32Error> {
    CROCKFORD.decode(text.as_bytes()).map_err(|_| Base32Error)
}

#[expect(clippy::expect_used, reason = "the specification is a constant, and a test builds it")]
static CROCKFORD: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str(SYMBOLS);
    specification.encoding().expect("32 distinct ASCII symbols make an encoding")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for length in 0..40_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37) ^ 0xa5).collect();
            assert_eq!(decode(&encode(&bytes)), Ok(bytes));
        }
    }

    #[test]
    fn sixteen_bytes_are_26_symbols_and_32_are_52() {
        assert_eq!(encode(&[0xff; 16]), "zzzzzzzzzzzzzzzzzzzzzzzzzw");
        assert_eq!(encode(&[0; 32]).len(), 52);
    }

    #[test]
    fn a_second_text_for_the_same_bytes_is_refused() {
        assert_eq!(decode("zw"), Ok(vec![0xff]));
        for text in ["zW", "ZW", "zx", "z", "zw======", "zw\n", "z w", "iw", "ow"] {
            assert_eq!(decode(text), Err(Base32Error), "{text:?}");
        }
    }
}
