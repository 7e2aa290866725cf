//! The third pass: tokens into the source, batch by batch, each with its cursor.
//!
//! A batch is read without a lock and prepared; whatever in it the backup does not know yet goes
//! into an increment and into the vault; only then is the source written, under its guard.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::lifecycle::{Event, Phase};
use crate::plan::{Strategy, Unit, UnitMode, UnitTable};
use crate::policy::TableName;
use crate::ports::{
    Change, Counts, CursorId, FitTo, Interval, Lease, Pass, Piece, RangeRow, SegmentRow,
    SourceIdentity, Task,
};
use crate::run::ahead::{NextRows, Reads};
use crate::run::crash::here;
use crate::run::entries::draw;
use crate::run::error::RunError;
use crate::run::fit::fit;
use crate::run::increments::Newest;
use crate::run::job::{Job, Stop, ms, table_of, unit_of};
use crate::run::rebuild::rebuild;
use crate::run::share::{Laid, piece_of, share, turn};
use crate::run::sweep::{note_busy, sweep};
use crate::run::traces;
use crate::run::window::rewrite_window;
use crate::run::worker::Worker;

/// Rewrites every range and window that is not done, sweeps, and moves the run to `rewritten`.
///
/// # Errors
///
/// [`RunError`]; what is committed stays, and the cursors say where to go on.
pub async fn rewrite(job: &Job) -> Result<(), RunError> {
    let begun = Instant::now();
    // ORDER: after everything is sealed and before the first token; our tables are made by one.
    let Some(first) = turn(job, Phase::Sealed).await? else { return Ok(()) };
    let begins = async {
        traces::begin(job).await?;
        here("rewrite.after_bind");
        fit(job, FitTo::Tokens).await
    };
    first.end(begins.await).await?;
    let resumed = !job.source.cursors(job.run, Pass::Rewrite).await?.is_empty();
    let rows = job.plan.units.iter().flat_map(|unit| &unit.tables).map(|table| table.rows).sum();
    job.progress.begin("rewrite", "rows", rows);
    job.watch.does("rewrites");
    if job.crew.shares {
        let laid = lay_out(job).await?;
        let wanted = laid.ranges.len() as u64;
        share(job, Task::Rewrite, wanted, laid, &Stop::default()).await?;
    }
    let Some(turn) = turn(job, Phase::Sealed).await? else {
        job.progress.end();
        return Ok(());
    };
    let done = rest(job, begun, resumed).await;
    turn.end(done).await
}

/// What one process does: windows, sweeps, the phase.
async fn rest(job: &Job, begun: Instant, resumed: bool) -> Result<(), RunError> {
    for unit in &job.plan.units {
        match unit.mode {
            UnitMode::Ranges if unit.strategy == Strategy::Rebuild => rebuild(job, unit).await?,
            UnitMode::Ranges if job.crew.shares => {}
            UnitMode::Ranges => rewrite_ranges(job, unit).await?,
            UnitMode::Window => rewrite_window(job, unit).await?,
        }
    }
    job.progress.end();
    let left = sweep_and_renew(job).await?;
    finish(job, begun, resumed, left).await
}

/// What the last sweeps and the statistics left undone.
struct Left {
    /// Tables into which originals still came.
    busy: Vec<TableName>,
    /// Tables whose statistics are as they were, and why.
    statistics: Map<String, Value>,
}

/// Sweeps, and has statistics taken anew meanwhile, where the source has a session left for it.
async fn sweep_and_renew(job: &Job) -> Result<Left, RunError> {
    let Ok(Some(source)) = job.source.another().await else {
        let busy = sweep(job).await?;
        return Ok(Left { busy, statistics: renew_statistics(job).await? });
    };
    let beside = Job { source, ..job.clone() };
    let (swept, statistics) = tokio::join!(sweep(job), renew_statistics(&beside));
    Ok(Left { busy: swept?, statistics: statistics? })
}

/// Has queries of others planned for what the tables hold now. What could not be done is told, and
/// put on the ledger: nothing of the run hangs on it.
pub(crate) async fn renew_statistics(job: &Job) -> Result<Map<String, Value>, RunError> {
    let tables: Vec<TableName> = job
        .plan
        .units
        .iter()
        .flat_map(|unit| &unit.tables)
        .map(|table| table.table.clone())
        .collect();
    let left = job.source.renew_statistics(&tables).await?;
    for (table, why) in &left {
        job.watch.notes(&format!("the statistics of `{table}` are as they were: {why}"));
    }
    Ok(left.into_iter().map(|(table, why)| (table.to_string(), why.into())).collect())
}

/// The ranges that are rewritten one by one.
async fn lay_out_ranges(job: &Job) -> Result<Vec<RangeRow>, RunError> {
    let in_ranges = |unit: u16| {
        job.plan.units.iter().any(|known| known.id == unit && known.mode == UnitMode::Ranges)
    };
    let mut ranges = job.vault.ranges(job.run).await?;
    ranges.retain(|range| in_ranges(range.unit));
    Ok(ranges)
}

/// Makes a piece of each range. The epoch of a piece begins where that of its cursor is.
async fn lay_out(job: &Job) -> Result<Laid, RunError> {
    let mut ranges = lay_out_ranges(job).await?;
    // A table that is rebuilt is one piece of work, and not shared.
    ranges.retain(|range| {
        job.plan.units.iter().any(|u| u.id == range.unit && u.strategy == Strategy::InPlace)
    });
    let epochs: HashMap<(u16, u32), u64> = job
        .source
        .cursors(job.run, Pass::Rewrite)
        .await?
        .into_iter()
        .map(|(unit, range, state)| ((unit, range), state.epoch))
        .collect();
    let pieces: Vec<(Piece, u64)> = ranges
        .iter()
        .map(|range| {
            let epoch = epochs.get(&(range.unit, range.number)).copied().unwrap_or(0);
            (piece_of(job, Task::Rewrite, range.unit, range.table, range.number), epoch)
        })
        .collect();
    job.vault.add_pieces(&pieces).await?;
    Ok(Laid { ranges })
}

/// Rewrites the range of one piece.
pub(crate) async fn rewrite_piece(job: &Job, lease: &Lease) -> Result<(), RunError> {
    let piece = &lease.piece;
    let range = job
        .crew
        .laid
        .ranges
        .iter()
        .find(|range| range.unit == piece.unit && range.number == piece.range)
        .ok_or_else(|| RunError::Inconsistent("a piece of work names no range".to_owned()))?;
    let table = table_of(unit_of(job, piece.unit)?, range.table)?;
    // The tokens of the range, and a batch in its several forms.
    let rows = usize::try_from(range.rows).unwrap_or(usize::MAX);
    let tokens = rows.saturating_mul(100 + 100 * table.columns.len());
    let _room = job.crew.room(tokens.saturating_add(3 * job.crew.batch_bytes())).await;
    rewrite_range(job, table, range, Some(lease)).await?;
    job.vault.commit(vec![Change::PieceDone(lease.clone())], Vec::new()).await?;
    Ok(())
}

/// Binds the source to this vault, and refuses a vault that is behind what the source has seen.
pub(crate) async fn bind_source(job: &Job) -> Result<u64, RunError> {
    let vault = job.vault.header().await?.vault.to_string();
    let id = data_encoding::HEXLOWER.encode(draw().as_bytes());
    job.source.prepare(&SourceIdentity { id, vault: vault.clone() }).await?;
    let identity = job.source.identity().await?;
    if let Some(found) = identity.filter(|identity| identity.vault != vault) {
        let other = crate::ports::SourceError::OtherVault { found: found.vault, expected: vault };
        return Err(other.into());
    }
    let size = job.vault.head().await?.size();
    let seen = job.source.ledger_seen().await?;
    if seen > size {
        return Err(RunError::OldVault { found: size, expected: seen });
    }
    job.files.note_ledger(size)?;
    Ok(size)
}

async fn rewrite_ranges(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let ranges = job.vault.ranges(job.run).await?;
    // ORDER: before the first read.
    let version = job.source.version().await?;
    let mut is_whole = true;
    for range in ranges.iter().filter(|range| range.unit == unit.id) {
        job.refuse_if_paused().await?;
        let table = table_of(unit, range.table)?;
        is_whole &= rewrite_range(job, table, range, None).await?;
    }
    if is_whole {
        job.whole.note(unit.id, version);
    }
    Ok(())
}

/// Rewrites a range; says whether all of it was done here, from its first row on.
async fn rewrite_range(
    job: &Job,
    table: &UnitTable,
    range: &RangeRow,
    lease: Option<&Lease>,
) -> Result<bool, RunError> {
    let cursor =
        CursorId { run: job.run, pass: Pass::Rewrite, unit: range.unit, range: range.number };
    let ledger_size = job.vault.head().await?.size();
    let state = match lease {
        Some(lease) => job
            .source
            .take_as(cursor, lease.epoch, ledger_size)
            .await?
            .ok_or(RunError::LeaseLost { unit: range.unit, range: range.number })?,
        None => job.source.take(cursor, ledger_size).await?,
    };
    here("rewrite.after_cursor_taken");
    if state.done {
        job.progress.advance(state.counts.rows);
        return Ok(false);
    }
    let is_whole = state.position.is_none();
    let columns = job.columns(table).await?;
    // ORDER: after the range was taken, so that no increment of somebody else can follow.
    let newest = Newest::read(job, range, &columns).await?;
    let mut worker = Worker::new(job, table, range, columns, newest, cursor, &state);
    let mut position = state.position.or_else(|| range.lower.clone());
    let mut stored = worker.stored_position(position.as_ref());
    let mut next = NextRows::begin(job, table, range.upper.as_ref()).await?;
    loop {
        let limit = worker.pace.begin().await?;
        let mut batch = next.read(position.as_ref(), limit, worker.bare.reads()).await?;
        let mut unchanged = None;
        if batch.is_bare {
            unchanged = worker.unchanged(&batch.rows).await?;
            if unchanged.is_none() {
                worker.bare.met_changes();
                batch = next.read(position.as_ref(), limit, Reads::Whole).await?;
            }
        }
        worker.pace.saw(batch.version);
        let is_end = batch.rows.is_empty();
        let to = batch.rows.last().map(|row| row.key.clone()).or_else(|| position.clone());
        if !is_end {
            next.look_ahead(to.as_ref(), limit, worker.bare.reads_next()).await?;
        }
        let upto = if is_end { range.upper.clone() } else { to.clone() };
        let interval = Some(Interval { after: position.clone(), upto });
        let step = worker.step(stored.clone(), to.clone(), is_end, interval);
        if worker.write(step, &batch, unchanged).await? {
            job.progress.advance(batch.rows.len() as u64);
            if job.throttle.is_polite() {
                job.source.tidy().await?;
            }
            position = to;
            stored.clone_from(&position);
            if is_end {
                return Ok(is_whole);
            }
        }
    }
}

/// Every range is done: late segments are closed, the counts go on the ledger.
async fn finish(job: &Job, begun: Instant, resumed: bool, left: Left) -> Result<(), RunError> {
    let cursors = job.source.cursors(job.run, Pass::Rewrite).await?;
    let done: HashSet<(u16, u32)> =
        cursors.iter().filter(|(_, _, state)| state.done).map(|(u, r, _)| (*u, *r)).collect();
    for range in lay_out_ranges(job).await? {
        // A mark in the vault does not stand for a cursor that the source has lost.
        if !done.contains(&(range.unit, range.number)) {
            let fact = format!("range {} has no cursor that is done", range.number);
            return Err(RunError::Counts { unit: range.unit, fact });
        }
    }
    let mut counts = Counts::default();
    let mut of_units: BTreeMap<String, Counts> = BTreeMap::new();
    for (unit, range, state) in &cursors {
        if !state.done {
            return Err(RunError::Counts {
                unit: *unit,
                fact: format!("range {range} is not done"),
            });
        }
        counts.add(&state.counts);
        of_units.entry(unit.to_string()).or_default().add(&state.counts);
    }
    let mut changes = Vec::new();
    for segment in late_segments(job).await? {
        changes.push(Change::CloseSegment(segment));
    }
    let files = job.vault.files(job.run).await?;
    let increments = crate::run::job::manifest_hash(&files, crate::ports::FileKind::Increment);
    let late = changes.len() as u64;
    here("rewrite.before_phase");
    job.advance(Phase::Sealed, Event::Rewritten, changes, |draft| {
        draft.counts = counts.by_name();
        draft.counts.insert("late_segments".into(), late);
        draft.counts.insert("took_ms".into(), ms(begun.elapsed()));
        draft.counts.extend(resumed.then(|| ("resumed".into(), 1)));
        draft.counts.insert("lock_ms_max".into(), job.lock_meter.longest_ms());
        draft.details.insert("increments".into(), increments.into());
        if !left.statistics.is_empty() {
            draft.details.insert("statistics_left".into(), Value::Object(left.statistics));
        }
        note_busy(draft, &left.busy);
        let of_units =
            of_units.iter().map(|(unit, counts)| (unit.clone(), json!(counts.by_name())));
        draft.details.insert("units".into(), of_units.collect());
    })
    .await
}

/// Segments of single inserts that belong to the run and are still open, with their roots.
pub(crate) async fn late_segments(job: &Job) -> Result<Vec<SegmentRow>, RunError> {
    let open: Vec<SegmentRow> = job
        .vault
        .segments()
        .await?
        .into_iter()
        .filter(|segment| segment.run == Some(job.run) && segment.root.is_none())
        .collect();
    let mut closed = Vec::with_capacity(open.len());
    for segment in open {
        let root = crate::run::verify::segment_root(job, segment.segment).await?;
        closed.push(SegmentRow {
            entries: root.rows(),
            root: Some(root.root().as_bytes().to_vec()),
            ..segment
        });
    }
    Ok(closed)
}
