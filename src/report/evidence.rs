//! What a report is made of: the facts of one run, gathered from vault and ledger.
//!
//! Plain data, without a connection behind it. This file does not judge.
//!
//! **Invariant:** no field has room for an original. What describes a row is a [`RowDigest`], what
//! a database said about one is a [`QuarantineCause`], and a scan brings keyed digests.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::VaultCopyLine;
use super::elsewhere::ElsewhereLine;
use crate::crypto::{KeyPurpose, KeyState};
use crate::ledger::{ApprovalKind, Digest, Entry, ProofBundle};
use crate::lifecycle::{Phase, RunId};
use crate::plan::Assessment;
use crate::policy::{ColumnName, Policy, Purpose};
use crate::residue::ScanReport;

use super::usage::Usage;

/// Everything that a report says, before it is put in order.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Name and version of the program: `sealift 0.1.0`.
    pub tool: String,
    /// The vault's id, in hex.
    pub vault: String,
    /// The ledger's origin.
    pub origin: String,
    /// Fingerprint of the key that signs the ledger.
    pub key_fingerprint: String,
    /// The run.
    pub run: RunId,
    /// The source, as the policy calls it.
    pub source: String,
    /// Where the run stands.
    pub phase: Phase,
    /// What holds it there, where something does.
    pub condition: Option<Condition>,
    /// The policy that it works by.
    pub policy: Policy,
    /// The plan that was made of it.
    pub plan: Assessment,
    /// The run's entries on the ledger, in order.
    pub entries: Vec<Entry>,
    /// The latest checkpoint, as the signed note.
    pub checkpoint: Option<String>,
    /// The signatures under plan and purge.
    pub approvals: Vec<ApprovalFact>,
    /// The keys of the vault that this run used.
    pub keys: Vec<KeyFact>,
    /// The segments of vault entries that this run made.
    pub segments: Vec<SegmentFact>,
    /// The rewrite's counts by name: `rows`, `cells`, `tokenized`, `null`, `empty`,
    /// `already_token`, `quarantined`, `vanished`. Empty before the rewrite.
    pub counts: BTreeMap<String, u64>,
    /// The same counts for each unit of the plan. Empty before the rewrite.
    pub units: Vec<UnitFact>,
    /// The last verification's counts by name, among them `opened` and `mismatches`. Empty before.
    pub verification: BTreeMap<String, u64>,
    /// Cells that the last verification opened, by column. Empty before.
    pub opened: BTreeMap<String, u64>,
    /// The steward's own checks.
    pub checks: Vec<CheckFact>,
    /// The residue scan before the purge: the positive control.
    pub residue_before: Option<ScanReport>,
    /// The same scan after it.
    pub residue_after: Option<ScanReport>,
    /// Hits of a purge that found residue and stopped; 0 where none did.
    pub residue_left: u64,
    /// What the purge did; `None` before.
    pub purge: Option<PurgeFacts>,
    /// The rows that could not be tokenised.
    pub quarantine: Vec<QuarantineFact>,
    /// The purposes in force.
    pub purposes: Vec<Purpose>,
    /// What was asked under each purpose, as far as the newest checkpoint signs it.
    pub usage: BTreeMap<String, Usage>,
    /// Places outside the vault that were told of a checkpoint.
    pub anchors: Vec<AnchorFact>,
    /// The run's entries with the proofs that they are in the ledger; `None` where nothing is signed.
    pub proofs: Option<ProofBundle>,
}

/// A place outside the vault that was told of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnchorFact {
    /// The place, as it is called.
    pub place: String,
    /// The size of the newest checkpoint that it was told of.
    pub size: u64,
    /// When.
    pub at: String,
}

/// What holds a run in its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Somebody paused it, or a catalog that changed did.
    Paused,
    /// It failed; it may be tried again.
    Failed,
}

/// What the rewrite counted in one unit of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFact {
    /// The unit's number.
    pub unit: u16,
    /// Its counts by name.
    pub counts: BTreeMap<String, u64>,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalFact {
    /// What was signed.
    pub kind: ApprovalKind,
    /// Who signed.
    pub caller: String,
    /// The plan's fingerprint or the verified digest.
    pub digest: String,
    /// When, as RFC 3339 in UTC.
    pub signed_at: String,
}

/// A key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFact {
    /// Its number, which envelopes carry.
    pub id: u32,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// For which domain or run; empty where there is one for the vault.
    pub subject: String,
    /// Its version within purpose and subject.
    pub version: u32,
    /// Where it stands (SP 800-57).
    pub state: KeyState,
    /// When it was made.
    pub created_at: String,
    /// When its state changed last.
    pub changed_at: String,
}

/// Vault entries that came together, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentFact {
    /// Its number.
    pub number: u32,
    /// How many entries it has.
    pub entries: u64,
    /// The root over them in token order; `None` while it is open.
    #[schemars(with = "Option<String>")]
    pub root: Option<Digest>,
}

/// What became of one of the steward's checks. Its query and its answer stay in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckFact {
    /// What it checks, in the steward's words.
    pub name: String,
    /// Whether its last answer was the expected one; `None` where it has not run since the rewrite.
    pub holds: Option<bool>,
}

/// What a purge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurgeFacts {
    /// Its steps, in order.
    pub steps: Vec<PurgeStep>,
    /// What the engine's purge says about a claim level, beside what the report concludes.
    pub statements: BTreeMap<ClaimLevel, String>,
    /// In-scope values that were found in columns outside the policy.
    pub uncovered_copies: Vec<UncoveredCopy>,
    /// What the purge could not reach, a sentence each.
    pub not_covered: Vec<String>,
    /// The proof by structure; `None` where there is none.
    pub structure: Option<StructureFacts>,
    /// What became of the backup of the originals.
    pub backup: BackupFate,
    /// Copies of the vault from between the plan and the end of the purge.
    pub vault_copies: Vec<VaultCopyLine>,
    /// Copies of the source that lie elsewhere.
    pub elsewhere: Vec<ElsewhereLine>,
}

/// One step of a purge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PurgeStep {
    /// What was done: `vacuum`, `truncate the write-ahead log`.
    pub name: String,
    /// What it came to: new files, the purge's address in the log, what a role may not.
    pub outcome: String,
    /// Whether something of it could not be done.
    pub falls_short: bool,
    /// When it began.
    pub started_at: String,
    /// When it was done.
    pub finished_at: String,
}

/// How far a claim about vanished originals reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimLevel {
    /// What a query can see.
    Logical,
    /// The bytes of the database's files.
    DatabaseFiles,
    /// The bytes of the medium below the file system.
    Media,
}

/// In-scope values in a column outside the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncoveredCopy {
    /// The column.
    pub column: ColumnName,
    /// How many cells hold one.
    pub cells: u64,
}

/// The proof by structure, for values too short to be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StructureFacts {
    /// Pages that were taken apart.
    pub pages: u64,
    /// Pages whose unused part was not all zero.
    pub pages_with_remains: u64,
}

/// What became of the backup of the originals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupFate {
    /// Files and run identity are destroyed.
    Destroyed,
    /// It is kept until this day.
    KeptUntil(String),
}

/// A row that could not be tokenised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineFact {
    /// Names the row.
    pub row: RowDigest,
    /// Why it could not be.
    pub cause: QuarantineCause,
    /// How many of its cells still hold an original.
    pub cells: u64,
    /// Where it stands.
    pub state: QuarantineState,
}

/// Where a row in quarantine stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuarantineState {
    /// Nobody has dealt with it.
    Waiting,
    /// It was tokenised after all.
    Replayed,
    /// Somebody accepted it, by name.
    Waived {
        /// Who.
        by: String,
    },
}

/// The keyed digest that names a row: 8 to 64 lowercase hex digits, and so never its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct RowDigest(String);

/// The text is not the digest of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the digest of a row is 8 to 64 lowercase hex digits")]
pub struct RowDigestError;

/// Why a row could not be tokenised. The database's own words stay in the vault: a trigger may put
/// a value into its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineCause {
    /// A CHECK refuses the token.
    Check,
    /// A unique index refuses the token.
    Unique,
    /// A foreign key refuses the token.
    ForeignKey,
    /// The column's type refuses the token.
    Type,
    /// Anything else: a trigger, a value that its kind of token cannot carry.
    Other,
}

impl Condition {
    /// The word of the vault.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

impl ClaimLevel {
    /// Every level, from the weakest claim to the strongest.
    pub const ALL: [Self; 3] = [Self::Logical, Self::DatabaseFiles, Self::Media];

    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Logical => "logical",
            Self::DatabaseFiles => "database files",
            Self::Media => "media",
        }
    }
}

impl RowDigest {
    /// Reads the digest of a row.
    ///
    /// # Errors
    ///
    /// Returns [`RowDigestError`] for anything but 8 to 64 lowercase hex digits.
    pub fn parse(text: &str) -> Result<Self, RowDigestError> {
        let is_digest = (8..=64).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_digest { Ok(Self(text.to_owned())) } else { Err(RowDigestError) }
    }

    /// Lends the digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl QuarantineCause {
    /// Tells the cause from what a database said, and forgets the words.
    #[must_use]
    pub fn of(reason: &str) -> Self {
        let reason = reason.to_ascii_lowercase();
        let says = |word: &str| reason.contains(word);
        if says("check constraint") {
            Self::Check
        } else if says("unique constraint") || says("primary key") {
            Self::Unique
        } else if says("foreign key") {
            Self::ForeignKey
        } else if says("datatype mismatch") || says("cannot store") {
            Self::Type
        } else {
            Self::Other
        }
    }

    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Check => "a CHECK refuses the token",
            Self::Unique => "a unique index refuses the token",
            Self::ForeignKey => "a foreign key refuses the token",
            Self::Type => "the column's type refuses the token",
            Self::Other => "another cause; `sealift quarantine list` names it",
        }
    }
}

impl QuarantineState {
    /// The word of the vault.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replayed => "replayed",
            Self::Waived { .. } => "waived",
        }
    }
}
