//! Indexes over an expression of the column, or with a condition on it: they will see tokens.

use super::super::case::{Case, blocks, reads_column, warns};
use super::super::model::Finding;
use super::sheets;

const PITFALL: &str = "index_over_column";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        let Some(table) = case.catalog.table(&sheet.name) else { continue };
        for index in &table.indexes {
            let own = sheet.index_expressions.iter().filter(|(name, _)| name == &index.name);
            let conditions = index.predicate.iter().filter(|text| !is_null_test(text));
            let texts: Vec<&String> = own.map(|(_, text)| text).chain(conditions).collect();
            let read = case.of_table(&sheet.name).find_map(|column| {
                let text =
                    texts.iter().find(|text| reads_column(table, text, &column.column.name))?;
                Some((column, text))
            });
            let Some((column, text)) = read else { continue };
            let object = format!("index {}", index.name);
            let fact = format!("`{text}` reads `{}`, and after the run its token", column.name());
            findings.push(if index.unique {
                blocks(
                    PITFALL,
                    object,
                    format!("{fact}; the index is unique, so it would allow other rows than today"),
                    "drop the index, or make it one over plain columns",
                )
            } else {
                warns(PITFALL, object, fact, "check the queries that need it; they no longer match")
            });
        }
    }
    findings
}

/// NULL stays NULL and nothing else becomes it, so such a condition keeps its rows.
fn is_null_test(condition: &str) -> bool {
    let bare = condition.trim_start_matches('(').trim_end_matches(')');
    let rest = bare.strip_suffix(" IS NOT NULL").or_else(|| bare.strip_suffix(" IS NULL"));
    rest.is_some_and(|name| !name.contains([' ', '(', ')']))
}
