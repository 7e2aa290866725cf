//! The head of a report over a period: which time, which runs, whose ledger.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::{Asked, PeriodEvidence};
use crate::report::header::checkpoint;
use crate::report::{AnchorFact, CheckpointPart, Command};

/// Which period and runs, whose ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PeriodHeader {
    /// When the period begins; null where it begins with the ledger.
    pub since: Option<String>,
    /// When it ends, and is not in it any more; null where it ends with the checkpoint.
    pub until: Option<String>,
    /// The first entry of the period.
    pub begin: u64,
    /// The entry behind its last one: the runs are told of as they stood before it.
    pub end: u64,
    /// Which runs were asked about.
    pub asked: Asked,
    /// The time of the last entry that is told of: a report has no clock of its own.
    pub as_of: Option<String>,
    /// Name and version of the program.
    pub tool: String,
    /// The vault's id.
    pub vault: String,
    /// The ledger's origin.
    pub origin: String,
    /// Fingerprint of the key that signs the ledger.
    pub key_fingerprint: String,
    /// The latest checkpoint.
    pub checkpoint: Option<CheckpointPart>,
    /// Entries that came after it: they are not told of.
    pub younger: u64,
    /// Which entries the report carries.
    pub carries: Carried,
    /// Places outside the vault that were told of a checkpoint: a ledger that is put back shows there.
    pub anchors: Vec<AnchorFact>,
}

/// Which entries a report carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// Every entry of the period, and the one before and the one after it; and every earlier entry
    /// of the runs.
    EveryEntry,
    /// Those of the runs: with more than a thousand in the period the others stand in the ledger.
    EntriesOfRuns,
}

impl PeriodHeader {
    pub(super) fn of(evidence: &PeriodEvidence) -> Self {
        let of_runs = evidence.runs.iter().filter_map(|run| run.entries.last());
        let newest = of_runs.max_by_key(|entry| entry.seq);
        let told = &evidence.told.ledger;
        let as_of = match newest {
            Some(entry) if told.last.is_none_or(|last| last < entry.seq) => Some(entry.at.clone()),
            Some(_) | None => told.to.clone(),
        };
        Self {
            since: evidence.period.since().map(str::to_owned),
            until: evidence.period.until().map(str::to_owned),
            begin: evidence.range.start,
            end: evidence.range.end,
            asked: evidence.asked,
            as_of,
            tool: evidence.tool.clone(),
            vault: evidence.vault.clone(),
            origin: evidence.origin.clone(),
            key_fingerprint: evidence.key_fingerprint.clone(),
            checkpoint: evidence.checkpoint.as_deref().map(checkpoint),
            younger: evidence.younger,
            carries: if evidence.is_whole { Carried::EveryEntry } else { Carried::EntriesOfRuns },
            anchors: evidence.anchors.clone(),
        }
    }
}

/// The words that make the same report again.
fn asked_for(evidence: &PeriodEvidence) -> String {
    // Writing into a String cannot fail.
    let mut words = String::new();
    if evidence.asked == Asked::Named {
        for run in &evidence.runs {
            let _ = write!(words, " {}", run.run);
        }
    } else if evidence.asked == Asked::All {
        words.push_str(" --all");
    }
    for (flag, at) in [("--since", evidence.period.since()), ("--until", evidence.period.until())] {
        if let Some(at) = at {
            let _ = write!(words, " {flag} {at}");
        }
    }
    words
}

pub(super) fn how_to_verify(evidence: &PeriodEvidence) -> Vec<Command> {
    let key = &evidence.key_fingerprint;
    vec![
        Command {
            shows: "take the ledger out of the vault; whoever holds the vault does this",
            line: "sealift ledger export --output ledger/".to_owned(),
        },
        Command {
            shows: "check it without Sealift, on another machine, with Python alone; compare the \
                    fingerprint with the one that was printed when the vault was made",
            line: format!("python3 ledger/verify.py ledger/ --key {key}"),
        },
        Command {
            shows: "check the entries that this very file carries, in the same way",
            line: format!("python3 ledger/verify.py period.html --key {key}"),
        },
        Command {
            shows: "check this very file with Sealift: its proofs, and each sum over the ledger made \
                    again from the whole of it",
            line: format!("sealift report verify period.html --ledger ledger/ --key {key}"),
        },
        Command {
            shows: "make the report again; equal evidence gives equal bytes",
            line: format!("sealift report{} --output again.html", asked_for(evidence)),
        },
    ]
}
