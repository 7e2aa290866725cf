//! The key check: a sealed known value, by which a wrong root key is noticed before it is used.
//!
//! ```text
//! | "SLKC" 4 | version 1 | suite 1 | commitment 32 | nonce 24 | ciphertext 17 | tag 16 |
//! AAD: label ‖ version ‖ suite ‖ vault id
//! ```
//!
//! It knows no vault but the id it is given.

use rand::CryptoRng;

use super::committed;
use super::fields::Fields;
use super::id::VaultId;
use super::key::RootKey;

const HEAD: [u8; 6] = *b"SLKC\x01\x01";
const LABEL: &str = "sealift/v1/key-check";
const KNOWN: &[u8] = b"sealift key check";

/// The root key is not this vault's, or the key check was altered.
///
/// The two are not told apart: in both cases nothing may be sealed under this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("root key does not open the vault's key check")]
pub struct WrongKey;

impl RootKey {
    /// Seals the known value. The vault keeps it from its first day on.
    #[must_use]
    pub fn key_check(&self, vault: VaultId, rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let closed =
            committed::close(self.expose(), LABEL, associated(vault).as_bytes(), nonce, KNOWN);
        [HEAD.as_slice(), &closed].concat()
    }

    /// Checks that this is the root key of that vault.
    ///
    /// # Errors
    ///
    /// Returns [`WrongKey`] if the check does not open to the known value.
    pub fn check(&self, vault: VaultId, check: &[u8]) -> Result<(), WrongKey> {
        let closed = check.strip_prefix(&HEAD).ok_or(WrongKey)?;
        let opened = committed::open(self.expose(), LABEL, associated(vault).as_bytes(), closed)
            .map_err(|_| WrongKey)?;
        if *opened == KNOWN { Ok(()) } else { Err(WrongKey) }
    }
}

fn associated(vault: VaultId) -> Fields {
    Fields::labelled(LABEL).field(&[HEAD[4]]).field(&[HEAD[5]]).field(&vault.0)
}
