//! The keys of a vault, unwrapped under a root key that is known already.

use crate::crypto::{
    KeyHeader, KeyId, KeyPurpose, KeyRing, KeyRingError, KeyState, RootKey, VaultId,
};
use crate::ports::{KeyRow, Vault, VaultError};

/// Why the keys of a vault are not there. No variant carries a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A row cannot be what Sealift wrote.
    #[error("key {0} of the vault is malformed")]
    Malformed(u32),
    /// A wrap does not open: the row was changed, or the root key is another one by now.
    #[error(transparent)]
    Ring(#[from] KeyRingError),
}

/// Unwraps every key of the vault.
///
/// # Errors
///
/// [`KeysError`] where a row was changed or the root key is not the one that wrapped them.
pub async fn key_ring(vault: &dyn Vault, root: RootKey) -> Result<KeyRing, KeysError> {
    let id = vault.header().await?.vault;
    let mut keys = Vec::new();
    for row in vault.keys().await? {
        let header = header_of(id, &row).ok_or(KeysError::Malformed(row.key))?;
        keys.push((header, row.wrapped));
    }
    Ok(KeyRing::unlock(id, root, keys)?)
}

/// What is known of a key beside the key itself.
#[must_use]
pub fn header_of(vault: VaultId, row: &KeyRow) -> Option<KeyHeader> {
    Some(KeyHeader {
        vault,
        id: KeyId(row.key),
        purpose: KeyPurpose::from_name(&row.purpose)?,
        subject: row.subject.clone(),
        version: row.version,
        state: KeyState::from_name(&row.state)?,
        created_at: row.created_at.clone(),
        changed_at: row.changed_at.clone(),
    })
}
