//! Pitfall: a `STRICT` table refuses text in a column of another type.

use super::case::{Case, blocks};
use super::model::Finding;

const PITFALL: &str = "strict_type";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.table.strict && !column.column.rowid_alias)
        .filter(|column| {
            let declared = column.column.declared.to_ascii_uppercase();
            !matches!(declared.as_str(), "TEXT" | "ANY")
        })
        .map(|column| {
            blocks(
                PITFALL,
                column.name(),
                format!(
                    "table `{}` is STRICT and the column is `{}`, which takes no text",
                    column.table.name, column.column.declared
                ),
                "make the column `TEXT` or `ANY` first",
            )
        })
        .collect()
}
