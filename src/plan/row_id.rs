//! Pitfall: an `INTEGER PRIMARY KEY` is the row id and can hold nothing but integers.

use super::case::{Case, blocks};
use super::model::Finding;

const PITFALL: &str = "row_id";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.column.rowid_alias)
        .map(|column| {
            blocks(
                PITFALL,
                column.name(),
                "the column is the row id of its table (`INTEGER PRIMARY KEY`), which holds \
                 integers only",
                "leave the column out of the policy, or give the table a surrogate key and keep \
                 the number in a column of its own",
            )
        })
        .collect()
}
