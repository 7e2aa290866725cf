//! Pitfall: a table has no key that stays as it is while its columns are rewritten.

use super::case::{Case, InScope, blocks, warns};
use super::model::{Finding, Walk};
use super::walks;
use crate::policy::TokenKind;

const PITFALL: &str = "no_key";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in case.tables() {
        let object = format!("table {}", table.name);
        let walk = walks::choose(case, table);
        match &walk {
            Some(Walk::Key(_)) => continue,
            None => findings.push(blocks(
                PITFALL,
                &object,
                "it has no key, and columns named `rowid`, `oid` and `_rowid_` hide its row id",
                "give the table a primary key",
            )),
            Some(Walk::RowId) => findings.push(warns(
                PITFALL,
                &object,
                "it has no key that stays as it is, and a bare row id is none across transactions",
                "it is rewritten in one transaction, and other writers wait for it; a primary key \
                 out of scope would avoid that",
            )),
            Some(Walk::ScopedKey(_)) => findings.push(warns(
                PITFALL,
                &object,
                "its only key is in scope, so its rows move while they are rewritten",
                "it is rewritten in one transaction, and other writers wait for it; a unique index \
                 over NOT NULL columns out of scope would avoid that",
            )),
        }
        for column in case.of_table(&table.name) {
            findings.extend(of_column(column, walk.as_ref()));
        }
    }
    findings
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
