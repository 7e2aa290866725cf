//! What a pitfall looks at: catalog, policy, figures, and the columns in scope found in them.

use super::facts::{ColumnFacts, Facts};
use super::model::{Finding, Strategy, Verdict};
use crate::catalog::sqlite_text::mentions;
use crate::catalog::sqlite_trigger::TriggerText;
use crate::catalog::{Catalog, Column, Table, TableKind, Trigger};
use crate::policy::{
    ColumnName, ColumnRule, EmptyRule, FormatShape, GeneratedRule, Policy, TableName, TokenKind,
};

/// Everything a pitfall is looked for in.
pub(super) struct Case<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a Facts,
    pub(super) strategy: Strategy,
    /// The columns in scope that exist, in the order of the policy: one for each rule, also where
    /// the rows of its table lie in several.
    pub(super) columns: Vec<InScope<'a>>,
    /// The tables that hold the rows, each with its columns as places in `columns`.
    parts: Vec<Part<'a>>,
}

/// A table that holds rows of a table that the policy names: mostly that table itself.
struct Part<'a> {
    table: &'a Table,
    columns: Vec<usize>,
}

/// One column in scope.
pub(super) struct InScope<'a> {
    pub(super) rule_at: usize,
    pub(super) rule: &'a ColumnRule,
    pub(super) table: &'a Table,
    pub(super) column: &'a Column,
    pub(super) facts: ColumnFacts,
    pub(super) rows: u64,
    pub(super) domain: String,
}

impl<'a> Case<'a> {
    pub(super) fn new(
        catalog: &'a Catalog,
        policy: &'a Policy,
        facts: &'a Facts,
        strategy: Strategy,
    ) -> Self {
        let columns: Vec<InScope<'a>> = policy
            .columns
            .iter()
            .enumerate()
            .filter_map(|(rule_at, rule)| {
                let table = catalog.table(&rule.name.table)?;
                let column = table.column(&rule.name.column)?;
                let counted = facts.table(&table.name);
                let figures = counted.and_then(|counted| counted.column(&column.name));
                let holds_rows = matches!(table.kind, TableKind::Ordinary | TableKind::Partitioned);
                holds_rows.then(|| InScope {
                    rule_at,
                    rule,
                    table,
                    column,
                    facts: figures.cloned().unwrap_or_default(),
                    rows: counted.map_or(0, |counted| counted.rows),
                    domain: policy.domain_of(rule),
                })
            })
            .collect();
        let parts = parts(catalog, policy, &columns);
        Self { catalog, policy, facts, strategy, columns, parts }
    }

    /// The tables that hold a column in scope, each once, in the order of the policy: partitions
    /// rather than the table that they belong to.
    pub(super) fn tables(&self) -> Vec<&'a Table> {
        self.parts.iter().map(|part| part.table).collect()
    }

    /// The tables that the policy names, as far as they exist, each once and in its order.
    pub(super) fn named_tables(&self) -> Vec<&'a Table> {
        let mut tables: Vec<&'a Table> = Vec::new();
        for column in &self.columns {
            if !tables.iter().any(|table| table.name == column.table.name) {
                tables.push(column.table);
            }
        }
        tables
    }

    /// The columns in scope of one table: of one that holds rows, or one that the policy names.
    pub(super) fn of_table<'s>(
        &'s self,
        table: &TableName,
    ) -> impl Iterator<Item = &'s InScope<'a>> {
        let part = self.parts.iter().find(|part| &part.table.name == table);
        self.columns.iter().enumerate().filter_map(move |(at, column)| {
            let is_of = match part {
                // They were added in order.
                Some(part) => part.columns.binary_search(&at).is_ok(),
                None => &column.table.name == table,
            };
            is_of.then_some(column)
        })
    }

    /// The column in scope that a name means.
    pub(super) fn column(&self, name: &ColumnName) -> Option<&InScope<'a>> {
        self.of_table(&name.table).find(|column| column.column.name == name.column)
    }

    /// A column as the policy would name it: by the table that a partition belongs to.
    pub(super) fn policy_name(&self, name: &ColumnName) -> ColumnName {
        let table = match self.column(name) {
            Some(column) => &column.rule.name.table,
            None => self.catalog.whole_of(&name.table),
        };
        ColumnName { table: table.clone(), column: name.column.clone() }
    }

    /// The table that the policy names where it means the columns of this one.
    pub(super) fn named_as<'s>(&'s self, table: &'s TableName) -> &'s TableName {
        let mut names = self.of_table(table).map(|column| &column.rule.name.table);
        names.next().unwrap_or(table)
    }

    /// How many rows a table holds itself.
    pub(super) fn rows_of(&self, table: &TableName) -> u64 {
        let mut parts = self.facts.tables.iter().flat_map(|facts| &facts.parts);
        match parts.find(|(name, _)| name == table) {
            Some((_, rows)) => *rows,
            None => self.facts.table(table).map_or(0, |facts| facts.rows),
        }
    }

    /// Whether a column is in scope.
    pub(super) fn covers(&self, table: &TableName, column: &str) -> bool {
        self.of_table(table).any(|in_scope| in_scope.column.name == column)
    }

    /// Whether another column has the same domain.
    pub(super) fn is_shared(&self, column: &InScope<'_>) -> bool {
        self.columns
            .iter()
            .any(|other| other.rule_at != column.rule_at && other.domain == column.domain)
    }

    /// The triggers that the rewrite of a table would fire, with what their text tells.
    pub(super) fn fired(&self, table: &TableName) -> Vec<(&'a Trigger, TriggerText)> {
        self.catalog
            .triggers
            .iter()
            .filter(|trigger| &trigger.table == table)
            .filter_map(|trigger| Some((trigger, TriggerText::parse(&trigger.sql)?)))
            .filter(|(_, text)| {
                text.fires_on_update_of(self.of_table(table).map(|c| c.column.name.as_str()))
            })
            .collect()
    }

    /// Whether the policy lets generated columns of a table be computed from tokens.
    pub(super) fn recomputes(&self, table: &TableName) -> bool {
        let named = self.named_as(table);
        let of_table = |rule: &&crate::policy::TableRule| [table, named].contains(&&rule.name);
        let mut rules = self.policy.tables.iter().filter(of_table);
        rules.any(|rule| rule.generated_columns == GeneratedRule::Recompute)
    }

    /// The triggers of a table that the policy keeps from firing; a partition has those of the table
    /// that it belongs to.
    pub(super) fn suppressed(&self, table: &TableName) -> Vec<String> {
        let is_above = |name: &TableName| {
            let whole = self.catalog.table(name).is_some_and(|t| t.kind == TableKind::Partitioned);
            whole && self.catalog.above(table).contains(&name)
        };
        self.policy
            .tables
            .iter()
            .filter(|rule| &rule.name == table || is_above(&rule.name))
            .flat_map(|rule| rule.suppress_triggers.iter().cloned())
            .collect()
    }
}

/// The tables that hold rows of the columns in scope, in the order of the policy.
///
/// A part that the policy names itself is covered by its own rule: the nearest one counts.
fn parts<'a>(catalog: &'a Catalog, policy: &'a Policy, columns: &[InScope<'a>]) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        for table in catalog.parts(&column.table.name) {
            let is_ours = table.kind == TableKind::Ordinary
                && catalog
                    .rule_of(policy, &table.name, &column.column.name)
                    .is_some_and(|(rule_at, _)| rule_at == column.rule_at);
            if !is_ours {
                continue;
            }
            match parts.iter_mut().find(|part| part.table.name == table.name) {
                Some(part) => part.columns.push(at),
                None => parts.push(Part { table, columns: vec![at] }),
            }
        }
    }
    parts
}

impl InScope<'_> {
    /// The column as findings name it.
    pub(super) fn name(&self) -> String {
        self.rule.name.to_string()
    }

    /// Whether equal values get equal tokens.
    pub(super) fn is_deterministic(&self) -> bool {
        match self.rule.token {
            TokenKind::Keyed | TokenKind::Format | TokenKind::Uuid => true,
            TokenKind::Random => self.rule.dedupe,
        }
    }

    /// Values that stay as they are: `''` where the policy keeps it.
    fn kept(&self) -> u64 {
        match self.rule.empty {
            EmptyRule::Keep => self.facts.empties,
            EmptyRule::Tokenize => 0,
        }
    }

    /// The part of a figure that falls on so many of its rows.
    pub(super) fn share_of(&self, figure: u64, rows: u64) -> u64 {
        if rows == self.rows {
            return figure;
        }
        let share = u128::from(figure) * u128::from(rows) / u128::from(self.rows.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    /// Cells that get a token.
    pub(super) fn cells(&self) -> u64 {
        self.facts.types.total().saturating_sub(self.kept())
    }

    /// Whether a predicate separates its tokens from every original.
    pub(super) fn is_recognisable(&self) -> bool {
        match (self.rule.token, self.rule.format) {
            (TokenKind::Keyed | TokenKind::Random, _) => true,
            (TokenKind::Uuid, _) => self.facts.uuid_v8 == 0,
            (TokenKind::Format, Some(FormatShape::Card)) => self.facts.luhn_valid == self.cells(),
            (TokenKind::Format, Some(FormatShape::Digits | FormatShape::Alnum) | None) => false,
        }
    }

    /// How many characters its tokens have, where that is not up to the value.
    pub(super) fn token_chars(&self) -> Option<u64> {
        token_chars(self.rule.token, self.rule.template.as_deref())
    }
}

/// How many characters a token of a kind has within its template, where that is not up to the value.
pub(super) fn token_chars(token: TokenKind, template: Option<&str>) -> Option<u64> {
    match token {
        TokenKind::Keyed | TokenKind::Random => {
            let around = template.unwrap_or("{token}").replace("{token}", "").chars().count();
            Some(35 + around as u64)
        }
        TokenKind::Uuid => Some(36),
        TokenKind::Format => None,
    }
}

/// Whether an expression over the rows of a table reads a column, directly or by way of generated
/// columns that do.
#[must_use]
pub fn reads_column(table: &Table, expression: &str, column: &str) -> bool {
    let mut names = vec![column.to_owned()];
    let mut at = 0;
    while at < names.len() {
        for generated in &table.columns {
            let reads = generated
                .generated
                .as_ref()
                .is_some_and(|generated| mentions(&generated.expression, &names[at]));
            if reads && !names.contains(&generated.name) {
                names.push(generated.name.clone());
            }
        }
        at += 1;
    }
    names.iter().any(|name| mentions(expression, name))
}

/// Makes a finding that blocks.
pub(super) fn blocks(
    pitfall: &str,
    object: impl Into<String>,
    fact: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    finding(pitfall, Verdict::Blocks, object, fact, remedy)
}

/// Makes a finding that warns.
pub(super) fn warns(
    pitfall: &str,
    object: impl Into<String>,
    fact: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    finding(pitfall, Verdict::Warns, object, fact, remedy)
}

/// Makes a finding that Sealift deals with.
pub(super) fn handled(
    pitfall: &str,
    object: impl Into<String>,
    fact: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    finding(pitfall, Verdict::Handled, object, fact, remedy)
}

/// Makes a finding.
pub(super) fn finding(
    pitfall: &str,
    verdict: Verdict,
    object: impl Into<String>,
    fact: impl Into<String>,
    remedy: impl Into<String>,
) -> Finding {
    Finding {
        pitfall: pitfall.to_owned(),
        verdict,
        object: object.into(),
        fact: fact.into(),
        remedy: remedy.into(),
    }
}

/// Joins names as prose does: each in backticks, commas between.
pub(super) fn listed<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `1 row`, `2 rows`.
pub(super) fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Says which names come near to one that does not exist.
pub(super) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let wanted = name.to_lowercase();
    let mut near: Vec<(usize, &str)> = names
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + wanted.chars().count().max(candidate.chars().count()) / 3
        })
        .collect();
    near.sort_unstable();
    near.truncate(3);
    if near.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", listed(near.into_iter().map(|(_, candidate)| candidate)))
    }
}

/// How many characters have to be put in, left out or changed.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (place, &to) in to.iter().enumerate() {
            let changed = diagonal + usize::from(from != to);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[to.len()]
}
