//! One entry: what happened, who did it, and which entry came before.
//!
//! It does not know who stores it, nor what time it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::{CanonicalError, canonical_json};
use super::digest::Digest;
use super::tree::leaf_hash;
use crate::lifecycle::{Phase, RunId};

/// One fact on the ledger.
///
/// No field holds an original, a key or a reason in words; `details` holds hashes, file names and
/// digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its place in the ledger, from 0, without gaps.
    pub seq: u64,
    /// The leaf hash of the entry before it; zeros in the first. The tree proves *that* something
    /// was altered, this says *where*.
    pub prev: Digest,
    /// When, as RFC 3339 in UTC with a `Z`.
    pub at: String,
    /// The caller's name, or `system`.
    pub actor: String,
    /// What was done: the name of an event, or of an act that changes no phase.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The purpose under which it was asked for.
    pub purpose: Option<String>,
    /// The run's phase before.
    pub phase_before: Option<Phase>,
    /// The run's phase after.
    pub phase_after: Option<Phase>,
    /// How many of what: rows, cells, tokens.
    pub counts: BTreeMap<String, u64>,
    /// The keys that were used, by id.
    pub key_ids: Vec<u32>,
    /// The hash of the policy that held.
    pub policy: Option<String>,
    /// Hashes, file names, digests.
    pub details: BTreeMap<String, Value>,
    /// Name and version of the program that wrote it.
    pub tool: String,
}

/// An entry that has no place yet; [`Head::enter`](super::Head::enter) gives it one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// When, as RFC 3339 in UTC with a `Z`.
    pub at: String,
    /// The caller's name, or `system`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub object: String,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The purpose under which it was asked for.
    pub purpose: Option<String>,
    /// The run's phase before.
    pub phase_before: Option<Phase>,
    /// The run's phase after.
    pub phase_after: Option<Phase>,
    /// How many of what.
    pub counts: BTreeMap<String, u64>,
    /// The keys that were used, by id.
    pub key_ids: Vec<u32>,
    /// The hash of the policy that held.
    pub policy: Option<String>,
    /// Hashes, file names, digests.
    pub details: BTreeMap<String, Value>,
    /// Name and version of the program that writes it.
    pub tool: String,
}

/// An entry in its place, with the bytes to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The entry.
    pub entry: Entry,
    /// Its canonical bytes: these are stored, and these were hashed.
    pub bytes: Vec<u8>,
    /// Its leaf hash.
    pub leaf: Digest,
}

/// Why bytes are no entry, or an entry has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The bytes are not JSON, or lack a field, or hold one that no entry has.
    ///
    /// The parser's own words are left out: they may quote what they could not read.
    #[error("the entry cannot be read: column {column} is not what an entry holds")]
    Malformed {
        /// Where reading stopped.
        column: usize,
    },
    /// The bytes mean this entry, but are not its canonical form.
    #[error("the entry is not in canonical form")]
    NotCanonical,
    /// The time is not RFC 3339 in UTC.
    #[error("the time of an entry is RFC 3339 in UTC, ending in `Z`")]
    Time,
    /// A value in the entry has no canonical form.
    #[error("the entry has no canonical form")]
    Canonical(#[from] CanonicalError),
}

impl Entry {
    /// Gives `draft` the place `seq`, after the entry whose leaf hash is `prev`.
    #[must_use]
    pub fn place(draft: Draft, seq: u64, prev: Digest) -> Self {
        Self {
            seq,
            prev,
            at: draft.at,
            actor: draft.actor,
            action: draft.action,
            object: draft.object,
            run: draft.run,
            purpose: draft.purpose,
            phase_before: draft.phase_before,
            phase_after: draft.phase_after,
            counts: draft.counts,
            key_ids: draft.key_ids,
            policy: draft.policy,
            details: draft.details,
            tool: draft.tool,
        }
    }

    /// Writes the entry as canonical JSON. Every field is there, `null` where it has no value.
    ///
    /// # Errors
    ///
    /// Returns [`EntryError`] if the time is not UTC, or a number is not an integer of 53 bits.
    pub fn canonical(&self) -> Result<Vec<u8>, EntryError> {
        if !is_utc(&self.at) {
            return Err(EntryError::Time);
        }
        Ok(canonical_of(self)?)
    }

    /// Reads an entry from its canonical bytes.
    ///
    /// # Errors
    ///
    /// Returns [`EntryError`] for an unknown or absent field, a value of the wrong kind, and for
    /// bytes that are not what [`canonical`](Self::canonical) writes for the same entry.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = serde_json::from_slice(bytes)
            .map_err(|error| EntryError::Malformed { column: error.column() })?;
        if entry.canonical()? == bytes { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }

    /// Returns the entry with its bytes and its leaf hash.
    ///
    /// # Errors
    ///
    /// As [`canonical`](Self::canonical).
    pub fn into_entered(self) -> Result<Entered, EntryError> {
        let bytes = self.canonical()?;
        let leaf = leaf_hash(&bytes);
        Ok(Entered { entry: self, bytes, leaf })
    }
}

/// Writes anything that serde can write as canonical JSON.
pub(super) fn canonical_of(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    canonical_json(&serde_json::to_value(value).map_err(|_| CanonicalError::Shape)?)
}

/// Whether `at` has the shape `2026-01-31T09:30:00Z`, with up to nine digits of a second.
///
/// The shape only: a verifier in another language must agree without a calendar.
pub(super) fn is_utc(at: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";

    let Some((head, tail)) = at.as_bytes().split_at_checked(SHAPE.len()) else { return false };
    let head_fits = head.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        mark => byte == mark,
    });
    let tail_fits = match tail {
        b"Z" => true,
        [b'.', digits @ .., b'Z'] => {
            (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    };
    head_fits && tail_fits
}
