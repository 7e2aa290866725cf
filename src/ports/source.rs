//! The source: the database whose sensitive columns move.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Pressure, Remedy, Sampler, Wait};
use crate::catalog::{Catalog, ColumnChange};
use crate::ledger::{PageFacts, ScrubStep};
use crate::lifecycle::RunId;
use crate::plan::{Facts, UnitTable};
use crate::policy::{ColumnName, CopyKind, Policy, TableName};
use crate::residue::{Filter, ScanReport};
use crate::value::{Original, RowKey};

/// One source row, as far as a run is concerned: its key and its in-scope cells.
#[derive(Debug)]
pub struct Row {
    /// The key by which the table is walked.
    pub key: RowKey,
    /// The in-scope cells in the order of the unit's columns; `None` is NULL.
    pub cells: Vec<Option<Original>>,
    /// Which version of the row this is, where the engine can tell.
    pub version: Option<RowVersion>,
    /// Its stamp, where it was asked for one.
    pub stamp: Option<RowStamp>,
}

/// What a row is, told without its cells: which version, and a digest of its in-scope cells under the
/// run's own seed (PostgreSQL: `block 4 | item 2 | xmin 4 | digest 8`). Two equal stamps of one key
/// mean that nothing was written to the row between the two reads.
///
/// The version alone would not do: a server that was restored to an earlier state counts places and
/// transactions a second time, with other values. The digest alone would not do: it has 64 bits, and
/// is not made to withstand somebody who looks for two values that share one.
#[derive(Clone, PartialEq, Eq)]
pub struct RowStamp(pub [u8; Self::BYTES]);

impl RowStamp {
    /// Its length.
    pub const BYTES: usize = 18;
}

// A digest of originals is shown to nobody.
impl std::fmt::Debug for RowStamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RowStamp(..)")
    }
}

/// Names one version of a row (PostgreSQL: `ctid` and `xmin`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowVersion {
    /// The page that it lies on.
    pub block: u32,
    /// Its number on the page.
    pub item: u16,
    /// The number of the transaction that wrote it.
    pub writer: u32,
}

impl RowVersion {
    /// Where it lies, as PostgreSQL writes it.
    #[must_use]
    pub fn place(&self) -> String {
        format!("({},{})", self.block, self.item)
    }
}

impl Row {
    /// Bytes of the cells, by which batches are cut.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.cells.iter().flatten().map(Original::len).sum()
    }

    /// Whether key, types and bytes are the same: the guard's question.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.key == other.key
            && self.cells.len() == other.cells.len()
            && self.cells.iter().zip(&other.cells).all(|pair| match pair {
                (None, None) => true,
                (Some(one), Some(two)) => one.same_as(two),
                _ => false,
            })
    }
}

/// What is to be written to one row: every in-scope cell, also those that stay as they are.
#[derive(Debug)]
pub struct RowWrite {
    /// Which row.
    pub key: RowKey,
    /// The cells in the order of the unit's columns.
    pub cells: Vec<Option<Original>>,
}

/// Bounds of one read: whichever is reached first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Rows.
    pub rows: usize,
    /// Bytes of in-scope cells. One row is always read, however large.
    pub bytes: usize,
}

/// Which rows a walk sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkFilter {
    /// All of them.
    All,
    /// All of them, with stamps where the engine has some.
    Stamped {
        /// What the digests of this run begin from.
        seed: i64,
    },
    /// Those with a cell that neither is NULL nor matches its column's pattern (one `GLOB`
    /// pattern a column; `None`: the column is not looked at). Empty texts pass where kept.
    /// Rows that stand as a batch of the run wrote them may be left out unseen.
    Originals {
        /// Whose batches.
        run: RunId,
        /// One pattern for each of the unit's columns.
        globs: Vec<Option<String>>,
        /// Whether the column keeps `''`, for each of the unit's columns.
        keeps_empty: Vec<bool>,
    },
    /// Those with a cell that matches its column's pattern (one `GLOB` pattern a column; `None`: the
    /// column is not looked at).
    Tokens {
        /// One pattern for each of the unit's columns.
        globs: Vec<Option<String>>,
    },
}

/// Which pass over the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// Originals become tokens.
    Rewrite,
    /// Tokens become originals.
    Rollback,
    /// Originals of single tables come back from the backup.
    Restore,
    /// None: a mark that the run has its tables here, which stands before its first row is written.
    Bound,
}

impl Pass {
    /// The word in cursor rows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Rollback => "rollback",
            Self::Restore => "restore",
            Self::Bound => "bound",
        }
    }
}

/// Names a cursor: a range of a unit in a pass of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CursorId {
    /// The run.
    pub run: RunId,
    /// The pass.
    pub pass: Pass,
    /// The unit.
    pub unit: u16,
    /// The range; a window unit has only range 0.
    pub range: u32,
}

/// Cells and rows that a cursor has counted. They commit with the rows that they count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Rows seen.
    pub rows: u64,
    /// Cells that became tokens (or, on rollback, originals).
    pub tokenized: u64,
    /// Cells that are NULL.
    pub null: u64,
    /// Cells that are empty and stay so by policy.
    pub empty: u64,
    /// Cells that were tokens already.
    pub already_token: u64,
    /// Cells in quarantine.
    pub quarantined: u64,
}

impl Counts {
    /// All cells.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.tokenized + self.null + self.empty + self.already_token + self.quarantined
    }

    /// Adds another count to this one.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.tokenized += other.tokenized;
        self.null += other.null;
        self.empty += other.empty;
        self.already_token += other.already_token;
        self.quarantined += other.quarantined;
    }

    /// The counts by name, for ledger and report.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, u64> {
        [
            ("rows", self.rows),
            ("cells", self.cells()),
            ("tokenized", self.tokenized),
            ("null", self.null),
            ("empty", self.empty),
            ("already_token", self.already_token),
            ("quarantined", self.quarantined),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
    }
}

/// Where a range stands, as the source remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorState {
    /// Raised by whoever takes the range over; a batch of a lower epoch is void.
    pub epoch: u64,
    /// The last key done, or `None` at the start.
    pub position: Option<RowKey>,
    /// Whether the range is finished.
    pub done: bool,
    /// What was counted so far.
    pub counts: Counts,
    /// Size of the vault's ledger when the range was last taken: a smaller one is an older copy.
    pub ledger_size: u64,
}

/// One advance of a cursor; commits with the rows of its batch or not at all.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which cursor.
    pub cursor: CursorId,
    /// The epoch that this worker holds.
    pub epoch: u64,
    /// Where the cursor has to stand.
    pub from: Option<RowKey>,
    /// Where it stands afterwards.
    pub to: Option<RowKey>,
    /// Whether the range is finished with it.
    pub done: bool,
    /// What this batch counts.
    pub counts: Counts,
    /// The batch was made from all rows with `after < key ≤ upto`; `None`: from single rows of a
    /// sweep. The guard compares accordingly.
    pub interval: Option<Interval>,
}

/// Rows with `after < key ≤ upto`; `None` is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// Keys are greater than this one.
    pub after: Option<RowKey>,
    /// Keys are at most this one.
    pub upto: Option<RowKey>,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Rows and cursor are committed.
    Written,
    /// Somebody else holds the range: the batch is void, nothing was written.
    LeaseLost,
    /// A row is no longer what was read: nothing was written, read the batch again.
    Changed,
    /// The database refuses a row (a constraint, a trigger): nothing was written.
    Rejected(Rejection),
}

/// Why the database refuses a row. The text is the engine's, which names objects, not values.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The row, where one row alone is to blame.
    pub key: Option<RowKey>,
    /// What the engine said.
    pub reason: String,
}

/// What became of a window.
#[derive(Debug, PartialEq, Eq)]
pub enum WindowOutcome {
    /// The lock is held and nothing changed since the version that was named.
    Held,
    /// Somebody wrote since; nothing is locked.
    Changed,
}

/// Who a source is: its name in the policy is not enough, once a run has written to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceIdentity {
    /// Random, set at the first batch.
    pub id: String,
    /// The vault that owns the tokens in it, in hex.
    pub vault: String,
}

/// Why a source did not do what was asked. No variant carries a value of the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// There is no such file or server.
    #[error("source `{url}` cannot be opened")]
    Open {
        /// The URL, without a password.
        url: String,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is not a database.
    #[error("source `{url}` is not a database")]
    NotADatabase {
        /// The URL, without a password.
        url: String,
    },
    /// The file is a database that the engine cannot read: cut off, or overwritten in places.
    #[error("source `{url}` is damaged: the engine cannot read its pages")]
    Damaged {
        /// The URL, without a password.
        url: String,
    },
    /// The file or the account may not be written.
    #[error("source `{url}` is read-only")]
    ReadOnly {
        /// The URL, without a password.
        url: String,
    },
    /// Another writer holds the lock.
    #[error("source is locked by another writer (waited {waited_ms} ms)")]
    Locked {
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// There is no room left.
    #[error("no space is left where the source lies")]
    Full,
    /// The source belongs to another vault.
    #[error("source holds tokens of vault `{found}`, and this is vault `{expected}`")]
    OtherVault {
        /// The vault that the source names.
        found: String,
        /// The vault that was opened.
        expected: String,
    },
    /// Anything else that the engine said.
    #[error("source failed while {doing}")]
    Engine {
        /// The step.
        doing: &'static str,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The source holds what Sealift cannot have written.
    #[error("source: {0}")]
    Inconsistent(String),
    /// A statement of the steward's returned more than one value.
    #[error("a check returned more than one value")]
    NotOneValue,
    /// Something that somebody else has to end stands in the way of a purge.
    #[error("the purge is blocked: {blocker}")]
    Blocked {
        /// What it is, by name.
        blocker: String,
        /// How it is ended.
        hint: String,
    },
}

impl SourceError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Locked { .. } | Self::Full | Self::Blocked { .. } => Remedy::RetryLater,
            Self::Open { .. }
            | Self::NotADatabase { .. }
            | Self::ReadOnly { .. }
            | Self::NotOneValue
            | Self::OtherVault { .. } => Remedy::ChangeRequest,
            Self::Damaged { .. } | Self::Engine { .. } | Self::Inconsistent(_) => Remedy::Escalate,
        }
    }
}

/// The database whose sensitive columns move.
///
/// **Invariant:** no original travels in the text of a statement.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads the catalog, without our own objects.
    async fn catalog(&self) -> Result<Catalog, SourceError>;

    /// Reads what the plan has to know about the rows. Writes nothing.
    async fn facts(&self, catalog: &Catalog, policy: &Policy) -> Result<Facts, SourceError>;

    /// Runs a statement of the steward's own that returns one value, read-only, as text.
    ///
    /// # Errors
    ///
    /// [`SourceError::NotOneValue`] where it returns more: what is not compared is not checked.
    async fn check(&self, sql: &str) -> Result<Option<String>, SourceError>;

    /// Reads rows with `after < key ≤ upto` in key order, in one short snapshot.
    async fn walk(
        &self,
        table: &UnitTable,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        limit: Limit,
        filter: &WalkFilter,
    ) -> Result<Vec<Row>, SourceError>;

    /// Reads so many rows with `after < key ≤ upto` in key order, in one short snapshot: their keys,
    /// versions and stamps, and no cells. `None` where there are no stamps: rows are walked then.
    async fn stamps(
        &self,
        _table: &UnitTable,
        _after: Option<&RowKey>,
        _upto: Option<&RowKey>,
        _rows: usize,
        _seed: i64,
    ) -> Result<Option<Vec<Row>>, SourceError> {
        Ok(None)
    }

    /// A number that changes when somebody else commits to the source, and may change at our own
    /// commits too.
    async fn version(&self) -> Result<i64, SourceError>;

    /// Makes our cursor tables where they are missing, and binds the source to the vault.
    async fn prepare(&self, identity: &SourceIdentity) -> Result<(), SourceError>;

    /// Who the source is, where a run has written to it.
    async fn identity(&self) -> Result<Option<SourceIdentity>, SourceError>;

    /// Takes a range: raises its epoch in a transaction of its own and returns where it stands.
    async fn take(&self, cursor: CursorId, ledger_size: u64) -> Result<CursorState, SourceError>;

    /// As [`Source::take`], with the epoch of a lease; `None` where somebody has taken the range
    /// since under a later one.
    async fn take_as(
        &self,
        cursor: CursorId,
        epoch: u64,
        ledger_size: u64,
    ) -> Result<Option<CursorState>, SourceError>;

    /// Reads every cursor of a run's pass, taking none: (unit, range, state).
    async fn cursors(
        &self,
        run: RunId,
        pass: Pass,
    ) -> Result<Vec<(u16, u32, CursorState)>, SourceError>;

    /// What the engine itself can say of the soundness of some tables: what is asked, and an answer
    /// that has to be the same before and after a run. It names objects and counts, and no value.
    async fn integrity(&self, _tables: &[TableName]) -> Result<Vec<(String, String)>, SourceError> {
        Ok(Vec::new())
    }

    /// In which transactions runs of ours have written rows, as row versions name them, by the notes
    /// that commit with the rows; `None` where the engine has no versions, or notes of one of these
    /// ranges (unit, range) of the run are missing. A version that is not among them is somebody
    /// else's.
    async fn own_writers(
        &self,
        _run: RunId,
        _ranges: &[(u16, u32)],
    ) -> Result<Option<HashSet<u32>>, SourceError> {
        Ok(None)
    }

    /// The largest ledger that any cursor has seen, of whatever run: a vault with a smaller one is
    /// an older copy. 0 where there is no cursor.
    async fn ledger_seen(&self) -> Result<u64, SourceError>;

    /// Writes one batch: cursor first, then the guard, then the rows, in one transaction.
    ///
    /// `read` is what the batch was made from, and `version` what [`Source::version`] gave before
    /// it was read: where it still holds, nobody else has written and the rows need no re-read.
    async fn write(
        &self,
        table: &UnitTable,
        step: &Step,
        read: &[Row],
        writes: &[RowWrite],
        version: i64,
    ) -> Result<WriteOutcome, SourceError>;

    /// Takes the write lock over some tables for a window, if nobody has written since `version`;
    /// without one, takes it whoever has written what. An engine that cannot tell whether somebody
    /// has written says that somebody did.
    async fn window(
        &self,
        tables: &[UnitTable],
        version: Option<i64>,
    ) -> Result<(WindowOutcome, Option<Box<dyn SourceWindow>>), SourceError>;

    /// Takes a table for a rebuild: nobody else reads or writes it until the end of it.
    async fn rebuild(&self, table: &UnitTable) -> Result<Box<dyn SourceRebuild>, SourceError> {
        Err(SourceError::Inconsistent(format!(
            "`{}` cannot be rebuilt on this engine",
            table.table
        )))
    }

    /// Gives columns the types that their changes say, all in one transaction; `false` where they
    /// have them already. What reads the columns comes back as it was.
    async fn fit(&self, changes: &[ColumnChange], to: FitTo) -> Result<bool, SourceError> {
        if changes.is_empty() {
            return Ok(false);
        }
        Err(SourceError::Inconsistent(format!(
            "types of columns are not changed on this engine (asked for {to:?})"
        )))
    }

    /// Removes every object of ours.
    async fn remove_traces(&self) -> Result<(), SourceError>;

    /// Takes the source for a purge of these tables: nobody else writes them until
    /// [`Source::release`].
    async fn seize(&self, tables: &[TableName]) -> Result<(), SourceError>;

    /// Rewrites the files so that they hold nothing but what SQL sees: full-text indexes over these
    /// tables, statistics, free pages, logs and journals. Waits as long as `patience` for others who
    /// still see what was there before.
    async fn scrub(
        &self,
        tables: &[TableName],
        patience: std::time::Duration,
    ) -> Result<Scrubbed, SourceError>;

    /// Lets go of a source that was seized.
    async fn release(&self) -> Result<(), SourceError>;

    /// Has the server remove its log of changes as far as it was written before the rewrite. Nothing
    /// can be restored to a moment before it afterwards. Returns what was done; nothing where the
    /// engine keeps no such log.
    async fn retire_log(&self) -> Result<Vec<ScrubStep>, SourceError> {
        Ok(Vec::new())
    }

    /// Scans the files of the source, byte by byte, for what the filter was built from, and beside
    /// them the files at and below the paths that are named.
    async fn scan(
        &self,
        filter: &Filter,
        digest_key: [u8; 32],
        originals: &(dyn Originals + Sync),
        depth: ScanDepth,
        named: &[String],
    ) -> Result<ScanReport, SourceError>;

    /// Takes the pages of the files apart, or of those of these tables where each has its own: is
    /// every unused byte zero? `None` where the files are not understood or cannot be read.
    async fn structure(&self, tables: &[TableName]) -> Result<Option<PageFacts>, SourceError>;

    /// Copies of these tables that lie elsewhere, as far as the source knows: who replays or keeps its
    /// log of changes, who is subscribed to them.
    async fn elsewhere(&self, _tables: &[TableName]) -> Result<Vec<ShownCopy>, SourceError> {
        Ok(Vec::new())
    }

    /// Another session with the same source, for another worker; `None` where there is one writer.
    async fn another(&self) -> Result<Option<Arc<dyn Source>>, SourceError> {
        Ok(None)
    }

    /// A session that reads while this one writes, and the version as of which that is sound: our
    /// writes change no rows but those that they name, and do not wait for the reads. `None` where it
    /// is not so.
    async fn beside(&self) -> Result<Option<(i64, Arc<dyn Source>)>, SourceError> {
        Ok(None)
    }

    /// Does what a batch leaves to be done and what would otherwise fall to the next who writes.
    async fn tidy(&self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Gives back what it keeps in memory, while others work.
    async fn rest(&self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Whether every row is what it was when this session read that version, or what our own batches
    /// have written to it since; `false` where that is not known.
    async fn is_untouched_since(&self, _version: i64) -> Result<bool, SourceError> {
        Ok(false)
    }

    /// Whether any row may be one that a walk with this filter would bring; `true` where only the walk
    /// itself can say it.
    async fn may_hold(
        &self,
        _table: &UnitTable,
        _filter: &WalkFilter,
    ) -> Result<bool, SourceError> {
        Ok(true)
    }

    /// The key of the row that is so many rows behind a key; `None` where there are not as many.
    async fn cut(
        &self,
        _table: &UnitTable,
        _after: Option<&RowKey>,
        _rows: u64,
    ) -> Result<Option<RowKey>, SourceError> {
        Ok(None)
    }

    /// What our work costs others just now. An error means that it cannot be known.
    async fn pressure(&self, _tables: &[TableName]) -> Result<Pressure, SourceError> {
        Ok(Pressure::default())
    }

    /// What sessions of ours wait for just now.
    async fn waits(&self) -> Result<Vec<Wait>, SourceError> {
        Ok(Vec::new())
    }

    /// How long the last COMMIT of this session took.
    fn commit_took(&self) -> Option<Duration> {
        None
    }

    /// Takes what the engine keeps of frequent values anew, so that others' queries are planned for
    /// what the tables hold now. Returns the tables that were left as they were, and why.
    async fn renew_statistics(
        &self,
        _tables: &[TableName],
    ) -> Result<Vec<(TableName, String)>, SourceError> {
        Ok(Vec::new())
    }

    /// Ends the sessions that a dead process has left on the server.
    async fn evict(&self, _worker: &str) -> Result<(), SourceError> {
        Ok(())
    }

    /// Opens a reader of samples, which writes nothing and may be used beside everything else.
    async fn sampler(&self) -> Result<Box<dyn Sampler>, SourceError> {
        Err(SourceError::Inconsistent("rows of this engine cannot be sampled yet".to_owned()))
    }

    /// Shows every value of the text and blob columns that are not in scope.
    async fn uncovered(
        &self,
        policy: &Policy,
        visitor: &mut dyn Visitor,
    ) -> Result<(), SourceError>;
}

/// What a column's type shall have room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitTo {
    /// Tokens: the type that the plan has chosen.
    Tokens,
    /// Originals: the type that was there before the run.
    Originals,
}

/// How far a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanDepth {
    /// Until a first round of hits is confirmed (some 100,000 candidates): enough to show that
    /// the scan finds what is there. Its counts are at-least figures.
    Control,
    /// To the end of every file.
    Whole,
}

/// Looks at values one by one.
pub trait Visitor: Send {
    /// Looks at one; it is gone afterwards.
    fn visit(&mut self, column: &ColumnName, original: &Original);
}

/// The originals of a run, streamed anew each time: a scan never keeps a list of them.
pub trait Originals {
    /// Shows each of them once.
    fn each(
        &self,
        visit: &mut dyn FnMut(&Original),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// A copy of a source that lies elsewhere, as the source shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownCopy {
    /// What it is.
    pub kind: CopyKind,
    /// What the source calls it.
    pub name: String,
    /// What the source knows of it.
    pub shown: String,
}

/// What became of a purge's rewrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// What was done, in order.
    pub steps: Vec<ScrubStep>,
    /// Rows that others have written since the lock of the verification ended; where there are any,
    /// what was verified is verified again.
    pub written_since: u64,
}

/// A table that is filled anew, in one transaction that ends with [`SourceRebuild::commit`]. Dropped
/// without it, nothing has happened.
#[async_trait]
pub trait SourceRebuild: Send {
    /// Reads rows with `after < key ≤ upto` in key order. Every row is read, and each once.
    async fn walk(
        &mut self,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        limit: Limit,
    ) -> Result<Vec<Row>, SourceError>;

    /// As [`Source::stamps`]. A batch that is not as it was backed up is walked instead.
    async fn stamps(
        &mut self,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        rows: usize,
        seed: i64,
    ) -> Result<Option<Vec<Row>>, SourceError>;

    /// Takes the cells of rows that were just read, as they are to be; the others stay as they are.
    /// Every row is handed over once, also where nothing of it is written: they are counted here.
    async fn write(&mut self, read: &[Row], writes: &[RowWrite]) -> Result<(), SourceError>;

    /// Fills the table anew, moves the cursors and commits.
    async fn commit(self: Box<Self>, steps: &[Step]) -> Result<WriteOutcome, SourceError>;

    /// Gives everything back as it was.
    async fn abandon(self: Box<Self>) -> Result<(), SourceError>;
}

/// The source under its write lock: one transaction that ends with [`SourceWindow::commit`].
/// Dropped without it, nothing has happened.
#[async_trait]
pub trait SourceWindow: Send {
    /// As [`Source::walk`], inside the transaction.
    async fn walk(
        &mut self,
        table: &UnitTable,
        after: Option<&RowKey>,
        limit: Limit,
    ) -> Result<Vec<Row>, SourceError>;

    /// Writes rows; constraints that can be deferred are.
    async fn write(
        &mut self,
        table: &UnitTable,
        writes: &[RowWrite],
    ) -> Result<Option<Rejection>, SourceError>;

    /// Moves the cursor and commits.
    async fn commit(self: Box<Self>, step: &Step) -> Result<WriteOutcome, SourceError>;

    /// Gives everything back as it was.
    async fn abandon(self: Box<Self>) -> Result<(), SourceError>;
}
