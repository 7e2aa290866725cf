//! Tokens of the kind `uuid`: keyed bits in the layout of UUID version 8 (RFC 9562).
//!
//! Such a token names no domain. It knows no key.

use std::fmt;

use super::TokenBody;

/// How long the text of a UUID is.
pub const UUID_CHARS: usize = 36;

/// Where the hyphens stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A UUID of version 8 whose 122 free bits are the first 122 of a MAC.
///
/// ```text
/// | keyed bits 0..48 | 1000 | keyed bits 48..60 | 10 | keyed bits 60..122 |
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UuidToken([u8; 16]);

impl UuidToken {
    /// Lays the first 122 bits of `keyed` around version and variant.
    #[must_use]
    pub fn from_keyed_bits(keyed: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(keyed) >> 6;
        let high = bits >> 74;
        let middle = bits >> 62 & 0xfff;
        let low = bits & ((1 << 62) - 1);
        Self((high << 80 | 8 << 76 | middle << 64 | 2 << 62 | low).to_be_bytes())
    }

    /// Takes a body from the vault; `None` unless version and variant are ours.
    #[must_use]
    pub fn from_body(body: &TokenBody) -> Option<Self> {
        let bytes = body.sixteen()?;
        (bytes[6] >> 4 == 8 && bytes[8] >> 6 == 2).then_some(Self(bytes))
    }

    /// Reads the text of a UUID of version 8, lowercase and hyphenated; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != UUID_CHARS {
            return None;
        }
        let mut number = 0_u128;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'-' if HYPHENS.contains(&at) => {}
                b'0'..=b'9' | b'a'..=b'f' if !HYPHENS.contains(&at) => {
                    number = number << 4 | u128::from(char::from(byte).to_digit(16)?);
                }
                _ => return None,
            }
        }
        Self::from_body(&number.to_be_bytes().into())
    }

    /// The sixteen bytes of the UUID, by which the vault keys the entry.
    #[must_use]
    pub fn body(&self) -> TokenBody {
        self.0.into()
    }
}

impl fmt::Display for UuidToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = data_encoding::HEXLOWER.encode(&self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_122_bits_arrive_and_the_other_six_are_fixed() {
        assert_eq!(
            UuidToken::from_keyed_bits([0xff; 16]).to_string(),
            "ffffffff-ffff-8fff-bfff-ffffffffffff"
        );
        assert_eq!(
            UuidToken::from_keyed_bits([0; 16]).to_string(),
            "00000000-0000-8000-8000-000000000000"
        );
        let mut seen = std::collections::BTreeSet::new();
        for bit in 0..122 {
            let keyed = (1_u128 << (127 - bit)).to_be_bytes();
            assert!(seen.insert(UuidToken::from_keyed_bits(keyed)), "bit {bit} is lost");
        }
    }

    #[test]
    fn only_lowercase_version_8_is_read() {
        let token = UuidToken::from_keyed_bits([0xab; 16]);
        assert_eq!(UuidToken::parse(&token.to_string()), Some(token));
        for text in [
            "ABABABAB-ABAB-8BAB-ABAB-ABABABABABAB",
            "abababab-abab-4bab-abab-abababababab",
            "abababab-abab-8bab-cbab-abababababab",
            "ababababababa8bababababababababababa",
            "abababababab-8bab-abab-abababababab",
        ] {
            assert_eq!(UuidToken::parse(text), None, "{text}");
        }
    }
}
