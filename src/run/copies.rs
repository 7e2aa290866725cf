//! Copies: values of the columns in scope that stand in columns which the policy leaves out.
//!
//! 1. The columns in scope are read; keyed hashes of their values are kept ([`super::wanted`]).
//! 2. All other columns are read, and their values looked up: as a whole, and inside longer texts.
//!
//! Tokens are no originals: after a run nothing is found of what it has replaced. A purge, which must
//! not miss one, compares with every value of the backup instead ([`super::residue`]).

use super::batch::compute_each;
use super::wanted::{Met, Wanted, WantedBuilder};
use crate::catalog::{Catalog, Column, Table, TableKind};
use crate::plan::CopyFacts;
use crate::policy::{ColumnName, Policy};
use crate::ports::{Progress, SampleExtent, SampleSize, Sampler, Source, SourceError};

/// Rows of a table that a search reads, unless it is asked to read all: what a plan does not wait for.
pub const COPY_ROWS_MAX: u64 = 1_000_000;

/// Looks for copies; reads each table at most twice, and of large ones as much as `size` says.
///
/// # Errors
///
/// [`SourceError`] where a table cannot be read.
pub async fn copies(
    source: &dyn Source,
    catalog: &Catalog,
    policy: &Policy,
    size: SampleSize,
    progress: &dyn Progress,
) -> Result<Vec<CopyFacts>, SourceError> {
    let tables: Vec<&Table> =
        catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary).collect();
    progress.begin("copies", "tables", tables.len() as u64);
    let mut sampler = source.sampler().await?;
    let wanted = take_in(sampler.as_mut(), catalog, &tables, policy, size).await?;
    let mut found = Vec::new();
    for table in tables {
        if !wanted.is_empty() {
            let others = others(catalog, policy, table);
            found.extend(look_through(sampler.as_mut(), table, others, size, &wanted).await?);
        }
        progress.advance(1);
    }
    progress.end();
    Ok(found)
}

fn is_in_scope(catalog: &Catalog, policy: &Policy, table: &Table, column: &Column) -> bool {
    catalog.rule_of(policy, &table.name, &column.name).is_some()
}

/// Reads the columns in scope.
async fn take_in(
    sampler: &mut dyn Sampler,
    catalog: &Catalog,
    tables: &[&Table],
    policy: &Policy,
    size: SampleSize,
) -> Result<Wanted, SourceError> {
    // The columns of a table, each with the rule that covers it.
    let in_scope = |table: &Table| -> Vec<(String, usize)> {
        let rule = |column: &Column| {
            let (at, _) = catalog.rule_of(policy, &table.name, &column.name)?;
            Some((column.name.clone(), at))
        };
        table.columns.iter().filter_map(rule).collect()
    };
    let mut builder = WantedBuilder::new(policy.columns.iter().map(|rule| rule.name.clone()));
    for table in tables {
        let (columns, rules): (Vec<String>, Vec<usize>) = in_scope(table).into_iter().unzip();
        if columns.is_empty() {
            continue;
        }
        sampler.begin(table, &columns, size).await?;
        while let Some(rows) = sampler.next().await? {
            for row in rows {
                for (cell, rule) in row.iter().zip(&rules) {
                    if let Some(original) = cell {
                        builder.add(*rule, original);
                    }
                }
            }
        }
    }
    Ok(builder.build())
}

/// The columns of a table that the policy leaves out.
fn others(catalog: &Catalog, policy: &Policy, table: &Table) -> Vec<String> {
    // What is generated follows the columns that it is computed from.
    table
        .columns
        .iter()
        .filter(|column| column.generated.is_none() && !column.hidden && !column.rowid_alias)
        .filter(|column| !is_in_scope(catalog, policy, table, column))
        .map(|column| column.name.clone())
        .collect()
}

/// Reads the other columns of one table.
async fn look_through(
    sampler: &mut dyn Sampler,
    table: &Table,
    columns: Vec<String>,
    size: SampleSize,
    wanted: &Wanted,
) -> Result<Vec<CopyFacts>, SourceError> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let mut met: Vec<(usize, Met)> = (0..columns.len()).map(|at| (at, Met::default())).collect();
    sampler.begin(table, &columns, size).await?;
    while let Some(rows) = sampler.next().await? {
        compute_each(&mut met, |(at, met)| {
            for original in rows.iter().filter_map(|row| row[*at].as_ref()) {
                wanted.look(met, original);
            }
        });
    }
    let extent = sampler.extent();
    Ok(met
        .iter()
        .flat_map(|(at, met)| {
            let name = ColumnName { table: table.name.clone(), column: columns[*at].clone() };
            facts(wanted, met, &name, extent)
        })
        .collect())
}

fn facts(wanted: &Wanted, met: &Met, at: &ColumnName, extent: SampleExtent) -> Vec<CopyFacts> {
    let shares = wanted.shares(met).into_iter();
    shares
        .map(|share| {
            let sought = &wanted.columns()[share.column];
            CopyFacts {
                of: sought.name.clone(),
                at: at.clone(),
                distinct: sought.distinct,
                distinct_exact: sought.is_exact,
                matched: share.matched,
                cells: share.cells,
                containing: share.containing,
                rows_read: extent.rows_read,
                rows_about: extent.rows_about,
                is_whole: extent.is_whole,
            }
        })
        .collect()
}
