//! Pitfall: columns share a domain and would not get the same token for the same value.

use super::case::{Case, InScope, blocks, warns};
use super::model::Finding;

const PITFALL: &str = "domain";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (place, column) in case.columns.iter().enumerate() {
        let first = case.columns[..place].iter().find(|other| other.domain == column.domain);
        if let Some(first) = first {
            findings.extend(compare(first, column));
        }
    }
    findings
}

fn compare(first: &InScope<'_>, column: &InScope<'_>) -> Option<Finding> {
    let (one, other) = (first.rule, column.rule);
    let differs = [
        ("token", one.token != other.token),
        ("format", one.format != other.format),
        ("dedupe", one.dedupe != other.dedupe),
        ("normalise", one.normalise != other.normalise),
    ];
    if let Some((key, _)) = differs.into_iter().find(|(_, differs)| *differs) {
        return Some(blocks(
            PITFALL,
            column.name(),
            format!(
                "`{}` and `{}` share domain `{}` and have different `{key}`",
                first.name(),
                column.name(),
                column.domain
            ),
            format!("give both the same `{key}`, or `{}` a domain of its own", column.name()),
        ));
    }
    let is_joined = one.template == other.template && one.empty == other.empty;
    (!is_joined).then(|| {
        warns(
            PITFALL,
            column.name(),
            format!(
                "`{}` and `{}` share domain `{}` and differ in `template` or `empty`, so equal \
                 values are not equal text",
                first.name(),
                column.name(),
                column.domain
            ),
            "give both the same `template` and `empty` where queries join them",
        )
    })
}
