//! The purge of a PostgreSQL source, as far as SQL reaches: tables rewritten, copies in
//! materialised views and statistics renewed.
//!
//! What lies in the server's files beside that (its log of changes, free blocks, archives) is not
//! read here and nothing is claimed about it.

use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::error::is_passing;
use super::session::{Doing, Session};
use super::shape::{schema_of, table_sql};
use super::{catalog, cursor};
use crate::policy::TableName;
use crate::ports::{ScrubStep, SourceError};

/// How long older snapshots are waited for, in seconds.
const HORIZON_S: u32 = 60;

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

/// The steps of a purge as they are done.
struct Steps {
    steps: Vec<ScrubStep>,
    began: Timestamp,
}

impl Steps {
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
) -> Result<Vec<ScrubStep>, SourceError> {
    if session.doing == Doing::Seizure {
        let ended = session.commit().await;
        ended.map_err(|error| session.failed(error, "ending the lock of the purge"))?;
    }
    let mut steps = Steps { steps: Vec::new(), began: Timestamp::now() };
    let scrubbed = scrub_tables(session, tables, &mut steps).await;
    scrubbed.map_err(|error| session.failed(error, "rewriting its tables"))??;
    Ok(steps.steps)
}

async fn scrub_tables(
    session: &mut Session,
    tables: &[TableName],
    steps: &mut Steps,
) -> Result<Result<(), SourceError>, sqlx::Error> {
    let connection = session.connection().await?;
    cursor::remove_cursors(connection).await?;
    if let Err(holds) = wait_for_horizon(connection).await? {
        return Ok(Err(SourceError::Inconsistent(format!(
            "{holds} still sees rows as they were before the run, so that they cannot be removed; \
             end it and purge again"
        ))));
    }
    steps.done("wait for older snapshots", "none is left");
    for table in tables {
        let name = table_sql(table)?;
        let before = file_of(connection, &name).await?;
        patiently(connection, &format!("VACUUM (FULL, ANALYZE) {name}")).await?;
        // The server only warns a role that may not, and answers as if it had been done.
        if before.is_some() && file_of(connection, &name).await? == before {
            return Ok(Err(SourceError::Inconsistent(format!(
                "`{table}` was not rewritten: the role may not; it has to own the table"
            ))));
        }
        steps.done(format!("VACUUM FULL {table}"), "table, indexes and TOAST are new files");
    }
    for table in above(connection, tables).await? {
        patiently(connection, &format!("ANALYZE {}", table_sql(&table)?)).await?;
        steps.done(format!("ANALYZE {table}"), "statistics over all of its parts are new");
    }
    for view in materialised(connection, tables).await? {
        let name = table_sql(&view)?;
        patiently(connection, &format!("REFRESH MATERIALIZED VIEW {name}")).await?;
        patiently(connection, &format!("VACUUM (FULL, ANALYZE) {name}")).await?;
        steps.done(format!("REFRESH MATERIALIZED VIEW {view}"), "filled from tokens");
    }
    for table in ["pg_statistic", "pg_statistic_ext_data"] {
        let name = format!("pg_catalog.{table}");
        let before = file_of(connection, &name).await?;
        let vacuumed = sqlx::raw_sql(AssertSqlSafe(format!("VACUUM FULL {name}")))
            .execute(&mut *connection)
            .await;
        let is_new = vacuumed.is_ok() && file_of(connection, &name).await? != before;
        let outcome = if is_new {
            "statistics of originals are gone from it"
        } else {
            "not permitted to this role; statistics of originals may be in its file"
        };
        steps.done(format!("VACUUM FULL {table}"), outcome);
    }
    Ok(Ok(()))
}

/// The number of the file in which a table lies: another one once it was rewritten.
async fn file_of(connection: &mut PgConnection, name: &str) -> Result<Option<i64>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.pg_relation_filenode($1::pg_catalog.regclass)::bigint";
    sqlx::query_scalar(SQL).bind(name).fetch_one(connection).await
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

/// Waits until nobody sees rows as they were before now. Says who does where that takes too long:
/// `VACUUM FULL` would keep those rows.
async fn wait_for_horizon(
    connection: &mut PgConnection,
) -> Result<Result<(), String>, sqlx::Error> {
    // language=PostgreSQL
    const NOW: &str = "SELECT pg_catalog.pg_snapshot_xmax(
        pg_catalog.pg_current_snapshot())::text::int8 & 4294967295";
    // Ages are counted from the next transaction id, so that they compare across a wraparound.
    // language=PostgreSQL
    const HOLDERS: &str = "
        SELECT 'session ' || pid FROM pg_catalog.pg_stat_activity
        WHERE pid <> pg_catalog.pg_backend_pid()
          AND (datname = pg_catalog.current_database() OR datname IS NULL)
          AND greatest(pg_catalog.age(backend_xmin), pg_catalog.age(backend_xid))
              > pg_catalog.age($1::text::xid)
        UNION ALL
        SELECT 'prepared transaction ' || gid FROM pg_catalog.pg_prepared_xacts
        WHERE database = pg_catalog.current_database()
          AND pg_catalog.age(transaction) > pg_catalog.age($1::text::xid)
        UNION ALL
        SELECT 'replication slot ' || slot_name FROM pg_catalog.pg_replication_slots
        WHERE xmin IS NOT NULL AND pg_catalog.age(xmin) > pg_catalog.age($1::text::xid)
        LIMIT 1";
    let now: i64 = sqlx::query_scalar(NOW).fetch_one(&mut *connection).await?;
    let mut holder = String::new();
    for _ in 0..HORIZON_S {
        let found =
            sqlx::query(HOLDERS).bind(now.to_string()).fetch_optional(&mut *connection).await?;
        match found {
            None => return Ok(Ok(())),
            Some(row) => holder = row.try_get(0)?,
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    Ok(Err(holder))
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
