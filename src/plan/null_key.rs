//! Pitfall: SQLite lets a primary key hold NULL, and NULLs cannot be told apart.

use super::case::{Case, listed, warns};
use super::model::Finding;

const PITFALL: &str = "null_key";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.tables()
        .into_iter()
        .filter_map(|table| case.facts.table(&table.name))
        .filter(|facts| !facts.null_keys.is_empty())
        .map(|facts| {
            warns(
                PITFALL,
                format!("table {}", facts.table),
                format!("its primary key holds NULL in {}", listed(&facts.null_keys)),
                "it is not walked by that key; to have it so, fill the NULLs first",
            )
        })
        .collect()
}
