//! The plan as a document: what an approver reads before signing, and what the signature covers.
//!
//! [`PlanFacts`] go in, a [`PlanDocument`] comes out, and is written as a page, as JSON and as lines
//! of text. It knows no vault, no clock and no file: equal facts give equal bytes, so the hash of a
//! document can be signed, and anybody can make the document again and compare.
//!
//! ```text
//! policy + catalog + plan ──▶ PlanFacts ──PlanDocument::of──▶ PlanDocument ──▶ HTML, JSON, text
//!                                                                                   │
//!                                               recorded with the run: StoredPlan ◀─┘ SHA-256
//! ```
//!
//! **Invariant:** a document never holds an original. It is made of names and figures, as findings
//! are; names are written as names, whatever they look like.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalog::Catalog;
use crate::lifecycle::RunId;
use crate::plan::{Assessment, Facts, Finding, Strategy, Touched, blast_radius};
use crate::policy::Policy;

mod consequence;
mod head;
mod scope;
mod signing;
mod stored;
mod text;
mod work;

pub use consequence::{Acceptance, LimitLine};
pub use head::{DocumentState, PlanHead, PlanSummary, PlanVerdict};
pub use scope::{OutColumns, OutOfScopePart, OutTable, ScopeColumn, ScopeTable};
pub use signing::{SigningPart, SigningStep};
pub use stored::{DocumentForm, StoredDocument, StoredPlan, plan_digest};
pub use text::{LineTone, TextLine};
pub use work::{DiskLine, EstimatePart, LockLine, PassLine, StrategyLine, UnitLine, WayBackStep};

/// Names the shape of a document in JSON.
pub const PLAN_SCHEMA: &str = "sealift/plan/1";

/// The pitfall that names queries which will not work as before.
const QUERIES: &str = "queries";

/// The pitfall that names copies of in-scope values in other columns.
const COPIES: &str = "copies";

/// What a document is made of.
#[derive(Debug, Clone, Copy)]
pub struct PlanFacts<'f> {
    /// Name and version of the program: `sealift 0.1.0`.
    pub tool: &'f str,
    /// Where the source is, without anything secret in it; `None` where that says nothing.
    pub place: Option<&'f str>,
    /// The id that the source carries since a run was here, if any.
    pub identity: Option<&'f str>,
    /// The source's catalog.
    pub catalog: &'f Catalog,
    /// Figures about its columns.
    pub facts: &'f Facts,
    /// The policy.
    pub policy: &'f Policy,
    /// What the plan found, the vault's findings too.
    pub plan: &'f Assessment,
    /// How it will be rewritten.
    pub strategy: Strategy,
    /// When it was planned, as RFC 3339 in UTC.
    pub planned_at: &'f str,
    /// The run that was recorded, by whom, in which vault; `None` where nothing was recorded.
    pub recorded: Option<Recorded<'f>>,
    /// Whether only a look was asked for.
    pub is_dry_run: bool,
}

/// Where a plan is on record.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'f> {
    /// The run.
    pub run: RunId,
    /// Who planned it.
    pub planned_by: &'f str,
    /// The vault's id, in hex.
    pub vault: &'f str,
}

/// The plan of a change, in the order in which it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// What for, by whom, over what.
    pub head: PlanHead,
    /// For who has one minute.
    pub summary: PlanSummary,
    /// The columns that are tokenised, table by table.
    pub scope: Vec<ScopeTable>,
    /// Columns that the policy names and the source does not have.
    pub missing: Vec<String>,
    /// Every other column, with the reason.
    pub out_of_scope: OutOfScopePart,
    /// What else in the database is touched.
    pub blast_radius: Vec<Touched>,
    /// Queries that will not work as before.
    pub breaks: Vec<Finding>,
    /// Copies of the values elsewhere.
    pub copies: Vec<Finding>,
    /// What is accepted by signing.
    pub accepted: Vec<Acceptance>,
    /// Every finding of the plan, blocking ones first.
    pub findings: Vec<Finding>,
    /// How it is done, piece by piece.
    pub work: Vec<UnitLine>,
    /// What it costs.
    pub estimates: EstimatePart,
    /// How to come back, step by step.
    pub way_back: Vec<WayBackStep>,
    /// What this does not protect against.
    pub limits: Vec<LimitLine>,
    /// Who signs, and how.
    pub signing: SigningPart,
}

impl PlanDocument {
    /// Puts the facts in the order of a document.
    #[must_use]
    pub fn of(facts: &PlanFacts<'_>) -> Self {
        let plan = facts.plan;
        let about = |pitfall: &str| -> Vec<Finding> {
            plan.findings.iter().filter(|finding| finding.pitfall == pitfall).cloned().collect()
        };
        let scope = scope::tables(facts);
        Self {
            schema: PLAN_SCHEMA.to_owned(),
            head: PlanHead::of(facts),
            summary: PlanSummary::of(facts, &scope),
            missing: scope::missing(facts),
            out_of_scope: OutOfScopePart::of(facts),
            blast_radius: blast_radius(facts.catalog, facts.policy, facts.facts, &plan.findings),
            breaks: about(QUERIES),
            copies: about(COPIES),
            accepted: consequence::accepted(facts),
            findings: plan.findings.clone(),
            work: work::units(facts),
            estimates: EstimatePart::of(facts),
            way_back: work::way_back(facts),
            limits: consequence::limits(facts),
            signing: SigningPart::of(facts),
            scope,
        }
    }

    /// Reads a document from its JSON.
    ///
    /// # Errors
    ///
    /// The JSON of a document whose shape this version does not know.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// Writes the document as JSON, indented, with a newline at its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "a document is texts, numbers and lists of them")]
        let mut json = serde_json::to_string_pretty(self).expect("a document has a JSON form");
        json.push('\n');
        json
    }

    /// Writes the document as one page that needs nothing else: no network, no script.
    #[must_use]
    pub fn to_html(&self) -> String {
        super::html::plan_page(self)
    }

    /// Writes the document as lines of at most 80 columns, each with its tone.
    #[must_use]
    pub fn to_lines(&self) -> Vec<TextLine> {
        text::lines(self)
    }

    /// The head, the summary and what blocks or warns: for beside a page that says the rest.
    #[must_use]
    pub fn to_brief(&self) -> Vec<TextLine> {
        text::brief(self)
    }

    /// The lines without colour, as a file has them.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::plain(&self.to_lines())
    }

    /// SHA-256 of the document's JSON, in lowercase hex: what stands at the foot of the page, and
    /// what `sha256sum` says of the JSON file.
    #[must_use]
    pub fn contents_sha256(&self) -> String {
        sha256(self.to_json().as_bytes())
    }
}

/// SHA-256 in lowercase hex.
fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// `1 table`, `2 tables`, `1,200 tables`.
fn counted(number: u64, what: &str) -> String {
    let number_text = crate::words::grouped(number);
    if number == 1 { format!("{number_text} {what}") } else { format!("{number_text} {what}s") }
}

/// Joins names as prose does: each in backticks, commas between, and no more than `most` of them.
fn listed<T: std::fmt::Display>(names: impl IntoIterator<Item = T>, most: usize) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    let left = names.len().saturating_sub(most);
    let shown = names[..names.len() - left].join(", ");
    if left == 0 { shown } else { format!("{shown} and {left} more") }
}
