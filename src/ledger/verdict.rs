//! The verdict on an export: what was found, and what could not be checked.
//!
//! The sentences are part of the format: `verify.py` prints the same ones, letter for letter.

use std::fmt;

use super::checkpoint::VerifierKey;
use super::export::ExportError;

/// How many findings a verdict names; the rest is counted.
const FINDINGS_MAX: usize = 100;

/// One thing that is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The export is signed by another key than the one expected.
    WrongKey {
        /// The fingerprint that was expected.
        expected: String,
        /// The fingerprint of the key in the export.
        found: String,
    },
    /// A checkpoint does not carry a valid signature by the key in the export.
    BadSignature {
        /// Which checkpoint.
        place: String,
    },
    /// A line that nothing in the ledger explains cannot be read.
    Malformed {
        /// The file.
        file: &'static str,
        /// The line in it, from 1.
        line: u64,
    },
    /// An entry has other contents than those that were signed.
    Altered {
        /// The entry.
        seq: u64,
    },
    /// Something in a stretch of entries was altered, and nothing tells which.
    AlteredBetween {
        /// The first entry of the stretch.
        from: u64,
        /// The last entry of the stretch.
        to: u64,
    },
    /// An entry is gone, and later ones are there.
    Removed {
        /// The entry.
        seq: u64,
    },
    /// A line is there that is not in the ledger.
    Inserted {
        /// The line of `entries.jsonl`, from 1.
        line: u64,
    },
    /// Entries are there, but not in their order.
    Reordered {
        /// The first entry that is out of place.
        seq: u64,
    },
    /// The last entries are gone.
    Truncated {
        /// How many entries are left before the cut.
        have: u64,
        /// How many were signed.
        signed: u64,
    },
    /// The whole ledger is older than the checkpoint that was kept elsewhere.
    RolledBack {
        /// How many entries are signed in the export.
        have: u64,
        /// How many the checkpoint has.
        since: u64,
    },
    /// A key follows another, and no entry that both have signed says so.
    UnlinkedKey {
        /// The fingerprint of the key before.
        old: String,
        /// The fingerprint of the key after.
        new: String,
    },
    /// An entry of a proof is not in the ledger that the checkpoint signs, or not at this place.
    NotInLedger {
        /// The entry.
        seq: u64,
    },
    /// The same key signed two histories.
    Forked {
        /// The size of the checkpoint that tells the other one.
        size: u64,
    },
}

/// What was not checked, or not fully.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// Nobody said which key to expect.
    NoKey,
    /// No earlier checkpoint was given.
    NoCheckpoint,
    /// The fingerprint given is that of a key that was replaced since.
    EarlierKey {
        /// The fingerprint of the key that signs now.
        now: String,
    },
    /// Entries before a damaged one cannot be proven, since what links to them is damaged.
    Unproven {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// `head.txt` is missing or does not fit, so places are named less exactly.
    NoHead,
    /// The entries are damaged, so the checkpoint given cannot be compared with them.
    NotCompared {
        /// The size of the checkpoint.
        size: u64,
    },
    /// More findings than a person reads.
    LeftOut {
        /// How many are not named.
        count: u64,
    },
    /// A report carries the proof, and what it says was not looked at.
    OfReport,
}

/// What a check of an export came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// How many entries the export's newest valid checkpoint signs.
    pub size: u64,
    /// The fingerprint of the key in the export; empty if there is none to read.
    pub fingerprint: String,
    /// What is wrong, in the order of the ledger.
    pub findings: Vec<Finding>,
    /// What could not be checked.
    pub notes: Vec<Note>,
}

impl Verdict {
    /// A verdict before anything was looked at: what is not given is noted as not checked.
    pub(super) fn begun(
        expected_key: Option<&str>,
        since: Option<&str>,
    ) -> Result<Self, ExportError> {
        if expected_key.is_some_and(|text| !is_fingerprint(text)) {
            return Err(ExportError::Fingerprint);
        }
        let mut notes = Vec::new();
        if expected_key.is_none() {
            notes.push(Note::NoKey);
        }
        if since.is_none() {
            notes.push(Note::NoCheckpoint);
        }
        Ok(Self { size: 0, fingerprint: String::new(), findings: Vec::new(), notes })
    }

    /// Whether nothing is wrong with what could be checked.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.findings.is_empty()
    }

    /// Keeps the first findings and counts the others.
    pub(super) fn shorten(&mut self) {
        let left_out = self.findings.len().saturating_sub(FINDINGS_MAX);
        if left_out > 0 {
            self.findings.truncate(FINDINGS_MAX);
            let count = u64::try_from(left_out).unwrap_or(u64::MAX);
            self.notes.push(Note::LeftOut { count });
        }
    }
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Finding {
    pub(super) fn unlinked(old: &VerifierKey, new: &VerifierKey) -> Self {
        Self::UnlinkedKey { old: old.fingerprint(), new: new.fingerprint() }
    }

    /// The kind of finding, in one word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::WrongKey { .. } => "wrong_key",
            Self::BadSignature { .. } => "bad_signature",
            Self::Malformed { .. } => "malformed",
            Self::Altered { .. } | Self::AlteredBetween { .. } => "altered",
            Self::Removed { .. } => "removed",
            Self::Inserted { .. } => "inserted",
            Self::Reordered { .. } => "reordered",
            Self::Truncated { .. } => "truncated",
            Self::RolledBack { .. } => "rolled_back",
            Self::UnlinkedKey { .. } => "unlinked_key",
            Self::NotInLedger { .. } => "not_in_ledger",
            Self::Forked { .. } => "forked",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey { expected, found } => {
                write!(f, "wrong key: the export is signed by {found}, not by {expected}")
            }
            Self::BadSignature { place } => {
                write!(f, "bad signature: {place} is not signed by the ledger's key")
            }
            Self::Malformed { file, line } => {
                write!(f, "malformed: line {line} of `{file}` cannot be read")
            }
            Self::Altered { seq } => write!(f, "altered: entry {seq} is not what was signed"),
            Self::AlteredBetween { from, to } => {
                write!(f, "altered: among entries {from} to {to} not all are what was signed")
            }
            Self::Removed { seq } => write!(f, "removed: entry {seq} is missing"),
            Self::Inserted { line } => {
                write!(f, "inserted: line {line} of `entries.jsonl` is not in the ledger")
            }
            Self::Reordered { seq } => {
                write!(f, "reordered: entries are out of order from entry {seq} on")
            }
            Self::Truncated { have, signed } => {
                write!(f, "truncated: {have} entries are here, {signed} were signed")
            }
            Self::RolledBack { have, since } => {
                write!(f, "rolled back: {have} entries are signed here, {since} were signed before")
            }
            Self::UnlinkedKey { old, new } => {
                write!(f, "unlinked key: no entry signed by both leads from {old} to {new}")
            }
            Self::NotInLedger { seq } => {
                write!(f, "not in the ledger: entry {seq} does not lead to the signed root")
            }
            Self::Forked { size } => {
                write!(f, "forked: the checkpoint over {size} entries tells another history")
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => {
                f.write_str("no fingerprint was given: whose key signed was not checked")
            }
            Self::NoCheckpoint => {
                f.write_str("no earlier checkpoint was given: roll back and fork were not checked")
            }
            Self::EarlierKey { now } => {
                write!(
                    f,
                    "the fingerprint given is of an earlier key: the ledger is signed by {now} now"
                )
            }
            Self::Unproven { from, to } => {
                write!(f, "entries {from} to {to} are not proven: what links to them is damaged")
            }
            Self::NoHead => {
                f.write_str("`head.txt` is missing or does not fit: places are named less exactly")
            }
            Self::NotCompared { size } => {
                write!(f, "the checkpoint over {size} entries could not be compared")
            }
            Self::LeftOut { count } => write!(f, "{count} more findings are left out"),
            Self::OfReport => f.write_str(
                "what the report says was not held against its entries: verdict, certificate, counts, \
                 approvals and all else; `sealift report verify` does that",
            ),
        }
    }
}

/// One line for each finding and each note, then one that sums up.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "finding: {finding}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if self.is_consistent() {
            writeln!(f, "consistent: {} entries, signed by {}", self.size, self.fingerprint)
        } else {
            writeln!(f, "NOT consistent: {} findings", self.findings.len())
        }
    }
}
