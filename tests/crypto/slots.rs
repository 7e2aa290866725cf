//! Any slot opens the vault with its own secret, and with nothing else.

use sealift::crypto::{
    Argon2Params, KeyFile, RecoveryCode, RecoveryCodeError, RootKey, Slot, SlotError, SlotKind,
    SlotSecret, VaultId,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::VAULT;

fn passphrase(text: &str) -> SlotSecret {
    SlotSecret::Passphrase(text.into())
}

fn with_passphrase(root: &RootKey, text: &str) -> Slot {
    let secret: SecretString = text.into();
    let floor = Argon2Params::FLOOR;
    Slot::with_passphrase(1, root, VAULT, &secret, floor, &mut rand::rng()).unwrap()
}

fn edited(slot: &Slot, edit: impl FnOnce(&mut Value)) -> Slot {
    let mut json = serde_json::to_value(slot).unwrap();
    edit(&mut json);
    serde_json::from_value(json).unwrap()
}

/// Says whether two root keys are one, without a way to look at them.
fn same(one: &RootKey, other: &RootKey) -> bool {
    other.check(VAULT, &one.key_check(VAULT, &mut rand::rng())).is_ok()
}

#[test]
fn two_slots_open_to_one_root_key() {
    let root = RootKey::generate(&mut rand::rng());
    let code = RecoveryCode::generate(&mut rand::rng());
    let file = KeyFile::generate(&mut rand::rng());
    let slots = [
        with_passphrase(&root, "correct horse"),
        Slot::with_recovery_code(2, &root, VAULT, &code, &mut rand::rng()),
        Slot::with_key_file(3, &root, VAULT, &file, &mut rand::rng()),
    ];
    let secrets = [
        passphrase("correct horse"),
        SlotSecret::RecoveryCode(RecoveryCode::parse(&code.expose_text()).unwrap()),
        SlotSecret::KeyFile(KeyFile::parse(&file.expose_text()).unwrap()),
    ];
    for (slot, secret) in slots.iter().zip(&secrets) {
        let stored = serde_json::to_string(slot).unwrap();
        let slot: Slot = serde_json::from_str(&stored).unwrap();
        assert!(same(&slot.open(VAULT, secret).unwrap(), &root));
    }
    assert_eq!(
        slots[1].open(VAULT, &secrets[0]).unwrap_err(),
        SlotError::WrongKind { id: 2, kind: SlotKind::RecoveryCode }
    );
}

#[test]
fn a_wrong_secret_is_named_as_such() {
    let root = RootKey::generate(&mut rand::rng());
    let slot = with_passphrase(&root, "correct horse");
    assert_eq!(
        slot.open(VAULT, &passphrase("correct hose")).unwrap_err(),
        SlotError::WrongSecret { id: 1, kind: SlotKind::Passphrase }
    );
    let code = RecoveryCode::generate(&mut rand::rng());
    let slot = Slot::with_recovery_code(2, &root, VAULT, &code, &mut rand::rng());
    let other = SlotSecret::RecoveryCode(RecoveryCode::generate(&mut rand::rng()));
    assert_eq!(
        slot.open(VAULT, &other).unwrap_err(),
        SlotError::WrongSecret { id: 2, kind: SlotKind::RecoveryCode }
    );
}

#[test]
fn two_ways_to_type_an_accent_are_one_passphrase() {
    let root = RootKey::generate(&mut rand::rng());
    let slot = with_passphrase(&root, "caf\u{e9}");
    assert!(same(&slot.open(VAULT, &passphrase("cafe\u{301}")).unwrap(), &root));
}

#[test]
fn an_empty_passphrase_is_refused() {
    let root = RootKey::generate(&mut rand::rng());
    let made =
        Slot::with_passphrase(1, &root, VAULT, &"".into(), Argon2Params::FLOOR, &mut rand::rng());
    assert_eq!(made.unwrap_err(), SlotError::EmptyPassphrase);
}

#[test]
fn parameters_outside_the_bounds_are_refused_when_a_slot_is_made_and_when_it_is_opened() {
    let root = RootKey::generate(&mut rand::rng());
    let good = with_passphrase(&root, "correct horse");
    let (floor, cap) = (Argon2Params::FLOOR, Argon2Params::CAP);
    let outside = [
        Argon2Params { m_kib: floor.m_kib - 1, ..floor },
        Argon2Params { t: floor.t - 1, ..floor },
        Argon2Params { p: floor.p - 1, ..floor },
        Argon2Params { m_kib: cap.m_kib + 1, ..floor },
        Argon2Params { t: cap.t + 1, ..floor },
        Argon2Params { p: cap.p + 1, ..floor },
    ];
    for params in outside {
        let secret = "correct horse".into();
        let made = Slot::with_passphrase(1, &root, VAULT, &secret, params, &mut rand::rng());
        assert!(matches!(made.unwrap_err(), SlotError::Params(_)), "{params:?}");

        let slot = edited(&good, |json| json["argon2id"] = json!(params));
        let opened = slot.open(VAULT, &passphrase("correct horse"));
        assert!(matches!(opened.unwrap_err(), SlotError::Params(_)), "{params:?}");
    }
    assert_eq!(Argon2Params::default().check(), Ok(()));
}

#[test]
fn an_altered_slot_does_not_open() {
    let root = RootKey::generate(&mut rand::rng());
    let code = RecoveryCode::generate(&mut rand::rng());
    let slot = Slot::with_recovery_code(2, &root, VAULT, &code, &mut rand::rng());
    let secret = SlotSecret::RecoveryCode(code);

    assert_eq!(slot.open(VaultId([8; 16]), &secret).unwrap_err(), SlotError::Unauthentic { id: 2 });
    let renumbered = edited(&slot, |json| json["id"] = json!(5));
    assert_eq!(renumbered.open(VAULT, &secret).unwrap_err(), SlotError::Unauthentic { id: 5 });
    let later = edited(&slot, |json| json["version"] = json!(2));
    assert_eq!(
        later.open(VAULT, &secret).unwrap_err(),
        SlotError::UnknownVersion { id: 2, version: 2 }
    );
    let salted = edited(&slot, |json| json["salt"] = json!("00".repeat(16)));
    assert!(salted.open(VAULT, &secret).is_err());
    let cost = edited(&slot, |json| json["argon2id"] = json!(Argon2Params::FLOOR));
    assert!(cost.open(VAULT, &secret).is_err());
    let cut = edited(&slot, |json| json["wrapped"] = json!("00"));
    assert!(cut.open(VAULT, &secret).is_err());
}

#[test]
fn a_recovery_code_is_read_as_people_type() {
    let code = RecoveryCode::generate(&mut rand::rng());
    let text = code.expose_text();
    assert_eq!(text.split('-').count(), 8);

    let typed = [
        text.to_uppercase(),
        text.replace('-', " "),
        text.replace('-', ""),
        format!("  {}\n", text.as_str()),
        text.replace('0', "O").replace('1', "l"),
    ];
    for typed in typed {
        assert_eq!(RecoveryCode::parse(&typed).unwrap().expose_text(), text, "{typed}");
    }
}

#[test]
fn a_mistyped_recovery_code_is_told_from_a_wrong_one() {
    let text = RecoveryCode::generate(&mut rand::rng()).expose_text().to_string();
    let first = if text.starts_with('a') { "b" } else { "a" };
    let mistyped = format!("{first}{}", &text[1..]);
    assert_eq!(RecoveryCode::parse(&mistyped).unwrap_err(), RecoveryCodeError::Checksum);
    for malformed in [&text[1..], "", "uuuuu", &format!("{text}{text}")] {
        assert_eq!(RecoveryCode::parse(malformed).unwrap_err(), RecoveryCodeError::Malformed);
    }
}

#[test]
fn a_key_file_is_one_line_of_hex() {
    let line = KeyFile::generate(&mut rand::rng()).expose_text().to_string();
    assert_eq!(line.len(), 64);
    assert!(KeyFile::parse(&format!("{line}\n")).is_ok());
    for malformed in [&line[2..], &format!("{line}\n\n"), &format!("{}zz", &line[2..]), ""] {
        assert!(KeyFile::parse(malformed).is_err(), "{malformed:?}");
    }
}
