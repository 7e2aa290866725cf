//! Whether the cells add up, and whether every token opened to its original.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::{
    CheckFact, QuarantineCause, QuarantineFact, QuarantineState, RowDigest, SegmentFact,
};
use super::grounds::Grounds;
use crate::policy::TokenKind;

/// What every cell has become, in the order of the equation.
const PARTS: [(&str, &str); 6] = [
    ("tokenized", "got a token"),
    ("null", "NULL, left as it is"),
    ("empty", "empty, left so by policy"),
    ("already_token", "a token already"),
    ("quarantined", "in quarantine"),
    ("vanished", "gone with their rows meanwhile"),
];

/// Whether the cells add up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reconciliation {
    /// `None` before anything was counted.
    pub reconciles: Option<bool>,
    /// The equation with its numbers.
    pub equation: String,
    /// Rows that were visited.
    pub rows: u64,
    /// Cells that were visited.
    pub cells: u64,
    /// What became of them.
    pub parts: Vec<CountPart>,
    /// Rows that could not be tokenised.
    pub quarantine: Vec<QuarantineLine>,
}

/// One part of the cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CountPart {
    /// Its name on the ledger.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// How many cells.
    pub cells: u64,
}

/// A row that could not be tokenised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QuarantineLine {
    /// Names the row.
    pub row: RowDigest,
    /// Why.
    pub cause: QuarantineCause,
    /// Its cells that still hold an original.
    pub cells: u64,
    /// Where it stands.
    pub state: &'static str,
    /// Who accepted it.
    pub waived_by: Option<String>,
}

/// What the verification did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerificationPart {
    /// `None` before the first verification.
    pub passed: Option<bool>,
    /// Cells whose token was opened and compared.
    pub opened: u64,
    /// Cells that did not open to their original.
    pub mismatches: u64,
    /// How it was done.
    pub method: Vec<&'static str>,
    /// Every count, by its name on the ledger.
    pub counts: BTreeMap<String, u64>,
    /// The steward's own checks.
    pub checks: Vec<CheckFact>,
    /// The vault entries of the run, and the roots over them.
    pub segments: Vec<SegmentFact>,
}

impl Reconciliation {
    pub(super) fn of(grounds: &Grounds<'_>) -> Self {
        let count = |name: &str| grounds.counts.get(name).copied().unwrap_or_default();
        let parts = parts_of(count);
        // Wide enough that a sum of counts cannot wrap around and seem to fit.
        let sum: u128 = parts.iter().map(|part| u128::from(part.cells)).sum();
        let cells = count("cells");
        let was_counted = grounds.counts.contains_key("cells");
        let terms: Vec<String> =
            parts.iter().map(|part| format!("{} {}", part.cells, part.name)).collect();
        Self {
            reconciles: was_counted.then_some(sum == u128::from(cells)),
            equation: format!("{cells} cells = {}", terms.join(" + ")),
            rows: count("rows"),
            cells,
            parts,
            quarantine: grounds.quarantine.iter().map(quarantine_line).collect(),
        }
    }

    /// Cells that became this.
    #[must_use]
    pub fn part(&self, name: &str) -> u64 {
        self.parts.iter().find(|part| part.name == name).map_or(0, |part| part.cells)
    }
}

impl VerificationPart {
    pub(super) fn of(grounds: &Grounds<'_>) -> Self {
        let count = |name: &str| grounds.verification.get(name).copied().unwrap_or_default();
        // A count that is absent is not a zero: without `mismatches` nothing has passed.
        let was_done = !grounds.verification.is_empty();
        let passed = grounds.verification.get("mismatches") == Some(&0)
            && grounds.checks.iter().all(|check| check.holds != Some(false));
        Self {
            passed: was_done.then_some(passed),
            opened: count("opened"),
            mismatches: count("mismatches"),
            method: method(&grounds.plan.tokens),
            counts: grounds.verification.clone(),
            checks: grounds.checks.to_vec(),
            segments: grounds.segments.to_vec(),
        }
    }
}

/// The parts of the equation, each as `count` has it.
pub(super) fn parts_of(count: impl Fn(&str) -> u64) -> Vec<CountPart> {
    PARTS
        .into_iter()
        .map(|(name, meaning)| CountPart { name, meaning, cells: count(name) })
        .collect()
}

fn quarantine_line(fact: &QuarantineFact) -> QuarantineLine {
    QuarantineLine {
        row: fact.row.clone(),
        cause: fact.cause,
        cells: fact.cells,
        state: fact.state.name(),
        waived_by: match &fact.state {
            QuarantineState::Waived { by } => Some(by.clone()),
            QuarantineState::Waiting | QuarantineState::Replayed => None,
        },
    }
}

fn method(tokens: &[TokenKind]) -> Vec<&'static str> {
    let mut method =
        vec!["every cell in scope, no sample; fresh connections and freshly unwrapped keys"];
    if tokens.iter().any(|token| *token != TokenKind::Random) {
        method.push(
            "keyed, format and uuid tokens: every vault entry opened, its token derived again by a \
             second implementation, and each cell compared with the token of the backup's original",
        );
    }
    if tokens.contains(&TokenKind::Random) {
        method.push(
            "random tokens: each pair of token and keyed digest compared with the opened vault, \
             as sets",
        );
    }
    method
}
