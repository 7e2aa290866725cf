//! Unlogged tables: a crash of the server empties them, and tokens would be all that is left.

use super::super::case::{Case, warns};
use super::super::model::Finding;
use super::sheets;

const PITFALL: &str = "unlogged";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    sheets(case)
        .into_iter()
        .filter(|sheet| sheet.is_unlogged)
        .map(|sheet| {
            warns(
                PITFALL,
                format!("table {}", sheet.name),
                "it is unlogged: after a crash of the server it is empty, and a run over it cannot \
                 end as verified",
                format!("`ALTER TABLE {} SET LOGGED`, if its rows matter", sheet.name),
            )
        })
        .collect()
}
