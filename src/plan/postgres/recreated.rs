//! What hangs on a column whose type the run changes: it is dropped and made anew with the change.

use super::super::case::{Case, handled, listed};
use super::super::model::Finding;
use super::{facts, room};

const PITFALL: &str = "recreated";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut hanging: Vec<(String, Vec<String>, String)> = Vec::new();
    for change in room::changes(case) {
        let column = format!("{}.{}", change.table, change.column);
        let mut hangs = |object: String, how: &str| match hanging
            .iter_mut()
            .find(|(known, _, _)| known == &object)
        {
            Some((_, columns, _)) => columns.push(column.clone()),
            None => hanging.push((object, vec![column.clone()], how.to_owned())),
        };
        for view in postgres.views_over(&change.table, &change.column) {
            if view.is_materialised {
                hangs(
                    format!("materialised view {}", view.name),
                    ", its indexes, and what it holds",
                );
            } else {
                hangs(format!("view {}", view.name), ", its rules and its triggers");
            }
        }
        let sheet = postgres.table(&change.table);
        for dependent in
            sheet.and_then(|sheet| sheet.column(&change.column)).iter().flat_map(|c| &c.dependents)
        {
            hangs(dependent.clone(), "");
        }
    }
    hanging
        .into_iter()
        .map(|(object, columns, with)| {
            handled(
                PITFALL,
                object,
                format!("it reads {}, whose type the run changes", listed(columns)),
                format!(
                    "in the transaction that changes the type it is dropped and made anew with its \
                     owner, grants, comments and options{with}; a rollback does so once more"
                ),
            )
        })
        .collect()
}
