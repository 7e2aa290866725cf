//! The server's log: statements of ours hold no value and originals travel outside of it, but row
//! keys and tokens are parameters.

use super::super::case::{Case, warns};
use super::super::model::Finding;
use super::{facts, sql_name};

const PITFALL: &str = "server_log";

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
    let remedy = format!(
        "row keys are logged, and tokens; originals are not: they travel by COPY. GRANT SET ON \
         PARAMETER log_parameter_max_length TO {} (PostgreSQL 15), or set it to 0 for the role",
        sql_name(&postgres.role.name)
    );
    vec![warns(PITFALL, "database", fact, remedy)]
}
