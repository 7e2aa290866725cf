//! A box that opens under one key only: XAES-256-GCM with a key commitment in front.
//!
//! GCM alone lets one ciphertext open under two keys, which turns a passphrase slot into an oracle
//! for guessing. So the box starts with a digest of its key, compared before anything is
//! decrypted. Wrapped keys, slots and the key check are such boxes; what they mean stands there.
//!
//! ```text
//! | commitment 32 | nonce 24 | ciphertext n | tag 16 |
//! prk        = HKDF-Extract(salt = nonce, ikm = key)
//! commitment = HKDF-Expand(prk, label ‖ "/commit", 32)
//! box key    = HKDF-Expand(prk, label ‖ "/key", 32)
//! ```

use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::{AeadInOut, KeyInit};
use zeroize::Zeroizing;

use super::key::KEY_BYTES;

const COMMITMENT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Why a box did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BoxError {
    /// Too short to be a box.
    Malformed,
    /// The key is not the one that closed it.
    WrongKey,
    /// The key is the right one; the contents or what they are bound to were altered.
    Unauthentic,
}

/// Closes `secret` under `key`, bound to `associated`.
#[expect(clippy::expect_used, reason = "what is closed here is a key, never 64 GiB")]
pub(super) fn close(
    key: &[u8; KEY_BYTES],
    label: &str,
    associated: &[u8],
    nonce: [u8; NONCE_BYTES],
    secret: &[u8],
) -> Vec<u8> {
    let (commitment, box_key) = split(key, label, &nonce);
    let front = COMMITMENT_BYTES + NONCE_BYTES;
    let mut bytes = Vec::with_capacity(front + secret.len() + TAG_BYTES);
    bytes.extend_from_slice(&commitment);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(secret);
    let tag = Xaes256Gcm::new((&*box_key).into())
        .encrypt_inout_detached(&nonce.into(), associated, (&mut bytes[front..]).into())
        .expect("a secret is shorter than the cipher's limit");
    bytes.extend_from_slice(&tag);
    bytes
}

/// Opens what [`close`] made.
pub(super) fn open(
    key: &[u8; KEY_BYTES],
    label: &str,
    associated: &[u8],
    bytes: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    let (stored, rest) =
        bytes.split_first_chunk::<COMMITMENT_BYTES>().ok_or(BoxError::Malformed)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(BoxError::Malformed)?;
    let (sealed, tag) = rest.split_last_chunk::<TAG_BYTES>().ok_or(BoxError::Malformed)?;

    // ORDER: the commitment before the cipher, so that a box never shows how it behaves under a
    // key that is not its own.
    let (commitment, box_key) = split(key, label, nonce);
    if !bool::from(commitment.ct_eq(stored)) {
        return Err(BoxError::WrongKey);
    }
    let mut secret = Zeroizing::new(sealed.to_vec());
    Xaes256Gcm::new((&*box_key).into())
        .decrypt_inout_detached(nonce.into(), associated, secret.as_mut_slice().into(), tag.into())
        .map_err(|_| BoxError::Unauthentic)?;
    Ok(secret)
}

/// Derives the commitment and the key of one box.
fn split(
    key: &[u8; KEY_BYTES],
    label: &str,
    nonce: &[u8; NONCE_BYTES],
) -> ([u8; COMMITMENT_BYTES], Zeroizing<[u8; KEY_BYTES]>) {
    let commitment = derive(nonce, key, &[label.as_bytes(), b"/commit"]);
    let box_key = derive(nonce, key, &[label.as_bytes(), b"/key"]);
    (*commitment, box_key)
}

/// HKDF-SHA-256 to 32 bytes; `info` is the concatenation of its parts.
#[expect(clippy::expect_used, reason = "32 bytes are one block of SHA-256")]
pub(super) fn derive(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; KEY_BYTES]> {
    let mut derived = Zeroizing::new([0; KEY_BYTES]);
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand_multi_info(info, derived.as_mut_slice())
        .expect("HKDF gives up to 255 blocks");
    derived
}
