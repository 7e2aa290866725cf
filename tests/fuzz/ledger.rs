use std::collections::BTreeMap;

use sealift::ledger::{
    Checkpoint, Digest, Draft, Entry, Export, Head, IntakeRecord, RowSetRoot, SigningIdentity,
    VerifierKey,
};

use super::bent;

fn draft() -> Draft {
    Draft {
        at: "2026-01-31T09:00:00.5Z".to_owned(),
        actor: "alice".to_owned(),
        action: "detokenize".to_owned(),
        object: "domain `email`".to_owned(),
        purpose: Some("support_case".to_owned()),
        counts: BTreeMap::from([("permitted".to_owned(), 1)]),
        key_ids: vec![1],
        tool: "sealift 0.1.0".to_owned(),
        ..Draft::default()
    }
}

#[test]
fn ledger_entry() {
    let valid = Entry::place(draft(), 0, Digest::of(b"")).canonical().unwrap();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = bent::bytes(input, &valid);
        if let Ok(entry) = Entry::parse(&bytes) {
            assert_eq!(entry.canonical().unwrap(), bytes, "one entry has one text");
        }
        if let Ok(record) = IntakeRecord::parse(&bytes) {
            assert_eq!(record.canonical().unwrap(), bytes);
        }
    });
}

#[test]
fn ledger_checkpoint() {
    let identity = SigningIdentity::from_seed("sealift.example/vault-1", &[7; 32]).unwrap();
    let key = identity.verifier_key();
    let valid = Checkpoint::sign(&identity, 5, Digest::of(b"root")).unwrap();
    bolero::check!().for_each(|input: &[u8]| {
        let text = bent::text(input, &valid);
        if let Ok(found) = Checkpoint::parse(&text, &key) {
            assert_eq!(
                (found.size, found.root),
                (5, Digest::of(b"root")),
                "{text:?} was not signed"
            );
        }
        if let Ok(parsed) = VerifierKey::parse(&text) {
            assert_eq!(parsed.to_string(), text.strip_suffix('\n').unwrap_or(&text));
        }
    });
}

#[test]
fn ledger_heads() {
    let mut head = Head::new();
    head.enter(draft()).unwrap();
    head.enter(draft()).unwrap();
    let valid = head.encode();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = bent::bytes(input, &valid);
        if let Ok(head) = Head::decode(&bytes) {
            assert_eq!(head.encode(), bytes);
        }
        if let Ok(set) = RowSetRoot::decode(&bytes) {
            assert_eq!(set.encode(), bytes);
        }
        if let Ok(head) = Head::from_text(&String::from_utf8_lossy(&bytes)) {
            let _ = head.root();
        }
    });
}

#[test]
fn ledger_export() {
    let identity = SigningIdentity::from_seed("sealift.example/vault-1", &[7; 32]).unwrap();
    let key = identity.verifier_key();
    let mut head = Head::new();
    let entered: Vec<_> = (0..3).map(|_| head.enter(draft()).unwrap()).collect();
    let note = Checkpoint::sign(&identity, 3, head.root()).unwrap();
    let entries = entered.iter().map(|entry| entry.bytes.as_slice());
    let valid = Export::new(entries, &head, &note, &[], &key.clone().into());
    let fingerprint = key.fingerprint();
    let names: Vec<&String> = valid
        .files()
        .keys()
        .filter(|name| {
            ![Export::README, Export::VERIFIER, Export::LOCATOR].contains(&name.as_str())
        })
        .collect();
    bolero::check!().for_each(|input: &[u8]| {
        let Some((&which, edits)) = input.split_first() else { return };
        let name = names[usize::from(which) % names.len()];
        let mut files = valid.files().clone();
        let was = files[name].clone();
        let becomes = bent::bytes(edits, &was);
        let is_altered = was != becomes;
        files.insert(name.clone(), becomes);
        // An altered file is found, or is one that nothing hangs on.
        if let Ok(verdict) = Export::from_files(files).check(Some(&fingerprint), None)
            && is_altered
            && name == Export::ENTRIES
        {
            assert!(!verdict.is_consistent(), "altered entries passed");
        }
    });
}
