//! Pitfall: tokens are longer than the declared width of a column.

use super::case::{Case, InScope, handled};
use super::model::Finding;
use crate::catalog::Affinity;

const PITFALL: &str = "width";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns.iter().filter_map(of_column).collect()
}

fn of_column(column: &InScope<'_>) -> Option<Finding> {
    let declared = &column.column.declared;
    let (_, width) = declared.split_once('(')?;
    let width: u64 = width.split(')').next()?.trim().parse().ok()?;
    let token = column.token_chars()?;
    (column.column.affinity == Affinity::Text && token > width).then(|| {
        handled(
            PITFALL,
            column.name(),
            format!("tokens have {token} characters, the column is declared `{declared}`"),
            "SQLite does not enforce the width; check the programs that read the column",
        )
    })
}
