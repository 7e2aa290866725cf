//! What is found, how it is said, and what decides the exit code.

use serde_json::Value;

use super::fixture::{assert_silent, fill_music, kinds, music, person, telling};
use crate::support::{Db, Desk};

#[test]
fn a_scan_needs_no_vault_no_policy_and_no_credential() {
    let desk = Desk::bare();
    fill_music(&desk.source(), 60);
    let mut command = desk.command(&["scan", "--source", "sqlite:shop.db"]);
    for name in ["VAULT", "SOURCE", "PASSPHRASE", "CREDENTIAL_FILE"] {
        command.env_remove(format!("SEALIFT_{name}"));
    }

    let answer = desk.finish(command, "").done();

    assert!(answer.stdout.contains("e-mail address"), "{answer}");
    assert!(answer.stdout.contains("--write-policy"), "says what to do next: {answer}");
    assert!(!desk.vault().exists());
}

#[test]
fn people_are_found_and_songs_are_not() {
    let desk = music(60);

    let answer = desk.json(&["scan"]).done();

    let found = kinds(&answer);
    for (column, kind) in [
        ("customer.first_name", "first_name"),
        ("customer.last_name", "last_name"),
        ("customer.address", "postal_address"),
        ("customer.city", "city"),
        ("customer.postal_code", "postcode"),
        ("customer.phone", "phone"),
        ("customer.email", "email"),
        ("customer.birth_date", "date_of_birth"),
        ("invoice.billing_address", "postal_address"),
        ("invoice.billing_city", "city"),
    ] {
        assert!(found.contains(&(column.to_owned(), kind.to_owned())), "{column}: {found:?}");
    }
    for (column, kind) in found {
        let is_of_people = column.starts_with("customer.") || column.starts_with("invoice.");
        assert!(is_of_people, "{column} is no {kind}");
    }
}

#[test]
fn each_finding_is_one_object_with_the_documented_fields() {
    let desk = music(60);

    let answer = desk.json(&["scan"]).done();

    for object in answer.objects() {
        for key in ["table", "column", "class", "kind"] {
            assert!(object[key].is_string(), "{key}: {object}");
        }
        let confidence = object["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence), "{object}");
        assert!(object["evidence"]["sampled"].is_u64(), "{object}");
        assert!(object["covered"].is_null(), "nothing is covered without a policy: {object}");
    }
    assert!(answer.stderr.is_empty(), "silent beside its objects: {answer}");
}

#[test]
fn no_value_is_ever_printed() {
    let desk = music(60);

    desk.run(&["scan"]).done();
    desk.json(&["scan", "--whole"]).done();
    desk.run(&["scan", "--write-policy", "drafted.toml"]).done();
    desk.run(&["scan", "--policy", "drafted.toml"]).done();

    let draft = std::fs::read_to_string(desk.path("drafted.toml")).unwrap();
    assert_silent(&desk, &[draft], &telling(60));
}

const ONE_COLUMN: &str = r#"
[source]
name = "shop"

[[column]]
name  = "customer.email"
class = "contact"
"#;

#[test]
fn a_column_that_the_policy_leaves_out_decides_the_exit_code() {
    let desk = music(60);
    desk.write("one.toml", ONE_COLUMN);

    let answer = desk.json(&["scan", "--policy", "one.toml"]).ends(1);

    let covered = |name: &str| {
        let objects = answer.objects();
        let object = objects.iter().find(|object| object["column"].as_str() == Some(name));
        object.unwrap()["covered"].clone()
    };
    assert_eq!(covered("email"), Value::Bool(true));
    assert_eq!(covered("phone"), Value::Bool(false));
    desk.run(&["scan", "--policy", "one.toml"]).ends(1).mentions(&["not covered"]);
}

#[test]
fn a_policy_that_covers_everything_ends_well() {
    let desk = music(60);
    desk.run(&["scan", "--write-policy", "all.toml"]).done();

    desk.run(&["scan", "--policy", "all.toml"]).done().mentions(&["covers all that was found"]);
}

#[test]
fn one_table_can_be_looked_at_by_itself() {
    let desk = music(60);

    let answer = desk.json(&["scan", "--table", "invoice"]).done();

    assert!(kinds(&answer).iter().all(|(column, _)| column.starts_with("invoice.")), "{answer}");
}

#[test]
fn a_pattern_of_the_policy_finds_what_only_its_owner_knows() {
    let desk = music(60);
    let mut db = Db::open(&desk.source());
    db.exec("CREATE TABLE badge (id INTEGER PRIMARY KEY, holder INTEGER, code TEXT)");
    for number in 0..50 {
        db.exec(format!("INSERT INTO badge VALUES ({number}, {number}, 'QX-{number:06}-Z')"));
    }
    drop(db);
    let pattern = "[[pattern]]\nname = \"badge_code\"\nclass = \"identity\"\n\
                   regex = '^QX-[0-9]{6}-Z$'\n";
    desk.write("own.toml", &format!("{ONE_COLUMN}\n{pattern}"));

    let answer = desk.json(&["scan", "--policy", "own.toml"]).ends(1);

    let found = kinds(&answer);
    assert!(found.contains(&("badge.code".into(), "badge_code".into())), "{found:?}");
}

#[test]
fn after_a_run_tokens_are_well_and_an_original_among_them_is_not() {
    let desk = music(60);
    desk.run(&["scan", "--write-policy", "shop.toml"]).done();
    let run = crate::support::plan_and_approve(&desk);
    desk.run(&["run", &run]).done();

    let answer = desk.run(&["scan", "--policy", "shop.toml"]).done();
    assert!(answer.stdout.contains("60 tokens and no original"), "{answer}");
    assert!(kinds(&desk.json(&["scan", "--policy", "shop.toml"]).done()).is_empty());

    let late = person(900);
    Db::open(&desk.source())
        .exec(format!("UPDATE customer SET email = '{}' WHERE customer_id = 7", late.email));
    let answer = desk.run(&["scan", "--policy", "shop.toml"]).ends(1);
    assert!(answer.stdout.contains("1 of 60 values are no tokens"), "{answer}");
    let back = desk.json(&["scan", "--policy", "shop.toml"]).ends(1);
    let back = back.objects().into_iter().find(|object| object["kind"] == "came_back").unwrap();
    assert_eq!(back["evidence"]["originals"], 1);
    assert_eq!(back["evidence"]["tokens"], 59);
    assert_silent(&desk, &[], &[late.email]);
}

#[test]
fn every_kind_is_explained_on_the_page() {
    let page = include_str!("../../docs/SCAN.md");
    for kind in sealift::classify::Kind::BUILT_IN {
        let row = format!("| `{}` |", kind.name());
        assert!(page.contains(&row), "docs/SCAN.md does not know `{}`", kind.name());
    }
}
