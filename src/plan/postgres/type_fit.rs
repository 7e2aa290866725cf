//! Columns whose type or width has no room for a token.

use super::super::case::{Case, InScope, blocks, handled, warns};
use super::super::model::Finding;
use super::{facts, room, sheets};
use crate::catalog::postgres::PostgresColumn;
use crate::policy::{Fit, TokenKind};

const PITFALL: &str = "type_fit";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        for column in case.of_table(&sheet.name) {
            if let Some(facts) = sheet.column(&column.column.name) {
                findings.extend(of_column(case, column, facts));
            }
        }
    }
    findings
}

fn of_column(case: &Case<'_>, column: &InScope<'_>, facts: &PostgresColumn) -> Vec<Finding> {
    let is_text_token = matches!(column.rule.token, TokenKind::Keyed | TokenKind::Random);
    let mut findings = Vec::new();
    if is_text_token && facts.is_json() {
        findings.push(whole(column, '"', '"', "becomes one JSON string"));
    } else if is_text_token && facts.is_text_array() {
        findings.push(whole(column, '{', '}', "becomes an array of one element"));
    } else if facts.is_text_array() || !has_room(column, facts) {
        findings.push(nowhere(column));
    }
    findings.extend(filled_up(column, facts));
    if let Some(to) = room::needed(column, facts) {
        findings.push(of_change(case, column, facts, &to));
    }
    findings
}

/// Whether there is any type, the column's own or another, in which its tokens fit.
fn has_room(column: &InScope<'_>, facts: &PostgresColumn) -> bool {
    let is_bytes = facts.base_type == "bytea"
        && matches!(column.rule.token, TokenKind::Keyed | TokenKind::Random);
    facts.is_told_by_text() || is_bytes
}

/// A type that fills texts up with blanks, where a token would not read as itself any more. A `char(n)`
/// alone reads without them.
fn filled_up(column: &InScope<'_>, facts: &PostgresColumn) -> Option<Finding> {
    let declared = &column.column.declared;
    let (fact, remedy) = if facts.base_type == "_bpchar" {
        let max = facts.chars_max?;
        if room::text_chars(column, facts).is_some_and(|token| token >= max) {
            return None;
        }
        (
            format!("type `{declared}` fills every element up to {max} characters"),
            "change the column to `text[]` first, or leave it out of the policy",
        )
    } else if facts.base_type == "bpchar" && column.rule.template.as_ref()?.ends_with(' ') {
        (
            format!("type `{declared}` does not tell blanks at the end of a token from its own"),
            "let the template end in something else",
        )
    } else {
        return None;
    };
    Some(blocks(PITFALL, column.name(), fact, remedy))
}

fn nowhere(column: &InScope<'_>) -> Finding {
    blocks(
        PITFALL,
        column.name(),
        format!(
            "type `{}` has no room for a `{}` token",
            column.column.declared,
            column.rule.token.name()
        ),
        "change the column to `text` first, or leave it out of the policy",
    )
}

/// A token in a JSON column has to be a document itself, and in an array column an array.
fn whole(column: &InScope<'_>, open: char, close: char, becomes: &str) -> Finding {
    let declared = &column.column.declared;
    let template = column.rule.template.as_deref().unwrap_or("{token}");
    let around = format!("{open}{{token}}{close}");
    let inner = template.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let is_one = inner.is_some_and(|inner| {
        inner.contains("{token}")
            && inner.replace("{token}", "").chars().all(|sign| {
                sign.is_ascii_alphanumeric() || matches!(sign, '@' | '.' | ':' | '_' | '-' | '/')
            })
    });
    if is_one {
        return handled(
            PITFALL,
            column.name(),
            format!("a whole value of type `{declared}` {becomes}"),
            "rollback brings the value back; queries into it find nothing meanwhile",
        );
    }
    blocks(
        PITFALL,
        column.name(),
        format!("a bare token is no value of type `{declared}`"),
        format!("set `template = '{around}'`: the whole value {becomes}"),
    )
}

/// A type that has to be another one for as long as it holds tokens.
fn of_change(
    case: &Case<'_>,
    column: &InScope<'_>,
    facts_of: &PostgresColumn,
    to: &str,
) -> Finding {
    let declared = &column.column.declared;
    let is_longer = room::is_longer(facts_of);
    let fact = match column.token_chars() {
        Some(token) if is_longer || facts_of.is_text() => {
            format!("tokens have {token} characters, and the column is `{declared}`")
        }
        _ => format!("type `{declared}` has no room for a `{}` token", column.rule.token.name()),
    };
    if let Some(obstacle) = room::obstacle(case, column) {
        return blocks(
            PITFALL,
            column.name(),
            format!("{fact}; it cannot become `{to}` meanwhile, because {obstacle}"),
            format!("remove what stands in the way, or {}", other_way(case, column, facts_of)),
        );
    }
    let means = if is_longer { "" } else { ", and programs that compute with it will not" };
    match column.rule.fit {
        Fit::Refuse => blocks(
            PITFALL,
            column.name(),
            fact,
            format!(
                "set `fit = \"widen\"`: the run makes it `{to}`, and a rollback makes it \
                 `{declared}` again; or {}",
                other_way(case, column, facts_of)
            ),
        ),
        Fit::Widen if is_longer => handled(
            PITFALL,
            column.name(),
            fact,
            format!(
                "the run makes it `{to}` before the first token{}, and a rollback makes it \
                 `{declared}` again",
                if facts_of.base_type.ends_with("bpchar") {
                    ", which rewrites the table"
                } else {
                    ""
                }
            ),
        ),
        Fit::Widen => warns(
            PITFALL,
            column.name(),
            fact,
            format!(
                "the run makes it `{to}` under an exclusive lock, rewriting the table{means}; a \
                 rollback makes it `{declared}` again"
            ),
        ),
    }
}

/// What else helps than another type.
fn other_way(case: &Case<'_>, column: &InScope<'_>, facts_of: &PostgresColumn) -> &'static str {
    let is_shared = facts(case).is_some() && case.is_shared(column);
    if facts_of.base_type == "uuid" {
        "set `token = \"uuid\"`"
    } else if facts_of.is_text() && !is_shared {
        "use `token = \"format\"`"
    } else {
        "leave the column out of the policy"
    }
}
