//! Databases to scan. Every person in them is invented.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::support::{Answer, Db, Desk};

const FIRST: [&str; 20] = [
    "Alice", "Robert", "Carol", "David", "Emma", "Frank", "Grace", "Henry", "Isabel", "James",
    "Karen", "Laura", "Michael", "Nancy", "Oliver", "Patricia", "Richard", "Susan", "Thomas",
    "William",
];

const LAST: [&str; 20] = [
    "Anderson", "Brown", "Clark", "Davis", "Edwards", "Fischer", "Garcia", "Harris", "Ivanova",
    "Johnson", "King", "Lopez", "Miller", "Nelson", "Olsen", "Parker", "Roberts", "Smith",
    "Taylor", "Wilson",
];

const CITIES: [&str; 10] = [
    "Berlin", "London", "Paris", "Madrid", "Lisbon", "Vienna", "Dublin", "Oslo", "Prague", "Warsaw",
];

/// An invented person.
pub(super) struct Person {
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) street: String,
    pub(super) city: &'static str,
    pub(super) postcode: String,
    pub(super) born: String,
}

/// The person with this number.
pub(super) fn person(number: usize) -> Person {
    let (first, last) = (FIRST[number % 20], LAST[(number / 20 + number) % 20]);
    Person {
        first,
        last,
        email: format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase()),
        phone: format!("+49 30 {:07}", 4_000_000 + number * 13),
        street: format!("{} Invented Street", number + 1),
        city: CITIES[number % 10],
        postcode: format!("{:05}", 10_115 + number * 7),
        born: format!("19{:02}-{:02}-{:02}", 50 + number % 50, number % 12 + 1, number % 28 + 1),
    }
}

/// A desk with a vault, and a shop for music: people in three tables, songs in three others.
pub(super) fn music(people: usize) -> Desk {
    let desk = Desk::new();
    fill_music(&desk.source(), people);
    desk
}

pub(super) fn fill_music(path: &Path, people: usize) {
    let mut db = Db::open(path);
    db.exec(
        "CREATE TABLE customer (
             customer_id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
             address TEXT, city TEXT, postal_code TEXT, phone TEXT, email TEXT NOT NULL,
             birth_date TEXT, support_rep INTEGER);
         CREATE TABLE invoice (
             invoice_id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer,
             invoice_date TEXT NOT NULL, billing_address TEXT, billing_city TEXT,
             total NUMERIC(10,2) NOT NULL);
         CREATE TABLE genre (genre_id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE playlist (playlist_id INTEGER PRIMARY KEY, name TEXT);
         CREATE TABLE track (
             track_id INTEGER PRIMARY KEY, name TEXT NOT NULL,
             genre_id INTEGER REFERENCES genre, milliseconds INTEGER NOT NULL,
             unit_price NUMERIC(10,2) NOT NULL);
         CREATE VIEW mailing AS SELECT first_name, email FROM customer;",
    );
    let mut sql = String::from("BEGIN;");
    for number in 0..people {
        let one = person(number);
        let Person { first, last, email, phone, street, city, postcode, born } = one;
        let _ = write!(
            sql,
            "INSERT INTO customer VALUES ({}, '{first}', '{last}', '{street}', '{city}',
                 '{postcode}', '{phone}', '{email}', '{born} 00:00:00', 3);
             INSERT INTO invoice VALUES ({0}, {0}, '2026-01-{:02} 00:00:00', '{street}', '{city}',
                 {}.99);",
            number + 1,
            number % 28 + 1,
            number % 20 + 1,
        );
    }
    for (number, name) in ["Rock", "Jazz", "Metal", "Blues", "Latin", "Reggae"].iter().enumerate() {
        let _ = write!(sql, "INSERT INTO genre VALUES ({}, '{name}');", number + 1);
        let _ = write!(sql, "INSERT INTO playlist VALUES ({}, '90’s {name}');", number + 1);
    }
    for number in 0..300 {
        let _ = write!(
            sql,
            "INSERT INTO track VALUES ({}, 'Song of the {number}th Night', {}, {}, 0.99);",
            number + 1,
            number % 6 + 1,
            200_000 + number * 317
        );
    }
    sql.push_str("COMMIT;");
    db.exec(sql);
}

/// Every value of these people that would give one away.
pub(super) fn telling(people: usize) -> Vec<String> {
    (0..people)
        .map(person)
        .flat_map(|one| [one.email, one.phone, one.street, one.postcode, one.born])
        .collect()
}

/// Holds that none of these values stands in what was printed, nor in a text.
#[track_caller]
pub(super) fn assert_silent(desk: &Desk, texts: &[String], values: &[String]) {
    let said = desk.said().into_iter().flat_map(|answer| [answer.stdout, answer.stderr]);
    for text in said.chain(texts.iter().cloned()) {
        for value in values {
            assert!(!text.contains(value.as_str()), "a value is printed: {value}\n{text}");
        }
    }
}

/// `table.column` → kind, of the findings of a scan.
pub(super) fn kinds(answer: &Answer) -> Vec<(String, String)> {
    let text = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
    answer
        .objects()
        .iter()
        .map(|object| {
            (format!("{}.{}", text(object, "table"), text(object, "column")), text(object, "kind"))
        })
        .collect()
}
