//! A batch of rows, written where they still are as they were read.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::error::{constraint, source_error};
use super::walk::{one_row, rowid_name, unsound, walk};
use super::{cursor, statement};
use crate::engine::ident::quote;
use crate::plan::UnitTable;
use crate::ports::{Limit, Rejection, Row, RowWrite, SourceError, Step, WalkFilter, WriteOutcome};

/// The batch, inside its transaction.
pub(super) async fn write_batch(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    step: &Step,
    read: &[Row],
    writes: &[RowWrite],
    version: i64,
) -> Result<WriteOutcome, SourceError> {
    let failed = |error| source_error(error, url, "writing a batch");
    // ORDER: the cursor comes first, so that a batch without its lease touches no row.
    if !cursor::advance(connection, step).await.map_err(failed)? {
        return Ok(WriteOutcome::LeaseLost);
    }
    let unchanged = data_version(connection).await.map_err(failed)? == version;
    if !unchanged && !still_as_read(connection, url, table, step, read).await? {
        return Ok(WriteOutcome::Changed);
    }
    write_rows(connection, url, table, writes).await
}

/// Whether the rows of the batch are exactly those that were read.
async fn still_as_read(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    step: &Step,
    read: &[Row],
) -> Result<bool, SourceError> {
    let Some(interval) = &step.interval else {
        return each_as_read(connection, url, table, read).await;
    };
    let limit = Limit { rows: read.len() + 1, bytes: usize::MAX };
    let (after, upto) = (interval.after.as_ref(), interval.upto.as_ref());
    let now = walk(connection, url, table, after, upto, limit, &WalkFilter::All).await?;
    Ok(now.len() == read.len() && now.iter().zip(read).all(|(now, then)| now.same_as(then)))
}

async fn each_as_read(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    read: &[Row],
) -> Result<bool, SourceError> {
    for then in read {
        let now = one_row(connection, url, table, &then.key).await?;
        if !now.is_some_and(|now| now.same_as(then)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes rows. Triggers that the policy suppresses are taken away for it and put back, in the same
/// transaction: SQLite has no way to switch one off, and nobody else ever sees it missing.
pub(super) async fn write_rows(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    writes: &[RowWrite],
) -> Result<WriteOutcome, SourceError> {
    if writes.is_empty() {
        return Ok(WriteOutcome::Written);
    }
    let failed = |error| source_error(error, url, "suppressing a trigger");
    let mut suppressed = Vec::new();
    for name in &table.suppressed_triggers {
        let sql: Option<String> = sqlx::query_scalar(
            "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?",
        )
        .bind(name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
        let Some(sql) = sql else { continue };
        let quoted = quote(name).map_err(|error| SourceError::Engine {
            doing: "suppressing a trigger",
            source: Box::new(error),
        })?;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TRIGGER main.{quoted}")))
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        suppressed.push(sql);
    }
    let outcome = update_rows(connection, url, table, writes).await?;
    for sql in suppressed {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(outcome)
}

async fn update_rows(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    writes: &[RowWrite],
) -> Result<WriteOutcome, SourceError> {
    let rowid = rowid_name(connection, table)
        .await
        .map_err(|error| source_error(error, url, "reading the columns of a table"))?;
    for chunk in writes.chunks(statement::rows_a_statement(table)) {
        let (sql, arguments) = statement::update(table, &rowid, chunk).map_err(unsound)?;
        match sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await {
            Ok(done) if done.rows_affected() == chunk.len() as u64 => {}
            Ok(_) => return Ok(WriteOutcome::Changed),
            Err(error) => {
                let Some(reason) = constraint(&error) else {
                    return Err(source_error(error, url, "writing rows"));
                };
                let key = (writes.len() == 1).then(|| writes[0].key.clone());
                return Ok(WriteOutcome::Rejected(Rejection { key, reason }));
            }
        }
    }
    Ok(WriteOutcome::Written)
}

/// A number that changes exactly when another connection has committed.
pub(super) async fn data_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA main.data_version").fetch_one(connection).await
}
