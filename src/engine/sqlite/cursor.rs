//! Our own tables in a source: the cursors of runs, and whose tokens it holds.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::lifecycle::RunId;
use crate::ports::{Counts, CursorId, CursorState, Pass, SourceError, SourceIdentity, Step};
use crate::value::RowKey;

// language=SQLite
const PREPARE: &str = "
    CREATE TABLE IF NOT EXISTS main.sealift_source (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        id    TEXT NOT NULL,
        vault TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS main.sealift_cursor (
        run         INTEGER NOT NULL,
        pass        TEXT NOT NULL,
        unit        INTEGER NOT NULL,
        range       INTEGER NOT NULL,
        epoch       INTEGER NOT NULL,
        position    BLOB,
        done        INTEGER NOT NULL,
        counts      TEXT NOT NULL,
        ledger_size INTEGER NOT NULL,
        PRIMARY KEY (run, pass, unit, range)
    ) WITHOUT ROWID;";

/// Makes the tables, and says once whose tokens this source holds.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    identity: &SourceIdentity,
) -> Result<(), sqlx::Error> {
    // Whoever writes comes back to the pages of indexes; whoever only reads goes past each page once.
    sqlx::raw_sql("PRAGMA main.cache_size = -65536").execute(&mut *connection).await?;
    sqlx::raw_sql(PREPARE).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO main.sealift_source VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
        .bind(&identity.id)
        .bind(&identity.vault)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whose tokens this source holds, if any.
pub(super) async fn identity(
    connection: &mut SqliteConnection,
) -> Result<Option<SourceIdentity>, sqlx::Error> {
    if !has_table(connection, "sealift_source").await? {
        return Ok(None);
    }
    let row: Option<(String, String)> = sqlx::query_as("SELECT id, vault FROM main.sealift_source")
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|(id, vault)| SourceIdentity { id, vault }))
}

/// Takes a range under an epoch of its own. One statement is one transaction: it either raises the
/// epoch or changes nothing.
///
/// INVARIANT: its answer is read to the end, not to its only row: the statement commits behind that
/// row, and whoever stops there never hears that a full disk took the epoch back.
pub(super) async fn take(
    connection: &mut SqliteConnection,
    cursor: CursorId,
    ledger_size: u64,
) -> Result<SqliteRow, sqlx::Error> {
    sqlx::query(
        "INSERT INTO main.sealift_cursor VALUES (?, ?, ?, ?, 1, NULL, 0, '{}', ?)
         ON CONFLICT DO UPDATE SET epoch = epoch + 1,
                                   ledger_size = max(ledger_size, excluded.ledger_size)
         RETURNING epoch, position, done, counts, ledger_size",
    )
    .bind(i64::from(cursor.run.0))
    .bind(cursor.pass.name())
    .bind(i64::from(cursor.unit))
    .bind(i64::from(cursor.range))
    .bind(signed(ledger_size))
    .fetch_all(connection)
    .await?
    .pop()
    .ok_or(sqlx::Error::RowNotFound)
}

/// Takes a range under the epoch of a lease; none where it was taken under a later one. Read to its
/// end, as [`take`] is.
pub(super) async fn take_as(
    connection: &mut SqliteConnection,
    cursor: CursorId,
    epoch: u64,
    ledger_size: u64,
) -> Result<Option<SqliteRow>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO main.sealift_cursor VALUES (?, ?, ?, ?, ?, NULL, 0, '{}', ?)
         ON CONFLICT DO UPDATE SET epoch = excluded.epoch,
                                   ledger_size = max(ledger_size, excluded.ledger_size)
             WHERE epoch <= excluded.epoch
         RETURNING epoch, position, done, counts, ledger_size",
    )
    .bind(i64::from(cursor.run.0))
    .bind(cursor.pass.name())
    .bind(i64::from(cursor.unit))
    .bind(i64::from(cursor.range))
    .bind(signed(epoch))
    .bind(signed(ledger_size))
    .fetch_all(connection)
    .await
    .map(|mut rows| rows.pop())
}

/// The cursors of a pass, in order.
pub(super) async fn of_run(
    connection: &mut SqliteConnection,
    run: RunId,
    pass: Pass,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    if !has_table(connection, "sealift_cursor").await? {
        return Ok(Vec::new());
    }
    sqlx::query(
        "SELECT unit, range, epoch, position, done, counts, ledger_size
         FROM main.sealift_cursor WHERE run = ? AND pass = ? ORDER BY unit, range",
    )
    .bind(i64::from(run.0))
    .bind(pass.name())
    .fetch_all(connection)
    .await
}

/// The largest ledger that any cursor was taken under.
pub(super) async fn ledger_seen(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    if !has_table(connection, "sealift_cursor").await? {
        return Ok(0);
    }
    let seen: Option<i64> = sqlx::query_scalar("SELECT max(ledger_size) FROM main.sealift_cursor")
        .fetch_one(connection)
        .await?;
    Ok(seen.map_or(0, unsigned))
}

/// Moves the cursor where it stands as expected; `false` where somebody else holds the range.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    step: &Step,
) -> Result<bool, sqlx::Error> {
    let counts = |counts: &Counts| serde_json::to_string(counts).unwrap_or_default();
    let before: Option<String> = sqlx::query_scalar(
        "SELECT counts FROM main.sealift_cursor
         WHERE run = ? AND pass = ? AND unit = ? AND range = ? AND epoch = ? AND position IS ?",
    )
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i64::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .bind(step.from.as_ref().map(RowKey::encode))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(before) = before else { return Ok(false) };
    let mut total: Counts = serde_json::from_str(&before).unwrap_or_default();
    total.add(&step.counts);
    let moved = sqlx::query(
        "UPDATE main.sealift_cursor SET position = ?, done = ?, counts = ?
         WHERE run = ? AND pass = ? AND unit = ? AND range = ? AND epoch = ?",
    )
    .bind(step.to.as_ref().map(RowKey::encode))
    .bind(step.done)
    .bind(counts(&total))
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i64::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Takes our tables away.
pub(super) async fn remove(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "BEGIN IMMEDIATE;
         DROP TABLE IF EXISTS main.sealift_cursor;
         DROP TABLE IF EXISTS main.sealift_source;
         COMMIT;",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Unit, range and state of a row of [`of_run`].
pub(super) fn place_and_state(row: &SqliteRow) -> Result<(u16, u32, CursorState), SourceError> {
    let unit = u16::try_from(row.get::<i64, _>(0)).unwrap_or(u16::MAX);
    let range = u32::try_from(row.get::<i64, _>(1)).unwrap_or(u32::MAX);
    Ok((unit, range, state(row, 2)?))
}

/// The state that a row holds from column `at` on.
pub(super) fn state(row: &SqliteRow, at: usize) -> Result<CursorState, SourceError> {
    let malformed = |_| SourceError::Inconsistent("a cursor row is malformed".to_owned());
    let position: Option<Vec<u8>> = row.get(at + 1);
    let position = position
        .map(|bytes| RowKey::decode(&bytes))
        .transpose()
        .map_err(|_| SourceError::Inconsistent("a cursor row is malformed".to_owned()))?;
    let counts: String = row.get(at + 3);
    Ok(CursorState {
        epoch: unsigned(row.get(at)),
        position,
        done: row.get(at + 2),
        counts: serde_json::from_str(&counts).map_err(malformed)?,
        ledger_size: unsigned(row.get(at + 4)),
    })
}

/// Whether a table of ours is there. Each is asked for by itself: a purge drops the cursors first, and
/// a source without cursors may still hold our tokens.
async fn has_table(connection: &mut SqliteConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) = 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?",
    )
    .bind(name)
    .fetch_one(connection)
    .await
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
