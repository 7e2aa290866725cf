//! What our own writes leave as it is: whether rows may be read beside them, and whether anybody
//! else has changed some since.
//!
//! Both hang on triggers, by which a write to one row changes others, and on `data_version`, which
//! moves with every commit of another connection and with none of our own. It knows no batches.

use sqlx::sqlite::SqliteConnection;

use super::write::data_version;

/// The version as of which another connection may read rows while this one writes others; `None`
/// where a write to one row may change another, or a reader would keep the write waiting.
///
/// **Invariant:** the version comes first. A trigger that is made after the look for one moves it.
pub(super) async fn may_read(
    connection: &mut SqliteConnection,
) -> Result<Option<i64>, sqlx::Error> {
    let version = data_version(connection).await?;
    let mode: String =
        sqlx::query_scalar("PRAGMA main.journal_mode").fetch_one(&mut *connection).await?;
    let may = mode.eq_ignore_ascii_case("wal") && !has_triggers(connection).await?;
    Ok(may.then_some(version))
}

/// Whether nobody else has committed since a version was read, and no write of ours can have touched
/// a row that it does not name.
pub(super) async fn is_untouched(
    connection: &mut SqliteConnection,
    version: i64,
) -> Result<bool, sqlx::Error> {
    let is_same = data_version(connection).await? == version;
    Ok(is_same && !has_triggers(connection).await?)
}

/// Whether the file has any trigger: what one of them does may fire the next, in another table.
async fn has_triggers(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // language=SQLite
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'trigger')")
        .fetch_one(connection)
        .await
}
