//! No secret prints.

use sealift::crypto::{
    ControlKey, Credential, DataKey, FormatKey, IndexKey, KeyFile, LedgerSeed, RecoveryCode,
    RootKey, RunSecret, SlotSecret, TokenKey,
};

use super::Script;

/// 32 bytes that show in any rendering: `ZZZ…`, `5a5a…`, `90, 90, …`.
const LOUD: [u8; 32] = [b'Z'; 32];

fn loud() -> Script {
    Script::new(&[&LOUD, &LOUD])
}

#[test]
fn a_secret_shows_its_type_and_nothing_else() {
    let shown = [
        format!("{:?}", RootKey::generate(&mut loud())),
        format!("{:?}", DataKey::generate(&mut loud())),
        format!("{:?}", TokenKey::generate(&mut loud())),
        format!("{:?}", FormatKey::generate(&mut loud())),
        format!("{:?}", ControlKey::generate(&mut loud())),
        format!("{:?}", IndexKey::generate(&mut loud())),
        format!("{:?}", LedgerSeed::generate(&mut loud())),
        format!("{:?}", RunSecret::from_text("ZZZZ".to_owned())),
        format!("{:?}", RecoveryCode::generate(&mut loud())),
        format!("{:?}", KeyFile::generate(&mut loud())),
        format!("{:?}", Credential::generate(&mut loud())),
        format!("{:#?}", SlotSecret::Passphrase("ZZZZ".into())),
    ];
    assert_eq!(
        shown[..11],
        [
            "RootKey(..)",
            "DataKey(..)",
            "TokenKey(..)",
            "FormatKey(..)",
            "ControlKey(..)",
            "IndexKey(..)",
            "LedgerSeed(..)",
            "RunSecret(..)",
            "RecoveryCode(..)",
            "KeyFile(..)",
            "Credential(5a5a5a5a, ..)",
        ]
    );
    assert!(!shown[11].contains("ZZZZ"));
}

#[test]
fn an_error_does_not_repeat_what_was_typed() {
    let shown = [
        format!("{:?}", RecoveryCode::parse("zzzz-secret").unwrap_err()),
        format!("{:?}", KeyFile::parse("zzzz-secret").unwrap_err()),
        format!("{:?}", Credential::parse("slc_zzzz-secret").unwrap_err()),
    ];
    for shown in shown {
        assert!(!shown.contains("secret"), "{shown}");
    }
}
