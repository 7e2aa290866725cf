//! Row security: an UPDATE that leaves out rows and says nothing, and policies that meet tokens.

use super::super::case::{Case, blocks, handled, listed, warns};
use super::super::model::Finding;
use super::{facts, is_reached, sheets, sql_name};
use crate::catalog::postgres::PostgresCatalog;

const PITFALL: &str = "row_security";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut findings = hidden(case, postgres);
    findings.extend(read(case, postgres));
    findings
}

/// Tables whose rows may be hidden from us.
fn hidden(case: &Case<'_>, postgres: &PostgresCatalog) -> Vec<Finding> {
    let role = &postgres.role;
    sheets(case)
        .into_iter()
        .filter(|sheet| sheet.has_row_security)
        .map(|sheet| {
            let object = format!("table {}", sheet.name);
            if !sheet.hides_rows {
                return handled(
                    PITFALL,
                    object,
                    "row security is on",
                    format!("it does not hold for role `{}`, which sees every row", role.name),
                );
            }
            let otherwise = match (sheet.is_owned, sheet.forces_row_security) {
                (true, _) => format!("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", sheet.name),
                (false, true) => "run as the owner of the table, without FORCE".to_owned(),
                (false, false) => "run as the owner of the table".to_owned(),
            };
            blocks(
                PITFALL,
                object,
                format!("row security hides rows from role `{}`", role.name),
                format!(
                    "as a superuser: ALTER ROLE {} BYPASSRLS; or {otherwise}",
                    sql_name(&role.name)
                ),
            )
        })
        .collect()
}

/// Policies that read columns in scope, also those of other tables: the application would see other
/// rows, and no error.
fn read(case: &Case<'_>, postgres: &PostgresCatalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in &postgres.policies {
        let mut columns: Vec<String> = Vec::new();
        for column in &policy.reads {
            if is_reached(case, &column.table, &column.column) {
                columns.push(column.to_string());
            }
        }
        if !columns.is_empty() {
            findings.push(warns(
                PITFALL,
                format!("policy {} of table {}", policy.name, policy.table),
                format!("the policy reads {}, and compares tokens after the run", listed(columns)),
                "rewrite the policy, or have it compare another column: it may show no rows, or \
                 others",
            ));
        }
    }
    findings
}
