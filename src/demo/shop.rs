//! The shop of the tour: its policy, its people, and what is read from its database.
//!
//! It runs no verb.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};

use crate::cli::Failure;

/// What is tokenised, and who sees it for what.
pub(super) const POLICY: &str = include_str!("shop.toml");

/// What opens the vault of a tour. It guards nobody.
pub(super) const PASSPHRASE: &str = "demo only";

/// Who plans, runs and purges.
pub(super) const STEWARD: &str = "alice";

/// Who else takes part: name and role.
pub(super) const CALLERS: [(&str, &str); 5] = [
    ("bob", "approver"),
    ("carol", "support"),
    ("frank", "fraud"),
    ("mia", "marketing"),
    ("dave", "auditor"),
];

/// Who asks for the values of the row that is shown, in which role, under which purpose.
pub(super) const REQUESTS: [(&str, &str, &str); 3] = [
    ("carol", "support", "support_case"),
    ("frank", "fraud", "fraud_review"),
    ("mia", "marketing", "support_case"),
];

/// What everybody gives as the reason.
pub(super) const REASON: &str = "case 4711";

/// The fields of the row that is shown.
pub(super) const FIELDS: [&str; 4] = ["name", "email", "phone", "card"];

/// Picks the customer who is shown: the first whose values fit on a line.
const PICKED: &str = "
    SELECT c.id, k.id FROM customers AS c LEFT JOIN cards AS k ON k.customer_id = c.id
    ORDER BY k.id IS NULL, c.phone IS NULL, length(c.name) NOT BETWEEN 9 AND 18,
             length(c.email) > 23, c.id, k.id
    LIMIT 1";

const SHOWN: &str = "
    SELECT c.name, c.email, c.phone, k.pan
    FROM customers AS c LEFT JOIN cards AS k ON k.id = ?2 WHERE c.id = ?1";

/// Which row is shown: a customer, and a card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picked(i64, Option<i64>);

/// Picks the row that is shown, while its values can still be read.
pub(super) async fn pick(source: &Path) -> Result<Picked, Failure> {
    let mut connection = open(source).await?;
    let row = sqlx::query(PICKED).fetch_one(&mut connection).await.map_err(Failure::failed)?;
    connection.close().await.map_err(Failure::failed)?;
    Ok(Picked(row.get(0), row.get(1)))
}

/// Reads that row as the database has it: a cell for each of [`FIELDS`].
pub(super) async fn cells(source: &Path, picked: Picked) -> Result<Vec<Option<String>>, Failure> {
    let mut connection = open(source).await?;
    let row = sqlx::query(SHOWN)
        .bind(picked.0)
        .bind(picked.1)
        .fetch_one(&mut connection)
        .await
        .map_err(Failure::failed)?;
    connection.close().await.map_err(Failure::failed)?;
    Ok((0..FIELDS.len()).map(|at| row.get(at)).collect())
}

/// How many columns its tables have.
pub(super) async fn columns(source: &Path) -> Result<u64, Failure> {
    let mut connection = open(source).await?;
    let columns: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_schema AS t, pragma_table_info(t.name) WHERE t.type = 'table'",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(Failure::failed)?;
    connection.close().await.map_err(Failure::failed)?;
    Ok(u64::try_from(columns).unwrap_or(0))
}

async fn open(source: &Path) -> Result<SqliteConnection, Failure> {
    let options = SqliteConnectOptions::new().filename(source).read_only(true);
    SqliteConnection::connect_with(&options).await.map_err(Failure::failed)
}
