//! A SQLite file as a source: walked without a lock, written in short `IMMEDIATE` transactions.
//!
//! The guard: `PRAGMA data_version` on this connection changes exactly when another connection has
//! committed. Where it has not since the batch was read, the rows are what was read; where it has,
//! they are read again under the lock and compared, byte for byte and type for type.
//!
//! **Invariant:** this connection commits nothing but cursors with their rows, and our own tables.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row as _};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::catalog::CatalogError;
use super::error::{constraint, is_damage, source_error};
use super::sample::SqliteSampler;
use super::{beside, catalog, connect, facts, purge, statement, value};
use crate::catalog::Catalog;
use crate::engine::ident::{quote, quote_table};
use crate::lifecycle::RunId;
use crate::plan::{Facts, UnitTable};
use crate::policy::{Policy, TableName};
use crate::ports::{
    Counts, CursorId, CursorState, Limit, Originals, PageFacts, Pass, Rejection, Row, RowWrite,
    Sampler, ScanDepth, Scrubbed, Source, SourceError, SourceIdentity, SourceWindow, Step, Visitor,
    WalkFilter, WindowOutcome, WriteOutcome,
};
use crate::residue::{Filter, ScanReport};
use crate::value::RowKey;

// language=SQLite
const PREPARE: &str = "
    CREATE TABLE IF NOT EXISTS main.sealift_source (
        one   INTEGER PRIMARY KEY CHECK (one = 1),
        id    TEXT NOT NULL,
        vault TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS main.sealift_cursor (
        run         INTEGER NOT NULL,
        pass        TEXT NOT NULL,
        unit        INTEGER NOT NULL,
        range       INTEGER NOT NULL,
        epoch       INTEGER NOT NULL,
        position    BLOB,
        done        INTEGER NOT NULL,
        counts      TEXT NOT NULL,
        ledger_size INTEGER NOT NULL,
        PRIMARY KEY (run, pass, unit, range)
    ) WITHOUT ROWID;";

/// How many rows the driver reads ahead: values may be 16 MiB, so few where they are large.
const ROWS_AHEAD: usize = 64;

/// A SQLite file as a source.
pub struct SqliteSource {
    url: String,
    path: PathBuf,
    connection: Arc<Mutex<Guarded>>,
    /// How long the last COMMIT of a batch took.
    commit_us: AtomicU64,
}

/// The connection, and whether a transaction was left open by a window that was dropped.
struct Guarded {
    connection: SqliteConnection,
    is_open: bool,
}

impl SqliteSource {
    /// Opens a file that exists.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where it is missing, not a database, or may not be written.
    pub async fn open(url: &str) -> Result<Self, SourceError> {
        let path = existing(url)?;
        refuse_read_only(&path, url)?;
        let mut connection = connect::writer(&path, ROWS_AHEAD)
            .await
            .map_err(|error| source_error(error, url, "opening it"))?;
        touch(&mut connection, url).await?;
        let guarded = Guarded { connection, is_open: false };
        let (connection, commit_us) = (Arc::new(Mutex::new(guarded)), AtomicU64::new(0));
        Ok(Self { url: url.to_owned(), path, connection, commit_us })
    }

    /// Opens a file that exists, for looking only: nothing can be written through what is returned,
    /// and the file may be read-only.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where it is missing or not a database.
    pub async fn open_to_read(url: &str) -> Result<Self, SourceError> {
        let path = existing(url)?;
        let mut connection = connect::reader(&path)
            .await
            .map_err(|error| source_error(error, url, "opening it for reading"))?;
        touch(&mut connection, url).await?;
        let guarded = Guarded { connection, is_open: false };
        let (connection, commit_us) = (Arc::new(Mutex::new(guarded)), AtomicU64::new(0));
        Ok(Self { url: url.to_owned(), path, connection, commit_us })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn lock(&self) -> Result<OwnedMutexGuard<Guarded>, SourceError> {
        let mut guarded = Arc::clone(&self.connection).lock_owned().await;
        if guarded.is_open {
            roll_back(&mut guarded).await;
        }
        Ok(guarded)
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> SourceError + '_ {
        move |error| source_error(error, &self.url, doing)
    }
}

/// The first read finds out whether the file is a database at all.
async fn touch(connection: &mut SqliteConnection, url: &str) -> Result<(), SourceError> {
    sqlx::query("SELECT count(*) FROM main.sqlite_schema")
        .fetch_one(connection)
        .await
        .map(|_| ())
        .map_err(|error| source_error(error, url, "reading its schema"))
}

/// Finds the file that a URL names.
pub(super) fn existing(url: &str) -> Result<PathBuf, SourceError> {
    let open = |message: &'static str| SourceError::Open {
        url: url.to_owned(),
        source: Box::new(std::io::Error::new(std::io::ErrorKind::NotFound, message)),
    };
    let path = connect::path_of(url).ok_or_else(|| SourceError::Open {
        url: connect::kind_of(url),
        source: Box::new(std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "the URL begins neither with `sqlite:` nor with `postgres:`",
        )),
    })?;
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(_) => Err(open("it is not a file")),
        Err(error) => Err(SourceError::Open { url: url.to_owned(), source: Box::new(error) }),
    }
}

/// SQLite opens a read-only file without a word and fails at the first write; that is too late.
fn refuse_read_only(path: &Path, url: &str) -> Result<(), SourceError> {
    let read_only = std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().readonly());
    if read_only { Err(SourceError::ReadOnly { url: url.to_owned() }) } else { Ok(()) }
}

/// Free space of the disk that the file lies on, where the system tells.
fn free_bytes(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new("."))).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

async fn roll_back(guarded: &mut Guarded) {
    // A failed ROLLBACK means that SQLite has rolled back already.
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut guarded.connection).await;
    guarded.is_open = false;
}

#[async_trait]
impl Source for SqliteSource {
    async fn catalog(&self) -> Result<Catalog, SourceError> {
        let mut guarded = self.lock().await?;
        catalog::read(&mut guarded.connection).await.map_err(|error| match error {
            CatalogError::Query { source, .. } if is_damage(&source) => {
                SourceError::Damaged { url: self.url.clone() }
            }
            error => SourceError::Engine { doing: "reading its catalog", source: Box::new(error) },
        })
    }

    async fn facts(&self, catalog: &Catalog, policy: &Policy) -> Result<Facts, SourceError> {
        let mut connection =
            connect::reader(&self.path).await.map_err(self.failed("opening it for reading"))?;
        let free = free_bytes(&self.path);
        let read = facts::read(&mut connection, catalog, policy, free).await;
        let _ = connection.close().await;
        read.map_err(|error| SourceError::Engine {
            doing: "counting its rows",
            source: Box::new(error),
        })
    }

    async fn check(&self, sql: &str) -> Result<Option<String>, SourceError> {
        let mut connection =
            connect::reader(&self.path).await.map_err(self.failed("opening it for reading"))?;
        let row = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .fetch_optional(&mut connection)
            .await
            .map_err(self.failed("running a check of the policy"))?;
        let Some(row) = row else { return Ok(None) };
        let cell =
            value::original(&row, 0).map_err(self.failed("reading the answer of a check"))?;
        Ok(cell.map(|cell| {
            cell.as_integer()
                .map(|number| number.to_string())
                .or_else(|| cell.as_real().map(|number| number.to_string()))
                .unwrap_or_else(|| String::from_utf8_lossy(cell.expose()).into_owned())
        }))
    }

    async fn walk(
        &self,
        table: &UnitTable,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        limit: Limit,
        filter: &WalkFilter,
    ) -> Result<Vec<Row>, SourceError> {
        let mut guarded = self.lock().await?;
        walk(&mut guarded.connection, &self.url, table, after, upto, limit, filter).await
    }

    async fn version(&self) -> Result<i64, SourceError> {
        let mut guarded = self.lock().await?;
        data_version(&mut guarded.connection).await.map_err(self.failed("reading its version"))
    }

    async fn beside(&self) -> Result<Option<(i64, Arc<dyn Source>)>, SourceError> {
        let version = {
            let mut guarded = self.lock().await?;
            let may = beside::may_read(&mut guarded.connection).await;
            may.map_err(self.failed("looking for what reads beside a write"))?
        };
        let Some(version) = version else { return Ok(None) };
        // Nothing hangs on it: without it each batch is read when its turn comes.
        Ok(Self::open_to_read(&self.url).await.ok().map(|source| (version, Arc::new(source) as _)))
    }

    async fn is_untouched_since(&self, version: i64) -> Result<bool, SourceError> {
        let mut guarded = self.lock().await?;
        beside::is_untouched(&mut guarded.connection, version)
            .await
            .map_err(self.failed("looking for what changed it"))
    }

    async fn prepare(&self, identity: &SourceIdentity) -> Result<(), SourceError> {
        let mut guarded = self.lock().await?;
        let connection = &mut guarded.connection;
        let failed = |error| source_error(error, &self.url, "making the cursor tables");
        sqlx::raw_sql(PREPARE).execute(&mut *connection).await.map_err(failed)?;
        sqlx::query("INSERT INTO main.sealift_source VALUES (1, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&identity.id)
            .bind(&identity.vault)
            .execute(connection)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn identity(&self) -> Result<Option<SourceIdentity>, SourceError> {
        let mut guarded = self.lock().await?;
        let connection = &mut guarded.connection;
        if !has_table(connection, "sealift_source")
            .await
            .map_err(self.failed("looking for our tables"))?
        {
            return Ok(None);
        }
        let row: Option<(String, String)> =
            sqlx::query_as("SELECT id, vault FROM main.sealift_source")
                .fetch_optional(connection)
                .await
                .map_err(self.failed("reading its identity"))?;
        Ok(row.map(|(id, vault)| SourceIdentity { id, vault }))
    }

    async fn take(&self, cursor: CursorId, ledger_size: u64) -> Result<CursorState, SourceError> {
        let mut guarded = self.lock().await?;
        let failed = |error| source_error(error, &self.url, "taking a range");
        // One statement is one transaction: it either raises the epoch or changes nothing.
        let row = sqlx::query(
            "INSERT INTO main.sealift_cursor VALUES (?, ?, ?, ?, 1, NULL, 0, '{}', ?)
             ON CONFLICT DO UPDATE SET epoch = epoch + 1,
                                       ledger_size = max(ledger_size, excluded.ledger_size)
             RETURNING epoch, position, done, counts, ledger_size",
        )
        .bind(i64::from(cursor.run.0))
        .bind(cursor.pass.name())
        .bind(i64::from(cursor.unit))
        .bind(i64::from(cursor.range))
        .bind(signed(ledger_size))
        .fetch_one(&mut guarded.connection)
        .await
        .map_err(failed)?;
        state(&row, 0)
    }

    async fn take_as(
        &self,
        cursor: CursorId,
        epoch: u64,
        ledger_size: u64,
    ) -> Result<Option<CursorState>, SourceError> {
        let mut guarded = self.lock().await?;
        let row = sqlx::query(
            "INSERT INTO main.sealift_cursor VALUES (?, ?, ?, ?, ?, NULL, 0, '{}', ?)
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch,
                                       ledger_size = max(ledger_size, excluded.ledger_size)
                 WHERE epoch <= excluded.epoch
             RETURNING epoch, position, done, counts, ledger_size",
        )
        .bind(i64::from(cursor.run.0))
        .bind(cursor.pass.name())
        .bind(i64::from(cursor.unit))
        .bind(i64::from(cursor.range))
        .bind(signed(epoch))
        .bind(signed(ledger_size))
        .fetch_optional(&mut guarded.connection)
        .await
        .map_err(self.failed("taking a range"))?;
        row.map(|row| state(&row, 0)).transpose()
    }

    fn commit_took(&self) -> Option<Duration> {
        Some(Duration::from_micros(self.commit_us.load(Ordering::Relaxed)))
    }

    async fn cursors(
        &self,
        run: RunId,
        pass: Pass,
    ) -> Result<Vec<(u16, u32, CursorState)>, SourceError> {
        let mut guarded = self.lock().await?;
        let connection = &mut guarded.connection;
        if !has_table(connection, "sealift_cursor")
            .await
            .map_err(self.failed("looking for our tables"))?
        {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "SELECT unit, range, epoch, position, done, counts, ledger_size
             FROM main.sealift_cursor WHERE run = ? AND pass = ? ORDER BY unit, range",
        )
        .bind(i64::from(run.0))
        .bind(pass.name())
        .fetch_all(connection)
        .await
        .map_err(self.failed("reading cursors"))?;
        rows.iter()
            .map(|row| {
                let unit = u16::try_from(row.get::<i64, _>(0)).unwrap_or(u16::MAX);
                let range = u32::try_from(row.get::<i64, _>(1)).unwrap_or(u32::MAX);
                Ok((unit, range, state(row, 2)?))
            })
            .collect()
    }

    async fn ledger_seen(&self) -> Result<u64, SourceError> {
        let mut guarded = self.lock().await?;
        let connection = &mut guarded.connection;
        if !has_table(connection, "sealift_cursor")
            .await
            .map_err(self.failed("looking for our tables"))?
        {
            return Ok(0);
        }
        let seen: Option<i64> =
            sqlx::query_scalar("SELECT max(ledger_size) FROM main.sealift_cursor")
                .fetch_one(connection)
                .await
                .map_err(self.failed("reading cursors"))?;
        Ok(seen.and_then(|seen| u64::try_from(seen).ok()).unwrap_or(0))
    }

    async fn write(
        &self,
        table: &UnitTable,
        step: &Step,
        read: &[Row],
        writes: &[RowWrite],
        version: i64,
    ) -> Result<WriteOutcome, SourceError> {
        let mut guarded = self.lock().await?;
        begin(&mut guarded, &self.url).await?;
        let outcome =
            write_batch(&mut guarded.connection, &self.url, table, step, read, writes, version)
                .await;
        if !matches!(outcome, Ok(WriteOutcome::Written)) {
            roll_back(&mut guarded).await;
            return outcome;
        }
        let begun = Instant::now();
        commit(&mut guarded, &self.url).await?;
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.commit_us.store(took, Ordering::Relaxed);
        Ok(WriteOutcome::Written)
    }

    async fn window(
        &self,
        _tables: &[UnitTable],
        version: Option<i64>,
    ) -> Result<(WindowOutcome, Option<Box<dyn SourceWindow>>), SourceError> {
        let mut guarded = self.lock().await?;
        begin(&mut guarded, &self.url).await?;
        let now = data_version(&mut guarded.connection)
            .await
            .map_err(self.failed("reading its version"))?;
        if version.is_some_and(|version| version != now) {
            roll_back(&mut guarded).await;
            return Ok((WindowOutcome::Changed, None));
        }
        let violations = foreign_key_violations(&mut guarded.connection)
            .await
            .map_err(self.failed("checking foreign keys"))?;
        let window = SqliteWindow { url: self.url.clone(), guarded, violations };
        Ok((WindowOutcome::Held, Some(Box::new(window))))
    }

    async fn seize(&self, _tables: &[TableName]) -> Result<(), SourceError> {
        let mut guarded = self.lock().await?;
        purge::seize(&mut guarded.connection).await.map_err(self.failed("locking it for the purge"))
    }

    async fn scrub(
        &self,
        tables: &[TableName],
        _patience: std::time::Duration,
    ) -> Result<Scrubbed, SourceError> {
        let mut guarded = self.lock().await?;
        let steps = purge::scrub(&mut guarded.connection, &self.url, tables).await?;
        // The lock lasts over the rewrite.
        Ok(Scrubbed { steps, written_since: 0 })
    }

    async fn release(&self) -> Result<(), SourceError> {
        let mut guarded = self.lock().await?;
        purge::release(&mut guarded.connection).await.map_err(self.failed("letting go of it"))
    }

    async fn scan(
        &self,
        filter: &Filter,
        digest_key: [u8; 32],
        originals: &(dyn Originals + Sync),
        depth: ScanDepth,
        named: &[String],
    ) -> Result<ScanReport, SourceError> {
        let mut report = purge::scan(&self.path, filter, digest_key, originals, depth)?;
        purge::scan_named(&mut report, named, (filter, digest_key), originals, depth)?;
        Ok(report)
    }

    async fn structure(&self, _tables: &[TableName]) -> Result<Option<PageFacts>, SourceError> {
        purge::structure(&self.path)
    }

    async fn sampler(&self) -> Result<Box<dyn Sampler>, SourceError> {
        let connection =
            connect::reader(&self.path).await.map_err(self.failed("opening it for reading"))?;
        Ok(Box::new(SqliteSampler::new(self.url.clone(), connection)))
    }

    async fn uncovered(
        &self,
        policy: &Policy,
        visitor: &mut dyn Visitor,
    ) -> Result<(), SourceError> {
        let catalog = self.catalog().await?;
        let mut connection =
            connect::reader(&self.path).await.map_err(self.failed("opening it for reading"))?;
        purge::uncovered(&mut connection, &self.url, &catalog, policy, visitor).await
    }

    async fn remove_traces(&self) -> Result<(), SourceError> {
        let mut guarded = self.lock().await?;
        sqlx::raw_sql(
            "BEGIN IMMEDIATE;
             DROP TABLE IF EXISTS main.sealift_cursor;
             DROP TABLE IF EXISTS main.sealift_source;
             COMMIT;",
        )
        .execute(&mut guarded.connection)
        .await
        .map_err(self.failed("removing our tables"))?;
        Ok(())
    }
}

/// The source under its write lock.
struct SqliteWindow {
    url: String,
    guarded: OwnedMutexGuard<Guarded>,
    violations: i64,
}

#[async_trait]
impl SourceWindow for SqliteWindow {
    async fn walk(
        &mut self,
        table: &UnitTable,
        after: Option<&RowKey>,
        limit: Limit,
    ) -> Result<Vec<Row>, SourceError> {
        let connection = &mut self.guarded.connection;
        walk(connection, &self.url, table, after, None, limit, &WalkFilter::All).await
    }

    async fn write(
        &mut self,
        table: &UnitTable,
        writes: &[RowWrite],
    ) -> Result<Option<Rejection>, SourceError> {
        match write_rows(&mut self.guarded.connection, &self.url, table, writes).await? {
            WriteOutcome::Written => Ok(None),
            WriteOutcome::Rejected(rejection) => Ok(Some(rejection)),
            WriteOutcome::Changed | WriteOutcome::LeaseLost => {
                Err(SourceError::Inconsistent("a row vanished under the write lock".to_owned()))
            }
        }
    }

    async fn commit(mut self: Box<Self>, step: &Step) -> Result<WriteOutcome, SourceError> {
        let failed = |error| source_error(error, &self.url, "finishing a window");
        let connection = &mut self.guarded.connection;
        if !advance(connection, step).await.map_err(failed)? {
            roll_back(&mut self.guarded).await;
            return Ok(WriteOutcome::LeaseLost);
        }
        let violations = foreign_key_violations(connection).await.map_err(failed)?;
        if violations > self.violations {
            roll_back(&mut self.guarded).await;
            let reason = format!("{violations} rows would break a foreign key");
            return Ok(WriteOutcome::Rejected(Rejection { key: None, reason }));
        }
        commit(&mut self.guarded, &self.url).await?;
        Ok(WriteOutcome::Written)
    }

    async fn abandon(mut self: Box<Self>) -> Result<(), SourceError> {
        roll_back(&mut self.guarded).await;
        Ok(())
    }
}

async fn begin(guarded: &mut Guarded, url: &str) -> Result<(), SourceError> {
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut guarded.connection)
        .await
        .map_err(|error| source_error(error, url, "taking the write lock"))?;
    guarded.is_open = true;
    Ok(())
}

async fn commit(guarded: &mut Guarded, url: &str) -> Result<(), SourceError> {
    crate::run::crash::here("source.before_commit");
    let result = sqlx::raw_sql("COMMIT").execute(&mut guarded.connection).await;
    if let Err(error) = result {
        // The outcome may be unknown. The cursor tells: it is read again before anything else.
        roll_back(guarded).await;
        return Err(source_error(error, url, "committing"));
    }
    guarded.is_open = false;
    Ok(())
}

/// The batch, inside its transaction.
async fn write_batch(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    step: &Step,
    read: &[Row],
    writes: &[RowWrite],
    version: i64,
) -> Result<WriteOutcome, SourceError> {
    let failed = |error| source_error(error, url, "writing a batch");
    // ORDER: the cursor comes first, so that a batch without its lease touches no row.
    if !advance(connection, step).await.map_err(failed)? {
        return Ok(WriteOutcome::LeaseLost);
    }
    let unchanged = data_version(connection).await.map_err(failed)? == version;
    if !unchanged && !still_as_read(connection, url, table, step, read).await? {
        return Ok(WriteOutcome::Changed);
    }
    write_rows(connection, url, table, writes).await
}

/// Whether the rows of the batch are exactly those that were read.
async fn still_as_read(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    step: &Step,
    read: &[Row],
) -> Result<bool, SourceError> {
    let Some(interval) = &step.interval else {
        return each_as_read(connection, url, table, read).await;
    };
    let limit = Limit { rows: read.len() + 1, bytes: usize::MAX };
    let (after, upto) = (interval.after.as_ref(), interval.upto.as_ref());
    let now = walk(connection, url, table, after, upto, limit, &WalkFilter::All).await?;
    Ok(now.len() == read.len() && now.iter().zip(read).all(|(now, then)| now.same_as(then)))
}

async fn each_as_read(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    read: &[Row],
) -> Result<bool, SourceError> {
    for then in read {
        let now = one_row(connection, url, table, &then.key).await?;
        if !now.is_some_and(|now| now.same_as(then)) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn one_row(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    key: &RowKey,
) -> Result<Option<Row>, SourceError> {
    let rowid = rowid_name(connection, table).await.map_err(|e| source_error(e, url, "walking"))?;
    let (sql, arguments) = statement::one(table, &rowid, key).map_err(unsound)?;
    let row = sqlx::query_with(AssertSqlSafe(sql), arguments)
        .fetch_optional(connection)
        .await
        .map_err(|error| source_error(error, url, "reading a row"))?;
    row.map(|row| read_row(&row, table, url)).transpose()
}

/// Moves the cursor where it stands as expected; `false` where somebody else holds the range.
async fn advance(connection: &mut SqliteConnection, step: &Step) -> Result<bool, sqlx::Error> {
    let counts = |counts: &Counts| serde_json::to_string(counts).unwrap_or_default();
    let before: Option<String> = sqlx::query_scalar(
        "SELECT counts FROM main.sealift_cursor
         WHERE run = ? AND pass = ? AND unit = ? AND range = ? AND epoch = ? AND position IS ?",
    )
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i64::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .bind(step.from.as_ref().map(RowKey::encode))
    .fetch_optional(&mut *connection)
    .await?;
    let Some(before) = before else { return Ok(false) };
    let mut total: Counts = serde_json::from_str(&before).unwrap_or_default();
    total.add(&step.counts);
    let moved = sqlx::query(
        "UPDATE main.sealift_cursor SET position = ?, done = ?, counts = ?
         WHERE run = ? AND pass = ? AND unit = ? AND range = ? AND epoch = ?",
    )
    .bind(step.to.as_ref().map(RowKey::encode))
    .bind(step.done)
    .bind(counts(&total))
    .bind(i64::from(step.cursor.run.0))
    .bind(step.cursor.pass.name())
    .bind(i64::from(step.cursor.unit))
    .bind(i64::from(step.cursor.range))
    .bind(signed(step.epoch))
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Writes rows. Triggers that the policy suppresses are taken away for it and put back, in the same
/// transaction: SQLite has no way to switch one off, and nobody else ever sees it missing.
async fn write_rows(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    writes: &[RowWrite],
) -> Result<WriteOutcome, SourceError> {
    if writes.is_empty() {
        return Ok(WriteOutcome::Written);
    }
    let failed = |error| source_error(error, url, "suppressing a trigger");
    let mut suppressed = Vec::new();
    for name in &table.suppressed_triggers {
        let sql: Option<String> = sqlx::query_scalar(
            "SELECT sql FROM main.sqlite_schema WHERE type = 'trigger' AND name = ?",
        )
        .bind(name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
        let Some(sql) = sql else { continue };
        let quoted = quote(name).map_err(|error| SourceError::Engine {
            doing: "suppressing a trigger",
            source: Box::new(error),
        })?;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TRIGGER main.{quoted}")))
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        suppressed.push(sql);
    }
    let outcome = update_rows(connection, url, table, writes).await?;
    for sql in suppressed {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(outcome)
}

async fn update_rows(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    writes: &[RowWrite],
) -> Result<WriteOutcome, SourceError> {
    let rowid = rowid_name(connection, table)
        .await
        .map_err(|error| source_error(error, url, "reading the columns of a table"))?;
    for chunk in writes.chunks(statement::rows_a_statement(table)) {
        let (sql, arguments) = statement::update(table, &rowid, chunk).map_err(unsound)?;
        match sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *connection).await {
            Ok(done) if done.rows_affected() == chunk.len() as u64 => {}
            Ok(_) => return Ok(WriteOutcome::Changed),
            Err(error) => {
                let Some(reason) = constraint(&error) else {
                    return Err(source_error(error, url, "writing rows"));
                };
                let key = (writes.len() == 1).then(|| writes[0].key.clone());
                return Ok(WriteOutcome::Rejected(Rejection { key, reason }));
            }
        }
    }
    Ok(WriteOutcome::Written)
}

async fn walk(
    connection: &mut SqliteConnection,
    url: &str,
    table: &UnitTable,
    after: Option<&RowKey>,
    upto: Option<&RowKey>,
    limit: Limit,
    filter: &WalkFilter,
) -> Result<Vec<Row>, SourceError> {
    let failed = |error| source_error(error, url, "walking a table");
    let rowid = rowid_name(connection, table).await.map_err(failed)?;
    let (sql, arguments) =
        statement::walk(table, &rowid, after, upto, limit, filter).map_err(unsound)?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut stream = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch(connection);
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        let row = read_row(&row, table, url)?;
        bytes += row.bytes();
        rows.push(row);
        if bytes >= limit.bytes {
            break;
        }
    }
    Ok(rows)
}

fn read_row(row: &SqliteRow, table: &UnitTable, url: &str) -> Result<Row, SourceError> {
    let width = row.len() - table.columns.len();
    let key = (0..width).map(|at| value::key_part(row, at)).collect::<Result<_, _>>()?;
    let cells = (width..row.len())
        .map(|at| value::original(row, at))
        .collect::<Result<_, _>>()
        .map_err(|error| source_error(error, url, "reading a row"))?;
    Ok(Row { key: RowKey(key), cells, version: None })
}

/// The name by which the row id of a table is reached: a column may be called `rowid`.
async fn rowid_name(
    connection: &mut SqliteConnection,
    table: &UnitTable,
) -> Result<String, sqlx::Error> {
    if table.walk != crate::plan::Walk::RowId {
        return Ok(String::new());
    }
    let name = quote_table(&table.table).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let rows = sqlx::query(AssertSqlSafe(format!("PRAGMA main.table_xinfo({name})")))
        .fetch_all(connection)
        .await?;
    let taken: Vec<String> =
        rows.iter().map(|row| row.get::<String, _>("name").to_ascii_lowercase()).collect();
    ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|name| !taken.iter().any(|taken| taken == name))
        .map(str::to_owned)
        .ok_or_else(|| sqlx::Error::Protocol("a table hides its row id behind its columns".into()))
}

pub(super) async fn data_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("PRAGMA main.data_version").fetch_one(connection).await
}

async fn foreign_key_violations(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM pragma_foreign_key_check").fetch_one(connection).await
}

/// Whether a table of ours is there. Each is asked for by itself: a purge drops the cursors first, and
/// a source without cursors may still hold our tokens.
async fn has_table(connection: &mut SqliteConnection, name: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) = 1 FROM main.sqlite_schema WHERE type = 'table' AND name = ?",
    )
    .bind(name)
    .fetch_one(connection)
    .await
}

fn state(row: &SqliteRow, at: usize) -> Result<CursorState, SourceError> {
    let malformed = |_| SourceError::Inconsistent("a cursor row is malformed".to_owned());
    let position: Option<Vec<u8>> = row.get(at + 1);
    let position = position
        .map(|bytes| RowKey::decode(&bytes))
        .transpose()
        .map_err(|_| SourceError::Inconsistent("a cursor row is malformed".to_owned()))?;
    let counts: String = row.get(at + 3);
    Ok(CursorState {
        epoch: unsigned(row.get(at)),
        position,
        done: row.get(at + 2),
        counts: serde_json::from_str(&counts).map_err(malformed)?,
        ledger_size: unsigned(row.get(at + 4)),
    })
}

fn unsound(error: statement::StatementError) -> SourceError {
    SourceError::Engine { doing: "making a statement", source: Box::new(error) }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
