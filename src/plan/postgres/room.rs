//! Which type a column needs so that a token fits, and what keeps it from getting that type.
//!
//! A run may change the type of a column for as long as it holds tokens, where the policy says
//! `fit = "widen"`: a longer `varchar`, or `text` in the place of what a text tells in full.

use super::super::case::{Case, InScope, listed, reads_column};
use super::super::check_constraint::JSON_TEMPLATE;
use super::super::groups;
use super::facts;
use crate::catalog::ColumnChange;
use crate::catalog::postgres::{PostgresCatalog, PostgresColumn};
use crate::policy::{Fit, TokenKind};

/// A token as an array of one element.
const ARRAY_TEMPLATE: &str = "{{token}}";

/// The type that a column needs; `None` where a token fits as it is, or into no type at all.
pub(super) fn needed(column: &InScope<'_>, facts: &PostgresColumn) -> Option<String> {
    if is_at_home(facts, column.rule.token) {
        return None;
    }
    if facts.is_text() || facts.is_text_array() {
        let (chars_max, token) = (facts.chars_max?, text_chars(column, facts)?);
        if token <= chars_max {
            return None;
        }
        let array = if facts.is_text_array() { "[]" } else { "" };
        return Some(match (&facts.domain, facts.base_type.trim_start_matches('_')) {
            (Some(_), _) => format!("text{array}"),
            (None, "bpchar") => format!("character({token}){array}"),
            (None, _) => format!("character varying({token}){array}"),
        });
    }
    facts.is_told_by_text().then(|| "text".to_owned())
}

/// Whether a type takes tokens of a kind of any length.
fn is_at_home(facts: &PostgresColumn, token: TokenKind) -> bool {
    match token {
        TokenKind::Keyed | TokenKind::Random => facts.is_json() || facts.base_type == "bytea",
        TokenKind::Uuid => facts.base_type == "uuid",
        TokenKind::Format => facts.is_text(),
    }
}

/// What a line of the policy has to say of a column that no line names yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Room {
    /// Nothing: a token fits as it is.
    Enough,
    /// `fit = "widen"`: the column needs another type for as long as it holds tokens.
    Widened,
    /// Nothing helps: the type has no room for a token of the kind.
    Nowhere,
}

/// The room that a column has for a token of a kind, of so many characters where that is not up to
/// the value.
pub(in super::super) fn room(facts: &PostgresColumn, token: TokenKind, chars: Option<u64>) -> Room {
    if is_at_home(facts, token) {
        return Room::Enough;
    }
    let is_text_token = matches!(token, TokenKind::Keyed | TokenKind::Random);
    if facts.is_text() || (facts.is_text_array() && is_text_token) {
        let is_short = facts.chars_max.zip(chars).is_some_and(|(max, token)| token > max);
        return if is_short { Room::Widened } else { Room::Enough };
    }
    if facts.is_told_by_text() { Room::Widened } else { Room::Nowhere }
}

/// The template that makes a token a whole value of a type which takes no bare one.
pub(in super::super) fn whole_template(facts: &PostgresColumn) -> Option<&'static str> {
    if facts.is_json() {
        Some(JSON_TEMPLATE)
    } else if facts.is_text_array() {
        Some(ARRAY_TEMPLATE)
    } else {
        None
    }
}

/// How many characters a token has in a text of the column, where that is not up to the value.
pub(super) fn text_chars(column: &InScope<'_>, facts: &PostgresColumn) -> Option<u64> {
    let token = column.token_chars()?;
    // The braces of a template around an array are not part of its element.
    Some(if facts.is_text_array() { token.saturating_sub(2) } else { token })
}

/// Whether a column only gets longer, and stays of its type.
pub(super) fn is_longer(facts: &PostgresColumn) -> bool {
    facts.domain.is_none() && (facts.is_text() || facts.is_text_array())
}

/// Why a column cannot get another type for the time of a run.
pub(super) fn obstacle(case: &Case<'_>, column: &InScope<'_>) -> Option<String> {
    let postgres = facts(case)?;
    let name = &column.column.name;
    let family = postgres.family(&column.table.name, name);
    // The type of a column that comes from above changes with the one above, and with one only.
    let tops: Vec<String> = family
        .iter()
        .filter(|sheet| sheet.column(name).is_some_and(|facts| !facts.is_inherited))
        .map(|sheet| sheet.name.to_string())
        .collect();
    if tops.len() > 1 {
        return Some(format!("tables inherit it from more than one, {}", listed(&tops)));
    }
    for sheet in family {
        let facts = sheet.column(name)?;
        let table = case.catalog.table(&sheet.name)?;
        if !sheet.is_owned && !postgres.role.is_superuser {
            return Some(format!("role `{}` does not own `{}`", postgres.role.name, sheet.name));
        }
        if !facts.holders.is_empty() {
            return Some(format!("{} uses it", listed(&facts.holders)));
        }
        let generated = table.columns.iter().find(|other| {
            let expression = other.generated.as_ref().map(|generated| &generated.expression);
            expression.is_some_and(|expression| reads_column(table, expression, name))
        });
        if let Some(generated) = generated {
            return Some(format!("column `{}` is generated from it", generated.name));
        }
        for view in postgres.views_over(&sheet.name, name) {
            if !view.is_owned && !postgres.role.is_superuser {
                return Some(format!(
                    "role `{}` does not own view `{}`, which reads it",
                    postgres.role.name, view.name
                ));
            }
            if !view.holders.is_empty() {
                return Some(format!("{} hangs on view `{}`", listed(&view.holders), view.name));
            }
        }
    }
    let own = postgres.table(&column.table.name)?.column(name)?;
    if is_longer(own) { None } else { other_type(case, postgres, column) }
}

/// What stands in the way of a type that is another one altogether: whatever computes with it.
fn other_type(case: &Case<'_>, postgres: &PostgresCatalog, column: &InScope<'_>) -> Option<String> {
    let name = &column.column.name;
    if groups::find(case).iter().any(|group| group.has(&column.table.name, name)) {
        return Some("a foreign key compares it".to_owned());
    }
    for sheet in postgres.family(&column.table.name, name) {
        let facts = sheet.column(name)?;
        let table = case.catalog.table(&sheet.name)?;
        if facts.is_identity {
            return Some("it is an identity column".to_owned());
        }
        if let Some(dependent) = facts.dependents.first() {
            return Some(format!("{dependent} computes with it"));
        }
        if let Some(view) = postgres.views_over(&sheet.name, name).first() {
            return Some(format!("view `{}` computes with it", view.name));
        }
        let check = table.checks.iter().find(|one| reads_column(table, &one.expression, name));
        if let Some(check) = check {
            let check = check.name.as_deref().unwrap_or(&check.expression);
            return Some(format!("check `{check}` computes with it"));
        }
        let index = table.indexes.iter().find(|index| {
            let in_keys = index.keys.iter().any(|key| key.column.as_ref() == Some(name));
            let is_plain =
                index.sql.contains(" USING btree ") || index.sql.contains(" USING hash ");
            let computes =
                index.predicate.as_ref().is_some_and(|text| reads_column(table, text, name))
                    || sheet
                        .index_expressions
                        .iter()
                        .any(|(of, text)| of == &index.name && reads_column(table, text, name));
            computes || (in_keys && !is_plain)
        });
        if let Some(index) = index {
            return Some(format!("index `{}` computes with it", index.name));
        }
        if sheet.exclusions.iter().any(|(_, text)| reads_column(table, text, name)) {
            return Some("an exclusion constraint compares it".to_owned());
        }
    }
    None
}

/// The changes that a run makes before it writes a token: those the policy consents to.
pub(in super::super) fn changes(case: &Case<'_>) -> Vec<ColumnChange> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut changes: Vec<ColumnChange> = Vec::new();
    for column in case.columns.iter().filter(|column| column.rule.fit == Fit::Widen) {
        let name = &column.column.name;
        let own = postgres.table(&column.table.name).and_then(|sheet| sheet.column(name));
        let Some(to) = own.and_then(|own| needed(column, own)) else { continue };
        for sheet in postgres.family(&column.table.name, name) {
            let declared = case.catalog.table(&sheet.name).and_then(|table| table.column(name));
            let is_known = changes.iter().any(|one| one.table == sheet.name && &one.column == name);
            if let Some(declared) = declared.filter(|_| !is_known) {
                changes.push(ColumnChange {
                    table: sheet.name.clone(),
                    column: name.clone(),
                    from: declared.declared.clone(),
                    to: to.clone(),
                });
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(base_type: &str, chars_max: Option<u64>) -> PostgresColumn {
        PostgresColumn { base_type: base_type.into(), chars_max, ..PostgresColumn::default() }
    }

    #[test]
    fn documents_and_arrays_ask_for_a_whole_value_and_others_for_none() {
        let template = |base_type| whole_template(&of_type(base_type, None));
        assert_eq!(template("jsonb"), Some(r#""{token}""#));
        assert_eq!(template("_text"), Some("{{token}}"));
        assert_eq!((template("text"), template("tsvector")), (None, None));
    }

    #[test]
    fn a_type_has_room_as_it_is_or_widened_or_not_at_all() {
        let keyed =
            |base_type, chars_max| room(&of_type(base_type, chars_max), TokenKind::Keyed, Some(35));
        for base_type in ["text", "jsonb", "bytea", "_text"] {
            assert_eq!(keyed(base_type, None), Room::Enough, "{base_type}");
        }
        assert_eq!(keyed("varchar", Some(40)), Room::Enough);
        assert_eq!(keyed("varchar", Some(20)), Room::Widened);
        assert_eq!(keyed("int8", None), Room::Widened);
        for base_type in ["tsvector", "_int4", "xml"] {
            assert_eq!(keyed(base_type, None), Room::Nowhere, "{base_type}");
        }
        let uuid = |base_type| room(&of_type(base_type, None), TokenKind::Uuid, Some(36));
        assert_eq!((uuid("uuid"), uuid("jsonb")), (Room::Enough, Room::Nowhere));
    }
}
