//! Synthetic databases, for the demo, the benches and the tests.
//!
//! Every person in them is invented, from ten countries and four scripts; every address is at
//! `example.com`, `.org` or `.net`, every card number of a range that no bank issues, every account
//! at a bank that is none, and every number of a range kept for fiction, where there is one. It
//! knows no policy and no run.
//!
//! **Invariant:** the same [`Shape`] makes the same rows, on every machine: nothing but the seed is
//! drawn from. A test pins them, so that a version that makes others says so.

mod draw;
mod insert;
mod locale;
mod numbers;
mod people;

pub use numbers::luhn_digit;
pub use people::{Card, Customer, HistoryEntry, Note, Order, Person, person};

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// How large a database is, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How many customers; everything else is in proportion.
    pub customers: u64,
    /// Two databases of one seed are the same.
    pub seed: u64,
}

/// How many rows each table has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows of `customers`.
    pub customers: u64,
    /// Rows of `orders`.
    pub orders: u64,
    /// Rows of `cards`.
    pub cards: u64,
    /// Rows of `notes`.
    pub notes: u64,
    /// Rows of `customers_history`.
    pub history: u64,
}

impl Counts {
    /// All rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.customers + self.orders + self.cards + self.notes + self.history
    }
}

/// Why a synthetic database could not be made.
#[derive(Debug, thiserror::Error)]
#[error("synthetic rows for table `{table}` could not be written")]
pub struct SynthError {
    /// What was being written.
    pub table: &'static str,
    /// Why.
    #[source]
    pub source: sqlx::Error,
}

/// Makes a new database file and fills it.
///
/// # Errors
///
/// Returns [`SynthError`] where the file is there already with tables of these names, or cannot be
/// written. What was written by then stays.
pub async fn people_at(path: &Path, shape: Shape) -> Result<Counts, SynthError> {
    let failed = |source| SynthError { table: "sqlite_schema", source };
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.map_err(failed)?;
    let counts = people(&mut connection, shape).await?;
    connection.close().await.map_err(failed)?;
    Ok(counts)
}

/// Fills a database: customers, their orders, cards and notes, and a history of their changes.
///
/// - `customers.email` is unique; `orders` point at their customer by id and repeat the address, so
///   that a join by address is possible too.
/// - `notes.body` is free text that quotes some addresses and numbers, and
///   `customers.preferences` JSON that repeats some: copies that a policy over columns easily
///   misses. So is `customers_history`, which has what a customer's data were before.
///
/// All of it is one transaction: where it fails, the database is as it was.
///
/// # Errors
///
/// Returns [`SynthError`] where a table of one of these names exists, or a row cannot be written.
pub async fn people(connection: &mut SqliteConnection, shape: Shape) -> Result<Counts, SynthError> {
    let failed = |source| SynthError { table: "sqlite_schema", source };
    let mut transaction = connection.begin().await.map_err(failed)?;
    sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await.map_err(failed)?;
    let counts = insert::all(&mut transaction, shape).await?;
    sqlx::raw_sql(INDEXES).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(counts)
}

// language=SQLite
const SCHEMA: &str = "
CREATE TABLE customers (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    email       TEXT NOT NULL UNIQUE,
    phone       TEXT,
    address     TEXT NOT NULL,
    city        TEXT NOT NULL,
    country     TEXT NOT NULL,
    birth_date  TEXT,
    company     TEXT,
    iban        TEXT,
    preferences TEXT,
    note        TEXT
);
CREATE TABLE orders (
    id             INTEGER PRIMARY KEY,
    customer_id    INTEGER NOT NULL REFERENCES customers (id),
    customer_email TEXT NOT NULL,
    placed_on      TEXT NOT NULL,
    amount_cents   INTEGER NOT NULL CHECK (amount_cents > 0)
);
CREATE TABLE cards (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    pan         TEXT NOT NULL UNIQUE,
    holder      TEXT NOT NULL,
    expires     TEXT NOT NULL
);
CREATE TABLE notes (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    written_on  TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE TABLE customers_history (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    changed_on  TEXT NOT NULL,
    name        TEXT NOT NULL,
    email       TEXT NOT NULL,
    phone       TEXT
);
";

// ORDER: after the rows, so that each index is sorted once rather than grown row by row.
// language=SQLite
const INDEXES: &str = "
CREATE INDEX orders_by_customer ON orders (customer_id);
CREATE INDEX orders_by_email ON orders (customer_email);
CREATE INDEX cards_by_customer ON cards (customer_id);
CREATE INDEX notes_by_customer ON notes (customer_id);
CREATE INDEX history_by_customer ON customers_history (customer_id);
";
