//! What the entries of a run say of it: the part of [`Evidence`](super::Evidence) that the ledger alone
//! gives.
//!
//! Whoever makes a report asks here, and so does whoever checks one: what was counted, opened, found
//! and purged is read in this one place.

use std::collections::BTreeMap;

use super::certificate::VaultCopyLine;
use super::elsewhere::ElsewhereLine;
use super::evidence::{BackupFate, PurgeFacts, PurgeStep, StructureFacts, UncoveredCopy, UnitFact};
use crate::ledger::{self, CopyFact, Entry, NamedBy};
use crate::lifecycle::{Event, Phase};
use crate::policy::ColumnName;
use crate::residue::ScanReport;

/// The action of the entry of the positive control.
const CONTROL: &str = "residue_control";

/// What the entries of a run say of it. Each field means what the field of
/// [`Evidence`](super::Evidence) with its name does.
#[derive(Debug, Clone)]
pub struct LedgerFacts {
    /// The rewrite's counts by name.
    pub counts: BTreeMap<String, u64>,
    /// The same counts for each unit of the plan.
    pub units: Vec<UnitFact>,
    /// Cells that the last verification opened, by column.
    pub opened: BTreeMap<String, u64>,
    /// The last verification's counts by name.
    pub verification: BTreeMap<String, u64>,
    /// The residue scan before the purge.
    pub residue_before: Option<ScanReport>,
    /// The same scan after it.
    pub residue_after: Option<ScanReport>,
    /// Hits of a purge that found residue and stopped.
    pub residue_left: u64,
    /// What the purge did; `None` before it has ended.
    pub purge: Option<PurgeFacts>,
}

impl LedgerFacts {
    /// Reads the entries of a run that stands in this phase.
    #[must_use]
    pub fn of(entries: &[Entry], phase: Phase) -> Self {
        let facts = ledger::PurgeFacts::of(entries);
        let stopped = ledger::PurgeFacts::of_residue(entries);
        let verified = last(entries, &[Event::Verified, Event::Mismatch]);
        let rewritten = last(entries, &[Event::Rewritten]);
        let counts = |entry: Option<&Entry>| entry.map(|it| it.counts.clone()).unwrap_or_default();
        let control = entries.iter().rfind(|entry| entry.action == CONTROL);
        let kept = last(entries, &[Event::Purged])
            .and_then(|entry| entry.details.get("backup_kept_until")?.as_str().map(str::to_owned));
        let is_past = matches!(phase, Phase::Purged | Phase::Closed);
        Self {
            counts: counts(rewritten),
            units: rewritten.map(units).unwrap_or_default(),
            opened: verified.and_then(opened).unwrap_or_default(),
            verification: counts(verified),
            residue_before: control.and_then(|entry| {
                serde_json::from_value(entry.details.get("report")?.clone()).ok()
            }),
            residue_after: facts.as_ref().or(stopped.as_ref()).map(|facts| facts.after.clone()),
            residue_left: stopped.as_ref().map_or(0, ledger::PurgeFacts::residue),
            purge: facts.filter(|_| is_past).map(|facts| purged(facts, kept)),
        }
    }
}

/// The newest entry of one of these events.
fn last<'e>(entries: &'e [Entry], events: &[Event]) -> Option<&'e Entry> {
    entries.iter().rfind(|entry| events.iter().any(|event| event.name() == entry.action))
}

/// What the rewrite counted in each unit of the plan.
fn units(rewritten: &Entry) -> Vec<UnitFact> {
    let units = rewritten.details.get("units").and_then(|units| units.as_object());
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

/// What a verification opened, by column.
fn opened(verified: &Entry) -> Option<BTreeMap<String, u64>> {
    serde_json::from_value(verified.details.get("columns")?.clone()).ok()
}

fn purged(facts: ledger::PurgeFacts, kept: Option<String>) -> PurgeFacts {
    PurgeFacts {
        steps: facts
            .steps
            .into_iter()
            .map(|step| PurgeStep {
                name: step.step,
                outcome: step.outcome,
                falls_short: step.falls_short,
                started_at: step.started_at,
                finished_at: step.finished_at,
            })
            .collect(),
        statements: BTreeMap::new(),
        uncovered_copies: facts
            .uncovered
            .into_iter()
            .filter_map(|(column, cells)| {
                let column = ColumnName::parse(&column).ok()?;
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
        elsewhere: facts.elsewhere.into_iter().map(copy_line).collect(),
    }
}

/// A copy elsewhere, with how it is known in words.
fn copy_line(copy: CopyFact) -> ElsewhereLine {
    let named = copy.named.map(|by| match by {
        NamedBy::Policy => "named in the policy",
        NamedBy::Purge => "named by who purged",
    });
    let known = match (named, &copy.shown) {
        (Some(named), Some(shown)) => format!("{named}; the server shows it: {shown}"),
        (Some(named), None) => format!("{named}; the source cannot know of it"),
        (None, shown) => format!("the server shows it: {}", shown.as_deref().unwrap_or_default()),
    };
    let CopyFact { kind, name, owner, expires, .. } = copy;
    ElsewhereLine { kind: kind.name().to_owned(), name, owner, expires, known }
}
