//! Replay: the phase of a run is what its entries add up to.
//!
//! It decides nothing itself: every step goes through [`Phase::after`].

use super::entry::Entry;
use crate::lifecycle::{Event, IllegalTransition, Phase, RunId};

/// The action that begins a run.
const PLANNED: &str = "planned";

/// Why the entries of a run add up to no phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The ledger never says that the run was planned.
    #[error("the ledger holds no plan of run `{run}`")]
    NotPlanned {
        /// The run.
        run: RunId,
    },
    /// An entry says that something happened which could not.
    #[error("entry {seq} cannot follow what the ledger says before it")]
    Illegal {
        /// The entry.
        seq: u64,
        /// Why not.
        #[source]
        source: IllegalTransition,
    },
    /// An entry plans a run that is past its plan, or moves one that has none.
    #[error("entry {seq} (`{action}`) does not fit where run `{run}` stands")]
    Misplaced {
        /// The entry.
        seq: u64,
        /// The run.
        run: RunId,
        /// What it says was done.
        action: String,
    },
    /// An entry names phases that are not those it leads from and to.
    #[error("entry {seq} names other phases than the ledger adds up to")]
    Phases {
        /// The entry.
        seq: u64,
    },
}

/// Returns the phase that the entries of `run` add up to.
///
/// Entries of other runs are passed over, and so are those of this run that change no phase. A plan
/// over a run that is still planned replaces it.
///
/// # Errors
///
/// Returns [`ReplayError`], which names the first entry that does not fit.
pub fn replay<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    run: RunId,
) -> Result<Phase, ReplayError> {
    let mut phase: Option<Phase> = None;
    for entry in entries.into_iter().filter(|entry| entry.run == Some(run)) {
        let Some(after) = step(entry, phase, run)? else { continue };
        if (entry.phase_before, entry.phase_after) != (phase, Some(after)) {
            return Err(ReplayError::Phases { seq: entry.seq });
        }
        phase = Some(after);
    }
    phase.ok_or(ReplayError::NotPlanned { run })
}

fn step(entry: &Entry, phase: Option<Phase>, run: RunId) -> Result<Option<Phase>, ReplayError> {
    let seq = entry.seq;
    let misplaced = || ReplayError::Misplaced { seq, run, action: entry.action.clone() };

    if entry.action == PLANNED {
        return match phase {
            None | Some(Phase::Planned) => Ok(Some(Phase::Planned)),
            Some(_) => Err(misplaced()),
        };
    }
    match (Event::ALL.into_iter().find(|event| event.name() == entry.action), phase) {
        (Some(event), Some(phase)) => {
            phase.after(event).map(Some).map_err(|source| ReplayError::Illegal { seq, source })
        }
        (Some(_), None) => Err(misplaced()),
        // An act that is no event may name the phase it happened in, but may not change it.
        (None, _) if entry.phase_before == entry.phase_after => Ok(None),
        (None, _) => Err(ReplayError::Phases { seq }),
    }
}
