//! What can go wrong in PostgreSQL and in no other engine; one file per pitfall.
//!
//! Everything here reads the fact sheets of [`crate::catalog::postgres`], and knows no database.

pub(super) use room::{Room, changes, room as room_of, whole_template};

use super::case::Case;
use super::model::Finding;
use crate::catalog::postgres::{PostgresCatalog, PostgresTable};
use crate::policy::TableName;
use crate::words::sql_name;

mod autovacuum;
mod event_trigger;
mod exclusion;
mod foreign_key_action;
mod full_text_column;
mod index_over_column;
mod inheritance;
mod log_of_changes;
mod open_transaction;
mod partitioned;
mod privileges;
mod publication;
mod recreated;
mod room;
mod row_security;
mod rule;
mod server_log;
mod server_state;
mod server_statistics;
mod trigger_function;
mod type_fit;
mod unlogged;
mod view_over_column;
mod wraparound;

/// The pitfalls, in the order of the findings.
pub(super) const PITFALLS: [fn(&Case<'_>) -> Vec<Finding>; 23] = [
    server_state::find,
    privileges::find,
    partitioned::find,
    inheritance::find,
    type_fit::find,
    recreated::find,
    row_security::find,
    rule::find,
    trigger_function::find,
    full_text_column::find,
    foreign_key_action::find,
    index_over_column::find,
    exclusion::find,
    view_over_column::find,
    publication::find,
    log_of_changes::find,
    event_trigger::find,
    server_log::find,
    server_statistics::find,
    unlogged::find,
    wraparound::find,
    autovacuum::find,
    open_transaction::find,
];

/// The facts of the tables in scope.
fn sheets<'a>(case: &Case<'a>) -> Vec<&'a PostgresTable> {
    let Some(postgres) = &case.catalog.postgres else { return Vec::new() };
    case.tables().into_iter().filter_map(|table| postgres.table(&table.name)).collect()
}

/// The facts of the database; empty for another engine.
fn facts<'a>(case: &Case<'a>) -> Option<&'a PostgresCatalog> {
    case.catalog.postgres.as_ref()
}

/// Whether a column is in scope, in its own table or in one below it: a partition, or an heir.
fn is_reached(case: &Case<'_>, table: &TableName, column: &str) -> bool {
    let is_below = |name: &TableName| case.catalog.above(name).contains(&table);
    case.covers(table, column)
        || case.tables().iter().any(|part| case.covers(&part.name, column) && is_below(&part.name))
}

/// The value of a setting.
fn setting<'a>(case: &Case<'a>, name: &str) -> Option<&'a str> {
    let settings = case.catalog.settings.iter();
    settings.filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).next()
}
