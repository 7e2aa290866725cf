//! Pitfall: equal values get equal tokens, so tokens of few values give them away.

use super::case::{Case, InScope, blocks, counted, handled, warns};
use super::model::Finding;
use super::share;
use crate::policy::Waiver;

const PITFALL: &str = "low_entropy";

/// From so many values on, few distinct ones block; where there are fewer they warn. NULLs do not count:
/// they get no token.
const ROWS_MIN: u64 = 10_000;
const DISTINCT_MIN: u64 = 10_000;
const TOP_SHARE_MAX: f64 = 0.01;
/// Longest value of a column that cannot have a million of them (`last four`).
const SHORT_BYTES_MAX: u64 = 4;

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns.iter().filter_map(of_column).collect()
}

fn of_column(column: &InScope<'_>) -> Option<Finding> {
    let facts = &column.facts;
    let values = column.cells();
    if !column.is_deterministic() || values == 0 {
        return None;
    }
    let top = share(facts.top_count_max, values);
    let is_few = facts.distinct < DISTINCT_MIN;
    let fact = if let Some(kind) = small_class(&column.column.declared) {
        format!("{kind} has fewer than a million values, so tokens can be told apart by counting")
    } else if values >= ROWS_MIN && (is_few || top > TOP_SHARE_MAX) {
        figures(column, top)
    } else if facts.distinct < values {
        let short = if facts.bytes_max <= SHORT_BYTES_MAX { ", all very short" } else { "" };
        return Some(warns_or_waived(
            column,
            format!("{}{short}; rows with equal tokens have equal values", figures(column, top)),
        ));
    } else {
        return None;
    };
    if is_waived(column) {
        return Some(handled(PITFALL, column.name(), fact, ACCEPTED));
    }
    Some(blocks(
        PITFALL,
        column.name(),
        fact,
        "use `token = \"random\"`, or accept it with `waive = [\"low_entropy\"]`",
    ))
}

const ACCEPTED: &str = "accepted by `waive`; who approves the plan signs it";

fn warns_or_waived(column: &InScope<'_>, fact: String) -> Finding {
    if is_waived(column) {
        handled(PITFALL, column.name(), fact, ACCEPTED)
    } else {
        warns(
            PITFALL,
            column.name(),
            fact,
            "`token = \"random\"` shows nothing; in a table of this size the plan does not insist",
        )
    }
}

fn is_waived(column: &InScope<'_>) -> bool {
    column.rule.waive.contains(&Waiver::LowEntropy)
}

fn figures(column: &InScope<'_>, top: f64) -> String {
    let about = if column.facts.distinct_exact { "" } else { "about " };
    format!(
        "{} hold {about}{}, the most frequent up to {:.1} % of them",
        counted(column.cells(), "cell"),
        counted(column.facts.distinct, "distinct value"),
        top * 100.0
    )
}

/// A declared type that cannot have a million values, in words.
fn small_class(declared: &str) -> Option<&'static str> {
    let declared = declared.to_ascii_uppercase();
    let word = declared.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    match word {
        "BOOL" | "BOOLEAN" | "BIT" => Some("a boolean"),
        "DATE" => Some("a date"),
        "YEAR" => Some("a year"),
        "ENUM" => Some("an enumeration"),
        _ => None,
    }
}
