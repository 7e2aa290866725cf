//! `sealift run`: back up, seal, rewrite, verify; again to resume.

use std::time::{Duration, Instant};

use serde_json::json;

use super::args::Run;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::{
    RunLock, at_work, fresh, genuine, job_of, note_failure, own_scratch, parsed, unchanged_catalog,
};
use super::output::Output;
use super::settings::Settings;
use super::{approve, estimates, verify};
use crate::access::Verb;
use crate::engine::postgres::vault::RunShare;
use crate::ledger::{ApprovalKind, Entry};
use crate::lifecycle::{Event, Phase};
use crate::policy::{Expect, OnFailure};
use crate::ports::{Change, CheckRow, Condition, Lease, RunRow, SourceError};
use crate::run::{Ahead, Drive, Job, RunError, turn};

pub(super) async fn run(settings: &Settings, out: &Output, typed: Run) -> Result<Outcome, Failure> {
    let until = target(typed.until.as_deref())?;
    let desk = Desk::open(settings, Verb::Run).await?;
    // ORDER: the lock before the row, so that what the row says still holds.
    let share = if settings.can_be_joined() { RunShare::Joined } else { RunShare::Alone };
    let lock = RunLock::take(settings, desk.vault.as_ref(), share).await?;
    let works = |phase: Phase| phase.is_open() && phase != Phase::RollingBack;
    let mut row = find_run(desk.vault.as_ref(), typed.run.as_deref(), works).await?;
    if super::restore::restores(&row).is_some() {
        return Err(Failure::refused(format!("run {} puts originals back", row.run))
            .hint(format!("`sealift restore {}` carries it out", row.run)));
    }
    if row.phase.rank() >= until.rank() {
        let past = matches!(row.phase, Phase::RollingBack | Phase::RolledBack);
        if past {
            return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase))
                .hint("plan again to start anew"));
        }
        return told(out, &desk, &row, Came::Before).await;
    }
    not_paused(&row)?;
    if row.phase == Phase::Planned {
        let (policy, _) = parsed(&row)?;
        let settled = approve::settle(
            desk.vault.as_ref(),
            &desk.keys,
            &row,
            &policy,
            ApprovalKind::Plan,
            &desk.caller.name,
        )
        .await;
        row.phase = match settled {
            // A process that joins has done it just now.
            Err(failure) if failure.is_passed_over() => desk.vault.run_state(row.run).await?.phase,
            settled => settled?,
        };
        if row.phase == Phase::Planned {
            return Err(Failure::refused(format!("run {} is not approved", row.run))
                .hint(format!("an approver signs it: `sealift approve {}`", row.run)));
        }
    }
    approved(&desk, &row).await?;
    let job = job_of(&desk, settings, out, &row, typed.workers).await?;
    let at_work = at_work(&job).await?;
    let worked = work(&desk, settings, &job, &row, until).await;
    let wait = job.watch.longest_wait();
    at_work.leave().await;
    if let Err(failure) = worked {
        // What went wrong may be that somebody changed the tables: then the run is paused until
        // they are as they were, and says so.
        if let Err(changed) = still_as_planned(&desk, &job, &row).await
            && changed.outcome == Outcome::Refused
        {
            return Err(changed);
        }
        let failure = match wait.filter(|_| failure.is_locked()) {
            Some(wait) => failure.replace_hint(format!("it waited for {wait}; run again after it")),
            None => failure,
        };
        note_failure(&job, &failure).await;
        let wants = failure.is_lasting() && !failure.is_away();
        if job.policy.on_failure == OnFailure::Rollback && wants {
            drop(lock);
            return Err(rolled_back(&desk, settings, &job, failure).await);
        }
        return Err(failure.or_hint(format!("sealift run {}", row.run)));
    }
    let row = find_run(desk.vault.as_ref(), Some(&row.run.to_string()), |_| true).await?;
    told(out, &desk, &row, Came::Now).await
}

/// Refuses to go on with a run that somebody paused.
pub(super) fn not_paused(row: &RunRow) -> Result<(), Failure> {
    if row.condition != Some(Condition::Paused) {
        return Ok(());
    }
    let what = format!("run {} is paused: {}", row.run, row.condition_reason);
    Err(Failure::refused(what).hint(format!("sealift resume {}", row.run)))
}

/// Rolls a run back that cannot go on, as `on_failure` of its policy says; the failure that it began
/// with is still the one to report, unless the way back fails too.
async fn rolled_back(desk: &Desk, settings: &Settings, job: &Job, failure: Failure) -> Failure {
    // Alone: nobody else may go on with the run meanwhile.
    let _lock = match RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await {
        Ok(lock) => lock,
        Err(busy) => {
            super::output::note(format!("not rolled back: {busy}"));
            return failure
                .replace_hint(format!("`sealift rollback {}`, as the policy says", job.run));
        }
    };
    let phase = match desk.vault.run_state(job.run).await {
        Ok(state) => state.phase,
        Err(error) => return Failure::from(error),
    };
    if phase != Phase::RollingBack && phase.after(Event::RollbackStarted).is_err() {
        return failure;
    }
    super::output::note(
        "the run cannot go on; rolling it back, as `on_failure` of its policy says",
    );
    match super::rollback::undo(job, phase).await {
        Ok(_) => failure.replace_hint(format!(
            "run {} is rolled back, and the source is as it was; mend the cause, then plan again",
            job.run
        )),
        Err(worse) => {
            super::output::note(format!("it began with: {failure}"));
            worse
        }
    }
}

/// Looks at the catalog once more, for the phase that the run is in by now.
async fn still_as_planned(desk: &Desk, job: &Job, row: &RunRow) -> Result<(), Failure> {
    let now = find_run(desk.vault.as_ref(), Some(&row.run.to_string()), |_| true).await?;
    unchanged_catalog(desk, job, now.phase).await
}

/// The phase of a row opens nothing: whoever can only write the vault's tables could set it. The
/// signatures under the plan have to be there as well, at every resume.
pub(super) async fn approved(desk: &Desk, row: &RunRow) -> Result<(), Failure> {
    genuine(desk, row)?;
    let (policy, _) = parsed(row)?;
    let signers =
        approve::signers(desk.vault.as_ref(), &desk.keys, row, ApprovalKind::Plan).await?;
    if signers.len() as u64 >= u64::from(policy.approval.plan) {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "run {} is `{}`, and its plan is not validly approved",
        row.run, row.phase
    ))
    .hint("somebody changed the vault's tables; go back with `sealift rollback`, or plan anew"))
}

fn target(typed: Option<&str>) -> Result<Phase, Failure> {
    let Some(typed) = typed else { return Ok(Phase::Verified) };
    Phase::from_name(typed)
        .filter(|phase| {
            matches!(phase, Phase::BackedUp | Phase::Sealed | Phase::Rewritten | Phase::Verified)
        })
        .ok_or_else(|| {
            Failure::failed(format!("a run does not stop at `{typed}`"))
                .hint("--until takes backed_up, sealed, rewritten or verified")
        })
}

/// How often a pass is begun again because another process was faster.
const PASSED_OVER_MAX: u32 = 50;

/// Pass after pass, until the phase that was asked for: others may bring it about as well.
async fn work(
    desk: &Desk,
    settings: &Settings,
    job: &Job,
    row: &RunRow,
    until: Phase,
) -> Result<(), Failure> {
    let mut passed_over = 0;
    loop {
        let phase = desk.vault.run_state(row.run).await?.phase;
        if phase.rank() >= until.rank() {
            return Ok(());
        }
        match pass(desk, settings, job, row, (phase, until)).await {
            Err(failure) if job.crew.shares && failure.is_passed_over() => {
                passed_over += 1;
                if passed_over == PASSED_OVER_MAX {
                    return Err(failure);
                }
            }
            done => done?,
        }
    }
}

/// The pass that leads out of a phase, on the way to another.
async fn pass(
    desk: &Desk,
    settings: &Settings,
    job: &Job,
    row: &RunRow,
    (phase, until): (Phase, Phase),
) -> Result<(), Failure> {
    unchanged_catalog(desk, job, phase).await?;
    match phase {
        Phase::Approved => {
            if let Some(turn) = turn(job, phase).await? {
                let held = checks(job, "before").await;
                turn.end(held).await?;
            }
            let ahead = if until.rank() > Phase::BackedUp.rank() { Ahead::Yes } else { Ahead::No };
            Ok(crate::run::backup(job, ahead).await?)
        }
        Phase::BackedUp => Ok(crate::run::seal(job).await?),
        Phase::Sealed => Ok(crate::run::rewrite(job).await?),
        Phase::Rewritten => {
            let Some(turn) = turn(job, phase).await? else { return Ok(()) };
            let verified = verified(desk, settings, job, row, turn.lease()).await;
            turn.end(verified).await
        }
        Phase::Planned
        | Phase::Verified
        | Phase::PurgeApproved
        | Phase::Purged
        | Phase::Closed
        | Phase::RollingBack
        | Phase::RolledBack => {
            Err(RunError::Inconsistent(format!("nothing runs in phase `{phase}`")).into())
        }
    }
}

/// Verifies through connections of their own, under the lease of whoever does it.
async fn verified(
    desk: &Desk,
    settings: &Settings,
    job: &Job,
    row: &RunRow,
    lease: Option<Lease>,
) -> Result<(), Failure> {
    job.watch.does("verifies");
    // ORDER: originals may have come since, and a join does not hold between them and tokens; they
    // are looked for before anything is judged.
    crate::run::resweep(job).await?;
    checks(job, "after").await?;
    job.source.rest().await?;
    let fresh = fresh(desk, settings, job).await?;
    fresh.vault.hold(lease);
    let scratch = own_scratch(settings, row);
    verify::named(crate::run::verify(&fresh, Phase::Rewritten, scratch, Drive::Record).await)?;
    Ok(())
}

/// A check may take so much longer than before the run.
const SLOWER_MAX: u32 = 10;

/// What a check may take in any case.
const CHECK_MAX: Duration = Duration::from_secs(5);

/// Runs the steward's own checks, then those of the engine, and compares with what they answered
/// before the run.
pub(super) async fn checks(job: &Job, moment: &str) -> Result<(), Failure> {
    let known = job.vault.checks(job.run).await?;
    let is_done = |name: &str| {
        moment == "before" && known.iter().any(|row| row.name == name && row.moment == moment)
    };
    let entries = job.vault.ledger_of(job.run).await?;
    for check in job.policy.checks.iter().filter(|check| !is_done(&check.name)) {
        let begun = Instant::now();
        let limit = took_before(&entries, &check.name)
            .filter(|_| moment != "before")
            .map(|before| (before * SLOWER_MAX).max(CHECK_MAX));
        let asked = async {
            job.source.check(&check.sql).await.map_err(|error| of_check(&check.name, error))
        };
        let answer = match limit {
            None => asked.await?,
            Some(limit) => tokio::time::timeout(limit, asked).await.map_err(|_| {
                Failure::finding(format!(
                    "check `{}` has become slow: it did not answer within {} s",
                    check.name,
                    limit.as_secs()
                ))
                .hint(
                    "does the query still find its index? look at its plan before going on, then \
                     run again",
                )
            })??,
        };
        let digest = digest(job, &check.name, answer.as_deref());
        let before = before(&known, &check.name);
        let holds = match &check.expect {
            _ if moment == "before" => true,
            Expect::Unchanged => before.is_some_and(|row| row.digest == digest),
            Expect::Value(wanted) => answer.as_deref() == Some(wanted.as_str()),
        };
        held(job, &check.name, moment, holds, digest, begun.elapsed()).await?;
    }
    let tables: Vec<_> = job
        .plan
        .units
        .iter()
        .flat_map(|unit| &unit.tables)
        .map(|table| table.table.clone())
        .collect();
    let begun = Instant::now();
    for (name, answer) in job.source.integrity(&tables).await? {
        let name = format!("sealift: {name}");
        if !is_done(&name) {
            let digest = digest(job, &name, Some(&answer));
            // A table that was not there before the run has nothing to compare with.
            let is_same = before(&known, &name).is_none_or(|row| row.digest == digest);
            held(job, &name, moment, is_same, digest, begun.elapsed()).await?;
        }
    }
    Ok(())
}

/// A check that gave no answer, by its name.
fn of_check(name: &str, error: SourceError) -> Failure {
    let what = match &error {
        SourceError::NotOneValue => "returns more than one value",
        SourceError::ReadOnly { .. } => "writes, and a check only reads",
        SourceError::Engine { .. } => "cannot be run",
        _ => return error.into(),
    };
    let detail = match &error {
        SourceError::Engine { .. } => format!(": {}", crate::serve::chain(&error)),
        _ => String::new(),
    };
    Failure::failed(format!("check `{name}` {what}{detail}")).hint(
        "its statement in the policy has to be one SELECT that returns one value; plan again with \
         another one, or go back with `sealift rollback`",
    )
}

fn before<'r>(known: &'r [CheckRow], name: &str) -> Option<&'r CheckRow> {
    known.iter().find(|row| row.name == name && row.moment == "before")
}

/// How long a check took before the run.
fn took_before(entries: &[Entry], name: &str) -> Option<Duration> {
    let object = format!("check {name}");
    let entry = entries.iter().find(|entry| {
        entry.action == "check_held"
            && entry.object == object
            && entry.details.get("moment").is_some_and(|moment| moment == "before")
    })?;
    entry.counts.get("took_ms").map(|took| Duration::from_millis(*took))
}

/// Puts on record that a check holds, or ends the command where it does not.
async fn held(
    job: &Job,
    name: &str,
    moment: &str,
    holds: bool,
    digest: Vec<u8>,
    took: Duration,
) -> Result<(), Failure> {
    if !holds {
        return Err(Failure::finding(format!("check `{name}` does not hold"))
            .hint("its answer is not what the policy expects; look before going on"));
    }
    let row = CheckRow { name: name.to_owned(), moment: moment.to_owned(), digest };
    let mut draft = job.draft("check_held");
    draft.object = format!("check {name}");
    draft.details.insert("moment".into(), moment.into());
    draft.counts.insert("took_ms".into(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    job.vault.commit(vec![Change::PutCheck(job.run, row)], vec![draft]).await?;
    Ok(())
}

fn digest(job: &Job, name: &str, answer: Option<&str>) -> Vec<u8> {
    let known = [u8::from(answer.is_some())];
    job.keys
        .index()
        .digest("check", &[name.as_bytes(), &known, answer.unwrap_or_default().as_bytes()])
        .to_vec()
}

/// Whether this command has brought the run to where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It has.
    Now,
    /// The run stood there already: what was counted on the way was counted then.
    Before,
}

async fn told(out: &Output, desk: &Desk, row: &RunRow, came: Came) -> Result<Outcome, Failure> {
    let entries = desk.vault.ledger_of(row.run).await?;
    let entry = entries
        .iter()
        .rfind(|entry| entry.phase_after == Some(row.phase) && entry.action == row.phase.name());
    let since = entry.map(|entry| entry.at.as_str());
    let counts = entry.map(|entry| entry.counts.clone()).unwrap_or_default();
    let checks = estimates::checks(row, &entries)?;
    out.object(&json!({
        "run": row.run.to_string(), "phase": row.phase.name(), "since": since,
        "worked": came == Came::Now, "counts": counts, "estimates": checks,
    }));
    match came {
        Came::Now => {
            out.line(format!("run {} is `{}`", row.run, row.phase));
            for (name, count) in counts.iter().filter(|(name, _)| !estimates::is_measure(name)) {
                out.line(format!("  {name:<16} {count}"));
            }
            estimates::tell(out, &checks);
        }
        Came::Before => stood(out, row, since),
    }
    let (who, command) = super::next::in_vault(desk.vault.as_ref(), row).await?;
    out.next(&who, &command);
    Ok(Outcome::Done)
}

/// Says since when a run stands where it does. Figures of that time would look like news.
fn stood(out: &Output, row: &RunRow, since: Option<&str>) {
    let since = since.map_or_else(String::new, |at| format!(" since {at}"));
    out.line(format!("run {} is `{}`{since}, and this command did nothing", row.run, row.phase));
    if matches!(row.phase, Phase::Verified | Phase::PurgeApproved) {
        out.line(format!(
            "  whatever was written to the source after its verification was not looked at; `sealift \
             verify {}` looks",
            row.run
        ));
    }
}
