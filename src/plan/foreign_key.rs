//! Pitfall: a foreign key joins a column in scope to one that would not get the same tokens.

use super::case::{Case, InScope, blocks, handled, listed};
use super::groups::{self, Group};
use super::model::Finding;
use crate::policy::{ColumnName, FormatShape};

const PITFALL: &str = "foreign_key";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    groups::find(case).iter().flat_map(|group| of_group(case, group)).collect()
}

fn of_group(case: &Case<'_>, group: &Group) -> Vec<Finding> {
    let members: Vec<&InScope<'_>> = case
        .columns
        .iter()
        .filter(|column| {
            let is_it = |name: &ColumnName| {
                case.column(name).is_some_and(|other| other.rule_at == column.rule_at)
            };
            group.columns.iter().any(is_it)
        })
        .collect();
    // INVARIANT: a group has a column in scope, so there is a first member to go by.
    let Some(first) = members.first() else { return Vec::new() };
    // A domain that the policy names is what its author wants; else the column's own will do.
    let model = members.iter().find(|column| column.rule.domain.is_some()).unwrap_or(first);
    let domain = model.domain.clone();
    let mut findings = Vec::new();
    for name in &group.columns {
        match case.column(name) {
            None if is_row_id(case, name) => findings.push(blocks(
                PITFALL,
                model.name(),
                format!("a foreign key joins the column to `{name}`, which is a row id"),
                "leave the column out of the policy; a row id can hold no token",
            )),
            None => findings.push(uncovered(&case.policy_name(name), model, &domain)),
            Some(column) => findings.extend(differing(column, model, &domain)),
        }
    }
    if findings.is_empty() {
        findings.push(handled(
            PITFALL,
            first.name(),
            format!("foreign keys join {}", listed(names(case, group))),
            "they share a domain, so the keys hold; their tables are rewritten together in one \
             transaction, and other writers wait for it",
        ));
    }
    findings
}

/// The columns of a group as the policy names them.
fn names(case: &Case<'_>, group: &Group) -> Vec<ColumnName> {
    let mut names: Vec<ColumnName> =
        group.columns.iter().map(|name| case.policy_name(name)).collect();
    names.sort();
    names.dedup();
    names
}

fn is_row_id(case: &Case<'_>, name: &ColumnName) -> bool {
    case.catalog
        .table(&name.table)
        .and_then(|table| table.column(&name.column))
        .is_some_and(|column| column.rowid_alias)
}

fn uncovered(name: &ColumnName, model: &InScope<'_>, domain: &str) -> Finding {
    let mut lines = vec![
        format!("name = {:?}", name.to_string()),
        format!("class = {:?}", model.rule.class),
        format!("domain = {domain:?}"),
        format!("token = {:?}", model.rule.token.name()),
    ];
    lines.extend(model.rule.format.map(|shape| format!("format = {:?}", shape_name(shape))));
    lines.extend(model.rule.dedupe.then(|| "dedupe = true".to_owned()));
    lines.extend(model.rule.template.as_ref().map(|text| format!("template = {text:?}")));
    let mut remedy = format!("add to the policy: [[column]] {}", lines.join(", "));
    if model.rule.domain.is_none() {
        remedy = format!("{remedy}; and to `{}`: domain = {domain:?}", model.name());
    }
    blocks(
        PITFALL,
        name.to_string(),
        format!(
            "a foreign key joins the column to `{}`, and only that one is in scope",
            model.name()
        ),
        remedy,
    )
}

fn differing(column: &InScope<'_>, model: &InScope<'_>, domain: &str) -> Option<Finding> {
    let joined = format!("a foreign key joins the column to `{}`", model.name());
    if column.domain != domain {
        return Some(blocks(
            PITFALL,
            column.name(),
            format!("{joined}, and their domains differ: `{}` and `{domain}`", column.domain),
            format!("set domain = {domain:?} on `{}` and on `{}`", column.name(), model.name()),
        ));
    }
    if !column.is_deterministic() {
        return Some(blocks(
            PITFALL,
            column.name(),
            format!("{joined}, and equal values would get different `random` tokens"),
            "set `token = \"keyed\"`, or `dedupe = true`, on all columns of the domain",
        ));
    }
    let is_alike =
        column.rule.template == model.rule.template && column.rule.empty == model.rule.empty;
    (!is_alike).then(|| {
        blocks(
            PITFALL,
            column.name(),
            format!("{joined}, and their `template` or `empty` differ"),
            "give both the same `template` and the same `empty`",
        )
    })
}

/// The word of the policy.
fn shape_name(shape: FormatShape) -> &'static str {
    match shape {
        FormatShape::Card => "card",
        FormatShape::Digits => "digits",
        FormatShape::Alnum => "alnum",
    }
}
