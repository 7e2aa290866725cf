//! A database beside the source, for rows that come out of a backup.

use async_trait::async_trait;

use super::{Row, SourceError};
use crate::policy::TableName;

/// A table of a backup as it is written down elsewhere: its key, and its columns in scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScratchTable {
    /// The table's name in the source.
    pub table: TableName,
    /// The columns of its key. None where the key itself is in scope: then it is among `columns`.
    pub keys: Vec<String>,
    /// Whether a key is one row's alone: where it only says where a row lay, another may have lain
    /// there later.
    pub is_unique: bool,
    /// Its columns in scope.
    pub columns: Vec<String>,
}

/// Why rows of a backup could not be written down. No variant carries a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScratchError {
    /// There is such a table already, and nothing is written over.
    #[error("`{place}` has a table `{table}` already")]
    Exists {
        /// The database, without a password.
        place: String,
        /// The table.
        table: String,
    },
    /// A value cannot be held by this engine.
    #[error("table `{table}` holds a text that PostgreSQL cannot hold")]
    Unfit {
        /// The table.
        table: String,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] SourceError),
}

/// Takes rows of a backup. All of it is one transaction: until [`Scratch::finish`] nothing is there.
#[async_trait]
pub trait Scratch: Send {
    /// Makes a table.
    ///
    /// # Errors
    ///
    /// [`ScratchError::Exists`] where there is one of this name.
    async fn table(&mut self, table: &ScratchTable) -> Result<(), ScratchError>;

    /// Adds rows to a table that was made.
    ///
    /// # Errors
    ///
    /// [`ScratchError`]; nothing stays then.
    async fn put(&mut self, table: &ScratchTable, rows: &[Row]) -> Result<(), ScratchError>;

    /// Commits all of it.
    ///
    /// # Errors
    ///
    /// [`ScratchError`] where it could not be committed.
    async fn finish(self: Box<Self>) -> Result<(), ScratchError>;
}
