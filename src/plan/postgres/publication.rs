//! Publications: a row that subscribers cannot find cannot be updated, and old values may travel.

use super::super::case::{Case, blocks, listed, warns};
use super::super::model::Finding;
use super::sheets;
use crate::catalog::postgres::{PostgresTable, ReplicaIdentity};

const PITFALL: &str = "publication";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    sheets(case)
        .into_iter()
        .filter(|sheet| !sheet.publications.is_empty())
        .map(|sheet| of_table(case, sheet))
        .collect()
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
