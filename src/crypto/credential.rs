//! Credentials: what a caller presents, and what an approver signs with.
//!
//! ```text
//! slc_<id, 8 hex digits>_<secret, 52 symbols of base32>
//! ```
//!
//! The vault keeps the id, a hash of the secret, and the public half of the key that signs. This
//! file knows no caller and no role.
//!
//! **Invariant:** the signing key is derived from the secret when it is used and kept nowhere, so
//! that only the one who holds the credential can approve with it.

use std::fmt;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use rand::CryptoRng;
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::committed;
use super::fields::Fields;
use super::key::KEY_BYTES;
use crate::value::base32;

const PREFIX: &str = "slc_";
const STORED_LABEL: &str = "sealift/v1/credential";
const APPROVE_LABEL: &[u8] = b"sealift/v1/approve";

/// Names a credential; not secret. Eight lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId(pub u32);

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// An id and 256 random bits. Shown once; wiped from memory when dropped.
pub struct Credential {
    id: CredentialId,
    secret: SecretBox<[u8; KEY_BYTES]>,
}

/// The text is not a credential. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a credential is one line: `slc_`, eight hex digits, `_`, 52 letters and digits")]
pub struct CredentialError;

/// A signature is not by that key over that message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("signature does not fit the key and the message")]
pub struct SignatureError;

impl Credential {
    /// Draws a new credential.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut id = [0; 4];
        rng.fill_bytes(&mut id);
        let secret = SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| rng.fill_bytes(bytes));
        Self { id: CredentialId(u32::from_be_bytes(id)), secret }
    }

    /// Reads a credential's text; a line end may follow.
    ///
    /// # Errors
    ///
    /// Returns [`CredentialError`] for anything but the text of a credential.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (id, secret) = line
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('_'))
            .ok_or(CredentialError)?;
        let id: [u8; 4] = HEXLOWER
            .decode(id.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(CredentialError)?;
        let secret = Zeroizing::new(base32::decode(secret).map_err(|_| CredentialError)?);
        if secret.len() != KEY_BYTES {
            return Err(CredentialError);
        }
        Ok(Self {
            id: CredentialId(u32::from_be_bytes(id)),
            secret: SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| {
                bytes.copy_from_slice(&secret);
            }),
        })
    }

    /// The credential's name.
    #[must_use]
    pub fn id(&self) -> CredentialId {
        self.id
    }

    /// Writes the one line, without a line end, for the one time that it is shown.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(base32::encode(self.expose()));
        Zeroizing::new(format!("{PREFIX}{}_{}", self.id, secret.as_str()))
    }

    /// What the vault keeps of the secret.
    ///
    /// A plain hash is enough: 256 random bits cannot be guessed, so nothing has to be slow.
    #[must_use]
    pub fn stored_hash(&self) -> [u8; 32] {
        let message =
            Zeroizing::new(Fields::labelled(STORED_LABEL).field(self.expose()).as_bytes().to_vec());
        Sha256::digest(message.as_slice()).into()
    }

    /// Says whether the vault's hash is this credential's, in constant time.
    #[must_use]
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.stored_hash().ct_eq(stored).into()
    }

    /// Derives the key that approves. Use it and let it go; it wipes itself.
    #[must_use]
    pub fn approver_key(&self) -> SigningKey {
        SigningKey::from_bytes(&committed::derive(&[], self.expose(), &[APPROVE_LABEL]))
    }

    /// The public half of [`Credential::approver_key`], to be enrolled on the ledger.
    #[must_use]
    pub fn approver_public(&self) -> [u8; 32] {
        self.approver_key().verifying_key().to_bytes()
    }

    /// Signs with [`Credential::approver_key`].
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.approver_key().sign(message).to_bytes()
    }

    fn expose(&self) -> &[u8; KEY_BYTES] {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}, ..)", self.id)
    }
}

/// Checks an Ed25519 signature, strictly: no weak key, no second form of a signature.
///
/// # Errors
///
/// Returns [`SignatureError`] if it is not by `public` over `message`.
pub fn verify_signature(
    public: &[u8; 32],
    message: &[u8],
    signature: &[u8; 64],
) -> Result<(), SignatureError> {
    VerifyingKey::from_bytes(public)
        .and_then(|key| key.verify_strict(message, &Signature::from_bytes(signature)))
        .map_err(|_| SignatureError)
}
