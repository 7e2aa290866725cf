//! Walks of a table in the order of its key, or of its row ids.

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::error::source_error;
use super::{statement, value};
use crate::engine::ident::quote_table;
use crate::plan::UnitTable;
use crate::ports::{Limit, Row, SourceError, WalkFilter};
use crate::value::RowKey;

/// The next rows of a table, in the order of its key.
pub(super) async fn walk(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    after: Option<&RowKey>,
    upto: Option<&RowKey>,
    limit: Limit,
    filter: &WalkFilter,
) -> Result<Vec<Row>, SourceError> {
    let failed = |error| source_error(error, url, "walking a table");
    let rowid = rowid_name(connection, table).await.map_err(failed)?;
    let (sql, arguments) =
        statement::walk(table, &rowid, after, upto, limit, filter).map_err(unsound)?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut stream = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch(connection);
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        let row = read_row(&row, table, url)?;
        bytes += row.bytes();
        rows.push(row);
        if bytes >= limit.bytes {
            break;
        }
    }
    Ok(rows)
}

fn read_row(row: &SqliteRow, table: &UnitTable, url: &str) -> Result<Row, SourceError> {
    let width = row.len() - table.columns.len();
    let key = (0..width).map(|at| value::key_part(row, at)).collect::<Result<_, _>>()?;
    let cells = (width..row.len())
        .map(|at| value::original(row, at))
        .collect::<Result<_, _>>()
        .map_err(|error| source_error(error, url, "reading a row"))?;
    Ok(Row { key: RowKey(key), cells, version: None, stamp: None })
}

/// The name by which the row id of a table is reached: a column may be called `rowid`.
pub(super) async fn rowid_name(
    connection: &mut SqliteConnection,
    table: &UnitTable,
) -> Result<String, sqlx::Error> {
    if table.walk != crate::plan::Walk::RowId {
        return Ok(String::new());
    }
    let name = quote_table(&table.table).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let rows = sqlx::query(AssertSqlSafe(format!("PRAGMA main.table_xinfo({name})")))
        .fetch_all(connection)
        .await?;
    let taken: Vec<String> =
        rows.iter().map(|row| row.get::<String, _>("name").to_ascii_lowercase()).collect();
    ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|name| !taken.iter().any(|taken| taken == name))
        .map(str::to_owned)
        .ok_or_else(|| sqlx::Error::Protocol("a table hides its row id behind its columns".into()))
}

/// The row of a key, if it is there.
pub(super) async fn one_row(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    key: &RowKey,
) -> Result<Option<Row>, SourceError> {
    let rowid = rowid_name(connection, table).await.map_err(|e| source_error(e, url, "walking"))?;
    let (sql, arguments) = statement::one(table, &rowid, key).map_err(unsound)?;
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments)
        .fetch_optional(connection)
        .await
        .map_err(|error| source_error(error, url, "reading a row"))?;
    row.map(|row| read_row(&row, table, url)).transpose()
}

pub(super) fn unsound(error: statement::StatementError) -> SourceError {
    SourceError::Engine { doing: "making a statement", source: Box::new(error) }
}
