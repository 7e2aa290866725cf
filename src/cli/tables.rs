//! How far each table of a run has come, for `sealift status`.
//!
//! Backup and seal are known to the vault; how far the rewrite is, the source's cursors say, where a
//! source is named. It changes nothing in either.

use serde::Serialize;

use super::exit::Failure;
use super::job::parsed;
use super::output::Output;
use super::settings::Settings;
use crate::lifecycle::Phase;
use crate::plan::{Unit, UnitMode};
use crate::ports::{CursorState, FileKind, FileRow, Pass, RangeRow, RunRow, Vault};
use crate::words::grouped;

/// Tables that are shown to a person; a program gets all of them.
const SHOWN_MAX: usize = 24;

/// One table, in rows.
#[derive(Debug, Serialize)]
pub(super) struct TableProgress {
    table: String,
    /// When the run was planned.
    rows: u64,
    backed_up: u64,
    sealed: u64,
    /// `None` where it would take the source to know, and none is named or reached.
    rewritten: Option<u64>,
}

/// What is known about the tables of a run.
pub(super) async fn of_run(
    settings: &Settings,
    vault: &dyn Vault,
    row: &RunRow,
) -> Result<Vec<TableProgress>, Failure> {
    let (_, plan) = parsed(row)?;
    let ranges = vault.ranges(row.run).await?;
    let files = vault.files(row.run).await?;
    let is_behind = matches!(
        row.phase,
        Phase::Rewritten | Phase::Verified | Phase::PurgeApproved | Phase::Purged | Phase::Closed
    );
    let cursors = match row.phase {
        Phase::Planned | Phase::Approved | Phase::BackedUp => Some(Vec::new()),
        Phase::Sealed => cursors(settings, row).await,
        Phase::Rewritten
        | Phase::Verified
        | Phase::PurgeApproved
        | Phase::Purged
        | Phase::Closed
        | Phase::RollingBack
        | Phase::RolledBack => None,
    };
    let mut tables = Vec::new();
    for unit in &plan.units {
        for (at, table) in unit.tables.iter().enumerate() {
            let of_table =
                |range: &&RangeRow| range.unit == unit.id && usize::from(range.table) == at;
            let own: Vec<&RangeRow> = ranges.iter().filter(of_table).collect();
            let backed_up = own.iter().map(|range| range.rows).sum();
            let sealed = own.iter().filter(|range| is_sealed(&files, range));
            tables.push(TableProgress {
                table: table.table.to_string(),
                rows: table.rows,
                backed_up,
                sealed: sealed.map(|range| range.rows).sum(),
                rewritten: match &cursors {
                    _ if is_behind => Some(backed_up),
                    Some(cursors) => Some(rewritten(unit, &own, cursors)),
                    None => None,
                },
            });
        }
    }
    Ok(tables)
}

/// The cursors of the rewrite; `None` where the source cannot be asked, which is no failure here.
async fn cursors(settings: &Settings, row: &RunRow) -> Option<Vec<(u16, u32, CursorState)>> {
    settings.source.as_ref()?;
    let source = settings.open_source_to_read().await.ok()?;
    source.cursors(row.run, Pass::Rewrite).await.ok()
}

fn is_sealed(files: &[FileRow], range: &RangeRow) -> bool {
    files.iter().any(|file| {
        file.kind == FileKind::Token && file.unit == range.unit && file.range == range.number
    })
}

/// Rows behind the cursors of a table. A window has one cursor, which moves when it commits.
fn rewritten(unit: &Unit, own: &[&RangeRow], cursors: &[(u16, u32, CursorState)]) -> u64 {
    let state = |range: u32| {
        cursors.iter().find(|(id, number, _)| *id == unit.id && *number == range).map(|(.., s)| s)
    };
    let rows = own.iter().map(|range| match unit.mode {
        UnitMode::Ranges => state(range.number).map_or(0, |state| state.counts.rows),
        UnitMode::Window => state(0).filter(|state| state.done).map_or(0, |_| range.rows),
    });
    rows.sum()
}

/// Tells it, while there is something to wait for.
pub(super) fn tell(out: &Output, row: &RunRow, tables: &[TableProgress]) {
    if !matches!(row.phase, Phase::Approved | Phase::BackedUp | Phase::Sealed) {
        return;
    }
    let width = tables.iter().map(|table| table.table.chars().count()).max().unwrap_or(0).min(40);
    for table in tables.iter().take(SHOWN_MAX) {
        let share = |done: u64| match table.rows {
            0 => "100 %".to_owned(),
            rows => format!("{} %", (done.saturating_mul(100) / rows).min(100)),
        };
        let rewritten = table.rewritten.map_or_else(|| "?".to_owned(), share);
        out.line(format!(
            "  {:<width$}  {:>12} rows   backed up {:>5}   sealed {:>5}   rewritten {:>5}",
            table.table,
            grouped(table.rows),
            share(table.backed_up),
            share(table.sealed),
            rewritten
        ));
    }
    if tables.len() > SHOWN_MAX {
        out.line(format!("  and {} tables more", tables.len() - SHOWN_MAX));
    }
    if tables.iter().any(|table| table.rewritten.is_none()) {
        out.line("  ? how far the rewrite is, the source knows: name it with `--source`");
    }
}
