//! Pitfall: a full-text index holds the words of the originals.

use super::case::{Case, InScope, blocks, handled, warns};
use super::model::Finding;
use crate::catalog::sqlite_trigger::TriggerText;
use crate::catalog::{Catalog, Table, TableKind, sqlite_ddl};
use crate::policy::Policy;

const PITFALL: &str = "full_text";

/// Where a full-text table takes its text from.
enum Content {
    /// It keeps a copy of its own.
    Own,
    /// It keeps none; what it was given cannot be read back.
    None,
    /// Another table or view.
    Of(String),
}

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for index in case.catalog.tables.iter().filter(|table| is_full_text(table)) {
        for column in &case.columns {
            findings.extend(of_column(case, index, column));
        }
    }
    findings
}

/// Whether a name is that of a full-text table.
pub(super) fn is_index(case: &Case<'_>, name: &str) -> bool {
    case.catalog
        .tables
        .iter()
        .any(|table| is_full_text(table) && table.name.name.eq_ignore_ascii_case(name))
}

/// The table or view whose text a full-text table indexes without keeping it.
pub(super) fn content_of(table: &Table) -> Option<String> {
    if !is_full_text(table) {
        return None;
    }
    match read(&table.sql).1 {
        Content::Of(source) => Some(source),
        Content::Own | Content::None => None,
    }
}

/// Whether a full-text table keeps a text of its own, which can be read like that of any table.
#[must_use]
pub fn keeps_text(table: &Table) -> bool {
    is_full_text(table) && matches!(read(&table.sql).1, Content::Own)
}

/// Whether a full-text table shows the text of another table or view.
#[must_use]
pub fn shows_another(table: &Table) -> bool {
    content_of(table).is_some()
}

/// Whether triggers carry what happens to columns of the policy over into a full-text table, so that
/// a run changes both.
#[must_use]
pub fn follows(catalog: &Catalog, policy: &Policy, index: &Table) -> bool {
    catalog.triggers.iter().any(|trigger| {
        let mut columns = policy
            .columns
            .iter()
            .filter(|rule| rule.name.table == trigger.table)
            .map(|rule| rule.name.column.as_str());
        TriggerText::parse(&trigger.sql).is_some_and(|text| {
            text.writes_to(&index.name.name) && text.fires_on_update_of(&mut columns)
        })
    })
}

fn is_full_text(table: &Table) -> bool {
    match &table.kind {
        TableKind::Virtual(module) => matches!(module.as_str(), "fts3" | "fts4" | "fts5"),
        TableKind::Ordinary | TableKind::Shadow | TableKind::Partitioned | TableKind::Foreign => {
            false
        }
    }
}

fn of_column(case: &Case<'_>, index: &Table, column: &InScope<'_>) -> Option<Finding> {
    let object = format!("table {}", index.name);
    let (names, content) = read(&index.sql);
    let is_indexed = names.iter().any(|name| name.eq_ignore_ascii_case(&column.column.name));
    if let Content::Of(source) = &content
        && is_indexed
        && shows(case, source, column)
    {
        return Some(handled(
            PITFALL,
            object,
            format!("it indexes the words of `{}` and keeps no copy", column.name()),
            "the purge rebuilds it from the tokens; until then a search still finds originals",
        ));
    }
    if is_fed(case, index, column) {
        return Some(fed(case, index, column, object));
    }
    (is_indexed && matches!(content, Content::Own)).then(|| {
        warns(
            PITFALL,
            object,
            format!("it has a column named as `{}` and may hold copies of it", column.name()),
            "if a program fills it from there, empty it before the purge and fill it anew",
        )
    })
}

/// A trigger puts the column into the index: does one take it out again when the row changes?
fn fed(case: &Case<'_>, index: &Table, column: &InScope<'_>, object: String) -> Finding {
    let suppressed = case.suppressed(&column.table.name);
    let is_followed = case.fired(&column.table.name).iter().any(|(trigger, text)| {
        text.fires_on_update_of(std::iter::once(column.column.name.as_str()))
            && text.writes_to(&index.name.name)
            && !suppressed.contains(&trigger.name)
    });
    let fact = format!("triggers of `{}` copy `{}` into it", column.table.name, column.name());
    if is_followed {
        handled(
            PITFALL,
            object,
            fact,
            "a trigger on UPDATE carries the token over; the purge has it merged, so that no \
             deleted word stays",
        )
    } else {
        blocks(
            PITFALL,
            object,
            format!("{fact}, and none follows an update of it"),
            format!(
                "add a trigger on UPDATE OF the column that does (and do not suppress it), or make \
                 the table one with content = '{}'",
                column.table.name.name
            ),
        )
    }
}

fn is_fed(case: &Case<'_>, index: &Table, column: &InScope<'_>) -> bool {
    case.catalog
        .triggers
        .iter()
        .filter(|trigger| trigger.table == column.table.name)
        .filter_map(|trigger| TriggerText::parse(&trigger.sql))
        .any(|text| {
            text.statements.iter().any(|statement| {
                statement.writes_to(&index.name.name) && statement.reads_new(&column.column.name)
            })
        })
}

/// Whether a table or view is, or reads, the column's table.
fn shows(case: &Case<'_>, source: &str, column: &InScope<'_>) -> bool {
    let table = &column.table.name.name;
    source.eq_ignore_ascii_case(table)
        || case.catalog.views.iter().any(|view| {
            view.name.name.eq_ignore_ascii_case(source)
                && crate::catalog::sqlite_text::mentions(&view.sql, table)
        })
}

/// The columns of a full-text table, and where its text comes from.
fn read(sql: &str) -> (Vec<String>, Content) {
    let mut names = Vec::new();
    let mut content = Content::Own;
    let (_, arguments) = sqlite_ddl::virtual_table(sql).unwrap_or_default();
    for argument in &arguments {
        let lexemes = crate::catalog::sqlite_text::lexemes(argument);
        let is_option = lexemes.get(1).is_some_and(|lexeme| lexeme.is_sign("="));
        match (lexemes.first(), is_option) {
            (Some(key), true) if key.text.eq_ignore_ascii_case("content") => {
                content = match lexemes.get(2).map(|value| value.text.clone()) {
                    Some(source) if !source.is_empty() => Content::Of(source),
                    _ => Content::None,
                };
            }
            (Some(name), false) => names.push(name.text.clone()),
            _ => {}
        }
    }
    (names, content)
}
