//! A copy of a source, on which a run is tried before it is a run.
//!
//! A copy holds originals in plain text, as the source does. Whoever made it destroys it.

use async_trait::async_trait;

use super::SourceError;
use crate::policy::TableName;

/// What a copy brought over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// Tables with their rows.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
    /// Objects that the copy does not have, by name, each with the reason.
    pub left_out: Vec<String>,
}

/// A table as it stands at a moment: equal tables stand equal, and nobody reads values out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStanding {
    /// Which table; of a partitioned one each partition.
    pub table: TableName,
    /// Its rows.
    pub rows: u64,
    /// Its columns, each with the digest of its cells beside the keys of their rows. Where a table
    /// has no key it is the digest of the cells alone.
    pub columns: Vec<(String, String)>,
}

/// Why a source could not be copied. No variant carries a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The role may not make a database.
    #[error("the role may not create a database on the server of the source")]
    NotPermitted,
    /// What was named holds something.
    #[error("`{place}` is not empty")]
    NotEmpty {
        /// The place, without a password.
        place: String,
    },
    /// Another process rehearses there.
    #[error("another rehearsal is at work in `{place}`")]
    AtWork {
        /// The place, without a password.
        place: String,
    },
    /// What was named is of another engine.
    #[error("`{place}` is no place for a copy of this source: its engine is another one")]
    OtherEngine {
        /// The place, without a password.
        place: String,
    },
    /// What was named is the source itself.
    #[error("`{place}` is the source itself")]
    Source {
        /// The place, without a password.
        place: String,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] SourceError),
}

/// A copy of a source.
#[async_trait]
pub trait SourceCopy: Send + Sync {
    /// Its URL.
    fn url(&self) -> &str;

    /// Reads every table of it through.
    async fn standing(&self) -> Result<Vec<TableStanding>, SourceError>;

    /// Leaves it as it is for whoever wants to look; nobody clears it away any more.
    async fn keep(self: Box<Self>) -> Result<(), SourceError>;

    /// Removes everything that was copied.
    async fn destroy(self: Box<Self>) -> Result<(), SourceError>;
}
