//! Pitfall: a generated column is computed anew, from the token.

use super::case::{Case, blocks, handled, reads_column, warns};
use super::model::Finding;
use crate::catalog::{Column, Generated, Index, Table};

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
                let consents = case.recomputes(&table.name);
                findings.push(of_column(table, column, generated, &read.name(), consents));
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

fn of_column(
    table: &Table,
    column: &Column,
    generated: &Generated,
    read: &str,
    consents: bool,
) -> Finding {
    let object = format!("{}.{}", table.name, column.name);
    let has_column =
        |index: &&Index| index.keys.iter().any(|key| key.column.as_ref() == Some(&column.name));
    let is_indexed = table.indexes.iter().any(|index| has_column(&index));
    let is_unique = table.indexes.iter().any(|index| index.unique && has_column(&index));
    let fact = format!(
        "the {} column is computed from `{read}` as `{}`, and would be from its token",
        if generated.stored { "stored generated" } else { "generated" },
        generated.expression
    );
    if consents && !is_unique {
        handled(
            PITFALL,
            object,
            fact,
            "the policy lets it be; a rollback has it computed from the originals again",
        )
    } else if generated.stored || is_indexed {
        blocks(
            PITFALL,
            object,
            fact,
            format!(
                "drop the column, make it a plain one and fill it before the run{}",
                if is_unique {
                    String::new()
                } else {
                    format!(
                        ", or let it be computed from tokens: [[table]] name = {:?}, \
                         generated_columns = \"recompute\"",
                        table.name.to_string()
                    )
                }
            ),
        )
    } else {
        warns(PITFALL, object, fact, "check who reads it; after the run it shows tokens")
    }
}
