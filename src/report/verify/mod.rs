//! Checking a report that somebody hands over: its proofs, and what it says against the entries.
//!
//! It reads what any report of these shapes holds. The report of a run is made again from its entries, as
//! far as they go, and compared; of the one over a period the sums are. It knows no file and no vault; the
//! ledger comes as an export, where there is one.

use serde_json::Value;

use super::{PERIOD_SCHEMA, SCHEMA};
use crate::ledger::{Digest, Entry, Export, ExportError, ProofBundle};

mod approvals;
mod of_period;
mod of_run;
mod rebuilt;
mod verdict;

pub use verdict::{ReportFinding, ReportNote, ReportVerdict};

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
    shape: Shape,
    report: Value,
    proofs: Option<ProofBundle>,
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Run,
    Period,
}

/// Why a file is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandedError {
    /// It holds no JSON of a report.
    #[error("the file holds no report")]
    NoReport,
    /// It is a report of another shape.
    #[error(
        "the report has the shape `{found}`, and this program checks `{SCHEMA}` and `{PERIOD_SCHEMA}`"
    )]
    OtherShape {
        /// The shape that it names.
        found: String,
    },
    /// What was given beside it cannot be read.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// Entries that a report is held against.
struct Held<'e> {
    /// The entries, in order.
    entries: &'e [Entry],
    /// How many entries of the ledger are signed.
    size: u64,
    /// Whether they are all that the ledger had: then what is not among them is left out of it.
    are_all: bool,
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
        let shape = match report["schema"].as_str().ok_or(HandedError::NoReport)? {
            SCHEMA => Shape::Run,
            PERIOD_SCHEMA => Shape::Period,
            found => return Err(HandedError::OtherShape { found: found.to_owned() }),
        };
        let proofs = match &report["proofs"] {
            Value::Null => None,
            proofs => Some(ProofBundle::deserialize(proofs).ok_or(HandedError::NoReport)?),
        };
        Ok(Self {
            file: Digest::of(bytes),
            json: Digest::of(json.as_bytes()),
            is_page,
            shape,
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
            self.without_proofs(expected_key, ledger, &mut verdict)?;
            return Ok(verdict);
        };
        let of_proofs = proofs.check(expected_key, since)?;
        let size = of_proofs.size;
        verdict.fingerprint.clone_from(&of_proofs.fingerprint);
        verdict.entries = proofs.entries.len();
        verdict.take(of_proofs);
        let header = &self.report["header"];
        let signed = &header["checkpoint"];
        let is_shown =
            signed["note"] == proofs.checkpoint.as_str() && signed["size"].as_u64() == Some(size);
        verdict.hold("checkpoint", is_shown);
        verdict.hold("fingerprint", header["key_fingerprint"] == verdict.fingerprint.as_str());
        let origin = proofs.checkpoint.lines().next().unwrap_or_default();
        verdict.hold("origin", header["origin"] == origin);
        let proven = proofs.parsed();
        self.figures(&Held { entries: &proven, size, are_all: false }, &mut verdict);
        let Some(export) = ledger else {
            verdict.note(ReportNote::NoLedger);
            if self.shape == Shape::Run {
                of_run::without_ledger(&self.report, size, &mut verdict);
            }
            return Ok(verdict);
        };
        // The report's own checkpoint is one that was kept: the ledger has to begin with it.
        verdict.take(export.check(expected_key, Some(&proofs.checkpoint))?);
        self.in_ledger(&entries_of(export), size, &mut verdict);
        Ok(verdict)
    }

    /// What can be said of a report that carries no proofs. One that shows a checkpoint had them.
    fn without_proofs(
        &self,
        expected_key: Option<&str>,
        ledger: Option<&Export>,
        verdict: &mut ReportVerdict,
    ) -> Result<(), HandedError> {
        verdict.hold("checkpoint", self.report["header"]["checkpoint"].is_null());
        verdict.notes.push(ReportNote::NoProofs);
        let Some(export) = ledger else { return Ok(()) };
        let of_ledger = export.check(expected_key, None)?;
        verdict.fingerprint.clone_from(&of_ledger.fingerprint);
        verdict.take(of_ledger);
        let all = entries_of(export);
        // Nothing was signed when it was made, it says: then it says nothing of what it shows here.
        let told: Vec<Entry> =
            all.iter().filter(|entry| entry.seq <= self.last_told()).cloned().collect();
        let size = self.last_told().saturating_add(1);
        verdict.entries = told.len();
        self.figures(&Held { entries: &told, size, are_all: true }, verdict);
        self.in_ledger(&all, size, verdict);
        Ok(())
    }

    fn figures(&self, held: &Held<'_>, verdict: &mut ReportVerdict) {
        match self.shape {
            Shape::Run => of_run::figures(&self.report, held, verdict),
            Shape::Period => of_period::figures(&self.report, held, verdict),
        }
    }

    /// The last entry that the report tells of.
    fn last_told(&self) -> u64 {
        match self.shape {
            Shape::Run => of_run::last_told(&self.report),
            Shape::Period => of_period::last_told(&self.report),
        }
    }

    /// Holds it against the whole ledger: is anything left out, was it issued, has the run gone on?
    fn in_ledger(&self, all: &[Entry], size: u64, verdict: &mut ReportVerdict) {
        match self.shape {
            Shape::Run => of_run::in_ledger(&self.report, all, verdict),
            Shape::Period => of_period::in_ledger(&self.report, all, size, verdict),
        }
        self.issued(all, verdict);
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
        if self.shape == Shape::Run
            && let Some(seq) = of_run::issued_instead(&self.report, self.json, all)
        {
            verdict.add(ReportFinding::OtherReport { seq });
        }
        verdict.note(ReportNote::NotIssued);
        if self.shape == Shape::Run {
            verdict.note(ReportNote::Unheld);
        }
        if self.is_page {
            verdict.note(ReportNote::WordsUnchecked);
        }
    }
}

/// The entries of an export, as far as they can be read.
fn entries_of(export: &Export) -> Vec<Entry> {
    let lines = export.files().get(Export::ENTRIES).map(Vec::as_slice).unwrap_or_default();
    lines.split(|byte| *byte == b'\n').filter_map(|line| Entry::parse(line).ok()).collect()
}
