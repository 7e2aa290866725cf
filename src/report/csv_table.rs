//! The columns of a report as CSV: one row a column, for who counts in a spreadsheet.

use super::Report;
use crate::policy::Waiver;

const HEADINGS: [&str; 20] = [
    "run",
    "source",
    "phase",
    "column",
    "class",
    "domain",
    "token",
    "technique",
    "declared_type",
    "rows",
    "cells",
    "nulls",
    "empties",
    "token_shaped",
    "distinct",
    "distinct_exact",
    "top_share",
    "leakage_gate",
    "waived",
    "verified",
];

pub(super) fn write(report: &Report) -> String {
    let columns = report.scope.columns.iter().zip(&report.leakage);
    let rows = columns.map(|(column, leakage)| {
        [
            report.header.run.to_string(),
            harmless(&report.header.source),
            report.header.phase.name().to_owned(),
            harmless(&column.column),
            harmless(&column.class),
            harmless(&column.domain),
            column.token.name().to_owned(),
            column.technique.to_owned(),
            harmless(&column.declared),
            column.rows.to_string(),
            column.cells.to_string(),
            column.nulls.to_string(),
            column.empties.to_string(),
            column.token_shaped.to_string(),
            leakage.distinct.to_string(),
            leakage.distinct_exact.to_string(),
            format!("{:.6}", leakage.top_share),
            leakage.gate.title().to_owned(),
            leakage.waived.iter().map(|waiver| waiver_name(*waiver)).collect::<Vec<_>>().join(" "),
            column.verified.map_or_else(String::new, |cells| cells.to_string()),
        ]
    });
    table(&HEADINGS, rows.map(Vec::from))
}

/// Writes headings and rows as CSV.
pub(super) fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
    #[expect(clippy::expect_used, reason = "a list of bytes takes every row, and rows are even")]
    for row in std::iter::once(headings).chain(rows) {
        writer.write_record(row).expect("memory takes every row");
    }
    #[expect(clippy::expect_used, reason = "what was written was text")]
    let text = String::from_utf8(writer.into_inner().expect("memory takes every row"))
        .expect("rows of text are text");
    text
}

fn waiver_name(waiver: Waiver) -> &'static str {
    match waiver {
        Waiver::LowEntropy => "low_entropy",
    }
}

/// Keeps a spreadsheet from taking a name for a formula: an apostrophe in front makes it text.
pub(super) fn harmless(name: &str) -> String {
    let is_formula = name.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{name}") } else { name.to_owned() }
}
