//! `sealift report`: what happened to a run. Needs no passphrase, except to close it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::args::{Format, Report as Typed, ReportVerb};
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::parsed;
use super::output::{Output, print_bytes};
use super::settings::Settings;
use crate::access::Verb;
use crate::crypto::{KeyPurpose, KeyState};
use crate::ledger::{self, Entry};
use crate::lifecycle::{Event, Phase};
use crate::ports::{Change, QuarantineState as Waits, RunRow, Vault};
use crate::report::{
    AnchorFact, ApprovalFact, BackupFate, CheckFact, Condition, Evidence, ISSUED, KeyFact,
    PurgeFacts, PurgeStep, QuarantineCause, QuarantineFact, QuarantineState, Report, RowDigest,
    SegmentFact, StructureFacts, UncoveredCopy, UnitFact, Usage, VaultCopyLine,
};
use crate::run::{facts_of, residue_of};

pub(super) async fn report(
    settings: &Settings,
    out: &Output,
    typed: Typed,
) -> Result<Outcome, Failure> {
    if let Some(ReportVerb::Verify(typed)) = &typed.verb {
        return super::report_verify::verify(out, typed);
    }
    if typed.schema {
        return schema(typed.output.as_deref());
    }
    let vault = settings.open_vault().await?;
    let row = match &typed.run {
        Some(run) => find_run(vault.as_ref(), Some(run), |_| true).await?,
        None => newest(vault.as_ref()).await?,
    };
    if typed.close {
        close(settings, &row).await?;
    }
    let row = find_run(vault.as_ref(), Some(&row.run.to_string()), |_| true).await?;
    let report = Report::of(&evidence(vault.as_ref(), &row).await?);
    let Some((form, text)) = in_form(out.format(), typed.output.as_deref(), &report) else {
        print_text(out, &row, &report);
        next(vault.as_ref(), out, &row, &report).await?;
        return Ok(Outcome::Done);
    };
    if let Some(file) = &typed.output {
        written(file, &text)?;
        if typed.issue || typed.close {
            let written = Written { form, text: &text, report: &report };
            issue(settings, &row, &written).await?;
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

/// The report in the form that was asked for; `None` for the first screen of a terminal.
fn in_form(
    format: Format,
    output: Option<&Path>,
    report: &Report,
) -> Option<(&'static str, String)> {
    let form = match format {
        Format::Html => "html",
        Format::Csv => "csv",
        Format::Json => "json",
        Format::Text => match ending(output?).as_str() {
            "html" | "htm" => "html",
            "csv" => "csv",
            "txt" => "txt",
            _ => "json",
        },
    };
    let text = match form {
        "html" => report.to_html(),
        "csv" => report.to_csv(),
        "txt" => report.to_text(),
        _ => report.to_json(),
    };
    Some((form, text))
}

/// A report as it was written.
struct Written<'w> {
    form: &'static str,
    text: &'w str,
    report: &'w Report,
}

/// Puts on the ledger which bytes were handed out.
async fn issue(settings: &Settings, row: &RunRow, written: &Written<'_>) -> Result<(), Failure> {
    let desk = Desk::open(settings, Verb::ReportClose).await?;
    let mut draft = desk.draft(ISSUED, format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.policy = Some(row.policy_hash.clone());
    let sha256 = |text: &str| ledger::Digest::of(text.as_bytes()).to_string();
    draft.details.insert("form".into(), written.form.into());
    draft.details.insert("sha256".into(), sha256(written.text).into());
    draft.details.insert("json_sha256".into(), sha256(&written.report.to_json()).into());
    desk.commit(Vec::new(), draft).await
}

/// The shape of a report in JSON.
fn schema(output: Option<&Path>) -> Result<Outcome, Failure> {
    let text = Report::json_schema();
    match output {
        Some(file) => written(file, &text)?,
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

fn written(file: &Path, text: &str) -> Result<(), Failure> {
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

/// Gathers what vault and ledger say of a run.
pub(super) async fn evidence(vault: &dyn Vault, row: &RunRow) -> Result<Evidence, Failure> {
    let (policy, plan) = parsed(row)?;
    let header = vault.header().await?;
    let entries = vault.ledger_of(row.run).await?;
    let counts_of = |action: &[&str]| {
        entries
            .iter()
            .rfind(|entry| action.contains(&entry.action.as_str()))
            .map(|entry| entry.counts.clone())
            .unwrap_or_default()
    };
    let control = entries
        .iter()
        .rfind(|entry| entry.action == "residue_control")
        .and_then(|entry| serde_json::from_value(entry.details.get("report")?.clone()).ok());
    let facts = facts_of(&entries);
    let stopped = residue_of(&entries);
    let purged = matches!(row.phase, Phase::Purged | Phase::Closed);
    let kept = entries
        .iter()
        .rfind(|entry| entry.action == Event::Purged.name())
        .and_then(|entry| entry.details.get("backup_kept_until")?.as_str().map(str::to_owned));
    let checks = vault.checks(row.run).await?;
    let signed = crate::serve::signed(vault).await?;
    let mut usage = BTreeMap::new();
    for body in signed.iter().flat_map(|signed| &signed.bodies) {
        if let Ok(entry) = Entry::parse(body) {
            Usage::add(&mut usage, entry);
        }
    }
    let proofs = signed.as_ref().map(|signed| {
        let size = signed.bodies.len() as u64;
        let wanted: Vec<u64> =
            entries.iter().map(|entry| entry.seq).filter(|seq| *seq < size).collect();
        super::ledger_prove::bundle(signed, &wanted, None)
    });
    let proofs = proofs.transpose()?;
    Ok(Evidence {
        tool: concat!("sealift ", env!("CARGO_PKG_VERSION")).to_owned(),
        vault: header.vault.to_string(),
        origin: header.origin,
        key_fingerprint: crate::serve::verifier_key(vault).await?.fingerprint(),
        run: row.run,
        source: row.source.clone(),
        phase: row.phase,
        condition: row.condition.map(condition),
        counts: counts_of(&["rewritten"]),
        units: units(&entries),
        opened: opened(&entries),
        verification: counts_of(&["verified", "mismatch"]),
        checks: policy
            .checks
            .iter()
            .map(|check| CheckFact {
                name: check.name.clone(),
                holds: checks
                    .iter()
                    .any(|row| row.name == check.name && row.moment != "before")
                    .then_some(true),
            })
            .collect(),
        residue_before: control,
        residue_after: facts.as_ref().or(stopped.as_ref()).map(|facts| facts.after.clone()),
        residue_left: stopped.as_ref().map_or(0, residue_left),
        purge: facts.filter(|_| purged).map(|facts| purge_facts(facts, kept)),
        checkpoint: signed.map(|signed| signed.note),
        approvals: vault
            .approvals(row.run)
            .await?
            .into_iter()
            .map(|row| ApprovalFact {
                kind: row.kind,
                caller: row.caller,
                digest: row.digest,
                signed_at: row.signed_at,
            })
            .collect(),
        keys: keys(vault, row, &plan).await?,
        segments: segments(vault, row).await?,
        quarantine: quarantine(vault, row).await?,
        purposes: policy.purposes.clone(),
        usage,
        anchors: anchors(vault).await?,
        proofs,
        entries,
        policy,
        plan,
    })
}

/// Where checkpoints were kept outside the vault.
async fn anchors(vault: &dyn Vault) -> Result<Vec<AnchorFact>, Failure> {
    let told = vault.told().await?.into_iter();
    let anchors = told.filter_map(|row| {
        let place = row.place.strip_prefix("anchor ")?.to_owned();
        Some(AnchorFact { place, size: row.size, at: row.at })
    });
    Ok(anchors.collect())
}

fn condition(condition: crate::ports::Condition) -> Condition {
    match condition {
        crate::ports::Condition::Paused => Condition::Paused,
        crate::ports::Condition::Failed => Condition::Failed,
    }
}

/// What the rewrite counted in each unit of the plan.
fn units(entries: &[Entry]) -> Vec<UnitFact> {
    let units = entries
        .iter()
        .rfind(|entry| entry.action == Event::Rewritten.name())
        .and_then(|entry| entry.details.get("units")?.as_object());
    let mut units: Vec<UnitFact> = units
        .into_iter()
        .flatten()
        .filter_map(|(unit, counts)| {
            let counts = serde_json::from_value(counts.clone()).ok()?;
            Some(UnitFact { unit: unit.parse().ok()?, counts })
        })
        .collect();
    units.sort_by_key(|fact| fact.unit);
    units
}

/// What the last verification opened, by column.
fn opened(entries: &[Entry]) -> BTreeMap<String, u64> {
    let is_last = |entry: &&Entry| {
        [Event::Verified.name(), Event::Mismatch.name()].contains(&entry.action.as_str())
    };
    entries
        .iter()
        .rfind(is_last)
        .and_then(|entry| serde_json::from_value(entry.details.get("columns")?.clone()).ok())
        .unwrap_or_default()
}

/// The hits for which a purge stopped.
fn residue_left(facts: &crate::run::PurgeFacts) -> u64 {
    let hits: u64 = facts.after.files.iter().map(|file| file.hits.residue()).sum();
    hits + facts.late_hits
}

fn purge_facts(facts: crate::run::PurgeFacts, kept: Option<String>) -> PurgeFacts {
    PurgeFacts {
        steps: facts
            .steps
            .into_iter()
            .map(|step| PurgeStep {
                name: step.step,
                started_at: step.started_at,
                finished_at: step.finished_at,
            })
            .collect(),
        statements: BTreeMap::new(),
        uncovered_copies: facts
            .uncovered
            .into_iter()
            .filter_map(|(column, cells)| {
                let column = crate::policy::ColumnName::parse(&column).ok()?;
                Some(UncoveredCopy { column, cells })
            })
            .collect(),
        not_covered: Vec::new(),
        structure: facts.structure.map(|structure| StructureFacts {
            pages: structure.pages,
            pages_with_remains: structure.pages_with_remains,
        }),
        backup: kept.map_or(BackupFate::Destroyed, BackupFate::KeptUntil),
        vault_copies: facts
            .vault_copies
            .into_iter()
            .map(|copy| VaultCopyLine { at: copy.at, file: copy.file, sha256: copy.sha256 })
            .collect(),
    }
}

async fn keys(
    vault: &dyn Vault,
    row: &RunRow,
    plan: &crate::plan::Assessment,
) -> Result<Vec<KeyFact>, Failure> {
    let run = row.run.to_string();
    Ok(vault
        .keys()
        .await?
        .into_iter()
        .filter(|key| {
            key.subject.is_empty()
                || key.subject == run
                || plan.columns.iter().any(|column| column.domain == key.subject)
        })
        .filter_map(|key| {
            Some(KeyFact {
                id: key.key,
                purpose: KeyPurpose::from_name(&key.purpose)?,
                subject: key.subject,
                version: key.version,
                state: KeyState::from_name(&key.state)?,
                created_at: key.created_at,
                changed_at: key.changed_at,
            })
        })
        .collect())
}

async fn segments(vault: &dyn Vault, row: &RunRow) -> Result<Vec<SegmentFact>, Failure> {
    Ok(vault
        .segments()
        .await?
        .into_iter()
        .filter(|segment| segment.run == Some(row.run))
        .map(|segment| SegmentFact {
            number: segment.segment,
            entries: segment.entries,
            root: segment
                .root
                .and_then(|root| <[u8; 32]>::try_from(root.as_slice()).ok())
                .map(ledger::Digest::from_bytes),
        })
        .collect())
}

async fn quarantine(vault: &dyn Vault, row: &RunRow) -> Result<Vec<QuarantineFact>, Failure> {
    Ok(vault
        .quarantine(row.run)
        .await?
        .into_iter()
        .filter_map(|waiting| {
            Some(QuarantineFact {
                row: RowDigest::parse(&waiting.row).ok()?,
                cause: QuarantineCause::of(&waiting.reason),
                cells: waiting.cells,
                state: match waiting.state {
                    Waits::Waiting => QuarantineState::Waiting,
                    Waits::Replayed => QuarantineState::Replayed,
                    Waits::Waived => {
                        QuarantineState::Waived { by: waiting.waived_by.unwrap_or_default() }
                    }
                },
            })
        })
        .collect())
}
