//! Partitioned tables: rows lie in partitions, and a changed partition key moves a row to another.

use super::super::case::{Case, blocks, counted, handled, listed, warns};
use super::super::model::Finding;
use super::{facts, sheets};
use crate::catalog::{Table, TableKind};
use crate::policy::TableName;

const PITFALL: &str = "partitioned";

/// Partitions that a finding names; past them it says how many more there are.
const NAMED_MAX: usize = 12;

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let named = case.named_tables();
    let partitioned = named.iter().filter(|table| table.kind == TableKind::Partitioned);
    let mut findings: Vec<Finding> = partitioned.map(|table| of_whole(case, table)).collect();
    findings.extend(foreign(case, &named));
    findings.extend(keys(case, &named));
    findings.extend(left_out(case));
    findings
}

fn of_whole(case: &Case<'_>, table: &Table) -> Finding {
    let parts: Vec<&TableName> =
        case.catalog.parts(&table.name).into_iter().map(|part| &part.name).collect();
    let object = format!("table {}", table.name);
    if parts.is_empty() {
        return warns(
            PITFALL,
            object,
            "it is partitioned and has no partition, so there is nothing to rewrite",
            "plan again once it has one; a partition that comes during the run stops the run",
        );
    }
    let more = parts.len().saturating_sub(NAMED_MAX);
    let and_more = if more == 0 { String::new() } else { format!(" and {more} more") };
    handled(
        PITFALL,
        object,
        format!(
            "its rows lie in {}: {}{and_more}",
            counted(parts.len() as u64, "partition"),
            listed(parts.iter().take(NAMED_MAX))
        ),
        "each is rewritten by a key of its own; a partition that is attached or detached during \
         the run stops the run",
    )
}

/// Parts that lie on another server.
fn foreign(case: &Case<'_>, named: &[&Table]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in named {
        let parts = case.catalog.parts(&table.name);
        let elsewhere = parts.iter().filter(|part| part.kind == TableKind::Foreign);
        findings.extend(elsewhere.map(|part| {
            blocks(
                PITFALL,
                format!("table {}", part.name),
                format!("it holds rows of `{}` and lies on another server", table.name),
                format!(
                    "detach it from `{}` for the time of the run, and run Sealift where it lies",
                    table.name
                ),
            )
        }));
    }
    findings
}

/// Columns in scope by which a table, or one below it, is partitioned.
fn keys(case: &Case<'_>, named: &[&Table]) -> Vec<Finding> {
    let Some(postgres) = facts(case) else { return Vec::new() };
    let mut findings = Vec::new();
    for table in named {
        for column in case.of_table(&table.name) {
            let is_of = |name: &TableName| {
                name == &table.name || case.catalog.above(name).contains(&&table.name)
            };
            let mut sheets = postgres.tables.iter().filter(|sheet| is_of(&sheet.name));
            if sheets.any(|sheet| sheet.partition_key.contains(&column.column.name)) {
                findings.push(blocks(
                    PITFALL,
                    column.name(),
                    "its table is partitioned by the column, and a token would belong elsewhere",
                    "leave the column out of the policy, or partition by another column",
                ));
            }
        }
    }
    findings
}

/// Partitions that the policy names while it leaves out others of the same table.
fn left_out(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sheet in sheets(case) {
        let whole = case.catalog.whole_of(&sheet.name);
        if whole == &sheet.name {
            continue;
        }
        for column in case.of_table(&sheet.name).filter(|c| c.table.name == sheet.name) {
            let name = &column.column.name;
            let parts = case.catalog.parts(whole);
            let left = parts.iter().filter(|part| !case.covers(&part.name, name)).count();
            if left > 0 {
                findings.push(warns(
                    PITFALL,
                    format!("{whole}.{name}"),
                    format!(
                        "the policy names the column in some partitions of `{whole}`, and {} \
                         keep their originals",
                        counted(left as u64, "partition")
                    ),
                    format!("name `{whole}.{name}` instead, which covers all of them"),
                ));
            }
        }
    }
    findings
}
