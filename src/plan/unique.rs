//! Pitfall: a unique index means something else once it holds tokens.

use super::case::{Case, InScope, blocks, warns};
use super::collation::{is_settled, remedy};
use super::model::Finding;
use crate::catalog::{Index, IndexKey};
use crate::policy::{Normalise, TokenKind};

const PITFALL: &str = "unique";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for column in &case.columns {
        for index in column.table.indexes.iter().filter(|index| index.unique) {
            let is_key = |key: &&IndexKey| key.column.as_ref() == Some(&column.column.name);
            if let Some(key) = index.keys.iter().find(is_key) {
                findings.extend(of_index(column, index, key));
            }
        }
    }
    findings
}

fn of_index(column: &InScope<'_>, index: &Index, key: &IndexKey) -> Option<Finding> {
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
