//! `sealift rollback`: the originals back where they were.

use serde_json::json;

use super::args::OneRun;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::{RunLock, at_work, job, note_failure};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::engine::postgres::vault::RunShare;
use crate::lifecycle::{Event, Phase};
use crate::ports::Change;
use crate::run::Job;

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
    if was_begun {
        let job = job(&desk, settings, out, &row).await?;
        undo(&job, row.phase).await?;
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
    if was_begun {
        // Not "as it was": what a trigger set on the way there and back, the plan names, stays.
        out.line(format!("run {} is rolled back: every original is back in its cell", row.run));
        out.line(format!("  its backup stays in {} until you remove it", row.backup_dir));
    } else {
        out.line(format!("run {} is given up: nothing of it was begun", row.run));
    }
    out.next(&row.planned_by, "sealift scan --write-policy policy.toml");
    Ok(Outcome::Done)
}

/// What the ledger calls a way back that did not end.
const FAILED: &str = "rollback_failed";

/// Rolls a run back. Where that fails for more than a moment, some cells hold tokens and some
/// originals: it is critical, on the ledger, and the process says so by its exit code.
pub(super) async fn undo(job: &Job, phase: Phase) -> Result<(), Failure> {
    let at_work = at_work(job).await?;
    job.watch.does("rolls back");
    let rolled_back = crate::run::rollback(job, phase).await;
    at_work.leave().await;
    let Err(error) = rolled_back else { return Ok(()) };
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
    Err(failure.ending(Outcome::Critical).replace_hint(hint))
}
