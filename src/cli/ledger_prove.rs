//! `sealift ledger prove`: a few entries with their proofs, for who may not see the others.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::desk::find_run;
use super::exit::{Failure, Outcome};
use super::output::{Output, print_bytes};
use super::settings::Settings;
use crate::ledger::{BundleError, ProofBundle};
use crate::serve::Signed;

/// What is to be proven, as typed.
pub(super) struct Asked {
    pub(super) entries: Vec<u64>,
    pub(super) run: Option<String>,
    pub(super) since: Option<PathBuf>,
    pub(super) output: Option<PathBuf>,
}

pub(super) async fn prove(
    settings: &Settings,
    out: &Output,
    asked: &Asked,
) -> Result<Outcome, Failure> {
    let vault = settings.open_vault().await?;
    let signed = super::ledger::all_signed(vault.as_ref()).await?;
    let mut wanted = asked.entries.clone();
    if let Some(run) = &asked.run {
        let row = find_run(vault.as_ref(), Some(run), |_| true).await?;
        let size = signed.bodies.len() as u64;
        let entries = vault.ledger_of(row.run).await?;
        wanted.extend(entries.iter().map(|entry| entry.seq).filter(|seq| *seq < size));
    }
    let since = asked.since.as_deref().map(|file| {
        std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))
    });
    let since = since.transpose()?;
    let proof = bundle(&signed, &wanted, since.as_deref())?;
    let text = proof.to_json();
    let Some(file) = &asked.output else {
        print_bytes(text.as_bytes())?;
        return Ok(Outcome::Done);
    };
    std::fs::write(file, text).map_err(|error| Failure::unwritable(file, &error))?;
    let key = signed.keys.newest().fingerprint();
    let shown = crate::words::shell_word(&file.display().to_string());
    out.object(&serde_json::json!({
        "output": file.display().to_string(), "entries": proof.entries.len(), "fingerprint": key,
    }));
    out.line(format!("the proof of {} entries is in {}", proof.entries.len(), file.display()));
    out.next("an auditor", &format!("sealift ledger verify {shown} --key {key}"));
    Ok(Outcome::Done)
}

/// Proves entries under the newest checkpoint.
pub(super) fn bundle(
    signed: &Signed,
    wanted: &[u64],
    since: Option<&str>,
) -> Result<ProofBundle, Failure> {
    ProofBundle::of(&signed.bodies, &signed.keys, &signed.note, wanted, since).map_err(|error| {
        let hint = match &error {
            BundleError::Unsigned { .. } => "sign the newest: `sealift ledger checkpoint`",
            BundleError::Checkpoint("the file that was given") | BundleError::Proof(_) => {
                "name a checkpoint of this vault, not newer than its ledger"
            }
            _ => "`sealift ledger export` and `sealift ledger verify` say what was altered",
        };
        Failure::failed(error).hint(hint)
    })
}

/// The proof in a file: the file itself, or what a report carries; and which of the two.
pub(super) fn read(file: &Path) -> Result<(ProofBundle, bool), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::unreadable(file, &error))?;
    let none = || {
        Failure::failed(format!("`{}` is no proof, and no report with one", file.display()))
            .hint("name what `sealift ledger prove` or `sealift report` wrote, as JSON or HTML")
    };
    let text = crate::report::embedded(&text).unwrap_or(text);
    let mut value: Value = serde_json::from_str(&text).map_err(|_| none())?;
    let carried = value.get_mut("proofs").map(Value::take);
    let is_of_report = carried.is_some();
    if let Some(proofs) = carried {
        value = proofs;
    }
    let proof = ProofBundle::deserialize(&value).ok_or_else(none)?;
    Ok((proof, is_of_report))
}
