//! The document as lines of a terminal: the same sections, 80 columns, a tone for each line.
//!
//! It knows no colours: whoever prints the lines has them.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::head::PlanVerdict;
use super::work::UnitLine;
use super::{PlanDocument, counted};
use crate::plan::{Finding, TouchedKind, UnitMode, Verdict, readable_bytes, readable_ms};
use crate::report::html::{is_invisible, readable};
use crate::words::grouped;

/// The widest line.
const COLUMNS: usize = 80;

/// Columns out of scope that are named in a terminal; the page names all.
const OUT_MAX: usize = 12;

/// One line, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine {
    /// The line, without its end.
    pub text: String,
    /// How it stands.
    pub tone: LineTone,
}

/// How a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineTone {
    /// The title of a section.
    Heading,
    /// As it should be.
    Good,
    /// To be read.
    Warn,
    /// In the way.
    Bad,
    /// A line like any other.
    Plain,
}

/// The lines without tones.
pub(super) fn plain(lines: &[TextLine]) -> String {
    lines.iter().fold(String::new(), |text, line| text + &line.text + "\n")
}

pub(super) fn lines(document: &PlanDocument) -> Vec<TextLine> {
    let mut out = Writer::default();
    head(&mut out, document);
    scope(&mut out, document);
    out_of_scope(&mut out, document);
    blast_radius(&mut out, document);
    out.section("What breaks");
    findings(&mut out, &document.breaks, "no query was found that will not work as before");
    out.section("Copies");
    let none = "no copy of the values was reported in the columns that were compared";
    findings(&mut out, &document.copies, none);
    out.section("Accepted by signing");
    for line in &document.accepted {
        out.item(
            LineTone::Warn,
            &format!("{}: {} ({})", line.about, line.statement, line.chosen_by),
        );
    }
    if document.accepted.is_empty() {
        out.item(LineTone::Plain, "nothing beyond the change itself");
    }
    out.section("Findings");
    findings(&mut out, &document.findings, "none");
    work(&mut out, document);
    out.section("Known limits");
    for line in &document.limits {
        out.item(LineTone::Plain, &format!("{}: {}", line.about, line.statement));
    }
    signing(&mut out, document);
    out.lines
}

pub(super) fn brief(document: &PlanDocument) -> Vec<TextLine> {
    let mut out = Writer::default();
    head(&mut out, document);
    let told = |finding: &&Finding| finding.verdict != Verdict::Handled;
    let found: Vec<Finding> = document.findings.iter().filter(told).cloned().collect();
    if !found.is_empty() {
        out.section("To be read");
        findings(&mut out, &found, "");
    }
    out.lines
}

#[derive(Default)]
struct Writer {
    lines: Vec<TextLine>,
}

impl Writer {
    fn push(&mut self, tone: LineTone, text: &str) {
        self.lines.push(TextLine { text: text.trim_end().to_owned(), tone });
    }

    fn section(&mut self, title: &str) {
        self.push(LineTone::Plain, "");
        self.push(LineTone::Heading, title);
    }

    /// A sentence of any length, its lines set in by two columns and further after the first.
    fn item(&mut self, tone: LineTone, text: &str) {
        self.wrapped(tone, "  ", "    ", text);
    }

    /// A command that is pasted: it stays on its line, whatever its length.
    fn command(&mut self, command: &str) {
        self.push(LineTone::Plain, &format!("      {}", shown(command)));
    }

    fn wrapped(&mut self, tone: LineTone, first: &str, rest: &str, text: &str) {
        let mut line = first.to_owned();
        let mut is_empty = true;
        for word in shown(text).split_whitespace().flat_map(pieces) {
            let room = COLUMNS.saturating_sub(line.width());
            if !is_empty && word.width() + 1 > room {
                self.push(tone, &line);
                rest.clone_into(&mut line);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(&word);
            is_empty = false;
        }
        self.push(tone, &line);
    }
}

/// A word that is wider than a line is cut: a hash, a name without a space.
fn pieces(word: &str) -> Vec<String> {
    let most = COLUMNS - 8;
    let mut pieces = vec![String::new()];
    let mut width = 0;
    for character in word.chars() {
        let wide = character.width().unwrap_or(0);
        if width + wide > most {
            pieces.push(String::new());
            width = 0;
        }
        width += wide;
        if let Some(last) = pieces.last_mut() {
            last.push(character);
        }
    }
    pieces
}

/// A text as it may stand in a terminal: what would not be seen, or would steer it, by its number.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            // Writing into a String cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

fn head(out: &mut Writer, document: &PlanDocument) {
    let (head, summary) = (&document.head, &document.summary);
    let run = head.run.as_ref().map(|run| format!(", run {run}")).unwrap_or_default();
    out.push(LineTone::Heading, &shown(&format!("Plan for `{}`{run}", head.source)));
    let change = [("purpose", &head.purpose), ("ticket", &head.ticket), ("owner", &head.owner)];
    for (name, said) in change {
        let said = said.as_deref().unwrap_or("not stated: `[change]` of the policy says it");
        field(out, name, said);
    }
    let by = head.planned_by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
    field(out, "planned", &format!("{}{by}", readable(&head.planned_at)));
    let place = head.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    field(out, "source", &format!("{}{place}, {}", head.engine, readable_bytes(head.bytes)));
    field(out, "strategy", &head.strategy);
    field(out, "state", head.state.sentence());
    out.push(LineTone::Plain, "");
    let tone = match summary.verdict {
        PlanVerdict::Blocked => LineTone::Bad,
        PlanVerdict::Warned => LineTone::Warn,
        PlanVerdict::Clear => LineTone::Good,
    };
    out.wrapped(tone, "", "  ", &format!("{}: {}", summary.word(), summary.verdict_sentence()));
    for sentence in &summary.sentences {
        out.item(LineTone::Plain, sentence);
    }
}

fn field(out: &mut Writer, name: &str, said: &str) {
    out.wrapped(LineTone::Plain, &format!("  {name:<9} "), "            ", said);
}

fn scope(out: &mut Writer, document: &PlanDocument) {
    out.section("In scope");
    for table in &document.scope {
        out.item(
            LineTone::Plain,
            &format!(
                "{}: {}, {} of {} columns",
                table.table,
                counted(table.rows, "row"),
                table.columns.len(),
                table.columns_in_all
            ),
        );
        for column in &table.columns {
            let about = if column.distinct_exact { "" } else { "about " };
            let mut said = format!(
                "{} · {} · domain {} · {} · {}, {about}{} distinct",
                column.column,
                column.class,
                column.domain,
                column.token.name(),
                counted(column.cells, "cell"),
                grouped(column.distinct),
            );
            if column.equal_values_show {
                let (whole, tenth) = (column.top_permille_max / 10, column.top_permille_max % 10);
                let _ = write!(said, ", the top one up to {whole}.{tenth} %");
            }
            out.wrapped(LineTone::Plain, "    ", "      ", &said);
            for accepted in &column.accepted {
                out.wrapped(LineTone::Warn, "      ", "      ", accepted);
            }
        }
    }
    for name in &document.missing {
        out.item(LineTone::Bad, &format!("{name}: named by the policy, and the source has it not"));
    }
}

fn out_of_scope(out: &mut Writer, document: &PlanDocument) {
    let part = &document.out_of_scope;
    out.section("Out of scope");
    out.item(
        LineTone::Plain,
        &format!(
            "{}, and {} without any column in scope; the page and the JSON name each",
            counted(part.columns, "column"),
            counted(part.tables, "table")
        ),
    );
    for table in part.list.iter().filter(|table| table.is_touched) {
        for group in &table.groups {
            let left = group.columns.len().saturating_sub(OUT_MAX);
            let names = group.columns[..group.columns.len() - left].join(", ");
            let more = if left > 0 { format!(" and {left} more") } else { String::new() };
            out.item(LineTone::Plain, &format!("{}: {names}{more}: {}", table.table, group.reason));
        }
    }
}

fn blast_radius(out: &mut Writer, document: &PlanDocument) {
    out.section("Blast radius");
    if document.blast_radius.is_empty() {
        out.item(LineTone::Plain, "no view, trigger, foreign key, index or constraint is touched");
    }
    for kind in TouchedKind::ALL {
        for touched in document.blast_radius.iter().filter(|touched| touched.kind == kind) {
            let said = format!(
                "{} {} ({}): {}",
                kind.title(),
                touched.name,
                touched.table,
                touched.effect
            );
            out.item(tone_of(touched.verdict), &said);
            out.wrapped(LineTone::Plain, "    ", "    ", &touched.handling);
        }
    }
}

fn tone_of(verdict: Option<Verdict>) -> LineTone {
    match verdict {
        Some(Verdict::Blocks) => LineTone::Bad,
        Some(Verdict::Warns) => LineTone::Warn,
        Some(Verdict::Handled) | None => LineTone::Plain,
    }
}

fn findings(out: &mut Writer, findings: &[Finding], none: &str) {
    if findings.is_empty() {
        out.item(LineTone::Plain, none);
    }
    // What is dealt with alike is told once; what blocks or warns is told each.
    let mut told: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings {
        let alike = |known: &Finding| {
            finding.verdict == Verdict::Handled
                && known.verdict == Verdict::Handled
                && known.pitfall == finding.pitfall
                && known.remedy == finding.remedy
        };
        match told.iter_mut().find(|(known, _)| alike(known)) {
            Some((_, objects)) => objects.push(&finding.object),
            None => told.push((finding, vec![&finding.object])),
        }
    }
    for (finding, objects) in told {
        let (verdict, objects) = (finding.verdict.name(), objects.join(", "));
        let said = format!("{verdict} {objects}: {}", finding.fact);
        out.item(tone_of(Some(finding.verdict)), &said);
        out.wrapped(LineTone::Plain, "    ", "    ", &finding.remedy);
    }
}

fn work(out: &mut Writer, document: &PlanDocument) {
    out.section("How it is done");
    let kinds = [(UnitMode::Ranges, false), (UnitMode::Ranges, true), (UnitMode::Window, false)];
    for (mode, is_rebuilt) in kinds {
        let is_so = |unit: &&UnitLine| unit.mode == mode && unit.is_rebuilt == is_rebuilt;
        let units: Vec<&UnitLine> = document.work.iter().filter(is_so).collect();
        let Some(first) = units.first() else { continue };
        let named = |unit: &&UnitLine| format!("{}. {}", unit.order, unit.tables.join(" with "));
        let tables: Vec<String> = units.iter().map(named).collect();
        let how = match mode {
            UnitMode::Ranges if is_rebuilt => "each filled anew in one transaction",
            UnitMode::Ranges => "in ranges of their keys, each batch in a short transaction",
            UnitMode::Window => "each in one transaction under the write lock",
        };
        out.item(LineTone::Plain, &format!("{}: {how}; {}", tables.join(", "), first.noticed));
    }
    let estimates = &document.estimates;
    out.section("Estimates");
    let row = |name: &str, figure: &str, said: &str| format!("{name:<26} {figure:>9}  {said}");
    for pass in &estimates.passes {
        let line = row(&pass.pass, &readable_ms(pass.ms), "");
        out.push(LineTone::Plain, &format!("  {line}"));
    }
    for place in &estimates.disk {
        let line = row(&place.place, &readable_bytes(place.bytes), &place.until);
        out.push(LineTone::Plain, &format!("  {line}"));
    }
    let free = estimates.disk_free_bytes.map(readable_bytes);
    let free = free.map(|free| format!("{free} are free beside the source")).unwrap_or_default();
    let line =
        row("free space needed, in all", &readable_bytes(estimates.disk_needed_bytes), &free);
    out.push(LineTone::Plain, &format!("  {line}"));
    for lock in &estimates.locks {
        out.item(
            LineTone::Plain,
            &format!("{}: {} wait up to about {}", lock.when, lock.waits, readable_ms(lock.ms)),
        );
    }
    for strategy in &estimates.strategies {
        out.item(LineTone::Plain, &strategy.sentence());
    }
    out.section("The way back");
    for step in &document.way_back {
        let tone = if step.is_open { LineTone::Good } else { LineTone::Warn };
        out.item(tone, &format!("{}: {}", step.stage, step.what));
        if !step.command.is_empty() {
            out.command(&step.command);
        }
    }
}

fn signing(out: &mut Writer, document: &PlanDocument) {
    let signing = &document.signing;
    out.section("To sign");
    out.item(LineTone::Plain, &signing.who);
    out.item(LineTone::Plain, &format!("a signature covers {}", signing.covers));
    for step in &signing.steps {
        out.item(LineTone::Plain, &format!("{}: {}", step.who, step.shows));
        out.command(&step.command);
    }
    out.push(LineTone::Plain, "");
    out.push(LineTone::Plain, &format!("contents {}", document.contents_sha256()));
}
