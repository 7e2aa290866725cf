//! Intake: the record of a request, durable before its answer leaves, and later an entry.
//!
//! Many processes answer requests, one writes the tree. Each keeps records numbered without gaps
//! and sealed with a MAC by its caller, so that a deleted one shows. This file holds no key and makes no MAC.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::digest::Digest;
use super::entry::{Draft, EntryError, canonical_of, is_utc};
use crate::lifecycle::RunId;

/// What was asked and decided, before any value left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntakeRecord {
    /// Who keeps it until it is in the tree; the name is drawn anew at each start. Empty where the
    /// record becomes an entry at once.
    pub writer: String,
    /// The record's place among those of its writer, from 1, without gaps.
    pub number: u64,
    /// When, as RFC 3339 in UTC with a `Z`.
    pub at: String,
    /// The caller's name.
    pub actor: String,
    /// What was asked for: `detokenize`, `tokenize`, `search`.
    pub action: String,
    /// What it was asked of.
    pub object: String,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// The declared purpose.
    pub purpose: Option<String>,
    /// Tokens asked, permitted and refused, per domain.
    pub counts: BTreeMap<String, u64>,
    /// The keys that were used, by id.
    pub key_ids: Vec<u32>,
    /// The hash of the policy that decided.
    pub policy: Option<String>,
    /// Keyed digests of the tokens: to find a token again one needs the index key.
    pub token_digests: Vec<String>,
    /// Why it was refused as a whole, as the stable word of the refusal.
    pub refusal: Option<String>,
    /// SHA-256 over 32 random bytes and the reason; see [`reason_digest`](super::reason_digest).
    pub reason_hash: Option<Digest>,
    /// Name and version of the program that wrote it.
    pub tool: String,
}

impl IntakeRecord {
    /// Writes the record as canonical JSON: the bytes that are stored, with a MAC over them.
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

    /// Reads a record from its canonical bytes, whose MAC the caller has checked.
    ///
    /// # Errors
    ///
    /// Returns [`EntryError`] for anything that [`canonical`](Self::canonical) does not write.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let record: Self = serde_json::from_slice(bytes)
            .map_err(|error| EntryError::Malformed { column: error.column() })?;
        if record.canonical()? == bytes { Ok(record) } else { Err(EntryError::NotCanonical) }
    }

    /// Reads a record from bytes that this program is known to have written, by a MAC over them: what
    /// is written is canonical, and is not written again to see.
    ///
    /// # Errors
    ///
    /// Returns [`EntryError`] for bytes that are no record.
    pub fn read(bytes: &[u8]) -> Result<Self, EntryError> {
        serde_json::from_slice(bytes)
            .map_err(|error| EntryError::Malformed { column: error.column() })
    }

    /// Turns the record into an entry that waits for its place.
    ///
    /// Writer and number go along in the details, so that a gap shows on the ledger as well.
    #[must_use]
    pub fn into_draft(self) -> Draft {
        let mut details = BTreeMap::new();
        if !self.writer.is_empty() {
            details.insert("intake_number".to_owned(), Value::from(self.number));
            details.insert("intake_writer".to_owned(), Value::from(self.writer));
        }
        if !self.token_digests.is_empty() {
            details.insert("token_digests".to_owned(), Value::from(self.token_digests));
        }
        if let Some(refusal) = self.refusal {
            details.insert("refusal".to_owned(), Value::from(refusal));
        }
        if let Some(hash) = self.reason_hash {
            details.insert("reason_hash".to_owned(), Value::from(hash.to_string()));
        }
        Draft {
            at: self.at,
            actor: self.actor,
            action: self.action,
            object: self.object,
            run: self.run,
            purpose: self.purpose,
            phase_before: None,
            phase_after: None,
            counts: self.counts,
            key_ids: self.key_ids,
            policy: self.policy,
            details,
            tool: self.tool,
        }
    }
}
