//! Tables that nobody clears up: a run leaves a dead row for each that it writes.

use super::super::case::{Case, warns};
use super::super::model::Finding;
use super::{setting, sheets};

const PITFALL: &str = "autovacuum";

const FACT: &str = "a run leaves a dead row for each that it writes, and nobody clears them up";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if setting(case, "autovacuum") == Some("off") {
        return vec![warns(
            PITFALL,
            "database",
            format!("`autovacuum` is off: {FACT}"),
            "set `autovacuum = on`, or VACUUM the tables in scope after the run",
        )];
    }
    sheets(case)
        .into_iter()
        .filter(|sheet| sheet.is_not_vacuumed)
        .map(|sheet| {
            let table = &sheet.name;
            warns(
                PITFALL,
                format!("table {table}"),
                format!("autovacuum is off for it: {FACT}"),
                format!("VACUUM {table} after the run, or `ALTER TABLE {table} RESET (autovacuum_enabled)`"),
            )
        })
        .collect()
}
