//! The server's log: statements of ours hold no value and originals travel outside of it, but row
//! keys and tokens are parameters.

use super::super::case::{Case, blocks, listed, warns};
use super::super::model::{Finding, Walk};
use super::super::units;
use super::facts;

const PITFALL: &str = "server_log";

const GRANT: &str = "GRANT SET ON PARAMETER log_parameter_max_length TO the role (PostgreSQL 15), or \
                     set it to 0 for the role";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    if !postgres.role.is_logged {
        return Vec::new();
    }
    let fact = format!(
        "the server logs the parameters of statements, and role `{}` may not switch that off for its \
         own sessions",
        postgres.role.name
    );
    let by_original: Vec<String> = units::cut(case)
        .into_iter()
        .flat_map(|unit| unit.tables)
        .filter(|table| matches!(table.walk, Walk::ScopedKey(_)))
        .map(|table| table.table.to_string())
        .collect();
    if by_original.is_empty() {
        let rest = "row keys are logged, and tokens; originals are not: they travel by COPY.";
        return vec![warns(PITFALL, "database", fact, format!("{rest} {GRANT}"))];
    }
    let fact = format!("{fact}; keys in scope are parameters when {} is read", listed(by_original));
    vec![blocks(PITFALL, "database", fact, GRANT)]
}
