//! Keys that followed each other: a ledger's key is replaced by one that the old one introduces.
//!
//! The entry of a replacement carries two signatures over both keys, one by each, so that who trusts
//! the old key has a reason to trust the new one, and nobody can claim a key that is not his. It
//! knows no storage and no state of a key.

use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use super::canonical::canonical_texts;
use super::checkpoint::{Checkpoint, CheckpointError, SigningIdentity, VerifierKey};
use super::entry::Entry;

/// The action of the entry that replaces a ledger's key.
pub const KEY_REPLACED: &str = "ledger_key_rotated";

/// Names the statement and its version, so that no other signed bytes can be taken for it.
const STATEMENT: &str = "sealift/v1/ledger-key";

/// One key that followed another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The key before.
    pub old: VerifierKey,
    /// The key from then on.
    pub new: VerifierKey,
}

/// The keys of one ledger, oldest first. The last one signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChain {
    keys: Vec<VerifierKey>,
}

impl Succession {
    /// Has both keys sign that one follows the other: the details of the entry.
    #[must_use]
    pub fn sign(old: &SigningIdentity, new: &SigningIdentity) -> BTreeMap<String, Value> {
        let (from, to) = (old.verifier_key(), new.verifier_key());
        let message = message(&from, &to);
        let signed = |by: &SigningIdentity| BASE64_STANDARD.encode(by.sign(&message)).into();
        BTreeMap::from([
            ("old_key".to_owned(), from.to_string().into()),
            ("new_key".to_owned(), to.to_string().into()),
            ("signed_by_old".to_owned(), signed(old)),
            ("signed_by_new".to_owned(), signed(new)),
        ])
    }

    /// Reads what an entry says of a replacement; `None` where it is another entry, or where one of
    /// the signatures is not there.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        if entry.action != KEY_REPLACED {
            return None;
        }
        let text = |name: &str| entry.details.get(name)?.as_str();
        let old = VerifierKey::parse(text("old_key")?).ok()?;
        let new = VerifierKey::parse(text("new_key")?).ok()?;
        let message = message(&old, &new);
        let is_signed = |key: &VerifierKey, name: &str| {
            let signature = text(name).and_then(|text| BASE64_STANDARD.decode(text).ok());
            signature.is_some_and(|signature| key.has_signed(&message, &signature))
        };
        let is_one_ledger = old.origin() == new.origin();
        (is_one_ledger && is_signed(&old, "signed_by_old") && is_signed(&new, "signed_by_new"))
            .then_some(Self { old, new })
    }
}

impl KeyChain {
    /// The keys that the entries tell of, and `newest`, which signs now.
    ///
    /// Entries that were tampered with may not lead to it. It is the last one all the same: a
    /// verifier then says that nothing leads there.
    #[must_use]
    pub fn through<'a>(entries: impl IntoIterator<Item = &'a Entry>, newest: VerifierKey) -> Self {
        let mut keys: Vec<VerifierKey> = Vec::new();
        for Succession { old, new } in entries.into_iter().filter_map(Succession::of) {
            if keys.last() != Some(&old) {
                keys.push(old);
            }
            keys.push(new);
        }
        if keys.last() != Some(&newest) {
            keys.push(newest);
        }
        Self { keys }
    }

    /// Reads the keys, a line each. `Err` has the line, from 1, that is no key of this ledger.
    pub(super) fn parse(text: &str) -> Result<Self, u64> {
        let mut keys: Vec<VerifierKey> = Vec::new();
        for (line, number) in text.strip_suffix('\n').unwrap_or(text).split('\n').zip(1..) {
            let key = VerifierKey::parse(line).map_err(|_| number)?;
            let is_known = keys.contains(&key);
            if is_known || keys.first().is_some_and(|first| first.origin() != key.origin()) {
                return Err(number);
            }
            keys.push(key);
        }
        Ok(Self { keys })
    }

    /// Writes the keys, a line each.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.keys.iter().flat_map(|key| [key.to_string(), "\n".to_owned()]).collect()
    }

    /// The keys, oldest first.
    #[must_use]
    pub fn keys(&self) -> &[VerifierKey] {
        &self.keys
    }

    /// The key that signs now.
    #[must_use]
    pub fn newest(&self) -> &VerifierKey {
        #[expect(clippy::expect_used, reason = "every way to make a chain puts a key into it")]
        self.keys.last().expect("a chain of keys has a last one")
    }

    /// Reads a checkpoint that any of the keys has signed.
    pub(super) fn checkpoint(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let mut last = CheckpointError::Unsigned;
        for key in self.keys.iter().rev() {
            match Checkpoint::parse(note, key) {
                Err(CheckpointError::Unsigned) => {}
                Err(error) => last = error,
                Ok(checkpoint) => return Ok(checkpoint),
            }
        }
        Err(last)
    }

    /// The neighbours that no entry leads between: the key before, and the key after.
    pub(super) fn unlinked<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Vec<(&VerifierKey, &VerifierKey)> {
        if self.keys.len() < 2 {
            return Vec::new();
        }
        let links: Vec<Succession> = entries.into_iter().filter_map(Succession::of).collect();
        let is_linked = |old: &VerifierKey, new: &VerifierKey| {
            links.iter().any(|link| link.old == *old && link.new == *new)
        };
        let pairs = self.keys.iter().zip(self.keys.iter().skip(1));
        pairs.filter(|(old, new)| !is_linked(old, new)).collect()
    }
}

impl From<VerifierKey> for KeyChain {
    fn from(key: VerifierKey) -> Self {
        Self { keys: vec![key] }
    }
}

fn message(old: &VerifierKey, new: &VerifierKey) -> Vec<u8> {
    canonical_texts(&mut [
        ("statement", STATEMENT),
        ("ledger", old.origin()),
        ("old", &old.to_string()),
        ("new", &new.to_string()),
    ])
}
