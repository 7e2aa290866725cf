//! How long a run's work took and how long it waited, as its ledger has it.
//!
//! Each phase ends with an entry; the entry holds when the work began that it ends. What lies
//! between two pieces of work was spent waiting: for a person, for a window, or for somebody to go
//! on after an interruption.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::PurgeFacts;
use crate::ledger::{Entry, RESIDUE_FOUND, SCRUBBED};
use crate::lifecycle::Event;

/// Shorter gaps than this are not worth a line.
const WAIT_MILLIS_MIN: u64 = 1_000;

/// One stretch of a run's time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stage {
    /// What was done, or what was waited for.
    pub name: &'static str,
    /// Which of the two.
    pub kind: StageKind,
    /// Who did it, or ended the waiting.
    pub by: String,
    /// When it began, as RFC 3339 in UTC.
    pub from: String,
    /// When it ended.
    pub until: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Sealift worked.
    Work,
    /// Sealift waited.
    Wait,
}

impl StageKind {
    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Wait => "wait",
        }
    }
}

/// Lines up a run's stretches of time; none where a time cannot be read.
pub(super) fn list(entries: &[Entry], purge: Option<&PurgeFacts>) -> Vec<Stage> {
    let mut line = Line { at: None, stages: Vec::new() };
    for entry in entries {
        let Ok(until) = entry.at.parse::<Timestamp>() else { continue };
        let Some(act) = act_of(&entry.action) else {
            line.at = line.at.or(Some(until));
            continue;
        };
        match act {
            Act::Begin => line.at = Some(until),
            Act::Decision(name) => line.wait(name, &entry.actor, until),
            Act::Work { wait, work } => {
                let began = began_at(entry).filter(|began| *began <= until);
                if let Some(began) = began {
                    line.wait(wait, &entry.actor, began);
                }
                let of_purge = purge.filter(|_| entry.action == SCRUBBED);
                match of_purge.and_then(rewriting) {
                    Some((from, to)) if from <= to && to <= until => {
                        line.work("verify under the exclusive lock", &entry.actor, from);
                        line.work("rewrite the files", &entry.actor, to);
                        line.work("scan the files", &entry.actor, until);
                    }
                    Some(_) | None => line.work(work, &entry.actor, until),
                }
            }
        }
    }
    line.stages
}

/// What an entry says about time.
enum Act {
    /// The clock starts.
    Begin,
    /// Somebody decided; until then it was waited for.
    Decision(&'static str),
    /// Work ended here; before it, it was waited for something.
    Work { wait: &'static str, work: &'static str },
}

fn act_of(action: &str) -> Option<Act> {
    let begun = "until the run was started";
    let gone_on = "until the run went on";
    let work = |wait, work| Some(Act::Work { wait, work });
    match action {
        "planned" => Some(Act::Begin),
        "failed" => work(gone_on, "work until it failed"),
        "resumed" => Some(Act::Decision("paused")),
        SCRUBBED => work("until the purge was started", "purge"),
        RESIDUE_FOUND => work("until the purge was started", "purge that found residue"),
        _ => match Event::ALL.into_iter().find(|event| event.name() == action)? {
            Event::Approved => Some(Act::Decision("for the approval of the plan")),
            Event::PurgeApproved => Some(Act::Decision("for the approval of the purge")),
            Event::BackedUp => work(begun, "back up, control scan"),
            Event::Sealed => work(gone_on, "seal"),
            Event::Rewritten => work(gone_on, "rewrite"),
            Event::Verified => work(gone_on, "verify"),
            Event::Mismatch => work(gone_on, "verify, with mismatches"),
            Event::Purged => work(gone_on, "destroy the backup"),
            Event::Closed => Some(Act::Decision("until the report was issued")),
            Event::RollbackStarted => Some(Act::Decision("until the rollback was started")),
            Event::RolledBack => work(gone_on, "roll back"),
            Event::ApprovalVoided => None,
        },
    }
}

fn began_at(entry: &Entry) -> Option<Timestamp> {
    entry.details.get("began_at")?.as_str()?.parse().ok()
}

/// When the engine began to rewrite the files, and when it was done.
fn rewriting(purge: &PurgeFacts) -> Option<(Timestamp, Timestamp)> {
    let from = purge.steps.first()?.started_at.parse().ok()?;
    let to = purge.steps.last()?.finished_at.parse().ok()?;
    Some((from, to))
}

/// The stretches so far, and where the last one ended.
struct Line {
    at: Option<Timestamp>,
    stages: Vec<Stage>,
}

impl Line {
    fn work(&mut self, name: &'static str, by: &str, until: Timestamp) {
        self.add(name, StageKind::Work, by, until, 0);
    }

    fn wait(&mut self, name: &'static str, by: &str, until: Timestamp) {
        self.add(name, StageKind::Wait, by, until, WAIT_MILLIS_MIN);
    }

    fn add(&mut self, name: &'static str, kind: StageKind, by: &str, until: Timestamp, least: u64) {
        let from = self.at.unwrap_or(until);
        let millis = until.as_millisecond().saturating_sub(from.as_millisecond());
        // A clock that was put back gives no length at all.
        let Ok(millis) = u64::try_from(millis) else { return };
        self.at = Some(until);
        if millis >= least {
            self.stages.push(Stage {
                name,
                kind,
                by: by.to_owned(),
                from: from.to_string(),
                until: until.to_string(),
                millis,
            });
        }
    }
}
