//! Synthetic databases hold what they say, the same each time.

use sealift::synth::{Shape, luhn_digit, people, people_at};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

async fn number(connection: &mut SqliteConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

async fn made(seed: u64) -> SqliteConnection {
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    people(&mut connection, Shape { customers: 1_203, seed }).await.unwrap();
    connection
}

/// Every cell of a database, in order.
async fn content(connection: &mut SqliteConnection) -> Vec<String> {
    let sql = "SELECT 'c' || json_array(id, name, email, phone, address, city, country, birth_date, company, iban,
                            preferences, note) FROM customers
        UNION ALL SELECT 'o' || json_array(id, customer_id, customer_email, placed_on, amount_cents) FROM orders
        UNION ALL SELECT 'p' || json_array(id, customer_id, pan, holder, expires) FROM cards
        UNION ALL SELECT 'n' || json_array(id, customer_id, written_on, body) FROM notes
        UNION ALL SELECT 'h' || json_array(id, customer_id, changed_on, name, email, phone) FROM customers_history";
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

#[tokio::test]
async fn the_same_seed_makes_the_same_rows_and_another_does_not() {
    let (mut first, mut second, mut other) = (made(1).await, made(1).await, made(2).await);
    let rows = content(&mut first).await;
    assert_eq!(rows, content(&mut second).await);
    assert_ne!(rows, content(&mut other).await);
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_joins_by_address_hold() {
    let mut db = made(7).await;
    assert!(sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut db).await.unwrap().is_empty());
    let joined = "SELECT count(*) FROM orders JOIN customers
        ON customers.email = orders.customer_email AND customers.id = orders.customer_id";
    let orders = number(&mut db, "SELECT count(*) FROM orders").await;
    assert_eq!(number(&mut db, joined).await, orders);
    assert!(orders > 1_000);
}

#[tokio::test]
async fn the_counts_returned_are_the_rows_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crm.db");
    let counts = people_at(&path, Shape { customers: 777, seed: 3 }).await.unwrap();
    let url = format!("sqlite:{}", path.display());
    let mut db = SqliteConnection::connect(&url).await.unwrap();
    let expected = [
        (counts.customers, "SELECT count(*) FROM customers"),
        (counts.orders, "SELECT count(*) FROM orders"),
        (counts.cards, "SELECT count(*) FROM cards"),
        (counts.notes, "SELECT count(*) FROM notes"),
        (counts.history, "SELECT count(*) FROM customers_history"),
    ];
    assert_eq!(counts.customers, 777);
    for (count, sql) in expected {
        assert!(count > 0);
        assert_eq!(i64::try_from(count).unwrap(), number(&mut db, sql).await, "{sql}");
    }
}

#[tokio::test]
async fn every_card_has_its_check_digit_and_every_address_is_invented() {
    let mut db = made(11).await;
    for row in sqlx::query("SELECT pan FROM cards").fetch_all(&mut db).await.unwrap() {
        let pan: String = row.get(0);
        assert_eq!(pan.len(), 16);
        assert!(pan.ends_with(luhn_digit(&pan[..15])));
    }
    let strange = "SELECT count(*) FROM customers WHERE email NOT GLOB '*@example.com'
        AND email NOT GLOB '*@example.org' AND email NOT GLOB '*@example.net'";
    assert_eq!(number(&mut db, strange).await, 0);
}

#[tokio::test]
async fn nobody_shares_an_address_or_a_card() {
    let mut db = made(13).await;
    for sql in [
        "SELECT count(*) - count(DISTINCT email) FROM customers",
        "SELECT count(*) - count(DISTINCT pan) FROM cards",
    ] {
        assert_eq!(number(&mut db, sql).await, 0, "{sql}");
    }
}

#[tokio::test]
async fn accounts_dates_and_documents_are_what_they_should_be() {
    let mut db = made(17).await;
    let accounts: Vec<String> =
        sqlx::query_scalar("SELECT iban FROM customers WHERE iban IS NOT NULL")
            .fetch_all(&mut db)
            .await
            .unwrap();
    assert!(accounts.len() > 50);
    for account in accounts {
        assert!(account.parse::<iban::Iban>().is_ok(), "{account}");
    }
    for sql in [
        "SELECT count(*) FROM customers WHERE birth_date <> date(birth_date)",
        "SELECT count(*) FROM customers WHERE preferences IS NOT NULL
             AND preferences ->> '$.contact.email' IS NOT email",
        "SELECT count(*) FROM customers WHERE email GLOB '*[^a-z0-9.@]*'",
    ] {
        assert_eq!(number(&mut db, sql).await, 0, "{sql}");
    }
}

#[tokio::test]
async fn names_are_of_several_scripts_and_notes_quote_what_stands_elsewhere() {
    let mut db = made(19).await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM customers").fetch_all(&mut db).await.unwrap();
    for (script, letters) in
        [("Latin", 'A'..='Z'), ("Arabic", 'ا'..='ي'), ("Kana and Han", '一'..='龯')]
    {
        assert!(names.iter().any(|name| name.chars().any(|c| letters.contains(&c))), "{script}");
    }
    let quoting = "SELECT count(*) FROM notes JOIN customers ON customers.id = customer_id
        WHERE instr(body, email) OR instr(body, phone) OR instr(body, name)";
    assert!(number(&mut db, quoting).await > 200);
}

/// What a seed makes is part of what people see: whoever changes it changes this line, and says so
/// in the changelog.
#[tokio::test]
async fn a_seed_makes_these_rows_on_every_machine() {
    use sha2::{Digest as _, Sha256};
    let mut db = made(7).await;
    let rows = content(&mut db).await;
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(rows.join("\n").as_bytes()));
    assert_eq!(hash, "2de3a13aa4d1bdbda7ea323308f21112e955595c2bb0c28432292d073ea7d7af");
}
