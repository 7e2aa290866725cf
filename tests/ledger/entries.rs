//! An entry has one sequence of bytes, and nothing else is taken for it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sealift::ledger::{
    ApprovalKind, CanonicalError, Digest, Entry, EntryError, IntakeRecord, approval_message,
    canonical_json, reason_digest,
};
use sealift::lifecycle::{Phase, RunId};
use serde_json::{Value, json};

use super::fixture::draft;

fn entry() -> Entry {
    Entry::place(draft(3, "case"), 3, Digest::of(b"before"))
}

#[test]
fn an_entry_is_written_as_the_format_says() {
    let mut entry = entry();
    entry.run = Some(RunId(0x7f3a_0c11));
    entry.phase_before = Some(Phase::Sealed);
    entry.phase_after = Some(Phase::Rewritten);
    entry.policy = Some("cd".repeat(32));
    let expected = format!(
        concat!(
            r#"{{"action":"detokenize","actor":"alice","at":"2026-01-31T09:00:03.5Z","#,
            r#""counts":{{"permitted":3,"refused":1}},"details":{{"reason_hash":"{}"}},"#,
            r#""key_ids":[1,2],"object":"domain `email`, case 3","phase_after":"rewritten","#,
            r#""phase_before":"sealed","policy":"{}","prev":"{}","#,
            r#""purpose":"support_case","run":"7f3a0c11","seq":3,"tool":"sealift 0.1.0"}}"#,
        ),
        "ab".repeat(32),
        "cd".repeat(32),
        Digest::of(b"before"),
    );
    assert_eq!(String::from_utf8(entry.canonical().unwrap()).unwrap(), expected);
}

#[test]
fn an_unknown_an_absent_and_a_repeated_field_are_refused() {
    let text = String::from_utf8(entry().canonical().unwrap()).unwrap();
    for broken in [
        text.replace(r#""tool":"#, r#""extra":1,"tool":"#),
        text.replace(r#""run":null,"#, ""),
        text.replace(r#""seq":3"#, r#""seq":3,"seq":3"#),
        text.replace(r#""seq":3"#, r#""seq":3.0"#),
        text.replace(r#""seq":3"#, r#""seq": 3"#),
        text.replace("alice", "al\\u0069ce"),
        text.replace(r#"{"permitted":3,"refused":1}"#, r#"{"refused":1,"permitted":3}"#),
        text.clone() + " ",
    ] {
        assert_ne!(broken, text);
        assert!(Entry::parse(broken.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn a_time_that_is_not_utc_is_refused() {
    for at in ["2026-01-31T09:00:00+01:00", "2026-01-31 09:00:00Z", "2026-01-31T09:00:00.Z", ""] {
        let entry = Entry { at: at.to_owned(), ..entry() };
        assert_eq!(entry.canonical(), Err(EntryError::Time), "{at}");
    }
}

#[test]
fn canonical_json_follows_the_examples_of_rfc_8785() {
    // Section 3.2.3: the keys in the order of their UTF-16 code units.
    let sorted = json!({"\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5,
                        "\u{80}": 6, "\u{f6}": 7});
    let text = String::from_utf8(canonical_json(&sorted).unwrap()).unwrap();
    assert_eq!(
        text,
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}"
    );
    // Section 3.2.2: the escapes.
    let escapes = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}\u{8}\t\u{c}\r\u{1f}");
    let text = String::from_utf8(canonical_json(&escapes).unwrap()).unwrap();
    assert_eq!(text, "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\\b\\t\\f\\r\\u001f\"");
}

#[test]
fn numbers_that_a_reader_might_round_are_refused() {
    for number in [json!(1_u64 << 53), json!(-(1_i64 << 53)), json!(1.5), json!(1e300)] {
        assert_eq!(canonical_json(&number), Err(CanonicalError::Number), "{number}");
    }
    assert_eq!(canonical_json(&json!((1_u64 << 53) - 1)).unwrap(), b"9007199254740991");
    let nested = (0..17).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(canonical_json(&nested), Err(CanonicalError::Depth));
}

#[test]
fn an_approval_binds_vault_run_kind_digest_and_approver() {
    let message = approval_message("0a", RunId(1), ApprovalKind::Purge, "ff", "bob");
    let expected = concat!(
        r#"{"approver":"bob","digest":"ff","kind":"purge","run":"00000001","#,
        r#""statement":"sealift/v1/approval","vault":"0a"}"#,
    );
    assert_eq!(String::from_utf8(message).unwrap(), expected);
}

#[test]
fn a_reason_stands_as_a_digest_that_depends_on_its_salt() {
    let digest = reason_digest(&[1; 32], "case 4711");
    assert_eq!(digest, Digest::of(&[[1; 32].as_slice(), b"case 4711"].concat()));
    assert_ne!(digest, reason_digest(&[2; 32], "case 4711"));
}

#[test]
fn an_intake_record_becomes_an_entry_with_its_number() {
    let record = IntakeRecord {
        writer: "w1".to_owned(),
        number: 41,
        at: "2026-01-31T09:00:00Z".to_owned(),
        actor: "alice".to_owned(),
        action: "detokenize".to_owned(),
        object: "domain `email`".to_owned(),
        run: None,
        purpose: Some("support_case".to_owned()),
        counts: BTreeMap::from([("permitted".to_owned(), 1)]),
        key_ids: vec![3],
        policy: None,
        token_digests: vec!["00".repeat(16)],
        refusal: None,
        reason_hash: Some(reason_digest(&[1; 32], "case 4711")),
        tool: "sealift 0.1.0".to_owned(),
    };
    let bytes = record.canonical().unwrap();
    assert_eq!(IntakeRecord::parse(&bytes).unwrap(), record);
    assert!(IntakeRecord::parse(&[&bytes[..], b" "].concat()).is_err());

    let draft = record.clone().into_draft();
    assert_eq!(draft.details["intake_number"], json!(41));
    assert_eq!(draft.details["reason_hash"], json!(record.reason_hash));
    assert!(Entry::place(draft, 0, Digest::ZERO).canonical().is_ok());
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// parse(canonical(entry)) = entry, whatever stands in it.
    #[test]
    fn an_entry_survives_its_bytes(
        actor in any::<String>(),
        seq in 0..1_u64 << 53,
        details in prop::collection::btree_map(any::<String>(), values(), 0..4),
    ) {
        let entry = Entry { actor, seq, details, ..entry() };
        prop_assert_eq!(Entry::parse(&entry.canonical().unwrap()).unwrap(), entry);
    }
}
