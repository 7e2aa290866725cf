//! `sealift scan --run`: has an original come back since the purge? What is found goes on the
//! ledger, and the run's certificate says so from then on.

use serde_json::json;

use super::super::desk::{Desk, find_run};
use super::super::exit::{Failure, Outcome};
use super::super::job::{genuine, parsed, same_source};
use super::super::output::Output;
use super::super::settings::Settings;
use crate::access::Verb;
use crate::lifecycle::Phase;
use crate::report::CAME_BACK;
use crate::run::{CameBack, came_back};
use crate::words::{counted, grouped};

pub(super) async fn scan(
    settings: &Settings,
    out: &Output,
    typed: &str,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::ScanRun).await?;
    let row = find_run(desk.vault.as_ref(), Some(typed), |_| true).await?;
    genuine(&desk, &row)?;
    if !matches!(row.phase, Phase::Purged | Phase::Closed) {
        return Err(Failure::refused(format!("run {} is `{}`, not purged", row.run, row.phase))
            .hint(format!(
                "every cell of an open run is compared by `sealift verify {}`",
                row.run
            )));
    }
    let (policy, plan) = parsed(&row)?;
    let source = settings.open_source_to_read().await?;
    same_source(&desk, source.as_ref()).await?;
    let found = came_back(source.as_ref(), desk.vault.as_ref(), (row.run, &policy, &plan)).await?;
    let mut draft = desk.draft(CAME_BACK, format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.policy = Some(row.policy_hash.clone());
    draft.counts.insert("rows".into(), found.rows);
    draft.counts.insert("tokens".into(), found.tokens);
    draft.counts.insert("originals".into(), found.originals.values().sum());
    draft.details.insert("columns".into(), json!(found.originals));
    desk.commit(Vec::new(), draft).await?;
    tell(out, &row.run.to_string(), &found);
    let (who, command) = if found.originals.is_empty() {
        ("an auditor".to_owned(), format!("sealift report {}", row.run))
    } else {
        (desk.caller.name.clone(), "sealift plan --policy FILE".to_owned())
    };
    out.next(&who, &command);
    Ok(if found.originals.is_empty() { Outcome::Done } else { Outcome::Finding })
}

fn tell(out: &Output, run: &str, found: &CameBack) {
    for (column, cells) in &found.originals {
        let (table, column) = column.rsplit_once('.').unwrap_or_default();
        out.object(&json!({
            "run": run, "table": table, "column": column, "kind": "came_back",
            "evidence": { "originals": cells },
        }));
    }
    out.line(format!(
        "{} read: {} of the vault's",
        counted(found.rows, "row", "rows"),
        counted(found.tokens, "token", "tokens")
    ));
    for (column, cells) in &found.originals {
        out.line(format!("  came back: {} in `{column}` are no tokens", grouped(*cells)));
    }
    if !found.originals.is_empty() {
        out.line(format!(
            "the certificate of run {run} says so from now on; a run of its own moves them"
        ));
    }
}
