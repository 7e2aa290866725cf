//! Exclusion constraints compare by operators that tokens do not keep.

use super::super::case::{Case, blocks, reads_column};
use super::super::model::Finding;
use super::sheets;

const PITFALL: &str = "exclusion";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        let Some(table) = case.catalog.table(&sheet.name) else { continue };
        for (name, definition) in &sheet.exclusions {
            let mut columns = case.of_table(&sheet.name);
            if let Some(column) =
                columns.find(|column| reads_column(table, definition, &column.column.name))
            {
                findings.push(blocks(
                    PITFALL,
                    column.name(),
                    format!("exclusion constraint `{name}` compares the column"),
                    "drop the constraint first, or leave the column out of the policy",
                ));
            }
        }
    }
    findings
}
