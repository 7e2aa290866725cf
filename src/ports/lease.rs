//! Who works on a run: processes, and the leases on pieces of its work that they hold.
//!
//! A lease is a row of the vault with an epoch that only grows. What it fences is said in
//! `docs/PROTOCOL.md`, section 13.

use crate::lifecycle::{Phase, RunId};
use crate::ports::Condition;
use crate::value::RowKey;

/// What is done with a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Originals of a range into a file.
    Backup,
    /// A file into the vault.
    Seal,
    /// Tokens into a range.
    Rewrite,
    /// Everything that exactly one process may do: windows, sweeps, the load, changes of phase.
    Alone,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 4] = [Self::Backup, Self::Seal, Self::Rewrite, Self::Alone];

    /// The word in the vault.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Seal => "seal",
            Self::Rewrite => "rewrite",
            Self::Alone => "alone",
        }
    }
}

/// A piece of a run's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The run.
    pub run: RunId,
    /// What is done.
    pub task: Task,
    /// The unit.
    pub unit: u16,
    /// The table within the unit.
    pub table: u16,
    /// The range.
    pub range: u32,
    /// What a backup begins behind; nothing elsewhere.
    pub lower: Option<RowKey>,
    /// What a backup ends with; `None`: open above. Nothing elsewhere.
    pub upper: Option<RowKey>,
}

/// The right to do a piece of work, until it is not renewed any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The piece.
    pub piece: Piece,
    /// How often the piece was taken: whoever holds a smaller one holds nothing.
    pub epoch: u64,
    /// Whose it is.
    pub holder: Holder,
}

/// One worker of a process: it holds one lease at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The process, as [`WorkerRow::worker`] names it.
    pub worker: String,
    /// The worker's number within the process.
    pub slot: u32,
}

/// A process at work on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRow {
    /// Its name: random, new for each process, and the application name of its sessions.
    pub worker: String,
    /// The run.
    pub run: RunId,
    /// Which machine it runs on, so that only a process of the same one judges whether it lives.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// What tells it from another process that was given the same number later.
    pub born: String,
    /// When it began to work on the run.
    pub since: String,
    /// What it is doing.
    pub doing: String,
    /// What it waits for; empty: nothing.
    pub waits: String,
    /// Whether it was heard of within a lease's time.
    pub is_live: bool,
}

/// What a process tells of itself while it works.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// What it is doing.
    pub doing: String,
    /// What it waits for; empty: nothing.
    pub waits: String,
}

/// The rows a second that somebody set while the run was at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// As fast as it goes.
    Unlimited,
    /// So many.
    RowsPerS(u64),
}

impl Rate {
    /// The limit, where there is one.
    #[must_use]
    pub fn limit(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::RowsPerS(rows) => Some(rows),
        }
    }
}

/// What a batch has to know of its run before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunState {
    /// Where it stands.
    pub phase: Phase,
    /// Why it does not go on.
    pub condition: Option<Condition>,
    /// What was set by hand; `None`: what the policy says.
    pub rate: Option<Rate>,
}

/// Where the pieces of a task stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PieceCounts {
    /// Pieces that are not done, whoever holds them.
    pub open: u64,
    /// Pieces that are done.
    pub done: u64,
}

/// Where the cutting of a table into ranges stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CutState {
    /// No range of it was cut.
    Untouched {
        /// The next free number of the unit.
        next: u32,
    },
    /// The last cut ended here.
    Upto {
        /// The range that is the last so far.
        last: u32,
        /// Its end.
        upper: RowKey,
        /// The next free number of the unit.
        next: u32,
    },
    /// The last range is open above: there is nothing to cut.
    Whole,
}
