//! The log of changes, retired: every file of it that was written before the rewrite was done.
//!
//! A checkpoint removes files that nobody needs, or renames them for later use with all that is in
//! them. So recycling is switched off for as long as this takes, files that wait for use are used up
//! (the rest of a file that is ended early is written with zeros), and the settings are put back,
//! also where something fails.
//!
//! **Invariant:** what the settings were is committed in a table of ours before the first of them
//! changes: whoever comes after a purge that was killed puts them back.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::Steps;
use crate::engine::postgres::cursor;
use crate::engine::postgres::error::state;
use crate::engine::postgres::shape::quoted;

/// Settings that keep files of the log, with what they are for as long as it is retired.
const KEEPING: [(&str, &str); 2] = [("wal_recycle", "off"), ("wal_keep_size", "0")];
/// How many files may be used up.
const SWITCHES_MAX: usize = 2_000;
/// How long the server's processes take to read their settings again.
const RELOAD: Duration = Duration::from_millis(300);

/// Has the server write its memory to disk, and notes the address of the log behind the rewrite.
pub(super) async fn mark(
    connection: &mut PgConnection,
    steps: &mut Steps,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const ADDRESS: &str = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
    if checkpoint(connection).await? {
        let address: String = sqlx::query_scalar(ADDRESS).fetch_one(connection).await?;
        steps.done("CHECKPOINT", format!("purge address {address}"));
    } else {
        let why = "not permitted to this role; the files can be older than what they hold";
        steps.fell_short("CHECKPOINT", why);
    }
    Ok(())
}

/// Whether the server did it; `false` where the role may not.
async fn checkpoint(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let done = sqlx::raw_sql("CHECKPOINT").execute(connection).await;
    done_if_permitted(done).map(|done| done.is_some())
}

/// What was done, or `None` where the server refused it. A session that was ended, a full disk or a
/// checkpoint that failed has refused nothing: what it was to do is tried again with the whole step.
fn done_if_permitted<T>(done: Result<T, sqlx::Error>) -> Result<Option<T>, sqlx::Error> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if state(&error).is_some_and(is_refusal) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the state of an error says that the server does not do such a thing, whenever it is asked.
/// What it cannot do at the moment has a class of the list.
fn is_refusal(state: &str) -> bool {
    // Appendix A of PostgreSQL's manual: connection, resources, intervention, system, internal.
    const PASSING: [&str; 5] = ["08", "53", "57", "58", "XX"];
    !PASSING.iter().any(|class| state.starts_with(class))
}

/// Retires the log, as far as the role may.
pub(super) async fn retire(
    connection: &mut PgConnection,
    steps: &mut Steps,
) -> Result<(), sqlx::Error> {
    let settings =
        if checkpoint(connection).await? { Settings::set(connection).await? } else { None };
    let Some(settings) = settings else {
        steps.fell_short(
            "retire the log of changes",
            "not permitted to this role; it holds originals until its files are overwritten",
        );
        return Ok(());
    };
    let removed = remove(connection).await;
    settings.put_back(connection).await?;
    match removed? {
        Left { older: 0, .. } => {
            steps.done("retire the log of changes", "files from before it are removed");
        }
        Left { older, .. } => steps.fell_short(
            "retire the log of changes",
            format!("{older} files from before it are still kept by the server"),
        ),
    }
    steps.done("settings of the server", "put back as they were");
    Ok(())
}

/// Files that are not yet gone.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Written before.
    older: usize,
    /// Waiting to be used again.
    waiting: usize,
}

async fn remove(connection: &mut PgConnection) -> Result<Left, sqlx::Error> {
    // language=PostgreSQL
    const CURRENT: &str =
        "SELECT pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn())";
    // A file with nothing in it is not ended: something has to be written first.
    // language=PostgreSQL
    const SWITCH: &str = "SELECT pg_catalog.pg_logical_emit_message(false, 'sealift', 'purge');
        SELECT pg_catalog.pg_switch_wal()";
    sqlx::raw_sql(SWITCH).execute(&mut *connection).await?;
    let purged: String = sqlx::query_scalar(CURRENT).fetch_one(&mut *connection).await?;
    let mut left = Left { older: 0, waiting: 0 };
    let mut without_progress = 0;
    // What is written to now may be a file that had waited, with what it held behind the newest
    // record. The one after the last of them is made anew.
    let mut is_new = false;
    for _ in 0..SWITCHES_MAX {
        sqlx::raw_sql("CHECKPOINT").execute(&mut *connection).await?;
        let now = look(connection, &purged).await?;
        if now.older == 0 && now.waiting == 0 {
            if is_new {
                return Ok(now);
            }
            sqlx::raw_sql(SWITCH).execute(&mut *connection).await?;
            is_new = true;
            continue;
        }
        is_new = false;
        let is_same = now.older >= left.older && now.waiting >= left.waiting && left.older > 0;
        without_progress = if is_same { without_progress + 1 } else { 0 };
        if without_progress > 8 {
            return Ok(now);
        }
        left = now;
        if now.waiting > 0 {
            sqlx::raw_sql(SWITCH).execute(&mut *connection).await?;
        } else {
            // An archive, a standby, or a setting that is not read yet.
            tokio::time::sleep(RELOAD).await;
        }
    }
    look(connection, &purged).await
}

async fn look(connection: &mut PgConnection, purged: &str) -> Result<Left, sqlx::Error> {
    // The number of the timeline comes first and does not count.
    // language=PostgreSQL
    const FILES: &str = "
        SELECT count(*) FILTER (WHERE substr(name, 9) < substr($1, 9)),
               count(*) FILTER (WHERE substr(name, 9) > substr(pg_catalog.pg_walfile_name(
                   pg_catalog.pg_current_wal_insert_lsn()), 9))
        FROM pg_catalog.pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'";
    let row = sqlx::query(FILES).bind(purged).fetch_one(connection).await?;
    let count = |at| usize::try_from(row.get::<i64, _>(at)).unwrap_or(usize::MAX);
    Ok(Left { older: count(0), waiting: count(1) })
}

/// What the settings were before: those that `ALTER SYSTEM` had set already, by name.
struct Settings(Vec<(String, String)>);

impl Settings {
    /// Sets them; `None` where the role may not.
    async fn set(connection: &mut PgConnection) -> Result<Option<Self>, sqlx::Error> {
        // language=PostgreSQL
        const OWN: &str = "SELECT name, setting FROM pg_catalog.pg_file_settings
            WHERE sourcefile LIKE '%postgresql.auto.conf' AND name = ANY ($1)";
        put_back_left(connection).await?;
        let names: Vec<&str> = KEEPING.iter().map(|(name, _)| *name).collect();
        let own = sqlx::query_as(OWN).bind(&names).fetch_all(&mut *connection).await;
        let Some(own) = done_if_permitted(own)? else { return Ok(None) };
        let settings = Self(own);
        // ORDER: what they were, durable, before the first of them changes.
        cursor::keep_settings(connection, &settings.0).await?;
        for (name, value) in KEEPING {
            let set = alter(connection, name, Some(value)).await;
            if done_if_permitted(set)?.is_none() {
                settings.put_back(connection).await?;
                return Ok(None);
            }
        }
        reload(connection).await?;
        Ok(Some(settings))
    }

    /// Puts them back, and then forgets what they were.
    async fn put_back(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (name, _) in KEEPING {
            let own = self.0.iter().find(|(own, _)| own == name);
            // A setting that could not be set need not be put back.
            let _ = alter(connection, name, own.map(|(_, value)| value.as_str())).await;
        }
        reload(connection).await?;
        cursor::forget_settings(connection).await
    }
}

/// Puts back the settings that a purge had changed when it was killed.
pub(in crate::engine::postgres) async fn put_back_left(
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    match cursor::kept_settings(connection).await? {
        Some(kept) => Settings(kept).put_back(connection).await,
        None => Ok(()),
    }
}

async fn alter(
    connection: &mut PgConnection,
    name: &str,
    value: Option<&str>,
) -> Result<(), sqlx::Error> {
    let name = quoted(name)?;
    let sql = match value {
        Some(value) => format!("ALTER SYSTEM SET {name} = '{}'", value.replace('\'', "''")),
        None => format!("ALTER SYSTEM RESET {name}"),
    };
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(|_| ())
}

async fn reload(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("SELECT pg_catalog.pg_reload_conf()").execute(connection).await?;
    tokio::time::sleep(RELOAD).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_now_is_no_refusal() {
        // Not permitted; not possible on this server; a setting that cannot be changed now.
        assert!(["42501", "0A000", "55P02"].into_iter().all(is_refusal));
        // A session that was ended; a disk that is full; a checkpoint that failed.
        assert!(!["57P01", "53100", "58030", "XX000"].into_iter().any(is_refusal));
    }
}
