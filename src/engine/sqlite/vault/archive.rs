//! A vault read out row by row, and put back from such rows.

use std::path::PathBuf;

use async_trait::async_trait;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use super::super::connect;
use super::super::error::vault_error;
use super::{format_of, migrate, unopened};
use crate::ports::{
    ARCHIVE_TABLES, ArchiveCell, ArchiveError, ArchiveSink, ArchiveTable, CellKind, VaultError,
    VaultRebuild,
};

/// Reads every table in one snapshot, over a connection of its own.
pub(super) async fn copy_out(
    path: &std::path::Path,
    url: &str,
    sink: &mut dyn ArchiveSink,
) -> Result<(), ArchiveError> {
    let failed = |error| vault_error(error, url, "reading it for a copy");
    let mut connection = connect::vault(path).await.map_err(failed)?;
    // Deferred, so that it waits for no writer; the first read fixes what it sees.
    sqlx::raw_sql("BEGIN DEFERRED").execute(&mut connection).await.map_err(failed)?;
    for (at, table) in ARCHIVE_TABLES.iter().enumerate() {
        let select = select(table);
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            sink.row(at, &cells(table, &row).map_err(failed)?)?;
        }
    }
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    Ok(())
}

fn names(table: &ArchiveTable) -> Vec<String> {
    table.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect()
}

fn select(table: &ArchiveTable) -> String {
    let names = names(table);
    format!(
        "SELECT {} FROM sealift_{} ORDER BY {}",
        names.join(", "),
        table.name,
        names[..table.keys].join(", ")
    )
}

fn cells(table: &ArchiveTable, row: &SqliteRow) -> Result<Vec<ArchiveCell>, sqlx::Error> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(at, (_, kind))| {
            Ok(match kind {
                CellKind::Number | CellKind::Flag => {
                    row.try_get::<Option<i64>, _>(at)?.map(ArchiveCell::Number)
                }
                CellKind::Text => row.try_get::<Option<String>, _>(at)?.map(ArchiveCell::Text),
                CellKind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map(ArchiveCell::Bytes),
            }
            .unwrap_or(ArchiveCell::Null))
        })
        .collect()
}

/// A vault that is put back; one transaction from the first row to the last.
pub struct SqliteRebuild {
    url: String,
    connection: SqliteConnection,
}

impl SqliteRebuild {
    /// Begins, in a new file or beside the tables of an existing one.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exists`] where the file holds a vault already; nothing is changed then.
    pub async fn begin(url: &str) -> Result<Self, VaultError> {
        let path: PathBuf =
            connect::path_of(url).ok_or_else(|| unopened(url, "it is not a `sqlite:` URL"))?;
        let mut connection = connect::new_vault(&path)
            .await
            .map_err(|error| VaultError::Open { url: url.to_owned(), source: Box::new(error) })?;
        if format_of(&mut connection, url).await.is_ok() {
            return Err(VaultError::Exists { url: url.to_owned() });
        }
        migrate(&mut connection, url).await?;
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await
            .map_err(|error| vault_error(error, url, "putting it back"))?;
        Ok(Self { url: url.to_owned(), connection })
    }
}

#[async_trait]
impl VaultRebuild for SqliteRebuild {
    async fn add(&mut self, table: usize, rows: Vec<Vec<ArchiveCell>>) -> Result<(), VaultError> {
        let table = &ARCHIVE_TABLES[table];
        let places = vec!["?"; table.columns.len()].join(", ");
        let insert = format!(
            "INSERT INTO sealift_{} ({}) VALUES ({places})",
            table.name,
            names(table).join(", ")
        );
        for row in rows {
            let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
            for cell in row {
                query = match cell {
                    ArchiveCell::Null => query.bind(None::<i64>),
                    ArchiveCell::Number(number) => query.bind(number),
                    ArchiveCell::Text(text) => query.bind(text),
                    ArchiveCell::Bytes(bytes) => query.bind(bytes),
                };
            }
            query
                .execute(&mut self.connection)
                .await
                .map_err(|error| vault_error(error, &self.url, "putting rows back"))?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), VaultError> {
        let failed = |error| vault_error(error, &self.url, "putting it back");
        sqlx::raw_sql("COMMIT").execute(&mut self.connection).await.map_err(failed)?;
        self.connection
            .close()
            .await
            .map_err(|error| vault_error(error, &self.url, "putting it back"))
    }
}
