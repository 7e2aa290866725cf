//! Publications: a row that subscribers cannot find cannot be updated, one that a condition leaves out
//! is deleted there, and old values may travel.

use super::super::case::{Case, blocks, listed, warns};
use super::super::model::Finding;
use super::{facts, is_reached, sheets, sql_name};
use crate::catalog::TableKind;
use crate::catalog::postgres::{PostgresTable, PublicationFilter, ReplicaIdentity};

const PITFALL: &str = "publication";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let published = sheets(case).into_iter().filter(|sheet| !sheet.publications.is_empty());
    let mut findings: Vec<Finding> = published.map(|sheet| of_table(case, sheet)).collect();
    findings.extend(filtered(case));
    findings
}

/// Conditions over columns in scope, of a table that holds rows or of one that it is a partition of.
fn filtered(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut findings = Vec::new();
    for sheet in &postgres.tables {
        let table = case.catalog.table(&sheet.name);
        // An heir is published with a condition of its own; a partition may go by the one above.
        let is_whole = table.is_some_and(|table| table.kind == TableKind::Partitioned);
        for filter in &sheet.publication_filters {
            // A rebuild sends no UPDATE: it empties the table, and what does not match stays away.
            if !filter.is_of_updates && case.strategy.is_in_place() {
                continue;
            }
            let mut columns: Vec<&str> = filter.columns.iter().map(String::as_str).collect();
            columns.retain(|column| {
                case.covers(&sheet.name, column)
                    || (is_whole && is_reached(case, &sheet.name, column))
            });
            if !columns.is_empty() {
                findings.push(of_filter(sheet, filter, &columns));
            }
        }
    }
    findings
}

fn of_filter(sheet: &PostgresTable, filter: &PublicationFilter, columns: &[&str]) -> Finding {
    blocks(
        PITFALL,
        format!("publication {}", filter.publication),
        format!(
            "it filters rows of `{}` by {}: rewritten rows may not match any more, and subscribers \
             delete them",
            sheet.name,
            listed(columns)
        ),
        format!(
            "ALTER PUBLICATION {} SET TABLE …, without the filter or with one over other columns; \
             then plan again",
            sql_name(&filter.publication)
        ),
    )
}

fn of_table(case: &Case<'_>, sheet: &PostgresTable) -> Finding {
    let object = format!("table {}", sheet.name);
    let by = format!("it is published by {}", listed(&sheet.publications));
    let old_values = "subscribers and the log of changes receive the originals once more; look for \
                      copies there after the run";
    let has_none = match &sheet.replica_identity {
        ReplicaIdentity::Key(key) => key.is_empty(),
        ReplicaIdentity::Nothing => true,
        ReplicaIdentity::Full => false,
    };
    if let Some(why) = sheet.update_refused.as_ref().filter(|_| !has_none) {
        return blocks(
            PITFALL,
            object,
            format!("{by}, and the server refuses every UPDATE: {why}"),
            "have the publication hold what subscribers find rows by (ALTER PUBLICATION … SET TABLE …), \
             or choose another REPLICA IDENTITY",
        );
    }
    match &sheet.replica_identity {
        ReplicaIdentity::Key(key) if key.is_empty() => blocks(
            PITFALL,
            object,
            format!("{by} and has no replica identity, so the server refuses every UPDATE"),
            format!(
                "ALTER TABLE {} REPLICA IDENTITY USING INDEX …, or give it a primary key",
                sheet.name
            ),
        ),
        ReplicaIdentity::Nothing => blocks(
            PITFALL,
            object,
            format!("{by} and has no replica identity, so the server refuses every UPDATE"),
            format!("ALTER TABLE {} REPLICA IDENTITY DEFAULT", sheet.name),
        ),
        ReplicaIdentity::Full => {
            warns(PITFALL, object, format!("{by} with its whole old rows"), old_values)
        }
        ReplicaIdentity::Key(key) if key.iter().any(|name| case.covers(&sheet.name, name)) => {
            warns(PITFALL, object, format!("{by} by a key that is in scope"), old_values)
        }
        ReplicaIdentity::Key(_) => warns(
            PITFALL,
            object,
            by,
            "subscribers receive tokens for its rows, and keep what they have of them elsewhere",
        ),
    }
}
