//! The report in a terminal: its first screen. What else there is stands in the page.

use super::Report;
use crate::words::{capital, grouped};

/// Letters of a line, at the most.
const WIDTH: usize = 92;
/// What a line under a heading begins with.
const INDENT: &str = "  ";

pub(super) fn write(report: &Report) -> String {
    let (header, summary) = (&report.header, &report.summary);
    let mut page = Page::default();
    let held = header.condition.map(|condition| format!(", {}", condition.name()));
    page.line(&format!(
        "Run {} of {} · {}{}",
        header.run,
        header.source,
        summary.verdict,
        held.unwrap_or_default()
    ));
    for statement in &summary.statements {
        page.paragraph(INDENT, INDENT, &format!("{statement}."));
    }
    if !summary.is_finished {
        page.paragraph(INDENT, INDENT, "This run is not finished.");
    }
    page.line("");
    for figure in &summary.figures {
        let number = figure.number.map_or_else(|| "–".to_owned(), grouped);
        page.line(&format!("{INDENT}{:<32}{number:>12}  {}", figure.name, figure.remark));
    }
    page.line("");
    page.line("What is claimed");
    for claim in &report.certificate.claims {
        let begin = format!("{INDENT}{:<16}", claim.level.title());
        let claimed = format!("{}: {}", claim.state.title(), claim.statement);
        page.paragraph(&begin, &" ".repeat(18), &claimed);
    }
    page.line("");
    page.line("What this does not say");
    for limit in &summary.limits {
        page.paragraph("  - ", "    ", &capital(limit));
    }
    page.finish()
}

/// A page of a terminal, written line by line.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// Ends the page.
    pub(super) fn finish(self) -> String {
        self.0
    }

    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(&plain(line));
        self.0.push('\n');
    }

    /// Writes a paragraph with its lines broken between words.
    pub(super) fn paragraph(&mut self, first: &str, further: &str, text: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in text.split(' ') {
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.line(&line);
                further.clone_into(&mut line);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.line(&line);
    }
}

/// A name shall not be able to steer the terminal: control characters are shown by their number.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}
