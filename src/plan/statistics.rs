//! Pitfall: the planner's statistics hold samples of the originals.

use super::case::{Case, handled};
use super::model::Finding;

const PITFALL: &str = "statistics";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let tables = case.catalog.settings.iter().find(|(name, _)| name == "statistics");
    tables
        .map(|(_, tables)| {
            handled(
                PITFALL,
                "database",
                format!("statistics are kept in `{tables}`, and `sqlite_stat4` holds values"),
                "the purge runs `ANALYZE` after the rewrite and before `VACUUM`",
            )
        })
        .into_iter()
        .collect()
}
