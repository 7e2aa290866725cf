//! Pitfall: SQLite calls `1` and `1.0` equal, and their tokens are not.

use super::case::{Case, InScope, blocks, counted, warns};
use super::model::Finding;

const PITFALL: &str = "number_equality";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.is_deterministic() && column.facts.whole_reals > 0)
        .filter(|column| {
            case.columns
                .iter()
                .any(|other| other.domain == column.domain && other.facts.types.integer > 0)
        })
        .map(|column| of_column(case, column))
        .collect()
}

fn of_column(case: &Case<'_>, column: &InScope<'_>) -> Finding {
    let fact = format!(
        "{} a whole number, beside integers that SQLite calls equal",
        counted(column.facts.whole_reals, "real")
    );
    let remedy = "convert the column to one type first (`CAST(… AS INTEGER)`)";
    if case.is_shared(column) {
        blocks(
            PITFALL,
            column.name(),
            format!("{fact}; their domain `{}` is shared", column.domain),
            format!("{remedy}, or give it a domain of its own"),
        )
    } else {
        warns(PITFALL, column.name(), fact, remedy)
    }
}
