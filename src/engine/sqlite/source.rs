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
use futures::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row as _};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::catalog::CatalogError;
use super::error::{is_damage, source_error};
use super::sample::SqliteSampler;
use super::session::{Guarded, begin, commit, roll_back};
use super::walk::walk;
use super::write::{data_version, write_batch};
use super::{beside, catalog, connect, cursor, facts, purge, value, window};
use crate::catalog::Catalog;
use crate::lifecycle::RunId;
use crate::plan::{Facts, UnitTable};
use crate::policy::{Policy, TableName};
use crate::ports::{
    CursorId, CursorState, Limit, Originals, PageFacts, Pass, Row, RowWrite, Sampler, ScanDepth,
    Scrubbed, Source, SourceError, SourceIdentity, SourceWindow, Step, Visitor, WalkFilter,
    WindowOutcome, WriteOutcome,
};
use crate::residue::{Filter, ScanReport};
use crate::value::RowKey;

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
        source: Box::new(std::io::Error::new(std::io::ErrorKind::NotFound, connect::no_path(url))),
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
        // Of several statements the rows come one behind the other.
        let mut rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch(&mut connection);
        let mut next =
            async || rows.try_next().await.map_err(self.failed("running a check of the policy"));
        let Some(row) = next().await? else { return Ok(None) };
        if row.len() != 1 || next().await?.is_some() {
            return Err(SourceError::NotOneValue);
        }
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

    async fn may_hold(&self, table: &UnitTable, filter: &WalkFilter) -> Result<bool, SourceError> {
        // Of originals the walk itself tells: one statement would be a long one beside writers.
        if !matches!(filter, WalkFilter::Tokens { .. }) {
            return Ok(true);
        }
        let limit = Limit { rows: 1, bytes: usize::MAX };
        Ok(!self.walk(table, None, None, limit, filter).await?.is_empty())
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

    async fn tidy(&self) -> Result<(), SourceError> {
        // Whoever writes next would find a long log, and bring all of it home before going on. Done
        // here it keeps nobody waiting: it needs no write lock.
        let mut guarded = self.lock().await?;
        sqlx::raw_sql("PRAGMA main.wal_checkpoint(PASSIVE)")
            .execute(&mut guarded.connection)
            .await
            .map(|_| ())
            .map_err(self.failed("bringing its log home"))
    }

    async fn rest(&self) -> Result<(), SourceError> {
        let mut guarded = self.lock().await?;
        sqlx::raw_sql("PRAGMA shrink_memory")
            .execute(&mut guarded.connection)
            .await
            .map(|_| ())
            .map_err(self.failed("giving memory back"))
    }

    async fn is_untouched_since(&self, version: i64) -> Result<bool, SourceError> {
        let mut guarded = self.lock().await?;
        beside::is_untouched(&mut guarded.connection, version)
            .await
            .map_err(self.failed("looking for what changed it"))
    }

    async fn prepare(&self, identity: &SourceIdentity) -> Result<(), SourceError> {
        let mut guarded = self.lock().await?;
        cursor::prepare(&mut guarded.connection, identity)
            .await
            .map_err(self.failed("making the cursor tables"))
    }

    async fn identity(&self) -> Result<Option<SourceIdentity>, SourceError> {
        let mut guarded = self.lock().await?;
        cursor::identity(&mut guarded.connection).await.map_err(self.failed("reading its identity"))
    }

    async fn take(&self, cursor: CursorId, ledger_size: u64) -> Result<CursorState, SourceError> {
        let mut guarded = self.lock().await?;
        let row = cursor::take(&mut guarded.connection, cursor, ledger_size)
            .await
            .map_err(self.failed("taking a range"))?;
        cursor::state(&row, 0)
    }

    async fn take_as(
        &self,
        cursor: CursorId,
        epoch: u64,
        ledger_size: u64,
    ) -> Result<Option<CursorState>, SourceError> {
        let mut guarded = self.lock().await?;
        let row = cursor::take_as(&mut guarded.connection, cursor, epoch, ledger_size)
            .await
            .map_err(self.failed("taking a range"))?;
        row.map(|row| cursor::state(&row, 0)).transpose()
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
        cursor::of_run(&mut guarded.connection, run, pass)
            .await
            .map_err(self.failed("reading cursors"))?
            .iter()
            .map(cursor::place_and_state)
            .collect()
    }

    async fn ledger_seen(&self) -> Result<u64, SourceError> {
        let mut guarded = self.lock().await?;
        cursor::ledger_seen(&mut guarded.connection).await.map_err(self.failed("reading cursors"))
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
        window::open(self.lock().await?, &self.url, version).await
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
        cursor::remove(&mut guarded.connection).await.map_err(self.failed("removing our tables"))
    }
}
