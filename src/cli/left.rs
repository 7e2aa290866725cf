//! Originals that are left in the source of a run, or came into it since, for `sealift status`.
//!
//! A cell counts as a token only where the vault has an entry for it. Every row of the run's tables is
//! read for that, so of large ones only where somebody asks.

use std::collections::BTreeMap;

use super::exit::Failure;
use super::job::parsed;
use super::output::Output;
use super::settings::Settings;
use crate::lifecycle::Phase;
use crate::ports::{RunRow, Vault};
use crate::run::came_back;
use crate::words::{counted, grouped};

/// Up to so many rows they are counted unasked.
const UNASKED_ROWS_MAX: u64 = 200_000;

/// Originals by column; `None` where nobody has counted.
pub(super) type Left = Option<BTreeMap<String, u64>>;

/// Counts, in the phases in which there should be none. What the source does not tell is no failure.
pub(super) async fn of_run(
    settings: &Settings,
    vault: &dyn Vault,
    row: &RunRow,
    is_asked: bool,
) -> Result<Left, Failure> {
    let is_rewritten =
        matches!(row.phase, Phase::Rewritten | Phase::Verified | Phase::PurgeApproved);
    let (policy, plan) = parsed(row)?;
    let rows: u64 = plan.units.iter().flat_map(|unit| &unit.tables).map(|table| table.rows).sum();
    if !is_rewritten || settings.source.is_none() || (rows > UNASKED_ROWS_MAX && !is_asked) {
        return Ok(None);
    }
    let Ok(source) = settings.open_source_to_read().await else { return Ok(None) };
    let found = came_back(source.as_ref(), vault, (row.run, &policy, &plan)).await;
    Ok(found.ok().map(|found| found.originals))
}

/// Tells them.
pub(super) fn tell(out: &Output, row: &RunRow, left: &Left) {
    let Some(left) = left else { return };
    let cells: u64 = left.values().sum();
    if cells == 0 {
        return out.line("  no original is left in its columns");
    }
    let cells = counted(cells, "original is", "originals are");
    out.line(format!("  {cells} in the columns of the run, left or come since:"));
    for (column, cells) in left {
        out.line(format!("    {column:<32} {}", grouped(*cells)));
    }
    let verb = if row.phase == Phase::Rewritten { "run" } else { "verify" };
    out.line(format!("    `sealift {verb} {}` finds them; the next `run` moves them", row.run));
}
