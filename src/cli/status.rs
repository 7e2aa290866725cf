//! `sealift status`: where runs stand. Needs no passphrase.

use std::time::Duration;

use serde_json::json;

use super::args::Status;
use super::estimates;
use super::exit::{Failure, Outcome};
use super::job::parsed;
use super::left;
use super::next;
use super::output::Output;
use super::process::shown_host;
use super::settings::Settings;
use super::tables;
use crate::lifecycle::Phase;
use crate::ports::{Condition, QuarantineState, Rate, RunRow, Vault, WorkerRow};
use crate::report::rehearsals;

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
                // A run that is purged has its report before it.
                None => typed.all || !row.phase.is_terminal(),
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
        let workers = vault.workers().await?;
        for row in shown {
            let at_work: Vec<&WorkerRow> =
                workers.iter().filter(|worker| worker.run == row.run).collect();
            tell(settings, vault.as_ref(), out, (row, &at_work), typed.originals).await?;
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
    (row, workers): (&RunRow, &[&WorkerRow]),
    count_originals: bool,
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
    let limits = Limits::read(vault, row).await?;
    let left = left::of_run(settings, vault, row, count_originals).await?;
    out.object(&json!({
        "run": row.run.to_string(), "source": row.source, "phase": row.phase.name(),
        "condition": row.condition.map(Condition::name), "reason": row.condition_reason,
        "planned_by": row.planned_by, "planned_at": row.planned_at, "quarantined": waiting,
        "counts": counts, "estimates": checks, "rehearsals": rehearsals(&entries), "workers": workers_json(workers),
        "rows_per_s": limits.rows_per_s, "window": limits.window, "tables": progress, "originals": left,
    }));
    out.heading(&format!("run {} on `{}`: {}", row.run, row.source, row.phase));
    out.line(format!("  {}", picture(row.phase)));
    if let Some(condition) = row.condition {
        out.line(format!("  {}: {}", condition.name(), row.condition_reason));
    }
    tell_workers(out, workers);
    limits.tell(out);
    for (name, count) in counts.iter().filter(|(name, _)| !estimates::is_measure(name)) {
        out.line(format!("  {name:<16} {count}"));
    }
    estimates::tell(out, &checks);
    super::rehearse::of_status(out, &entries);
    if waiting > 0 {
        out.line(format!("  {waiting} rows wait in quarantine"));
    }
    left::tell(out, row, &left);
    tables::tell(out, row, &progress);
    let (who, command) = next::in_vault(vault, row).await?;
    out.next(&who, &command);
    Ok(())
}

/// What keeps a run from going as fast as it can, or at any hour.
struct Limits {
    rows_per_s: Option<u64>,
    window: Option<String>,
}

impl Limits {
    async fn read(vault: &dyn Vault, row: &RunRow) -> Result<Self, Failure> {
        let (policy, _) = parsed(row)?;
        let set = vault.run_state(row.run).await?.rate;
        let window = policy.window.as_ref().map(|window| {
            let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            format!("{} to {} {}", time(window.from_min), time(window.until_min), window.zone)
        });
        Ok(Self { rows_per_s: set.map_or(policy.throttle.rows_per_s_max, Rate::limit), window })
    }

    fn tell(&self, out: &Output) {
        if let Some(rows) = self.rows_per_s {
            out.line(format!("  goes at most at {}", super::throttle::shown(Rate::RowsPerS(rows))));
        }
        if let Some(window) = &self.window {
            out.line(format!("  works from {window}"));
        }
    }
}

fn workers_json(workers: &[&WorkerRow]) -> Vec<serde_json::Value> {
    let worker = |worker: &&WorkerRow| {
        json!({
            "host": shown_host(&worker.host), "pid": worker.pid, "since": worker.since,
            "doing": worker.doing, "waits": worker.waits, "live": worker.is_live,
        })
    };
    workers.iter().map(worker).collect()
}

fn tell_workers(out: &Output, workers: &[&WorkerRow]) {
    for worker in workers {
        let who = format!("process {} on `{}`", worker.pid, shown_host(&worker.host));
        if !worker.is_live {
            out.line(format!("  {who} was not heard of in time; `sealift run` takes over"));
            continue;
        }
        out.line(format!("  {who} {}, since {}", worker.doing, worker.since));
        if !worker.waits.is_empty() {
            out.line(format!("    {}", worker.waits));
        }
    }
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
