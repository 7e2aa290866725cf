//! The server's statistics over rewritten tables, taken anew: the plans of the application's queries
//! are made for what the columns hold now.
//!
//! Nothing hangs on it but the speed of others. What cannot be done is told and left.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::catalog::table_name;
use super::error::state;
use super::session::Session;
use super::shape::{schema_of, table_sql};
use crate::policy::TableName;
use crate::ports::SourceError;

/// The state of a lock that was not given in time.
const LOCKED: &str = "55P03";

/// Takes the statistics of tables anew, each in a statement of its own; returns those that were
/// left, and why.
pub(super) async fn renew(
    session: &mut Session,
    tables: &[TableName],
) -> Result<Vec<(TableName, String)>, SourceError> {
    let mut left = Vec::new();
    for (table, is_permitted) in whole(session, tables).await? {
        if !is_permitted {
            let why = "the role neither owns it nor may maintain it";
            left.push((table, why.to_owned()));
        } else if let Some(why) = analyze(session, &table).await? {
            left.push((table, why));
        }
    }
    Ok(left)
}

/// The tables as the server takes statistics of them: partitions by way of the table that they belong
/// to, which has statistics over all of them; and whether the role may have them taken.
async fn whole(
    session: &mut Session,
    tables: &[TableName],
) -> Result<Vec<(TableName, bool)>, SourceError> {
    let mut attempt = 0;
    loop {
        let asked = match session.connection().await {
            Ok(connection) => ask(connection, tables).await,
            Err(error) => Err(error),
        };
        match asked {
            Ok(found) => return Ok(found),
            Err(error) => {
                attempt += 1;
                if session.may_try_again(&error, attempt).await.is_none() {
                    return Err(session.failed(error, "looking for statistics to take anew"));
                }
            }
        }
    }
}

async fn ask(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<(TableName, bool)>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "WITH RECURSIVE up (oid) AS (
            SELECT c.oid FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN unnest($1::text[], $2::text[]) AS w (nspname, relname)
              ON w.nspname = n.nspname AND w.relname = c.relname
            UNION
            SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid)
        SELECT n.nspname::text, c.relname::text,
            pg_catalog.pg_has_role(c.relowner, 'USAGE')
            OR pg_catalog.pg_has_role(d.datdba, 'USAGE')
            OR CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000
                    THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN') ELSE false END
        FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
        WHERE NOT c.relispartition ORDER BY 1, 2";
    let schemas: Vec<&str> = tables.iter().map(schema_of).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let rows: Vec<(String, String, bool)> =
        sqlx::query_as(SQL).bind(schemas).bind(names).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(schema, name, may)| (table_name(&schema, &name), may)).collect())
}

/// Takes the statistics of one table; says why not, where something of the table's own hinders it.
async fn analyze(session: &mut Session, table: &TableName) -> Result<Option<String>, SourceError> {
    let mut attempt = 0;
    loop {
        let done = async {
            let sql = format!("ANALYZE {}", table_sql(table)?);
            let connection = session.connection().await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await
        };
        let Err(error) = done.await else { return Ok(None) };
        attempt += 1;
        // A lost server is waited for; a lock that somebody keeps, and a function of an index that
        // fails, are reasons to leave it. The lock is most often that of a vacuum by the server itself,
        // which can last for hours and takes the statistics anew at its end.
        let code = state(&error).map(str::to_owned);
        if code.as_deref() == Some(LOCKED) {
            return Ok(Some(format!("somebody holds its lock (PostgreSQL error {LOCKED})")));
        }
        if session.may_try_again(&error, attempt).await.is_none() {
            return match code {
                Some(code) => Ok(Some(format!("PostgreSQL error {code}"))),
                None => Err(session.failed(error, "taking statistics anew")),
            };
        }
    }
}
