//! Pitfall: the policy names a column that its table does not have.

use super::case::{Case, blocks, nearest};
use super::model::Finding;

const PITFALL: &str = "missing_column";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.policy
        .columns
        .iter()
        .filter_map(|rule| {
            let table = case.catalog.table(&rule.name.table)?;
            // A virtual table whose module is not loaded shows no columns.
            if table.columns.is_empty() || table.column(&rule.name.column).is_some() {
                return None;
            }
            let names = table.columns.iter().map(|column| column.name.as_str());
            Some(blocks(
                PITFALL,
                rule.name.to_string(),
                format!("table `{}` has no column `{}`", table.name, rule.name.column),
                format!(
                    "write the name letter for letter as the catalog has it{}",
                    nearest(&rule.name.column, names)
                ),
            ))
        })
        .collect()
}
