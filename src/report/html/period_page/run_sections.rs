//! The sections about the runs: where they stand, what they moved, what they purged, who agreed.

use crate::report::html::markup::{Cell, Markup};
use crate::report::html::run_sections::gate_tone;
use crate::report::html::{evidence_sections, pictures};
use crate::report::period::{PeriodReport, PurgeLine, RunLine};
use crate::report::{CopyLine, Tone};
use crate::words::{capital, grouped};

/// How many runs stand where, side by side with what is not said.
pub(super) fn states(markup: &mut Markup, report: &PeriodReport) {
    markup.raw("<div class=\"half\"><h2>Where the runs stand</h2>\n<dl class=\"claims\">\n");
    for (at, state) in report.states.iter().enumerate() {
        markup.raw("<div><dt>").text(&state.phase.name().replace('_', " "));
        markup.raw(" <span>").number_at(&format!("/states/{at}/runs"), state.runs);
        markup
            .raw("</span></dt><dd>")
            .number_at(&format!("/states/{at}/tokenized"), state.tokenized);
        markup.raw(" values moved");
        if state.held > 0 {
            markup.raw("; paused or failed: ").number_at(&format!("/states/{at}/held"), state.held);
        }
        markup.raw("</dd></div>\n");
    }
    if report.states.is_empty() {
        markup.raw("<div><dt>no run</dt><dd>The period has none.</dd></div>\n");
    }
    markup.raw("</dl></div>\n");
}

pub(super) fn runs(markup: &mut Markup, report: &PeriodReport) {
    if report.runs.is_empty() {
        markup.paragraph("There is no run here.");
        return;
    }
    markup.paragraph(
        "Each run in the words of its own report, as it stood when the period ended; `sealift report \
         RUN` says the rest of it.",
    );
    pictures::period_runs(markup, &report.runs);
    let rows: Vec<Vec<Cell>> =
        report.runs.iter().enumerate().map(|(at, run)| run_row(run, at)).collect();
    let heads = ["run", "source", "stands", "planned", "by", "last entry", "columns", "verified"];
    markup.table("Runs, oldest first", &heads, &rows);
}

fn run_row(run: &RunLine, at: usize) -> Vec<Cell> {
    let time = |at: &Option<String>| at.clone().map_or(Cell::Empty, Cell::Time);
    let held = run.condition.map_or("", crate::report::Condition::name);
    vec![
        Cell::Code(run.run.to_string()),
        Cell::Text(run.source.clone()),
        Cell::Badged(run.tone, run.verdict.to_owned(), held.to_owned()),
        time(&run.planned_at),
        Cell::text_or_empty(run.planned_by.as_deref()),
        time(&run.last_at),
        Cell::At(format!("/runs/{at}/columns"), run.columns),
        Cell::At(format!("/runs/{at}/opened"), run.opened),
    ]
}

pub(super) fn totals(markup: &mut Markup, report: &PeriodReport) {
    markup.paragraph(match report.totals.reconciles {
        Some(true) => "Every cell of every run is accounted for.",
        Some(false) => "The cells of at least one run do not add up.",
        None => "No run has counted its cells yet.",
    });
    let line =
        |name: Cell, place: &str, rows: u64, cells: u64, parts: &[crate::report::CountPart]| {
            let mut row = vec![
                name,
                Cell::At(format!("{place}/rows"), rows),
                Cell::At(format!("{place}/cells"), cells),
            ];
            row.extend(
                parts
                    .iter()
                    .enumerate()
                    .map(|(at, part)| Cell::At(format!("{place}/parts/{at}/cells"), part.cells)),
            );
            row
        };
    let mut rows: Vec<Vec<Cell>> = report
        .runs
        .iter()
        .enumerate()
        .filter(|(_, run)| run.reconciles.is_some())
        .map(|(at, run)| {
            let name = Cell::Named(run.run.to_string(), run.source.clone());
            line(name, &format!("/runs/{at}"), run.rows, run.cells, &run.parts)
        })
        .collect();
    let totals = &report.totals;
    let all = Cell::Text("all of them".to_owned());
    rows.push(line(all, "/totals", totals.rows, totals.cells, &totals.parts));
    let heads = [
        "run",
        "rows",
        "cells",
        "tokenized",
        "NULL",
        "empty",
        "already token",
        "quarantined",
        "vanished",
    ];
    markup.table("Cells visited, and what became of them", &heads, &rows);
    markup
        .raw("<p>Verified: <strong>")
        .number_at("/totals/opened", totals.opened)
        .raw("</strong> cells opened and compared, <strong>")
        .number_at("/totals/mismatches", totals.mismatches)
        .raw("</strong> mismatches. Put back by rollbacks: <strong>")
        .number_at("/totals/restored", totals.restored)
        .raw("</strong> values.</p>\n");
}

pub(super) fn domains(markup: &mut Markup, report: &PeriodReport) {
    let rows: Vec<Vec<Cell>> = report
        .domains
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let place = |name: &str| format!("/domains/{at}/{name}");
            let shown: Vec<String> = line
                .shown_by
                .iter()
                .map(|(purpose, form)| {
                    format!("`{purpose}`: {}", evidence_sections::form_name(*form))
                })
                .collect();
            vec![
                Cell::Named(line.domain.clone(), line.class.clone()),
                Cell::At(place("columns"), line.columns),
                Cell::At(place("cells"), line.cells),
                Cell::At(place("verified"), line.verified),
                Cell::At(place("purged"), line.purged),
                if shown.is_empty() {
                    Cell::Badge(Tone::Quiet, "nobody".to_owned())
                } else {
                    Cell::Text(shown.join(", "))
                },
                Cell::At(place("asked"), line.asked),
                if line.is_never_read {
                    Cell::Badge(Tone::Warn, "never read".to_owned())
                } else {
                    Cell::Empty
                },
            ]
        })
        .collect();
    if rows.is_empty() {
        markup.paragraph("The vault has no domain.");
        return;
    }
    let heads =
        ["domain", "columns", "cells", "verified", "purged", "may be read under", "asked", ""];
    markup.table("Domains: what is in them, who may read it, and what was asked", &heads, &rows);
    markup.note(
        "Verified are cells whose token the last verification opened and compared; purged are those of \
         them whose originals are purged. A domain that may be read and never is: ask whether the \
         purpose is still needed.",
    );
}

pub(super) fn columns(markup: &mut Markup, report: &PeriodReport) {
    if report.columns.is_empty() {
        markup.paragraph("No run has a column.");
        return;
    }
    let rows: Vec<Vec<Cell>> = report
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let place = |name: &str| format!("/columns/{at}/{name}");
            vec![
                Cell::Named(column.column.clone(), column.source.clone()),
                Cell::Code(column.domain.clone()),
                Cell::Badge(Tone::Quiet, column.token.name().to_owned()),
                Cell::Named(column.run.to_string(), column.phase.name().replace('_', " ")),
                Cell::At(place("rows"), column.rows),
                Cell::At(place("cells"), column.cells),
                Cell::At(place("nulls"), column.nulls),
                Cell::At(place("distinct"), column.distinct),
                Cell::Badge(gate_tone(column.gate), column.gate.title().to_owned()),
                column.verified.map_or(Cell::Empty, |cells| Cell::At(place("verified"), cells)),
            ]
        })
        .collect();
    let heads = [
        "column",
        "domain",
        "token",
        "run",
        "rows",
        "cells",
        "NULL",
        "distinct",
        "leakage gate",
        "verified",
    ];
    markup.table("Columns, each by the newest run that has moved it", &heads, &rows);
    markup.note("Rows, cells, NULL and distinct values are the plans’ figures.");
}

pub(super) fn purges(markup: &mut Markup, report: &PeriodReport) {
    if report.purges.is_empty() {
        markup.paragraph("No run was purged: nothing is claimed about originals in any file.");
        return;
    }
    let rows: Vec<Vec<Cell>> =
        report.purges.iter().enumerate().map(|(at, purge)| purge_row(purge, at)).collect();
    let heads = [
        "run",
        "certificate",
        "purged",
        "by",
        "found before",
        "found after",
        "backup",
        "statement",
    ];
    markup.table("Purges, and what their certificates say", &heads, &rows);
    for purge in &report.purges {
        let mut left: Vec<String> = purge.not_covered.clone();
        left.extend(purge.doubts.iter().cloned());
        let cells = |copy: &CopyLine, what: &str| {
            format!("`{}`: {} cells {what}", copy.column, grouped(copy.cells))
        };
        left.extend(
            purge
                .uncovered_copies
                .iter()
                .map(|copy| cells(copy, "outside the policy hold originals")),
        );
        left.extend(purge.came_back.iter().map(|copy| cells(copy, "hold originals again")));
        left.extend(purge.vault_copies.iter().map(|copy| {
            format!("a copy of the vault from before its end: `{}`, {}", copy.file, copy.at)
        }));
        if !left.is_empty() {
            markup.raw("<h3>What run <code>").text(&purge.run.to_string());
            markup.raw("</code> leaves open</h3>\n");
            markup.list(left.iter().map(String::as_str));
        }
    }
}

fn purge_row(purge: &PurgeLine, at: usize) -> Vec<Cell> {
    let number = |name: &str, hits: Option<u64>| {
        hits.map_or(Cell::Empty, |hits| Cell::At(format!("/purges/{at}/{name}"), hits))
    };
    vec![
        Cell::Named(purge.run.to_string(), purge.source.clone()),
        Cell::Badge(purge.status.tone(), purge.word.to_owned()),
        purge.at.clone().map_or(Cell::Empty, Cell::Time),
        Cell::text_or_empty(purge.by.as_deref()),
        number("found_before", purge.found_before),
        number("found_after", purge.found_after),
        match &purge.backup_kept_until {
            Some(until) => Cell::Text(format!("kept until {until}")),
            None if purge.at.is_some() => Cell::Text("destroyed".to_owned()),
            None => Cell::Text("kept".to_owned()),
        },
        Cell::Text(capital(&purge.statement)),
    ]
}

pub(super) fn approvals(markup: &mut Markup, report: &PeriodReport) {
    if report.approvals.is_empty() {
        markup.paragraph("Nobody has signed.");
        return;
    }
    let rows: Vec<Vec<Cell>> = report
        .approvals
        .iter()
        .map(|row| {
            vec![
                Cell::Text(row.caller.clone()),
                Cell::Badge(Tone::Quiet, row.kind.to_owned()),
                Cell::Code(row.run.to_string()),
                Cell::Time(row.signed_at.clone()),
                Cell::Hash(row.digest.clone()),
            ]
        })
        .collect();
    markup.table("Signatures", &["who", "signed the", "of run", "when", "digest"], &rows);
}
