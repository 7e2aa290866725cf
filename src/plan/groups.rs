//! Columns that foreign keys join: which ones have to change together.

use super::case::Case;
use crate::catalog::{Table, TableKind};
use crate::policy::{ColumnName, TableName};

/// Columns joined by foreign keys, one of them at least in scope.
pub(super) struct Group {
    /// The columns, sorted.
    pub(super) columns: Vec<ColumnName>,
}

impl Group {
    /// Whether a column belongs to the group.
    pub(super) fn has(&self, table: &TableName, column: &str) -> bool {
        self.columns.iter().any(|name| &name.table == table && name.column == column)
    }
}

/// Finds the groups, transitively; a foreign key over columns out of scope joins nothing.
pub(super) fn find(case: &Case<'_>) -> Vec<Group> {
    let mut groups: Vec<Vec<ColumnName>> = Vec::new();
    for (child, parent) in pairs(case) {
        let (mut joined, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.contains(&child) || group.contains(&parent));
        let mut group: Vec<ColumnName> = joined.drain(..).flatten().collect();
        group.extend([child, parent]);
        group.sort();
        group.dedup();
        groups = apart;
        groups.push(group);
    }
    groups.retain(|group| group.iter().any(|name| case.covers(&name.table, &name.column)));
    groups.sort();
    groups.into_iter().map(|columns| Group { columns }).collect()
}

/// Child and parent column of every foreign key whose parent exists. A partitioned table holds no
/// rows: each of its partitions has its foreign keys, and is pointed to by those that point to it.
fn pairs(case: &Case<'_>) -> Vec<(ColumnName, ColumnName)> {
    let mut pairs = Vec::new();
    let holds_rows = |table: &Table| table.kind != TableKind::Partitioned;
    for table in case.catalog.tables.iter().filter(|table| holds_rows(table)) {
        for key in &table.foreign_keys {
            if !case.catalog.table(&key.parent).is_some_and(holds_rows) {
                continue;
            }
            for (child, parent) in key.columns.iter().zip(&key.parent_columns) {
                pairs.push((
                    ColumnName { table: table.name.clone(), column: child.clone() },
                    ColumnName { table: key.parent.clone(), column: parent.clone() },
                ));
            }
        }
    }
    pairs
}
