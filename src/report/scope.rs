//! The columns of a run, what the plan found about them, and what equal tokens show.

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::Evidence;
use crate::ledger::Entry;
use crate::plan::{ColumnPlan, Finding, Verdict};
use crate::policy::{ColumnRule, EmptyRule, Fit, FormatShape, Normalise, TokenKind, Waiver};

/// The pitfall whose findings are the leakage gate's.
const GATE: &str = "low_entropy";

/// The columns of a run, and what is not among them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ScopePart {
    /// The columns in scope, in the order of the policy.
    pub columns: Vec<ColumnLine>,
    /// Columns that the policy names and the source does not have.
    pub missing: Vec<String>,
    /// What the policy does not name; `None` where nobody counted.
    pub out_of_scope: Option<OutOfScope>,
}

/// What the policy does not name, as counts. Sealift did not read these columns for this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutOfScope {
    /// Tables without a column in scope.
    pub tables: u64,
    /// Columns, also those of tables that have others in scope.
    pub columns: u64,
}

/// One column in scope.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ColumnLine {
    /// Its name.
    pub column: String,
    /// Its data class.
    pub class: String,
    /// Its domain.
    pub domain: String,
    /// The kind of its tokens.
    pub token: TokenKind,
    /// The shape of `format` tokens.
    pub format: Option<FormatShape>,
    /// How its tokens are made, in the words of a standard.
    pub technique: &'static str,
    /// Whether a predicate separates its tokens from every original.
    pub recognisable: bool,
    /// What else the policy says about it.
    pub treatment: Vec<String>,
    /// Its declared type.
    pub declared: String,
    /// Rows of its table at the time of the plan.
    pub rows: u64,
    /// Cells that were to get a token.
    pub cells: u64,
    /// NULLs.
    pub nulls: u64,
    /// Empty values.
    pub empties: u64,
    /// Cells that looked like a token already.
    pub token_shaped: u64,
    /// Cells whose token the last verification opened and compared; `None` before, and where it
    /// was not counted by column.
    pub verified: Option<u64>,
}

/// What the plan found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PlanPart {
    /// The fingerprint of catalog and policy.
    pub fingerprint: String,
    /// SHA-256 of the document that its approvers signed; `None` where there was none.
    pub document: Option<String>,
    /// Findings that stood in the way.
    pub blocks: u64,
    /// Findings that an approver should have read.
    pub warns: u64,
    /// Findings that Sealift deals with.
    pub handled: u64,
    /// All of them, blocking ones first.
    pub findings: Vec<Finding>,
}

/// What the tokens of a column show to who sees only them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Leakage {
    /// The column.
    pub column: String,
    /// Whether equal values have equal tokens, so that their frequency shows.
    pub equal_values_show: bool,
    /// Rows at the time of the plan.
    pub rows: u64,
    /// Distinct values.
    pub distinct: u64,
    /// Whether they were counted rather than estimated.
    pub distinct_exact: bool,
    /// The largest share that one value can have, 0 to 1.
    pub top_share: f64,
    /// What the gate said.
    pub gate: Gate,
    /// What the steward accepted, and the plan's approvers signed.
    pub waived: Vec<Waiver>,
}

/// What the leakage gate said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Equal values have different tokens: there is nothing to count.
    NotNeeded,
    /// Nothing was found.
    Passed,
    /// It warns.
    Warned,
    /// It was lifted by a waiver.
    Waived,
    /// It blocks.
    Blocked,
}

impl ScopePart {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let (policy, plan) = (&evidence.policy, &evidence.plan);
        let columns = plan
            .columns
            .iter()
            .map(|column| column_line(evidence, column, policy.columns.get(column.rule)))
            .collect();
        let missing = policy
            .columns
            .iter()
            .filter(|rule| plan.columns.iter().all(|column| column.name != rule.name))
            .map(|rule| rule.name.to_string())
            .collect();
        Self { columns, missing, out_of_scope: out_of_scope(evidence) }
    }
}

impl PlanPart {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let plan = &evidence.plan;
        let count = |verdict: Verdict| {
            plan.findings.iter().filter(|finding| finding.verdict == verdict).count() as u64
        };
        Self {
            fingerprint: plan.fingerprint.clone(),
            document: document(&evidence.entries),
            blocks: count(Verdict::Blocks),
            warns: count(Verdict::Warns),
            handled: count(Verdict::Handled),
            findings: plan.findings.clone(),
        }
    }
}

/// The newest entry about the plan has the hash of its document.
pub(super) fn document(entries: &[Entry]) -> Option<String> {
    let planned = entries.iter().rfind(|entry| entry.action == "planned")?;
    planned.details.get("document")?.as_str().map(str::to_owned)
}

impl Gate {
    /// What readers call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::NotNeeded => "not needed",
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Waived => "waived",
            Self::Blocked => "blocked",
        }
    }
}

/// The figures of every column in scope.
pub(super) fn leakage(evidence: &Evidence) -> Vec<Leakage> {
    evidence
        .plan
        .columns
        .iter()
        .map(|column| Leakage {
            column: column.name.to_string(),
            equal_values_show: equal_values_show(column),
            rows: column.rows,
            distinct: column.distinct,
            distinct_exact: column.distinct_exact,
            top_share: column.top_share,
            gate: gate(column, &evidence.plan.findings),
            waived: column.waived.clone(),
        })
        .collect()
}

fn equal_values_show(column: &ColumnPlan) -> bool {
    column.token != TokenKind::Random || column.dedupe
}

fn gate(column: &ColumnPlan, findings: &[Finding]) -> Gate {
    if !equal_values_show(column) {
        return Gate::NotNeeded;
    }
    let name = column.name.to_string();
    let found = findings
        .iter()
        .filter(|finding| finding.pitfall == GATE && finding.object == name)
        .map(|finding| finding.verdict)
        .min();
    let is_waived = column.waived.contains(&Waiver::LowEntropy);
    match found {
        Some(Verdict::Blocks) => Gate::Blocked,
        Some(Verdict::Warns | Verdict::Handled) if is_waived => Gate::Waived,
        Some(Verdict::Warns) => Gate::Warned,
        None | Some(Verdict::Handled) => Gate::Passed,
    }
}

fn out_of_scope(evidence: &Evidence) -> Option<OutOfScope> {
    let extent = evidence.plan.extent.as_ref()?;
    let columns = &evidence.plan.columns;
    let mut tables: Vec<_> = columns.iter().map(|column| &column.name.table).collect();
    let mut in_scope = columns.len();
    // Partitions are tables of their own, with the columns of the table that the policy names.
    for part in evidence.plan.units.iter().flat_map(|unit| &unit.tables) {
        if !tables.contains(&&part.table) {
            tables.push(&part.table);
            in_scope += part.columns.len();
        }
    }
    tables.sort();
    tables.dedup();
    Some(OutOfScope {
        tables: extent.tables.saturating_sub(tables.len() as u64),
        columns: extent.columns.saturating_sub(in_scope as u64),
    })
}

fn column_line(evidence: &Evidence, column: &ColumnPlan, rule: Option<&ColumnRule>) -> ColumnLine {
    ColumnLine {
        column: column.name.to_string(),
        class: column.class.clone(),
        domain: column.domain.clone(),
        token: column.token,
        format: column.format,
        technique: technique(column.token, column.dedupe),
        recognisable: column.recognisable,
        treatment: rule.map(treatment).unwrap_or_default(),
        declared: column.declared.clone(),
        rows: column.rows,
        cells: column.cells,
        nulls: column.nulls,
        empties: column.empties,
        token_shaped: column.token_shaped,
        verified: evidence.opened.get(&column.name.to_string()).copied(),
    }
}

/// ISO/IEC 20889 calls all of them pseudonymisation; this says by what.
fn technique(token: TokenKind, dedupe: bool) -> &'static str {
    match (token, dedupe) {
        (TokenKind::Keyed, _) => "pseudonym by HMAC-SHA-256, cut to 128 bits",
        (TokenKind::Uuid, _) => "pseudonym by HMAC-SHA-256, cut to 122 bits",
        (TokenKind::Format, _) => "pseudonym by format-preserving encryption (FF1)",
        (TokenKind::Random, false) => "random pseudonym, one a cell",
        (TokenKind::Random, true) => "random pseudonym, one a value (HMAC blind index)",
    }
}

fn treatment(rule: &ColumnRule) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(template) = &rule.template {
        said.push(format!("template {template}"));
    }
    match rule.empty {
        EmptyRule::Tokenize => {}
        EmptyRule::Keep => said.push("empty stays empty".to_owned()),
    }
    match rule.fit {
        Fit::Refuse => {}
        Fit::Widen => said.push("may be widened".to_owned()),
    }
    let normal = match rule.normalise {
        Normalise::None => None,
        Normalise::Nfc => Some("NFC"),
        Normalise::Casefold => Some("casefolded"),
        Normalise::Trim => Some("without white space around it"),
        Normalise::Digits => Some("digits only"),
    };
    if let Some(normal) = normal {
        let lossy = if rule.lossy_ok { ", lossy by declaration" } else { "" };
        said.push(format!("compared {normal}{lossy}"));
    }
    said
}
