//! Pitfall: a trigger fires once for each row that is rewritten.

use super::case::{Case, InScope, handled, warns};
use super::model::Finding;
use crate::catalog::{Table, Trigger};

const PITFALL: &str = "trigger_fires";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in case.tables() {
        let suppressed = case.suppressed(&table.name);
        for (trigger, text) in case.fired(&table.name) {
            let object = format!("trigger {}", trigger.name);
            let names = |column: &InScope<'_>| column.column.name.clone();
            let tokens: Vec<String> =
                case.of_table(&table.name).map(names).filter(|name| text.reads_new(name)).collect();
            let sees = if tokens.is_empty() {
                String::new()
            } else {
                format!(" and sees tokens as the new {}", super::case::listed(tokens))
            };
            let fact = format!("it fires for each row of `{}` that is rewritten{sees}", table.name);
            findings.push(if suppressed.contains(&trigger.name) {
                handled(PITFALL, object, fact, "the policy suppresses it for the rewrite")
            } else {
                warns(
                    PITFALL,
                    object,
                    fact,
                    format!("if it should not: {}", suppress(table, trigger)),
                )
            });
        }
    }
    findings
}

/// The lines of the policy that keep a trigger from firing.
pub(super) fn suppress(table: &Table, trigger: &Trigger) -> String {
    format!(
        "add to the policy: [[table]] name = {:?}, suppress_triggers = [{:?}]",
        table.name.to_string(),
        trigger.name
    )
}
