//! Batches: how large, how fast, and where rayon meets tokio.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::ports::Limit;

/// Rows of the first batch.
const ROWS_AT_FIRST: usize = 2_000;

/// Rows of the largest batch.
const ROWS_MAX: usize = 50_000;

/// Bytes of in-scope cells in a batch.
pub(crate) const BYTES_MAX: usize = 4 << 20;

/// A transaction takes no longer than this, or the next is smaller.
const AIM: Duration = Duration::from_millis(250);

/// As long as nobody else writes, a transaction may take this long: fewer of them touch the pages of
/// an index less often. The first write of somebody else ends it, so that nobody waits twice.
const AIM_ALONE: Duration = Duration::from_secs(1);

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

/// As [`compute`], for items that keep something from one call to the next.
pub(crate) fn compute_each<T: Send>(items: &mut [T], work: impl Fn(&mut T) + Sync + Send) {
    tokio::task::block_in_place(|| items.par_iter_mut().for_each(work));
}

/// Finds its size by the time that batches take.
#[derive(Debug)]
pub(crate) struct Pace {
    rows: usize,
    rows_per_s_max: Option<u64>,
    begun: Instant,
    done: u64,
    version: Option<i64>,
    is_alone: bool,
}

impl Pace {
    pub(crate) fn new(rows_per_s_max: Option<u64>) -> Self {
        Self {
            rows: ROWS_AT_FIRST,
            rows_per_s_max,
            begun: Instant::now(),
            done: 0,
            version: None,
            is_alone: true,
        }
    }

    /// Bounds of the next batch.
    pub(crate) fn limit(&self) -> Limit {
        Limit { rows: self.rows, bytes: BYTES_MAX }
    }

    /// Notes the version of the source before a batch: where it moved, somebody else writes.
    pub(crate) fn saw(&mut self, version: i64) {
        self.is_alone &= self.version.is_none_or(|before| before == version);
        self.version = Some(version);
    }

    /// A batch went through; waits where a rate is set.
    pub(crate) async fn went(&mut self, rows: usize, took: Duration) {
        let aim = if self.is_alone { AIM_ALONE } else { AIM };
        if took > aim {
            self.rows = (self.rows / 2).max(1);
        } else if took * 5 < aim * 2 && rows >= self.rows {
            self.rows = (self.rows * 2).clamp(1, ROWS_MAX);
        }
        self.done += rows as u64;
        let Some(rate) = self.rows_per_s_max.filter(|rate| *rate > 0) else { return };
        let due = Duration::from_secs_f64(ratio(self.done, rate));
        if let Some(wait) = due.checked_sub(self.begun.elapsed()) {
            tokio::time::sleep(wait).await;
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

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn ratio(done: u64, rate: u64) -> f64 {
    done as f64 / rate as f64
}
