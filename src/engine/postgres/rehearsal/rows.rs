//! The rows of a database, brought into another one by COPY, and read through there.
//!
//! **Invariant:** no value stands in a statement. What travels is what COPY writes, and comparisons
//! are made by the server, which tells digests.

use futures::TryStreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::connect::Address;
use super::super::queries::MARK;
use crate::engine::ident::{IdentError, quote, quote_list, quote_table};
use crate::policy::TableName;
use crate::ports::{Copied, Progress, TableStanding};

/// How often rows without a parent are looked for: chains of foreign keys are shorter.
const ROUNDS_MAX: usize = 64;

/// A table that has rows of its own.
struct Rows {
    table: TableName,
    /// Every column.
    columns: Vec<String>,
    /// Those of them that are written.
    written: Vec<String>,
    /// Its primary key.
    keys: Vec<String>,
    is_readable: bool,
}

/// Every table with rows, but ours.
async fn tables(connection: &mut PgConnection) -> Result<Vec<Rows>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT n.nspname::text, c.relname::text,
            array(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
            array(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attgenerated = '' ORDER BY a.attnum),
            array(SELECT a.attname::text FROM pg_constraint k
                  JOIN unnest(k.conkey) WITH ORDINALITY AS part (attnum, at) ON true
                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = part.attnum
                  WHERE k.conrelid = c.oid AND k.contype = 'p' ORDER BY part.at),
            has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'
          AND n.nspname NOT IN ('information_schema', 'sealift', 'sealift_rehearsal')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                          AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1, 2";
    let mut found = Vec::new();
    for row in sqlx::query(SQL).fetch_all(connection).await? {
        found.push(Rows {
            table: TableName { schema: Some(row.try_get(0)?), name: row.try_get(1)? },
            columns: row.try_get(2)?,
            written: row.try_get(3)?,
            keys: row.try_get(4)?,
            is_readable: row.try_get(5)?,
        });
    }
    Ok(found)
}

fn unsound(error: IdentError) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}

fn list(names: &[String]) -> Result<String, sqlx::Error> {
    quote_list(names.iter().map(String::as_str)).map_err(unsound)
}

/// Copies rows, table after table, out of the snapshot that `from` has. Constraints and triggers are
/// not there yet.
pub(super) async fn copy(
    from: &mut PgConnection,
    into: &mut PgConnection,
    rows: Option<u64>,
    progress: &dyn Progress,
) -> Result<Copied, sqlx::Error> {
    let mut copied = Copied::default();
    let tables = tables(from).await?;
    progress.begin("copy", "tables", tables.len() as u64);
    for table in &tables {
        if !table.is_readable {
            copied
                .left_out
                .push(format!("rows of table {}: this role may not read them all", table.table));
        } else if !table.written.is_empty() && is_there(into, &table.table).await? {
            copied.rows += copy_table(from, into, table, rows).await?;
            copied.tables += 1;
        }
        progress.advance(1);
    }
    progress.end();
    Ok(copied)
}

/// Whether the copy has a table. Why it has not was named when it could not be made.
async fn is_there(connection: &mut PgConnection, table: &TableName) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(quote_table(table).map_err(unsound)?)
        .fetch_one(connection)
        .await
}

async fn copy_table(
    from: &mut PgConnection,
    into: &mut PgConnection,
    table: &Rows,
    rows: Option<u64>,
) -> Result<u64, sqlx::Error> {
    let (name, columns) = (quote_table(&table.table).map_err(unsound)?, list(&table.written)?);
    let order = match rows {
        Some(_) if !table.keys.is_empty() => format!(" ORDER BY {}", list(&table.keys)?),
        _ => String::new(),
    };
    let limit = rows.map_or_else(String::new, |rows| format!("{order} LIMIT {rows}"));
    let out = format!("COPY (SELECT {MARK} {columns} FROM ONLY {name}{limit}) TO STDOUT");
    let mut copy = into.copy_in_raw(&format!("COPY {name} ({columns}) FROM STDIN")).await?;
    let sent = async {
        let mut stream = from.copy_out_raw(&out).await?;
        while let Some(bytes) = stream.try_next().await? {
            copy.send(bytes.as_ref()).await?;
        }
        Ok(())
    };
    match sent.await {
        Ok(()) => copy.finish().await,
        Err(error) => {
            let _ = copy.abort("the source could not be read").await;
            Err(error)
        }
    }
}

/// Takes out rows whose parents were not copied, until there are none.
pub(super) async fn without_orphans(
    from: &mut PgConnection,
    into: &mut PgConnection,
) -> Result<u64, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT format('DELETE FROM %I.%I AS child WHERE %s AND NOT EXISTS (
                SELECT FROM %I.%I AS parent WHERE %s)', n.nspname, c.relname,
            string_agg(format('child.%I IS NOT NULL', own.attname), ' AND '), pn.nspname, p.relname,
            string_agg(format('child.%I = parent.%I', own.attname, their.attname), ' AND '))
        FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
        JOIN unnest(k.conkey, k.confkey) AS part (own, their) ON true
        JOIN pg_attribute own ON own.attrelid = c.oid AND own.attnum = part.own
        JOIN pg_attribute their ON their.attrelid = p.oid AND their.attnum = part.their
        WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname <> 'sealift'
        GROUP BY k.oid, n.nspname, c.relname, pn.nspname, p.relname ORDER BY k.oid";
    let statements: Vec<String> = sqlx::query_scalar(SQL).fetch_all(from).await?;
    let mut gone = 0;
    for _ in 0..ROUNDS_MAX {
        let before = gone;
        for sql in &statements {
            let done = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *into).await?;
            gone += done.rows_affected();
        }
        if gone == before {
            break;
        }
    }
    Ok(gone)
}

/// Has the sequences go on where those of the source are.
pub(super) async fn set_sequences(
    from: &mut PgConnection,
    into: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT format('SELECT setval(%s, %s, true)',
            coalesce((SELECT format('pg_get_serial_sequence(%L, %L)', format('%I.%I', on_.nspname, own.relname), a.attname)
                      FROM pg_depend d JOIN pg_class own ON own.oid = d.refobjid
                      JOIN pg_namespace on_ ON on_.oid = own.relnamespace
                      JOIN pg_attribute a ON a.attrelid = own.oid AND a.attnum = d.refobjsubid
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'),
                     quote_literal(format('%I.%I', s.schemaname, s.sequencename))),
            s.last_value)
        FROM pg_sequences s JOIN pg_namespace n ON n.nspname = s.schemaname
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename
        WHERE s.last_value IS NOT NULL AND s.schemaname !~ '^pg_' AND s.schemaname <> 'sealift'";
    let statements: Vec<String> = sqlx::query_scalar(SQL).fetch_all(from).await?;
    for sql in statements {
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *into).await {
            // One that could not be made was named already.
            Ok(_) | Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads every table through.
pub(super) async fn standing(address: &Address) -> Result<Vec<TableStanding>, sqlx::Error> {
    let mut connection = address.connect().await?;
    let mut found = Vec::new();
    for table in tables(&mut connection).await? {
        let mut key = String::new();
        for column in &table.keys {
            key.push_str(&quote(column).map_err(unsound)?);
            key.push_str("::text, ");
        }
        let mut parts = vec!["count(*)".to_owned()];
        for column in &table.columns {
            let column = quote(column).map_err(unsound)?;
            // NULL and the empty text are two; two hashes, so that nothing is equal by chance.
            let cell = format!(
                "concat_ws(chr(31), {key}({column} IS NULL)::text, {column}::text) COLLATE \"C\""
            );
            parts.push(format!(
                "coalesce(sum(hashtextextended({cell}, 0)::numeric), 0)::text || '/' ||
                 coalesce(sum(hashtextextended({cell}, 1)::numeric), 0)::text"
            ));
        }
        let name = quote_table(&table.table).map_err(unsound)?;
        let sql = format!("SELECT {MARK} {} FROM ONLY {name}", parts.join(", "));
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut connection).await?;
        let rows: i64 = row.try_get(0)?;
        let mut columns = Vec::new();
        for (at, column) in table.columns.into_iter().enumerate() {
            columns.push((column, row.try_get(at + 1)?));
        }
        let rows = u64::try_from(rows).unwrap_or_default();
        found.push(TableStanding { table: table.table, rows, columns });
    }
    super::super::connect::close(connection).await;
    Ok(found)
}
