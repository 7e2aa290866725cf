//! Writes that leave no value in the server's log, also for a role that may not say what is logged.
//!
//! A server logs the parameters of statements and what it says about a row that breaks a rule. So
//! values travel by COPY, which is logged without its data, into a temporary table, which no
//! write-ahead log has; and statements run inside a block that catches what goes wrong and raises it
//! again with code and names of objects only: what is caught is not logged.
//!
//! **Invariant:** no statement of this room binds a value or has one in its text.

use std::borrow::Cow;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

/// Bytes sent at a time.
const CHUNK_BYTES: usize = 1 << 16;

/// What became of an UPDATE.
pub(super) struct Told {
    /// Rows that were written.
    pub(super) written: usize,
    /// Those of them that do not hold what was written.
    pub(super) unlike: usize,
    /// The transaction within the transaction that wrote them, as the rows bear it.
    pub(super) part: Option<String>,
}

/// The temporary table for rows of this many fields, as statements name it.
pub(super) fn stage(width: usize) -> String {
    format!("pg_temp.sealift_stage_{width}")
}

/// Fills the stage with columns of text, each as long as the others.
pub(super) async fn fill(
    connection: &mut PgConnection,
    columns: &[Vec<Option<Cow<'_, str>>>],
) -> Result<(), sqlx::Error> {
    let name = stage(columns.len());
    let fields: Vec<String> = (0..columns.len()).map(|at| format!("f{at} text")).collect();
    let is_there: bool = sqlx::query_scalar("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
        .bind(&name)
        .fetch_one(&mut *connection)
        .await?;
    let prepare = if is_there {
        format!("TRUNCATE {name}")
    } else {
        format!("CREATE TEMPORARY TABLE {name} ({}) ON COMMIT DELETE ROWS", fields.join(", "))
    };
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await?;
    let mut copy = connection.copy_in_raw(&format!("COPY {name} FROM STDIN")).await?;
    let mut chunk = String::new();
    for row in 0..columns.first().map_or(0, Vec::len) {
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                chunk.push('\t');
            }
            push_field(&mut chunk, column.get(row).and_then(Option::as_deref));
        }
        chunk.push('\n');
        if chunk.len() >= CHUNK_BYTES {
            copy.send(std::mem::take(&mut chunk).into_bytes()).await?;
        }
    }
    copy.send(chunk.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// SPEC: <https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS>, text format.
pub(super) fn push_field(chunk: &mut String, field: Option<&str>) {
    let Some(field) = field else { return chunk.push_str("\\N") };
    for sign in field.chars() {
        match sign {
            '\\' => chunk.push_str("\\\\"),
            '\n' => chunk.push_str("\\n"),
            '\r' => chunk.push_str("\\r"),
            '\t' => chunk.push_str("\\t"),
            sign => chunk.push(sign),
        }
    }
}

/// Runs an `UPDATE … RETURNING` of one boolean a row, and counts what came back.
pub(super) async fn update(
    connection: &mut PgConnection,
    update: &str,
) -> Result<Told, sqlx::Error> {
    let body = format!(
        "WITH written (is_held, part) AS ({update}, old.xmin)
         SELECT count(*) || ' ' || count(*) FILTER (WHERE is_held IS NOT TRUE)
                 || coalesce(' ' || min(part::text), '')
             INTO sealift_told FROM written;
         PERFORM pg_catalog.set_config('sealift.told', sealift_told, true);"
    );
    block(connection, &body).await?;
    let row = sqlx::query("SELECT pg_catalog.current_setting('sealift.told')")
        .fetch_one(connection)
        .await?;
    let told: String = row.try_get(0)?;
    let mut words = told.split(' ');
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
    let (written, unlike) = (number(), number());
    Ok(Told { written, unlike, part: words.next().map(str::to_owned) })
}

/// Runs a statement that gives nothing back, and whose failure would name values: checks of foreign
/// keys, an index that finds a value twice.
pub(super) async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    block(connection, &format!("{statement};")).await
}

/// Runs a body that raises again what goes wrong in it, without what PostgreSQL says of rows. Messages
/// that can name objects and nothing else stay.
async fn block(connection: &mut PgConnection, body: &str) -> Result<(), sqlx::Error> {
    // A name in the body may hold anything, also what ends a text.
    let mut tag = "$sealift$".to_owned();
    while body.contains(&tag) {
        tag = format!("$sealift_{}$", tag.len());
    }
    let sql = format!(
        "DO {tag}
         #variable_conflict use_column
         DECLARE
             sealift_told text; sealift_state text; sealift_constraint text;
             sealift_column text; sealift_type text; sealift_table text; sealift_schema text;
         BEGIN
             {body}
         EXCEPTION WHEN OTHERS THEN
             GET STACKED DIAGNOSTICS sealift_state = RETURNED_SQLSTATE,
                 sealift_constraint = CONSTRAINT_NAME, sealift_column = COLUMN_NAME,
                 sealift_type = PG_DATATYPE_NAME, sealift_table = TABLE_NAME,
                 sealift_schema = SCHEMA_NAME;
             RAISE EXCEPTION USING ERRCODE = sealift_state,
                 MESSAGE = CASE WHEN sealift_state IN ('42501', '42P01', '42703')
                     THEN SQLERRM ELSE 'withheld by sealift' END,
                 CONSTRAINT = sealift_constraint, COLUMN = sealift_column,
                 DATATYPE = sealift_type, TABLE = sealift_table, SCHEMA = sealift_schema;
         END {tag}"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::push_field;

    #[test]
    fn a_field_is_written_as_copy_reads_it() {
        let mut chunk = String::new();
        push_field(&mut chunk, Some("a\tb\\N\r\n"));
        push_field(&mut chunk, None);
        push_field(&mut chunk, Some(""));
        assert_eq!(chunk, "a\\tb\\\\N\\r\\n\\N");
    }
}
