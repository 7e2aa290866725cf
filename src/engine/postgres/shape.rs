//! The types of a table's columns, as statements have to write them; and whether they are still so.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::catalog::table_name;
use super::error::inconsistent;
use crate::catalog::postgres::DEFAULT_SCHEMA;
use crate::engine::ident::{IdentError, quote, quote_table};
use crate::policy::TableName;

/// What statements have to know of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    columns: Vec<ColumnShape>,
}

/// The type of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnShape {
    name: String,
    /// The type as SQL writes it, quoted and schema-qualified by the server.
    type_name: String,
    /// Text goes into the column by assignment, which refuses what is too long; an explicit cast
    /// would cut it.
    takes_text: bool,
}

impl Shape {
    /// Reads the shape of a table.
    pub(super) async fn read(
        connection: &mut PgConnection,
        table: &TableName,
    ) -> Result<Self, sqlx::Error> {
        // language=PostgreSQL
        const SQL: &str = "SELECT a.attname::text,
                pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory = 'S'
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum";
        let rows =
            sqlx::query(SQL).bind(schema_of(table)).bind(&table.name).fetch_all(connection).await?;
        let column = |row: &sqlx::postgres::PgRow| {
            Ok(ColumnShape {
                name: row.try_get(0)?,
                type_name: row.try_get(1)?,
                takes_text: row.try_get(2)?,
            })
        };
        Ok(Self { columns: rows.iter().map(column).collect::<Result<_, sqlx::Error>>()? })
    }

    fn column(&self, name: &str) -> Result<&ColumnShape, sqlx::Error> {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .ok_or_else(|| inconsistent("a column of the run is gone"))
    }

    /// A text as a value of a column's type, to compare with the column.
    pub(super) fn cast(&self, column: &str, text: &str) -> Result<String, sqlx::Error> {
        Ok(format!("({text})::{}", self.column(column)?.type_name))
    }

    /// A text as a value that can be assigned to a column.
    pub(super) fn assign(&self, column: &str, text: &str) -> Result<String, sqlx::Error> {
        let shape = self.column(column)?;
        if shape.takes_text { Ok(text.to_owned()) } else { self.cast(column, text) }
    }
}

/// The schema that a table lies in.
pub(super) fn schema_of(table: &TableName) -> &str {
    table.schema.as_deref().unwrap_or(DEFAULT_SCHEMA)
}

/// The table with its schema, quoted.
pub(super) fn qualified(table: &TableName) -> Result<String, IdentError> {
    let whole = TableName { schema: Some(schema_of(table).to_owned()), name: table.name.clone() };
    quote_table(&whole)
}

/// The table that a schema and a name mean, quoted.
pub(super) fn qualified_parts(schema: &str, name: &str) -> Result<String, IdentError> {
    qualified(&table_name(schema, name))
}

/// Quotes a name for a statement, in the error type of the driver.
pub(super) fn quoted(name: &str) -> Result<String, sqlx::Error> {
    quote(name).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// As [`qualified`], in the error type of the driver.
pub(super) fn table_sql(table: &TableName) -> Result<String, sqlx::Error> {
    qualified(table).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}
