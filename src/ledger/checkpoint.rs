//! Checkpoints: the size and root of the tree, signed.
//!
//! A checkpoint is a C2SP `tlog-checkpoint` in a C2SP `signed-note`, signed with Ed25519. This file
//! knows no tree and no storage.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::{NoteError, VerificationError};

use super::digest::Digest;

/// The signature type of Ed25519 in a signed note.
const ALGORITHM_ED25519: u8 = 1;

/// Why a key or a checkpoint is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The origin is empty, or holds a space, a plus or a control character.
    #[error("the origin of a ledger is a name without spaces and without `+`")]
    Origin,
    /// The text is not a verifier key.
    #[error("the text is not an Ed25519 verifier key (`origin+hash+base64`)")]
    Key,
    /// The text is not a checkpoint in a signed note.
    #[error("the text is not a signed checkpoint")]
    Malformed,
    /// The checkpoint carries no valid signature by this key for this origin.
    #[error("the checkpoint is not signed by this key")]
    Unsigned,
}

/// Who signs the checkpoints of one ledger. It cannot be printed; it is wiped when dropped.
pub struct SigningIdentity {
    origin: String,
    key: SigningKey,
}

/// The public half: the ledger's origin and the key that its checkpoints are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    origin: String,
    key: VerifyingKey,
}

/// The size and root of a tree, as signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger it belongs to.
    pub origin: String,
    /// How many entries the tree has.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl SigningIdentity {
    /// Takes the 32 secret bytes of an Ed25519 key, and the origin to sign for.
    ///
    /// # Errors
    ///
    /// Returns [`CheckpointError::Origin`] if a signed note cannot carry the origin.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, CheckpointError> {
        if !is_origin(origin) {
            return Err(CheckpointError::Origin);
        }
        Ok(Self { origin: origin.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// Returns the public half.
    #[must_use]
    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey { origin: self.origin.clone(), key: self.key.verifying_key() }
    }

    /// Signs a statement that is no checkpoint.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningIdentity(..)")
    }
}

impl VerifierKey {
    /// Reads the text form, `origin+hash+base64`, with or without a newline at its end.
    ///
    /// # Errors
    ///
    /// Returns [`CheckpointError::Key`] for anything else, also where the hash does not fit.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let (origin, rest) = text.split_once('+').ok_or(CheckpointError::Key)?;
        let (_, encoded) = rest.split_once('+').ok_or(CheckpointError::Key)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| CheckpointError::Key)?;
        let Some((&ALGORITHM_ED25519, key)) = bytes.split_first() else {
            return Err(CheckpointError::Key);
        };
        let key: &[u8; 32] = key.try_into().map_err(|_| CheckpointError::Key)?;
        let key = VerifyingKey::from_bytes(key).map_err(|_| CheckpointError::Key)?;
        let parsed = Self { origin: origin.to_owned(), key };
        // Written again and compared: one key has one text, and the hash in it is right.
        let is_exact = is_origin(origin) && parsed.to_string() == text;
        if is_exact { Ok(parsed) } else { Err(CheckpointError::Key) }
    }

    /// The ledger that this key signs for.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The fingerprint: SHA-256 of the 32 bytes of the public key, as 64 lowercase hex digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        Digest::of(self.key.as_bytes()).to_string()
    }

    /// Whether `fingerprint` names this key, in whatever case it was typed.
    #[must_use]
    pub fn has_fingerprint(&self, fingerprint: &str) -> bool {
        self.fingerprint().eq_ignore_ascii_case(fingerprint)
    }

    /// Whether this key signed `message`. Strict: a key or a nonce of small order would let one
    /// signature fit many messages.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|bytes: &[u8; 64]| {
            self.key.verify_strict(message, &Signature::from_bytes(bytes)).is_ok()
        })
    }

    fn encoded(&self) -> Vec<u8> {
        let mut bytes = vec![ALGORITHM_ED25519];
        bytes.extend(self.key.as_bytes());
        bytes
    }

    fn id(&self) -> u32 {
        signed_note::key_id(&self.origin, &self.encoded())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64_STANDARD.encode(self.encoded());
        write!(f, "{}+{:08x}+{key}", self.origin, self.id())
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// `signed_note` brings an Ed25519 of an older generation; through its trait it checks with ours.
struct NoteVerifier<'a> {
    key: &'a VerifierKey,
    id: u32,
}

impl signed_note::Verifier for NoteVerifier<'_> {
    fn name(&self) -> &str {
        &self.key.origin
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.has_signed(message, signature)
    }
}

impl signed_note::Verifiers for NoteVerifier<'_> {
    fn verifier(
        &self,
        name: &str,
        id: u32,
    ) -> Result<&dyn signed_note::Verifier, VerificationError> {
        if name == self.key.origin && id == self.id {
            Ok(self)
        } else {
            // Another's signature, a witness's perhaps: left aside, not refused.
            Err(VerificationError::UnknownKey { name: name.to_owned(), id })
        }
    }
}

impl Checkpoint {
    /// Signs a tree of `size` entries under `root`, and returns the note's text.
    ///
    /// The caller keeps the promise that no two notes contradict each other: `size` and `root` come
    /// from a committed head that only ever grew.
    ///
    /// # Errors
    ///
    /// Returns [`CheckpointError::Origin`] if the note cannot be written for this origin.
    pub fn sign(
        identity: &SigningIdentity,
        size: u64,
        root: Digest,
    ) -> Result<String, CheckpointError> {
        let root = tlog_tiles::Hash(*root.as_bytes());
        let text = tlog_tiles::Checkpoint::new(&identity.origin, size, root, "")
            .map_err(|_| CheckpointError::Origin)?
            .to_bytes();
        let signature = identity.key.sign(&text).to_bytes().to_vec();
        let id = identity.verifier_key().id();
        let signature = signed_note::Signature::new(identity.origin.clone(), id, signature)
            .map_err(|_| CheckpointError::Origin)?;
        let note =
            signed_note::Note::new(&text, &[signature]).map_err(|_| CheckpointError::Origin)?;
        String::from_utf8(note.to_bytes()).map_err(|_| CheckpointError::Origin)
    }

    /// Reads a note and checks that `key` signed it. Signatures by others are left aside.
    ///
    /// # Errors
    ///
    /// Returns [`CheckpointError::Malformed`] if it is no checkpoint, and
    /// [`CheckpointError::Unsigned`] if it is one, but not this key's.
    pub fn parse(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = signed_note::Note::from_bytes(note.as_bytes())
            .map_err(|_| CheckpointError::Malformed)?;
        note.verify(&NoteVerifier { key, id: key.id() }).map_err(|error| match error {
            NoteError::MalformedNote => CheckpointError::Malformed,
            _ => CheckpointError::Unsigned,
        })?;
        let text = tlog_tiles::Checkpoint::from_bytes(note.text())
            .map_err(|_| CheckpointError::Malformed)?;
        // Written again and compared: no extension lines, no second way to write a number.
        let root = Digest::from_bytes(text.hash().0);
        let is_exact = format!("{}\n{}\n{}\n", text.origin(), text.size(), text.hash()).as_bytes()
            == note.text();
        if !is_exact {
            return Err(CheckpointError::Malformed);
        }
        if text.origin() != key.origin {
            return Err(CheckpointError::Unsigned);
        }
        Ok(Self { origin: key.origin.clone(), size: text.size(), root })
    }
}

fn is_origin(origin: &str) -> bool {
    signed_note::is_key_name_valid(origin) && !origin.chars().any(char::is_control)
}
