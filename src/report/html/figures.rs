//! A bar in a row of figures, with its numbers in words.

use super::markup::Markup;
use super::svg::{Drawing, Share};
use crate::report::words::grouped;

pub(super) use super::svg::Fill;

/// One part of a bar.
pub(super) struct Part<'a> {
    /// What it is, for the words.
    pub(super) name: &'a str,
    /// How much of it.
    pub(super) amount: u64,
    /// How it is filled.
    pub(super) fill: Fill,
}

/// Draws one bar. `whole` is what the full width stands for; `title` is said before the numbers.
pub(super) fn bar(markup: &mut Markup, title: &str, whole: u64, parts: &[Part<'_>]) {
    let words: Vec<String> = parts
        .iter()
        .filter(|part| part.amount > 0)
        .map(|part| format!("{} {}", grouped(part.amount), part.name))
        .collect();
    let words = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    let mut drawing = Drawing::open(markup, "bar", 14, title, &words);
    drawing.rect((Share::ZERO, 0), (Share::FULL, 14), Fill::Track);
    let mut x = Share::ZERO;
    for part in parts {
        let width = Share::of(part.amount, whole);
        drawing.rect((x, 0), (width, 14), part.fill);
        x = x.plus(width);
    }
    drawing.close();
}
