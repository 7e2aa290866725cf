//! Rows that cannot be tokenised: they wait, somebody is told, and somebody has to decide.

use crate::support::{Answer, Db, Desk, Journal, POLICY, shop, verified};

/// A run that met a row which cannot be written: beside the token of an address, the application
/// stored that address again, and both would get the same token in a unique column.
fn with_a_poison_row(limits: &str) -> (Desk, String, Answer) {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 8);
    desk.write("shop.toml", &format!("{POLICY}\n{limits}"));
    let run = verified(&desk);
    Db::open(&desk.source()).exec(
        "INSERT INTO customers (id, name, email)
         VALUES (77, 'Quenby Farthingale the 00077th', 'person00003.of.nowhere@example.com')",
    );
    desk.run(&["verify", &run]).ends(1);
    let answer = desk.run(&["run", &run]);
    (desk, run, answer)
}

#[test]
fn past_its_budget_a_run_stops_and_names_the_table() {
    let (desk, run, answer) = with_a_poison_row("");

    answer.clone().ends(1).mentions(&["quarantine"]);

    assert!(!answer.stderr.contains("person00003"), "{answer}");
    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "rewritten");
}

#[test]
fn within_its_budget_the_row_waits_for_a_decision() {
    let (desk, run, answer) = with_a_poison_row("[limits]\nquarantine_max = 5\n");
    answer.ends(1);

    let list = desk.json(&["quarantine", "list", &run]).ends(1);

    let waiting = list.objects();
    assert_eq!(waiting.len(), 1, "{list}");
    assert_eq!(waiting[0]["table"], "customers", "{list}");
    assert_eq!(waiting[0]["state"], "waiting", "{list}");
    assert!(!list.stdout.contains("person00003"), "{list}");
    let emails = "SELECT count(*) FROM customers WHERE id = 77 AND email LIKE '%@example.com'";
    assert_eq!(Db::open(&desk.source()).number(emails), 1, "the row is left as it was");
}

#[test]
fn a_row_that_was_put_right_is_replayed() {
    let (desk, run, _) = with_a_poison_row("[limits]\nquarantine_max = 5\n");
    Db::open(&desk.source())
        .exec("UPDATE customers SET email = 'put.right@example.net' WHERE id = 77");

    desk.run(&["quarantine", "replay", &run]).done();
    desk.run(&["run", &run]).done();

    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "verified");
    let token = Db::open(&desk.source()).value("SELECT email FROM customers WHERE id = 77");
    assert!(token.starts_with("slk"), "{token}");
}

/// Who is told of mismatches does not know that these rows wait for a decision.
#[test]
fn a_verification_says_which_cells_wait_in_quarantine_and_where_to_go_on() {
    let (desk, run, answer) = with_a_poison_row("[limits]\nquarantine_max = 5\n");
    answer.ends(1).mentions(&["waits in quarantine", "sealift quarantine list"]);
    desk.run(&["status", &run]).done().mentions(&["next: alice: sealift quarantine list"]);
    desk.run(&["quarantine", "replay", &run]).done();
    desk.run(&["status", &run]).done().mentions(&["next: alice: sealift run"]);
}

#[test]
fn a_value_that_can_have_no_token_is_told_with_its_column() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 8);
    let limits = "[limits]\nquarantine_max = 5\nvalue_bytes_max = \"1 KiB\"\n";
    desk.write("shop.toml", &format!("{POLICY}\n{limits}"));
    let run = crate::support::plan_and_approve(&desk);
    Db::open(&desk.source())
        .exec("UPDATE customers SET email = replace(hex(zeroblob(600)), '0', 'x') WHERE id = 3");
    desk.run(&["run", &run]).ends(1);
    desk.run(&["quarantine", "list", &run])
        .ends(1)
        .mentions(&["row 3: column `email`: a value is longer than 1024 bytes"]);
}

#[test]
fn a_waiver_is_for_one_row_that_is_named() {
    let (desk, run, _) = with_a_poison_row("[limits]\nquarantine_max = 5\n");
    Db::open(&desk.source()).exec(
        "INSERT INTO customers (id, name, email)
         VALUES (78, 'Quenby Farthingale the 00078th', 'person00004.of.nowhere@example.com')",
    );
    desk.run(&["run", &run]).ends(1);
    let waive = |row: &str| desk.run(&["quarantine", "waive", &run, "--row", row, "--reason", "x"]);
    waive("").fails(3, &["names 2 rows", "hint: waive each by its own name"]);
    let row = desk.json(&["quarantine", "list", &run]).ends(1).objects()[0]["row"].clone();
    waive(row.as_str().unwrap()).done();
    desk.json(&["quarantine", "list", &run]).ends(1);
}

#[test]
fn a_waiver_has_a_name_and_lets_the_run_go_on() {
    let (desk, run, _) = with_a_poison_row("[limits]\nquarantine_max = 5\n");
    let row = desk.json(&["quarantine", "list", &run]).ends(1).text("row");

    desk.run(&["quarantine", "waive", &run, "--row", &row, "--reason", "known"]).done();
    desk.run(&["run", &run]).done();

    assert_eq!(desk.json(&["status", &run]).done().text("phase"), "verified");
    let list = desk.json(&["quarantine", "list", &run]).done();
    assert_eq!(list.text("state"), "waived", "{list}");
}
