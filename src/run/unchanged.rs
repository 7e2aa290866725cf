//! Rows that still are what was backed up: they get the tokens that were sealed for them.
//!
//! They are read without their cells, by their stamps; nothing is derived anew and nothing compared but
//! stamps. Where one row of a batch is another than it was, the batch is read and prepared in full, as
//! [`super::worker`] does it. How a stamp is made is the engine's business.
//!
//! **Invariant:** what is unknown is unequal. A row that has an increment, is in quarantine, held a
//! token before the run or a value that can have none, has no stamp here.

use crate::ports::{Row, RowWrite};
use crate::run::ahead::Reads;
use crate::run::error::RunError;
use crate::run::increments::Newest;
use crate::run::job::Job;
use crate::run::record::TokenCell;
use crate::run::worker::{Prepared, Worker, written};
use crate::value::Original;

/// How often rows of a range may turn out to have changed since they were backed up, before all that
/// are left are read with their cells at once.
const CHANGES_A_RANGE: u32 = 3;

/// Whether a worker reads rows without their cells.
pub(crate) struct Bare {
    seed: i64,
    /// How often they may still turn out to have changed.
    left: u32,
    /// The batch at hand did, or did not go through: it is read with its cells.
    is_whole: bool,
    /// Where the backup is likely to have the next row.
    likely: usize,
}

impl Bare {
    pub(crate) fn new(job: &Job, newest: &Newest) -> Self {
        let left = if newest.has_stamps() { CHANGES_A_RANGE } else { 0 };
        Self { seed: job.stamp_seed(), left, is_whole: false, likely: 0 }
    }

    /// How the batch at hand is read.
    pub(crate) fn reads(&self) -> Reads {
        if self.is_whole { Reads::Whole } else { self.reads_next() }
    }

    /// How the one after it is read.
    pub(crate) fn reads_next(&self) -> Reads {
        if self.left == 0 { Reads::Whole } else { Reads::Stamps { seed: self.seed } }
    }

    /// The batch at hand is read with its cells.
    pub(crate) fn met_changes(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.is_whole = true;
    }

    /// The batch at hand is written.
    pub(crate) fn went(&mut self) {
        self.is_whole = false;
    }
}

impl Worker<'_> {
    /// The batch of rows that were read without their cells; `None` where one of them is not what was
    /// backed up and sealed.
    pub(crate) async fn unchanged(&mut self, read: &[Row]) -> Result<Option<Prepared>, RunError> {
        let quarantined = self.set_apart().await?;
        let mut prepared = Prepared::of(read.len());
        for row in read {
            let key = row.key.encode();
            let likely = &mut self.bare.likely;
            let known =
                row.stamp.as_ref().and_then(|stamp| self.newest.unchanged(likely, &key, stamp));
            let known = known.filter(|known| known.len() == self.columns.len());
            let Some(known) = known.filter(|_| !quarantined.contains(&row.key)) else {
                return Ok(None);
            };
            prepared.counts.rows += 1;
            let mut cells = Vec::with_capacity(known.len());
            let mut changes = false;
            for (cell, column) in known.iter().zip(&self.columns) {
                cells.push(match cell {
                    TokenCell::Null => {
                        prepared.counts.null += 1;
                        None
                    }
                    TokenCell::Empty => {
                        prepared.counts.empty += 1;
                        Some(Original::text(""))
                    }
                    TokenCell::Sealed { token, .. } => {
                        prepared.counts.tokenized += 1;
                        changes = true;
                        Some(written(column, token)?)
                    }
                    TokenCell::None | TokenCell::Token(_) => return Ok(None),
                });
            }
            if changes {
                prepared.writes.push(RowWrite { key: row.key.clone(), cells });
            }
        }
        Ok(Some(prepared))
    }
}
