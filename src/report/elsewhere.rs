//! Copies of the source that lie elsewhere, as the certificate lists them: each with its owner, the day
//! by which it is gone, and how it is known.
//!
//! It knows what a purge knew, and asks nobody.

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::{BackupFate, PurgeFacts};
use super::grounds::Grounds;
use crate::ledger::ApprovalKind;

/// What the run's own backup is called among the copies, where it is kept.
pub(super) const OWN_BACKUP: &str = "the encrypted backup of this run";

/// A copy of the source that lies elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ElsewhereLine {
    /// What it is: `replica`, `slot`, `subscriber`, `archive`, `backup`, `snapshot` or `export`.
    pub kind: String,
    /// What it is called.
    pub name: String,
    /// Who keeps it; null where nobody is named.
    pub owner: Option<String>,
    /// The day by which it holds no original any more; null where nobody is named.
    pub expires: Option<String>,
    /// How it is known.
    pub known: String,
}

/// Every copy that the purge knew of, and the run's own backup where it is kept.
pub(super) fn lines(grounds: &Grounds<'_>, purge: &PurgeFacts) -> Vec<ElsewhereLine> {
    let mut lines = purge.elsewhere.clone();
    if let BackupFate::KeptUntil(until) = &purge.backup {
        let signed = grounds.approvals.iter().filter(|row| row.kind == ApprovalKind::Purge);
        let signers: Vec<&str> = signed.map(|row| row.caller.as_str()).collect();
        let accepted = if signers.is_empty() {
            "by the policy; nobody has signed it".to_owned()
        } else {
            format!("by the policy; accepted by {}", signers.join(", "))
        };
        lines.push(ElsewhereLine {
            kind: "backup".to_owned(),
            name: OWN_BACKUP.to_owned(),
            owner: grounds.owner.map(str::to_owned),
            expires: Some(until.clone()),
            known: accepted,
        });
    }
    lines
}

/// What is not covered of them: those that nobody is named for.
pub(super) fn unnamed(purge: &PurgeFacts) -> impl Iterator<Item = String> + '_ {
    purge.elsewhere.iter().filter(|line| line.owner.is_none()).map(|line| {
        format!(
            "{} `{}`, with nobody named who keeps it, and until when: {}",
            line.kind, line.name, line.known
        )
    })
}
