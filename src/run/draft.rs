//! Drafts a policy from a scan, and tries its plan until nothing stands in its way.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::catalog::Catalog;
use crate::classify::{Finding, Kind};
use crate::plan::{Strategy, Verdict, assess};
use crate::policy::{Candidate, ColumnName, Draft, Policy, because};
use crate::ports::{Source, SourceError};
use crate::run::scan::{ScannedColumn, ScannedTable};

/// Above this a draft is not tried: trying reads its columns as often as something has to be mended.
const TRIED_BYTES_MAX: u64 = 2 << 30;

/// How often a draft is tried; each time at least one column is treated differently.
const TRIALS_MAX: usize = 40;

/// Two columns of one kind that share so much of their values are one domain.
const SHARED_MIN: f64 = 0.2;

/// Drafts a policy. `source_name` is what the policy calls the source, `head` its first remark.
///
/// # Errors
///
/// [`SourceError`] where the columns cannot be read.
pub async fn draft(
    source: &dyn Source,
    catalog: &Catalog,
    tables: &[ScannedTable],
    source_name: &str,
    head: &str,
) -> Result<Draft, SourceError> {
    let columns = of_wholes(catalog, tables);
    let candidates = columns.iter().filter_map(|column| candidate(catalog, column)).collect();
    let mut draft = Draft::new(source_name, catalog, candidates, &alike(&columns));
    draft.remark(head);
    if catalog.bytes > TRIED_BYTES_MAX {
        draft.remark(format!(
            "Not tried yet, because the database has {} GiB: `sealift plan --dry-run` says what \
             stands in its way.",
            catalog.bytes >> 30
        ));
        return Ok(draft);
    }
    for _ in 0..TRIALS_MAX {
        // A policy without a column is none, so there is nothing to try.
        let Ok(policy) = Policy::parse(&draft.text(), "draft") else { break };
        let facts = source.facts(catalog, &policy).await?;
        let plan = assess(catalog, &policy, &facts, Strategy::InPlace);
        if !plan.is_blocked() {
            return Ok(draft);
        }
        if !draft.mend(catalog, &plan) {
            for finding in plan.findings.iter().filter(|one| one.verdict == Verdict::Blocks) {
                draft.remark(format!("Still in its way: {}: {}.", finding.object, finding.fact));
            }
            return Ok(draft);
        }
    }
    Ok(draft)
}

/// The columns with a finding; of the partitions of one table the one with the surest.
fn of_wholes<'t>(catalog: &Catalog, tables: &'t [ScannedTable]) -> Vec<&'t ScannedColumn> {
    let surest = |column: &ScannedColumn| {
        column.findings.iter().map(|finding| finding.confidence).fold(0.0, f64::max)
    };
    let mut columns: Vec<&ScannedColumn> = Vec::new();
    for column in tables.iter().flat_map(|table| &table.columns) {
        if column.findings.is_empty() {
            continue;
        }
        let name = whole_name(catalog, &column.name);
        match columns.iter_mut().find(|known| whole_name(catalog, &known.name) == name) {
            Some(known) if surest(column) > surest(known) => *known = column,
            Some(_) => {}
            None => columns.push(column),
        }
    }
    columns
}

/// A column by the name of the table that a partition belongs to.
fn whole_name(catalog: &Catalog, name: &ColumnName) -> ColumnName {
    ColumnName { table: catalog.whole_of(&name.table).clone(), column: name.column.clone() }
}

/// What a column would have in a policy: by its surest finding, the others named beside it.
fn candidate(catalog: &Catalog, column: &ScannedColumn) -> Option<Candidate> {
    // What a whole cell is goes before what a document holds at some place.
    let rank = |finding: &&Finding| (finding.path.is_none(), finding.confidence);
    let best = column.findings.iter().max_by(|one, two| {
        let (one, two) = (rank(one), rank(two));
        one.0.cmp(&two.0).then(one.1.total_cmp(&two.1))
    })?;
    let why: Vec<String> = std::iter::once(best)
        .chain(column.findings.iter().filter(|finding| *finding != best).take(4))
        .map(|finding| {
            format!("{} ({:.2}): {}", finding.kind.title(), finding.confidence, because(finding))
        })
        .collect();
    let kind = if best.path.is_some() {
        // The whole document is sealed, whatever it holds.
        Kind::FreeText
    } else {
        best.kind.clone()
    };
    Some(Candidate {
        name: whole_name(catalog, &column.name),
        kind,
        class: best.class.clone(),
        confidence: best.confidence,
        why: why.join("; "),
    })
}

/// Pairs of columns that hold the same values: by kind and name, or by the values seen. Each column
/// is paired with the first of its like, which is enough to bring all of them together.
fn alike(columns: &[&ScannedColumn]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let mut called: HashMap<(&Kind, String), usize> = HashMap::new();
    // The first column of each kind and name stands for the others.
    let mut first: Vec<usize> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let Some(finding) = column.findings.first() else { continue };
        match called.entry((&finding.kind, column.name.column.to_lowercase())) {
            Entry::Occupied(like) => pairs.push((*like.get(), at)),
            Entry::Vacant(free) => {
                free.insert(at);
                first.push(at);
            }
        }
    }
    for (place, one) in first.iter().enumerate() {
        for two in &first[place + 1..] {
            let (first, second) = (columns[*one], columns[*two]);
            let is_one_kind = first.findings.first().map(|finding| &finding.kind)
                == second.findings.first().map(|finding| &finding.kind);
            if is_one_kind && first.sketch.shared_with(&second.sketch) >= SHARED_MIN {
                pairs.push((*one, *two));
            }
        }
    }
    pairs
}
