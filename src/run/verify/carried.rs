//! Tokens that the application itself wrote: copied from another cell, swapped, moved with their row.
//!
//! A cell whose token opens to another value than its newest backup entry is a mismatch, unless there
//! is evidence that the application put the token there: the row version that holds it was written in
//! none of our transactions, or an increment says that the token was met there. This room weighs the
//! evidence; that the vault has the token, and that it opens, was shown before.
//!
//! **Invariant:** what is not known is a mismatch.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::cells::{Place, place_name};
use crate::plan::UnitMode;
use crate::run::error::RunError;
use crate::run::job::Job;

/// Cells that are named one by one.
const NAMED_MAX: usize = 20;

/// Says, in the place of a cell, that the application is known to have written its token. No
/// transaction has this number.
pub(super) const BROUGHT: u32 = 0;

/// Who has written rows as one of us; `None` where that is not known.
pub(crate) async fn own_writers(job: &Job) -> Result<Option<HashSet<u32>>, RunError> {
    let mut ranges = Vec::new();
    for range in job.vault.ranges(job.run).await? {
        let is_window =
            job.plan.units.iter().any(|u| u.id == range.unit && u.mode == UnitMode::Window);
        ranges.push((range.unit, if is_window { 0 } else { range.number }));
    }
    Ok(job.source.own_writers(job.run, &ranges).await?)
}

/// The tokens of a run that the application wrote itself.
pub(super) struct Carried {
    own: Option<HashSet<u32>>,
    /// Cells by unit, table of it and column of it.
    cells: BTreeMap<(u16, u16, u16), u64>,
    /// The first of them.
    names: Vec<String>,
}

impl Carried {
    /// Begins with what the source knows of us. Asked after the last row was read: a note that came
    /// later would be missing.
    pub(super) async fn begin(job: &Job) -> Result<Self, RunError> {
        Ok(Self { own: own_writers(job).await?, cells: BTreeMap::new(), names: Vec::new() })
    }

    /// Whether the application wrote the token of a cell; counted where it did.
    pub(super) fn takes(&mut self, job: &Job, place: &[u8]) -> bool {
        let Some(cell) = Place::read(place) else { return false };
        let is_theirs = match (cell.writer, &self.own) {
            (Some(BROUGHT), _) => true,
            (Some(writer), Some(own)) => !own.contains(&writer),
            (Some(_), None) | (None, _) => false,
        };
        if is_theirs {
            *self.cells.entry((cell.unit, cell.table, cell.column)).or_default() += 1;
            if self.names.len() < NAMED_MAX {
                self.names.push(place_name(job, place));
            }
        }
        is_theirs
    }

    /// How many cells.
    pub(super) fn count(&self) -> u64 {
        self.cells.values().sum()
    }

    /// Names the first of them for whoever watches the run.
    pub(super) fn tell(&mut self, job: &Job) {
        self.names.sort_unstable();
        for name in &self.names {
            job.watch.notes(&format!("{name} holds a token that the application wrote there"));
        }
        let more = self.count() - self.names.len() as u64;
        if more > 0 {
            job.watch.notes(&format!("and {more} more cells hold such a token"));
        }
    }

    /// Cells by the name of their column, for the ledger.
    pub(super) fn by_column(&self, job: &Job) -> Option<Value> {
        let mut columns: BTreeMap<String, u64> = BTreeMap::new();
        for ((unit, table, column), cells) in &self.cells {
            let unit = job.plan.units.iter().find(|known| known.id == *unit)?;
            let column = unit.tables.get(usize::from(*table))?.columns.get(usize::from(*column))?;
            // Partitions count for the column that the policy names.
            let rule = job.policy.columns.get(column.rule)?;
            *columns.entry(rule.name.to_string()).or_default() += cells;
        }
        (!columns.is_empty()).then(|| columns.into_iter().collect())
    }
}
