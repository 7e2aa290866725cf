//! The way back: tokens become the originals that they replaced, as a pass of its own.
//!
//! Only cells that hold a token of ours are opened; a token that the backup says was there before
//! the run stays. Afterwards every cell is compared with the backup, and our tables are removed.

use std::collections::{HashMap, HashSet};

use crate::lifecycle::{Event, Phase, RunId};
use crate::plan::{Assessment, Unit, UnitMode, UnitTable, Walk};
use crate::ports::{
    Change, Counts, CursorId, FileKind, FileRow, FitTo, Interval, Limit, Pass, RangeRow, Row,
    RowWrite, SourceWindow, Step, WalkFilter, WriteOutcome,
};
use crate::run::batch::{BYTES_MAX, Pace, compute};
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::entries::open_entry;
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::fit::fit;
use crate::run::increments::read_increment;
use crate::run::job::{Job, table_of};
use crate::run::record::{BackupCell, BackupRecord};
use crate::run::rewrite::{bind_source, renew_statistics};
use crate::run::sweep::{late_records, sweep_range};
use crate::run::verify::entries_of;
use crate::run::window::Image;
use crate::run::worker::Known;
use crate::token::TokenBody;
use crate::value::{Original, RowKey};

/// How often a batch that somebody changed is read again.
const MISSES_MAX: u32 = 50;

/// Rolls a run back, from any phase before the purge.
///
/// # Errors
///
/// [`RunError`]; what is committed stays, and the next call goes on from the cursors.
pub async fn rollback(job: &Job, phase: Phase) -> Result<(), RunError> {
    if job
        .vault
        .ledger_of(job.run)
        .await?
        .iter()
        .any(|entry| entry.action == crate::ledger::SCRUBBED)
    {
        return Err(RunError::Inconsistent(
            "the purge has rewritten the files already; there is no way back".to_owned(),
        ));
    }
    if phase != Phase::RollingBack {
        job.advance(phase, Event::RollbackStarted, Vec::new(), |_| {}).await?;
    }
    let restores = job.plan.restores;
    if restores.is_some() {
        ranges_of_restore(job).await?;
    }
    let touched = job.source.identity().await?.is_some() || restores.is_some();
    if job.crew.shares {
        fence(job, touched).await?;
    }
    let mut counts = Counts::default();
    if touched {
        bind_source(job).await?;
        let rows = job.plan.units.iter().flat_map(|unit| &unit.tables).map(|t| t.rows).sum();
        job.progress.begin("roll back", "rows", rows);
        for unit in &job.plan.units {
            match unit.mode {
                UnitMode::Ranges => roll_back_ranges(job, unit).await?,
                UnitMode::Window => roll_back_window(job, unit).await?,
            }
        }
        job.progress.end();
        for (_, _, state) in job.source.cursors(job.run, Pass::Rollback).await? {
            counts.add(&state.counts);
        }
        if restores.is_some() {
            no_token_is_left(job).await?;
        } else {
            compare(job).await?;
        }
        // ORDER: no token is left, and our tables still say that the source is ours.
        fit(job, FitTo::Originals).await?;
        renew_statistics(job).await?;
        // Traces of another open run in this source are not ours to remove.
        if only_run_in_source(job).await? {
            here("rollback.before_traces");
            job.source.remove_traces().await?;
            here("rollback.after_traces");
        }
    }
    job.advance(Phase::RollingBack, Event::RolledBack, Vec::new(), |draft| {
        draft.counts = counts.by_name();
        draft.counts.remove("tokenized");
        draft.counts.insert("restored".into(), counts.tokenized);
    })
    .await?;
    if restores.is_some() {
        // It holds a marker and wrapped keys, and no file.
        job.files.destroy()?;
    }
    Ok(())
}

/// A run that only brings originals back has no backup that has cut its tables: each is one range.
async fn ranges_of_restore(job: &Job) -> Result<(), RunError> {
    if !job.vault.ranges(job.run).await?.is_empty() {
        return Ok(());
    }
    let mut changes = Vec::new();
    for unit in job.plan.units.iter().filter(|unit| unit.mode == UnitMode::Ranges) {
        for at in 0..unit.tables.len() {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let table = u16::try_from(at).unwrap_or(u16::MAX);
            let (lower, upper, rows, originals) = (None, None, 0, 0);
            let range = RangeRow { unit: unit.id, table, number, lower, upper, rows, originals };
            changes.push(Change::PutRange(job.run, range));
        }
    }
    job.vault.commit(changes, Vec::new()).await?;
    Ok(())
}

/// Holds that no cell has a token that opens: after a restore there is no backup to compare with.
async fn no_token_is_left(job: &Job) -> Result<(), RunError> {
    let mut found = Vec::new();
    let ranges = job.vault.ranges(job.run).await?;
    for unit in &job.plan.units {
        for range in ranges.iter().filter(|range| range.unit == unit.id) {
            let table = table_of(unit, range.table)?;
            let columns = job.columns(table).await?;
            let mut position: Option<RowKey> = None;
            loop {
                let limit = Limit { rows: 10_000, bytes: BYTES_MAX };
                let after = position.as_ref();
                let rows = job.source.walk(table, after, None, limit, &WalkFilter::All).await?;
                let Some(last) = rows.last() else { break };
                position = Some(last.key.clone());
                let mut none = Before::Cells(HashMap::new());
                let spelled = Spelled::default();
                for write in restored(job, &columns, &rows, &mut none, &spelled).await?.0 {
                    let place = format!("row {} of `{}`", write.key, table.table);
                    found.push(Mismatch { kind: MismatchKind::Different, place });
                }
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(RunError::Mismatches(found)) }
}

/// Fences off every worker that may still live: its leases are void in the vault, and its epochs in
/// the source, also where it has taken a range that has no cursor yet.
async fn fence(job: &Job, touched: bool) -> Result<(), RunError> {
    job.vault.fence(job.run).await?;
    if !touched {
        return Ok(());
    }
    bind_source(job).await?;
    let ledger_size = job.vault.head().await?.size();
    for range in job.vault.ranges(job.run).await? {
        let (unit, range) = (range.unit, range.number);
        let cursor = CursorId { run: job.run, pass: Pass::Rewrite, unit, range };
        job.source.take(cursor, ledger_size).await?;
    }
    Ok(())
}

pub(crate) async fn only_run_in_source(job: &Job) -> Result<bool, RunError> {
    let runs = job.vault.runs().await?;
    // A run whose originals came back after its purge has nothing there any more.
    let mut undone: HashSet<RunId> = runs
        .iter()
        .filter(|row| row.phase == Phase::RolledBack)
        .filter_map(|row| serde_json::from_str::<Assessment>(&row.plan).ok()?.restores)
        .collect();
    undone.extend(job.plan.restores);
    Ok(!runs.iter().any(|row| {
        row.run != job.run
            && !undone.contains(&row.run)
            && row.source == job.policy.source
            && row.phase.rank() >= Phase::Sealed.rank()
            && row.phase != Phase::RolledBack
    }))
}

/// Cells that were tokens before the run: they stay.
enum Before {
    /// By row key and column.
    Cells(HashMap<(Vec<u8>, usize), TokenBody>),
    /// Of a table without a key: how often each token stood in each column. So many stay, whichever
    /// rows they stand in.
    Counted(HashMap<(usize, TokenBody), u64>),
}

impl Before {
    fn add(&mut self, key: &RowKey, cells: Vec<BackupCell>) {
        for (at, cell) in cells.into_iter().enumerate() {
            let BackupCell::Token(token) = cell else { continue };
            match self {
                Self::Cells(known) => {
                    known.insert((key.encode(), at), token);
                }
                Self::Counted(known) => *known.entry((at, token)).or_default() += 1,
            }
        }
    }

    /// Whether a token is one that stays; each is asked for once.
    fn keeps(&mut self, key: &[u8], at: usize, token: &TokenBody) -> bool {
        match self {
            Self::Cells(known) => known.get(&(key.to_vec(), at)) == Some(token),
            Self::Counted(known) => match known.get_mut(&(at, token.clone())) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    true
                }
                Some(_) | None => false,
            },
        }
    }
}

/// How cells were spelled before the run, of columns whose tokens open to one spelling of several:
/// the vault has that one alone, the backup has each cell's own.
#[derive(Default)]
struct Spelled(HashMap<(Vec<u8>, usize), Original>);

impl Spelled {
    /// Whether there is anything to know of these columns.
    fn is_wanted(columns: &[Column]) -> bool {
        columns.iter().any(|column| column.treatment.is_lossy_ok())
    }

    fn add(&mut self, columns: &[Column], key: &RowKey, at: usize, cell: &BackupCell) {
        let is_lossy = columns.get(at).is_some_and(|column| column.treatment.is_lossy_ok());
        match cell {
            BackupCell::Value(original) if is_lossy => {
                self.0.insert((key.encode(), at), original.duplicate());
            }
            _ => {}
        }
    }

    /// What a cell gets whose token opens to a value: that value as the cell had it, where it is the
    /// same one. A token that was moved here from another row opens to another.
    fn of(
        &self,
        job: &Job,
        column: &Column,
        row: &RowKey,
        at: usize,
        opened: Original,
    ) -> Original {
        match self.0.get(&(row.encode(), at)) {
            Some(own) if column.digest(&job.keys, own) == column.digest(&job.keys, &opened) => {
                own.duplicate()
            }
            _ => opened,
        }
    }
}

/// The newest spelling of each cell of a range.
async fn spelled(job: &Job, range: &RangeRow, columns: &[Column]) -> Result<Spelled, RunError> {
    let mut spelled = Spelled::default();
    if !Spelled::is_wanted(columns) {
        return Ok(spelled);
    }
    let files = job.vault.files(job.run).await?;
    let of = |kind: FileKind, number: u32| {
        files.iter().filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
    };
    for file in of(FileKind::Backup, range.number) {
        for record in crate::run::seal::read_backup(job, file)? {
            for (at, cell) in record.cells.iter().enumerate() {
                spelled.add(columns, &record.key, at, cell);
            }
        }
    }
    let swept = of(FileKind::Increment, sweep_range(range.table));
    for file in of(FileKind::Increment, range.number).chain(swept) {
        for record in read_increment(job, file)? {
            spelled.add(columns, &record.key, usize::from(record.column), &record.cell);
        }
    }
    Ok(spelled)
}

async fn roll_back_ranges(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let ranges = job.vault.ranges(job.run).await?;
    for range in ranges.iter().filter(|range| range.unit == unit.id) {
        job.may_go_on()?;
        roll_back_range(job, table_of(unit, range.table)?, range).await?;
    }
    Ok(())
}

async fn roll_back_range(job: &Job, table: &UnitTable, range: &RangeRow) -> Result<(), RunError> {
    let cursor =
        CursorId { run: job.run, pass: Pass::Rollback, unit: range.unit, range: range.number };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    if state.done {
        job.progress.advance(state.counts.rows);
        return Ok(());
    }
    let columns = job.columns(table).await?;
    let mut before = tokens_before(job, range).await?;
    let spelled = spelled(job, range, &columns).await?;
    let mut pace = Pace::new(job);
    let rows_max = rows_in_memory(job, table);
    let mut stored = state.position.clone();
    let mut position = state.position.or_else(|| range.lower.clone());
    let mut misses = 0;
    loop {
        let rows = pace.begin().await?.rows.min(rows_max);
        let version = job.source.version().await?;
        pace.saw(version);
        let limit = Limit { rows, bytes: BYTES_MAX };
        let read = job
            .source
            .walk(table, position.as_ref(), range.upper.as_ref(), limit, &WalkFilter::All)
            .await?;
        let is_end = read.is_empty();
        let to = read.last().map(|row| row.key.clone()).or_else(|| position.clone());
        let (writes, counts) = restored(job, &columns, &read, &mut before, &spelled).await?;
        let upto = if is_end { range.upper.clone() } else { to.clone() };
        let step = Step {
            cursor,
            epoch: state.epoch,
            from: stored.clone(),
            to: if is_end { stored.clone() } else { to.clone() },
            done: is_end,
            counts,
            interval: Some(Interval { after: position.clone(), upto }),
        };
        let begun = std::time::Instant::now();
        here("rollback.before_cursor");
        match job.source.write(table, &step, &read, &writes, version).await? {
            WriteOutcome::Written => {
                here("rollback.after_commit");
                misses = 0;
                pace.went(read.len(), begun.elapsed());
                job.progress.advance(read.len() as u64);
                position = to;
                stored = step.to;
                if is_end {
                    return Ok(());
                }
            }
            WriteOutcome::LeaseLost => {
                return Err(RunError::LeaseLost { unit: range.unit, range: range.number });
            }
            WriteOutcome::Changed => {
                misses += 1;
                if misses > MISSES_MAX {
                    let table = table.table.to_string();
                    return Err(RunError::Busy { table, attempts: misses });
                }
                pace.halve(read.len());
            }
            WriteOutcome::Rejected(rejection) => {
                let table = table.table.to_string();
                return Err(RunError::WindowRefused { table, reason: rejection.reason });
            }
        }
    }
}

/// Rows whose originals may be in memory at the same time.
fn rows_in_memory(job: &Job, table: &UnitTable) -> usize {
    let widest: u64 = table
        .columns
        .iter()
        .filter_map(|column| job.plan.columns.iter().find(|plan| plan.rule == column.rule))
        .map(|plan| plan.bytes_max)
        .sum();
    let rows = BYTES_MAX as u64 / widest.max(1);
    usize::try_from(rows).unwrap_or(usize::MAX).clamp(1, 20_000)
}

/// The cells of a range that the backup file says were tokens before the run.
async fn tokens_before(job: &Job, range: &RangeRow) -> Result<Before, RunError> {
    let mut before = Before::Cells(HashMap::new());
    let files = job.vault.files(job.run).await?;
    let file = files.iter().find(|file| {
        file.kind == FileKind::Backup && file.unit == range.unit && file.range == range.number
    });
    let Some(file) = file else { return Ok(before) };
    let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
    while let Some(record) = reader.read()? {
        let record = BackupRecord::decode(&record)
            .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
        before.add(&record.key, record.cells);
    }
    Ok(before)
}

/// The rows of a batch with their originals back; rows without a token of ours are left out.
async fn restored(
    job: &Job,
    columns: &[Column],
    rows: &[Row],
    before: &mut Before,
    spelled: &Spelled,
) -> Result<(Vec<RowWrite>, Counts), RunError> {
    let ours: Vec<Vec<Option<TokenBody>>> = rows
        .iter()
        .map(|row| {
            let key = row.key.encode();
            columns
                .iter()
                .zip(&row.cells)
                .enumerate()
                .map(|(at, (column, cell))| {
                    let token = token_in(column, cell.as_ref())?;
                    (!before.keeps(&key, at, &token)).then_some(token)
                })
                .collect()
        })
        .collect();
    let tokens = ours
        .iter()
        .flat_map(|tokens| columns.iter().zip(tokens))
        .filter_map(|(column, token)| Some((column.domain_id(), token.clone()?)))
        .collect();
    let known = entries_of(job, tokens).await?;
    let numbered: Vec<(&Row, &Vec<Option<TokenBody>>)> = rows.iter().zip(&ours).collect();
    let opened = compute(&numbered, |(row, tokens)| {
        restored_row(job, columns, row, tokens, &known, spelled)
    });
    let mut counts = Counts { rows: rows.len() as u64, ..Counts::default() };
    let mut writes = Vec::new();
    for row in opened {
        let (write, restored) = row?;
        counts.tokenized += restored;
        writes.extend(write);
    }
    Ok((writes, counts))
}

/// What token a cell holds. Tokens without a shape of their own are taken at their word: the vault
/// says whether it has an entry for them.
pub(crate) fn token_in(column: &Column, cell: Option<&Original>) -> Option<TokenBody> {
    let cell = cell?;
    if column.treatment.keeps(cell) {
        return None;
    }
    if column.treatment.is_recognisable_by_shape() {
        column.treatment.recognise(cell)
    } else {
        column.treatment.accept(cell.as_text()?)
    }
}

fn restored_row(
    job: &Job,
    columns: &[Column],
    row: &Row,
    tokens: &[Option<TokenBody>],
    known: &Known,
    spelled: &Spelled,
) -> Result<(Option<RowWrite>, u64), RunError> {
    let mut cells = Vec::with_capacity(row.cells.len());
    let mut restored = 0;
    for (at, ((column, cell), token)) in columns.iter().zip(&row.cells).zip(tokens).enumerate() {
        let entry =
            token.as_ref().and_then(|token| known.get(&(column.domain_id(), token.clone())));
        match entry {
            Some(entry) => {
                let opened = open_entry(&job.keys, column, entry)?;
                cells.push(Some(spelled.of(job, column, &row.key, at, opened)));
                restored += 1;
            }
            None => cells.push(cell.as_ref().map(Original::duplicate)),
        }
    }
    let write = (restored > 0).then(|| RowWrite { key: row.key.clone(), cells });
    Ok((write, restored))
}

async fn roll_back_window(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let rewrite = CursorId { run: job.run, pass: Pass::Rewrite, unit: unit.id, range: 0 };
    let cursor = CursorId { pass: Pass::Rollback, ..rewrite };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    let was_rewritten = job
        .source
        .cursors(job.run, Pass::Rewrite)
        .await?
        .iter()
        .any(|(id, range, state)| *id == unit.id && *range == 0 && state.done)
        || was_rewritten_as_a_whole(job).await?;
    if state.done || !was_rewritten {
        return Ok(());
    }
    job.may_go_on()?;
    // Nothing was read before the lock, so it does not matter who has written what.
    let (_, window) = job.source.window(&unit.tables, None).await?;
    let Some(window) = window else {
        let table = unit.tables.first().map(|table| table.table.to_string()).unwrap_or_default();
        return Err(RunError::Busy { table, attempts: 1 });
    };
    roll_back_held(job, unit, cursor, state.epoch, window).await
}

/// Whether every unit was done once. A purge that was cut off has dropped the cursors that say so;
/// the ledger still does.
async fn was_rewritten_as_a_whole(job: &Job) -> Result<bool, RunError> {
    if job.plan.restores.is_some() {
        return Ok(true);
    }
    let entries = job.vault.ledger_of(job.run).await?;
    Ok(entries.iter().any(|entry| entry.action == Event::Rewritten.name()))
}

async fn roll_back_held(
    job: &Job,
    unit: &Unit,
    cursor: CursorId,
    epoch: u64,
    mut window: Box<dyn SourceWindow>,
) -> Result<(), RunError> {
    let mut counts = Counts::default();
    for (at, table) in unit.tables.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        match roll_back_table(job, unit, at, table, window.as_mut()).await {
            Ok(table_counts) => counts.add(&table_counts),
            Err(error) => {
                window.abandon().await?;
                return Err(error);
            }
        }
    }
    let step = Step { cursor, epoch, from: None, to: None, done: true, counts, interval: None };
    here("rollback.before_window_commit");
    match window.commit(&step).await? {
        WriteOutcome::Written => {
            here("rollback.after_window_commit");
            Ok(())
        }
        WriteOutcome::Rejected(rejection) => {
            let table = unit.tables.first().map(|t| t.table.to_string()).unwrap_or_default();
            Err(RunError::WindowRefused { table, reason: rejection.reason })
        }
        WriteOutcome::LeaseLost | WriteOutcome::Changed => {
            Err(RunError::LeaseLost { unit: unit.id, range: 0 })
        }
    }
}

async fn roll_back_table(
    job: &Job,
    unit: &Unit,
    at: u16,
    table: &UnitTable,
    window: &mut dyn SourceWindow,
) -> Result<Counts, RunError> {
    let columns = job.columns(table).await?;
    let mut before = match table.walk {
        Walk::Key(_) => Before::Cells(HashMap::new()),
        Walk::RowId | Walk::ScopedKey(_) => Before::Counted(HashMap::new()),
    };
    // A newer image may have met tokens of this run, carried here from a table that was done.
    let mut image = Image::first(job, unit, at, columns.len()).await?;
    while let Some(record) = image.next()? {
        before.add(&record.key, record.cells);
    }
    let mut spelled = Spelled::default();
    let is_found_by_key = matches!(table.walk, Walk::Key(_)) && Spelled::is_wanted(&columns);
    if is_found_by_key {
        let mut image = Image::open(job, unit, at, columns.len()).await?;
        while let Some(record) = image.next()? {
            for (at, cell) in record.cells.iter().enumerate() {
                spelled.add(&columns, &record.key, at, cell);
            }
        }
        let files = job.vault.files(job.run).await?;
        for record in late_records(job, &files, unit.id, at)? {
            spelled.add(&columns, &record.key, usize::from(record.column), &record.cell);
        }
    }
    let mut counts = Counts::default();
    let rows_max = rows_in_memory(job, table).min(5_000);
    let mut position: Option<RowKey> = None;
    loop {
        let limit = Limit { rows: rows_max, bytes: BYTES_MAX };
        let rows = window.walk(table, position.as_ref(), limit).await?;
        let Some(last) = rows.last() else { return Ok(counts) };
        position = Some(last.key.clone());
        let (writes, batch) = restored(job, &columns, &rows, &mut before, &spelled).await?;
        counts.add(&batch);
        job.progress.advance(rows.len() as u64);
        if let Some(rejection) = window.write(table, &writes).await? {
            let table = table.table.to_string();
            return Err(RunError::WindowRefused { table, reason: rejection.reason });
        }
    }
}

/// Compares every cell with the backup: no token of ours is left, and where a cell was backed up
/// and not changed since, it is what it was.
async fn compare(job: &Job) -> Result<(), RunError> {
    let mut found = Vec::new();
    for unit in job.plan.units.iter().filter(|unit| unit.mode == UnitMode::Ranges) {
        let ranges = job.vault.ranges(job.run).await?;
        let files = job.vault.files(job.run).await?;
        for range in ranges.iter().filter(|range| range.unit == unit.id) {
            let table = table_of(unit, range.table)?;
            compare_range(job, table, range, &files, &mut found).await?;
        }
    }
    if found.is_empty() { Ok(()) } else { Err(RunError::Mismatches(found)) }
}

async fn compare_range(
    job: &Job,
    table: &UnitTable,
    range: &RangeRow,
    files: &[FileRow],
    found: &mut Vec<Mismatch>,
) -> Result<(), RunError> {
    let columns = job.columns(table).await?;
    let mut expected: HashMap<(Vec<u8>, usize), HashSet<[u8; 16]>> = HashMap::new();
    let mut expect = |key: Vec<u8>, at: usize, cell: &BackupCell| {
        if let (BackupCell::Value(original), Some(column)) = (cell, columns.get(at)) {
            let digest = column.second_digest(&job.keys, original);
            expected.insert((key, at), HashSet::from([digest]));
        }
    };
    let of = |kind: FileKind, number: u32| {
        files.iter().filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
    };
    for file in of(FileKind::Backup, range.number) {
        for record in crate::run::seal::read_backup(job, file)? {
            for (at, cell) in record.cells.iter().enumerate() {
                expect(record.key.encode(), at, cell);
            }
        }
    }
    let swept = of(FileKind::Increment, sweep_range(range.table));
    for file in of(FileKind::Increment, range.number).chain(swept) {
        for record in read_increment(job, file)? {
            expect(record.key.encode(), usize::from(record.column), &record.cell);
        }
    }
    let mut position = range.lower.clone();
    loop {
        let limit = Limit { rows: 10_000, bytes: BYTES_MAX };
        let rows = job
            .source
            .walk(table, position.as_ref(), range.upper.as_ref(), limit, &WalkFilter::All)
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        position = Some(last.key.clone());
        for row in &rows {
            let key = row.key.encode();
            for (at, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
                let Some(cell) = cell else { continue };
                // A cell that an application changed since is not in the backup as it is now: only
                // a token that is still there is a fault of ours.
                let is_left = expected.contains_key(&(key.clone(), at))
                    && column.treatment.recognise(cell).is_some()
                    && !expected[&(key.clone(), at)]
                        .contains(&column.second_digest(&job.keys, cell));
                if is_left {
                    let name = table.columns.get(at).map_or("?", |column| &column.column);
                    let place = format!("`{}.{name}` of row {}", table.table, row.key);
                    found.push(Mismatch { kind: MismatchKind::Different, place });
                }
            }
        }
    }
}
