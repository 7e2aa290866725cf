//! Event triggers fire when we make our schema or switch a trigger.

use super::super::case::{Case, warns};
use super::super::model::Finding;
use super::facts;

const PITFALL: &str = "event_trigger";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    postgres
        .event_triggers
        .iter()
        .map(|name| {
            warns(
                PITFALL,
                format!("event trigger {name}"),
                "it fires when the schema `sealift` is made and removed",
                "check that it lets that pass, or switch it off for the time of the run",
            )
        })
        .collect()
}
