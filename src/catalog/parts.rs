//! Tables whose rows lie in several: partitions, and tables that inherit from another.
//!
//! A policy names the table that people know; the rows are rewritten where they lie. Knows no value
//! and no database.

use super::{Catalog, Table, TableKind};
use crate::policy::{ColumnRule, Policy, TableName};

impl Catalog {
    /// The tables that hold the rows that a table shows: its partitions at the lowest level, or
    /// itself and those that inherit from it. A table without either is its own only part.
    #[must_use]
    pub fn parts(&self, name: &TableName) -> Vec<&Table> {
        let mut parts: Vec<&Table> = Vec::new();
        let mut waiting: Vec<&Table> = self.table(name).into_iter().collect();
        let mut seen: Vec<&TableName> = Vec::new();
        while !waiting.is_empty() {
            let mut below = Vec::new();
            for table in waiting {
                if seen.contains(&&table.name) {
                    continue;
                }
                seen.push(&table.name);
                if table.kind != TableKind::Partitioned {
                    parts.push(table);
                }
                below.extend(self.children(&table.name));
            }
            waiting = below;
        }
        parts
    }

    /// The tables above a table, the nearest first.
    #[must_use]
    pub fn above(&self, name: &TableName) -> Vec<&TableName> {
        let Some(postgres) = &self.postgres else { return Vec::new() };
        let names: Vec<&TableName> = postgres.above(name);
        names.into_iter().filter(|name| self.table(name).is_some()).collect()
    }

    /// The partitioned table that a partition belongs to in the end; the table itself where it is
    /// none.
    #[must_use]
    pub fn whole_of<'c>(&'c self, name: &'c TableName) -> &'c TableName {
        let is_partitioned = |name: &&TableName| {
            self.table(name).is_some_and(|table| table.kind == TableKind::Partitioned)
        };
        self.above(name).into_iter().rfind(is_partitioned).unwrap_or(name)
    }

    /// The rule that covers a column of a table, and its place in the policy: the table's own, else
    /// that of the nearest table above it.
    #[must_use]
    pub fn rule_of<'p>(
        &self,
        policy: &'p Policy,
        table: &TableName,
        column: &str,
    ) -> Option<(usize, &'p ColumnRule)> {
        let of = |name: &TableName| {
            let mut rules = policy.columns.iter().enumerate();
            rules.find(|(_, rule)| &rule.name.table == name && rule.name.column == column)
        };
        of(table).or_else(|| self.above(table).into_iter().find_map(of))
    }

    fn children(&self, name: &TableName) -> Vec<&Table> {
        let sheet = self.postgres.as_ref().and_then(|postgres| postgres.table(name));
        let names = sheet.map_or(&[][..], |sheet| &sheet.children);
        names.iter().filter_map(|child| self.table(child)).collect()
    }
}
