//! What a stretch of the ledger says, added up: the only way from entries to figures of a period.
//!
//! It knows no vault. Entries go in, in order; sums come out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::ledger::Entry;
use crate::report::usage::Usage;
use crate::words::between;

/// The action of the entry that says that somebody was watching.
const HEARTBEAT: &str = "heartbeat";

/// Entries that say that recorded requests are not what they were.
const ALTERED: [&str; 3] = ["intake_missing", "intake_altered", "intake_repeated"];

/// A service that has nothing to do says so that often.
const HEARTBEAT_MS: u64 = 600_000;

/// A time may lie so far before that of the entry before: clocks of several machines differ.
const BACK_MS: u64 = 60_000;

/// What happened on the ledger in the period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LedgerPart {
    /// How many entries the period has: from the first to the last whose time lies in it.
    pub entries: u64,
    /// The first; null where there is none.
    pub first: Option<u64>,
    /// The last; null where there is none.
    pub last: Option<u64>,
    /// When the first was written.
    pub from: Option<String>,
    /// When the last was written.
    pub to: Option<String>,
    /// What was done, and how often.
    pub acts: Vec<ActLine>,
    /// Entries that say that somebody was watching, and nothing else.
    pub heartbeats: u64,
    /// A longer time without an entry is a silence, once there was a heartbeat: twice the usual time
    /// between heartbeats, and 20 minutes at least; null where there was none.
    pub silent_after_ms: Option<u64>,
    /// The times without an entry that are longer than that.
    pub silences: Vec<Silence>,
    /// Entries that say that recorded requests are gone or were changed.
    pub altered: Vec<AlteredLine>,
    /// Entries whose time lies a minute or more before that of the entry before them.
    pub clock_went_back: Vec<u64>,
}

/// One kind of act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ActLine {
    /// What was done, as the ledger names it.
    pub action: String,
    /// How often.
    pub entries: u64,
    /// By whom, and how often.
    pub actors: BTreeMap<String, u64>,
}

/// A time without an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Silence {
    /// The entry before it.
    pub after: u64,
    /// The entry that ended it.
    pub before: u64,
    /// When it began.
    pub from: String,
    /// When it ended.
    pub until: String,
    /// How long it was, in milliseconds.
    pub millis: u64,
}

/// An entry that says that recorded requests are not what they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AlteredLine {
    /// The entry.
    pub seq: u64,
    /// What it says.
    pub action: String,
}

/// What a stretch came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub ledger: LedgerPart,
    /// What was asked, by purpose.
    pub usage: BTreeMap<String, Usage>,
}

/// Adds up entries, one after the other.
#[derive(Debug, Default)]
pub struct Stretch {
    told: Told,
    acts: BTreeMap<String, (u64, BTreeMap<String, u64>)>,
    before: Option<(u64, String)>,
    /// The times between one heartbeat and the next.
    intervals: Vec<u64>,
    beat: Option<String>,
    /// Times without an entry, once there was a heartbeat.
    pauses: Vec<Silence>,
}

impl Stretch {
    /// Adds up entries that stand one behind the other.
    #[must_use]
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Told {
        let mut stretch = Self::default();
        for entry in entries {
            stretch.add(entry);
        }
        stretch.finish()
    }

    /// Adds the next entry.
    pub fn add(&mut self, entry: Entry) {
        let ledger = &mut self.told.ledger;
        ledger.entries += 1;
        ledger.first.get_or_insert(entry.seq);
        ledger.from.get_or_insert_with(|| entry.at.clone());
        ledger.last = Some(entry.seq);
        ledger.to = Some(entry.at.clone());
        let (entries, actors) = self.acts.entry(entry.action.clone()).or_default();
        *entries += 1;
        *actors.entry(entry.actor.clone()).or_default() += 1;
        if ALTERED.contains(&entry.action.as_str()) {
            ledger.altered.push(AlteredLine { seq: entry.seq, action: entry.action.clone() });
        }
        if let Some((after, from)) = self.before.take() {
            let pause = between(&from, &entry.at);
            if pause.is_none() && between(&entry.at, &from).is_some_and(|back| back >= BACK_MS) {
                ledger.clock_went_back.push(entry.seq);
            }
            if let Some(millis) = pause.filter(|millis| self.beat.is_some() && *millis > 0) {
                let (before, until) = (entry.seq, entry.at.clone());
                self.pauses.push(Silence { after, before, from, until, millis });
            }
        }
        self.before = Some((entry.seq, entry.at.clone()));
        if entry.action == HEARTBEAT {
            ledger.heartbeats += 1;
            if let Some(last) = self.beat.replace(entry.at.clone()) {
                self.intervals.extend(between(&last, &entry.at));
            }
        }
        Usage::add(&mut self.told.usage, entry);
    }

    /// Ends it.
    #[must_use]
    pub fn finish(mut self) -> Told {
        let ledger = &mut self.told.ledger;
        ledger.acts = self
            .acts
            .into_iter()
            .map(|(action, (entries, actors))| ActLine { action, entries, actors })
            .collect();
        if self.beat.is_some() {
            self.intervals.sort_unstable();
            let usual = self.intervals.get(self.intervals.len().saturating_sub(1) / 2);
            let limit = usual.copied().unwrap_or(HEARTBEAT_MS).max(HEARTBEAT_MS).saturating_mul(2);
            ledger.silent_after_ms = Some(limit);
            self.pauses.retain(|pause| pause.millis > limit);
            ledger.silences = self.pauses;
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Digest, Draft};

    fn entries(told: &[(&str, &str)]) -> Vec<Entry> {
        let entry = |(seq, (action, at)): (u64, &(&str, &str))| {
            let draft = Draft {
                at: format!("2026-03-01T{at}Z"),
                actor: "system".to_owned(),
                action: (*action).to_owned(),
                ..Draft::default()
            };
            Entry::place(draft, seq, Digest::ZERO)
        };
        (0..).zip(told).map(entry).collect()
    }

    #[test]
    fn a_heartbeat_that_is_missed_is_a_silence() {
        let told = Stretch::of(entries(&[
            ("planned", "06:00:00"),
            ("heartbeat", "08:00:00"),
            ("heartbeat", "08:10:00"),
            ("heartbeat", "08:20:00"),
            ("detokenize", "09:05:00"),
            ("heartbeat", "09:15:00"),
        ]));
        assert_eq!(told.ledger.silent_after_ms, Some(1_200_000));
        let silences: Vec<(u64, u64, u64)> = told
            .ledger
            .silences
            .iter()
            .map(|silence| (silence.after, silence.before, silence.millis))
            .collect();
        assert_eq!(silences, [(3, 4, 2_700_000)], "what came before the first heartbeat is none");
    }

    #[test]
    fn a_timer_that_is_slower_than_a_service_is_no_silence() {
        let told = Stretch::of(entries(&[
            ("heartbeat", "08:00:00"),
            ("heartbeat", "09:00:00"),
            ("heartbeat", "10:00:00"),
            ("heartbeat", "13:00:00"),
        ]));
        assert_eq!(told.ledger.silences.len(), 1);
        assert_eq!(told.ledger.silences[0].after, 2);
    }

    #[test]
    fn without_a_heartbeat_a_pause_says_nothing() {
        let told = Stretch::of(entries(&[("planned", "01:00:00"), ("approved", "23:00:00")]));
        assert_eq!((told.ledger.silent_after_ms, told.ledger.silences), (None, Vec::new()));
    }

    #[test]
    fn a_clock_that_was_put_back_and_lost_requests_are_named() {
        let told = Stretch::of(entries(&[
            ("planned", "08:00:00"),
            ("approved", "07:59:30"),
            ("intake_missing", "05:00:00"),
        ]));
        assert_eq!(told.ledger.clock_went_back, [2]);
        assert_eq!(told.ledger.altered[0].seq, 2);
        assert_eq!(told.ledger.entries, 3);
    }
}
