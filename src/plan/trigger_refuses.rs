//! Pitfall: a trigger fires for the rewrite and may refuse a row, or leave it out silently.

use super::case::{Case, blocks, handled};
use super::model::Finding;
use super::trigger_fires;

const PITFALL: &str = "trigger_refuses";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in case.tables() {
        let suppressed = case.suppressed(&table.name);
        for (trigger, text) in case.fired(&table.name) {
            if !text.raises() {
                continue;
            }
            let object = format!("trigger {}", trigger.name);
            let fact = format!(
                "the rewrite of `{}` fires the trigger, and it calls `RAISE`, so that it may \
                 refuse tokens or leave rows out",
                table.name
            );
            findings.push(if suppressed.contains(&trigger.name) {
                handled(PITFALL, object, fact, "the policy suppresses it for the rewrite")
            } else {
                blocks(PITFALL, object, fact, trigger_fires::suppress(table, trigger))
            });
        }
    }
    findings
}
