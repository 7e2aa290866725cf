//! Cuts the work into units: which tables are rewritten together, and in what kind of transaction.

use super::case::Case;
use super::groups;
use super::model::{Strategy, Unit, UnitColumn, UnitMode, UnitTable, Walk};
use super::walks;
use crate::catalog::Table;

/// Cuts the tables in scope into units, in the order of the policy.
///
/// A table is rewritten in ranges where its rows keep their key, its tokens stand out, and no
/// foreign key ties it to another; whatever falls short of that goes through one transaction.
pub(super) fn cut(case: &Case<'_>) -> Vec<Unit> {
    cut_for(case, case.strategy)
}

/// As [`cut`], as if another strategy were asked for.
pub(super) fn cut_for(case: &Case<'_>, strategy: Strategy) -> Vec<Unit> {
    let mut units = Vec::new();
    for tables in together(case) {
        let is_joined = tables.iter().any(|table| is_joined(case, table));
        let tables: Vec<UnitTable> =
            parents_first(tables).into_iter().filter_map(|table| unit_table(case, table)).collect();
        if tables.is_empty() {
            continue;
        }
        let keeps_ranges = tables.iter().all(|table| keeps_ranges(case, table));
        let in_ranges = keeps_ranges && !is_joined;
        units.push(Unit {
            id: u16::try_from(units.len()).unwrap_or(u16::MAX),
            mode: if in_ranges { UnitMode::Ranges } else { UnitMode::Window },
            strategy: if in_ranges { strategy } else { Strategy::InPlace },
            tables,
        });
    }
    units
}

/// Whether a table is rewritten for itself and in ranges.
pub(super) fn is_in_ranges(case: &Case<'_>, table: &Table) -> bool {
    !is_joined(case, table)
        && unit_table(case, table).is_some_and(|table| keeps_ranges(case, &table))
}

/// Whether a foreign key ties columns in scope of a table to another.
fn is_joined(case: &Case<'_>, table: &Table) -> bool {
    let of = |group: &groups::Group| group.columns.iter().any(|name| name.table == table.name);
    groups::find(case).iter().any(of)
}

/// Whether the rows of a table keep their key, and its tokens stand out.
fn keeps_ranges(case: &Case<'_>, table: &UnitTable) -> bool {
    matches!(table.walk, Walk::Key(_))
        && case.of_table(&table.table).all(super::case::InScope::is_recognisable)
}

/// The tables in scope, those of one foreign-key group in one set.
fn together<'a>(case: &Case<'a>) -> Vec<Vec<&'a Table>> {
    let groups = groups::find(case);
    let mut sets: Vec<Vec<&'a Table>> = Vec::new();
    for table in case.tables() {
        let is_joined = |other: &&Table| {
            groups.iter().any(|group| {
                [table, *other]
                    .iter()
                    .all(|table| group.columns.iter().any(|name| name.table == table.name))
            })
        };
        let (joined, apart): (Vec<_>, Vec<_>) =
            sets.into_iter().partition(|set| set.iter().any(is_joined));
        let mut set: Vec<&'a Table> = joined.into_iter().flatten().collect();
        set.push(table);
        sets = apart;
        sets.push(set);
    }
    sets
}

/// Orders tables so that a parent comes before its children, where there is no circle.
fn parents_first(mut waiting: Vec<&Table>) -> Vec<&Table> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |table: &&Table| {
            table.foreign_keys.iter().all(|key| {
                key.parent == table.name || waiting.iter().all(|other| other.name != key.parent)
            })
        };
        let next = waiting.iter().position(is_free).unwrap_or(0);
        ordered.push(waiting.remove(next));
    }
    ordered
}

fn unit_table(case: &Case<'_>, table: &Table) -> Option<UnitTable> {
    Some(UnitTable {
        table: table.name.clone(),
        walk: walks::choose(case, table)?,
        columns: case
            .of_table(&table.name)
            .map(|column| UnitColumn {
                rule: column.rule_at,
                column: column.column.name.clone(),
                domain: column.domain.clone(),
            })
            .collect(),
        rows: case.rows_of(&table.name),
        suppressed_triggers: case.suppressed(&table.name),
    })
}
