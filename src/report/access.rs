//! Who agreed, which keys there are, and who may see what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::Evidence;
use super::usage::Usage;
use crate::crypto::{KeyPurpose, KeyState};
use crate::policy::{Form, Permission, Purpose};

/// Who agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApprovalPart {
    /// Distinct signatures that the policy asks for under a plan.
    pub plan_required: u32,
    /// Distinct signatures that it asks for under a purge.
    pub purge_required: u32,
    /// How long a purge had to wait after its approval, in seconds.
    pub purge_wait_s: u64,
    /// Whether a legal hold forbids the purge.
    pub legal_hold: bool,
    /// The signatures.
    pub signatures: Vec<ApprovalRow>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApprovalRow {
    /// What was signed: `plan` or `purge`.
    pub kind: &'static str,
    /// Who signed.
    pub caller: String,
    /// The plan's fingerprint or the verified digest.
    pub digest: String,
    /// When.
    pub signed_at: String,
}

/// One key, without the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyLine {
    /// Its number.
    pub id: u32,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// For which domain or run.
    pub subject: String,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created_at: String,
    /// When its state changed last.
    pub changed_at: String,
}

/// One purpose, as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PurposeLine {
    /// Its name.
    pub name: String,
    /// Who may use it.
    pub roles: Vec<String>,
    /// What it may be used for.
    pub may: Vec<Permission>,
    /// Class or domain, and the form in which its values are shown.
    pub show: BTreeMap<String, Form>,
    /// How many tokens one request may carry.
    pub max_tokens_per_request: u32,
    /// Tokens per minute and caller, where limited.
    pub max_tokens_per_minute: Option<u32>,
    /// Tokens per day and caller, where limited.
    pub max_tokens_per_day: Option<u64>,
    /// Refused before.
    pub valid_from: Option<String>,
    /// Refused after.
    pub valid_until: Option<String>,
    /// Whether a value that is no token is returned as it is.
    pub passes_originals: bool,
    /// What was asked under it.
    pub used: Usage,
}

/// A purpose of another policy, under which values of this run were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OtherUse {
    /// Its name.
    pub purpose: String,
    /// Tokens or values of each domain of this run that were asked for.
    pub domains: BTreeMap<String, u64>,
}

impl ApprovalPart {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let rule = &evidence.policy.approval;
        Self {
            plan_required: rule.plan,
            purge_required: rule.purge,
            purge_wait_s: rule.purge_wait_s,
            legal_hold: rule.legal_hold,
            signatures: evidence
                .approvals
                .iter()
                .map(|fact| ApprovalRow {
                    kind: fact.kind.name(),
                    caller: fact.caller.clone(),
                    digest: fact.digest.clone(),
                    signed_at: fact.signed_at.clone(),
                })
                .collect(),
        }
    }
}

pub(super) fn keys(evidence: &Evidence) -> Vec<KeyLine> {
    evidence
        .keys
        .iter()
        .map(|fact| KeyLine {
            id: fact.id,
            purpose: fact.purpose,
            subject: fact.subject.clone(),
            version: fact.version,
            state: fact.state,
            created_at: fact.created_at.clone(),
            changed_at: fact.changed_at.clone(),
        })
        .collect()
}

pub(super) fn purposes(evidence: &Evidence) -> Vec<PurposeLine> {
    let used = |name: &str| evidence.usage.get(name).cloned().unwrap_or_default();
    evidence.purposes.iter().map(|purpose| declared_line(purpose, used(&purpose.name))).collect()
}

/// A purpose as it is declared, beside what was asked under it.
pub(super) fn declared_line(purpose: &Purpose, used: Usage) -> PurposeLine {
    PurposeLine {
        name: purpose.name.clone(),
        roles: purpose.roles.clone(),
        may: purpose.may.clone(),
        show: purpose.show.clone(),
        max_tokens_per_request: purpose.max_tokens_per_request,
        max_tokens_per_minute: purpose.max_tokens_per_minute,
        max_tokens_per_day: purpose.max_tokens_per_day,
        valid_from: purpose.valid_from.clone(),
        valid_until: purpose.valid_until.clone(),
        passes_originals: purpose.pass_originals,
        used,
    }
}

/// Uses of this run's domains under purposes that its policy does not declare.
pub(super) fn others(evidence: &Evidence) -> Vec<OtherUse> {
    let is_ours = |domain: &str| evidence.plan.columns.iter().any(|it| it.domain == domain);
    let is_declared = |name: &str| evidence.purposes.iter().any(|purpose| purpose.name == name);
    evidence
        .usage
        .iter()
        .filter(|(name, _)| !is_declared(name))
        .map(|(name, used)| OtherUse {
            purpose: name.clone(),
            domains: used
                .domains
                .iter()
                .filter(|(domain, _)| is_ours(domain))
                .map(|(domain, count)| (domain.clone(), *count))
                .collect(),
        })
        .filter(|other| !other.domains.is_empty())
        .collect()
}
