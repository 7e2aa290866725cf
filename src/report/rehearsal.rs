//! Rehearsals of a run: what was tried on a copy, and what came of it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ledger::Entry;
use crate::plan::Estimate;

/// What the ledger calls a rehearsal that ended.
pub const REHEARSED: &str = "rehearsed";

/// What the ledger calls the beginning of one: originals are about to be copied.
pub const REHEARSAL_STARTED: &str = "rehearsal_started";

/// One rehearsal that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rehearsal {
    /// Its entry in the ledger.
    pub seq: u64,
    /// When it ended.
    pub at: String,
    /// Whether run, checks, verification and rollback went through, and the copy was as before.
    pub held: bool,
    /// The step that did not hold, and why.
    pub why: Option<String>,
    /// Rows that were copied.
    pub rows: u64,
    /// How many rows of each table were copied at the most; `None`: all of them.
    pub rows_max: Option<u64>,
    /// From backup to verification, in milliseconds.
    pub took_ms: u64,
    /// What the way there and back changed beside the columns in scope.
    pub beside: Vec<String>,
    /// What the copy did not have.
    pub left_out: Vec<String>,
}

/// The rehearsals of a run, oldest first.
#[must_use]
pub fn rehearsals(entries: &[Entry]) -> Vec<Rehearsal> {
    entries.iter().filter(|entry| entry.action == REHEARSED).map(read).collect()
}

/// The newest rehearsal that held: its times are the estimate of the run.
fn newest_held(entries: &[Entry]) -> Option<&Entry> {
    entries.iter().rfind(|entry| entry.action == REHEARSED && text(entry, "result") == Some("held"))
}

/// The estimate of a plan after the newest rehearsal that held; as it was where there is none.
#[must_use]
pub fn after_rehearsal(estimate: &Estimate, entries: &[Entry]) -> Estimate {
    newest_held(entries).map_or_else(
        || estimate.clone(),
        |entry| estimate.rehearsed(|name| entry.counts.get(name).copied()),
    )
}

fn read(entry: &Entry) -> Rehearsal {
    let count = |name: &str| entry.counts.get(name).copied();
    let names = |name: &str| {
        let list = entry.details.get(name).and_then(|value| value.as_array());
        let names = list.into_iter().flatten().filter_map(|name| name.as_str());
        names.map(str::to_owned).collect()
    };
    Rehearsal {
        seq: entry.seq,
        at: entry.at.clone(),
        held: text(entry, "result") == Some("held"),
        why: text(entry, "why").map(str::to_owned),
        rows: count("rows").unwrap_or_default(),
        rows_max: count("rows_max"),
        took_ms: crate::plan::REHEARSED_PASSES.iter().filter_map(|pass| count(pass)).sum(),
        beside: names("beside"),
        left_out: names("left_out"),
    }
}

fn text<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    entry.details.get(name)?.as_str()
}
