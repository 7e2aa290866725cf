//! The names of vaults and keys.
//!
//! Names are not secret; this file knows no key.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};

/// Names a vault: 16 random bytes, drawn once by `init`. Written as 32 lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VaultId(pub [u8; 16]);

/// The text is not a vault id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a vault id (32 lowercase hex digits)")]
pub struct VaultIdError(pub String);

impl VaultId {
    /// Draws a new name.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for VaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for VaultId {
    type Err = VaultIdError;

    fn from_str(text: &str) -> Result<Self, VaultIdError> {
        HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| VaultIdError(text.to_owned()))
    }
}

impl TryFrom<String> for VaultId {
    type Error = VaultIdError;

    fn try_from(text: String) -> Result<Self, VaultIdError> {
        text.parse()
    }
}

impl From<VaultId> for String {
    fn from(vault: VaultId) -> Self {
        vault.to_string()
    }
}

/// Names a wrapped key within its vault. Never given twice; every envelope starts with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_id_is_read_as_it_is_written() {
        let vault = VaultId([0xab; 16]);
        assert_eq!(vault.to_string(), "abababababababababababababababab");
        assert_eq!(vault.to_string().parse(), Ok(vault));
        assert!("ABABABABABABABABABABABABABABABAB".parse::<VaultId>().is_err());
        assert!("abab".parse::<VaultId>().is_err());
    }
}
