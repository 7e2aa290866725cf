//! A role that may not do what the run will need: found before the first write, not half way.

use super::super::case::{Case, blocks, listed, warns};
use super::super::model::{Finding, UnitMode};
use super::super::units;
use super::{facts, sheets, sql_name};
use crate::catalog::postgres::{DEFAULT_SCHEMA, OWN_SCHEMA as SCHEMA, PostgresTable, Role};

const PITFALL: &str = "privileges";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let role = &postgres.role;
    let mut findings = Vec::new();
    if !role.may_make_schema {
        findings.push(schema_needed(role));
    }
    if !role.may_make_temporary && !role.is_superuser {
        findings.push(blocks(
            PITFALL,
            "database",
            format!("role `{}` may not make temporary tables", role.name),
            format!(
                "GRANT TEMPORARY ON DATABASE … TO {}: values travel through one, so that the \
                 server's log has none of them",
                sql_name(&role.name)
            ),
        ));
    }
    let unread: Vec<String> = postgres
        .tables
        .iter()
        .filter(|sheet| !sheet.is_readable())
        .map(|sheet| sheet.name.to_string())
        .collect();
    if !unread.is_empty() {
        findings.push(warns(
            PITFALL,
            "database",
            format!("role `{}` may not read all of {}", role.name, listed(unread)),
            "copies of values in scope are not looked for there: GRANT SELECT on the whole table, \
             BYPASSRLS where row security is on, or look yourself",
        ));
    }
    let in_windows: Vec<_> = units::cut(case)
        .into_iter()
        .filter(|unit| unit.mode == UnitMode::Window)
        .flat_map(|unit| unit.tables)
        .map(|table| table.table)
        .collect();
    for sheet in sheets(case) {
        if in_windows.contains(&sheet.name) {
            findings.extend(lock_needed(sheet, role));
        }
        findings.extend(owner_of_keys_needed(case, sheet, role));
        findings.extend(rights_needed(case, sheet, role));
        if !sheet.is_owned && !role.is_superuser {
            findings.push(owner_needed(case, sheet, &role.name));
        }
    }
    findings
}

/// Everything of our own lies in one schema.
fn schema_needed(role: &Role) -> Finding {
    let name = sql_name(&role.name);
    let (fact, remedy) = if role.has_schema {
        (
            format!("role `{}` may not make tables in the schema `{SCHEMA}`", role.name),
            format!(
                "as its owner: GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {name}; where another role \
                 has tables of Sealift in it, GRANT that role to {name} instead"
            ),
        )
    } else {
        (
            format!("role `{}` may not make the schema `{SCHEMA}`", role.name),
            format!(
                "as the owner of the database: GRANT CREATE ON DATABASE … TO {name}, or \
                 CREATE SCHEMA {SCHEMA} AUTHORIZATION {name}"
            ),
        )
    };
    blocks(PITFALL, "database", fact, remedy)
}

/// The columns in scope are read and written. What row security hides is found by itself.
fn rights_needed(case: &Case<'_>, sheet: &PostgresTable, role: &Role) -> Option<Finding> {
    let may_write = |name: &str| sheet.column(name).is_none_or(|facts| facts.may_update);
    let may_read = sheet.may_use_schema && sheet.may_select;
    let columns: Vec<_> = case.of_table(&sheet.name).collect();
    let withheld: Vec<String> = columns
        .iter()
        .filter(|column| !may_read || !may_write(&column.column.name))
        .map(|column| column.name())
        .collect();
    if withheld.is_empty() {
        return None;
    }
    let name = sql_name(&role.name);
    let mut grants = Vec::new();
    if !sheet.may_use_schema {
        let schema = sheet.name.schema.as_deref().unwrap_or(DEFAULT_SCHEMA);
        grants.push(format!("GRANT USAGE ON SCHEMA {} TO {name}", sql_name(schema)));
    }
    let may_write_all = columns.iter().all(|column| may_write(&column.column.name));
    let rights = match (sheet.may_select, may_write_all) {
        (false, false) => Some("SELECT, UPDATE"),
        (false, true) => Some("SELECT"),
        (true, false) => Some("UPDATE"),
        (true, true) => None,
    };
    if let Some(rights) = rights {
        grants.push(format!("GRANT {rights} ON {} TO {name}", sheet.name));
    }
    let mut remedy = grants.join("; ");
    if !sheet.may_select {
        remedy.push_str(
            ": the right to read columns is not enough, because where a row lies is read too",
        );
    }
    Some(blocks(
        PITFALL,
        format!("table {}", sheet.name),
        format!("role `{}` may not read and write {}", role.name, listed(withheld)),
        remedy,
    ))
}

/// A table that is rewritten in one transaction is locked against writers.
fn lock_needed(sheet: &PostgresTable, role: &Role) -> Option<Finding> {
    (!sheet.may_lock && !role.is_superuser).then(|| {
        blocks(
            PITFALL,
            format!("table {}", sheet.name),
            format!(
                "role `{}` may update columns and not the table, and locking it against writers \
                 needs that",
                role.name
            ),
            format!("GRANT UPDATE ON {} TO {}", sheet.name, sql_name(&role.name)),
        )
    })
}

/// A foreign key that cannot wait is made to, for the time of a transaction: that is the owner's.
fn owner_of_keys_needed(case: &Case<'_>, sheet: &PostgresTable, role: &Role) -> Option<Finding> {
    let waits: Vec<String> = sheet
        .foreign_keys
        .iter()
        .filter(|key| !key.is_deferrable)
        .filter(|key| key.columns.iter().any(|column| case.covers(&sheet.name, column)))
        .map(|key| key.name.clone())
        .collect();
    (!waits.is_empty() && !sheet.is_owned && !role.is_superuser).then(|| {
        blocks(
            PITFALL,
            format!("table {}", sheet.name),
            format!(
                "role `{}` does not own the table, and having {} wait for the end of the rewrite \
                 needs that",
                role.name,
                listed(waits)
            ),
            format!("GRANT the role that owns `{}` to `{}`", sheet.name, role.name),
        )
    })
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
