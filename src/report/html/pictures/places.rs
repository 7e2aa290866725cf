//! Originals in the files, before and after, by the kind of place.

use super::legend;
use crate::report::html::markup::Markup;
use crate::report::html::svg::{Anchor, At, Drawing, Fill, Share};
use crate::report::{PlaceKind, PlaceLine, Report};
use crate::words::grouped;

/// Pixels from one place to the next.
const ROW: u64 = 66;
/// Bars leave room for their number.
const ROOM: u64 = 72;

pub(crate) fn draw(markup: &mut Markup, report: &Report) {
    let certificate = &report.certificate;
    let lines = &certificate.places;
    if lines.is_empty() {
        return;
    }
    let hits = |line: &PlaceLine| line.before.max(line.after).unwrap_or_default();
    let most = lines.iter().map(hits).max().unwrap_or_default();
    let said: Vec<String> = lines
        .iter()
        .map(|line| {
            format!(
                "{}: {} before, {} after",
                line.place.title(),
                told(line.before),
                told(line.after)
            )
        })
        .collect();
    let height = ROW * lines.len() as u64 + 4;
    let title = "Originals found in the files of the database, before the purge and after it";
    markup.raw("<figure class=\"picture\">\n");
    let mut drawing = Drawing::open(markup, "drawing", height, title, &said.join("; "));
    for (line, at) in lines.iter().zip(0..) {
        let top = at * ROW;
        drawing.text(At(Share::ZERO, 0), top + 14, Anchor::Start, "l-name", line.place.title());
        let is_scanned = certificate.scan_after.is_some();
        bar(&mut drawing, top + 22, ("before", line.before, true), most, Fill::Warn);
        let fill = if line.place == PlaceKind::Live { Fill::Warn } else { Fill::Residue };
        bar(&mut drawing, top + 39, ("after", line.after, is_scanned), most, fill);
        drawing.upright(1, top + 20, top + 55, "axis");
    }
    drawing.close();
    legend(
        markup,
        &[
            (Fill::Warn, "found before, or in rows that SQL sees".to_owned()),
            (Fill::Residue, "residue: found after, outside such rows".to_owned()),
        ],
    );
    markup.raw("</figure>\n");
}

/// One bar with its number. A zero has no bar, and its number stands at the axis.
fn bar(
    drawing: &mut Drawing<'_>,
    y: u64,
    (name, hits, is_scanned): (&str, Option<u64>, bool),
    most: u64,
    fill: Fill,
) {
    let length = Share::of(hits.unwrap_or_default(), most).within(Share::of(ROOM, 100));
    drawing.rect((Share::ZERO, y), (length, 13), fill);
    let words = match hits {
        Some(hits) => format!("{} {name}", grouped(hits)),
        None if is_scanned => format!("– no such file {name}"),
        None => format!("– not scanned {name}"),
    };
    let is_end = name == "after" && hits == Some(0);
    let class = if is_end { "l-zero" } else { "l-note" };
    drawing.text(At(length, 8), y + 11, Anchor::Start, class, &words);
}

fn told(hits: Option<u64>) -> String {
    hits.map_or_else(|| "none scanned".to_owned(), grouped)
}
