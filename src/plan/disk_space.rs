//! Pitfall: the disk fills up half-way.

use super::case::{Case, blocks, warns};
use super::model::{Estimate, Finding};

const PITFALL: &str = "disk_space";

pub(super) fn find(case: &Case<'_>, estimate: &Estimate) -> Vec<Finding> {
    let Some(free) = case.facts.disk_free_bytes else { return Vec::new() };
    // Whatever else goes to other disks, journal and purge stay beside the source.
    let beside_source = estimate.journal_bytes.max(estimate.purge_bytes);
    let fact = |needed: u64| format!("{needed} bytes are needed at most, and {free} are free");
    if free < beside_source {
        vec![blocks(
            PITFALL,
            "disk of the source",
            fact(beside_source),
            "make room: the purge writes the whole file a second time",
        )]
    } else if free < estimate.disk_needed_bytes {
        vec![warns(
            PITFALL,
            "disk of the source",
            fact(estimate.disk_needed_bytes),
            "make room, or put vault and backup on another disk (`--vault`, `[backup] dir`)",
        )]
    } else {
        Vec::new()
    }
}
