//! Pitfall: a strategy is asked for that the engine does not have, or that a table does not allow.

use super::case::{Case, blocks};
use super::model::{Finding, Strategy};
use super::units;
use crate::catalog::{EngineKind, Table};

const PITFALL: &str = "strategy";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    match (case.catalog.engine, case.strategy) {
        (EngineKind::Sqlite | EngineKind::Postgres, Strategy::InPlace) => Vec::new(),
        (EngineKind::Sqlite, Strategy::Rebuild) => vec![blocks(
            PITFALL,
            "database",
            "SQLite tables are rewritten in place; there is no `rebuild`",
            "leave `--strategy` out; the purge rewrites the whole file in any case",
        )],
        (EngineKind::Postgres, Strategy::Rebuild) => refused(case)
            .into_iter()
            .map(|(table, fact)| {
                blocks(
                    PITFALL,
                    format!("table {}", table.name),
                    format!("it cannot be rebuilt exactly as it is: {fact}"),
                    "leave `--strategy` out: the table is then rewritten in place",
                )
            })
            .collect(),
    }
}

/// What stands in the way of a rebuild of the tables in scope.
pub(super) fn refused<'a>(case: &Case<'a>) -> Vec<(&'a Table, String)> {
    let Some(postgres) = &case.catalog.postgres else { return Vec::new() };
    let mut refused = Vec::new();
    for table in case.tables() {
        let mut refuse = |fact: String| refused.push((table, fact));
        if !units::is_in_ranges(case, table) {
            refuse(
                "it has no key of its own to walk by, tokens that look like its values, or foreign \
                 keys over columns in scope"
                    .to_owned(),
            );
        }
        if postgres.role.is_logged {
            refuse("the role may not keep what is said of rows out of the server's log".to_owned());
        }
        let Some(sheet) = postgres.table(&table.name) else { continue };
        if !sheet.is_owned {
            refuse("the role does not own it".to_owned());
        }
        sheet.unrebuildable.iter().cloned().for_each(&mut refuse);
        let suppressed = case.suppressed(&table.name);
        for (trigger, _) in case.fired(&table.name) {
            if !suppressed.contains(&trigger.name) {
                refuse(format!(
                    "trigger `{}` fires on an UPDATE, and a rebuild fires none: let the policy \
                     suppress it",
                    trigger.name
                ));
            }
        }
    }
    refused
}
