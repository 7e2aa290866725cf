//! `sealift report verify`: a report that somebody handed over, checked without a vault.

use std::path::Path;

use serde_json::json;

use super::args::VerifyReport;
use super::exit::{Failure, Outcome};
use super::output::Output;
use crate::report::{HandedReport, ReportNote};

pub(super) fn verify(out: &Output, typed: &VerifyReport) -> Result<Outcome, Failure> {
    let read = |file: &Path| std::fs::read(file).map_err(|error| Failure::unreadable(file, &error));
    let no_report = |error| {
        Failure::failed(format!("`{}`: {error}", typed.file.display()))
            .hint("name a file that `sealift report --output FILE` wrote, as .json or .html")
    };
    let report = HandedReport::read(&read(&typed.file)?).map_err(no_report)?;
    let since = typed.since.as_deref().map(read).transpose()?;
    let since = since.as_deref().map(String::from_utf8_lossy);
    let ledger = typed.ledger.as_deref().map(super::ledger::export_in).transpose()?;
    let verdict =
        report.check(typed.key.as_deref(), since.as_deref(), ledger.as_ref()).map_err(|error| {
            Failure::failed(error).hint("check `--key`, `--since` and the folder of `--ledger`")
        })?;
    // Whoever takes out proofs and checkpoint is not to be told that nothing is wrong.
    if ledger.is_none() && verdict.is_consistent() && verdict.notes.contains(&ReportNote::NoProofs)
    {
        return Err(Failure::failed(format!(
            "`{}` carries no proofs: nothing of it was checked",
            typed.file.display()
        ))
        .hint(
            "hold it against the ledger: `--ledger DIR`; or have it made anew, with its proofs",
        ));
    }
    let findings: Vec<serde_json::Value> = verdict
        .findings
        .iter()
        .map(|finding| json!({"kind": finding.kind(), "text": finding.to_string()}))
        .collect();
    let notes: Vec<String> = verdict.notes.iter().map(ToString::to_string).collect();
    out.object(&json!({
        "entries": verdict.entries, "fingerprint": verdict.fingerprint, "findings": findings,
        "notes": notes, "consistent": verdict.is_consistent(),
    }));
    out.line(verdict.to_string().trim_end());
    if verdict.is_consistent() {
        return Ok(Outcome::Done);
    }
    out.note("sealift: the report is not what the ledger says");
    Ok(Outcome::Finding)
}
