//! Rebuild: a table filled anew with tokens, in one transaction that nobody looks into.
//!
//! Under a lock that keeps out readers and writers, tokens travel into a temporary table beside where
//! their rows lie; a second one is filled with whole rows, tokens in their place; then the table is
//! emptied, its indexes and foreign keys are taken off, the rows come back, and all that was taken off
//! is made anew over them. The table stays the same object, so that whatever else hangs on it stays.
//!
//! The rows come back by `COPY … FREEZE`, chunk by chunk: a transaction that began before, and looks
//! only afterwards, finds them. Rows that were inserted in any other way would not be there for it, and
//! a backup that had begun would hold an empty table.
//!
//! **Invariant:** one transaction. Until its COMMIT the table is as it was, and a session that ends
//! before leaves nothing: the temporary tables go with it.

use std::collections::HashMap;

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::OwnedMutexGuard;

use self::objects::Objects;
use super::cursor::{self, Beside};
use super::error::constraint;
use super::session::Session;
use super::shape::{Shape, quoted, schema_of, table_sql};
use super::unseen::push_field;
use super::walk::{self, Reading};
use super::write::{look_at_home, look_where_triggers_look};
use crate::plan::UnitTable;
use crate::ports::{
    Limit, Rejection, Row, RowWrite, SourceError, SourceRebuild, Step, WalkFilter, WriteOutcome,
};
use crate::value::RowKey;

mod objects;
pub(super) mod obstacles;

/// How a rebuild begins: it may lie idle while tokens are derived, for as long as that takes.
// language=PostgreSQL
const BEGIN: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min';
    SET LOCAL maintenance_work_mem = '256MB';";

/// Rows are joined with their tokens in the order in which they lie, which is how they come back.
/// Sorted or hashed they would be written to files of the server, and lose their order.
// language=PostgreSQL
const JOINING: &str = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    SET LOCAL enable_material = off; SET LOCAL enable_indexscan = on;";

/// What the server may do again when indexes and foreign keys are made.
// language=PostgreSQL
const CHECKING: &str = "SET LOCAL enable_hashjoin = DEFAULT; SET LOCAL enable_mergejoin = DEFAULT;
    SET LOCAL enable_material = DEFAULT; SET LOCAL enable_sort = DEFAULT;
    SET LOCAL enable_bitmapscan = DEFAULT;";

/// Where tokens wait, beside the places of their rows.
const TOKENS: &str = "pg_temp.sealift_rebuild_tokens";

/// Where whole rows wait.
const STAGE: &str = "pg_temp.sealift_rebuild_stage";

/// Bytes of rows that are on their way back at a time.
const CHUNK_BYTES: i64 = 8 << 20;

/// Bytes of one row at the most: a row is in memory while it is on its way.
const ROW_BYTES_MAX: i64 = 64 << 20;

/// Bytes sent to the server at a time.
const SEND_BYTES: usize = 1 << 17;

/// A table under its lock, on its way to be filled anew.
pub(super) struct TableRebuild {
    session: OwnedMutexGuard<Session>,
    table: UnitTable,
    /// The table, quoted.
    name: String,
    oid: i64,
    shape: Shape,
    objects: Objects,
    /// Rows that were taken in, with a token or without.
    rows: u64,
    /// Rows that get a token.
    written: u64,
}

/// Why a rebuild did not begin.
enum Refused {
    Engine(sqlx::Error),
    Obstacle(String),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl TableRebuild {
    /// Takes the lock.
    pub(super) async fn open(
        mut session: OwnedMutexGuard<Session>,
        table: &UnitTable,
    ) -> Result<Self, SourceError> {
        let mut attempt = 0;
        loop {
            match hold(&mut session, table).await {
                Ok((name, oid, shape, objects)) => {
                    let (table, rows, written) = (table.clone(), 0, 0);
                    return Ok(Self { session, table, name, oid, shape, objects, rows, written });
                }
                Err(Refused::Obstacle(fact)) => {
                    session.roll_back().await;
                    return Err(SourceError::Inconsistent(format!(
                        "`{}` cannot be rebuilt: {fact}; plan again without `--strategy rebuild`",
                        table.table
                    )));
                }
                Err(Refused::Engine(error)) => {
                    attempt += 1;
                    if session.may_try_again(&error, attempt).await.is_none() {
                        return Err(session.failed(error, "locking a table to rebuild it"));
                    }
                }
            }
        }
    }

    /// Everything from the last token to the COMMIT; `false` where somebody else has the cursors.
    async fn rebuild(&mut self, steps: &[Step]) -> Result<bool, Failed> {
        for step in steps {
            if !cursor::advance(self.session.within()?, step).await? {
                return Ok(false);
            }
        }
        let columns = stored_columns(self.session.within()?, self.oid).await?;
        let untouched: Vec<&String> = columns
            .iter()
            .filter(|c| !self.table.columns.iter().any(|t| t.column == **c))
            .collect();
        let untouched = listed(untouched)?;
        let all = listed(columns.iter().collect())?;
        // A text of fixed width is filled up with blanks only where it lies in its column.
        let mut told = vec![untouched.clone()];
        for column in &self.table.columns {
            told.push(self.shape.told(&column.column, &quoted(&column.column)?)?);
        }
        let told = told.join(", ");
        let connection = self.session.within()?;
        let before = digest(connection, &self.name, &untouched).await?;
        if before.0 != self.rows {
            return Err(Failed::inconsistent("it has another number of rows than were read"));
        }
        stage(connection, &self.table, &self.name, &self.shape, &columns, self.written).await?;
        if digest(connection, STAGE, &untouched).await? != before {
            return Err(Failed::inconsistent("what was made of its rows is not what they were"));
        }
        let staged = digest(connection, STAGE, &told).await?;
        run(connection, CHECKING.to_owned()).await?;
        self.objects.take_off(connection).await?;
        run(connection, format!("TRUNCATE ONLY {}", self.name)).await?;
        look_where_triggers_look(connection).await?;
        back(connection, &self.name, &all).await?;
        if digest(connection, &self.name, &told).await? != staged {
            return Err(Failed::inconsistent("what came back is not what was to come back"));
        }
        // Indexes may be over functions of theirs.
        self.objects.put_back(connection).await?;
        look_at_home(connection).await?;
        for step in steps {
            // Rows that stand as this transaction wrote them are what it wrote: no trigger fired.
            let connection = self.session.within()?;
            cursor::note_writers(connection, step.cursor, Beside::Nobody, &[]).await?;
        }
        self.session.commit().await?;
        Ok(true)
    }
}

/// Why a rebuild did not come to its end.
enum Failed {
    Engine(sqlx::Error),
    Fact(&'static str),
}

impl Failed {
    fn inconsistent(fact: &'static str) -> Self {
        Self::Fact(fact)
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

/// Locks the table and those that foreign keys join it to, reads what hangs on it, and makes room for
/// its tokens.
async fn hold(
    session: &mut Session,
    table: &UnitTable,
) -> Result<(String, i64, Shape, Objects), Refused> {
    // language=PostgreSQL
    const OID: &str = "SELECT c.oid::int8 FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2";
    let name = table_sql(&table.table)?;
    session.begin(BEGIN).await?;
    if !session.is_silent {
        return Err(Refused::Obstacle(
            "the role may not keep what is said of rows out of the server's log".to_owned(),
        ));
    }
    let connection = session.within()?;
    let oid: i64 = sqlx::query_scalar(OID)
        .bind(schema_of(&table.table))
        .bind(&table.table.name)
        .fetch_one(&mut *connection)
        .await?;
    // ORDER: the strongest lock first and at once. Whoever asks for more later, beside readers who do
    // the same, is deadlocked.
    let mut locked = objects::neighbours(connection, oid).await?;
    for other in std::iter::once(&name).chain(&locked) {
        lock(connection, other).await?;
    }
    // Under the lock nobody joins another table to it.
    let now = objects::neighbours(connection, oid).await?;
    for other in now.iter().filter(|other| !locked.contains(other)) {
        lock(connection, other).await?;
    }
    locked.extend(now);
    if let Some((_, fact)) = obstacles::find(connection, Some(oid)).await?.into_iter().next() {
        return Err(Refused::Obstacle(fact));
    }
    let shape = Shape::read(connection, &table.table).await?;
    let objects = Objects::read(connection, oid, &name).await?;
    let fields: Vec<String> = (0..table.columns.len()).map(|at| format!("c{at} text")).collect();
    // What a session left that went on to its next transaction is gone with that one.
    run(connection, format!("DROP TABLE IF EXISTS {TOKENS}, {STAGE}")).await?;
    let sql = format!(
        "CREATE TEMPORARY TABLE sealift_rebuild_tokens (place tid, {}) ON COMMIT DROP",
        fields.join(", ")
    );
    run(connection, sql).await?;
    Ok((name, oid, shape, objects))
}

async fn lock(connection: &mut PgConnection, table: &str) -> Result<(), sqlx::Error> {
    run(connection, format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")).await
}

/// The columns whose values are stored as they are given: what is generated follows from them.
async fn stored_columns(
    connection: &mut PgConnection,
    oid: i64,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT attname::text FROM pg_catalog.pg_attribute
         WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
         ORDER BY attnum",
    )
    .bind(oid)
    .fetch_all(connection)
    .await
}

fn listed(columns: Vec<&String>) -> Result<String, sqlx::Error> {
    let quoted: Vec<String> = columns.into_iter().map(|c| quoted(c)).collect::<Result<_, _>>()?;
    Ok(quoted.join(", "))
}

/// How many rows a relation has, and a sum over the texts of these columns of each.
async fn digest(
    connection: &mut PgConnection,
    relation: &str,
    columns: &str,
) -> Result<(u64, String), sqlx::Error> {
    let sql = format!(
        "SELECT count(*), coalesce(sum(pg_catalog.hashtextextended(ROW({columns})::text, 0)), 0)::text
         FROM ONLY {relation}"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await?;
    let rows: i64 = row.try_get(0)?;
    Ok((u64::try_from(rows).unwrap_or(0), row.try_get(1)?))
}

/// Fills the stage: each row as it lies, its tokens in their place.
async fn stage(
    connection: &mut PgConnection,
    table: &UnitTable,
    name: &str,
    shape: &Shape,
    columns: &[String],
    written: u64,
) -> Result<(), Failed> {
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let name = quoted(column)?;
        let place = table.columns.iter().position(|known| &known.column == column);
        fields.push(match place {
            None => format!("old.{name}"),
            // What is text stays text until it comes back: the column itself refuses what is too
            // long, and a cast would cut it.
            Some(at) => {
                let old = format!("old.{name}");
                let old = if shape.takes_text(column)? { shape.told(column, &old)? } else { old };
                let new = shape.assign(column, &format!("new.c{at}"))?;
                format!("CASE WHEN new.place IS NULL THEN {old} ELSE {new} END AS {name}")
            }
        });
    }
    run(connection, JOINING.to_owned()).await?;
    run(connection, format!("CREATE UNIQUE INDEX ON {TOKENS} (place)")).await?;
    run(connection, format!("ANALYZE {TOKENS}")).await?;
    // OFFSET keeps the server from beginning at the tokens: rows come in the order in which they lie.
    let sql = format!(
        "CREATE TEMPORARY TABLE sealift_rebuild_stage ON COMMIT DROP AS
         SELECT {}, new.place IS NOT NULL AS sealift_is_new
         FROM (SELECT ctid AS sealift_place, * FROM ONLY {name} OFFSET 0) AS old
         LEFT JOIN {TOKENS} AS new ON new.place = old.sealift_place",
        fields.join(", ")
    );
    run(connection, sql).await?;
    let met: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT count(*) FROM {STAGE} WHERE sealift_is_new"
    )))
    .fetch_one(connection)
    .await?;
    if u64::try_from(met) == Ok(written) {
        Ok(())
    } else {
        Err(Failed::inconsistent("tokens have lost their rows"))
    }
}

/// Brings the rows back, chunk by chunk: what one chunk holds is in memory.
async fn back(connection: &mut PgConnection, name: &str, columns: &str) -> Result<(), Failed> {
    // Where a chunk ends: the first row of the next. A row that is larger has a chunk for itself.
    let bounds = format!(
        "SELECT min(place)::text, max(bytes) FROM (
             SELECT place, bytes, sum(bytes) OVER (ORDER BY place ROWS UNBOUNDED PRECEDING) AS upto
             FROM (SELECT ctid AS place, pg_catalog.octet_length(ROW({columns})::text)::int8 AS bytes
                   FROM {STAGE}) AS r) AS s
         GROUP BY (upto - bytes)::int8 / {CHUNK_BYTES} ORDER BY min(place)"
    );
    let rows = sqlx::query(AssertSqlSafe(bounds)).fetch_all(&mut *connection).await?;
    let mut firsts: Vec<String> = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<i64, _>(1)? > ROW_BYTES_MAX {
            return Err(Failed::inconsistent("one of its rows is longer than 64 MiB"));
        }
        firsts.push(row.try_get(0)?);
    }
    for (at, first) in firsts.iter().enumerate() {
        let upto = firsts.get(at + 1).map_or(String::new(), |next| format!(" AND ctid < '{next}'"));
        let out =
            format!("COPY (SELECT {columns} FROM {STAGE} WHERE ctid >= '{first}'{upto}) TO STDOUT");
        let mut chunk: Vec<u8> = Vec::new();
        {
            let mut stream = connection.copy_out_raw(&out).await?;
            while let Some(bytes) = stream.try_next().await? {
                chunk.extend_from_slice(&bytes);
            }
        }
        let mut copy =
            connection.copy_in_raw(&format!("COPY {name} ({columns}) FROM STDIN (FREEZE)")).await?;
        for part in chunk.chunks(SEND_BYTES) {
            copy.send(part).await?;
        }
        copy.finish().await?;
    }
    Ok(())
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

#[async_trait]
impl SourceRebuild for TableRebuild {
    async fn walk(
        &mut self,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        limit: Limit,
    ) -> Result<Vec<Row>, SourceError> {
        let filter = &WalkFilter::All;
        let reading = Reading { after, upto, limit, filter, leaves_own: false };
        let read = match self.session.within() {
            Ok(connection) => walk::read(connection, &self.table, &self.shape, reading).await,
            Err(error) => Err(error),
        };
        read.map_err(|error| self.session.failed(error, "walking a table"))
    }

    async fn stamps(
        &mut self,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        rows: usize,
        seed: i64,
    ) -> Result<Option<Vec<Row>>, SourceError> {
        let read = match self.session.within() {
            Ok(connection) => {
                let between = (after, upto);
                walk::stamps(connection, &self.table, &self.shape, between, rows, seed).await
            }
            Err(error) => Err(error),
        };
        read.map_err(|error| self.session.failed(error, "walking a table"))
    }

    async fn write(&mut self, read: &[Row], writes: &[RowWrite]) -> Result<(), SourceError> {
        self.rows += read.len() as u64;
        let sent = match lines(&self.table, &self.shape, read, writes) {
            Ok(lines) => match self.session.within() {
                Ok(connection) => send(connection, lines).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        sent.map_err(|error| self.session.failed(error, "sending tokens"))?;
        self.written += writes.len() as u64;
        Ok(())
    }

    async fn commit(mut self: Box<Self>, steps: &[Step]) -> Result<WriteOutcome, SourceError> {
        let watch = self.session.watch();
        let rebuilt = watch.over(self.rebuild(steps)).await;
        let table = self.table.table.clone();
        match rebuilt {
            Ok(true) => Ok(WriteOutcome::Written),
            Ok(false) => {
                self.session.roll_back().await;
                Ok(WriteOutcome::LeaseLost)
            }
            Err(Failed::Fact(fact)) => {
                self.session.roll_back().await;
                Err(SourceError::Inconsistent(format!("`{table}` was not rebuilt: {fact}")))
            }
            Err(Failed::Engine(error)) => {
                self.session.roll_back().await;
                match constraint(&error) {
                    Some(reason) => Ok(WriteOutcome::Rejected(Rejection { key: None, reason })),
                    // The outcome may be unknown. The cursors tell the next one who comes.
                    None => Err(self.session.failed(error, "rebuilding a table")),
                }
            }
        }
    }

    async fn abandon(mut self: Box<Self>) -> Result<(), SourceError> {
        self.session.roll_back().await;
        Ok(())
    }
}

/// The lines of a COPY: where each row lies, and its cells.
fn lines(
    table: &UnitTable,
    shape: &Shape,
    read: &[Row],
    writes: &[RowWrite],
) -> Result<Vec<u8>, sqlx::Error> {
    let lost = || sqlx::Error::Protocol("a row that is written was not read".to_owned());
    let places: HashMap<&RowKey, String> =
        read.iter().filter_map(|row| Some((&row.key, row.version?.place()))).collect();
    let mut lines = String::new();
    for write in writes {
        lines.push_str(places.get(&write.key).ok_or_else(lost)?);
        for (column, cell) in table.columns.iter().zip(&write.cells) {
            lines.push('\t');
            let form = shape.form(&column.column)?;
            let told = cell.as_ref().map(|cell| form.told(cell)).transpose()?;
            push_field(&mut lines, told.as_deref());
        }
        lines.push('\n');
    }
    Ok(lines.into_bytes())
}

async fn send(connection: &mut PgConnection, lines: Vec<u8>) -> Result<(), sqlx::Error> {
    let mut copy = connection.copy_in_raw(&format!("COPY {TOKENS} FROM STDIN")).await?;
    for part in lines.chunks(SEND_BYTES) {
        copy.send(part).await?;
    }
    copy.finish().await?;
    Ok(())
}
