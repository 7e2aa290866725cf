//! `sealift restore`: originals back into the source after a purge, as a run of its own.
//!
//! The first call records that run; approvers sign it like a plan; the next call carries it out. It
//! opens what the vault holds, and needs no backup.

use std::path::Path;

use serde_json::json;

use super::approve;
use super::args::Restore;
use super::desk::{Desk, find_run, new_run_id, now};
use super::exit::{Failure, Outcome};
use super::job::{RunLock, at_work, genuine, job, note_failure, parsed, run_grant};
use super::output::Output;
use super::run::approved;
use super::settings::Settings;
use crate::access::Verb;
use crate::access::grants::Grant;
use crate::backup::destroy_folder;
use crate::engine::postgres::vault::RunShare;
use crate::ledger::{ApprovalKind, Entry};
use crate::lifecycle::{Phase, RunId};
use crate::plan::Assessment;
use crate::ports::{Change, RunRow, SealedReason};
use crate::report::{RESTORED, RESTORING, StoredPlan, plan_digest};
use crate::run::RunError;
use crate::words::says_something;

/// The run whose originals a run brings back; `None` for a run of the usual kind.
pub(super) fn restores(row: &RunRow) -> Option<RunId> {
    serde_json::from_str::<Assessment>(&row.plan).ok()?.restores
}

pub(super) async fn restore(
    settings: &Settings,
    out: &Output,
    typed: Restore,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::Restore).await?;
    // ORDER: the lock before the row, so that what the row says still holds.
    let _lock = RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await?;
    let row = find_run(desk.vault.as_ref(), Some(&typed.run), |_| true).await?;
    genuine(&desk, &row)?;
    if let Some(purged) = restores(&row) {
        return carry_out(&desk, settings, out, row, purged).await;
    }
    if !matches!(row.phase, Phase::Purged | Phase::Closed) {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase)).hint(format!(
            "before a purge there is `sealift rollback {}`, which needs no approval",
            row.run
        )));
    }
    for other in desk.vault.runs().await? {
        if restores(&other) == Some(row.run) {
            if other.phase.is_open() {
                return carry_out(&desk, settings, out, other, row.run).await;
            }
            let (has_begun, has_ended) = on_record(&desk, row.run, other.run).await?;
            if other.phase == Phase::RolledBack && has_begun && !has_ended {
                return carry_out(&desk, settings, out, other, row.run).await;
            }
            if other.phase == Phase::RolledBack && has_ended {
                return Err(Failure::refused(format!(
                    "the originals of run {} are back already, by run {}",
                    row.run, other.run
                ))
                .hint("plan a new run to move them out again"));
            }
        }
    }
    let Some(reason) = typed.reason.filter(|reason| says_something(reason)) else {
        return Err(Failure::failed("a restore wants a reason")
            .hint(format!("`sealift restore {} --reason \"why\"`; it is kept sealed", row.run)));
    };
    record(&desk, out, &row, &reason).await
}

/// Whether the ledger of a purged run says that a restore has begun to put its originals back, and that
/// it has ended.
async fn on_record(desk: &Desk, purged: RunId, by: RunId) -> Result<(bool, bool), Failure> {
    let entries = desk.vault.ledger_of(purged).await?;
    let by = by.to_string();
    let is_said = |action: &str| {
        let of_action = entries.iter().filter(|entry| entry.action == action);
        of_action.filter_map(|entry| entry.details.get("by")).any(|it| *it == by)
    };
    Ok((is_said(RESTORING), is_said(RESTORED)))
}

/// Says on the ledger of the purged run what a restore does to it, with the cells that it is about.
async fn say(
    desk: &Desk,
    action: &str,
    (purged, by): (RunId, RunId),
    cells: u64,
) -> Result<(), Failure> {
    let mut draft = desk.draft(action, format!("run {purged}"));
    draft.run = Some(purged);
    draft.details.insert("by".into(), by.to_string().into());
    draft.counts.insert("restored".into(), cells);
    desk.commit(Vec::new(), draft).await?;
    Ok(())
}

/// Records a run that brings back the originals of another. It claims the columns, and grants no
/// purpose.
async fn record(
    desk: &Desk,
    out: &Output,
    purged: &RunRow,
    reason: &str,
) -> Result<Outcome, Failure> {
    let (mut policy, mut plan) = parsed(purged)?;
    // What was in force then is not what is in force now.
    policy.purposes.clear();
    plan.restores = Some(purged.run);
    let vault = desk.keys.vault().to_string();
    let stored = StoredPlan { assessment: plan, document: None };
    let plan_json = serde_json::to_string(&stored).map_err(Failure::fault)?;
    let run = new_run_id(&desk.vault.runs().await?);
    let mut row = RunRow {
        run,
        policy: serde_json::to_string(&policy).map_err(Failure::fault)?,
        fingerprint: plan_digest(&vault, &policy.source, &policy.hash, &stored, &plan_json),
        plan: plan_json,
        phase: Phase::Planned,
        condition: None,
        condition_reason: String::new(),
        planned_by: desk.caller.name.clone(),
        planned_at: now(),
        verified_digest: None,
        segment: None,
        mac: Vec::new(),
        ..purged.clone()
    };
    row.mac = run_grant(&row).mac(desk.keys.control()).to_vec();
    let columns: Vec<String> = policy.columns.iter().map(|rule| rule.name.to_string()).collect();
    let mut draft = desk.draft("planned", format!("run {run}"));
    draft.run = Some(run);
    draft.policy = Some(policy.hash.clone());
    draft.counts.insert("columns".into(), policy.columns.len() as u64);
    draft.details.insert("source".into(), row.source.clone().into());
    draft.details.insert("fingerprint".into(), row.fingerprint.clone().into());
    draft.details.insert("restores".into(), purged.run.to_string().into());
    let SealedReason { digest, sealed } = crate::serve::sealed_reason(&desk.keys, reason);
    draft.details.insert("reason_hash".into(), digest.clone().into());
    let changes = vec![
        Change::InsertRun(Box::new(row.clone()), columns.clone()),
        Change::PutReason { digest, sealed },
    ];
    desk.commit(changes, draft).await?;
    out.object(&json!({
        "run": run.to_string(), "restores": purged.run.to_string(), "phase": row.phase.name(),
        "columns": columns,
    }));
    out.line(format!(
        "run {run} would put the originals of run {} back into {}",
        purged.run,
        columns.join(", ")
    ));
    out.line("  every token there that opens becomes its value, whoever wrote it");
    let (who, command) = if policy.approval.plan == 0 {
        (desk.caller.name.clone(), format!("sealift restore {run}"))
    } else {
        ("an approver".to_owned(), format!("sealift approve {run}"))
    };
    out.next(&who, &command);
    Ok(Outcome::Done)
}

/// Carries out a restore that was approved, or goes on with one that was cut off.
async fn carry_out(
    desk: &Desk,
    settings: &Settings,
    out: &Output,
    mut row: RunRow,
    purged: RunId,
) -> Result<Outcome, Failure> {
    genuine(desk, &row)?;
    if row.phase == Phase::Planned {
        let (policy, _) = parsed(&row)?;
        let (vault, caller) = (desk.vault.as_ref(), &desk.caller.name);
        let kind = ApprovalKind::Plan;
        row.phase = approve::settle(vault, &desk.keys, &row, &policy, kind, caller).await?;
        if row.phase == Phase::Planned {
            return Err(Failure::refused(format!("run {} is not approved", row.run))
                .hint(format!("an approver signs it: `sealift approve {}`", row.run)));
        }
    }
    if row.phase != Phase::RolledBack {
        approved(desk, &row).await?;
        let job = job(desk, settings, out, &row).await?;
        let at_work = at_work(&job).await?;
        job.watch.does("puts originals back");
        // ORDER: what the purge has proven ends with the first original that is back, also where the
        // restore does not come to its end.
        if !on_record(desk, purged, row.run).await?.0 {
            say(desk, RESTORING, (purged, row.run), job.plan.estimate.cells).await?;
        }
        let put_back = crate::run::rollback(&job, row.phase).await;
        at_work.leave().await;
        if let Err(error) = put_back {
            let again = format!("sealift restore {}", row.run);
            let failure = if let RunError::Mismatches(found) = &error {
                super::verify::name_all(found);
                Failure::from(error).replace_hint(format!(
                    "what is named still holds a token; where the vault does not know it, put a copy \
                     of the vault back that does (`sealift vault restore`), then `{again}`: it goes on \
                     with what is left"
                ))
            } else {
                Failure::from(error).or_hint(again)
            };
            note_failure(&job, &failure).await;
            return Err(failure);
        }
    }
    let (has_begun, has_ended) = on_record(desk, purged, row.run).await?;
    if !has_begun && !has_ended {
        return Err(Failure::refused(format!("run {} was given up before it wrote", row.run))
            .hint(format!("`sealift restore {purged} --reason \"why\"` records another")));
    }
    let phase = Phase::RolledBack;
    let restored = restored(&desk.vault.ledger_of(row.run).await?);
    if !has_ended {
        say(desk, RESTORED, (purged, row.run), restored).await?;
        // Where the last call died behind the event; it holds a marker and wrapped keys, and no file.
        destroy_folder(&Path::new(&row.backup_dir).join(row.run.to_string()))?;
    }
    out.object(&json!({
        "run": row.run.to_string(), "restores": purged.to_string(), "phase": phase.name(),
        "restored": restored,
    }));
    out.line(format!("run {}: {restored} cells hold their originals again", row.run));
    out.line(format!("  what the purge of run {purged} has proven does not hold any more"));
    out.next(&row.planned_by, "sealift plan --policy FILE");
    Ok(Outcome::Done)
}

/// Cells that hold their originals again, as the way back has counted them.
fn restored(entries: &[Entry]) -> u64 {
    let back = entries.iter().rfind(|entry| entry.action == Phase::RolledBack.name());
    back.and_then(|entry| entry.counts.get("restored").copied()).unwrap_or_default()
}
