//! Rows of a backup in a PostgreSQL database: every column as text, in the words of the source.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::connect::{Address, close};
use super::error::{open_error, source_error};
use crate::engine::ident::{IdentError, quote, quote_list, quote_table};
use crate::policy::TableName;
use crate::ports::{Row, Scratch, ScratchError, ScratchTable, SourceError};
use crate::value::ValueType;

/// Rows of one statement.
const ROWS: usize = 1_000;

/// A database that takes rows of a backup.
pub struct PostgresScratch {
    connection: PgConnection,
    shown: String,
}

impl PostgresScratch {
    /// Logs in and begins.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where the server does not let us in.
    pub async fn begin(url: &str) -> Result<Self, SourceError> {
        let address = Address::parse(url).map_err(|error| SourceError::Open {
            url: "postgres:".to_owned(),
            source: Box::new(error),
        })?;
        let shown = address.shown().to_owned();
        let mut connection =
            address.open().await.map_err(|error| open_error(error, &shown))?.connection;
        let failed = |error| source_error(error, &shown, "beginning to write a backup");
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.map_err(failed)?;
        Ok(Self { connection, shown })
    }

    fn failed(&self, error: sqlx::Error) -> SourceError {
        source_error(error, &self.shown, "writing a backup")
    }

    async fn run(&mut self, sql: String) -> Result<(), SourceError> {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection).await;
        done.map(|_| ()).map_err(|error| self.failed(error))
    }
}

/// The table there; one without a schema lies where tables usually do.
fn place(table: &ScratchTable) -> TableName {
    let schema = table.table.schema.clone().unwrap_or_else(|| "public".to_owned());
    TableName { schema: Some(schema), name: table.table.name.clone() }
}

fn unsound(error: IdentError) -> SourceError {
    SourceError::Engine { doing: "naming a table", source: Box::new(error) }
}

#[async_trait]
impl Scratch for PostgresScratch {
    async fn table(&mut self, table: &ScratchTable) -> Result<(), ScratchError> {
        let place = place(table);
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = $1 AND c.relname = $2)",
        )
        .bind(place.schema.as_deref().unwrap_or_default())
        .bind(&place.name)
        .fetch_one(&mut self.connection)
        .await
        .map_err(|error| self.failed(error))?;
        if there {
            let table = place.to_string();
            return Err(ScratchError::Exists { place: self.shown.clone(), table });
        }
        if let Some(schema) = &place.schema {
            self.run(format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema).map_err(unsound)?))
                .await?;
        }
        let mut parts = Vec::new();
        for column in table.keys.iter().chain(&table.columns) {
            parts.push(format!("{} text", quote(column).map_err(unsound)?));
        }
        if table.is_unique {
            let keys = quote_list(table.keys.iter().map(String::as_str)).map_err(unsound)?;
            parts.push(format!("PRIMARY KEY ({keys})"));
        }
        let name = quote_table(&place).map_err(unsound)?;
        self.run(format!("CREATE TABLE {name} ({})", parts.join(", "))).await?;
        Ok(())
    }

    async fn put(&mut self, table: &ScratchTable, rows: &[Row]) -> Result<(), ScratchError> {
        let name = quote_table(&place(table)).map_err(unsound)?;
        let width = table.keys.len() + table.columns.len();
        for rows in rows.chunks(ROWS) {
            let mut columns: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(rows.len()); width];
            for row in rows {
                let keys = row.key.0.iter().take(table.keys.len());
                let keys = keys.map(|part| Some((part.kind, part.bytes.as_slice())));
                let cells = row.cells.iter();
                let cells =
                    cells.map(|cell| cell.as_ref().map(|cell| (cell.kind(), cell.expose())));
                for (column, value) in columns.iter_mut().zip(keys.chain(cells)) {
                    let unfit = || ScratchError::Unfit { table: table.table.to_string() };
                    let text = match value {
                        Some((kind, bytes)) => Some(text_of(kind, bytes).ok_or_else(unfit)?),
                        None => None,
                    };
                    column.push(text);
                }
            }
            let marks: Vec<String> = (1..=width).map(|at| format!("${at}::text[]")).collect();
            // Without its schema: only so the server takes several arrays side by side. Nothing but
            // `pg_catalog` is on the search path.
            let sql = format!("INSERT INTO {name} SELECT * FROM unnest({})", marks.join(", "));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for column in columns {
                query = query.bind(column);
            }
            query.execute(&mut self.connection).await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ScratchError> {
        self.run("COMMIT".to_owned()).await?;
        close(self.connection).await;
        Ok(())
    }
}

/// A value as PostgreSQL writes it; `None` for text that it cannot hold.
fn text_of(kind: ValueType, bytes: &[u8]) -> Option<String> {
    let number = || <[u8; 8]>::try_from(bytes).ok();
    match kind {
        ValueType::Text => {
            std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).map(str::to_owned)
        }
        ValueType::Integer => Some(i64::from_be_bytes(number()?).to_string()),
        ValueType::Real => Some(f64::from_bits(u64::from_be_bytes(number()?)).to_string()),
        ValueType::Blob => Some(format!("\\x{}", data_encoding::HEXLOWER.encode(bytes))),
    }
}
