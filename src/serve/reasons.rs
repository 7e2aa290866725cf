//! Why values were asked for: sealed when a request is recorded, opened for whoever checks.
//!
//! The ledger has a digest over 32 random bytes and the words; the vault keeps both sealed, in a row
//! that can be erased. The same words of the same caller are sealed once in a while, not each time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::Rng;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::crypto::KeyRing;
use crate::ledger::reason_digest;
use crate::ports::{SealedReason, Vault, VaultError};

/// The same words of the same caller are sealed once in this time.
const REASON_FOR: Duration = Duration::from_mins(1);

/// Reasons that are remembered, twice.
const REASONS_MAX: usize = 2_048;

/// A reason on its way into the vault.
pub(super) struct Reason {
    /// The digest that the ledger gets.
    pub(super) digest: String,
    /// What the vault keeps; `None` where it keeps the same words of the same caller already.
    pub(super) sealed: Option<Vec<u8>>,
    /// Knows the same words of the same caller again.
    pub(super) key: [u8; 32],
}

impl Reason {
    /// Seals words that are not known.
    pub(super) fn sealed(keys: &KeyRing, reason: &str, key: [u8; 32]) -> Self {
        let SealedReason { digest, sealed } = sealed_reason(keys, reason);
        Self { digest, sealed: Some(sealed), key }
    }

    /// What the vault has to keep, if anything.
    pub(super) fn to_keep(&self) -> Option<SealedReason> {
        let sealed = self.sealed.clone()?;
        Some(SealedReason { digest: self.digest.clone(), sealed })
    }
}

/// The reason, sealed with 32 random bytes under its digest: erasing the row leaves the ledger
/// intact, and nothing to guess against.
#[must_use]
pub fn sealed_reason(keys: &KeyRing, reason: &str) -> SealedReason {
    let (mut salt, mut nonce) = ([0; 32], [0; 24]);
    rand::rng().fill_bytes(&mut salt);
    rand::rng().fill_bytes(&mut nonce);
    let digest = reason_digest(&salt, reason).to_string();
    let sealed = keys.index().seal_reason(keys.vault(), &digest, &salt, reason, nonce);
    SealedReason { digest, sealed }
}

/// The words under each digest; `None` where they were erased, or are not what the digest is over.
///
/// # Errors
///
/// [`VaultError`] where they cannot be read.
pub async fn opened_reasons(
    vault: &dyn Vault,
    keys: &KeyRing,
    digests: &[String],
) -> Result<Vec<Option<Zeroizing<String>>>, VaultError> {
    let sealed = vault.reasons(digests).await?;
    let opened = digests.iter().zip(sealed);
    Ok(opened.map(|(digest, sealed)| opened_reason(keys, digest, &sealed?)).collect())
}

/// The words of a sealed reason, if the bytes are those that were sealed under this digest.
#[must_use]
pub fn opened_reason(keys: &KeyRing, digest: &str, sealed: &[u8]) -> Option<Zeroizing<String>> {
    let (salt, words) = keys.index().open_reason(keys.vault(), digest, sealed).ok()?;
    (reason_digest(&salt, &words).to_string() == digest).then_some(words)
}

/// Words that were sealed just now, by what knows them again. When there are many, or some time has
/// passed, the young ones become the old ones, and the old ones are forgotten.
pub(super) struct Reasons {
    young: HashMap<[u8; 32], String>,
    old: HashMap<[u8; 32], String>,
    since: Instant,
}

impl Default for Reasons {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), since: Instant::now() }
    }
}

impl Reasons {
    /// Under what these words of this caller are known again.
    pub(super) fn key(caller: &str, reason: &str) -> [u8; 32] {
        let length = (caller.len() as u64).to_be_bytes();
        let hash = Sha256::new().chain_update(length).chain_update(caller);
        hash.chain_update(reason).finalize().into()
    }

    /// The digest under which they were sealed, if that was just now.
    pub(super) fn digest(&mut self, key: &[u8; 32]) -> Option<String> {
        if self.since.elapsed() > REASON_FOR {
            self.turn();
            self.turn();
        } else if self.since.elapsed() > REASON_FOR / 2 {
            self.turn();
        }
        self.young.get(key).or_else(|| self.old.get(key)).cloned()
    }

    /// Remembers them. Only what is durable may be remembered.
    pub(super) fn remember(&mut self, key: [u8; 32], digest: String) {
        if self.young.len() >= REASONS_MAX {
            self.turn();
        }
        self.young.insert(key, digest);
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.since = Instant::now();
    }
}
