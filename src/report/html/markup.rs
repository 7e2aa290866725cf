//! The writer of HTML: tags are written in this program, everything else is escaped.
//!
//! **Invariant:** markup enters a page only as a `&'static str`. A text that came from outside has
//! one way in, [`Markup::text`], and leaves it escaped.

use std::fmt::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use super::embedded;

pub(super) use crate::report::Tone;
use crate::words::grouped;

/// A page, or a piece of one.
#[derive(Default)]
pub(super) struct Markup(String);

/// A text in a table beyond this length wants a wide column.
const LONG_BYTES: usize = 32;

/// A table of so many columns of short texts need not be as wide as the page.
const SMALL_MAX: usize = 3;

/// What stands in a cell of a table.
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A name.
    Code(String),
    /// A name, and a remark beneath it.
    Named(String, String),
    /// A word in a frame, and a remark beneath it.
    Badged(Tone, String, String),
    /// A hash: it may break anywhere, and wants room.
    Hash(String),
    /// A count.
    Number(u64),
    /// A count that stands in the report's JSON at this place.
    At(String, u64),
    /// A moment.
    Time(String),
    /// A word in a coloured frame. The word alone says it, too.
    Badge(Tone, String),
    /// Links to sections of the page, by anchor and title, and to entries of the timeline.
    Links(Vec<(&'static str, &'static str)>, Vec<u64>),
    /// Nothing.
    Empty,
}

/// Opens a badge. The mark before the word says it without its colour.
fn badge_open(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "<span class=\"badge good\"><span aria-hidden=\"true\">✓</span> ",
        Tone::Warn => "<span class=\"badge warn\"><span aria-hidden=\"true\">!</span> ",
        Tone::Bad => "<span class=\"badge bad\"><span aria-hidden=\"true\">✕</span> ",
        Tone::Quiet => "<span class=\"badge quiet\">",
    }
}

impl Cell {
    /// A text, or nothing where there is none.
    pub(super) fn text_or_empty(text: Option<&str>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.to_owned()))
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::At(..))
    }

    /// Whether it is a sentence, which reads badly in a narrow column.
    fn is_long(&self) -> bool {
        match self {
            Self::Text(text) | Self::Named(_, text) | Self::Badged(_, _, text) => {
                text.len() > LONG_BYTES
            }
            Self::Code(_)
            | Self::Hash(_)
            | Self::Number(_)
            | Self::At(..)
            | Self::Time(_)
            | Self::Badge(..)
            | Self::Links(..)
            | Self::Empty => false,
        }
    }
}

impl Markup {
    /// Writes markup of this program's own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Writes a text. Control characters and those that turn the direction of writing are shown by
    /// their number: a name shall not be able to look like another one.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' => self.0.push('\n'),
                _ if is_invisible(character) => {
                    // Writing into a String cannot fail.
                    let _ = write!(self.0, "\\u{{{:x}}}", u32::from(character));
                }
                _ => self.0.push(character),
            }
        }
        self
    }

    /// Writes a count with commas between the thousands.
    pub(super) fn number(&mut self, number: u64) -> &mut Self {
        self.0.push_str(&grouped(number));
        self
    }

    /// Writes a length in a drawing.
    pub(super) fn length(&mut self, length: u64) -> &mut Self {
        let _ = write!(self.0, "{length}");
        self
    }

    /// Writes a name, a hash or a command.
    pub(super) fn code(&mut self, text: &str) -> &mut Self {
        self.raw("<code>").text(text).raw("</code>")
    }

    /// Writes a word in a frame.
    pub(super) fn badge(&mut self, tone: Tone, word: &str) -> &mut Self {
        self.raw(badge_open(tone)).text(word).raw("</span>")
    }

    /// Writes an RFC 3339 time in UTC so that people can read it.
    pub(super) fn time(&mut self, at: &str) -> &mut Self {
        self.raw("<time datetime=\"").text(at).raw("\">").text(&readable(at)).raw("</time>")
    }

    /// Writes a sentence; what stands in it between backticks is set as a name.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        let pieces: Vec<&str> = text.split('`').collect();
        if pieces.len().is_multiple_of(2) {
            return self.text(text);
        }
        for (at, piece) in pieces.into_iter().enumerate() {
            if at.is_multiple_of(2) {
                self.text(piece)
            } else {
                self.code(piece)
            };
        }
        self
    }

    fn remark(&mut self, text: &str) -> &mut Self {
        if text.is_empty() {
            return self;
        }
        self.raw("<span class=\"sub\">").prose(text).raw("</span>")
    }

    /// Writes a paragraph.
    pub(super) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.raw("<p>").prose(text).raw("</p>\n")
    }

    /// Writes a remark in smaller letters.
    pub(super) fn note(&mut self, text: &str) -> &mut Self {
        self.raw("<p class=\"note\">").text(text).raw("</p>\n")
    }

    /// Writes a list of sentences.
    pub(super) fn list<'a>(&mut self, sentences: impl IntoIterator<Item = &'a str>) -> &mut Self {
        self.raw("<ul>\n");
        for sentence in sentences {
            self.raw("<li>").prose(sentence).raw("</li>\n");
        }
        self.raw("</ul>\n")
    }

    /// Writes a table. The first cell of each row is its heading; a wide table scrolls by itself,
    /// by keyboard too.
    pub(super) fn table(
        &mut self,
        caption: &'static str,
        heads: &[&'static str],
        rows: &[Vec<Cell>],
    ) -> &mut Self {
        let is_small = heads.len() <= SMALL_MAX && !rows.iter().flatten().any(Cell::is_long);
        self.raw(if is_small {
            "<div class=\"scroll small\" role"
        } else {
            "<div class=\"scroll\" role"
        });
        self.raw("=\"region\" tabindex=\"0\" aria-label=\"")
            .text(caption)
            .raw("\"><table>\n<caption>")
            .text(caption)
            .raw("</caption>\n<thead><tr>");
        for (at, head) in heads.iter().enumerate() {
            let is_number = rows.iter().any(|row| row.get(at).is_some_and(Cell::is_number));
            self.raw(if is_number {
                "<th scope=\"col\" class=\"num\">"
            } else {
                "<th scope=\"col\">"
            });
            self.text(head).raw("</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
        for row in rows {
            self.row(row);
        }
        self.raw("</tbody></table></div>\n")
    }

    fn row(&mut self, row: &[Cell]) {
        self.raw("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let (open, close) = match (at, cell) {
                (0, cell) if cell.is_number() => ("<th scope=\"row\" class=\"num\">", "</th>"),
                (0, cell) if cell.is_long() => ("<th scope=\"row\" class=\"long\">", "</th>"),
                (0, _) => ("<th scope=\"row\">", "</th>"),
                (_, Cell::Hash(_)) => ("<td class=\"hash\">", "</td>"),
                (_, cell) if cell.is_number() => ("<td class=\"num\">", "</td>"),
                (_, cell) if cell.is_long() => ("<td class=\"long\">", "</td>"),
                (_, _) => ("<td>", "</td>"),
            };
            self.raw(open);
            self.cell(cell);
            self.raw(close);
        }
        self.raw("</tr>\n");
    }

    fn cell(&mut self, cell: &Cell) {
        match cell {
            Cell::Text(text) => self.prose(text),
            Cell::Code(text) | Cell::Hash(text) => self.code(text),
            Cell::Named(name, remark) => self.code(name).remark(remark),
            Cell::Badged(tone, word, remark) => self.badge(*tone, word).remark(remark),
            Cell::Number(number) => self.number(*number),
            Cell::At(place, number) => self.number_at(place, *number),
            Cell::Time(at) => self.time(at),
            Cell::Badge(tone, word) => self.badge(*tone, word),
            Cell::Links(sections, entries) => self.links(sections, entries),
            Cell::Empty => self.raw("<span class=\"none\" aria-label=\"none\">–</span>"),
        };
    }

    fn links(&mut self, sections: &[(&'static str, &'static str)], entries: &[u64]) -> &mut Self {
        for (at, (anchor, title)) in sections.iter().enumerate() {
            self.raw(if at > 0 { ", " } else { "" });
            self.raw("<a href=\"#").raw(anchor).raw("\">").raw(title).raw("</a>");
        }
        for seq in entries {
            self.raw(", <a href=\"#entry-").length(*seq).raw("\">entry ").number(*seq).raw("</a>");
        }
        self
    }

    /// Writes a count that stands in the report's JSON at this place, and says so, so that the page
    /// can hold the two against each other.
    pub(super) fn number_at(&mut self, place: &str, number: u64) -> &mut Self {
        self.raw("<span data-at=\"").text(place).raw("\">").number(number).raw("</span>")
    }

    /// Writes the report's own JSON where the page's script finds it.
    pub(super) fn embed(&mut self, json: &str) -> &mut Self {
        self.raw(embedded::BEGIN);
        self.0.push_str(&embedded::put_in(json));
        self.raw(embedded::END)
    }

    /// Writes the hash of the page's own script, in base64.
    pub(super) fn script_hash(&mut self, script: &'static str) -> &mut Self {
        self.0.push_str(&BASE64_STANDARD.encode(Sha256::digest(script.as_bytes())));
        self
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// `2026-01-31T09:30:00.123Z` becomes `2026-01-31 09:30:00 UTC`; anything else stays as it is.
pub(in crate::report) fn readable(at: &str) -> String {
    match (at.get(..10), at.get(10..11), at.get(11..19), at.ends_with('Z')) {
        (Some(day), Some("T"), Some(time), true) => format!("{day} {time} UTC"),
        _ => at.to_owned(),
    }
}

/// Control characters, marks of direction, and characters without width.
pub(in crate::report) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_become_markup() {
        let mut markup = Markup::default();
        markup.text("<script>alert(\"1\" & '2')</script>");
        assert_eq!(
            markup.finish(),
            "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;"
        );
    }

    #[test]
    fn a_text_cannot_turn_the_direction_of_writing() {
        let mut markup = Markup::default();
        markup.text("a\u{202e}b\u{0}");
        assert_eq!(markup.finish(), "a\\u{202e}b\\u{0}");
    }

    #[test]
    fn a_name_between_backticks_is_set_as_one_and_a_lone_backtick_stays() {
        let mut markup = Markup::default();
        markup.prose("by `<waive>`, ").prose("a`b");
        assert_eq!(markup.finish(), "by <code>&lt;waive&gt;</code>, a`b");
    }

    #[test]
    fn a_time_that_is_none_stays_as_it_is() {
        assert_eq!(readable("2026-01-31T09:30:00.5Z"), "2026-01-31 09:30:00 UTC");
        assert_eq!(readable("yesterday"), "yesterday");
    }
}
