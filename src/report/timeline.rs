//! What happened, entry by entry, and how anyone can check it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ledger::{Digest, Entry};
use crate::lifecycle::{Phase, RunId};

/// One entry of the ledger, as far as a report shows it. Its details stay in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// Its place in the ledger.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// The run's phase before.
    pub phase_before: Option<Phase>,
    /// The run's phase after.
    pub phase_after: Option<Phase>,
    /// How many of what.
    pub counts: BTreeMap<String, u64>,
}

/// One way to check the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Command {
    /// What it shows.
    pub shows: &'static str,
    /// The command line.
    pub line: String,
}

pub(super) fn entries(entries: &[Entry]) -> Vec<TimelineEntry> {
    entries
        .iter()
        .map(|entry| TimelineEntry {
            seq: entry.seq,
            at: entry.at.clone(),
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            object: entry.object.clone(),
            phase_before: entry.phase_before,
            phase_after: entry.phase_after,
            counts: entry.counts.clone(),
        })
        .collect()
}

impl TimelineEntry {
    /// The entry of `run` as far as the line shows it: without its details.
    pub(super) fn into_entry(self, run: RunId) -> Entry {
        Entry {
            seq: self.seq,
            prev: Digest::ZERO,
            at: self.at,
            actor: self.actor,
            action: self.action,
            object: self.object,
            run: Some(run),
            purpose: None,
            phase_before: self.phase_before,
            phase_after: self.phase_after,
            counts: self.counts,
            key_ids: Vec::new(),
            policy: None,
            details: BTreeMap::new(),
            tool: String::new(),
        }
    }
}

pub(super) fn how_to_verify(run: RunId, key: &str) -> Vec<Command> {
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
            shows: "check it with Sealift; the answer is the same",
            line: format!("sealift ledger verify ledger/ --key {key}"),
        },
        Command {
            shows: "read the entries of this run: they are the ones that the timeline shows",
            line: format!("grep '\"run\":\"{run}\"' ledger/entries.jsonl"),
        },
        Command {
            shows: "check this very file: its proofs, its figures against the entries, and whether an \
                    entry says that it was issued",
            line: format!("sealift report verify report.html --ledger ledger/ --key {key}"),
        },
        Command {
            shows: "make the report again; equal evidence gives equal bytes",
            line: format!("sealift report {run} --format html --output again.html"),
        },
    ]
}
