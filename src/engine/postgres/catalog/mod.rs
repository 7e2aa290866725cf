//! Reads the catalog of a PostgreSQL database into a [`Catalog`].
//!
//! Asks `pg_catalog` for each kind of object once, whatever the number of tables; judges nothing.
//!
//! **Invariant:** reads only, all of it in one snapshot. Schemas of the server (`pg_…`,
//! `information_schema`) and our own (`sealift`) are left out.

mod objects;
mod tables;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::error::{is_passing, safe};
use super::session::{ATTEMPTS_MAX, pause};
use crate::catalog::postgres::{DEFAULT_SCHEMA, PostgresCatalog};
use crate::catalog::{Catalog, EngineKind};
use crate::policy::TableName;

/// Which schemas are looked at; `n` is `pg_namespace`.
pub(super) const THEIRS: &str =
    "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sealift')";

/// Settings of the server that the plan looks at.
const SETTINGS: [&str; 8] = [
    "archive_mode",
    "autovacuum",
    "fsync",
    "full_page_writes",
    "log_min_duration_statement",
    "log_parameter_max_length",
    "log_statement",
    "wal_level",
];

/// The catalog could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A query over the catalog failed.
    #[error("cannot read {what} of the database")]
    Query {
        /// Which part.
        what: &'static str,
        /// What PostgreSQL said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody keeps what a query over the catalog waits for.
    #[error("cannot read {what} of the database: a lock was waited for too long")]
    Locked {
        /// Which part.
        what: &'static str,
    },
}

fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> CatalogError {
    move |error| {
        if is_passing(&error) {
            return CatalogError::Locked { what };
        }
        CatalogError::Query { what, source: safe(error) }
    }
}

/// Reads the catalog of the database.
///
/// Sizes and expressions of a table cannot be had while somebody keeps it to themselves, as `VACUUM
/// FULL` does. Then the whole is read again, so that all of it is of one snapshot.
///
/// # Errors
///
/// Returns [`CatalogError`] where a query fails; the database is as it was.
pub async fn read(conn: &mut PgConnection) -> Result<Catalog, CatalogError> {
    let mut attempt = 0;
    loop {
        let catalog = read_once(conn).await;
        attempt += 1;
        if attempt >= ATTEMPTS_MAX || !matches!(catalog, Err(CatalogError::Locked { .. })) {
            return catalog;
        }
        pause(attempt).await;
    }
}

async fn read_once(conn: &mut PgConnection) -> Result<Catalog, CatalogError> {
    let snapshot = "the catalog";
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut *conn)
        .await
        .map_err(failed(snapshot))?;
    let catalog = read_snapshot(conn).await;
    sqlx::raw_sql("ROLLBACK").execute(conn).await.map_err(failed(snapshot))?;
    catalog
}

async fn read_snapshot(conn: &mut PgConnection) -> Result<Catalog, CatalogError> {
    let (tables, sheets) = tables::read(conn).await?;
    let (triggers, trigger_sheets) = objects::triggers(conn).await?;
    let (views, view_sheets) = objects::views(conn).await?;
    let settings = settings(conn).await?;
    let scalar = |name: &str| {
        settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let version = scalar("server_version").unwrap_or_default();
    let encoding = scalar("server_encoding").unwrap_or_default();
    let bytes = scalar("bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    Ok(Catalog {
        engine: EngineKind::Postgres,
        version,
        encoding,
        bytes,
        tables,
        views,
        triggers,
        settings,
        postgres: Some(PostgresCatalog {
            tables: sheets,
            triggers: trigger_sheets,
            views: view_sheets,
            policies: objects::policies(conn).await?,
            event_triggers: objects::event_triggers(conn).await?,
            role: objects::role(conn).await?,
        }),
    })
}

async fn settings(conn: &mut PgConnection) -> Result<Vec<(String, String)>, CatalogError> {
    // language=PostgreSQL
    const SQL: &str = "SELECT name, setting FROM pg_catalog.pg_settings WHERE name = ANY ($1)
        UNION ALL SELECT 'bytes', pg_catalog.pg_database_size(pg_catalog.current_database())::text
        UNION ALL SELECT 'is_standby', pg_catalog.pg_is_in_recovery()::text
        UNION ALL SELECT 'standbys', count(*)::text FROM pg_catalog.pg_stat_replication
            WHERE state IS DISTINCT FROM 'backup'
        UNION ALL SELECT 'slots', string_agg('`' || slot_name || '`', ', ' ORDER BY slot_name)
            FROM pg_catalog.pg_replication_slots
            WHERE database IS NULL OR database = pg_catalog.current_database()
        UNION ALL SELECT 'prepared_transactions', count(*)::text FROM pg_catalog.pg_prepared_xacts
            WHERE database = pg_catalog.current_database()
        UNION ALL SELECT 'oldest_transaction_s', coalesce(max(
                extract(epoch FROM pg_catalog.clock_timestamp() - xact_start)), 0)::bigint::text
            FROM pg_catalog.pg_stat_activity
            WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid()
        ORDER BY 1";
    let what = "the settings";
    let mut wanted: Vec<&str> = SETTINGS.to_vec();
    wanted.extend(["server_version", "server_encoding"]);
    let rows = sqlx::query(SQL).bind(&wanted).fetch_all(conn).await.map_err(failed(what))?;
    rows.iter()
        .map(|row| Ok((text(row, 0)?, text(row, 1)?)))
        .collect::<Result<_, _>>()
        .map_err(failed(what))
}

/// Asks for all objects of one kind.
async fn ask(
    conn: &mut PgConnection,
    what: &'static str,
    sql: &str,
) -> Result<Vec<PgRow>, CatalogError> {
    let sql = sql.replace("{theirs}", THEIRS);
    sqlx::query(AssertSqlSafe(sql)).fetch_all(conn).await.map_err(failed(what))
}

/// A table as a policy names it.
pub(super) fn table_name(schema: &str, name: &str) -> TableName {
    TableName {
        schema: (schema != DEFAULT_SCHEMA).then(|| schema.to_owned()),
        name: name.to_owned(),
    }
}

fn text(row: &PgRow, at: usize) -> Result<String, sqlx::Error> {
    Ok(row.try_get::<Option<String>, _>(at)?.unwrap_or_default())
}

fn name_at(row: &PgRow, at: usize) -> Result<TableName, sqlx::Error> {
    Ok(table_name(&text(row, at)?, &text(row, at + 1)?))
}
