//! The number of a domain, as tokens carry it.
//!
//! It does not know the domain's name; the vault does.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::base32::SYMBOLS;

/// The number that the vault gave a domain: 1 to 32,767, fifteen bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DomainId(pub u16);

impl DomainId {
    /// The first number that a vault gives out.
    pub const MIN: Self = Self(1);

    /// The last one: three symbols of base32 hold no more.
    pub const MAX: Self = Self(0x7fff);

    /// Checks a number; `None` where a token could not carry it.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&Self(number)).then_some(Self(number))
    }

    /// The three symbols by which a token names the domain.
    #[must_use]
    pub fn code(self) -> String {
        self.symbols().iter().collect()
    }

    /// The same, symbol by symbol.
    pub(super) fn symbols(self) -> [char; 3] {
        debug_assert!(Self::new(self.0).is_some(), "a vault gives out 1 to 32767");
        [10, 5, 0].map(|shift| char::from(SYMBOLS.as_bytes()[usize::from(self.0 >> shift & 31)]))
    }

    /// Reads three symbols; `None` where [`code`](Self::code) would not have written them.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        if code.len() != 3 {
            return None;
        }
        let mut number = 0;
        for symbol in code.chars() {
            number = number << 5 | u16::try_from(SYMBOLS.find(symbol)?).ok()?;
        }
        Self::new(number)
    }

    /// The number as MACs and tweaks take it.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 4] {
        u32::from(self.0).to_be_bytes()
    }
}

impl fmt::Display for DomainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_domain_has_a_code_of_its_own() {
        for number in DomainId::MIN.0..=DomainId::MAX.0 {
            let domain = DomainId::new(number).unwrap();
            assert_eq!(DomainId::from_code(&domain.code()), Some(domain));
        }
        assert_eq!(DomainId(1).code(), "001");
        assert_eq!(DomainId::MAX.code(), "zzz");
    }

    #[test]
    fn no_domain_is_numbered_nought() {
        assert_eq!(DomainId::new(0), None);
        assert_eq!(DomainId::from_code("000"), None);
        assert_eq!(DomainId::new(0x8000), None);
        for code in ["01", "0011", "00i", "00Z", "0é"] {
            assert_eq!(DomainId::from_code(code), None, "{code}");
        }
    }
}
