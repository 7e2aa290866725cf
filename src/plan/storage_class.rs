//! Pitfall: `7` and `'7'` are different values, so they get different tokens.

use super::case::{Case, InScope, blocks, warns};
use super::groups;
use super::model::{Finding, TypeCounts};

const PITFALL: &str = "storage_class";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let groups = groups::find(case);
    let mut seen: Vec<&str> = Vec::new();
    let mut findings = Vec::new();
    for column in case.columns.iter().filter(|column| column.is_deterministic()) {
        let is_first = !seen.contains(&column.domain.as_str());
        seen.push(&column.domain);
        let mixed = kinds(case, column);
        if !is_first || mixed.kinds() < 2 {
            continue;
        }
        let fact = format!(
            "domain `{}` has {}, and equal looks across types get different tokens",
            column.domain,
            words(mixed)
        );
        let is_joined =
            groups.iter().any(|group| group.has(&column.table.name, &column.column.name));
        findings.push(if is_joined && case.is_shared(column) {
            blocks(
                PITFALL,
                column.name(),
                format!("{fact}; foreign keys compare them"),
                "give all columns of the foreign key one type and convert their values first",
            )
        } else {
            warns(
                PITFALL,
                column.name(),
                fact,
                "convert the values to one type first, if they join",
            )
        });
    }
    findings
}

/// What all columns of a domain hold.
fn kinds(case: &Case<'_>, of: &InScope<'_>) -> TypeCounts {
    let mut sum = TypeCounts::default();
    for column in case.columns.iter().filter(|column| column.domain == of.domain) {
        let types = column.facts.types;
        sum.text += types.text;
        sum.integer += types.integer;
        sum.real += types.real;
        sum.blob += types.blob;
    }
    sum
}

fn words(types: TypeCounts) -> String {
    [
        (types.text, "texts"),
        (types.integer, "integers"),
        (types.real, "reals"),
        (types.blob, "blobs"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect::<Vec<_>>()
    .join(", ")
}
