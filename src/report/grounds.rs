//! What the conclusions of a report stand on: what the ledger says of the run, and the little beside it
//! that their sentences and figures need.
//!
//! It is less than [`Evidence`], on purpose. Whoever checks a report has the run's entries, and has
//! neither its policy nor its plan: the same code has to come to the same conclusions for both.

use std::collections::BTreeMap;

use super::evidence::{
    ApprovalFact, CheckFact, Condition, Evidence, PurgeFacts, QuarantineFact, SegmentFact,
};
use crate::ledger::Entry;
use crate::lifecycle::{Phase, RunId};
use crate::plan::Assessment;
use crate::policy::TokenKind;
use crate::residue::ScanReport;
use crate::words::{counted, grouped};

/// How the limit ends that says what of the source is outside the policy.
pub(super) const OUTSIDE: &str = "of the source are outside the policy and were not treated";

/// What certificate, summary and counts are made of. Each field means what the field of [`Evidence`]
/// with its name does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grounds<'e> {
    pub(super) run: RunId,
    pub(super) source: &'e str,
    pub(super) phase: Phase,
    pub(super) condition: Option<Condition>,
    pub(super) entries: &'e [Entry],
    pub(super) counts: &'e BTreeMap<String, u64>,
    pub(super) verification: &'e BTreeMap<String, u64>,
    pub(super) residue_before: Option<&'e ScanReport>,
    pub(super) residue_after: Option<&'e ScanReport>,
    pub(super) residue_left: u64,
    pub(super) purge: Option<&'e PurgeFacts>,
    pub(super) approvals: &'e [ApprovalFact],
    pub(super) quarantine: &'e [QuarantineFact],
    pub(super) checks: &'e [CheckFact],
    pub(super) segments: &'e [SegmentFact],
    /// Who answers for the data, by the policy.
    pub(super) owner: Option<&'e str>,
    /// Signatures that the policy wants under a purge.
    pub(super) purge_needs: u64,
    pub(super) plan: &'e PlanFigures,
}

/// What the conclusions need of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlanFigures {
    /// Its columns.
    pub(super) columns: u64,
    /// Their cells that were to get a token.
    pub(super) cells: u64,
    /// The kinds of their tokens.
    pub(super) tokens: Vec<TokenKind>,
    /// Whether a finding stands in its way.
    pub(super) is_blocked: bool,
    /// How much of the source is outside the policy, as a sentence; `None` where nobody counted.
    pub(super) outside: Option<String>,
}

impl<'e> Grounds<'e> {
    /// The part of the evidence that conclusions are drawn from.
    pub(super) fn of(evidence: &'e Evidence, plan: &'e PlanFigures) -> Self {
        Self {
            run: evidence.run,
            source: &evidence.source,
            phase: evidence.phase,
            condition: evidence.condition,
            entries: &evidence.entries,
            counts: &evidence.counts,
            verification: &evidence.verification,
            residue_before: evidence.residue_before.as_ref(),
            residue_after: evidence.residue_after.as_ref(),
            residue_left: evidence.residue_left,
            purge: evidence.purge.as_ref(),
            approvals: &evidence.approvals,
            quarantine: &evidence.quarantine,
            checks: &evidence.checks,
            segments: &evidence.segments,
            owner: evidence.policy.change.owner.as_deref(),
            purge_needs: u64::from(evidence.policy.approval.purge),
            plan,
        }
    }
}

impl PlanFigures {
    pub(super) fn of(plan: &Assessment) -> Self {
        let columns = plan.columns.len() as u64;
        Self {
            columns,
            cells: plan.columns.iter().map(|column| column.cells).sum(),
            tokens: plan.columns.iter().map(|column| column.token).collect(),
            is_blocked: plan.is_blocked(),
            outside: plan.extent.as_ref().map(|extent| {
                format!(
                    "{} of {} {OUTSIDE}",
                    grouped(extent.columns.saturating_sub(columns)),
                    counted(extent.columns, "column", "columns"),
                )
            }),
        }
    }
}
