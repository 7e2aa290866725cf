//! Pitfall: a column with a numeric type turns text that looks like a number into one.

use super::case::{Case, InScope, blocks, handled};
use super::model::Finding;
use crate::catalog::Affinity;
use crate::policy::TokenKind;

const PITFALL: &str = "affinity";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| !column.table.strict && !column.column.rowid_alias)
        .filter(|column| match column.column.affinity {
            Affinity::Numeric | Affinity::Integer | Affinity::Real => true,
            Affinity::Text | Affinity::Blob => false,
        })
        .map(of_column)
        .collect()
}

fn of_column(column: &InScope<'_>) -> Finding {
    let declared = &column.column.declared;
    match column.rule.token {
        TokenKind::Format => blocks(
            PITFALL,
            column.name(),
            format!(
                "type `{declared}` would store a `format` token as a number and lose its leading \
                 zeros"
            ),
            "use `token = \"keyed\"`, or give the column a text type first",
        ),
        TokenKind::Keyed | TokenKind::Random | TokenKind::Uuid => handled(
            PITFALL,
            column.name(),
            format!("type `{declared}` prefers numbers; tokens are text"),
            "tokens never look like a number, so they are stored as they are; rollback restores \
             the type of each value",
        ),
    }
}
