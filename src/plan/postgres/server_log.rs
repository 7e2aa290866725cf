//! The server's log: statements of ours hold no value, but their parameters do, and a rollback's
//! parameters are originals.

use super::super::case::{Case, warns};
use super::super::model::Finding;
use super::facts;

const PITFALL: &str = "server_log";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    if !postgres.role.is_logged {
        return Vec::new();
    }
    vec![warns(
        PITFALL,
        "database",
        format!(
            "the server logs the parameters of statements, and role `{}` may not switch that off \
             for its own sessions",
            postgres.role.name
        ),
        "tokens are logged by a run, originals by a rollback: GRANT SET ON PARAMETER \
         log_parameter_max_length TO the role (PostgreSQL 15), or set it to 0 for the role",
    )]
}
