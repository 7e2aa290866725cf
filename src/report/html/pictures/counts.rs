//! Whether the cells add up: what was visited above, what became of it beneath.

use super::{fill_of, legend, part_title, words};
use crate::report::Report;
use crate::report::html::markup::Markup;
use crate::report::html::svg::{Anchor, At, Drawing, Fill, Share, split};
use crate::words::{counted, grouped};

pub(crate) fn draw(markup: &mut Markup, report: &Report) {
    let counts = &report.counts;
    let sum = counts.parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.cells));
    let whole = sum.max(counts.cells);
    let says = format!(
        "{} visited; {}; {}",
        counted(counts.cells, "cell was", "cells were"),
        words(&counts.parts),
        if counts.reconciles == Some(true) { "they add up" } else { "they do not add up" }
    );
    markup.raw("<figure class=\"picture\">\n");
    let title = "Cells visited, and what became of them";
    let mut drawing = Drawing::open(markup, "drawing", 104, title, &says);
    let visited = Share::of(counts.cells, whole);
    let became = Share::of(sum, whole);
    drawing
        .text(At(Share::ZERO, 0), 14, Anchor::Start, "l-name", &of("visited", counts.cells))
        .rect((Share::ZERO, 20), (Share::FULL, 18), Fill::Track)
        .rect((Share::ZERO, 20), (visited, 18), Fill::Quiet)
        .text(At(Share::ZERO, 0), 62, Anchor::Start, "l-name", &of("accounted for", sum))
        .rect((Share::ZERO, 68), (Share::FULL, 18), Fill::Track);
    let amounts: Vec<u64> = counts.parts.iter().map(|part| part.cells).collect();
    let mut x = Share::ZERO;
    for (part, width) in counts.parts.iter().zip(split(&amounts, became)) {
        drawing.rect((x, 68), (width, 18), fill_of(part.name));
        x = x.plus(width);
    }
    // What is too few or too many, as a piece of its own.
    let (short, long) = (visited.min(became), visited.max(became));
    let top = if sum < counts.cells { 68 } else { 20 };
    drawing.rect((short, top), (long.minus(short), 18), Fill::Residue);
    drawing.line((short, 16), (short, 92), "rule");
    drawing.close();
    let mut marks: Vec<(Fill, String)> = counts
        .parts
        .iter()
        .filter(|part| part.cells > 0)
        .map(|part| {
            (fill_of(part.name), format!("{} {}", grouped(part.cells), part_title(part.name)))
        })
        .collect();
    if sum != counts.cells {
        let missing = format!("{} unexplained", grouped(sum.abs_diff(counts.cells)));
        marks.push((Fill::Residue, missing));
    }
    legend(markup, &marks);
    markup.raw("</figure>\n");
}

fn of(what: &str, cells: u64) -> String {
    format!("{} {what}", counted(cells, "cell", "cells"))
}
