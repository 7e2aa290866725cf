//! `sealift quarantine`: rows that could not be tokenised.

use serde_json::json;

use super::args::Quarantine;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::parsed;
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::lifecycle::Phase;
use crate::plan::Assessment;
use crate::ports::{Change, QuarantineRow, QuarantineState, RunRow, SealedReason};

pub(super) async fn quarantine(
    settings: &Settings,
    out: &Output,
    typed: Quarantine,
) -> Result<Outcome, Failure> {
    match typed {
        Quarantine::List { run } => list(settings, out, run.as_deref()).await,
        Quarantine::Replay { run, row } => {
            replay(settings, out, run.as_deref(), row.as_deref()).await
        }
        Quarantine::Waive { run, row, reason } => {
            waive(settings, out, run.as_deref(), &row, &reason).await
        }
    }
}

fn table(plan: &Assessment, row: &QuarantineRow) -> String {
    plan.units
        .iter()
        .find(|unit| unit.id == row.unit)
        .and_then(|unit| unit.tables.get(usize::from(row.table)))
        .map_or_else(|| "?".to_owned(), |table| table.table.to_string())
}

async fn list(settings: &Settings, out: &Output, run: Option<&str>) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::QuarantineList).await?;
    let row = find_run(desk.vault.as_ref(), run, Phase::is_open).await?;
    let (_, plan) = parsed(&row)?;
    let rows = desk.vault.quarantine(row.run).await?;
    for waiting in &rows {
        let table = table(&plan, waiting);
        out.object(&json!({
            "row": waiting.row, "table": table, "key": waiting.key.to_string(),
            "reason": waiting.reason, "cells": waiting.cells, "state": waiting.state.name(),
            "waived_by": waiting.waived_by,
        }));
        out.line(format!(
            "{} {:<9} `{table}` row {}: {}",
            waiting.row,
            waiting.state.name(),
            waiting.key,
            waiting.reason
        ));
    }
    if rows.is_empty() {
        out.line("nothing is in quarantine");
    }
    let waits = rows.iter().any(|row| row.state == QuarantineState::Waiting);
    let (who, command) = if waits {
        (row.planned_by.clone(), format!("sealift quarantine replay {}", row.run))
    } else {
        super::next::in_vault(desk.vault.as_ref(), &row).await?
    };
    out.next(&who, &command);
    Ok(if waits { Outcome::Finding } else { Outcome::Done })
}

async fn chosen(
    desk: &Desk,
    run: &RunRow,
    digest: Option<&str>,
) -> Result<Vec<QuarantineRow>, Failure> {
    let rows: Vec<QuarantineRow> = desk
        .vault
        .quarantine(run.run)
        .await?
        .into_iter()
        .filter(|row| row.state == QuarantineState::Waiting)
        .filter(|row| digest.is_none_or(|digest| row.row.starts_with(digest)))
        .collect();
    if rows.is_empty() {
        return Err(Failure::failed("no such row waits in quarantine")
            .hint(format!("sealift quarantine list {}", run.run)));
    }
    Ok(rows)
}

async fn replay(
    settings: &Settings,
    out: &Output,
    run: Option<&str>,
    digest: Option<&str>,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::QuarantineReplay).await?;
    let row = find_run(desk.vault.as_ref(), run, Phase::is_open).await?;
    let rows = chosen(&desk, &row, digest).await?;
    let count = rows.len();
    let changes = rows
        .into_iter()
        .map(|waiting| {
            let state = QuarantineState::Replayed;
            Change::PutQuarantine(row.run, QuarantineRow { state, ..waiting })
        })
        .collect();
    let mut draft = desk.draft("quarantine_replayed", format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.counts.insert("rows".into(), count as u64);
    desk.commit(changes, draft).await?;
    out.object(&json!({"run": row.run.to_string(), "replayed": count}));
    out.line(format!("{count} rows are tried again"));
    out.next(&row.planned_by, &format!("sealift run {}", row.run));
    Ok(Outcome::Done)
}

async fn waive(
    settings: &Settings,
    out: &Output,
    run: Option<&str>,
    digest: &str,
    reason: &str,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::QuarantineWaive).await?;
    let row = find_run(desk.vault.as_ref(), run, Phase::is_open).await?;
    let rows = chosen(&desk, &row, Some(digest)).await?;
    // A waiver is for one row that somebody has looked at.
    let [waiting] = rows.as_slice() else {
        return Err(Failure::refused(format!(
            "`{digest}` names {} rows in quarantine",
            rows.len()
        ))
        .hint(format!("waive each by its own name: `sealift quarantine list {}`", row.run)));
    };
    let key = waiting.key.to_string();
    let (mut changes, mut waived) = (Vec::new(), Vec::new());
    for waiting in rows {
        waived.push(serde_json::Value::from(waiting.row.clone()));
        changes.push(Change::PutQuarantine(
            row.run,
            QuarantineRow {
                state: QuarantineState::Waived,
                waived_by: Some(desk.caller.name.clone()),
                ..waiting
            },
        ));
    }
    let mut draft = desk.draft("quarantine_waived", format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.details.insert("rows".into(), waived.clone().into());
    let SealedReason { digest, sealed } = crate::serve::sealed_reason(&desk.keys, reason);
    draft.details.insert("reason_hash".into(), digest.clone().into());
    changes.push(Change::PutReason { digest, sealed });
    desk.commit(changes, draft).await?;
    out.object(&json!({"run": row.run.to_string(), "waived": waived}));
    out.line(format!("row {} keeps its originals, by `{}`", key, desk.caller.name));
    out.next(&row.planned_by, &format!("sealift run {}", row.run));
    Ok(Outcome::Done)
}
