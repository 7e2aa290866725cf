//! Inheritance: a table shows the rows of others, which lie there and are rewritten there.

use super::super::case::{Case, handled, listed, warns};
use super::super::model::Finding;
use super::facts;
use crate::catalog::TableKind;
use crate::policy::TableName;

const PITFALL: &str = "inheritance";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    if facts(case).is_none() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for table in case.named_tables() {
        if table.kind == TableKind::Partitioned {
            continue;
        }
        let parts = case.catalog.parts(&table.name);
        let heirs: Vec<&TableName> = parts
            .iter()
            .filter(|part| part.name != table.name && part.kind == TableKind::Ordinary)
            .map(|part| &part.name)
            .collect();
        if !heirs.is_empty() {
            findings.push(handled(
                PITFALL,
                format!("table {}", table.name),
                format!("{} inherit from it, and their rows show in it", listed(heirs)),
                "what is in scope there is rewritten too, each table by itself",
            ));
        }
        findings.extend(above(case, &table.name));
    }
    findings
}

/// A table that shows the rows of one in scope, and keeps originals of its own.
fn above(case: &Case<'_>, name: &TableName) -> Vec<Finding> {
    let partitioned = |name: &TableName| {
        case.catalog.table(name).is_some_and(|table| table.kind == TableKind::Partitioned)
    };
    let mut findings = Vec::new();
    for column in case.of_table(name).filter(|column| &column.table.name == name) {
        let column_name = &column.column.name;
        let shows = case.catalog.above(name).into_iter().filter(|above| !partitioned(above));
        let shows = shows.filter(|above| {
            case.catalog.table(above).is_some_and(|table| table.column(column_name).is_some())
                && !case.covers(above, column_name)
        });
        findings.extend(shows.map(|above| {
            warns(
                PITFALL,
                format!("{above}.{column_name}"),
                format!("it shows the rows of `{name}`, and its own rows are not in scope"),
                format!(
                    "name `{above}.{column_name}` instead, which covers every table that inherits \
                     from it"
                ),
            )
        }));
    }
    findings
}
