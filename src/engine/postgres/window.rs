//! A window: the tables of a unit locked against writers, rewritten in one transaction.
//!
//! Readers go on, but for tables whose foreign keys have to be changed meanwhile: there everybody
//! waits. See [`foreign_keys`].

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use tokio::sync::OwnedMutexGuard;

use super::cursor::{self, Beside};
use super::error::constraint;
use super::foreign_keys::{self, ForeignKey};
use super::session::Session;
use super::shape::table_sql;
use super::statement::vanished;
use super::unseen;
use super::walk::{self, Reading, is_by_place};
use super::write::{Guarded, Versions, look_where_triggers_look, note_writers, rows, versions};
use crate::plan::UnitTable;
use crate::policy::TableName;
use crate::ports::{
    Limit, Rejection, Row, RowWrite, SourceError, SourceWindow, Step, WalkFilter, WriteOutcome,
};
use crate::value::RowKey;

/// How a window begins: it may lie idle while tokens are derived, for as long as that takes.
// language=PostgreSQL
const BEGIN: &str = "SET LOCAL idle_in_transaction_session_timeout = '10min';
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
    SET LOCAL enable_seqscan = off;";

/// The source with the tables of a unit under their lock.
pub(super) struct PostgresWindow {
    session: OwnedMutexGuard<Session>,
    /// Foreign keys that are not as they were.
    loosened: Vec<ForeignKey>,
    /// The rows of the last read.
    versions: Versions,
    /// Rows that were written, of tables without a key.
    written: HashMap<TableName, u64>,
}

impl PostgresWindow {
    /// Takes the lock.
    pub(super) async fn open(
        mut session: OwnedMutexGuard<Session>,
        tables: &[UnitTable],
    ) -> Result<Self, SourceError> {
        let mut attempt = 0;
        loop {
            match hold(&mut session, tables).await {
                Ok(loosened) => {
                    let (versions, written) = (Versions::new(), HashMap::new());
                    return Ok(Self { session, loosened, versions, written });
                }
                Err(error) => {
                    attempt += 1;
                    if session.may_try_again(&error, attempt).await.is_none() {
                        return Err(session.failed(error, "locking the tables of a unit"));
                    }
                }
            }
        }
    }

    /// At the end of a table without a key: what this transaction has written has to be what was
    /// read, row for row. A row that a trigger wrote was passed over.
    async fn nothing_was_passed_over(&mut self, table: &UnitTable) -> Result<(), SourceError> {
        let counted = match self.session.within() {
            Ok(connection) => walk::written(connection, &table.table).await,
            Err(error) => Err(error),
        };
        let counted = counted.map_err(|error| self.session.failed(error, "counting rows"))?;
        let known = self.written.get(&table.table).copied().unwrap_or_default();
        if counted == known { Ok(()) } else { Err(vanished(table)) }
    }
}

/// Locks all tables of a unit, and loosens their foreign keys.
async fn hold(session: &mut Session, tables: &[UnitTable]) -> Result<Vec<ForeignKey>, sqlx::Error> {
    session.begin(BEGIN).await?;
    let keys = foreign_keys::find(session.within()?, tables).await?;
    let alone: Vec<&str> = keys.iter().flat_map(ForeignKey::tables).collect();
    // Writers wait, readers do not, unless a foreign key is changed: then its tables are taken for
    // us alone at once. Whoever asks for more later, beside readers who do the same, is deadlocked.
    for table in tables {
        let name = table_sql(&table.table)?;
        let mode =
            if alone.contains(&name.as_str()) { "ACCESS EXCLUSIVE" } else { "SHARE ROW EXCLUSIVE" };
        let lock = format!("LOCK TABLE ONLY {name} IN {mode} MODE");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(session.within()?).await?;
    }
    // Under the lock nobody changes them any more.
    let keys = foreign_keys::find(session.within()?, tables).await?;
    foreign_keys::loosen(session.within()?, &keys).await?;
    sqlx::raw_sql("SET CONSTRAINTS ALL DEFERRED").execute(session.within()?).await?;
    Ok(keys)
}

#[async_trait]
impl SourceWindow for PostgresWindow {
    async fn walk(
        &mut self,
        table: &UnitTable,
        after: Option<&RowKey>,
        limit: Limit,
    ) -> Result<Vec<Row>, SourceError> {
        let filter = &WalkFilter::All;
        let reading = Reading { after, upto: None, limit, filter, leaves_own: true };
        let read = within(&mut self.session, table, reading).await;
        let read = read.map_err(|error| self.session.failed(error, "walking a table"))?;
        self.versions = versions(&read);
        if read.is_empty() && is_by_place(table) {
            self.nothing_was_passed_over(table).await?;
        }
        Ok(read)
    }

    async fn write(
        &mut self,
        table: &UnitTable,
        writes: &[RowWrite],
    ) -> Result<Option<Rejection>, SourceError> {
        let guarded: Option<Vec<Guarded<'_>>> =
            writes.iter().map(|write| Some((write, self.versions.get(&write.key)?))).collect();
        // A row that was not read has nothing to guard it by.
        let Some(guarded) = guarded else { return Err(vanished(table)) };
        match rows(&mut self.session, table, &guarded).await {
            Ok(WriteOutcome::Written) => {
                *self.written.entry(table.table.clone()).or_default() += writes.len() as u64;
                Ok(None)
            }
            Ok(WriteOutcome::Rejected(rejection)) => Ok(Some(rejection)),
            Ok(WriteOutcome::Changed | WriteOutcome::LeaseLost) => Err(vanished(table)),
            Err(error) => match constraint(&error) {
                Some(reason) => Ok(Some(Rejection { key: None, reason })),
                None => Err(self.session.failed(error, "writing rows")),
            },
        }
    }

    async fn commit(mut self: Box<Self>, step: &Step) -> Result<WriteOutcome, SourceError> {
        let loosened = std::mem::take(&mut self.loosened);
        match finish(&mut self.session, step, &loosened).await {
            Ok(true) => Ok(WriteOutcome::Written),
            Ok(false) => {
                self.session.roll_back().await;
                Ok(WriteOutcome::LeaseLost)
            }
            Err(error) => {
                self.session.roll_back().await;
                match constraint(&error) {
                    Some(reason) => Ok(WriteOutcome::Rejected(Rejection { key: None, reason })),
                    // The outcome may be unknown. The cursor tells the next one who comes.
                    None => Err(self.session.failed(error, "finishing a window")),
                }
            }
        }
    }

    async fn abandon(mut self: Box<Self>) -> Result<(), SourceError> {
        self.session.roll_back().await;
        Ok(())
    }
}

/// Reads rows inside the transaction of a window.
async fn within(
    session: &mut Session,
    table: &UnitTable,
    reading: Reading<'_>,
) -> Result<Vec<Row>, sqlx::Error> {
    let shape = session.shape(&table.table).await?;
    walk::read(session.within()?, table, &shape, reading).await
}

/// Moves the cursor, has the foreign keys checked and put back, and commits.
async fn finish(
    session: &mut Session,
    step: &Step,
    loosened: &[ForeignKey],
) -> Result<bool, sqlx::Error> {
    if !cursor::advance(session.within()?, step).await? {
        return Ok(false);
    }
    note_writers(session, step, Beside::Anybody).await?;
    look_where_triggers_look(session.within()?).await?;
    // ORDER: what waits is checked first; a table with checks that wait cannot be altered.
    unseen::run(session.within()?, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    foreign_keys::fasten(session.within()?, loosened).await?;
    crate::run::crash::here("source.before_commit");
    session.commit().await?;
    Ok(true)
}
