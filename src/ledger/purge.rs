//! What a purge puts on the ledger, and how it is read back.
//!
//! A purge that was cut off goes on from its entry, and what a report says of a purge is made of it.
//! It knows no source and no vault.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::policy::CopyKind;
use crate::residue::{ScanReport, Verdict};

/// The action of the entry after which there is no way back.
pub(crate) const SCRUBBED: &str = "purge_scrubbed";

/// The action of the entry of a purge that found originals after it had rewritten the files. Nothing
/// is destroyed then: the purge may be tried again, and the run may still be rolled back.
pub(crate) const RESIDUE_FOUND: &str = "residue_found";

/// What a purge found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PurgeFacts {
    /// What was done to the files, in order.
    pub steps: Vec<ScrubStep>,
    /// The scan before the rewrite.
    pub before: Option<ScanReport>,
    /// The same scan afterwards.
    pub after: ScanReport,
    /// What the two prove.
    pub verdict: Verdict,
    /// Originals that came after the backup, searched without a control of their own: hits.
    pub late_hits: u64,
    /// The files in which these lie.
    #[serde(default)]
    pub late_files: Vec<String>,
    /// Copies in columns outside the policy: column → cells.
    pub uncovered: BTreeMap<String, u64>,
    /// Cells that were opened and compared inside the lock.
    pub cells: u64,
    /// The pages of the files, taken apart.
    pub structure: Option<PageFacts>,
    /// Copies of the vault since the run was planned: each holds the wrapped key of its backup.
    #[serde(default)]
    pub vault_copies: Vec<VaultCopyFact>,
    /// Copies of the source that lie elsewhere.
    #[serde(default)]
    pub elsewhere: Vec<CopyFact>,
}

/// One step of a purge, with what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubStep {
    /// What was done.
    pub step: String,
    /// What it came to.
    pub outcome: String,
    /// Whether something of it could not be done.
    #[serde(default)]
    pub falls_short: bool,
    /// When it began.
    pub started_at: String,
    /// When it was done.
    pub finished_at: String,
}

/// What the pages of a source's files hold beside live content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFacts {
    /// Pages that were taken apart.
    pub pages: u64,
    /// Pages whose unused part was not all zero.
    pub pages_with_remains: u64,
}

/// A copy of the vault, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultCopyFact {
    /// When.
    pub at: String,
    /// Its file, as it was named then.
    pub file: String,
    /// Its hash, in hex.
    pub sha256: String,
}

/// A copy of the source that lies elsewhere, as a purge knew of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyFact {
    /// What it is.
    pub kind: CopyKind,
    /// What it is called.
    pub name: String,
    /// Who keeps it; `None` where nobody is named.
    pub owner: Option<String>,
    /// The day by which it holds no original any more; `None` where nobody is named.
    pub expires: Option<String>,
    /// Where it was named.
    pub named: Option<NamedBy>,
    /// What the source shows of it; `None` where the source cannot know.
    pub shown: Option<String>,
}

/// Where the keeper of a copy was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// In the policy, which approvers have signed with the plan.
    Policy,
    /// By whoever purged.
    Purge,
}

impl PurgeFacts {
    /// The facts of a run's purge, as its entries have them; `None` before its files were rewritten.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Option<Self> {
        Self::read(entries.iter().rfind(|entry| entry.action == SCRUBBED)?)
    }

    /// The facts of the last purge that found residue, unless one that found none came after it.
    #[must_use]
    pub fn of_residue(entries: &[Entry]) -> Option<Self> {
        let is_end = |action: &str| action == SCRUBBED || action == RESIDUE_FOUND;
        let last = entries.iter().rfind(|entry| is_end(&entry.action))?;
        if last.action == RESIDUE_FOUND { Self::read(last) } else { None }
    }

    /// Originals that were found in the files afterwards, outside live content.
    #[must_use]
    pub fn residue(&self) -> u64 {
        let hits: u64 = self.after.files.iter().map(|file| file.hits.residue()).sum();
        hits + self.late_hits
    }

    fn read(entry: &Entry) -> Option<Self> {
        serde_json::from_value(entry.details.get("facts")?.clone()).ok()
    }
}
