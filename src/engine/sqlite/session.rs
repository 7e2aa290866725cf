//! The one connection on which a source is written, and its transactions.

use sqlx::sqlite::SqliteConnection;

use super::error::source_error;
use crate::ports::SourceError;

/// The connection, and whether a transaction was left open by a window that was dropped.
pub(super) struct Guarded {
    pub(super) connection: SqliteConnection,
    pub(super) is_open: bool,
}

/// Takes the write lock.
pub(super) async fn begin(guarded: &mut Guarded, url: &str) -> Result<(), SourceError> {
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut guarded.connection)
        .await
        .map_err(|error| source_error(error, url, "taking the write lock"))?;
    guarded.is_open = true;
    Ok(())
}

/// Ends the transaction of [`begin`].
pub(super) async fn commit(guarded: &mut Guarded, url: &str) -> Result<(), SourceError> {
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

/// Leaves the transaction, if there is one.
pub(super) async fn roll_back(guarded: &mut Guarded) {
    // A failed ROLLBACK means that SQLite has rolled back already.
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut guarded.connection).await;
    guarded.is_open = false;
}
