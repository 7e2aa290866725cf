//! Exceptions that somebody made, and risks that remain whatever anybody does.

use schemars::JsonSchema;
use serde::Serialize;

use super::access::ApprovalPart;
use super::certificate::Certificate;
use super::counts::Reconciliation;
use super::evidence::Evidence;
use crate::crypto::KeyState;
use crate::plan::{UnitMode, Walk};
use crate::policy::TokenKind;

/// One exception or residual risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Risk {
    /// Which of the two.
    pub kind: RiskKind,
    /// What it is about.
    pub about: String,
    /// What it is.
    pub statement: String,
}

/// Whether somebody chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RiskKind {
    /// Somebody chose it, in the policy or by name.
    Exception,
    /// It remains.
    Residual,
}

impl RiskKind {
    /// The word of reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exception => "exception",
            Self::Residual => "residual",
        }
    }
}

pub(super) fn list(
    evidence: &Evidence,
    approvals: &ApprovalPart,
    counts: &Reconciliation,
    certificate: &Certificate,
) -> Vec<Risk> {
    let mut risks = chosen(evidence, approvals, counts);
    risks.extend(of_columns(evidence));
    risks.extend(of_walks(evidence));
    risks.extend(certificate.uncovered_copies.iter().map(|copy| {
        residual(
            &copy.column,
            &format!("{} cells outside the policy hold an original of this run", copy.cells),
        )
    }));
    risks.extend(REMAINING.iter().map(|(about, statement)| residual(about, statement)));
    risks
}

/// What remains after every run, however well it went.
const REMAINING: [(&str, &str); 6] = [
    (
        "media",
        "blocks of the medium below the file system are never covered; encrypt or sanitise it",
    ),
    (
        "copies of the backup folder",
        "a copy taken elsewhere stays openable by who holds the root key and its wrapped keys",
    ),
    (
        "other copies of the source",
        "dumps, replicas, snapshots and exports made before the run hold originals, and were not \
         looked at unless they are listed among the files scanned; those that are known stand in the \
         certificate with their owners",
    ),
    (
        "tokens",
        "a token is a reference, not an authorisation: who may write a column may write another \
         row's token into it",
    ),
    (
        "the holder of the root key",
        "can open every value of the vault outside the API; the ledger proves order and integrity \
         since the last anchor, not the holder's honesty",
    ),
    ("the vault", "pseudonymised data stays personal data as long as the vault can open it"),
];

fn chosen(evidence: &Evidence, approvals: &ApprovalPart, counts: &Reconciliation) -> Vec<Risk> {
    let mut risks = Vec::new();
    if approvals.plan_required == 0 {
        risks.push(exception("approval of the plan", "the policy asks for none: one person alone"));
    }
    if approvals.purge_required == 0 {
        risks
            .push(exception("approval of the purge", "the policy asks for none: one person alone"));
    }
    for column in evidence.plan.columns.iter().filter(|column| !column.waived.is_empty()) {
        risks.push(exception(
            &column.name.to_string(),
            "the leakage gate is lifted by `waive`: tokens show which rows share a value",
        ));
    }
    for row in &counts.quarantine {
        let by = row.waived_by.as_deref().map(|by| format!(", accepted by {by}"));
        if row.state != "replayed" {
            risks.push(exception(
                &format!("row {}", row.row.as_str()),
                &format!(
                    "in quarantine ({}), {} originals left in it{}",
                    row.state,
                    row.cells,
                    by.unwrap_or_default()
                ),
            ));
        }
    }
    let backup = &evidence.policy.backup;
    if backup.retention_days > 0 {
        risks.push(exception(
            "backup",
            &format!("kept for {} days after the purge, by policy", backup.retention_days),
        ));
    }
    if !backup.recipients.is_empty() {
        risks.push(exception(
            "backup",
            &format!("{} further recipients can open it, by policy", backup.recipients.len()),
        ));
    }
    for purpose in evidence.purposes.iter().filter(|purpose| purpose.pass_originals) {
        risks.push(exception(
            &format!("purpose {}", purpose.name),
            "a value that is no token is returned as it is",
        ));
    }
    for key in evidence.keys.iter().filter(|key| key.state == KeyState::Compromised) {
        risks.push(residual(
            &format!("key {}", key.id),
            "compromised: what it sealed can be opened by who should not",
        ));
    }
    risks
}

fn of_columns(evidence: &Evidence) -> Vec<Risk> {
    let derived = |token: TokenKind| token != TokenKind::Random;
    let columns = evidence.plan.columns.iter().filter(|column| derived(column.token));
    columns
        .filter_map(|column| {
            let statement = match column.class.as_str() {
                "health" => {
                    "its tokens are derived from the value, so they are no re-identification codes \
                     in the sense of HIPAA 164.514(c); `random` tokens can be"
                }
                "payment" => {
                    "its tokens are cryptographic and reversible under a key; PCI DSS keeps such \
                     tokens in scope, `random` ones can leave it"
                }
                _ => return None,
            };
            Some(residual(&column.name.to_string(), statement))
        })
        .collect()
}

/// Tables without a key that could be walked.
fn of_walks(evidence: &Evidence) -> Vec<Risk> {
    evidence
        .plan
        .units
        .iter()
        .filter(|unit| unit.mode == UnitMode::Window)
        .flat_map(|unit| &unit.tables)
        .filter(|table| !matches!(table.walk, Walk::Key(_)))
        .map(|table| {
            residual(
                &table.table.to_string(),
                "the table has no usable key: rewritten under one lock and verified as a multiset, \
                 so which row a token stands in is not proven",
            )
        })
        .collect()
}

fn exception(about: &str, statement: &str) -> Risk {
    Risk { kind: RiskKind::Exception, about: about.to_owned(), statement: statement.to_owned() }
}

fn residual(about: &str, statement: &str) -> Risk {
    Risk { kind: RiskKind::Residual, about: about.to_owned(), statement: statement.to_owned() }
}
