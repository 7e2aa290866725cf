//! Pitfall: the policy names a view, a virtual table or a table that belongs to one.

use super::case::{Case, blocks};
use super::model::Finding;
use crate::catalog::TableKind;

const PITFALL: &str = "not_a_table";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &case.policy.columns {
        let name = &rule.name.table;
        let what = match case.catalog.table(name).map(|table| &table.kind) {
            Some(TableKind::Virtual(module)) => format!("a virtual table of module `{module}`"),
            Some(TableKind::Shadow) => "where a virtual table keeps its content".to_owned(),
            Some(TableKind::Foreign) => "a table of another server".to_owned(),
            None if case.catalog.views.iter().any(|view| &view.name == name) => "a view".to_owned(),
            // What is partitioned has a finding of its own.
            Some(TableKind::Ordinary | TableKind::Partitioned) | None => continue,
        };
        findings.push(blocks(
            PITFALL,
            rule.name.to_string(),
            format!("`{name}` is {what}"),
            "name the column of the ordinary table that the values are stored in",
        ));
    }
    findings
}
