//! How the rows of a table are found: which key to walk by.

use super::case::Case;
use super::model::Walk;
use crate::catalog::{Column, Index, Table};

/// The names under which SQLite shows a row id, unless a column has them.
const ROW_ID_NAMES: [&str; 3] = ["rowid", "oid", "_rowid_"];

/// Chooses the walk of a table; `None` where its rows cannot be told apart at all.
///
/// **Invariant:** a [`Walk::Key`] has no column that the rewrite changes, so rows do not move under
/// the walk and cursors hold no original.
pub(super) fn choose(case: &Case<'_>, table: &Table) -> Option<Walk> {
    let stays = |name: &str| {
        table.column(name).is_some_and(|column| column.generated.is_none())
            && !case.covers(&table.name, name)
    };
    if let Some(postgres) = &case.catalog.postgres {
        let keys = postgres.table(&table.name).map_or(&[][..], |sheet| &sheet.keys);
        let key = keys.iter().find(|key| key.iter().all(|name| stays(name)));
        // Where a row lies finds it within one transaction, also where its key changes.
        return Some(key.map_or(Walk::RowId, |key| Walk::Key(key.clone())));
    }
    if let Some(alias) = table.columns.iter().find(|column| column.rowid_alias)
        && stays(&alias.name)
    {
        return Some(Walk::Key(vec![alias.name.clone()]));
    }
    let primary = primary_key(table);
    let null_keys = case.facts.table(&table.name).map_or(&[][..], |facts| &facts.null_keys);
    let has_null = primary.iter().any(|name| null_keys.contains(name));
    if !primary.is_empty() && !has_null && primary.iter().all(|name| stays(name)) {
        return Some(Walk::Key(primary));
    }
    let unique = table
        .indexes
        .iter()
        .filter_map(|index| unique_key(table, index))
        .filter(|key| key.iter().all(|name| stays(name)))
        .min_by_key(Vec::len);
    if let Some(key) = unique {
        return Some(Walk::Key(key));
    }
    if table.without_rowid {
        return Some(Walk::ScopedKey(primary));
    }
    row_id_name(table).map(|_| Walk::RowId)
}

/// The columns of the primary key, in its order.
pub(super) fn primary_key(table: &Table) -> Vec<String> {
    let mut key: Vec<&Column> =
        table.columns.iter().filter(|column| column.primary_key.is_some()).collect();
    key.sort_by_key(|column| column.primary_key);
    key.into_iter().map(|column| column.name.clone()).collect()
}

/// The name by which the bare row id of a table can be asked for.
#[must_use]
pub fn row_id_name(table: &Table) -> Option<&'static str> {
    ROW_ID_NAMES
        .into_iter()
        .find(|name| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)))
}

/// The columns of an index that finds each row of its table exactly once.
fn unique_key(table: &Table, index: &Index) -> Option<Vec<String>> {
    if !index.unique || index.predicate.is_some() {
        return None;
    }
    index
        .keys
        .iter()
        .map(|key| {
            let column = table.column(key.column.as_ref()?)?;
            column.not_null.then(|| column.name.clone())
        })
        .collect()
}
