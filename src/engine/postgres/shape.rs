//! The types of a table's columns, as statements have to write them; and whether they are still so.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::catalog::table_name;
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
    /// The type below all domains, without its width: a value of it is what the column holds,
    /// neither checked nor cut.
    key_type: String,
    /// The schema of the operators by which its index sorts; `None` where it is the server's own.
    /// Without it a type of an extension would be compared as the text that it can be cast to.
    operators: Option<String>,
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
                pg_catalog.format_type(a.atttypid, a.atttypmod), t.typcategory = 'S',
                pg_catalog.format_type(base.oid, -1),
                (SELECT n.nspname::text FROM pg_catalog.pg_opclass oc
                 JOIN pg_catalog.pg_am am ON am.oid = oc.opcmethod AND am.amname = 'btree'
                 JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily
                     AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
                     AND ao.amopstrategy = 5
                 JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
                 JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
                 WHERE oc.opcdefault AND oc.opcintype = base.oid AND n.nspname <> 'pg_catalog')
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            CROSS JOIN LATERAL (
                WITH RECURSIVE down (oid, kind, below) AS (
                    SELECT t.oid, t.typtype, t.typbasetype
                    UNION ALL
                    SELECT b.oid, b.typtype, b.typbasetype
                    FROM down JOIN pg_catalog.pg_type b ON b.oid = down.below
                    WHERE down.kind = 'd')
                SELECT down.oid FROM down WHERE down.kind <> 'd') AS base
            WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
            ORDER BY a.attnum";
        let rows =
            sqlx::query(SQL).bind(schema_of(table)).bind(&table.name).fetch_all(connection).await?;
        let column = |row: &sqlx::postgres::PgRow| {
            Ok(ColumnShape {
                name: row.try_get(0)?,
                type_name: row.try_get(1)?,
                takes_text: row.try_get(2)?,
                key_type: row.try_get(3)?,
                operators: row.try_get(4)?,
            })
        };
        Ok(Self { columns: rows.iter().map(column).collect::<Result<_, sqlx::Error>>()? })
    }

    fn column(&self, name: &str) -> Result<&ColumnShape, sqlx::Error> {
        self.columns
            .iter()
            .find(|column| column.name == name)
            .ok_or_else(|| sqlx::Error::Protocol("a column of the run is gone".to_owned()))
    }

    /// A text as a value to compare a key with.
    pub(super) fn key(&self, column: &str, text: &str) -> Result<String, sqlx::Error> {
        Ok(format!("({text})::{}", self.column(column)?.key_type))
    }

    /// The operator of this name by which the index over a key sorts.
    pub(super) fn operator(&self, column: &str, name: &str) -> Result<String, sqlx::Error> {
        Ok(match &self.column(column)?.operators {
            Some(schema) => format!("OPERATOR({}.{name})", quoted(schema)?),
            None => name.to_owned(),
        })
    }

    /// Whether all these keys are sorted by operators of the server's own.
    pub(super) fn is_plain(&self, columns: &[String]) -> Result<bool, sqlx::Error> {
        for column in columns {
            if self.column(column)?.operators.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A text as a value of a column's type.
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
