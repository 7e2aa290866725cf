//! A checkpoint is a C2SP signed note, and only the ledger's own key makes one.

use sealift::ledger::{Checkpoint, CheckpointError, Digest, SigningIdentity, VerifierKey};
use signed_note::{Note, StandardVerifier, VerifierList};

use super::fixture::{Ledger, ORIGIN, SEED};

fn identity() -> SigningIdentity {
    SigningIdentity::from_seed(ORIGIN, &SEED).unwrap()
}

#[test]
fn a_checkpoint_says_what_was_signed() {
    let root = Digest::of(b"root");
    let note = Checkpoint::sign(&identity(), 42, root).unwrap();
    assert!(note.starts_with("sealift.example/vault-1\n42\n"));
    let checkpoint = Checkpoint::parse(&note, &identity().verifier_key()).unwrap();
    assert_eq!(checkpoint, Checkpoint { origin: ORIGIN.to_owned(), size: 42, root });
}

#[test]
fn another_implementation_of_signed_notes_accepts_it() {
    let note = Checkpoint::sign(&identity(), 42, Digest::of(b"root")).unwrap();
    let key = StandardVerifier::new(&identity().verifier_key().to_string()).unwrap();
    let known = VerifierList::new(vec![Box::new(key)]);
    let (verified, others) = Note::from_bytes(note.as_bytes()).unwrap().verify(&known).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 0));
}

#[test]
fn a_witness_may_sign_as_well() {
    let note = Checkpoint::sign(&identity(), 42, Digest::of(b"root")).unwrap();
    let witnessed = format!("{note}\u{2014} witness.example {}\n", "AAAA".repeat(17));
    assert!(Checkpoint::parse(&witnessed, &identity().verifier_key()).is_ok());
}

#[test]
fn a_touched_note_another_key_and_another_origin_are_refused() {
    let key = identity().verifier_key();
    let note = Checkpoint::sign(&identity(), 42, Digest::of(b"root")).unwrap();
    let other_key = SigningIdentity::from_seed(ORIGIN, &[9; 32]).unwrap();
    let other_origin = SigningIdentity::from_seed("elsewhere", &SEED).unwrap();
    for wrong in [
        note.replace("\n42\n", "\n43\n"),
        Checkpoint::sign(&other_key, 42, Digest::of(b"root")).unwrap(),
        Checkpoint::sign(&other_origin, 42, Digest::of(b"root")).unwrap(),
    ] {
        assert_eq!(Checkpoint::parse(&wrong, &key), Err(CheckpointError::Unsigned));
    }
    for malformed in ["", "text\n", &note[..note.len() - 1], &note.replace("\n\n", "\n")] {
        assert_eq!(Checkpoint::parse(malformed, &key), Err(CheckpointError::Malformed));
    }
}

#[test]
fn a_verifier_key_has_one_text() {
    let key = identity().verifier_key();
    assert_eq!(VerifierKey::parse(&key.to_string()).unwrap(), key);
    assert_eq!(VerifierKey::parse(&format!("{key}\n")).unwrap(), key);
    let text = key.to_string();
    for wrong in [
        text.replace("vault-1", "vault-2"),
        text.replace("+d11e602d+", "+D11E602D+"),
        format!("{text} "),
    ] {
        assert_eq!(VerifierKey::parse(&wrong), Err(CheckpointError::Key), "{wrong}");
    }
}

#[test]
fn an_origin_that_a_note_cannot_carry_is_refused() {
    for origin in ["", "two words", "a+b", "line\nbreak"] {
        let refused = SigningIdentity::from_seed(origin, &SEED).err();
        assert_eq!(refused, Some(CheckpointError::Origin), "{origin:?}");
    }
}

#[test]
fn a_signing_identity_cannot_be_printed() {
    assert_eq!(format!("{:?}", identity()), "SigningIdentity(..)");
}

/// Written once and never again: whoever kept a checkpoint must be able to use it for years.
#[test]
fn the_bytes_of_a_ledger_do_not_drift() {
    let ledger = Ledger::of("case", 3, &[3]);
    assert_eq!(
        ledger.fingerprint(),
        "fe812c12f3ab4ce6ac5db69ac352f906cb1b11ef43fb33e252ef7ff552263889"
    );
    assert_eq!(
        ledger.notes[0],
        concat!(
            "sealift.example/vault-1\n3\nPV4+jQImCSv7e6C6CObsFcMOnEPh2hGL8h6/+TeexeI=\n\n",
            "\u{2014} sealift.example/vault-1 0R5gLdr4esCVQgMIy1qdXCru0/RhrKTdZJ8Uf4gHxmcWMNtsHqWB",
            "QGd9hspVGCVcOCVcjiithDbaXbnE9K2pePx6UQ4=\n",
        )
    );
}
