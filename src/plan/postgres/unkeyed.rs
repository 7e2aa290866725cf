//! Tables without a key that stays as it is: they cannot be rewritten on PostgreSQL yet.

use super::super::case::{Case, blocks};
use super::super::model::{Finding, Walk};
use super::super::walks;

const PITFALL: &str = "unkeyed";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.tables()
        .into_iter()
        .filter(|table| !matches!(walks::choose(case, table), Some(Walk::Key(_))))
        .map(|table| {
            blocks(
                PITFALL,
                format!("table {}", table.name),
                "it has no primary key and no unique index over NOT NULL columns out of scope",
                "give it one: a column `GENERATED ALWAYS AS IDENTITY` with a unique index will do",
            )
        })
        .collect()
}
