//! Who may ask: the callers whose rows are genuine and are what the ledger says of them.
//!
//! **Invariant:** a row that carries no MAC under the control key, or that the newest entry about
//! its caller did not make, is nobody's: a row that was genuine once may have been put back after a
//! revocation, and the ledger knows.

use std::collections::HashMap;
use std::str::FromStr as _;

use crate::access::grants::{CallerGrant, Grant};
use crate::access::{Caller, Role};
use crate::crypto::{Credential, CredentialId, KeyRing};
use crate::ledger::Entry;
use crate::ports::{CallerRow, Vault, VaultError};

/// A caller, and what a credential is compared with.
#[derive(Debug, Clone)]
pub struct KnownCaller {
    /// The caller.
    pub caller: Caller,
    hash: Vec<u8>,
}

/// Callers by the id in their credentials.
#[derive(Debug, Default)]
pub struct Callers(HashMap<String, KnownCaller>);

impl Callers {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where callers or ledger cannot be read.
    pub async fn read(vault: &dyn Vault, keys: &KeyRing) -> Result<Self, VaultError> {
        let rows = vault.callers().await?;
        let entries = vault.ledger_of_callers().await?;
        let newest: HashMap<&str, &Entry> =
            entries.iter().map(|entry| (entry.object.as_str(), entry)).collect();
        let known = rows.into_iter().filter_map(|row| {
            let newest = newest.get(format!("caller {}", row.name).as_str()).copied();
            let is_known = is_genuine(keys, &row) && is_what_the_ledger_says(&row, newest);
            let caller = is_known.then(|| caller_of(&row)).flatten()?;
            Some((row.credential, KnownCaller { caller, hash: row.credential_hash }))
        });
        Ok(Self(known.collect()))
    }

    /// Finds out who presents a credential; `None` where it is nobody's. Whether it is in force is
    /// decided with everything else.
    #[must_use]
    pub fn holder(&self, credential: &Credential) -> Option<&Caller> {
        let known = self.0.get(&stored_id(credential.id()));
        // Compared also where there is nothing to compare with, so that both take as long.
        let hash = known.map_or(&[0; 32][..], |known| &known.hash);
        let fits = credential.matches(hash);
        known.filter(|_| fits).map(|known| &known.caller)
    }
}

/// A credential's id, as the vault stores it.
#[must_use]
pub fn stored_id(id: CredentialId) -> String {
    format!("{:08x}", id.0)
}

/// Whether a caller's row carries the MAC that only somebody with the control key can make.
#[must_use]
pub fn is_genuine(keys: &KeyRing, row: &CallerRow) -> bool {
    grant(row).is_genuine(keys.control(), &row.mac)
}

/// The MAC over a caller's row.
#[must_use]
pub fn caller_mac(keys: &KeyRing, row: &CallerRow) -> Vec<u8> {
    grant(row).mac(keys.control()).to_vec()
}

fn grant(row: &CallerRow) -> CallerGrant<'_> {
    CallerGrant {
        name: &row.name,
        role: &row.role,
        credential: &row.credential,
        credential_hash: &row.credential_hash,
        approver_key: &row.approver_key,
        created_at: &row.created_at,
        expires_at: row.expires_at.as_deref(),
        revoked_at: row.revoked_at.as_deref(),
    }
}

fn caller_of(row: &CallerRow) -> Option<Caller> {
    Some(Caller {
        name: row.name.clone(),
        role: Role::from_str(&row.role).ok()?,
        expires_at: row.expires_at.clone(),
        revoked_at: row.revoked_at.clone(),
    })
}

/// Whether the newest entry about a caller is the one that made this row.
fn is_what_the_ledger_says(row: &CallerRow, newest: Option<&Entry>) -> bool {
    let says = |name: &str| newest.and_then(|entry| entry.details.get(name)?.as_str());
    match newest.map(|entry| entry.action.as_str()) {
        Some("caller_added") => {
            let key = data_encoding::HEXLOWER.encode(&row.approver_key);
            says("credential") == Some(row.credential.as_str())
                && says("approver_key") == Some(key.as_str())
                && says("role") == Some(row.role.as_str())
                && row.revoked_at.is_none()
        }
        // The row says by itself that it was revoked, and since when.
        Some("caller_revoked") => row.revoked_at.is_some(),
        _ => false,
    }
}
