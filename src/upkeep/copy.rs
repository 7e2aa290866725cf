//! Making a copy: every row of a vault, as of one moment, into a file.

use super::{RowCounts, UpkeepError, record};
use crate::ports::{
    ARCHIVE_TABLES, ArchiveCell, ArchiveSink, BackupError, FileSeal, Progress, RecordWriter, Vault,
};

/// Rows between two signs of life.
const ROWS_A_STEP: u64 = 1_000;

/// Copies a vault. Returns what was copied, and the seal of the finished file.
///
/// # Errors
///
/// [`UpkeepError`] where the vault cannot be read or the file not be written; the file is void then.
pub async fn copy(
    vault: &dyn Vault,
    writer: Box<dyn RecordWriter>,
    progress: &dyn Progress,
) -> Result<(RowCounts, FileSeal), UpkeepError> {
    progress.begin("copy the vault", "rows", 0);
    let mut sink = Copying { writer, rows: vec![0; ARCHIVE_TABLES.len()], taken: 0, progress };
    sink.writer.write(&record::tables())?;
    vault.copy_out(&mut sink).await?;
    let rows: RowCounts = ARCHIVE_TABLES
        .iter()
        .zip(&sink.rows)
        .map(|(table, rows)| (table.name.to_owned(), *rows))
        .collect();
    sink.writer.write(&record::totals(&rows))?;
    let seal = sink.writer.finish()?;
    progress.end();
    Ok((rows, seal))
}

struct Copying<'p> {
    writer: Box<dyn RecordWriter>,
    rows: Vec<u64>,
    taken: u64,
    progress: &'p dyn Progress,
}

impl ArchiveSink for Copying<'_> {
    fn row(&mut self, table: usize, cells: &[ArchiveCell]) -> Result<(), BackupError> {
        self.rows[table] += 1;
        self.taken += 1;
        if self.taken.is_multiple_of(ROWS_A_STEP) {
            self.progress.advance(ROWS_A_STEP);
        }
        self.writer.write(&record::row(table, cells))
    }
}
