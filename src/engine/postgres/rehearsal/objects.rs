//! The objects of a database, made anew in another one by what the server says of them.
//!
//! Nobody has to find out what depends on what: a statement that fails is tried again behind the
//! others, until a round of them brings nothing more. What is left then is named, with the reason.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::error::safe;

// language=PostgreSQL
const STATEMENTS: &str = include_str!("objects.sql");

/// Stages up to this one come before the rows.
const BEFORE_ROWS: i32 = 7;

/// One statement that makes an object.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    stage: i32,
    name: String,
    sql: String,
}

/// Reads the statements of a database: those before its rows, and those behind them.
pub(super) async fn read(
    connection: &mut PgConnection,
) -> Result<(Vec<Statement>, Vec<Statement>), sqlx::Error> {
    let rows = sqlx::query(STATEMENTS).fetch_all(connection).await?;
    let mut statements = Vec::with_capacity(rows.len());
    for row in &rows {
        statements.push(Statement {
            stage: row.try_get(0)?,
            name: row.try_get(1)?,
            sql: row.try_get(2)?,
        });
    }
    Ok(statements.into_iter().partition(|statement| statement.stage <= BEFORE_ROWS))
}

/// Makes objects; says which could not be made. `path` is the search path of the database's own
/// sessions: what somebody wrote without schemas finds its tables by it.
pub(super) async fn make(
    connection: &mut PgConnection,
    mut statements: Vec<Statement>,
    path: &str,
) -> Result<Vec<String>, sqlx::Error> {
    // Bodies may name what is made later.
    sqlx::raw_sql("SET check_function_bodies = off").execute(&mut *connection).await?;
    let mut is_last = false;
    loop {
        let before = statements.len();
        let mut failed = Vec::new();
        for statement in statements {
            let sql = AssertSqlSafe(statement.sql.clone());
            match sqlx::raw_sql(sql).execute(&mut *connection).await {
                Ok(_) => {}
                Err(error @ sqlx::Error::Database(_)) => failed.push((statement, error)),
                Err(error) => return Err(error),
            }
        }
        let is_stuck = failed.len() == before;
        if failed.is_empty() || (is_stuck && is_last) {
            set_path(connection, "pg_catalog").await?;
            return Ok(failed.into_iter().map(|(what, why)| reason(&what, why)).collect());
        }
        if is_stuck {
            set_path(connection, path).await?;
            is_last = true;
        }
        statements = failed.into_iter().map(|(statement, _)| statement).collect();
    }
}

fn reason(statement: &Statement, error: sqlx::Error) -> String {
    format!("{}: {}", statement.name, safe(error))
}

async fn set_path(connection: &mut PgConnection, path: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_catalog.set_config('search_path', $1, false)")
        .bind(path)
        .execute(connection)
        .await
        .map(|_| ())
}
