//! Where a range of a table ends: the key so many rows further on, read off the index of the key.

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _};

use super::queries::MARK;
use super::shape::{Shape, quoted, table_sql};
use super::statement::{compare, keys};
use crate::plan::UnitTable;
use crate::value::{KeyPart, RowKey};

/// The key of the row that is so many rows behind `after`; `None` where there are not as many.
pub(super) async fn cut(
    connection: &mut PgConnection,
    table: &UnitTable,
    shape: &Shape,
    after: Option<&RowKey>,
    rows: u64,
) -> Result<Option<RowKey>, sqlx::Error> {
    let keys = keys(table)?;
    let mut arguments = PgArguments::default();
    let condition = match after {
        Some(after) => compare(keys, shape, ">", after, &mut arguments)?,
        None => "true".to_owned(),
    };
    let names = keys.iter().map(|key| quoted(key)).collect::<Result<Vec<_>, _>>()?;
    let texts: Vec<String> = names.iter().map(|name| format!("t.{name}::text")).collect();
    arguments
        .add(i64::try_from(rows.max(1) - 1).unwrap_or(i64::MAX))
        .map_err(sqlx::Error::Encode)?;
    // Bounded by the rows of one range; where a run stands is never told by an OFFSET.
    let sql = format!(
        "SELECT {MARK} {} FROM ONLY {} AS t WHERE {condition} ORDER BY {} OFFSET ${} LIMIT 1",
        texts.join(", "),
        table_sql(&table.table)?,
        names.iter().map(|name| format!("t.{name}")).collect::<Vec<_>>().join(", "),
        arguments.len(),
    );
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_optional(connection).await?;
    let Some(row) = row else { return Ok(None) };
    let parts = (0..keys.len()).map(|at| Ok(KeyPart::text(&row.try_get::<String, _>(at)?)));
    Ok(Some(RowKey(parts.collect::<Result<_, sqlx::Error>>()?)))
}
