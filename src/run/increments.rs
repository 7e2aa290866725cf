//! What is known of each cell's newest backup entry, and how a newer one is added.
//!
//! A cell is compared with its *newest* entry only. Where an increment exists, the token file no
//! longer counts for that cell: a value that went a → b → a, with an increment for b whose batch
//! was void, needs an increment for the second a. Otherwise rollback would bring b back.

use std::collections::{HashMap, HashSet};

use crate::ports::{BlindRow, FileKind, FileRow, RangeRow, RowStamp};
use crate::run::by_key::ByKey;
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::entries::{Sealing, compare, seal_all};
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::record::{BackupCell, IncrementRecord, TokenCell, TokenRecord};
use crate::run::sweep::sweep_range;
use crate::token::{DomainId, TokenBody};

/// The newest backup entry of each cell of one range, as tokens and digests.
#[derive(Default)]
pub(crate) struct Newest {
    /// The rows, in the order of the backup.
    rows: ByKey,
    /// What is known of each.
    known: Vec<Known>,
}

/// What is known of one row.
struct Known {
    cells: Vec<TokenCell>,
    /// What the row was when it was backed up; none where an increment is newer.
    stamp: Option<RowStamp>,
}

impl Newest {
    /// Reads the token file of a range, then its increments in order, then those of the sweeps.
    pub(crate) async fn read(
        job: &Job,
        range: &RangeRow,
        columns: &[Column],
    ) -> Result<Self, RunError> {
        let both = [range.number, sweep_range(range.table)];
        let files = job.vault.files_of(job.run, range.unit, &both).await?;
        let mut newest = Self::default();
        let of = |kind: FileKind, number: u32| {
            files
                .iter()
                .filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
        };
        for file in of(FileKind::Token, range.number) {
            let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
            while let Some(record) = reader.read()? {
                let record = TokenRecord::decode(&record)
                    .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
                let known = Known { cells: record.cells, stamp: record.stamp };
                newest.rows.push(&record.key);
                newest.known.push(known);
            }
        }
        // INVARIANT: the vault lists increments by epoch and number, and sweeps come after every
        // range is done.
        let swept = of(FileKind::Increment, sweep_range(range.table));
        for file in of(FileKind::Increment, range.number).chain(swept) {
            for record in read_increment(job, file)? {
                newest.apply(job, columns, &record);
            }
        }
        Ok(newest)
    }

    /// Takes an increment as the newest entry of its cell.
    pub(crate) fn apply(&mut self, job: &Job, columns: &[Column], record: &IncrementRecord) {
        let at = usize::from(record.column);
        let Some(column) = columns.get(at) else { return };
        let cell = match (&record.cell, &record.token) {
            (BackupCell::Value(original), Some(token)) => {
                let digest = (!column.treatment.is_deterministic())
                    .then(|| column.digest(&job.keys, original));
                TokenCell::Sealed { token: token.clone(), digest }
            }
            (BackupCell::Token(token), _) => TokenCell::Token(token.clone()),
            (BackupCell::Null | BackupCell::Empty | BackupCell::Value(_), _) => TokenCell::None,
        };
        let key = record.key.encode();
        let row = self.rows.place_or_push(&key);
        let fresh = || Known { cells: vec![TokenCell::None; columns.len()], stamp: None };
        self.known.resize_with(self.rows.len(), fresh);
        let Some(known) = self.known.get_mut(row) else { return };
        // The token file no longer counts for the row.
        known.stamp = None;
        if let Some(place) = known.cells.get_mut(at) {
            *place = cell;
        }
    }

    /// The newest entries of a row's cells, as far as there are any.
    pub(crate) fn row(&self, key: &[u8]) -> &[TokenCell] {
        let row = self.rows.place_of(key).and_then(|row| self.known.get(row));
        row.map_or(&[], |known| &known.cells)
    }

    /// The entries of a row that still is what was backed up: NULL, empty or sealed, each of them.
    /// `likely` is the place of the row that comes next in the backup, and is moved on.
    pub(crate) fn unchanged(
        &self,
        likely: &mut usize,
        key: &[u8],
        stamp: &RowStamp,
    ) -> Option<&[TokenCell]> {
        let row = self.rows.find(*likely, key)?;
        *likely = row + 1;
        let known = self.known.get(row)?;
        (known.stamp.as_ref() == Some(stamp)).then_some(&*known.cells)
    }

    /// Whether any row has a stamp.
    pub(crate) fn has_stamps(&self) -> bool {
        self.known.iter().any(|known| known.stamp.is_some())
    }
}

/// Reads a whole increment.
pub(crate) fn read_increment(job: &Job, file: &FileRow) -> Result<Vec<IncrementRecord>, RunError> {
    let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
    let mut records = Vec::new();
    while let Some(record) = reader.read()? {
        let record = IncrementRecord::decode(&record)
            .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
        records.push(record);
    }
    Ok(records)
}

/// Where an increment belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The unit.
    pub(crate) unit: u16,
    /// The range.
    pub(crate) range: u32,
    /// The worker's epoch.
    pub(crate) epoch: u64,
    /// Its number within the epoch.
    pub(crate) number: u32,
}

/// Adds an increment: the file first, then its record and its entries in one vault transaction.
///
/// A recorded increment is taken as "its values are in the vault", so the two are never apart.
pub(crate) async fn add(
    job: &Job,
    place: Place,
    columns: &[Column],
    records: &[IncrementRecord],
    blind: &[BlindRow],
) -> Result<(), RunError> {
    let Place { unit, range, epoch, number } = place;
    let name = format!("u{unit}-r{range}-e{epoch}-n{number}.increment");
    let mut writer = job.files.create(&name)?;
    for record in records {
        writer.write(&record.encode())?;
    }
    let seal = writer.finish()?;
    here("rewrite.after_increment_file");
    let file = FileRow { kind: FileKind::Increment, unit, range, epoch, number, seal };
    let mut seen: HashSet<(DomainId, &TokenBody)> = HashSet::new();
    let values: Vec<Sealing<'_>> = records
        .iter()
        .filter_map(|record| {
            let BackupCell::Value(original) = &record.cell else { return None };
            let column = columns.get(usize::from(record.column))?;
            let token = record.token.as_ref()?;
            let is_first = seen.insert((column.domain_id(), token));
            is_first.then(|| Sealing { column, token: token.clone(), original })
        })
        .collect();
    let entries = seal_all(&job.keys, &values)?;
    let by_domain: HashMap<DomainId, Column> =
        columns.iter().map(|column| (column.domain_id(), column.clone())).collect();
    let there = job.vault.insert(Some(job.run), &entries, blind, Some(file)).await?;
    here("rewrite.after_vault_commit");
    compare(&job.keys, &by_domain, &entries, &there)
}
