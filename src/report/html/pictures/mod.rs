//! Pictures: where a drawing says more than a number. The table beside each has the numbers.

mod counts;
mod coverage;
mod life;
mod period_runs;
mod places;
mod stages;

pub(super) use counts::draw as counts;
pub(super) use coverage::draw as coverage;
pub(super) use life::draw as life;
pub(super) use period_runs::draw as period_runs;
pub(super) use places::draw as places;
pub(super) use stages::draw as stages;

use super::markup::Markup;
use super::svg::{Fill, swatch};
use crate::report::CountPart;
use crate::words::grouped;

/// How the cells of a part are filled.
fn fill_of(part: &str) -> Fill {
    match part {
        "tokenized" => Fill::Token,
        "already_token" => Fill::Already,
        "null" => Fill::Quiet,
        "empty" => Fill::Empty,
        "quarantined" => Fill::Warn,
        _ => Fill::Wait,
    }
}

/// A part of the cells as readers call it.
fn part_title(part: &str) -> &'static str {
    match part {
        "tokenized" => "tokenized",
        "already_token" => "already a token",
        "null" => "NULL",
        "empty" => "empty, kept by policy",
        "quarantined" => "quarantined",
        _ => "vanished with their rows",
    }
}

/// The figures of parts in words: `52,333 tokenized, 480 NULL`.
fn words(parts: &[CountPart]) -> String {
    let said: Vec<String> = parts
        .iter()
        .filter(|part| part.cells > 0)
        .map(|part| format!("{} {}", grouped(part.cells), part_title(part.name)))
        .collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}

/// The legend of a picture.
fn legend(markup: &mut Markup, lines: &[(Fill, String)]) {
    markup.raw("<ul class=\"legend\">");
    for (fill, words) in lines {
        markup.raw("<li>");
        swatch(markup, *fill);
        markup.text(words).raw("</li>");
    }
    markup.raw("</ul>\n");
}
