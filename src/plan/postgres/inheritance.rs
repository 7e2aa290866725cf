//! Inheritance: a table shows the rows of its children too, and those are rewritten on their own.

use super::super::case::{Case, blocks};
use super::super::model::Finding;
use super::sheets;

const PITFALL: &str = "inheritance";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        for column in case.of_table(&sheet.name) {
            let left =
                sheet.children.iter().filter(|child| !case.covers(child, &column.column.name));
            for child in left {
                findings.push(blocks(
                    PITFALL,
                    column.name(),
                    format!("table `{child}` inherits the column, and its rows are not in scope"),
                    format!(
                        "add `{child}.{}` to the policy, with domain = {:?}",
                        column.column.name, column.domain
                    ),
                ));
            }
        }
    }
    findings
}
