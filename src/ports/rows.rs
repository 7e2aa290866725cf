//! The rows of a vault, as they are stored.
//!
//! What they mean, and whether a MAC holds, is decided by whoever reads them.

use super::FileSeal;
use crate::crypto::VaultId;
use crate::ledger::ApprovalKind;
use crate::lifecycle::{Phase, RunId};
use crate::token::{DomainId, TokenBody};
use crate::value::{RowKey, ValueType};

/// Which vault this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultHeader {
    /// Its id.
    pub vault: VaultId,
    /// The version of the vault's format.
    pub format: u32,
    /// When it was made.
    pub created_at: String,
    /// What refuses the wrong root key.
    pub key_check: Vec<u8>,
    /// The name of the ledger in its checkpoints.
    pub origin: String,
    /// The ledger's public key, in the form of a signed note's verifier key.
    pub verifier_key: String,
}

/// A way to unlock the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRow {
    /// Its number.
    pub slot: u32,
    /// The slot as JSON; see `docs/FORMATS.md`.
    pub body: String,
    /// When it was made.
    pub created_at: String,
    /// When it last opened the vault.
    pub opened_at: Option<String>,
}

/// A wrapped key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Its number, which envelopes carry.
    pub key: u32,
    /// What it is for.
    pub purpose: String,
    /// For which domain or run; empty where there is one for the vault.
    pub subject: String,
    /// Its version within purpose and subject.
    pub version: u32,
    /// Its state (SP 800-57).
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When its state changed last.
    pub changed_at: String,
    /// The wrapped key; `None` once destroyed.
    pub wrapped: Option<Vec<u8>>,
}

/// A domain: columns of one domain share tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRow {
    /// Its number, which tokens carry.
    pub domain: DomainId,
    /// Its name, unique in the vault.
    pub name: String,
    /// The data class it belongs to.
    pub class: String,
    /// How its tokens are made: the first column rule that named it, as JSON.
    pub treatment: String,
    /// MAC under the control key.
    pub mac: Vec<u8>,
}

/// Somebody who may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRow {
    /// The name.
    pub name: String,
    /// The role.
    pub role: String,
    /// The id in the credential.
    pub credential: String,
    /// SHA-256 of the credential's secret.
    pub credential_hash: Vec<u8>,
    /// The public half of the approver's key.
    pub approver_key: Vec<u8>,
    /// When the credential was made.
    pub created_at: String,
    /// When it ends, if it does.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// MAC under the control key.
    pub mac: Vec<u8>,
}

/// A purpose in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposeRow {
    /// The name.
    pub name: String,
    /// The purpose as JSON.
    pub body: String,
    /// The policy that brought it.
    pub policy: String,
    /// MAC under the control key.
    pub mac: Vec<u8>,
}

/// A caller's leave to send large requests under a purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlockRow {
    /// The caller.
    pub caller: String,
    /// The purpose.
    pub purpose: String,
    /// Until when.
    pub until: String,
    /// Who gave it.
    pub given_by: String,
    /// MAC under the control key.
    pub mac: Vec<u8>,
}

/// Why a run does not go on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Somebody paused it.
    Paused,
    /// It failed; `run` tries again.
    Failed,
}

impl Condition {
    /// The word in the vault.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run: RunId,
    /// The source's name in the policy.
    pub source: String,
    /// The policy, as JSON of [`crate::policy::Policy`].
    pub policy: String,
    /// SHA-256 of the policy's file.
    pub policy_hash: String,
    /// The plan, as JSON of [`crate::plan::Assessment`].
    pub plan: String,
    /// What is signed: SHA-256 over fingerprint, policy, plan and identities.
    pub fingerprint: String,
    /// Where it stands.
    pub phase: Phase,
    /// Why it does not go on.
    pub condition: Option<Condition>,
    /// What was said about the condition.
    pub condition_reason: String,
    /// Who planned it.
    pub planned_by: String,
    /// When.
    pub planned_at: String,
    /// The backup folder.
    pub backup_dir: String,
    /// What the last verification found, hashed.
    pub verified_digest: Option<String>,
    /// The entries that its load brought.
    pub segment: Option<u32>,
    /// MAC under the control key over everything that grants (not the phase, which the ledger has).
    pub mac: Vec<u8>,
}

/// A signature under a plan or a purge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRow {
    /// The run.
    pub run: RunId,
    /// What was signed for.
    pub kind: ApprovalKind,
    /// The fingerprint or the verified digest.
    pub digest: String,
    /// Who signed.
    pub caller: String,
    /// Ed25519 over the approval message.
    pub signature: Vec<u8>,
    /// When.
    pub signed_at: String,
}

/// A slice of a table, as the backup cut it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeRow {
    /// The unit.
    pub unit: u16,
    /// The table within the unit.
    pub table: u16,
    /// The range's number within the unit.
    pub number: u32,
    /// Keys are greater than this one.
    pub lower: Option<RowKey>,
    /// Keys are at most this one; `None`: open above.
    pub upper: Option<RowKey>,
    /// Rows that were backed up.
    pub rows: u64,
    /// Cells with an original that were backed up.
    pub originals: u64,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// The originals of a range.
    Backup,
    /// The tokens of a backup file, in the same order.
    Token,
    /// The sealed values of a backup file, in token order.
    Stage,
    /// An original met after its range was backed up.
    Increment,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Backup, Self::Token, Self::Stage, Self::Increment];

    /// The word in the vault, and the end of the file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Token => "token",
            Self::Stage => "stage",
            Self::Increment => "increment",
        }
    }
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// What it holds.
    pub kind: FileKind,
    /// The unit.
    pub unit: u16,
    /// The range.
    pub range: u32,
    /// Orders increments: the worker's epoch, …
    pub epoch: u64,
    /// … and its number within the epoch.
    pub number: u32,
    /// Name, hash and length.
    pub seal: FileSeal,
}

/// How far the load of a run has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadCursor {
    /// The segment that the load fills.
    pub segment: u32,
    /// The last entry of it.
    pub after: Option<(DomainId, TokenBody)>,
    /// State of the row-set root over the segment's entries so far.
    pub root_state: Vec<u8>,
    /// Entries of the segment so far.
    pub entries: u64,
    /// Whether the load is finished.
    pub done: bool,
}

/// A sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// The domain.
    pub domain: DomainId,
    /// The token, in the form that keys the table.
    pub token: TokenBody,
    /// The load that brought it.
    pub segment: u32,
    /// The type of the value.
    pub kind: ValueType,
    /// The envelope.
    pub envelope: Vec<u8>,
}

/// A set of entries that came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRow {
    /// Its number.
    pub segment: u32,
    /// The run that it belongs to; `None`: single inserts by `tokenize`.
    pub run: Option<RunId>,
    /// Entries in it.
    pub entries: u64,
    /// Row-set root, once it is closed.
    pub root: Option<Vec<u8>>,
}

/// A blind index entry: which token stands for the value of this keyed digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindRow {
    /// The domain.
    pub domain: DomainId,
    /// Keyed digest of the value.
    pub digest: [u8; 16],
    /// The token that stands for it.
    pub token: TokenBody,
}

/// Where a poison row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineState {
    /// It waits.
    Waiting,
    /// It went through after all.
    Replayed,
    /// A named person accepted it.
    Waived,
}

impl QuarantineState {
    /// The word in the vault.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replayed => "replayed",
            Self::Waived => "waived",
        }
    }
}

/// A row that could not be tokenised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// The unit.
    pub unit: u16,
    /// The table within the unit.
    pub table: u16,
    /// Keyed digest of the row key, in hex: how reports name it.
    pub row: String,
    /// The row key.
    pub key: RowKey,
    /// Why.
    pub reason: String,
    /// In-scope cells of the row that hold an original.
    pub cells: u64,
    /// Where it stands.
    pub state: QuarantineState,
    /// Who waived it.
    pub waived_by: Option<String>,
}

/// The answer of one of the steward's checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// The check.
    pub name: String,
    /// When in the run's life: `before`, `after`, `purge`.
    pub moment: String,
    /// SHA-256 of the answer, keyed: the answer itself may be sensitive.
    pub digest: Vec<u8>,
}

/// Requests that were recorded together before a value left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntakeRow {
    /// Who wrote it.
    pub writer: String,
    /// The number of its first record. Records are numbered without gaps per writer.
    pub number: u64,
    /// The records, each one line.
    pub body: Vec<u8>,
    /// MAC under the control key.
    pub mac: Vec<u8>,
}

/// A caller's reason, sealed, under its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedReason {
    /// SHA-256 over salt and reason, in hex.
    pub digest: String,
    /// The sealed salt and reason.
    pub sealed: Vec<u8>,
}

/// How much a caller may use under a purpose in one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The caller.
    pub caller: String,
    /// The purpose.
    pub purpose: String,
    /// `minute` or `day`.
    pub per: &'static str,
    /// When the stretch began, in seconds since 1970.
    pub began_s: i64,
    /// How many tokens.
    pub max: u64,
}

impl Quota {
    /// What was used in this stretch before, where `row` is what is stored: when the stretch that
    /// was counted last began, and what was used in it. A clock that went back goes on in the
    /// stretch that was counted last.
    #[must_use]
    pub fn used(&self, row: Option<(i64, u64)>) -> u64 {
        row.filter(|(began_s, _)| *began_s >= self.began_s).map_or(0, |(_, used)| used)
    }

    /// Whether `count` more go past it.
    #[must_use]
    pub fn is_past(&self, used: u64, count: u64) -> bool {
        used.saturating_add(count) > self.max
    }
}

/// When a credential was last used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialUse {
    /// The credential's id, as the caller's row has it.
    pub credential: String,
    /// When, RFC 3339, to the second.
    pub used_at: String,
}

/// An entry that was looked up within a limit of bytes.
#[derive(Debug, Clone)]
pub enum Looked {
    /// The entry.
    Entry(EntryRow),
    /// The entry is there; its envelope has so many bytes.
    Large(usize),
}

impl Looked {
    /// The entry, where it was within the limit.
    #[must_use]
    pub fn entry(self) -> Option<EntryRow> {
        match self {
            Self::Entry(entry) => Some(entry),
            Self::Large(_) => None,
        }
    }
}

/// What came of counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// They are counted.
    All,
    /// They would have gone past this quota; none is counted.
    Past {
        /// `minute` or `day`.
        per: &'static str,
        /// What was used before.
        used: u64,
    },
}

/// How far a place outside the vault was told what is on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldRow {
    /// The place: a hook or an anchor, by what it is called.
    pub place: String,
    /// Entries, or the size of a checkpoint, up to which it was told.
    pub size: u64,
    /// When.
    pub at: String,
}
