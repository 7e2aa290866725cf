//! What is tokenised and how, and every column that is not, with the reason.

use serde::{Deserialize, Serialize};

use super::PlanFacts;
use crate::catalog::{Column, Table, TableKind};
use crate::plan::{ColumnPlan, Finding, UnitMode, UnitTable, Verdict, Walk};
use crate::policy::{
    ColumnName, ColumnRule, EmptyRule, FormatShape, Normalise, TableName, TokenKind, Waiver,
};

/// One table with columns in scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScopeTable {
    /// Its name.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// How many columns it has in all.
    pub columns_in_all: u64,
    /// How it is rewritten; `None` where no way was found.
    pub mode: Option<UnitMode>,
    /// Its columns in scope, in the order of the policy.
    pub columns: Vec<ScopeColumn>,
}

/// One column in scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScopeColumn {
    /// Its name, with that of its table.
    pub column: String,
    /// Its data class.
    pub class: String,
    /// Its domain.
    pub domain: String,
    /// Other columns in scope that share the domain: as many as people read.
    pub shares_with: Vec<String>,
    /// How many more do.
    #[serde(default, skip_serializing_if = "is_none")]
    pub shares_with_more: u64,
    /// The kind of its tokens.
    pub token: TokenKind,
    /// What a token looks like; no token is one.
    pub shape: String,
    /// What else the policy says about it.
    pub treatment: Vec<String>,
    /// Its declared type.
    pub declared: String,
    /// Cells that get a token.
    pub cells: u64,
    /// Cells that are NULL and stay so.
    pub nulls: u64,
    /// Cells that are empty.
    pub empties: u64,
    /// Distinct values.
    pub distinct: u64,
    /// Whether they were counted rather than estimated.
    pub distinct_exact: bool,
    /// Whether equal values get equal tokens.
    pub equal_values_show: bool,
    /// The part, in thousandths, that the most frequent value has at the most.
    pub top_permille_max: u64,
    /// Whether a token can be told from an original.
    pub recognisable: bool,
    /// What is accepted for it, and by whom.
    pub accepted: Vec<String>,
}

/// Every column that is not tokenised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfScopePart {
    /// How many columns.
    pub columns: u64,
    /// How many tables have no column in scope.
    pub tables: u64,
    /// All of them, those of touched tables first.
    pub list: Vec<OutTable>,
}

/// The columns of one table that are not tokenised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutTable {
    /// The table.
    pub table: String,
    /// Whether others of its columns are in scope.
    pub is_touched: bool,
    /// Its columns, by reason.
    pub groups: Vec<OutColumns>,
}

/// Columns that are out of scope for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutColumns {
    /// Why.
    pub reason: String,
    /// Which.
    pub columns: Vec<String>,
}

pub(super) fn tables(facts: &PlanFacts<'_>) -> Vec<ScopeTable> {
    let mut tables: Vec<ScopeTable> = Vec::new();
    for column in &facts.plan.columns {
        let name = column.name.table.to_string();
        if !tables.iter().any(|table| table.table == name) {
            let all = facts.catalog.table(&column.name.table);
            let unit = facts.plan.units.iter().find(|unit| {
                let mut columns = unit.tables.iter().flat_map(|table| &table.columns);
                columns.any(|of_unit| of_unit.rule == column.rule)
            });
            tables.push(ScopeTable {
                table: name.clone(),
                rows: column.rows,
                columns_in_all: all.map_or(0, |table| table.columns.len() as u64),
                mode: unit.map(|unit| unit.mode),
                columns: Vec::new(),
            });
        }
        if let Some(table) = tables.iter_mut().find(|table| table.table == name) {
            table.columns.push(scope_column(facts, column));
        }
    }
    tables
}

/// Columns that the policy names and the source does not have.
pub(super) fn missing(facts: &PlanFacts<'_>) -> Vec<String> {
    let rules = facts.policy.columns.iter();
    rules
        .filter(|rule| facts.plan.columns.iter().all(|column| column.name != rule.name))
        .map(|rule| rule.name.to_string())
        .collect()
}

/// Columns of a domain that are named with each other. All of them with all of them would be more
/// than a document holds where a domain has a thousand columns.
const SHARED_MAX: usize = 24;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

fn scope_column(facts: &PlanFacts<'_>, column: &ColumnPlan) -> ScopeColumn {
    let others: Vec<&ColumnPlan> = facts
        .plan
        .columns
        .iter()
        .filter(|other| other.domain == column.domain && other.name != column.name)
        .collect();
    let rule = facts.policy.columns.get(column.rule);
    ScopeColumn {
        column: column.name.to_string(),
        class: column.class.clone(),
        domain: column.domain.clone(),
        shares_with: others.iter().take(SHARED_MAX).map(|other| other.name.to_string()).collect(),
        shares_with_more: others.len().saturating_sub(SHARED_MAX) as u64,
        token: column.token,
        shape: shape(column, rule),
        treatment: rule.map(treatment).unwrap_or_default(),
        declared: column.declared.clone(),
        cells: column.cells,
        nulls: column.nulls,
        empties: column.empties,
        distinct: column.distinct,
        distinct_exact: column.distinct_exact,
        equal_values_show: equal_values_show(column),
        top_permille_max: permille(column.top_share),
        recognisable: column.recognisable,
        accepted: column.waived.iter().map(|waiver| acceptance(*waiver)).collect(),
    }
}

/// Whether equal values get equal tokens.
pub(super) fn equal_values_show(column: &ColumnPlan) -> bool {
    column.token != TokenKind::Random || column.dedupe
}

/// What a token looks like, with `x` where a token has a symbol of its own.
fn shape(column: &ColumnPlan, rule: Option<&ColumnRule>) -> String {
    let text = |letter: char| format!("sl{letter}ddd_{}cc", "x".repeat(26));
    let bare = match (column.token, column.format) {
        (TokenKind::Keyed, _) => text('k'),
        (TokenKind::Random, _) => text('r'),
        (TokenKind::Uuid, _) => "xxxxxxxx-xxxx-8xxx-xxxx-xxxxxxxxxxxx".to_owned(),
        (TokenKind::Format, Some(FormatShape::Card)) => {
            return "as many digits as the number, with a check digit that is always wrong".into();
        }
        (TokenKind::Format, Some(FormatShape::Alnum)) => {
            return "letters for letters, digits for digits, all else in its place".into();
        }
        (TokenKind::Format, Some(FormatShape::Digits) | None) => {
            return "digits for digits, all else in its place".into();
        }
    };
    let template = rule.and_then(|rule| rule.template.as_deref());
    template.map_or_else(|| bare.clone(), |template| template.replace("{token}", &bare))
}

fn treatment(rule: &ColumnRule) -> Vec<String> {
    let mut said = Vec::new();
    if rule.dedupe {
        said.push("equal values get one token".to_owned());
    }
    if rule.empty == EmptyRule::Keep {
        said.push("empty stays empty".to_owned());
    }
    let normal = match rule.normalise {
        Normalise::None => None,
        Normalise::Nfc => Some("NFC"),
        Normalise::Casefold => Some("without regard to case"),
        Normalise::Trim => Some("without white space around"),
        Normalise::Digits => Some("by digits alone"),
    };
    said.extend(normal.map(|normal| format!("values are compared {normal}")));
    if rule.lossy_ok {
        said.push("values that compare equal come back as one of them".to_owned());
    }
    said
}

fn acceptance(waiver: Waiver) -> String {
    match waiver {
        Waiver::LowEntropy => {
            "few distinct values: tokens show which rows share one. The policy's author waived it; \
             whoever signs accepts it"
                .to_owned()
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 is at most 1000 thousandths"
)]
fn permille(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 1_000.0).ceil() as u64
}

impl OutOfScopePart {
    pub(super) fn of(facts: &PlanFacts<'_>) -> Self {
        let in_scope = |table: &TableName| {
            let mut units = facts.plan.units.iter().flat_map(|unit| &unit.tables);
            let mut columns = facts.plan.columns.iter();
            columns.any(|column| column.name.table == *table)
                || units.any(|unit| unit.table == *table)
        };
        let mut list: Vec<OutTable> = facts
            .catalog
            .tables
            .iter()
            .map(|table| OutTable {
                table: table.name.to_string(),
                is_touched: in_scope(&table.name),
                groups: groups(facts, table),
            })
            .collect();
        // The sort is stable: within each part the catalog's order stays.
        list.sort_by_key(|table| !table.is_touched);
        let tables = list.iter().filter(|table| !table.is_touched).count() as u64;
        list.retain(|table| !table.groups.is_empty());
        let columns = list.iter().flat_map(|table| &table.groups).map(|group| group.columns.len());
        Self { columns: columns.sum::<usize>() as u64, tables, list }
    }
}

fn groups(facts: &PlanFacts<'_>, table: &Table) -> Vec<OutColumns> {
    let mut groups: Vec<OutColumns> = Vec::new();
    for column in &table.columns {
        let name = ColumnName { table: table.name.clone(), column: column.name.clone() };
        if is_planned(facts, &name) {
            continue;
        }
        let reason = reason(facts, table, column, &name);
        match groups.iter_mut().find(|group| group.reason == reason) {
            Some(group) => group.columns.push(column.name.clone()),
            None => groups
                .push(OutColumns { reason: reason.to_owned(), columns: vec![column.name.clone()] }),
        }
    }
    groups
}

/// Whether a column is in scope, by its own name or that of a table above its own.
fn is_planned(facts: &PlanFacts<'_>, name: &ColumnName) -> bool {
    let covering = facts.catalog.rule_of(facts.policy, &name.table, &name.column);
    covering.is_some_and(|(at, _)| facts.plan.columns.iter().any(|planned| planned.rule == at))
}

fn reason(
    facts: &PlanFacts<'_>,
    table: &Table,
    column: &Column,
    name: &ColumnName,
) -> &'static str {
    let found = |pitfall: &str| {
        let about =
            |finding: &&Finding| finding.pitfall == pitfall && finding.object == name.to_string();
        facts.plan.findings.iter().find(about).map(|finding| finding.verdict)
    };
    if facts.policy.columns.iter().any(|rule| rule.name == *name) {
        return "named by the policy, but it cannot hold tokens: see the findings";
    }
    if facts.facts.copies.iter().any(|copy| copy.at == *name) {
        return "not named by the policy, and it holds copies of values in scope";
    }
    match &table.kind {
        TableKind::Virtual(_) => return "of a virtual table: it holds what other tables put there",
        TableKind::Shadow => return "of a shadow table: a virtual table keeps its content there",
        TableKind::Partitioned => return "of a partitioned table: its partitions hold the rows",
        TableKind::Foreign => return "of a table of another server",
        TableKind::Ordinary => {}
    }
    if column.generated.is_some() {
        return if found("generated_column").is_some_and(|verdict| verdict != Verdict::Handled) {
            "computed from a column in scope: see the findings"
        } else {
            "computed from other columns"
        };
    }
    if column.rowid_alias {
        return "the row's number: the key by which rows are found";
    }
    if walk_key(facts, &table.name).contains(&column.name) {
        return "the key by which rows are found; not named by the policy";
    }
    "not named by the policy"
}

/// The columns by which a table is walked.
fn walk_key<'f>(facts: &PlanFacts<'f>, table: &TableName) -> &'f [String] {
    let mut tables = facts.plan.units.iter().flat_map(|unit| &unit.tables);
    match tables.find(|unit: &&UnitTable| unit.table == *table).map(|unit| &unit.walk) {
        Some(Walk::Key(columns) | Walk::ScopedKey(columns)) => columns,
        Some(Walk::RowId) | None => &[],
    }
}
