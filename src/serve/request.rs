//! What is asked, by whom, for what; and the record of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rand::Rng;

use crate::access::grants::{Grant, PurposeGrant};
use crate::access::{Caller, Refusal, decide};
use crate::crypto::{KeyHeader, KeyId, KeyPurpose, KeyRing};
use crate::ledger::{Draft, reason_digest};
use crate::policy::{Permission, Purpose};
use crate::ports::{Change, Remedy, Vault, VaultError};
use crate::run::RunError;

/// Who asks, under which purpose, in which words.
pub struct Request<'r> {
    /// The caller, who is known by a credential.
    pub caller: &'r Caller,
    /// The purpose, by its name.
    pub purpose: &'r str,
    /// Why. Kept sealed; the ledger holds a digest.
    pub reason: &'r str,
    /// The domain, where it is named.
    pub domain: Option<&'r str>,
}

/// Why a request as a whole got no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Refused: the purpose, the role, the size.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The domain is being loaded.
    #[error("domain `{0}` is being loaded by a run")]
    Loading(String),
    /// The vault has no such domain.
    #[error("there is no domain `{0}`")]
    NoDomain(String),
    /// A value cannot have a token of that domain.
    #[error("value {number} does not fit domain `{domain}`: {reason}")]
    Misfit {
        /// Which of the values, from 1.
        number: usize,
        /// The domain.
        domain: String,
        /// Why, without the value.
        reason: String,
    },
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A value could not be sealed.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl ServeError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Refused(_) | Self::NoDomain(_) | Self::Misfit { .. } => Remedy::ChangeRequest,
            Self::Loading(_) => Remedy::RetryLater,
            Self::Vault(error) => error.remedy(),
            Self::Run(error) => error.remedy(),
        }
    }
}

/// Finds a purpose in force. A row without its MAC grants nothing.
pub(super) async fn purpose(
    vault: &dyn Vault,
    keys: &KeyRing,
    name: &str,
) -> Result<Option<Purpose>, VaultError> {
    let rows = vault.purposes().await?;
    Ok(rows
        .iter()
        .filter(|row| row.name == name)
        .filter(|row| {
            let grant = PurposeGrant { name: &row.name, body: &row.body, policy: &row.policy };
            grant.is_genuine(keys.control(), &row.mac)
        })
        .find_map(|row| serde_json::from_str(&row.body).ok()))
}

/// Decides a request and records the decision, durable before this returns.
pub(super) async fn decide_and_record(
    vault: &dyn Vault,
    keys: &KeyRing,
    request: &Request<'_>,
    permission: Permission,
    count: usize,
    fill: impl FnOnce(&mut Draft),
) -> Result<Purpose, ServeError> {
    let found = purpose(vault, keys, request.purpose).await?;
    let decided = match &found {
        None => Err(Refusal::PurposeUnknown { purpose: request.purpose.to_owned() }),
        Some(purpose) => decide(request.caller, purpose, permission, count, Timestamp::now()),
    };
    let (change, digest) = sealed_reason(keys, request.reason);
    let mut draft = Draft {
        actor: request.caller.name.clone(),
        action: action(permission, decided.is_ok()).to_owned(),
        object: format!("purpose {}", request.purpose),
        purpose: Some(request.purpose.to_owned()),
        counts: BTreeMap::from([("asked".to_owned(), count as u64)]),
        ..Draft::default()
    };
    draft.details.insert("reason_hash".into(), digest.into());
    match &decided {
        Ok(()) => fill(&mut draft),
        Err(refusal) => {
            draft.details.insert("refusal".into(), refusal.kind().into());
        }
    }
    vault.commit(vec![change], vec![draft]).await?;
    decided?;
    found.ok_or_else(|| Refusal::PurposeUnknown { purpose: request.purpose.to_owned() }.into())
}

fn action(permission: Permission, permitted: bool) -> &'static str {
    match (permission, permitted) {
        (Permission::Detokenize, true) => "detokenize",
        (Permission::Detokenize, false) => "detokenize_refused",
        (Permission::Tokenize, true) => "tokenize",
        (Permission::Tokenize, false) => "tokenize_refused",
        (Permission::Search, true) => "search",
        (Permission::Search, false) => "search_refused",
    }
}

/// The reason, sealed with 32 random bytes under its digest: erasing the row leaves the ledger
/// intact, and nothing to guess against.
#[must_use]
pub fn sealed_reason(keys: &KeyRing, reason: &str) -> (Change, String) {
    let mut salt = [0; 32];
    rand::rng().fill_bytes(&mut salt);
    let digest = reason_digest(&salt, reason).to_string();
    let subject = format!("reason {digest}");
    let header = KeyHeader::new(keys.vault(), KeyId(0), KeyPurpose::Index, &subject, "");
    let plain = zeroize::Zeroizing::new([salt.as_slice(), reason.as_bytes()].concat());
    let sealed = keys.root().wrap(&header, &plain, &mut rand::rng());
    (Change::PutReason { digest: digest.clone(), sealed }, digest)
}
