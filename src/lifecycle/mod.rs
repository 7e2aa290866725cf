//! The life of a run, from planned to closed: which fact may follow which.
//!
//! ```text
//! planned ─▶ approved ─▶ backed_up ─▶ sealed ─▶ rewritten ─▶ verified ─▶ purge_approved ─▶ purged ─▶ closed
//!    │           │            │          │           │            │              │
//!    └───────────┴────────────┴────┬─────┴───────────┴────────────┴──────────────┘
//!                                  ▼
//!                            rolling_back ─▶ rolled_back
//! ```
//!
//! Edges back: an approval that became void (approved → planned, purge approved → verified) and a
//! mismatch (verified → rewritten). This room knows no database and no ledger; both ask it.
//!
//! **Invariant:** [`Phase::after`] is the only function that decides which phase follows which.
//! Everything else asks it, and replaying the events of a ledger through it gives the phase.
//!
//! **Invariant:** nothing leaves `closed` or `rolled_back`, and nothing but `closed` follows
//! `purged`. Purging is the one step that cannot be undone, so it has exactly one way in.

use std::fmt;

use serde::{Deserialize, Serialize};

mod run_id;

pub use run_id::{RunId, RunIdError};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The catalog is read, the blast radius known, token fit and leakage checked. By `plan`.
    Planned,
    /// Enough distinct approvers signed the plan's fingerprint. By `approve`.
    Approved,
    /// The originals in scope lie in an encrypted backup whose hashes are on the ledger. By `run`.
    BackedUp,
    /// Every distinct original is in the vault and readable; the source is untouched. By `run`.
    Sealed,
    /// Every in-scope cell is NULL, empty by policy, or a token. By `run`.
    Rewritten,
    /// Every cell's token was opened and compared with the backup. By `run` and `verify`.
    Verified,
    /// A second approval is bound to the verified digest. By `approve --purge`.
    PurgeApproved,
    /// Residue is removed and was scanned for. By `purge`.
    Purged,
    /// The report is issued and its hash is on the ledger. By `report --close`. Terminal.
    Closed,
    /// Originals are being put back. By `rollback`.
    RollingBack,
    /// The source is as it was. Terminal.
    RolledBack,
}

/// What just happened to a run. Each is one entry of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The last signature that the plan needed.
    Approved,
    /// The catalog, the policy or the verified digest changed under an approval.
    ApprovalVoided,
    /// Every range is in the backup.
    BackedUp,
    /// Every backup file is in the vault.
    Sealed,
    /// Every range is rewritten and no original is left.
    Rewritten,
    /// Every cell opened to its original.
    Verified,
    /// A verification found a cell that does not.
    Mismatch,
    /// The last signature that the purge needed.
    PurgeApproved,
    /// The originals are gone.
    Purged,
    /// The report is issued.
    Closed,
    /// A rollback began.
    RollbackStarted,
    /// A rollback finished and was compared with the backup.
    RolledBack,
}

/// The event may not follow the phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` may not follow phase `{phase}`")]
pub struct IllegalTransition {
    /// Where the run stands.
    pub phase: Phase,
    /// What was to happen.
    pub event: Event,
}

impl Phase {
    /// Every phase, in the order of a run's life.
    pub const ALL: [Self; 11] = [
        Self::Planned,
        Self::Approved,
        Self::BackedUp,
        Self::Sealed,
        Self::Rewritten,
        Self::Verified,
        Self::PurgeApproved,
        Self::Purged,
        Self::Closed,
        Self::RollingBack,
        Self::RolledBack,
    ];

    /// Returns the phase that follows once `event` is on the ledger.
    ///
    /// # Errors
    ///
    /// Returns [`IllegalTransition`] and changes nothing if the event may not follow.
    pub fn after(self, event: Event) -> Result<Self, IllegalTransition> {
        use Event as E;
        use Phase as P;

        match (self, event) {
            (P::Planned, E::Approved) => Ok(P::Approved),
            (P::Approved, E::ApprovalVoided) => Ok(P::Planned),
            (P::Approved, E::BackedUp) => Ok(P::BackedUp),
            (P::BackedUp, E::Sealed) => Ok(P::Sealed),
            (P::Sealed, E::Rewritten)
            | (P::Rewritten | P::Verified | P::PurgeApproved, E::Mismatch) => Ok(P::Rewritten),
            // A verification repeated is a fact of its own, and leaves the run where it is.
            (P::Rewritten | P::Verified, E::Verified) | (P::PurgeApproved, E::ApprovalVoided) => {
                Ok(P::Verified)
            }
            (P::PurgeApproved, E::Verified) | (P::Verified, E::PurgeApproved) => {
                Ok(P::PurgeApproved)
            }
            (P::PurgeApproved, E::Purged) => Ok(P::Purged),
            (P::Purged, E::Closed) => Ok(P::Closed),
            (
                P::Planned
                | P::Approved
                | P::BackedUp
                | P::Sealed
                | P::Rewritten
                | P::Verified
                | P::PurgeApproved,
                E::RollbackStarted,
            ) => Ok(P::RollingBack),
            (P::RollingBack, E::RolledBack) => Ok(P::RolledBack),
            // Spelled out, so that a new phase does not compile until someone has decided what may
            // follow it.
            (
                phase @ (P::Planned
                | P::Approved
                | P::BackedUp
                | P::Sealed
                | P::Rewritten
                | P::Verified
                | P::PurgeApproved
                | P::Purged
                | P::Closed
                | P::RollingBack
                | P::RolledBack),
                event,
            ) => Err(IllegalTransition { phase, event }),
        }
    }

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Closed | Self::RolledBack)
    }

    /// Whether the run still holds its columns: no other run may touch them.
    #[must_use]
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Purged | Self::Closed | Self::RolledBack)
    }

    /// How far along its life the run is; the two phases of a rollback come last.
    #[must_use]
    pub fn rank(self) -> usize {
        Self::ALL.iter().position(|phase| *phase == self).unwrap_or(Self::ALL.len())
    }

    /// The word for it: in the ledger, in the vault's tables and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Approved => "approved",
            Self::BackedUp => "backed_up",
            Self::Sealed => "sealed",
            Self::Rewritten => "rewritten",
            Self::Verified => "verified",
            Self::PurgeApproved => "purge_approved",
            Self::Purged => "purged",
            Self::Closed => "closed",
            Self::RollingBack => "rolling_back",
            Self::RolledBack => "rolled_back",
        }
    }

    /// Finds the phase of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Self; 12] = [
        Self::Approved,
        Self::ApprovalVoided,
        Self::BackedUp,
        Self::Sealed,
        Self::Rewritten,
        Self::Verified,
        Self::Mismatch,
        Self::PurgeApproved,
        Self::Purged,
        Self::Closed,
        Self::RollbackStarted,
        Self::RolledBack,
    ];

    /// Whether a pause ends with it. The end of a pass or a signature lifts none: somebody said that the
    /// run shall not go on. The way back is open to a paused run, and what is over cannot be held.
    #[must_use]
    pub fn ends_a_pause(self) -> bool {
        matches!(self, Self::RollbackStarted | Self::RolledBack | Self::Closed)
    }

    /// The word for it, which is also the action of its ledger entry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::ApprovalVoided => "approval_voided",
            Self::BackedUp => "backed_up",
            Self::Sealed => "sealed",
            Self::Rewritten => "rewritten",
            Self::Verified => "verified",
            Self::Mismatch => "mismatch",
            Self::PurgeApproved => "purge_approved",
            Self::Purged => "purged",
            Self::Closed => "closed",
            Self::RollbackStarted => "rollback_started",
            Self::RolledBack => "rolled_back",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purged_is_reached_only_from_purge_approved() {
        let ways_in: Vec<Phase> =
            Phase::ALL.into_iter().filter(|phase| phase.after(Event::Purged).is_ok()).collect();
        assert_eq!(ways_in, [Phase::PurgeApproved]);
    }

    #[test]
    fn nothing_leaves_a_terminal_phase() {
        for phase in Phase::ALL.into_iter().filter(|phase| phase.is_terminal()) {
            assert!(Event::ALL.into_iter().all(|event| phase.after(event).is_err()), "{phase}");
        }
    }

    #[test]
    fn there_is_no_way_back_from_a_purge() {
        for event in Event::ALL {
            assert!(matches!(Phase::Purged.after(event), Err(_) | Ok(Phase::Closed)), "{event}");
        }
    }

    #[test]
    fn names_find_their_phase() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_name(phase.name()), Some(phase));
        }
    }
}
