//! Late originals in units that were rewritten in a window: the window is opened once more for them.
//!
//! What is found without a lock goes into increments of the unit's sweeps and into the vault; then the
//! lock is taken and every original that stands there has to be one of these. How sweeps follow one
//! another is `sweep.rs`'s; how an image of a unit is made is `window.rs`'s.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::plan::{Unit, UnitTable, Walk};
use crate::ports::{
    BlindRow, Counts, CursorId, Limit, Pass, Row, RowWrite, SourceError, SourceWindow, Step,
    VaultError, WriteOutcome,
};
use crate::run::batch::{BYTES_MAX, compute};
use crate::run::column::{Column, Fate};
use crate::run::crash::here;
use crate::run::entries::known;
use crate::run::error::RunError;
use crate::run::increments::{Place, add};
use crate::run::job::Job;
use crate::run::record::{BackupCell, IncrementRecord};
use crate::run::sweep::{originals, sweep_range};
use crate::run::verify::own_writers;
use crate::run::window::{refused, unfit};
use crate::run::worker::{derive_row, fates, fresh_token, shaped, written};
use crate::token::TokenBody;
use crate::value::{Original, RowKey};

/// How often the lock is taken because somebody wrote meanwhile. Writers wait each time.
const ATTEMPTS_MAX: u32 = 5;

/// Rows of one read.
const ROWS: usize = 5_000;

/// What a sweep of a window came to.
pub(crate) enum Swept {
    /// So many cells became tokens.
    Rewritten(u64),
    /// Originals came as quickly as they were read.
    Busy,
}

/// Rewrites what came into a unit since its window, in one transaction as before.
///
/// # Errors
///
/// [`RunError`]; nothing of the source has changed then.
pub(crate) async fn sweep_window(job: &Job, unit: &Unit) -> Result<Swept, RunError> {
    let mut tables = Vec::with_capacity(unit.tables.len());
    for (table, at) in unit.tables.iter().zip(0_u16..) {
        let columns = job.columns(table).await?;
        // INVARIANT: where tokens cannot be told from originals only the window's cursor says what
        // was done, and nothing is ever done twice.
        if !columns.iter().all(|column| column.treatment.is_recognisable_by_shape()) {
            return Ok(Swept::Rewritten(0));
        }
        tables.push(Table { unit: table, at, columns });
    }
    let cursor =
        CursorId { run: job.run, pass: Pass::Rewrite, unit: unit.id, range: sweep_range(0) };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    let mut sweep = Sweep { job, unit, tables, cursor, epoch: state.epoch, number: 0 };
    for _ in 0..ATTEMPTS_MAX {
        job.refuse_if_paused().await?;
        let late = sweep.look().await?;
        if late.0.is_empty() {
            return sweep.close().await;
        }
        here("window.after_late");
        let begun = Instant::now();
        let (_, window) = job.source.window(&unit.tables, None).await?;
        let Some(window) = window else { continue };
        let rewritten = sweep.rewrite(window, late).await;
        job.lock_meter.saw(begun.elapsed());
        match rewritten {
            Ok(Some(cells)) => return Ok(Swept::Rewritten(cells)),
            // Something came between the look and the lock, or somebody held a row for too long.
            Ok(None) | Err(RunError::Source(SourceError::Locked { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    sweep.close().await?;
    Ok(Swept::Busy)
}

/// An original as it is found again: table and column of the unit, the row's key where rows have one
/// that stays, and the keyed digest of the value.
type Cell = (u16, usize, Vec<u8>, [u8; 16]);

/// Originals that were found, and whose tokens are in backup and vault: as often as they were found.
#[derive(Default)]
struct Late(HashMap<Cell, (TokenBody, u64)>);

impl Late {
    fn put(&mut self, cell: Cell, token: TokenBody) {
        self.0.entry(cell).or_insert((token, 0)).1 += 1;
    }

    /// The token of an original; each is there once.
    fn take(&mut self, cell: &Cell) -> Option<TokenBody> {
        let (token, left) = self.0.get_mut(cell)?;
        *left = left.checked_sub(1)?;
        Some(token.clone())
    }
}

/// A table of the unit at work.
struct Table<'s> {
    unit: &'s UnitTable,
    at: u16,
    columns: Vec<Column>,
}

impl Table<'_> {
    fn cell(&self, job: &Job, row: &RowKey, at: usize, original: &Original) -> Cell {
        let key = match self.unit.walk {
            Walk::Key(_) => row.encode(),
            Walk::RowId | Walk::ScopedKey(_) => Vec::new(),
        };
        (self.at, at, key, self.columns[at].digest(&job.keys, original))
    }

    /// Which cells of some rows are originals: those that the vault has no token for.
    async fn originals(&self, job: &Job, rows: &[Row]) -> Result<Vec<Vec<bool>>, RunError> {
        let fates = fates(&self.columns, rows);
        let known = known(job.vault.as_ref(), shaped(&self.columns, &fates)).await?;
        let is_original = |(column, fate): (&Column, &Fate)| match fate {
            Fate::Null | Fate::Empty => false,
            Fate::Shaped(token) => !known.contains_key(&(column.domain_id(), token.clone())),
            Fate::Original => true,
        };
        Ok(fates
            .iter()
            .map(|row| self.columns.iter().zip(row).map(is_original).collect())
            .collect())
    }
}

/// One unit, and how it is walked.
struct Sweep<'s> {
    job: &'s Job,
    unit: &'s Unit,
    tables: Vec<Table<'s>>,
    cursor: CursorId,
    epoch: u64,
    number: u32,
}

impl Sweep<'_> {
    fn step(&self, tokenized: u64) -> Step {
        let counts = Counts { tokenized, ..Counts::default() };
        let (cursor, epoch) = (self.cursor, self.epoch);
        Step { cursor, epoch, from: None, to: None, done: true, counts, interval: None }
    }

    /// Marks the cursor as done where there was nothing to write.
    async fn close(&self) -> Result<Swept, RunError> {
        let Some(first) = self.tables.first() else { return Ok(Swept::Rewritten(0)) };
        let version = self.job.source.version().await?;
        match self.job.source.write(first.unit, &self.step(0), &[], &[], version).await? {
            WriteOutcome::Written => Ok(Swept::Rewritten(0)),
            WriteOutcome::LeaseLost | WriteOutcome::Changed | WriteOutcome::Rejected(_) => {
                Err(RunError::LeaseLost { unit: self.cursor.unit, range: self.cursor.range })
            }
        }
    }

    /// Finds originals without a lock; each is in backup and vault when this returns.
    async fn look(&mut self) -> Result<Late, RunError> {
        let mut late = Late::default();
        let (job, tables) = (self.job, std::mem::take(&mut self.tables));
        let looked = async {
            for table in &tables {
                let filter = originals(job, &table.columns);
                if !job.source.may_hold(table.unit, &filter).await? {
                    continue;
                }
                let mut position: Option<RowKey> = None;
                loop {
                    let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
                    let after = position.as_ref();
                    let rows = job.source.walk(table.unit, after, None, limit, &filter).await?;
                    let Some(last) = rows.last() else { break };
                    position = Some(last.key.clone());
                    self.settle(table, &rows, &mut late).await?;
                }
            }
            Ok::<_, RunError>(())
        };
        let looked = looked.await;
        self.tables = tables;
        looked.map(|()| late)
    }

    /// Brings the originals of some rows into backup and vault.
    async fn settle(
        &mut self,
        table: &Table<'_>,
        rows: &[Row],
        late: &mut Late,
    ) -> Result<(), RunError> {
        let originals = table.originals(self.job, rows).await?;
        loop {
            let (records, blind) = self.records(table, rows, &originals).await?;
            if records.is_empty() {
                return Ok(());
            }
            let (unit, range) = (self.unit.id, sweep_range(table.at));
            let place = Place { unit, range, epoch: self.epoch, number: self.number };
            self.number += 1;
            match add(self.job, place, &table.columns, &records, &blind).await {
                // Somebody else's token stands for a value of ours: it is taken.
                Err(RunError::Vault(VaultError::BlindTaken)) => {}
                added => {
                    added?;
                    for record in records {
                        let (BackupCell::Value(original), Some(token)) =
                            (&record.cell, record.token)
                        else {
                            continue;
                        };
                        let at = usize::from(record.column);
                        late.put(table.cell(self.job, &record.key, at, original), token);
                    }
                    return Ok(());
                }
            }
        }
    }

    async fn records(
        &self,
        table: &Table<'_>,
        rows: &[Row],
        originals: &[Vec<bool>],
    ) -> Result<(Vec<IncrementRecord>, Vec<BlindRow>), RunError> {
        let (mut records, mut blind) = (Vec::new(), Vec::new());
        let fates = fates(&table.columns, rows);
        let numbered: Vec<(&Row, &Vec<Fate>)> = rows.iter().zip(&fates).collect();
        let derived =
            compute(&numbered, |(row, fates)| derive_row(self.job, &table.columns, row, fates));
        let theirs = self.theirs(table, rows, originals).await?;
        for (((row, originals), derived), fates) in
            rows.iter().zip(originals).zip(derived).zip(&fates)
        {
            for (at, ((cell, is_original), derived)) in
                row.cells.iter().zip(originals).zip(derived).enumerate()
            {
                if let (Fate::Shaped(token), false, true) =
                    (&fates[at], *is_original, theirs.contains(&row.key))
                {
                    records.push(IncrementRecord {
                        table: table.at,
                        column: u16::try_from(at).unwrap_or(u16::MAX),
                        key: row.key.clone(),
                        cell: BackupCell::Token(token.clone()),
                        token: None,
                    });
                }
                let (Some(original), true) = (cell, *is_original) else { continue };
                let told =
                    |reason: String| refused(self.unit, unfit(table.unit, at, &row.key, &reason));
                let token = match derived.map_err(told)? {
                    Some(token) => token,
                    None => fresh_token(self.job, &table.columns[at], original, &mut blind).await?,
                };
                records.push(IncrementRecord {
                    table: table.at,
                    column: u16::try_from(at).unwrap_or(u16::MAX),
                    key: row.key.clone(),
                    cell: BackupCell::Value(original.duplicate()),
                    token: Some(token),
                });
            }
        }
        Ok((records, blind))
    }

    /// Rows with an original that the application itself wrote. They become ours, so what it brought in
    /// their other cells is kept beside it, where rows have a key.
    async fn theirs<'r>(
        &self,
        table: &Table<'_>,
        rows: &'r [Row],
        originals: &[Vec<bool>],
    ) -> Result<HashSet<&'r RowKey>, RunError> {
        let is_keyed = matches!(table.unit.walk, Walk::Key(_)) && table.columns.len() > 1;
        if !is_keyed || !originals.iter().any(|row| row.contains(&true)) {
            return Ok(HashSet::new());
        }
        let Some(own) = own_writers(self.job).await? else { return Ok(HashSet::new()) };
        let is_theirs = |row: &Row| {
            let writer = row.version.map(|version| version.writer);
            writer.is_some_and(|writer| !own.contains(&writer))
        };
        let found = rows.iter().zip(originals);
        let found = found.filter(|(row, originals)| originals.contains(&true) && is_theirs(row));
        Ok(found.map(|(row, _)| &row.key).collect())
    }

    /// Writes tokens under the lock; `None` where an original stands there that was not found before,
    /// and nothing was written then.
    async fn rewrite(
        &self,
        mut window: Box<dyn SourceWindow>,
        mut late: Late,
    ) -> Result<Option<u64>, RunError> {
        let mut tokenized = 0;
        for table in &self.tables {
            match self.rewrite_table(table, window.as_mut(), &mut late).await {
                Ok(Some(cells)) => tokenized += cells,
                Ok(None) => {
                    window.abandon().await?;
                    return Ok(None);
                }
                Err(error) => {
                    window.abandon().await?;
                    return Err(error);
                }
            }
        }
        here("window.before_late_commit");
        match window.commit(&self.step(tokenized)).await? {
            WriteOutcome::Written => {
                here("window.after_late_commit");
                Ok(Some(tokenized))
            }
            WriteOutcome::Rejected(rejection) => Err(refused(self.unit, rejection.reason)),
            WriteOutcome::LeaseLost | WriteOutcome::Changed => {
                Err(RunError::LeaseLost { unit: self.cursor.unit, range: self.cursor.range })
            }
        }
    }

    async fn rewrite_table(
        &self,
        table: &Table<'_>,
        window: &mut dyn SourceWindow,
        late: &mut Late,
    ) -> Result<Option<u64>, RunError> {
        let mut tokenized = 0;
        let mut position: Option<RowKey> = None;
        loop {
            let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
            let rows = window.walk(table.unit, position.as_ref(), limit).await?;
            let Some(last) = rows.last() else { return Ok(Some(tokenized)) };
            position = Some(last.key.clone());
            let originals = table.originals(self.job, &rows).await?;
            let mut writes = Vec::new();
            for (row, originals) in rows.iter().zip(&originals) {
                if !originals.contains(&true) {
                    continue;
                }
                let mut cells = Vec::with_capacity(row.cells.len());
                for (at, (cell, is_original)) in row.cells.iter().zip(originals).enumerate() {
                    let (Some(original), true) = (cell, *is_original) else {
                        cells.push(cell.as_ref().map(Original::duplicate));
                        continue;
                    };
                    let cell = table.cell(self.job, &row.key, at, original);
                    let Some(token) = late.take(&cell) else { return Ok(None) };
                    cells.push(Some(written(&table.columns[at], &token)?));
                    tokenized += 1;
                }
                writes.push(RowWrite { key: row.key.clone(), cells });
            }
            if let Some(rejection) = window.write(table.unit, &writes).await? {
                return Err(refused(self.unit, rejection.reason));
            }
        }
    }
}
