//! Tokens behind the rollback: an application has moved a row to a place that was done, or copied a token
//! there, while others were put back. They are looked for until no table has any.

use super::before::{Before, Spelled};
use super::{
    Look, MISSES_MAX, Opened, refused, restored, roll_back_window, rows_in_memory, spelled_in,
    tokens, tokens_before,
};
use crate::plan::{Unit, UnitMode, UnitTable};
use crate::ports::{Counts, CursorId, FileRow, Limit, Pass, RangeRow, Step, WriteOutcome};
use crate::run::batch::{BYTES_MAX, Pace};
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::sweep::sweep_range;

/// How many rounds find tokens that open before the rollback gives up.
const SWEEPS_MAX: u32 = 20;

/// Opens tokens that stand behind a cursor, or in a table whose window was closed, until a round finds
/// none. A second round has to find none either where the first was more than one statement: a row can
/// have gone from a place that was not looked at yet to one that was.
pub(super) async fn sweep(job: &Job) -> Result<(), RunError> {
    let tables = job.plan.units.iter().map(|unit| unit.tables.len()).sum::<usize>();
    let (mut clean, mut sweeps) = (0, 0);
    loop {
        let round = round(job).await?;
        let Some(busy) = round.found else {
            clean += 1;
            if clean == 2 || (tables == 1 && !round.has_walked) {
                return Ok(());
            }
            continue;
        };
        clean = 0;
        sweeps += 1;
        if sweeps == SWEEPS_MAX {
            return Err(RunError::Busy { table: busy, attempts: sweeps });
        }
    }
}

/// What a look at every table has shown.
#[derive(Default)]
struct Round {
    /// The last table in which something was put back.
    found: Option<String>,
    /// Whether a table was walked.
    has_walked: bool,
}

async fn round(job: &Job) -> Result<Round, RunError> {
    let mut round = Round::default();
    for unit in &job.plan.units {
        if unit.mode == UnitMode::Window {
            if window_holds_tokens(job, unit).await?
                && roll_back_window(job, unit, Opened::Again).await? > 0
            {
                round.found = unit.tables.first().map(|table| table.table.to_string());
            }
            continue;
        }
        for (at, table) in unit.tables.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            if let Some(put_back) = sweep_table(job, unit, at, table).await? {
                round.has_walked = true;
                if put_back > 0 {
                    round.found = Some(table.table.to_string());
                }
            }
        }
    }
    Ok(round)
}

/// Whether a table of a unit that is put back in a window may hold a token again.
async fn window_holds_tokens(job: &Job, unit: &Unit) -> Result<bool, RunError> {
    for table in &unit.tables {
        let columns = job.columns(table).await?;
        if job.source.may_hold(table, &tokens(unit.mode, &columns)).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One look at a table; returns how many cells it has put back, or `None` where one statement said that
/// there is nothing: most rollbacks have nothing to sweep.
async fn sweep_table(
    job: &Job,
    unit: &Unit,
    at: u16,
    table: &UnitTable,
) -> Result<Option<u64>, RunError> {
    let columns = job.columns(table).await?;
    if !job.source.may_hold(table, &tokens(unit.mode, &columns)).await? {
        return Ok(None);
    }
    let cursor =
        CursorId { run: job.run, pass: Pass::Rollback, unit: unit.id, range: sweep_range(at) };
    let epoch = job.source.take(cursor, job.vault.head().await?.size()).await?.epoch;
    let files = job.vault.files(job.run).await?;
    let sweep = Sweep { job, table, columns: &columns, files: &files, cursor, epoch };
    let mut put_back = 0;
    for range in job.vault.ranges(job.run).await? {
        if range.unit == unit.id && range.table == at {
            put_back += sweep.range(&range).await?;
        }
    }
    Ok(Some(put_back))
}

/// A sweep of a table at work.
struct Sweep<'s> {
    job: &'s Job,
    table: &'s UnitTable,
    columns: &'s [Column],
    files: &'s [FileRow],
    cursor: CursorId,
    epoch: u64,
}

impl Sweep<'_> {
    /// One look at a range; returns how many cells it has put back. What the backup knows of its cells
    /// is read where there is a row to ask it of.
    async fn range(&self, range: &RangeRow) -> Result<u64, RunError> {
        let Self { job, table, columns, .. } = *self;
        let filter = tokens(UnitMode::Ranges, columns);
        let mut pace = Pace::new(job);
        let rows_max = rows_in_memory(job, table);
        let mut known: Option<(Before, Spelled)> = None;
        let mut position = range.lower.clone();
        let (mut put_back, mut misses) = (0, 0);
        loop {
            job.may_go_on()?;
            let rows = pace.begin().await?.rows.min(rows_max);
            let version = job.source.version().await?;
            pace.saw(version);
            let limit = Limit { rows, bytes: BYTES_MAX };
            let (after, upto) = (position.as_ref(), range.upper.as_ref());
            let read = job.source.walk(table, after, upto, limit, &filter).await?;
            let Some(last) = read.last().map(|row| row.key.clone()) else { return Ok(put_back) };
            let (before, spelled) = match &mut known {
                Some(known) => (&mut known.0, &mut known.1),
                none => {
                    let before = tokens_before(job, self.files, range)?;
                    let known = none.insert((before, spelled_in(job, self.files, range, columns)?));
                    (&mut known.0, &mut known.1)
                }
            };
            let restored = restored(job, columns, &read, (Look::All, before), spelled).await?;
            let (writes, counts) = restored.writes();
            if writes.is_empty() {
                position = Some(last);
                continue;
            }
            let begun = std::time::Instant::now();
            let step = self.step(counts.tokenized);
            match job.source.write(table, &step, &read, &writes, version).await? {
                WriteOutcome::Written => {
                    misses = 0;
                    pace.went(read.len(), begun.elapsed());
                    put_back += counts.tokenized;
                    position = Some(last);
                }
                WriteOutcome::LeaseLost => {
                    let (unit, range) = (self.cursor.unit, self.cursor.range);
                    return Err(RunError::LeaseLost { unit, range });
                }
                WriteOutcome::Changed if misses < MISSES_MAX => {
                    misses += 1;
                    pace.halve(read.len());
                }
                WriteOutcome::Changed => {
                    let table = table.table.to_string();
                    return Err(RunError::Busy { table, attempts: misses });
                }
                WriteOutcome::Rejected(_) if read.len() > 1 => pace.halve(read.len()),
                WriteOutcome::Rejected(rejection) => return Err(refused(table, &read, rejection)),
            }
        }
    }

    /// It keeps no position: what has its original is passed over. Its rows were counted before.
    fn step(&self, tokenized: u64) -> Step {
        let counts = Counts { tokenized, ..Counts::default() };
        let (cursor, epoch) = (self.cursor, self.epoch);
        Step { cursor, epoch, from: None, to: None, done: true, counts, interval: None }
    }
}
