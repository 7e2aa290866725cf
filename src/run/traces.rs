//! Our tables in a source, as the vault has them on record: that a run has them there, and that a way
//! back had looked at every cell before it removed them. So tables that somebody else has removed are
//! never taken for those.
//!
//! A schema is dropped by hand, or a source is restored from a dump that was made without it. The cells
//! may hold tokens then, and no cursor says so.
//!
//! **Invariant:** before its first row is written a run has a mark among the cursors, and then
//! `source_bound` on record. Where the entry is there and the mark is not, cursors are lost, also where
//! others stand in tables that were made anew.
//!
//! **Invariant:** a way back removes our tables only behind `rollback_swept`, and nothing but that entry,
//! as its last word, ends it without a look at the cells.

use std::collections::BTreeMap;

use crate::ledger::Entry;
use crate::lifecycle::Event;
use crate::plan::UnitMode;
use crate::ports::{CursorId, Pass};
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::rewrite::bind_source;

/// The run has its tables in the source, and may write rows.
const BOUND: &str = "source_bound";

/// A way back has found every cell as it has to be; our tables go next.
const SWEPT: &str = "rollback_swept";

/// A way back looks at every cell, whatever was found before.
const ANEW: &str = "rollback_anew";

/// Of [`ANEW`]: where our tables are.
const TABLES: &str = "tables";
const LOST: &str = "lost";
const THERE: &str = "there";

/// What a way back finds of our tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Traces {
    /// They are as the run has left them, or it has never had any.
    Kept,
    /// The run had them, and somebody has removed some since: no cursor says what was written, or what
    /// was put back.
    Lost,
    /// A way back has removed them, behind its last look at the cells; what it had counted.
    Removed(BTreeMap<String, u64>),
}

impl Traces {
    /// Holds what the source has of them against what is on record.
    pub(crate) async fn find(job: &Job, entries: &[Entry]) -> Result<Self, RunError> {
        let has_mark = has_mark(job).await?;
        let has_name = job.source.identity().await?.is_some();
        let swept = last_word(entries).filter(|entry| entry.action == SWEPT);
        if let Some(swept) = swept
            && !has_mark
            && !has_name
        {
            return Ok(Self::Removed(swept.counts.clone()));
        }
        // A run that was begun before there were marks has its tables without one. And a purge drops the
        // cursors, marks among them: every unit was rewritten then, and no way back has begun.
        let is_purged =
            has(entries, Event::Rewritten.name()) && !has(entries, Event::RollbackStarted.name());
        let is_there = has_mark || (has_name && (!has(entries, BOUND) || is_purged));
        // Tables that were made anew, or came back later, know nothing of the time between.
        let was_lost = entries.iter().any(says_lost);
        Ok(if was_lost || (has_begun(entries) && !is_there) { Self::Lost } else { Self::Kept })
    }

    /// Sets the mark again that a purge has dropped. It is asked for once the way back has begun.
    pub(crate) async fn mark_again(&self, job: &Job, entries: &[Entry]) -> Result<(), RunError> {
        if *self == Self::Kept && has(entries, BOUND) && !has_mark(job).await? {
            let ledger_size = bind_source(job).await?;
            job.source.take(mark(job), ledger_size).await?;
        }
        Ok(())
    }

    /// Puts on record that every cell is looked at, where the last word was another one.
    pub(crate) async fn look_anew(&self, job: &Job, entries: &[Entry]) -> Result<(), RunError> {
        let is_lost = *self == Self::Lost;
        if is_lost {
            job.watch.notes(
                "the source has lost tables that Sealift keeps there; every cell is looked at instead",
            );
        }
        let is_told = match last_word(entries) {
            None => !is_lost,
            Some(last) => last.action == ANEW && says_lost(last) == is_lost,
        };
        if is_told {
            return Ok(());
        }
        let mut draft = job.draft(ANEW);
        let tables = if is_lost { LOST } else { THERE };
        draft.details.insert(TABLES.to_owned(), tables.into());
        job.vault.commit(Vec::new(), vec![draft]).await?;
        Ok(())
    }
}

/// Whether a run has had its tables in the source, by what is on record.
pub(crate) fn has_begun(entries: &[Entry]) -> bool {
    has(entries, BOUND) || has(entries, Event::Rewritten.name())
}

/// Begins to write to the source, or goes on.
///
/// # Errors
///
/// [`RunError::TablesLost`] where the run had begun, and its cursors are gone: what is a token of its
/// own and what an original cannot be told from them any more.
pub(crate) async fn begin(job: &Job) -> Result<(), RunError> {
    let entries = job.vault.ledger_of(job.run).await?;
    if !has(&entries, BOUND) {
        return bind(job).await;
    }
    if has_mark(job).await? {
        bind_source(job).await?;
        return Ok(());
    }
    // The purge of another run has dropped the cursors of all: a token is told by its shape then, and
    // every range is looked at once more.
    if job.source.identity().await?.is_some() && !has_window_without_shapes(job).await? {
        let ledger_size = bind_source(job).await?;
        job.source.take(mark(job), ledger_size).await?;
        return Ok(());
    }
    Err(RunError::TablesLost { run: job.run.to_string() })
}

/// Whether a table is rewritten as a whole whose tokens nothing tells from originals.
async fn has_window_without_shapes(job: &Job) -> Result<bool, RunError> {
    for unit in job.plan.units.iter().filter(|unit| unit.mode == UnitMode::Window) {
        for table in &unit.tables {
            let columns = job.columns(table).await?;
            if !columns.iter().all(|column| column.treatment.is_recognisable_by_shape()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Makes our tables, sets the mark of the run, and puts it on record.
pub(crate) async fn bind(job: &Job) -> Result<(), RunError> {
    let ledger_size = bind_source(job).await?;
    // ORDER: the entry says that the mark is there.
    job.source.take(mark(job), ledger_size).await?;
    job.vault.commit(Vec::new(), vec![job.draft(BOUND)]).await?;
    // An older copy of the vault would not know of it.
    job.files.note_ledger(job.vault.head().await?.size())?;
    Ok(())
}

/// Puts on record that every cell is as it has to be, before our tables go.
pub(crate) async fn note_swept(job: &Job, counts: &BTreeMap<String, u64>) -> Result<(), RunError> {
    let mut draft = job.draft(SWEPT);
    draft.counts.clone_from(counts);
    job.vault.commit(Vec::new(), vec![draft]).await?;
    Ok(())
}

fn mark(job: &Job) -> CursorId {
    CursorId { run: job.run, pass: Pass::Bound, unit: 0, range: 0 }
}

async fn has_mark(job: &Job) -> Result<bool, RunError> {
    Ok(!job.source.cursors(job.run, Pass::Bound).await?.is_empty())
}

fn has(entries: &[Entry], action: &str) -> bool {
    entries.iter().any(|entry| entry.action == action)
}

/// The last that ways back have said of the cells.
fn last_word(entries: &[Entry]) -> Option<&Entry> {
    entries.iter().rfind(|entry| entry.action == SWEPT || entry.action == ANEW)
}

fn says_lost(entry: &Entry) -> bool {
    entry.action == ANEW && entry.details.get(TABLES).is_some_and(|tables| tables == LOST)
}
