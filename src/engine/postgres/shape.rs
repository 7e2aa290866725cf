//! The types of a table's columns, as statements have to write them; and whether they are still so.

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use super::catalog::table_name;
use super::error::moved;
use crate::catalog::postgres::DEFAULT_SCHEMA;
use crate::engine::ident::{IdentError, quote, quote_table};
use crate::policy::TableName;
use crate::value::{Original, ValueType};

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
    /// Bytes travel as hexadecimal digits.
    is_bytes: bool,
}

/// How a cell travels between the server and us: always as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellForm {
    /// As the text of its type.
    Text,
    /// As hexadecimal digits. Bytes that are text are text for us, so that a token in a column of
    /// bytes is one like any other; the bytes are the same either way.
    Bytes,
}

impl CellForm {
    /// A cell as it came.
    pub(super) fn original(self, told: &str) -> Result<Original, sqlx::Error> {
        if self == Self::Text {
            return Ok(Original::text(told));
        }
        let bytes = data_encoding::HEXLOWER
            .decode(told.as_bytes())
            .map_err(|_| sqlx::Error::Protocol("bytes of a cell cannot be read".to_owned()))?;
        let is_text = !bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok();
        Ok(Original::new(if is_text { ValueType::Text } else { ValueType::Blob }, bytes))
    }

    /// A cell as it goes.
    pub(super) fn told(self, cell: &Original) -> Result<String, sqlx::Error> {
        match self {
            Self::Text => cell
                .as_text()
                .map(str::to_owned)
                .ok_or_else(|| sqlx::Error::Protocol("a cell is not text".to_owned())),
            Self::Bytes => Ok(data_encoding::HEXLOWER.encode(cell.expose())),
        }
    }
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
                'pg_catalog.bytea'::pg_catalog.regtype IN (t.oid, t.typbasetype)
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
                is_bytes: row.try_get(3)?,
            })
        };
        Ok(Self { columns: rows.iter().map(column).collect::<Result<_, sqlx::Error>>()? })
    }

    fn column(&self, name: &str) -> Result<&ColumnShape, sqlx::Error> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(moved)
    }

    /// A text as a value of a column's type, to compare with the column.
    pub(super) fn cast(&self, column: &str, text: &str) -> Result<String, sqlx::Error> {
        Ok(format!("({text})::{}", self.column(column)?.type_name))
    }

    /// As [`cast`](Self::cast), to a type of any length: what a constraint says of a token is asked
    /// apart from whether the column has room for it.
    pub(super) fn cast_uncut(&self, column: &str, text: &str) -> Result<String, sqlx::Error> {
        let declared = &self.column(column)?.type_name;
        let uncut = match declared.split_once('(') {
            Some(("character", rest)) if rest.ends_with("[]") => "bpchar[]",
            Some(("character varying", rest)) if rest.ends_with("[]") => "text[]",
            Some(("character", _)) => "bpchar",
            Some(("character varying", _)) => "text",
            _ => declared,
        };
        Ok(format!("({text})::{uncut}"))
    }

    /// A text as a value that can be assigned to a column.
    pub(super) fn assign(&self, column: &str, text: &str) -> Result<String, sqlx::Error> {
        let shape = self.column(column)?;
        if shape.takes_text {
            Ok(text.to_owned())
        } else if shape.is_bytes {
            Ok(format!("pg_catalog.decode({text}, 'hex')"))
        } else {
            self.cast(column, text)
        }
    }

    /// A cell as it travels: what [`CellForm`] reads and writes. `name` is the column, quoted, with
    /// whatever stands before it.
    pub(super) fn told(&self, column: &str, name: &str) -> Result<String, sqlx::Error> {
        Ok(match self.form(column)? {
            CellForm::Text => format!("{name}::text"),
            CellForm::Bytes => format!("pg_catalog.encode({name}, 'hex')"),
        })
    }

    /// A cell as text in which a token reads as itself.
    pub(super) fn shown(&self, column: &str, name: &str) -> Result<String, sqlx::Error> {
        Ok(match self.form(column)? {
            CellForm::Text => format!("{name}::text"),
            CellForm::Bytes => format!("pg_catalog.encode({name}, 'escape')"),
        })
    }

    /// How cells of a column travel.
    pub(super) fn form(&self, column: &str) -> Result<CellForm, sqlx::Error> {
        let is_bytes = self.column(column)?.is_bytes;
        Ok(if is_bytes { CellForm::Bytes } else { CellForm::Text })
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
