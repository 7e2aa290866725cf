//! Copies of the source that this server knows of: who replays or keeps its log of changes, who is
//! subscribed to its tables.
//!
//! It knows no keeper of any of them, and nothing of backups and snapshots.

use sqlx::postgres::PgConnection;

use super::above;
use crate::engine::postgres::shape::schema_of;
use crate::policy::{CopyKind, TableName};
use crate::ports::ShownCopy;

/// Every copy of these tables, or of the log that they are written to.
pub(in crate::engine::postgres) async fn shown(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<ShownCopy>, sqlx::Error> {
    let mut shown = readers(connection).await?;
    let mut published: Vec<TableName> = tables.to_vec();
    published.extend(above(connection, tables).await?);
    for name in publications(connection, &published).await? {
        shown.push(ShownCopy {
            kind: CopyKind::Subscriber,
            name,
            shown: "a publication of tables in scope: its subscribers have received originals"
                .to_owned(),
        });
    }
    Ok(shown)
}

/// Whoever reads the log of changes. What a role may not see of another session is left out.
async fn readers(connection: &mut PgConnection) -> Result<Vec<ShownCopy>, sqlx::Error> {
    // language=PostgreSQL
    const READERS: &str = "
        SELECT CASE state WHEN 'backup' THEN 'backup' ELSE 'replica' END,
               coalesce(nullif(application_name, ''), 'session ' || pid),
               coalesce(state, 'state unknown') || coalesce(' to ' || client_addr::text, '')
               || coalesce(', replayed up to ' || replay_lsn::text, '')
               || '; its files and its own log of changes are not reached from here'
        FROM pg_catalog.pg_stat_replication WHERE pid IS NOT NULL
        UNION ALL
        SELECT 'slot', slot_name::text,
               slot_type || coalesce(' (' || plugin || ')', '')
               || CASE WHEN active THEN ', in use' ELSE ', not in use' END
               || coalesce(', keeps the log of changes from ' || restart_lsn::text || ' on', '')
               || '; its consumer may have received originals'
        FROM pg_catalog.pg_replication_slots WHERE NOT temporary
        UNION ALL
        SELECT 'archive', 'archive of the log of changes',
               'archive_mode is ' || s.setting
               || coalesce(', last file ' || a.last_archived_wal, ', no file yet')
               || '; files from before the purge hold originals'
        FROM pg_catalog.pg_settings s, pg_catalog.pg_stat_archiver a
        WHERE s.name = 'archive_mode' AND s.setting <> 'off'
        ORDER BY 1, 2";
    let rows: Vec<(String, String, String)> = sqlx::query_as(READERS).fetch_all(connection).await?;
    let copies = rows.into_iter().filter_map(|(kind, name, shown)| {
        Some(ShownCopy { kind: CopyKind::from_name(&kind)?, name, shown })
    });
    Ok(copies.collect())
}

async fn publications(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Vec<String>, sqlx::Error> {
    // language=PostgreSQL
    const OF: &str = "
        SELECT DISTINCT p.pubname::text FROM pg_catalog.pg_publication_tables p
        JOIN unnest($1::text[], $2::text[]) AS t (schema, name)
          ON p.schemaname = t.schema AND p.tablename = t.name
        ORDER BY 1";
    let schemas: Vec<&str> = tables.iter().map(schema_of).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    sqlx::query_scalar(OF).bind(schemas).bind(names).fetch_all(connection).await
}
