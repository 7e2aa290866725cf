//! Copies: values of a covered column in columns that the policy leaves out, counted exactly.

use serde_json::Value;

use super::fixture::{assert_silent, music, person, telling};
use crate::support::{Answer, Db, Desk};

const ADDRESSES: &str = r#"
[source]
name = "shop"

[[column]]
name   = "customer.address"
class  = "contact"
domain = "address"

[[column]]
name  = "customer.email"
class = "contact"
"#;

/// The copy of one column in another.
fn copy(answer: &Answer, of: &str, at: &str) -> Option<Value> {
    let is_it = |object: &Value| {
        let place = format!(
            "{}.{}",
            object["table"].as_str().unwrap_or_default(),
            object["column"].as_str().unwrap_or_default()
        );
        object["kind"] == "copy" && object["evidence"]["of"] == of && place == at
    };
    answer.objects().into_iter().find(is_it)
}

fn desk() -> Desk {
    let desk = music(59);
    desk.write("shop.toml", ADDRESSES);
    desk
}

#[test]
fn every_copied_value_is_counted_and_the_lines_to_add_are_given() {
    let desk = desk();

    let answer = desk.json(&["scan", "--policy", "shop.toml"]).ends(1);

    let found = copy(&answer, "customer.address", "invoice.billing_address").unwrap();
    assert_eq!(found["evidence"]["distinct"], 59);
    assert_eq!(found["evidence"]["matched"], 59);
    assert_eq!(found["evidence"]["cells"], 59);
    assert_eq!(found["covered"], false);
    let text = desk.run(&["scan", "--policy", "shop.toml"]).ends(1);
    text.mentions(&[
        "59 of 59 values also in `invoice.billing_address`",
        r#"[[column]] name = "invoice.billing_address", class = "contact", domain = "address""#,
    ]);
    assert_silent(&desk, &[], &telling(59));
}

#[test]
fn the_plan_repeats_the_copies_and_is_not_blocked_by_them() {
    let desk = desk();

    let answer = desk.json(&["plan", "--policy", "shop.toml", "--dry-run"]).done();

    let findings = answer.last()["findings"].as_array().unwrap().clone();
    let found = findings.iter().find(|finding| finding["pitfall"] == "copies").unwrap();
    assert_eq!(found["verdict"], "warns");
    assert_eq!(found["object"], "customer.address");
    assert_eq!(found["fact"], "59 of 59 values also in `invoice.billing_address`, in 59 cells");
}

#[test]
fn values_inside_longer_texts_are_counted_by_cells() {
    let desk = desk();
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE remark (id INTEGER PRIMARY KEY, body TEXT, extra TEXT)");
    for number in 0..40 {
        let email = person(number).email;
        let body = match number % 4 {
            0 => format!("wrote to {email} about it"),
            1 => format!(r#"{{"to":"{email}","cc":"{email}"}}"#),
            2 => format!("x{email} is another address"),
            _ => "nothing to tell".to_owned(),
        };
        db.exec(format!("INSERT INTO remark VALUES ({number}, '{body}', NULL)"));
    }
    drop(db);

    let answer = desk.json(&["scan", "--policy", "shop.toml"]).ends(1);

    let found = copy(&answer, "customer.email", "remark.body").unwrap();
    assert_eq!(found["evidence"]["containing"], 20);
    assert_eq!(found["evidence"]["matched"], 0);
    desk.run(&["scan", "--policy", "shop.toml"])
        .ends(1)
        .mentions(&["20 cells of `remark.body` hold one inside a longer text"]);
}

#[test]
fn a_column_with_copies_of_two_is_proposed_once_and_as_its_check_wants_it() {
    let desk = desk();
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE event (id INTEGER PRIMARY KEY, doc TEXT CHECK (json_valid(doc)))");
    db.exec(
        "INSERT INTO event SELECT customer_id, json_object('to', email, 'at', address)
         FROM customer",
    );
    drop(db);

    let answer = desk.run(&["scan", "--policy", "shop.toml"]).ends(1);

    let proposed = r#"name = "event.doc", class = "contact", token = "random""#;
    assert_eq!(answer.stdout.matches(proposed).count(), 1, "{answer}");
    answer.mentions(&[
        r#"token = "random", template = '"{token}"'; or accept"#,
        "nothing more: what is said of the copies of `customer.address` in `event.doc`",
    ]);
}

#[test]
fn small_numbers_and_few_short_words_are_no_copies() {
    let desk = Desk::new();
    let mut db = Db::open(&desk.source());
    db.exec(
        "CREATE TABLE account (id INTEGER PRIMARY KEY, pin INTEGER, word TEXT, active INTEGER);
         CREATE TABLE stock (id INTEGER PRIMARY KEY, shelf INTEGER, label TEXT, active INTEGER);",
    );
    for number in 0..200 {
        db.exec(format!(
            "INSERT INTO account VALUES ({number}, {number}, 'w{}', {});
             INSERT INTO stock VALUES ({number}, {number}, 'w{}', {});",
            number % 5,
            number % 2,
            number % 5,
            number % 2
        ));
    }
    drop(db);
    let columns: Vec<String> = ["pin", "word", "active"]
        .iter()
        .map(|name| format!("[[column]]\nname = \"account.{name}\"\nclass = \"identity\"\n"))
        .collect();
    desk.write("shop.toml", &format!("[source]\nname = \"shop\"\n{}", columns.concat()));

    let answer = desk.json(&["scan", "--policy", "shop.toml"]);

    assert!(answer.objects().iter().all(|object| object["kind"] != "copy"), "{answer}");
}

#[test]
fn copies_of_a_history_table_are_found_and_tokens_are_none() {
    let desk = desk();
    Db::open(&desk.source()).exec(
        "CREATE TABLE customer_history AS
         SELECT customer_id, email, address, '2026-01-01' AS at FROM customer",
    );

    let answer = desk.json(&["scan", "--policy", "shop.toml"]).ends(1);
    for column in ["email", "address"] {
        let at = format!("customer_history.{column}");
        let found = copy(&answer, &format!("customer.{column}"), &at).unwrap();
        assert_eq!(found["evidence"]["matched"], 59);
    }

    let run = crate::support::plan_and_approve(&desk);
    desk.run(&["run", &run]).done();
    Db::open(&desk.source())
        .exec("CREATE TABLE exported AS SELECT email AS reference FROM customer");

    let after = desk.json(&["scan", "--policy", "shop.toml"]).ends(1);
    assert!(copy(&after, "customer.email", "exported.reference").is_none(), "{after}");
}
