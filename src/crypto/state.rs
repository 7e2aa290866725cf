//! What a key is for, and where it stands in its life.
//!
//! ```text
//! pre_activation ─▶ active ◀─▶ suspended
//!       │             │            │
//!       │             ├────────────┴──▶ deactivated ─▶ destroyed
//!       │             ▼                      │             ▲
//!       ├───────▶ compromised ◀──────────────┘             │
//!       │             └────────────────────────────────────┤
//!       └──────────────────────────────────────────────────┘
//! ```
//!
//! (A suspended key may turn out to be compromised, too.) States are those of NIST SP 800-57
//! Part 1. This file knows no key.
//!
//! **Invariant:** [`KeyState::after`] is the only function that decides which state follows which.

use serde::{Deserialize, Serialize};

/// What a wrapped key is for. The codes are bound in every wrap and never change.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum KeyPurpose {
    /// Seals the values of one domain.
    Data = 1,
    /// Derives the tokens of one domain, and its blind index.
    Token = 2,
    /// Encrypts one domain's values into their own format.
    Format = 3,
    /// Opens the backup of one run.
    Run = 4,
    /// Makes the MAC over rows that grant.
    Control = 5,
    /// Makes the keyed digests in ledger, quarantine and token files.
    Index = 6,
    /// Signs the ledger's checkpoints.
    Ledger = 7,
}

impl KeyPurpose {
    /// Every purpose, in the order of its code.
    pub const ALL: [Self; 7] = [
        Self::Data,
        Self::Token,
        Self::Format,
        Self::Run,
        Self::Control,
        Self::Index,
        Self::Ledger,
    ];

    /// The number by which formats name this purpose.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Finds the purpose with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.code() == code)
    }

    /// The word that the vault, messages and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Token => "token",
            Self::Format => "format",
            Self::Run => "run",
            Self::Control => "control",
            Self::Index => "index",
            Self::Ledger => "ledger",
        }
    }

    /// Finds the purpose with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// Where a key stands in its life. The codes are bound in every wrap and never change.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum KeyState {
    /// Made, but not in use yet.
    PreActivation = 1,
    /// In use: seals and opens.
    Active = 2,
    /// Seals nothing for the time being; opens what it sealed before.
    Suspended = 3,
    /// Seals nothing any more; opens what it sealed before.
    Deactivated = 4,
    /// Known to someone who should not know it; opens, so that what it sealed can be saved.
    Compromised = 5,
    /// Gone. Its record stays, its wrapped bytes do not.
    Destroyed = 6,
}

/// A key cannot go from the one state to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key that is `{}` cannot become `{}`", .from.name(), .to.name())]
pub struct IllegalKeyTransition {
    /// The state the key is in.
    pub from: KeyState,
    /// The state that was asked for.
    pub to: KeyState,
}

impl KeyState {
    /// Every state, in the order of its code.
    pub const ALL: [Self; 6] = [
        Self::PreActivation,
        Self::Active,
        Self::Suspended,
        Self::Deactivated,
        Self::Compromised,
        Self::Destroyed,
    ];

    /// The number by which formats name this state.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Finds the state with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The word that the vault, messages and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreActivation => "pre_activation",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Compromised => "compromised",
            Self::Destroyed => "destroyed",
        }
    }

    /// Finds the state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether a key in this state may seal, derive or sign something new.
    #[must_use]
    pub fn may_seal(self) -> bool {
        match self {
            Self::Active => true,
            Self::PreActivation
            | Self::Suspended
            | Self::Deactivated
            | Self::Compromised
            | Self::Destroyed => false,
        }
    }

    /// Whether a key in this state may open what it sealed before.
    #[must_use]
    pub fn may_open(self) -> bool {
        match self {
            Self::Active | Self::Suspended | Self::Deactivated | Self::Compromised => true,
            Self::PreActivation | Self::Destroyed => false,
        }
    }

    /// Returns `next`, where a key in this state may become that.
    ///
    /// # Errors
    ///
    /// Returns [`IllegalKeyTransition`] if it may not. Nothing leaves [`KeyState::Destroyed`].
    pub fn after(self, next: Self) -> Result<Self, IllegalKeyTransition> {
        use KeyState as S;

        match (self, next) {
            (S::PreActivation, S::Active | S::Compromised | S::Destroyed)
            | (S::Active, S::Suspended | S::Deactivated | S::Compromised)
            | (S::Suspended, S::Active | S::Deactivated | S::Compromised)
            | (S::Deactivated, S::Compromised | S::Destroyed)
            | (S::Compromised, S::Destroyed) => Ok(next),
            // Spelled out, so that a new state does not compile until someone has decided what
            // may follow it.
            (
                S::PreActivation
                | S::Active
                | S::Suspended
                | S::Deactivated
                | S::Compromised
                | S::Destroyed,
                _,
            ) => Err(IllegalKeyTransition { from: self, to: next }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_destroyed_and_nothing_returns_to_pre_activation() {
        for state in KeyState::ALL {
            assert!(KeyState::Destroyed.after(state).is_err());
            assert!(state.after(KeyState::PreActivation).is_err());
            assert!(state.after(state).is_err());
        }
    }

    #[test]
    fn a_key_that_was_in_use_is_deactivated_or_compromised_before_it_is_destroyed() {
        let ways_in: Vec<_> = KeyState::ALL
            .into_iter()
            .filter(|state| state.after(KeyState::Destroyed).is_ok())
            .collect();
        assert_eq!(
            ways_in,
            [KeyState::PreActivation, KeyState::Deactivated, KeyState::Compromised]
        );
    }

    #[test]
    fn only_an_active_key_seals() {
        let seals: Vec<_> = KeyState::ALL.into_iter().filter(|state| state.may_seal()).collect();
        assert_eq!(seals, [KeyState::Active]);
    }

    #[test]
    fn codes_and_names_come_back() {
        for state in KeyState::ALL {
            assert_eq!(KeyState::from_code(state.code()), Some(state));
            assert_eq!(KeyState::from_name(state.name()), Some(state));
        }
        for purpose in KeyPurpose::ALL {
            assert_eq!(KeyPurpose::from_code(purpose.code()), Some(purpose));
            assert_eq!(KeyPurpose::from_name(purpose.name()), Some(purpose));
        }
    }
}
