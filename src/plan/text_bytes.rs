//! Pitfall: text that is not UTF-8, or has a NUL inside, which many programs cut short.

use super::case::{Case, InScope, blocks, counted, handled};
use super::model::Finding;
use crate::policy::{Normalise, TokenKind};

const PITFALL: &str = "text_bytes";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns.iter().filter_map(of_column).collect()
}

fn of_column(column: &InScope<'_>) -> Option<Finding> {
    let facts = &column.facts;
    if facts.invalid_utf8 == 0 && facts.embedded_nul == 0 {
        return None;
    }
    let reads_text =
        column.rule.token == TokenKind::Format || column.rule.normalise != Normalise::None;
    if facts.invalid_utf8 > 0 && reads_text {
        return Some(blocks(
            PITFALL,
            column.name(),
            format!(
                "{} not UTF-8, so its letters cannot be read",
                counted(facts.invalid_utf8, "text")
            ),
            "correct them, or use `token = \"keyed\"` without `normalise`",
        ));
    }
    Some(handled(
        PITFALL,
        column.name(),
        format!(
            "{} not UTF-8, {} with a NUL inside",
            counted(facts.invalid_utf8, "text"),
            counted(facts.embedded_nul, "text")
        ),
        "values are taken and given back byte for byte; over HTTP they travel as base64",
    ))
}
