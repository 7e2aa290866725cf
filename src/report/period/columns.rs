//! The columns of a period. Several runs may have worked on one: the newest that moved it counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::lifecycle::{Phase, RunId};
use crate::policy::TokenKind;
use crate::report::{Gate, Report};

/// One column of one source.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ColumnTotal {
    /// The source, as the policy calls it.
    pub source: String,
    /// The column.
    pub column: String,
    /// Its data class.
    pub class: String,
    /// Its domain.
    pub domain: String,
    /// The kind of its tokens.
    pub token: TokenKind,
    /// The newest run that has moved it; where none has, the newest that was not rolled back.
    #[schemars(with = "String")]
    pub run: RunId,
    /// Where that run stands.
    pub phase: Phase,
    /// How many runs of the period worked on it.
    pub runs: u64,
    /// Rows of its table at the time of the plan.
    pub rows: u64,
    /// Cells that were to get a token.
    pub cells: u64,
    /// NULLs.
    pub nulls: u64,
    /// Empty values.
    pub empties: u64,
    /// Distinct values.
    pub distinct: u64,
    /// Whether they were counted rather than estimated.
    pub distinct_exact: bool,
    /// The largest share that one value can have, 0 to 1.
    pub top_share: f64,
    /// What the leakage gate said.
    pub gate: Gate,
    /// Cells whose token the last verification opened and compared; null before.
    pub verified: Option<u64>,
}

/// The columns of all runs, by source and name.
pub(super) fn lines(reports: &[Report]) -> Vec<ColumnTotal> {
    let mut columns: BTreeMap<(String, String), ColumnTotal> = BTreeMap::new();
    // Oldest first: a later run takes the place of an earlier one, unless it has come less far.
    for report in reports {
        for line in of_run(report) {
            let key = (line.source.clone(), line.column.clone());
            let Some(known) = columns.get_mut(&key) else {
                columns.insert(key, line);
                continue;
            };
            let runs = known.runs + 1;
            if weight(line.phase) >= weight(known.phase) {
                *known = line;
            }
            known.runs = runs;
        }
    }
    columns.into_values().collect()
}

/// A run that has moved a column says more of it than one that has not yet; one that gave up least.
fn weight(phase: Phase) -> u8 {
    match phase {
        Phase::RollingBack | Phase::RolledBack => 0,
        Phase::Planned | Phase::Approved | Phase::BackedUp | Phase::Sealed => 1,
        Phase::Rewritten
        | Phase::Verified
        | Phase::PurgeApproved
        | Phase::Purged
        | Phase::Closed => 2,
    }
}

fn of_run(report: &Report) -> impl Iterator<Item = ColumnTotal> {
    report.scope.columns.iter().zip(&report.leakage).map(|(column, leakage)| ColumnTotal {
        source: report.header.source.clone(),
        column: column.column.clone(),
        class: column.class.clone(),
        domain: column.domain.clone(),
        token: column.token,
        run: report.header.run,
        phase: report.header.phase,
        runs: 1,
        rows: column.rows,
        cells: column.cells,
        nulls: column.nulls,
        empties: column.empties,
        distinct: leakage.distinct,
        distinct_exact: leakage.distinct_exact,
        top_share: leakage.top_share,
        gate: leakage.gate,
        verified: column.verified,
    })
}
