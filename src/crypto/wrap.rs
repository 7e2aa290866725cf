//! Wrapping keys under the root key.
//!
//! ```text
//! | "SLWK" 4 | version 1 | suite 1 | commitment 32 | nonce 24 | ciphertext n | tag 16 |
//! AAD: label ‖ version ‖ suite ‖ every field of the header, each behind its length
//! ```
//!
//! The header lies beside the wrapped bytes, in the vault's row; the wrap proves it. This file
//! knows no table and does not decide which state may follow which: see [`KeyState::after`].
//!
//! **Invariant:** who changes any field of a [`KeyHeader`] without the root key makes the key
//! unusable. So a deactivated key cannot be brought back by an `UPDATE`.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::committed::{self, BoxError};
use super::fields::Fields;
use super::id::{KeyId, VaultId};
use super::key::{RootKey, WrappedKey};
use super::state::{KeyPurpose, KeyState};

const MAGIC: [u8; 4] = *b"SLWK";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const LABEL: &str = "sealift/v1/wrap";

/// What is known of a wrapped key without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyHeader {
    /// The vault that the key belongs to.
    pub vault: VaultId,
    /// The key's name in it.
    pub id: KeyId,
    /// What the key is for.
    pub purpose: KeyPurpose,
    /// Whose key it is: a domain's name, a run's id, or empty.
    pub subject: String,
    /// Which of the subject's keys for that purpose, from 1; a rotation counts on.
    pub version: u32,
    /// Where the key stands in its life.
    pub state: KeyState,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// When its state last changed, RFC 3339.
    pub changed_at: String,
}

impl KeyHeader {
    /// The header of a new key: active, version 1, made at `now` (RFC 3339).
    #[must_use]
    pub fn new(vault: VaultId, id: KeyId, purpose: KeyPurpose, subject: &str, now: &str) -> Self {
        Self {
            vault,
            id,
            purpose,
            subject: subject.to_owned(),
            version: 1,
            state: KeyState::Active,
            created_at: now.to_owned(),
            changed_at: now.to_owned(),
        }
    }

    fn associated(&self) -> Fields {
        Fields::labelled(LABEL)
            .field(&[VERSION])
            .field(&[SUITE])
            .field(&self.vault.0)
            .field(&self.id.0.to_be_bytes())
            .field(&[self.purpose.code()])
            .field(self.subject.as_bytes())
            .field(&self.version.to_be_bytes())
            .field(&[self.state.code()])
            .field(self.created_at.as_bytes())
            .field(self.changed_at.as_bytes())
    }
}

/// Why a wrapped key could not be unwrapped. No key and no part of one is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnwrapError {
    /// The bytes are not a wrapped key.
    #[error("bytes are not a wrapped key")]
    Malformed,
    /// A later Sealift wrote them.
    #[error("wrapped key has version {0}, known is {VERSION}")]
    UnknownVersion(u8),
    /// The algorithm is not known here.
    #[error("wrapped key has suite {0}, known is {SUITE}")]
    UnknownSuite(u8),
    /// It was wrapped under another root key.
    #[error("wrapped key does not belong to this root key")]
    WrongKey,
    /// The wrapped bytes or the header beside them were altered.
    #[error("wrapped key or its header failed authentication")]
    Unauthentic,
    /// The header names another purpose than the caller's.
    #[error("wrapped key is for `{}`, not for `{}`", .found.name(), .wanted.name())]
    WrongPurpose {
        /// What the header says.
        found: KeyPurpose,
        /// What the caller wanted.
        wanted: KeyPurpose,
    },
}

impl From<BoxError> for UnwrapError {
    fn from(error: BoxError) -> Self {
        match error {
            BoxError::Malformed => Self::Malformed,
            BoxError::WrongKey => Self::WrongKey,
            BoxError::Unauthentic => Self::Unauthentic,
        }
    }
}

impl RootKey {
    /// Wraps a key and binds it to its header.
    ///
    /// # Errors
    ///
    /// Returns [`UnwrapError::WrongPurpose`] where the header is not for keys of this type.
    pub fn wrap_key<K: WrappedKey>(
        &self,
        header: &KeyHeader,
        key: &K,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, UnwrapError> {
        same_purpose::<K>(header)?;
        Ok(self.wrap(header, key.secret(), rng))
    }

    /// Unwraps a key as the type that its purpose has.
    ///
    /// # Errors
    ///
    /// Returns [`UnwrapError`]; nothing of the key is let out then.
    pub fn unwrap_key<K: WrappedKey>(
        &self,
        header: &KeyHeader,
        wrapped: &[u8],
    ) -> Result<K, UnwrapError> {
        same_purpose::<K>(header)?;
        K::from_secret(&self.unwrap(header, wrapped)?).ok_or(UnwrapError::Malformed)
    }

    /// Wraps a secret of any length and binds it to its header.
    #[must_use]
    pub fn wrap(&self, header: &KeyHeader, secret: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let mut bytes = Vec::with_capacity(6 + 32 + 24 + secret.len() + 16);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, SUITE]);
        let associated = header.associated();
        let closed = committed::close(self.expose(), LABEL, associated.as_bytes(), nonce, secret);
        bytes.extend_from_slice(&closed);
        bytes
    }

    /// Opens what [`RootKey::wrap`] made, if the header is still the one it was made with.
    ///
    /// # Errors
    ///
    /// Returns [`UnwrapError`]; nothing of the secret is let out then.
    pub fn unwrap(
        &self,
        header: &KeyHeader,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
        let rest = wrapped.strip_prefix(&MAGIC).ok_or(UnwrapError::Malformed)?;
        let (&[version, suite], closed) = rest.split_first_chunk().ok_or(UnwrapError::Malformed)?;
        if version != VERSION {
            return Err(UnwrapError::UnknownVersion(version));
        }
        if suite != SUITE {
            return Err(UnwrapError::UnknownSuite(suite));
        }
        Ok(committed::open(self.expose(), LABEL, header.associated().as_bytes(), closed)?)
    }

    /// Wraps a wrapped key again: under a changed header, under another root key, or both.
    ///
    /// The key itself stays as it is, so nothing that it sealed has to be touched.
    ///
    /// # Errors
    ///
    /// Returns [`UnwrapError`] where `wrapped` does not open under this key and `header`.
    pub fn rewrap(
        &self,
        header: &KeyHeader,
        wrapped: &[u8],
        under: &RootKey,
        becomes: &KeyHeader,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, UnwrapError> {
        if header.purpose != becomes.purpose {
            return Err(UnwrapError::WrongPurpose {
                found: header.purpose,
                wanted: becomes.purpose,
            });
        }
        Ok(under.wrap(becomes, &self.unwrap(header, wrapped)?, rng))
    }
}

fn same_purpose<K: WrappedKey>(header: &KeyHeader) -> Result<(), UnwrapError> {
    if header.purpose == K::PURPOSE {
        Ok(())
    } else {
        Err(UnwrapError::WrongPurpose { found: header.purpose, wanted: K::PURPOSE })
    }
}
