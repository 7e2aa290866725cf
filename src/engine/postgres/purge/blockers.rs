//! What stands in the way of a purge, by name: whoever still sees what was there before, and what
//! keeps the log of changes.

use std::time::{Duration, Instant};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::engine::postgres::shape::table_sql;
use crate::policy::TableName;

/// How often it is looked whether older snapshots are gone.
const LOOK: Duration = Duration::from_millis(250);

/// The first thing that somebody has to end before a purge can begin, and how.
pub(super) async fn find(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Option<(String, &'static str)>, sqlx::Error> {
    // language=PostgreSQL
    const PREPARED: &str = "SELECT gid FROM pg_catalog.pg_prepared_xacts
        WHERE database = pg_catalog.current_database() ORDER BY prepared LIMIT 1";
    // language=PostgreSQL
    const SLOT: &str = "SELECT slot_name::text FROM pg_catalog.pg_replication_slots
        WHERE NOT active AND restart_lsn IS NOT NULL AND NOT temporary ORDER BY 1 LIMIT 1";
    // language=PostgreSQL
    const DEFERRED: &str = "SELECT setting FROM pg_catalog.pg_settings
        WHERE name = 'vacuum_defer_cleanup_age' AND setting <> '0'";
    if let Some(name) = one(connection, PREPARED).await? {
        return Ok(Some((
            format!("prepared transaction `{name}` is neither committed nor rolled back"),
            "COMMIT PREPARED or ROLLBACK PREPARED it, then purge again: nothing was destroyed",
        )));
    }
    if let Some(name) = one(connection, SLOT).await? {
        return Ok(Some((
            format!(
                "replication slot `{name}` is not in use and keeps the log of changes, with \
                 originals in it"
            ),
            "let its consumer catch up, or drop it with pg_drop_replication_slot, then purge again",
        )));
    }
    if let Some(age) = one(connection, DEFERRED).await? {
        return Ok(Some((
            format!("`vacuum_defer_cleanup_age` is {age}: dead rows are kept on purpose"),
            "set it to 0 for the purge",
        )));
    }
    room(connection, tables).await
}

async fn one(
    connection: &mut PgConnection,
    sql: &'static str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_optional(connection).await
}

/// The largest table is written a second time before its first file goes. Where the disk can be
/// asked, there has to be room.
async fn room(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Option<(String, &'static str)>, sqlx::Error> {
    // language=PostgreSQL
    const PLACE: &str = "SELECT setting FROM pg_catalog.pg_settings
        WHERE name = 'data_directory' AND setting IS NOT NULL";
    // language=PostgreSQL
    const SIZE: &str = "SELECT pg_catalog.pg_total_relation_size($1::pg_catalog.regclass)";
    let Some(place) = one(connection, PLACE).await? else { return Ok(None) };
    // A server elsewhere has its disk elsewhere.
    let Ok(disk) = rustix::fs::statvfs(place.as_str()) else { return Ok(None) };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    for table in tables {
        let size: i64 =
            sqlx::query_scalar(SIZE).bind(table_sql(table)?).fetch_one(&mut *connection).await?;
        if let Some(lack) = lack(table, size.unsigned_abs(), free) {
            return Ok(Some((lack, "make room where the server keeps its data, then purge again")));
        }
    }
    Ok(None)
}

/// What a table of this size lacks to be written a second time.
fn lack(table: &TableName, size: u64, free: u64) -> Option<String> {
    (size > free)
        .then(|| format!("table `{table}` needs {size} bytes to be written anew; {free} are free"))
}

/// The number that the next transaction gets.
pub(super) async fn next_transaction(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    // language=PostgreSQL
    const NEXT: &str = "SELECT (pg_catalog.pg_snapshot_xmax(
        pg_catalog.pg_current_snapshot())::text::int8 & 4294967295)::text";
    sqlx::query_scalar(NEXT).fetch_one(connection).await
}

/// Waits until nobody sees rows as they were before now. Says who does where that takes too long:
/// `VACUUM FULL` would keep those rows.
///
/// Of sessions whose snapshots this role may not see, every transaction that was there at the
/// beginning is waited for.
pub(super) async fn wait_for_horizon(
    connection: &mut PgConnection,
    patience: Duration,
) -> Result<Result<(), String>, sqlx::Error> {
    // Ages are counted from the next transaction id, so that they compare across a wraparound.
    // language=PostgreSQL
    const HOLDERS: &str = "
        SELECT 'session ' || pid
               || coalesce(' of ' || nullif(application_name, ''), '')
               || coalesce(', in a transaction for '
                           || extract(epoch FROM now() - xact_start)::int8 || ' s', '')
        FROM pg_catalog.pg_stat_activity
        WHERE pid <> pg_catalog.pg_backend_pid()
          AND (datname = pg_catalog.current_database() OR datname IS NULL)
          AND greatest(pg_catalog.age(backend_xmin), pg_catalog.age(backend_xid))
              > pg_catalog.age($1::text::xid)
        UNION ALL
        SELECT 'session ' || l.pid || ', whose snapshot this role may not see'
        FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'virtualxid' AND l.pid <> pg_catalog.pg_backend_pid()
          AND a.datname = pg_catalog.current_database()
          AND a.query = '<insufficient privilege>' AND l.virtualxid || ':' || l.pid = ANY ($2)
        UNION ALL
        SELECT 'prepared transaction ' || gid FROM pg_catalog.pg_prepared_xacts
        WHERE database = pg_catalog.current_database()
          AND pg_catalog.age(transaction) > pg_catalog.age($1::text::xid)
        UNION ALL
        SELECT 'replication slot ' || slot_name FROM pg_catalog.pg_replication_slots
        WHERE xmin IS NOT NULL AND pg_catalog.age(xmin) > pg_catalog.age($1::text::xid)
        LIMIT 1";
    // language=PostgreSQL
    const THERE: &str = "SELECT coalesce(array_agg(virtualxid || ':' || pid), '{}')
        FROM pg_catalog.pg_locks WHERE locktype = 'virtualxid'";
    let now = next_transaction(connection).await?;
    let there: Vec<String> = sqlx::query_scalar(THERE).fetch_one(&mut *connection).await?;
    let begun = Instant::now();
    loop {
        let found =
            sqlx::query(HOLDERS).bind(&now).bind(&there).fetch_optional(&mut *connection).await?;
        let Some(row) = found else { return Ok(Ok(())) };
        if begun.elapsed() >= patience {
            return Ok(Err(row.try_get(0)?));
        }
        tokio::time::sleep(LOOK.min(patience)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_has_no_room_to_be_written_anew_is_named_with_what_it_needs() {
        let table = TableName::bare("people".to_owned());
        assert_eq!(lack(&table, 100, 100), None);
        let said = lack(&table, 101, 100).unwrap();
        assert_eq!(said, "table `people` needs 101 bytes to be written anew; 100 are free");
    }
}
