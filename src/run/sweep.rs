//! Sweeps: originals that came behind the cursor of a range, looked for until there are none.
//!
//! A sweep has a cursor and increments of its own, which come after those of every range. How a batch
//! is prepared and written is the rewrite's; this room knows which rows to look at.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::Value;

use crate::ledger::Draft;
use crate::plan::{Unit, UnitMode, UnitTable};
use crate::policy::TableName;
use crate::ports::{
    Change, Counts, CursorId, FileKind, FileRow, Pass, RangeRow, Row, Step, WalkFilter,
    WriteOutcome,
};
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::error::RunError;
use crate::run::increments::{Newest, read_increment};
use crate::run::job::Job;
use crate::run::late::{Swept, sweep_window};
use crate::run::record::{BackupCell, IncrementRecord};
use crate::run::rewrite::{bind_source, late_segments};
use crate::run::verify::own_writers;
use crate::run::worker::{Prepared, Worker};
use crate::value::{Original, RowKey};

/// How many sweeps look for originals that came behind the cursor.
const SWEEPS_MAX: u32 = 20;

/// How many windows are opened again for originals that came late: writers wait for each.
const WINDOWS_MAX: u32 = 5;

/// Sweeps again over a run that is rewritten: originals may have come since, and a verification
/// that found some is answered here. Looks at every row where one was found before.
///
/// # Errors
///
/// [`RunError`]; what is committed stays.
pub async fn resweep(job: &Job) -> Result<(), RunError> {
    bind_source(job).await?;
    let busy = sweep(job).await?;
    let closed = late_segments(job).await?;
    if closed.is_empty() {
        return Ok(());
    }
    let mut draft = job.draft("swept");
    draft.counts.insert("late_segments".into(), closed.len() as u64);
    note_busy(&mut draft, &busy);
    let changes = closed.into_iter().map(Change::CloseSegment).collect();
    job.vault.commit(changes, vec![draft]).await?;
    Ok(())
}

/// Rewrites originals that came behind a cursor, until a pass finds none; returns the tables in which
/// writers were as quick as the sweeps, so that there is no such pass.
pub(crate) async fn sweep(job: &Job) -> Result<Vec<TableName>, RunError> {
    let mut busy = Vec::new();
    for unit in &job.plan.units {
        if unit.mode == UnitMode::Window {
            sweep_unit(job, unit, &mut busy).await?;
            continue;
        }
        if let Some(version) = job.whole.since(unit.id)
            && job.source.is_untouched_since(version).await?
        {
            // Nobody can have put an original behind the cursor.
            continue;
        }
        for (at, table) in unit.tables.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            let mut sweeps = 0;
            while sweep_table(job, unit, at, table).await? > 0 {
                sweeps += 1;
                if sweeps == SWEEPS_MAX {
                    still_busy(job, table, &mut busy);
                    break;
                }
            }
        }
    }
    Ok(busy)
}

/// Sweeps a unit that was rewritten in a window, which is opened again for that.
async fn sweep_unit(job: &Job, unit: &Unit, busy: &mut Vec<TableName>) -> Result<(), RunError> {
    for _ in 0..WINDOWS_MAX {
        match sweep_window(job, unit).await? {
            Swept::Rewritten(0) => return Ok(()),
            Swept::Rewritten(_) => {}
            Swept::Busy => break,
        }
    }
    for table in &unit.tables {
        let columns = job.columns(table).await?;
        if job.source.may_hold(table, &originals(job, &columns)).await? {
            still_busy(job, table, busy);
        }
    }
    Ok(())
}

/// Tells of a table whose writers are as quick as the sweeps. What is left is counted by `status`, and
/// named by verification.
fn still_busy(job: &Job, table: &UnitTable, busy: &mut Vec<TableName>) {
    let table = &table.table;
    job.watch
        .notes(&format!("originals still come into `{table}` as quickly as they are rewritten"));
    busy.push(table.clone());
}

/// Has an entry name the tables into which originals still came.
pub(crate) fn note_busy(draft: &mut Draft, busy: &[TableName]) {
    if !busy.is_empty() {
        let names = busy.iter().map(|table| Value::from(table.to_string()));
        draft.details.insert("still_arriving".into(), names.collect());
    }
}

/// One pass over the rows that hold an original by their shape. Returns how many were rewritten.
async fn sweep_table(job: &Job, unit: &Unit, at: u16, table: &UnitTable) -> Result<u64, RunError> {
    let columns = job.columns(table).await?;
    let filter = originals(job, &columns);
    // A cursor and increments of its own: its epochs come after those of every range.
    let range = RangeRow {
        unit: unit.id,
        table: at,
        number: sweep_range(at),
        lower: None,
        upper: None,
        rows: 0,
        originals: 0,
    };
    let cursor = CursorId { run: job.run, pass: Pass::Rewrite, unit: unit.id, range: range.number };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    let newest = Newest::default();
    let mut worker = Worker::new(job, table, &range, columns, newest, cursor, &state);
    let mut position: Option<RowKey> = None;
    let mut rewritten = 0;
    // Most sweeps find nothing, and are told so without a walk.
    if !job.source.may_hold(table, &filter).await? {
        let version = job.source.version().await?;
        worker.close_sweep(worker.step(None, None, true, None), version).await?;
        return Ok(0);
    }
    loop {
        let limit = worker.pace.begin().await?;
        let version = job.source.version().await?;
        worker.pace.saw(version);
        let read = job.source.walk(table, position.as_ref(), None, limit, &filter).await?;
        let last = read.last().map(|row| row.key.clone());
        let step = worker.step(None, None, true, None);
        let Some(last) = last else {
            worker.close_sweep(step, version).await?;
            return Ok(rewritten);
        };
        if worker.sweep_batch(step, &read, version, &mut rewritten).await? {
            position = Some(last);
        }
    }
}

/// Rows that hold an original, as far as its shape tells.
pub(crate) fn originals(job: &Job, columns: &[Column]) -> WalkFilter {
    let globs: Vec<Option<String>> = columns.iter().map(|c| c.treatment.sqlite_glob()).collect();
    if !globs.iter().all(Option::is_some) {
        return WalkFilter::All;
    }
    let keeps_empty = columns.iter().map(|c| c.treatment.keeps(&Original::text(""))).collect();
    WalkFilter::Originals { run: job.run, globs, keeps_empty }
}

/// What the sweeps of a table found.
pub(crate) fn late_records(
    job: &Job,
    files: &[FileRow],
    unit: u16,
    table: u16,
) -> Result<Vec<IncrementRecord>, RunError> {
    let mut records = Vec::new();
    for file in files {
        if file.kind == FileKind::Increment && file.unit == unit && file.range == sweep_range(table)
        {
            records.append(&mut read_increment(job, file)?);
        }
    }
    Ok(records)
}

/// The range number under which a table's sweeps keep their cursor and their increments.
pub(crate) fn sweep_range(table: u16) -> u32 {
    u32::MAX - u32::from(table)
}

impl Worker<'_> {
    /// Marks a sweep's cursor as done.
    async fn close_sweep(&mut self, step: Step, version: i64) -> Result<(), RunError> {
        match self.job.source.write(self.table, &step, &[], &[], version).await? {
            WriteOutcome::Written => Ok(()),
            WriteOutcome::LeaseLost | WriteOutcome::Changed | WriteOutcome::Rejected(_) => {
                Err(RunError::LeaseLost { unit: self.cursor.unit, range: self.cursor.range })
            }
        }
    }

    /// A cell that is a token already needs no increment in a sweep: it was met by the main pass. Where
    /// somebody else wrote the row it may be one that the application brought, and what says so, the
    /// version of the row, goes with this write: it is noted.
    async fn keep_brought(&self, read: &[Row], prepared: &mut Prepared) -> Result<(), RunError> {
        let written: HashSet<&RowKey> = prepared.writes.iter().map(|write| &write.key).collect();
        let is_original = |record: &IncrementRecord| matches!(record.cell, BackupCell::Value(_));
        let has_tokens = prepared
            .increments
            .iter()
            .any(|record| !is_original(record) && written.contains(&record.key));
        let own = if has_tokens { own_writers(self.job).await? } else { None };
        let is_theirs = |row: &&Row| {
            let writer = row.version.map(|version| version.writer);
            own.as_ref().is_some_and(|own| writer.is_some_and(|writer| !own.contains(&writer)))
        };
        let theirs: HashSet<&RowKey> = read
            .iter()
            .filter(is_theirs)
            .map(|row| &row.key)
            .filter(|key| written.contains(key))
            .collect();
        prepared.increments.retain(|record| is_original(record) || theirs.contains(&record.key));
        Ok(())
    }

    /// As [`Worker::write`], for rows that were counted before: only what changes counts.
    async fn sweep_batch(
        &mut self,
        mut step: Step,
        read: &[Row],
        version: i64,
        rewritten: &mut u64,
    ) -> Result<bool, RunError> {
        let mut prepared = self.prepare(read).await?;
        if prepared.writes.is_empty() {
            return Ok(true);
        }
        self.keep_brought(read, &mut prepared).await?;
        if !self.settle(&prepared).await? {
            return Ok(false);
        }
        step.counts = Counts { tokenized: prepared.counts.tokenized, ..Counts::default() };
        let tokenized = step.counts.tokenized;
        let begun = Instant::now();
        match self.job.source.write(self.table, &step, read, &prepared.writes, version).await? {
            WriteOutcome::Written => {
                here("sweep.after_commit");
                self.pace.went(read.len(), begun.elapsed());
                *rewritten += tokenized;
                Ok(true)
            }
            WriteOutcome::LeaseLost => {
                Err(RunError::LeaseLost { unit: self.cursor.unit, range: self.cursor.range })
            }
            WriteOutcome::Changed => {
                self.missed(read).await?;
                Ok(false)
            }
            WriteOutcome::Rejected(rejection) => {
                self.rejected(read, rejection.reason).await?;
                Ok(false)
            }
        }
    }
}
