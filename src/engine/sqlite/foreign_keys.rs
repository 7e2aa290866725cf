//! Foreign keys, with the letters that their parents really have.
//!
//! SQLite lets a declaration write the parent in any case, and leave the parent's columns out.

use sqlx::{Row, SqliteConnection};

use super::catalog::CatalogError;
use crate::catalog::{Column, ForeignKey, Table};
use crate::policy::TableName;

/// Reads the foreign keys of a table, names as they were written.
pub(super) async fn read(
    conn: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<ForeignKey>, CatalogError> {
    // language=SQLite
    const SQL: &str = "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete
        FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq";
    let failed =
        |source| CatalogError::Query { what: format!("the foreign keys of `{table}`"), source };
    let rows = sqlx::query(SQL).bind(table).fetch_all(conn).await.map_err(failed)?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for row in &rows {
        let id: i64 = row.try_get(0).map_err(failed)?;
        if keys.last().is_none_or(|(last, _)| *last != id) {
            keys.push((
                id,
                ForeignKey {
                    columns: Vec::new(),
                    parent: TableName::bare(row.try_get::<String, _>(1).map_err(failed)?),
                    parent_columns: Vec::new(),
                    on_update: row.try_get(4).map_err(failed)?,
                    on_delete: row.try_get(5).map_err(failed)?,
                },
            ));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(row.try_get(2).map_err(failed)?);
            key.parent_columns.extend(row.try_get::<Option<String>, _>(3).map_err(failed)?);
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// Gives parents the letters that they have, and a foreign key without parent columns the parent's
/// primary key. A parent that does not exist stays as it was written.
pub(super) fn resolve(tables: &mut [Table]) {
    let parents: Vec<(TableName, Vec<String>, Vec<String>)> = tables
        .iter()
        .map(|table| {
            let mut key: Vec<&Column> =
                table.columns.iter().filter(|column| column.primary_key.is_some()).collect();
            key.sort_by_key(|column| column.primary_key);
            (
                table.name.clone(),
                key.into_iter().map(|column| column.name.clone()).collect(),
                table.columns.iter().map(|column| column.name.clone()).collect(),
            )
        })
        .collect();
    for key in tables.iter_mut().flat_map(|table| &mut table.foreign_keys) {
        let Some((name, primary, columns)) =
            parents.iter().find(|(name, ..)| name.name.eq_ignore_ascii_case(&key.parent.name))
        else {
            continue;
        };
        key.parent = name.clone();
        if key.parent_columns.is_empty() {
            key.parent_columns.clone_from(primary);
        }
        for column in &mut key.parent_columns {
            if let Some(exact) = columns.iter().find(|name| name.eq_ignore_ascii_case(column)) {
                column.clone_from(exact);
            }
        }
    }
}
