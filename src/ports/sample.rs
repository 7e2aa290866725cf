//! Samples: rows of a table, read in blocks, for whoever judges columns by what they hold.
//!
//! A sampler reads and judges nothing. It knows no policy.
//!
//! **Invariant:** a sampler writes nothing, sorts nothing and keeps no lock between two blocks, so
//! that a scan may run beside writers.

use async_trait::async_trait;

use super::SourceError;
use crate::catalog::Table;
use crate::value::Original;

/// How much of a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleSize {
    /// About so many rows, in blocks of neighbours that are spread over the table.
    Blocks {
        /// Rows in all.
        rows: u64,
    },
    /// Every row.
    Whole,
}

/// How much of a table was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SampleExtent {
    /// Rows that were read.
    pub rows_read: u64,
    /// Rows of the table; about, unless all were read; `None` where nothing tells.
    pub rows_about: Option<u64>,
    /// Whether every row was read.
    pub is_whole: bool,
    /// Values so long that they were passed over.
    pub passed_over: u64,
}

/// One row of a sample: the cells in the order asked; `None` is NULL.
pub type SampleRow = Vec<Option<Original>>;

/// From how many bytes on a value is cut.
pub const SAMPLE_BYTES_MAX: usize = 64 << 10;

/// From how many bytes on a value is passed over.
pub const SAMPLE_BYTES_READ_MAX: usize = 1 << 20;

/// Reads samples, one table after another.
#[async_trait]
pub trait Sampler: Send {
    /// Begins with some columns of a table, in this order; says how many rows it has, about.
    async fn begin(
        &mut self,
        table: &Table,
        columns: &[String],
        size: SampleSize,
    ) -> Result<u64, SourceError>;

    /// Reads the next block; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<SampleRow>>, SourceError>;

    /// How much of the table was read so far.
    fn extent(&self) -> SampleExtent;
}
