//! `sealift rollback`: the originals back where they were.

use serde_json::json;

use super::args::OneRun;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::{RunLock, at_work, job, job_without_folder, note_failure};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::engine::postgres::vault::RunShare;
use crate::lifecycle::{Event, Phase};
use crate::ports::{Change, RunRow};
use crate::run::{Job, RunError, Undone};

pub(super) async fn rollback(
    settings: &Settings,
    out: &Output,
    typed: &OneRun,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::Rollback).await?;
    // ORDER: the lock before the row, so that what the row says still holds.
    let _lock = RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await?;
    let row = find_run(desk.vault.as_ref(), typed.run.as_deref(), Phase::is_open).await?;
    if row.phase == Phase::RolledBack {
        out.object(&json!({"run": row.run.to_string(), "phase": row.phase.name()}));
        out.line(format!("run {} is `{}` already", row.run, row.phase));
        let (who, command) = super::next::in_vault(desk.vault.as_ref(), &row).await?;
        out.next(&who, &command);
        return Ok(Outcome::Done);
    }
    if row.phase != Phase::RollingBack && row.phase.after(Event::RollbackStarted).is_err() {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase))
            .hint("a run is rolled back before its purge; afterwards the vault is the only copy"));
    }
    let is_restore = super::restore::restores(&row).is_some();
    if is_restore && !matches!(row.phase, Phase::Planned | Phase::Approved) {
        return Err(Failure::refused(format!("run {} is putting originals back", row.run))
            .hint(format!("let it end: `sealift restore {}`", row.run)));
    }
    let was_begun = row.phase != Phase::Planned && !is_restore;
    let mut undone = None;
    let mut is_lost = false;
    if was_begun {
        let back = on_the_way_back(&desk, settings, out, &row).await?;
        is_lost = back.is_lost;
        undone = Some(undo(&back.job, row.phase).await?);
    } else {
        // Nothing was done yet: not even the folder is there.
        let started =
            Change::Advance { run: row.run, from: row.phase, event: Event::RollbackStarted };
        let done =
            Change::Advance { run: row.run, from: Phase::RollingBack, event: Event::RolledBack };
        let draft = |action: Event| {
            let mut draft = desk.draft(action.name(), format!("run {}", row.run));
            draft.run = Some(row.run);
            draft
        };
        desk.commit(vec![started], draft(Event::RollbackStarted)).await?;
        desk.commit(vec![done], draft(Event::RolledBack)).await?;
    }
    let phase = Phase::RolledBack;
    out.object(&json!({"run": row.run.to_string(), "phase": phase.name()}));
    match undone {
        // Not "as it was": what a trigger set on the way there and back, the plan names, stays.
        Some(Undone::PutBack) => {
            out.line(format!("run {} is rolled back: every original is back in its cell", row.run));
        }
        Some(Undone::NothingWritten) => {
            out.line(format!("run {} is rolled back: nothing of it was in the source", row.run));
        }
        None => out.line(format!("run {} is given up: nothing of it was begun", row.run)),
    }
    if is_lost {
        out.line(format!("  its backup is not in {} any more, and was not needed", row.backup_dir));
    } else if undone.is_some() {
        out.line(format!("  its backup stays in {} until you remove it", row.backup_dir));
    }
    out.next(&row.planned_by, "sealift plan --policy FILE");
    Ok(Outcome::Done)
}

/// A run brought to work on its way back.
struct Back {
    job: Job,
    /// Whether that is without the folder of its backup.
    is_lost: bool,
}

/// Brings a run to work, without the folder of its backup where that is lost and the run has written
/// nothing to the source: there is nothing to put back, and it would be open for good.
async fn on_the_way_back(
    desk: &Desk,
    settings: &Settings,
    out: &Output,
    row: &RunRow,
) -> Result<Back, Failure> {
    let refused = match job(desk, settings, out, row).await {
        Ok(job) => return Ok(Back { job, is_lost: false }),
        Err(failure) if failure.is_without_folder() => failure,
        Err(failure) => return Err(failure),
    };
    let may_be_untouched =
        matches!(row.phase, Phase::Approved | Phase::BackedUp | Phase::Sealed | Phase::RollingBack);
    let needed = refused.replace_hint(
        "the folder is gone, or belongs to another run or vault: put it back from a copy; the source \
         may hold tokens of the run, and the way back needs it",
    );
    if !may_be_untouched {
        return Err(needed);
    }
    let job = job_without_folder(desk, settings, out, row).await?;
    if crate::run::is_untouched(&job).await? {
        Ok(Back { job, is_lost: true })
    } else {
        Err(needed)
    }
}

/// What the ledger calls a way back that did not end.
const FAILED: &str = "rollback_failed";

/// Rolls a run back. Where that fails for more than a moment, some cells hold tokens and some
/// originals: it is critical, on the ledger, and the process says so by its exit code.
pub(super) async fn undo(job: &Job, phase: Phase) -> Result<Undone, Failure> {
    let at_work = at_work(job).await?;
    job.watch.does("rolls back");
    let rolled_back = crate::run::rollback(job, phase).await;
    at_work.leave().await;
    let error = match rolled_back {
        Ok(undone) => return Ok(undone),
        Err(error) => error,
    };
    if let RunError::Mismatches(found) = &error {
        super::verify::name_all(found);
    }
    // There the cause is mended in a way of its own.
    let says_how = matches!(error, RunError::Unclear { .. });
    let failure = Failure::from(error).or_hint(format!("sealift rollback {}", job.run));
    note_failure(job, &failure).await;
    if !failure.is_lasting() {
        return Err(failure);
    }
    let mut draft = job.draft(FAILED);
    draft
        .details
        .insert("why".into(), failure.to_string().lines().next().unwrap_or_default().into());
    // Where the vault itself is the trouble, this cannot be written; the failure is told anyway.
    let _ = job.vault.commit(Vec::new(), vec![draft]).await;
    // What helps a run is not what helps here: nothing else may be done with it now.
    let hint = format!(
        "mend that, then `sealift rollback {}` again: it goes on where it stopped. Do not purge; \
         docs/RUNBOOK.md says what to do, case by case",
        job.run
    );
    let critical = failure.ending(Outcome::Critical);
    Err(if says_how { critical } else { critical.replace_hint(hint) })
}
