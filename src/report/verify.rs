//! Checking a report that somebody hands over: its proofs, and its figures against the entries.
//!
//! It reads what any report of this shape holds and makes nothing of it. It knows no file and no
//! vault; the ledger comes as an export, where there is one.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::SCHEMA;
use super::timeline;
use crate::ledger::{
    Digest, Entry, Export, ExportError, Finding, Note, ProofBundle, Verdict, replay,
};
use crate::lifecycle::{Event, Phase};

/// The action of the entry that says that a report was issued.
pub const ISSUED: &str = "report_issued";

/// A report as it was handed over.
#[derive(Debug, Clone)]
pub struct HandedReport {
    /// SHA-256 of the file.
    file: Digest,
    /// SHA-256 of the JSON in it.
    json: Digest,
    /// Whether the file is a page, which says more than its JSON.
    is_page: bool,
    report: Value,
    proofs: Option<ProofBundle>,
}

/// Why a file is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandedError {
    /// It holds no JSON of a report.
    #[error("the file holds no report")]
    NoReport,
    /// It is a report of another shape.
    #[error("the report has the shape `{found}`, and this program checks `{SCHEMA}`")]
    OtherShape {
        /// The shape that it names.
        found: String,
    },
    /// What was given beside it cannot be read.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// One thing that is wrong with a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportFinding {
    /// Something is wrong with its proofs, or with the ledger that was given.
    Ledger(Finding),
    /// A part does not say what the entries say.
    Differs {
        /// The part.
        part: &'static str,
    },
    /// An entry of the run stands in the ledger and not in the report.
    LeftOut {
        /// The entry.
        seq: u64,
    },
    /// The entry that says that it was issued names another file.
    OtherFile {
        /// The entry.
        seq: u64,
    },
}

/// What was not checked, or what a reader should know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportNote {
    /// Of the proofs or the ledger.
    Ledger(Note),
    /// The report is older than the first checkpoint: there is nothing to check.
    NoProofs,
    /// No ledger was given.
    NoLedger,
    /// No entry says that this report was issued.
    NotIssued,
    /// The words of a page that was not issued could not be compared with anything.
    WordsUnchecked,
    /// It was issued.
    Issued {
        /// The entry that says so.
        seq: u64,
        /// By whom.
        by: String,
        /// When.
        at: String,
    },
    /// Entries that came after its checkpoint.
    Younger {
        /// How many.
        count: usize,
    },
    /// The ledger has entries of the run that came after the report.
    GoneOn {
        /// How many.
        count: usize,
    },
}

/// What a check of a report came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct ReportVerdict {
    /// What is wrong.
    pub findings: Vec<ReportFinding>,
    /// What was not checked.
    pub notes: Vec<ReportNote>,
    /// Entries that were proven.
    pub entries: usize,
    /// The fingerprint of the key that signs its ledger.
    pub fingerprint: String,
}

impl HandedReport {
    /// Takes a report out of the bytes of a file: JSON, or a page that carries it.
    ///
    /// # Errors
    ///
    /// [`HandedError`] where there is none in it, or one of another shape.
    pub fn read(bytes: &[u8]) -> Result<Self, HandedError> {
        let text = std::str::from_utf8(bytes).map_err(|_| HandedError::NoReport)?;
        let embedded = super::embedded(text);
        let is_page = embedded.is_some();
        let json = embedded.as_deref().unwrap_or(text);
        let report: Value = serde_json::from_str(json).map_err(|_| HandedError::NoReport)?;
        let found = report["schema"].as_str().ok_or(HandedError::NoReport)?;
        if found != SCHEMA {
            return Err(HandedError::OtherShape { found: found.to_owned() });
        }
        let proofs = match &report["proofs"] {
            Value::Null => None,
            proofs => Some(ProofBundle::deserialize(proofs).ok_or(HandedError::NoReport)?),
        };
        Ok(Self {
            file: Digest::of(bytes),
            json: Digest::of(json.as_bytes()),
            is_page,
            report,
            proofs,
        })
    }

    /// Checks the report: against itself, against what the auditor kept, and against `ledger`.
    ///
    /// # Errors
    ///
    /// [`HandedError::Export`] where the key, the checkpoint or the ledger given cannot be read.
    pub fn check(
        &self,
        expected_key: Option<&str>,
        since: Option<&str>,
        ledger: Option<&Export>,
    ) -> Result<ReportVerdict, HandedError> {
        let mut verdict = ReportVerdict::default();
        let Some(proofs) = &self.proofs else {
            verdict.notes.push(ReportNote::NoProofs);
            return Ok(verdict);
        };
        let of_proofs = proofs.check(expected_key, since)?;
        let size = of_proofs.size;
        verdict.fingerprint.clone_from(&of_proofs.fingerprint);
        verdict.entries = proofs.entries.len();
        verdict.take(of_proofs);
        let entries: Vec<Entry> =
            proofs.parsed().into_iter().filter(|entry| self.is_of_run(entry)).collect();
        self.figures(&entries, size, &mut verdict);
        match ledger {
            Some(export) => self.in_ledger(export, proofs, &entries, expected_key, &mut verdict)?,
            None => verdict.notes.push(ReportNote::NoLedger),
        }
        Ok(verdict)
    }

    fn is_of_run(&self, entry: &Entry) -> bool {
        entry.run.is_some_and(|run| self.report["header"]["run"] == run.to_string())
    }

    /// Holds what the report says against the entries that it proves.
    fn figures(&self, entries: &[Entry], size: u64, verdict: &mut ReportVerdict) {
        let report = &self.report;
        let lines = report["timeline"].as_array().cloned().unwrap_or_default();
        let (signed, younger): (Vec<Value>, Vec<Value>) =
            lines.into_iter().partition(|line| line["seq"].as_u64().is_some_and(|seq| seq < size));
        let told = serde_json::to_value(timeline::entries(entries)).unwrap_or_default();
        let mut parts = vec![("timeline", Value::from(signed) == told)];
        if younger.is_empty() {
            let phase = entries.last().and_then(|entry| entry.phase_after).map(Phase::name);
            parts.push(("phase", report["header"]["phase"].as_str() == phase));
            let as_of = entries.last().map(|entry| entry.at.as_str());
            parts.push(("time", report["header"]["as_of"].as_str() == as_of));
        } else {
            verdict.notes.push(ReportNote::Younger { count: younger.len() });
        }
        let last = |actions: &[&str]| {
            entries.iter().rfind(|entry| actions.contains(&entry.action.as_str()))
        };
        if let Some(rewritten) = last(&[Event::Rewritten.name()]) {
            parts.push(("counts", are_counted(&report["counts"], &rewritten.counts)));
        }
        if let Some(verified) = last(&[Event::Verified.name(), Event::Mismatch.name()]) {
            let counts = serde_json::to_value(&verified.counts).unwrap_or_default();
            parts.push(("verification", report["verification"]["counts"] == counts));
        }
        let run = entries.first().and_then(|entry| entry.run);
        parts.push(("life of the run", run.is_some_and(|run| replay(entries, run).is_ok())));
        let key = report["header"]["key_fingerprint"].as_str();
        parts.push(("fingerprint", key == Some(verdict.fingerprint.as_str())));
        let differing = parts.into_iter().filter(|(_, holds)| !holds);
        verdict.findings.extend(differing.map(|(part, _)| ReportFinding::Differs { part }));
    }

    /// Holds it against the whole ledger: is anything left out, was it issued, has the run gone on?
    fn in_ledger(
        &self,
        export: &Export,
        proofs: &ProofBundle,
        entries: &[Entry],
        expected_key: Option<&str>,
        verdict: &mut ReportVerdict,
    ) -> Result<(), HandedError> {
        // The report's own checkpoint is one that was kept: the ledger has to begin with it.
        verdict.take(export.check(expected_key, Some(&proofs.checkpoint))?);
        let lines = export.files().get(Export::ENTRIES).map(Vec::as_slice).unwrap_or_default();
        let all: Vec<Entry> =
            lines.split(|byte| *byte == b'\n').filter_map(|line| Entry::parse(line).ok()).collect();
        let ours: Vec<&Entry> = all.iter().filter(|entry| self.is_of_run(entry)).collect();
        let last = self.report["timeline"]
            .as_array()
            .and_then(|lines| lines.last()?["seq"].as_u64())
            .unwrap_or(0);
        for entry in ours.iter().filter(|entry| entry.seq <= last) {
            if !entries.contains(entry) {
                verdict.findings.push(ReportFinding::LeftOut { seq: entry.seq });
            }
        }
        let is_later = |entry: &&&Entry| entry.seq > last && entry.action != ISSUED;
        let later = ours.iter().filter(is_later).count();
        if later > 0 {
            verdict.notes.push(ReportNote::GoneOn { count: later });
        }
        self.issued(&all, verdict);
        Ok(())
    }

    fn issued(&self, all: &[Entry], verdict: &mut ReportVerdict) {
        let names = |entry: &Entry, name: &str, digest: &Digest| {
            entry.details.get(name).and_then(Value::as_str) == Some(digest.to_string().as_str())
        };
        let issued = || all.iter().filter(|entry| entry.action == ISSUED);
        if let Some(entry) = issued().find(|entry| names(entry, "sha256", &self.file)) {
            let (by, at) = (entry.actor.clone(), entry.at.clone());
            verdict.notes.push(ReportNote::Issued { seq: entry.seq, by, at });
            return;
        }
        if let Some(entry) = issued().find(|entry| {
            self.is_page
                && names(entry, "json_sha256", &self.json)
                && entry.details.get("form").is_some_and(|form| form == "html")
        }) {
            verdict.findings.push(ReportFinding::OtherFile { seq: entry.seq });
            return;
        }
        verdict.notes.push(ReportNote::NotIssued);
        if self.is_page {
            verdict.notes.push(ReportNote::WordsUnchecked);
        }
    }
}

/// Whether the counts of cells are those of the entry.
fn are_counted(counts: &Value, entry: &BTreeMap<String, u64>) -> bool {
    let of = |name: &str| entry.get(name).copied().unwrap_or(0);
    let parts = counts["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    counts["cells"].as_u64() == Some(of("cells"))
        && counts["rows"].as_u64() == Some(of("rows"))
        && parts.iter().all(|part| {
            part["cells"].as_u64() == Some(of(part["name"].as_str().unwrap_or_default()))
        })
}

impl ReportVerdict {
    fn take(&mut self, verdict: Verdict) {
        let known = |finding: &ReportFinding| self.findings.contains(finding);
        let findings: Vec<ReportFinding> = verdict
            .findings
            .into_iter()
            .map(ReportFinding::Ledger)
            .filter(|it| !known(it))
            .collect();
        self.findings.extend(findings);
        for note in verdict.notes.into_iter().map(ReportNote::Ledger) {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// Whether nothing is wrong with what could be checked.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.findings.is_empty()
    }
}

impl ReportFinding {
    /// The kind of finding, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ledger(finding) => finding.kind(),
            Self::Differs { .. } => "differs",
            Self::LeftOut { .. } => "left_out",
            Self::OtherFile { .. } => "other_file",
        }
    }
}

impl fmt::Display for ReportFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(finding) => finding.fmt(f),
            Self::Differs { part } => {
                write!(f, "differs: the {part} of the report is not what its entries say")
            }
            Self::LeftOut { seq } => {
                write!(f, "left out: entry {seq} of the run is not in the report")
            }
            Self::OtherFile { seq } => {
                write!(f, "other file: entry {seq} issued a page with this data and other words")
            }
        }
    }
}

impl fmt::Display for ReportNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(note) => note.fmt(f),
            Self::NoProofs => f.write_str("nothing was signed when it was made: nothing to check"),
            Self::NoLedger => f.write_str(
                "no ledger was given: whether it was issued, whether entries of the run are left \
                 out and whether the run has gone on were not checked",
            ),
            Self::NotIssued => f.write_str("no entry of the ledger says that it was issued"),
            Self::WordsUnchecked => f.write_str(
                "the words of the page were not compared with its data: make it again, and compare",
            ),
            Self::Issued { seq, by, at } => write!(f, "it was issued by {by} at {at}: entry {seq}"),
            Self::Younger { count } => {
                write!(f, "{count} lines of its timeline are younger than its checkpoint")
            }
            Self::GoneOn { count } => {
                write!(f, "the run has gone on since: {count} entries are younger than the report")
            }
        }
    }
}

/// One line for each finding and each note, then one that sums up.
impl fmt::Display for ReportVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "finding: {finding}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if self.is_consistent() {
            writeln!(f, "consistent: {} entries, signed by {}", self.entries, self.fingerprint)
        } else {
            writeln!(f, "NOT consistent: {} findings", self.findings.len())
        }
    }
}
