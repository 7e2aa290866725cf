//! Pitfall: values that a collation calls equal get different tokens.

use super::case::{Case, InScope, blocks, handled, warns};
use super::model::Finding;
use crate::policy::Normalise;

const PITFALL: &str = "collation";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns.iter().filter_map(|column| of_column(case, column)).collect()
}

fn of_column(case: &Case<'_>, column: &InScope<'_>) -> Option<Finding> {
    let collation = column.column.collation.as_deref()?;
    if !column.is_deterministic() {
        return None;
    }
    let fact = format!("the column compares by `{collation}`, tokens by their letters");
    Some(if is_settled(column, collation) {
        handled(
            PITFALL,
            column.name(),
            fact,
            "`normalise` makes the same values equal, so that they share a token",
        )
    } else if case.is_shared(column) {
        blocks(PITFALL, column.name(), fact, remedy(collation))
    } else {
        warns(
            PITFALL,
            column.name(),
            fact,
            format!("comparisons inside the table change; {}", remedy(collation)),
        )
    })
}

/// Whether the tokens of a column are equal wherever the collation says that the values are.
pub(super) fn is_settled(column: &InScope<'_>, collation: &str) -> bool {
    match collation {
        "BINARY" => true,
        "NOCASE" | "citext" => column.rule.normalise == Normalise::Casefold,
        "RTRIM" => column.rule.normalise == Normalise::Trim,
        // What an application's own collation does is not known.
        _ => false,
    }
}

/// What to do about a collation.
pub(super) fn remedy(collation: &str) -> &'static str {
    match collation {
        "NOCASE" | "citext" => {
            "set `normalise = \"casefold\"` (with `lossy_ok = true`) on the columns of the domain"
        }
        "RTRIM" => {
            "set `normalise = \"trim\"` (with `lossy_ok = true`) on the columns of the domain"
        }
        _ => "give the column a collation that compares by bytes, or leave it out of the policy",
    }
}
