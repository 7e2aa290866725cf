//! `sealift ledger`: exported, checked, signed.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::args::Ledger;
use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::ledger_prove::Asked;
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::ledger::{Export, Note, Verdict};
use crate::ports::Vault;
use crate::serve::{Signed, checkpoint, verifier_key};

pub(super) async fn ledger(
    settings: &Settings,
    out: &Output,
    typed: Ledger,
) -> Result<Outcome, Failure> {
    match typed {
        Ledger::Export { output } => export(settings, out, &output).await,
        Ledger::Verify { dir, key, since } => verify(out, &dir, key.as_deref(), since.as_deref()),
        Ledger::Checkpoint => sign(settings, out).await,
        Ledger::Prove { entries, run, since, output } => {
            let asked = Asked { entries, run, since, output };
            super::ledger_prove::prove(settings, out, &asked).await
        }
        Ledger::Heartbeat => heartbeat(settings, out).await,
    }
}

/// Integrates what was recorded and signs all that is written. Without a credential it exports
/// what is signed already.
async fn export(settings: &Settings, out: &Output, dir: &Path) -> Result<Outcome, Failure> {
    let vault = if settings.credential_file.is_some() {
        let desk = Desk::open(settings, Verb::LedgerExport).await?;
        let draft = desk.draft("ledger_exported", "ledger");
        desk.commit(Vec::new(), draft).await?;
        desk.vault
    } else {
        settings.open_vault().await?
    };
    let export = collect(vault.as_ref()).await?;
    std::fs::create_dir_all(dir).map_err(|error| Failure::unwritable(dir, &error))?;
    for (name, bytes) in export.files() {
        let file = dir.join(name);
        std::fs::write(&file, bytes).map_err(|error| Failure::unwritable(&file, &error))?;
    }
    let key = verifier_key(vault.as_ref()).await?.fingerprint();
    out.object(&json!({"output": dir.display().to_string(), "fingerprint": key}));
    out.line(format!("the ledger is in {}", dir.display()));
    out.next("an auditor", &format!("sealift ledger verify {} --key {key}", dir.display()));
    Ok(Outcome::Done)
}

/// Everything up to the newest checkpoint.
pub(super) async fn collect(vault: &dyn Vault) -> Result<Export, Failure> {
    let Signed { bodies, keys, note, earlier } = all_signed(vault).await?;
    // The head is built from the entries as they are: an export of a damaged ledger has to show it.
    let mut head = crate::ledger::Head::new();
    for body in &bodies {
        head.append(crate::ledger::leaf_hash(body));
    }
    Ok(Export::new(bodies.iter().map(Vec::as_slice), &head, &note, &earlier, &keys))
}

/// What is signed, or what to do where nothing is.
pub(super) async fn all_signed(vault: &dyn Vault) -> Result<Signed, Failure> {
    crate::serve::signed(vault).await?.ok_or_else(|| {
        Failure::failed("the ledger has no checkpoint yet")
            .hint("sign one: `sealift ledger checkpoint`")
    })
}

fn verify(
    out: &Output,
    dir: &Path,
    key: Option<&str>,
    since: Option<&Path>,
) -> Result<Outcome, Failure> {
    let read = |file: &Path| {
        std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))
    };
    let since = since.map(read).transpose()?;
    let verdict = if dir.is_file() {
        let (proof, is_of_report) = super::ledger_prove::read(dir)?;
        proof.check(key, since.as_deref()).map(|mut verdict| {
            verdict.notes.extend(is_of_report.then_some(Note::OfReport));
            verdict
        })
    } else {
        export_in(dir)?.check(key, since.as_deref())
    };
    let verdict = verdict.map_err(|error| {
        Failure::failed(error)
            .hint("is this what `sealift ledger export` or `sealift ledger prove` wrote?")
    })?;
    Ok(told(out, &verdict))
}

/// The files of a folder, as an export.
pub(super) fn export_in(dir: &Path) -> Result<Export, Failure> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let listed = std::fs::read_dir(dir).map_err(|error| {
        Failure::failed(format!("`{}` cannot be read: {error}", dir.display()))
            .hint("name the folder that `sealift ledger export --output DIR` wrote")
    })?;
    for entry in listed {
        let path = entry.map_err(|error| Failure::unreadable(dir, &error))?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|n| n.to_str())) {
            let bytes = std::fs::read(&path).map_err(|error| Failure::unreadable(&path, &error))?;
            files.insert(name.to_owned(), bytes);
        }
    }
    Ok(Export::from_files(files))
}

fn told(out: &Output, verdict: &Verdict) -> Outcome {
    let findings: Vec<serde_json::Value> = verdict
        .findings
        .iter()
        .map(|finding| json!({"kind": finding.kind(), "text": finding.to_string()}))
        .collect();
    let notes: Vec<String> = verdict.notes.iter().map(ToString::to_string).collect();
    out.object(&json!({
        "size": verdict.size, "fingerprint": verdict.fingerprint, "findings": findings,
        "notes": notes, "consistent": verdict.is_consistent(),
    }));
    out.line(verdict.to_string().trim_end());
    if verdict.is_consistent() {
        Outcome::Done
    } else {
        out.note("sealift: the ledger is not what was signed");
        Outcome::Finding
    }
}

async fn sign(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::LedgerCheckpoint).await?;
    let note = checkpoint(desk.vault.as_ref(), &desk.keys).await?;
    out.object(&json!({"checkpoint": note}));
    out.line(note.trim_end());
    // Standard output is the note and nothing else: it is kept in a file, for `--since`.
    out.next_aside("an auditor", "sealift ledger export --output ledger/");
    Ok(Outcome::Done)
}

/// A sign of life: where nothing else happens, this says that somebody still watches.
async fn heartbeat(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::LedgerHeartbeat).await?;
    desk.commit(Vec::new(), desk.draft("heartbeat", "ledger")).await?;
    let size = desk.vault.head().await?.size();
    out.object(&json!({"heartbeat": true, "size": size}));
    out.line(format!("the ledger has {size} entries"));
    out.next("an auditor", "sealift ledger export --output ledger/");
    Ok(Outcome::Done)
}
