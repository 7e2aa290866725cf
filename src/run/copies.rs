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
    let wanted = take_in(sampler.as_mut(), &tables, policy, size).await?;
    let mut found = Vec::new();
    for table in tables {
        if !wanted.is_empty() {
            found.extend(look_through(sampler.as_mut(), table, policy, size, &wanted).await?);
        }
        progress.advance(1);
    }
    progress.end();
    Ok(found)
}

fn is_in_scope(policy: &Policy, table: &Table, column: &Column) -> bool {
    policy
        .columns
        .iter()
        .any(|rule| rule.name.table == table.name && rule.name.column == column.name)
}

/// Reads the columns in scope.
async fn take_in(
    sampler: &mut dyn Sampler,
    tables: &[&Table],
    policy: &Policy,
    size: SampleSize,
) -> Result<Wanted, SourceError> {
    let in_scope = |table: &Table| -> Vec<String> {
        let columns = table.columns.iter().filter(|column| is_in_scope(policy, table, column));
        columns.map(|column| column.name.clone()).collect()
    };
    let names = tables.iter().flat_map(|table| {
        let named = |column| ColumnName { table: table.name.clone(), column };
        in_scope(table).into_iter().map(named)
    });
    let mut builder = WantedBuilder::new(names);
    let mut first = 0;
    for table in tables {
        let columns = in_scope(table);
        if columns.is_empty() {
            continue;
        }
        sampler.begin(table, &columns, size).await?;
        while let Some(rows) = sampler.next().await? {
            for row in rows {
                for (at, cell) in row.iter().enumerate() {
                    if let Some(original) = cell {
                        builder.add(first + at, original);
                    }
                }
            }
        }
        first += columns.len();
    }
    Ok(builder.build())
}

/// Reads the other columns of one table.
async fn look_through(
    sampler: &mut dyn Sampler,
    table: &Table,
    policy: &Policy,
    size: SampleSize,
    wanted: &Wanted,
) -> Result<Vec<CopyFacts>, SourceError> {
    // What is generated follows the columns that it is computed from.
    let columns: Vec<String> = table
        .columns
        .iter()
        .filter(|column| column.generated.is_none() && !column.hidden && !column.rowid_alias)
        .filter(|column| !is_in_scope(policy, table, column))
        .map(|column| column.name.clone())
        .collect();
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
