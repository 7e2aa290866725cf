//! A credential is read as it was written, and only its holder signs with it.

use sealift::crypto::{Credential, CredentialError, SignatureError, verify_signature};

#[test]
fn a_credential_is_read_as_it_was_written() {
    let credential = Credential::generate(&mut rand::rng());
    let text = credential.expose_text();
    let back = Credential::parse(&format!("{}\n", text.as_str())).unwrap();

    assert_eq!(back.id(), credential.id());
    assert_eq!(back.expose_text(), text);
    assert!(back.matches(&credential.stored_hash()));
}

#[test]
fn only_the_one_text_of_a_credential_is_accepted() {
    let text = Credential::generate(&mut rand::rng()).expose_text().to_string();
    let others = [
        text.to_uppercase(),
        text.replace("slc_", "slk_"),
        text.replacen('_', "-", 1),
        format!("{text}0"),
        format!(" {text}"),
        format!("{text}\n\n"),
        text[..text.len() - 1].to_owned(),
        // The last symbol carries one bit of the secret; the others must be zero.
        format!("{}z", &text[..text.len() - 1]),
        String::new(),
    ];
    for other in others {
        assert_eq!(Credential::parse(&other).unwrap_err(), CredentialError, "{other:?}");
    }
}

#[test]
fn another_credential_does_not_match() {
    let one = Credential::generate(&mut rand::rng());
    let other = Credential::generate(&mut rand::rng());
    assert!(!one.matches(&other.stored_hash()));
    assert!(!one.matches(&one.stored_hash()[..16]));
}

#[test]
fn a_signature_fits_one_key_and_one_message() {
    let approver = Credential::generate(&mut rand::rng());
    let other = Credential::generate(&mut rand::rng());
    let signature = approver.sign(b"approve 7f3a0c11");

    let check = |public, message| verify_signature(&public, message, &signature);
    assert_eq!(check(approver.approver_public(), b"approve 7f3a0c11"), Ok(()));
    assert_eq!(check(approver.approver_public(), b"approve 7f3a0c12"), Err(SignatureError));
    assert_eq!(check(other.approver_public(), b"approve 7f3a0c11"), Err(SignatureError));
}

#[test]
fn a_weak_public_key_signs_nothing() {
    // The neutral element, under which a signature can fit every message.
    let mut public = [0; 32];
    public[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert_eq!(verify_signature(&public, b"anything", &signature), Err(SignatureError));
}
