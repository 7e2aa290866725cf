//! What several runs have in common, each thing once; and where evidence is missing.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::Control;
use super::evidence::PeriodEvidence;
use crate::lifecycle::{Phase, RunId};
use crate::report::access::KeyLine;
use crate::report::{ControlLine, Report, RiskKind, Support};
use crate::words::{counted, duration};

/// One exception or residual risk, and the runs that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SharedRisk {
    /// Whether somebody chose it.
    pub kind: RiskKind,
    /// What it is about.
    pub about: String,
    /// What it is.
    pub statement: String,
    /// The runs.
    #[schemars(with = "Vec<String>")]
    pub runs: Vec<RunId>,
}

/// One control of one rule, over all runs that were not rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SharedControl {
    /// The rule: `GDPR`, `PCI DSS 4.0.1`.
    pub rule: &'static str,
    /// Which part of it.
    pub control: &'static str,
    /// What it asks for, as far as this evidence can speak to it.
    pub asks: &'static str,
    /// How far the evidence of all runs supports it: as far as that of each.
    pub support: Support,
    /// Runs whose evidence supports it.
    pub supported_by: u64,
    /// Runs that it was asked of.
    pub runs: u64,
    /// What is missing, and in which runs.
    pub missing: BTreeMap<String, Vec<String>>,
    /// The sections of the report that hold the evidence, by their anchors.
    pub sections: Vec<&'static str>,
    /// The entries of the ledger that hold it; `proofs` shows that they are there.
    pub entries: Vec<u64>,
}

/// Something that the evidence does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GapLine {
    /// What kind of gap.
    pub kind: GapKind,
    /// What it is.
    pub statement: String,
    /// The entry that it follows, where it follows one.
    pub after: Option<u64>,
}

/// A kind of gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// Heartbeats were missed.
    Silence,
    /// Nobody watches: there is no heartbeat in the period.
    Unwatched,
    /// Recorded requests are gone or were changed.
    Altered,
    /// The clock was put back.
    Clock,
    /// Entries that no place outside the vault was told of.
    Unanchored,
    /// Entries that no checkpoint signs yet.
    Unsigned,
}

impl GapKind {
    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Silence => "heartbeats missed",
            Self::Unwatched => "nobody watched",
            Self::Altered => "requests altered",
            Self::Clock => "clock put back",
            Self::Unanchored => "not anchored",
            Self::Unsigned => "not signed",
        }
    }
}

pub(super) fn gaps(evidence: &PeriodEvidence) -> Vec<GapLine> {
    let ledger = &evidence.told.ledger;
    let mut gaps = Vec::new();
    let mut add = |kind, statement: String, after| gaps.push(GapLine { kind, statement, after });
    for line in &ledger.altered {
        let what = line.action.replace('_', " ");
        add(GapKind::Altered, format!("entry {} says `{what}`", line.seq), Some(line.seq));
    }
    for silence in &ledger.silences {
        let (from, until) = (&silence.from, &silence.until);
        let took = duration(silence.millis);
        add(
            GapKind::Silence,
            format!("no entry for {took}, from {from} to {until}, where heartbeats were expected"),
            Some(silence.after),
        );
    }
    if ledger.entries > 0 && ledger.heartbeats == 0 {
        let statement = "the period has no heartbeat: a time without entries says nothing";
        add(GapKind::Unwatched, statement.to_owned(), None);
    }
    for seq in &ledger.clock_went_back {
        let statement = format!("entry {seq} is a minute or more older than the one before it");
        add(GapKind::Clock, statement, Some(*seq));
    }
    let anchored = evidence.anchors.iter().map(|anchor| anchor.size).max().unwrap_or(0);
    if let Some(last) = ledger.last.filter(|last| *last >= anchored) {
        let first = ledger.first.unwrap_or(0).max(anchored);
        let statement =
            format!("entries {first} to {last} were told to no anchor outside the vault");
        add(GapKind::Unanchored, statement, None);
    }
    if evidence.younger > 0 {
        let entries = counted(evidence.younger, "entry is", "entries are");
        let statement = format!("{entries} younger than the checkpoint, and not told of here");
        add(GapKind::Unsigned, statement, None);
    }
    gaps
}

/// The keys of all runs, each once.
pub(super) fn keys(reports: &[Report]) -> Vec<KeyLine> {
    let keys: BTreeMap<u32, &KeyLine> =
        reports.iter().flat_map(|report| &report.keys).map(|key| (key.id, key)).collect();
    keys.into_values().cloned().collect()
}

/// The risks of all runs, each once; what somebody chose comes first.
pub(super) fn risks(reports: &[Report]) -> Vec<SharedRisk> {
    let mut shared: Vec<SharedRisk> = Vec::new();
    for (report, risk) in reports.iter().flat_map(|it| it.risks.iter().map(move |risk| (it, risk)))
    {
        let known = shared.iter_mut().find(|known| {
            known.kind == risk.kind
                && known.about == risk.about
                && known.statement == risk.statement
        });
        match known {
            Some(known) => known.runs.push(report.header.run),
            None => shared.push(SharedRisk {
                kind: risk.kind,
                about: risk.about.clone(),
                statement: risk.statement.clone(),
                runs: vec![report.header.run],
            }),
        }
    }
    for risk in &mut shared {
        risk.runs.dedup();
    }
    shared.sort_by_key(|risk| risk.kind == RiskKind::Residual);
    shared
}

/// The controls of all runs that were not rolled back.
pub(super) fn controls(reports: &[Report]) -> Vec<SharedControl> {
    let standing = reports.iter().filter(|report| report.header.phase != Phase::RolledBack);
    let mut lines: Vec<((&str, &str), Vec<Control<'_>>)> = Vec::new();
    for (report, line) in standing.flat_map(|it| it.controls.iter().map(move |line| (it, line))) {
        let key = (line.rule, line.control);
        match lines.iter_mut().find(|(known, _)| *known == key) {
            Some((_, of)) => of.push((report, line)),
            None => lines.push((key, vec![(report, line)])),
        }
    }
    // The lines of a rule stand together, whichever run brought it.
    let rules: Vec<&str> = lines.iter().map(|((rule, _), _)| *rule).collect();
    lines.sort_by_key(|((rule, _), _)| rules.iter().position(|known| known == rule));
    lines.iter().filter_map(|(_, of)| together(of)).collect()
}

fn together(of: &[Control<'_>]) -> Option<SharedControl> {
    let (_, first): &(_, &ControlLine) = of.first()?;
    let worst = of.iter().map(|(_, line)| line.support).max()?;
    let all_not_yet = of.iter().all(|(_, line)| line.support == Support::NotYet);
    let mut missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (report, line) in of {
        for what in &line.missing {
            let runs = missing.entry(what.clone()).or_default();
            let run = report.header.run.to_string();
            if !runs.contains(&run) {
                runs.push(run);
            }
        }
    }
    let mut sections: Vec<&'static str> = Vec::new();
    for anchor in of.iter().flat_map(|(_, line)| &line.sections).map(|anchor| section(anchor)) {
        if !sections.contains(&anchor) {
            sections.push(anchor);
        }
    }
    let entries: BTreeSet<u64> =
        of.iter().flat_map(|(_, line)| line.entries.iter().copied()).collect();
    Some(SharedControl {
        rule: first.rule,
        control: first.control,
        asks: first.asks,
        support: if worst == Support::NotYet && !all_not_yet { Support::Partly } else { worst },
        supported_by: of.iter().filter(|(_, line)| line.support == Support::Supports).count()
            as u64,
        runs: of.len() as u64,
        missing,
        sections,
        entries: entries.into_iter().collect(),
    })
}

/// Where the evidence of a section of a run's report stands in this one.
fn section(anchor: &str) -> &'static str {
    match anchor {
        "scope" | "coverage" | "plan" | "leakage" => "columns",
        "counts" | "verification" => "totals",
        "certificate" | "originals" => "purges",
        "approvals" => "approvals",
        "keys" => "keys",
        "access" => "access",
        "timeline" => "ledger",
        "verify" => "verify",
        _ => "runs",
    }
}
