//! Alerts: what on the ledger somebody should be told at once, and who is told of what.
//!
//! Every alert follows from entries, so that nothing is told that is not on record, and nobody has to
//! tell it twice. This room knows no network and no clock: entries go in, alerts come out.
//!
//! **Invariant:** an alert holds names, counts and times. It has no field for a value, and the words
//! of an error stay on the ledger.

mod behind;
mod config;
mod rules;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lifecycle::RunId;

pub use behind::{BEHIND, Overdue, overdue};
pub use config::{Anchor, BehindConfig, ConfigError, Hook, NotifyConfig, Place};
pub use rules::{RunFacts, Volume, alerts, honeytokens};

/// Names the shape of an alert in JSON.
pub const ALERT_SCHEMA: &str = "sealift/alert/1";

/// The action of the entry that plants a honeytoken.
pub const HONEYTOKEN_PLANTED: &str = "honeytoken_planted";

/// Defines the kinds once, so that none is missing from `ALL`.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// What an alert is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum AlertKind {
            $($(#[$doc])* $kind,)+
        }

        impl AlertKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The word for it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A run could not go on.
    Failed = "failed",
    /// Somebody paused a run.
    Paused = "paused",
    /// Rows of a run could not be tokenised.
    Quarantined = "quarantined",
    /// The source or the vault is not what it was: a mismatch, residue, a changed catalog.
    Drifted = "drifted",
    /// A piece of work took much longer than the plan said.
    BehindEstimate = "behind_estimate",
    /// A plan, a purge or purposes wait for a signature.
    AwaitingApproval = "awaiting_approval",
    /// Originals could not be put back.
    RollbackFailed = "rollback_failed",
    /// One caller asked for very many values within an hour.
    Volume = "volume",
    /// A token that stands for nobody was opened.
    Honeytoken = "honeytoken",
    /// Requests that were recorded are gone or were changed before they came into the ledger.
    IntakeAltered = "intake_altered",
}

/// Something that somebody should be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Names the shape: `sealift/alert/1`.
    pub schema: &'static str,
    /// What it is about.
    pub kind: AlertKind,
    /// The ledger that it comes from.
    pub ledger: String,
    /// The entry that it follows from.
    pub seq: u64,
    /// The entry's time.
    pub at: String,
    /// Who did what it follows from.
    pub actor: String,
    /// The run, where it is about one.
    pub run: Option<RunId>,
    /// The purpose, where it is about one.
    pub purpose: Option<String>,
    /// One sentence.
    pub text: String,
    /// What to type next.
    pub next: String,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}
