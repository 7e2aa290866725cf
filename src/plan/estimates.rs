//! What a run would need: space from the formats, time from rates that were measured.
//!
//! The rates are those of one process on two ordinary cores with a local disk, with the invented
//! shop of the demo at 10,000 and at 100,000 customers. They are said in the estimate, so that
//! whoever reads a duration knows what it rests on; what a run really took is put beside it
//! ([`super::actuals`]).

use super::case::{Case, InScope};
use super::model::{Estimate, PassTimes, Strategy, Unit, UnitMode, UnitTable};

// Bytes beside the values, from docs/FORMATS.md and the pages of a SQLite file.
/// One row in a backup file: row key, lengths.
const BACKUP_ROW: u64 = 18;
/// One cell in a backup file: what it is, its length, its share of the encryption.
const BACKUP_CELL: u64 = 10;
/// One row in a token file: row key, lengths.
const TOKEN_ROW: u64 = 18;
/// One token in a token file.
const TOKEN_CELL: u64 = 28;
/// The keyed digest beside a token that cannot be derived again.
const TOKEN_DIGEST: u64 = 16;
/// One entry in a stage file: envelope (46), token, domain, lengths.
const STAGE_ENTRY: u64 = 75;
/// One vault entry: envelope (46), token, domain, segment, its share of the page.
const VAULT_ENTRY: u64 = 88;
/// What verification sorts of an entry: domain, token, digest.
const BUCKET_ENTRY: u64 = 43;
/// What it sorts of a cell: domain, token, where the cell is; of a `random` token a digest too.
const BUCKET_CELL: u64 = 56;
/// The journal of a run in ranges is emptied as it goes; it stays below this.
const JOURNAL_RANGES_MAX: u64 = 64 << 20;

// Times, in nanoseconds.
/// What a pass takes however little there is to do: commits that reach the disk.
const PASS_NS: u64 = 10_000_000;
/// Reading a row and writing it into the backup.
const BACKUP_ROW_NS: u64 = 1_800;
/// Putting a value into the filter of the residue scan.
const FILTER_CELL_NS: u64 = 2_800;
/// Looking at one place where the scan met a value.
const HIT_NS: u64 = 2_300;
/// The control scan stops after about so many of them.
const CONTROL_HITS: u64 = 95_000;
/// Deriving and sealing a value.
const SEAL_CELL_NS: u64 = 1_800;
/// Merging a sealed value into the vault.
const LOAD_ENTRY_NS: u64 = 1_900;
/// Reading a row again, comparing it, writing it.
const REWRITE_ROW_NS: u64 = 6_000;
/// A token in a row.
const REWRITE_CELL_NS: u64 = 2_000;
/// A token in an index.
const REWRITE_INDEXED_NS: u64 = 4_000;
/// What a rebuild takes however few rows there are: some forty statements, two temporary tables.
const REBUILD_NS: u64 = 100_000_000;
/// Reading a row under the lock, and filling it into the table again.
const REBUILD_ROW_NS: u64 = 6_500;
/// A token on its way there.
const REBUILD_CELL_NS: u64 = 1_000;
/// A row in an index that is made anew.
const REBUILD_INDEXED_NS: u64 = 1_000;
/// Rows of a large batch; how many exactly a run finds out by itself.
const BATCH_ROWS: u64 = 12_000;
/// Opening a vault entry and deriving its token again.
const VERIFY_ENTRY_NS: u64 = 5_000;
/// Reading a row and its backup.
const VERIFY_ROW_NS: u64 = 2_000;
/// Comparing a cell.
const VERIFY_CELL_NS: u64 = 2_300;
/// Encrypting, decrypting or hashing a byte of a value, once per pass.
const BYTE_NS: u64 = 10;
/// Writing a byte of the source again and searching it, in the purge.
const SCRUB_BYTE_NS: u64 = 10;

const NS_PER_MS: u64 = 1_000_000;

/// Reckons what a run would need.
pub(super) fn reckon(case: &Case<'_>, units: &[Unit]) -> Estimate {
    let size = Size::of(case, units);
    let passes = passes(case, &size, units);
    let window_ms = units.iter().filter(|unit| unit.mode == UnitMode::Window);
    let window_ms = window_ms.map(|unit| lock_ms(case, unit)).max().unwrap_or(0);
    let has_window = units.iter().any(|unit| unit.mode == UnitMode::Window);
    let bytes = case.catalog.bytes;
    let journal_bytes = if has_window { bytes } else { bytes.min(JOURNAL_RANGES_MAX) };
    // `VACUUM` writes a copy of the file and then, page by page, the journal of the original.
    let purge_bytes = bytes.saturating_mul(2);
    // Whoever makes room has to reckon with all values being different.
    let vault_bytes_most = size.entry_bytes_most + size.entries_most * VAULT_ENTRY;
    Estimate {
        rows: size.rows,
        cells: size.cells,
        entries: size.entries,
        vault_bytes: size.entry_bytes + size.entries * VAULT_ENTRY,
        backup_bytes: size.value_bytes + size.rows * BACKUP_ROW + size.cells * BACKUP_CELL,
        token_file_bytes: size.rows * TOKEN_ROW
            + size.cells * TOKEN_CELL
            + size.random_cells * TOKEN_DIGEST,
        stage_bytes: size.entry_bytes_most + size.entries_most * STAGE_ENTRY,
        bucket_bytes: size.cells * BUCKET_CELL + size.entries * BUCKET_ENTRY,
        journal_bytes,
        purge_bytes,
        seconds: passes.to_verified_ms().div_ceil(1_000),
        write_lock_seconds: window_ms.div_ceil(1_000),
        lock_ms: units.iter().map(|unit| lock_ms(case, unit)).max().unwrap_or(0),
        disk_needed_bytes: vault_bytes_most
            + size.value_bytes
            + size.rows * (BACKUP_ROW + TOKEN_ROW)
            + size.cells * (BACKUP_CELL + TOKEN_CELL + TOKEN_DIGEST)
            + size.entry_bytes_most
            + size.entries_most * STAGE_ENTRY
            + (size.cells * BUCKET_CELL + size.entries_most * BUCKET_ENTRY)
                .max(journal_bytes)
                .max(purge_bytes),
        passes,
        assumptions: assumptions(case),
    }
}

/// What there is to do, in numbers.
struct Size {
    rows: u64,
    cells: u64,
    random_cells: u64,
    indexed_cells: u64,
    value_bytes: u64,
    entries: u64,
    entry_bytes: u64,
    /// As if no two columns of a domain had a value in common.
    entries_most: u64,
    entry_bytes_most: u64,
}

impl Size {
    fn of(case: &Case<'_>, units: &[Unit]) -> Self {
        let sum = |of: &dyn Fn(&InScope<'_>) -> u64| case.columns.iter().map(of).sum::<u64>();
        let (entries, entry_bytes) = expected_entries(case);
        Self {
            rows: units.iter().flat_map(|unit| &unit.tables).map(|table| table.rows).sum(),
            cells: sum(&|c| c.cells()),
            random_cells: sum(&|c| if c.is_deterministic() { 0 } else { c.cells() }),
            indexed_cells: sum(&|c| c.cells() * indexes_of(c)),
            value_bytes: sum(&|c| c.facts.bytes_total),
            entries,
            entry_bytes,
            entries_most: sum(&entries_of),
            entry_bytes_most: sum(&entries_bytes),
        }
    }
}

/// How long the rewrite of some units takes.
pub(super) fn rewrite_ms(case: &Case<'_>, units: &[Unit]) -> u64 {
    let rebuilt = |unit: &&Unit| unit.strategy == Strategy::Rebuild;
    let in_place: Vec<Unit> = units.iter().filter(|unit| !rebuilt(unit)).cloned().collect();
    let rebuilding: u64 = units.iter().filter(rebuilt).map(|unit| lock_ms(case, unit)).sum();
    if in_place.is_empty() {
        return rebuilding;
    }
    let size = Size::of(case, &in_place);
    let ns = size.rows * REWRITE_ROW_NS
        + size.cells * REWRITE_CELL_NS
        + size.indexed_cells * REWRITE_INDEXED_NS
        + size.value_bytes * BYTE_NS;
    let throttled =
        case.policy.throttle.rows_per_s_max.map_or(0, |rate| {
            size.rows.saturating_mul(1_000).checked_div(rate).unwrap_or_default()
        });
    rebuilding + (ns + PASS_NS).div_ceil(NS_PER_MS).max(throttled)
}

fn passes(case: &Case<'_>, size: &Size, units: &[Unit]) -> PassTimes {
    let bytes_ns = size.value_bytes * BYTE_NS;
    let filter_ns = size.cells * FILTER_CELL_NS;
    let ms = |ns: u64| (ns + PASS_NS).div_ceil(NS_PER_MS);
    let verify = ms(size.entries * VERIFY_ENTRY_NS
        + size.rows * VERIFY_ROW_NS
        + size.cells * VERIFY_CELL_NS
        + bytes_ns * 2);
    PassTimes {
        backup_ms: ms(size.rows * BACKUP_ROW_NS
            + filter_ns
            + size.cells.min(CONTROL_HITS) * HIT_NS
            + bytes_ns * 2),
        seal_ms: ms(size.cells * SEAL_CELL_NS + size.entries * LOAD_ENTRY_NS + bytes_ns * 3),
        rewrite_ms: rewrite_ms(case, units),
        verify_ms: verify,
        purge_ms: verify + ms(filter_ns + case.catalog.bytes * SCRUB_BYTE_NS),
    }
}

/// How long writers wait at a stretch: for a whole unit, or for the largest batch of its ranges.
pub(super) fn lock_ms(case: &Case<'_>, unit: &Unit) -> u64 {
    if unit.strategy == Strategy::Rebuild {
        return unit.tables.iter().map(|table| rebuild_ms(case, table)).sum();
    }
    let of_table = |table: &UnitTable| {
        let columns = case.of_table(&table.table).map(|column| {
            let cells = column.share_of(column.cells(), table.rows);
            cells * (REWRITE_CELL_NS + REWRITE_INDEXED_NS * indexes_of(column))
                + column.share_of(column.facts.bytes_total, table.rows) * BYTE_NS
        });
        table.rows * REWRITE_ROW_NS + columns.sum::<u64>()
    };
    let ns = match unit.mode {
        UnitMode::Window => unit.tables.iter().map(of_table).sum(),
        UnitMode::Ranges => unit
            .tables
            .iter()
            .map(|table| {
                let rows = table.rows.clamp(1, BATCH_ROWS);
                of_table(table) / table.rows.max(1) * rows
            })
            .max()
            .unwrap_or(0),
    };
    ns.div_ceil(NS_PER_MS).max(1)
}

/// How long a table is locked to be filled anew: every index is built, whatever it is over.
fn rebuild_ms(case: &Case<'_>, table: &UnitTable) -> u64 {
    let indexes = case.catalog.table(&table.table).map_or(0, |table| table.indexes.len() as u64);
    let columns = case.of_table(&table.table).map(|column| {
        column.share_of(column.cells(), table.rows) * REBUILD_CELL_NS
            + column.share_of(column.facts.bytes_total, table.rows) * BYTE_NS
    });
    let ns = table.rows * (REBUILD_ROW_NS + indexes * REBUILD_INDEXED_NS) + columns.sum::<u64>();
    (REBUILD_NS + ns).div_ceil(NS_PER_MS)
}

/// Indexes that hold the values of a column.
pub(super) fn indexes_of(column: &InScope<'_>) -> u64 {
    let holds = |index: &&crate::catalog::Index| {
        index.keys.iter().any(|key| key.column.as_ref() == Some(&column.column.name))
    };
    column.table.indexes.iter().filter(holds).count() as u64
}

/// Entries that the vault gains, and the bytes of their values.
///
/// Columns of one domain usually hold the same values, and nobody has counted how many of them they
/// share. Halfway between "all" and "none" is within a factor of two for up to three columns.
fn expected_entries(case: &Case<'_>) -> (u64, u64) {
    let mut domains: Vec<(&str, Vec<&InScope<'_>>)> = Vec::new();
    for column in &case.columns {
        match domains.iter_mut().find(|(name, _)| *name == column.domain) {
            Some((_, columns)) => columns.push(column),
            None => domains.push((&column.domain, vec![column])),
        }
    }
    let halfway = |columns: &[&InScope<'_>], of: &dyn Fn(&InScope<'_>) -> u64| {
        let each = || columns.iter().map(|column| of(column));
        let is_shared = columns.iter().all(|column| column.is_deterministic());
        let sum: u64 = each().sum();
        if is_shared { sum.midpoint(each().max().unwrap_or_default()) } else { sum }
    };
    domains.iter().fold((0, 0), |(entries, bytes), (_, columns)| {
        (entries + halfway(columns, &entries_of), bytes + halfway(columns, &entries_bytes))
    })
}

/// Entries that the vault gains by a column alone: one a value, or one a cell.
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

fn assumptions(case: &Case<'_>) -> Vec<String> {
    let us = |ns: u64| format!("{}.{} µs", ns / 1_000, ns % 1_000 / 100);
    let mut said = vec![
        "times are those of one process on two ordinary cores with a local disk; a busy or slower \
         machine takes longer"
            .to_owned(),
        format!(
            "backing up: {} a row, and {} a cell for the scan that has to find the originals \
             before they go",
            us(BACKUP_ROW_NS),
            us(FILTER_CELL_NS)
        ),
        format!("sealing: {} a cell, {} a vault entry", us(SEAL_CELL_NS), us(LOAD_ENTRY_NS)),
        format!(
            "rewriting: {} a row, {} a cell, {} more in each index",
            us(REWRITE_ROW_NS),
            us(REWRITE_CELL_NS),
            us(REWRITE_INDEXED_NS)
        ),
        format!(
            "verifying: {} a vault entry, {} a row, {} a cell",
            us(VERIFY_ENTRY_NS),
            us(VERIFY_ROW_NS),
            us(VERIFY_CELL_NS)
        ),
        format!("each pass: {} ms however little there is to do", PASS_NS / NS_PER_MS),
        "columns of one domain are taken to share half of what they could; the space that is asked \
         for reckons with nothing shared"
            .to_owned(),
    ];
    if let Some(rate) = case.policy.throttle.rows_per_s_max {
        said.push(format!("the policy lets a run rewrite {rate} rows a second at the most"));
    }
    if case.policy.window.is_some() {
        said.push("hours outside the policy's window are not counted".to_owned());
    }
    said
}
