//! What is asked, by whom, for what; whether it is permitted; and the record of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::grants::{Grants, InForce};
use super::reasons::Reason;
use super::tokenize::named;
use crate::access::{
    Caller, DAY_S, MINUTE_S, Refusal, Used, decide, decide_bulk, decide_rate, form_for,
};
use crate::crypto::KeyRing;
use crate::ledger::{Digest, IntakeRecord};
use crate::policy::{Form, Permission, Purpose};
use crate::ports::{Looked, Quota, Remedy, Taken, Vault, VaultError};
use crate::run::RunError;
use crate::token::{DomainId, TokenBody};

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
    /// Refused: the purpose, the role, the domain, the size.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The domain is being loaded.
    #[error("domain `{0}` is being loaded by a run")]
    Loading(String),
    /// The vault has no such domain. A request under a purpose is refused instead.
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

    /// Looks tokens of one domain up; one answer a token. Of what is larger, only the size is told.
    async fn look_up(
        &self,
        domain: DomainId,
        tokens: Vec<TokenBody>,
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, ServeError>;

    /// Waits until so many bytes of large values may be held, where that is limited.
    async fn hold(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, ServeError>;

    /// Seals a reason, or finds that the same words of this caller were sealed just now.
    fn reason(&self, keys: &KeyRing, caller: &str, reason: &str) -> Reason;
}

/// Decides a request as a whole: the credential, the role, the purpose, the domain, the size, the
/// rates.
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
    if !shows(grants, &found.purpose, request, permission) {
        return Ok(Err(Refusal::DomainDenied {
            purpose: request.purpose.to_owned(),
            domain: request.domain.unwrap_or_default().to_owned(),
            permission,
        }));
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

/// Whether the purpose shows the domain whose values are asked about, in the form that it takes.
///
/// Where tokens are opened this is asked of each token, because each says its own domain.
fn shows(
    grants: &Grants,
    purpose: &Purpose,
    request: &Request<'_>,
    permission: Permission,
) -> bool {
    let form = || {
        let domain = named(grants, request.domain.unwrap_or_default())?;
        form_for(purpose, &domain.name, &domain.class)
    };
    match permission {
        Permission::Detokenize => true,
        Permission::Tokenize => form().is_some(),
        Permission::Search => form() == Some(Form::Match),
    }
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
