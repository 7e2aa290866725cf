//! `sealift pause` and `sealift resume`.

use serde_json::json;

use super::args::OneRun;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::lifecycle::Phase;
use crate::ports::{Change, Condition};

pub(super) async fn pause(
    settings: &Settings,
    out: &Output,
    typed: &OneRun,
) -> Result<Outcome, Failure> {
    let reason = "somebody paused it";
    set(settings, out, typed, Verb::Pause, Some(Condition::Paused), reason, "paused").await
}

pub(super) async fn resume(
    settings: &Settings,
    out: &Output,
    typed: &OneRun,
) -> Result<Outcome, Failure> {
    set(settings, out, typed, Verb::Resume, None, "", "resumed").await
}

async fn set(
    settings: &Settings,
    out: &Output,
    typed: &OneRun,
    verb: Verb,
    condition: Option<Condition>,
    reason: &str,
    action: &str,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, verb).await?;
    let row = find_run(desk.vault.as_ref(), typed.run.as_deref(), Phase::is_open).await?;
    if !row.phase.is_open() {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase))
            .hint("`sealift status --all` says where each run stands"));
    }
    let reason = reason.to_owned();
    let change = Change::SetCondition { run: row.run, condition, reason };
    let mut draft = desk.draft(action, format!("run {}", row.run));
    draft.run = Some(row.run);
    desk.commit(vec![change], draft).await?;
    out.object(&json!({
        "run": row.run.to_string(), "phase": row.phase.name(),
        "condition": condition.map(Condition::name),
    }));
    out.line(format!("run {} is {action} in phase `{}`", row.run, row.phase));
    let next = if condition.is_some() { "resume" } else { "run" };
    out.next(&row.planned_by, &format!("sealift {next} {}", row.run));
    Ok(Outcome::Done)
}
