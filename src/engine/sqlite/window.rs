//! A window: the whole file under its write lock, a unit rewritten in one transaction.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::OwnedMutexGuard;

use super::cursor;
use super::error::source_error;
use super::session::{Guarded, begin, commit, roll_back};
use super::walk::walk;
use super::write::{data_version, write_rows};
use crate::plan::UnitTable;
use crate::ports::{
    Limit, Rejection, Row, RowWrite, SourceError, SourceWindow, Step, WalkFilter, WindowOutcome,
    WriteOutcome,
};
use crate::value::RowKey;

/// The source under its write lock.
pub(super) struct SqliteWindow {
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
        if !cursor::advance(connection, step).await.map_err(failed)? {
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

/// Takes the write lock, where nobody has committed since `version`.
pub(super) async fn open(
    mut guarded: OwnedMutexGuard<Guarded>,
    url: &str,
    version: Option<i64>,
) -> Result<(WindowOutcome, Option<Box<dyn SourceWindow>>), SourceError> {
    let failed = |doing| move |error| source_error(error, url, doing);
    begin(&mut guarded, url).await?;
    let now = data_version(&mut guarded.connection).await.map_err(failed("reading its version"))?;
    if version.is_some_and(|version| version != now) {
        roll_back(&mut guarded).await;
        return Ok((WindowOutcome::Changed, None));
    }
    let violations = foreign_key_violations(&mut guarded.connection)
        .await
        .map_err(failed("checking foreign keys"))?;
    let window = SqliteWindow { url: url.to_owned(), guarded, violations };
    Ok((WindowOutcome::Held, Some(Box::new(window))))
}

async fn foreign_key_violations(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM pragma_foreign_key_check").fetch_one(connection).await
}
