//! What only the text of a SQLite `CREATE` statement says: `CHECK`, collations, expressions.
//!
//! The pragmas tell names, types and keys; the rest has to be read out of `sqlite_schema`. Only
//! statements that SQLite itself accepted are read here, so this is a reader and not a validator.

use super::CheckConstraint;
use super::sqlite_text::{Lexeme, LexemeKind, lexemes, matching};

/// What the text of `CREATE TABLE` says beyond the pragmas.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableText {
    /// The columns, in order.
    pub columns: Vec<ColumnText>,
    /// All `CHECK` constraints, of columns and of the table, in order.
    pub checks: Vec<CheckConstraint>,
}

/// What it says about one column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColumnText {
    /// The name.
    pub name: String,
    /// `COLLATE`.
    pub collation: Option<String>,
    /// The expression of a generated column.
    pub generated: Option<String>,
}

/// Reads `CREATE TABLE`.
#[must_use]
pub fn table(sql: &str) -> TableText {
    let lexemes = lexemes(sql);
    let mut text = TableText::default();
    let Some(open) = lexemes.iter().position(|lexeme| lexeme.is_sign("(")) else { return text };
    for part in parts(&lexemes, open) {
        definition(sql, part, &mut text);
    }
    text
}

/// Reads `CREATE VIRTUAL TABLE … USING module(arguments)`: the module, in lowercase, and its
/// arguments.
#[must_use]
pub fn virtual_table(sql: &str) -> Option<(String, Vec<String>)> {
    let lexemes = lexemes(sql);
    let using = lexemes.iter().position(|lexeme| lexeme.is_keyword("USING"))?;
    let module = lexemes.get(using + 1)?.text.to_ascii_lowercase();
    let open = using + 2;
    if !lexemes.get(open).is_some_and(|lexeme| lexeme.is_sign("(")) {
        return Some((module, Vec::new()));
    }
    let arguments = parts(&lexemes, open).into_iter().map(|part| written(sql, part)).collect();
    Some((module, arguments))
}

/// The condition of a partial index, and the expressions of its keys (`None` where a key is a
/// plain column).
#[must_use]
pub fn index(sql: &str) -> (Option<String>, Vec<String>) {
    let lexemes = lexemes(sql);
    let Some(open) = lexemes.iter().position(|lexeme| lexeme.is_sign("(")) else {
        return (None, Vec::new());
    };
    let close = matching(&lexemes, open);
    let predicate = lexemes[close..]
        .iter()
        .position(|lexeme| lexeme.is_keyword("WHERE"))
        .and_then(|place| lexemes.get(close + place + 1))
        .map(|first| sql[first.span.start..].trim().to_owned());
    let keys = parts(&lexemes, open).into_iter().map(|part| written(sql, part)).collect();
    (predicate, keys)
}

/// What stands between the bracket at `open` and its match, split at the commas of that depth.
fn parts(lexemes: &[Lexeme], open: usize) -> Vec<&[Lexeme]> {
    let close = matching(lexemes, open);
    let mut parts = Vec::new();
    let mut from = open + 1;
    while from < close {
        let mut to = from;
        while to < close && !lexemes[to].is_sign(",") {
            to = if lexemes[to].is_sign("(") { matching(lexemes, to) + 1 } else { to + 1 };
        }
        let to = to.min(close);
        if from < to {
            parts.push(&lexemes[from..to]);
        }
        from = to + 1;
    }
    parts
}

/// The text of lexemes as it was written.
fn written(sql: &str, part: &[Lexeme]) -> String {
    match (part.first(), part.last()) {
        (Some(first), Some(last)) => sql[first.span.start..last.span.end].to_owned(),
        _ => String::new(),
    }
}

fn definition(sql: &str, lexemes: &[Lexeme], text: &mut TableText) {
    let Some(first) = lexemes.first() else { return };
    let is_constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]
        .iter()
        .any(|keyword| first.is_keyword(keyword));
    if is_constraint {
        constraints(sql, lexemes, None, &mut text.checks);
    } else {
        let mut column = ColumnText { name: first.text.clone(), ..ColumnText::default() };
        constraints(sql, &lexemes[1..], Some(&mut column), &mut text.checks);
        text.columns.push(column);
    }
}

/// Walks over constraints. Brackets that belong to no constraint we look for are stepped over
/// whole, so a word inside a default or a type cannot be taken for a keyword.
fn constraints(
    sql: &str,
    lexemes: &[Lexeme],
    mut column: Option<&mut ColumnText>,
    checks: &mut Vec<CheckConstraint>,
) {
    let mut name: Option<String> = None;
    let mut at = 0;
    while at < lexemes.len() {
        let lexeme = &lexemes[at];
        let next = lexemes.get(at + 1);
        let opens = next.is_some_and(|next| next.is_sign("("));
        if lexeme.is_keyword("CONSTRAINT") {
            name = next.map(|next| next.text.clone());
            at += 2;
        } else if lexeme.is_keyword("CHECK") && opens {
            let close = matching(lexemes, at + 1);
            let expression = inside(sql, lexemes, at + 1, close);
            checks.push(CheckConstraint { name: name.take(), expression });
            at = close + 1;
        } else if lexeme.is_keyword("AS") && opens {
            let close = matching(lexemes, at + 1);
            if let Some(column) = column.as_deref_mut() {
                column.generated = Some(inside(sql, lexemes, at + 1, close));
            }
            name = None;
            at = close + 1;
        } else if lexeme.is_keyword("COLLATE") {
            if let (Some(column), Some(next)) = (column.as_deref_mut(), next) {
                column.collation = Some(next.text.clone());
            }
            name = None;
            at += 2;
        } else if lexeme.is_sign("(") {
            at = matching(lexemes, at) + 1;
        } else {
            // A name belongs to the constraint right after it.
            if ["NOT", "NULL", "PRIMARY", "UNIQUE", "DEFAULT", "REFERENCES", "FOREIGN"]
                .iter()
                .any(|keyword| lexeme.is_keyword(keyword))
            {
                name = None;
            }
            at += 1;
        }
    }
}

fn inside(sql: &str, lexemes: &[Lexeme], open: usize, close: usize) -> String {
    debug_assert!(lexemes[open].kind == LexemeKind::Sign, "a bracket is a sign");
    let from = lexemes[open].span.end;
    let to = if lexemes[close].is_sign(")") { lexemes[close].span.start } else { sql.len() };
    sql.get(from..to).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(sql: &str) -> Vec<(Option<String>, String)> {
        table(sql).checks.into_iter().map(|check| (check.name, check.expression)).collect()
    }

    #[test]
    fn checks_of_columns_and_of_the_table_are_found() {
        let sql = r#"CREATE TABLE "a (b" (
            id INTEGER PRIMARY KEY, -- CHECK (nothing)
            email TEXT CONSTRAINT shape cHeCk (email LIKE '%)@%' AND (length(email) > 3)),
            note TEXT DEFAULT 'CHECK (x)' CHECK(note <> ''),
            CONSTRAINT "both of" CHECK ((email IS NULL) = (note IS NULL)) CHECK (1)
        )"#;
        assert_eq!(
            checks(sql),
            [
                (Some("shape".into()), "email LIKE '%)@%' AND (length(email) > 3)".into()),
                (None, "note <> ''".into()),
                (Some("both of".into()), "(email IS NULL) = (note IS NULL)".into()),
                (None, "1".into()),
            ]
        );
    }

    #[test]
    fn a_column_named_check_is_no_check() {
        let sql = r#"CREATE TABLE t ("check" TEXT, [constraint] TEXT, `a,b` VARCHAR(3),
            x DEFAULT (check_it(1)))"#;
        assert_eq!(checks(sql), []);
        let names: Vec<String> = table(sql).columns.into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["check", "constraint", "a,b", "x"]);
    }

    #[test]
    fn collations_and_expressions_belong_to_their_columns() {
        let sql = "CREATE TABLE t (a TEXT COLLATE nocase NOT NULL, b TEXT /* COLLATE x */,
            c TEXT generated ALWAYS as (lower(a) || ')' ) STORED,
            d AS (a), UNIQUE (b COLLATE RTRIM))";
        let columns = table(sql).columns;
        assert_eq!(columns[0].collation.as_deref(), Some("nocase"));
        assert_eq!(columns[1].collation, None);
        assert_eq!(columns[2].generated.as_deref(), Some("lower(a) || ')'"));
        assert_eq!(columns[3].generated.as_deref(), Some("a"));
        assert_eq!(columns.len(), 4);
    }

    #[test]
    fn a_name_belongs_to_the_constraint_right_after_it() {
        assert_eq!(
            checks("CREATE TABLE t (a CONSTRAINT n NOT NULL CHECK (a > 1))"),
            [(None, "a > 1".into())]
        );
    }

    #[test]
    fn a_partial_index_keeps_its_condition() {
        let sql = r#"CREATE UNIQUE INDEX "where (" ON t (lower(a), b DESC) WHERE b > 'x' "#;
        assert_eq!(index(sql), (Some("b > 'x'".into()), vec!["lower(a)".into(), "b DESC".into()]));
    }

    #[test]
    fn a_virtual_table_names_its_module() {
        let sql = "CREATE VIRTUAL TABLE f USING FTS5(a, content='t', content_rowid=id)";
        assert_eq!(
            virtual_table(sql),
            Some((
                "fts5".into(),
                vec!["a".into(), "content='t'".into(), "content_rowid=id".into()]
            ))
        );
    }
}
