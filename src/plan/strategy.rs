//! Pitfall: a strategy is asked for that the engine does not have.

use super::case::{Case, blocks};
use super::model::{Finding, Strategy};
use crate::catalog::EngineKind;

const PITFALL: &str = "strategy";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    match (case.catalog.engine, case.strategy) {
        (EngineKind::Sqlite | EngineKind::Postgres, Strategy::InPlace) => Vec::new(),
        (EngineKind::Sqlite, Strategy::Rebuild) => vec![blocks(
            PITFALL,
            "database",
            "SQLite tables are rewritten in place; there is no `rebuild`",
            "leave `--strategy` out; the purge rewrites the whole file in any case",
        )],
        (EngineKind::Postgres, Strategy::Rebuild) => vec![blocks(
            PITFALL,
            "database",
            "tables of PostgreSQL are rewritten in place; `rebuild` is not there yet",
            "leave `--strategy` out",
        )],
    }
}
