//! The statements by which a table is walked and rewritten. Names are quoted, values are bound.

use sqlx::Arguments;
use sqlx::sqlite::SqliteArguments;

use super::value;
use crate::engine::ident::{IdentError, quote, quote_table};
use crate::plan::{UnitTable, Walk};
use crate::ports::{Limit, RowWrite, WalkFilter};
use crate::value::{KeyPart, RowKey, ValueType};

/// A statement and what is bound to it.
pub(super) type Statement = (String, SqliteArguments);

/// Why a statement could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum StatementError {
    /// A name cannot be quoted.
    #[error(transparent)]
    Ident(#[from] IdentError),
    /// A value cannot be bound.
    #[error(transparent)]
    Bind(#[from] sqlx::Error),
}

/// The columns by which a table is walked, quoted.
fn keys(table: &UnitTable, rowid: &str) -> Result<Vec<String>, IdentError> {
    match &table.walk {
        Walk::Key(columns) | Walk::ScopedKey(columns) => columns.iter().map(|c| quote(c)).collect(),
        Walk::RowId => Ok(vec![rowid.to_owned()]),
    }
}

/// Reads keys and in-scope cells with `after < key ≤ upto`, in key order.
///
/// `rowid` is the name by which this table's row id is reached.
pub(super) fn walk(
    table: &UnitTable,
    rowid: &str,
    after: Option<&RowKey>,
    upto: Option<&RowKey>,
    limit: Limit,
    filter: &WalkFilter,
) -> Result<Statement, StatementError> {
    let keys = keys(table, rowid)?;
    let mut arguments = SqliteArguments::default();
    let mut wanted = keys.clone();
    for column in &table.columns {
        wanted.push(quote(&column.column)?);
    }
    let mut conditions = Vec::new();
    if let Some(after) = after {
        conditions.push(compare(&keys, ">", after, &mut arguments)?);
    }
    if let Some(upto) = upto {
        conditions.push(compare(&keys, "<=", upto, &mut arguments)?);
    }
    if let WalkFilter::Originals { run: _, globs, keeps_empty } = filter {
        conditions.push(originals(table, globs, keeps_empty, &mut arguments)?);
    }
    if let WalkFilter::Tokens { globs } = filter {
        conditions.push(tokens(table, globs, &mut arguments)?);
    }
    let condition =
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
    let rows = i64::try_from(limit.rows).unwrap_or(i64::MAX);
    arguments.add(rows).map_err(sqlx::Error::Encode)?;
    let sql = format!(
        "SELECT {} FROM main.{} WHERE {condition} ORDER BY {} LIMIT ?",
        wanted.join(", "),
        quote_table(&table.table)?,
        keys.join(", "),
    );
    Ok((sql, arguments))
}

/// Reads one row by its key.
pub(super) fn one(
    table: &UnitTable,
    rowid: &str,
    key: &RowKey,
) -> Result<Statement, StatementError> {
    let keys = keys(table, rowid)?;
    let mut arguments = SqliteArguments::default();
    let mut wanted = keys.clone();
    for column in &table.columns {
        wanted.push(quote(&column.column)?);
    }
    let condition = compare(&keys, "=", key, &mut arguments)?;
    let name = quote_table(&table.table)?;
    Ok((format!("SELECT {} FROM main.{name} WHERE {condition}", wanted.join(", ")), arguments))
}

fn compare(
    keys: &[String],
    operator: &str,
    key: &RowKey,
    arguments: &mut SqliteArguments,
) -> Result<String, sqlx::Error> {
    let mut marks = Vec::with_capacity(keys.len());
    for part in &key.0 {
        marks.push(part_mark(part));
        value::bind(arguments, part.kind, &part.bytes)?;
    }
    Ok(format!("({}) {operator} ({})", keys.join(", "), marks.join(", ")))
}

fn part_mark(part: &KeyPart) -> &'static str {
    if value::needs_cast(part.kind, &part.bytes) { "CAST(? AS TEXT)" } else { "?" }
}

/// True for a row with a cell that is an original by its shape.
fn originals(
    table: &UnitTable,
    globs: &[Option<String>],
    keeps_empty: &[bool],
    arguments: &mut SqliteArguments,
) -> Result<String, StatementError> {
    let mut any = Vec::new();
    for ((column, glob), keeps_empty) in table.columns.iter().zip(globs).zip(keeps_empty) {
        let Some(glob) = glob else { continue };
        let name = quote(&column.column)?;
        let kept = if *keeps_empty { format!(" AND {name} <> ''") } else { String::new() };
        any.push(format!(
            "({name} IS NOT NULL{kept} AND (typeof({name}) <> 'text' OR {name} NOT GLOB ?))"
        ));
        arguments.add(glob.clone()).map_err(sqlx::Error::Encode)?;
    }
    Ok(if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" OR ")) })
}

/// True for a row with a cell that is a token by its shape.
fn tokens(
    table: &UnitTable,
    globs: &[Option<String>],
    arguments: &mut SqliteArguments,
) -> Result<String, StatementError> {
    let mut any = Vec::new();
    for (column, glob) in table.columns.iter().zip(globs) {
        let Some(glob) = glob else { continue };
        let name = quote(&column.column)?;
        any.push(format!("(typeof({name}) = 'text' AND {name} GLOB ?)"));
        arguments.add(glob.clone()).map_err(sqlx::Error::Encode)?;
    }
    Ok(if any.is_empty() { "false".to_owned() } else { format!("({})", any.join(" OR ")) })
}

/// Rows that one `UPDATE` takes at most: a whole number of them fits SQLite's 32,766 parameters.
pub(super) fn rows_a_statement(table: &UnitTable) -> usize {
    let keys = match &table.walk {
        Walk::Key(columns) | Walk::ScopedKey(columns) => columns.len(),
        Walk::RowId => 1,
    };
    (32_000 / (keys + table.columns.len())).clamp(1, 500)
}

/// Writes the in-scope cells of some rows, found by their keys.
///
/// `OR FAIL`: a row that violates a constraint leaves the rows before it written, and whoever calls
/// rolls everything back. With `OR ABORT` SQLite would keep a copy of each page for this one
/// statement, and `ON CONFLICT REPLACE` of a table would delete a row.
pub(super) fn update(
    table: &UnitTable,
    rowid: &str,
    writes: &[RowWrite],
) -> Result<Statement, StatementError> {
    let mut arguments = SqliteArguments::default();
    let keys = keys(table, rowid)?;
    let mut rows = Vec::with_capacity(writes.len());
    for write in writes {
        let mut marks = Vec::with_capacity(keys.len() + write.cells.len());
        for part in &write.key.0 {
            marks.push(part_mark(part));
            value::bind(&mut arguments, part.kind, &part.bytes)?;
        }
        for cell in &write.cells {
            let cast = cell.as_ref().is_some_and(|cell| {
                cell.kind() == ValueType::Text && value::needs_cast(cell.kind(), cell.expose())
            });
            marks.push(if cast { "CAST(? AS TEXT)" } else { "?" });
            value::bind_cell(&mut arguments, cell.as_ref())?;
        }
        rows.push(format!("({})", marks.join(",")));
    }
    let mut sets = Vec::with_capacity(table.columns.len());
    for (place, column) in table.columns.iter().enumerate() {
        sets.push(format!("{} = new.column{}", quote(&column.column)?, keys.len() + place + 1));
    }
    let found: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(place, key)| format!("old.{key} = new.column{}", place + 1))
        .collect();
    let sql = format!(
        "UPDATE OR FAIL main.{} AS old SET {} FROM (VALUES {}) AS new WHERE {}",
        quote_table(&table.table)?,
        sets.join(", "),
        rows.join(","),
        found.join(" AND "),
    );
    Ok((sql, arguments))
}
