//! The phase of a run is what its entries add up to.

use proptest::prelude::*;
use sealift::ledger::{Digest, Entry, ReplayError, replay};
use sealift::lifecycle::{Event, Phase, RunId};

use super::fixture::draft;

const RUN: RunId = RunId(0x7f3a_0c11);

fn entry(seq: u64, action: &str, before: Option<Phase>, after: Option<Phase>) -> Entry {
    let mut entry = Entry::place(draft(seq, "run"), seq, Digest::ZERO);
    action.clone_into(&mut entry.action);
    entry.run = Some(RUN);
    entry.phase_before = before;
    entry.phase_after = after;
    entry
}

fn planned() -> Entry {
    entry(0, "planned", None, Some(Phase::Planned))
}

#[test]
fn a_run_that_was_never_planned_has_no_phase() {
    assert_eq!(replay(&[], RUN), Err(ReplayError::NotPlanned { run: RUN }));
    let other = Entry { run: Some(RunId(1)), ..planned() };
    assert_eq!(replay(&[other], RUN), Err(ReplayError::NotPlanned { run: RUN }));
}

#[test]
fn an_event_before_the_plan_is_misplaced() {
    let early = entry(0, "approved", Some(Phase::Planned), Some(Phase::Approved));
    assert!(matches!(replay(&[early], RUN), Err(ReplayError::Misplaced { seq: 0, .. })));
}

#[test]
fn a_plan_replaces_a_plan_and_nothing_later() {
    let again = entry(1, "planned", Some(Phase::Planned), Some(Phase::Planned));
    let approved = entry(2, "approved", Some(Phase::Planned), Some(Phase::Approved));
    let late = entry(3, "planned", Some(Phase::Approved), Some(Phase::Planned));
    let entries = [planned(), again, approved, late];
    assert_eq!(replay(&entries[..3], RUN), Ok(Phase::Approved));
    assert!(matches!(replay(&entries, RUN), Err(ReplayError::Misplaced { seq: 3, .. })));
}

#[test]
fn an_entry_that_claims_another_phase_is_refused() {
    let lie = entry(1, "approved", Some(Phase::Planned), Some(Phase::Verified));
    assert_eq!(replay(&[planned(), lie], RUN), Err(ReplayError::Phases { seq: 1 }));
    let silent = entry(1, "exported", Some(Phase::Planned), Some(Phase::Purged));
    assert_eq!(replay(&[planned(), silent], RUN), Err(ReplayError::Phases { seq: 1 }));
}

proptest! {
    /// replay(ledger) = phase, and an event that may not follow is refused where it stands.
    #[test]
    fn replay_is_the_phase(
        events in prop::collection::vec(prop::sample::select(Event::ALL.to_vec()), 0..60),
    ) {
        let mut phase = Phase::Planned;
        let mut entries = vec![planned()];
        for event in events {
            let seq = entries.len() as u64;
            match phase.after(event) {
                Ok(after) => {
                    entries.push(entry(seq, event.name(), Some(phase), Some(after)));
                    phase = after;
                }
                Err(illegal) => {
                    let mut with = entries.clone();
                    with.push(entry(seq, event.name(), Some(phase), Some(phase)));
                    let refused = ReplayError::Illegal { seq, source: illegal };
                    prop_assert_eq!(replay(&with, RUN), Err(refused));
                }
            }
            // An act that changes no phase is passed over.
            let seq = entries.len() as u64;
            entries.push(entry(seq, "exported", None, None));
            prop_assert_eq!(replay(&entries, RUN), Ok(phase));
        }
    }
}
