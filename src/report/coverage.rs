//! How much of each table a run treats, and what became of its cells.
//!
//! The rewrite counts by unit. A unit is one table, or several that are rewritten together: then
//! they share a line.

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::{CountPart, parts_of};
use super::evidence::Evidence;
use crate::plan::{ColumnPlan, Unit, UnitMode, UnitTable};

/// The cells of one table, or of several that were rewritten together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TableCoverage {
    /// The tables.
    pub tables: Vec<String>,
    /// How their rows are rewritten.
    pub mode: UnitMode,
    /// Their columns in scope.
    pub columns_in_scope: u64,
    /// All their columns; null where nobody counted.
    pub columns_all: Option<u64>,
    /// Rows that were visited; the plan's figure where none was yet.
    pub rows: u64,
    /// Cells in scope: visited, or the plan's figure.
    pub cells: u64,
    /// What became of them; by the plan's figures, what would.
    pub parts: Vec<CountPart>,
    /// Whether the rewrite counted, rather than the plan.
    pub is_counted: bool,
    /// Whether the parts add up to the cells; null where the rewrite has not counted.
    pub reconciles: Option<bool>,
}

pub(super) fn lines(evidence: &Evidence) -> Vec<TableCoverage> {
    evidence.plan.units.iter().map(|unit| line(evidence, unit)).collect()
}

fn line(evidence: &Evidence, unit: &Unit) -> TableCoverage {
    let tables: Vec<String> = unit.tables.iter().map(|table| table.table.to_string()).collect();
    let extent = evidence.plan.extent.as_ref();
    let columns_of = |table: &String| extent?.columns_of.get(table).copied();
    let counted = evidence.units.iter().find(|fact| fact.unit == unit.id).map(|fact| &fact.counts);
    let count = |name: &str| match counted {
        Some(counts) => counts.get(name).copied().unwrap_or_default(),
        None => planned(evidence, unit, name),
    };
    let parts = parts_of(count);
    let cells = match counted {
        Some(_) => count("cells"),
        None => parts.iter().map(|part| part.cells).sum(),
    };
    let sum: u128 = parts.iter().map(|part| u128::from(part.cells)).sum();
    TableCoverage {
        columns_in_scope: unit.tables.iter().map(|table| table.columns.len() as u64).sum(),
        columns_all: tables.iter().map(columns_of).sum(),
        tables,
        mode: unit.mode,
        rows: count("rows"),
        cells,
        parts,
        is_counted: counted.is_some(),
        reconciles: counted.map(|_| sum == u128::from(cells)),
    }
}

/// What the plan expects of a unit's cells, under the names that the rewrite counts by.
fn planned(evidence: &Evidence, unit: &Unit, name: &str) -> u64 {
    if name == "rows" {
        return unit.tables.iter().map(|table| table.rows).sum();
    }
    let of_table = |table: &UnitTable| -> u64 {
        let covers = |column: &&ColumnPlan| table.columns.iter().any(|c| c.rule == column.rule);
        let figure = |column: &ColumnPlan| match name {
            "tokenized" => column.cells.saturating_sub(column.token_shaped),
            "empty" => column.rows.saturating_sub(column.cells + column.nulls),
            "null" => column.nulls,
            "already_token" => column.token_shaped,
            _ => 0,
        };
        let columns = evidence.plan.columns.iter().filter(covers);
        columns.map(|column| part_of(figure(column), table.rows, column.rows)).sum()
    };
    unit.tables.iter().map(of_table).sum()
}

/// What falls on a table of a column's figure, where its rows are counted over several.
fn part_of(figure: u64, rows: u64, rows_all: u64) -> u64 {
    if rows == rows_all {
        return figure;
    }
    let part = u128::from(figure) * u128::from(rows) / u128::from(rows_all.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}
