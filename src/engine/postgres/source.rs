//! A PostgreSQL database as a source: walked in short snapshots, written in short transactions.
//!
//! The guard is in the statement that writes: a row is found by its key *and* by where it lies
//! (`ctid`) *and* by who wrote it (`xmin`). A row that somebody has changed since it was read is
//! another version, is not found, and is read again.
//!
//! **Invariant:** this session commits nothing but cursors with their rows, and our own tables.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::connect::{Address, close};
use super::error::{LOCK_TIMEOUT, millis, open_error, source_error};
use super::files::{ServerFiles, Sought};
use super::rebuild::TableRebuild;
use super::sample::PostgresSampler;
use super::session::{Doing, Session};
use super::walk::{Reading, Standing, is_by_place};
use super::window::PostgresWindow;
use super::{
    catalog, cursor, cut, facts, fit, integrity, pressure, purge, statistics, vault, walk, write,
};
use crate::catalog::{Catalog, ColumnChange};
use crate::lifecycle::RunId;
use crate::plan::{Facts, UnitTable};
use crate::policy::{Policy, TableName};
use crate::ports::{
    CursorId, CursorState, FitTo, Limit, Originals, PageFacts, Pass, Pressure, Row, RowWrite,
    Sampler, ScanDepth, ScrubStep, Scrubbed, ShownCopy, Source, SourceError, SourceIdentity,
    SourceRebuild, SourceWindow, Step, Visitor, Wait, WalkFilter, WindowOutcome, WriteOutcome,
};
use crate::residue::{Filter, ScanReport};
use crate::value::RowKey;

/// How often statistics are renewed where the server has replaced some of them since.
const STATISTICS_TRIES: u32 = 3;

/// A PostgreSQL database as a source.
pub struct PostgresSource {
    address: Address,
    session: Arc<Mutex<Session>>,
    /// The walk of a table without a key, which is one snapshot from its first call to its last.
    standing: Mutex<Option<Standing>>,
}

impl PostgresSource {
    /// Opens a database that exists.
    ///
    /// # Errors
    ///
    /// [`SourceError::Open`] where the server cannot be reached, or refuses the login.
    pub async fn open(url: &str) -> Result<Self, SourceError> {
        let address = Address::parse(url).map_err(|error| SourceError::Open {
            url: "postgres:".to_owned(),
            source: Box::new(error),
        })?;
        let session = Session::open(address.clone()).await?;
        let session = Arc::new(Mutex::new(session));
        Ok(Self { address, session, standing: Mutex::new(None) })
    }

    async fn lock(&self) -> OwnedMutexGuard<Session> {
        Arc::clone(&self.session).lock_owned().await
    }

    /// A connection of its own, for one long read. The server has answered before: it is waited for.
    async fn reader(&self) -> Result<PgConnection, SourceError> {
        self.address.connect().await.map_err(|error| open_error(error, self.address.shown()))
    }

    /// The server's files, as they are now.
    async fn files(&self) -> Result<ServerFiles, SourceError> {
        let mut connection = self.reader().await?;
        let listed = ServerFiles::list(&mut connection).await;
        close(connection).await;
        listed.map_err(self.failed("listing its files"))
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> SourceError + '_ {
        move |error| source_error(error, self.address.shown(), doing)
    }
}

/// Does a step of the session's, again where it may pass.
macro_rules! again {
    ($session:ident, $doing:literal, $step:expr) => {{
        let mut attempt = 0;
        let watch = $session.watch();
        loop {
            let step: Result<_, sqlx::Error> = watch.over(async { $step }).await;
            match step {
                Ok(done) => break Ok(done),
                Err(error) => {
                    attempt += 1;
                    if $session.may_try_again(&error, attempt).await.is_none() {
                        break Err($session.failed(error, $doing));
                    }
                }
            }
        }
    }};
}

#[async_trait]
impl Source for PostgresSource {
    async fn catalog(&self) -> Result<Catalog, SourceError> {
        let mut connection = self.reader().await?;
        let read = catalog::read(&mut connection).await;
        close(connection).await;
        read.map_err(|error| match error {
            catalog::CatalogError::Locked { .. } => {
                SourceError::Locked { waited_ms: millis(LOCK_TIMEOUT) }
            }
            error @ catalog::CatalogError::Query { .. } => {
                SourceError::Engine { doing: "reading its catalog", source: Box::new(error) }
            }
        })
    }

    async fn facts(&self, catalog: &Catalog, policy: &Policy) -> Result<Facts, SourceError> {
        let mut connection = self.reader().await?;
        let read = facts::read(&mut connection, catalog, policy).await;
        close(connection).await;
        read.map_err(self.failed("counting its rows"))
    }

    async fn check(&self, sql: &str) -> Result<Option<String>, SourceError> {
        let mut connection = self.reader().await?;
        let answer = check(&mut connection, sql).await;
        close(connection).await;
        let answer = answer.map_err(self.failed("running a check of the policy"))?;
        answer.map_err(|NotOneValue| SourceError::NotOneValue)
    }

    async fn walk(
        &self,
        table: &UnitTable,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        limit: Limit,
        filter: &WalkFilter,
    ) -> Result<Vec<Row>, SourceError> {
        let reading = Reading { after, upto, limit, filter, leaves_own: false };
        let mut session = self.lock().await;
        // Under the lock of a purge nothing moves, and only the session that holds it may look.
        if is_by_place(table) && session.doing != Doing::Seizure {
            let mut standing = self.standing.lock().await;
            let read = Standing::walk(&mut standing, &self.address, table, reading).await;
            return read.map_err(self.failed("walking a table"));
        }
        again!(session, "walking a table", {
            session.connection().await?;
            let shape = session.shape(&table.table).await?;
            walk::read(session.within()?, table, &shape, reading).await
        })
    }

    async fn stamps(
        &self,
        table: &UnitTable,
        after: Option<&RowKey>,
        upto: Option<&RowKey>,
        rows: usize,
        seed: i64,
    ) -> Result<Option<Vec<Row>>, SourceError> {
        let mut session = self.lock().await;
        again!(session, "walking a table", {
            session.connection().await?;
            let shape = session.shape(&table.table).await?;
            walk::stamps(session.within()?, table, &shape, (after, upto), rows, seed).await
        })
    }

    async fn may_hold(&self, table: &UnitTable, filter: &WalkFilter) -> Result<bool, SourceError> {
        let mut session = self.lock().await;
        again!(session, "looking for originals", {
            session.connection().await?;
            let shape = session.shape(&table.table).await?;
            walk::may_hold(session.within()?, table, &shape, filter).await
        })
    }

    async fn version(&self) -> Result<i64, SourceError> {
        // language=PostgreSQL
        const SQL: &str = "SELECT pg_catalog.pg_snapshot_xmax(
            pg_catalog.pg_current_snapshot())::text::int8";
        let mut session = self.lock().await;
        again!(session, "reading its version", {
            sqlx::query_scalar(SQL).fetch_one(session.connection().await?).await
        })
    }

    async fn prepare(&self, identity: &SourceIdentity) -> Result<(), SourceError> {
        let mut session = self.lock().await;
        let prepared = again!(session, "making the cursor tables", {
            session.begin("").await?;
            let prepared = cursor::prepare(session.within()?, &identity.vault).await?;
            session.commit().await?;
            Ok(prepared)
        });
        prepared?
    }

    async fn identity(&self) -> Result<Option<SourceIdentity>, SourceError> {
        let mut session = self.lock().await;
        again!(session, "reading its identity", {
            cursor::identity(session.connection().await?).await
        })
    }

    async fn take(&self, cursor: CursorId, ledger_size: u64) -> Result<CursorState, SourceError> {
        let mut session = self.lock().await;
        let row: Result<_, SourceError> = again!(session, "taking a range", {
            cursor::take(session.connection().await?, cursor, ledger_size).await
        });
        cursor::state(&row?)
    }

    async fn take_as(
        &self,
        cursor: CursorId,
        epoch: u64,
        ledger_size: u64,
    ) -> Result<Option<CursorState>, SourceError> {
        let mut session = self.lock().await;
        let row: Result<_, SourceError> = again!(session, "taking a range", {
            cursor::take_as(session.connection().await?, cursor, epoch, ledger_size).await
        });
        row?.as_ref().map(cursor::state).transpose()
    }

    async fn another(&self) -> Result<Option<Arc<dyn Source>>, SourceError> {
        let session = Session::open(self.address.clone()).await?;
        let (address, standing) = (self.address.clone(), Mutex::new(None));
        Ok(Some(Arc::new(Self { address, session: Arc::new(Mutex::new(session)), standing })))
    }

    async fn cut(
        &self,
        table: &UnitTable,
        after: Option<&RowKey>,
        rows: u64,
    ) -> Result<Option<RowKey>, SourceError> {
        let mut session = self.lock().await;
        again!(session, "cutting a table into ranges", {
            session.connection().await?;
            let shape = session.shape(&table.table).await?;
            cut::cut(session.within()?, table, &shape, after, rows).await
        })
    }

    async fn pressure(&self, tables: &[TableName]) -> Result<Pressure, SourceError> {
        let mut session = self.lock().await;
        again!(session, "reading its signals", {
            pressure::pressure(session.connection().await?, tables).await
        })
    }

    async fn waits(&self) -> Result<Vec<Wait>, SourceError> {
        let mut session = self.lock().await;
        again!(session, "reading what is waited for", {
            pressure::waits(session.connection().await?).await
        })
    }

    fn commit_took(&self) -> Option<Duration> {
        // Whoever works on the session just now has not committed yet.
        self.session.try_lock().ok()?.commit_took
    }

    async fn evict(&self, worker: &str) -> Result<(), SourceError> {
        let mut session = self.lock().await;
        again!(session, "ending the sessions of a dead process", {
            vault::lease::end_sessions(session.connection().await?, worker).await
        })
    }

    async fn cursors(
        &self,
        run: RunId,
        pass: Pass,
    ) -> Result<Vec<(u16, u32, CursorState)>, SourceError> {
        let mut session = self.lock().await;
        let rows: Result<Vec<_>, SourceError> = again!(session, "reading cursors", {
            cursor::all(session.connection().await?, run, pass).await
        });
        rows?
            .iter()
            .map(|row| {
                let unit = u16::try_from(row.get::<i32, _>(5)).unwrap_or(u16::MAX);
                let range = u32::try_from(row.get::<i64, _>(6)).unwrap_or(u32::MAX);
                Ok((unit, range, cursor::state(row)?))
            })
            .collect()
    }

    async fn own_writers(
        &self,
        run: RunId,
        ranges: &[(u16, u32)],
    ) -> Result<Option<HashSet<u32>>, SourceError> {
        let mut session = self.lock().await;
        again!(session, "reading who wrote its rows", {
            cursor::own_writers(session.connection().await?, run, ranges).await
        })
    }

    async fn integrity(&self, tables: &[TableName]) -> Result<Vec<(String, String)>, SourceError> {
        let mut connection = self.reader().await?;
        let answers = integrity::read(&mut connection, tables).await;
        close(connection).await;
        answers.map_err(self.failed("looking at indexes and foreign keys"))
    }

    async fn ledger_seen(&self) -> Result<u64, SourceError> {
        let mut session = self.lock().await;
        again!(session, "reading cursors", {
            cursor::ledger_seen(session.connection().await?).await
        })
    }

    async fn write(
        &self,
        table: &UnitTable,
        step: &Step,
        read: &[Row],
        writes: &[RowWrite],
        _version: i64,
    ) -> Result<WriteOutcome, SourceError> {
        let mut session = self.lock().await;
        write::write(&mut session, table, step, read, writes).await
    }

    async fn window(
        &self,
        tables: &[UnitTable],
        version: Option<i64>,
    ) -> Result<(WindowOutcome, Option<Box<dyn SourceWindow>>), SourceError> {
        // Whether somebody wrote to these tables since cannot be known: no version says it.
        if version.is_some() {
            return Ok((WindowOutcome::Changed, None));
        }
        let window = PostgresWindow::open(self.lock().await, tables).await?;
        Ok((WindowOutcome::Held, Some(Box::new(window))))
    }

    async fn rebuild(&self, table: &UnitTable) -> Result<Box<dyn SourceRebuild>, SourceError> {
        Ok(Box::new(TableRebuild::open(self.lock().await, table).await?))
    }

    async fn fit(&self, changes: &[ColumnChange], to: FitTo) -> Result<bool, SourceError> {
        let mut session = self.lock().await;
        let fitted: Result<_, SourceError> = again!(session, "changing the types of columns", {
            fit::fit(&mut session, changes, to).await
        });
        fitted?
    }

    async fn renew_statistics(
        &self,
        tables: &[TableName],
    ) -> Result<Vec<(TableName, String)>, SourceError> {
        statistics::renew(&mut *self.lock().await, tables).await
    }

    async fn remove_traces(&self) -> Result<(), SourceError> {
        let mut session = self.lock().await;
        again!(session, "removing our tables", {
            purge::put_back_settings(session.connection().await?).await?;
            cursor::remove_all(session.connection().await?).await
        })
    }

    async fn seize(&self, tables: &[TableName]) -> Result<(), SourceError> {
        let mut session = self.lock().await;
        let free: Result<Result<(), SourceError>, SourceError> =
            again!(session, "looking for what blocks the purge", {
                purge::check(&mut session, tables).await
            });
        free??;
        let seized: Result<(), SourceError> = again!(session, "locking it for the purge", {
            purge::seize(&mut session, tables).await
        });
        seized?;
        session.doing = Doing::Seizure;
        Ok(())
    }

    async fn scrub(
        &self,
        tables: &[TableName],
        patience: std::time::Duration,
    ) -> Result<Scrubbed, SourceError> {
        let mut session = self.lock().await;
        purge::scrub(&mut session, tables, patience).await
    }

    async fn retire_log(&self) -> Result<Vec<ScrubStep>, SourceError> {
        let mut session = self.lock().await;
        purge::retire_log(&mut session).await
    }

    async fn release(&self) -> Result<(), SourceError> {
        let mut session = self.lock().await;
        if session.doing == Doing::Seizure {
            session.roll_back().await;
        }
        Ok(())
    }

    async fn scan(
        &self,
        filter: &Filter,
        digest_key: [u8; 32],
        originals: &(dyn Originals + Sync),
        depth: ScanDepth,
        named: &[String],
    ) -> Result<ScanReport, SourceError> {
        let files = self.files().await?;
        let sought = Sought { filter, digest_key, originals, depth };
        files.scan(&self.address, &sought, named).await
    }

    async fn structure(&self, tables: &[TableName]) -> Result<Option<PageFacts>, SourceError> {
        // The server renews statistics by itself, also since the purge has: the samples that it
        // replaces are of what SQL saw then, and go as the others went.
        let mut tries = 0;
        loop {
            let Some(found) = self.files().await?.structure(&self.address, tables).await? else {
                return Ok(None);
            };
            tries += 1;
            if tries > STATISTICS_TRIES || !found.is_statistics_alone() {
                return Ok(Some(found.facts()));
            }
            purge::renew_statistics(&mut *self.lock().await).await?;
        }
    }

    async fn elsewhere(&self, tables: &[TableName]) -> Result<Vec<ShownCopy>, SourceError> {
        let mut session = self.lock().await;
        let shown: Result<_, SourceError> = again!(session, "asking for its copies", {
            purge::shown(session.connection().await?, tables).await
        });
        shown
    }

    async fn sampler(&self) -> Result<Box<dyn Sampler>, SourceError> {
        let shown = self.address.shown().to_owned();
        Ok(Box::new(PostgresSampler::new(shown, self.reader().await?)))
    }

    async fn uncovered(
        &self,
        policy: &Policy,
        visitor: &mut dyn Visitor,
    ) -> Result<(), SourceError> {
        let catalog = self.catalog().await?;
        let mut connection = self.reader().await?;
        let read = facts::uncovered(&mut connection, &catalog, policy, visitor).await;
        close(connection).await;
        read.map_err(self.failed("looking for copies"))
    }
}

/// There was more than one row.
struct NotOneValue;

/// Runs a statement of the steward's, read-only; its answer as text.
async fn check(
    connection: &mut PgConnection,
    sql: &str,
) -> Result<Result<Option<String>, NotOneValue>, sqlx::Error> {
    sqlx::raw_sql("BEGIN READ ONLY; SET LOCAL search_path = \"$user\", public, pg_catalog;")
        .execute(&mut *connection)
        .await?;
    let statement = sql.trim().trim_end_matches(';');
    // The line break ends a comment that the statement may close with.
    let wrapped =
        format!("SELECT answer.value::text FROM ({statement}\n) AS answer (value) LIMIT 2");
    let mut answers: Vec<Option<String>> =
        sqlx::query_scalar(AssertSqlSafe(wrapped)).fetch_all(connection).await?;
    Ok(if answers.len() > 1 { Err(NotOneValue) } else { Ok(answers.pop().flatten()) })
}
