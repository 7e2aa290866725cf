//! One batch: cursor first, then the rows, each only if it still is the version that was read.

use std::collections::HashMap;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::cursor::{self, Beside};
use super::error::{constraint, moved, state};
use super::queries::MARK;
use super::refusal::Refusal;
use super::session::{Again, Session};
use super::shape::{Shape, quoted, schema_of, table_sql};
use super::statement::{self, Update};
use super::unseen::{self, Told};
use crate::plan::UnitTable;
use crate::policy::TableName;
use crate::ports::{Rejection, Row, RowVersion, RowWrite, SourceError, Step, WriteOutcome};
use crate::value::RowKey;

/// How a batch begins. Its rows are found by where they lie: a plan that reads the whole table for
/// a batch would be a slow one.
// language=PostgreSQL
const BATCH: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    SET LOCAL enable_seqscan = off;";

/// Lets triggers that fire in this transaction find what they name without a schema, as they do in
/// the database's own sessions. Ours names everything in full, and the server's own functions come
/// first, so that nothing of it changes its meaning. Asked for where a shape says so: it costs the
/// way to the server and back.
pub(super) async fn look_where_triggers_look(
    connection: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    look_theirs(connection, Lasts::Transaction).await
}

/// For how long others' names are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasts {
    /// To the end of the transaction.
    Transaction,
    /// Until [`look_at_home_again`].
    Session,
}

/// As [`look_where_triggers_look`], for as long as is said.
pub(super) async fn look_theirs(
    connection: &mut PgConnection,
    lasts: Lasts,
) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, ' || coalesce(
        (SELECT substr(setting, length('search_path=') + 1)
         FROM pg_catalog.pg_db_role_setting AS s
         JOIN pg_catalog.pg_database AS d ON d.oid = s.setdatabase,
              unnest(s.setconfig) AS setting
         WHERE d.datname = current_database() AND s.setrole = 0
           AND left(setting, length('search_path=')) = 'search_path='),
        '\"$user\", public'), $1)";
    let is_local = lasts == Lasts::Transaction;
    sqlx::query(SQL).bind(is_local).execute(connection).await.map(|_| ())
}

/// Ends what [`Lasts::Session`] began.
pub(super) async fn look_at_home_again(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    sqlx::raw_sql("SET search_path = pg_catalog").execute(connection).await.map(|_| ())
}

/// Looks at home again: the server tells names in full only there.
pub(super) async fn look_at_home(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    sqlx::raw_sql("SET LOCAL search_path = pg_catalog").execute(connection).await.map(|_| ())
}

/// Which version of each row is meant.
pub(super) type Versions = HashMap<RowKey, RowVersion>;

/// The versions of the rows that were read.
pub(super) fn versions(read: &[Row]) -> Versions {
    read.iter().filter_map(|row| Some((row.key.clone(), row.version?))).collect()
}

/// A row that is written, and the version that was read.
pub(super) type Guarded<'g> = (&'g RowWrite, &'g RowVersion);

/// The rows of a batch with their versions, both in the order of the key; `None` where one was not
/// read: there is nothing to guard it by.
fn guarded<'g>(read: &'g [Row], writes: &'g [RowWrite]) -> Option<Vec<Guarded<'g>>> {
    let mut rows = read.iter();
    writes
        .iter()
        .map(|write| Some((write, rows.find(|row| row.key == write.key)?.version.as_ref()?)))
        .collect()
}

/// Writes one batch, and tries again what may pass.
pub(super) async fn write(
    session: &mut Session,
    table: &UnitTable,
    step: &Step,
    read: &[Row],
    writes: &[RowWrite],
) -> Result<WriteOutcome, SourceError> {
    let Some(guarded) = guarded(read, writes) else { return Ok(WriteOutcome::Changed) };
    let mut attempt = 0;
    let mut was_lost = false;
    let watch = session.watch();
    loop {
        let written = watch.over(batch(session, table, step, &guarded, was_lost));
        let error = match written.await {
            Ok(WriteOutcome::Written) => return Ok(WriteOutcome::Written),
            Ok(outcome) => {
                session.roll_back().await;
                return Ok(outcome);
            }
            Err(error) => error,
        };
        if came_since(session, &table.table).await {
            continue;
        }
        if let Some(reason) = constraint(&error) {
            session.roll_back().await;
            let key = (writes.len() == 1).then(|| writes[0].key.clone());
            return Ok(WriteOutcome::Rejected(Rejection { key, reason }));
        }
        attempt += 1;
        match session.may_try_again(&error, attempt).await {
            Some(Again::Lost) => was_lost = true,
            Some(Again::Passing) => {}
            None => return Err(session.failed(error, "writing a batch")),
        }
    }
}

/// After a batch that failed: whether a trigger or its like came since the shape of its table was
/// read, and did not find what it names. From now on it does.
async fn came_since(session: &mut Session, table: &TableName) -> bool {
    let Ok(before) = session.shape(table).await else { return false };
    if before.runs_theirs {
        return false;
    }
    session.roll_back().await;
    let Ok(connection) = session.within() else { return false };
    match Shape::read(connection, table).await {
        Ok(now) if now.runs_theirs && now.is_still(&before) => {
            session.knows(table, now);
            true
        }
        Ok(_) | Err(_) => false,
    }
}

/// The batch, in a transaction of its own.
async fn batch(
    session: &mut Session,
    table: &UnitTable,
    step: &Step,
    writes: &[Guarded<'_>],
    was_lost: bool,
) -> Result<WriteOutcome, sqlx::Error> {
    session.begin(BATCH).await?;
    // ORDER: the cursor comes first, so that a batch without its lease touches no row.
    if !cursor::advance(session.within()?, step).await? {
        // The COMMIT of an earlier attempt may have been applied without an answer.
        let is_ours = was_lost && cursor::was_applied(session.within()?, step).await?;
        session.roll_back().await;
        return Ok(if is_ours { WriteOutcome::Written } else { WriteOutcome::LeaseLost });
    }
    let outcome = rows(session, table, writes).await?;
    if outcome == WriteOutcome::Written {
        if !writes.is_empty() {
            note_writers(session, step, Beside::OfTable(&table_sql(&table.table)?)).await?;
        }
        if !writes.is_empty() && session.shape(&table.table).await?.runs_theirs {
            // Triggers that were put off to the end of the transaction fire with its COMMIT.
            look_where_triggers_look(session.within()?).await?;
        }
        crate::run::crash::here("source.before_commit");
        session.commit().await?;
    }
    Ok(outcome)
}

/// Notes what the session has written in this transaction, with the step that it belongs to.
pub(super) async fn note_writers(
    session: &mut Session,
    step: &Step,
    beside: Beside<'_>,
) -> Result<(), sqlx::Error> {
    let parts = std::mem::take(&mut session.parts);
    cursor::note_writers(session.within()?, step.cursor, beside, &parts).await
}

/// Writes rows inside a transaction. Triggers that the policy suppresses are switched off for it
/// and on again, in the same transaction: nobody else ever sees them off.
pub(super) async fn rows(
    session: &mut Session,
    table: &UnitTable,
    writes: &[Guarded<'_>],
) -> Result<WriteOutcome, sqlx::Error> {
    if writes.is_empty() {
        return Ok(WriteOutcome::Written);
    }
    let shape = session.shape(&table.table).await?;
    let is_silent = session.is_silent;
    let connection = session.within()?;
    let suppressed = suppress(connection, table).await?;
    let update = statement::update(table, &shape, writes)?;
    if shape.runs_theirs {
        look_where_triggers_look(connection).await?;
    }
    let told = if is_silent {
        bound(connection, &update, Holds::of(&shape, table)?).await?
    } else {
        unseen::fill(connection, &update.columns).await?;
        unseen::update(connection, &update.from(&unseen::stage(update.columns.len()))).await?
    };
    if shape.runs_theirs {
        look_at_home(connection).await?;
    }
    // INVARIANT: from its first row on the UPDATE holds a lock that keeps columns as they are, so
    // what is read here is what was written into.
    let now = Shape::read(connection, &table.table).await?;
    if !now.is_still(&shape) {
        return Err(moved());
    }
    if now.runs_theirs && !shape.runs_theirs {
        // A trigger came: it has to find what it names, so the batch is written once more.
        session.knows(&table.table, now);
        return Ok(WriteOutcome::Changed);
    }
    if told.written != writes.len() {
        return Ok(WriteOutcome::Changed);
    }
    if told.unlike > 0 {
        let key = (writes.len() == 1).then(|| writes[0].0.key.clone());
        let reason = "a trigger changed what was written".to_owned();
        return Ok(WriteOutcome::Rejected(Rejection { key, reason }));
    }
    restore(connection, table, suppressed).await?;
    session.parts.extend(told.part);
    Ok(WriteOutcome::Written)
}

/// How it is known of a row that it holds what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A text is assigned to a column of text, and nothing of anybody's runs: it cannot be otherwise.
    Surely,
    /// The server looks, row by row.
    Looked,
    /// The server looks, and a rule may stand for the UPDATE, which is not followed within another
    /// statement.
    Told,
}

impl Holds {
    fn of(shape: &Shape, table: &UnitTable) -> Result<Self, sqlx::Error> {
        if shape.runs_theirs {
            return Ok(Self::Told);
        }
        for column in &table.columns {
            if !shape.holds_text_as_it_is(&column.column)? {
                return Ok(Self::Looked);
            }
        }
        Ok(Self::Surely)
    }
}

/// Writes with values bound, where the server logs nothing of them.
async fn bound(
    connection: &mut PgConnection,
    update: &Update<'_>,
    holds: Holds,
) -> Result<Told, sqlx::Error> {
    let (relation, arguments) = update.arrays()?;
    match holds {
        Holds::Surely => {
            let sql = AssertSqlSafe(update.untold(&relation));
            let done = sqlx::query_with(sql, arguments).execute(connection).await?;
            let written = usize::try_from(done.rows_affected()).unwrap_or_default();
            Ok(Told { written, unlike: 0, part: None })
        }
        Holds::Looked => {
            // The server counts what came back, so that it need not travel.
            let sql = format!(
                "WITH {MARK} written (is_held) AS ({})
                 SELECT count(*), count(*) FILTER (WHERE is_held IS NOT TRUE) FROM written",
                update.from(&relation)
            );
            let row = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_one(connection).await?;
            let number = |at: usize| {
                Ok::<usize, sqlx::Error>(
                    usize::try_from(row.try_get::<i64, _>(at)?).unwrap_or_default(),
                )
            };
            let (written, unlike) = (number(0)?, number(1)?);
            Ok(Told { written, unlike, part: None })
        }
        Holds::Told => {
            let sql = AssertSqlSafe(update.from(&relation));
            let rows = sqlx::query_with(sql, arguments).fetch_all(connection).await?;
            let mut unlike = 0;
            for row in &rows {
                unlike += usize::from(row.try_get::<Option<bool>, _>(0)? != Some(true));
            }
            Ok(Told { written: rows.len(), unlike, part: None })
        }
    }
}

/// Switches triggers off; says which were on, and how.
async fn suppress(
    connection: &mut PgConnection,
    table: &UnitTable,
) -> Result<Vec<(String, &'static str)>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT t.tgname::text, t.tgenabled::text FROM pg_catalog.pg_trigger t
        JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2 AND t.tgname = ANY ($3)
          -- Up to version 14 the copy that a partition has of a trigger counts as internal.
          AND (NOT t.tgisinternal OR (t.tgparentid <> 0 AND t.tgconstraint = 0))";
    if table.suppressed_triggers.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<(String, String)> = sqlx::query_as(SQL)
        .bind(schema_of(&table.table))
        .bind(&table.table.name)
        .bind(&table.suppressed_triggers)
        .fetch_all(&mut *connection)
        .await?;
    let mut suppressed = Vec::new();
    for (name, enabled) in found {
        let again = match enabled.as_str() {
            "O" => "ENABLE",
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => continue,
        };
        alter_trigger(connection, table, &name, "DISABLE").await?;
        suppressed.push((name, again));
    }
    Ok(suppressed)
}

async fn restore(
    connection: &mut PgConnection,
    table: &UnitTable,
    suppressed: Vec<(String, &'static str)>,
) -> Result<(), sqlx::Error> {
    if suppressed.is_empty() {
        return Ok(());
    }
    // A table with checks that wait for the COMMIT cannot be altered: have them done.
    unseen::run(connection, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    for (name, again) in suppressed {
        alter_trigger(connection, table, &name, again).await?;
    }
    sqlx::raw_sql("SET CONSTRAINTS ALL DEFERRED").execute(connection).await?;
    Ok(())
}

async fn alter_trigger(
    connection: &mut PgConnection,
    table: &UnitTable,
    name: &str,
    action: &str,
) -> Result<(), sqlx::Error> {
    let (table, name) = (table_sql(&table.table)?, quoted(name)?);
    let sql = format!("ALTER TABLE ONLY {table} {action} TRIGGER {name}");
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
        Ok(_) => Ok(()),
        // No row is refused here, so none goes into quarantine.
        Err(error) if state(&error) == Some("P0001") => {
            Err(sqlx::Error::Configuration(Box::new(Refusal::Raised)))
        }
        Err(error) => Err(error),
    }
}
