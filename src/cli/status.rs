//! `sealift status`: where runs stand. Needs no passphrase.

use std::time::Duration;

use serde_json::json;

use super::args::Status;
use super::estimates;
use super::exit::{Failure, Outcome};
use super::next;
use super::output::Output;
use super::settings::Settings;
use super::tables;
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
            out.next("a steward", "sealift scan --write-policy policy.toml");
        }
        for row in shown {
            tell(settings, vault.as_ref(), out, row).await?;
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

async fn tell(
    settings: &Settings,
    vault: &dyn Vault,
    out: &Output,
    row: &RunRow,
) -> Result<(), Failure> {
    let progress = tables::of_run(settings, vault, row).await?;
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
        "counts": counts, "estimates": checks, "tables": progress,
    }));
    out.heading(&format!("run {} on `{}`: {}", row.run, row.source, row.phase));
    out.line(format!("  {}", picture(row.phase)));
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
    tables::tell(out, row, &progress);
    let (who, command) = next::in_vault(vault, row).await?;
    out.next(&who, &command);
    Ok(())
}

/// The life of a run as a line: what is behind it, where it stands, what is ahead.
fn picture(phase: Phase) -> String {
    let life = [
        Phase::Planned,
        Phase::Approved,
        Phase::BackedUp,
        Phase::Sealed,
        Phase::Rewritten,
        Phase::Verified,
        Phase::PurgeApproved,
        Phase::Purged,
        Phase::Closed,
    ];
    if matches!(phase, Phase::RollingBack | Phase::RolledBack) {
        let end = if phase == Phase::RolledBack { '●' } else { '○' };
        return format!("● rolling_back ─ {end} rolled_back");
    }
    let here = life.iter().position(|known| *known == phase).unwrap_or_default();
    let steps = life
        .iter()
        .enumerate()
        .map(|(at, known)| format!("{} {}", if at <= here { '●' } else { '○' }, known.name()));
    steps.collect::<Vec<_>>().join(" ─ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_what_is_behind_and_what_is_ahead() {
        assert_eq!(
            picture(Phase::Sealed),
            "● planned ─ ● approved ─ ● backed_up ─ ● sealed ─ ○ rewritten ─ ○ verified ─ \
             ○ purge_approved ─ ○ purged ─ ○ closed"
        );
        assert!(!picture(Phase::Closed).contains('○'));
        assert_eq!(picture(Phase::RollingBack), "● rolling_back ─ ○ rolled_back");
    }
}
