//! When credentials were last used: so that one that nobody uses can be found and revoked.
//!
//! It is a note and no evidence: the rows carry no MAC, and a service writes them some seconds later.
//! What was asked with a credential is on the ledger.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::chain;
use crate::ports::{CredentialUse, Vault, VaultError};

/// How often a service notes them; the command line notes no more often either.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Credentials that were used, and are not noted yet.
pub(super) struct Uses(Mutex<Waiting>);

struct Waiting {
    uses: BTreeMap<String, Timestamp>,
    noted: Instant,
}

impl Uses {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Waiting { uses: BTreeMap::new(), noted: Instant::now() }))
    }

    /// Somebody was known by it just now.
    pub(super) fn used(&self, credential: &str, now: Timestamp) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.uses.get_mut(credential) {
            Some(at) => *at = now,
            None => drop(waiting.uses.insert(credential.to_owned(), now)),
        }
    }

    /// Notes what waits, once in a while.
    pub(super) async fn note(&self, vault: &dyn Vault) {
        let is_due = {
            let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.noted.elapsed() >= NOTE_EVERY && !waiting.uses.is_empty()
        };
        if is_due {
            self.note_all(vault).await;
        }
    }

    /// Notes what waits.
    pub(super) async fn note_all(&self, vault: &dyn Vault) {
        let uses = {
            let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.noted = Instant::now();
            std::mem::take(&mut waiting.uses)
        };
        if uses.is_empty() {
            return;
        }
        let rows = uses.into_iter().map(|(credential, at)| row(&credential, at)).collect();
        if let Err(error) = vault.note_uses(rows).await {
            tracing::warn!(error = %chain(&error), "the last use of credentials is not noted");
        }
    }
}

fn row(credential: &str, at: Timestamp) -> CredentialUse {
    // Seconds are enough, and sort as text.
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    CredentialUse { credential: credential.to_owned(), used_at: at.to_string() }
}

/// Notes one use by the command line, unless one was noted just before.
///
/// # Errors
///
/// [`VaultError`] where the vault cannot be read or written.
pub async fn note_use(
    vault: &dyn Vault,
    credential: &str,
    now: Timestamp,
) -> Result<(), VaultError> {
    let uses = vault.credential_uses().await?;
    let noted = uses.iter().find(|known| known.credential == credential);
    let is_fresh = noted.and_then(|known| known.used_at.parse::<Timestamp>().ok()).is_some_and(
        |at: Timestamp| at <= now && now.duration_since(at).unsigned_abs() < NOTE_EVERY,
    );
    if is_fresh { Ok(()) } else { vault.note_uses(vec![row(credential, now)]).await }
}
