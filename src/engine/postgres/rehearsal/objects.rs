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

/// Stages up to this one come right behind the rows.
const BEHIND_ROWS: i32 = 16;

/// One statement that makes an object.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    id: i64,
    name: String,
    sql: String,
}

/// The statements of a database.
#[derive(Debug, Default)]
pub(super) struct Statements {
    /// What has to be there before its rows.
    pub(super) before: Vec<Statement>,
    /// What comes behind them.
    pub(super) behind: Vec<Statement>,
    /// What may refuse any of the others.
    pub(super) last: Vec<Statement>,
}

/// An object that could not be made.
#[derive(Debug)]
pub(super) struct Unmade {
    /// The server's number of it, in the source.
    pub(super) id: i64,
    /// Its name, and why.
    pub(super) reason: String,
}

/// Reads the statements of a database.
pub(super) async fn read(connection: &mut PgConnection) -> Result<Statements, sqlx::Error> {
    let mut statements = Statements::default();
    for row in &sqlx::query(STATEMENTS).fetch_all(connection).await? {
        let stage: i32 = row.try_get(0)?;
        let list = if stage <= BEFORE_ROWS {
            &mut statements.before
        } else if stage <= BEHIND_ROWS {
            &mut statements.behind
        } else {
            &mut statements.last
        };
        let (id, name, sql) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        list.push(Statement { id, name, sql });
    }
    Ok(statements)
}

/// Makes objects; says which could not be made. `path` is the search path of the database's own
/// sessions: what somebody wrote without schemas finds its tables by it.
pub(super) async fn make(
    connection: &mut PgConnection,
    mut statements: Vec<Statement>,
    path: &str,
) -> Result<Vec<Unmade>, sqlx::Error> {
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
            return Ok(failed.into_iter().map(|(what, why)| unmade(&what, why)).collect());
        }
        if is_stuck {
            set_path(connection, path).await?;
            is_last = true;
        }
        statements = failed.into_iter().map(|(statement, _)| statement).collect();
    }
}

fn unmade(statement: &Statement, error: sqlx::Error) -> Unmade {
    Unmade { id: statement.id, reason: format!("{}: {}", statement.name, safe(error)) }
}

async fn set_path(connection: &mut PgConnection, path: &str) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_catalog.set_config('search_path', $1, false)")
        .bind(path)
        .execute(connection)
        .await
        .map(|_| ())
}
