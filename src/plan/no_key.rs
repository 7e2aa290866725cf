//! Pitfall: a table has no key that stays as it is while its columns are rewritten.

use super::case::{Case, InScope, blocks, counted, warns};
use super::model::{Finding, Walk};
use super::walks;
use crate::catalog::{EngineKind, Table};
use crate::policy::{TableName, TokenKind};

const PITFALL: &str = "no_key";

/// What is done with a table that is not blocked.
const IN_ONE: &str = "it is rewritten in one transaction, other writers wait for it, and it is \
                      verified as a multiset";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Partitions of one table share a finding.
    let mut keyless: Vec<(&TableName, Vec<&Table>)> = Vec::new();
    for table in case.tables() {
        let walk = walks::choose(case, table);
        if matches!(walk, Some(Walk::Key(_))) {
            continue;
        }
        for column in case.of_table(&table.name) {
            findings.extend(of_column(column, walk.as_ref()));
        }
        let whole = case.catalog.whole_of(&table.name);
        let named = if case.of_table(whole).next().is_some() { whole } else { &table.name };
        match keyless.iter_mut().find(|(known, _)| *known == named) {
            Some((_, tables)) => tables.push(table),
            None => keyless.push((named, vec![table])),
        }
    }
    findings.extend(keyless.into_iter().map(|(name, tables)| of_tables(case, name, &tables)));
    findings
}

fn of_tables(case: &Case<'_>, name: &TableName, tables: &[&Table]) -> Finding {
    let object = format!("table {name}");
    let walk = tables.first().and_then(|table| walks::choose(case, table));
    let is_whole = tables.iter().all(|table| &table.name == name);
    let which = if is_whole {
        "it has".to_owned()
    } else {
        format!("{} of it have", counted(tables.len() as u64, "partition"))
    };
    let has_scoped_key = case.of_table(name).any(|column| column.column.primary_key.is_some());
    match (walk, case.catalog.engine) {
        (None, _) => blocks(
            PITFALL,
            object,
            "it has no key, and columns named `rowid`, `oid` and `_rowid_` hide its row id",
            "give the table a primary key",
        ),
        (Some(Walk::ScopedKey(_)), _) => warns(
            PITFALL,
            object,
            "its only key is in scope, so its rows move while they are rewritten",
            format!("{IN_ONE}; a unique index over NOT NULL columns out of scope would avoid that"),
        ),
        (Some(Walk::RowId | Walk::Key(_)), EngineKind::Postgres) if has_scoped_key => warns(
            PITFALL,
            object,
            format!("{which} no key but one in scope, and where a row lies is none"),
            format!("{IN_ONE}; a unique index over NOT NULL columns out of scope would avoid that"),
        ),
        (Some(Walk::RowId | Walk::Key(_)), EngineKind::Postgres) => warns(
            PITFALL,
            object,
            format!(
                "{which} no unique index over whole NOT NULL columns that is checked at once, and \
                 where a row lies is no key"
            ),
            format!(
                "{IN_ONE}; a column `GENERATED ALWAYS AS IDENTITY` with a unique index would avoid \
                 that"
            ),
        ),
        (Some(Walk::RowId | Walk::Key(_)), EngineKind::Sqlite) => warns(
            PITFALL,
            object,
            "it has no key that stays as it is, and a bare row id is none across transactions",
            format!("{IN_ONE}; a primary key out of scope would avoid that"),
        ),
    }
}

fn of_column(column: &InScope<'_>, walk: Option<&Walk>) -> Option<Finding> {
    if column.rule.token == TokenKind::Random && !column.rule.dedupe {
        return Some(blocks(
            PITFALL,
            column.name(),
            "a `random` token is found again by its row's key, and the table has none that stays",
            "set `dedupe = true`, or `token = \"keyed\"`",
        ));
    }
    if column.rule.token == TokenKind::Random && column.rule.lossy_ok {
        return Some(blocks(
            PITFALL,
            column.name(),
            "a `random` token does not follow from its value, and the table has no key that stays: a \
             rollback could not tell which of several spellings a row had",
            "set `token = \"keyed\"`, or take `normalise` out",
        ));
    }
    let moves = matches!(walk, Some(Walk::ScopedKey(_)));
    (moves && !column.is_recognisable()).then(|| {
        blocks(
            PITFALL,
            column.name(),
            "the rows move while they are rewritten, and tokens of this kind cannot be told from \
             originals",
            "set `token = \"keyed\"`, or give the table a unique index over NOT NULL columns out \
             of scope",
        )
    })
}
