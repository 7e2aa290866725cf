//! `sealift rehearse`: a run tried on a copy of its source, there and back, before it is one.
//!
//! The copy holds originals in plain text. It is destroyed at the end, also of a failure; what a
//! rehearsal that died leaves behind is cleared by the next one.

mod folder;
mod tell;
mod trial;

use std::path::Path;
use std::time::Instant;

use folder::Folder;
use tell::Told;
pub(super) use tell::of_status;
use trial::{Stopped, Tried};

use super::args::Rehearse;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::{another_catalog, genuine, parsed};
use super::output::Output;
use super::settings::{Settings, shown};
use crate::access::Verb;
use crate::engine::postgres::is_postgres;
use crate::engine::postgres::rehearsal::{Place, PostgresCopy};
use crate::engine::sqlite::path_of;
use crate::engine::sqlite::rehearsal::SqliteCopy;
use crate::ledger::Draft;
use crate::lifecycle::Phase;
use crate::plan::{Assessment, estimated_name, fingerprint, passes_by_name};
use crate::policy::Policy;
use crate::ports::{Copied, CopyError, RunRow, SourceCopy};
use crate::report::{REHEARSAL_STARTED, REHEARSED};

pub(super) async fn rehearse(
    settings: &Settings,
    out: &Output,
    typed: Rehearse,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::Rehearse).await?;
    let row = find_run(desk.vault.as_ref(), typed.run.as_deref(), is_untouched).await?;
    if !is_untouched(row.phase) || super::restore::restores(&row).is_some() {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase)).hint(
            "a run is rehearsed while its source holds its originals: before it is rewritten",
        ));
    }
    genuine(&desk, &row)?;
    let (policy, plan) = parsed(&row)?;
    let schema = as_planned(settings, &policy, &plan).await?;
    let folder = Folder::make(Path::new(&row.backup_dir), row.run)?;
    let rehearsal = Rehearsal { desk, settings, out, row, policy, plan, schema, typed };
    let ended = rehearsal.carry_out(&folder).await;
    let is_kept = rehearsal.typed.keep && ended.as_ref().is_ok_and(|ended| ended.copy_is_there);
    let place = folder.path().display().to_string();
    let is_gone = if is_kept {
        folder.keep();
        true
    } else {
        folder.remove()
    };
    let ended = ended?;
    if !is_gone {
        return Err(Failure::failed(format!("`{place}` could not be removed"))
            .hint("it may hold originals: remove it; the next rehearsal tries again"));
    }
    if let Some(failure) = ended.left {
        return Err(failure
            .replace_hint("the copy holds originals: remove it; the next rehearsal tries again"));
    }
    rehearsal.tell(ended, &place).await
}

/// Whether the source holds its originals still.
fn is_untouched(phase: Phase) -> bool {
    matches!(phase, Phase::Planned | Phase::Approved | Phase::BackedUp | Phase::Sealed)
}

/// The canonical text of a catalog that is the one that was planned for.
async fn as_planned(
    settings: &Settings,
    policy: &Policy,
    plan: &Assessment,
) -> Result<String, Failure> {
    let source = settings.open_source_to_read().await?;
    let catalog = source.catalog().await?;
    if fingerprint(&catalog, policy) != plan.fingerprint {
        return Err(Failure::refused(another_catalog(plan, &catalog))
            .hint("plan again with the same policy, then rehearse that run"));
    }
    Ok(catalog.canonical_text())
}

/// A run, and how it is to be rehearsed.
struct Rehearsal<'s> {
    desk: Desk,
    settings: &'s Settings,
    out: &'s Output,
    row: RunRow,
    policy: Policy,
    plan: Assessment,
    /// The source's catalog as canonical text.
    schema: String,
    typed: Rehearse,
}

/// A rehearsal that ended, one way or the other.
struct Ended {
    tried: Result<Tried, Stopped>,
    copied: Copied,
    copy_url: String,
    copy_is_there: bool,
    copy_ms: u64,
    /// Why the copy is still there, where nobody wanted it to be.
    left: Option<Failure>,
}

impl Rehearsal<'_> {
    async fn carry_out(&self, folder: &Folder) -> Result<Ended, Failure> {
        let place = self.typed.into.as_deref().map_or_else(|| self.usual_place(folder), shown);
        // ORDER: on the ledger before an original leaves the source.
        let mut draft = self.draft(REHEARSAL_STARTED);
        draft.details.insert("into".into(), place.into());
        self.desk.commit(Vec::new(), draft).await?;
        let begun = Instant::now();
        let (copy, mut copied) = self.copy(folder).await?;
        let copy_ms = millis(begun);
        let tried = trial::go(
            self.settings,
            copy.as_ref(),
            folder,
            (&self.policy, &self.plan),
            (self.typed.workers, self.out),
        )
        .await;
        if let Ok(tried) = &tried {
            let unlike = crate::run::objects_unlike(&self.schema, &tried.schema);
            let unlike: Vec<String> = unlike
                .into_iter()
                .filter(|name| !is_told(&copied.left_out, name))
                .map(|name| format!("{name} is not as it is"))
                .collect();
            copied.left_out.extend(unlike);
        }
        let copy_url = copy.url().to_owned();
        let removed = if self.typed.keep { copy.keep().await } else { copy.destroy().await };
        let copy_is_there = self.typed.keep || removed.is_err();
        let left = removed.err().map(Failure::from);
        let ended = Ended { tried, copied, copy_url, copy_is_there, copy_ms, left };
        self.record(&ended).await?;
        Ok(ended)
    }

    /// Where a copy goes where nobody names a place.
    fn usual_place(&self, folder: &Folder) -> String {
        if self.settings.has_workers() {
            format!("a database sealift_rehearsal_{} beside the source", self.row.run)
        } else {
            folder.file("copy.db").display().to_string()
        }
    }

    async fn copy(&self, folder: &Folder) -> Result<(Box<dyn SourceCopy>, Copied), Failure> {
        let source = self.settings.source_url()?;
        let (into, rows) = (self.typed.into.as_deref(), self.typed.rows);
        let progress = self.out.progress();
        if let Some(url) = into
            && is_postgres(url) != is_postgres(source)
        {
            return Err(CopyError::OtherEngine { place: shown(url) }.into());
        }
        if is_postgres(source) {
            let (run, vault) = (self.row.run.to_string(), self.desk.keys.vault().to_string());
            let place = into.map_or(Place::Beside(&run), Place::Into);
            let made = PostgresCopy::make(source, place, &vault, rows, progress.as_ref()).await;
            let (copy, copied) = made?;
            return Ok((Box::new(copy), copied));
        }
        let path = match into {
            Some(url) => {
                let path = path_of(url).ok_or_else(|| {
                    Failure::failed("`--into` names no file").hint("`sqlite:PATH`, not there yet")
                })?;
                folder.note_copy(&path)?;
                path
            }
            None => folder.file("copy.db"),
        };
        let (copy, copied) = SqliteCopy::make(source, &path, rows, progress.as_ref()).await?;
        Ok((Box::new(copy), copied))
    }

    fn draft(&self, action: &str) -> Draft {
        let mut draft = self.desk.draft(action, format!("run {}", self.row.run));
        draft.run = Some(self.row.run);
        draft.policy = Some(self.policy.hash.clone());
        draft.details.insert("fingerprint".into(), self.plan.fingerprint.clone().into());
        if let Some(rows) = self.typed.rows {
            draft.counts.insert("rows_max".into(), rows);
        }
        draft
    }

    /// Puts on the ledger what came of it.
    async fn record(&self, ended: &Ended) -> Result<(), Failure> {
        let mut draft = self.draft(REHEARSED);
        let (counts, details) = (&mut draft.counts, &mut draft.details);
        counts.insert("tables".into(), ended.copied.tables);
        counts.insert("rows".into(), ended.copied.rows);
        counts.insert("copy_ms".into(), ended.copy_ms);
        details.insert("left_out".into(), ended.copied.left_out.clone().into());
        let scratch = if ended.copy_is_there { "kept" } else { "destroyed" };
        details.insert("copy".into(), scratch.into());
        match &ended.tried {
            Ok(tried) => {
                for (name, ms) in measured(tried) {
                    counts.insert(name, ms);
                }
                let differences = &tried.differences;
                let result = if differences.is_as_promised() { "held" } else { "differs" };
                details.insert("result".into(), result.into());
                if !differences.is_as_promised() {
                    let why = [differences.scope.clone(), differences.objects.clone()].concat();
                    details.insert("why".into(), why.join(", ").into());
                }
                details.insert("beside".into(), differences.beside.clone().into());
                details.insert("standing".into(), self.digest(tried).into());
            }
            Err(Stopped { step, failure }) => {
                details.insert("result".into(), "failed".into());
                details.insert("step".into(), (*step).into());
                let text = failure.to_string();
                details.insert("why".into(), text.lines().next().unwrap_or_default().into());
            }
        }
        self.desk.commit(Vec::new(), draft).await
    }

    /// A keyed digest of the copy as it stood: equal rows and objects give an equal one.
    fn digest(&self, tried: &Tried) -> String {
        let mut lines = vec![tried.schema.clone()];
        for table in &tried.before {
            lines.push(format!("rows {} {}", table.table, table.rows));
            let columns = table.columns.iter();
            lines.extend(columns.map(|(column, digest)| format!("column {column} {digest}")));
        }
        let digest = self.desk.keys.index().digest("rehearsal", &[lines.join("\n").as_bytes()]);
        data_encoding::HEXLOWER.encode(&digest)
    }

    async fn tell(&self, ended: Ended, place: &str) -> Result<Outcome, Failure> {
        let entries = self.desk.vault.ledger_of(self.row.run).await?;
        let kept = self.typed.keep && ended.copy_is_there;
        let told = Told {
            out: self.out,
            row: &self.row,
            estimate: &self.plan.estimate,
            entries: &entries,
            kept_at: kept.then(|| (shown(&ended.copy_url), place.to_owned())),
        };
        told.tell(&ended.copied, ended.copy_ms, self.typed.rows, &ended.tried)?;
        match ended.tried {
            Err(Stopped { step, failure }) => {
                let text = failure.to_string();
                let why = text.lines().next().unwrap_or_default();
                let why = why.strip_prefix("sealift: ").unwrap_or(why);
                Err(Failure::finding(format!("the rehearsal failed at `{step}`: {why}"))
                    .hint("nothing of the source was changed; mend the cause, plan again"))
            }
            Ok(tried) if !tried.differences.is_as_promised() => {
                Err(Failure::finding("the copy was not as before after its rollback")
                    .hint("do not run this; what differs is named above, and on the ledger"))
            }
            Ok(_) => {
                let vault = self.desk.vault.as_ref();
                let (who, command) = super::next::in_vault(vault, &self.row).await?;
                self.out.next(&who, &command);
                Ok(Outcome::Done)
            }
        }
    }
}

/// What each pass took on the copy, beside what was reckoned for it there.
fn measured(tried: &Tried) -> Vec<(String, u64)> {
    let count = |action: &str, name: &str| {
        let entry = tried.entries.iter().rfind(|entry| entry.action == action)?;
        entry.counts.get(name).copied()
    };
    let mut figures = Vec::new();
    let actions = ["backed_up", "sealed", "rewritten", "verified"];
    for ((name, reckoned), action) in passes_by_name(tried.estimate.passes).into_iter().zip(actions)
    {
        if let Some(took) = count(action, "took_ms") {
            figures.push((name.to_owned(), took));
            figures.push((estimated_name(name), reckoned));
        }
    }
    if let Some(lock) = count("rewritten", "lock_ms_max") {
        figures.push(("lock_ms".to_owned(), lock));
        figures.push((estimated_name("lock_ms"), tried.estimate.lock_ms));
    }
    figures.push(("cells".to_owned(), count("rewritten", "cells").unwrap_or_default()));
    figures.push(("rollback_ms".to_owned(), tried.rollback_ms));
    figures
}

fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl From<CopyError> for Failure {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Database(error) => Self::from(error),
            CopyError::NotPermitted => Self::refused(error)
                .hint("let the role create databases, or name an empty one: `--into URL`"),
            CopyError::NotEmpty { .. } => Self::refused(error)
                .hint("name an empty database, or a file that is not there yet, with `--into`"),
            CopyError::AtWork { .. } => Self::refused(error).hint("wait until it ends"),
            CopyError::OtherEngine { .. } => Self::refused(error)
                .hint("name a database of the source's engine with `--into`, or leave it out"),
            CopyError::Source { .. } => Self::refused(error)
                .hint("name another, empty database with `--into`; nothing was changed"),
        }
    }
}

/// Whether an object was named already, with the reason why it is not there at all. Kinds of tables and
/// views that a catalog does not tell apart have a word more there. That a table's rows are not there is
/// said of the rows.
fn is_told(left_out: &[String], object: &str) -> bool {
    left_out.iter().filter_map(|told| told.split_once(": ")).any(|(told, _)| {
        ["", "foreign ", "materialized "].iter().any(|kind| told.strip_prefix(kind) == Some(object))
    })
}

#[cfg(test)]
mod tests {
    use super::is_told;

    #[test]
    fn only_the_object_itself_is_told_by_its_name() {
        let left_out = [
            "rows of table app.people: this role may not read them all",
            "foreign table app.remote: it leads to what lies elsewhere",
            "materialized view app.counted: no",
            "table old_orders: no",
        ];
        let left_out = left_out.map(str::to_owned);
        for told in ["table app.remote", "view app.counted", "table old_orders"] {
            assert!(is_told(&left_out, told), "{told}");
        }
        for untold in ["table app.people", "table orders", "table counted", "index old_orders"] {
            assert!(!is_told(&left_out, untold), "{untold}");
        }
    }
}
