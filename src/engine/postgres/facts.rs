//! Counts what the columns in scope hold: one pass over each table, and trials of its constraints.
//!
//! Judges nothing; `plan` says what the figures mean.
//!
//! **Invariant:** no original is kept: rows stream through a [`Counter`] one at a time, and no
//! statement here sorts, groups or writes, so that the server makes no temporary file of them.

use std::hash::RandomState;

use futures::TryStreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _, ValueRef as _};

use super::queries::MARK;
use super::shape::{quoted, table_sql};
use super::statement::original;
use super::{check_trial, queries};
use crate::catalog::{Catalog, Table, TableKind};
use crate::plan::{Counter, Facts, TableFacts};
use crate::policy::{ColumnName, ColumnRule, Policy};
use crate::ports::Visitor;
use crate::value::ValueType;

/// Counts, for each table with a column in scope, what [`Facts`] asks for.
///
/// Names in the policy that the catalog does not have are left out; the plan reports them.
pub(super) async fn read(
    connection: &mut PgConnection,
    catalog: &Catalog,
    policy: &Policy,
) -> Result<Facts, sqlx::Error> {
    let mut facts = Facts { queries: queries::read(connection).await?, ..Facts::default() };
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let rules: Vec<&ColumnRule> = policy
            .columns
            .iter()
            .filter(|rule| rule.name.table == table.name)
            .filter(|rule| table.column(&rule.name.column).is_some())
            // What the role may not read is found by the plan, in better words than an error.
            .filter(|rule| may_rewrite(catalog, table, &rule.name.column))
            .collect();
        if rules.is_empty() {
            continue;
        }
        facts.tables.push(count(connection, table, &rules).await?);
        facts.check_trials.extend(check_trial::run(connection, catalog, table, &rules).await?);
    }
    Ok(facts)
}

fn may_rewrite(catalog: &Catalog, table: &Table, column: &str) -> bool {
    let sheet = catalog.postgres.as_ref().and_then(|postgres| postgres.table(&table.name));
    sheet.and_then(|sheet| sheet.column(column)).is_some_and(|column| column.may_rewrite)
}

async fn count(
    connection: &mut PgConnection,
    table: &Table,
    rules: &[&ColumnRule],
) -> Result<TableFacts, sqlx::Error> {
    let wanted = rules
        .iter()
        .map(|rule| Ok(format!("{}::text", quoted(&rule.name.column)?)))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    let sql = format!("{MARK}SELECT {} FROM ONLY {}", wanted.join(", "), table_sql(&table.name)?);
    let mut counters: Vec<Counter<RandomState>> =
        rules.iter().map(|rule| Counter::new(rule, RandomState::new())).collect();
    let mut rows = 0_u64;
    let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    while let Some(row) = stream.try_next().await? {
        rows += 1;
        for (place, counter) in counters.iter_mut().enumerate() {
            if row.try_get_raw(place)?.is_null() {
                counter.observe_null();
            } else {
                counter.observe(ValueType::Text, row.try_get::<&str, _>(place)?.as_bytes());
            }
        }
    }
    Ok(TableFacts {
        table: table.name.clone(),
        rows,
        columns: counters.into_iter().map(Counter::finish).collect(),
        // A primary key of PostgreSQL holds no NULL.
        null_keys: Vec::new(),
    })
}

/// Shows every value of the columns of text that the policy leaves out.
pub(super) async fn uncovered(
    connection: &mut PgConnection,
    catalog: &Catalog,
    policy: &Policy,
    visitor: &mut dyn Visitor,
) -> Result<(), sqlx::Error> {
    let Some(postgres) = &catalog.postgres else { return Ok(()) };
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let Some(sheet) = postgres.table(&table.name) else { continue };
        let names: Vec<ColumnName> = sheet
            .columns
            .iter()
            .filter(|column| column.is_text() || column.is_json() || column.base_type == "uuid")
            // The plan has said what the role cannot read.
            .filter(|column| column.may_read)
            .map(|column| ColumnName { table: table.name.clone(), column: column.name.clone() })
            .filter(|name| !policy.columns.iter().any(|rule| rule.name == *name))
            .collect();
        if names.is_empty() {
            continue;
        }
        let wanted = names
            .iter()
            .map(|name| Ok(format!("{}::text", quoted(&name.column)?)))
            .collect::<Result<Vec<_>, sqlx::Error>>()?;
        let sql =
            format!("{MARK}SELECT {} FROM ONLY {}", wanted.join(", "), table_sql(&table.name)?);
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            for (at, name) in names.iter().enumerate() {
                if let Some(cell) = original(&row, at)? {
                    visitor.visit(name, &cell);
                }
            }
        }
    }
    Ok(())
}
