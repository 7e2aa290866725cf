//! The texts of queries, as an application or a server has them.
//!
//! **Invariant:** a text is neither printed nor stored: its literals may be originals.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalog::sqlite_text::{Lexeme, lexemes};
use crate::policy::TableName;

/// One query of an application.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueryText {
    /// Where it comes from, as findings name it: `queries.sql:12`, `function notify`.
    pub source: String,
    /// How often it was called, where a server counted.
    pub calls: Option<u64>,
    /// The text.
    #[serde(skip)]
    pub sql: String,
    /// What the text is written in.
    #[serde(skip)]
    pub language: Language,
    /// Names that stand for what a caller gives: the parameters of a function.
    #[serde(skip)]
    pub parameters: Vec<String>,
    /// The table whose rows are `OLD` and `NEW`, where the text is that of a trigger or a rule.
    #[serde(skip)]
    pub rows_of: Option<TableName>,
}

/// What the text of a query is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Statements of SQL.
    #[default]
    Sql,
    /// A body of PL/pgSQL, with statements and expressions inside.
    PlPgSql,
}

impl QueryText {
    /// Cuts a file into its statements, each named by the file and the line where it begins.
    ///
    /// Semicolons inside quotes, comments and the bodies of triggers end nothing.
    #[must_use]
    pub fn split(file: &str, text: &str) -> Vec<Self> {
        let lexemes = lexemes(text);
        let mut queries = Vec::new();
        let mut lines = Lines { text, at: 0, line: 1 };
        let mut rest = lexemes.as_slice();
        while !rest.is_empty() {
            let end = end_of(rest);
            let (statement, after) = rest.split_at(end);
            if let (Some(first), Some(last)) = (statement.first(), statement.last()) {
                queries.push(Self {
                    source: format!("{file}:{}", lines.line_of(first.span.start)),
                    sql: text[first.span.start..last.span.end].to_owned(),
                    ..Self::default()
                });
            }
            rest = after.get(1..).unwrap_or_default();
        }
        queries
    }
}

impl fmt::Debug for QueryText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryText")
            .field("source", &self.source)
            .field("calls", &self.calls)
            .field("bytes", &self.sql.len())
            .finish_non_exhaustive()
    }
}

/// How many lexemes the first statement has.
fn end_of(lexemes: &[Lexeme]) -> usize {
    let is_trigger = lexemes.first().is_some_and(|first| first.is_keyword("CREATE"))
        && lexemes.iter().take(6).any(|lexeme| lexeme.is_keyword("TRIGGER"));
    let closes = |at: usize| {
        !is_trigger || at.checked_sub(1).is_some_and(|before| lexemes[before].is_keyword("END"))
    };
    lexemes
        .iter()
        .enumerate()
        .position(|(at, lexeme)| lexeme.is_sign(";") && closes(at))
        .unwrap_or(lexemes.len())
}

/// Counts lines while going through a text once.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn line_of(&mut self, place: usize) -> u64 {
        let passed = self.text.get(self.at..place).unwrap_or_default();
        self.line += passed.matches('\n').count() as u64;
        self.at = place;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::QueryText;

    fn sources(text: &str) -> Vec<String> {
        QueryText::split("q.sql", text).into_iter().map(|query| query.source).collect()
    }

    #[test]
    fn statements_are_named_by_the_line_where_they_begin() {
        let text = "-- the first; of two\nSELECT 1;\n\n  SELECT\n  ';' ;;\nSELECT \"a;b\" /* ; */";
        assert_eq!(sources(text), ["q.sql:2", "q.sql:4", "q.sql:6"]);
        assert!(sources(" ;; -- nothing\n").is_empty());
    }

    #[test]
    fn a_trigger_is_one_statement() {
        let text = "CREATE TRIGGER t AFTER UPDATE ON c BEGIN\n SELECT 1; SELECT 2;\nEND;\nSELECT 3";
        assert_eq!(sources(text), ["q.sql:1", "q.sql:4"]);
    }

    #[test]
    fn a_text_is_not_printed() {
        let queries = QueryText::split("q.sql", "SELECT 'alice@example.com'");
        assert!(queries[0].sql.contains("alice"));
        assert!(!format!("{queries:?}").contains("alice"));
        assert!(!serde_json::to_string(&queries).unwrap().contains("alice"));
    }
}
