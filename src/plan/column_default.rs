//! Pitfall: a default that is a value stands in the catalog, and comes back with each row that names
//! none.

use super::case::{Case, warns};
use super::model::Finding;
use crate::catalog::EngineKind;

const PITFALL: &str = "column_default";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    case.columns
        .iter()
        .filter(|column| column.column.default.as_deref().is_some_and(is_a_value))
        .map(|column| {
            let (table, name) = (&column.table.name, &column.column.name);
            let way = match case.catalog.engine {
                EngineKind::Postgres => format!("ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"),
                EngineKind::Sqlite => "make the table anew without it".to_owned(),
            };
            warns(
                PITFALL,
                column.name(),
                "its DEFAULT is a value, which stands in the catalog as it is; a row that names none \
                 holds it as an original",
                format!("{way}, if it says anything about a person: no purge reaches the catalog"),
            )
        })
        .collect()
}

/// Whether a default is written out, and says something: no NULL, no empty text, nothing computed.
fn is_a_value(expression: &str) -> bool {
    let text = expression.trim_start_matches(['(', ' ', '-', '+']);
    let is_literal = |quote: char| {
        let rest = text.strip_prefix(['E', 'e', 'N', 'n', 'X', 'x']).unwrap_or(text);
        let Some(rest) = rest.strip_prefix(quote) else { return false };
        // Nothing between the quotes, unless they are two that stand for one.
        rest.strip_prefix(quote).is_none_or(|rest| rest.starts_with(quote))
    };
    text.starts_with(|sign: char| sign.is_ascii_digit()) || is_literal('\'') || is_literal('"')
}

#[cfg(test)]
mod tests {
    use super::is_a_value;

    #[test]
    fn a_default_counts_where_it_is_written_out_and_says_something() {
        for value in ["'x@example.com'::text", "('a')", "4711", "-1", "E'\\x'", "'''t'", "\"a\""] {
            assert!(is_a_value(value), "{value}");
        }
        for none in ["NULL", "NULL::text", "''", "''::character varying", "now()", "lower('x')"] {
            assert!(!is_a_value(none), "{none}");
        }
    }
}
