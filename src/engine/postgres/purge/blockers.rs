//! What stands in the way of a purge, by name: whoever still sees what was there before, and what
//! keeps the log of changes.

use std::time::{Duration, Instant};

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::{materialised, room, with_descendants};
use crate::engine::postgres::shape::table_sql;
use crate::policy::TableName;
use crate::words::sql_name;

/// How often it is looked whether older snapshots are gone.
const LOOK: Duration = Duration::from_millis(250);

/// The first thing that somebody has to end or to grant before a purge can begin, and how.
pub(super) async fn find(
    connection: &mut PgConnection,
    tables: &[TableName],
) -> Result<Option<(String, String)>, sqlx::Error> {
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
            "COMMIT PREPARED or ROLLBACK PREPARED it, then purge again: nothing was destroyed"
                .to_owned(),
        )));
    }
    if let Some(name) = one(connection, SLOT).await? {
        return Ok(Some((
            format!(
                "replication slot `{name}` is not in use and keeps the log of changes, with \
                 originals in it"
            ),
            "let its consumer catch up, or drop it with pg_drop_replication_slot, then purge again"
                .to_owned(),
        )));
    }
    if let Some(age) = one(connection, DEFERRED).await? {
        return Ok(Some((
            format!("`vacuum_defer_cleanup_age` is {age}: dead rows are kept on purpose"),
            "set it to 0 for the purge".to_owned(),
        )));
    }
    let tables = with_descendants(connection, tables).await?;
    let views = materialised(connection, &tables).await?;
    if let Some((role, others)) = of_others(connection, &tables, &views).await? {
        return Ok(Some(not_ours(&role, &others)));
    }
    room::lack(connection, &tables, &views).await
}

/// The role, and the relations that it may not write anew, each with its owner: of these the server
/// would only warn, and go on with the next.
type Others = (String, Vec<(String, String)>);

async fn of_others(
    connection: &mut PgConnection,
    tables: &[TableName],
    views: &[TableName],
) -> Result<Option<Others>, sqlx::Error> {
    // The owner of the database may rewrite every table, and fills no view of somebody else.
    // language=PostgreSQL
    const OTHERS: &str =
        "SELECT w.at, pg_catalog.pg_get_userbyid(c.relowner)::text, current_user::text
        FROM unnest($1::text[]) WITH ORDINALITY AS w (name, at)
        JOIN pg_catalog.pg_class c ON c.oid = w.name::pg_catalog.regclass
        JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
        WHERE NOT (pg_catalog.pg_has_role(c.relowner, 'USAGE')
            OR (c.relkind IN ('r', 'p') AND pg_catalog.pg_has_role(d.datdba, 'USAGE'))
            OR CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 170000
                    THEN pg_catalog.has_table_privilege(c.oid, 'MAINTAIN') ELSE false END)
        ORDER BY w.at";
    let all: Vec<&TableName> = tables.iter().chain(views).collect();
    let names = all.iter().copied().map(table_sql).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as(OTHERS).bind(&names).fetch_all(connection).await?;
    let Some((_, _, role)) = rows.first() else { return Ok(None) };
    let role = role.clone();
    let owned = rows.into_iter().filter_map(|(number, owner, _)| {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        Some((all.get(at)?.to_string(), owner))
    });
    Ok(Some((role, owned.collect())))
}

/// Says which relations are whose, and what their owners can do about it.
fn not_ours(role: &str, others: &[(String, String)]) -> (String, String) {
    /// So many are owned one by one.
    const NAMED_MAX: usize = 8;
    let mut owned: Vec<String> = others
        .iter()
        .take(NAMED_MAX)
        .map(|(name, owner)| format!("`{name}` (owner `{owner}`)"))
        .collect();
    if let Some(more) = others.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        owned.push(format!("{more} more"));
    }
    let mut owners: Vec<String> = others.iter().map(|(_, owner)| sql_name(owner)).collect();
    owners.sort();
    owners.dedup();
    (
        format!("role `{role}` may not write {} anew", owned.join(", ")),
        format!(
            "GRANT {} TO {} for as long as the purge takes, or purge as the owner or as a superuser; \
             nothing was locked or changed",
            owners.join(", "),
            sql_name(role)
        ),
    )
}

async fn one(
    connection: &mut PgConnection,
    sql: &'static str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(sql).fetch_optional(connection).await
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
    fn what_belongs_to_others_is_named_with_its_owner_and_the_line_that_mends_it() {
        let others = [("people", "crm"), ("notes", "Notes"), ("visits", "crm")];
        let others = others.map(|(name, owner)| (name.to_owned(), owner.to_owned()));
        let (fact, hint) = not_ours("steward", &others);
        assert_eq!(
            fact,
            "role `steward` may not write `people` (owner `crm`), `notes` (owner `Notes`), `visits` \
             (owner `crm`) anew"
        );
        assert!(hint.starts_with("GRANT \"Notes\", crm TO steward for as long"), "{hint}");
        let many: Vec<_> = (0..10).map(|n| (format!("t{n}"), "crm".to_owned())).collect();
        assert!(not_ours("steward", &many).0.ends_with("`t7` (owner `crm`), 2 more anew"));
    }
}
