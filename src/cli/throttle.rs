//! `sealift throttle`: how fast a run may go, also while it is at work.

use serde_json::json;

use super::args::Throttle;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::lifecycle::Phase;
use crate::ports::{Change, Rate};

pub(super) async fn throttle(
    settings: &Settings,
    out: &Output,
    typed: &Throttle,
) -> Result<Outcome, Failure> {
    let rate = parsed(&typed.rate)?;
    let desk = Desk::open(settings, Verb::Throttle).await?;
    let row = find_run(desk.vault.as_ref(), typed.run.as_deref(), Phase::is_open).await?;
    if !row.phase.is_open() {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase))
            .hint("`sealift status --all` says where each run stands"));
    }
    let mut draft = desk.draft("throttled", format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.counts.extend(rate.limit().map(|rows| ("rows_per_s".into(), rows)));
    draft.details.insert("rate".into(), shown(rate).into());
    desk.commit(vec![Change::SetRate { run: row.run, rate }], draft).await?;
    out.object(&json!({
        "run": row.run.to_string(), "phase": row.phase.name(), "rows_per_s": rate.limit(),
    }));
    out.line(format!("run {} goes at {}, from its next batch on", row.run, shown(rate)));
    out.next(&row.planned_by, &format!("sealift status {}", row.run));
    Ok(Outcome::Done)
}

/// A rate as people read it.
pub(super) fn shown(rate: Rate) -> String {
    match rate {
        Rate::Unlimited => "as many rows as it can".to_owned(),
        Rate::RowsPerS(rows) => format!("{rows} rows/s"),
    }
}

fn parsed(typed: &str) -> Result<Rate, Failure> {
    if typed == "unlimited" {
        return Ok(Rate::Unlimited);
    }
    match typed.parse::<u64>() {
        Ok(rows) if rows > 0 => Ok(Rate::RowsPerS(rows)),
        _ => Err(Failure::failed(format!("`{typed}` is not a rate")).hint(
            "--rate takes rows a second, 1 or more, or `unlimited`; `sealift pause` stops a run",
        )),
    }
}
