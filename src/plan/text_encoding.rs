//! Pitfall: the database keeps text in UTF-16, where equal bytes are no longer equal text.

use super::case::{Case, blocks};
use super::model::Finding;

const PITFALL: &str = "text_encoding";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if case.catalog.encoding == "UTF-8" {
        return Vec::new();
    }
    vec![blocks(
        PITFALL,
        "database",
        format!("text is stored as {}", case.catalog.encoding),
        "copy the database into one made with `PRAGMA encoding = 'UTF-8'` and name that",
    )]
}
