//! Why a run does not go on.

use std::fmt;
use std::io;

use crate::ports::{BackupError, Remedy, SourceError, VaultError};
use crate::run::record::RecordError;
use crate::words::counted;

/// Why a pass stopped. What was committed stays; `run` goes on from there.
///
/// No variant carries an original or a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The backup folder.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The folder where a verification sorts what it compares: tokens, digests and row keys.
    #[error(
        "{} scratch folder `{folder}`, where a verification sorts what it compares",
        of_sorting(.source)
    )]
    Scratch {
        /// The folder. It is made for a verification, and removed after it.
        folder: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A record of a file is not what was written.
    #[error("file `{name}` holds a malformed record")]
    Record {
        /// The file.
        name: String,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// Two values have one token. A fault of the program, or somebody changed the vault.
    #[error("token `{token}` of domain `{domain}` stands for two different values")]
    Collision {
        /// The domain.
        domain: String,
        /// The token.
        token: String,
    },
    /// Values that a normalisation makes one, of a domain whose policy does not accept that.
    #[error("values of domain `{domain}` differ, and are one in their normal form")]
    Spellings {
        /// The domain.
        domain: String,
    },
    /// An entry of the vault does not open.
    #[error("the entry of token `{token}` failed authentication")]
    Unauthentic {
        /// The token.
        token: String,
    },
    /// The vault is behind what the source remembers: an old copy.
    #[error(
        "the vault is older than its source: its ledger has {found} entries, and {expected} have \
         been seen"
    )]
    OldVault {
        /// Entries of the vault's ledger.
        found: u64,
        /// Entries that the source remembers.
        expected: u64,
    },
    /// The source has lost our tables since the run began to write.
    #[error(
        "the source has lost the tables that Sealift keeps there: nothing says how far run `{run}` \
         has come"
    )]
    TablesLost {
        /// The run.
        run: String,
    },
    /// The source has lost our tables, and nothing else says which cells of a table are tokens: any
    /// text of their shape may be one.
    #[error(
        "tokens and originals of table `{table}` cannot be told apart ({tokens} cells hold a token, \
         {originals} an original, {either} may hold either): the source has lost the tables that Sealift \
         keeps there"
    )]
    Unclear {
        /// The table.
        table: String,
        /// Cells that the vault knows as tokens alone.
        tokens: u64,
        /// Cells that it knows as originals alone.
        originals: u64,
        /// Cells that it knows as both.
        either: u64,
    },
    /// A key is missing or destroyed.
    #[error("no usable key for {0}")]
    NoKey(String),
    /// More rows are in quarantine than the policy allows.
    #[error("{waiting} rows are in quarantine, and the policy allows {allowed}")]
    Quarantine {
        /// Rows that wait.
        waiting: u64,
        /// `[limits] quarantine_max`.
        allowed: u64,
    },
    /// Writers changed a window unit again and again.
    #[error("table `{table}` kept changing while its window was prepared ({attempts} attempts)")]
    Busy {
        /// The table.
        table: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A window cannot be written because of one of its rows.
    #[error("table `{table}` cannot be rewritten: {reason}")]
    WindowRefused {
        /// The table.
        table: String,
        /// What the engine or the token said; no value.
        reason: String,
    },
    /// Another process took the range.
    #[error("another process works on range {range} of unit {unit}")]
    LeaseLost {
        /// The unit.
        unit: u16,
        /// The range.
        range: u32,
    },
    /// Counts do not add up.
    #[error("cells do not add up in unit {unit}: {fact}")]
    Counts {
        /// The unit.
        unit: u16,
        /// What was counted.
        fact: String,
    },
    /// Verification found cells or entries that are not what they have to be.
    #[error("verification found {}", counted(.0.len() as u64, "mismatch", "mismatches"))]
    Mismatches(Vec<Mismatch>),
    /// The files still hold originals.
    #[error("originals survive in {places} ({hits} hits)")]
    Residue {
        /// How many hits.
        hits: u64,
        /// In which files, tables and indexes, the first of them.
        places: String,
    },
    /// The vault could not be copied before what could replace it is removed.
    #[error("the purge stopped before the vault, from then on the only copy, was copied itself")]
    VaultCopy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The policy's `[window]` is closed.
    #[error("it is outside the `[window]` of the policy")]
    OutsideWindow,
    /// Somebody paused the run.
    #[error("the run was paused, and stopped at a batch's end")]
    Paused,
    /// Somebody asked to stop, or another worker of the process has failed.
    #[error("stopped at a batch's end")]
    Stopped,
    /// Something that has to hold does not.
    #[error("{0}")]
    Inconsistent(String),
}

impl RunError {
    /// Whether another process has taken over what was at work: nothing was written, and nothing is
    /// wrong.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        matches!(self, Self::LeaseLost { .. } | Self::Vault(VaultError::LeaseLost { .. }))
    }

    /// Whether somebody wanted the work to end here.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::OutsideWindow | Self::Paused | Self::Stopped)
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Source(error) => error.remedy(),
            Self::Vault(error) => error.remedy(),
            Self::Backup(error) => error.remedy(),
            Self::Scratch { source, .. } if !has_no_room(source) => Remedy::ChangeRequest,
            Self::Scratch { .. }
            | Self::OutsideWindow
            | Self::Paused
            | Self::Stopped
            | Self::Busy { .. }
            | Self::LeaseLost { .. } => Remedy::RetryLater,
            Self::OldVault { .. }
            | Self::Quarantine { .. }
            | Self::Spellings { .. }
            | Self::TablesLost { .. }
            | Self::Unclear { .. }
            | Self::WindowRefused { .. } => Remedy::ChangeRequest,
            Self::Record { .. }
            | Self::Collision { .. }
            | Self::Unauthentic { .. }
            | Self::NoKey(_)
            | Self::Counts { .. }
            | Self::Residue { .. }
            | Self::VaultCopy(_)
            | Self::Mismatches(_)
            | Self::Inconsistent(_) => Remedy::Escalate,
        }
    }
}

/// What became of the sorting.
fn of_sorting(error: &io::Error) -> &'static str {
    if has_no_room(error) { "no space is left in" } else { "nothing can be sorted in" }
}

/// Whether a file could not grow.
fn has_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// One thing that a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What is wrong.
    pub kind: MismatchKind,
    /// Where: a column and a row key, or a token, or a segment. Never a value.
    pub place: String,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MismatchKind {
    /// A cell holds an original.
    Original,
    /// A cell holds an original because its row waits in quarantine.
    Quarantined,
    /// A cell's token has no entry in the vault.
    Unknown,
    /// A cell's token opens to something else than the backup's original.
    Different,
    /// A token stands in a table without a key more often than the backup's originals account for.
    Multiset,
    /// An entry of the vault does not open.
    Unauthentic,
    /// An entry opens to a value whose token is another one.
    Misfiled,
    /// The entries of a segment are not those that the ledger knows.
    Segment,
}

impl MismatchKind {
    /// The word of reports and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Quarantined => "quarantined",
            Self::Unknown => "unknown_token",
            Self::Different => "different_value",
            Self::Multiset => "multiset",
            Self::Unauthentic => "unauthentic_entry",
            Self::Misfiled => "misfiled_entry",
            Self::Segment => "segment",
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fact = match self.kind {
            MismatchKind::Original => "holds an original",
            MismatchKind::Quarantined => "waits in quarantine",
            MismatchKind::Unknown => "holds a token that the vault does not know",
            MismatchKind::Different => "holds a token of another value than the backup's",
            MismatchKind::Multiset => "is there more often than the backup's originals account for",
            MismatchKind::Unauthentic => "failed authentication",
            MismatchKind::Misfiled => "stands under a token that is not its own",
            MismatchKind::Segment => "is not the set of entries that the ledger knows",
        };
        write!(f, "{} {fact}", self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_folder_without_room_is_told_apart_from_one_that_cannot_be_written() {
        let of = |kind: io::ErrorKind| {
            let folder = "vault.db.verify".to_owned();
            RunError::Scratch { folder, source: io::Error::from(kind) }
        };
        let full = of(io::ErrorKind::StorageFull);
        assert!(
            full.to_string().starts_with("no space is left in scratch folder `vault.db.verify`")
        );
        assert_eq!(full.remedy(), Remedy::RetryLater);
        let closed = of(io::ErrorKind::PermissionDenied);
        assert!(closed.to_string().starts_with("nothing can be sorted in scratch folder"));
        assert_eq!(closed.remedy(), Remedy::ChangeRequest);
    }
}
