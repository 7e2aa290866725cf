//! Foreign keys over rewritten columns: those that can wait for the end of a transaction are made
//! to, all others are taken off for it.

use super::super::case::{Case, blocks, handled};
use super::super::groups::{self, Group};
use super::super::model::Finding;
use super::facts;
use crate::catalog::TableKind;
use crate::catalog::postgres::{PostgresForeignKey, PostgresTable};
use crate::policy::TableName;

const PITFALL: &str = "foreign_key_action";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let groups = groups::find(case);
    let mut findings = Vec::new();
    for sheet in &postgres.tables {
        for key in sheet.foreign_keys.iter().filter(|key| !key.is_inherited) {
            if is_touched(case, &groups, sheet, key) {
                findings.extend(of_key(case, sheet, key));
            }
        }
    }
    findings
}

fn is_touched(
    case: &Case<'_>,
    groups: &[Group],
    sheet: &PostgresTable,
    key: &PostgresForeignKey,
) -> bool {
    let has = |table: &TableName, columns: &[String]| {
        let partitions =
            case.catalog.table(table).map(|t| &t.kind) == Some(&TableKind::Partitioned);
        let parts = if partitions { case.catalog.parts(table) } else { Vec::new() };
        let mut names: Vec<&TableName> = parts.into_iter().map(|part| &part.name).collect();
        names.push(table);
        columns
            .iter()
            .any(|column| names.iter().any(|name| groups.iter().any(|g| g.has(name, column))))
    };
    has(&sheet.name, &key.columns) || has(&key.parent, &key.parent_columns)
}

fn of_key(case: &Case<'_>, sheet: &PostgresTable, key: &PostgresForeignKey) -> Option<Finding> {
    let role = &facts(case)?.role;
    let object = format!("foreign key {}", key.name);
    let waits = key.on_update == "NO ACTION" && key.is_validated;
    if waits && key.is_deferrable {
        return None;
    }
    let fact = if waits {
        "it cannot wait for the end of a transaction".to_owned()
    } else if key.on_update == "NO ACTION" {
        "it is NOT VALID: rows that break it are left alone only while they stay as they are"
            .to_owned()
    } else {
        format!(
            "ON UPDATE {} acts on `{}` as soon as `{}` gets its tokens",
            key.on_update, sheet.name, key.parent
        )
    };
    if !sheet.is_owned && !role.is_superuser {
        return Some(blocks(
            PITFALL,
            object,
            format!("{fact}, and the role does not own `{}`", sheet.name),
            format!("run as the owner of `{}`, or GRANT the role that owns it", sheet.name),
        ));
    }
    let remedy = if waits {
        "inside the transaction that rewrites its tables it is made to wait, checked, and put back; \
         readers of the tables wait meanwhile too"
    } else if key.is_validated {
        "inside the transaction that rewrites its tables it is taken off and put back as it was, \
         and the server checks every row anew; readers of the tables wait meanwhile too"
    } else {
        "inside the transaction that rewrites its tables it is taken off and put back as it was, \
         NOT VALID; readers of the tables wait meanwhile too"
    };
    Some(handled(PITFALL, object, fact, remedy))
}
