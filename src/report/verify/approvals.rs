//! The signatures that a report shows, held against the entries that say who signed.
//!
//! A signature counts until what it was under has changed: what takes it away is an entry too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::ReportVerdict;
use crate::ledger::{ApprovalKind, Entry};
use crate::lifecycle::{Event, Phase};
use crate::report::ApprovalFact;

/// The action of the entry of a signature.
const SIGNED: &str = "approval_signed";

/// Between a signature and its entry lies one transaction of the vault: nobody waits longer for it.
const WAITED_S_MAX: u64 = 3_600;

/// Signatures by kind and signer, each with its entry.
type Standing<'e> = BTreeMap<(&'static str, &'e str), &'e Entry>;

/// Holds the signatures of the report, and how many its approvals had to have.
pub(super) fn hold(
    report: &Value,
    shown: &[ApprovalFact],
    entries: &[Entry],
    verdict: &mut ReportVerdict,
) {
    let mut standing = standing(entries);
    let is_told = shown.iter().all(|fact| {
        let entry = standing.remove(&(fact.kind.name(), fact.caller.as_str()));
        entry.is_some_and(|entry| is_of(fact, entry))
    });
    verdict.hold("approvals", is_told && standing.is_empty());
    for (event, name) in
        [(Event::Approved, "plan_required"), (Event::PurgeApproved, "purge_required")]
    {
        let reached = entries.iter().rfind(|entry| entry.action == event.name());
        if let Some(needed) = reached.and_then(|entry| entry.counts.get("needed")) {
            verdict.hold("approvals", report["approvals"][name].as_u64() == Some(*needed));
        }
    }
}

/// The signatures that stand after these entries.
fn standing(entries: &[Entry]) -> Standing<'_> {
    let mut standing = Standing::new();
    for entry in entries {
        if entry.action == SIGNED {
            if let Some(kind) = kind_of(entry) {
                standing.insert((kind, entry.actor.as_str()), entry);
            }
        } else if let Some(voided) = voided(entry) {
            standing.retain(|(kind, _), _| *kind != voided);
        }
    }
    standing
}

/// What was signed stands in brackets behind the run.
fn kind_of(entry: &Entry) -> Option<&'static str> {
    let (_, kind) = entry.object.strip_suffix(')')?.rsplit_once('(')?;
    [ApprovalKind::Plan, ApprovalKind::Purge]
        .map(ApprovalKind::name)
        .into_iter()
        .find(|it| *it == kind)
}

/// Which signatures an entry takes away: under a plan that does not fit any more, or under what was
/// verified and is not.
fn voided(entry: &Entry) -> Option<&'static str> {
    let is_one = |event: Event| entry.action == event.name();
    let was = entry.phase_before;
    if is_one(Event::ApprovalVoided) && was == Some(Phase::Approved) {
        Some(ApprovalKind::Plan.name())
    } else if is_one(Event::ApprovalVoided)
        || (is_one(Event::Mismatch) && was != Some(Phase::Rewritten))
    {
        Some(ApprovalKind::Purge.name())
    } else {
        None
    }
}

fn is_of(fact: &ApprovalFact, entry: &Entry) -> bool {
    let digest = entry.details.get("digest").and_then(Value::as_str);
    digest == Some(fact.digest.as_str()) && is_timely(&fact.signed_at, &entry.at)
}

fn is_timely(signed_at: &str, at: &str) -> bool {
    let (Ok(signed), Ok(at)) = (signed_at.parse::<Timestamp>(), at.parse::<Timestamp>()) else {
        return false;
    };
    at.as_second().abs_diff(signed.as_second()) <= WAITED_S_MAX
}
