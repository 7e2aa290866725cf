//! Drawing with SVG: rectangles, lines, dots and words on a canvas as wide as its column.
//!
//! A canvas has no view box: across it is measured in shares of its width, down it in pixels. So a
//! drawing fills 1040 pixels as well as 350, its letters keep their size, and its patterns their
//! shape. This file knows no report.
//!
//! **Invariant:** numbers are written without floating point, and texts go through
//! [`Markup::text`]: equal figures give equal bytes, and a name cannot become markup.

use super::markup::Markup;

/// A share of a canvas's width, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Share(u32);

/// The least share of a part that is not zero: it shall be seen.
const SEEN_MIN: Share = Share(60);
/// The whole width.
const WHOLE: u32 = 10_000;
/// A name in a drawing is cut off after this many characters: a drawing cannot break lines.
const LABEL_CHARS_MAX: usize = 34;

impl Share {
    /// Nothing.
    pub(super) const ZERO: Self = Self(0);
    /// The whole width.
    pub(super) const FULL: Self = Self(WHOLE);

    /// What `part` is of `whole`, rounded down; something is never drawn as nothing.
    pub(super) fn of(part: u64, whole: u64) -> Self {
        Self::of_sum(part, u128::from(whole))
    }

    fn of_sum(part: u64, whole: u128) -> Self {
        if part == 0 || whole == 0 {
            return Self::ZERO;
        }
        let share = u128::from(part) * u128::from(WHOLE) / whole;
        Self(u32::try_from(share).unwrap_or(WHOLE).clamp(SEEN_MIN.0, WHOLE))
    }

    /// This share of `whole` instead of the full width.
    pub(super) fn within(self, whole: Self) -> Self {
        let share = u64::from(self.0) * u64::from(whole.0) / u64::from(WHOLE);
        Self(u32::try_from(share).unwrap_or(WHOLE))
    }

    /// Both together, the full width at the most.
    pub(super) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).min(WHOLE))
    }

    /// What remains of it.
    pub(super) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// One of so many equal parts.
    pub(super) fn one_of(count: u64) -> Self {
        Self(WHOLE / u32::try_from(count).unwrap_or(WHOLE).max(1))
    }

    /// So many times this.
    pub(super) fn times(self, count: u64) -> Self {
        let share = u64::from(self.0).saturating_mul(count);
        Self(u32::try_from(share).unwrap_or(WHOLE).min(WHOLE))
    }

    /// Half of it.
    pub(super) fn half(self) -> Self {
        Self(self.0 / 2)
    }
}

/// Cuts `room` into parts that are as large as `amounts`; none of something is too small to be
/// seen, and the largest part gives way for that.
pub(super) fn split(amounts: &[u64], room: Share) -> Vec<Share> {
    let sum: u128 = amounts.iter().map(|amount| u128::from(*amount)).sum();
    let mut shares: Vec<Share> =
        amounts.iter().map(|amount| Share::of_sum(*amount, sum).within(room)).collect();
    for (share, amount) in shares.iter_mut().zip(amounts) {
        if *amount > 0 {
            *share = (*share).max(SEEN_MIN.min(room));
        }
    }
    let used: u32 = shares.iter().map(|share| share.0).sum();
    let largest = shares.iter_mut().max_by_key(|share| share.0).filter(|share| share.0 > 0);
    if let Some(largest) = largest {
        // What rounding left over, or what the small parts took.
        largest.0 = (largest.0 + room.0).saturating_sub(used);
    }
    shares
}

/// How a shape is filled. Each has a pattern of its own, so that colour is never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// The ground of a bar.
    Track,
    /// Tokens, work done: solid.
    Token,
    /// Tokens that were there before: solid, lighter, with dots.
    Already,
    /// NULL and what stays as it is: plain and pale.
    Quiet,
    /// Empty by policy: pale, with lines across.
    Empty,
    /// Waiting: pale, hatched.
    Wait,
    /// Originals before, copies, quarantine: hatched.
    Warn,
    /// Originals that survive, what does not add up: hatched crosswise.
    Residue,
}

impl Fill {
    /// Every fill that a legend may name.
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Track,
        Self::Token,
        Self::Already,
        Self::Quiet,
        Self::Empty,
        Self::Wait,
        Self::Warn,
        Self::Residue,
    ];

    fn class(self) -> &'static str {
        match self {
            Self::Track => "f-track",
            Self::Token => "f-token",
            Self::Already => "f-already",
            Self::Quiet => "f-quiet",
            Self::Empty => "f-empty",
            Self::Wait => "f-wait",
            Self::Warn => "f-warn",
            Self::Residue => "f-residue",
        }
    }
}

/// Where a text stands from its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// After it.
    Start,
    /// Around it.
    Middle,
    /// Before it.
    End,
}

/// A place across: a share of the width, and pixels beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(pub(super) Share, pub(super) u64);

/// One drawing.
pub(super) struct Drawing<'a>(&'a mut Markup);

impl<'a> Drawing<'a> {
    /// Begins a drawing. `title` says what it shows, `says` its figures in words.
    pub(super) fn open(
        markup: &'a mut Markup,
        class: &'static str,
        height: u64,
        title: &str,
        says: &str,
    ) -> Self {
        markup
            .raw("<svg class=\"")
            .raw(class)
            .raw("\" role=\"img\" width=\"100%\" height=\"")
            .length(height)
            .raw("\"><title>")
            .text(title)
            .raw("</title><desc>")
            .text(says)
            .raw("</desc>");
        Self(markup)
    }

    /// Ends the drawing.
    pub(super) fn close(self) {
        self.0.raw("</svg>\n");
    }

    /// Draws a rectangle.
    pub(super) fn rect(
        &mut self,
        (x, y): (Share, u64),
        (width, height): (Share, u64),
        fill: Fill,
    ) -> &mut Self {
        if width == Share::ZERO {
            return self;
        }
        self.0.raw("<rect class=\"").raw(fill.class()).raw("\" x=\"").share(x);
        self.0.raw("\" y=\"").length(y).raw("\" width=\"").share(width);
        self.0.raw("\" height=\"").length(height).raw("\"/>");
        self
    }

    /// Draws a line; `class` says how.
    pub(super) fn line(
        &mut self,
        from: (Share, u64),
        to: (Share, u64),
        class: &'static str,
    ) -> &mut Self {
        self.0.raw("<line class=\"").raw(class).raw("\" x1=\"").share(from.0);
        self.0.raw("\" y1=\"").length(from.1).raw("\" x2=\"").share(to.0);
        self.0.raw("\" y2=\"").length(to.1).raw("\"/>");
        self
    }

    /// Draws an upright line so many pixels from the left edge.
    pub(super) fn upright(&mut self, x: u64, from: u64, to: u64, class: &'static str) -> &mut Self {
        self.0.raw("<line class=\"").raw(class).raw("\" x1=\"").length(x);
        self.0.raw("\" y1=\"").length(from).raw("\" x2=\"").length(x);
        self.0.raw("\" y2=\"").length(to).raw("\"/>");
        self
    }

    /// Draws a dot with its middle at `at`.
    pub(super) fn dot(&mut self, at: At, y: u64, radius: u64, class: &'static str) -> &mut Self {
        self.0.raw("<circle class=\"").raw(class).raw("\" cx=\"").share(at.0);
        self.0.raw("\" cy=\"").length(y).raw("\" r=\"").length(radius).raw("\"");
        self.beside(at.1);
        self.0.raw("/>");
        self
    }

    /// Draws the head of an arrow that points to the left, its tip at `at`.
    pub(super) fn arrow_left(&mut self, x: Share, y: u64) -> &mut Self {
        self.0.raw("<svg class=\"arrow\" x=\"").share(x).raw("\" y=\"").length(y);
        self.0.raw("\" overflow=\"visible\"><path d=\"M0 0 L10 -6 L10 6 Z\"/></svg>");
        self
    }

    /// Writes words; `class` says how.
    pub(super) fn text(
        &mut self,
        at: At,
        y: u64,
        anchor: Anchor,
        class: &'static str,
        words: &str,
    ) -> &mut Self {
        self.0.raw("<text class=\"").raw(class).raw("\" x=\"").share(at.0);
        self.0.raw("\" y=\"").length(y).raw("\"");
        self.beside(at.1);
        self.0.raw(match anchor {
            Anchor::Start => ">",
            Anchor::Middle => " text-anchor=\"middle\">",
            Anchor::End => " text-anchor=\"end\">",
        });
        self.0.text(words).raw("</text>");
        self
    }

    fn beside(&mut self, pixels: u64) {
        if pixels > 0 {
            self.0.raw(" transform=\"translate(").length(pixels).raw(")\"");
        }
    }
}

impl Markup {
    /// Writes a share of the width.
    fn share(&mut self, share: Share) -> &mut Self {
        let (whole, rest) = (u64::from(share.0 / 100), u64::from(share.0 % 100));
        self.length(whole);
        if rest > 0 {
            self.raw(".").raw(if rest < 10 { "0" } else { "" });
            self.length(if rest.is_multiple_of(10) { rest / 10 } else { rest });
        }
        self.raw("%")
    }
}

/// A sample of a fill for a legend; the word stands beside it.
pub(super) fn swatch(markup: &mut Markup, fill: Fill) {
    markup
        .raw("<svg class=\"swatch\" aria-hidden=\"true\" width=\"16\" height=\"16\"><rect class=\"")
        .raw(fill.class())
        .raw("\" width=\"16\" height=\"16\"/></svg>");
}

/// A name short enough for a drawing; the table beneath has all of it.
pub(super) fn label(name: &str) -> String {
    if name.chars().count() <= LABEL_CHARS_MAX {
        return name.to_owned();
    }
    let start: String = name.chars().take(LABEL_CHARS_MAX - 1).collect();
    format!("{start}…")
}

/// The patterns of all fills, once a page.
pub(super) const PATTERNS: &str = include_str!("patterns.svg");

#[cfg(test)]
mod tests {
    use super::*;

    fn written(share: Share) -> String {
        let mut markup = Markup::default();
        markup.share(share);
        markup.finish()
    }

    #[test]
    fn a_share_is_written_without_floating_point() {
        let shares = [Share::ZERO, Share::of(1, 3), Share::of(1, 20), Share(1_005), Share::FULL];
        assert_eq!(shares.map(written), ["0%", "33.33%", "5%", "10.05%", "100%"]);
    }

    #[test]
    fn something_is_never_drawn_as_nothing() {
        assert_eq!(Share::of(1, u64::MAX), SEEN_MIN);
        assert_eq!(Share::of(0, 7), Share::ZERO);
        assert_eq!(Share::of(u64::MAX, 1), Share::FULL);
    }

    #[test]
    fn parts_fill_their_room_to_the_end() {
        for amounts in [vec![52_333, 480, 0, 1], vec![1, 1, 1], vec![u64::MAX, u64::MAX]] {
            let parts = split(&amounts, Share::FULL);
            assert_eq!(parts.iter().map(|part| part.0).sum::<u32>(), WHOLE, "{amounts:?}");
            for (amount, part) in amounts.iter().zip(&parts) {
                assert_eq!(*amount == 0, *part == Share::ZERO, "{amounts:?}");
            }
        }
        assert_eq!(split(&[0, 0], Share::FULL), [Share::ZERO, Share::ZERO]);
    }

    #[test]
    fn a_name_cannot_leave_a_drawing() {
        let mut markup = Markup::default();
        let mut drawing = Drawing::open(&mut markup, "p", 10, "<script>", "\"");
        drawing.text(At(Share::ZERO, 0), 1, Anchor::Start, "l", "</svg><script>");
        drawing.close();
        let page = markup.finish();
        assert_eq!(page.matches("</svg>").count(), 1);
        assert!(!page.contains("<script>"));
    }

    #[test]
    fn a_long_name_is_cut_and_a_short_one_is_not() {
        assert_eq!(label("customers"), "customers");
        assert_eq!(label(&"x".repeat(50)).chars().count(), LABEL_CHARS_MAX);
    }

    #[test]
    fn every_fill_has_its_style_and_every_pattern_its_drawing() {
        let style = include_str!("style.css");
        for fill in Fill::ALL {
            assert!(style.contains(&format!(".{} ", fill.class())), "{}", fill.class());
        }
        for used in style.split("url(#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(PATTERNS.contains(&format!("id=\"{used}\"")), "{used}");
        }
    }
}
