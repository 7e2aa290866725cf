//! Partitioned tables: rows lie in partitions, and a changed partition key moves a row to another.

use super::super::case::{Case, blocks, listed};
use super::super::model::Finding;
use super::{facts, sheets};
use crate::catalog::TableKind;

const PITFALL: &str = "partitioned";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut findings = Vec::new();
    for rule in &case.policy.columns {
        let name = &rule.name.table;
        let is_parent = case.catalog.table(name).is_some_and(|t| t.kind == TableKind::Partitioned);
        if is_parent {
            let leaves = postgres.table(name).map(|sheet| sheet.children.clone());
            findings.push(blocks(
                PITFALL,
                rule.name.to_string(),
                format!("`{name}` is partitioned, and is not rewritten as one table yet"),
                format!(
                    "name the column in each partition ({}), with one `domain` for all",
                    listed(leaves.unwrap_or_default())
                ),
            ));
        }
    }
    for sheet in sheets(case) {
        for column in case.of_table(&sheet.name) {
            if sheet.partition_key.contains(&column.column.name) {
                findings.push(blocks(
                    PITFALL,
                    column.name(),
                    "its table is partitioned by the column, and a token would belong elsewhere",
                    "leave the column out of the policy, or partition by another column",
                ));
            }
        }
    }
    findings
}
