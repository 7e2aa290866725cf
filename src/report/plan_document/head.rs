//! The head of a document and its summary: what an approver with one minute reads.

use serde::{Deserialize, Serialize};

use super::scope::ScopeTable;
use super::{PlanFacts, counted};
use crate::catalog::EngineKind;
use crate::plan::{Strategy, UnitMode, Verdict};

/// What for, by whom, over what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanHead {
    /// Why, in the words of the policy.
    pub purpose: Option<String>,
    /// Where it was agreed.
    pub ticket: Option<String>,
    /// Who answers for the data.
    pub owner: Option<String>,
    /// Whether it is on record, and if not, why.
    pub state: DocumentState,
    /// The run.
    pub run: Option<String>,
    /// Who planned it.
    pub planned_by: Option<String>,
    /// When.
    pub planned_at: String,
    /// The vault.
    pub vault: Option<String>,
    /// The source, as the policy calls it.
    pub source: String,
    /// Where it is.
    pub place: Option<String>,
    /// The id that it carries.
    pub identity: Option<String>,
    /// The engine and its version.
    pub engine: String,
    /// Bytes of the whole database.
    pub bytes: u64,
    /// How it will be rewritten.
    pub strategy: String,
    /// SHA-256 of the policy file.
    pub policy_sha256: String,
    /// The fingerprint of catalog and policy: where it changes, an approval is void.
    pub fingerprint: String,
    /// Name and version of the program.
    pub tool: String,
}

/// Whether a document is on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// It belongs to a run, and can be signed.
    Recorded,
    /// Somebody only looked.
    DryRun,
    /// The plan is blocked, so nothing was recorded.
    Blocked,
}

impl DocumentState {
    /// What readers are told.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Recorded => "recorded: this document can be signed",
            Self::DryRun => "not recorded: a dry run; nobody can sign this",
            Self::Blocked => "not recorded: the plan is blocked; nobody can sign this",
        }
    }
}

/// For who has one minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// What the plan says.
    pub verdict: PlanVerdict,
    /// Findings that stand in the way.
    pub blocks: u64,
    /// Findings that an approver should read.
    pub warns: u64,
    /// Findings that Sealift deals with.
    pub handled: u64,
    /// Tables with a column in scope.
    pub tables: u64,
    /// Columns in scope.
    pub columns: u64,
    /// Rows that are read.
    pub rows: u64,
    /// Cells that get a token.
    pub cells: u64,
    /// Entries that the vault gains.
    pub entries: u64,
    /// From backup to verification, in milliseconds.
    pub run_ms: u64,
    /// The purge, in milliseconds.
    pub purge_ms: u64,
    /// The longest stretch for which writers wait, in milliseconds.
    pub lock_ms: u64,
    /// Free space that is needed, in bytes.
    pub disk_bytes: u64,
    /// Tables that are rewritten in one transaction each, or together.
    pub window_tables: u64,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

/// What a plan says in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanVerdict {
    /// No run starts.
    Blocked,
    /// A run may start; there is something to read.
    Warned,
    /// A run may start.
    Clear,
}

impl PlanHead {
    pub(super) fn of(facts: &PlanFacts<'_>) -> Self {
        let change = &facts.policy.change;
        let recorded = facts.recorded;
        let state = if facts.plan.is_blocked() {
            DocumentState::Blocked
        } else if facts.is_dry_run || recorded.is_none() {
            DocumentState::DryRun
        } else {
            DocumentState::Recorded
        };
        Self {
            purpose: change.purpose.clone(),
            ticket: change.ticket.clone(),
            owner: change.owner.clone(),
            state,
            run: recorded.map(|recorded| recorded.run.to_string()),
            planned_by: recorded.map(|recorded| recorded.planned_by.to_owned()),
            planned_at: facts.planned_at.to_owned(),
            vault: recorded.map(|recorded| recorded.vault.to_owned()),
            source: facts.policy.source.clone(),
            place: facts.place.map(str::to_owned),
            identity: facts.identity.map(str::to_owned),
            engine: engine(facts.catalog.engine, &facts.catalog.version),
            bytes: facts.catalog.bytes,
            strategy: match facts.strategy {
                Strategy::InPlace => "in place, beside other users of the database",
                Strategy::Rebuild => "rebuilt in a maintenance window",
            }
            .to_owned(),
            policy_sha256: facts.policy.hash.clone(),
            fingerprint: facts.plan.fingerprint.clone(),
            tool: facts.tool.to_owned(),
        }
    }
}

fn engine(kind: EngineKind, version: &str) -> String {
    let name = match kind {
        EngineKind::Sqlite => "SQLite",
        EngineKind::Postgres => "PostgreSQL",
    };
    format!("{name} {version}").trim_end().to_owned()
}

impl PlanSummary {
    pub(super) fn of(facts: &PlanFacts<'_>, scope: &[ScopeTable]) -> Self {
        let (plan, estimate) = (facts.plan, &facts.plan.estimate);
        let count = |verdict: Verdict| {
            plan.findings.iter().filter(|finding| finding.verdict == verdict).count() as u64
        };
        let (blocks, warns) = (count(Verdict::Blocks), count(Verdict::Warns));
        let in_window = plan.units.iter().filter(|unit| unit.mode == UnitMode::Window);
        let mut summary = Self {
            verdict: match (blocks, warns) {
                (0, 0) => PlanVerdict::Clear,
                (0, _) => PlanVerdict::Warned,
                (_, _) => PlanVerdict::Blocked,
            },
            blocks,
            warns,
            handled: count(Verdict::Handled),
            tables: scope.len() as u64,
            columns: scope.iter().map(|table| table.columns.len() as u64).sum(),
            rows: scope.iter().map(|table| table.rows).sum(),
            cells: estimate.cells,
            entries: estimate.entries,
            run_ms: estimate.passes.to_verified_ms(),
            purge_ms: estimate.passes.purge_ms,
            lock_ms: estimate.lock_ms,
            disk_bytes: estimate.disk_needed_bytes,
            window_tables: in_window.map(|unit| unit.tables.len() as u64).sum(),
            sentences: Vec::new(),
        };
        summary.sentences = summary.in_words();
        summary
    }

    /// The verdict in a word or two.
    #[must_use]
    pub fn word(&self) -> String {
        match self.verdict {
            PlanVerdict::Blocked => "BLOCKED".to_owned(),
            PlanVerdict::Warned => counted(self.warns, "warning").to_uppercase(),
            PlanVerdict::Clear => "CLEAR".to_owned(),
        }
    }

    /// What stands in the way, or what there is to weigh.
    #[must_use]
    pub fn verdict_sentence(&self) -> String {
        match self.verdict {
            PlanVerdict::Blocked => {
                format!("{} in the way: no run starts", stand(self.blocks))
            }
            PlanVerdict::Warned => {
                "nothing is in the way; the warnings are to be weighed before signing".to_owned()
            }
            PlanVerdict::Clear => {
                "nothing is in the way, and nothing was found to weigh".to_owned()
            }
        }
    }

    fn in_words(&self) -> Vec<String> {
        let readable = crate::plan::readable_ms;
        let mut words = vec![
            format!(
                "{} in {} of {} get a token, and their values move into the vault.",
                counted(self.cells, "cell"),
                counted(self.columns, "column"),
                counted(self.tables, "table"),
            ),
            format!(
                "The run is estimated to take {}, and {} of free disk while it lasts.",
                readable(self.run_ms),
                crate::plan::readable_bytes(self.disk_bytes),
            ),
        ];
        words.push(if self.window_tables == 0 {
            format!(
                "Readers and writers go on; a writer waits up to about {} for a batch.",
                readable(self.lock_ms)
            )
        } else {
            format!(
                "Writers wait up to about {}: {} rewritten in one transaction.",
                readable(self.lock_ms),
                match self.window_tables {
                    1 => "1 table is".to_owned(),
                    tables => format!("{tables} tables are"),
                },
            )
        });
        words.push(format!(
            "All of it can be undone until the purge, which needs an approval of its own and is \
             estimated to lock the database for {}.",
            readable(self.purge_ms)
        ));
        words
    }
}

fn stand(number: u64) -> String {
    if number == 1 { "1 finding stands".to_owned() } else { format!("{number} findings stand") }
}
