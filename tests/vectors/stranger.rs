//! A vault opens with another library: `stranger.py` was written from `docs/FORMATS.md` alone.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::support::{Db, Desk, Journal, shop, verified};

/// Every line that the stranger prints.
fn opened(desk: &Desk) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/stranger.py");
    let output = Command::new("python3")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([script.as_ref(), desk.vault().as_os_str(), desk.path("recovery.txt").as_os_str()])
        .output()
        .expect("python3 is there; tests/all.sh installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A query's first column, each value as its type and its canonical bytes in hex.
fn canonical(db: &mut Db, column: &str, table: &str) -> BTreeSet<String> {
    let count = db.number(format!("SELECT count(DISTINCT {column}) FROM {table}"));
    let texts = (0..count).map(|at| {
        db.value(format!(
            "SELECT 'text ' || lower(hex({column})) FROM (SELECT DISTINCT {column} FROM {table}
             WHERE {column} IS NOT NULL ORDER BY 1) LIMIT 1 OFFSET {at}"
        ))
    });
    texts.collect()
}

#[test]
fn a_stranger_opens_a_vault_with_another_library() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 4);
    let mut db = Db::open(&desk.source());
    let (emails, names) =
        (canonical(&mut db, "email", "customers"), canonical(&mut db, "name", "customers"));
    drop(db);
    verified(&desk);
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 3");
    let arguments = ["detokenize", "--purpose", "support_case", "--reason", "case 4711", &token];
    desk.run_as("carol", &arguments).done();

    let opened = opened(&desk);

    let of = |domain: &str| -> BTreeSet<String> {
        let lines = opened.iter().filter(|line| line["domain"] == domain);
        lines.map(|line| format!("{} {}", line["type"], line["value"]).replace('"', "")).collect()
    };
    assert!(of("email").is_superset(&emails) && emails.len() == 4, "{emails:?}");
    assert_eq!(of("shop.customers.name"), names);
    let kinds: BTreeSet<&str> = opened.iter().filter_map(|line| line["type"].as_str()).collect();
    assert!(kinds.contains("integer") && kinds.contains("text"), "{kinds:?}");
    assert!(opened.iter().any(|line| line["reason"] == "case 4711"));
    let entries = Db::open(&desk.vault()).number("SELECT count(*) FROM sealift_entry");
    assert_eq!(
        opened.iter().filter(|line| line["domain"].is_string()).count().to_string(),
        entries.to_string()
    );
}
