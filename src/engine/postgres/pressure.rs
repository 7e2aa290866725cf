//! What our work costs others, and what we wait for, as the server tells.
//!
//! Both look at the sessions and at the log of the server; neither reads a row. What a role may not
//! see is told as unreadable, never as nothing.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::connect::PROGRAM;
use super::shape::schema_of;
use crate::policy::TableName;
use crate::ports::{Held, Pressure, ReplicaLag, RetainedWal, Wait};

/// Reads the signals of the throttle.
pub(super) async fn pressure(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Pressure, sqlx::Error> {
    let written: i64 = sqlx::query_scalar(
        "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')::bigint",
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok(Pressure {
        written_bytes: unsigned(written),
        replicas: replicas(connection).await?,
        retained: retained(connection).await?,
        vacuumed: vacuumed(connection, tables).await?,
        held_up: held_up(connection).await?,
    })
}

/// A base backup is no replica, and what only keeps the log has nothing to replay. Of all, a role without `pg_monitor` sees that they are there, and
/// no more: the numbers are NULL then.
async fn replicas(connection: &mut PgConnection) -> Result<Vec<ReplicaLag>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT coalesce(nullif(application_name, ''), 'with pid ' || pid) AS name,
            pg_catalog.pg_wal_lsn_diff(coalesce(replay_lsn, flush_lsn, write_lsn, sent_lsn), '0/0')::bigint
                AS replayed,
            (extract(epoch FROM replay_lag) * 1000)::bigint AS replay_ms
        FROM pg_catalog.pg_stat_replication
        WHERE state IS NULL OR state NOT IN ('backup', 'startup') ORDER BY pid";
    let rows = sqlx::query(SQL).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(ReplicaLag {
                name: row.try_get("name")?,
                replayed_bytes: row.try_get::<Option<i64>, _>("replayed")?.map(unsigned),
                replay_ms: row.try_get::<Option<i64>, _>("replay_ms")?.map(unsigned),
            })
        })
        .collect()
}

async fn retained(connection: &mut PgConnection) -> Result<Vec<RetainedWal>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT slot_name::text AS slot,
            greatest(0, pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn))::bigint
                AS bytes
        FROM pg_catalog.pg_replication_slots WHERE restart_lsn IS NOT NULL ORDER BY slot_name";
    let rows = sqlx::query(SQL).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(RetainedWal { slot: row.try_get("slot")?, bytes: unsigned(row.try_get("bytes")?) })
        })
        .collect()
}

async fn vacuumed(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<String>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT n.nspname || '.' || c.relname
        FROM pg_catalog.pg_stat_progress_vacuum v
        JOIN pg_catalog.pg_class c ON c.oid = v.relid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN unnest($1::text[], $2::text[]) AS w (nspname, relname)
          ON w.nspname = n.nspname AND w.relname = c.relname
        WHERE v.datname = pg_catalog.current_database() ORDER BY 1";
    let schemas: Vec<&str> = tables.iter().map(schema_of).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    sqlx::query_scalar(SQL).bind(schemas).bind(names).fetch_all(connection).await
}

/// Sessions that wait for one of ours, and are none of ours.
async fn held_up(connection: &mut PgConnection) -> Result<Vec<Held>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT w.pid::bigint AS pid,
            greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(
                w.query_start, pg_catalog.clock_timestamp())) * 1000)::bigint AS age
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS w ON w.pid = l.pid
        WHERE NOT l.granted AND w.application_name NOT LIKE $1
          AND EXISTS (SELECT FROM unnest(pg_catalog.pg_blocking_pids(l.pid)) AS b (pid)
                      JOIN pg_catalog.pg_stat_activity AS o ON o.pid = b.pid
                      WHERE o.application_name LIKE $1)";
    let rows = sqlx::query(SQL).bind(ours()).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok(Held { pid: row.try_get("pid")?, age_ms: unsigned(row.try_get("age")?) }))
        .collect()
}

/// What sessions of this process wait for. Where a row is waited for, the relation is that of the
/// row: whoever waits for it holds a lock on it there.
pub(super) async fn waits(connection: &mut PgConnection) -> Result<Vec<Wait>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT b.pid::bigint AS pid, coalesce(o.application_name, '') AS program,
            (SELECT x.relation::regclass::text FROM pg_catalog.pg_locks AS x
             WHERE x.pid = w.pid AND x.relation IS NOT NULL AND x.database <> 0
               AND (NOT x.granted OR x.locktype = 'tuple') LIMIT 1) AS relation,
            greatest(0, extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(
                w.query_start, pg_catalog.clock_timestamp())) * 1000)::bigint AS age
        FROM pg_catalog.pg_stat_activity AS w,
             unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
             LEFT JOIN pg_catalog.pg_stat_activity AS o ON o.pid = b.pid
        WHERE w.wait_event_type = 'Lock'
          AND w.application_name = pg_catalog.current_setting('application_name')
        ORDER BY age DESC, b.pid";
    let rows = sqlx::query(SQL).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(Wait {
                pid: row.try_get("pid")?,
                program: row.try_get("program")?,
                relation: row.try_get("relation")?,
                age_ms: unsigned(row.try_get("age")?),
            })
        })
        .collect()
}

fn ours() -> String {
    format!("{PROGRAM}%")
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
