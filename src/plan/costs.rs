//! What each strategy would cost: time, write-ahead log, disk, locks.
//!
//! Reckoned from the sizes that the server tells and from rates that were measured, like the rest of
//! the estimate. Only PostgreSQL has two strategies.

use super::case::Case;
use super::estimates;
use super::model::{Strategy, StrategyCost};
use super::strategy;
use super::units;
use crate::catalog::EngineKind;

/// By how much a token is longer than the values that it mostly replaces.
const LONGER: u64 = 20;

/// A token that waits beside the place of its row, in a temporary table.
const WAITING_CELL: u64 = 40;

/// What a row has there beside its tokens.
const WAITING_ROW: u64 = 60;

/// What both strategies would cost; empty where there is only one.
pub(super) fn of(case: &Case<'_>) -> Vec<StrategyCost> {
    if case.catalog.engine != EngineKind::Postgres || case.columns.is_empty() {
        return Vec::new();
    }
    let size = Size::of(case);
    let (rows, indexes) = (size.row_bytes, size.index_bytes);
    let refused = strategy::refused(case)
        .into_iter()
        .map(|(table, fact)| format!("table {}: {fact}", table.name))
        .collect();
    vec![
        // Row versions and index entries, and the pages that are written in full once more.
        cost(case, Strategy::InPlace, Vec::new(), 2 * rows + 3 * indexes, rows + indexes),
        // Rows and indexes once each. The old files stay until the COMMIT, the stages are temporary.
        cost(case, Strategy::Rebuild, refused, rows + indexes, 2 * rows + indexes + size.waiting),
    ]
}

fn cost(
    case: &Case<'_>,
    strategy: Strategy,
    refused: Vec<String>,
    wal_bytes: u64,
    disk_bytes: u64,
) -> StrategyCost {
    let units = units::cut_for(case, strategy);
    let rewrite_ms = estimates::rewrite_ms(case, &units);
    let lock_ms = units.iter().map(|unit| estimates::lock_ms(case, unit)).max().unwrap_or(0);
    StrategyCost { strategy, refused, rewrite_ms, wal_bytes, disk_bytes, lock_ms }
}

/// The tables in scope as they will be.
struct Size {
    row_bytes: u64,
    index_bytes: u64,
    waiting: u64,
}

impl Size {
    fn of(case: &Case<'_>) -> Self {
        let mut size = Self { row_bytes: 0, index_bytes: 0, waiting: 0 };
        for table in case.tables() {
            let sheet = case.catalog.postgres.as_ref().and_then(|facts| facts.table(&table.name));
            let (rows, indexes) =
                sheet.map_or((0, 0), |sheet| (sheet.row_bytes, sheet.index_bytes));
            let count = case.rows_of(&table.name);
            let (mut cells, mut entries) = (0, 0);
            for column in case.of_table(&table.name) {
                let own = column.share_of(column.cells(), count);
                cells += own;
                entries += own * estimates::indexes_of(column);
            }
            size.row_bytes += rows + cells * LONGER;
            size.index_bytes += indexes + entries * LONGER;
            size.waiting += cells * WAITING_CELL + count * WAITING_ROW;
        }
        size
    }
}
