//! The report of a run: what an auditor reads, and can check without trusting who wrote it.
//!
//! [`Evidence`] goes in, a [`Report`] comes out, and is written as JSON, HTML or CSV. This room
//! knows no vault, no clock and no file: equal evidence gives an equal report, byte for byte.
//!
//! ```text
//! ledger + plan + policy + scans ──▶ Evidence ──Report::of──▶ Report ──▶ JSON, HTML, CSV
//! ```
//!
//! **Invariant:** a report never holds an original. [`Evidence`] has no field that could carry one;
//! names of tables and columns are written as names, whatever they look like.
//!
//! **Invariant:** the word CLEAN comes from [`Certificate`] alone, and only where two scans prove
//! it and nothing is left uncovered.
//!
//! A report supports an assessment. It never certifies that a rule or a law is kept.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ledger::{Entry, ProofBundle};
use crate::plan::{Estimate, EstimateCheck, compare_estimates};

mod access;
mod certificate;
mod controls;
mod counts;
mod coverage;
mod csv_table;
mod elsewhere;
mod evidence;
mod grounds;
mod header;
mod html;
mod ledger_facts;
mod period;
mod places;
mod plan_document;
mod rehearsal;
mod risks;
mod schema;
mod scope;
mod stages;
mod summary;
mod text;
mod timeline;
mod usage;
mod verify;

pub use access::{ApprovalPart, ApprovalRow, KeyLine, OtherUse, PurposeLine};
pub use certificate::{
    CAME_BACK, Certificate, CertificateStatus, Claim, ClaimState, CopyLine, RESTORED, RESTORING,
    ScanFigures, ScannedFile, VaultCopyLine,
};
pub use controls::{ControlLine, Support};
pub use counts::{CountPart, QuarantineLine, Reconciliation, VerificationPart};
pub use coverage::TableCoverage;
pub use elsewhere::ElsewhereLine;
pub use evidence::{
    AnchorFact, ApprovalFact, BackupFate, CheckFact, ClaimLevel, Condition, Evidence, KeyFact,
    PurgeFacts, PurgeStep, QuarantineCause, QuarantineFact, QuarantineState, RowDigest,
    RowDigestError, SegmentFact, StructureFacts, UncoveredCopy, UnitFact,
};
use grounds::{Grounds, PlanFigures};
pub use header::{CheckpointPart, Header, Step, StepState};
pub use html::embedded;
pub use ledger_facts::LedgerFacts;
pub use period::{
    ActLine, AlteredLine, Asked, Carried, ColumnTotal, DomainFact, DomainLine, GapKind, GapLine,
    LedgerPart, PERIOD_SCHEMA, Period, PeriodError, PeriodEvidence, PeriodHeader, PeriodReport,
    PurgeLine, RunLine, SharedControl, SharedRisk, SignatureLine, Silence, StateLine, Stretch,
    Told, Totals, UseBeyond,
};
pub use places::{PlaceKind, PlaceLine};
pub use plan_document::{
    Acceptance, DiskLine, DocumentForm, DocumentState, EstimatePart, LimitLine, LineTone, LockLine,
    OutColumns, OutOfScopePart, OutTable, PLAN_SCHEMA, PassLine, PlanDocument, PlanFacts, PlanHead,
    PlanSummary, PlanVerdict, Recorded, ScopeColumn, ScopeTable, SigningPart, SigningStep,
    StoredDocument, StoredPlan, StrategyLine, TextLine, UnitLine, WayBackStep, plan_digest,
};
pub use rehearsal::{REHEARSAL_STARTED, REHEARSED, Rehearsal, after_rehearsal, rehearsals};
pub use risks::{Risk, RiskKind};
pub use scope::{ColumnLine, Gate, Leakage, OutOfScope, PlanPart, ScopePart};
pub use stages::{Stage, StageKind};
pub use summary::{Figure, Summary, Tone};
pub use timeline::{Command, TimelineEntry};
pub use usage::Usage;
pub use verify::{HandedError, HandedReport, ISSUED, ReportFinding, ReportNote, ReportVerdict};

/// Names the shape of a report in JSON.
pub const SCHEMA: &str = "sealift/report/2";

/// The report of a run. The order of its fields is the order in which it is written.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Report {
    /// Names the shape of this document: `sealift/report/2`.
    pub schema: &'static str,
    /// Which run, where it stands, whose ledger.
    pub header: Header,
    /// The report in five seconds.
    pub summary: Summary,
    /// The columns of the run, and what is not among them.
    pub scope: ScopePart,
    /// What the plan found.
    pub plan: PlanPart,
    /// What equal tokens show, column by column.
    pub leakage: Vec<Leakage>,
    /// How much of each table is treated, and what became of its cells.
    pub coverage: Vec<TableCoverage>,
    /// Where it was tried on a copy first, and what came of it.
    pub rehearsals: Vec<Rehearsal>,
    /// What was estimated, beside what was measured.
    pub estimates: Vec<EstimateCheck>,
    /// Whether the cells add up.
    pub counts: Reconciliation,
    /// What the verification did.
    pub verification: VerificationPart,
    /// Who agreed.
    pub approvals: ApprovalPart,
    /// What the purge proves, and what not.
    pub certificate: Certificate,
    /// The keys and where they stand.
    pub keys: Vec<KeyLine>,
    /// Who may see what, and for what.
    pub access: Vec<PurposeLine>,
    /// Values of this run that were asked for under purposes of other policies.
    pub access_beyond: Vec<OtherUse>,
    /// What was accepted, and what remains.
    pub risks: Vec<Risk>,
    /// Controls of rules that this evidence supports; never that a rule is kept.
    pub controls: Vec<ControlLine>,
    /// How long the work took, and how long the run waited.
    pub stages: Vec<Stage>,
    /// The run's entries on the ledger.
    pub timeline: Vec<TimelineEntry>,
    /// How to check all this.
    pub how_to_verify: Vec<Command>,
    /// The entries of the timeline as they stand in the ledger, with the proofs that they do.
    pub proofs: Option<ProofBundle>,
}

/// Puts beside the estimates of a plan what the entries of its run have measured. Where the run was
/// rehearsed, its times are those that follow from the rehearsal.
#[must_use]
pub fn estimate_checks(estimate: &Estimate, entries: &[Entry]) -> Vec<EstimateCheck> {
    compare_estimates(&after_rehearsal(estimate, entries), |action, name| {
        let entry = entries.iter().rfind(|entry| entry.action == action)?;
        entry.counts.get(name).copied()
    })
}

impl Report {
    /// Puts the evidence in order and draws the conclusions.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let plan = PlanFigures::of(&evidence.plan);
        let grounds = Grounds::of(evidence, &plan);
        let counts = Reconciliation::of(&grounds);
        let verification = VerificationPart::of(&grounds);
        let certificate = Certificate::of(&grounds, &counts, &verification);
        let approvals = ApprovalPart::of(evidence);
        let access = access::purposes(evidence);
        let controls = controls::list(&controls::Parts {
            evidence,
            counts: &counts,
            verification: &verification,
            certificate: &certificate,
            approvals: &approvals,
            access: &access,
        });
        Self {
            schema: SCHEMA,
            header: Header::of(evidence),
            summary: Summary::of(&grounds, &counts, &verification, &certificate),
            scope: ScopePart::of(evidence),
            plan: PlanPart::of(evidence),
            leakage: scope::leakage(evidence),
            rehearsals: rehearsals(&evidence.entries),
            estimates: estimate_checks(&evidence.plan.estimate, &evidence.entries),
            risks: risks::list(evidence, &approvals, &counts, &certificate),
            coverage: coverage::lines(evidence),
            counts,
            verification,
            approvals,
            certificate,
            keys: access::keys(evidence),
            access,
            access_beyond: access::others(evidence),
            controls,
            stages: stages::list(&evidence.entries, evidence.purge.as_ref()),
            timeline: timeline::entries(&evidence.entries),
            how_to_verify: timeline::how_to_verify(evidence.run, &evidence.key_fingerprint),
            proofs: evidence.proofs.clone(),
        }
    }

    /// Writes the JSON Schema (draft 2020-12) that every report in JSON fits, indented.
    #[must_use]
    pub fn json_schema() -> String {
        schema::write::<Self>(SCHEMA, "Sealift report of a run")
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
        html::page(self)
    }

    /// Writes what the page begins with, for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// Writes one row of CSV for each column in scope, with its figures.
    #[must_use]
    pub fn to_csv(&self) -> String {
        csv_table::write(self)
    }
}
