//! The purge of a PostgreSQL source: tables rewritten, copies in materialised views and statistics
//! renewed, the log of changes retired.
//!
//! The order was found by experiment. `VACUUM` alone moves rows and lets their bytes lie;
//! `VACUUM FULL` copies what an older snapshot can still see; statistics hold samples, also dead ones;
//! a file of the log that is recycled goes on holding what it held.
//!
//! **Invariant:** a table counts as rewritten only where its file is another one than before: a role
//! that may not rewrite it is warned by the server, not refused.

mod blockers;
mod log;

pub(super) use log::put_back_left as put_back_settings;

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::error::is_passing;
use super::queries::MARK;
use super::session::{Doing, Session};
use super::shape::{qualified_parts, quoted, schema_of, table_sql};
use super::{catalog, cursor};
use crate::policy::TableName;
use crate::ports::{ScrubStep, Scrubbed, SourceError};

/// The transaction of a verification may lie idle while the vault is read.
// language=PostgreSQL
const BEGIN: &str = "SET LOCAL idle_in_transaction_session_timeout = 0";

/// Locks the tables against writers, until the transaction ends.
pub(super) async fn seize(session: &mut Session, tables: &[TableName]) -> Result<(), sqlx::Error> {
    session.begin(BEGIN).await?;
    let names = tables
        .iter()
        .map(|table| Ok(format!("ONLY {}", table_sql(table)?)))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    if !names.is_empty() {
        let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", names.join(", "));
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(session.within()?).await?;
    }
    Ok(())
}

/// Says what stands in the way before anything is locked or read.
pub(super) async fn check(
    session: &mut Session,
    tables: &[TableName],
) -> Result<Result<(), SourceError>, sqlx::Error> {
    let connection = session.connection().await?;
    Ok(match blockers::find(connection, tables).await? {
        Some((blocker, hint)) => Err(SourceError::Blocked { blocker, hint: hint.to_owned() }),
        None => Ok(()),
    })
}

/// The steps of a purge as they are done.
pub(super) struct Steps {
    steps: Vec<ScrubStep>,
    began: Timestamp,
}

impl Steps {
    fn begin() -> Self {
        Self { steps: Vec::new(), began: Timestamp::now() }
    }

    fn done(&mut self, step: impl Into<String>, outcome: impl Into<String>) {
        let now = Timestamp::now();
        self.steps.push(ScrubStep {
            step: step.into(),
            outcome: outcome.into(),
            started_at: self.began.to_string(),
            finished_at: now.to_string(),
        });
        self.began = now;
    }
}

/// Rewrites the tables so that they hold nothing but what SQL sees, and renews what was copied from
/// them. The lock ends first: `VACUUM FULL` cannot run inside a transaction.
pub(super) async fn scrub(
    session: &mut Session,
    tables: &[TableName],
    patience: Duration,
) -> Result<Scrubbed, SourceError> {
    let ended = end_lock(session).await;
    let before = ended.map_err(|error| session.failed(error, "ending the lock of the purge"))?;
    let mut steps = Steps::begin();
    let scrubbed = scrub_tables(session, tables, patience, &before, &mut steps).await;
    let written_since =
        scrubbed.map_err(|error| session.failed(error, "rewriting its tables"))??;
    Ok(Scrubbed { steps: steps.steps, written_since })
}

/// Ends the lock, and names the transaction that comes next.
// ORDER: named before the lock ends, so that whoever writes afterwards is later than it.
async fn end_lock(session: &mut Session) -> Result<String, sqlx::Error> {
    let next = blockers::next_transaction(session.connection().await?).await?;
    if session.doing == Doing::Seizure {
        session.commit().await?;
    }
    Ok(next)
}

async fn scrub_tables(
    session: &mut Session,
    tables: &[TableName],
    patience: Duration,
    before: &str,
    steps: &mut Steps,
) -> Result<Result<u64, SourceError>, sqlx::Error> {
    let connection = session.connection().await?;
    cursor::remove_cursors(connection).await?;
    if let Err(holds) = blockers::wait_for_horizon(connection, patience).await? {
        return Ok(Err(SourceError::Blocked {
            blocker: format!(
                "{holds} still sees rows as they were before the run, so that they cannot be removed"
            ),
            hint: "end it, then purge again: nothing was destroyed; `purge --wait SECONDS` waits \
                   longer for it"
                .to_owned(),
        }));
    }
    steps.done("wait for older snapshots", "none is left");
    let tables = with_descendants(connection, tables).await?;
    for table in &tables {
        if let Err(error) = rewrite(connection, table, steps).await? {
            return Ok(Err(error));
        }
    }
    for table in above(connection, &tables).await? {
        patiently(connection, &format!("ANALYZE {}", table_sql(&table)?)).await?;
        steps.done(format!("ANALYZE {table}"), "statistics over all of its parts are new");
    }
    for view in materialised(connection, &tables).await? {
        let name = table_sql(&view)?;
        match patiently(connection, &format!("REFRESH MATERIALIZED VIEW {name}")).await {
            Err(error) if is_refused(&error) => {
                return Ok(Err(SourceError::Blocked {
                    blocker: format!("this role may not refresh materialized view `{view}`"),
                    hint:
                        "purge as its owner too: grant the role that owns it to the one that purges"
                            .to_owned(),
                }));
            }
            refreshed => refreshed?,
        }
        steps.done(format!("REFRESH MATERIALIZED VIEW {view}"), "filled from tokens");
        if let Err(error) = rewrite(connection, &view, steps).await? {
            return Ok(Err(error));
        }
    }
    for table in ["pg_statistic", "pg_statistic_ext_data"] {
        statistics(connection, table, steps).await?;
    }
    log::mark(connection, steps).await?;
    Ok(Ok(written_since(connection, &tables, before).await?))
}

/// Whether the server says that the role may not.
fn is_refused(error: &sqlx::Error) -> bool {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == INSUFFICIENT_PRIVILEGE)
}

/// Writes a table anew, with its indexes and the values moved out of it.
async fn rewrite(
    connection: &mut PgConnection,
    table: &TableName,
    steps: &mut Steps,
) -> Result<Result<(), SourceError>, sqlx::Error> {
    let name = table_sql(table)?;
    let before = file_of(connection, &name).await?;
    patiently(connection, &format!("VACUUM (FULL, ANALYZE) {name}")).await?;
    let after = file_of(connection, &name).await?;
    // A partitioned table has no file of its own.
    if before.is_some() && before == after {
        return Ok(Err(SourceError::Blocked {
            blocker: format!("this role may not rewrite table `{table}`"),
            hint: "purge as the table's owner, as the owner of the database or as a superuser"
                .to_owned(),
        }));
    }
    let file = |file: Option<i64>| file.map_or_else(|| "none".to_owned(), |file| file.to_string());
    let outcome = format!(
        "table, indexes and values moved out are new files ({} became {})",
        file(before),
        file(after)
    );
    steps.done(format!("VACUUM FULL {table}"), outcome);
    Ok(Ok(()))
}

/// Writes a table of the statistics anew, where the role may.
async fn statistics(
    connection: &mut PgConnection,
    table: &str,
    steps: &mut Steps,
) -> Result<(), sqlx::Error> {
    let name = format!("pg_catalog.{}", quoted(table)?);
    let before = file_of(connection, &name).await?;
    let vacuumed = patiently(connection, &format!("VACUUM FULL {name}")).await;
    let after = file_of(connection, &name).await?;
    let outcome = if vacuumed.is_ok() && before != after {
        "statistics of originals are gone from it"
    } else {
        "not permitted to this role; statistics of originals may be in its file"
    };
    steps.done(format!("VACUUM FULL {table}"), outcome);
    Ok(())
}

/// The number of a relation's file.
async fn file_of(connection: &mut PgConnection, name: &str) -> Result<Option<i64>, sqlx::Error> {
    // language=PostgreSQL
    const FILE: &str = "SELECT pg_catalog.pg_relation_filenode($1::pg_catalog.regclass)::int8";
    sqlx::query_scalar(FILE).bind(name).fetch_one(connection).await
}

/// Runs a statement that waits for its lock longer than a batch may.
async fn patiently(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("SET lock_timeout = '60s'").execute(&mut *connection).await?;
    let mut done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await;
    if done.as_ref().is_err_and(is_passing) {
        done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *connection).await;
    }
    sqlx::raw_sql("RESET lock_timeout").execute(connection).await?;
    done.map(|_| ())
}

/// Rows of these tables that were written by transactions from this one on.
async fn written_since(
    connection: &mut PgConnection,
    tables: &[TableName],
    before: &str,
) -> Result<u64, sqlx::Error> {
    let mut rows = 0;
    for table in tables {
        // What was written earlier is older; a frozen row keeps the number of its writer.
        let sql = format!(
            "SELECT {MARK} count(*) FROM ONLY {} AS t
             WHERE pg_catalog.age(t.xmin) <= pg_catalog.age($1::text::xid)",
            table_sql(table)?
        );
        let count: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(before).fetch_one(&mut *connection).await?;
        rows += count.unsigned_abs();
    }
    Ok(rows)
}

/// These tables with their partitions and the tables that inherit from them.
async fn with_descendants(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<TableName>, sqlx::Error> {
    // language=PostgreSQL
    const BELOW: &str = "
        WITH RECURSIVE below (oid) AS (
            SELECT $1::pg_catalog.regclass::pg_catalog.oid
            UNION
            SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN below ON i.inhparent = below.oid
        )
        SELECT n.nspname::text, c.relname::text
        FROM below JOIN pg_catalog.pg_class c ON c.oid = below.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' ORDER BY 1, 2";
    let mut all: Vec<TableName> = Vec::new();
    for table in tables {
        let name = qualified_parts(schema_of(table), &table.name)
            .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
        let below: Vec<(String, String)> =
            sqlx::query_as(BELOW).bind(name).fetch_all(&mut *connection).await?;
        for (schema, name) in below {
            let is_known = |known: &&TableName| schema_of(known) == schema && known.name == name;
            if !all.iter().any(|known| is_known(&known)) {
                all.push(catalog::table_name(&schema, &name));
            }
        }
    }
    Ok(all)
}

/// Retires the log of changes. See [`log`].
pub(super) async fn retire_log(session: &mut Session) -> Result<Vec<ScrubStep>, SourceError> {
    let mut steps = Steps::begin();
    let retired = async {
        let connection = session.connection().await?;
        log::retire(connection, &mut steps).await
    };
    let retired = retired.await;
    retired.map_err(|error| session.failed(error, "retiring its log of changes"))?;
    Ok(steps.steps)
}

/// The tables that these are partitions of, or inherit from: they have statistics of their own.
async fn above(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<TableName>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "WITH RECURSIVE above (oid) AS (
            SELECT i.inhparent FROM pg_catalog.pg_inherits i
            JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = $1 AND c.relname = $2
            UNION
            SELECT i.inhparent FROM above JOIN pg_catalog.pg_inherits i ON i.inhrelid = above.oid)
        SELECT n.nspname::text, c.relname::text
        FROM above JOIN pg_catalog.pg_class c ON c.oid = above.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2";
    let mut found = Vec::new();
    for table in tables {
        let rows: Vec<(String, String)> = sqlx::query_as(SQL)
            .bind(schema_of(table))
            .bind(&table.name)
            .fetch_all(&mut *connection)
            .await?;
        for (schema, name) in rows {
            let name = catalog::table_name(&schema, &name);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    Ok(found)
}

/// The materialised views over these tables, each after those that it reads.
async fn materialised(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<TableName>, sqlx::Error> {
    let catalog = catalog::read(connection)
        .await
        .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
    let mut views = Vec::new();
    let Some(postgres) = &catalog.postgres else { return Ok(views) };
    for table in tables {
        for column in postgres.table(table).iter().flat_map(|table| &table.columns) {
            for view in postgres.views_over(table, &column.name) {
                if view.is_materialised && !views.contains(&view.name) {
                    views.push(view.name.clone());
                }
            }
        }
    }
    // A view that a later one reads may have been reached by another column.
    let reads = |one: &TableName, other: &TableName| {
        postgres
            .views
            .iter()
            .any(|view| &view.name == one && view.reads.iter().any(|read| &read.table == other))
    };
    let mut ordered: Vec<TableName> = Vec::with_capacity(views.len());
    while !views.is_empty() {
        let is_free = |view: &&TableName| views.iter().all(|other| !reads(view, other));
        let next = views.iter().position(|view| is_free(&view)).unwrap_or(0);
        ordered.push(views.remove(next));
    }
    Ok(ordered)
}
