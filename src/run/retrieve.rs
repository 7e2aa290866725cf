//! Originals out of a run's backup: every file read through, or written down in a scratch database.
//!
//! Nothing here asks a vault or a source: manifest and files are enough, so that a backup is worth
//! something on the day on which both are gone.

use std::collections::HashMap;

use crate::plan::{Unit, UnitMode, UnitTable, Walk};
use crate::policy::TableName;
use crate::ports::{BackupError, BackupStore, FileKind, Progress, Row, Scratch, ScratchError};
use crate::run::error::RunError;
use crate::run::manifest::{Manifest, ManifestFile, scratch_table};
use crate::run::record::{BackupCell, BackupRecord, IncrementRecord, RecordError, TokenRecord};
use crate::run::sweep::sweep_range;
use crate::run::window::image_range;
use crate::token::Treatment;
use crate::value::{Original, RowKey};

/// Rows that are handed over at a time.
const ROWS: usize = 5_000;

/// Why originals did not come out of a backup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetrieveError {
    /// A file, or a record of it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The database that was to take them.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

impl From<BackupError> for RetrieveError {
    fn from(error: BackupError) -> Self {
        Self::Run(error.into())
    }
}

/// What came out of a backup for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrieved {
    /// The table.
    pub table: TableName,
    /// Rows.
    pub rows: u64,
    /// Cells with an original.
    pub originals: u64,
}

/// What reading a backup through came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadThrough {
    /// Files that were read to their end.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// Cells with an original in them, increments not counted.
    pub originals: u64,
    /// What does not hold: a file, and what is wrong with it.
    pub findings: Vec<(String, String)>,
}

/// Reads every file to its authenticated end, and counts what is in it.
///
/// # Errors
///
/// None: what cannot be read is a finding. A file that is missing does not hide the next.
#[must_use]
pub fn read_through(
    store: &dyn BackupStore,
    manifest: &Manifest,
    progress: &dyn Progress,
) -> ReadThrough {
    let mut read = ReadThrough::default();
    progress.begin("read the backup", "records", manifest.files.iter().map(|f| f.records).sum());
    for file in &manifest.files {
        match counted(store, file) {
            Ok((records, originals)) => {
                read.files += 1;
                read.records += records;
                read.originals += originals;
                if records != file.records {
                    let fact = format!("it has {records} records instead of {}", file.records);
                    read.findings.push((file.name.clone(), fact));
                }
                if let Some(fact) = miscounted(manifest, file, records, originals) {
                    read.findings.push((file.name.clone(), fact));
                }
            }
            Err(error) => read.findings.push((file.name.clone(), error.to_string())),
        }
        progress.advance(file.records);
    }
    progress.end();
    read
}

/// What a backup file's range says otherwise.
fn miscounted(
    manifest: &Manifest,
    file: &ManifestFile,
    rows: u64,
    originals: u64,
) -> Option<String> {
    if file.kind != FileKind::Backup.name() {
        return None;
    }
    let range = manifest
        .ranges
        .iter()
        .find(|range| range.unit == file.unit && range.number == file.range)?;
    (range.rows != rows || range.originals != originals).then(|| {
        format!(
            "it has {rows} rows with {originals} originals, and its range has {} with {}",
            range.rows, range.originals
        )
    })
}

/// Records and originals of a file.
fn counted(store: &dyn BackupStore, file: &ManifestFile) -> Result<(u64, u64), RunError> {
    let seal = file.seal()?;
    let mut reader = store.open(&seal.name, &seal.sha256)?;
    let (mut records, mut originals) = (0, 0);
    let malformed = |source| RunError::Record { name: file.name.clone(), source };
    while let Some(record) = reader.read()? {
        records += 1;
        if file.kind == FileKind::Backup.name() {
            let cells = BackupRecord::decode(&record).map_err(malformed)?.cells;
            originals +=
                cells.iter().filter(|cell| matches!(cell, BackupCell::Value(_))).count() as u64;
        } else if file.kind == FileKind::Token.name() {
            TokenRecord::decode(&record).map_err(malformed)?;
        } else if file.kind == FileKind::Increment.name() {
            IncrementRecord::decode(&record).map_err(malformed)?;
        }
    }
    Ok((records, originals))
}

/// Writes the newest originals of some tables into a scratch database.
///
/// # Errors
///
/// [`RetrieveError`]; the scratch database holds nothing of it then.
pub async fn retrieve(
    store: &dyn BackupStore,
    manifest: &Manifest,
    tables: &[TableName],
    mut scratch: Box<dyn Scratch>,
    progress: &dyn Progress,
) -> Result<Vec<Retrieved>, RetrieveError> {
    let mut retrieved = Vec::new();
    progress.begin("restore", "rows", manifest.ranges.iter().map(|range| range.rows).sum());
    for (unit, at, table) in manifest.tables() {
        if !tables.contains(&table.table) {
            continue;
        }
        let mut writing = Writing {
            treatments: manifest.treatments(table),
            table,
            done: Retrieved { table: table.table.clone(), rows: 0, originals: 0 },
            scratch: scratch.as_mut(),
            progress,
        };
        writing.scratch.table(&scratch_table(table)).await?;
        let reading = Reading { store, manifest, unit, at, width: table.columns.len() };
        match unit.mode {
            UnitMode::Ranges => reading.ranges(&mut writing).await?,
            UnitMode::Window => reading.image(&mut writing).await?,
        }
        retrieved.push(writing.done);
    }
    scratch.finish().await?;
    progress.end();
    Ok(retrieved)
}

/// One table of a backup.
struct Reading<'r> {
    store: &'r dyn BackupStore,
    manifest: &'r Manifest,
    unit: &'r Unit,
    at: u16,
    width: usize,
}

impl Reading<'_> {
    fn records<T>(
        &self,
        file: &ManifestFile,
        decode: impl Fn(&[u8]) -> Result<T, RecordError>,
    ) -> Result<Vec<T>, RunError> {
        let seal = file.seal()?;
        let mut reader = self.store.open(&seal.name, &seal.sha256)?;
        let mut records = Vec::new();
        while let Some(record) = reader.read()? {
            let malformed = |source| RunError::Record { name: file.name.clone(), source };
            records.push(decode(&record).map_err(malformed)?);
        }
        Ok(records)
    }

    /// The increments of a range, in the order in which they count.
    fn increments(&self, range: u32) -> Result<Vec<IncrementRecord>, RunError> {
        let mut files: Vec<&ManifestFile> = self
            .manifest
            .of_kind(FileKind::Increment)
            .filter(|file| file.unit == self.unit.id && file.range == range)
            .collect();
        files.sort_by_key(|file| (file.epoch, file.number));
        let mut records = Vec::new();
        for file in files {
            records.append(&mut self.records(file, IncrementRecord::decode)?);
        }
        Ok(records)
    }

    /// The backup files of the table, with the numbers of their ranges.
    fn backups(&self) -> Vec<&ManifestFile> {
        let is_of = |file: &&ManifestFile| {
            self.manifest.ranges.iter().any(|range| {
                range.unit == self.unit.id
                    && range.table == self.at
                    && file.unit == range.unit
                    && file.range == range.number
            })
        };
        let mut files: Vec<&ManifestFile> =
            self.manifest.of_kind(FileKind::Backup).filter(is_of).collect();
        files.sort_by_key(|file| file.range);
        files
    }

    /// Range by range: the backup, then its increments, then what sweeps found in its rows. What is
    /// left of the sweeps are rows that came later.
    async fn ranges(&self, writing: &mut Writing<'_>) -> Result<(), RetrieveError> {
        let mut swept: HashMap<Vec<u8>, Vec<IncrementRecord>> = HashMap::new();
        for record in self.increments(sweep_range(self.at))? {
            swept.entry(record.key.encode()).or_default().push(record);
        }
        for file in self.backups() {
            let mut rows = Rows::new(self.width);
            for record in self.records(file, BackupRecord::decode)? {
                rows.add(record);
            }
            for record in self.increments(file.range)? {
                rows.apply(record);
            }
            let keys: Vec<Vec<u8>> = rows.places.keys().cloned().collect();
            for record in keys.iter().filter_map(|key| swept.remove(key)).flatten() {
                rows.apply(record);
            }
            writing.put(rows.records).await?;
        }
        let mut rows = Rows::new(self.width);
        for record in swept.into_values().flatten() {
            rows.apply(record);
        }
        writing.put(rows.records).await
    }

    /// The newest image of a table that is rewritten in a window, file by file, and what came after
    /// it. Without a key that says which row it replaced, what came late is a row of its own.
    async fn image(&self, writing: &mut Writing<'_>) -> Result<(), RetrieveError> {
        let late = self.increments(sweep_range(self.at))?;
        if !matches!(writing.table.walk, Walk::Key(_)) {
            for file in self.image_files() {
                writing.put(self.image_rows(file)?).await?;
            }
            return writing.put(self.rows_of(late)).await;
        }
        let mut by_key: HashMap<Vec<u8>, Vec<IncrementRecord>> = HashMap::new();
        for record in late {
            by_key.entry(record.key.encode()).or_default().push(record);
        }
        for file in self.image_files() {
            let mut rows = Rows::new(self.width);
            for record in self.image_rows(file)? {
                rows.add(record);
            }
            let keys: Vec<Vec<u8>> = rows.places.keys().cloned().collect();
            for record in keys.iter().filter_map(|key| by_key.remove(key)).flatten() {
                rows.apply(record);
            }
            writing.put(rows.records).await?;
        }
        let mut rows = Rows::new(self.width);
        for record in by_key.into_values().flatten() {
            rows.apply(record);
        }
        writing.put(rows.records).await
    }

    /// Rows of increments that follow one another; where rows have no key, none replaces another.
    fn rows_of(&self, records: Vec<IncrementRecord>) -> Vec<BackupRecord> {
        let mut rows: Vec<BackupRecord> = Vec::new();
        let mut last = None;
        for record in records {
            let column = usize::from(record.column);
            let is_same = last.is_some_and(|last| last < column)
                && rows.last().is_some_and(|row| row.key == record.key);
            if !is_same {
                let cells = (0..self.width).map(|_| BackupCell::Null).collect();
                rows.push(BackupRecord { key: record.key, stamp: None, cells });
            }
            last = Some(column);
            if let Some(cell) = rows.last_mut().and_then(|row| row.cells.get_mut(column)) {
                *cell = record.cell;
            }
        }
        rows
    }

    fn image_files(&self) -> Vec<&ManifestFile> {
        let mut images: Vec<&ManifestFile> = self
            .manifest
            .of_kind(FileKind::Increment)
            .filter(|file| file.unit == self.unit.id && file.range >> 1 == u32::from(self.at))
            .collect();
        images.sort_by_key(|file| (file.epoch, file.number));
        let begin = images.iter().rposition(|file| file.range == image_range(self.at, true));
        match begin {
            Some(begin) => images.split_off(begin),
            None => self.backups(),
        }
    }

    fn image_rows(&self, file: &ManifestFile) -> Result<Vec<BackupRecord>, RunError> {
        if file.kind == FileKind::Backup.name() {
            return self.records(file, BackupRecord::decode);
        }
        let mut rows: Vec<BackupRecord> = Vec::new();
        for record in self.records(file, IncrementRecord::decode)? {
            match rows.last_mut() {
                Some(row) if row.cells.len() < self.width => row.cells.push(record.cell),
                _ => rows.push(BackupRecord {
                    key: record.key,
                    stamp: None,
                    cells: vec![record.cell],
                }),
            }
        }
        Ok(rows)
    }
}

/// The rows of one range, to which increments are applied.
struct Rows {
    records: Vec<BackupRecord>,
    places: HashMap<Vec<u8>, usize>,
    width: usize,
}

impl Rows {
    fn new(width: usize) -> Self {
        Self { records: Vec::new(), places: HashMap::new(), width }
    }

    fn add(&mut self, record: BackupRecord) {
        self.places.insert(record.key.encode(), self.records.len());
        self.records.push(record);
    }

    fn apply(&mut self, record: IncrementRecord) {
        let key = record.key.encode();
        let place = self.places.get(&key).copied().unwrap_or_else(|| {
            let cells = (0..self.width).map(|_| BackupCell::Null).collect();
            self.add(BackupRecord { key: record.key, stamp: None, cells });
            self.records.len() - 1
        });
        if let Some(cell) = self.records[place].cells.get_mut(usize::from(record.column)) {
            *cell = record.cell;
        }
    }
}

/// One table of a scratch database.
struct Writing<'w> {
    treatments: Vec<Option<Treatment>>,
    table: &'w UnitTable,
    done: Retrieved,
    scratch: &'w mut dyn Scratch,
    progress: &'w dyn Progress,
}

impl Writing<'_> {
    async fn put(&mut self, records: Vec<BackupRecord>) -> Result<(), RetrieveError> {
        let table = scratch_table(self.table);
        let mut rows = Vec::with_capacity(ROWS.min(records.len()));
        let mut records = records.into_iter().peekable();
        while let Some(record) = records.next() {
            rows.push(self.row(record)?);
            if rows.len() == ROWS || records.peek().is_none() {
                self.scratch.put(&table, &rows).await?;
                self.done.rows += rows.len() as u64;
                self.progress.advance(rows.len() as u64);
                rows.clear();
            }
        }
        Ok(())
    }

    fn row(&mut self, record: BackupRecord) -> Result<Row, RunError> {
        let BackupRecord { key, stamp: _, cells } = record;
        let mut originals = 0;
        let cells = cells
            .into_iter()
            .zip(&self.treatments)
            .map(|(cell, treatment)| match (cell, treatment) {
                (BackupCell::Null, _) => Ok(None),
                (BackupCell::Empty, _) => Ok(Some(Original::text(""))),
                (BackupCell::Value(original), _) => {
                    originals += 1;
                    Ok(Some(original))
                }
                // What was a token before the run is one in its backup.
                (BackupCell::Token(token), Some(treatment)) => treatment
                    .cell(&token)
                    .map(Some)
                    .map_err(|misfit| RunError::Inconsistent(misfit.to_string())),
                (BackupCell::Token(_), None) => Err(RunError::Inconsistent(format!(
                    "table `{}` held a token of a domain that the backup does not name",
                    self.table.table
                ))),
            })
            .collect::<Result<_, _>>()?;
        self.done.originals += originals;
        let key = match self.table.walk {
            Walk::Key(_) | Walk::RowId => key,
            Walk::ScopedKey(_) => RowKey(Vec::new()),
        };
        Ok(Row { key, cells, version: None, stamp: None })
    }
}
