//! The report over many runs and a period: how they stand, what they moved, who read, what is missing.
//!
//! Each run says of itself what its own [`Report`] says; this room adds up and compares. What was
//! asked and what else happened comes from the stretch of the ledger that the period covers.
//!
//! **Invariant:** a figure of the ledger is made by [`Stretch`] alone, from entries that are signed:
//! who checks a report makes it again from the entries that the report carries, or from an export.

use schemars::JsonSchema;
use serde::Serialize;

use super::access::{KeyLine, PurposeLine};
use super::timeline::Command;
use super::{ControlLine, Report, Summary};
use crate::ledger::ProofBundle;

mod access;
mod columns;
mod evidence;
mod forms;
mod header;
mod runs;
mod shared;
mod stretch;
mod summary;

pub use access::{DomainLine, UseBeyond};
pub use columns::ColumnTotal;
pub use evidence::{Asked, DomainFact, Period, PeriodError, PeriodEvidence};
pub(super) use forms::title;
pub use header::{Carried, PeriodHeader};
pub use runs::{PurgeLine, RunLine, SignatureLine, StateLine, Totals};
pub use shared::{GapKind, GapLine, SharedControl, SharedRisk};
pub use stretch::{ActLine, AlteredLine, LedgerPart, Silence, Stretch, Told};

/// Names the shape of a report over a period in JSON.
pub const PERIOD_SCHEMA: &str = "sealift/report-period/1";

/// The report over a period. The order of its fields is the order in which it is written.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PeriodReport {
    /// Names the shape of this document: `sealift/report-period/1`.
    pub schema: &'static str,
    /// Which period and runs, whose ledger.
    pub header: PeriodHeader,
    /// The report in five seconds.
    pub summary: Summary,
    /// How many runs stand where.
    pub states: Vec<StateLine>,
    /// The runs, oldest first.
    pub runs: Vec<RunLine>,
    /// What became of the cells of all of them.
    pub totals: Totals,
    /// The domains, and whether anybody may read them, and did.
    pub domains: Vec<DomainLine>,
    /// The columns, each by the newest run that has moved it.
    pub columns: Vec<ColumnTotal>,
    /// The purges, and what their certificates say.
    pub purges: Vec<PurgeLine>,
    /// Who agreed to what.
    pub approvals: Vec<SignatureLine>,
    /// The purposes in force, each beside what was asked under it in the period.
    pub access: Vec<PurposeLine>,
    /// What was asked under purposes that are not in force any more, or never were.
    pub access_beyond: Vec<UseBeyond>,
    /// What happened on the ledger in the period.
    pub ledger: LedgerPart,
    /// Where evidence is missing.
    pub gaps: Vec<GapLine>,
    /// The keys that these runs used.
    pub keys: Vec<KeyLine>,
    /// What was accepted, and what remains; each once, with its runs.
    pub risks: Vec<SharedRisk>,
    /// Controls of rules that the evidence of these runs supports; never that a rule is kept.
    pub controls: Vec<SharedControl>,
    /// How to check all this.
    pub how_to_verify: Vec<Command>,
    /// Entries as they stand in the ledger, with the proofs that they do.
    pub proofs: Option<ProofBundle>,
}

impl PeriodReport {
    /// Puts the evidence in order and draws the conclusions.
    #[must_use]
    pub fn of(evidence: &PeriodEvidence) -> Self {
        let reports: Vec<Report> = evidence.runs.iter().map(Report::of).collect();
        let runs = runs::lines(evidence, &reports);
        let totals = Totals::of(&runs);
        let columns = columns::lines(&reports);
        let access = access::declared(evidence);
        let access_beyond = access::beyond(evidence);
        let purges = runs::purges(evidence, &reports);
        let gaps = shared::gaps(evidence);
        let header = PeriodHeader::of(evidence);
        let parts = summary::Parts {
            header: &header,
            runs: &runs,
            totals: &totals,
            access: &access,
            beyond: &access_beyond,
            purges: &purges,
            gaps: &gaps,
        };
        Self {
            schema: PERIOD_SCHEMA,
            summary: parts.summary(),
            states: runs::states(&runs),
            totals,
            domains: access::domains(evidence, &columns),
            approvals: runs::signatures(&reports),
            ledger: evidence.told.ledger.clone(),
            keys: shared::keys(&reports),
            risks: shared::risks(&reports),
            controls: shared::controls(&reports),
            how_to_verify: header::how_to_verify(evidence),
            proofs: evidence.proofs.clone(),
            header,
            runs,
            columns,
            purges,
            access,
            access_beyond,
            gaps,
        }
    }

    /// Writes the JSON Schema (draft 2020-12) that every such report in JSON fits, indented.
    #[must_use]
    pub fn json_schema() -> String {
        super::schema::write::<Self>(PERIOD_SCHEMA, "Sealift report over a period")
    }

    /// Writes the report as JSON, indented, with a newline at its end.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "a report is texts, numbers and lists of them")]
        let mut json = serde_json::to_string_pretty(self).expect("a report has a JSON form");
        json.push('\n');
        json
    }

    /// Writes the report as one HTML page that needs nothing else: no network. Its script checks the
    /// proofs that the page carries, and does nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        super::html::period_page(self)
    }

    /// Writes what the page begins with, for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        forms::text(self)
    }

    /// Writes one row of CSV for each column, with its figures.
    #[must_use]
    pub fn to_csv(&self) -> String {
        forms::csv(self)
    }
}

/// A control as the report of one run has it.
type Control<'r> = (&'r Report, &'r ControlLine);
