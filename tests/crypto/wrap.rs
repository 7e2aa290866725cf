//! A wrapped key opens under its root key and with its header, and under nothing else.

use sealift::crypto::{
    DataKey, KeyHeader, KeyId, KeyPurpose, KeyState, RootKey, RunSecret, TokenKey, UnwrapError,
    VaultId, WrongKey,
};

use super::VAULT;

fn header() -> KeyHeader {
    KeyHeader::new(VAULT, KeyId(4), KeyPurpose::Token, "email", "2026-01-02T03:04:05Z")
}

fn wrapped() -> (RootKey, TokenKey, Vec<u8>) {
    let root = RootKey::generate(&mut rand::rng());
    let key = TokenKey::generate(&mut rand::rng());
    let bytes = root.wrap_key(&header(), &key, &mut rand::rng()).unwrap();
    (root, key, bytes)
}

fn altered_headers() -> Vec<KeyHeader> {
    let header = header();
    vec![
        KeyHeader { vault: VaultId([8; 16]), ..header.clone() },
        KeyHeader { id: KeyId(5), ..header.clone() },
        KeyHeader { purpose: KeyPurpose::Data, ..header.clone() },
        KeyHeader { subject: "phone".to_owned(), ..header.clone() },
        KeyHeader { version: 2, ..header.clone() },
        KeyHeader { state: KeyState::Suspended, ..header.clone() },
        KeyHeader { created_at: "2026-01-02T03:04:06Z".to_owned(), ..header.clone() },
        KeyHeader { changed_at: "2026-01-02T03:04:06Z".to_owned(), ..header },
    ]
}

#[test]
fn a_key_comes_back_as_it_was() {
    let (root, key, bytes) = wrapped();
    let back: TokenKey = root.unwrap_key(&header(), &bytes).unwrap();
    assert_eq!(back.hmac(&[b"value"]), key.hmac(&[b"value"]));
}

#[test]
fn a_secret_of_another_length_comes_back() {
    let root = RootKey::generate(&mut rand::rng());
    let header = KeyHeader { purpose: KeyPurpose::Run, ..header() };
    let secret = RunSecret::from_text("AGE-SECRET-KEY-EXAMPLE".to_owned());
    let bytes = root.wrap_key(&header, &secret, &mut rand::rng()).unwrap();
    let back: RunSecret = root.unwrap_key(&header, &bytes).unwrap();
    assert_eq!(back.expose(), secret.expose());
}

#[test]
fn every_field_of_the_header_is_bound() {
    let (root, _, bytes) = wrapped();
    for header in altered_headers() {
        let opened = root.unwrap(&header, &bytes);
        assert_eq!(opened.unwrap_err(), UnwrapError::Unauthentic, "{header:?}");
    }
}

#[test]
fn any_flipped_bit_fails() {
    let (root, _, bytes) = wrapped();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(root.unwrap(&header(), &altered).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(root.unwrap(&header(), &bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn another_root_key_is_noticed_before_anything_is_decrypted() {
    let (_, _, bytes) = wrapped();
    let other = RootKey::generate(&mut rand::rng());
    assert_eq!(other.unwrap(&header(), &bytes).unwrap_err(), UnwrapError::WrongKey);
}

#[test]
fn a_key_is_not_unwrapped_as_one_of_another_purpose() {
    let (root, _, bytes) = wrapped();
    let refused = UnwrapError::WrongPurpose { found: KeyPurpose::Token, wanted: KeyPurpose::Data };
    assert_eq!(root.unwrap_key::<DataKey>(&header(), &bytes).unwrap_err(), refused);
    let key = DataKey::generate(&mut rand::rng());
    assert_eq!(root.wrap_key(&header(), &key, &mut rand::rng()).unwrap_err(), refused);
}

#[test]
fn a_changed_state_needs_the_root_key_and_leaves_the_key_as_it_is() {
    let (root, key, bytes) = wrapped();
    let next = KeyHeader { state: KeyState::Deactivated, ..header() };
    let again = root.rewrap(&header(), &bytes, &root, &next, &mut rand::rng()).unwrap();

    let back: TokenKey = root.unwrap_key(&next, &again).unwrap();
    assert_eq!(back.hmac(&[b"value"]), key.hmac(&[b"value"]));
    assert!(root.unwrap(&header(), &again).is_err());
}

#[test]
fn a_new_root_key_takes_over_wrapped_keys() {
    let (old, key, bytes) = wrapped();
    let new = RootKey::generate(&mut rand::rng());
    let again = old.rewrap(&header(), &bytes, &new, &header(), &mut rand::rng()).unwrap();

    let back: TokenKey = new.unwrap_key(&header(), &again).unwrap();
    assert_eq!(back.hmac(&[b"value"]), key.hmac(&[b"value"]));
    assert_eq!(old.unwrap(&header(), &again).unwrap_err(), UnwrapError::WrongKey);
}

#[test]
fn the_key_check_refuses_a_wrong_root_key_and_another_vault() {
    let root = RootKey::generate(&mut rand::rng());
    let check = root.key_check(VAULT, &mut rand::rng());

    assert_eq!(root.check(VAULT, &check), Ok(()));
    assert_eq!(root.check(VaultId([8; 16]), &check), Err(WrongKey));
    assert_eq!(RootKey::generate(&mut rand::rng()).check(VAULT, &check), Err(WrongKey));
    assert_eq!(root.check(VAULT, &check[..check.len() - 1]), Err(WrongKey));
    assert_eq!(root.check(VAULT, b""), Err(WrongKey));
}
