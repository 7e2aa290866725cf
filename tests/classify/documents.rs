//! JSON documents: findings by path, and paths that hold no value.

use super::findings;

#[test]
fn places_in_documents_are_found_by_their_paths() {
    let documents = [
        r#"{"customer":{"name":"Alice Johnson","contact":{"email":"alice@example.com"}},"phones":["+49 30 901820"],"total":12.5}"#,
        r#"{"customer":{"name":"Robert Miller","contact":{"email":"bob@example.com"}},"phones":["+1 555 010 4567","+49 30 901821"],"total":7}"#,
    ];
    let found = findings("orders", "payload", &documents);
    let paths: Vec<(&str, &str)> = found
        .iter()
        .map(|finding| (finding.path.as_deref().unwrap(), finding.kind.name()))
        .collect();
    assert!(paths.contains(&("$.customer.contact.email", "email")), "{paths:?}");
    assert!(paths.contains(&("$.customer.name", "person_name")), "{paths:?}");
    assert!(paths.contains(&("$.phones[]", "phone")), "{paths:?}");
    assert_eq!(paths.len(), 3, "{paths:?}");
}

#[test]
fn a_key_that_is_a_value_is_no_part_of_a_path() {
    let documents = [
        r#"{"balances":{"alice@example.com":{"iban":"DE89370400440532013000"}}}"#,
        r#"{"balances":{"bob@example.com":{"iban":"GB29NWBK60161331926819"}}}"#,
    ];
    let found = findings("t", "payload", &documents);
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains("example.com"), "{text}");
    let paths: Vec<(&str, &str)> = found
        .iter()
        .map(|finding| (finding.path.as_deref().unwrap(), finding.kind.name()))
        .collect();
    assert!(paths.contains(&("$.balances.{key}", "email")), "{paths:?}");
    assert!(paths.contains(&("$.balances.*.iban", "iban")), "{paths:?}");
}

#[test]
fn settings_hold_nobody() {
    let documents =
        [r#"{"theme":"dark","page_size":50,"beta":true}"#, r#"{"theme":"light","page_size":20}"#];
    assert!(findings("t", "settings", &documents).is_empty());
}

#[test]
fn many_places_and_deep_documents_are_bounded() {
    let keys: Vec<String> = (0..2_000).map(|at| format!("\"k{}x\":\"v\"", letters(at))).collect();
    let wide = format!("{{{},\"email\":\"alice@example.com\"}}", keys.join(","));
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    assert!(findings("t", "payload", &[&wide, &deep, "{broken", "[1,2", "{}", "[]"]).len() <= 256);
}

/// A number in letters, so that keys have no digits.
fn letters(mut number: u32) -> String {
    let mut text = String::new();
    loop {
        text.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
        if number == 0 {
            return text;
        }
    }
}
