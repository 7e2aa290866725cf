//! The report over a period as CSV, one row a column, and as the first screen of a terminal.

use super::PeriodReport;
use crate::report::csv_table::harmless;
use crate::report::text::Page;
use crate::words::grouped;

const HEADINGS: [&str; 16] = [
    "source",
    "column",
    "class",
    "domain",
    "token",
    "run",
    "phase",
    "runs",
    "rows",
    "cells",
    "nulls",
    "empties",
    "distinct",
    "top_share",
    "leakage_gate",
    "verified",
];

pub(super) fn csv(report: &PeriodReport) -> String {
    let rows = report.columns.iter().map(|column| {
        vec![
            harmless(&column.source),
            harmless(&column.column),
            harmless(&column.class),
            harmless(&column.domain),
            column.token.name().to_owned(),
            column.run.to_string(),
            column.phase.name().to_owned(),
            column.runs.to_string(),
            column.rows.to_string(),
            column.cells.to_string(),
            column.nulls.to_string(),
            column.empties.to_string(),
            column.distinct.to_string(),
            format!("{:.6}", column.top_share),
            column.gate.title().to_owned(),
            column.verified.map_or_else(String::new, |cells| cells.to_string()),
        ]
    });
    crate::report::csv_table::table(&HEADINGS, rows)
}

pub(super) fn text(report: &PeriodReport) -> String {
    let mut page = Page::default();
    page.line(&format!("{} · {}", title(report), report.summary.verdict));
    for statement in &report.summary.statements {
        page.paragraph("  ", "  ", &format!("{statement}."));
    }
    page.line("");
    for figure in &report.summary.figures {
        let number = figure.number.map_or_else(|| "–".to_owned(), grouped);
        page.line(&format!("  {:<32}{number:>12}  {}", figure.name, figure.remark));
    }
    page.line("");
    for run in &report.runs {
        page.line(&format!(
            "  {}  {:<14} {:<24} {}",
            run.run,
            run.phase.name(),
            run.source,
            run.verdict
        ));
    }
    page.line("");
    page.line("What this does not say");
    for limit in &report.summary.limits {
        page.paragraph("  - ", "    ", &crate::words::capital(limit));
    }
    page.finish()
}

/// What the report is about, in a line.
pub(in crate::report) fn title(report: &PeriodReport) -> String {
    // Days are taken whole: their midnights need not be read.
    let day = |at: &str| match at.strip_suffix("T00:00:00Z") {
        Some(day) => day.to_owned(),
        None => crate::report::html::readable(at),
    };
    let runs = crate::words::counted(report.totals.runs, "run", "runs");
    match (&report.header.since, &report.header.until) {
        (None, None) => runs,
        (Some(since), None) => format!("{runs} since {}", day(since)),
        (None, Some(until)) => format!("{runs} before {}", day(until)),
        (Some(since), Some(until)) => format!("{runs} since {}, before {}", day(since), day(until)),
    }
}
