//! What a check of a report came to: what is wrong, and what was not checked.

use std::fmt;

use crate::ledger::{Finding, Note, Verdict};

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
    /// A report of the run as it stood then was issued, and it was another one.
    OtherReport {
        /// The entry that says so.
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
    /// The period has more entries than the report carries.
    NotCarried,
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
    /// What its verdict, its counts and its certificate are made of is younger than its checkpoint.
    NotMadeAgain,
    /// Another version of the program made it: sentences may have been others then.
    OtherVersion {
        /// Name and version.
        tool: String,
    },
    /// Parts of which no entry speaks.
    Unheld,
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

impl ReportVerdict {
    /// Takes over what was found of proofs or of a ledger, each thing once.
    pub(super) fn take(&mut self, verdict: Verdict) {
        let known = |finding: &ReportFinding| self.findings.contains(finding);
        let findings: Vec<ReportFinding> = verdict
            .findings
            .into_iter()
            .map(ReportFinding::Ledger)
            .filter(|it| !known(it))
            .collect();
        self.findings.extend(findings);
        for note in verdict.notes {
            self.note(ReportNote::Ledger(note));
        }
    }

    /// Adds a note, once.
    pub(super) fn note(&mut self, note: ReportNote) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Holds a part of the report against what it has to say.
    pub(super) fn hold(&mut self, part: &'static str, holds: bool) {
        if !holds {
            self.add(ReportFinding::Differs { part });
        }
    }

    /// Adds a finding, once.
    pub(super) fn add(&mut self, finding: ReportFinding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
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
            Self::OtherReport { .. } => "other_report",
        }
    }
}

impl fmt::Display for ReportFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger(finding) => finding.fmt(f),
            Self::Differs { part: "checkpoint" } => f.write_str(
                "differs: the checkpoint that the report shows is not the one that signs its proofs",
            ),
            Self::Differs { part: "shape" } => {
                f.write_str("differs: the report has not the shape that it names")
            }
            Self::Differs { part } => {
                write!(f, "differs: the {part} of the report is not what its entries say")
            }
            Self::LeftOut { seq } => {
                write!(f, "left out: entry {seq} of the run is not in the report")
            }
            Self::OtherFile { seq } => {
                write!(f, "other file: entry {seq} issued a page with this data and other words")
            }
            Self::OtherReport { seq } => write!(
                f,
                "other report: entry {seq} issued the report of the run as it stood then, and this is \
                 not that one"
            ),
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
            Self::NotCarried => f.write_str(
                "the report carries the entries of its runs and not the others of the period: its sums \
                 over those are checked against a ledger only",
            ),
            Self::NotIssued => {
                f.write_str("not issued: no entry of the ledger says that this file was issued")
            }
            Self::WordsUnchecked => f.write_str(
                "the words of the page were not compared with its data: make it again, and compare",
            ),
            Self::Issued { seq, by, at } => write!(f, "it was issued by {by} at {at}: entry {seq}"),
            Self::Younger { count } => {
                write!(f, "{count} lines of its timeline are younger than its checkpoint")
            }
            Self::NotMadeAgain => f.write_str(
                "lines that its verdict, its counts or its certificate rest on are younger than its \
                 checkpoint: without a ledger these were held against nothing",
            ),
            Self::OtherVersion { tool } => write!(
                f,
                "`{tool}` made it, and this is another version: verdict, certificate, counts and \
                 approvals were held against the entries, the sentences beside them were not"
            ),
            Self::Unheld => f.write_str(
                "no entry speaks of what the plan found, estimated and measured, of the policy's rules, \
                 keys, purposes, risks, controls and anchors, nor of rows that wait in quarantine: only \
                 an issued file, whose SHA-256 is on the ledger, vouches for these",
            ),
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
