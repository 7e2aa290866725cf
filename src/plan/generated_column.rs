//! Pitfall: a generated column is computed anew, from the token.

use super::case::{Case, blocks, reads_column, warns};
use super::model::Finding;
use crate::catalog::{Column, Generated, Table};

const PITFALL: &str = "generated_column";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in case.tables() {
        for column in &table.columns {
            let Some(generated) = &column.generated else { continue };
            let read = case
                .of_table(&table.name)
                .find(|read| reads_column(table, &generated.expression, &read.column.name));
            if let Some(read) = read {
                findings.push(of_column(table, column, generated, &read.name()));
            }
        }
        findings.extend(
            case.of_table(&table.name).filter(|column| column.column.generated.is_some()).map(
                |column| {
                    blocks(
                        PITFALL,
                        column.name(),
                        "the column is generated, so nothing can be written to it",
                        "cover the columns that it is computed from instead",
                    )
                },
            ),
        );
    }
    findings
}

fn of_column(table: &Table, column: &Column, generated: &Generated, read: &str) -> Finding {
    let object = format!("{}.{}", table.name, column.name);
    let is_indexed = table
        .indexes
        .iter()
        .any(|index| index.keys.iter().any(|key| key.column.as_ref() == Some(&column.name)));
    let fact = format!(
        "the {} column is computed from `{read}` as `{}`, and would be from its token",
        if generated.stored { "stored generated" } else { "generated" },
        generated.expression
    );
    if generated.stored || is_indexed {
        blocks(
            PITFALL,
            object,
            fact,
            "drop the column, or make it a plain one and fill it before the run",
        )
    } else {
        warns(PITFALL, object, fact, "check who reads it; after the run it shows tokens")
    }
}
