//! Whether the indexes and foreign keys of some tables are sound, asked before and after a run.
//!
//! Row counts are not asked here: a table may grow beside a run, and verify reads every cell.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::shape::{qualified_parts, quoted, schema_of};
use crate::policy::TableName;

/// For each table: its indexes that are not whole, and the rows that its foreign keys do not know.
pub(super) async fn read(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let mut answers = Vec::with_capacity(tables.len() * 2);
    for table in tables {
        answers.push((format!("indexes of {table}"), indexes(connection, table).await?));
        answers.push((format!("foreign keys of {table}"), foreign_keys(connection, table).await?));
    }
    Ok(answers)
}

/// Which indexes there are, and which of them do not serve.
async fn indexes(connection: &mut PgConnection, table: &TableName) -> Result<String, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT i.relname || CASE WHEN x.indisvalid AND x.indisready AND x.indislive
                THEN '' ELSE ' (not valid)' END
        FROM pg_catalog.pg_index x
        JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
        JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 ORDER BY 1";
    let names: Vec<String> = sqlx::query_scalar(SQL)
        .bind(schema_of(table))
        .bind(&table.name)
        .fetch_all(connection)
        .await?;
    Ok(names.join(", "))
}

/// The foreign keys of a table, whether they are checked, and how many rows have no parent.
async fn foreign_keys(
    connection: &mut PgConnection,
    table: &TableName,
) -> Result<String, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT CASE con.conparentid WHEN 0 THEN con.conname::text
                ELSE 'of the whole' END, con.convalidated,
            n.nspname::text, c.relname::text, pn.nspname::text, p.relname::text,
            ARRAY(SELECT a.attname::text FROM unnest(con.conkey) WITH ORDINALITY AS k (num, at)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = k.num
                  ORDER BY k.at),
            ARRAY(SELECT a.attname::text FROM unnest(con.confkey) WITH ORDINALITY AS k (num, at)
                  JOIN pg_catalog.pg_attribute a ON a.attrelid = con.confrelid AND a.attnum = k.num
                  ORDER BY k.at),
            pg_catalog.has_schema_privilege(pn.oid, 'USAGE')
                AND pg_catalog.has_table_privilege(p.oid, 'SELECT')
                AND NOT pg_catalog.row_security_active(p.oid),
            ARRAY(SELECT pg_catalog.format('OPERATOR(%I.%s)', o.nspname, o.oprname)
                  FROM unnest(con.conpfeqop) WITH ORDINALITY AS k (op, at)
                  JOIN (SELECT x.oid, x.oprname, xn.nspname FROM pg_catalog.pg_operator x
                        JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace) AS o
                      ON o.oid = k.op
                  ORDER BY k.at)
        FROM pg_catalog.pg_constraint con
        JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_class p ON p.oid = con.confrelid
        JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
        WHERE con.contype = 'f' AND n.nspname = $1 AND c.relname = $2 ORDER BY 1, 6, 7";
    let keys = sqlx::query(SQL)
        .bind(schema_of(table))
        .bind(&table.name)
        .fetch_all(&mut *connection)
        .await?;
    let mut told = Vec::with_capacity(keys.len());
    for key in &keys {
        let (name, is_checked): (String, bool) = (key.try_get(0)?, key.try_get(1)?);
        let mut line = name;
        if !is_checked {
            line.push_str(" (not valid)");
        }
        // What the role may not read it cannot count; the server has checked its writes.
        if key.try_get(8)? {
            let orphans: i64 = sqlx::query_scalar(AssertSqlSafe(orphans(key)?))
                .fetch_one(&mut *connection)
                .await?;
            line = format!("{line}: {orphans} without a parent");
        }
        told.push(line);
    }
    Ok(told.join(", "))
}

/// A row counts whose columns all hold something that no row of the parent holds.
fn orphans(key: &PgRow) -> Result<String, sqlx::Error> {
    let encode = |error| sqlx::Error::Encode(Box::new(error));
    let (schema, table): (String, String) = (key.try_get(2)?, key.try_get(3)?);
    let (parent_schema, parent): (String, String) = (key.try_get(4)?, key.try_get(5)?);
    let (columns, parents): (Vec<String>, Vec<String>) = (key.try_get(6)?, key.try_get(7)?);
    // The operators by which the server compares: those of a type that an extension brings are not
    // found where ours look, and what is found instead would compare by letters.
    let operators: Vec<String> = key.try_get(9)?;
    let (mut filled, mut equal) = (Vec::new(), Vec::new());
    for ((column, parent), operator) in columns.iter().zip(&parents).zip(&operators) {
        let column = quoted(column)?;
        filled.push(format!("c.{column} IS NOT NULL"));
        equal.push(format!("p.{} {operator} c.{column}", quoted(parent)?));
    }
    Ok(format!(
        "SELECT count(*) FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
        qualified_parts(&schema, &table).map_err(encode)?,
        filled.join(" AND "),
        qualified_parts(&parent_schema, &parent).map_err(encode)?,
        equal.join(" AND "),
    ))
}
