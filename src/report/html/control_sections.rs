//! The sections that lead an auditor: controls with their evidence, and the page's own checks.

use super::SECTIONS;
use super::markup::{Cell, Markup};
use crate::report::{ControlLine, Report, Support, Tone};

pub(super) fn controls(markup: &mut Markup, report: &Report) {
    markup.paragraph(
        "What the evidence of this run supports, in the words of rules that are often asked about. It \
         supports an assessment and never certifies one: what an organisation does besides stands in \
         no database. Rules about payment and health data are listed where the policy has such columns.",
    );
    let mut rest = report.controls.as_slice();
    while let Some(first) = rest.first() {
        let length = rest.iter().take_while(|line| line.rule == first.rule).count();
        let (rule, behind) = rest.split_at(length);
        rest = behind;
        let rows: Vec<Vec<Cell>> = rule.iter().map(row).collect();
        markup.table(first.rule, &["control", "asks that", "evidence", "see"], &rows);
    }
}

fn row(line: &ControlLine) -> Vec<Cell> {
    let tone = match line.support {
        Support::Supports => Tone::Good,
        Support::Partly => Tone::Warn,
        Support::NotYet => Tone::Quiet,
    };
    let sections = line.sections.iter().map(|anchor| (*anchor, title(anchor))).collect();
    vec![
        Cell::Text(line.control.to_owned()),
        Cell::Text(line.asks.to_owned()),
        Cell::Badged(tone, line.support.title().to_owned(), line.missing.join("; ")),
        Cell::Links(sections, line.entries.clone()),
    ]
}

fn title(anchor: &str) -> &'static str {
    SECTIONS.iter().find(|(name, ..)| *name == anchor).map_or("", |(_, title, _)| title)
}

/// What the page's script finds, in the page itself. Where it has not run, the list says so.
pub(super) fn checks(markup: &mut Markup) {
    markup.raw(
        "<h3 id=\"checks-title\">What this page has checked itself</h3>\n<p>Its script reads the \
         entries that the page carries, and needs no network. Who made the page made the script too: \
         the commands below do not trust either.</p>\n<ul id=\"checks\" class=\"checks\" role=\"list\" \
         aria-live=\"polite\" aria-labelledby=\"checks-title\"><li><span class=\"badge quiet\">not checked \
         here</span> the script of this page has not run</li></ul>\n",
    );
}
