//! The server's statistics: frequent values and histograms are values, and anybody who may read a
//! column sees them in `pg_stats`.

use super::super::case::{Case, handled};
use super::super::model::Finding;
use super::{facts, sheets};

const PITFALL: &str = "server_statistics";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if facts(case).is_none() || sheets(case).is_empty() {
        return Vec::new();
    }
    vec![handled(
        PITFALL,
        "database",
        "the server keeps frequent values of the columns in scope as statistics, extended ones too",
        "a run takes them anew after the rewrite, so that queries are planned for tokens; the purge \
         does so again, and rewrites the tables that keep them",
    )]
}
