//! The same MACs once more: another crate, another encoder.
//!
//! Verification derives tokens and digests with this file and compares them with what `mac.rs`
//! made. A mistake in either shows as a difference instead of proving itself right.
//!
//! **Invariant:** nothing here is shared with `mac.rs` and `fields.rs`, not even the labels.

use ring::hmac::{HMAC_SHA256, Key, Tag, sign};
use zeroize::Zeroizing;

use super::key::{IndexKey, TokenKey};

impl TokenKey {
    /// Computes what [`TokenKey::hmac`] computes, independently.
    #[must_use]
    pub fn verifier_hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.verifier().hmac(parts)
    }

    /// The key as `ring` wants it. Lives as long as a batch: `ring` does not wipe it.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier(Key::new(HMAC_SHA256, self.expose()))
    }
}

/// A token key made ready for many values.
pub struct Verifier(Key);

impl Verifier {
    /// As [`TokenKey::verifier_hmac`], without making the key ready again: that is half of the work
    /// for a short value.
    #[must_use]
    pub fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A message that is in one piece is not copied.
        if let [message] = parts {
            return whole(sign(&self.0, message));
        }
        let message = Zeroizing::new(parts.concat());
        whole(sign(&self.0, &message))
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier(..)")
    }
}

impl IndexKey {
    /// Computes what [`IndexKey::digest`] computes, independently.
    #[must_use]
    pub fn verifier_digest(&self, label: &str, parts: &[&[u8]]) -> [u8; 16] {
        let mut all: Vec<&[u8]> = vec![b"sealift/v1/digest", label.as_bytes()];
        all.extend_from_slice(parts);
        let mac = authenticate(self.expose(), &all);
        let mut half = [0; 16];
        half.copy_from_slice(&mac[..16]);
        half
    }
}

/// Writes the whole message down, then signs it at once. `mac.rs` streams it instead.
fn authenticate(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let total = parts.iter().map(|part| 8 + part.len()).sum();
    // Parts may hold an original, so the message is wiped; its size is known, so it never moves.
    let mut message = Zeroizing::new(Vec::with_capacity(total));
    for part in parts {
        let length = part.len();
        message.extend((0..8).map(|place| length.checked_shr(8 * place).map_or(0, low_byte)));
        message.extend_from_slice(part);
    }
    whole(sign(&Key::new(HMAC_SHA256, key), &message))
}

fn whole(tag: Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

fn low_byte(number: usize) -> u8 {
    number.to_le_bytes()[0]
}
