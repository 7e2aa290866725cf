//! The report of a run, made again from its entries as far as they go, and held against the one that was
//! handed over.
//!
//! What no entry speaks of is taken from the report itself, so that each part is held as a whole. The
//! code that concludes here is the code that concludes where a report is made.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{ReportNote, ReportVerdict, approvals};
use crate::ledger::{ApprovalKind, Entry};
use crate::lifecycle::Event;
use crate::policy::TokenKind;
use crate::report::certificate::Certificate;
use crate::report::counts::{Reconciliation, VerificationPart, parts_of};
use crate::report::elsewhere::OWN_BACKUP;
use crate::report::grounds::{Grounds, OUTSIDE, PlanFigures};
use crate::report::summary::Summary;
use crate::report::{
    ApprovalFact, CheckFact, Condition, LedgerFacts, QuarantineCause, QuarantineFact,
    QuarantineState, RowDigest, SegmentFact, UnitFact, header, rehearsals, scope, stages, timeline,
};

/// The action of the entry that begins a run.
const PLANNED: &str = "planned";
/// The action of the entry of a check that holds.
const CHECK_HELD: &str = "check_held";
/// How the checks are called that the engine makes by itself; a report does not list them.
const ENGINES: &str = "sealift: ";
/// The action of the entry of a row in quarantine that somebody accepted.
const WAIVED: &str = "quarantine_waived";

/// What this version makes reports as.
const TOOL: &str = concat!("sealift ", env!("CARGO_PKG_VERSION"));

/// The parts that are made again, and where they stand.
const PARTS: [(&str, &str); 10] = [
    ("condition", "/header/condition"),
    ("steps", "/header/steps"),
    ("summary", "/summary"),
    ("counts", "/counts"),
    ("verification", "/verification"),
    ("certificate", "/certificate"),
    ("document", "/plan/document"),
    ("rehearsals", "/rehearsals"),
    ("stages", "/stages"),
    ("commands", "/how_to_verify"),
];

/// What of them is held where another version made the report: its sentences may have been others.
const LASTING: [(&str, &str); 21] = [
    ("condition", "/header/condition"),
    ("steps", "/header/steps"),
    ("summary", "/summary/verdict"),
    ("summary", "/summary/tone"),
    ("summary", "/summary/is_finished"),
    ("counts", "/counts/reconciles"),
    ("counts", "/counts/equation"),
    ("counts", "/counts/rows"),
    ("counts", "/counts/cells"),
    ("verification", "/verification/passed"),
    ("verification", "/verification/opened"),
    ("verification", "/verification/mismatches"),
    ("verification", "/verification/counts"),
    ("verification", "/verification/checks"),
    ("certificate", "/certificate/status"),
    ("certificate", "/certificate/word"),
    ("certificate", "/certificate/scan_before"),
    ("certificate", "/certificate/scan_after"),
    ("certificate", "/certificate/uncovered_copies"),
    ("certificate", "/certificate/vault_copies"),
    ("document", "/plan/document"),
];

/// What the report says and no entry does.
struct Own {
    source: String,
    key: String,
    owner: Option<String>,
    purge_needs: u64,
    approvals: Vec<ApprovalFact>,
    quarantine: Vec<QuarantineFact>,
    checks: Vec<CheckFact>,
    segments: Vec<SegmentFact>,
    plan: PlanFigures,
}

/// Holds the report of a run against all the entries of the run that it tells of.
pub(super) fn hold(report: &Value, entries: &[Entry], verdict: &mut ReportVerdict) {
    let Some(own) = Own::read(report) else {
        verdict.hold("shape", false);
        return;
    };
    let Some((facts, made)) = made(&own, entries) else {
        verdict.hold("phase", false);
        return;
    };
    let tool = report["header"]["tool"].as_str().unwrap_or_default();
    let parts: &[(&'static str, &str)] = if tool == TOOL { &PARTS } else { &LASTING };
    for (part, at) in parts.iter().copied() {
        verdict.hold(part, report.pointer(at) == made.pointer(at));
    }
    if tool != TOOL {
        verdict.note(ReportNote::OtherVersion { tool: tool.to_owned() });
    }
    verdict.hold("verification", are_all_checks(&own.checks, entries));
    verdict.hold("segments", has_sealed(&own.segments, entries));
    verdict.hold("quarantine", are_waived(&own.quarantine, entries));
    verdict.hold("scope", is_in_scope(report, &facts.opened));
    verdict.hold("coverage", is_covered(report, &facts.units));
    of_plan(report, entries, verdict);
    approvals::hold(report, &own.approvals, entries, verdict);
}

/// What these entries come to, in the shape of a report.
fn made(own: &Own, entries: &[Entry]) -> Option<(LedgerFacts, Value)> {
    let last = entries.last()?;
    let (run, phase) = (last.run?, last.phase_after?);
    let facts = LedgerFacts::of(entries, phase);
    let checks = checks(&own.checks, entries);
    let grounds = Grounds {
        run,
        source: &own.source,
        phase,
        condition: condition(entries),
        entries,
        counts: &facts.counts,
        verification: &facts.verification,
        residue_before: facts.residue_before.as_ref(),
        residue_after: facts.residue_after.as_ref(),
        residue_left: facts.residue_left,
        purge: facts.purge.as_ref(),
        approvals: &own.approvals,
        quarantine: &own.quarantine,
        checks: &checks,
        segments: &own.segments,
        owner: own.owner.as_deref(),
        purge_needs: own.purge_needs,
        plan: &own.plan,
    };
    let counts = Reconciliation::of(&grounds);
    let verification = VerificationPart::of(&grounds);
    let certificate = Certificate::of(&grounds, &counts, &verification);
    let made = json!({
        "header": { "condition": grounds.condition, "steps": header::steps(entries, phase) },
        "summary": Summary::of(&grounds, &counts, &verification, &certificate),
        "counts": counts,
        "verification": verification,
        "certificate": certificate,
        "plan": { "document": scope::document(entries) },
        "rehearsals": rehearsals(entries),
        "stages": stages::list(entries, grounds.purge),
        "how_to_verify": timeline::how_to_verify(run, &own.key),
    });
    Some((facts, made))
}

/// What holds the run: each step ends a failure, and few of them a pause.
fn condition(entries: &[Entry]) -> Option<Condition> {
    let mut held: Option<Condition> = None;
    for entry in entries {
        held = match entry.action.as_str() {
            "paused" => Some(Condition::Paused),
            "failed" => Some(Condition::Failed),
            "resumed" => None,
            action => match Event::ALL.into_iter().find(|event| event.name() == action) {
                Some(event) => held.filter(|it| *it == Condition::Paused && !event.ends_a_pause()),
                None => held,
            },
        };
    }
    held
}

/// The checks that the report names, each as the entries have it.
fn checks(own: &[CheckFact], entries: &[Entry]) -> Vec<CheckFact> {
    let holds = |name: &str| {
        let is_held = |entry: &Entry| {
            entry.action == CHECK_HELD
                && checked(entry) == Some(name)
                && entry.details.get("moment").is_some_and(|moment| moment != "before")
        };
        entries.iter().any(is_held).then_some(true)
    };
    own.iter().map(|it| CheckFact { name: it.name.clone(), holds: holds(&it.name) }).collect()
}

/// Whether the report names each check of the steward's that was held.
fn are_all_checks(own: &[CheckFact], entries: &[Entry]) -> bool {
    let held = entries.iter().filter(|entry| entry.action == CHECK_HELD).filter_map(checked);
    held.filter(|name| !name.starts_with(ENGINES)).all(|name| own.iter().any(|it| it.name == name))
}

fn checked(entry: &Entry) -> Option<&str> {
    entry.object.strip_prefix("check ")
}

/// Whether the segment that was sealed is among those of the report. Those of values that came later
/// have no entry of their own.
fn has_sealed(own: &[SegmentFact], entries: &[Entry]) -> bool {
    let Some(sealed) = entries.iter().rfind(|entry| entry.action == Event::Sealed.name()) else {
        return true;
    };
    let count = |name: &str| sealed.counts.get(name).copied();
    let root = sealed.details.get("root").and_then(Value::as_str);
    own.iter().any(|segment| {
        Some(u64::from(segment.number)) == count("segment")
            && Some(segment.entries) == count("entries")
            && segment.root.map(|root| root.to_string()).as_deref() == root
    })
}

/// Whether the rows that the report shows as accepted are those that the entries name, each with who
/// did.
fn are_waived(own: &[QuarantineFact], entries: &[Entry]) -> bool {
    let mut shown: Vec<(&str, &str)> = own
        .iter()
        .filter_map(|fact| match &fact.state {
            QuarantineState::Waived { by } => Some((fact.row.as_str(), by.as_str())),
            QuarantineState::Waiting | QuarantineState::Replayed => None,
        })
        .collect();
    let mut told: Vec<(&str, &str)> = entries
        .iter()
        .filter(|entry| entry.action == WAIVED)
        .flat_map(|entry| {
            let rows = entry.details.get("rows").and_then(Value::as_array);
            let rows = rows.into_iter().flatten().filter_map(Value::as_str);
            rows.map(move |row| (row, entry.actor.as_str()))
        })
        .collect();
    shown.sort_unstable();
    told.sort_unstable();
    shown == told
}

/// Whether each column shows what was verified of it.
fn is_in_scope(report: &Value, opened: &BTreeMap<String, u64>) -> bool {
    lines(&report["scope"]["columns"]).iter().all(|line| {
        let verified = line["column"].as_str().and_then(|column| opened.get(column));
        line["verified"].as_u64() == verified.copied()
            && (verified.is_some() || line["verified"].is_null())
    })
}

/// Whether the tables that were counted show what the rewrite counted in each unit of the plan.
fn is_covered(report: &Value, units: &[UnitFact]) -> bool {
    let mut shown: Vec<Vec<Option<u64>>> = lines(&report["coverage"])
        .iter()
        .filter(|line| line["is_counted"] == true)
        .map(|line| {
            let parts = lines(&line["parts"]).iter().map(|part| part["cells"].as_u64());
            [line["rows"].as_u64(), line["cells"].as_u64()].into_iter().chain(parts).collect()
        })
        .collect();
    let mut told: Vec<Vec<Option<u64>>> = units
        .iter()
        .map(|unit| {
            let count = |name: &str| unit.counts.get(name).copied().unwrap_or_default();
            let parts = parts_of(count).into_iter().map(|part| Some(part.cells));
            [Some(count("rows")), Some(count("cells"))].into_iter().chain(parts).collect()
        })
        .collect();
    shown.sort();
    told.sort();
    shown == told
}

/// Holds what the entry of the plan says of it.
fn of_plan(report: &Value, entries: &[Entry], verdict: &mut ReportVerdict) {
    let Some(planned) = entries.iter().rfind(|entry| entry.action == PLANNED) else { return };
    let header = &report["header"];
    if let Some(source) = planned.details.get("source") {
        verdict.hold("source", header["source"] == *source);
    }
    if let Some(policy) = &planned.policy {
        verdict.hold("policy", header["policy_hash"] == policy.as_str());
    }
    if let Some(columns) = planned.counts.get("columns") {
        let scope = &report["scope"];
        let shown = lines(&scope["columns"]).len() + lines(&scope["missing"]).len();
        verdict.hold("scope", shown as u64 == *columns);
    }
}

fn lines(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

impl Own {
    /// Takes it out of a report; `None` where the report has not the shape that it names.
    fn read(report: &Value) -> Option<Self> {
        let verification = &report["verification"];
        Some(Self {
            source: text(&report["header"], "source")?,
            key: text(&report["header"], "key_fingerprint")?,
            owner: owner(report),
            purge_needs: report["approvals"]["purge_required"].as_u64()?,
            approvals: all(&report["approvals"]["signatures"], signature)?,
            quarantine: all(&report["counts"]["quarantine"], quarantined)?,
            checks: Vec::deserialize(&verification["checks"]).ok()?,
            segments: Vec::deserialize(&verification["segments"]).ok()?,
            plan: plan(report)?,
        })
    }
}

fn text(object: &Value, name: &str) -> Option<String> {
    object[name].as_str().map(str::to_owned)
}

fn all<T>(list: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    list.as_array()?.iter().map(read).collect()
}

/// Who answers for the data, where the backup of the run is kept.
fn owner(report: &Value) -> Option<String> {
    let copies = lines(&report["certificate"]["elsewhere"]);
    text(copies.iter().find(|copy| copy["name"] == OWN_BACKUP)?, "owner")
}

fn signature(line: &Value) -> Option<ApprovalFact> {
    let kinds = [ApprovalKind::Plan, ApprovalKind::Purge];
    Some(ApprovalFact {
        kind: kinds.into_iter().find(|kind| line["kind"] == kind.name())?,
        caller: text(line, "caller")?,
        digest: text(line, "digest")?,
        signed_at: text(line, "signed_at")?,
    })
}

fn quarantined(line: &Value) -> Option<QuarantineFact> {
    // No row has more cells than this, and sums of them do not run over.
    let cells = u32::try_from(line["cells"].as_u64()?).ok()?;
    Some(QuarantineFact {
        row: RowDigest::parse(line["row"].as_str()?).ok()?,
        cause: QuarantineCause::deserialize(&line["cause"]).ok()?,
        cells: u64::from(cells),
        state: match line["state"].as_str()? {
            "waiting" => QuarantineState::Waiting,
            "replayed" => QuarantineState::Replayed,
            "waived" => QuarantineState::Waived { by: text(line, "waived_by")? },
            _ => return None,
        },
    })
}

fn plan(report: &Value) -> Option<PlanFigures> {
    let columns = report["scope"]["columns"].as_array()?;
    let limits = report["summary"]["limits"].as_array()?;
    let mut said = limits.iter().filter_map(Value::as_str);
    let add = |sum: u64, column: &Value| sum.checked_add(column["cells"].as_u64()?);
    Some(PlanFigures {
        columns: columns.len() as u64,
        cells: columns.iter().try_fold(0, add)?,
        tokens: columns
            .iter()
            .map(|column| TokenKind::deserialize(&column["token"]).ok())
            .collect::<Option<_>>()?,
        is_blocked: report["plan"]["blocks"].as_u64()? > 0,
        outside: said.find(|limit| limit.ends_with(OUTSIDE)).map(str::to_owned),
    })
}
