//! The types of a table's columns, as statements have to write them; and whether they are still so.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};
use std::borrow::Cow;
use std::sync::Arc;

use super::catalog::table_name;
use super::error::moved;
use super::walk::WalkPace;
use crate::catalog::postgres::DEFAULT_SCHEMA;
use crate::engine::ident::{IdentError, quote, quote_table};
use crate::policy::TableName;
use crate::value::{Original, ValueType};

/// What statements have to know of a table.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    columns: Vec<ColumnShape>,
    /// An UPDATE of the table may run what somebody wrote, who named things without their schema:
    /// triggers, rules, row security, functions in checks, indexes and generated columns.
    pub(super) runs_theirs: bool,
    /// How its rows are read, as those before them tell.
    pub(super) pace: Arc<WalkPace>,
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
    /// Bytes travel as hexadecimal digits.
    is_bytes: bool,
    /// Blanks at its end are its own, although a cast to text takes them for filling: `bpchar` without
    /// a length.
    keeps_blanks: bool,
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
    pub(super) fn told(self, cell: &Original) -> Result<Cow<'_, str>, sqlx::Error> {
        match self {
            Self::Text => cell
                .as_text()
                .map(Cow::Borrowed)
                .ok_or_else(|| sqlx::Error::Protocol("a cell is not text".to_owned())),
            Self::Bytes => Ok(Cow::Owned(data_encoding::HEXLOWER.encode(cell.expose()))),
        }
    }
}

/// Whether an UPDATE of the table `c` may run what is not the server's own. A type that somebody made
/// may be a domain with a check, whose functions are not looked for: each counts.
// language=PostgreSQL
const RUNS_THEIRS: &str = "(c.relhasrules OR c.relrowsecurity
    OR EXISTS (SELECT FROM pg_catalog.pg_trigger g
               WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D'
                 AND (NOT g.tgisinternal OR (g.tgparentid <> 0 AND g.tgconstraint = 0)))
    OR EXISTS (SELECT FROM pg_catalog.pg_attribute u
               JOIN pg_catalog.pg_type ut ON ut.oid = u.atttypid
               WHERE u.attrelid = c.oid AND u.attnum > 0 AND NOT u.attisdropped
                 AND u.atttypid >= 16384 AND ut.typtype <> 'e')
    OR EXISTS (SELECT FROM (
                   SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
                   FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid
                   UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
                   FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid
                   UNION ALL SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, f.oid
                   FROM pg_catalog.pg_attrdef f WHERE f.adrelid = c.oid) AS own (class, id)
               JOIN pg_catalog.pg_depend d ON d.classid = own.class AND d.objid = own.id
               WHERE d.refobjid >= 16384
                 AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
                                      'pg_catalog.pg_operator'::pg_catalog.regclass,
                                      'pg_catalog.pg_opclass'::pg_catalog.regclass)))";

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
                 WHERE oc.opcdefault AND oc.opcintype = base.oid AND n.nspname <> 'pg_catalog'),
                base.oid = 'pg_catalog.bytea'::pg_catalog.regtype,
                base.oid = 'pg_catalog.bpchar'::pg_catalog.regtype
                    AND a.atttypmod = -1 AND base.modifier = -1,
                c.runs_theirs
            FROM (SELECT c.oid, {theirs} AS runs_theirs FROM pg_catalog.pg_class c
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                  WHERE n.nspname = $1 AND c.relname = $2
                  -- Asked once, and not for each column.
                  OFFSET 0) AS c
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
            CROSS JOIN LATERAL (
                WITH RECURSIVE down (oid, kind, below, modifier) AS (
                    SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod
                    UNION ALL
                    SELECT b.oid, b.typtype, b.typbasetype,
                        CASE WHEN down.modifier <> -1 THEN down.modifier ELSE b.typtypmod END
                    FROM down JOIN pg_catalog.pg_type b ON b.oid = down.below
                    WHERE down.kind = 'd')
                SELECT down.oid, down.modifier FROM down WHERE down.kind <> 'd') AS base
            WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";
        let rows = sqlx::query(AssertSqlSafe(SQL.replace("{theirs}", RUNS_THEIRS)))
            .bind(schema_of(table))
            .bind(&table.name)
            .fetch_all(connection)
            .await?;
        let column = |row: &sqlx::postgres::PgRow| {
            Ok(ColumnShape {
                name: row.try_get(0)?,
                type_name: row.try_get(1)?,
                takes_text: row.try_get(2)?,
                key_type: row.try_get(3)?,
                operators: row.try_get(4)?,
                is_bytes: row.try_get(5)?,
                keeps_blanks: row.try_get(6)?,
            })
        };
        let runs_theirs = rows.first().map_or(Ok(true), |row| row.try_get(7))?;
        let columns = rows.iter().map(column).collect::<Result<_, sqlx::Error>>()?;
        Ok(Self { columns, runs_theirs, pace: Arc::default() })
    }

    /// Whether the columns are what they were.
    pub(super) fn is_still(&self, before: &Self) -> bool {
        self.columns == before.columns
    }

    fn column(&self, name: &str) -> Result<&ColumnShape, sqlx::Error> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(moved)
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

    /// Whether a text can be assigned to a column as it is.
    pub(super) fn takes_text(&self, column: &str) -> Result<bool, sqlx::Error> {
        Ok(self.column(column)?.takes_text)
    }

    /// Whether a column holds any text as it was assigned. Columns of other types may pad it, keep
    /// what it says in a form of their own, or, where they have a length, cut spaces off its end.
    pub(super) fn holds_text_as_it_is(&self, column: &str) -> Result<bool, sqlx::Error> {
        let shape = self.column(column)?;
        Ok(shape.takes_text && matches!(&*shape.type_name, "text" | "character varying"))
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
        if self.column(column)?.keeps_blanks {
            return Ok(format!("pg_catalog.textin(pg_catalog.bpcharout({name}))"));
        }
        Ok(match self.form(column)? {
            CellForm::Text => format!("{name}::text"),
            CellForm::Bytes => format!("pg_catalog.encode({name}, 'hex')"),
        })
    }

    /// How long a cell is as it travels, NULL for none. Of bytes and of most texts the server knows it
    /// without fetching what lies aside.
    pub(super) fn length(&self, column: &str, name: &str) -> Result<String, sqlx::Error> {
        Ok(match self.form(column)? {
            CellForm::Text if self.column(column)?.keeps_blanks => {
                format!("octet_length({name})::int8")
            }
            CellForm::Text => format!("octet_length({name}::text)::int8"),
            CellForm::Bytes => format!("2 * octet_length({name})::int8"),
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
