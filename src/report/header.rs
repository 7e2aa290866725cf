//! The head of a report: which run, where it stands, whose ledger.

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::{AnchorFact, Condition, Evidence};
use crate::ledger::Entry;
use crate::lifecycle::{Phase, RunId};

/// Which run, where it stands, whose ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Header {
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// The source, as the policy calls it.
    pub source: String,
    /// Where the run stands.
    pub phase: Phase,
    /// What holds it there, where something does.
    pub condition: Option<Condition>,
    /// The time of the run's last entry: a report has no clock of its own.
    pub as_of: Option<String>,
    /// Name and version of the program.
    pub tool: String,
    /// The vault's id.
    pub vault: String,
    /// The ledger's origin.
    pub origin: String,
    /// Fingerprint of the key that signs the ledger.
    pub key_fingerprint: String,
    /// SHA-256 of the policy file.
    pub policy_hash: String,
    /// What the approvers of the plan signed.
    pub plan_fingerprint: String,
    /// The latest checkpoint.
    pub checkpoint: Option<CheckpointPart>,
    /// Places outside the vault that were told of a checkpoint: a ledger that is put back shows there.
    pub anchors: Vec<AnchorFact>,
    /// The life of the run, as far as it came.
    pub steps: Vec<Step>,
}

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckpointPart {
    /// How many entries it covers.
    pub size: Option<u64>,
    /// The signed note, as it is.
    pub note: String,
}

/// One phase of a run's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// The phase.
    pub phase: Phase,
    /// Whether the run was there.
    pub state: StepState,
    /// When it came there last.
    pub at: Option<String>,
    /// Who brought it there.
    pub by: Option<String>,
}

/// Whether a run was in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It was.
    Done,
    /// It is.
    Current,
    /// It may yet be.
    Ahead,
    /// It never will be: it was rolled back before.
    LeftOut,
}

impl Header {
    pub(super) fn of(evidence: &Evidence) -> Self {
        Self {
            run: evidence.run,
            source: evidence.source.clone(),
            phase: evidence.phase,
            condition: evidence.condition,
            as_of: evidence.entries.last().map(|entry| entry.at.clone()),
            tool: evidence.tool.clone(),
            vault: evidence.vault.clone(),
            origin: evidence.origin.clone(),
            key_fingerprint: evidence.key_fingerprint.clone(),
            policy_hash: evidence.policy.hash.clone(),
            plan_fingerprint: evidence.plan.fingerprint.clone(),
            checkpoint: evidence.checkpoint.as_deref().map(checkpoint),
            anchors: evidence.anchors.clone(),
            steps: steps(&evidence.entries, evidence.phase),
        }
    }
}

impl StepState {
    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Current => "now",
            Self::Ahead => "ahead",
            Self::LeftOut => "left out",
        }
    }
}

/// The size stands in the second line of a note; who checks it checks the whole note.
pub(super) fn checkpoint(note: &str) -> CheckpointPart {
    let size = note.lines().nth(1).and_then(|line| line.parse().ok());
    CheckpointPart { size, note: note.to_owned() }
}

/// The life of a run that stands in a phase, as its entries have it.
pub(super) fn steps(entries: &[Entry], now: Phase) -> Vec<Step> {
    let is_rollback = |phase: Phase| matches!(phase, Phase::RollingBack | Phase::RolledBack);
    let turned_back = is_rollback(now);
    Phase::ALL
        .into_iter()
        .filter(|phase| turned_back || !is_rollback(*phase))
        .map(|phase| {
            let entry = entered(entries, phase);
            let at = entry.map(|entry| entry.at.clone());
            let state = if phase == now {
                StepState::Current
            } else if turned_back && !is_rollback(phase) {
                if at.is_some() { StepState::Done } else { StepState::LeftOut }
            } else if phase.rank() < now.rank() {
                StepState::Done
            } else {
                StepState::Ahead
            };
            // A phase that was lost again (a voided approval, a mismatch) shows no time.
            let entry = entry.filter(|_| state != StepState::Ahead);
            let (at, by) = entry.map(|entry| (entry.at.clone(), entry.actor.clone())).unzip();
            Step { phase, state, at, by }
        })
        .collect()
}

/// When the run came into a phase last. A phase that was repeated keeps the time it came there.
fn entered(entries: &[Entry], phase: Phase) -> Option<&Entry> {
    entries
        .iter()
        .rev()
        .find(|entry| entry.phase_after == Some(phase) && entry.phase_before != Some(phase))
}
