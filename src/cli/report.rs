//! `sealift report`: what happened to a run. Needs no passphrase, except to close it.

use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::args::{Format, Report as Typed, ReportVerb};
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::output::{Output, print_bytes};
use super::settings::Settings;
use crate::access::Verb;
use crate::ledger;
use crate::lifecycle::{Event, Phase};
use crate::ports::{Change, RunRow, Vault};
use crate::report::{ISSUED, PeriodReport, Report};
use crate::serve::evidence;

pub(super) async fn report(
    settings: &Settings,
    out: &Output,
    typed: Typed,
) -> Result<Outcome, Failure> {
    if let Some(ReportVerb::Verify(typed)) = &typed.verb {
        return super::report_verify::verify(out, typed);
    }
    if typed.schema {
        let shape = if typed.all { PeriodReport::json_schema() } else { Report::json_schema() };
        return schema(&shape, typed.output.as_deref());
    }
    if super::report_period::is_meant(&typed) {
        return super::report_period::report(settings, out, &typed).await;
    }
    // ORDER: before anything is closed.
    let form = form_of(out.format(), typed.output.as_deref())?;
    let vault = settings.open_vault().await?;
    let row = match typed.run.first() {
        Some(run) => find_run(vault.as_ref(), Some(run), |_| true).await?,
        None => newest(vault.as_ref()).await?,
    };
    if typed.close {
        close(settings, &row).await?;
    }
    let row = find_run(vault.as_ref(), Some(&row.run.to_string()), |_| true).await?;
    let report = Report::of(&evidence(vault.as_ref(), &row).await?);
    let Some(form) = form else {
        print_text(out, &row, &report);
        next(vault.as_ref(), out, &row, &report).await?;
        return Ok(Outcome::Done);
    };
    let text = match form {
        Form::Html => report.to_html(),
        Form::Csv => report.to_csv(),
        Form::Text => report.to_text(),
        Form::Json => report.to_json(),
    };
    if let Some(file) = &typed.output {
        written(file, &text)?;
        if typed.issue || typed.close {
            let json = report.to_json();
            let written = Written { form, text: &text, json: &json };
            issue(settings, &written, format!("run {}", row.run), Some(&row)).await?;
        }
        out.object(&json!({"run": row.run.to_string(), "output": file.display().to_string()}));
        out.line(format!("the report of run {} is in {}", row.run, file.display()));
        if !report.summary.is_finished {
            out.line(format!("the run is not finished: {}", report.summary.verdict));
        }
        next(vault.as_ref(), out, &row, &report).await?;
    } else {
        print_bytes(text.as_bytes())?;
    }
    Ok(Outcome::Done)
}

/// What a report can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Json,
    Csv,
    Text,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Text => "txt",
        }
    }
}

/// The form that was asked for; `None` for the first screen of a terminal.
///
/// # Errors
///
/// A file whose ending names no form that there is: who asks for a page of paper must not get JSON
/// under its name.
pub(super) fn form_of(format: Format, output: Option<&Path>) -> Result<Option<Form>, Failure> {
    Ok(Some(match (format, output) {
        (Format::Html, _) => Form::Html,
        (Format::Csv, _) => Form::Csv,
        (Format::Json, _) => Form::Json,
        (Format::Text, None) => return Ok(None),
        (Format::Text, Some(file)) => match ending(file).as_str() {
            "html" | "htm" => Form::Html,
            "csv" => Form::Csv,
            "txt" => Form::Text,
            "json" => Form::Json,
            _ => {
                let fact = format!("no report is written as `{}`", file.display());
                return Err(Failure::failed(fact)
                    .hint("end the name with .html, .json, .csv or .txt, or say --format"));
            }
        },
    }))
}

/// A report as it was written.
pub(super) struct Written<'w> {
    pub(super) form: Form,
    pub(super) text: &'w str,
    pub(super) json: &'w str,
}

/// Puts on the ledger which bytes were handed out.
pub(super) async fn issue(
    settings: &Settings,
    written: &Written<'_>,
    about: String,
    run: Option<&RunRow>,
) -> Result<(), Failure> {
    let desk = Desk::open(settings, Verb::ReportClose).await?;
    let mut draft = desk.draft(ISSUED, about);
    draft.run = run.map(|row| row.run);
    draft.policy = run.map(|row| row.policy_hash.clone());
    let sha256 = |text: &str| ledger::Digest::of(text.as_bytes()).to_string();
    draft.details.insert("form".into(), written.form.name().into());
    draft.details.insert("sha256".into(), sha256(written.text).into());
    draft.details.insert("json_sha256".into(), sha256(written.json).into());
    desk.commit(Vec::new(), draft).await
}

/// The shape of a report in JSON.
fn schema(text: &str, output: Option<&Path>) -> Result<Outcome, Failure> {
    match output {
        Some(file) => written(file, text)?,
        None => print_bytes(text.as_bytes())?,
    }
    Ok(Outcome::Done)
}

/// Prints the first screen of a report.
fn print_text(out: &Output, row: &RunRow, report: &Report) {
    for line in report.to_text().lines() {
        out.line(line);
    }
    out.line("");
    out.line(format!("the whole of it: sealift report {} --output report.html", row.run));
}

async fn next(
    vault: &dyn Vault,
    out: &Output,
    row: &RunRow,
    report: &Report,
) -> Result<(), Failure> {
    match &report.summary.next {
        // What has to come before a purge, the vault knows and the report does not.
        Some(_) if row.phase == Phase::PurgeApproved => {
            let (who, command) = super::next::in_vault(vault, row).await?;
            out.next(&who, &command);
        }
        Some(command) if command.starts_with("sealift approve") => out.next("an approver", command),
        Some(command) => out.next(&row.planned_by, command),
        None => out.next("an auditor", "sealift ledger export --output ledger/"),
    }
    Ok(())
}

/// What a file's name ends with: it says which form is meant where nothing else does.
fn ending(file: &Path) -> String {
    file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
}

pub(super) fn written(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| Failure::unwritable(file, &error))
}

/// Without a name the run that was planned last is meant.
async fn newest(vault: &dyn Vault) -> Result<RunRow, Failure> {
    vault
        .runs()
        .await?
        .pop()
        .ok_or_else(|| Failure::failed("there is no run yet").hint("sealift plan --policy FILE"))
}

/// Closes a purged run: the hash of its report goes on the ledger.
async fn close(settings: &Settings, row: &RunRow) -> Result<(), Failure> {
    let desk = Desk::open(settings, Verb::ReportClose).await?;
    if row.phase != Phase::Purged {
        return Err(Failure::refused(format!("run {} is `{}`", row.run, row.phase))
            .hint("a run is closed once it is purged"));
    }
    let report = Report::of(&evidence(desk.vault.as_ref(), row).await?).to_json();
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(report.as_bytes()));
    let mut draft = desk.draft(Event::Closed.name(), format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.policy = Some(row.policy_hash.clone());
    draft.details.insert("report_sha256".into(), hash.into());
    let change = Change::Advance { run: row.run, from: Phase::Purged, event: Event::Closed };
    desk.commit(vec![change], draft).await
}
