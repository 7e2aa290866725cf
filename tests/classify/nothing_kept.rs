//! Whatever a column holds: no panic, and no value in what is said about it.

use proptest::prelude::*;
use sealift::classify::{Detectors, Finding, Pattern, Profile, Subject};
use sealift::value::{Original, ValueType};

fn findings(column: &str, originals: &[Original]) -> Vec<Finding> {
    let pattern =
        Pattern { name: "any".into(), class: "x".into(), regex: "[a-z]+".into(), column: None };
    let detectors = Detectors::new(&[pattern]).unwrap();
    let subject = Subject { table: "customers", column, declared: "", siblings: &["email"] };
    let mut profile = Profile::new(&detectors, &subject);
    for original in originals {
        profile.add(original);
    }
    profile.add_null();
    profile.findings()
}

#[test]
fn no_value_is_in_what_is_said_about_a_column() {
    let values = [
        "alice.wonderland@example.com",
        "Zebulon Quartermain",
        "4111111111111111",
        "write to zebulon@example.com or +49 30 901820",
        r#"{"zebulon@example.com":{"name":"Zebulon Quartermain"},"Quartermain":1}"#,
        "DE89370400440532013000",
    ];
    for column in ["email", "c1", "notes", "payload", "name"] {
        for value in values {
            let found = findings(column, &[Original::text(value), Original::text(value)]);
            let said =
                format!("{found:?}{}", serde_json::to_string(&found).unwrap()).to_lowercase();
            for part in ["zebulon", "quartermain", "wonderland", "4111", "901820", "3704"] {
                assert!(!said.contains(part), "{column}: {part}");
            }
        }
    }
}

#[test]
fn counts_add_up() {
    let values = [
        Original::text("alice@example.com"),
        Original::text(""),
        Original::text("bob@example.com"),
    ];
    let found = findings("email", &values);
    let evidence = &found[0].evidence;
    assert_eq!((evidence.sampled, evidence.nulls, evidence.empties, evidence.tested), (4, 1, 1, 2));
    assert_eq!((evidence.matched, evidence.distinct_about), (2, 2));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        for kind in [ValueType::Text, ValueType::Blob] {
            let originals: Vec<Original> = values.iter().map(|bytes| Original::new(kind, bytes.clone())).collect();
            for column in ["c1", "notes", "email"] {
                for finding in findings(column, &originals) {
                    prop_assert!((0.0..=1.0).contains(&finding.confidence));
                }
            }
        }
    }

    #[test]
    fn random_text_never_panics(values in prop::collection::vec("\\PC{0,80}", 0..10)) {
        let originals: Vec<Original> = values.iter().map(|text| Original::text(text)).collect();
        findings("c1", &originals);
    }

    #[test]
    fn what_looks_like_a_value_never_panics(
        values in prop::collection::vec("[-+(){}\\[\\]\"':;.,/@ #x0-9A-Za-zäßéЖ王김’…]{0,60}", 0..10),
    ) {
        let originals: Vec<Original> = values.iter().map(|text| Original::text(text)).collect();
        findings("c1", &originals);
    }

    #[test]
    fn numbers_never_panic(whole in any::<i64>(), real in any::<f64>()) {
        findings("c1", &[Original::integer(whole), Original::real(real)]);
    }

    #[test]
    fn names_never_panic(table in "\\PC{0,60}", column in "\\PC{0,60}") {
        let detectors = Detectors::new(&[]).unwrap();
        let subject = Subject { table: &table, column: &column, declared: "", siblings: &[&column] };
        prop_assert!(Profile::new(&detectors, &subject).findings().len() <= 1);
    }
}
