//! Counts what the columns in scope hold: one pass over each table, and trials of its constraints.
//!
//! Judges nothing; `plan` says what the figures mean.
//!
//! **Invariant:** no original is kept: rows stream through a [`Counter`] one at a time, and no
//! statement here sorts, groups or writes, so that SQLite makes no temporary file of them.

use std::hash::RandomState;

use futures::TryStreamExt;
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Row, SqliteConnection, TypeInfo, ValueRef};

use super::check_trial;
use crate::catalog::{Catalog, Column, Table, TableKind};
use crate::engine::ident::{IdentError, quote, quote_table};
use crate::plan::{Counter, Facts, TableFacts};
use crate::policy::{ColumnRule, Policy, TableName};
use crate::value::ValueType;

/// The figures could not be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// A table could not be read.
    #[error("cannot count the rows of table `{table}`")]
    Read {
        /// Which table.
        table: TableName,
        /// What SQLite said.
        #[source]
        source: sqlx::Error,
    },
    /// A name of the catalog cannot be written into a statement.
    #[error("cannot ask for a name of the catalog")]
    Name(#[from] IdentError),
}

/// Counts, for each table with a column in scope, what [`Facts`] asks for.
///
/// Names in the policy that the catalog does not have are left out; the plan reports them. The
/// connection's `temp_store` is set to memory.
///
/// # Errors
///
/// Returns [`FactsError`] where a table cannot be read.
pub async fn read(
    conn: &mut SqliteConnection,
    catalog: &Catalog,
    policy: &Policy,
    disk_free_bytes: Option<u64>,
) -> Result<Facts, FactsError> {
    let mut facts = Facts { disk_free_bytes, ..Facts::default() };
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let rules: Vec<&ColumnRule> = policy
            .columns
            .iter()
            .filter(|rule| rule.name.table == table.name)
            .filter(|rule| table.column(&rule.name.column).is_some())
            .collect();
        if rules.is_empty() {
            continue;
        }
        let failed = |source| FactsError::Read { table: table.name.clone(), source };
        sqlx::query("PRAGMA temp_store = MEMORY").execute(&mut *conn).await.map_err(failed)?;
        facts.tables.push(count(conn, table, &rules).await?);
        facts.check_trials.extend(check_trial::run(conn, table, &rules).await?);
    }
    Ok(facts)
}

async fn count(
    conn: &mut SqliteConnection,
    table: &Table,
    rules: &[&ColumnRule],
) -> Result<TableFacts, FactsError> {
    let failed = |source| FactsError::Read { table: table.name.clone(), source };
    let keys: Vec<&Column> = table
        .columns
        .iter()
        .filter(|column| column.primary_key.is_some() && !column.rowid_alias)
        .filter(|column| rules.iter().all(|rule| rule.name.column != column.name))
        .collect();

    let mut wanted = Vec::new();
    for rule in rules {
        wanted.push(quote(&rule.name.column)?);
    }
    for key in &keys {
        wanted.push(format!("{} IS NULL", quote(&key.name)?));
    }
    let sql = format!("SELECT {} FROM {}", wanted.join(", "), quote_table(&table.name)?);

    let mut counters: Vec<Counter<RandomState>> =
        rules.iter().map(|rule| Counter::new(rule, RandomState::new())).collect();
    let mut has_null = vec![false; keys.len()];
    let mut rows = 0_u64;
    let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(conn);
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        rows += 1;
        for (place, counter) in counters.iter_mut().enumerate() {
            observe(counter, &row, place).map_err(failed)?;
        }
        for (place, has_null) in has_null.iter_mut().enumerate() {
            *has_null |= row.try_get::<bool, _>(rules.len() + place).map_err(failed)?;
        }
    }
    Ok(TableFacts {
        table: table.name.clone(),
        rows,
        columns: counters.into_iter().map(Counter::finish).collect(),
        null_keys: keys
            .iter()
            .zip(has_null)
            .filter(|(_, has_null)| *has_null)
            .map(|(key, _)| key.name.clone())
            .collect(),
        parts: Vec::new(),
    })
}

fn observe(
    counter: &mut Counter<RandomState>,
    row: &SqliteRow,
    place: usize,
) -> Result<(), sqlx::Error> {
    let value: SqliteValueRef<'_> = row.try_get_raw(place)?;
    if value.is_null() {
        counter.observe_null();
        return Ok(());
    }
    match value.type_info().name() {
        "INTEGER" => {
            let number: i64 = row.try_get_unchecked(place)?;
            counter.observe(ValueType::Integer, &number.to_be_bytes());
        }
        "REAL" => {
            let number: f64 = row.try_get_unchecked(place)?;
            counter.observe(ValueType::Real, &number.to_bits().to_be_bytes());
        }
        // Text is taken as bytes, because SQLite does not insist that it is UTF-8.
        "TEXT" => counter.observe(ValueType::Text, row.try_get_unchecked::<&[u8], _>(place)?),
        _ => counter.observe(ValueType::Blob, row.try_get_unchecked::<&[u8], _>(place)?),
    }
    Ok(())
}
