//! `sealift backup`: the encrypted files of a run, listed, read through, restored from.

mod list;
mod prune;
mod restore;
mod verify;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::args::{BackupVerb, OfflineFolder};
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::{genuine, parsed};
use super::output::Output;
use super::settings::Settings;
use crate::backup::AgeFolder;
use crate::keystore::read_secret_file;
use crate::ledger::Entry;
use crate::lifecycle::Phase;
use crate::ports::RunRow;
use crate::run::Manifest;

pub(super) async fn backup(
    settings: &Settings,
    out: &Output,
    typed: BackupVerb,
) -> Result<Outcome, Failure> {
    match typed {
        BackupVerb::List { run } => list::list(settings, out, run.as_deref()).await,
        BackupVerb::Verify { run, offline } => {
            verify::verify(settings, out, run.as_deref(), &offline).await
        }
        BackupVerb::Restore(typed) => restore::restore(settings, out, typed).await,
        BackupVerb::Prune { run } => prune::prune(settings, out, run.as_deref()).await,
    }
}

/// A run's backup, opened by the key that the vault keeps for it.
struct Kept {
    row: RunRow,
    manifest: Manifest,
    store: AgeFolder,
}

/// The folder of a run.
fn folder_of(row: &RunRow) -> PathBuf {
    Path::new(&row.backup_dir).join(row.run.to_string())
}

/// What stands in the marker of a run's folder.
pub(super) fn marker(desk: &Desk, row: &RunRow) -> String {
    format!("sealift backup of run {} for vault {}\n", row.run, desk.keys.vault())
}

/// Whether a run has a backup that somebody might want: from its first file until it is destroyed.
fn has_backup(phase: Phase) -> bool {
    !matches!(phase, Phase::Planned | Phase::Approved)
}

/// Opens the backup of the run that is meant.
async fn kept(desk: &Desk, run: Option<&str>) -> Result<Kept, Failure> {
    let row = find_run(desk.vault.as_ref(), run, has_backup).await?;
    genuine(desk, &row)?;
    let (policy, plan) = parsed(&row)?;
    let secret = desk.keys.run_secret(&row.run.to_string()).ok_or_else(|| {
        let hint = match row.phase {
            Phase::Planned | Phase::Approved => "a run is backed up first: `sealift run`",
            _ => {
                "its purge destroyed both, as its policy says; after one there is `sealift restore`"
            }
        };
        Failure::refused(format!("run {} has no backup that could be opened", row.run)).hint(hint)
    })?;
    let base = Path::new(&row.backup_dir);
    let store = AgeFolder::open(base, row.run, secret.expose(), &[], &marker(desk, &row))?;
    let manifest = Manifest::of(desk.vault.as_ref(), row.run, &policy, &plan).await?;
    Ok(Kept { row, manifest, store })
}

/// Opens a folder without a vault, by the identity of a recipient that the policy named.
fn offline(typed: &OfflineFolder) -> Result<Option<(AgeFolder, Manifest)>, Failure> {
    let (Some(folder), Some(file)) = (&typed.folder, &typed.identity_file) else { return Ok(None) };
    let text = std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))?;
    let identity = match text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")) {
        Some(line) => line.trim().to_owned(),
        // A file that is no age identity is read as any other secret, for its messages.
        None => read_secret_file(file)?.to_string(),
    };
    let store = AgeFolder::offline(folder, &identity).map_err(|error| {
        Failure::from(error)
            .hint("name a run's own folder, below `[backup] dir`, and an age identity")
    })?;
    let manifest = Manifest::read(&store).map_err(|error| {
        Failure::failed(error)
            .hint("is this the identity of one of the policy's `[backup] recipients`?")
    })?;
    Ok(Some((store, manifest)))
}

/// Until when a run's backup is kept, where its purge was told to keep it.
fn kept_until(entries: &[Entry]) -> Option<String> {
    let purged = entries.iter().rfind(|entry| entry.action == "purged")?;
    purged.details.get("backup_kept_until")?.as_str().map(str::to_owned)
}

/// Whether a day (`2026-11-21`) is over.
fn is_over(day: &str, now: Timestamp) -> bool {
    now.to_string().get(..10).is_some_and(|today| today > day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_is_kept_through_its_last_day() {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        assert!(is_over("2026-11-20", now));
        assert!(!is_over("2026-11-21", now));
        assert!(!is_over("2027-01-01", now));
    }
}
