//! Our own tables in a source: the cursors of runs, and whose tokens it holds.

use std::collections::{HashMap, HashSet};

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{Arguments as _, Connection as _, Row as _};

use crate::lifecycle::RunId;
use crate::ports::{Counts, CursorId, CursorState, Pass, SourceError, SourceIdentity, Step};
use crate::value::RowKey;

// language=PostgreSQL
const SCHEMA: &str = "
    CREATE SCHEMA sealift;
    COMMENT ON SCHEMA sealift IS 'Sealift''s own: gone when its last run has ended.';";

// language=PostgreSQL
const PREPARE: &str = "
    CREATE TABLE IF NOT EXISTS sealift.source (
        one     boolean PRIMARY KEY DEFAULT true CHECK (one),
        id      text NOT NULL,
        vault   text NOT NULL,
        writers jsonb NOT NULL DEFAULT '{}'
    );
    COMMENT ON TABLE sealift.source IS
        'Which database this is, and which vault holds the values of its tokens: one row. Of runs whose
         cursors a purge has dropped it keeps in which transactions they wrote.';
    CREATE TABLE IF NOT EXISTS sealift.cursor (
        run         bigint  NOT NULL,
        pass        text    NOT NULL,
        unit        integer NOT NULL,
        range       bigint  NOT NULL,
        epoch       bigint  NOT NULL,
        position    bytea,
        done        boolean NOT NULL,
        counts      text    NOT NULL,
        ledger_size bigint  NOT NULL,
        writers     text    NOT NULL DEFAULT '',
        others      text    NOT NULL DEFAULT '',
        CONSTRAINT one_cursor_per_range PRIMARY KEY (run, pass, unit, range)
    );
    COMMENT ON TABLE sealift.cursor IS
        'Where a run stands in one range: commits together with the rows that it counts.';";

// language=PostgreSQL
const SETTINGS: &str = "
    CREATE TABLE IF NOT EXISTS sealift.server_setting (
        name  text PRIMARY KEY,
        value text NOT NULL
    );
    COMMENT ON TABLE sealift.server_setting IS
        'A setting of the server, with what ALTER SYSTEM had set it to before a purge changed it.
         Gone once they are put back.';";

// A schema that somebody made for us, or that holds a vault, stays.
// language=PostgreSQL
const DROP_SCHEMA: &str = "DO $$ BEGIN
    DROP SCHEMA sealift RESTRICT;
    EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
    END $$";

/// Which server and database this is.
pub(super) async fn own_id(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT s.system_identifier::text || '/' || d.oid::text
        FROM pg_catalog.pg_control_system() s, pg_catalog.pg_database d
        WHERE d.datname = pg_catalog.current_database()";
    sqlx::query_scalar(SQL).fetch_one(connection).await
}

/// Makes our tables where they are missing, and binds the database to a vault.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    vault: &str,
) -> Result<Result<(), SourceError>, sqlx::Error> {
    let id = own_id(connection).await?;
    let has_schema: bool =
        sqlx::query_scalar("SELECT pg_catalog.to_regnamespace('sealift') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
    if !has_schema {
        sqlx::raw_sql(SCHEMA).execute(&mut *connection).await?;
    }
    sqlx::raw_sql(PREPARE).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO sealift.source (id, vault) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(&id)
        .bind(vault)
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query("SELECT id, EXISTS (SELECT FROM sealift.cursor) FROM sealift.source")
        .fetch_one(connection)
        .await?;
    let (known, has_cursors): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
    Ok(if known != id && has_cursors {
        Err(SourceError::Inconsistent(
            "it is a copy of the database that a run was at work in; drop schema `sealift` here \
             if the copy shall be a source of its own"
                .to_owned(),
        ))
    } else {
        Ok(())
    })
}

/// Whether a table of ours is there. Each is asked for by itself: a purge drops the cursors first,
/// and a source without cursors may still hold our tokens.
async fn has_table(connection: &mut PgConnection, name: &str) -> Result<bool, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'sealift' AND c.relname = $1)";
    sqlx::query_scalar(SQL).bind(name).fetch_one(connection).await
}

/// Who the source is, where a run has written to it.
pub(super) async fn identity(
    connection: &mut PgConnection,
) -> Result<Option<SourceIdentity>, sqlx::Error> {
    if !has_table(connection, "source").await? {
        return Ok(None);
    }
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT id, vault FROM sealift.source").fetch_optional(connection).await?;
    Ok(row.map(|(id, vault)| SourceIdentity { id, vault }))
}

/// Takes a range: one statement, which either raises the epoch or changes nothing.
pub(super) async fn take(
    connection: &mut PgConnection,
    cursor: CursorId,
    ledger_size: u64,
) -> Result<PgRow, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "INSERT INTO sealift.cursor AS c
        VALUES ($1, $2, $3, $4, 1, NULL, false, '{}', $5)
        ON CONFLICT ON CONSTRAINT one_cursor_per_range DO UPDATE
            SET epoch = c.epoch + 1, ledger_size = greatest(c.ledger_size, excluded.ledger_size)
        RETURNING epoch, position, done, counts, ledger_size";
    sqlx::query(SQL)
        .bind(i64::from(cursor.run.0))
        .bind(cursor.pass.name())
        .bind(i32::from(cursor.unit))
        .bind(i64::from(cursor.range))
        .bind(signed(ledger_size))
        .fetch_one(connection)
        .await
}

/// Takes a range under the epoch of a lease; nothing where it was taken under a later one.
pub(super) async fn take_as(
    connection: &mut PgConnection,
    cursor: CursorId,
    epoch: u64,
    ledger_size: u64,
) -> Result<Option<PgRow>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "INSERT INTO sealift.cursor AS c
        VALUES ($1, $2, $3, $4, $5, NULL, false, '{}', $6)
        ON CONFLICT ON CONSTRAINT one_cursor_per_range DO UPDATE
            SET epoch = excluded.epoch, ledger_size = greatest(c.ledger_size, excluded.ledger_size)
            WHERE c.epoch <= excluded.epoch
        RETURNING epoch, position, done, counts, ledger_size";
    sqlx::query(SQL)
        .bind(i64::from(cursor.run.0))
        .bind(cursor.pass.name())
        .bind(i32::from(cursor.unit))
        .bind(i64::from(cursor.range))
        .bind(signed(epoch))
        .bind(signed(ledger_size))
        .fetch_optional(connection)
        .await
}

/// Reads every cursor of a run's pass.
pub(super) async fn all(
    connection: &mut PgConnection,
    run: RunId,
    pass: Pass,
) -> Result<Vec<PgRow>, sqlx::Error> {
    if !has_table(connection, "cursor").await? {
        return Ok(Vec::new());
    }
    sqlx::query(
        "SELECT epoch, position, done, counts, ledger_size, unit, range
         FROM sealift.cursor WHERE run = $1 AND pass = $2 ORDER BY unit, range",
    )
    .bind(i64::from(run.0))
    .bind(pass.name())
    .fetch_all(connection)
    .await
}

/// The largest ledger that any cursor has seen.
pub(super) async fn ledger_seen(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    if !has_table(connection, "cursor").await? {
        return Ok(0);
    }
    let seen: Option<i64> = sqlx::query_scalar("SELECT max(ledger_size) FROM sealift.cursor")
        .fetch_one(connection)
        .await?;
    Ok(seen.map_or(0, unsigned))
}

/// Moves the cursor where it stands as expected; `false` where somebody else holds the range.
///
/// **Invariant:** nothing is moved but by the epoch and from the position that the step names; the
/// row stays locked until the transaction ends, so that rivals wait here and then find nothing.
pub(super) async fn advance(
    connection: &mut PgConnection,
    step: &Step,
) -> Result<bool, sqlx::Error> {
    let before: Option<String> = sqlx::query_scalar(
        "SELECT counts FROM sealift.cursor
         WHERE run = $1 AND pass = $2 AND unit = $3 AND range = $4
           AND epoch = $5 AND position IS NOT DISTINCT FROM $6
         FOR NO KEY UPDATE",
    )
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i32::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .bind(step.from.as_ref().map(RowKey::encode))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(before) = before else { return Ok(false) };
    let mut total: Counts = serde_json::from_str(&before).unwrap_or_default();
    total.add(&step.counts);
    let moved = sqlx::query(
        "UPDATE sealift.cursor SET position = $1, done = $2, counts = $3
         WHERE run = $4 AND pass = $5 AND unit = $6 AND range = $7 AND epoch = $8",
    )
    .bind(step.to.as_ref().map(RowKey::encode))
    .bind(step.done)
    .bind(serde_json::to_string(&total).unwrap_or_default())
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i32::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Who but our statement may have written rows within a transaction of ours.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beside<'t> {
    /// Nobody: what could act on it was off.
    Nobody,
    /// A trigger or a rule of this table, if it has one. Asked after the rows were written, whose lock
    /// keeps triggers and rules from being added.
    OfTable(&'t str),
    /// Whoever it was.
    Anybody,
}

/// Notes in which transactions rows were written: this one, and those within it that `parts` names as
/// rows bear them (a statement inside a block that catches what goes wrong has one of its own).
///
/// **Invariant:** every transaction of ours that writes rows of a source notes itself, and commits with
/// its note. A row version that no note names is none of ours.
///
/// Where nobody else can have written within it, a row holds what the batch wrote as long as its
/// `xmin` says so, and no sweep has to look at it: `writers`, all else in `others`.
pub(super) async fn note_writers(
    connection: &mut PgConnection,
    cursor: CursorId,
    beside: Beside<'_>,
    parts: &[String],
) -> Result<(), sqlx::Error> {
    // A part has the 32 bits that rows have. It began after the whole: the distance is its own.
    // language=PostgreSQL
    const SQL: &str = "UPDATE sealift.cursor AS c
        SET writers = c.writers || CASE WHEN is_alone THEN ids ELSE '' END,
            others = c.others || CASE WHEN is_alone THEN '' ELSE ids END
        FROM (SELECT string_agg(
                  (t.id + (w.low - t.id % 4294967296 + 4294967296) % 4294967296)::text || ',', '')
              FROM (SELECT pg_current_xact_id()::text::bigint) AS t (id)
              CROSS JOIN LATERAL (SELECT t.id % 4294967296
                  UNION ALL SELECT unnest($5::text[])::bigint) AS w (low)) AS noted (ids),
             (SELECT $6 AND ($7::text IS NULL
                  OR NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t
                      WHERE t.tgrelid = $7::text::pg_catalog.regclass
                        AND (NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0)))
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class r
                      WHERE r.oid = $7::text::pg_catalog.regclass AND r.relhasrules))
             ) AS whose (is_alone)
        WHERE c.run = $1 AND c.pass = $2 AND c.unit = $3 AND c.range = $4";
    let (may_be_alone, table) = match beside {
        Beside::Nobody => (true, None),
        Beside::OfTable(table) => (true, Some(table)),
        Beside::Anybody => (false, None),
    };
    sqlx::query(SQL)
        .bind(i64::from(cursor.run.0))
        .bind(cursor.pass.name())
        .bind(i32::from(cursor.unit))
        .bind(i64::from(cursor.range))
        .bind(parts)
        .bind(may_be_alone)
        .bind(table)
        .execute(connection)
        .await?;
    Ok(())
}

/// Notes a transaction that has written every row of a table anew, by a change of types: of no run and
/// no range.
pub(super) async fn note_fit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "INSERT INTO sealift.cursor AS c
            (run, pass, unit, range, epoch, done, counts, ledger_size, others)
        VALUES (0, 'fit', 0, 0, 1, true, '{}', 0, pg_current_xact_id()::text || ',')
        ON CONFLICT ON CONSTRAINT one_cursor_per_range DO UPDATE
            SET others = c.others || excluded.others";
    if has_table(connection, "cursor").await? {
        sqlx::raw_sql(SQL).execute(connection).await?;
    }
    Ok(())
}

/// In which transactions runs have written rows, of whatever run, as rows bear them: the lower 32 bits.
/// `None` where the notes of one of these ranges are not there.
///
/// After four billion transactions the numbers begin again. A stranger's row then looks like one of
/// ours, never the other way round.
pub(super) async fn own_writers(
    connection: &mut PgConnection,
    run: RunId,
    ranges: &[(u16, u32)],
) -> Result<Option<HashSet<u32>>, sqlx::Error> {
    // language=PostgreSQL
    const DROPPED: &str =
        "SELECT w.key, w.value FROM sealift.source, jsonb_each_text(writers) AS w";
    if !has_table(connection, "source").await? {
        return Ok(None);
    }
    let dropped: Vec<(String, String)> =
        sqlx::query_as(DROPPED).fetch_all(&mut *connection).await?;
    let mut is_known = dropped.iter().any(|(of, _)| *of == run.0.to_string());
    let mut notes: Vec<String> = dropped.into_iter().map(|(_, notes)| notes).collect();
    if has_table(connection, "cursor").await? {
        let rows: Vec<(i64, String, i32, i64, String, String)> = sqlx::query_as(
            "SELECT run, pass, unit, range, counts, writers || others FROM sealift.cursor",
        )
        .fetch_all(connection)
        .await?;
        let are_there: HashMap<(i32, i64), bool> = rows
            .iter()
            .filter(|(of, pass, ..)| *of == i64::from(run.0) && *pass == Pass::Rewrite.name())
            .map(|(_, _, unit, range, counts, notes)| {
                let counts: Counts = serde_json::from_str(counts).unwrap_or_default();
                ((*unit, *range), counts.tokenized == 0 || !notes.is_empty())
            })
            .collect();
        is_known |= ranges.iter().all(|(unit, range)| {
            are_there.get(&(i32::from(*unit), i64::from(*range))).copied().unwrap_or(false)
        });
        notes.extend(rows.into_iter().map(|(.., notes)| notes));
    }
    let numbers = notes.iter().flat_map(|notes| notes.split(',')).filter(|id| !id.is_empty());
    let own: Option<HashSet<u32>> = numbers
        .map(|id| u32::try_from(id.parse::<u64>().ok()? & u64::from(u32::MAX)).ok())
        .collect();
    Ok(own.filter(|_| is_known))
}

/// True for a row that stands as somebody else wrote it than the noted transactions of a run.
///
/// `xmin` has 32 bits and begins again after four billion transactions: a note that is half as old
/// as that counts no more.
pub(super) fn not_ours(run: RunId, arguments: &mut PgArguments) -> Result<String, sqlx::Error> {
    arguments.add(i64::from(run.0)).map_err(sqlx::Error::Encode)?;
    Ok(format!(
        "t.xmin NOT IN (SELECT (w.id % 4294967296)::text::xid
            FROM (SELECT unnest(string_to_array(rtrim(c.writers, ','), ','))::bigint AS id
                  FROM sealift.cursor AS c
                  WHERE c.run = ${} AND c.pass = 'rewrite' AND c.writers <> '') AS w
            WHERE pg_snapshot_xmax(pg_current_snapshot())::text::bigint - w.id < 2147483648)",
        arguments.len()
    ))
}

/// Whether a step whose COMMIT had no answer was applied: the cursor stands where it leads to, under
/// our epoch. A step that leads nowhere (the end of a range, a sweep) may simply be tried again: it
/// finds its rows as tokens.
pub(super) async fn was_applied(
    connection: &mut PgConnection,
    step: &Step,
) -> Result<bool, sqlx::Error> {
    if step.from == step.to {
        return Ok(false);
    }
    let found: Option<bool> = sqlx::query_scalar(
        "SELECT done FROM sealift.cursor
         WHERE run = $1 AND pass = $2 AND unit = $3 AND range = $4
           AND epoch = $5 AND position IS NOT DISTINCT FROM $6",
    )
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i32::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .bind(step.to.as_ref().map(RowKey::encode))
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some_and(|done| done == step.done))
}

/// Removes every object of ours.
pub(super) async fn remove_all(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let has_schema: bool =
        sqlx::query_scalar("SELECT pg_catalog.to_regnamespace('sealift') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await?;
    if !has_schema {
        return Ok(());
    }
    sqlx::raw_sql("DROP TABLE IF EXISTS sealift.cursor, sealift.source, sealift.server_setting")
        .execute(&mut *connection)
        .await?;
    sqlx::raw_sql(DROP_SCHEMA).execute(connection).await?;
    Ok(())
}

/// Removes the cursors. The row that says whose tokens these are stays, and in it what they noted: a
/// purge that is called again verifies once more.
pub(super) async fn remove_cursors(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const KEEP: &str = "UPDATE sealift.source SET writers = writers || coalesce(
        (SELECT jsonb_object_agg(c.run, coalesce(writers ->> c.run, '') || c.noted)
         FROM (SELECT run::text, string_agg(writers || others, '') AS noted
               FROM sealift.cursor GROUP BY run) AS c), '{}')";
    if !has_table(connection, "cursor").await? {
        return Ok(());
    }
    let mut kept = connection.begin().await?;
    sqlx::raw_sql(KEEP).execute(&mut *kept).await?;
    sqlx::raw_sql("DROP TABLE sealift.cursor").execute(&mut *kept).await?;
    kept.commit().await
}

/// Keeps what settings of the server were, while a purge has changed them. Whoever may change them
/// may make a table.
pub(super) async fn keep_settings(
    connection: &mut PgConnection,
    settings: &[(String, String)],
) -> Result<(), sqlx::Error> {
    let mut kept = connection.begin().await?;
    sqlx::raw_sql(SETTINGS).execute(&mut *kept).await?;
    for (name, value) in settings {
        sqlx::query("INSERT INTO sealift.server_setting VALUES ($1, $2)")
            .bind(name)
            .bind(value)
            .execute(&mut *kept)
            .await?;
    }
    kept.commit().await
}

/// What they were, where a purge did not get to put them back.
pub(super) async fn kept_settings(
    connection: &mut PgConnection,
) -> Result<Option<Vec<(String, String)>>, sqlx::Error> {
    if !has_table(connection, "server_setting").await? {
        return Ok(None);
    }
    let kept = sqlx::query_as("SELECT name, value FROM sealift.server_setting");
    Ok(Some(kept.fetch_all(connection).await?))
}

/// Forgets them.
pub(super) async fn forget_settings(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("DROP TABLE IF EXISTS sealift.server_setting").execute(connection).await?;
    Ok(())
}

/// Reads a cursor row.
pub(super) fn state(row: &PgRow) -> Result<CursorState, SourceError> {
    let malformed = || SourceError::Inconsistent("a cursor row is malformed".to_owned());
    let read = || -> Result<_, sqlx::Error> {
        let position: Option<Vec<u8>> = row.try_get(1)?;
        let (epoch, done, counts): (i64, bool, String) =
            (row.try_get(0)?, row.try_get(2)?, row.try_get(3)?);
        Ok((epoch, position, done, counts, row.try_get::<i64, _>(4)?))
    };
    let (epoch, position, done, counts, ledger_size) = read().map_err(|_| malformed())?;
    let position =
        position.map(|bytes| RowKey::decode(&bytes)).transpose().map_err(|_| malformed())?;
    Ok(CursorState {
        epoch: unsigned(epoch),
        position,
        done,
        counts: serde_json::from_str(&counts).map_err(|_| malformed())?,
        ledger_size: unsigned(ledger_size),
    })
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
