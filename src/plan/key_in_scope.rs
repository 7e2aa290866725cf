//! Pitfall: a column in scope is part of the primary key.

use super::case::{Case, handled, listed, warns};
use super::model::{Finding, Walk};
use super::walks;

const PITFALL: &str = "key_in_scope";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.column.primary_key.is_some() && !column.column.rowid_alias)
        .map(|column| {
            let fact = format!("it is part of the primary key of `{}`", column.table.name);
            match walks::choose(case, column.table) {
                Some(Walk::Key(key)) => handled(
                    PITFALL,
                    column.name(),
                    fact,
                    format!("rows are walked by {} instead", listed(key)),
                ),
                Some(Walk::RowId | Walk::ScopedKey(_)) | None => warns(
                    PITFALL,
                    column.name(),
                    fact,
                    "links from outside the database that hold the key will hold an original; the \
                     table is rewritten in one transaction",
                ),
            }
        })
        .collect()
}
