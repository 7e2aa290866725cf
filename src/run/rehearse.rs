//! What a way there and back has left: a copy as it was at the start, beside what it is at the end.
//!
//! It knows neither who made the copy nor how it was worked on.

use std::collections::BTreeSet;

use crate::plan::Assessment;
use crate::ports::TableStanding;

/// What differs. Names only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences {
    /// Columns in scope, and tables of such columns that have other rows: what must not be.
    pub scope: Vec<String>,
    /// Other columns and tables: what triggers of the application wrote on the way.
    pub beside: Vec<String>,
    /// Tables, indexes, views and triggers that are not what they were.
    pub objects: Vec<String>,
}

impl Differences {
    /// Whether everything that a rollback promises was kept.
    #[must_use]
    pub fn is_as_promised(&self) -> bool {
        self.scope.is_empty() && self.objects.is_empty()
    }
}

/// Compares. `schema` is the canonical text of the catalog, before and after.
#[must_use]
pub fn differences(
    plan: &Assessment,
    before: &[TableStanding],
    after: &[TableStanding],
    schema: (&str, &str),
) -> Differences {
    let tables: Vec<_> = plan.units.iter().flat_map(|unit| &unit.tables).collect();
    let mut found = Differences { objects: objects(schema.0, schema.1), ..Differences::default() };
    for was in before {
        let own = tables.iter().find(|table| {
            table.table.name == was.table.name
                && (table.table.schema == was.table.schema || table.table.schema.is_none())
        });
        let Some(is) = after.iter().find(|is| is.table == was.table) else {
            let list = if own.is_some() { &mut found.scope } else { &mut found.beside };
            list.push(format!("{} is gone", was.table));
            continue;
        };
        if is.rows != was.rows {
            let list = if own.is_some() { &mut found.scope } else { &mut found.beside };
            list.push(format!("{} has {} rows, and had {}", was.table, is.rows, was.rows));
            // Of other rows every column differs.
            continue;
        }
        for (column, digest) in &was.columns {
            if is.columns.iter().any(|(name, other)| name == column && other == digest) {
                continue;
            }
            let is_in_scope =
                own.is_some_and(|table| table.columns.iter().any(|own| &own.column == column));
            let list = if is_in_scope { &mut found.scope } else { &mut found.beside };
            list.push(format!("{}.{column}", was.table));
        }
    }
    let is_new = |is: &&TableStanding| before.iter().all(|was| was.table != is.table);
    found.beside.extend(after.iter().filter(is_new).map(|is| format!("{} is new", is.table)));
    found
}

/// The objects whose line is in one text and not in the other: what kind, and the name.
#[must_use]
pub fn objects(before: &str, after: &str) -> Vec<String> {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (lines(before), lines(after));
    let names: BTreeSet<String> = before
        .symmetric_difference(&after)
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_nothing_else_of_it() {
        let before =
            "encoding UTF-8\ntable people CREATE TABLE people (id)\nindex i CREATE INDEX i";
        let after = "encoding UTF-8\ntable people CREATE TABLE people (id, x)";
        assert_eq!(objects(before, after), ["index i", "table people"]);
        assert!(objects(before, before).is_empty());
    }
}
