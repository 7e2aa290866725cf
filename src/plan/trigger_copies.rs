//! Pitfall: a trigger fires for the rewrite and writes the original into another table.

use super::case::{Case, blocks, handled, listed};
use super::model::Finding;
use super::{full_text, trigger_fires};
use crate::catalog::sqlite_trigger::TriggerText;
use crate::catalog::{Table, Trigger};

const PITFALL: &str = "trigger_copies";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in case.tables() {
        let suppressed = case.suppressed(&table.name);
        for (trigger, text) in case.fired(&table.name) {
            let (columns, targets) = copied(case, table, &text);
            if columns.is_empty() {
                continue;
            }
            let fact = format!(
                "an update of {} fires the trigger, which writes the old value into {}",
                listed(&columns),
                listed(&targets)
            );
            findings.push(if suppressed.contains(&trigger.name) {
                handled(PITFALL, object(trigger), fact, "the policy suppresses it for the rewrite")
            } else {
                blocks(PITFALL, object(trigger), fact, trigger_fires::suppress(table, trigger))
            });
        }
    }
    findings
}

fn object(trigger: &Trigger) -> String {
    format!("trigger {}", trigger.name)
}

/// The columns that a trigger copies, and the tables it copies them into.
fn copied(case: &Case<'_>, table: &Table, text: &TriggerText) -> (Vec<String>, Vec<String>) {
    let mut columns = Vec::new();
    let mut targets: Vec<String> = Vec::new();
    for column in case.of_table(&table.name) {
        for statement in text.copies(&table.name.name, &column.column.name) {
            let target = statement.target.clone().unwrap_or_default();
            // The old value is what takes an entry *out of* a full-text index.
            if full_text::is_index(case, &target) {
                continue;
            }
            if !columns.contains(&column.name()) {
                columns.push(column.name());
            }
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
    }
    (columns, targets)
}
