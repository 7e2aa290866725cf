//! Batches: how large, how fast, and where rayon meets tokio.

use std::time::Duration;

use rayon::prelude::*;

use crate::ports::Limit;
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::throttle::Took;

/// Rows of the first batch of a run.
pub(crate) const ROWS_AT_FIRST: usize = 500;

/// Time alone makes no batch smaller than this.
const ROWS_MIN: usize = 50;

/// Rows of the largest batch.
const ROWS_MAX: usize = 50_000;

/// Bytes of in-scope cells in a batch.
pub(crate) const BYTES_MAX: usize = 4 << 20;

/// Computes on all cores while the runtime's other tasks go on elsewhere.
///
/// The one place where rayon and tokio meet: pure functions over slices go in, nothing awaits.
pub(crate) fn compute<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync + Send,
) -> Vec<R> {
    // Below this the hand-over costs more than the work.
    if items.len() < 64 {
        return items.iter().map(work).collect();
    }
    tokio::task::block_in_place(|| items.par_iter().with_min_len(32).map(work).collect())
}

/// As [`compute`], so many items at a time: `work` is told at which item its chunk begins.
pub(crate) fn compute_chunks<T: Sync, R: Send>(
    items: &[T],
    size: usize,
    work: impl Fn(usize, &[T]) -> R + Sync + Send,
) -> Vec<R> {
    let chunk = |(at, chunk): (usize, &[T])| work(at * size, chunk);
    if items.len() <= size {
        return items.chunks(size).enumerate().map(chunk).collect();
    }
    tokio::task::block_in_place(|| items.par_chunks(size).enumerate().map(chunk).collect())
}

/// As [`compute`], for items that keep something from one call to the next.
pub(crate) fn compute_each<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
    tokio::task::block_in_place(|| items.par_iter_mut().for_each(work));
}

/// Finds its size by the time that batches take, within what the throttle allows.
pub(crate) struct Pace<'p> {
    job: &'p Job,
    rows: usize,
    permitted: usize,
    version: Option<i64>,
}

impl<'p> Pace<'p> {
    /// Begins where the last batches of the run were.
    pub(crate) fn new(job: &'p Job) -> Self {
        Self { job, rows: job.throttle.rows(), permitted: 0, version: None }
    }

    /// Waits until the next batch may be written; says how large it may be.
    ///
    /// # Errors
    ///
    /// [`RunError::Stopped`] and its like where the work shall end here.
    pub(crate) async fn begin(&mut self) -> Result<Limit, RunError> {
        self.give_back();
        self.permitted = self.job.permit(self.rows).await?;
        Ok(Limit { rows: self.permitted, bytes: self.job.crew.batch_bytes() })
    }

    /// What was permitted and not used does not count.
    fn give_back(&mut self) {
        if self.permitted > 0 {
            self.job.throttle.settle(self.permitted, 0, Took::Nothing);
            self.permitted = 0;
        }
    }

    /// Notes the version of the source before a batch: where it moved, somebody else writes.
    pub(crate) fn saw(&mut self, version: i64) {
        if self.version.is_some_and(|before| before != version) {
            self.job.throttle.saw_others();
        }
        self.version = Some(version);
    }

    /// A batch went through. The next one is as large as would have taken the time that is aimed at,
    /// and never grows or shrinks at a bound.
    pub(crate) fn went(&mut self, rows: usize, took: Duration) {
        let (reading, _) = self.job.watch.reading();
        let aim = self.job.throttle.aim(reading.as_ref());
        let is_full = rows >= self.permitted.min(self.rows);
        let commit = self.job.source.commit_took();
        // What a COMMIT takes for itself does not get less with fewer rows.
        let work = took.saturating_sub(commit.unwrap_or_default()).max(took / 4);
        // Whoever waits for the one lock waits for the COMMIT as well.
        let aim = if self.job.throttle.is_polite() {
            aim.saturating_sub(commit.unwrap_or_default()).max(aim / 4)
        } else {
            aim
        };
        let fits = aim.as_secs_f64() / work.as_secs_f64().max(0.000_1);
        if fits < 1.0 || is_full {
            let base = self.rows.min(rows.max(1));
            let floor = if fits < 1.0 { base.min(ROWS_MIN) } else { 1 };
            self.rows = scaled(base, fits.clamp(0.25, 2.0)).max(floor);
            self.job.throttle.learn(self.rows);
        }
        let took = Took::Worked { batch: took, commit, reading: reading.as_ref() };
        self.job.throttle.settle(self.permitted.max(rows), rows, took);
        self.permitted = 0;
        if let Some(why) = self.job.throttle.slows(commit, reading.as_ref()) {
            self.job.watch.waits(format!("the run goes slowly: {why}"));
        }
    }

    /// A batch did not go through because of one of its rows: the next try is half as large.
    pub(crate) fn halve(&mut self, rows: usize) {
        self.rows = (rows / 2).max(1);
    }

    /// Whether the next batch is of one row.
    pub(crate) fn is_single(&self) -> bool {
        self.rows == 1
    }

    /// Back to the size of the first batch.
    pub(crate) fn recover(&mut self) {
        self.rows = ROWS_AT_FIRST;
    }
}

impl Drop for Pace<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rows of a batch are few, and the factor is between a quarter and two"
)]
fn scaled(rows: usize, factor: f64) -> usize {
    ((rows as f64 * factor) as usize).clamp(1, ROWS_MAX)
}
