//! `sealift backup verify`: every file opened to its end, and all of it compared with the ledger.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Kept, folder_of, kept, offline};
use crate::access::Verb;
use crate::backup::KEYS;
use crate::cli::args::OfflineFolder;
use crate::cli::desk::Desk;
use crate::cli::exit::{Failure, Outcome};
use crate::cli::output::{Output, note};
use crate::cli::settings::Settings;
use crate::ledger::Entry;
use crate::ports::{FileKind, FileRow};
use crate::run::{MANIFEST, Manifest, ReadThrough, manifest_hash, read_through};
use crate::words::{counted, grouped};

/// Findings that are named one by one.
const NAMED_MAX: usize = 100;

pub(super) async fn verify(
    settings: &Settings,
    out: &Output,
    run: Option<&str>,
    typed: &OfflineFolder,
) -> Result<Outcome, Failure> {
    if let Some((store, manifest)) = offline(typed)? {
        let progress = out.progress();
        let read = read_through(&store, &manifest, progress.as_ref());
        tell(out, &manifest.run.to_string(), &read);
        out.line("compared with the manifest in the folder; no vault was asked, no ledger written");
        return verdict(&read);
    }
    let desk = Desk::open(settings, Verb::BackupVerify).await?;
    let kept = kept(&desk, run).await?;
    let progress = out.progress();
    let mut read = read_through(&kept.store, &kept.manifest, progress.as_ref());
    let files = desk.vault.files(kept.row.run).await?;
    let entries = desk.vault.ledger_of(kept.row.run).await?;
    read.findings.extend(against_ledger(&kept, &files, &entries));
    read.findings.extend(without_vault(&kept));
    let mut draft = desk.draft("backup_verified", format!("run {}", kept.row.run));
    draft.run = Some(kept.row.run);
    draft.counts.insert("files".into(), read.files);
    draft.counts.insert("records".into(), read.records);
    draft.counts.insert("findings".into(), read.findings.len() as u64);
    desk.commit(Vec::new(), draft).await?;
    tell(out, &kept.row.run.to_string(), &read);
    for name in unrecorded(&kept, &files) {
        out.line(format!("  {name}: not on record, so nobody reads it"));
    }
    if read.findings.is_empty() {
        let command = format!("sealift backup restore {} --into sqlite:look.db", kept.row.run);
        out.next(&desk.caller.name, &command);
    }
    verdict(&read)
}

/// What the folder would lack on the day on which the vault is lost: its own manifest, which has to be
/// of these files, and its copy of the wrapped keys.
fn without_vault(kept: &Kept) -> Vec<(String, String)> {
    let mut findings = Vec::new();
    match Manifest::read(&kept.store) {
        Ok(manifest) => {
            let others = manifest.files.iter().filter(|file| !kept.manifest.files.contains(file));
            findings.extend(others.map(|file| {
                (MANIFEST.to_owned(), format!("it names `{}`, which is not on record", file.name))
            }));
        }
        Err(error) => findings.push((MANIFEST.to_owned(), error.to_string())),
    }
    let keys = std::fs::read(folder_of(&kept.row).join(KEYS));
    let keys = keys.ok().and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
    if keys.is_none() {
        findings.push((KEYS.to_owned(), "it is missing, or cannot be read".to_owned()));
    }
    findings
}

/// What the ledger says of the backup, and the files do not.
fn against_ledger(kept: &Kept, files: &[FileRow], entries: &[Entry]) -> Vec<(String, String)> {
    let mut findings = Vec::new();
    let mut compare = |what: &str, ledger: String, found: String| {
        if ledger != found {
            let fact = format!("{what} is {found}, and the ledger has {ledger}");
            findings.push(("the backup".to_owned(), fact));
        }
    };
    if let Some(entry) = entries.iter().rfind(|entry| entry.action == "backed_up") {
        let count = |name: &str| entry.counts.get(name).copied().unwrap_or_default();
        let ranges = &kept.manifest.ranges;
        let sum = |of: fn(&crate::run::ManifestRange) -> u64| ranges.iter().map(of).sum::<u64>();
        compare("the number of rows", count("rows").to_string(), sum(|r| r.rows).to_string());
        let originals = sum(|r| r.originals);
        compare("the number of originals", count("originals").to_string(), originals.to_string());
        let root = |name: &str| {
            entry.details.get(name).and_then(|hash| hash.as_str()).unwrap_or_default().to_owned()
        };
        compare(
            "the hash over its files",
            root("manifest"),
            manifest_hash(files, FileKind::Backup),
        );
    }
    findings
}

/// Files of the folder that are not on record.
fn unrecorded(kept: &Kept, files: &[FileRow]) -> BTreeSet<String> {
    let known: BTreeSet<&str> = files.iter().map(|file| file.seal.name.as_str()).collect();
    let is_of_run = |name: &String| {
        FileKind::ALL.iter().any(|kind| name.ends_with(&format!(".{}", kind.name())))
    };
    let names = std::fs::read_dir(folder_of(&kept.row)).into_iter().flatten().flatten();
    names
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| is_of_run(name) && !known.contains(name.as_str()))
        .collect()
}

fn tell(out: &Output, run: &str, read: &ReadThrough) {
    let findings: Vec<serde_json::Value> =
        read.findings.iter().map(|(file, fact)| json!({"file": file, "fact": fact})).collect();
    out.object(&json!({
        "run": run, "files": read.files, "records": read.records, "originals": read.originals,
        "findings": findings,
    }));
    out.line(format!(
        "run {run}: {} opened to the end, {} records with {} originals",
        counted(read.files, "file was", "files were"),
        grouped(read.records),
        grouped(read.originals)
    ));
    for (file, fact) in read.findings.iter().take(NAMED_MAX) {
        note(format!("finding: {file}: {fact}"));
    }
}

fn verdict(read: &ReadThrough) -> Result<Outcome, Failure> {
    match read.findings.len() as u64 {
        0 => Ok(Outcome::Done),
        found => {
            let what = counted(found, "thing does", "things do");
            Err(Failure::finding(format!("in the backup {what} not hold"))
                .hint("put the files back from a copy of the folder before anything is purged"))
        }
    }
}
