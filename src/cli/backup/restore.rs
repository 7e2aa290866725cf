//! `sealift backup restore`: originals out of a run's backup, into a scratch database or in place.

use serde_json::json;

use super::{kept, offline};
use crate::access::Verb;
use crate::cli::args::BackupRestore;
use crate::cli::desk::{Desk, find_run};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::job::{RunLock, at_work, job, note_failure};
use crate::cli::output::Output;
use crate::cli::settings::{Settings, shown};
use crate::engine::postgres::is_postgres;
use crate::engine::postgres::scratch::PostgresScratch;
use crate::engine::postgres::vault::RunShare;
use crate::engine::sqlite::scratch::SqliteScratch;
use crate::lifecycle::Phase;
use crate::policy::TableName;
use crate::ports::{BackupStore, Scratch};
use crate::run::{Manifest, Retrieved, can_be_put_back, put_back, retrieve};
use crate::words::{counted, grouped};

pub(super) async fn restore(
    settings: &Settings,
    out: &Output,
    typed: BackupRestore,
) -> Result<Outcome, Failure> {
    let names: Vec<TableName> = typed
        .table
        .iter()
        .map(|name| {
            TableName::parse(name).map_err(|error| {
                Failure::failed(error).hint("a table is named `table` or `schema.table`")
            })
        })
        .collect::<Result<_, _>>()?;
    let Some(url) = &typed.into else {
        return in_place(settings, out, typed.run.as_deref(), &names).await;
    };
    if let Some((store, manifest)) = offline(&typed.offline)? {
        let restored = written(&store, &manifest, &names, url, out).await?;
        tell(out, &restored, url);
        out.line("no vault was asked, and no ledger says that this was done");
        return Ok(Outcome::Done);
    }
    let desk = Desk::open(settings, Verb::BackupRestore).await?;
    let kept = kept(&desk, typed.run.as_deref()).await?;
    // ORDER: on the ledger before an original leaves the folder.
    let mut draft = desk.draft("backup_restored", format!("run {}", kept.row.run));
    draft.run = Some(kept.row.run);
    draft.details.insert("into".into(), shown(url).into());
    let tables: Vec<String> = names.iter().map(ToString::to_string).collect();
    draft.details.insert("tables".into(), tables.into());
    desk.commit(Vec::new(), draft).await?;
    let restored = written(&kept.store, &kept.manifest, &names, url, out).await?;
    tell(out, &restored, url);
    out.next(&desk.caller.name, &format!("sealift status {}", kept.row.run));
    Ok(Outcome::Done)
}

/// Writes the tables into a scratch database.
async fn written(
    store: &dyn BackupStore,
    manifest: &Manifest,
    names: &[TableName],
    url: &str,
    out: &Output,
) -> Result<Vec<Retrieved>, Failure> {
    let tables = chosen(manifest, names)?;
    let scratch: Box<dyn Scratch> = if is_postgres(url) {
        Box::new(PostgresScratch::begin(url).await.map_err(unopened)?)
    } else {
        Box::new(SqliteScratch::begin(url).await.map_err(unopened)?)
    };
    let progress = out.progress();
    Ok(retrieve(store, manifest, &tables, scratch, progress.as_ref()).await?)
}

fn unopened(error: crate::ports::SourceError) -> Failure {
    Failure::failed(error).hint("check `--into`: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")
}

fn chosen(manifest: &Manifest, names: &[TableName]) -> Result<Vec<TableName>, Failure> {
    manifest.chosen(names).map_err(|name| {
        Failure::failed(format!("the backup has no table `{name}`"))
            .hint("`sealift backup list` names the tables of each run")
    })
}

fn tell(out: &Output, restored: &[Retrieved], url: &str) {
    let place = shown(url);
    let tables: Vec<serde_json::Value> = restored
        .iter()
        .map(|each| {
            json!({"table": each.table.to_string(), "rows": each.rows, "originals": each.originals})
        })
        .collect();
    out.object(&json!({"into": place, "tables": tables}));
    for each in restored {
        let rows = counted(each.rows, "row", "rows");
        let originals = counted(each.originals, "original", "originals");
        out.line(format!("  {:<32} {rows}, {originals}", each.table.to_string()));
    }
    out.line(format!(
        "{place} holds originals in plain text now: remove it when it has done its work"
    ));
}

/// Puts single tables back into the source.
async fn in_place(
    settings: &Settings,
    out: &Output,
    run: Option<&str>,
    names: &[TableName],
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::BackupRestore).await?;
    // ORDER: the lock before the row, so that what the row says still holds.
    let _lock = RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await?;
    let was_written = |phase: Phase| {
        let is_before = phase.rank() < Phase::Sealed.rank();
        !is_before && !matches!(phase, Phase::Purged | Phase::Closed)
    };
    let row = find_run(desk.vault.as_ref(), run, was_written).await?;
    if !was_written(row.phase) {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase)).hint(
            match row.phase {
                Phase::Purged | Phase::Closed => {
                    format!(
                        "after a purge originals come back with approvals: `sealift restore {}`",
                        row.run
                    )
                }
                _ => "the source holds its originals still: nothing was written yet".to_owned(),
            },
        ));
    }
    let job = job(&desk, settings, out, &row).await?;
    let manifest = Manifest::of(desk.vault.as_ref(), row.run, &job.policy, &job.plan).await?;
    let tables = chosen(&manifest, names)?;
    if let Some(table) = tables.iter().find(|table| !can_be_put_back(&job, table)) {
        return Err(Failure::refused(format!(
            "the rows of table `{table}` are rewritten together and not one by one"
        ))
        .hint(format!(
            "name others with `--table`, put all back with `sealift rollback {0}`, or look at them \
             with `sealift backup restore {0} --into sqlite:look.db`",
            row.run
        )));
    }
    let at_work = at_work(&job).await?;
    job.watch.does("puts tables back");
    let done = put_back(&job, row.phase, &tables).await;
    at_work.leave().await;
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            let failure = Failure::from(error);
            note_failure(&job, &failure).await;
            return Err(failure);
        }
    };
    let mut draft = job.draft("backup_restored");
    draft.details.insert("into".into(), "source".into());
    let put: Vec<String> = tables.iter().map(ToString::to_string).collect();
    draft.details.insert("tables".into(), put.clone().into());
    draft.counts.insert("rows".into(), done.rows);
    draft.counts.insert("restored".into(), done.restored);
    draft.counts.insert("left".into(), done.left);
    desk.commit(Vec::new(), draft).await?;
    out.object(&json!({
        "run": row.run.to_string(), "tables": put, "rows": done.rows,
        "restored": done.restored, "left": done.left,
    }));
    out.line(format!(
        "{} have their originals again, in {}",
        counted(done.restored, "cell", "cells"),
        put.join(", ")
    ));
    if done.left > 0 {
        out.line(format!(
            "  {} hold a token that is not the one of their backup, and were left",
            grouped(done.left)
        ));
    }
    out.next(&row.planned_by, &format!("sealift rollback {}", row.run));
    Ok(Outcome::Done)
}
