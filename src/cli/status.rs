//! `sealift status`: where runs stand. Needs no passphrase.

use std::time::Duration;

use serde_json::json;

use super::args::Status;
use super::estimates;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::lifecycle::Phase;
use crate::ports::{Condition, QuarantineState, RunRow, Vault};

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);

pub(super) async fn status(
    settings: &Settings,
    out: &Output,
    typed: &Status,
) -> Result<Outcome, Failure> {
    let vault = settings.open_vault().await?;
    loop {
        let runs = vault.runs().await?;
        let shown: Vec<&RunRow> = runs
            .iter()
            .filter(|row| match &typed.run {
                Some(prefix) => row.run.to_string().starts_with(prefix),
                None => typed.all || row.phase.is_open(),
            })
            .collect();
        if let (Some(prefix), true) = (&typed.run, shown.is_empty()) {
            return Err(Failure::failed(format!("there is no run `{prefix}`"))
                .hint("`sealift status --all` lists them"));
        }
        if shown.is_empty() {
            out.line("no run is open");
            out.next("steward", "sealift plan --policy FILE");
        }
        for row in shown {
            tell(vault.as_ref(), out, row).await?;
        }
        if !typed.watch {
            return Ok(Outcome::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Outcome::Done),
        }
    }
}

async fn tell(vault: &dyn Vault, out: &Output, row: &RunRow) -> Result<(), Failure> {
    let entries = vault.ledger_of(row.run).await?;
    let counts = entries
        .iter()
        .rfind(|entry| entry.action == row.phase.name())
        .map(|entry| entry.counts.clone())
        .unwrap_or_default();
    let quarantine = vault.quarantine(row.run).await?;
    let waiting = quarantine.iter().filter(|row| row.state == QuarantineState::Waiting).count();
    let checks = estimates::checks(row, &entries)?;
    out.object(&json!({
        "run": row.run.to_string(), "source": row.source, "phase": row.phase.name(),
        "condition": row.condition.map(Condition::name), "reason": row.condition_reason,
        "planned_by": row.planned_by, "planned_at": row.planned_at, "quarantined": waiting,
        "counts": counts, "estimates": checks,
    }));
    out.heading(&format!("run {} on `{}`: {}", row.run, row.source, row.phase));
    if let Some(condition) = row.condition {
        out.line(format!("  {}: {}", condition.name(), row.condition_reason));
    }
    for (name, count) in counts.iter().filter(|(name, _)| !estimates::is_measure(name)) {
        out.line(format!("  {name:<16} {count}"));
    }
    estimates::tell(out, &checks);
    if waiting > 0 {
        out.line(format!("  {waiting} rows wait in quarantine"));
    }
    let (who, command) = next(row);
    out.next(&who, &command);
    Ok(())
}

/// Who does what next.
fn next(row: &RunRow) -> (String, String) {
    let run = row.run;
    let steward = row.planned_by.clone();
    if row.condition == Some(Condition::Paused) {
        return (steward, format!("sealift resume {run}"));
    }
    match row.phase {
        Phase::Planned => ("an approver".to_owned(), format!("sealift approve {run}")),
        Phase::Approved | Phase::BackedUp | Phase::Sealed | Phase::Rewritten => {
            (steward, format!("sealift run {run}"))
        }
        Phase::Verified => ("an approver".to_owned(), format!("sealift approve {run} --purge")),
        Phase::PurgeApproved => (steward, format!("sealift purge {run} --confirm {run}")),
        Phase::Purged => (steward, format!("sealift report {run} --close")),
        Phase::RollingBack => (steward, format!("sealift rollback {run}")),
        Phase::Closed | Phase::RolledBack => (steward, "sealift plan --policy FILE".to_owned()),
    }
}
