//! The runs of a period: where each stands, what they moved together, their purges and signatures.

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::PeriodEvidence;
use crate::ledger::Entry;
use crate::lifecycle::{Event, Phase, RunId};
use crate::report::counts::{CountPart, parts_of};
use crate::report::{
    BackupFate, CertificateStatus, Condition, CopyLine, Evidence, Report, Tone, VaultCopyLine,
};

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunLine {
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// The source, as the policy calls it.
    pub source: String,
    /// Where it stood at the end of the period.
    pub phase: Phase,
    /// What held it there, where something did.
    pub condition: Option<Condition>,
    /// How it stands, in the words of its own report.
    pub verdict: &'static str,
    /// How that is to be taken.
    pub tone: Tone,
    /// When it was planned.
    pub planned_at: Option<String>,
    /// By whom.
    pub planned_by: Option<String>,
    /// When its last entry was written.
    pub last_at: Option<String>,
    /// How many entries it has.
    pub entries: u64,
    /// SHA-256 of its policy file.
    pub policy_hash: String,
    /// Its columns in scope.
    pub columns: u64,
    /// Whether its cells add up; null before they were counted.
    pub reconciles: Option<bool>,
    /// Rows that were visited.
    pub rows: u64,
    /// Cells that were visited.
    pub cells: u64,
    /// What became of them.
    pub parts: Vec<CountPart>,
    /// Whether its last verification passed; null before the first.
    pub passed: Option<bool>,
    /// Cells whose token was opened and compared.
    pub opened: u64,
    /// Cells that did not open to their original.
    pub mismatches: u64,
    /// Values that a rollback put back.
    pub restored: u64,
}

/// How many runs stand somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StateLine {
    /// Where.
    pub phase: Phase,
    /// How many runs.
    pub runs: u64,
    /// How many of them are paused or have failed.
    pub held: u64,
    /// Cells of theirs that got a token.
    pub tokenized: u64,
}

/// What became of the cells of all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    /// How many runs.
    pub runs: u64,
    /// How many of them have counted their cells.
    pub counted: u64,
    /// Whether every one that has counted adds up; null where none has.
    pub reconciles: Option<bool>,
    /// Rows that were visited.
    pub rows: u64,
    /// Cells that were visited.
    pub cells: u64,
    /// What became of them.
    pub parts: Vec<CountPart>,
    /// Cells whose token was opened and compared.
    pub opened: u64,
    /// Cells that did not open to their original.
    pub mismatches: u64,
    /// Values that rollbacks put back.
    pub restored: u64,
}

/// A purge, and what its certificate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PurgeLine {
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// The source.
    pub source: String,
    /// When its originals were gone; null where residue was found, and it is not purged.
    pub at: Option<String>,
    /// Who purged.
    pub by: Option<String>,
    /// The entry that says so.
    pub entry: Option<u64>,
    /// The outcome.
    pub status: CertificateStatus,
    /// The outcome as readers see it.
    pub word: &'static str,
    /// The outcome in a sentence.
    pub statement: String,
    /// Originals that the scan before found; null without one.
    pub found_before: Option<u64>,
    /// Originals that the scan after found; null without one.
    pub found_after: Option<u64>,
    /// Until when the encrypted backup is kept; null where it is destroyed.
    pub backup_kept_until: Option<String>,
    /// What was not covered, a sentence each.
    pub not_covered: Vec<String>,
    /// Why a zero would not be evidence.
    pub doubts: Vec<String>,
    /// In-scope values in columns outside the policy.
    pub uncovered_copies: Vec<CopyLine>,
    /// Originals that later scans of the run found in its own columns.
    pub came_back: Vec<CopyLine>,
    /// Copies of the vault from between the plan and the end of the purge.
    pub vault_copies: Vec<VaultCopyLine>,
}

/// One signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SignatureLine {
    /// The run.
    #[schemars(with = "String")]
    pub run: RunId,
    /// What was signed: `plan` or `purge`.
    pub kind: &'static str,
    /// Who signed.
    pub caller: String,
    /// When.
    pub signed_at: String,
    /// The plan's fingerprint or the verified digest.
    pub digest: String,
}

pub(super) fn lines(evidence: &PeriodEvidence, reports: &[Report]) -> Vec<RunLine> {
    evidence.runs.iter().zip(reports).map(|(evidence, report)| line(evidence, report)).collect()
}

fn line(evidence: &Evidence, report: &Report) -> RunLine {
    let planned = evidence.entries.iter().find(|entry| entry.action == "planned");
    RunLine {
        run: evidence.run,
        source: evidence.source.clone(),
        phase: evidence.phase,
        condition: evidence.condition,
        verdict: report.summary.verdict,
        tone: report.summary.tone,
        planned_at: planned.map(|entry| entry.at.clone()),
        planned_by: planned.map(|entry| entry.actor.clone()),
        last_at: evidence.entries.last().map(|entry| entry.at.clone()),
        entries: evidence.entries.len() as u64,
        policy_hash: evidence.policy.hash.clone(),
        columns: report.scope.columns.len() as u64,
        reconciles: report.counts.reconciles,
        rows: report.counts.rows,
        cells: report.counts.cells,
        parts: report.counts.parts.clone(),
        passed: report.verification.passed,
        opened: report.verification.opened,
        mismatches: report.verification.mismatches,
        restored: last(evidence, Event::RolledBack)
            .and_then(|entry| entry.counts.get("restored").copied())
            .unwrap_or_default(),
    }
}

fn last(evidence: &Evidence, event: Event) -> Option<&Entry> {
    evidence.entries.iter().rfind(|entry| entry.action == event.name())
}

pub(super) fn states(runs: &[RunLine]) -> Vec<StateLine> {
    let at = |phase: Phase| {
        let there: Vec<&RunLine> = runs.iter().filter(|run| run.phase == phase).collect();
        StateLine {
            phase,
            runs: there.len() as u64,
            held: there.iter().filter(|run| run.condition.is_some()).count() as u64,
            tokenized: there.iter().map(|run| part(run, "tokenized")).sum(),
        }
    };
    Phase::ALL.into_iter().map(at).filter(|line| line.runs > 0).collect()
}

/// Cells of a run that became this.
fn part(run: &RunLine, name: &str) -> u64 {
    run.parts.iter().find(|part| part.name == name).map_or(0, |part| part.cells)
}

impl Totals {
    pub(super) fn of(runs: &[RunLine]) -> Self {
        let sum = |of: &dyn Fn(&RunLine) -> u64| {
            runs.iter().fold(0_u64, |sum, run| sum.saturating_add(of(run)))
        };
        let counted = runs.iter().filter(|run| run.reconciles.is_some()).count() as u64;
        Self {
            runs: runs.len() as u64,
            counted,
            reconciles: (counted > 0).then(|| runs.iter().all(|run| run.reconciles != Some(false))),
            rows: sum(&|run| run.rows),
            cells: sum(&|run| run.cells),
            parts: parts_of(|name| sum(&|run| part(run, name))),
            opened: sum(&|run| run.opened),
            mismatches: sum(&|run| run.mismatches),
            restored: sum(&|run| run.restored),
        }
    }

    /// Cells that became this.
    #[must_use]
    pub fn part(&self, name: &str) -> u64 {
        self.parts.iter().find(|part| part.name == name).map_or(0, |part| part.cells)
    }
}

pub(super) fn purges(evidence: &PeriodEvidence, reports: &[Report]) -> Vec<PurgeLine> {
    let runs = evidence.runs.iter().zip(reports);
    runs.filter(|(_, report)| report.certificate.status != CertificateStatus::NotPurged)
        .map(|(evidence, report)| {
            let certificate = &report.certificate;
            let purged = last(evidence, Event::Purged);
            let kept = evidence.purge.as_ref().map(|purge| &purge.backup);
            PurgeLine {
                run: evidence.run,
                source: evidence.source.clone(),
                at: purged.map(|entry| entry.at.clone()),
                by: purged.map(|entry| entry.actor.clone()),
                entry: purged.map(|entry| entry.seq),
                status: certificate.status,
                word: certificate.word,
                statement: certificate.statement.clone(),
                found_before: certificate
                    .scan_before
                    .as_ref()
                    .map(crate::report::ScanFigures::hits),
                found_after: certificate.scan_after.as_ref().map(crate::report::ScanFigures::hits),
                backup_kept_until: match kept {
                    Some(BackupFate::KeptUntil(until)) => Some(until.clone()),
                    Some(BackupFate::Destroyed) | None => None,
                },
                not_covered: certificate.not_covered.clone(),
                doubts: certificate.doubts.clone(),
                uncovered_copies: certificate.uncovered_copies.clone(),
                came_back: certificate.came_back.clone(),
                vault_copies: certificate.vault_copies.clone(),
            }
        })
        .collect()
}

pub(super) fn signatures(reports: &[Report]) -> Vec<SignatureLine> {
    let of_run = |report: &Report| {
        let run = report.header.run;
        let rows = report.approvals.signatures.clone();
        rows.into_iter().map(move |row| SignatureLine {
            run,
            kind: row.kind,
            caller: row.caller,
            signed_at: row.signed_at,
            digest: row.digest,
        })
    };
    let mut lines: Vec<SignatureLine> = reports.iter().flat_map(of_run).collect();
    lines.sort_by(|one, other| one.signed_at.cmp(&other.signed_at));
    lines
}
