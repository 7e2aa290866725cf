//! Rows of a backup in a SQLite file: as they were, type and bytes.

use std::path::Path;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection};

use super::connect::{kind_of, path_of, scratch};
use super::error::source_error;
use super::value::{bind, bind_cell, needs_cast};
use crate::engine::ident::{quote, quote_list};
use crate::ports::{Row, Scratch, ScratchError, ScratchTable, SourceError};

/// A file that takes rows of a backup.
pub struct SqliteScratch {
    connection: SqliteConnection,
    url: String,
}

impl SqliteScratch {
    /// Opens the file, or makes one that only its owner can read, and begins.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where it cannot be opened or written.
    pub async fn begin(url: &str) -> Result<Self, SourceError> {
        let open = |source| SourceError::Open { url: url.to_owned(), source };
        let path = path_of(url).ok_or_else(|| SourceError::Open {
            url: kind_of(url),
            source: "it is neither `sqlite:PATH` nor `postgres://…`".into(),
        })?;
        let mut connection =
            scratch(Path::new(&path)).await.map_err(|error| open(Box::new(error)))?;
        let failed = |error| source_error(error, url, "beginning to write a backup");
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.map_err(failed)?;
        Ok(Self { connection, url: url.to_owned() })
    }

    fn failed(&self, error: sqlx::Error) -> SourceError {
        source_error(error, &self.url, "writing a backup")
    }
}

/// The table's name there: SQLite has no schemas, so that one becomes part of the name.
fn name(table: &ScratchTable) -> String {
    match &table.table.schema {
        Some(schema) => format!("{schema}.{}", table.table.name),
        None => table.table.name.clone(),
    }
}

fn unsound(error: crate::engine::ident::IdentError) -> SourceError {
    SourceError::Engine { doing: "naming a table", source: Box::new(error) }
}

#[async_trait]
impl Scratch for SqliteScratch {
    async fn table(&mut self, table: &ScratchTable) -> Result<(), ScratchError> {
        let there: i64 =
            sqlx::query_scalar("SELECT count(*) FROM main.sqlite_schema WHERE name = ?")
                .bind(name(table))
                .fetch_one(&mut self.connection)
                .await
                .map_err(|error| self.failed(error))?;
        if there > 0 {
            return Err(ScratchError::Exists { place: self.url.clone(), table: name(table) });
        }
        // Without a declared type a value keeps its own.
        let columns = table.keys.iter().chain(&table.columns).map(String::as_str);
        let mut parts = quote_list(columns).map_err(unsound)?;
        if table.is_unique {
            let keys = quote_list(table.keys.iter().map(String::as_str)).map_err(unsound)?;
            parts = format!("{parts}, PRIMARY KEY ({keys})");
        }
        let sql = format!("CREATE TABLE main.{} ({parts})", quote(&name(table)).map_err(unsound)?);
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.connection)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }

    async fn put(&mut self, table: &ScratchTable, rows: &[Row]) -> Result<(), ScratchError> {
        for row in rows {
            let mut arguments = SqliteArguments::default();
            let mut marks = Vec::with_capacity(table.keys.len() + row.cells.len());
            for part in row.key.0.iter().take(table.keys.len()) {
                marks.push(mark(needs_cast(part.kind, &part.bytes)));
                bind(&mut arguments, part.kind, &part.bytes).map_err(|error| self.failed(error))?;
            }
            for cell in &row.cells {
                let casts =
                    cell.as_ref().is_some_and(|cell| needs_cast(cell.kind(), cell.expose()));
                marks.push(mark(casts));
                bind_cell(&mut arguments, cell.as_ref()).map_err(|error| self.failed(error))?;
            }
            let sql = format!(
                "INSERT INTO main.{} VALUES ({})",
                quote(&name(table)).map_err(unsound)?,
                marks.join(", ")
            );
            sqlx::query_with(AssertSqlSafe(sql), arguments)
                .execute(&mut self.connection)
                .await
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ScratchError> {
        sqlx::raw_sql("COMMIT")
            .execute(&mut self.connection)
            .await
            .map_err(|error| self.failed(error))?;
        let url = self.url.clone();
        self.connection
            .close()
            .await
            .map_err(|error| source_error(error, &url, "closing the file"))?;
        Ok(())
    }
}

fn mark(casts: bool) -> &'static str {
    if casts { "CAST(? AS TEXT)" } else { "?" }
}
