//! Drawings: bars, as inline SVG, each with its numbers in words.

use super::markup::{Markup, grouped};

/// Units from the left to the right edge of a bar.
const WIDTH: u64 = 1000;
/// The least width of a part that is not zero: it shall be seen.
const SEEN_MIN: u64 = 6;

/// One part of a bar.
pub(super) struct Part<'a> {
    /// What it is, for the words.
    pub(super) name: &'a str,
    /// How much of it.
    pub(super) amount: u64,
    /// How it is filled.
    pub(super) fill: Fill,
}

/// How a part of a bar is filled. Dark and light differ too, so that it prints in grey.
#[derive(Clone, Copy)]
pub(super) enum Fill {
    /// Tokens.
    Token,
    /// What is left as it is.
    Quiet,
    /// Originals that survive.
    Residue,
    /// Copies outside the policy, quarantine.
    Warn,
}

impl Fill {
    fn open(self) -> &'static str {
        match self {
            Self::Token => "<rect class=\"f-token\" height=\"28\" x=\"",
            Self::Quiet => "<rect class=\"f-quiet\" height=\"28\" x=\"",
            Self::Residue => "<rect class=\"f-residue\" height=\"28\" x=\"",
            Self::Warn => "<rect class=\"f-warn\" height=\"28\" x=\"",
        }
    }
}

/// Draws one bar. `whole` is what the full width stands for; `title` is said before the numbers.
pub(super) fn bar(markup: &mut Markup, title: &str, whole: u64, parts: &[Part<'_>]) {
    let words: Vec<String> = parts
        .iter()
        .filter(|part| part.amount > 0)
        .map(|part| format!("{} {}", grouped(part.amount), part.name))
        .collect();
    let words = if words.is_empty() { "none".to_owned() } else { words.join(", ") };
    markup
        .raw("<svg class=\"bar\" role=\"img\" viewBox=\"0 0 1000 28\" preserveAspectRatio=\"none\" aria-label=\"")
        .text(title)
        .text(": ")
        .text(&words)
        .raw("\"><rect class=\"f-track\" width=\"1000\" height=\"28\"/>");
    let mut x = 0;
    for part in parts.iter().filter(|part| part.amount > 0) {
        let width = width_of(part.amount, whole).min(WIDTH.saturating_sub(x));
        markup.raw(part.fill.open()).length(x).raw("\" width=\"").length(width).raw("\"/>");
        x += width;
    }
    markup.raw("</svg>");
}

fn width_of(amount: u64, whole: u64) -> u64 {
    let width = u128::from(amount) * u128::from(WIDTH) / u128::from(whole.max(1));
    u64::try_from(width).unwrap_or(WIDTH).clamp(SEEN_MIN, WIDTH)
}
