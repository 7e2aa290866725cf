//! Foreign keys that answer a changed key in a way of their own.

use super::super::case::{Case, blocks, handled};
use super::super::groups;
use super::super::model::Finding;
use super::facts;
use crate::catalog::postgres::{PostgresForeignKey, PostgresTable};

const PITFALL: &str = "foreign_key_action";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let groups = groups::find(case);
    let mut findings = Vec::new();
    for sheet in &postgres.tables {
        for key in &sheet.foreign_keys {
            let is_touched = groups.iter().any(|group| {
                key.columns.iter().any(|column| group.has(&sheet.name, column))
                    || key.parent_columns.iter().any(|column| group.has(&key.parent, column))
            });
            if is_touched {
                findings.extend(of_key(sheet, key, postgres.role.is_superuser));
            }
        }
    }
    findings
}

fn of_key(sheet: &PostgresTable, key: &PostgresForeignKey, is_superuser: bool) -> Option<Finding> {
    let object = format!("foreign key {}", key.name);
    match key.on_update.as_str() {
        "SET NULL" | "SET DEFAULT" => {
            return Some(blocks(
                PITFALL,
                object,
                format!(
                    "ON UPDATE {} would empty `{}` when `{}` gets its tokens",
                    key.on_update, sheet.name, key.parent
                ),
                "make it ON UPDATE NO ACTION for the time of the run",
            ));
        }
        "RESTRICT" => {
            return Some(blocks(
                PITFALL,
                object,
                format!("ON UPDATE RESTRICT refuses every new key of `{}` at once", key.parent),
                "make it ON UPDATE NO ACTION: that can wait for the end of a transaction",
            ));
        }
        _ => {}
    }
    if key.is_deferrable {
        return None;
    }
    if !sheet.is_owned && !is_superuser {
        return Some(blocks(
            PITFALL,
            object,
            format!(
                "it cannot wait for the end of a transaction, and the role does not own `{}`",
                sheet.name
            ),
            "run as the owner of the table, or make the foreign key DEFERRABLE",
        ));
    }
    Some(handled(
        PITFALL,
        object,
        "it cannot wait for the end of a transaction",
        "inside the one that rewrites its tables it is made to wait, checked, and put back",
    ))
}
