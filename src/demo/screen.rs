//! The last screen of the tour, for a terminal of any width.
//!
//! A pure function of what was measured: it runs nothing and reads nothing.
//!
//! **Invariant:** no line is wider than the terminal, but for the words of commands, which are never
//! cut: what is shown to be pasted can be pasted.

use crate::words::{grouped, shell_word};
use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::measured::{Measured, Next, Pass, Step, View};

/// Wider than this a line is hard to read.
const WIDTH_MAX: usize = 80;
/// Narrower than this nothing can be drawn; what is too wide then wraps.
const WIDTH_MIN: usize = 40;
/// From here on columns stand side by side.
const SIDE_BY_SIDE: usize = 76;
/// Before every line.
const MARGIN: &str = "  ";
/// The first column of what stands side by side.
const LABEL: usize = 10;

/// Draws the screen, a line each.
#[must_use]
pub fn screen(measured: &Measured, columns: usize, colored: bool) -> Vec<String> {
    let width = columns.clamp(WIDTH_MIN, WIDTH_MAX);
    let mut page = Page { lines: Vec::new(), width, colored };
    title(&mut page, measured);
    row(&mut page, measured);
    views(&mut page, measured);
    originals(&mut page, measured);
    took(&mut page, measured);
    places(&mut page, measured);
    next(&mut page, measured);
    page.lines
}

/// A step that is done: what came of it, and how long it took behind it.
pub(super) fn step_lines(step: &Step, columns: usize) -> Vec<String> {
    const TIME: usize = 9;
    let width = columns.clamp(WIDTH_MIN, WIDTH_MAX);
    let label = LABEL + 2;
    let room = width.saturating_sub(MARGIN.width() + label + TIME);
    let mut lines: Vec<String> = wrapped(&step.said, room)
        .iter()
        .enumerate()
        .map(|(at, said)| {
            let name = if at == 0 { step.name } else { "" };
            format!("{MARGIN}{}{said}", padded(name, label))
        })
        .collect();
    if let Some(line) = lines.last_mut() {
        *line = format!("{}{:>TIME$}", padded(line, width - TIME), seconds(step.seconds));
    }
    lines
}

struct Page {
    lines: Vec<String>,
    width: usize,
    colored: bool,
}

impl Page {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    fn is_wide(&self) -> bool {
        self.width >= SIDE_BY_SIDE
    }

    fn heading(&mut self, words: &str, aside: &str) {
        self.line("");
        let room = self.width.saturating_sub(MARGIN.width() + words.width() + 2);
        let aside = if aside.width() <= room { aside } else { "" };
        let heading = self.paint(words, Style::new().bold());
        let aside = self.paint(aside, Style::new().dimmed());
        self.line(format!("{MARGIN}{heading}  {aside}").trim_end().to_owned());
    }

    /// Prose, broken between words.
    fn prose(&mut self, indent: &str, text: &str, style: Style) {
        let room = self.width.saturating_sub(indent.width());
        for line in wrapped(text, room) {
            let line = self.paint(&line, style);
            self.line(format!("{indent}{line}"));
        }
    }

    fn paint(&self, text: &str, style: Style) -> String {
        if self.colored && !text.is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

const LABELS: Style = Style::new().dimmed();
const TOKENS: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Cyan)));
const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))).bold();
const REFUSED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const COMMANDS: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Yellow)));
const PLAIN: Style = Style::new();

fn title(page: &mut Page, measured: &Measured) {
    let rule = "─".repeat(page.width);
    let rule = page.paint(&rule, LABELS);
    page.line("");
    page.line(rule);
    let text = format!(
        "{} went through Sealift in {}: {} cells became tokens, and each token was opened and \
         compared before its original was purged.",
        people(measured.customers),
        seconds(measured.seconds),
        grouped(measured.cells),
    );
    page.prose(MARGIN, &text, Style::new().bold());
}

fn row(page: &mut Page, measured: &Measured) {
    page.heading("One row, before and after", "");
    let indent = "    ";
    if page.is_wide() {
        let tokens = measured.row.iter().map(|field| field.after.width()).max().unwrap_or(0);
        let room = page.width.saturating_sub(indent.width() + LABEL + 2 + tokens);
        for field in &measured.row {
            let label = page.paint(&padded(field.name, LABEL), LABELS);
            let before = padded(&cut(&field.before, room), room + 2);
            let after = page.paint(&field.after, TOKENS);
            page.line(format!("{indent}{label}{before}{after}"));
        }
        return;
    }
    for field in &measured.row {
        let room = page.width.saturating_sub(indent.width() + LABEL);
        let label = page.paint(&padded(field.name, LABEL), LABELS);
        page.line(format!("{indent}{label}{}", cut(&field.before, room)));
        let token = page.paint(&cut(&field.after, page.width - indent.width() - 2), TOKENS);
        page.line(format!("{indent}→ {token}"));
    }
}

fn views(page: &mut Page, measured: &Measured) {
    page.heading("Who sees what", "values are shown here because these people are invented");
    if page.is_wide() {
        views_side_by_side(page, measured);
        return;
    }
    for view in &measured.views {
        let title = format!("{} for {}", view.role, view.purpose);
        page.line(format!("    {}", cut(&title, page.width - 4)));
        if is_refused(view) {
            let refused = page.paint("refused", REFUSED);
            page.line(format!("      {refused}"));
            continue;
        }
        for (field, seen) in measured.row.iter().zip(&view.seen) {
            let label = page.paint(&padded(field.name, LABEL), LABELS);
            let room = page.width - 6 - LABEL;
            let seen = shown(page, seen.as_deref(), room);
            page.line(format!("      {label}{}", seen.trim_end()));
        }
    }
}

fn views_side_by_side(page: &mut Page, measured: &Measured) {
    let indent = "    ";
    let room = page.width - indent.width() - LABEL;
    let rooms = shared(measured, room);
    let heads = |what: fn(&View) -> &'static str| -> String {
        let cells = measured.views.iter().zip(&rooms);
        let cells = cells.map(|(view, room)| padded(&cut(what(view), room - 2), *room));
        cells.collect::<String>().trim_end().to_owned()
    };
    let gap = " ".repeat(LABEL);
    page.line(format!("{indent}{gap}{}", heads(|view| view.role)));
    let purposes = page.paint(&heads(|view| view.purpose), LABELS);
    page.line(format!("{indent}{gap}{purposes}"));
    for (at, field) in measured.row.iter().enumerate() {
        let label = page.paint(&padded(field.name, LABEL), LABELS);
        let mut line = format!("{indent}{label}");
        for (view, room) in measured.views.iter().zip(&rooms) {
            let seen = view.seen.get(at).and_then(Option::as_deref);
            line.push_str(&shown(page, seen, *room));
        }
        page.line(line.trim_end().to_owned());
    }
}

/// How wide each view's column is: who is refused needs no room for values.
fn shared(measured: &Measured, room: usize) -> Vec<usize> {
    let heads = |view: &View| view.role.width().max(view.purpose.width()) + 2;
    let refused: usize = measured.views.iter().filter(|view| is_refused(view)).map(heads).sum();
    let others = measured.views.iter().filter(|view| !is_refused(view)).count().max(1);
    let each = room.saturating_sub(refused) / others;
    measured.views.iter().map(|view| if is_refused(view) { heads(view) } else { each }).collect()
}

fn shown(page: &Page, seen: Option<&str>, room: usize) -> String {
    if let Some(text) = seen {
        return padded(&cut(text, room.saturating_sub(2)), room);
    }
    let gap = " ".repeat(room.saturating_sub("refused".width()));
    format!("{}{gap}", page.paint("refused", REFUSED))
}

fn is_refused(view: &View) -> bool {
    view.seen.iter().all(Option::is_none)
}

fn originals(page: &mut Page, measured: &Measured) {
    let found = &measured.originals;
    page.heading("Originals found in the database files", "");
    let before = format!("at least {}", grouped(found.before_at_least));
    let after = grouped(found.after);
    let room = before.width().max(after.width());
    let verdict_style = if found.word == "CLEAN" { GOOD } else { PLAIN };
    for (label, figure, what, style) in [
        ("before", before, "found first, or a zero would prove nothing", PLAIN),
        ("after", after, "the same search, to the end of every file", verdict_style),
    ] {
        let shift = " ".repeat(room - figure.width());
        let figure = page.paint(&figure, style);
        let label = page.paint(&padded(label, LABEL), LABELS);
        let line = format!("    {label}{shift}{figure}");
        if page.is_wide() {
            let what = cut(what, page.width.saturating_sub(4 + LABEL + room + 3));
            let what = page.paint(&what, LABELS);
            page.line(format!("{line}   {what}"));
        } else {
            page.line(line);
        }
    }
    let verdict = format!(
        "{}: {}. Searched for: {} values.",
        found.word,
        found.statement,
        grouped(found.values_searched)
    );
    page.prose("    ", &verdict, verdict_style);
}

fn took(page: &mut Page, measured: &Measured) {
    page.heading("What it took", "");
    let amounts = format!(
        "{} rows in {} tables, {}. A scan without a policy found something sensitive in {} of {} \
         columns; {} are in scope, with {} cells.",
        grouped(measured.rows_all()),
        measured.rows.len(),
        bytes(measured.database_bytes),
        measured.scanned.sensitive,
        measured.scanned.columns,
        measured.columns,
        grouped(measured.cells),
    );
    page.prose("    ", &amounts, PLAIN);
    if page.is_wide() {
        took_side_by_side(page, measured);
        return;
    }
    for pass in &measured.passes {
        let label = page.paint(&padded(pass.name, LABEL), LABELS);
        let estimate = format!("the plan said {}", seconds(pass.estimated_seconds));
        let estimate = page.paint(&estimate, LABELS);
        page.line(format!("    {label}{:>7}  {estimate}", seconds(pass.seconds)));
    }
}

fn took_side_by_side(page: &mut Page, measured: &Measured) {
    const EACH: usize = 10;
    const FIRST: usize = 14;
    let cells = |what: &dyn Fn(&Pass) -> String| -> String {
        let cells = measured.passes.iter().map(|pass| format!("{:>EACH$}", what(pass)));
        cells.collect::<Vec<_>>().concat()
    };
    let names = page.paint(&cells(&|pass| pass.name.to_owned()), LABELS);
    page.line(format!("    {}{names}", " ".repeat(FIRST)));
    let label = page.paint(&padded("took", FIRST), LABELS);
    page.line(format!("    {label}{}", cells(&|pass| seconds(pass.seconds))));
    let label = padded("the plan said", FIRST);
    let estimates = format!("{label}{}", cells(&|pass| seconds(pass.estimated_seconds)));
    let estimates = page.paint(&estimates, LABELS);
    page.line(format!("    {estimates}"));
}

fn places(page: &mut Page, measured: &Measured) {
    page.heading("Where things are", "");
    let folder = measured.folder.display().to_string();
    page.line(format!("    {folder}"));
    for kept in &measured.files {
        let name = padded(kept.name, 14);
        let what = page.paint(&cut(kept.what, page.width - 4 - 14), LABELS);
        page.line(format!("    {name}{what}"));
    }
    let tidy = format!("{} in all; to remove it:", bytes(measured.folder_bytes));
    page.prose("    ", &tidy, LABELS);
    let command = page.paint(&format!("rm -r {}", shell_word(&folder)), COMMANDS);
    page.line(format!("    {command}"));
}

fn next(page: &mut Page, measured: &Measured) {
    page.heading("What to try next", "");
    for next in &measured.next {
        let title = format!("{}: {}", next.who, next.why);
        page.prose("    ", &title, LABELS);
        for line in folded(next, page.width.saturating_sub(4)) {
            let line = page.paint(&line, COMMANDS);
            page.line(format!("    {line}"));
        }
    }
    page.line("");
}

/// A command, broken between its words in the way that a shell puts together again.
fn folded(next: &Next, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for unit in units(&next.words) {
        // Two for the sign that the line goes on.
        if !line.is_empty() && line.width() + 1 + unit.width() + 2 > room {
            lines.push(format!("{line} \\"));
            line = format!("  {unit}");
        } else if line.is_empty() {
            line = unit;
        } else {
            line.push(' ');
            line.push_str(&unit);
        }
    }
    lines.push(line);
    lines
}

/// The words of a command, each option with what it is given.
fn units(words: &[String]) -> Vec<String> {
    let mut units: Vec<String> = Vec::new();
    let mut takes_value = false;
    for word in words {
        let is_option = word.starts_with("--");
        match units.last_mut() {
            Some(unit) if takes_value && !is_option => {
                unit.push(' ');
                unit.push_str(word);
            }
            _ => units.push(word.clone()),
        }
        takes_value = is_option;
    }
    units
}

/// How many invented customers.
pub(super) fn people(customers: u64) -> String {
    match customers {
        1 => "1 invented customer".to_owned(),
        more => format!("{} invented customers", grouped(more)),
    }
}

/// A time, as people say it.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

/// A size, as people say it.
pub(super) fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes >= MIB {
        format!("{} MiB", grouped((bytes + MIB / 2) / MIB))
    } else {
        format!("{} KiB", bytes.div_ceil(1 << 10))
    }
}

fn padded(text: &str, width: usize) -> String {
    let gap = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(gap))
}

/// As much of a text as there is room for.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut used = 1;
    let mut short = String::new();
    for sign in text.chars() {
        used += sign.width().unwrap_or(0);
        if used > room {
            break;
        }
        short.push(sign);
    }
    short.push('…');
    short
}

fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(seconds(3.12), "3.1 s");
        assert_eq!(bytes(500), "1 KiB");
        assert_eq!(bytes(79_304 << 10), "77 MiB");
    }

    #[test]
    fn what_is_too_wide_is_cut_by_its_width_not_by_its_bytes() {
        assert_eq!(cut("佐々木 健一", 6), "佐々…");
        assert_eq!(cut("Zoë", 3), "Zoë");
        assert_eq!(cut("Zoë Weiß", 5), "Zoë …");
    }
}
