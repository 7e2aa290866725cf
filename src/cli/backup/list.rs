//! `sealift backup list`: which files there are, of which table, how old, who opens them.

use jiff::Timestamp;
use serde_json::json;

use super::{folder_of, has_backup, is_over, kept_until};
use crate::access::Verb;
use crate::backup::recipients_of;
use crate::cli::desk::{Desk, find_run};
use crate::cli::exit::{Failure, Outcome};
use crate::cli::job::parsed;
use crate::cli::output::Output;
use crate::cli::settings::Settings;
use crate::lifecycle::Phase;
use crate::plan::{Assessment, UnitMode};
use crate::ports::{FileKind, FileRow, RangeRow, RunRow};
use crate::words::{counted, grouped};

pub(super) async fn list(
    settings: &Settings,
    out: &Output,
    run: Option<&str>,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::BackupList).await?;
    let rows = if run.is_some() {
        vec![find_run(desk.vault.as_ref(), run, |_| true).await?]
    } else {
        let runs = desk.vault.runs().await?;
        runs.into_iter().filter(|row| has_backup(row.phase)).collect()
    };
    let mut shown = 0;
    let mut missing = 0;
    for row in &rows {
        let found = of_run(&desk, out, row).await?;
        shown += found.files;
        missing += found.missing;
    }
    if shown == 0 {
        out.line("no run has a backup");
    }
    out.next(&desk.caller.name, "sealift backup verify");
    Ok(if missing == 0 { Outcome::Done } else { Outcome::Finding })
}

/// How many files of a run are on record, and how many of them are not there.
struct Found {
    files: u64,
    missing: u64,
}

async fn of_run(desk: &Desk, out: &Output, row: &RunRow) -> Result<Found, Failure> {
    let files = desk.vault.files(row.run).await?;
    if files.is_empty() {
        return Ok(Found { files: 0, missing: 0 });
    }
    let (policy, plan) = parsed(row)?;
    let ranges = desk.vault.ranges(row.run).await?;
    let entries = desk.vault.ledger_of(row.run).await?;
    let until = kept_until(&entries);
    let folder = folder_of(row);
    let bytes: u64 = files.iter().map(|file| file.seal.bytes).sum();
    out.heading(&format!("run {} ({}): {}", row.run, row.phase, folder.display()));
    out.line(format!(
        "  {}, {} bytes; {}",
        counted(files.len() as u64, "file", "files"),
        grouped(bytes),
        fate(row, &policy.backup, until.as_deref())
    ));
    let mut found = Found { files: files.len() as u64, missing: 0 };
    for file in &files {
        let path = folder.join(&file.seal.name);
        let meta = std::fs::metadata(&path).ok();
        let age_s = meta.as_ref().and_then(|meta| meta.modified().ok()?.elapsed().ok());
        let age_s = age_s.map(|age| age.as_secs());
        let recipients = recipients_of(&path);
        let table = table_of(&plan, &ranges, file);
        let state = match &meta {
            None => "missing",
            Some(meta) if meta.len() != file.seal.bytes => "another length",
            Some(_) => "there",
        };
        found.missing += u64::from(state != "there");
        out.object(&json!({
            "run": row.run.to_string(), "file": file.seal.name, "kind": file.kind.name(),
            "table": table, "records": file.seal.records, "bytes": file.seal.bytes,
            "age_s": age_s, "recipients": recipients, "state": state, "kept_until": until,
            "sha256": data_encoding::HEXLOWER.encode(&file.seal.sha256),
        }));
        out.line(format!(
            "  {:<28} {:<10} {:<24} {:>12} records {:>14} bytes  {:>9}  {}{}",
            file.seal.name,
            file.kind.name(),
            table.as_deref().unwrap_or("-"),
            grouped(file.seal.records),
            grouped(file.seal.bytes),
            age_s.map_or_else(|| "-".to_owned(), age),
            recipients.map_or_else(|| "-".to_owned(), |keys| counted(keys, "key", "keys")),
            if state == "there" { String::new() } else { format!("  {state}") },
        ));
    }
    Ok(found)
}

/// Until when the files are kept.
fn fate(row: &RunRow, rule: &crate::policy::BackupRule, until: Option<&str>) -> String {
    match (row.phase, until) {
        (_, Some(day)) if is_over(day, Timestamp::now()) => {
            format!("kept until {day}, which is over: `sealift backup prune` destroys it")
        }
        (_, Some(day)) => format!("kept until {day}"),
        (Phase::RolledBack, None) => {
            format!("kept until somebody destroys it: `sealift backup prune {}`", row.run)
        }
        (_, None) if rule.retention_days == 0 => "destroyed by the purge".to_owned(),
        (_, None) => format!("kept for {} days after the purge", rule.retention_days),
    }
}

/// The table of a file.
fn table_of(plan: &Assessment, ranges: &[RangeRow], file: &FileRow) -> Option<String> {
    let unit = plan.units.iter().find(|unit| unit.id == file.unit)?;
    let at = match (file.kind, unit.mode) {
        // An increment of a window says in its range which table it is an image of.
        (FileKind::Increment, UnitMode::Window) => u16::try_from(file.range >> 1).ok()?,
        _ => ranges
            .iter()
            .find(|range| range.unit == file.unit && range.number == file.range)
            // What sweeps found has a range of its own, from the other end.
            .map_or_else(|| u16::try_from(u32::MAX - file.range).ok(), |range| Some(range.table))?,
    };
    unit.tables.get(usize::from(at)).map(|table| table.table.to_string())
}

/// An age in its largest unit.
fn age(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
