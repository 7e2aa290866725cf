//! The map of the blast radius: a tree for each table, narrow enough for a telephone.
//!
//! A mark says by its form as well as by its colour how a thing stands. The tables below the map say
//! the same in words.

use unicode_width::UnicodeWidthChar;

use super::super::markup::Markup;
use crate::plan::{Touched, Verdict};
use crate::report::plan_document::PlanDocument;

/// Tables that are drawn; those with the most objects.
const TABLES_MAX: usize = 24;

/// Objects of a table that are drawn; the gravest.
const OBJECTS_MAX: usize = 14;

/// Columns of text in a row.
const LABEL_COLUMNS: usize = 40;

/// Height of a row, and of the head.
const ROW: u64 = 26;
const HEAD: u64 = 36;

pub(super) fn write(markup: &mut Markup, document: &PlanDocument) {
    let mut tables: Vec<(String, Vec<&Touched>)> = Vec::new();
    for touched in &document.blast_radius {
        let name = touched.table.to_string();
        match tables.iter_mut().find(|(table, _)| *table == name) {
            Some((_, objects)) => objects.push(touched),
            None => tables.push((name, vec![touched])),
        }
    }
    let left_out = tables.len().saturating_sub(TABLES_MAX);
    if left_out > 0 {
        // The sort is stable: of equals the policy's order stays.
        tables.sort_by_key(|(_, objects)| std::cmp::Reverse(objects.len()));
        tables.truncate(TABLES_MAX);
    }
    markup.raw("<div class=\"maps\">\n");
    for (table, objects) in &mut tables {
        objects.sort_by_key(|touched| rank(touched.verdict));
        tree(markup, table, objects);
    }
    markup.raw("</div>\n<p class=\"note legend\">");
    for (open, word) in [
        ("<svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">", "blocks"),
        ("<svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">", "warns"),
        (
            "<svg class=\"mark\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">",
            "dealt with, or as ever",
        ),
    ] {
        markup.raw("<span>").raw(open);
        mark(markup, verdict_of(word), 8, 8);
        markup.raw("</svg> ").raw(word).raw("</span> ");
    }
    if left_out > 0 {
        markup.number(left_out as u64).raw(" tables with fewer objects are not drawn.");
    }
    markup.raw("</p>\n");
}

fn verdict_of(word: &str) -> Option<Verdict> {
    match word {
        "blocks" => Some(Verdict::Blocks),
        "warns" => Some(Verdict::Warns),
        _ => None,
    }
}

fn rank(verdict: Option<Verdict>) -> u8 {
    match verdict {
        Some(Verdict::Blocks) => 0,
        Some(Verdict::Warns) => 1,
        Some(Verdict::Handled) => 2,
        None => 3,
    }
}

fn tree(markup: &mut Markup, table: &str, objects: &[&Touched]) {
    let shown = &objects[..objects.len().min(OBJECTS_MAX)];
    let left_out = objects.len() - shown.len();
    let rows = (shown.len() + usize::from(left_out > 0)) as u64;
    markup
        .raw("<svg class=\"map\" role=\"img\" viewBox=\"0 0 360 ")
        .length(HEAD + rows * ROW)
        .raw("\" aria-label=\"")
        .text(&words(table, objects))
        .raw("\"><rect class=\"m-table\" x=\"1\" y=\"1\" width=\"358\" height=\"28\" rx=\"5\"/>")
        .raw("<text class=\"m-name\" x=\"12\" y=\"20\">")
        .text(&cut(table))
        .raw("<title>")
        .text(table)
        .raw("</title></text>");
    let last = HEAD + rows.saturating_sub(1) * ROW + ROW / 2;
    markup.raw("<path class=\"m-line\" d=\"M16 30 V").length(last).raw("\"/>");
    for (at, touched) in (0_u64..).zip(shown) {
        let y = HEAD + at * ROW + ROW / 2;
        markup.raw("<path class=\"m-line\" d=\"M16 ").length(y).raw(" H30\"/>");
        mark(markup, touched.verdict, 38, y);
        let label = format!("{} {}", touched.kind.title(), touched.name);
        markup
            .raw("<text class=\"m-label\" x=\"52\" y=\"")
            .length(y + 5)
            .raw("\">")
            .text(&cut(&label))
            .raw("<title>")
            .text(&label)
            .raw("</title></text>");
    }
    if left_out > 0 {
        let y = HEAD + shown.len() as u64 * ROW + ROW / 2;
        markup.raw("<path class=\"m-line\" d=\"M16 ").length(y).raw(" H30\"/>");
        markup.raw("<text class=\"m-label\" x=\"38\" y=\"").length(y + 5).raw("\">and ");
        markup.number(left_out as u64).raw(" more, listed below</text>");
    }
    markup.raw("</svg>\n");
}

/// A square blocks, a triangle warns, a disc does neither.
fn mark(markup: &mut Markup, verdict: Option<Verdict>, x: u64, y: u64) {
    match verdict {
        Some(Verdict::Blocks) => markup
            .raw("<rect class=\"m-bad\" width=\"12\" height=\"12\" x=\"")
            .length(x - 6)
            .raw("\" y=\"")
            .length(y - 6)
            .raw("\"/>"),
        Some(Verdict::Warns) => markup
            .raw("<path class=\"m-warn\" d=\"M")
            .length(x)
            .raw(" ")
            .length(y - 7)
            .raw(" l7 13 h-14 z\"/>"),
        Some(Verdict::Handled) | None => markup
            .raw("<circle class=\"m-good\" r=\"5\" cx=\"")
            .length(x)
            .raw("\" cy=\"")
            .length(y)
            .raw("\"/>"),
    };
}

/// The tree in words: the table, and how many objects of each kind.
fn words(table: &str, objects: &[&Touched]) -> String {
    let counts: Vec<String> = crate::plan::TouchedKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let count = objects.iter().filter(|touched| touched.kind == kind).count();
            match count {
                0 => None,
                1 => Some(format!("1 {}", kind.title())),
                _ => Some(format!("{count} {}", kind.plural())),
            }
        })
        .collect();
    format!("{table} touches {}", counts.join(", "))
}

/// A label that fits into its row.
fn cut(label: &str) -> String {
    let mut width = 0;
    let mut cut = String::new();
    for character in label.chars() {
        width += character.width().unwrap_or(0);
        if width > LABEL_COLUMNS {
            cut.push('…');
            break;
        }
        cut.push(character);
    }
    cut
}
