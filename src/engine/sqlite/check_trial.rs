//! Tries sample tokens against the `CHECK` constraints of a table, without writing a row.
//!
//! Each constraint is evaluated over real rows in which the cells in scope are replaced. Knows the
//! look of a token and no key; the sample tokens stand for no value.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::facts::FactsError;
use crate::catalog::{Affinity, Column, Table};
use crate::engine::ident::{quote, quote_table};
use crate::plan::{CheckTrial, reads_column};
use crate::policy::{ColumnRule, EmptyRule, TokenKind};

/// Rows that a trial looks at.
const ROWS_MAX: u32 = 1_000;

const SAMPLE_TOKEN: &str = "slk000_0123456789abcdefghjkmnpqrstv";
const SAMPLE_UUID: &str = "01234567-89ab-8cde-8f01-23456789abcd";

/// Tries every `CHECK` of the table that mentions a column in scope.
///
/// # Errors
///
/// Returns [`FactsError`] where a name cannot be quoted. A constraint that SQLite cannot evaluate
/// this way is no error; its trial says so.
pub(super) async fn run(
    conn: &mut SqliteConnection,
    table: &Table,
    rules: &[&ColumnRule],
) -> Result<Vec<CheckTrial>, FactsError> {
    let mut trials = Vec::new();
    for check in &table.checks {
        let in_scope =
            rules.iter().any(|rule| reads_column(table, &check.expression, &rule.name.column));
        if !in_scope {
            continue;
        }
        let (sql, samples) = statement(table, rules, &check.expression)?;
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for sample in samples {
            query = query.bind(sample);
        }
        let counted = query
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| Ok((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?)));
        let (rows, refused) = counted.as_ref().copied().unwrap_or_default();
        trials.push(CheckTrial {
            table: table.name.clone(),
            expression: check.expression.clone(),
            rows: u64::try_from(rows).unwrap_or_default(),
            refused: u64::try_from(refused).unwrap_or_default(),
            evaluated: counted.is_ok(),
        });
    }
    Ok(trials)
}

/// The statement, and the values of its parameters.
///
/// A constraint refuses a row where it is false; where it is NULL it does not.
fn statement(
    table: &Table,
    rules: &[&ColumnRule],
    expression: &str,
) -> Result<(String, Vec<String>), FactsError> {
    let mut samples = Vec::new();
    let mut plain = Vec::new();
    let mut computed = Vec::new();
    let mut filled = Vec::new();
    for column in table.columns.iter().filter(|column| !column.hidden) {
        let name = quote(&column.name)?;
        let rule = rules.iter().find(|rule| rule.name.column == column.name);
        if let Some(rule) = rule {
            filled.push(format!("{name} IS NOT NULL"));
            plain.push(format!("{} AS {name}", replaced(column, rule, &name, &mut samples)?));
        } else if let Some(generated) = &column.generated {
            computed.push(format!("({}) AS {name}", generated.expression));
        } else {
            plain.push(name);
        }
    }
    let name = quote_table(&table.name)?;
    // Rows without a value in scope would try nothing.
    let rows = format!(
        "SELECT {} FROM {name} WHERE {} LIMIT {ROWS_MAX}",
        plain.join(", "),
        filled.join(" OR ")
    );
    computed.insert(0, "*".to_owned());
    // The line break ends a comment that the expression may close with.
    let sql = format!(
        "SELECT count(*), coalesce(sum(NOT ({expression}\n)), 0)
           FROM (SELECT {} FROM ({rows}) AS {name}) AS {name}",
        computed.join(", ")
    );
    Ok((sql, samples))
}

/// What stands in for a cell: a token where a token would be written, with the affinity and the
/// collation of the column, because comparisons follow those.
fn replaced(
    column: &Column,
    rule: &ColumnRule,
    name: &str,
    samples: &mut Vec<String>,
) -> Result<String, FactsError> {
    let token = match rule.token {
        TokenKind::Format => shifted(name),
        TokenKind::Keyed | TokenKind::Random => {
            let template = rule.template.as_deref().unwrap_or("{token}");
            samples.push(template.replace("{token}", SAMPLE_TOKEN));
            format!("?{}", samples.len())
        }
        TokenKind::Uuid => {
            samples.push(SAMPLE_UUID.to_owned());
            format!("?{}", samples.len())
        }
    };
    let kept = match rule.empty {
        EmptyRule::Keep => format!("WHEN {name} = '' THEN '' "),
        EmptyRule::Tokenize => String::new(),
    };
    let mut cell = format!("CASE WHEN {name} IS NULL THEN NULL {kept}ELSE {token} END");
    if column.affinity == Affinity::Text {
        cell = format!("CAST({cell} AS TEXT)");
    }
    if let Some(collation) = &column.collation {
        cell = format!("{cell} COLLATE {}", quote(collation)?);
    }
    Ok(cell)
}

/// A value of the same shape with other digits: what a `format` token looks like to a constraint.
///
/// Each digit goes by way of a private character, so that one replacement cannot undo another.
fn shifted(name: &str) -> String {
    let private = |digit: u32| 0xE000 + digit;
    let mut cell = name.to_owned();
    for digit in 0..10 {
        cell = format!("replace({cell}, '{digit}', char({}))", private(digit));
    }
    for digit in 0..10 {
        cell = format!("replace({cell}, char({}), '{}')", private(digit), (digit + 3) % 10);
    }
    cell
}
