//! A window: the tables of a unit locked against writers, rewritten in one transaction.
//!
//! Foreign keys are never switched off: those between rewritten columns are made to wait for the
//! end of the transaction, are then checked by the server, and get their old timing back before
//! anybody else sees them.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::sync::OwnedMutexGuard;

use super::cursor;
use super::error::constraint;
use super::session::Session;
use super::shape::{qualified_parts, quoted, schema_of, table_sql};
use super::source::walk_once;
use super::statement::vanished;
use super::unseen;
use super::write::{Versions, rows, versions};
use crate::plan::UnitTable;
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
    /// Foreign keys that were made to wait: table and name.
    deferred: Vec<(String, String)>,
    /// The rows of the last read.
    versions: Versions,
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
                Ok(deferred) => return Ok(Self { session, deferred, versions: Versions::new() }),
                Err(error) => {
                    attempt += 1;
                    if session.may_try_again(&error, attempt).await.is_none() {
                        return Err(session.failed(error, "locking the tables of a unit"));
                    }
                }
            }
        }
    }
}

/// Locks all tables of a unit, and has their foreign keys wait.
async fn hold(
    session: &mut Session,
    tables: &[UnitTable],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    session.begin(BEGIN).await?;
    let names =
        tables.iter().map(|table| table_sql(&table.table)).collect::<Result<Vec<_>, _>>()?;
    // Writers wait, readers do not. All tables in one statement, in the order of the plan.
    let only: Vec<String> = names.iter().map(|name| format!("ONLY {name}")).collect();
    let lock = format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", only.join(", "));
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(session.within()?).await?;
    let mut deferred: Vec<(String, String)> = Vec::new();
    for table in tables {
        for key in immediate_keys(session, table).await? {
            if !deferred.contains(&key) {
                defer(session, &key, "DEFERRABLE INITIALLY DEFERRED").await?;
                deferred.push(key);
            }
        }
    }
    sqlx::raw_sql("SET CONSTRAINTS ALL DEFERRED").execute(session.within()?).await?;
    Ok(deferred)
}

/// Foreign keys over rewritten columns of a table, on either side, that cannot wait.
async fn immediate_keys(
    session: &mut Session,
    table: &UnitTable,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT n.nspname::text, c.relname::text, con.conname::text
        FROM pg_catalog.pg_constraint con
        JOIN pg_catalog.pg_class c ON c.oid = con.conrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE con.contype = 'f' AND NOT con.condeferrable AND con.conparentid = 0
          AND EXISTS (
            SELECT FROM pg_catalog.pg_class me
            JOIN pg_catalog.pg_namespace mine ON mine.oid = me.relnamespace
            JOIN pg_catalog.pg_attribute a ON a.attrelid = me.oid
            WHERE mine.nspname = $1 AND me.relname = $2 AND a.attname = ANY ($3)
              AND ((con.conrelid = me.oid AND a.attnum = ANY (con.conkey))
                OR (con.confrelid = me.oid AND a.attnum = ANY (con.confkey))))
        ORDER BY 1, 2, 3";
    let columns: Vec<&str> = table.columns.iter().map(|column| column.column.as_str()).collect();
    let rows = sqlx::query(SQL)
        .bind(schema_of(&table.table))
        .bind(&table.table.name)
        .bind(&columns)
        .fetch_all(session.within()?)
        .await?;
    rows.iter()
        .map(|row| {
            let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let owner = qualified_parts(&schema, &name)
                .map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            Ok((owner, row.try_get(2)?))
        })
        .collect()
}

async fn defer(
    session: &mut Session,
    (table, name): &(String, String),
    timing: &str,
) -> Result<(), sqlx::Error> {
    let sql = format!("ALTER TABLE {table} ALTER CONSTRAINT {} {timing}", quoted(name)?);
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(session.within()?).await?;
    Ok(())
}

#[async_trait]
impl SourceWindow for PostgresWindow {
    async fn walk(
        &mut self,
        table: &UnitTable,
        after: Option<&RowKey>,
        limit: Limit,
    ) -> Result<Vec<Row>, SourceError> {
        let read = walk_once(&mut self.session, table, after, None, limit, &WalkFilter::All).await;
        let read = read.map_err(|error| self.session.failed(error, "walking a table"))?;
        self.versions = versions(&read);
        Ok(read)
    }

    async fn write(
        &mut self,
        table: &UnitTable,
        writes: &[RowWrite],
    ) -> Result<Option<Rejection>, SourceError> {
        match rows(&mut self.session, table, &self.versions, writes).await {
            Ok(WriteOutcome::Written) => Ok(None),
            Ok(WriteOutcome::Rejected(rejection)) => Ok(Some(rejection)),
            Ok(WriteOutcome::Changed | WriteOutcome::LeaseLost) => Err(vanished()),
            Err(error) => match constraint(&error) {
                Some(reason) => Ok(Some(Rejection { key: None, reason })),
                None => Err(self.session.failed(error, "writing rows")),
            },
        }
    }

    async fn commit(mut self: Box<Self>, step: &Step) -> Result<WriteOutcome, SourceError> {
        let deferred = std::mem::take(&mut self.deferred);
        match finish(&mut self.session, step, &deferred).await {
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

/// Moves the cursor, has the foreign keys checked and put back, and commits.
async fn finish(
    session: &mut Session,
    step: &Step,
    deferred: &[(String, String)],
) -> Result<bool, sqlx::Error> {
    if !cursor::advance(session.within()?, step).await? {
        return Ok(false);
    }
    unseen::run(session.within()?, "SET CONSTRAINTS ALL IMMEDIATE").await?;
    for key in deferred {
        defer(session, key, "NOT DEFERRABLE").await?;
    }
    session.commit().await?;
    Ok(true)
}
