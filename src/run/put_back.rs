//! Single tables put back in place from a run's backup: a cell whose token stands for the original
//! that the backup has of it gets that original back.
//!
//! It is no rollback: a run that is not done writes tokens again at its next `run`. What an
//! application has written since, and a token that was moved to another row, stay as they are.

use std::collections::HashMap;

use crate::lifecycle::{Event, Phase};
use crate::plan::{UnitMode, UnitTable, Walk};
use crate::policy::TableName;
use crate::ports::{
    Change, Counts, CursorId, FileKind, FileRow, Limit, Pass, RangeRow, RowWrite, Step, WalkFilter,
    WriteOutcome,
};
use crate::run::batch::{BYTES_MAX, Pace};
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::increments::read_increment;
use crate::run::job::{Job, table_of};
use crate::run::record::{BackupCell, TokenCell, TokenRecord};
use crate::run::rewrite::bind_source;
use crate::run::rollback::{only_run_in_source, token_in};
use crate::run::seal::read_backup;
use crate::run::sweep::sweep_range;
use crate::token::TokenBody;
use crate::value::Original;

/// How often a batch that somebody changed is read again.
const MISSES_MAX: u32 = 50;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PutBack {
    /// Rows that were looked at.
    pub rows: u64,
    /// Cells that have their original again.
    pub restored: u64,
    /// Cells with a token that is not the one of their backup: they were left.
    pub left: u64,
}

/// Whether the rows of a table can be found one by one, so that it can be put back in place.
#[must_use]
pub fn can_be_put_back(job: &Job, table: &TableName) -> bool {
    job.plan.units.iter().any(|unit| {
        unit.mode == UnitMode::Ranges
            && unit.tables.iter().any(|t| &t.table == table && matches!(t.walk, Walk::Key(_)))
    })
}

/// Puts tables back, of a run in any phase in which its backup is there.
///
/// # Errors
///
/// [`RunError`]; what is committed stays, and the call may be repeated.
pub async fn put_back(job: &Job, phase: Phase, tables: &[TableName]) -> Result<PutBack, RunError> {
    bind_source(job).await?;
    // ORDER: before the first original: what was verified does not hold any more, and no purge may
    // begin from it.
    if matches!(phase, Phase::Verified | Phase::PurgeApproved) {
        let changes = vec![
            Change::Advance { run: job.run, from: phase, event: Event::Mismatch },
            Change::VoidApprovals(job.run, crate::ledger::ApprovalKind::Purge),
            Change::SetVerified { run: job.run, digest: None },
        ];
        let mut draft = job.draft(Event::Mismatch.name());
        draft.details.insert("why".into(), "originals are put back from the backup".into());
        job.vault.commit(changes, vec![draft]).await?;
        crate::serve::checkpoint(job.vault.as_ref(), &job.keys).await?;
    }
    let files = job.vault.files(job.run).await?;
    let ranges = job.vault.ranges(job.run).await?;
    let mut done = PutBack::default();
    job.progress.begin("put back", "rows", ranges.iter().map(|range| range.rows).sum());
    for unit in &job.plan.units {
        for range in ranges.iter().filter(|range| range.unit == unit.id) {
            let table = table_of(unit, range.table)?;
            if tables.contains(&table.table) {
                put_back_range(job, table, range, &files, &mut done).await?;
            }
        }
    }
    job.progress.end();
    if phase == Phase::RolledBack && only_run_in_source(job).await? {
        job.source.remove_traces().await?;
    }
    Ok(done)
}

/// The newest original of a cell, and the token that stands for it.
type Newest = HashMap<(Vec<u8>, usize), Option<(Original, TokenBody)>>;

fn newest(job: &Job, range: &RangeRow, files: &[FileRow]) -> Result<Newest, RunError> {
    let of = |kind: FileKind, number: u32| {
        files.iter().filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
    };
    let mut newest = Newest::new();
    let mut tokens: HashMap<Vec<u8>, Vec<TokenCell>> = HashMap::new();
    for file in of(FileKind::Token, range.number) {
        let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
        while let Some(record) = reader.read()? {
            let record = TokenRecord::decode(&record)
                .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
            tokens.insert(record.key, record.cells);
        }
    }
    for file in of(FileKind::Backup, range.number) {
        for record in read_backup(job, file)? {
            let key = record.key.encode();
            for (at, cell) in record.cells.into_iter().enumerate() {
                let token = tokens.get(&key).and_then(|cells| cells.get(at));
                if let (BackupCell::Value(original), Some(TokenCell::Sealed { token, .. })) =
                    (cell, token)
                {
                    newest.insert((key.clone(), at), Some((original, token.clone())));
                }
            }
        }
    }
    // INVARIANT: the vault lists increments by epoch and number; those of sweeps come last.
    let swept = of(FileKind::Increment, sweep_range(range.table));
    for file in of(FileKind::Increment, range.number).chain(swept) {
        for record in read_increment(job, file)? {
            let entry = match (record.cell, record.token) {
                (BackupCell::Value(original), Some(token)) => Some((original, token)),
                _ => None,
            };
            newest.insert((record.key.encode(), usize::from(record.column)), entry);
        }
    }
    Ok(newest)
}

async fn put_back_range(
    job: &Job,
    table: &UnitTable,
    range: &RangeRow,
    files: &[FileRow],
    done: &mut PutBack,
) -> Result<(), RunError> {
    let columns = job.columns(table).await?;
    let newest = newest(job, range, files)?;
    let cursor =
        CursorId { run: job.run, pass: Pass::Restore, unit: range.unit, range: range.number };
    let state = job.source.take(cursor, job.vault.head().await?.size()).await?;
    let mut pace = Pace::new(job);
    let mut position = range.lower.clone();
    let mut misses = 0;
    loop {
        let limit = Limit { rows: pace.begin().await?.rows, bytes: BYTES_MAX };
        let version = job.source.version().await?;
        let upto = range.upper.as_ref();
        let read = job.source.walk(table, position.as_ref(), upto, limit, &WalkFilter::All).await?;
        let Some(last) = read.last().map(|row| row.key.clone()) else { return Ok(()) };
        let batch = batch(&columns, &read, &newest);
        // It keeps no position, as a sweep does: what has its original is passed over.
        let counts = Counts { tokenized: batch.restored, ..Counts::default() };
        let step = Step {
            cursor,
            epoch: state.epoch,
            from: state.position.clone(),
            to: state.position.clone(),
            done: true,
            counts,
            interval: None,
        };
        let outcome = if batch.writes.is_empty() {
            WriteOutcome::Written
        } else {
            job.source.write(table, &step, &read, &batch.writes, version).await?
        };
        match outcome {
            WriteOutcome::Written => {
                misses = 0;
                done.rows += read.len() as u64;
                done.restored += batch.restored;
                done.left += batch.left;
                job.progress.advance(read.len() as u64);
                position = Some(last);
            }
            WriteOutcome::Changed if misses < MISSES_MAX => {
                misses += 1;
                pace.halve(read.len());
            }
            WriteOutcome::Changed => {
                let table = table.table.to_string();
                return Err(RunError::Busy { table, attempts: misses });
            }
            WriteOutcome::LeaseLost => {
                return Err(RunError::LeaseLost { unit: range.unit, range: range.number });
            }
            WriteOutcome::Rejected(rejection) => {
                let table = table.table.to_string();
                return Err(RunError::WindowRefused { table, reason: rejection.reason });
            }
        }
    }
}

/// What is to be written of some rows.
struct Batch {
    writes: Vec<RowWrite>,
    restored: u64,
    left: u64,
}

fn batch(columns: &[Column], rows: &[crate::ports::Row], newest: &Newest) -> Batch {
    let mut batch = Batch { writes: Vec::new(), restored: 0, left: 0 };
    for row in rows {
        let key = row.key.encode();
        let mut cells = Vec::with_capacity(row.cells.len());
        let before = batch.restored;
        for (at, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
            let token = token_in(column, cell.as_ref());
            let backed = newest.get(&(key.clone(), at)).and_then(Option::as_ref);
            match (token, backed) {
                (Some(token), Some((original, expected))) if token == *expected => {
                    batch.restored += 1;
                    cells.push(Some(original.duplicate()));
                    continue;
                }
                (Some(_), _) => batch.left += 1,
                (None, _) => {}
            }
            cells.push(cell.as_ref().map(Original::duplicate));
        }
        if batch.restored > before {
            batch.writes.push(RowWrite { key: row.key.clone(), cells });
        }
    }
    batch
}
