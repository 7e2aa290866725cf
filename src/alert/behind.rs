//! Work that takes much longer than its plan said, while it is still at it: also when it hangs.
//!
//! No batch has to end for it. It has no clock: whoever asks says what time it is.

use jiff::Timestamp;

use super::BehindConfig;
use crate::ledger::Entry;
use crate::lifecycle::{Event, Phase};
use crate::plan::PassTimes;

/// The action of the entry that says that a pass is behind its estimate and not done.
pub const BEHIND: &str = "behind_estimate";

/// A pass that is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The pass.
    pub pass: &'static str,
    /// How long it takes so far, in milliseconds.
    pub so_far_ms: u64,
    /// What the plan said.
    pub estimated_ms: u64,
}

/// Whether the pass that a run is at, by a process that has worked since `since`, is behind at `now`
/// and the ledger does not say so yet. `entries` are the run's.
#[must_use]
pub fn overdue(
    entries: &[Entry],
    passes: &PassTimes,
    behind: BehindConfig,
    since: Timestamp,
    now: Timestamp,
) -> Option<Overdue> {
    let (pass, estimated_ms) = pass_after(entries.last()?.phase_after?, passes)?;
    // A plan from before this was estimated has a zero there.
    if estimated_ms == 0 {
        return None;
    }
    // The pass began when the one before it ended, or when the process came that does it.
    let ended = entries.iter().rev().find(|entry| ends_work(entry));
    let ended = ended.and_then(|entry| entry.at.parse::<Timestamp>().ok());
    let began = ended.map_or(since, |ended| ended.max(since));
    let is_told = entries.iter().any(|entry| {
        entry.action == BEHIND
            && entry.details.get("pass").is_some_and(|told| told == pass)
            && entry.at.parse::<Timestamp>().is_ok_and(|at| at >= began)
    });
    let so_far = now.as_millisecond().saturating_sub(began.as_millisecond());
    let so_far_ms = u64::try_from(so_far).unwrap_or(0);
    let is_behind = behind.is_past(estimated_ms, so_far_ms);
    (is_behind && !is_told).then_some(Overdue { pass, so_far_ms, estimated_ms })
}

/// The pass that follows a phase, where one does without a person.
fn pass_after(phase: Phase, passes: &PassTimes) -> Option<(&'static str, u64)> {
    match phase {
        Phase::Approved => Some(("backup", passes.backup_ms)),
        Phase::BackedUp => Some(("seal", passes.seal_ms)),
        Phase::Sealed => Some(("rewrite", passes.rewrite_ms)),
        Phase::Rewritten => Some(("verify", passes.verify_ms)),
        Phase::PurgeApproved => Some(("purge", passes.purge_ms)),
        Phase::Planned
        | Phase::Verified
        | Phase::Purged
        | Phase::Closed
        | Phase::RollingBack
        | Phase::RolledBack => None,
    }
}

/// Whether the work before it ended with this entry.
fn ends_work(entry: &Entry) -> bool {
    ["failed", "paused", "resumed"].contains(&entry.action.as_str())
        || Event::ALL.iter().any(|event| event.name() == entry.action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Digest, Draft};

    fn entry(action: &str, phase: Phase, at: &str) -> Entry {
        let draft = Draft {
            at: at.to_owned(),
            action: action.to_owned(),
            phase_after: Some(phase),
            ..Draft::default()
        };
        Entry::place(draft, 0, Digest::ZERO)
    }

    fn at(text: &str) -> Timestamp {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    #[test]
    fn a_pass_that_hangs_is_behind_without_another_entry_and_told_once() {
        let passes = PassTimes { rewrite_ms: 100_000, ..PassTimes::default() };
        let mut entries = vec![entry("sealed", Phase::Sealed, "2026-03-01T09:00:00Z")];
        let late = |entries: &[Entry], since: &str, now: &str| {
            overdue(entries, &passes, BehindConfig::default(), at(since), at(now))
        };
        assert_eq!(late(&entries, "08:00:00", "09:03:00"), None, "three minutes are not enough");
        let found = late(&entries, "08:00:00", "09:03:21").unwrap();
        assert_eq!((found.pass, found.so_far_ms), ("rewrite", 201_000));
        assert_eq!(late(&entries, "09:02:00", "09:03:21"), None, "it was taken up later");

        let mut told = entry(BEHIND, Phase::Sealed, "2026-03-01T09:03:22Z");
        told.details.insert("pass".to_owned(), "rewrite".into());
        entries.push(told);
        assert_eq!(late(&entries, "08:00:00", "12:00:00"), None, "once");
        entries.push(entry("failed", Phase::Sealed, "2026-03-01T12:00:00Z"));
        assert!(late(&entries, "12:00:00", "13:00:00").is_some(), "the next attempt counts anew");
        entries.push(entry("rewritten", Phase::Rewritten, "2026-03-01T13:00:00Z"));
        assert_eq!(late(&entries, "12:00:00", "23:00:00"), None, "no estimate of it");
        entries.push(entry("verified", Phase::Verified, "2026-03-01T14:00:00Z"));
        assert_eq!(late(&entries, "12:00:00", "23:00:00"), None, "it waits for a person");
    }
}
