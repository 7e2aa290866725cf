//! Signing the ledger's head.

use crate::crypto::KeyRing;
use crate::ledger::{Checkpoint, Entry, KEY_REPLACED, KeyChain, SigningIdentity, VerifierKey};
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
    // Who read the keys before they were rotated reads them again before signing anything more.
    if identity.verifier_key() != verifier_key(vault).await? {
        return Err(VaultError::Inconsistent(
            "the key in hand is not the one that signs the ledger now".to_owned(),
        ));
    }
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

/// The ledger as its newest checkpoint signs it, read from the vault and not judged.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The stored entries that it signs, in order.
    pub bodies: Vec<Vec<u8>>,
    /// The ledger's keys, oldest first.
    pub keys: KeyChain,
    /// The newest checkpoint.
    pub note: String,
    /// The checkpoints before it, oldest first.
    pub earlier: Vec<String>,
}

/// Entries of one read.
const ENTRIES: usize = 10_000;

/// Reads all that is signed; `None` where nothing is yet.
///
/// # Errors
///
/// [`VaultError`] where the vault cannot be read.
pub async fn signed(vault: &dyn Vault) -> Result<Option<Signed>, VaultError> {
    let mut notes = vault.checkpoints().await?;
    let Some((size, note)) = notes.pop() else { return Ok(None) };
    let mut bodies: Vec<Vec<u8>> = Vec::new();
    while (bodies.len() as u64) < size {
        let more = vault.ledger(bodies.len() as u64, ENTRIES).await?;
        if more.is_empty() {
            break;
        }
        bodies.extend(more);
    }
    bodies.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    // Few entries replace a key: the others need not be parsed to know that they do not.
    let named = |body: &&Vec<u8>| memchr::memmem::find(body, KEY_REPLACED.as_bytes()).is_some();
    let entries: Vec<Entry> =
        bodies.iter().filter(named).filter_map(|body| Entry::parse(body).ok()).collect();
    let keys = KeyChain::through(&entries, verifier_key(vault).await?);
    let earlier = notes.into_iter().map(|(_, note)| note).collect();
    Ok(Some(Signed { bodies, keys, note, earlier }))
}
