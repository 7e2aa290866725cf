//! A role that may not do what the run will need: found before the first write, not half way.

use super::super::case::{Case, blocks, listed, warns};
use super::super::model::Finding;
use super::{facts, sheets};
use crate::catalog::postgres::OWN_SCHEMA as SCHEMA;

const PITFALL: &str = "privileges";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let role = &postgres.role;
    let mut findings = Vec::new();
    if !role.may_make_schema {
        findings.push(blocks(
            PITFALL,
            "database",
            format!("role `{}` may not make the schema `{SCHEMA}`", role.name),
            format!(
                "as the owner of the database: GRANT CREATE ON DATABASE … TO the role, or \
                 CREATE SCHEMA {SCHEMA} AUTHORIZATION the role"
            ),
        ));
    }
    let unread: Vec<String> = postgres
        .tables
        .iter()
        .filter(|sheet| sheet.columns.iter().any(|column| !column.may_read))
        .map(|sheet| sheet.name.to_string())
        .collect();
    if !unread.is_empty() {
        findings.push(warns(
            PITFALL,
            "database",
            format!("role `{}` may not read all of {}", role.name, listed(unread)),
            "copies of values in scope are not looked for there: GRANT SELECT, or look yourself",
        ));
    }
    for sheet in sheets(case) {
        let columns = case.of_table(&sheet.name);
        let withheld: Vec<String> = columns
            .filter(|column| {
                sheet.column(&column.column.name).is_some_and(|facts| !facts.may_rewrite)
            })
            .map(super::super::case::InScope::name)
            .collect();
        if !withheld.is_empty() {
            findings.push(blocks(
                PITFALL,
                format!("table {}", sheet.name),
                format!("role `{}` may not read and write {}", role.name, listed(withheld)),
                format!("GRANT SELECT, UPDATE ON {} TO the role", sheet.name),
            ));
        }
        if !sheet.is_owned && !role.is_superuser {
            findings.push(owner_needed(case, sheet, &role.name));
        }
    }
    findings
}

/// What only the owner of a table may do: rewrite it for the purge, switch triggers, have foreign
/// keys wait.
fn owner_needed(
    case: &Case<'_>,
    sheet: &crate::catalog::postgres::PostgresTable,
    role: &str,
) -> Finding {
    let object = format!("table {}", sheet.name);
    let remedy = format!("GRANT the role that owns `{}` to `{role}`", sheet.name);
    if case.suppressed(&sheet.name).is_empty() {
        warns(
            PITFALL,
            object,
            format!("role `{role}` does not own the table, and `VACUUM FULL` needs that"),
            format!("the run goes through, the purge would not: {remedy}"),
        )
    } else {
        blocks(
            PITFALL,
            object,
            format!(
                "role `{role}` does not own the table, and suppressing its triggers needs that"
            ),
            remedy,
        )
    }
}
