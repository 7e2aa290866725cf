//! The sections about the run itself: scope, plan, leakage, counts, verification.

use super::markup::{Cell, Markup};
use super::pictures;
use crate::plan::{UnitMode, Verdict};
use crate::report::{Gate, Report, Tone};
use crate::words::counted;

pub(super) fn scope(markup: &mut Markup, report: &Report) {
    let scope = &report.scope;
    let rows: Vec<Vec<Cell>> = scope
        .columns
        .iter()
        .zip(&report.leakage)
        .map(|(column, leakage)| {
            let mut treatment = vec![column.technique.to_owned()];
            treatment.extend(column.treatment.iter().cloned());
            let waived = if leakage.waived.is_empty() { "" } else { "low entropy accepted" };
            vec![
                Cell::Named(column.column.clone(), column.declared.clone()),
                Cell::Text(column.class.clone()),
                Cell::Code(column.domain.clone()),
                Cell::Badged(Tone::Quiet, column.token.name().to_owned(), treatment.join("; ")),
                Cell::Number(column.cells),
                Cell::Number(leakage.distinct),
                Cell::Badged(
                    gate_tone(leakage.gate),
                    leakage.gate.title().to_owned(),
                    waived.to_owned(),
                ),
                column.verified.map_or(Cell::Empty, Cell::Number),
            ]
        })
        .collect();
    let heads =
        ["column", "class", "domain", "token", "cells", "distinct", "leakage gate", "verified"];
    markup.table("Columns in scope and their treatment", &heads, &rows);
    markup.note(
        "Cells and distinct values are the plan’s figures; verified are the cells whose token the \
         last verification opened and compared.",
    );
    if !scope.missing.is_empty() {
        markup.paragraph("The policy names columns that the source does not have:");
        markup.list(scope.missing.iter().map(String::as_str));
    }
    match scope.out_of_scope {
        Some(out) => {
            markup
                .raw("<p>Out of scope, because the policy does not name them: <strong>")
                .number(out.columns)
                .raw("</strong> columns, among them those of <strong>")
                .number(out.tables)
                .raw("</strong> tables without any column in scope.</p>\n");
        }
        None => {
            markup.paragraph("How much of the source is out of scope was not counted.");
        }
    }
}

pub(super) fn coverage(markup: &mut Markup, report: &Report) {
    if report.coverage.is_empty() {
        markup.paragraph("The plan has no table that a run could work on.");
        return;
    }
    if !report.coverage.iter().all(|line| line.is_counted) {
        markup.paragraph("The rewrite has not counted yet: these are the plan’s figures.");
    }
    pictures::coverage(markup, report);
    let rows: Vec<Vec<Cell>> = report
        .coverage
        .iter()
        .map(|line| {
            let remark = match line.mode {
                UnitMode::Ranges => String::new(),
                UnitMode::Window => "in one transaction, under the write lock".to_owned(),
            };
            let mut row = vec![
                Cell::Named(line.tables.join(" + "), remark),
                Cell::Number(line.columns_in_scope),
                line.columns_all.map_or(Cell::Empty, Cell::Number),
                Cell::Number(line.rows),
                Cell::Number(line.cells),
            ];
            row.extend(line.parts.iter().map(|part| Cell::Number(part.cells)));
            row
        })
        .collect();
    let heads = [
        "table",
        "in scope",
        "columns",
        "rows",
        "cells",
        "tokenized",
        "NULL",
        "empty",
        "already token",
        "quarantined",
        "vanished",
    ];
    markup.table("Cells in scope by table", &heads, &rows);
}

pub(super) fn plan(markup: &mut Markup, report: &Report) {
    let plan = &report.plan;
    markup
        .raw("<p><strong>")
        .number(plan.blocks)
        .raw("</strong> findings block, <strong>")
        .number(plan.warns)
        .raw("</strong> warn, <strong>")
        .number(plan.handled)
        .raw("</strong> are dealt with by Sealift.</p>\n");
    if let Some(document) = &plan.document {
        markup.raw("<p>The document that was signed, SHA-256: ").code(document).raw("</p>\n");
    }
    if plan.findings.is_empty() {
        return;
    }
    let rows: Vec<Vec<Cell>> = plan
        .findings
        .iter()
        .map(|finding| {
            let tone = match finding.verdict {
                Verdict::Blocks => Tone::Bad,
                Verdict::Warns => Tone::Warn,
                Verdict::Handled => Tone::Quiet,
            };
            vec![
                Cell::Code(finding.object.clone()),
                Cell::Badge(tone, finding.verdict.name().to_owned()),
                Cell::Text(finding.fact.clone()),
                Cell::Text(finding.remedy.clone()),
                Cell::Code(finding.pitfall.clone()),
            ]
        })
        .collect();
    markup.table(
        "Findings of the plan",
        &["object", "verdict", "fact", "remedy", "pitfall"],
        &rows,
    );
}

pub(super) fn leakage(markup: &mut Markup, report: &Report) {
    markup.paragraph(
        "Where equal values have equal tokens, the tokens show how often each value occurs. Few \
         distinct values, or one that is frequent, can then be guessed.",
    );
    let rows: Vec<Vec<Cell>> = report
        .leakage
        .iter()
        .map(|column| {
            let shows = if column.equal_values_show { "yes" } else { "no" };
            let (tone, gate) = (gate_tone(column.gate), column.gate.title().to_owned());
            let about = if column.distinct_exact { "one by one" } else { "estimated" };
            vec![
                Cell::Code(column.column.clone()),
                Cell::Text(shows.to_owned()),
                Cell::Number(column.rows),
                Cell::Number(column.distinct),
                Cell::Text(about.to_owned()),
                Cell::Text(format!("≤ {:.2} %", column.top_share * 100.0)),
                Cell::Badge(tone, gate),
            ]
        })
        .collect();
    let heads =
        ["column", "equal values show", "rows", "distinct", "counted how", "top value", "gate"];
    markup.table("Leakage figures", &heads, &rows);
}

pub(super) fn estimates(markup: &mut Markup, report: &Report) {
    rehearsals(markup, report);
    if report.estimates.is_empty() {
        markup.paragraph("Nothing was measured yet.");
        return;
    }
    let rows: Vec<Vec<Cell>> = report
        .estimates
        .iter()
        .map(|check| {
            vec![
                Cell::Text(check.what.clone()),
                Cell::Text(check.unit.readable(check.estimated)),
                Cell::Text(check.unit.readable(check.actual)),
            ]
        })
        .collect();
    let heads = ["of what", "the plan estimated", "measured"];
    markup.table("What the run took", &heads, &rows);
}

/// What was tried on a copy before; the estimate follows from the newest that held.
fn rehearsals(markup: &mut Markup, report: &Report) {
    for rehearsal in &report.rehearsals {
        let (tone, word) =
            if rehearsal.held { (Tone::Good, "it held") } else { (Tone::Bad, "it did not hold") };
        let rows = counted(rehearsal.rows, "row", "rows");
        markup.raw("<p>Rehearsed on a copy of ").text(&rows).raw(", ").time(&rehearsal.at);
        markup.raw(": ").badge(tone, word);
        if let Some(why) = &rehearsal.why {
            markup.raw(" ").text(why);
        }
        markup.raw("</p>\n");
        for (what, names) in [
            ("The way there and back also changed:", &rehearsal.beside),
            ("Not in the copy, and so not tried:", &rehearsal.left_out),
        ] {
            if !names.is_empty() {
                markup.paragraph(what);
                markup.list(names.iter().map(String::as_str));
            }
        }
    }
}

pub(super) fn gate_tone(gate: Gate) -> Tone {
    match gate {
        Gate::NotNeeded => Tone::Quiet,
        Gate::Passed => Tone::Good,
        Gate::Warned | Gate::Waived => Tone::Warn,
        Gate::Blocked => Tone::Bad,
    }
}

pub(super) fn counts(markup: &mut Markup, report: &Report) {
    let counts = &report.counts;
    let (tone, word) = match counts.reconciles {
        Some(true) => (Tone::Good, "they add up"),
        Some(false) => (Tone::Bad, "they do not add up"),
        None => (Tone::Quiet, "not counted yet"),
    };
    markup.raw("<p>").badge(tone, word).raw("</p>\n");
    if counts.reconciles.is_none() {
        return;
    }
    pictures::counts(markup, report);
    markup.raw("<p class=\"equation\">");
    markup.code(&counts.equation).raw("</p>\n");
    let rows: Vec<Vec<Cell>> = counts
        .parts
        .iter()
        .map(|part| {
            vec![
                Cell::Code(part.name.to_owned()),
                Cell::Text(part.meaning.to_owned()),
                Cell::Number(part.cells),
            ]
        })
        .collect();
    markup.table("What became of the cells", &["part", "meaning", "cells"], &rows);
    if counts.quarantine.is_empty() {
        return;
    }
    let rows: Vec<Vec<Cell>> = counts
        .quarantine
        .iter()
        .map(|row| {
            let tone = if row.state == "replayed" { Tone::Good } else { Tone::Warn };
            vec![
                Cell::Code(row.row.as_str().to_owned()),
                Cell::Badge(tone, row.state.to_owned()),
                Cell::text_or_empty(row.waived_by.as_deref()),
                Cell::Text(row.cause.title().to_owned()),
                Cell::Number(row.cells),
            ]
        })
        .collect();
    let heads = ["row (keyed digest)", "state", "accepted by", "cause", "originals"];
    markup.table("Rows in quarantine", &heads, &rows);
}

pub(super) fn verification(markup: &mut Markup, report: &Report) {
    let part = &report.verification;
    let (tone, word) = match part.passed {
        Some(true) => (Tone::Good, "no mismatch"),
        Some(false) => (Tone::Bad, "not in order"),
        None => (Tone::Quiet, "not verified yet"),
    };
    markup.raw("<p>").badge(tone, word).raw("</p>\n");
    markup.list(part.method.iter().copied());
    if !part.counts.is_empty() {
        let rows: Vec<Vec<Cell>> = part
            .counts
            .iter()
            .map(|(name, count)| {
                let meaning = verified_as(name).to_owned();
                vec![Cell::Named(name.clone(), meaning), Cell::Number(*count)]
            })
            .collect();
        markup.table("Counts of the last verification", &["count", "number"], &rows);
    }
    if !part.checks.is_empty() {
        let rows: Vec<Vec<Cell>> = part
            .checks
            .iter()
            .map(|check| {
                let (tone, word) = match check.holds {
                    Some(true) => (Tone::Good, "holds"),
                    Some(false) => (Tone::Bad, "does not hold"),
                    None => (Tone::Quiet, "not run yet"),
                };
                vec![Cell::Text(check.name.clone()), Cell::Badge(tone, word.to_owned())]
            })
            .collect();
        markup.table("The steward’s own checks", &["check", "outcome"], &rows);
    }
    if !part.segments.is_empty() {
        let rows: Vec<Vec<Cell>> = part
            .segments
            .iter()
            .map(|segment| {
                let root = segment.root.map(|root| root.to_string());
                vec![
                    Cell::Number(u64::from(segment.number)),
                    Cell::Number(segment.entries),
                    root.map_or(Cell::Empty, Cell::Hash),
                ]
            })
            .collect();
        markup.table("Vault entries of the run", &["segment", "entries", "root"], &rows);
    }
}

/// What the counts of a verification mean.
fn verified_as(count: &str) -> &'static str {
    match count {
        "rows" => "rows read",
        "opened" => "cells opened and compared",
        "null" => "cells that are NULL",
        "empty" => "cells empty by policy",
        "waived" => "cells of rows whose quarantine was waived",
        "without_backup" => "tokens written after the backup",
        "carried" => "tokens that the application itself wrote over others",
        "entries" => "vault entries opened",
        "took_ms" => "how long it took, in milliseconds",
        "bucket_bytes" => "what it sorted on disk, in bytes",
        "mismatches" => "cells that did not open to their original",
        _ => "",
    }
}
