//! Pitfall: the empty text is a value, and a token makes it look like one that was given.

use super::case::{Case, counted, handled};
use super::model::Finding;
use crate::policy::EmptyRule;

const PITFALL: &str = "empty_text";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.facts.empties > 0)
        .map(|column| {
            let remedy = match column.rule.empty {
                EmptyRule::Tokenize => {
                    "they get a token like any other value; `empty = \"keep\"` leaves them empty"
                }
                EmptyRule::Keep => "they stay empty, as the policy says",
            };
            let cells = counted(column.facts.empties, "cell");
            handled(PITFALL, column.name(), format!("{cells} empty, but not NULL"), remedy)
        })
        .collect()
}
