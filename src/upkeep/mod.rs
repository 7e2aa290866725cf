//! Care of the vault itself: a copy of it, putting the copy back, reading it through.
//!
//! A copy is the same whichever engine the vault lies in, so that it can be put back into another.
//! This room knows neither engines nor files: rows come from [`crate::ports::Vault::copy_out`], go
//! as records to a [`crate::ports::RecordWriter`], and back through a
//! [`crate::ports::VaultRebuild`].
//!
//! **Invariant:** a copy says at its end how many rows of each table it holds, so that one that was
//! cut short, even between two records, is refused.

mod check;
mod copy;
mod record;
mod restore;

use std::collections::BTreeMap;

pub use check::{Checked, Finding, check};
pub use copy::copy;
pub use record::RecordError;
pub use restore::{Restored, read_through, restore};

use crate::ports::{ArchiveError, BackupError, VaultError};

/// Rows by table.
pub type RowCounts = BTreeMap<String, u64>;

/// Why a copy could not be made, read or put back. No variant carries a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpkeepError {
    /// The vault did not do what was asked.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The file could not be written or read.
    #[error(transparent)]
    File(#[from] BackupError),
    /// What the file says is not a copy of a vault.
    #[error("record {number} of the copy cannot be read")]
    Record {
        /// Which record, from 1.
        number: u64,
        /// What is wrong with it.
        #[source]
        source: RecordError,
    },
    /// The copy does not end as one that was finished.
    #[error("the copy is not whole: {what}")]
    Incomplete {
        /// What is missing.
        what: String,
    },
    /// The copy has a table or a column that this program does not know.
    #[error("the copy holds `{what}`, which this program does not know")]
    Newer {
        /// The table, and the column.
        what: String,
    },
}

impl From<ArchiveError> for UpkeepError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Vault(error) => Self::Vault(error),
            ArchiveError::File(error) => Self::File(error),
        }
    }
}
