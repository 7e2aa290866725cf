//! How much of each table is treated, and what became of its cells.

use super::{fill_of, legend, part_title, words};
use crate::report::html::markup::Markup;
use crate::report::html::svg::{Anchor, At, Drawing, Fill, Share, label, split};
use crate::report::{Report, TableCoverage};
use crate::words::{counted, grouped};

/// Pixels from one table to the next.
const ROW: u64 = 56;
/// More columns than these are not drawn one by one.
const COLUMNS_MAX: u64 = 60;
/// More tables than these are left to the table beneath.
const TABLES_MAX: usize = 40;

pub(crate) fn draw(markup: &mut Markup, report: &Report) {
    let lines = &report.coverage[..report.coverage.len().min(TABLES_MAX)];
    if lines.is_empty() {
        return;
    }
    let said: Vec<String> =
        lines.iter().map(|line| format!("{}: {}", name(line), words(&line.parts))).collect();
    let height = ROW * lines.len() as u64;
    let title = "Cells in scope by table, and what became of them";
    markup.raw("<figure class=\"picture\">\n");
    let mut drawing = Drawing::open(markup, "drawing", height, title, &said.join("; "));
    for (line, at) in lines.iter().zip(0..) {
        row(&mut drawing, line, at * ROW);
    }
    drawing.close();
    let is_there = |name: &str| {
        lines.iter().flat_map(|line| &line.parts).any(|part| part.name == name && part.cells > 0)
    };
    let parts = lines.first().map(|line| line.parts.as_slice()).unwrap_or_default();
    let mut marks: Vec<(Fill, String)> = parts
        .iter()
        .filter(|part| is_there(part.name))
        .map(|part| (fill_of(part.name), part_title(part.name).to_owned()))
        .collect();
    if lines.iter().any(|line| line.columns_all.is_some()) {
        marks.push((Fill::Track, "thin bar: columns in scope of all columns".to_owned()));
    }
    legend(markup, &marks);
    if report.coverage.len() > TABLES_MAX {
        markup.note("The other tables stand in the table beneath.");
    }
    markup.raw("</figure>\n");
}

fn row(drawing: &mut Drawing<'_>, line: &TableCoverage, top: u64) {
    let columns = match line.columns_all {
        Some(all) => {
            format!("{} of {}", grouped(line.columns_in_scope), counted(all, "column", "columns"))
        }
        None => counted(line.columns_in_scope, "column", "columns"),
    };
    let beside = format!("{} · {columns}", counted(line.cells, "cell", "cells"));
    drawing
        .text(At(Share::ZERO, 0), top + 14, Anchor::Start, "l-name", &label(&name(line)))
        .text(At(Share::FULL, 0), top + 14, Anchor::End, "l-note", &beside)
        .rect((Share::ZERO, top + 21), (Share::FULL, 16), Fill::Track);
    let amounts: Vec<u64> = line.parts.iter().map(|part| part.cells).collect();
    let mut x = Share::ZERO;
    for (part, width) in line.parts.iter().zip(split(&amounts, Share::FULL)) {
        drawing.rect((x, top + 21), (width, 16), fill_of(part.name));
        x = x.plus(width);
    }
    let Some(all) = line.columns_all.filter(|all| (1..=COLUMNS_MAX).contains(all)) else { return };
    let one = Share::one_of(all);
    let drawn = one.minus(one.half().half().half().half());
    for column in 0..all {
        let fill = if column < line.columns_in_scope { Fill::Token } else { Fill::Track };
        drawing.rect((one.times(column), top + 40), (drawn, 4), fill);
    }
}

fn name(line: &TableCoverage) -> String {
    line.tables.join(" + ")
}
