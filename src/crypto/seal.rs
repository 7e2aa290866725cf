//! Sealing originals: XAES-256-GCM under the key of their domain, bound to where they belong.
//!
//! ```text
//! | version 1 | suite 1 | key id 4 | nonce 24 | ciphertext n | tag 16 |
//! AAD: label ‖ version ‖ suite ‖ vault id ‖ domain id ‖ token ‖ key id ‖ value type ‖ normalisation
//! ```
//!
//! Who checks what: the tag covers ciphertext and associated data, so a row that was altered, or
//! moved to another token, domain, type or vault, does not open. A row that was *deleted*, or put
//! back to an older state, AEAD cannot see: the ledger's roots over vault entries do.
//!
//! Nonces are 192 random bits, so billions of values may be sealed under one key without a counter
//! (2⁸⁰ messages at a collision risk of 2⁻³²). This file draws none and knows no vault.
//!
//! **Invariant:** an envelope of an unknown version or suite is an error. Nothing falls back.

use std::mem;

use xaes_256_gcm::aead::AeadInOut;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::id::{KeyId, VaultId};
use super::key::DataKey;
use crate::policy::Normalise;
use crate::value::{Original, ValueType};

/// How long a nonce is. Random, never used twice under one key.
pub const NONCE_BYTES: usize = 24;
/// By how much an envelope is longer than its original.
pub const SEAL_OVERHEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES;

const VERSION: u8 = 1;
const SUITE: u8 = 1;
const LABEL: &str = "sealift/v1/seal";
const HEAD_BYTES: usize = 6 + NONCE_BYTES;
const TAG_BYTES: usize = 16;

/// What a sealed value is bound to. It opens only under the same context.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'entry> {
    /// The vault that holds the entry.
    pub vault: VaultId,
    /// The domain of the entry, by its number in that vault.
    pub domain: u16,
    /// The token that stands for the value, as the entry's key holds it.
    pub token: &'entry [u8],
    /// The type of the original.
    pub kind: ValueType,
    /// What made two originals equal when the token was derived.
    pub normalise: Normalise,
}

impl SealContext<'_> {
    fn associated(&self, key: KeyId) -> Fields {
        Fields::labelled(LABEL)
            .field(&[VERSION])
            .field(&[SUITE])
            .field(&self.vault.0)
            .field(&u32::from(self.domain).to_be_bytes())
            .field(self.token)
            .field(&key.0.to_be_bytes())
            .field(&[self.kind.code()])
            .field(&[self.normalise.code()])
    }
}

/// Why a sealed value did not open. No variant carries a value, a token or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Too short for an envelope, or the contents do not fit their type.
    #[error("sealed value is malformed")]
    Malformed,
    /// A later Sealift wrote it.
    #[error("sealed value has version {0}, known is {VERSION}")]
    UnknownVersion(u8),
    /// The algorithm is not known here.
    #[error("sealed value has suite {0}, known is {SUITE}")]
    UnknownSuite(u8),
    /// The value was altered or moved, or the key is another.
    ///
    /// These are deliberately not told apart.
    #[error("sealed value failed authentication")]
    Unauthentic,
}

impl DataKey {
    /// Seals one original.
    ///
    /// **Invariant:** `nonce` comes fresh from a secure generator for every call.
    ///
    /// # Panics
    ///
    /// Panics for an original of 64 GiB or more, which the plan blocks long before.
    #[must_use]
    pub fn seal(
        &self,
        key: KeyId,
        original: &Original,
        context: &SealContext<'_>,
        nonce: [u8; NONCE_BYTES],
    ) -> Vec<u8> {
        let mut envelope = Vec::with_capacity(original.len() + SEAL_OVERHEAD_BYTES);
        self.seal_onto(&mut envelope, key, original, context, nonce);
        envelope
    }

    /// As [`seal`](Self::seal), behind what `bytes` holds already.
    ///
    /// # Panics
    ///
    /// As [`seal`](Self::seal).
    #[expect(clippy::expect_used, reason = "the bound on originals is far below the cipher's")]
    pub fn seal_onto(
        &self,
        bytes: &mut Vec<u8>,
        key: KeyId,
        original: &Original,
        context: &SealContext<'_>,
        nonce: [u8; NONCE_BYTES],
    ) {
        debug_assert_eq!(original.kind(), context.kind, "the context names the original's type");
        // The room is taken at once: bytes that moved afterwards would leave the original behind.
        bytes.reserve(original.len() + SEAL_OVERHEAD_BYTES);
        bytes.extend_from_slice(&[VERSION, SUITE]);
        bytes.extend_from_slice(&key.0.to_be_bytes());
        bytes.extend_from_slice(&nonce);
        let begin = bytes.len();
        bytes.extend_from_slice(original.expose());
        let tag = self
            .ready()
            .encrypt_inout_detached(
                &nonce.into(),
                context.associated(key).as_bytes(),
                (&mut bytes[begin..]).into(),
            )
            .expect("an original is shorter than the cipher's limit");
        bytes.extend_from_slice(&tag);
    }

    /// Opens one sealed value, if this is its key and `context` is where it belongs.
    ///
    /// # Errors
    ///
    /// Returns [`OpenError`]; nothing of the value is let out then.
    pub fn open(&self, envelope: &[u8], context: &SealContext<'_>) -> Result<Original, OpenError> {
        let key = envelope_key_id(envelope)?;
        let (nonce, rest) =
            envelope[6..].split_first_chunk::<NONCE_BYTES>().ok_or(OpenError::Malformed)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(OpenError::Malformed)?;
        let mut value = Zeroizing::new(sealed.to_vec());
        self.ready()
            .decrypt_inout_detached(
                nonce.into(),
                context.associated(key).as_bytes(),
                value.as_mut_slice().into(),
                tag.into(),
            )
            .map_err(|_| OpenError::Unauthentic)?;
        let is_number = matches!(context.kind, ValueType::Integer | ValueType::Real);
        if is_number && value.len() != 8 {
            return Err(OpenError::Malformed);
        }
        Ok(Original::new(context.kind, mem::take(&mut *value)))
    }
}

/// Says which key sealed a value, so that the key can be fetched before it is opened.
///
/// # Errors
///
/// Returns [`OpenError`] for anything that is not an envelope of this version and suite.
pub fn envelope_key_id(envelope: &[u8]) -> Result<KeyId, OpenError> {
    match *envelope {
        [VERSION, SUITE, a, b, c, d, ..] if envelope.len() >= SEAL_OVERHEAD_BYTES => {
            Ok(KeyId(u32::from_be_bytes([a, b, c, d])))
        }
        [VERSION, SUITE, ..] | [] | [VERSION] => Err(OpenError::Malformed),
        [VERSION, suite, ..] => Err(OpenError::UnknownSuite(suite)),
        [version, ..] => Err(OpenError::UnknownVersion(version)),
    }
}
