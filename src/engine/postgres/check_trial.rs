//! Tries sample tokens against the `CHECK` constraints of a table and of its domains, without
//! writing a row.
//!
//! Each constraint is evaluated over real rows in which the cells in scope are replaced. Knows the
//! look of a token and no key; the sample tokens stand for no value.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::queries::MARK;
use super::shape::{Shape, quoted, table_sql};
use super::write::{Lasts, look_at_home_again, look_theirs};
use crate::catalog::{Catalog, Table};
use crate::plan::{CheckTrial, reads_column};
use crate::policy::{ColumnRule, EmptyRule, TokenKind};

/// Rows that a trial looks at.
const ROWS_MAX: u32 = 1_000;

const SAMPLE_TOKEN: &str = "slk000_0123456789abcdefghjkmnpqrstv";
const SAMPLE_UUID: &str = "01234567-89ab-8cde-8f01-23456789abcd";

/// Tries every `CHECK` of the table, and of the domains of its columns, that a token would meet.
///
/// A constraint that cannot be evaluated this way is no error; its trial says so.
pub(super) async fn run(
    connection: &mut PgConnection,
    catalog: &Catalog,
    table: &Table,
    rules: &[&ColumnRule],
) -> Result<Vec<CheckTrial>, sqlx::Error> {
    let shape = Shape::read(connection, &table.name).await?;
    // A function in a check finds what it names without a schema, as it does for others.
    look_theirs(connection, Lasts::Session).await?;
    let trials = all(connection, catalog, table, rules, &shape).await;
    look_at_home_again(connection).await?;
    trials
}

async fn all(
    connection: &mut PgConnection,
    catalog: &Catalog,
    table: &Table,
    rules: &[&ColumnRule],
    shape: &Shape,
) -> Result<Vec<CheckTrial>, sqlx::Error> {
    let mut trials = Vec::new();
    for check in &table.checks {
        if rules.iter().any(|rule| reads_column(table, &check.expression, &rule.name.column)) {
            let statement = over_rows(table, shape, rules, &check.expression)?;
            trials.push(tried(connection, table, &check.expression, statement).await?);
        }
    }
    for rule in rules {
        let sheet = catalog.postgres.as_ref().and_then(|postgres| postgres.table(&table.name));
        let column = sheet.and_then(|sheet| sheet.column(&rule.name.column));
        if column.is_some_and(|column| column.domain.is_some()) {
            trials.push(of_domain(connection, table, shape, rule).await?);
        }
    }
    Ok(trials)
}

/// A statement, and the values of its parameters.
type Statement = (String, Vec<String>);

async fn tried(
    connection: &mut PgConnection,
    table: &Table,
    expression: &str,
    (sql, samples): Statement,
) -> Result<CheckTrial, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for sample in samples {
        query = query.bind(sample);
    }
    let counted = match query.fetch_one(connection).await {
        Ok(row) => Some((row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?)),
        Err(sqlx::Error::Database(_)) => None,
        Err(error) => return Err(error),
    };
    let (rows, refused) = counted.unwrap_or_default();
    Ok(CheckTrial {
        table: table.name.clone(),
        expression: expression.to_owned(),
        rows: u64::try_from(rows).unwrap_or_default(),
        refused: u64::try_from(refused).unwrap_or_default(),
        evaluated: counted.is_some(),
    })
}

/// A constraint refuses a row where it is false; where it is NULL it does not.
fn over_rows(
    table: &Table,
    shape: &Shape,
    rules: &[&ColumnRule],
    expression: &str,
) -> Result<Statement, sqlx::Error> {
    let mut samples = Vec::new();
    let (mut wanted, mut filled) = (Vec::new(), Vec::new());
    for column in &table.columns {
        let name = quoted(&column.name)?;
        match rules.iter().find(|rule| rule.name.column == column.name) {
            Some(rule) => {
                filled.push(format!("{name} IS NOT NULL"));
                let token = replaced(rule, &name, &mut samples);
                wanted.push(format!("{} AS {name}", shape.cast_uncut(&column.name, &token)?));
            }
            None => wanted.push(name),
        }
    }
    // Rows without a value in scope would try nothing. The name of the table may stand in the
    // expression; the line break ends a comment that the expression may close with.
    let sql = format!(
        "SELECT {MARK} count(*), count(*) FILTER (WHERE NOT ({expression}\n)) FROM (
            SELECT {} FROM ONLY {} WHERE {} LIMIT {ROWS_MAX}) AS {}",
        wanted.join(", "),
        table_sql(&table.name)?,
        filled.join(" OR "),
        quoted(&table.name.name)?,
    );
    Ok((sql, samples))
}

/// What stands in for a cell: a token where a token would be written.
fn replaced(rule: &ColumnRule, name: &str, samples: &mut Vec<String>) -> String {
    let token = match (rule.token, sample(rule)) {
        // Another value of the same shape: what a `format` token looks like to a constraint.
        (TokenKind::Format, _) | (_, None) => {
            format!("translate({name}::text, '0123456789', '3456789012')")
        }
        (TokenKind::Keyed | TokenKind::Random | TokenKind::Uuid, Some(sample)) => {
            samples.push(sample);
            format!("${}::text", samples.len())
        }
    };
    let kept = match rule.empty {
        EmptyRule::Keep => format!("WHEN {name}::text = '' THEN '' "),
        EmptyRule::Tokenize => String::new(),
    };
    format!("CASE WHEN {name} IS NULL THEN NULL {kept}ELSE {token} END")
}

fn sample(rule: &ColumnRule) -> Option<String> {
    match rule.token {
        TokenKind::Keyed | TokenKind::Random => {
            let template = rule.template.as_deref().unwrap_or("{token}");
            Some(template.replace("{token}", SAMPLE_TOKEN))
        }
        TokenKind::Uuid => Some(SAMPLE_UUID.to_owned()),
        TokenKind::Format => None,
    }
}

/// A domain checks every value that is cast to it.
async fn of_domain(
    connection: &mut PgConnection,
    table: &Table,
    shape: &Shape,
    rule: &ColumnRule,
) -> Result<CheckTrial, sqlx::Error> {
    let column = &rule.name.column;
    let expression = shape.cast(column, &quoted(column)?)?;
    let trial = |refused: u64, evaluated: bool| CheckTrial {
        table: table.name.clone(),
        expression: expression.clone(),
        rows: 1,
        refused,
        evaluated,
    };
    let Some(sample) = sample(rule) else { return Ok(trial(0, false)) };
    let sql = format!("SELECT {}::text", shape.cast(column, "$1::text")?);
    let cast: Result<Option<String>, _> =
        sqlx::query_scalar(AssertSqlSafe(sql)).bind(&sample).fetch_one(connection).await;
    match cast {
        // A cast cuts what is too long; that is the width's matter, and found there.
        Ok(_) => Ok(trial(0, true)),
        Err(error) if super::error::state(&error) == Some("23514") => Ok(trial(1, true)),
        Err(sqlx::Error::Database(_)) => Ok(trial(0, false)),
        Err(error) => Err(error),
    }
}
