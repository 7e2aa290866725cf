//! What is asked, by whom, for what; whether it is permitted; and the record of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use rand::Rng;

use super::grants::{Grants, InForce};
use crate::access::{Caller, Refusal, Used, decide, decide_bulk, decide_rate};
use crate::crypto::{KeyHeader, KeyId, KeyPurpose, KeyRing};
use crate::ledger::{Digest, IntakeRecord, reason_digest};
use crate::policy::{Permission, Purpose};
use crate::ports::{EntryRow, Quota, Remedy, SealedReason, Taken, Vault, VaultError};
use crate::run::RunError;
use crate::token::{DomainId, TokenBody};

const MINUTE_S: i64 = 60;
const DAY_S: i64 = 86_400;

/// Who asks, under which purpose, in which words.
#[derive(Debug, Clone, Copy)]
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
    /// The vault has no such domain, or the purpose does not show it.
    #[error("there is no domain `{0}`")]
    NoDomain(String),
    /// Values of the domain have tokens that nothing leads to.
    #[error("domain `{0}` has random tokens, which cannot be searched for")]
    NotSearchable(String),
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
    /// More is asked at once than can be answered.
    #[error("more requests wait than can be answered")]
    Busy,
    /// The vault does not answer, or what it grants could not be read for too long.
    #[error("the vault does not answer")]
    Unavailable,
    /// The request could not be recorded, so nothing was opened.
    #[error("the request could not be recorded")]
    Unrecorded(#[source] VaultError),
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
            Self::Refused(_) | Self::NoDomain(_) | Self::NotSearchable(_) | Self::Misfit { .. } => {
                Remedy::ChangeRequest
            }
            Self::Loading(_) | Self::Busy | Self::Unavailable | Self::Unrecorded(_) => {
                Remedy::RetryLater
            }
            Self::Vault(error) => error.remedy(),
            Self::Run(error) => error.remedy(),
        }
    }
}

/// What answering needs from outside: a place for records, and sealed values.
#[async_trait]
pub(super) trait World: Send + Sync {
    /// The vault, for what is not on the hot path.
    fn vault(&self) -> &dyn Vault;

    /// Keeps the record of a request, durable before it returns.
    async fn record(&self, record: IntakeRecord, reason: Reason) -> Result<(), ServeError>;

    /// Counts tokens against limits, all or none of them.
    async fn take_quota(&self, quotas: Vec<Quota>, count: u64) -> Result<Taken, ServeError>;

    /// Looks tokens of one domain up; one answer a token.
    async fn look_up(
        &self,
        domain: DomainId,
        tokens: Vec<TokenBody>,
    ) -> Result<Vec<Option<EntryRow>>, ServeError>;

    /// Seals a reason, or finds that the same words of this caller were sealed just now.
    fn reason(&self, keys: &KeyRing, caller: &str, reason: &str) -> Reason;
}

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
    /// What the vault has to keep, if anything.
    pub(super) fn to_keep(&self) -> Option<SealedReason> {
        let sealed = self.sealed.clone()?;
        Some(SealedReason { digest: self.digest.clone(), sealed })
    }
}

/// Decides a request as a whole: the credential, the role, the purpose, the size, the rates.
///
/// Counting against a rate is part of deciding: who is refused has used nothing.
pub(super) async fn decided(
    world: &dyn World,
    grants: &Grants,
    request: &Request<'_>,
    permission: Permission,
    count: usize,
) -> Result<Result<Arc<InForce>, Refusal>, ServeError> {
    let now = Timestamp::now();
    let Some(found) = grants.purposes.get(request.purpose) else {
        return Ok(Err(Refusal::PurposeUnknown { purpose: request.purpose.to_owned() }));
    };
    if let Err(refusal) = decide(request.caller, &found.purpose, permission, count, now) {
        return Ok(Err(refusal));
    }
    let for_whom = (request.caller.name.clone(), request.purpose.to_owned());
    let unlocked = grants.unlocks.get(&for_whom).map(String::as_str);
    if let Err(refusal) = decide_bulk(&found.purpose, count, unlocked, now) {
        return Ok(Err(refusal));
    }
    let quotas = quotas(&found.purpose, &request.caller.name, now);
    if !quotas.is_empty() {
        let taken = world.take_quota(quotas, count as u64).await?;
        if let Taken::Past { per, used } = taken {
            let used = if per == "minute" {
                Used { minute: used, day: 0 }
            } else {
                Used { minute: 0, day: used }
            };
            return Ok(decide_rate(&found.purpose, count, used).map(|()| Arc::clone(found)));
        }
    }
    Ok(Ok(Arc::clone(found)))
}

/// The limits of a purpose for one caller, in the minute and the day (UTC) that it is now.
fn quotas(purpose: &Purpose, caller: &str, now: Timestamp) -> Vec<Quota> {
    let seconds = now.as_second();
    let limits = [
        ("minute", MINUTE_S, purpose.max_tokens_per_minute.map(u64::from)),
        ("day", DAY_S, purpose.max_tokens_per_day),
    ];
    limits
        .into_iter()
        .filter_map(|(per, length_s, max)| {
            Some(Quota {
                caller: caller.to_owned(),
                purpose: purpose.name.clone(),
                per,
                began_s: seconds - seconds.rem_euclid(length_s),
                max: max?,
            })
        })
        .collect()
}

/// The record of a decision. Where it was permitted, `fill` adds what the request is about.
pub(super) fn record_of(
    request: &Request<'_>,
    permission: Permission,
    count: usize,
    decided: &Result<Arc<InForce>, Refusal>,
    reason: &Reason,
    fill: impl FnOnce(&mut IntakeRecord),
) -> IntakeRecord {
    let mut record = IntakeRecord {
        at: Timestamp::now().to_string(),
        actor: request.caller.name.clone(),
        action: action(permission, decided.is_ok()).to_owned(),
        object: format!("purpose {}", request.purpose),
        purpose: Some(request.purpose.to_owned()),
        counts: BTreeMap::from([("asked".to_owned(), count as u64)]),
        reason_hash: Digest::parse(&reason.digest).ok(),
        tool: concat!("sealift ", env!("CARGO_PKG_VERSION")).to_owned(),
        ..IntakeRecord::default()
    };
    match decided {
        Ok(in_force) => {
            record.policy = Some(in_force.policy.clone());
            if in_force.purpose.break_glass {
                record.counts.insert("break_glass".to_owned(), 1);
            }
            fill(&mut record);
        }
        Err(refusal) => record.refusal = Some(refusal.kind().to_owned()),
    }
    record
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
pub fn sealed_reason(keys: &KeyRing, reason: &str) -> SealedReason {
    let mut salt = [0; 32];
    rand::rng().fill_bytes(&mut salt);
    let digest = reason_digest(&salt, reason).to_string();
    let header = reason_header(keys, &digest);
    let plain = zeroize::Zeroizing::new([salt.as_slice(), reason.as_bytes()].concat());
    let sealed = keys.root().wrap(&header, &plain, &mut rand::rng());
    SealedReason { digest, sealed }
}

/// The words of a sealed reason, if the bytes are those that were sealed under this digest.
#[must_use]
pub fn opened_reason(
    keys: &KeyRing,
    digest: &str,
    sealed: &[u8],
) -> Option<zeroize::Zeroizing<String>> {
    let plain = keys.root().unwrap(&reason_header(keys, digest), sealed).ok()?;
    let (salt, words) = plain.split_first_chunk::<32>()?;
    let words = zeroize::Zeroizing::new(std::str::from_utf8(words).ok()?.to_owned());
    (reason_digest(salt, &words).to_string() == digest).then_some(words)
}

fn reason_header(keys: &KeyRing, digest: &str) -> KeyHeader {
    let subject = format!("reason {digest}");
    KeyHeader::new(keys.vault(), KeyId(0), KeyPurpose::Index, &subject, "")
}
