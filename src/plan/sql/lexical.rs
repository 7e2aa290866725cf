//! A text that no parser understands, read for the names in it.

use super::ColumnAt;
use crate::catalog::sqlite_text::{Lexeme, lexemes};
use crate::catalog::{Catalog, Table};

/// The columns that a text names outside strings and comments.
///
/// A column counts where its table is named too (or is `table`), and where the text names no table
/// at all: a fragment of a statement still says what it is about.
pub(super) fn named(catalog: &Catalog, sql: &str, table: Option<usize>) -> Vec<ColumnAt> {
    let lexemes = lexemes(sql);
    let is_named = |name: &str| lexemes.iter().any(|lexeme| lexeme.is_name(name));
    let has_star = lexemes.iter().any(|lexeme| lexeme.is_sign("*"));
    let mut tables: Vec<usize> = (0..catalog.tables.len())
        .filter(|&at| Some(at) == table || is_named(&catalog.tables[at].name.name))
        .collect();
    let is_fragment =
        tables.is_empty() && !catalog.views.iter().any(|view| is_named(&view.name.name));
    if is_fragment {
        tables = (0..catalog.tables.len()).collect();
    }
    tables
        .into_iter()
        .flat_map(|at| columns(&catalog.tables[at], at, &lexemes, has_star && !is_fragment))
        .collect()
}

fn columns(table: &Table, at: usize, lexemes: &[Lexeme], has_star: bool) -> Vec<ColumnAt> {
    table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| has_star || lexemes.iter().any(|l| l.is_name(&column.name)))
        .map(|(column, _)| ColumnAt { table: at, column })
        .collect()
}
