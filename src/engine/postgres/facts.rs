//! Counts what the columns in scope hold: one pass over each table, and trials of its constraints.
//!
//! Judges nothing; `plan` says what the figures mean.
//!
//! **Invariant:** no original is kept: rows stream through a [`Counter`] one at a time, and no
//! statement here sorts, groups or writes, so that the server makes no temporary file of them.

use std::hash::RandomState;

use futures::TryStreamExt;
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::queries::MARK;
use super::shape::{CellForm, Shape, quoted, table_sql};
use super::statement::original;
use super::{check_trial, queries};
use crate::catalog::{Catalog, Table, TableKind};
use crate::plan::{CheckTrial, Counter, Facts, TableFacts};
use crate::policy::{ColumnName, ColumnRule, Policy, TableName};
use crate::ports::Visitor;

/// Counts, for each table with a column in scope, what [`Facts`] asks for.
///
/// Names in the policy that the catalog does not have are left out; the plan reports them.
pub(super) async fn read(
    connection: &mut PgConnection,
    catalog: &Catalog,
    policy: &Policy,
) -> Result<Facts, sqlx::Error> {
    let mut facts = Facts { queries: queries::read(connection).await?, ..Facts::default() };
    for table in &catalog.tables {
        let rules: Vec<(usize, &ColumnRule)> = policy
            .columns
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.name.table == table.name)
            .filter(|(_, rule)| table.column(&rule.name.column).is_some())
            .collect();
        if rules.is_empty() {
            continue;
        }
        let mut counted = Counted::new(&rules);
        for part in catalog.parts(&table.name) {
            // A part that the policy names itself is covered by its own rule; and what the role may
            // not read is found by the plan, in better words than an error.
            let of_part: Vec<usize> = (0..rules.len())
                .filter(|at| {
                    let (rule_at, rule) = rules[*at];
                    let column = &rule.name.column;
                    let covering = catalog.rule_of(policy, &part.name, column);
                    part.kind == TableKind::Ordinary
                        && covering.is_some_and(|(nearest, _)| nearest == rule_at)
                        && may_rewrite(catalog, part, column)
                })
                .collect();
            if of_part.is_empty() {
                continue;
            }
            counted.add(connection, part, &rules, &of_part).await?;
            let rules: Vec<&ColumnRule> = of_part.iter().map(|at| rules[*at].1).collect();
            let trials = check_trial::run(connection, catalog, part, &rules).await?;
            join(&mut facts.check_trials, &table.name, trials);
        }
        facts.tables.push(counted.finish(&table.name));
    }
    Ok(facts)
}

fn may_rewrite(catalog: &Catalog, table: &Table, column: &str) -> bool {
    let sheet = catalog.postgres.as_ref().and_then(|postgres| postgres.table(&table.name));
    sheet
        .filter(|sheet| sheet.is_readable())
        .and_then(|sheet| sheet.column(column))
        .is_some_and(|column| column.may_update)
}

/// Adds the trials of a part to those of the table that the policy names.
fn join(known: &mut Vec<CheckTrial>, table: &TableName, trials: Vec<CheckTrial>) {
    for trial in trials {
        let same = known
            .iter_mut()
            .find(|known| &known.table == table && known.expression == trial.expression);
        match same {
            Some(known) => {
                known.rows += trial.rows;
                known.refused += trial.refused;
                known.evaluated &= trial.evaluated;
            }
            None => known.push(CheckTrial { table: table.clone(), ..trial }),
        }
    }
}

/// The figures of a table while they are counted, part by part.
struct Counted {
    counters: Vec<Counter<RandomState>>,
    parts: Vec<(TableName, u64)>,
}

impl Counted {
    fn new(rules: &[(usize, &ColumnRule)]) -> Self {
        let counter = |(_, rule): &(usize, &ColumnRule)| Counter::new(rule, RandomState::new());
        Self { counters: rules.iter().map(counter).collect(), parts: Vec::new() }
    }

    async fn add(
        &mut self,
        connection: &mut PgConnection,
        part: &Table,
        rules: &[(usize, &ColumnRule)],
        of_part: &[usize],
    ) -> Result<(), sqlx::Error> {
        let shape = Shape::read(connection, &part.name).await?;
        let (mut wanted, mut forms) = (Vec::new(), Vec::new());
        for at in of_part {
            let column = &rules[*at].1.name.column;
            wanted.push(shape.told(column, &quoted(column)?)?);
            forms.push(shape.form(column)?);
        }
        let sql =
            format!("SELECT {MARK} {} FROM ONLY {}", wanted.join(", "), table_sql(&part.name)?);
        let mut rows = 0_u64;
        let mut stream = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
        while let Some(row) = stream.try_next().await? {
            rows += 1;
            for (place, at) in of_part.iter().enumerate() {
                let counter = &mut self.counters[*at];
                match original(&row, place, forms[place])? {
                    None => counter.observe_null(),
                    Some(cell) => counter.observe(cell.kind(), cell.expose()),
                }
            }
        }
        self.parts.push((part.name.clone(), rows));
        Ok(())
    }

    fn finish(self, table: &TableName) -> TableFacts {
        let rows = self.parts.iter().map(|(_, rows)| rows).sum();
        let is_whole = self.parts.iter().all(|(part, _)| part == table);
        TableFacts {
            table: table.clone(),
            rows,
            columns: self.counters.into_iter().map(Counter::finish).collect(),
            // A primary key of PostgreSQL holds no NULL.
            null_keys: Vec::new(),
            parts: if is_whole { Vec::new() } else { self.parts },
        }
    }
}

/// Shows every value of the columns of text that the policy leaves out.
pub(super) async fn uncovered(
    connection: &mut PgConnection,
    catalog: &Catalog,
    policy: &Policy,
    visitor: &mut dyn Visitor,
) -> Result<(), sqlx::Error> {
    let Some(postgres) = &catalog.postgres else { return Ok(()) };
    for table in catalog.tables.iter().filter(|table| table.kind == TableKind::Ordinary) {
        // The plan has said what the role cannot read.
        let Some(sheet) = postgres.table(&table.name).filter(|sheet| sheet.is_readable()) else {
            continue;
        };
        let names: Vec<ColumnName> = sheet
            .columns
            .iter()
            .filter(|column| column.is_text() || column.is_json() || column.base_type == "uuid")
            .map(|column| ColumnName { table: table.name.clone(), column: column.name.clone() })
            .filter(|name| catalog.rule_of(policy, &name.table, &name.column).is_none())
            .collect();
        if names.is_empty() {
            continue;
        }
        let wanted = names
            .iter()
            .map(|name| Ok(format!("{}::text", quoted(&name.column)?)))
            .collect::<Result<Vec<_>, sqlx::Error>>()?;
        let sql =
            format!("SELECT {MARK} {} FROM ONLY {}", wanted.join(", "), table_sql(&table.name)?);
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            for (at, name) in names.iter().enumerate() {
                if let Some(cell) = original(&row, at, CellForm::Text)? {
                    visitor.visit(name, &cell);
                }
            }
        }
    }
    Ok(())
}
