//! A shop's database: every shape of table and value that a policy can meet, and a policy over it.
//!
//! Every person in it is invented.

use std::fmt::Write as _;
use std::path::Path;

use super::bytes::Needle;
use super::db::Db;
use super::desk::Desk;

/// How a database keeps its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Journal {
    /// A rollback journal, deleted at each commit.
    Delete,
    /// A write-ahead log.
    Wal,
}

/// The policy over [`shop`]. All four kinds of token are in it, and every option of a column.
pub(crate) const POLICY: &str = r#"
[source]
name = "shop"

[[column]]
name   = "customers.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name   = "orders.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name   = "invoices.payer"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name   = "nobody.email"
class  = "contact"
domain = "email"
token  = "keyed"

[[column]]
name     = "somebody.email"
class    = "contact"
token    = "keyed"
template = "{token}@tokens.invalid"

[[column]]
name  = "customers.name"
class = "identity"
token = "keyed"

[[column]]
name  = "customers.phone"
class = "contact"
token = "random"

[[column]]
name   = "customers.\"home \"\"address\"\"\""
class  = "contact"
token  = "random"
dedupe = true
waive  = ["low_entropy"]

[[column]]
name   = "customers.extra"
class  = "identity"
domain = "extra"
token  = "keyed"
waive  = ["low_entropy"]

[[column]]
name   = "customers.badge"
class  = "identity"
domain = "badge"
token  = "uuid"
waive  = ["low_entropy"]

[[column]]
name  = "orders.note"
class = "contact"
token = "random"
empty = "keep"

[[column]]
name   = "cards.pan"
class  = "payment"
domain = "pan"
token  = "format"
format = "card"

[[column]]
name   = "members.tax_id"
class  = "identity"
domain = "tax_id"
token  = "keyed"

[[column]]
name   = "visits.member"
class  = "identity"
domain = "tax_id"
token  = "keyed"

[[column]]
name  = "hearsay.who"
class = "identity"
token = "keyed"
waive = ["low_entropy"]

[[column]]
name   = "hearsay.said"
class  = "identity"
token  = "random"
dedupe = true
waive  = ["low_entropy"]

[[column]]
name  = "patients.diagnosis"
class = "health"
token = "random"

[[purpose]]
name  = "support_case"
roles = ["support"]
may   = ["detokenize", "tokenize", "search"]
show  = { contact = "plain", identity = "plain", payment = "last4" }
max_tokens_per_request = 1000

[[purpose]]
name  = "reminder"
roles = ["support"]
may   = ["detokenize"]
show  = { contact = "masked" }

[[purpose]]
name  = "campaign"
roles = ["marketing"]
may   = ["detokenize"]
show  = { contact = "plain" }

[[check]]
name   = "orders still join"
sql    = "select count(*) from orders join customers using (email)"
expect = "unchanged"
"#;

// language=SQLite
const SCHEMA: &str = r#"
PRAGMA user_version = 42;
PRAGMA application_id = 1936220021;

CREATE TABLE customers (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    phone TEXT,
    "home ""address""" TEXT,
    extra,
    badge TEXT
);
CREATE TABLE tally (orders INTEGER NOT NULL);
INSERT INTO tally VALUES (0);
CREATE TABLE orders (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    customer INTEGER NOT NULL REFERENCES customers (id),
    email    TEXT NOT NULL,
    total    REAL NOT NULL CHECK (total > 0),
    note     TEXT
);
CREATE INDEX orders_by_customer ON orders (customer);
CREATE INDEX "orders by email" ON orders (email, total);
CREATE TRIGGER orders_counted AFTER INSERT ON orders BEGIN
    UPDATE tally SET orders = orders + 1;
END;
CREATE TABLE invoices (
    series  TEXT NOT NULL,
    number  INTEGER NOT NULL,
    "order" INTEGER NOT NULL REFERENCES orders (id),
    payer   TEXT NOT NULL,
    PRIMARY KEY (series, number)
);
CREATE TABLE cards (
    shelf TEXT NOT NULL,
    slot  INTEGER NOT NULL,
    pan   TEXT NOT NULL,
    PRIMARY KEY (shelf, slot)
) WITHOUT ROWID;
CREATE TABLE members (tax_id TEXT NOT NULL PRIMARY KEY, since TEXT NOT NULL);
CREATE TABLE visits (
    id     INTEGER PRIMARY KEY,
    member TEXT REFERENCES members (tax_id),
    day    TEXT NOT NULL
);
CREATE INDEX visits_by_member ON visits (member);
CREATE TABLE hearsay (who TEXT, said TEXT);
CREATE TABLE nobody (id INTEGER PRIMARY KEY, email TEXT);
CREATE TABLE somebody (id INTEGER PRIMARY KEY, email TEXT CHECK (email LIKE '%_@_%.%'));
CREATE TABLE patients (id INTEGER PRIMARY KEY, diagnosis TEXT NOT NULL) STRICT;
CREATE VIEW spending AS
    SELECT c.id AS customer, count(*) AS orders, sum(o.total) AS total
    FROM customers c JOIN orders o ON o.email = c.email GROUP BY c.id;
"#;

/// Puts a shop with so many customers on a desk, and its policy.
pub(crate) fn shop(desk: &Desk, journal: Journal, customers: u64) {
    desk.write("shop.toml", POLICY);
    make_shop(&desk.source(), journal, customers);
}

/// Makes a shop's database.
fn make_shop(path: &Path, journal: Journal, customers: u64) {
    let mut db = Db::open(path);
    db.exec(match journal {
        Journal::Delete => "PRAGMA journal_mode = DELETE",
        Journal::Wal => "PRAGMA journal_mode = WAL",
    });
    db.exec(format!("BEGIN;{SCHEMA}"));
    for n in 1..=customers {
        db.exec(rows_of(n));
    }
    db.exec(
        "INSERT INTO somebody VALUES (1, 'the.only.person@example.org');
         INSERT INTO hearsay VALUES (NULL, NULL), ('', 'nothing at all was said');
         COMMIT",
    );
}

/// Everything about one customer.
fn rows_of(n: u64) -> String {
    let Person { name, email, tax, diagnosis, note, .. } = Person::of(n);
    let (phone, address, badge) = (phone(n), address(n), badge(n));
    let (series, order) = (if n.is_multiple_of(2) { "even" } else { "odd" }, 2 * n - 1);
    let extra = extra(n);
    let mut sql = format!(
        "INSERT INTO customers VALUES ({n}, '{name}', '{email}', {phone}, {address}, {extra}, {badge});
         INSERT INTO orders (customer, email, total, note) VALUES ({n}, '{email}', {n}.25, '{note}');
         INSERT INTO orders (customer, email, total, note) VALUES ({n}, '{email}', 0.5 + {n}, '');
         INSERT INTO invoices VALUES ('{series}', {n}, {order}, '{email}');
         INSERT INTO members VALUES ('{tax}', '2020-01-01');
         INSERT INTO visits (member, day) VALUES ('{tax}', '2024-05-01'), ('{tax}', '2024-06-01'),
             (NULL, '2024-07-01');
         INSERT INTO patients VALUES ({n}, '{diagnosis}');"
    );
    if n.is_multiple_of(3) {
        let pan = pan(n);
        write!(sql, "INSERT INTO cards VALUES ('{series}', {n}, '{pan}');").unwrap();
        // Twice the same: a table without a key is a multiset.
        let said = "a rumour that is going round in Nowhere";
        let row = format!("INSERT INTO hearsay VALUES ('{name}', '{said}');");
        sql.push_str(&row);
        sql.push_str(&row);
    }
    sql
}

struct Person {
    name: String,
    email: String,
    tax: String,
    diagnosis: String,
    note: String,
}

impl Person {
    fn of(n: u64) -> Self {
        Self {
            name: format!("Quenby Farthingale the {n:05}th"),
            email: format!("person{n:05}.of.nowhere@example.com"),
            tax: format!("TAX-{n:06}-INVENTED"),
            diagnosis: format!("imaginary ailment number {n:05}"),
            note: format!("ring the bell twice for {n:05}"),
        }
    }
}

fn phone(n: u64) -> String {
    match n % 6 {
        0 => "NULL".to_owned(),
        1 => "''".to_owned(),
        2 => "'007'".to_owned(),
        _ => format!("'+44 7700 90{n:04}'"),
    }
}

fn address(n: u64) -> String {
    if n.is_multiple_of(5) {
        "NULL".to_owned()
    } else {
        format!("'{} Imaginary Lane, Nowhere'", n % 10)
    }
}

/// Values of all storage classes in a column without a type.
fn extra(n: u64) -> String {
    match n % 14 {
        0 => "NULL".to_owned(),
        1 => "'007'".to_owned(),
        2 => "7".to_owned(),
        3 => "'7'".to_owned(),
        4 => "7.0".to_owned(),
        5 => "9007199254740993".to_owned(),
        6 => "-9223372036854775807".to_owned(),
        7 => "0.1".to_owned(),
        8 => format!("x'00ff10{n:08x}deadbeefcafe'"),
        9 => format!("CAST(x'fffe61{n:08x}c3286a6f' AS TEXT)"),
        10 => format!("CAST(x'6265666f726500{n:08x}6166746572' AS TEXT)"),
        11 => "''".to_owned(),
        12 => "x''".to_owned(),
        _ => format!("'Zoë Ünïcode 名前 {n}'"),
    }
}

fn badge(n: u64) -> String {
    if n.is_multiple_of(4) {
        "NULL".to_owned()
    } else {
        format!("'0badcafe-{:04x}-4{:03x}-9000-00000{n:07x}'", n & 0xffff, n & 0xfff)
    }
}

/// A number of a range that no bank issues, with the right check digit.
fn pan(n: u64) -> String {
    let body = format!("9999{:011}", 20_000_000 + n * 7_919);
    let sum: u64 = body
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u64::from(digit - b'0') * if at % 2 == 0 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// What must not be found any more after a purge of a shop with so many customers.
pub(crate) fn originals(customers: u64) -> Vec<Needle> {
    let mut found = vec![
        Needle::new("the.only.person@example.org"),
        Needle::new("Imaginary Lane, Nowhere"),
        Needle::new("a rumour that is going round"),
        Needle::new("nothing at all was said"),
    ];
    for n in 1..=customers {
        let Person { name, email, tax, diagnosis, note } = Person::of(n);
        found.extend([name, email, tax, diagnosis, note].map(Needle::new));
        if n % 6 > 2 {
            found.push(Needle::new(format!("+44 7700 90{n:04}")));
        }
        if n % 3 == 0 {
            found.push(Needle::new(pan(n)));
        }
        if n % 4 != 0 {
            found.push(Needle::new(badge(n).trim_matches('\'')));
        }
        let number = u32::try_from(n).unwrap().to_be_bytes();
        match n % 14 {
            8 => found
                .push(Needle::new([&[0, 0xff, 0x10], &number[..], &[0xde, 0xad, 0xbe]].concat())),
            9 => found.push(Needle::new([&[0xff, 0xfe, 0x61], &number[..], b"\xc3(jo"].concat())),
            10 => found.push(Needle::new([b"before\0", &number[..], b"after"].concat())),
            13 => found.push(Needle::new(format!("Zoë Ünïcode 名前 {n}"))),
            _ => {}
        }
    }
    found
}
