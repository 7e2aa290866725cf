//! Pitfall: a unique index means something else once it holds tokens.

use super::case::{Case, InScope, blocks, warns};
use super::collation::{is_settled, remedy};
use super::model::Finding;
use crate::catalog::{Index, IndexKey, Table};
use crate::policy::{Normalise, TokenKind};

const PITFALL: &str = "unique";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for column in &case.columns {
        for index in column.table.indexes.iter().filter(|index| index.unique) {
            findings.extend(of_index(column, index));
        }
    }
    // A partition may have indexes beside those of the table that it belongs to.
    for table in case.tables() {
        for column in case.of_table(&table.name).filter(|column| column.table.name != table.name) {
            let own = table.indexes.iter().filter(|index| index.unique);
            for index in own.filter(|index| !is_like_one_of(index, column.table)) {
                findings.extend(of_index(column, index));
            }
        }
    }
    findings
}

fn is_like_one_of(index: &Index, table: &Table) -> bool {
    let keys = |index: &Index| -> Vec<Option<String>> {
        index.keys.iter().map(|key| key.column.clone()).collect()
    };
    table.indexes.iter().any(|other| other.unique && keys(other) == keys(index))
}

fn of_index(column: &InScope<'_>, index: &Index) -> Option<Finding> {
    let is_key = |key: &&IndexKey| key.column.as_ref() == Some(&column.column.name);
    let key = index.keys.iter().find(is_key)?;
    let name = &index.name;
    if column.rule.token == TokenKind::Random && !column.rule.dedupe {
        return Some(warns(
            PITFALL,
            column.name(),
            format!("unique index `{name}` compares tokens, and equal values get different ones"),
            "set `dedupe = true` or `token = \"keyed\"`, or the database will admit a value twice",
        ));
    }
    if !is_settled(column, &key.collation) {
        return Some(blocks(
            PITFALL,
            column.name(),
            format!(
                "unique index `{name}` compares by `{}`, which tokens do not keep",
                key.collation
            ),
            remedy(&key.collation),
        ));
    }
    // Where the collation folds what the normalisation folds, no two such values can be there.
    let folds = column.rule.normalise != Normalise::None && key.collation == "BINARY";
    folds.then(|| {
        warns(
            PITFALL,
            column.name(),
            format!(
                "unique index `{name}` tells values apart that `normalise` makes equal; such \
                 pairs would get one token and be refused"
            ),
            "make sure that there are none, or set `normalise = \"none\"`",
        )
    })
}
