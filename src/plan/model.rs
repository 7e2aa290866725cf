//! What a plan says: findings, units of work, columns, an estimate.
//!
//! These types are stored with a run, printed as JSON and drawn into the report. They hold figures
//! and names; an original never gets here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::catalog::{ColumnChange, Objects};
use crate::lifecycle::RunId;
use crate::policy::{ColumnName, FormatShape, TableName, TokenKind, Waiver};

/// How the source is rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Row by row, beside other users of the database.
    #[default]
    InPlace,
    /// The table is filled anew in a maintenance window.
    Rebuild,
}

impl Strategy {
    /// Whether it is the one that is taken where nothing is said.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        *self == Self::InPlace
    }

    /// The word of the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InPlace => "in-place",
            Self::Rebuild => "rebuild",
        }
    }
}

/// What `plan` found out, and what a run would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// Every pitfall that this database, this policy and these values touch; blocking ones first.
    pub findings: Vec<Finding>,
    /// The work, cut into pieces that are rewritten independently of each other.
    ///
    /// **Invariant:** complete only where [`Assessment::is_blocked`] is false; a table that no
    /// walk can be found for is in no unit and has a blocking finding.
    pub units: Vec<Unit>,
    /// The columns in scope, in the order of the policy; those that do not exist are left out.
    pub columns: Vec<ColumnPlan>,
    /// What a run would need.
    pub estimate: Estimate,
    /// What each strategy would cost, and what stands in its way; empty where there is only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategies: Vec<StrategyCost>,
    /// What approvers sign: [`super::fingerprint`] of catalog and policy.
    pub fingerprint: String,
    /// How much of the source the columns in scope are; `None` in plans that nobody counted for.
    #[serde(default)]
    pub extent: Option<Extent>,
    /// Columns whose type the run changes before it writes a token, with the consent of the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ColumnChange>,
    /// What [`Assessment::fingerprint`] is once they are changed; `None` where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint_after: Option<String>,
    /// The objects of the catalog, so that it can be said which of them changed; none in older plans.
    #[serde(default, skip_serializing_if = "Objects::is_empty")]
    pub objects: Objects,
    /// The run whose originals this one brings back after its purge; `None` for a run of the usual
    /// kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<RunId>,
}

/// What it would cost to rewrite the source in one way: what changes between the ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyCost {
    /// Which way.
    pub strategy: Strategy,
    /// Why it is not possible; empty where it is.
    pub refused: Vec<String>,
    /// How long the rewrite takes, in milliseconds.
    pub rewrite_ms: u64,
    /// What the rewrite writes into the write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// What the server needs on disk beside what it has, at the most, in bytes.
    pub disk_bytes: u64,
    /// For how long others wait at a stretch, in milliseconds.
    pub lock_ms: u64,
}

/// How large a source is, in names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Extent {
    /// Its tables.
    pub tables: u64,
    /// Their columns.
    pub columns: u64,
    /// The columns of each table that has one in scope.
    pub columns_of: BTreeMap<String, u64>,
}

impl Assessment {
    /// Whether a finding stands in the way of a run.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Blocks)
    }
}

/// One pitfall at one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// Which pitfall; stable, and the name of the file in `plan/` that looks for it.
    pub pitfall: String,
    /// What follows from it.
    pub verdict: Verdict,
    /// Where: `Customer.Email`, `trigger customers_audit`, `database`.
    pub object: String,
    /// What was found, as a sentence without a full stop.
    pub fact: String,
    /// What to do about it, or what Sealift does about it.
    pub remedy: String,
}

/// What follows from a finding.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No run starts until somebody has dealt with it.
    Blocks,
    /// A run may start; an approver should have read it.
    Warns,
    /// Sealift deals with it; said so that nobody has to wonder.
    Handled,
}

impl Verdict {
    /// The word of reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Warns => "warns",
            Self::Handled => "handled",
        }
    }
}

/// Tables that are rewritten together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its number, from 0, in the order of the work.
    pub id: u16,
    /// How it is rewritten.
    pub mode: UnitMode,
    /// Whether the table is filled anew instead; only of one table, in [`UnitMode::Ranges`].
    #[serde(default, skip_serializing_if = "Strategy::is_in_place")]
    pub strategy: Strategy,
    /// Its tables; parents of foreign keys before their children.
    pub tables: Vec<UnitTable>,
}

/// How a unit is rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitMode {
    /// In ranges of a key, each batch in a short transaction of its own.
    Ranges,
    /// All tables of the unit in one transaction under the write lock.
    Window,
}

/// One table of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitTable {
    /// The table.
    pub table: TableName,
    /// How its rows are found.
    pub walk: Walk,
    /// Its columns in scope, in the order of the policy.
    pub columns: Vec<UnitColumn>,
    /// Rows at the time of the plan.
    pub rows: u64,
    /// Triggers that must not fire, by name.
    pub suppressed_triggers: Vec<String>,
}

/// How the rows of a table are found, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "columns")]
pub enum Walk {
    /// By the primary key or a unique index: no column in scope, none that holds NULL.
    Key(Vec<String>),
    /// By the bare row id (on PostgreSQL: by where a row lies), which is no key outside one
    /// transaction: only in [`UnitMode::Window`].
    RowId,
    /// By a primary key that is itself in scope, of a `WITHOUT ROWID` table: the rows move under
    /// the walk, so only in [`UnitMode::Window`], and only with tokens that are recognisable.
    ScopedKey(Vec<String>),
}

/// One column of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitColumn {
    /// Its place in `policy.columns`.
    pub rule: usize,
    /// Its name.
    pub column: String,
    /// Its domain.
    pub domain: String,
}

/// One column in scope, with the figures that the gates looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnPlan {
    /// The column.
    pub name: ColumnName,
    /// Its place in `policy.columns`.
    pub rule: usize,
    /// Its data class.
    pub class: String,
    /// Its domain.
    pub domain: String,
    /// The kind of its tokens.
    pub token: TokenKind,
    /// The shape of `format` tokens.
    pub format: Option<FormatShape>,
    /// `random` only: equal values get one token.
    pub dedupe: bool,
    /// Whether a predicate separates its tokens from every original.
    pub recognisable: bool,
    /// The declared type, as it was written.
    pub declared: String,
    /// Rows of its table.
    pub rows: u64,
    /// Cells that get a token.
    pub cells: u64,
    /// Cells that are NULL and stay so.
    pub nulls: u64,
    /// Cells that are the empty text.
    pub empties: u64,
    /// Cells that look like a token of this kind already.
    pub token_shaped: u64,
    /// Cells by storage class.
    pub types: TypeCounts,
    /// The longest value, in bytes.
    pub bytes_max: u64,
    /// All values together, in bytes.
    pub bytes_total: u64,
    /// Distinct values of the cells that get a token.
    pub distinct: u64,
    /// Whether `distinct` was counted rather than estimated.
    pub distinct_exact: bool,
    /// The largest share of these cells that one value can have, 0 to 1; an upper bound.
    pub top_share: f64,
    /// What the steward accepted for this column.
    pub waived: Vec<Waiver>,
}

/// How many values a column has of each storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TypeCounts {
    /// Texts.
    pub text: u64,
    /// Integers.
    pub integer: u64,
    /// Reals.
    pub real: u64,
    /// Blobs.
    pub blob: u64,
}

impl TypeCounts {
    /// How many values there are.
    #[must_use]
    pub fn total(self) -> u64 {
        self.text + self.integer + self.real + self.blob
    }

    /// How many storage classes occur.
    #[must_use]
    pub fn kinds(self) -> usize {
        [self.text, self.integer, self.real, self.blob].into_iter().filter(|&n| n > 0).count()
    }
}

/// What a run would need. Orders of magnitude, with what they were reckoned from beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Estimate {
    /// Rows that are read.
    pub rows: u64,
    /// Cells that get a token.
    pub cells: u64,
    /// Entries that the vault gains.
    pub entries: u64,
    /// What the vault grows by.
    pub vault_bytes: u64,
    /// The encrypted backup of the originals.
    pub backup_bytes: u64,
    /// Token files beside the backup.
    pub token_file_bytes: u64,
    /// Sealed values on their way into the vault; gone when they are there.
    #[serde(default)]
    pub stage_bytes: u64,
    /// What verification sorts on disk.
    pub bucket_bytes: u64,
    /// Journal or WAL of the source at its largest.
    pub journal_bytes: u64,
    /// The second copy of the source that the purge writes before it replaces the first.
    pub purge_bytes: u64,
    /// How long each pass takes.
    #[serde(default)]
    pub passes: PassTimes,
    /// From `backup` to `verify`, in seconds.
    pub seconds: u64,
    /// How long other writers wait at the longest, in seconds: the largest unit in a window.
    pub write_lock_seconds: u64,
    /// The longest stretch for which other writers wait, in milliseconds: a window, or a batch.
    #[serde(default)]
    pub lock_ms: u64,
    /// Free space that the disks of vault, backup and source need together.
    pub disk_needed_bytes: u64,
    /// The rates that the times rest on, as sentences.
    pub assumptions: Vec<String>,
}

/// How long each pass takes, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PassTimes {
    /// Originals into encrypted files, and the scan that has to find them.
    pub backup_ms: u64,
    /// From the files into the vault.
    pub seal_ms: u64,
    /// Tokens into the source.
    pub rewrite_ms: u64,
    /// Every token opened and compared.
    pub verify_ms: u64,
    /// All of it once more under the exclusive lock, the files rewritten and searched.
    pub purge_ms: u64,
}

impl PassTimes {
    /// From `backup` to `verify`; the purge comes later, and is approved for itself.
    #[must_use]
    pub fn to_verified_ms(self) -> u64 {
        self.backup_ms + self.seal_ms + self.rewrite_ms + self.verify_ms
    }
}
