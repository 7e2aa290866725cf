//! What a vault grants, read once and kept until it changes: keys, callers, purposes, domains.

use std::collections::HashMap;
use std::sync::Arc;

use super::callers::Callers;
use super::domains::{Domain, domains};
use super::keys::{KeysError, key_ring};
use super::open::Decoy;
use crate::access::grants::{Grant, PurposeGrant, UnlockGrant};
use crate::crypto::{KeyRing, RootKey};
use crate::policy::Purpose;
use crate::ports::{Vault, VaultError};

/// A purpose in force, and the policy that brought it.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The purpose.
    pub purpose: Purpose,
    /// The hash of the policy's file.
    pub policy: String,
}

/// What a vault grants.
pub struct Grants {
    /// The keys.
    pub keys: Arc<KeyRing>,
    /// Who may ask.
    pub callers: Callers,
    /// The domains.
    pub domains: Vec<Domain>,
    /// The purposes in force, by name.
    pub purposes: HashMap<String, Arc<InForce>>,
    /// Until when large requests are unlocked, by caller and purpose.
    pub(super) unlocks: HashMap<(String, String), String>,
    pub(super) decoy: Decoy,
}

impl Grants {
    /// Reads everything, under a root key that is known already.
    ///
    /// # Errors
    ///
    /// [`KeysError`] where the vault cannot be read, or its keys are wrapped by another root key.
    pub async fn read(vault: &dyn Vault, root: RootKey) -> Result<Self, KeysError> {
        let keys = Arc::new(key_ring(vault, root).await?);
        Ok(Self::of(vault, keys).await?)
    }

    /// Reads callers, domains and purposes, with keys that were unwrapped already.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where the vault cannot be read.
    pub async fn of(vault: &dyn Vault, keys: Arc<KeyRing>) -> Result<Self, VaultError> {
        let domains = domains(vault, &keys).await?;
        Ok(Self {
            callers: Callers::read(vault, &keys).await?,
            purposes: purposes(vault, &keys).await?,
            unlocks: unlocks(vault, &keys).await?,
            decoy: Decoy::new(&keys, &domains),
            domains,
            keys,
        })
    }
}

/// Reads the purposes in force. A row without its MAC grants nothing.
///
/// # Errors
///
/// [`VaultError`] where they cannot be read.
pub async fn purposes(
    vault: &dyn Vault,
    keys: &KeyRing,
) -> Result<HashMap<String, Arc<InForce>>, VaultError> {
    let rows = vault.purposes().await?;
    let genuine = rows.into_iter().filter(|row| {
        let grant = PurposeGrant { name: &row.name, body: &row.body, policy: &row.policy };
        grant.is_genuine(keys.control(), &row.mac)
    });
    Ok(genuine
        .filter_map(|row| {
            let purpose = serde_json::from_str(&row.body).ok()?;
            Some((row.name, Arc::new(InForce { purpose, policy: row.policy })))
        })
        .collect())
}

/// Reads unlocks. A row without its MAC unlocks nothing.
async fn unlocks(
    vault: &dyn Vault,
    keys: &KeyRing,
) -> Result<HashMap<(String, String), String>, VaultError> {
    let genuine = vault.unlocks().await?.into_iter().filter(|row| {
        let grant = UnlockGrant {
            caller: &row.caller,
            purpose: &row.purpose,
            until: &row.until,
            given_by: &row.given_by,
        };
        grant.is_genuine(keys.control(), &row.mac)
    });
    Ok(genuine.map(|row| ((row.caller, row.purpose), row.until)).collect())
}
