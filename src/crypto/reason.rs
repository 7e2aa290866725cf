//! A caller's reason, sealed so that it can be shown and can be erased.
//!
//! ```text
//! | version 1 | box of (salt 32 ‖ reason), under the index key |
//! AAD: label ‖ version ‖ vault ‖ digest of salt and reason
//! ```
//!
//! It is not sealed under the root key: that one is exchanged by `keys rewrap`, and nobody would go
//! through years of reasons then. The box derives a key of its own with a label of its own, so what
//! the index key digests and what it seals have nothing in common. This file knows no table.

use zeroize::Zeroizing;

use super::committed;
use super::fields::Fields;
use super::id::VaultId;
use super::key::IndexKey;
use super::wrap::UnwrapError;

const VERSION: u8 = 1;
const LABEL: &str = "sealift/v1/reason";
const SALT_BYTES: usize = 32;

impl IndexKey {
    /// Seals a reason with its salt, bound to the digest that stands on the ledger.
    #[must_use]
    pub fn seal_reason(
        &self,
        vault: VaultId,
        digest: &str,
        salt: &[u8; SALT_BYTES],
        reason: &str,
        nonce: [u8; 24],
    ) -> Vec<u8> {
        let plain = Zeroizing::new([salt.as_slice(), reason.as_bytes()].concat());
        let bound = associated(vault, digest);
        let mut sealed = vec![VERSION];
        sealed.extend(committed::close(self.expose(), LABEL, bound.as_bytes(), nonce, &plain));
        sealed
    }

    /// Opens what [`IndexKey::seal_reason`] made: the salt and the words.
    ///
    /// # Errors
    ///
    /// [`UnwrapError`] where it was altered, or belongs to another entry or vault.
    pub fn open_reason(
        &self,
        vault: VaultId,
        digest: &str,
        sealed: &[u8],
    ) -> Result<([u8; SALT_BYTES], Zeroizing<String>), UnwrapError> {
        let (&version, closed) = sealed.split_first().ok_or(UnwrapError::Malformed)?;
        if version != VERSION {
            return Err(UnwrapError::UnknownVersion(version));
        }
        let bound = associated(vault, digest);
        let plain = committed::open(self.expose(), LABEL, bound.as_bytes(), closed)?;
        let (salt, words) = plain.split_first_chunk().ok_or(UnwrapError::Malformed)?;
        let words = std::str::from_utf8(words).map_err(|_| UnwrapError::Malformed)?;
        Ok((*salt, Zeroizing::new(words.to_owned())))
    }
}

fn associated(vault: VaultId, digest: &str) -> Fields {
    Fields::labelled(LABEL).field(&[VERSION]).field(&vault.0).field(digest.as_bytes())
}
