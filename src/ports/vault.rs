//! The vault: where sealed values, keys, runs and the ledger live.

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;

use super::rows::{
    ApprovalRow, BlindRow, CallerRow, CheckRow, Condition, CredentialUse, DomainRow, EntryRow,
    FileKind, FileRow, IntakeRow, KeyRow, LoadCursor, Looked, PurposeRow, QuarantineRow, Quota,
    RangeRow, RunRow, SealedReason, SegmentRow, SlotRow, Taken, ToldRow, UnlockRow, VaultHeader,
};
use super::{
    ArchiveError, ArchiveSink, Beat, CutState, Holder, Lease, Piece, PieceCounts, Rate, Remedy,
    RunState, Task, WorkerRow,
};
use crate::ledger::{ApprovalKind, Draft, Entry, Head};
use crate::lifecycle::{Event, Phase, RunId};
use crate::token::{DomainId, TokenBody};
use crate::value::RowKey;

/// One change of the vault's tables. Changes commit together with their ledger entries.
#[derive(Debug, Clone)]
pub enum Change {
    /// Adds or replaces a slot.
    PutSlot(SlotRow),
    /// Notes that a slot opened the vault.
    SlotOpened {
        /// The slot.
        slot: u32,
        /// When.
        at: String,
    },
    /// Removes a slot.
    RemoveSlot(u32),
    /// Adds or replaces a key.
    PutKey(KeyRow),
    /// Replaces the key check (the root key changed).
    PutKeyCheck(Vec<u8>),
    /// Adds a domain.
    PutDomain(DomainRow),
    /// Adds or replaces a caller.
    PutCaller(CallerRow),
    /// Adds or replaces a purpose.
    PutPurpose(PurposeRow),
    /// Adds or replaces an unlock.
    PutUnlock(UnlockRow),
    /// Takes a purpose out of force.
    RemovePurpose(String),
    /// Adds a run in phase `planned`, and claims its columns.
    InsertRun(Box<RunRow>, Vec<String>),
    /// Removes a run that is still `planned`, with its claims.
    RemoveRun(RunId),
    /// Moves a run along: refused where its phase is not `from`.
    Advance {
        /// The run.
        run: RunId,
        /// The phase it has to be in.
        from: Phase,
        /// What happened.
        event: Event,
    },
    /// Sets or lifts a condition.
    SetCondition {
        /// The run.
        run: RunId,
        /// The condition.
        condition: Option<Condition>,
        /// What is said about it.
        reason: String,
    },
    /// Remembers what a verification found.
    SetVerified {
        /// The run.
        run: RunId,
        /// The verified digest.
        digest: Option<String>,
    },
    /// Sets how many rows a second a run rewrites at most, whatever its policy says.
    SetRate {
        /// The run.
        run: RunId,
        /// The rate.
        rate: Rate,
    },
    /// A piece of work is done. Void where the lease is lost.
    PieceDone(Lease),
    /// A backup's piece ends earlier than it was cut: what is left of it, behind this key, becomes a
    /// piece of its own that anybody may take.
    SplitPiece(Lease, RowKey),
    /// Adds a piece of work that anybody may take. One that is there stays as it is.
    AddPiece(Piece),
    /// Adds a signature.
    PutApproval(ApprovalRow),
    /// Removes the signatures of one kind.
    VoidApprovals(RunId, ApprovalKind),
    /// Adds a range and its backup file.
    PutRange(RunId, RangeRow),
    /// Adds a finished file.
    PutFile(RunId, FileRow),
    /// Removes the record of a run's files of one kind.
    ForgetFiles(RunId, FileKind),
    /// Closes a segment.
    CloseSegment(SegmentRow),
    /// Adds or replaces a quarantined row.
    PutQuarantine(RunId, QuarantineRow),
    /// Adds or replaces the answer of a check.
    PutCheck(RunId, CheckRow),
    /// Keeps a sealed reason under its digest.
    PutReason {
        /// SHA-256 over salt and reason, in hex.
        digest: String,
        /// The sealed salt and reason.
        sealed: Vec<u8>,
    },
    /// Erases sealed reasons: their digests on the ledger confirm no guess from then on.
    EraseReasons(Vec<String>),
    /// The ledger has another key from now on: its verifier key, as text.
    PutVerifierKey(String),
    /// Remembers what a place outside was told: entries, or a checkpoint, up to a size.
    PutTold(ToldRow),
    /// Keeps a checkpoint.
    PutCheckpoint {
        /// The size of the ledger that it signs.
        size: u64,
        /// The signed note.
        note: String,
    },
    /// Removes intake rows of one writer that are in the tree now: refused where they are not all
    /// there, so that what two processes read becomes entries once.
    IntakeDone {
        /// Who wrote them.
        writer: String,
        /// The numbers of the rows.
        rows: Vec<u64>,
        /// The number of the last record in them.
        through: u64,
    },
}

/// Why a vault did not do what was asked. No variant carries a value, a key or a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// There is no vault there.
    #[error("vault `{url}` cannot be opened")]
    Open {
        /// The URL, without a password.
        url: String,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is a database without a vault in it.
    #[error("`{url}` holds no vault")]
    NoVault {
        /// The URL, without a password.
        url: String,
    },
    /// There is a vault already.
    #[error("`{url}` holds a vault already")]
    Exists {
        /// The URL, without a password.
        url: String,
    },
    /// The vault was written by a newer Sealift.
    #[error("vault has format {found}, and this program knows formats up to {known}")]
    Newer {
        /// The vault's format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The vault was written by a Sealift of before the first release.
    #[error(
        "vault has format {found}, which no release has written; this program knows format {known}"
    )]
    Older {
        /// The vault's format.
        found: u32,
        /// The one that is known.
        known: u32,
    },
    /// Another process works on the vault.
    #[error("vault is locked by another process (waited {waited_ms} ms)")]
    Locked {
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// There is no room left.
    #[error("no space is left where the vault lies")]
    Full,
    /// The vault's file is not the one that was opened; nothing was written.
    #[error("the file of vault `{url}` was moved, deleted or replaced while it was open")]
    Moved {
        /// The URL, without a password.
        url: String,
    },
    /// The run moved on meanwhile.
    #[error("run `{run}` is not in phase `{expected}` any more")]
    PhaseMoved {
        /// The run.
        run: RunId,
        /// The phase it was expected in.
        expected: Phase,
    },
    /// Another open run works on a column.
    #[error("column `{column}` belongs to run `{run}`, which is open")]
    ColumnTaken {
        /// The column.
        column: String,
        /// The run.
        run: String,
    },
    /// A blind index entry exists already: the file has to be drawn again.
    #[error("another token stands for a value already")]
    BlindTaken,
    /// Another process has taken over the piece of work: nothing was written.
    #[error("another process has taken over range {range} of unit {unit}")]
    LeaseLost {
        /// The unit.
        unit: u16,
        /// The range.
        range: u32,
    },
    /// A process works on another run of the vault.
    #[error("process {pid} on `{host}` works on run `{run}` of this vault")]
    RunAtWork {
        /// The run.
        run: RunId,
        /// The machine.
        host: String,
        /// The process.
        pid: u32,
    },
    /// Another process put these intake rows into the tree already; nothing was changed.
    #[error("requests that wait are in the ledger already")]
    IntakeMoved,
    /// Some tokens of a batch are in the vault already; nothing of it was added.
    #[error("tokens of the batch are in the vault already")]
    EntriesTaken,
    /// A row cannot be what Sealift wrote.
    #[error("vault: {0}")]
    Inconsistent(String),
    /// Anything else that the engine said.
    #[error("vault failed while {doing}")]
    Engine {
        /// The step.
        doing: &'static str,
        /// What the engine said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl VaultError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Locked { .. }
            | Self::Full
            | Self::PhaseMoved { .. }
            | Self::BlindTaken
            | Self::LeaseLost { .. }
            | Self::RunAtWork { .. }
            | Self::IntakeMoved
            | Self::EntriesTaken => Remedy::RetryLater,
            Self::Open { .. }
            | Self::NoVault { .. }
            | Self::Exists { .. }
            | Self::Moved { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::ColumnTaken { .. } => Remedy::ChangeRequest,
            Self::Inconsistent(_) | Self::Engine { .. } => Remedy::Escalate,
        }
    }
}

/// The format of a vault that this program writes and reads, on every engine. Before 2, the roots of
/// segments were made of other leaves.
pub const VAULT_FORMAT: u32 = 2;

/// Refuses a vault of another format than this program's.
///
/// # Errors
///
/// [`VaultError::Newer`] or [`VaultError::Older`].
pub fn check_format(found: u32) -> Result<(), VaultError> {
    match found.cmp(&VAULT_FORMAT) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(VaultError::Newer { found, known: VAULT_FORMAT }),
        Ordering::Less => Err(VaultError::Older { found, known: VAULT_FORMAT }),
    }
}

/// Where sealed values, keys, runs and the ledger live.
///
/// **Invariant:** what [`Vault::commit`] and the bulk methods return `Ok` for is durable.
#[async_trait]
pub trait Vault: Send + Sync {
    /// Which vault this is.
    async fn header(&self) -> Result<VaultHeader, VaultError>;

    /// Applies changes and appends their ledger entries in one transaction; the ledger's head is
    /// locked last. Returns the head after it. The vault fills in the time, the program and the
    /// phases before and after, so that an entry cannot say something else than the tables do.
    async fn commit(&self, changes: Vec<Change>, drafts: Vec<Draft>) -> Result<Head, VaultError>;

    /// Every slot.
    async fn slots(&self) -> Result<Vec<SlotRow>, VaultError>;

    /// Every key, destroyed ones too.
    async fn keys(&self) -> Result<Vec<KeyRow>, VaultError>;

    /// Every domain.
    async fn domains(&self) -> Result<Vec<DomainRow>, VaultError>;

    /// Every caller, revoked ones too.
    async fn callers(&self) -> Result<Vec<CallerRow>, VaultError>;

    /// Every purpose in force.
    async fn purposes(&self) -> Result<Vec<PurposeRow>, VaultError>;

    /// Every unlock, ended ones too.
    async fn unlocks(&self) -> Result<Vec<UnlockRow>, VaultError>;

    /// Every run, oldest first.
    async fn runs(&self) -> Result<Vec<RunRow>, VaultError>;

    /// The signatures under a run.
    async fn approvals(&self, run: RunId) -> Result<Vec<ApprovalRow>, VaultError>;

    /// The ranges of a run, by unit and number.
    async fn ranges(&self, run: RunId) -> Result<Vec<RangeRow>, VaultError>;

    /// The finished files of a run; increments by epoch and number.
    async fn files(&self, run: RunId) -> Result<Vec<FileRow>, VaultError>;

    /// Those of some ranges of a unit, in the same order. A large run has ten thousands of files, and
    /// each of its pieces asks for a few.
    async fn files_of(
        &self,
        run: RunId,
        unit: u16,
        ranges: &[u32],
    ) -> Result<Vec<FileRow>, VaultError>;

    /// The quarantined rows of a run.
    async fn quarantine(&self, run: RunId) -> Result<Vec<QuarantineRow>, VaultError>;

    /// The answers of a run's checks.
    async fn checks(&self, run: RunId) -> Result<Vec<CheckRow>, VaultError>;

    /// Records a finished token file and stage file of a backup file, with the blind index entries
    /// of its `dedupe` columns.
    ///
    /// # Errors
    ///
    /// [`VaultError::BlindTaken`] where one of them exists with another token; nothing is recorded.
    async fn record_seal(
        &self,
        run: RunId,
        files: Vec<FileRow>,
        blind: Vec<BlindRow>,
    ) -> Result<(), VaultError>;

    /// Brings everything that is committed into the vault's own file and empties its log, so that
    /// nothing that was removed survives there.
    async fn settle(&self) -> Result<(), VaultError>;

    /// How much room the vault takes on disk; `None` where the engine does not tell.
    async fn bytes(&self) -> Result<Option<u64>, VaultError> {
        Ok(None)
    }

    /// Where the load of a run stands, made on first use.
    async fn load_cursor(&self, run: RunId) -> Result<LoadCursor, VaultError>;

    /// Adds entries in token order and moves the load's cursor, in one transaction. Entries whose
    /// token exists already are left out and returned, for the caller to open and compare.
    ///
    /// What is added may be read only when the load is done: until then it may lie aside.
    async fn load(
        &self,
        run: RunId,
        entries: &[EntryRow],
        next: &LoadCursor,
    ) -> Result<Vec<EntryRow>, VaultError>;

    /// Adds single entries (an increment's, `tokenize`'s) with their blind index entries and the
    /// record of the increment they come from, in one transaction. Entries whose token exists
    /// already are left out and returned as the vault has them.
    async fn insert(
        &self,
        run: Option<RunId>,
        entries: &[EntryRow],
        blind: &[BlindRow],
        file: Option<FileRow>,
    ) -> Result<Vec<EntryRow>, VaultError>;

    /// Looks tokens up; one answer a token, in order.
    async fn entries(
        &self,
        domain: DomainId,
        tokens: &[TokenBody],
    ) -> Result<Vec<Option<EntryRow>>, VaultError>;

    /// Looks tokens up as [`Vault::entries`] does, but of an entry whose envelope is larger than
    /// `bytes_max` only says how large it is.
    async fn entries_within(
        &self,
        domain: DomainId,
        tokens: &[TokenBody],
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, VaultError>;

    /// Looks values up in the blind index; one answer a digest, in order.
    async fn blind(
        &self,
        domain: DomainId,
        digests: &[[u8; 16]],
    ) -> Result<Vec<Option<TokenBody>>, VaultError>;

    /// Reads entries in (domain, token) order, after the one given: so many, or fewer where they are
    /// large. None are left where none come.
    async fn scan(
        &self,
        after: Option<(DomainId, TokenBody)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, VaultError>;

    /// Every segment.
    async fn segments(&self) -> Result<Vec<SegmentRow>, VaultError>;

    /// Sealed reasons by their digests, in order; `None` where one was erased.
    async fn reasons(&self, digests: &[String]) -> Result<Vec<Option<Vec<u8>>>, VaultError>;

    /// Notes when credentials were used. A note and no evidence: what was asked is on the ledger.
    async fn note_uses(&self, uses: Vec<CredentialUse>) -> Result<(), VaultError>;

    /// When credentials were last used, as far as that was noted.
    async fn credential_uses(&self) -> Result<Vec<CredentialUse>, VaultError>;

    /// A caller's reason, sealed; `None` where it was erased, or never was.
    async fn reason(&self, digest: &str) -> Result<Option<Vec<u8>>, VaultError>;

    /// What places outside were told so far.
    async fn told(&self) -> Result<Vec<ToldRow>, VaultError>;

    /// Counts the changes of rows that grant (callers, purposes, domains, keys): what was read
    /// stands as long as this number does.
    async fn grants_version(&self) -> Result<u64, VaultError>;

    /// Writes the record of requests and their sealed reasons, durable before it returns. It is
    /// tried once: where it fails, it may be there or not.
    async fn intake(&self, row: IntakeRow, reasons: Vec<SealedReason>) -> Result<(), VaultError>;

    /// The oldest requests that are not in the tree yet, by writer and number.
    async fn intake_rows(&self, limit: usize) -> Result<Vec<IntakeRow>, VaultError>;

    /// The last number of a writer that is in the tree; 0 where there is none.
    async fn intake_through(&self, writer: &str) -> Result<u64, VaultError>;

    /// Whether this process is the one that puts requests into the tree. It stays so until its
    /// connection ends.
    async fn leads_intake(&self) -> Result<bool, VaultError>;

    /// Counts `count` tokens against limits, all or none of them.
    async fn take_quota(&self, quotas: &[Quota], count: u64) -> Result<Taken, VaultError>;

    /// The ledger's head.
    async fn head(&self) -> Result<Head, VaultError>;

    /// Ledger entries from `from`, as they were stored.
    async fn ledger(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, VaultError>;

    /// Ledger entries of a run, parsed.
    async fn ledger_of(&self, run: RunId) -> Result<Vec<Entry>, VaultError>;

    /// Ledger entries about callers, parsed, oldest first.
    async fn ledger_of_callers(&self) -> Result<Vec<Entry>, VaultError>;

    /// Ledger entries about purposes that were changed without a run, parsed, oldest first.
    async fn ledger_of_policies(&self) -> Result<Vec<Entry>, VaultError>;

    /// The newest checkpoint.
    async fn newest_checkpoint(&self) -> Result<Option<(u64, String)>, VaultError>;

    /// Checkpoints, by size.
    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, VaultError>;

    /// Another session with the same vault, for another worker; `None` where all share one.
    async fn another(&self) -> Result<Option<Arc<dyn Vault>>, VaultError> {
        Ok(None)
    }

    /// From now on every transaction of this session that writes asks first whether this lease is
    /// still its holder's, and is void where it is not.
    fn hold(&self, _lease: Option<Lease>) {}

    /// What a batch has to know of its run before it begins.
    async fn run_state(&self, run: RunId) -> Result<RunState, VaultError>;

    /// Enters a process among those at work on its run, or enters it again.
    ///
    /// # Errors
    ///
    /// [`VaultError::RunAtWork`] where a process that lives works on another run.
    async fn enter(&self, worker: &WorkerRow, lease_ms: u64) -> Result<(), VaultError>;

    /// Renews every lease of a process, and keeps what it tells. Returns how many processes are at
    /// work on its run, or 0 where it was taken for dead and is not among them any more.
    async fn beat(&self, worker: &str, lease_ms: u64, beat: &Beat) -> Result<u64, VaultError>;

    /// Takes a process out, and frees what it holds: it leaves, or it is known to be dead. Of a dead
    /// one the sessions that the server still keeps are ended too.
    async fn evict(&self, worker: &str) -> Result<(), VaultError>;

    /// The processes at work on runs.
    async fn workers(&self) -> Result<Vec<WorkerRow>, VaultError>;

    /// Adds pieces where they are missing; the epoch of each is at least the one beside it.
    async fn add_pieces(&self, pieces: &[(Piece, u64)]) -> Result<(), VaultError>;

    /// Takes a piece that nobody holds, or whose holder was not heard of in time.
    async fn take_piece(
        &self,
        run: RunId,
        task: Task,
        holder: &Holder,
        lease_ms: u64,
    ) -> Result<Option<Lease>, VaultError>;

    /// Where the cutting of a table stands.
    async fn cut_state(&self, run: RunId, unit: u16, table: u16) -> Result<CutState, VaultError>;

    /// Adds the next range of a table's backup, behind the one that is the last so far, and takes
    /// it. `None` where somebody else was first.
    async fn cut_piece(
        &self,
        piece: &Piece,
        after: Option<u32>,
        holder: &Holder,
        lease_ms: u64,
    ) -> Result<Option<Lease>, VaultError>;

    /// Gives a piece back, undone.
    async fn give_back(&self, lease: &Lease) -> Result<(), VaultError>;

    /// Where the pieces of a task stand.
    async fn pieces(&self, run: RunId, task: Task) -> Result<PieceCounts, VaultError>;

    /// Raises the epoch of every piece of a run: nobody holds anything any more.
    async fn fence(&self, run: RunId) -> Result<(), VaultError>;

    /// Hands out every row of every table as of one moment, for a copy of the vault.
    async fn copy_out(&self, sink: &mut dyn ArchiveSink) -> Result<(), ArchiveError>;
}
