//! What is touched: scope, what is out of it, blast radius, copies, risks, findings.

use super::super::markup::{Cell, Markup};
use super::{bar, map};
use crate::plan::{Finding, TouchedKind, UnitMode, Verdict};
use crate::report::Tone;
use crate::report::plan_document::{PlanDocument, ScopeColumn};
use crate::words::grouped;

/// Out-of-scope tables beyond these are folded together.
const TABLES_OPEN: usize = 12;

pub(super) fn scope(markup: &mut Markup, document: &PlanDocument) {
    markup.raw("<div class=\"fig-rows\">\n");
    for table in &document.scope {
        let columns = table.columns.len() as u64;
        markup.raw("<p class=\"fig-row\"><span class=\"fig-name\">").code(&table.table);
        markup.raw("</span>");
        let words =
            format!("{} columns in scope of {}", grouped(columns), grouped(table.columns_in_all));
        bar(markup, &table.table, &words, (columns, table.columns_in_all));
        markup
            .raw("<span class=\"fig-number\">")
            .number(columns)
            .raw(" of ")
            .number(table.columns_in_all)
            .raw(" columns</span></p>\n");
    }
    markup.raw("</div>\n");
    if !document.scope.is_empty() {
        shapes(markup, document);
    }
    for table in &document.scope {
        markup.raw("<h3>").code(&table.table).raw("</h3>\n<p class=\"note\">");
        markup.number(table.rows).raw(" rows; ").raw(match table.mode {
            Some(UnitMode::Ranges) => "rewritten in ranges, beside other users",
            Some(UnitMode::Window) => "rewritten in one transaction under the write lock",
            None => "no way to rewrite it was found",
        });
        markup.raw("</p>\n");
        let rows: Vec<Vec<Cell>> = table.columns.iter().map(column).collect();
        let heads = [
            "column", "class", "domain", "token", "cells", "distinct", "stay", "shows", "accepted",
        ];
        markup.table("Columns in scope", &heads, &rows);
    }
    if !document.missing.is_empty() {
        markup.paragraph("The policy names columns that the source does not have:");
        markup.list(document.missing.iter().map(String::as_str));
    }
}

fn column(column: &ScopeColumn) -> Vec<Cell> {
    let about = if column.distinct_exact { "" } else { "about " };
    let distinct = format!("{about}{}", grouped(column.distinct));
    let shows = if column.equal_values_show {
        let (whole, tenth) = (column.top_permille_max / 10, column.top_permille_max % 10);
        format!("equality; top ≤ {whole}.{tenth} %")
    } else {
        "nothing".to_owned()
    };
    let mut domain = format!("`{}`", column.domain);
    if !column.shares_with.is_empty() {
        domain = format!("{domain}, with {}", ticked(&column.shares_with));
    }
    if column.shares_with_more > 0 {
        domain = format!("{domain} and {} more", grouped(column.shares_with_more));
    }
    let mut stay = Vec::new();
    if column.nulls > 0 {
        stay.push(format!("{} NULL", grouped(column.nulls)));
    }
    if column.empties > 0 && column.treatment.iter().any(|said| said.starts_with("empty")) {
        stay.push(format!("{} empty", grouped(column.empties)));
    }
    vec![
        Cell::Code(column.column.clone()),
        Cell::Text(column.class.clone()),
        Cell::Text(domain),
        Cell::Badge(Tone::Quiet, column.token.name().to_owned()),
        Cell::Number(column.cells),
        Cell::Text(distinct),
        if stay.is_empty() { Cell::Empty } else { Cell::Text(stay.join(", ")) },
        Cell::Text(shows),
        if column.accepted.is_empty() {
            Cell::Empty
        } else {
            Cell::Text(column.accepted.join("; "))
        },
    ]
}

/// What tokens look like, once for all columns that are treated alike.
fn shapes(markup: &mut Markup, document: &PlanDocument) {
    let mut kinds: Vec<(&ScopeColumn, Vec<String>)> = Vec::new();
    for column in document.scope.iter().flat_map(|table| &table.columns) {
        let alike = |known: &ScopeColumn| {
            known.token == column.token
                && known.shape == column.shape
                && known.treatment == column.treatment
                && known.recognisable == column.recognisable
        };
        match kinds.iter_mut().find(|(known, _)| alike(known)) {
            Some((_, names)) => names.push(column.column.clone()),
            None => kinds.push((column, vec![column.column.clone()])),
        }
    }
    let rows: Vec<Vec<Cell>> = kinds
        .iter()
        .map(|(column, names)| {
            let mut said = column.treatment.clone();
            if !column.recognisable {
                said.push("cannot be told from an original".to_owned());
            }
            let is_pattern = !column.shape.contains(' ');
            vec![
                Cell::Badge(Tone::Quiet, column.token.name().to_owned()),
                if is_pattern {
                    Cell::Code(column.shape.clone())
                } else {
                    Cell::Text(column.shape.clone())
                },
                if said.is_empty() { Cell::Empty } else { Cell::Text(said.join("; ")) },
                Cell::Text(ticked(names)),
            ]
        })
        .collect();
    markup.table(
        "What stands in the cells afterwards: the shape, not a token",
        &["token", "looks like", "treated", "columns"],
        &rows,
    );
}

/// Names in backticks, with commas between.
fn ticked(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn out_of_scope(markup: &mut Markup, document: &PlanDocument) {
    let part = &document.out_of_scope;
    markup
        .raw("<p><strong>")
        .number(part.columns)
        .raw("</strong> columns stay as they are, among them those of <strong>")
        .number(part.tables)
        .raw(if part.tables == 1 { "</strong> table" } else { "</strong> tables" })
        .raw(" without any column in scope.</p>\n");
    let (touched, others): (Vec<_>, Vec<_>) = part.list.iter().partition(|table| table.is_touched);
    let rows = |tables: &[&crate::report::plan_document::OutTable]| -> Vec<Vec<Cell>> {
        tables
            .iter()
            .flat_map(|table| table.groups.iter().map(move |group| (table, group)))
            .map(|(table, group)| {
                vec![
                    Cell::Code(table.table.clone()),
                    Cell::Number(group.columns.len() as u64),
                    Cell::Text(ticked(&group.columns)),
                    Cell::Text(group.reason.clone()),
                ]
            })
            .collect()
    };
    let heads = ["table", "columns", "which", "why"];
    let mut fold = |title: &'static str, tables: &[&crate::report::plan_document::OutTable]| {
        if tables.is_empty() {
            return;
        }
        let open = tables.len() <= TABLES_OPEN;
        markup.raw(if open { "<details open><summary>" } else { "<details><summary>" });
        markup.raw(title).raw(" (").number(tables.len() as u64).raw(if tables.len() == 1 {
            " table)</summary>\n"
        } else {
            " tables)</summary>\n"
        });
        markup.table(title, &heads, &rows(tables));
        markup.raw("</details>\n");
    };
    fold("Other columns of the tables that are touched", &touched);
    fold("Tables that are not touched", &others);
}

pub(super) fn blast_radius(markup: &mut Markup, document: &PlanDocument) {
    if document.blast_radius.is_empty() {
        markup.paragraph("No view, trigger, foreign key, index or constraint is touched.");
        return;
    }
    map::write(markup, document);
    for kind in TouchedKind::ALL {
        let rows: Vec<Vec<Cell>> = document
            .blast_radius
            .iter()
            .filter(|touched| touched.kind == kind)
            .map(|touched| {
                vec![
                    Cell::Code(touched.name.clone()),
                    Cell::Code(touched.table.to_string()),
                    touched.verdict.map_or(Cell::Empty, verdict),
                    if touched.columns.is_empty() {
                        Cell::Empty
                    } else {
                        Cell::Text(ticked(&touched.columns))
                    },
                    Cell::Text(touched.effect.clone()),
                    Cell::Text(touched.handling.clone()),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let heads = ["name", "table", "verdict", "columns", "what happens", "dealt with"];
            markup.table(caption(kind), &heads, &rows);
        }
    }
}

fn caption(kind: TouchedKind) -> &'static str {
    match kind {
        TouchedKind::View => "Views",
        TouchedKind::Trigger => "Triggers",
        TouchedKind::ForeignKey => "Foreign keys",
        TouchedKind::Index => "Indexes",
        TouchedKind::FullText => "Full-text indexes",
        TouchedKind::GeneratedColumn => "Generated columns",
        TouchedKind::Check => "CHECK constraints",
        TouchedKind::Statistics => "Statistics",
    }
}

fn verdict(verdict: Verdict) -> Cell {
    let tone = match verdict {
        Verdict::Blocks => Tone::Bad,
        Verdict::Warns => Tone::Warn,
        Verdict::Handled => Tone::Quiet,
    };
    Cell::Badge(tone, verdict.name().to_owned())
}

pub(super) fn breaks(markup: &mut Markup, document: &PlanDocument) {
    if document.breaks.is_empty() {
        markup.paragraph(
            "In the texts of views, triggers and indexes no query was found that will not work as \
             before. Queries of applications are not in the database; who owns one should look for \
             LIKE, ranges, ORDER BY and functions over the columns in scope.",
        );
        return;
    }
    finding_table(markup, "Queries that will not work as before", &document.breaks);
}

pub(super) fn copies(markup: &mut Markup, document: &PlanDocument) {
    if document.copies.is_empty() {
        markup.paragraph(
            "No copy of the values was reported in the columns that were compared. The purge \
             searches the files again, and reports what it meets.",
        );
        return;
    }
    finding_table(markup, "Copies of the values in other columns", &document.copies);
}

pub(super) fn accepted(markup: &mut Markup, document: &PlanDocument) {
    if document.accepted.is_empty() {
        markup.paragraph("Nothing beyond the change itself.");
        return;
    }
    let rows: Vec<Vec<Cell>> = document
        .accepted
        .iter()
        .map(|line| {
            vec![
                Cell::Code(line.about.clone()),
                Cell::Text(line.statement.clone()),
                Cell::Text(line.chosen_by.clone()),
            ]
        })
        .collect();
    markup.table("Risks that a signature accepts", &["about", "what", "chosen by"], &rows);
}

pub(super) fn findings(markup: &mut Markup, document: &PlanDocument) {
    if document.findings.is_empty() {
        markup.paragraph("The plan found nothing to say.");
        return;
    }
    for (wanted, title) in [
        (Verdict::Blocks, "In the way of a run"),
        (Verdict::Warns, "To be weighed"),
        (Verdict::Handled, "Dealt with by Sealift"),
    ] {
        let found: Vec<Finding> =
            document.findings.iter().filter(|found| found.verdict == wanted).cloned().collect();
        if !found.is_empty() {
            finding_table(markup, title, &found);
        }
    }
}

fn finding_table(markup: &mut Markup, caption: &'static str, findings: &[Finding]) {
    let rows: Vec<Vec<Cell>> = findings
        .iter()
        .map(|finding| {
            vec![
                Cell::Code(finding.object.clone()),
                verdict(finding.verdict),
                Cell::Text(finding.fact.clone()),
                Cell::Text(finding.remedy.clone()),
                Cell::Code(finding.pitfall.clone()),
            ]
        })
        .collect();
    markup.table(caption, &["object", "verdict", "fact", "remedy", "pitfall"], &rows);
}
