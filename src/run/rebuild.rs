//! Rebuild: the tokens of a whole table in one transaction that nobody else looks into.
//!
//! What is written, and what has to be known before it may be, is the rewrite's own: a worker of each
//! range prepares its rows. Only how the rows are written differs, and that is the engine's business.
//! Under the lock nothing goes into the vault: where a row is not what the backup knows, the lock is
//! given back, backup and vault catch up, and it begins again.

use std::time::Instant;

use crate::plan::{Unit, UnitTable};
use crate::ports::{
    CursorId, CursorState, Limit, Pass, RangeRow, Row, SourceError, SourceRebuild, Step,
    WalkFilter, WriteOutcome,
};
use crate::run::ahead::Reads;
use crate::run::batch::BYTES_MAX;
use crate::run::error::RunError;
use crate::run::increments::Newest;
use crate::run::job::Job;
use crate::run::worker::Worker;
use crate::value::RowKey;

/// How often it is tried again because somebody wrote meanwhile, or held the table.
const ATTEMPTS_MAX: u32 = 20;

/// Rows of one read. Nobody waits for a batch here: all wait for the whole.
const LIMIT: Limit = Limit { rows: 10_000, bytes: BYTES_MAX };

/// A range, as it stands.
struct Place {
    range: RangeRow,
    cursor: CursorId,
    state: CursorState,
}

/// Rebuilds the table of a unit, unless it is done.
pub(crate) async fn rebuild(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let [table] = unit.tables.as_slice() else {
        let fact = "a rebuild of several tables is asked for";
        return Err(RunError::Inconsistent(fact.to_owned()));
    };
    for _ in 0..ATTEMPTS_MAX {
        job.refuse_if_paused().await?;
        // INVARIANT: each attempt has epochs of its own, and so names for its increments.
        let places = take(job, unit).await?;
        if places.iter().all(|place| place.state.done) {
            job.progress.advance(places.iter().map(|place| place.state.counts.rows).sum());
            return Ok(());
        }
        let begun = Instant::now();
        let held = match job.source.rebuild(table).await {
            // Somebody uses the table for longer than is waited.
            Err(SourceError::Locked { .. }) => continue,
            held => held?,
        };
        let done = rebuild_held(job, table, &places, held).await;
        job.lock_meter.saw(begun.elapsed());
        match done {
            Ok(true) => {
                job.progress.advance(table.rows);
                return Ok(());
            }
            Ok(false) => catch_up(job, table, &places).await?,
            Err(RunError::Source(SourceError::Locked { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Err(RunError::Busy { table: table.table.to_string(), attempts: ATTEMPTS_MAX })
}

/// Takes every range of a unit.
async fn take(job: &Job, unit: &Unit) -> Result<Vec<Place>, RunError> {
    let ledger_size = job.vault.head().await?.size();
    let mut places = Vec::new();
    for range in job.vault.ranges(job.run).await? {
        if range.unit != unit.id {
            continue;
        }
        let cursor =
            CursorId { run: job.run, pass: Pass::Rewrite, unit: unit.id, range: range.number };
        let state = job.source.take(cursor, ledger_size).await?;
        places.push(Place { range, cursor, state });
    }
    Ok(places)
}

/// Fills the table anew; `false`, and nothing has happened, where backup and vault do not have all
/// that is in it.
async fn rebuild_held(
    job: &Job,
    table: &UnitTable,
    places: &[Place],
    mut held: Box<dyn SourceRebuild>,
) -> Result<bool, RunError> {
    let mut steps = Vec::with_capacity(places.len());
    for place in places {
        match range_held(job, table, place, held.as_mut()).await {
            Ok(Some(step)) => steps.push(step),
            other => {
                held.abandon().await?;
                return other.map(|_| false);
            }
        }
    }
    match held.commit(&steps).await? {
        WriteOutcome::Written => Ok(true),
        WriteOutcome::Rejected(rejection) => {
            let table = table.table.to_string();
            Err(RunError::WindowRefused { table, reason: rejection.reason })
        }
        WriteOutcome::LeaseLost | WriteOutcome::Changed => {
            let (unit, range) = places.first().map_or((0, 0), |p| (p.range.unit, p.range.number));
            Err(RunError::LeaseLost { unit, range })
        }
    }
}

/// The tokens of one range; `None` where one of its rows is not what the backup knows.
async fn range_held(
    job: &Job,
    table: &UnitTable,
    place: &Place,
    held: &mut dyn SourceRebuild,
) -> Result<Option<Step>, RunError> {
    let range = &place.range;
    let mut worker = worker(job, table, place).await?;
    // One cursor a range, as in place: what is counted is counted alike.
    let stored = place.state.position.clone();
    let mut step = worker.step(stored, None, true, None);
    let mut after = range.lower.clone();
    let mut reads = worker.bare.reads();
    loop {
        job.may_go_on()?;
        let (from, upto) = (after.as_ref(), range.upper.as_ref());
        let mut bare = None;
        if let Reads::Stamps { seed } = reads
            && let Some(read) = held.stamps(from, upto, LIMIT.rows, seed).await?
        {
            bare = worker.unchanged(&read).await?.map(|prepared| (read, prepared));
        }
        let (read, prepared) = if let Some(bare) = bare {
            bare
        } else {
            reads = Reads::Whole;
            let read = held.walk(from, upto, LIMIT).await?;
            let prepared = worker.prepare(&read).await?;
            (read, prepared)
        };
        let Some(last) = read.last() else { return Ok(Some(step)) };
        after = Some(last.key.clone());
        if !prepared.is_known() {
            return Ok(None);
        }
        held.write(&read, &prepared.writes).await?;
        step.counts.add(&prepared.counts);
    }
}

async fn worker<'w>(
    job: &'w Job,
    table: &'w UnitTable,
    place: &'w Place,
) -> Result<Worker<'w>, RunError> {
    let columns = job.columns(table).await?;
    let newest = Newest::read(job, &place.range, &columns).await?;
    Ok(Worker::new(job, table, &place.range, columns, newest, place.cursor, &place.state))
}

/// Brings backup and vault to what the table holds now, without a lock.
async fn catch_up(job: &Job, table: &UnitTable, places: &[Place]) -> Result<(), RunError> {
    for place in places {
        job.refuse_if_paused().await?;
        let mut worker = worker(job, table, place).await?;
        let mut after: Option<RowKey> = place.range.lower.clone();
        loop {
            job.may_go_on()?;
            let upto = place.range.upper.as_ref();
            let read: Vec<Row> =
                job.source.walk(table, after.as_ref(), upto, LIMIT, &WalkFilter::All).await?;
            let Some(last) = read.last() else { break };
            let last = last.key.clone();
            let prepared = worker.prepare(&read).await?;
            // Where somebody else gave a value its token meanwhile, the rows are prepared once more.
            if worker.settle(&prepared).await? {
                after = Some(last);
            }
        }
    }
    Ok(())
}
