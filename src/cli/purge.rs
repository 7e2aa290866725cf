//! `sealift purge`: the originals gone for good.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anstyle::AnsiColor;
use jiff::Timestamp;
use serde_json::json;

use super::args::Purge;
use super::desk::{Desk, find_run, parse_slot};
use super::exit::{Failure, Outcome};
use super::job::{RunLock, job, note_failure, parsed, scratch, unchanged_catalog};
use super::output::Output;
use super::run::checks;
use super::settings::Settings;
use super::vault::CopiesOfPurge;
use super::{approve, verify};
use crate::access::Verb;
use crate::engine::postgres::is_postgres;
use crate::engine::postgres::vault::RunShare;
use crate::ledger::ApprovalKind;
use crate::lifecycle::{Event, Phase};
use crate::plan::readable_bytes;
use crate::ports::RunRow;
use crate::residue::{ScanReport, Verdict};
use crate::run::{CopyFact, MismatchKind, PurgeFacts, PurgeOrder, RunError};
use crate::words::counted;

pub(super) async fn purge(
    settings: &Settings,
    out: &Output,
    typed: Purge,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::Purge).await?;
    // ORDER: the lock before the row, so that what the row says still holds.
    let _lock = RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await?;
    let fits = |phase| matches!(phase, Phase::Verified | Phase::PurgeApproved);
    let mut row = find_run(desk.vault.as_ref(), typed.run.as_deref(), fits).await?;
    if matches!(row.phase, Phase::Purged | Phase::Closed) {
        out.object(&json!({"run": row.run.to_string(), "phase": row.phase.name()}));
        out.line(format!("run {} is `{}` already", row.run, row.phase));
        let (who, command) = super::next::in_vault(desk.vault.as_ref(), &row).await?;
        out.next(&who, &command);
        return Ok(Outcome::Done);
    }
    super::run::not_paused(&row)?;
    confirmed(&desk, settings, &row, typed.confirm.as_deref()).await?;
    let (policy, _) = parsed(&row)?;
    if policy.approval.legal_hold {
        return Err(Failure::refused(format!("the policy of run {} has a legal hold", row.run))
            .hint("nothing of this run may be purged while `[approval] legal_hold` is set"));
    }
    if row.phase == Phase::Verified {
        row.phase = approve::settle(
            desk.vault.as_ref(),
            &desk.keys,
            &row,
            &policy,
            ApprovalKind::Purge,
            &desk.caller.name,
        )
        .await?;
    }
    if row.phase != Phase::PurgeApproved {
        return Err(Failure::refused(format!(
            "run {} cannot be purged in phase `{}`",
            row.run, row.phase
        ))
        .hint(match row.phase {
            Phase::Verified => {
                format!("an approver signs it: `sealift approve {} --purge`", row.run)
            }
            _ => format!("a purge needs a verified run: `sealift run {}`", row.run),
        }));
    }
    let approved = approved_digest(&desk, &row, policy.approval.purge).await?;
    waited(&desk, &row, policy.approval.purge_wait_s).await?;
    second_slot(&desk, &row).await?;
    let job = job(&desk, settings, out, &row).await?;
    unchanged_catalog(&desk, &job, row.phase).await?;
    checks(&job, "purge").await?;
    let scratch = scratch(&settings.vault, &row);
    let patience = std::time::Duration::from_secs(typed.wait);
    let copies = CopiesOfPurge {
        settings,
        desk: &desk,
        folder: PathBuf::from(&row.backup_dir),
        run: row.run,
        recipients: &policy.backup.recipients,
    };
    let order = PurgeOrder { approved, scratch, patience, elsewhere: typed.elsewhere };
    let facts = match crate::run::purge(&job, &order, &copies).await {
        Ok(facts) => facts,
        Err(RunError::Mismatches(found)) => {
            verify::name_all(&found);
            let is_late = found.iter().all(|mismatch| mismatch.kind == MismatchKind::Original);
            let failure = Failure::from(RunError::Mismatches(found));
            if !is_late {
                return Err(failure);
            }
            return Err(failure.replace_hint(format!(
                "somebody stored originals after the last sweep: `sealift run {}` makes tokens of them, \
                 and the purge is approved anew",
                row.run
            )));
        }
        Err(error) => {
            let failure = Failure::from(error);
            note_failure(&job, &failure).await;
            return Err(failure);
        }
    };
    tell(out, &row, &facts);
    Ok(Outcome::Done)
}

/// What is purged does not come back: the run's id is wanted twice, and what will be lost is said in
/// numbers.
async fn confirmed(
    desk: &Desk,
    settings: &Settings,
    row: &RunRow,
    typed: Option<&str>,
) -> Result<(), Failure> {
    let run = row.run.to_string();
    if typed == Some(run.as_str()) {
        return Ok(());
    }
    let (policy, plan) = parsed(row)?;
    let entries = desk.vault.ledger_of(row.run).await?;
    let rewritten = entries.iter().rfind(|entry| entry.action == Event::Rewritten.name());
    let cells = rewritten.and_then(|entry| entry.counts.get("tokenized").copied()).unwrap_or(0);
    let files = desk.vault.files(row.run).await?;
    let bytes: u64 = files.iter().map(|file| file.seal.bytes).sum();
    let cells = counted(cells, "cell", "cells");
    let columns = counted(plan.columns.len() as u64, "column", "columns");
    let backup = match policy.backup.retention_days {
        0 => {
            let files = counted(files.len() as u64, "file", "files");
            format!(", and its backup, {files} of {}", readable_bytes(bytes))
        }
        _ => String::new(),
    };
    let is_server = settings.source_shown().is_ok_and(|source| is_postgres(&source));
    let recovery = if is_server {
        "; the server cannot be restored to a moment before it afterwards"
    } else {
        ""
    };
    let lost = format!(
        "a purge removes the originals of run {run} for good: {cells} in {columns}{backup}{recovery}"
    );
    Err(Failure::refused(lost)
        .hint(format!("if that is meant: `sealift purge {run} --confirm {run}`")))
}

/// The digest that enough callers have signed. The ledger has it too, and the two have to agree:
/// a row alone proves nothing.
async fn approved_digest(desk: &Desk, row: &RunRow, needed: u32) -> Result<String, Failure> {
    let entries = desk.vault.ledger_of(row.run).await?;
    let on_ledger = entries
        .iter()
        .rfind(|entry| entry.action == "purge_approved")
        .and_then(|entry| entry.details.get("digest")?.as_str().map(str::to_owned));
    let signers =
        approve::signers(desk.vault.as_ref(), &desk.keys, row, ApprovalKind::Purge).await?;
    match (on_ledger, &row.verified_digest) {
        (Some(ledger), Some(row))
            if ledger == *row && signers.len() as u64 >= u64::from(needed) =>
        {
            Ok(ledger)
        }
        _ => Err(Failure::refused(format!("the purge of run {} is not validly approved", row.run))
            .hint(format!("verify and approve again: `sealift verify {}`", row.run))),
    }
}

async fn waited(desk: &Desk, row: &RunRow, wait_s: u64) -> Result<(), Failure> {
    let entries = desk.vault.ledger_of(row.run).await?;
    let approved = entries
        .iter()
        .rfind(|entry| entry.action == "purge_approved")
        .and_then(|entry| entry.at.parse::<Timestamp>().ok());
    let Some(approved) = approved else { return Ok(()) };
    let waited = Timestamp::now().as_second().saturating_sub(approved.as_second());
    let left = i64::try_from(wait_s).unwrap_or(i64::MAX).saturating_sub(waited);
    if left <= 0 {
        return Ok(());
    }
    Err(Failure::refused(format!("the policy wants the purge to wait another {left} s"))
        .hint("`[approval] purge_wait` of the policy says how long"))
}

/// After a purge the keys are all there is: a second way to them has to have been tried.
async fn second_slot(desk: &Desk, row: &RunRow) -> Result<(), Failure> {
    for slot in desk.vault.slots().await? {
        let is_second = slot.slot != desk.slot && parse_slot(&slot).is_ok();
        if is_second && slot.opened_at.as_ref().is_some_and(|at| *at > row.planned_at) {
            return Ok(());
        }
    }
    Err(Failure::refused(
        "no second way to unlock the vault has been tried since the run was planned",
    )
    .hint("try it: `sealift keys slot check --recovery-file FILE`"))
}

fn hits(report: &ScanReport) -> u64 {
    report.files.iter().map(|file| file.hits.total()).sum()
}

fn tell(out: &Output, row: &RunRow, facts: &PurgeFacts) {
    let before = facts.before.as_ref().map(hits);
    let after = hits(&facts.after);
    let uncovered: Vec<serde_json::Value> = facts
        .uncovered
        .iter()
        .map(|(column, cells)| json!({"column": column, "cells": cells}))
        .collect();
    out.object(&json!({
        "run": row.run.to_string(), "phase": Phase::Purged.name(),
        "verdict": verdict_word(&facts.verdict), "hits_before": before, "hits_after": after,
        "cells": facts.cells, "uncovered_copies": uncovered, "steps": facts.steps,
        "elsewhere": facts.elsewhere,
    }));
    out.heading(&format!("Run {} is purged.", row.run));
    for step in &facts.steps {
        out.line(format!("  {:<34} {}", step.step, step.outcome));
    }
    let color = match facts.verdict {
        Verdict::Clean { .. } => AnsiColor::Green,
        Verdict::UncoveredCopies { .. } | Verdict::NotEvidence { .. } | Verdict::Residue { .. } => {
            AnsiColor::Yellow
        }
    };
    if facts.after.files.is_empty() {
        let word = out.verdict(verdict_word(&facts.verdict), color);
        out.line(format!("no file was read: gone for SQL, and nothing is claimed beyond: {word}"));
    } else {
        out.line(format!(
            "originals found in the files: {} before, {after} after: {}",
            before.map_or_else(|| "not searched".to_owned(), |hits| hits.to_string()),
            out.verdict(verdict_word(&facts.verdict), color)
        ));
    }
    for skipped in facts.after.skipped.iter().take(20) {
        out.line(format!("  not covered: {}: {}", skipped.name, skipped.why));
    }
    copies(out, &facts.uncovered);
    elsewhere(out, &facts.elsewhere);
    out.next(
        &row.planned_by,
        &format!("sealift report {} --format html --output report.html", row.run),
    );
}

fn copies(out: &Output, uncovered: &BTreeMap<String, u64>) {
    for (column, cells) in uncovered {
        out.line(format!("  copies outside the policy: {cells} cells of `{column}`"));
    }
}

/// Copies elsewhere, those without a keeper first.
fn elsewhere(out: &Output, copies: &[CopyFact]) {
    let line = |copy: &CopyFact| format!("{} `{}`", copy.kind.name(), copy.name);
    for copy in copies.iter().filter(|copy| copy.owner.is_none()) {
        let shown = copy.shown.as_deref().unwrap_or_default();
        out.line(format!("  not covered: {}, with nobody named for it: {shown}", line(copy)));
    }
    for copy in copies {
        if let (Some(owner), Some(expires)) = (&copy.owner, &copy.expires) {
            out.line(format!("  elsewhere: {}, with {owner} until {expires}", line(copy)));
        }
    }
}

/// The word for what the scans prove.
pub(super) fn verdict_word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Clean { .. } => "clean",
        Verdict::UncoveredCopies { .. } => "uncovered_copies",
        Verdict::Residue { .. } => "residue",
        Verdict::NotEvidence { .. } => "not_evidence",
    }
}
