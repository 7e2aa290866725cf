//! Columns of search words (`tsvector`): they hold every word of the texts they were made from.

use super::super::case::{Case, blocks, handled, reads_column, warns};
use super::super::model::Finding;
use super::{facts, sheets};
use crate::catalog::postgres::{PostgresCatalog, PostgresColumn, PostgresTable, PostgresTrigger};
use crate::catalog::{Table, TableKind};

const PITFALL: &str = "full_text_column";

/// Functions of the server that fill such a column from others, before the row is written.
const FILLERS: [&str; 2] = ["tsvector_update_trigger", "tsvector_update_trigger_column"];

/// Whether a trigger does nothing but fill such a column.
pub(super) fn fills(trigger: &PostgresTrigger) -> bool {
    trigger.language == "internal" && FILLERS.contains(&trigger.function.as_str())
}

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        let Some(table) = case.catalog.table(&sheet.name) else { continue };
        for column in sheet.columns.iter().filter(|column| column.base_type == "tsvector") {
            if !case.covers(&sheet.name, &column.name) {
                findings.extend(of_column(case, postgres, sheet, table, &column.name));
            }
        }
    }
    findings.extend(elsewhere(case, postgres));
    findings
}

/// Such columns of tables out of scope: words are no values any more, so that the search for copies
/// does not tell whether they were made from texts in scope.
fn elsewhere(case: &Case<'_>, postgres: &PostgresCatalog) -> Vec<Finding> {
    let in_scope = sheets(case);
    let is_text =
        |column: &PostgresColumn| column.is_text() || column.is_text_array() || column.is_json();
    let has_text = in_scope.iter().any(|sheet| {
        let mut columns = sheet.columns.iter();
        columns.any(|column| is_text(column) && case.covers(&sheet.name, &column.name))
    });
    if !has_text {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for table in case.catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        let Some(sheet) = postgres.table(&table.name) else { continue };
        if in_scope.iter().any(|known| known.name == sheet.name) {
            continue;
        }
        for column in sheet.columns.iter().filter(|column| column.base_type == "tsvector") {
            // What the server makes from columns of the same row holds what these hold, and they are
            // searched.
            let is_made = table.column(&column.name).is_none_or(|one| one.generated.is_some())
                || postgres.triggers.iter().any(|trigger| {
                    trigger.table == sheet.name
                        && fills(trigger)
                        && names(case, trigger, &column.name)
                });
            if !is_made {
                findings.push(warns(
                    PITFALL,
                    format!("{}.{}", sheet.name, column.name),
                    "the column may hold the words of a column in scope of another table, and words \
                     are not compared with values",
                    format!(
                        "look what fills it; if these are texts in scope, after the run: UPDATE {} \
                         SET {} = … from tokens, or drop the column",
                        sheet.name, column.name
                    ),
                ));
            }
        }
    }
    findings
}

fn of_column(
    case: &Case<'_>,
    postgres: &PostgresCatalog,
    sheet: &PostgresTable,
    table: &Table,
    name: &str,
) -> Option<Finding> {
    let object = format!("{}.{name}", sheet.name);
    let declared = table.column(name)?;
    if let Some(generated) = &declared.generated {
        let mut read = case.of_table(&sheet.name);
        let is_read = read.any(|one| reads_column(table, &generated.expression, &one.column.name));
        // What follows from it, the pitfall of generated columns says.
        return is_read.then(|| {
            handled(
                PITFALL,
                object,
                "the column holds the words of a column in scope",
                "the server computes it anew with each token; old versions of its rows and its \
                 index go with the purge",
            )
        });
    }
    let suppressed = case.suppressed(&sheet.name);
    let filler = postgres.triggers.iter().find(|trigger| {
        trigger.table == sheet.name
            && trigger.fires_on_update
            && (assigns(&trigger.body, name) || (fills(trigger) && names(case, trigger, name)))
    });
    Some(match filler {
        Some(trigger) if suppressed.contains(&trigger.name) => blocks(
            PITFALL,
            object,
            format!(
                "trigger `{}` fills the column with the words of others, and the policy suppresses \
                 it: the words of originals would stay",
                trigger.name
            ),
            format!("let `{}` fire: it fills the column from tokens", trigger.name),
        ),
        Some(trigger) => handled(
            PITFALL,
            object,
            format!("trigger `{}` fills the column with the words of others", trigger.name),
            "it fires for each row that is rewritten, and fills the column from tokens; a rollback \
             has it filled from originals",
        ),
        None => warns(
            PITFALL,
            object,
            "the column may hold the words of a column in scope, and nothing fills it anew",
            format!("look what fills it; after the run: UPDATE {} SET {name} = …", sheet.name),
        ),
    })
}

fn assigns(body: &str, column: &str) -> bool {
    let body = body.to_lowercase().replace('"', "");
    body.contains(&format!("new.{}", column.to_lowercase()))
}

/// Whether the arguments of a trigger name a column.
fn names(case: &Case<'_>, trigger: &PostgresTrigger, column: &str) -> bool {
    let mut triggers = case.catalog.triggers.iter();
    triggers.any(|known| {
        known.name == trigger.name
            && known.table == trigger.table
            && known.sql.contains(&format!("'{}'", column.replace('\'', "''")))
    })
}
