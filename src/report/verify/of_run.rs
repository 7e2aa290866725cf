//! The report of a run, held against its entries.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Held, ISSUED, ReportFinding, ReportNote, ReportVerdict, rebuilt};
use crate::ledger::{Digest, Entry, RESIDUE_FOUND, SCRUBBED, replay};
use crate::lifecycle::{Event, Phase, RunId};
use crate::report::timeline::{self, TimelineEntry};
use crate::report::{CAME_BACK, REHEARSED, RESTORED, RESTORING, Usage};

/// Acts beside the events of a run whose details a report is made of: a line of the timeline does not
/// show them.
const TELLING: [&str; 11] = [
    "planned",
    "approval_signed",
    "quarantine_waived",
    "check_held",
    "residue_control",
    SCRUBBED,
    RESIDUE_FOUND,
    CAME_BACK,
    RESTORED,
    RESTORING,
    REHEARSED,
];

fn is_of_run(report: &Value, entry: &Entry) -> bool {
    entry.run.is_some_and(|run| report["header"]["run"] == run.to_string())
}

fn lines(report: &Value) -> &[Value] {
    report["timeline"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn place_of(line: &Value) -> Option<u64> {
    line["seq"].as_u64()
}

/// The last entry of the timeline.
pub(super) fn last_told(report: &Value) -> u64 {
    lines(report).last().and_then(place_of).unwrap_or(0)
}

/// How many entries the checkpoint signs that the report shows.
fn size_of(report: &Value) -> u64 {
    report["header"]["checkpoint"]["size"].as_u64().unwrap_or(0)
}

/// The lines of the timeline that nothing proves that signs `size` entries.
fn younger(report: &Value, size: u64) -> impl Iterator<Item = &Value> {
    lines(report).iter().filter(move |line| place_of(line).is_none_or(|seq| seq >= size))
}

/// Whether a report says more of such an entry than its line in the timeline does.
fn is_telling(action: &str) -> bool {
    TELLING.contains(&action) || Event::ALL.iter().any(|event| event.name() == action)
}

/// Holds what the report says against the entries that it proves. Lines of its timeline that are
/// younger than these are taken as they stand, as far as they say all that it makes of them.
pub(super) fn figures(report: &Value, held: &Held<'_>, verdict: &mut ReportVerdict) {
    let mut entries: Vec<Entry> =
        held.entries.iter().filter(|entry| is_of_run(report, entry)).cloned().collect();
    let signed: Vec<&Value> = lines(report)
        .iter()
        .filter(|line| place_of(line).is_some_and(|seq| seq < held.size))
        .collect();
    let told = serde_json::to_value(timeline::entries(&entries)).unwrap_or_default();
    verdict.hold("timeline", json!(signed) == told && is_in_order(report));
    let unproven: Vec<&Value> = younger(report, held.size).collect();
    if !unproven.is_empty() {
        verdict.note(ReportNote::Younger { count: unproven.len() });
    }
    let run = report["header"]["run"].as_str().and_then(|run| RunId::parse(run).ok());
    let as_shown = |line: &&Value| Some(TimelineEntry::deserialize(*line).ok()?.into_entry(run?));
    let Some(shown) = unproven.iter().map(as_shown).collect::<Option<Vec<Entry>>>() else {
        verdict.hold("timeline", false);
        return;
    };
    let is_whole = !shown.iter().any(|entry| is_telling(&entry.action));
    entries.extend(shown);
    of_header(report, &entries, verdict);
    verdict.hold("life of the run", run.is_some_and(|run| replay(&entries, run).is_ok()));
    if is_whole {
        rebuilt::hold(report, &entries, verdict);
    }
}

fn is_in_order(report: &Value) -> bool {
    lines(report).windows(2).all(|pair| place_of(&pair[0]) < place_of(&pair[1]))
}

/// Holds where the run stands, and since when.
fn of_header(report: &Value, entries: &[Entry], verdict: &mut ReportVerdict) {
    let header = &report["header"];
    let last = entries.last();
    let phase = last.and_then(|entry| entry.phase_after).map(Phase::name);
    verdict.hold("phase", header["phase"].as_str() == phase);
    verdict.hold("time", header["as_of"].as_str() == last.map(|entry| entry.at.as_str()));
    // The ledger is called after its vault.
    let origin = header["origin"].as_str().unwrap_or_default();
    let vault = origin.rsplit_once('/').map(|(_, vault)| vault);
    verdict.hold("vault", header["vault"].as_str() == vault);
}

/// Says what was held against nothing, because no ledger was given.
pub(super) fn without_ledger(report: &Value, size: u64, verdict: &mut ReportVerdict) {
    let is_unknown = |line: &Value| line["action"].as_str().is_none_or(is_telling);
    if younger(report, size).any(is_unknown) {
        verdict.note(ReportNote::NotMadeAgain);
    }
    verdict.note(ReportNote::Unheld);
}

/// Holds it against the whole ledger: which entries of the run are left out, what its youngest lines
/// say, who asked for its values, and whether the run has gone on.
pub(super) fn in_ledger(report: &Value, all: &[Entry], verdict: &mut ReportVerdict) {
    let (last, size) = (last_told(report), size_of(report));
    let ours = || all.iter().filter(|entry| is_of_run(report, entry));
    // What the checkpoint signs was there when the report was made, also behind its last line.
    let end = size.max(last.saturating_add(1));
    for entry in ours().filter(|entry| entry.seq < end) {
        if !lines(report).iter().any(|line| place_of(line) == Some(entry.seq)) {
            verdict.add(ReportFinding::LeftOut { seq: entry.seq });
        }
    }
    let told: Vec<Entry> = ours().filter(|entry| entry.seq < end).cloned().collect();
    let known = serde_json::to_value(timeline::entries(&told)).unwrap_or_default();
    let known = known.as_array().map(Vec::as_slice).unwrap_or_default();
    verdict.hold("timeline", lines(report).iter().all(|line| known.contains(line)));
    if younger(report, size).next().is_some() {
        of_header(report, &told, verdict);
        rebuilt::hold(report, &told, verdict);
    }
    verdict.hold("access", is_asked(report, all, size));
    let later = ours().filter(|entry| entry.seq >= end && entry.action != ISSUED).count();
    if later > 0 {
        verdict.note(ReportNote::GoneOn { count: later });
    }
}

/// Whether the report says who asked for its values as the entries do that its checkpoint signs.
fn is_asked(report: &Value, all: &[Entry], size: u64) -> bool {
    let list = |at: &str| report.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
    let (declared, columns) = (list("/access"), list("/scope/columns"));
    let mut usage: BTreeMap<String, Usage> = BTreeMap::new();
    for entry in all.iter().filter(|entry| entry.seq < size) {
        Usage::add(&mut usage, entry.clone());
    }
    let is_used = |line: &Value| {
        let used = line["name"].as_str().and_then(|name| usage.get(name)).cloned();
        line["used"] == json!(used.unwrap_or_default())
    };
    let is_declared = |name: &str| declared.iter().any(|line| line["name"] == name);
    let is_ours = |domain: &str| columns.iter().any(|column| column["domain"] == domain);
    let beyond: Vec<Value> = usage
        .iter()
        .filter(|(name, _)| !is_declared(name))
        .filter_map(|(name, used)| {
            let of_run = used.domains.iter().filter(|(domain, _)| is_ours(domain));
            let domains: BTreeMap<&String, &u64> = of_run.collect();
            (!domains.is_empty()).then(|| json!({ "purpose": name, "domains": domains }))
        })
        .collect();
    declared.iter().all(is_used) && report["access_beyond"] == Value::from(beyond)
}

/// The entry that issued a report of this run as it stood then, where that was another one than this.
///
/// It answers only where equal bytes would have been written: nothing came to the ledger between what
/// this report knows and that entry, the same version made both, nothing was at work on the run, and no
/// anchor could be told of a checkpoint in between.
pub(super) fn issued_instead(report: &Value, json: Digest, all: &[Entry]) -> Option<u64> {
    let header = &report["header"];
    let size = size_of(report);
    let end = size.max(last_told(report).saturating_add(1));
    let entry = all.iter().find(|entry| entry.seq == end)?;
    let anchors = header["anchors"].as_array()?;
    let is_at_rest = header["phase"].as_str().and_then(Phase::from_name).is_some_and(is_at_rest);
    let issued = entry.details.get("json_sha256").and_then(Value::as_str)?;
    let is_other = entry.action == ISSUED
        && is_of_run(report, entry)
        && is_at_rest
        && header["tool"] == entry.tool.as_str()
        && anchors.iter().all(|anchor| anchor["size"].as_u64() == Some(size))
        && issued != json.to_string();
    is_other.then_some(entry.seq)
}

/// Whether the rows of a run stay as they are until an entry says otherwise.
fn is_at_rest(phase: Phase) -> bool {
    match phase {
        Phase::Planned | Phase::Verified | Phase::Purged | Phase::Closed | Phase::RolledBack => {
            true
        }
        Phase::Approved
        | Phase::BackedUp
        | Phase::Sealed
        | Phase::Rewritten
        | Phase::PurgeApproved
        | Phase::RollingBack => false,
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
