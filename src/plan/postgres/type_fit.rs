//! Columns whose type or width has no room for a token.

use super::super::case::{Case, InScope, blocks, handled};
use super::super::model::Finding;
use super::sheets;
use crate::catalog::postgres::PostgresColumn;
use crate::policy::{Fit, TokenKind};

const PITFALL: &str = "type_fit";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        for column in case.of_table(&sheet.name) {
            if let Some(facts) = sheet.column(&column.column.name) {
                findings.extend(of_column(column, facts));
            }
        }
    }
    findings
}

fn of_column(column: &InScope<'_>, facts: &PostgresColumn) -> Option<Finding> {
    let declared = &column.column.declared;
    let misfit = |fact: String, remedy: &str| Some(blocks(PITFALL, column.name(), fact, remedy));
    match column.rule.token {
        TokenKind::Keyed | TokenKind::Random if facts.is_json() => Some(json(column, declared)),
        TokenKind::Keyed | TokenKind::Random if facts.base_type == "uuid" => misfit(
            format!("type `{declared}` has no room for a text token"),
            "set `token = \"uuid\"`",
        ),
        TokenKind::Format if facts.is_text() => None,
        TokenKind::Uuid if facts.base_type == "uuid" => None,
        TokenKind::Keyed | TokenKind::Random | TokenKind::Uuid if facts.is_text() => {
            width(column, facts)
        }
        TokenKind::Keyed | TokenKind::Random | TokenKind::Uuid | TokenKind::Format => misfit(
            format!("type `{declared}` has no room for a `{}` token", column.rule.token.name()),
            "change the column to `text` first, or leave it out of the policy",
        ),
    }
}

/// A token in a JSON column has to be a JSON document itself: a string.
fn json(column: &InScope<'_>, declared: &str) -> Finding {
    let template = column.rule.template.as_deref().unwrap_or("{token}");
    let is_string = template.len() > 2
        && template.starts_with('"')
        && template.ends_with('"')
        && !template[1..template.len() - 1].contains(['"', '\\']);
    if is_string {
        return handled(
            PITFALL,
            column.name(),
            format!("a whole document of type `{declared}` becomes one JSON string"),
            "rollback brings the document back; queries into it find nothing meanwhile",
        );
    }
    blocks(
        PITFALL,
        column.name(),
        format!("type `{declared}` takes JSON only, and a bare token is none"),
        "set `template = '\"{token}\"'`: the whole document becomes one JSON string",
    )
}

fn width(column: &InScope<'_>, facts: &PostgresColumn) -> Option<Finding> {
    let (chars_max, token) = (facts.chars_max?, column.token_chars()?);
    if token <= chars_max {
        return None;
    }
    let declared = &column.column.declared;
    let table = &column.table.name;
    let remedy = match column.rule.fit {
        Fit::Widen => "`fit = \"widen\"` is not carried out on PostgreSQL yet: widen it first",
        Fit::Refuse => "widen it first",
    };
    Some(blocks(
        PITFALL,
        column.name(),
        format!("tokens have {token} characters, and the column is `{declared}`"),
        format!(
            "{remedy}, `ALTER TABLE {table} ALTER COLUMN {} TYPE varchar({token})`, or use \
             `token = \"format\"`",
            column.column.name
        ),
    ))
}
