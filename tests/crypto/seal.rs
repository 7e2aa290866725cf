//! A sealed value opens to what was sealed, where it belongs, and nowhere else.

use proptest::prelude::*;
use sealift::crypto::{
    DataKey, KeyId, OpenError, SEAL_OVERHEAD_BYTES, SealContext, VaultId, envelope_key_id,
};
use sealift::policy::Normalise;
use sealift::value::{Original, ValueType};

use super::VAULT;

const CONTEXT: SealContext<'static> = SealContext {
    vault: VAULT,
    domain: 3,
    token: b"slk1_token",
    kind: ValueType::Text,
    normalise: Normalise::None,
};

fn sealed() -> (DataKey, Vec<u8>) {
    let key = DataKey::generate(&mut rand::rng());
    let envelope = key.seal(KeyId(9), &Original::text("alice@example.com"), &CONTEXT, [5; 24]);
    (key, envelope)
}

fn original() -> impl Strategy<Value = Original> {
    prop_oneof![
        any::<Vec<u8>>().prop_map(|bytes| Original::new(ValueType::Text, bytes)),
        any::<Vec<u8>>().prop_map(|bytes| Original::new(ValueType::Blob, bytes)),
        any::<i64>().prop_map(Original::integer),
        any::<u64>().prop_map(|bits| Original::real(f64::from_bits(bits))),
    ]
}

proptest! {
    #[test]
    fn what_was_sealed_opens_to_itself(
        original in original(),
        vault in any::<[u8; 16]>(),
        domain: u16,
        token in any::<Vec<u8>>(),
        key_id: u32,
        nonce in any::<[u8; 24]>(),
    ) {
        let key = DataKey::generate(&mut rand::rng());
        let context = SealContext {
            vault: VaultId(vault),
            domain,
            token: &token,
            kind: original.kind(),
            normalise: Normalise::Trim,
        };
        let envelope = key.seal(KeyId(key_id), &original, &context, nonce);

        prop_assert_eq!(envelope.len(), original.len() + SEAL_OVERHEAD_BYTES);
        prop_assert_eq!(envelope_key_id(&envelope), Ok(KeyId(key_id)));
        prop_assert!(key.open(&envelope, &context).unwrap().same_as(&original));
    }

    #[test]
    fn bytes_that_are_no_envelope_are_refused_without_a_panic(bytes: Vec<u8>) {
        let key = DataKey::generate(&mut rand::rng());
        prop_assert!(key.open(&bytes, &CONTEXT).is_err());
    }
}

#[test]
fn any_flipped_bit_fails() {
    let (key, envelope) = sealed();
    for bit in 0..envelope.len() * 8 {
        let mut altered = envelope.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(&altered, &CONTEXT).is_err(), "bit {bit}");
    }
}

#[test]
fn any_cut_fails() {
    let (key, envelope) = sealed();
    for length in 0..envelope.len() {
        assert!(key.open(&envelope[..length], &CONTEXT).is_err(), "{length} bytes");
    }
}

#[test]
fn a_value_moved_elsewhere_does_not_open() {
    let (key, envelope) = sealed();
    let elsewhere = [
        SealContext { vault: VaultId([8; 16]), ..CONTEXT },
        SealContext { domain: 4, ..CONTEXT },
        SealContext { token: b"slk1_other", ..CONTEXT },
        SealContext { kind: ValueType::Blob, ..CONTEXT },
        SealContext { normalise: Normalise::Nfc, ..CONTEXT },
    ];
    for context in elsewhere {
        let opened = key.open(&envelope, &context);
        assert_eq!(opened.unwrap_err(), OpenError::Unauthentic, "{context:?}");
    }
    assert!(key.open(&envelope, &CONTEXT).is_ok());
}

#[test]
fn another_key_does_not_open() {
    let (_, envelope) = sealed();
    let other = DataKey::generate(&mut rand::rng());
    assert_eq!(other.open(&envelope, &CONTEXT).unwrap_err(), OpenError::Unauthentic);
}

#[test]
fn an_unknown_version_or_suite_is_named() {
    let (key, envelope) = sealed();
    let with = |at: usize| {
        let mut altered = envelope.clone();
        altered[at] = 2;
        key.open(&altered, &CONTEXT).unwrap_err()
    };
    assert_eq!(with(0), OpenError::UnknownVersion(2));
    assert_eq!(with(1), OpenError::UnknownSuite(2));
}
