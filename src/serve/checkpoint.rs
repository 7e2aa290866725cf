//! Signing the ledger's head.

use crate::crypto::KeyRing;
use crate::ledger::{Checkpoint, SigningIdentity, VerifierKey};
use crate::ports::{Change, Vault, VaultError};

/// Signs the ledger as it is now, once what it says is durable, and keeps the note.
///
/// # Errors
///
/// [`VaultError`] where the ledger cannot be read or the note not kept; nothing is signed twice.
pub async fn checkpoint(vault: &dyn Vault, keys: &KeyRing) -> Result<String, VaultError> {
    let head = vault.head().await?;
    let newest = vault.newest_checkpoint().await?;
    if let Some((_, note)) = newest.as_ref().filter(|(size, _)| *size == head.size()) {
        return Ok(note.clone());
    }
    // A log never signs a head that is inconsistent with one it signed: sizes only grow.
    if newest.is_some_and(|(size, _)| size > head.size()) {
        return Err(VaultError::Inconsistent(
            "the ledger is shorter than its newest checkpoint".to_owned(),
        ));
    }
    let origin = vault.header().await?.origin;
    let unsigned =
        |error: crate::ledger::CheckpointError| VaultError::Inconsistent(error.to_string());
    let identity = SigningIdentity::from_seed(&origin, keys.ledger().expose()).map_err(unsigned)?;
    let note = Checkpoint::sign(&identity, head.size(), head.root()).map_err(unsigned)?;
    let change = Change::PutCheckpoint { size: head.size(), note: note.clone() };
    vault.commit(vec![change], Vec::new()).await?;
    Ok(note)
}

/// The ledger's public key, as a vault keeps it.
///
/// # Errors
///
/// [`VaultError::Inconsistent`] where the vault's key cannot be read.
pub async fn verifier_key(vault: &dyn Vault) -> Result<VerifierKey, VaultError> {
    let text = vault.header().await?.verifier_key;
    VerifierKey::parse(&text)
        .map_err(|_| VaultError::Inconsistent("the ledger's public key is malformed".to_owned()))
}
