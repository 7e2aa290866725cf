//! From plan to verified: every value is behind a token, every token opens, nothing else changes.

use crate::support::{Db, Desk, Journal, shop, tokens_open_to, verified};

/// A value of eleven megabytes.
const LETTER: &str = "replace(hex(zeroblob(327680)), '00', 'An invented letter of great length. ')";

/// What a token of the grammar looks like, to SQLite.
fn token_like(kind: char) -> String {
    format!("sl{kind}[0-9a-hjkmnp-tv-z][0-9a-hjkmnp-tv-z][0-9a-hjkmnp-tv-z]_{}", "?".repeat(28))
}

#[test]
fn every_cell_in_scope_becomes_a_token_and_null_stays_null() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 40);
    let mut db = Db::open(&desk.source());
    let (nulls, kept) = (
        "SELECT count(*) FROM customers WHERE phone IS NULL",
        "SELECT count(*) FROM orders WHERE note = ''",
    );
    let (nulls_before, kept_before) = (db.number(nulls), db.number(kept));

    verified(&desk);

    for (column, table, kind) in [
        ("email", "customers", 'k'),
        ("name", "customers", 'k'),
        ("extra", "customers", 'k'),
        ("phone", "customers", 'r'),
        ("\"home \"\"address\"\"\"", "customers", 'r'),
        ("email", "orders", 'k'),
        ("payer", "invoices", 'k'),
        ("tax_id", "members", 'k'),
        ("member", "visits", 'k'),
        ("who", "hearsay", 'k'),
        ("said", "hearsay", 'r'),
        ("diagnosis", "patients", 'r'),
    ] {
        let like = token_like(kind);
        let others = db.number(format!(
            "SELECT count(*) FROM {table} WHERE {column} IS NOT NULL
             AND NOT (typeof({column}) = 'text' AND {column} GLOB '{like}')"
        ));
        assert_eq!(others, 0, "originals left in {table}.{column}");
    }
    assert_eq!(db.number(nulls), nulls_before, "NULL stays NULL");
    assert_eq!(db.number(kept), kept_before, "the policy keeps empty notes");
    assert_eq!(db.number("SELECT count(*) FROM customers WHERE phone = ''"), 0, "and no others");
    assert_eq!(
        db.number("SELECT count(*) FROM somebody WHERE email LIKE 'slk%@tokens.invalid'"),
        1,
        "the template satisfies the CHECK"
    );
    assert_eq!(
        db.number("SELECT count(*) FROM customers WHERE badge IS NOT NULL AND badge NOT LIKE '________-____-8%'"),
        0,
        "badges are UUIDs of version 8"
    );
    assert_eq!(
        db.number("SELECT count(*) FROM cards WHERE length(pan) <> 16 OR pan GLOB '*[^0-9]*'"),
        0,
        "card tokens keep width and alphabet"
    );
}

#[test]
fn equal_values_have_equal_tokens_within_a_domain_and_joins_survive() {
    let desk = Desk::new();
    shop(&desk, Journal::Wal, 40);
    let mut db = Db::open(&desk.source());
    let questions = [
        "SELECT count(*) FROM orders JOIN customers USING (email)",
        "SELECT count(*) FROM invoices JOIN customers ON payer = email",
        "SELECT count(*) FROM visits JOIN members ON member = tax_id",
        "SELECT group_concat(customer || ':' || orders || ':' || total) FROM (SELECT * FROM spending ORDER BY customer)",
        "SELECT count(DISTINCT who) FROM hearsay",
        "SELECT count(DISTINCT extra) FROM customers WHERE typeof(extra) <> 'real'",
        "SELECT count(DISTINCT \"home \"\"address\"\"\") FROM customers",
        "SELECT count(DISTINCT said) FROM hearsay",
    ];
    let before = questions.map(|question| db.value(question));

    verified(&desk);

    let ask = |db: &mut Db, question: &str| db.value(question);
    for (question, before) in questions.into_iter().zip(before) {
        // A real among integers is a token of its own once it is a text.
        if question.contains("typeof") {
            continue;
        }
        assert_eq!(ask(&mut db, question), before, "{question}");
    }
    let phones = "SELECT count(*) - count(DISTINCT phone) FROM customers WHERE phone IS NOT NULL";
    assert_eq!(db.number(phones), 0, "`random` tells nothing of equal values");
}

#[test]
fn what_is_not_in_scope_stays_as_it_was() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 30);
    let mut db = Db::open(&desk.source());
    let outside = [
        "SELECT group_concat(id ORDER BY id) FROM customers",
        "SELECT group_concat(id || customer || total ORDER BY id) FROM orders",
        "SELECT group_concat(series || number || \"order\" ORDER BY number) FROM invoices",
        "SELECT group_concat(shelf || slot ORDER BY slot) FROM cards",
        "SELECT group_concat(day ORDER BY id) FROM visits",
        "SELECT orders FROM tally",
        "SELECT group_concat(sql) FROM sqlite_schema WHERE name NOT LIKE 'sealift%'",
        "PRAGMA user_version",
        "PRAGMA journal_mode",
    ];
    let before = outside.map(|question| db.value(question));

    verified(&desk);

    for (question, before) in outside.into_iter().zip(before) {
        assert_eq!(db.value(question), before, "{question}");
    }
}

#[test]
fn every_token_opens_to_what_it_replaced() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 60);
    let columns = [
        ("customers", "id", "email", None),
        ("customers", "id", "name", None),
        ("customers", "id", "phone", None),
        ("customers", "id", "\"home \"\"address\"\"\"", None),
        ("customers", "id", "badge", Some("badge")),
        ("orders", "id", "email", None),
        ("orders", "id", "note", None),
        ("invoices", "number", "payer", None),
        ("visits", "id", "member", None),
        ("somebody", "id", "email", None),
    ];
    let mut db = Db::open(&desk.source());
    let read = |db: &mut Db, (table, key, column, _): (&str, &str, &str, Option<&str>)| {
        db.column(format!(
            "SELECT {column} FROM {table} WHERE {column} IS NOT NULL AND NOT ({key} = -1) ORDER BY {key}"
        ))
    };
    let originals = columns.map(|column| read(&mut db, column));

    verified(&desk);

    for (column, originals) in columns.into_iter().zip(originals) {
        let tokens = read(&mut db, column);
        let mut pairs: Vec<(String, String)> = tokens.into_iter().zip(originals).collect();
        // An empty note is kept, so there is nothing to open.
        pairs.retain(|(token, _)| !token.is_empty());
        assert!(!pairs.is_empty());
        tokens_open_to(&desk, column.3, &pairs);
    }
}

#[test]
fn every_storage_class_comes_back_byte_for_byte() {
    use base64::Engine as _;

    let desk = Desk::new();
    shop(&desk, Journal::Delete, 28);
    let mut db = Db::open(&desk.source());
    let before = db.rows(
        "SELECT typeof(extra), hex(CAST(extra AS BLOB)) FROM customers
         WHERE extra IS NOT NULL ORDER BY id",
    );

    verified(&desk);

    let tokens = db.column("SELECT extra FROM customers WHERE extra IS NOT NULL ORDER BY id");
    let arguments =
        ["--format", "json", "detokenize", "--purpose", "support_case", "--reason", "all classes"];
    let answer = desk.tell_as("carol", &arguments, &tokens.join("\n")).done();
    for (row, object) in before.iter().zip(answer.objects()) {
        let bytes = match (object["value"].as_str(), object["base64"].as_str()) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(text)) => base64::prelude::BASE64_STANDARD.decode(text).unwrap(),
            _ => panic!("either a value or base64: {object}"),
        };
        assert_eq!(data_encoding::HEXUPPER.encode(&bytes), row[1], "a value of class {}", row[0]);
    }
}

#[test]
fn a_value_of_ten_megabytes_goes_and_comes_back() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 3);
    let mut db = Db::open(&desk.source());
    db.exec(format!("UPDATE customers SET name = {LETTER} WHERE id = 2"));
    let letter = db.value("SELECT name FROM customers WHERE id = 2");
    assert!(letter.len() > 10_000_000);

    verified(&desk);

    let token = db.value("SELECT name FROM customers WHERE id = 2");
    assert_eq!(token.len(), 35, "no token tells how long its value is");
    tokens_open_to(&desk, None, &[(token, letter)]);
}

#[test]
fn a_value_of_the_shape_of_a_token_counts_as_an_original() {
    let stranger = Desk::new();
    shop(&stranger, Journal::Delete, 2);
    verified(&stranger);
    let foreign = Db::open(&stranger.source()).value("SELECT email FROM customers WHERE id = 1");

    let desk = Desk::new();
    shop(&desk, Journal::Delete, 2);
    let mut db = Db::open(&desk.source());
    // The vaults of two desks are copies of one, and their domains have the same numbers: this text
    // parses as a token of the very column that it lies in.
    let shaped = foreign.clone();
    db.exec(format!("UPDATE customers SET email = '{shaped}' WHERE id = 2"));
    db.exec("UPDATE customers SET email = 'somebody.new@example.net' WHERE id = 1");

    verified(&desk);

    let token = db.value("SELECT email FROM customers WHERE id = 2");
    assert_ne!(token, shaped);
    tokens_open_to(&desk, None, &[(token, shaped)]);
}

#[test]
fn vault_and_source_may_be_one_file() {
    let desk = Desk::in_one_file();
    shop(&desk, Journal::Delete, 20);
    let mut db = Db::open(&desk.source());
    let email = db.value("SELECT email FROM customers WHERE id = 7");
    desk.make_vault();

    verified(&desk);

    let token = db.value("SELECT email FROM customers WHERE id = 7");
    assert_ne!(token, email);
    tokens_open_to(&desk, None, &[(token, email)]);
}

#[test]
fn a_run_past_its_target_says_so_and_changes_nothing() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 10);
    let run = verified(&desk);
    let before = crate::support::dump(&desk.source());

    let again = desk.json(&["run", &run]).done();
    assert_eq!(again.text("phase"), "verified");
    assert_eq!(again.last()["worked"], false, "{again}");
    // Figures of then would look like those of now.
    let told = desk.run(&["run", &run]).done();
    assert!(!told.stdout.contains("opened"), "{told}");
    told.mentions(&[
        "is `verified` since ",
        "did nothing",
        &format!("`sealift verify {run}` looks"),
    ]);
    assert_eq!(desk.json(&["verify", &run]).done().text("phase"), "verified");

    crate::support::assert_same(&before, &crate::support::dump(&desk.source()));
}

#[test]
fn cells_add_up() {
    let desk = Desk::new();
    shop(&desk, Journal::Delete, 42);
    let mut db = Db::open(&desk.source());
    let cells = db.number(
        "SELECT (SELECT count(*) FROM customers) * 6 + (SELECT count(*) FROM orders) * 2
              + (SELECT count(*) FROM invoices) + (SELECT count(*) FROM cards)
              + (SELECT count(*) FROM members) + (SELECT count(*) FROM visits)
              + (SELECT count(*) FROM hearsay) * 2 + (SELECT count(*) FROM patients)
              + (SELECT count(*) FROM somebody)",
    );
    let nulls = db.number(
        "SELECT (SELECT sum((phone IS NULL) + (\"home \"\"address\"\"\" IS NULL) + (extra IS NULL)
                            + (badge IS NULL)) FROM customers)
              + (SELECT count(*) FROM visits WHERE member IS NULL)
              + (SELECT sum((who IS NULL) + (said IS NULL)) FROM hearsay)",
    );
    let kept = db.number("SELECT count(*) FROM orders WHERE note = ''");

    let run = verified(&desk);

    let status = desk.json(&["status", &run]).done();
    let count = |name: &str| i64::try_from(status.number(&format!("/counts/{name}"))).unwrap();
    assert_eq!(count("null"), nulls);
    assert_eq!(count("empty"), kept);
    assert_eq!(count("opened"), cells - nulls - kept);
}
