//! What the work needs from the world: a source, a vault, a place for encrypted files.
//!
//! `run` and `serve` are written against these traits; `engine` and `backup` implement them. This
//! room holds no behaviour, and knows no engine.

mod archive;
mod files;
mod lease;
mod pressure;
mod progress;
mod rehearsal;
mod rows;
mod sample;
mod scratch;
mod source;
mod vault;

pub use crate::ledger::{PageFacts, ScrubStep};
pub use archive::{
    ARCHIVE_TABLES, ArchiveCell, ArchiveError, ArchiveSink, ArchiveTable, CellKind, NOT_COPIED,
    VaultCopies, VaultCopy, VaultRebuild,
};
pub use files::{BackupError, BackupStore, FileSeal, PlainReader, RecordReader, RecordWriter};
pub use lease::{
    Beat, CutState, Holder, Lease, Piece, PieceCounts, Rate, RunState, Task, WorkerRow,
};
pub use pressure::{Held, Pressure, ReplicaLag, RetainedWal, Wait};
pub use progress::{Progress, Silent};
pub use rehearsal::{Copied, CopyError, SourceCopy, TableStanding};
pub use rows::{
    ApprovalRow, BlindRow, CallerRow, CheckRow, Condition, CredentialUse, DomainRow, EntryRow,
    FileKind, FileRow, IntakeRow, KeyRow, LoadCursor, Looked, PurposeRow, QuarantineRow,
    QuarantineState, Quota, RangeRow, RunRow, SealedReason, SegmentRow, SlotRow, Taken, ToldRow,
    UnlockRow, VaultHeader,
};
pub use sample::{
    SAMPLE_BYTES_MAX, SAMPLE_BYTES_READ_MAX, SampleExtent, SampleRow, SampleSize, Sampler,
};
pub use scratch::{Scratch, ScratchError, ScratchTable};
pub use source::{
    Counts, CursorId, CursorState, FitTo, Interval, Limit, Originals, Pass, Rejection, Row,
    RowStamp, RowVersion, RowWrite, ScanDepth, Scrubbed, ShownCopy, Source, SourceError,
    SourceIdentity, SourceRebuild, SourceWindow, Step, Visitor, WalkFilter, WindowOutcome,
    WriteOutcome,
};
pub use vault::{Change, VAULT_FORMAT, Vault, VaultError, check_format};

/// What a program should do about an error, so that nobody has to read its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Try again later; nothing is wrong but the moment.
    RetryLater,
    /// Change what was asked.
    ChangeRequest,
    /// Somebody has to look at it.
    Escalate,
}
