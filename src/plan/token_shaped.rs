//! Pitfall: a column holds values that look like tokens already.

use super::case::{Case, counted, warns};
use super::model::Finding;

const PITFALL: &str = "token_shaped";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.facts.token_shaped > 0)
        .map(|column| {
            warns(
                PITFALL,
                column.name(),
                format!("{} of the shape of a token", counted(column.facts.token_shaped, "value")),
                "those that open in the vault are left alone; the others count as originals",
            )
        })
        .collect()
}
