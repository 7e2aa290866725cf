//! The plan: catalog, policy and figures go in; findings, units of work and an estimate come out.
//!
//! One file per pitfall. Nothing here talks to a database: an engine reads the catalog and counts,
//! and this room judges, so that every judgement can be tested without one.
//!
//! **Invariant:** a finding names objects and figures, never a value.

use sha2::{Digest, Sha256};

use crate::catalog::{Catalog, EngineKind};
use crate::policy::Policy;

mod actuals;
mod blast_radius;
mod case;
mod costs;
mod counter;
mod estimates;
mod facts;
mod groups;
mod model;
mod query_text;
mod sql;
mod units;
mod walks;

// One pitfall each.
mod affinity;
mod check_constraint;
mod collation;
mod column_default;
mod copies;
mod disk_space;
mod domain;
mod empty_text;
mod foreign_key;
mod format_fit;
mod full_text;
mod generated_column;
mod index_expression;
mod journal;
mod key_in_scope;
mod low_entropy;
mod missing_column;
mod missing_table;
mod no_key;
mod not_a_table;
mod null_key;
mod number_equality;
mod queries;
mod recognisable;
mod rehearsed;
mod row_id;
mod statistics;
mod storage_class;
mod strategy;
mod strict_type;
mod text_bytes;
mod text_encoding;
mod token_shaped;
mod trigger_copies;
mod trigger_fires;
mod trigger_refuses;
mod unique;
mod unknown_trigger;
mod value_size;
mod view;
mod width;

// What only PostgreSQL has, one pitfall a file.
mod postgres;

#[cfg(test)]
mod fixture;

pub use crate::catalog::ColumnChange;
pub use actuals::{
    EstimateCheck, EstimateUnit, SEALED_AHEAD, compare as compare_estimates,
    in_all as estimates_in_all, readable_bytes, readable_ms,
};
pub use blast_radius::{Touched, TouchedKind, blast_radius};
pub use case::reads_column;
pub use copies::{copied_line, copied_remedy};
pub use counter::Counter;
pub use facts::{CheckTrial, ColumnFacts, CopyFacts, Facts, TableFacts};
pub use full_text::{follows as full_text_follows, keeps_text, shows_another};
pub use model::{
    Assessment, ColumnPlan, Estimate, Extent, Finding, PassTimes, Strategy, StrategyCost,
    TypeCounts, Unit, UnitColumn, UnitMode, UnitTable, Verdict, Walk,
};
pub use query_text::{Language, QueryText};
pub use rehearsed::{REHEARSED_PASSES, estimated_name, passes_by_name};
pub use walks::row_id_name;

use case::{Case, InScope};

/// Looks for one pitfall.
type Pitfall = fn(&Case<'_>) -> Vec<Finding>;

/// Every pitfall of SQLite but the one that needs the estimate, in the order of the findings.
const SQLITE: [Pitfall; 39] = [
    strategy::find,
    text_encoding::find,
    missing_table::find,
    missing_column::find,
    not_a_table::find,
    unknown_trigger::find,
    row_id::find,
    strict_type::find,
    affinity::find,
    width::find,
    check_constraint::find,
    foreign_key::find,
    domain::find,
    unique::find,
    collation::find,
    generated_column::find,
    index_expression::find,
    trigger_copies::find,
    trigger_refuses::find,
    trigger_fires::find,
    full_text::find,
    view::find,
    queries::find,
    copies::find,
    key_in_scope::find,
    no_key::find,
    null_key::find,
    recognisable::find,
    format_fit::find,
    value_size::find,
    text_bytes::find,
    storage_class::find,
    number_equality::find,
    low_entropy::find,
    token_shaped::find,
    empty_text::find,
    column_default::find,
    statistics::find,
    journal::find,
];

/// The pitfalls that every engine has, in the order of the findings. Those that only PostgreSQL has
/// come after them.
const EVERYWHERE: [Pitfall; 23] = [
    strategy::find,
    missing_table::find,
    missing_column::find,
    not_a_table::find,
    unknown_trigger::find,
    check_constraint::find,
    foreign_key::find,
    domain::find,
    unique::find,
    collation::find,
    generated_column::find,
    queries::find,
    copies::find,
    key_in_scope::find,
    no_key::find,
    recognisable::find,
    format_fit::find,
    value_size::find,
    text_bytes::find,
    low_entropy::find,
    token_shaped::find,
    empty_text::find,
    column_default::find,
];

/// Judges a source: what stands in the way of a run, what the run would do, what it would need.
///
/// The same catalog, policy and figures always give the same answer.
#[must_use]
pub fn assess(catalog: &Catalog, policy: &Policy, facts: &Facts, strategy: Strategy) -> Assessment {
    let case = Case::new(catalog, policy, facts, strategy);
    let units = units::cut(&case);
    let estimate = estimates::reckon(&case, &units);
    let pitfalls: Vec<Pitfall> = match catalog.engine {
        EngineKind::Sqlite => SQLITE.to_vec(),
        EngineKind::Postgres => EVERYWHERE.into_iter().chain(postgres::PITFALLS).collect(),
    };
    let changes = postgres::changes(&case);
    let mut findings: Vec<Finding> = pitfalls.iter().flat_map(|find| find(&case)).collect();
    findings.extend(disk_space::find(&case, &estimate));
    once(&mut findings);
    queries::fold(&mut findings);
    // The sort is stable: within a verdict the order of the pitfalls stays.
    findings.sort_by_key(|finding| finding.verdict);
    Assessment {
        findings,
        units,
        columns: case.columns.iter().map(column_plan).collect(),
        estimate,
        strategies: costs::of(&case),
        fingerprint: fingerprint(catalog, policy),
        extent: Some(extent(catalog, policy)),
        fingerprint_after: (!changes.is_empty())
            .then(|| fingerprint_of(policy, &catalog.canonical_text_before(&changes))),
        objects: catalog.objects(&changes, false),
        changes,
        restores: None,
    }
}

/// Leaves each finding in once: partitions of one table often have the same to say.
fn once(findings: &mut Vec<Finding>) {
    let mut seen: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings.drain(..) {
        if !seen.contains(&finding) {
            seen.push(finding);
        }
    }
    *findings = seen;
}

fn extent(catalog: &Catalog, policy: &Policy) -> Extent {
    let in_scope = |table: &&crate::catalog::Table| {
        let mut names = catalog.above(&table.name);
        names.push(&table.name);
        policy.columns.iter().any(|rule| names.contains(&&rule.name.table))
    };
    let columns = |table: &crate::catalog::Table| table.columns.len() as u64;
    Extent {
        tables: catalog.tables.len() as u64,
        columns: catalog.tables.iter().map(columns).sum(),
        columns_of: catalog
            .tables
            .iter()
            .filter(in_scope)
            .map(|table| (table.name.to_string(), columns(table)))
            .collect(),
    }
}

/// What an approval of a plan is bound to: SHA-256, in lowercase hex, over the canonical text of the
/// catalog and the hash of the policy. Changed data leaves it as it is, a changed schema does not.
#[must_use]
pub fn fingerprint(catalog: &Catalog, policy: &Policy) -> String {
    fingerprint_of(policy, &catalog.canonical_text())
}

/// As [`fingerprint`], of a source whose columns a run has changed: it equals the plan's
/// [`Assessment::fingerprint_after`] where nothing else has changed.
#[must_use]
pub fn fingerprint_after(catalog: &Catalog, policy: &Policy, changes: &[ColumnChange]) -> String {
    fingerprint_of(policy, &catalog.canonical_text_after(changes))
}

fn fingerprint_of(policy: &Policy, catalog: &str) -> String {
    let mut hash = Sha256::new();
    for part in ["sealift/v1/plan", &policy.source, &policy.hash, catalog] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// The part that a count has in a whole, 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a share is read with three digits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn column_plan(column: &InScope<'_>) -> ColumnPlan {
    let facts = &column.facts;
    ColumnPlan {
        name: column.rule.name.clone(),
        rule: column.rule_at,
        class: column.rule.class.clone(),
        domain: column.domain.clone(),
        token: column.rule.token,
        format: column.rule.format,
        dedupe: column.rule.dedupe,
        recognisable: column.is_recognisable(),
        declared: column.column.declared.clone(),
        rows: column.rows,
        cells: column.cells(),
        nulls: facts.nulls,
        empties: facts.empties,
        token_shaped: facts.token_shaped,
        types: facts.types,
        bytes_max: facts.bytes_max,
        bytes_total: facts.bytes_total,
        distinct: facts.distinct,
        distinct_exact: facts.distinct_exact,
        top_share: share(facts.top_count_max, column.cells()),
        waived: column.rule.waive.clone(),
    }
}
