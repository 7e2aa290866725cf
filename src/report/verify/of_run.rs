//! The report of a run, held against its entries.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Held, ISSUED, ReportFinding, ReportNote, ReportVerdict};
use crate::ledger::{Entry, replay};
use crate::lifecycle::{Event, Phase};
use crate::report::timeline;

fn is_of_run(report: &Value, entry: &Entry) -> bool {
    entry.run.is_some_and(|run| report["header"]["run"] == run.to_string())
}

/// The last entry of the timeline.
pub(super) fn last_told(report: &Value) -> u64 {
    let lines = report["timeline"].as_array();
    lines.and_then(|lines| lines.last()?["seq"].as_u64()).unwrap_or(0)
}

/// Holds what the report says against the entries that it proves.
pub(super) fn figures(report: &Value, held: &Held<'_>, verdict: &mut ReportVerdict) {
    let entries: Vec<Entry> =
        held.entries.iter().filter(|entry| is_of_run(report, entry)).cloned().collect();
    let lines = report["timeline"].as_array().cloned().unwrap_or_default();
    let is_signed = |line: &Value| line["seq"].as_u64().is_some_and(|seq| seq < held.size);
    let (signed, younger): (Vec<Value>, Vec<Value>) = lines.into_iter().partition(is_signed);
    let told = serde_json::to_value(timeline::entries(&entries)).unwrap_or_default();
    verdict.hold("timeline", Value::from(signed) == told);
    if younger.is_empty() {
        let phase = entries.last().and_then(|entry| entry.phase_after).map(Phase::name);
        verdict.hold("phase", report["header"]["phase"].as_str() == phase);
        let as_of = entries.last().map(|entry| entry.at.as_str());
        verdict.hold("time", report["header"]["as_of"].as_str() == as_of);
    } else {
        verdict.notes.push(ReportNote::Younger { count: younger.len() });
    }
    let last =
        |actions: &[&str]| entries.iter().rfind(|entry| actions.contains(&entry.action.as_str()));
    if let Some(rewritten) = last(&[Event::Rewritten.name()]) {
        verdict.hold("counts", are_counted(&report["counts"], &rewritten.counts));
    }
    if let Some(verified) = last(&[Event::Verified.name(), Event::Mismatch.name()]) {
        let counts = serde_json::to_value(&verified.counts).unwrap_or_default();
        verdict.hold("verification", report["verification"]["counts"] == counts);
    }
    let run = entries.first().and_then(|entry| entry.run);
    verdict.hold("life of the run", run.is_some_and(|run| replay(&entries, run).is_ok()));
}

/// Says which entries of the run are left out, and whether it has gone on.
pub(super) fn in_ledger(
    report: &Value,
    all: &[Entry],
    proven: &[Entry],
    verdict: &mut ReportVerdict,
) {
    let last = last_told(report);
    let ours = || all.iter().filter(|entry| is_of_run(report, entry));
    for entry in ours().filter(|entry| entry.seq <= last) {
        if !proven.contains(entry) {
            verdict.findings.push(ReportFinding::LeftOut { seq: entry.seq });
        }
    }
    let later = ours().filter(|entry| entry.seq > last && entry.action != ISSUED).count();
    if later > 0 {
        verdict.notes.push(ReportNote::GoneOn { count: later });
    }
}

/// Whether the counts of cells are those of the entry.
pub(super) fn are_counted(counts: &Value, entry: &BTreeMap<String, u64>) -> bool {
    let of = |name: &str| entry.get(name).copied().unwrap_or(0);
    let parts = counts["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    counts["cells"].as_u64() == Some(of("cells"))
        && counts["rows"].as_u64() == Some(of("rows"))
        && parts.iter().all(|part| {
            part["cells"].as_u64() == Some(of(part["name"].as_str().unwrap_or_default()))
        })
}
