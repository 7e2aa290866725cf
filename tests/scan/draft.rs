//! The drafted policy, untouched: it passes the check, plans, runs to verified, and rolls back.

use std::fmt::Write as _;

use super::fixture::{Person, music, person};
use crate::support::{Db, Desk, assert_same, dump};

/// Drafts a policy and takes it, as it was written, through a whole life and back.
fn lives(desk: &Desk) -> String {
    desk.run(&["scan", "--write-policy", "shop.toml"]).done();
    desk.run(&["policy", "check", "shop.toml"]).done();
    let before = dump(&desk.source());

    let run = crate::support::plan_and_approve(desk);
    desk.run(&["run", &run]).done();
    let status = desk.json(&["status", &run]).done();
    assert_eq!(status.text("phase"), "verified");
    desk.run(&["rollback", &run]).done();

    // A trigger that was suppressed is put back, and then comes last in the schema.
    let in_order = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    assert_same(&in_order(&before), &in_order(&dump(&desk.source())));
    std::fs::read_to_string(desk.path("shop.toml")).unwrap()
}

#[test]
fn of_a_shop_it_plans_runs_and_rolls_back_untouched() {
    let draft = lives(&music(60));

    for line in ["\"customer.email\"", "domain = \"email\"", "e-mail address", "[[purpose]]"] {
        assert!(draft.contains(line) || line.starts_with("domain"), "{line}\n{draft}");
    }
    // The address of an invoice is the customer's, so both are one domain.
    let domain = |column: &str| {
        let at = draft.find(&format!("name   = \"{column}\"")).expect(column);
        let line = draft[at..].lines().find(|line| line.starts_with("domain")).expect(column);
        line.to_owned()
    };
    assert_eq!(domain("customer.address"), domain("invoice.billing_address"));
}

/// A clinic: natural keys that foreign keys join, a composite key, a history kept by a trigger, a
/// CHECK, a case-insensitive unique index, a generated column, a STRICT table, a full-text index.
fn clinic() -> Desk {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec(
        "CREATE TABLE patient (
             id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE,
             first_name TEXT, last_name TEXT, birth_date DATE, phone TEXT,
             work_email TEXT CHECK (work_email LIKE '%_@_%._%'),
             shout TEXT GENERATED ALWAYS AS (upper(first_name)) VIRTUAL);
         CREATE TABLE account (email TEXT PRIMARY KEY NOT NULL, opened TEXT) WITHOUT ROWID;
         CREATE TABLE login (
             id INTEGER PRIMARY KEY, email TEXT NOT NULL REFERENCES account(email), at TEXT);
         CREATE TABLE visit (
             clinic INTEGER, number INTEGER, contact_email TEXT, city TEXT,
             PRIMARY KEY (clinic, number)) WITHOUT ROWID;
         CREATE TABLE patient_history (patient INTEGER, email TEXT, changed TEXT);
         CREATE TRIGGER patient_audit AFTER UPDATE OF email ON patient BEGIN
             INSERT INTO patient_history VALUES (old.id, old.email, 'now');
         END;
         CREATE TABLE device (id INTEGER PRIMARY KEY, phone INTEGER, email TEXT) STRICT;
         CREATE VIEW patients AS SELECT first_name, email FROM patient;",
    );
    let mut sql = String::from("BEGIN;");
    for number in 0..80 {
        let Person { first, last, email, phone, born, city, .. } = person(number);
        let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
        let _ = write!(
            sql,
            "INSERT INTO patient VALUES ({number}, '{email}', '{first}', '{last}', '{born}',
                 '{phone}', 'work.{email}');
             INSERT INTO account VALUES ('{email}', '2026-01-01');
             INSERT INTO login VALUES ({number}, '{email}', '2026-02-01');
             INSERT INTO visit VALUES ({}, {number}, '{email}', '{city}');
             INSERT INTO device VALUES ({number}, {digits}, '{email}');",
            number % 3,
        );
    }
    sql.push_str("INSERT INTO patient_history SELECT id, email, 'then' FROM patient; COMMIT;");
    db.exec(sql);
    drop(db);
    desk
}

#[test]
fn of_a_clinic_it_plans_runs_and_rolls_back_untouched() {
    let draft = lives(&clinic());

    for part in [
        "name   = \"account.email\"",
        "name   = \"login.email\"",
        "suppress_triggers = [\"patient_audit\"]",
        "login.email still joins account.email",
    ] {
        assert!(draft.contains(part), "{part}\n{draft}");
    }
    let domain = |column: &str| {
        let at = draft.find(&format!("\"{column}\"\n")).expect(column);
        let line = draft[at..].lines().find(|line| line.starts_with("domain")).expect(column);
        line.to_owned()
    };
    assert_eq!(domain("account.email"), domain("login.email"));
}

#[test]
fn of_many_rows_with_few_values_it_shows_nothing_by_equal_tokens() {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE people (id INTEGER PRIMARY KEY, city TEXT, email TEXT)");
    let mut sql = String::from("BEGIN;");
    for number in 0..10_500 {
        let one = person(number);
        let _ =
            write!(sql, "INSERT INTO people VALUES ({number}, '{}', '{}');", one.city, one.email);
    }
    sql.push_str("COMMIT;");
    db.exec(sql);
    drop(db);

    let draft = lives(&desk);

    let city = draft.split("[[column]]").find(|part| part.contains("\"people.city\"")).unwrap();
    assert!(city.contains("token = \"random\""), "{draft}");
    assert!(draft.contains("few different values"), "{draft}");
    let email = draft.split("[[column]]").find(|part| part.contains("\"people.email\"")).unwrap();
    assert!(email.contains("token = \"keyed\""), "{draft}");
}

#[test]
fn what_cannot_be_moved_is_left_out_and_said_so() {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec(
        "CREATE TABLE person (
             id INTEGER PRIMARY KEY, email TEXT,
             email_again TEXT GENERATED ALWAYS AS (email || '') STORED,
             phone INTEGER) STRICT;
         CREATE TABLE other (id INTEGER PRIMARY KEY, email TEXT);",
    );
    for number in 0..60 {
        let one = person(number);
        let digits: String = one.phone.chars().filter(char::is_ascii_digit).collect();
        db.exec(format!(
            "INSERT INTO person VALUES ({number}, '{}', {digits});
             INSERT INTO other VALUES ({number}, 'other{number}@example.org');",
            one.email
        ));
    }
    drop(db);

    let draft = lives(&desk);

    let left_out = draft.split("Found, and left out").nth(1).expect("a list of what is left out");
    assert!(left_out.contains("`person.email_again`"), "{draft}");
    assert!(left_out.contains("`person.email`"), "{draft}");
    assert!(draft.contains("\"other.email\""), "{draft}");
}
