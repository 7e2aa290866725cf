//! Our own formats, byte for byte, as another implementation computed them.
//!
//! `formats.py` beside this file wrote `formats.json`. Both are frozen: these bytes must open for
//! as long as version 1 does.

use data_encoding::HEXLOWER;
use sealift::crypto::{
    ControlKey, Credential, DataKey, IndexKey, KeyFile, KeyHeader, KeyId, KeyPurpose, KeyState,
    RecoveryCode, RootKey, SealContext, Slot, SlotSecret, TokenKey, VaultId, verify_signature,
};
use sealift::policy::Normalise;
use sealift::value::{Original, ValueType};
use serde_json::Value;

use crate::crypto::Script;

struct Golden(Value);

impl Golden {
    fn load() -> Self {
        Self(serde_json::from_str(include_str!("formats.json")).unwrap())
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).expect(pointer)
    }

    fn bytes(&self, pointer: &str) -> Vec<u8> {
        HEXLOWER.decode(self.text(pointer).as_bytes()).unwrap()
    }

    fn texts(&self, pointer: &str) -> Vec<&[u8]> {
        let list = self.0.pointer(pointer).and_then(Value::as_array).unwrap();
        list.iter().map(|text| text.as_str().unwrap().as_bytes()).collect()
    }

    fn script(&self, pointers: &[&str]) -> Script {
        let parts: Vec<_> = pointers.iter().map(|pointer| self.bytes(pointer)).collect();
        Script::new(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    fn vault(&self) -> VaultId {
        self.text("/vault").parse().unwrap()
    }

    fn root(&self) -> RootKey {
        RootKey::generate(&mut self.script(&["/root_key"]))
    }
}

#[test]
fn an_envelope_has_these_bytes() {
    let golden = Golden::load();
    let key = DataKey::generate(&mut golden.script(&["/seal/data_key"]));
    let original = Original::text(golden.text("/seal/value"));
    let context = SealContext {
        vault: golden.vault(),
        domain: 3,
        token: golden.text("/seal/token").as_bytes(),
        kind: ValueType::Text,
        normalise: Normalise::Casefold,
    };
    let nonce = golden.bytes("/nonce").try_into().unwrap();

    let envelope = key.seal(KeyId(7), &original, &context, nonce);
    assert_eq!(HEXLOWER.encode(&envelope), golden.text("/seal/envelope"));
    assert!(key.open(&golden.bytes("/seal/envelope"), &context).unwrap().same_as(&original));
}

#[test]
fn a_wrapped_key_has_these_bytes() {
    let golden = Golden::load();
    let header = KeyHeader {
        vault: golden.vault(),
        id: KeyId(7),
        purpose: KeyPurpose::Data,
        subject: "email".to_owned(),
        version: 2,
        state: KeyState::Deactivated,
        created_at: golden.text("/wrap/created_at").to_owned(),
        changed_at: golden.text("/wrap/changed_at").to_owned(),
    };
    let key = golden.bytes("/wrap/key");

    let wrapped = golden.root().wrap(&header, &key, &mut golden.script(&["/nonce"]));
    assert_eq!(HEXLOWER.encode(&wrapped), golden.text("/wrap/wrapped"));
    let unwrapped = golden.root().unwrap(&header, &golden.bytes("/wrap/wrapped")).unwrap();
    assert_eq!(*unwrapped, key);
}

#[test]
fn a_key_check_has_these_bytes() {
    let golden = Golden::load();
    let check = golden.root().key_check(golden.vault(), &mut golden.script(&["/nonce"]));
    assert_eq!(HEXLOWER.encode(&check), golden.text("/key_check"));
    assert_eq!(golden.root().check(golden.vault(), &golden.bytes("/key_check")), Ok(()));
}

#[test]
fn a_slot_has_these_bytes() {
    let golden = Golden::load();
    let (root, vault) = (golden.root(), golden.vault());
    let drawn = || golden.script(&["/salt", "/nonce"]);
    let stored: Vec<Slot> =
        serde_json::from_value(golden.0.pointer("/slots/stored").unwrap().clone()).unwrap();
    let secrets = [
        SlotSecret::Passphrase(golden.text("/slots/passphrase").into()),
        SlotSecret::RecoveryCode(RecoveryCode::parse(golden.text("/slots/recovery_code")).unwrap()),
        SlotSecret::KeyFile(KeyFile::parse(golden.text("/slots/key_file")).unwrap()),
    ];
    for (slot, secret) in stored.iter().zip(&secrets) {
        let made = match secret {
            SlotSecret::Passphrase(passphrase) => {
                let params = slot.argon2id.unwrap();
                Slot::with_passphrase(slot.id, &root, vault, passphrase, params, &mut drawn())
                    .unwrap()
            }
            SlotSecret::RecoveryCode(code) => {
                Slot::with_recovery_code(slot.id, &root, vault, code, &mut drawn())
            }
            SlotSecret::KeyFile(file) => {
                Slot::with_key_file(slot.id, &root, vault, file, &mut drawn())
            }
        };
        assert_eq!(serde_json::to_value(&made).unwrap(), serde_json::to_value(slot).unwrap());
        let opened = slot.open(vault, secret).unwrap();
        assert_eq!(opened.check(vault, &golden.bytes("/key_check")), Ok(()));
    }
}

#[test]
fn a_recovery_code_has_this_text() {
    let golden = Golden::load();
    let code = RecoveryCode::generate(&mut golden.script(&["/recovery_code/bytes"]));
    assert_eq!(code.expose_text().as_str(), golden.text("/recovery_code/text"));
}

#[test]
fn macs_and_digests_have_these_bytes() {
    let golden = Golden::load();

    let control = ControlKey::generate(&mut golden.script(&["/row/control_key"]));
    let mac = control.mac(golden.text("/row/table"), &golden.texts("/row/fields"));
    assert_eq!(HEXLOWER.encode(&mac), golden.text("/row/mac"));

    let index = IndexKey::generate(&mut golden.script(&["/digest/index_key"]));
    let digest = index.digest(golden.text("/digest/label"), &golden.texts("/digest/parts"));
    assert_eq!(HEXLOWER.encode(&digest), golden.text("/digest/digest"));

    let token = TokenKey::generate(&mut golden.script(&["/hmac/token_key"]));
    let mac = token.hmac(&golden.texts("/hmac/parts"));
    assert_eq!(HEXLOWER.encode(&mac), golden.text("/hmac/mac"));
}

#[test]
fn a_credential_has_this_text_hash_and_signature() {
    let golden = Golden::load();
    let mut drawn = golden.script(&["/credential/id", "/credential/secret"]);
    let credential = Credential::generate(&mut drawn);
    let message = golden.text("/credential/message").as_bytes();

    assert_eq!(credential.expose_text().as_str(), golden.text("/credential/text"));
    assert_eq!(HEXLOWER.encode(&credential.stored_hash()), golden.text("/credential/stored"));
    assert_eq!(HEXLOWER.encode(&credential.approver_public()), golden.text("/credential/public"));
    assert_eq!(HEXLOWER.encode(&credential.sign(message)), golden.text("/credential/signature"));

    let public = golden.bytes("/credential/public").try_into().unwrap();
    let signature = golden.bytes("/credential/signature").try_into().unwrap();
    assert_eq!(verify_signature(&public, message, &signature), Ok(()));
}

#[test]
fn the_examples_of_the_document_are_these_bytes() {
    let golden = Golden::load();
    let document = include_str!("../../docs/FORMATS.md");
    let examples: [(&str, &[usize]); 4] = [
        ("/seal/envelope", &[24, 17, 16]),
        ("/wrap/wrapped", &[32, 24, 32, 16]),
        ("/key_check", &[32, 24, 17, 16]),
        ("/slots/stored/0/wrapped", &[32, 24, 32, 16]),
    ];
    for (pointer, parts) in examples {
        let bytes = golden.bytes(pointer);
        // What stands before these parts is short, and written in groups.
        let mut at = bytes.len() - parts.iter().sum::<usize>();
        for length in parts {
            let part = HEXLOWER.encode(&bytes[at..at + length]);
            let whole = document.split_whitespace().any(|word| word == part);
            assert!(whole, "{pointer} at byte {at}");
            at += length;
        }
    }
    for pointer in [
        "/recovery_code/text",
        "/row/mac",
        "/digest/digest",
        "/credential/text",
        "/credential/stored",
        "/credential/public",
    ] {
        assert!(document.contains(golden.text(pointer)), "{pointer}");
    }
}
