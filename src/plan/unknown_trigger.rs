//! Pitfall: the policy suppresses a trigger that is not there, and the one that is would fire.

use super::case::{Case, blocks, nearest};
use super::model::Finding;

const PITFALL: &str = "unknown_trigger";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in &case.policy.tables {
        let names: Vec<&str> = case
            .catalog
            .triggers
            .iter()
            .filter(|trigger| trigger.table == rule.name)
            .map(|trigger| trigger.name.as_str())
            .collect();
        for name in &rule.suppress_triggers {
            if !names.contains(&name.as_str()) {
                findings.push(blocks(
                    PITFALL,
                    format!("trigger {name}"),
                    format!("table `{}` has no trigger `{name}` to suppress", rule.name),
                    format!(
                        "write the name letter for letter as the catalog has it{}",
                        nearest(name, names.iter().copied())
                    ),
                ));
            }
        }
    }
    findings
}
