//! What a run would need: space from the formats, time from assumed rates.

use super::case::{Case, InScope};
use super::model::{Estimate, Unit, UnitMode};

/// Bytes beside the value in one backup entry: row key, lengths, encryption.
const BACKUP_ENTRY: u64 = 40;
/// Bytes of one entry of a token file: row key, keyed digest, token.
const TOKEN_FILE_ENTRY: u64 = 72;
/// Bytes beside the value in one vault entry: envelope (46), token, domain, segment, index.
const VAULT_ENTRY: u64 = 110;
/// Verification sorts a token and a digest for each cell of a kind that is not deterministic.
const BUCKET_ENTRY: u64 = 32;
/// The journal of a run in ranges is emptied as it goes; it stays below this.
const JOURNAL_RANGES_MAX: u64 = 64 << 20;

// Rates of one process on two ordinary cores, rounded down. They are said in the estimate, so that
// whoever reads a duration knows what it rests on.
const READ_CELLS_PER_S: u64 = 300_000;
const SEAL_ENTRIES_PER_S: u64 = 150_000;
const REWRITE_CELLS_PER_S: u64 = 100_000;
const VERIFY_CELLS_PER_S: u64 = 200_000;

/// Reckons what a run would need.
pub(super) fn reckon(case: &Case<'_>, units: &[Unit]) -> Estimate {
    let sum = |of: &dyn Fn(&InScope<'_>) -> u64| case.columns.iter().map(of).sum::<u64>();
    let cells = sum(&|c| c.cells());
    let entries = sum(&entries_of);
    let vault_bytes = sum(&|c| entries_bytes(c) + entries_of(c) * VAULT_ENTRY);
    let backup_bytes = sum(&|c| c.facts.bytes_total + c.cells() * BACKUP_ENTRY);
    let token_file_bytes = cells * TOKEN_FILE_ENTRY;
    let bucket_bytes = sum(&|c| if c.is_deterministic() { 0 } else { c.cells() * BUCKET_ENTRY });
    let in_window: u64 = units.iter().map(|unit| window_cells(case, unit)).max().unwrap_or(0);
    let has_window = units.iter().any(|unit| unit.mode == UnitMode::Window);
    let bytes = case.catalog.bytes;
    let journal_bytes = if has_window { bytes } else { bytes.min(JOURNAL_RANGES_MAX) };
    // `VACUUM` writes a copy of the file and then, page by page, the journal of the original.
    let purge_bytes = bytes.saturating_mul(2);
    let seconds = cells.div_ceil(READ_CELLS_PER_S)
        + entries.div_ceil(SEAL_ENTRIES_PER_S)
        + cells.div_ceil(REWRITE_CELLS_PER_S)
        + cells.div_ceil(VERIFY_CELLS_PER_S);
    Estimate {
        rows: case.tables().iter().filter_map(|t| case.facts.table(&t.name)).map(|t| t.rows).sum(),
        cells,
        entries,
        vault_bytes,
        backup_bytes,
        token_file_bytes,
        bucket_bytes,
        journal_bytes,
        purge_bytes,
        seconds,
        write_lock_seconds: in_window.div_ceil(REWRITE_CELLS_PER_S),
        disk_needed_bytes: vault_bytes
            + backup_bytes
            + token_file_bytes
            + bucket_bytes
            + journal_bytes.max(purge_bytes),
        assumptions: vec![
            format!("reading and backing up: {READ_CELLS_PER_S} cells a second"),
            format!("sealing into the vault: {SEAL_ENTRIES_PER_S} entries a second"),
            format!("rewriting: {REWRITE_CELLS_PER_S} cells a second, without a throttle"),
            format!("verifying: {VERIFY_CELLS_PER_S} cells a second"),
            "equal values of two columns count twice where they share a domain".to_owned(),
        ],
    }
}

/// Entries that the vault gains by a column: one a value, or one a cell.
fn entries_of(column: &InScope<'_>) -> u64 {
    if column.is_deterministic() {
        column.facts.distinct.min(column.cells())
    } else {
        column.cells()
    }
}

/// The sealed values of a column, as long as its values are on average.
fn entries_bytes(column: &InScope<'_>) -> u64 {
    let average = column.facts.bytes_total.checked_div(column.facts.types.total());
    average.unwrap_or_default() * entries_of(column)
}

fn window_cells(case: &Case<'_>, unit: &Unit) -> u64 {
    match unit.mode {
        UnitMode::Ranges => 0,
        UnitMode::Window => unit
            .tables
            .iter()
            .flat_map(|table| case.of_table(&table.table))
            .map(InScope::cells)
            .sum(),
    }
}
