//! Whether a run has written anything to its source, and the way back of one that has not: our tables
//! go, and the backup is not read. Where it is lost, such a run can still be given up.
//!
//! **Invariant:** a cursor moves in the transaction that writes the rows. A run whose cursors all stand
//! where they were when they were taken has written no row.

use std::collections::BTreeMap;

use crate::lifecycle::Event;
use crate::ports::{Counts, CursorState, FitTo, Limit, Pass, Row, WalkFilter};
use crate::run::batch::BYTES_MAX;
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::fit::fit;
use crate::run::job::Job;
use crate::run::rewrite::{bind_source, renew_statistics};
use crate::run::rollback::{RESTORED, Undone, end, leave_source, token_in, tokens};
use crate::run::traces::has_begun;
use crate::run::verify::entries_of;
use crate::value::RowKey;

/// Rows of one read.
const ROWS: usize = 10_000;

/// Whether a way back has anything to put back.
///
/// Cursors are not everything: a purge drops them, an older copy of the vault knows of no purge, and
/// somebody may have removed our tables. So where a run has had its tables, the cells are asked as well.
/// Before its backup is whole no run writes; what tokens there are then are an earlier run's, and stay.
pub(crate) async fn has_written(job: &Job) -> Result<bool, RunError> {
    if is_on_record(job).await? {
        return Ok(true);
    }
    let entries = job.vault.ledger_of(job.run).await?;
    let was_backed_up = entries.iter().any(|entry| entry.action == Event::BackedUp.name());
    let has_come = has_begun(&entries) || job.source.identity().await?.is_some();
    Ok(was_backed_up && has_come && holds_tokens(job).await?)
}

/// Whether a run needs no backup to be rolled back: by no record has it written to the source, and no
/// cell in scope looks like a token.
///
/// The cells are asked in any case. Whoever has lost the backup may have lost our tables too, and has
/// nothing to go back by where this says yes wrongly.
///
/// # Errors
///
/// [`RunError`] where source or vault cannot be read; nothing is changed.
pub async fn is_untouched(job: &Job) -> Result<bool, RunError> {
    Ok(!is_on_record(job).await? && !holds_tokens(job).await?)
}

/// Whether ledger or cursors say that a row was written.
async fn is_on_record(job: &Job) -> Result<bool, RunError> {
    let entries = job.vault.ledger_of(job.run).await?;
    if entries.iter().any(|entry| entry.action == Event::Rewritten.name()) {
        return Ok(true);
    }
    let cursors = job.source.cursors(job.run, Pass::Rewrite).await?;
    Ok(cursors.iter().any(|(_, _, state)| has_moved(state)))
}

/// Whether a range was more than taken. Who fences a worker off takes ranges too.
fn has_moved(state: &CursorState) -> bool {
    state.done || state.position.is_some() || state.counts != Counts::default()
}

/// Whether a cell in scope holds what may be a token of ours, of whatever run.
async fn holds_tokens(job: &Job) -> Result<bool, RunError> {
    for unit in &job.plan.units {
        for table in &unit.tables {
            let columns = job.columns(table).await?;
            if columns.iter().all(|column| column.treatment.sqlite_glob().is_some()) {
                if job.source.may_hold(table, &tokens(unit.mode, &columns)).await? {
                    return Ok(true);
                }
                continue;
            }
            let mut position: Option<RowKey> = None;
            loop {
                job.may_go_on()?;
                let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
                let after = position.as_ref();
                let rows = job.source.walk(table, after, None, limit, &WalkFilter::All).await?;
                let Some(last) = rows.last() else { break };
                position = Some(last.key.clone());
                if are_tokens_among(job, &columns, &rows).await? {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Of tokens without a shape of their own the vault says whether it has an entry for them. All others
/// are taken for ours also where it has none: it may be an older copy.
async fn are_tokens_among(job: &Job, columns: &[Column], rows: &[Row]) -> Result<bool, RunError> {
    let mut shapeless = Vec::new();
    for row in rows {
        for (column, cell) in columns.iter().zip(&row.cells) {
            let Some(token) = token_in(column, cell.as_ref()) else { continue };
            if column.treatment.is_recognisable_by_shape() {
                return Ok(true);
            }
            shapeless.push((column.domain_id(), token));
        }
    }
    Ok(!entries_of(job, shapeless).await?.is_empty())
}

/// Ends the way back of a run that has written nothing; `is_bound` says whether there are tables of ours.
pub(crate) async fn give_up(job: &Job, is_bound: bool) -> Result<Undone, RunError> {
    let counts = BTreeMap::from([(RESTORED.to_owned(), 0)]);
    if is_bound {
        bind_source(job).await?;
        // Room for tokens may have been made, before the first of them.
        if !job.plan.changes.is_empty() {
            fit(job, FitTo::Originals).await?;
            renew_statistics(job).await?;
        }
        leave_source(job, &counts).await?;
    }
    end(job, &counts).await
}
