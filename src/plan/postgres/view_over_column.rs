//! Views show tokens at once; materialised views keep originals until they are refreshed.

use super::super::case::{Case, handled, listed, warns};
use super::super::model::Finding;
use super::facts;
use crate::catalog::postgres::PostgresView;

const PITFALL: &str = "view_over_column";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut reached: Vec<(&PostgresView, Vec<String>)> = Vec::new();
    for column in &case.columns {
        for view in postgres.views_over(&column.table.name, &column.column.name) {
            match reached.iter_mut().find(|(known, _)| known.name == view.name) {
                Some((_, columns)) => columns.push(column.name()),
                None => reached.push((view, vec![column.name()])),
            }
        }
    }
    reached.into_iter().map(|(view, columns)| of_view(view, &columns)).collect()
}

fn of_view(view: &PostgresView, columns: &[String]) -> Finding {
    let columns = listed(columns);
    if view.is_materialised {
        handled(
            PITFALL,
            format!("materialised view {}", view.name),
            format!("it keeps a copy of {columns}"),
            "the purge refreshes it from the tokens; until then it still holds originals",
        )
    } else {
        warns(
            PITFALL,
            format!("view {}", view.name),
            format!("the view reads {columns}, and after the run tokens"),
            "check who reads the view",
        )
    }
}
