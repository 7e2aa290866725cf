//! Pitfall: a value is longer than what is tokenised.

use super::case::{Case, blocks};
use super::model::Finding;

const PITFALL: &str = "value_size";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let max = case.policy.limits.value_bytes_max;
    case.columns
        .iter()
        .filter(|column| column.facts.bytes_max > max)
        .map(|column| {
            blocks(
                PITFALL,
                column.name(),
                format!(
                    "its longest value has {} bytes, and `value_bytes_max` is {max}",
                    column.facts.bytes_max
                ),
                "raise `value_bytes_max` in `[limits]`, if the memory is there for it",
            )
        })
        .collect()
}
