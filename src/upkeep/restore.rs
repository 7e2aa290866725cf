//! Putting a copy back, into a database that holds no vault.

use super::record::{Record, TableNames, Tables, decode};
use super::{RowCounts, UpkeepError};
use crate::ports::{
    ARCHIVE_TABLES, ArchiveCell, ArchiveTable, Progress, RecordReader, VaultError, VaultRebuild,
};

/// Rows that are added at once.
const BATCH_ROWS: usize = 5_000;

/// Bytes of cells that are added at once.
const BATCH_BYTES: usize = 8 << 20;

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Rows by table.
    pub rows: RowCounts,
}

/// Puts a copy back. Nothing of it is there until all of it is.
///
/// # Errors
///
/// [`UpkeepError`] where the copy is not whole or a row does not fit; the database holds no vault
/// then.
pub async fn restore(
    reader: &mut dyn RecordReader,
    mut rebuild: Box<dyn VaultRebuild>,
    progress: &dyn Progress,
) -> Result<Restored, UpkeepError> {
    progress.begin("put the vault back", "rows", 0);
    let mut batch = Batch::default();
    let mut reading = Reading::begin(reader)?;
    while let Some((table, cells)) = reading.next(reader)? {
        if batch.is_full_for(table) {
            progress.advance(batch.rows.len() as u64);
            batch.flush(rebuild.as_mut()).await?;
        }
        batch.push(table, cells);
    }
    batch.flush(rebuild.as_mut()).await?;
    rebuild.finish().await?;
    progress.end();
    Ok(Restored { rows: reading.rows })
}

/// Reads a copy to its end, and says how many rows of each table it holds.
///
/// # Errors
///
/// [`UpkeepError`] where it is not whole.
pub fn read_through(reader: &mut dyn RecordReader) -> Result<RowCounts, UpkeepError> {
    let mut reading = Reading::begin(reader)?;
    while reading.next(reader)?.is_some() {}
    Ok(reading.rows)
}

/// The records of a copy, row by row; it knows when the copy is whole.
struct Reading {
    /// For each table of the copy: which of ours it is.
    tables: Vec<usize>,
    number: u64,
    rows: RowCounts,
}

impl Reading {
    fn begin(reader: &mut dyn RecordReader) -> Result<Self, UpkeepError> {
        let rows = ARCHIVE_TABLES.iter().map(|table| (table.name.to_owned(), 0)).collect();
        let mut reading = Self { tables: Vec::new(), number: 0, rows };
        match reading.record(reader)? {
            Some(Record::Tables(tables)) => reading.tables = matched(&tables)?,
            Some(Record::Row(..) | Record::Totals(_)) | None => {
                return Err(incomplete("it does not begin with its tables"));
            }
        }
        Ok(reading)
    }

    fn record(&mut self, reader: &mut dyn RecordReader) -> Result<Option<Record>, UpkeepError> {
        let Some(bytes) = reader.read()? else { return Ok(None) };
        self.number += 1;
        decode(&bytes)
            .map(Some)
            .map_err(|source| UpkeepError::Record { number: self.number, source })
    }

    /// The next row; `None` once the end was found to be as the copy says.
    fn next(
        &mut self,
        reader: &mut dyn RecordReader,
    ) -> Result<Option<(usize, Vec<ArchiveCell>)>, UpkeepError> {
        match self.record(reader)? {
            Some(Record::Row(table, cells)) => {
                let table =
                    *self.tables.get(table).ok_or_else(|| incomplete("a row has no table"))?;
                let known = &ARCHIVE_TABLES[table];
                if cells.len() != known.columns.len() {
                    return Err(incomplete("a row has too few or too many cells"));
                }
                *self.rows.entry(known.name.to_owned()).or_default() += 1;
                Ok(Some((table, cells)))
            }
            Some(Record::Totals(totals)) => {
                if totals.rows != self.rows {
                    return Err(incomplete("it holds fewer or more rows than it says"));
                }
                match self.record(reader)? {
                    None => Ok(None),
                    Some(_) => Err(incomplete("it goes on behind its end")),
                }
            }
            Some(Record::Tables(_)) => Err(incomplete("it lists its tables twice")),
            None => Err(incomplete("its last record is missing")),
        }
    }
}

fn incomplete(what: &str) -> UpkeepError {
    UpkeepError::Incomplete { what: what.to_owned() }
}

/// Finds each table of a copy among ours.
fn matched(tables: &Tables) -> Result<Vec<usize>, UpkeepError> {
    let found = tables.tables.iter().map(place_of).collect::<Result<Vec<usize>, _>>()?;
    if found.len() == ARCHIVE_TABLES.len() {
        Ok(found)
    } else {
        Err(incomplete("a table is missing"))
    }
}

fn place_of(names: &TableNames) -> Result<usize, UpkeepError> {
    let is_it = |table: &ArchiveTable| {
        table.name == names.name
            && table.columns.iter().map(|(name, _)| *name).eq(names.columns.iter())
    };
    ARCHIVE_TABLES
        .iter()
        .position(is_it)
        .ok_or_else(|| UpkeepError::Newer { what: names.name.clone() })
}

#[derive(Default)]
struct Batch {
    table: usize,
    rows: Vec<Vec<ArchiveCell>>,
    bytes: usize,
}

impl Batch {
    fn is_full_for(&self, table: usize) -> bool {
        !self.rows.is_empty()
            && (self.table != table || self.rows.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES)
    }

    fn push(&mut self, table: usize, cells: Vec<ArchiveCell>) {
        self.table = table;
        self.bytes += cells
            .iter()
            .map(|cell| match cell {
                ArchiveCell::Null | ArchiveCell::Number(_) => 8,
                ArchiveCell::Text(text) => text.len(),
                ArchiveCell::Bytes(bytes) => bytes.len(),
            })
            .sum::<usize>();
        self.rows.push(cells);
    }

    async fn flush(&mut self, rebuild: &mut dyn VaultRebuild) -> Result<(), VaultError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        if rows.is_empty() { Ok(()) } else { rebuild.add(self.table, rows).await }
    }
}
