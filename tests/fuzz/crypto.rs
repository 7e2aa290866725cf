use sealift::crypto::{
    Credential, DataKey, KeyHeader, KeyId, KeyPurpose, RecoveryCode, RootKey, SealContext,
    TokenKey, VaultId, envelope_key_id,
};
use sealift::policy::Normalise;
use sealift::value::{Original, ValueType};

use super::bent;

const VAULT: VaultId = VaultId([1; 16]);

/// The same keys in each round and each process, so that a corpus stays what it was.
fn fixed() -> impl rand::CryptoRng {
    use rand::SeedableRng;
    rand::rngs::StdRng::from_seed([3; 32])
}

#[test]
fn envelope() {
    let key = DataKey::generate(&mut fixed());
    let context = SealContext {
        vault: VAULT,
        domain: 3,
        token: b"token",
        kind: ValueType::Text,
        normalise: Normalise::None,
    };
    let valid = key.seal(KeyId(9), &Original::text("alice@example.com"), &context, [5; 24]);
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = bent::bytes(input, &valid);
        let opened = key.open(&bytes, &context);
        assert_eq!(opened.is_ok(), bytes == valid, "nothing opens but what was sealed");
        let _ = envelope_key_id(&bytes);
    });
}

#[test]
fn wrap() {
    let root = RootKey::generate(&mut fixed());
    let key = TokenKey::generate(&mut fixed());
    let header =
        KeyHeader::new(VAULT, KeyId(4), KeyPurpose::Token, "email", "2026-01-02T03:04:05Z");
    let valid = root.wrap_key(&header, &key, &mut fixed()).unwrap();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = bent::bytes(input, &valid);
        let opened = root.unwrap_key::<TokenKey>(&header, &bytes);
        assert_eq!(opened.is_ok(), bytes == valid, "nothing opens but what was wrapped");
    });
}

#[test]
fn credential() {
    bolero::check!().for_each(|input: &[u8]| {
        let text = bent::text(input, "slkc1_alice_00000000000000000000000000000000");
        let _ = Credential::parse(&text);
        let _ = RecoveryCode::parse(&text);
    });
}
