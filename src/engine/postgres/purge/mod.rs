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
mod elsewhere;
mod log;
mod room;

pub(super) use elsewhere::shown;
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

/// Where the server keeps samples of the values of columns.
const STATISTICS: [&str; 2] = ["pg_statistic", "pg_statistic_ext_data"];

/// How long older snapshots are waited for where the server has replaced statistics by itself.
const RENEWAL_PATIENCE: Duration = Duration::from_secs(10);

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
        Some((blocker, hint)) => Err(SourceError::Blocked { blocker, hint }),
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
        self.ended(step.into(), outcome.into(), false);
    }

    /// A step of which something could not be done.
    fn fell_short(&mut self, step: impl Into<String>, outcome: impl Into<String>) {
        self.ended(step.into(), outcome.into(), true);
    }

    fn ended(&mut self, step: String, outcome: String, falls_short: bool) {
        let now = Timestamp::now();
        self.steps.push(ScrubStep {
            step,
            outcome,
            falls_short,
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
        return Ok(Err(held(&holds)));
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
    let views = materialised(connection, &tables).await?;
    for view in &views {
        let name = table_sql(view)?;
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
        if let Err(error) = rewrite(connection, view, steps).await? {
            return Ok(Err(error));
        }
    }
    let mut analysed = tables.clone();
    analysed.extend(above(connection, &tables).await?);
    analysed.extend(views);
    forget_stale(connection, &analysed, before, steps).await?;
    // ORDER: what the last ANALYZE has replaced is dead since a moment ago, and who looked before that
    // still sees it.
    if let Err(holds) = blockers::wait_for_horizon(connection, patience).await? {
        return Ok(Err(held(&holds)));
    }
    steps.done("wait for snapshots older than the statistics", "none is left");
    for table in STATISTICS {
        statistics(connection, table, steps).await?;
    }
    log::mark(connection, steps).await?;
    Ok(Ok(written_since(connection, &tables, before).await?))
}

/// Somebody sees what has to be removed.
fn held(holds: &str) -> SourceError {
    SourceError::Blocked {
        blocker: format!(
            "{holds} still sees rows as they were before the run, so that they cannot be removed"
        ),
        hint: "end it, then purge again: nothing was destroyed; `purge --wait SECONDS` waits \
               longer for it. A replication slot sees rows for a query on its standby \
               (`hot_standby_feedback`): it is that query which has to end"
            .to_owned(),
    }
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
    let step = format!("VACUUM FULL {table}");
    if vacuumed.is_ok() && before != after {
        steps.done(step, "statistics of originals are gone from it");
    } else {
        let why = "not permitted to this role; statistics of originals may be in its file";
        steps.fell_short(step, why);
    }
    Ok(())
}

/// Takes out the statistics of these relations that are older than the rewrite, where the role may.
///
/// `ANALYZE` renews no statistics of a table without rows, and none of a column whose target is 0: what
/// was gathered from originals stays there for SQL to see.
async fn forget_stale(
    connection: &mut PgConnection,
    relations: &[TableName],
    before: &str,
    steps: &mut Steps,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const OF_COLUMNS: &str = "DELETE FROM pg_catalog.pg_statistic
        WHERE (starelid::int8 = ANY ($1) OR starelid IN (
                SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid::int8 = ANY ($1)))
          AND pg_catalog.age(xmin) > pg_catalog.age($2::text::xid)";
    // language=PostgreSQL
    const OF_SEVERAL: &str = "WHERE stxoid IN (
            SELECT oid FROM pg_catalog.pg_statistic_ext WHERE stxrelid::int8 = ANY ($1))
          AND pg_catalog.age(xmin) > pg_catalog.age($2::text::xid)";
    // language=PostgreSQL
    const OID: &str = "SELECT $1::pg_catalog.regclass::pg_catalog.oid::int8";
    let mut oids = Vec::with_capacity(relations.len());
    for relation in relations {
        let name = table_sql(relation)?;
        let oid: i64 = sqlx::query_scalar(OID).bind(name).fetch_one(&mut *connection).await?;
        oids.push(oid);
    }
    // Before version 15 the row belongs to the object: ANALYZE and DROP STATISTICS fail without it.
    let of_several = match connection.server_version_num() {
        Some(..140_000) => {
            "UPDATE pg_catalog.pg_statistic_ext_data
             SET stxdndistinct = NULL, stxddependencies = NULL, stxdmcv = NULL"
        }
        Some(..150_000) => {
            "UPDATE pg_catalog.pg_statistic_ext_data SET stxdndistinct = NULL,
                 stxddependencies = NULL, stxdmcv = NULL, stxdexpr = NULL"
        }
        _ => "DELETE FROM pg_catalog.pg_statistic_ext_data",
    };
    let mut rows = 0;
    for sql in [OF_COLUMNS.to_owned(), format!("{of_several} {OF_SEVERAL}")] {
        match sqlx::query(AssertSqlSafe(sql))
            .bind(&oids)
            .bind(before)
            .execute(&mut *connection)
            .await
        {
            Ok(done) => rows += done.rows_affected(),
            // Whether there are any, such a role cannot know; that it may not write the tables of
            // the statistics anew is said in its place.
            Err(error) if is_refused(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    if rows > 0 {
        steps.done("statistics that ANALYZE leaves", format!("{rows} taken out"));
    }
    Ok(())
}

/// Writes the tables of the statistics anew once more, where the role may.
pub(super) async fn renew_statistics(session: &mut Session) -> Result<(), SourceError> {
    let mut steps = Steps::begin();
    let renewed = async {
        let connection = session.connection().await?;
        // Where somebody stays longer, the look at the pages says what is left.
        let _ = blockers::wait_for_horizon(connection, RENEWAL_PATIENCE).await?;
        for table in STATISTICS {
            statistics(connection, table, &mut steps).await?;
        }
        Ok::<_, sqlx::Error>(())
    };
    let renewed = renewed.await;
    renewed.map_err(|error| session.failed(error, "renewing the statistics"))
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
    // A view that a later one reads may have been reached by another column, and read by way of a view
    // that keeps nothing.
    let reads = |one: &TableName, other: &TableName| {
        let mut reached = vec![one];
        let mut at = 0;
        while let Some(name) = reached.get(at).copied() {
            let of = postgres.views.iter().filter(|view| &view.name == name);
            for read in of.flat_map(|view| &view.reads) {
                if !reached.contains(&&read.table) {
                    reached.push(&read.table);
                }
            }
            at += 1;
        }
        reached[1..].contains(&other)
    };
    let mut ordered: Vec<TableName> = Vec::with_capacity(views.len());
    while !views.is_empty() {
        let is_free =
            |view: &&TableName| views.iter().all(|other| other == *view || !reads(view, other));
        let next = views.iter().position(|view| is_free(&view)).unwrap_or(0);
        ordered.push(views.remove(next));
    }
    Ok(ordered)
}
