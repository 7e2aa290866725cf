//! Units in a window: all their tables in one transaction under the write lock.
//!
//! For tables without a usable key, foreign-key groups, keys that are in scope, tokens that are not
//! recognisable by their shape. First, without a lock, the newest image of the unit is made sure to
//! be in the backup and in the vault. Then the lock is taken; if nobody has written since, the
//! image is exactly what is rewritten, otherwise it is made again.

use std::time::Instant;

use crate::plan::{Unit, UnitTable, Walk};
use crate::ports::{
    BlindRow, Counts, CursorId, FileKind, FileRow, Limit, Pass, RangeRow, Row, RowWrite,
    SourceError, SourceWindow, Step, VaultError, WalkFilter, WindowOutcome, WriteOutcome,
};
use crate::run::backup::backup_records;
use crate::run::batch::{BYTES_MAX, compute};
use crate::run::column::{Column, Fate};
use crate::run::crash::here;
use crate::run::entries::known;
use crate::run::error::RunError;
use crate::run::increments::{Place, add, read_increment};
use crate::run::job::Job;
use crate::run::record::{BackupCell, BackupRecord, IncrementRecord, TokenCell, TokenRecord};
use crate::run::worker::{Known, derive_row, fates, fresh_token, shaped, written};
use crate::token::TokenBody;
use crate::value::RowKey;

/// How often the image is made again because somebody wrote meanwhile.
const ATTEMPTS_MAX: u32 = 20;

/// Rows of one read inside a window.
const ROWS: usize = 5_000;

pub(crate) async fn rewrite_window(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let cursor = CursorId { run: job.run, pass: Pass::Rewrite, unit: unit.id, range: 0 };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    if state.done {
        job.progress.advance(state.counts.rows);
        return Ok(());
    }
    let mut increments = Increments { job, unit, epoch: state.epoch, number: 0 };
    for _ in 0..ATTEMPTS_MAX {
        job.refuse_if_paused().await?;
        let version = job.source.version().await?;
        increments.catch_up().await?;
        here("window.after_image");
        let begun = Instant::now();
        let Some(window) = increments.hold(version).await? else { continue };
        let rewritten = rewrite_held(job, unit, cursor, state.epoch, window).await;
        job.lock_meter.saw(begun.elapsed());
        match rewritten {
            // Somebody held a row of it for too long. Nothing was written, and all is tried again.
            Err(RunError::Source(SourceError::Locked { .. })) => {}
            rewritten => return rewritten,
        }
    }
    let table = unit.tables.first().map(|table| table.table.to_string()).unwrap_or_default();
    Err(RunError::Busy { table, attempts: ATTEMPTS_MAX })
}

async fn rewrite_held(
    job: &Job,
    unit: &Unit,
    cursor: CursorId,
    epoch: u64,
    mut window: Box<dyn SourceWindow>,
) -> Result<(), RunError> {
    let mut counts = Counts::default();
    for (at, table) in unit.tables.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        let rewritten = rewrite_table(job, unit, at, table, window.as_mut()).await;
        match rewritten {
            Ok(table_counts) => counts.add(&table_counts),
            Err(error) => {
                window.abandon().await?;
                return Err(error);
            }
        }
    }
    let rows = counts.rows;
    let step = Step { cursor, epoch, from: None, to: None, done: true, counts, interval: None };
    here("window.before_commit");
    match window.commit(&step).await? {
        WriteOutcome::Written => {
            here("window.after_commit");
            job.progress.advance(rows);
            Ok(())
        }
        WriteOutcome::Rejected(rejection) => Err(refused(unit, rejection.reason)),
        WriteOutcome::LeaseLost | WriteOutcome::Changed => {
            Err(RunError::LeaseLost { unit: unit.id, range: 0 })
        }
    }
}

/// Where a value stands that can have no token. A key in scope is an original, and is not told.
pub(crate) fn unfit(table: &UnitTable, place: usize, key: &RowKey, reason: &str) -> String {
    let column = table.columns.get(place).map_or("?", |column| column.column.as_str());
    match table.walk {
        Walk::Key(_) | Walk::RowId => format!("column `{column}` of row {key}: {reason}"),
        Walk::ScopedKey(_) => format!("column `{column}`: {reason}"),
    }
}

pub(crate) fn refused(unit: &Unit, reason: String) -> RunError {
    let tables: Vec<String> = unit.tables.iter().map(|table| table.table.to_string()).collect();
    RunError::WindowRefused { table: tables.join(", "), reason }
}

async fn rewrite_table(
    job: &Job,
    unit: &Unit,
    at: u16,
    table: &UnitTable,
    window: &mut dyn SourceWindow,
) -> Result<Counts, RunError> {
    let columns = job.columns(table).await?;
    let tokens = RandomTokens::read(job, unit, at, table, &columns).await?;
    let mut counts = Counts::default();
    let mut position: Option<RowKey> = None;
    loop {
        let rows =
            window.walk(table, position.as_ref(), Limit { rows: ROWS, bytes: BYTES_MAX }).await?;
        let Some(last) = rows.last() else { return Ok(counts) };
        position = Some(last.key.clone());
        let fates = fates(&columns, &rows);
        let known = known(job.vault.as_ref(), shaped(&columns, &fates)).await?;
        let moves = matches!(table.walk, Walk::ScopedKey(_));
        let mut writes = Vec::with_capacity(rows.len());
        let derived = derive_rows(job, &columns, &rows, &fates);
        for ((row, fates), derived) in rows.iter().zip(&fates).zip(derived) {
            let derived = derived
                .into_iter()
                .enumerate()
                .map(|(place, token)| {
                    token.map_err(|reason| unfit(table, place, &row.key, &reason))
                })
                .collect();
            let mut batch = Counts { rows: 1, ..Counts::default() };
            let cells =
                window_row(job, unit, &columns, row, fates, derived, &known, &tokens, &mut batch)
                    .await?;
            // A row that moved ahead of the walk with its key is met a second time, as tokens.
            if moves && cells.is_none() && batch.already_token > 0 {
                continue;
            }
            counts.add(&batch);
            if let Some(cells) = cells {
                writes.push(RowWrite { key: row.key.clone(), cells });
            }
        }
        if let Some(rejection) = window.write(table, &writes).await? {
            return Err(refused(unit, rejection.reason));
        }
    }
}

type Derived = Vec<Result<Option<TokenBody>, String>>;

fn derive_rows(job: &Job, columns: &[Column], rows: &[Row], fates: &[Vec<Fate>]) -> Vec<Derived> {
    let numbered: Vec<(&Row, &Vec<Fate>)> = rows.iter().zip(fates).collect();
    compute(&numbered, |(row, fates)| derive_row(job, columns, row, fates))
}

/// The cells of one row as they are to be; `None` where nothing changes.
#[expect(clippy::too_many_arguments, reason = "one row, and all that is known about its table")]
async fn window_row(
    job: &Job,
    unit: &Unit,
    columns: &[Column],
    row: &Row,
    fates: &[Fate],
    derived: Derived,
    known: &Known,
    tokens: &RandomTokens,
    counts: &mut Counts,
) -> Result<Option<Vec<Option<crate::value::Original>>>, RunError> {
    let mut cells = Vec::with_capacity(row.cells.len());
    let mut changes = false;
    let key = row.key.encode();
    for (((at, column), (cell, fate)), derived) in
        columns.iter().enumerate().zip(row.cells.iter().zip(fates)).zip(derived)
    {
        let kept = cell.as_ref().map(crate::value::Original::duplicate);
        let Some(original) = cell else {
            counts.null += 1;
            cells.push(kept);
            continue;
        };
        match fate {
            Fate::Empty => counts.empty += 1,
            Fate::Shaped(token) if known.contains_key(&(column.domain_id(), token.clone())) => {
                counts.already_token += 1;
            }
            Fate::Null | Fate::Shaped(_) | Fate::Original => {
                let token = match derived.map_err(|reason| refused(unit, reason))? {
                    Some(token) => token,
                    None => tokens.find(job, &key, at, column, original).await?,
                };
                counts.tokenized += 1;
                changes = true;
                cells.push(Some(written(column, &token)?));
                continue;
            }
        }
        cells.push(kept);
    }
    Ok(changes.then_some(cells))
}

/// Where the tokens of `random` columns are found again: by row key, or by value with `dedupe`.
struct RandomTokens(std::collections::HashMap<(Vec<u8>, usize), TokenBody>);

impl RandomTokens {
    async fn read(
        job: &Job,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
        columns: &[Column],
    ) -> Result<Self, RunError> {
        let mut tokens = std::collections::HashMap::new();
        let by_key = |column: &Column| {
            !column.treatment.is_deterministic() && !column.treatment.is_deduplicated()
        };
        if !columns.iter().any(by_key) || !matches!(table.walk, Walk::Key(_)) {
            return Ok(Self(tokens));
        }
        let files = job.vault.files(job.run).await?;
        let ranges = job.vault.ranges(job.run).await?;
        for file in files.iter().filter(|f| f.kind == FileKind::Token && f.unit == unit.id) {
            if !ranges.iter().any(|r| is_range(r, file) && r.table == at) {
                continue;
            }
            let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
            while let Some(record) = reader.read()? {
                let record = TokenRecord::decode(&record)
                    .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
                for (place, cell) in record.cells.into_iter().enumerate() {
                    if let TokenCell::Sealed { token, .. } = cell {
                        tokens.insert((record.key.clone(), place), token);
                    }
                }
            }
        }
        for file in files.iter().filter(|f| f.kind == FileKind::Increment && f.unit == unit.id) {
            for record in read_increment(job, file)?.into_iter().filter(|r| r.table == at) {
                if let Some(token) = record.token {
                    tokens.insert((record.key.encode(), usize::from(record.column)), token);
                }
            }
        }
        Ok(Self(tokens))
    }

    async fn find(
        &self,
        job: &Job,
        key: &[u8],
        at: usize,
        column: &Column,
        original: &crate::value::Original,
    ) -> Result<TokenBody, RunError> {
        let lost = || {
            RunError::Inconsistent(format!(
                "a value of domain `{}` has no token yet",
                column.domain
            ))
        };
        if !column.treatment.is_deduplicated() {
            return self.0.get(&(key.to_vec(), at)).cloned().ok_or_else(lost);
        }
        let digest = column.blind_digest(&job.keys, original).ok_or_else(lost)?;
        let found = job.vault.blind(column.domain_id(), &[digest]).await?;
        found.into_iter().flatten().next().ok_or_else(lost)
    }
}

fn is_range(range: &RangeRow, file: &FileRow) -> bool {
    range.unit == file.unit && range.number == file.range
}

/// Brings backup and vault to what a window unit holds now.
struct Increments<'i> {
    job: &'i Job,
    unit: &'i Unit,
    epoch: u64,
    number: u32,
}

impl Increments<'_> {
    /// Walks the unit and compares it with its newest image, row by row and in order. The first
    /// difference makes a new image of that table: a window's increment is always a whole table,
    /// so that it needs no row keys to say what it replaces.
    async fn catch_up(&mut self) -> Result<(), RunError> {
        for (at, table) in self.unit.tables.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            let columns = self.job.columns(table).await?;
            if !self.is_current(at, table, &columns, None).await? {
                self.write_image(at, table, &columns).await?;
            }
        }
        Ok(())
    }

    /// Takes the write lock over a unit whose newest image is what it holds; `None` where it is not.
    ///
    /// Every commit to the file changes its version, also one to other tables. So where it has
    /// changed, the unit is compared once more under the lock: a busy application elsewhere in the
    /// file cannot keep a window from opening.
    async fn hold(&self, version: i64) -> Result<Option<Box<dyn SourceWindow>>, RunError> {
        let (outcome, window) = self.job.source.window(&self.unit.tables, Some(version)).await?;
        if let (WindowOutcome::Held, Some(window)) = (outcome, window) {
            return Ok(Some(window));
        }
        let (_, window) = self.job.source.window(&self.unit.tables, None).await?;
        let Some(mut window) = window else { return Ok(None) };
        let current = self.is_unit_current(window.as_mut()).await;
        if matches!(current, Ok(true)) {
            return Ok(Some(window));
        }
        window.abandon().await?;
        current.map(|_| None)
    }

    async fn is_unit_current(&self, window: &mut dyn SourceWindow) -> Result<bool, RunError> {
        for (at, table) in self.unit.tables.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            let columns = self.job.columns(table).await?;
            if !self.is_current(at, table, &columns, Some(&mut *window)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the newest image of a table is what the table holds: what it holds under the lock,
    /// where there is a window.
    async fn is_current(
        &self,
        at: u16,
        table: &UnitTable,
        columns: &[Column],
        mut window: Option<&mut dyn SourceWindow>,
    ) -> Result<bool, RunError> {
        let mut image = Image::open(self.job, self.unit, at, columns.len()).await?;
        let mut position: Option<RowKey> = None;
        loop {
            let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
            let after = position.as_ref();
            let rows = match &mut window {
                Some(window) => window.walk(table, after, limit).await?,
                None => self.job.source.walk(table, after, None, limit, &WalkFilter::All).await?,
            };
            let Some(last) = rows.last() else { return Ok(image.next()?.is_none()) };
            position = Some(last.key.clone());
            for now in backup_records(self.job, columns, &rows).await? {
                let Some(then) = image.next()? else { return Ok(false) };
                if *then.encode() != *now.encode() {
                    return Ok(false);
                }
            }
        }
    }

    async fn write_image(
        &mut self,
        at: u16,
        table: &UnitTable,
        columns: &[Column],
    ) -> Result<(), RunError> {
        let mut position: Option<RowKey> = None;
        let mut is_first = true;
        loop {
            let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
            let rows = self
                .job
                .source
                .walk(table, position.as_ref(), None, limit, &WalkFilter::All)
                .await?;
            let Some(last) = rows.last() else {
                if is_first {
                    self.add_image(at, columns, Vec::new(), &[], true).await?;
                }
                return Ok(());
            };
            position = Some(last.key.clone());
            loop {
                let records = backup_records(self.job, columns, &rows).await?;
                let (records, blind) = self.with_tokens(at, columns, records).await?;
                let added = self.add_image(at, columns, records, &blind, is_first).await;
                match added {
                    Err(RunError::Vault(VaultError::BlindTaken)) => {}
                    added => break added?,
                }
            }
            is_first = false;
        }
    }

    async fn with_tokens(
        &self,
        at: u16,
        columns: &[Column],
        rows: Vec<BackupRecord>,
    ) -> Result<(Vec<IncrementRecord>, Vec<BlindRow>), RunError> {
        let (mut records, mut blind) = (Vec::new(), Vec::new());
        for row in rows {
            for (place, cell) in row.cells.into_iter().enumerate() {
                let column = &columns[place];
                let token = match &cell {
                    BackupCell::Value(original) if column.treatment.is_deterministic() => {
                        Some(column.derive(&self.job.keys, original).map_err(|misfit| {
                            let table = &self.unit.tables[usize::from(at)];
                            let told = unfit(table, place, &row.key, &misfit.to_string());
                            refused(self.unit, told)
                        })?)
                    }
                    BackupCell::Value(original) => {
                        Some(fresh_token(self.job, column, original, &mut blind).await?)
                    }
                    BackupCell::Null | BackupCell::Empty | BackupCell::Token(_) => None,
                };
                let column = u16::try_from(place).unwrap_or(u16::MAX);
                records.push(IncrementRecord {
                    table: at,
                    column,
                    key: row.key.clone(),
                    cell,
                    token,
                });
            }
        }
        Ok((records, blind))
    }

    /// The files of one image share an epoch-wide number that begins with the image's own: an image
    /// is the files from one whose range is [`IMAGE_BEGINS`] to the next such.
    async fn add_image(
        &mut self,
        at: u16,
        columns: &[Column],
        records: Vec<IncrementRecord>,
        blind: &[BlindRow],
        is_first: bool,
    ) -> Result<(), RunError> {
        let range = image_range(at, is_first);
        let place = Place { unit: self.unit.id, range, epoch: self.epoch, number: self.number };
        self.number += 1;
        add(self.job, place, columns, &records, blind).await
    }
}

/// The files of the backup that hold a table of a window, in order.
fn backed_up(files: Vec<FileRow>, ranges: &[RangeRow], unit: &Unit, at: u16) -> Vec<FileRow> {
    let mut files: Vec<FileRow> = files
        .into_iter()
        .filter(|f| f.kind == FileKind::Backup)
        .filter(|f| ranges.iter().any(|r| is_range(r, f) && r.table == at))
        .filter(|f| f.unit == unit.id)
        .collect();
    files.sort_by_key(|file| file.range);
    files
}

/// The range number of a window's increments: which table, and whether an image begins.
pub(crate) fn image_range(table: u16, is_first: bool) -> u32 {
    (u32::from(table) << 1) | u32::from(is_first)
}

/// The newest image of one table of a window unit, as backup records in order.
pub(crate) struct Image<'i> {
    job: &'i Job,
    files: std::vec::IntoIter<FileRow>,
    rows: std::vec::IntoIter<BackupRecord>,
    width: usize,
}

impl<'i> Image<'i> {
    /// The image that the backup made, before the run wrote anything anywhere.
    pub(crate) async fn first(
        job: &'i Job,
        unit: &Unit,
        at: u16,
        width: usize,
    ) -> Result<Self, RunError> {
        let files = job.vault.files(job.run).await?;
        let ranges = job.vault.ranges(job.run).await?;
        let files = backed_up(files, &ranges, unit, at).into_iter();
        Ok(Self { job, files, rows: Vec::new().into_iter(), width })
    }

    /// The newest image.
    pub(crate) async fn open(
        job: &'i Job,
        unit: &Unit,
        at: u16,
        width: usize,
    ) -> Result<Self, RunError> {
        let files = job.vault.files(job.run).await?;
        let ranges = job.vault.ranges(job.run).await?;
        let mut images: Vec<FileRow> = files
            .iter()
            .filter(|f| f.kind == FileKind::Increment && f.unit == unit.id)
            .filter(|f| f.range >> 1 == u32::from(at))
            .cloned()
            .collect();
        images.sort_by_key(|file| (file.epoch, file.number));
        let begin = images.iter().rposition(|file| file.range == image_range(at, true));
        let newest = if let Some(begin) = begin {
            images.split_off(begin)
        } else {
            backed_up(files, &ranges, unit, at)
        };
        Ok(Self { job, files: newest.into_iter(), rows: Vec::new().into_iter(), width })
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<BackupRecord>, RunError> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            let rows = match file.kind {
                FileKind::Increment => self.rows_of(&file)?,
                FileKind::Backup | FileKind::Token | FileKind::Stage => {
                    crate::run::seal::read_backup(self.job, &file)?
                }
            };
            self.rows = rows.into_iter();
        }
    }

    fn rows_of(&self, file: &FileRow) -> Result<Vec<BackupRecord>, RunError> {
        let mut rows: Vec<BackupRecord> = Vec::new();
        for record in read_increment(self.job, file)? {
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
