//! Keyed bits: the message that goes into the MAC, and nothing more.
//!
//! It holds no key: a [`KeyedMac`] lends the use of one.

use crate::{
    policy::Normalise,
    token::{DomainId, normalise::normalise},
    value::{Original, ValueType},
};

/// Begins the message from which tokens are derived.
pub const TOKEN_LABEL: &[u8] = b"sealift/v1/token";

/// Begins the message by which the vault finds equal values of `random` columns again.
pub const BLIND_INDEX_LABEL: &[u8] = b"sealift/v1/blind-index";

/// The use of a key for HMAC-SHA-256, without a sight of it.
pub trait KeyedMac {
    /// MACs the concatenation of the parts.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32];
}

impl<F: Fn(&[&[u8]]) -> [u8; 32]> KeyedMac for F {
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self(parts)
    }
}

/// Derives the 128 bits of `keyed` and `uuid` tokens.
///
/// ```text
/// HMAC-SHA-256(token key, message)[0..16], where message is
/// | 2 length | "sealift/v1/token" | 2 length | domain 4 | 2 length | normalisation 1
/// | 2 length | value type 1 | 8 length | value |
/// ```
///
/// Lengths are little-endian, the domain is big-endian. Each part is preceded by its length, so
/// that no two different inputs make one message.
#[must_use]
pub fn keyed_bits(
    mac: &(impl KeyedMac + ?Sized),
    domain: DomainId,
    rule: Normalise,
    original: &Original,
) -> [u8; 16] {
    mac_of(mac, TOKEN_LABEL, domain, rule, original)
}

/// Derives the key of the blind index: equal values of a domain give equal bytes.
///
/// The message is that of [`keyed_bits`] under a label of its own, so that what lies in the index
/// is never a token.
#[must_use]
pub fn blind_index(
    mac: &(impl KeyedMac + ?Sized),
    domain: DomainId,
    rule: Normalise,
    original: &Original,
) -> [u8; 16] {
    mac_of(mac, BLIND_INDEX_LABEL, domain, rule, original)
}

fn mac_of(
    mac: &(impl KeyedMac + ?Sized),
    label: &[u8],
    domain: DomainId,
    rule: Normalise,
    original: &Original,
) -> [u8; 16] {
    let hash = if rule == Normalise::None || original.kind() != ValueType::Text {
        // The common case MACs the value where it lies, without a copy.
        message(mac, label, domain, rule, original.kind(), original.expose())
    } else {
        message(mac, label, domain, rule, original.kind(), &normalise(rule, original))
    };
    let mut bits = [0; 16];
    bits.copy_from_slice(&hash[..16]);
    bits
}

fn message(
    mac: &(impl KeyedMac + ?Sized),
    label: &[u8],
    domain: DomainId,
    rule: Normalise,
    kind: ValueType,
    value: &[u8],
) -> [u8; 32] {
    mac.mac(&[
        &short(label.len()),
        label,
        &short(4),
        &domain.to_be_bytes(),
        &short(1),
        &[rule.code()],
        &short(1),
        &[kind.code()],
        &(value.len() as u64).to_le_bytes(),
        value,
    ])
}

/// The length of a part that is ours and short.
#[expect(clippy::cast_possible_truncation, reason = "labels and numbers are under 32 bytes")]
fn short(length: usize) -> [u8; 2] {
    debug_assert!(length < 32, "only the value is long");
    (length as u16).to_le_bytes()
}
