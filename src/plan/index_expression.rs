//! Pitfall: an index computes or chooses by a value that becomes a token.

use super::case::{Case, InScope, blocks, reads_column, warns};
use super::model::Finding;
use crate::catalog::sqlite_text::{Lexeme, lexemes};
use crate::catalog::{Index, sqlite_ddl};

const PITFALL: &str = "index_expression";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in case.tables() {
        for index in table.indexes.iter().filter(|index| !index.sql.is_empty()) {
            let read = case.of_table(&table.name).find_map(|column| {
                let expression = read_by(index, column)?;
                Some((column, expression))
            });
            if let Some((column, expression)) = read {
                findings.push(of_index(index, column, &expression));
            }
        }
    }
    findings
}

fn of_index(index: &Index, column: &InScope<'_>, expression: &str) -> Finding {
    let object = format!("index {}", index.name);
    let fact = format!("`{expression}` reads `{}`, and after the run its token", column.name());
    if index.unique {
        blocks(
            PITFALL,
            object,
            format!("{fact}; the index is unique, so it would allow other rows than today"),
            "drop the index, or make it one over plain columns",
        )
    } else {
        warns(PITFALL, object, fact, "check the queries that need it; they no longer match")
    }
}

/// The expression of an index that depends on more of a column than whether it is NULL.
fn read_by(index: &Index, column: &InScope<'_>) -> Option<String> {
    let name = &column.column.name;
    let (_, written) = sqlite_ddl::index(&index.sql);
    let keys = index.keys.iter().zip(written).filter(|(key, _)| key.column.is_none());
    let key = keys.map(|(_, text)| text).find(|text| reads_column(column.table, text, name));
    key.or_else(|| {
        let predicate = index.predicate.clone()?;
        let is_read = reads_column(column.table, &predicate, name);
        (is_read && !asks_only_for_null(&predicate, name)).then_some(predicate)
    })
}

/// NULL stays NULL and nothing else becomes it, so such a condition keeps its rows.
fn asks_only_for_null(predicate: &str, column: &str) -> bool {
    let lexemes = lexemes(predicate);
    let word = |at: usize, keyword: &str| lexemes.get(at).is_some_and(|l| l.is_keyword(keyword));
    let mut mentions = lexemes
        .iter()
        .enumerate()
        .filter(|(_, lexeme): &(usize, &Lexeme)| lexeme.is_name(column))
        .peekable();
    mentions.peek().is_some()
        && mentions.all(|(at, _)| {
            word(at + 1, "ISNULL")
                || word(at + 1, "NOTNULL")
                || (word(at + 1, "NOT") && word(at + 2, "NULL"))
                || (word(at + 1, "IS") && word(at + 2, "NULL"))
                || (word(at + 1, "IS") && word(at + 2, "NOT") && word(at + 3, "NULL"))
        })
}

#[cfg(test)]
mod tests {
    use super::asks_only_for_null;

    #[test]
    fn a_test_for_null_keeps_its_rows() {
        for predicate in ["email IS NOT NULL", "\"Email\" notnull AND x > 1", "(email is null)"] {
            assert!(asks_only_for_null(predicate, "email"), "{predicate}");
        }
        for predicate in ["email > ''", "email IS NOT NULL AND email <> ''", "email IS 'NULL'"] {
            assert!(!asks_only_for_null(predicate, "email"), "{predicate}");
        }
    }
}
