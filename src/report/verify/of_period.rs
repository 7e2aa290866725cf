//! The report over a period, held against the entries that it carries and against the whole ledger.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::of_run::are_counted;
use super::{Held, ISSUED, ReportFinding, ReportNote, ReportVerdict};
use crate::ledger::{Entry, replay};
use crate::lifecycle::{Event, Phase, RunId};
use crate::report::period::{Period, Stretch, Told};

/// The last entry that the report tells of.
pub(super) fn last_told(report: &Value) -> u64 {
    end_of(report).saturating_sub(1)
}

/// The entry behind the last one of the period.
fn end_of(report: &Value) -> u64 {
    report["header"]["end"].as_u64().unwrap_or(0)
}

/// Holds what the report says against the entries that it proves.
pub(super) fn figures(report: &Value, held: &Held<'_>, verdict: &mut ReportVerdict) {
    verdict.hold("totals", are_summed(report));
    of_runs(report, held.entries, verdict);
    let header = &report["header"];
    let (begin, end) = (header["begin"].as_u64().unwrap_or(0), end_of(report));
    verdict.hold("period", begin <= end && end <= held.size);
    if held.are_all || header["carries"] != "every_entry" {
        if !held.are_all {
            verdict.notes.push(ReportNote::NotCarried);
        }
        return;
    }
    let places: BTreeSet<u64> = held.entries.iter().map(|entry| entry.seq).collect();
    // With its neighbours, so that nobody can begin later or end sooner than the period does.
    let wanted = begin.saturating_sub(1)..end.saturating_add(1).min(held.size);
    let is_whole = wanted.clone().all(|seq| places.contains(&seq));
    verdict.hold("entries of the period", is_whole);
    let carried: Vec<Entry> =
        held.entries.iter().filter(|entry| wanted.contains(&entry.seq)).cloned().collect();
    of_stretch(report, &carried, verdict);
}

/// Holds it against the whole ledger: each sum is made again, and no run is left out.
pub(super) fn in_ledger(report: &Value, all: &[Entry], size: u64, verdict: &mut ReportVerdict) {
    let signed: Vec<Entry> = all.iter().filter(|entry| entry.seq < size).cloned().collect();
    of_stretch(report, &signed, verdict);
    of_runs(report, &signed, verdict);
    let end = end_of(report);
    let later = all
        .iter()
        .filter(|entry| entry.seq >= end && entry.action != ISSUED)
        .filter(|entry| entry.run.is_some_and(|run| line_of(report, run).is_some()))
        .count();
    if later > 0 {
        verdict.notes.push(ReportNote::GoneOn { count: later });
    }
}

fn period_of(report: &Value) -> Option<Period> {
    let at = |name: &str| report["header"][name].as_str().map(str::to_owned);
    Period::between(at("since"), at("until")).ok()
}

/// Makes the sums of the period again from `entries`, which stand one behind the other.
fn of_stretch(report: &Value, entries: &[Entry], verdict: &mut ReportVerdict) {
    let Some(period) = period_of(report) else {
        verdict.hold("period", false);
        return;
    };
    let header = &report["header"];
    let before = entries.first().map_or(0, |entry| entry.seq);
    let range = period.range_of(entries.iter().map(|entry| entry.at.as_str()));
    let (begin, end) = (before + range.start, before + range.end);
    let is_there = header["begin"].as_u64() == Some(begin) && header["end"].as_u64() == Some(end);
    verdict.hold("period", is_there);
    let inside: Vec<Entry> =
        entries.iter().filter(|entry| (begin..end).contains(&entry.seq)).cloned().collect();
    if header["asked"] != "named" {
        let is_asked = |entry: &&Entry| header["asked"] == "all" || entry.seq >= begin;
        let of_runs = entries.iter().filter(|entry| entry.seq < end).filter(is_asked);
        let mut left_out: BTreeMap<RunId, u64> = BTreeMap::new();
        for entry in of_runs {
            if let Some(run) = entry.run.filter(|run| line_of(report, *run).is_none()) {
                left_out.entry(run).or_insert(entry.seq);
            }
        }
        for seq in left_out.into_values() {
            verdict.add(ReportFinding::LeftOut { seq });
        }
    }
    let Told { ledger, usage } = Stretch::of(inside);
    let told = serde_json::to_value(&ledger).unwrap_or_default();
    verdict.hold("acts of the period", report["ledger"] == told);
    let lines = |part: &str| report[part].as_array().cloned().unwrap_or_default();
    let shown: BTreeMap<String, Value> = [lines("access"), lines("access_beyond")]
        .concat()
        .into_iter()
        .filter_map(|line| Some((line["name"].as_str()?.to_owned(), line["used"].clone())))
        .filter(|(_, used)| used["requests"] != 0)
        .collect();
    let asked: BTreeMap<String, Value> = usage
        .iter()
        .map(|(name, used)| (name.clone(), serde_json::to_value(used).unwrap_or_default()))
        .collect();
    verdict.hold("access", shown == asked);
    let is_asked = lines("domains").iter().all(|line| {
        let name = line["domain"].as_str().unwrap_or_default();
        let sum: u64 = usage.values().filter_map(|used| used.domains.get(name)).sum();
        line["asked"].as_u64() == Some(sum)
    });
    verdict.hold("domains", is_asked);
}

fn line_of(report: &Value, run: RunId) -> Option<&Value> {
    let name = run.to_string();
    report["runs"].as_array()?.iter().find(|line| line["run"] == name.as_str())
}

/// Holds each run against its entries up to the end of the period.
fn of_runs(report: &Value, entries: &[Entry], verdict: &mut ReportVerdict) {
    let end = end_of(report);
    let lines = report["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    for line in lines {
        let is_ours = |entry: &&Entry| {
            entry.seq < end && entry.run.is_some_and(|run| line["run"] == run.to_string())
        };
        let ours: Vec<&Entry> = entries.iter().filter(is_ours).collect();
        verdict.hold("runs", is_told(line, &ours));
    }
}

fn is_told(line: &Value, entries: &[&Entry]) -> bool {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return false };
    let newest = |events: &[Event]| {
        let is_one = |entry: &&&Entry| events.iter().any(|it| it.name() == entry.action);
        entries.iter().rfind(is_one).map(|entry| &entry.counts)
    };
    let none = BTreeMap::new();
    let rewritten = newest(&[Event::Rewritten]).unwrap_or(&none);
    let verified = newest(&[Event::Verified, Event::Mismatch]).unwrap_or(&none);
    let back = newest(&[Event::RolledBack]).unwrap_or(&none);
    let is = |name: &str, counts: &BTreeMap<String, u64>, of: &str| {
        line[name].as_u64() == Some(counts.get(of).copied().unwrap_or(0))
    };
    line["entries"].as_u64() == Some(entries.len() as u64)
        && line["phase"].as_str() == last.phase_after.map(Phase::name)
        && line["last_at"] == last.at.as_str()
        && line["planned_at"] == first.at.as_str()
        && line["planned_by"] == first.actor.as_str()
        && are_counted(line, rewritten)
        && is("opened", verified, "opened")
        && is("mismatches", verified, "mismatches")
        && is("restored", back, "restored")
        && first.run.is_some_and(|run| replay(entries.iter().copied(), run).is_ok())
}

/// Whether the totals are the sums of the runs' lines.
fn are_summed(report: &Value) -> bool {
    let (totals, lines) = (&report["totals"], report["runs"].as_array());
    let lines = lines.map(Vec::as_slice).unwrap_or_default();
    let sum = |of: &dyn Fn(&Value) -> Option<u64>| -> u64 { lines.iter().filter_map(of).sum() };
    let is_sum = |name: &str| totals[name].as_u64() == Some(sum(&|line| line[name].as_u64()));
    let parts = totals["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let in_line = |line: &Value, name: &Value| {
        line["parts"].as_array()?.iter().find(|part| part["name"] == *name)?["cells"].as_u64()
    };
    let in_phase = |state: &Value| {
        let there = lines.iter().filter(|line| line["phase"] == state["phase"]).count();
        state["runs"].as_u64() == Some(there as u64)
    };
    totals["runs"].as_u64() == Some(lines.len() as u64)
        && ["rows", "cells", "opened", "mismatches", "restored"].into_iter().all(is_sum)
        && parts
            .iter()
            .all(|part| part["cells"].as_u64() == Some(sum(&|line| in_line(line, &part["name"]))))
        && report["states"].as_array().is_some_and(|states| states.iter().all(in_phase))
}
