//! What a report over a period is made of, gathered from vault and ledger.
//!
//! Plain data, without a connection behind it. This file does not judge.

use std::ops::Range;

use schemars::JsonSchema;
use serde::Serialize;

use super::stretch::Told;
use crate::ledger::ProofBundle;
use crate::policy::Purpose;
use crate::report::{AnchorFact, Evidence};

/// A stretch of time: from a moment on, and up to another one, which is not in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Period {
    since: Option<String>,
    until: Option<String>,
}

/// The two moments leave no time between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the period ends before it begins")]
pub struct PeriodError;

impl Period {
    /// The time between two moments, RFC 3339 in UTC as the ledger writes them; an end that is not
    /// given is open.
    ///
    /// # Errors
    ///
    /// Returns [`PeriodError`] where the second is not later than the first.
    pub fn between(since: Option<String>, until: Option<String>) -> Result<Self, PeriodError> {
        if let (Some(since), Some(until)) = (&since, &until)
            && bare(until) <= bare(since)
        {
            return Err(PeriodError);
        }
        Ok(Self { since, until })
    }

    /// When it begins, where it does.
    #[must_use]
    pub fn since(&self) -> Option<&str> {
        self.since.as_deref()
    }

    /// When it ends, where it does.
    #[must_use]
    pub fn until(&self) -> Option<&str> {
        self.until.as_deref()
    }

    /// Whether a time of the ledger lies in it.
    #[must_use]
    pub fn contains(&self, at: &str) -> bool {
        self.since().is_none_or(|since| bare(at) >= bare(since)) && !self.is_past(at)
    }

    /// Which of the entries with these times, one behind the other, it has: from the first to the
    /// last whose time lies in it, so that a clock that was wrong hides none of those between them.
    /// Where there is none, the empty place at which it would be.
    pub fn range_of(&self, times: impl IntoIterator<Item = impl AsRef<str>>) -> Range<u64> {
        let (mut inside, mut past, mut count) = (None::<Range<u64>>, None, 0);
        for (at, time) in (0..).zip(times) {
            let time = time.as_ref();
            if self.contains(time) {
                let start = inside.map_or(at, |range| range.start);
                inside = Some(start..at + 1);
            } else if self.is_past(time) {
                past.get_or_insert(at);
            }
            count = at + 1;
        }
        let place = past.unwrap_or(count);
        inside.unwrap_or(place..place)
    }

    /// Whether a time of the ledger lies behind it.
    #[must_use]
    pub fn is_past(&self, at: &str) -> bool {
        self.until().is_some_and(|until| bare(at) >= bare(until))
    }
}

/// Without its `Z` a time in UTC is in order as text, however many digits its seconds have.
fn bare(at: &str) -> &str {
    at.strip_suffix('Z').unwrap_or(at)
}

/// Which runs were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Every run of the vault.
    All,
    /// Those with an entry in the period.
    Period,
    /// Those that were named.
    Named,
}

/// A domain of the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainFact {
    /// Its name.
    pub name: String,
    /// Its data class.
    pub class: String,
}

/// Everything that a report over a period says, before it is put in order.
#[derive(Debug, Clone)]
pub struct PeriodEvidence {
    /// Name and version of the program: `sealift 0.1.0`.
    pub tool: String,
    /// The vault's id, in hex.
    pub vault: String,
    /// The ledger's origin.
    pub origin: String,
    /// Fingerprint of the key that signs the ledger.
    pub key_fingerprint: String,
    /// Which runs were asked about.
    pub asked: Asked,
    /// The period.
    pub period: Period,
    /// The runs as they stood when the period ended, oldest first.
    pub runs: Vec<Evidence>,
    /// The entries of the period, by their places.
    pub range: Range<u64>,
    /// What they say.
    pub told: Told,
    /// The latest checkpoint, as the signed note.
    pub checkpoint: Option<String>,
    /// Entries that came after it, and are not told of here.
    pub younger: u64,
    /// The domains of the vault.
    pub domains: Vec<DomainFact>,
    /// The purposes in force.
    pub purposes: Vec<Purpose>,
    /// Places outside the vault that were told of a checkpoint.
    pub anchors: Vec<AnchorFact>,
    /// Entries with the proofs that they are in the ledger; `None` where nothing is signed.
    pub proofs: Option<ProofBundle>,
    /// Whether these are all entries of the period, or only those of its runs.
    pub is_whole: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(since: &str, until: &str) -> Period {
        Period::between(Some(since.to_owned()), Some(until.to_owned())).unwrap()
    }

    #[test]
    fn a_period_has_its_first_moment_and_not_its_last() {
        let march = period("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
        assert!(march.contains("2026-03-01T00:00:00Z"));
        assert!(march.contains("2026-03-31T23:59:59.999999999Z"));
        assert!(!march.contains("2026-04-01T00:00:00Z"));
        assert!(!march.contains("2026-02-28T23:59:59.5Z"));
        let (one, other) = ("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z");
        assert!(Period::between(Some(one.into()), Some(other.into())).is_err());
    }

    #[test]
    fn an_entry_between_two_of_the_period_belongs_to_it_whatever_its_time() {
        let day = period("2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z");
        let times =
            ["01T09", "02T09", "01T08", "02T10", "03T01"].map(|at| format!("2026-03-{at}:00:00Z"));
        assert_eq!(day.range_of(&times), 1..4);
        assert_eq!(day.range_of(&times[..1]), 1..1);
        assert_eq!(day.range_of([&times[0], &times[4]]), 1..1);
        assert_eq!(Period::default().range_of(&times), 0..5);
        assert_eq!(Period::default().range_of([""; 0]), 0..0);
    }
}
