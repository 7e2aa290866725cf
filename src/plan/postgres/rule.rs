//! Rules on UPDATE: what is written goes elsewhere, or nowhere.

use super::super::case::{Case, blocks};
use super::super::model::Finding;
use super::sheets;

const PITFALL: &str = "rule";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        for rule in &sheet.update_rules {
            findings.push(blocks(
                PITFALL,
                format!("rule {rule}"),
                format!("it rewrites every UPDATE of `{}` into something else", sheet.name),
                format!("`ALTER TABLE {} DISABLE RULE {rule}` for the time of the run", sheet.name),
            ));
        }
    }
    findings
}
