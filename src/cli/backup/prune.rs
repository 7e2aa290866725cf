//! `sealift backup prune`: backups whose time is over, destroyed with the keys that open them.

use jiff::Timestamp;
use serde_json::json;

use super::{folder_of, is_over, kept_until};
use crate::access::Verb;
use crate::backup::destroy_folder;
use crate::cli::desk::{Desk, find_run, key_row, now};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::job::{RunLock, genuine};
use crate::cli::output::Output;
use crate::cli::settings::Settings;
use crate::crypto::{KeyPurpose, KeyState};
use crate::engine::postgres::vault::RunShare;
use crate::lifecycle::Phase;
use crate::ports::{Change, FileKind, KeyRow, RunRow};
use crate::words::counted;

pub(super) async fn prune(
    settings: &Settings,
    out: &Output,
    run: Option<&str>,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::BackupPrune).await?;
    let _lock = RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await?;
    let rows = if run.is_some() {
        vec![find_run(desk.vault.as_ref(), run, |_| true).await?]
    } else {
        desk.vault.runs().await?
    };
    let mut pruned = 0;
    for row in &rows {
        match over(&desk, row, run.is_some()).await? {
            Over::Yes => {
                genuine(&desk, row)?;
                destroy(&desk, out, row).await?;
                pruned += 1;
            }
            Over::No(why) if run.is_some() => {
                return Err(Failure::refused(why)
                    .hint("`sealift backup list` says until when each backup is kept"));
            }
            Over::No(_) => {}
        }
    }
    if pruned == 0 {
        out.line("no backup is past its time");
    }
    out.next(&desk.caller.name, "sealift backup list");
    Ok(Outcome::Done)
}

/// Whether a backup has done its work.
enum Over {
    Yes,
    No(String),
}

/// The policy says how long a backup is kept after a purge. That of a run that was rolled back goes
/// only where somebody names the run.
async fn over(desk: &Desk, row: &RunRow, is_named: bool) -> Result<Over, Failure> {
    let is_there = folder_of(row).exists() || desk.keys.run_secret(&row.run.to_string()).is_some();
    let run = row.run;
    Ok(match row.phase {
        Phase::RolledBack if is_named && is_there => Over::Yes,
        Phase::Purged | Phase::Closed if is_there => {
            match kept_until(&desk.vault.ledger_of(run).await?) {
                Some(day) if is_over(&day, Timestamp::now()) => Over::Yes,
                Some(day) => Over::No(format!("the backup of run {run} is kept until {day}")),
                None => Over::No(format!("the purge of run {run} has destroyed its backup")),
            }
        }
        Phase::RolledBack | Phase::Purged | Phase::Closed => {
            Over::No(format!("run {run} has no backup any more"))
        }
        phase => Over::No(format!("run {run} is `{phase}`, and needs its backup")),
    })
}

async fn destroy(desk: &Desk, out: &Output, row: &RunRow) -> Result<(), Failure> {
    let run = row.run.to_string();
    let is_key = |header: &&crate::crypto::KeyHeader| {
        header.purpose == KeyPurpose::Run && header.subject == run && header.state.may_open()
    };
    // ORDER: the files, then the key: a call that is cut off between them can be repeated.
    let files = destroy_folder(&folder_of(row))?;
    let mut changes = Vec::new();
    let mut ids = Vec::new();
    for header in desk.keys.headers().iter().filter(is_key) {
        ids.push(header.id.0);
        changes.push(Change::PutKey(KeyRow {
            state: KeyState::Destroyed.name().to_owned(),
            changed_at: now(),
            wrapped: None,
            ..key_row(header, Vec::new())
        }));
    }
    changes.extend(FileKind::ALL.map(|kind| Change::ForgetFiles(row.run, kind)));
    let mut draft = desk.draft("backup_pruned", format!("run {run}"));
    draft.run = Some(row.run);
    draft.key_ids = ids;
    draft.counts.insert("files".into(), files);
    desk.commit(changes, draft).await?;
    desk.vault.settle().await?;
    out.object(&json!({"run": run, "files": files}));
    out.line(format!(
        "the backup of run {run} is destroyed ({}), and so is the key that opened it",
        counted(files, "file", "files")
    ));
    Ok(())
}
