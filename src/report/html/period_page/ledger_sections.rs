//! The sections about the ledger: who asked for what, what else happened, what is missing.

use super::title_of;
use crate::report::html::evidence_sections::{checkpoint, commands, declared, key_table};
use crate::report::html::markup::{Cell, Markup};
use crate::report::period::{GapKind, PeriodReport, SharedControl};
use crate::report::{RiskKind, Support, Tone, Usage};
use crate::words::{duration, grouped};

pub(super) fn access(markup: &mut Markup, report: &PeriodReport) {
    markup.paragraph(
        "Whatever is not declared here is refused. Each request is on the ledger before a value \
         leaves. What was asked counts in this period only.",
    );
    if report.access.is_empty() {
        markup.paragraph("No purpose is in force: nobody can read a value back through the API.");
    } else {
        declared(markup, &report.access);
        let lines = report.access.iter().map(|line| (line.name.as_str(), &line.used));
        used(markup, "Purposes, as they were used in the period", "access", lines);
    }
    if !report.access_beyond.is_empty() {
        let lines = report.access_beyond.iter().map(|line| (line.name.as_str(), &line.used));
        used(markup, "Asked for under purposes that are not in force", "access_beyond", lines);
    }
}

fn used<'r>(
    markup: &mut Markup,
    caption: &'static str,
    part: &str,
    lines: impl Iterator<Item = (&'r str, &'r Usage)>,
) {
    let joined = |counts: &std::collections::BTreeMap<String, u64>| {
        let said: Vec<String> =
            counts.iter().map(|(name, count)| format!("{name}: {}", grouped(*count))).collect();
        if said.is_empty() { Cell::Empty } else { Cell::Text(said.join(", ")) }
    };
    let rows: Vec<Vec<Cell>> = lines
        .enumerate()
        .map(|(at, (name, used))| {
            let number = |field: &str, count| Cell::At(format!("/{part}/{at}/used/{field}"), count);
            vec![
                Cell::Code(name.to_owned()),
                number("requests", used.requests),
                number("refused", used.refused),
                number("unreviewed", used.unreviewed),
                joined(&used.domains),
                joined(&used.callers),
                if used.last.is_empty() {
                    Cell::Badge(Tone::Quiet, "never used".to_owned())
                } else {
                    Cell::Time(used.last.clone())
                },
            ]
        })
        .collect();
    let heads = [
        "purpose",
        "requests",
        "refused",
        "to review",
        "asked for, by domain",
        "requests by",
        "last",
    ];
    markup.table(caption, &heads, &rows);
}

pub(super) fn ledger(markup: &mut Markup, report: &PeriodReport) {
    let ledger = &report.ledger;
    markup.raw("<p>The period has <strong>").number_at("/ledger/entries", ledger.entries);
    markup.raw("</strong> entries, <strong>").number_at("/ledger/heartbeats", ledger.heartbeats);
    markup.raw("</strong> of them heartbeats");
    if let (Some(first), Some(last)) = (ledger.first, ledger.last) {
        markup.raw("; the first is #").number_at("/ledger/first", first);
        markup.raw(", the last #").number_at("/ledger/last", last);
    }
    markup.raw(".</p>\n");
    if ledger.acts.is_empty() {
        return;
    }
    let rows: Vec<Vec<Cell>> = ledger
        .acts
        .iter()
        .enumerate()
        .map(|(at, act)| {
            let by: Vec<String> = act
                .actors
                .iter()
                .map(|(actor, count)| format!("{actor}: {}", grouped(*count)))
                .collect();
            vec![
                Cell::Text(act.action.replace('_', " ")),
                Cell::At(format!("/ledger/acts/{at}/entries"), act.entries),
                Cell::Text(by.join(", ")),
            ]
        })
        .collect();
    markup.table("What was done in the period", &["act", "entries", "by"], &rows);
}

pub(super) fn gaps(markup: &mut Markup, report: &PeriodReport) {
    match report.ledger.silent_after_ms {
        Some(limit) => markup.paragraph(&format!(
            "Somebody watched: heartbeats came. A time without any entry that is longer than {} is \
             listed, from the first heartbeat of the period on.",
            duration(limit)
        )),
        None => markup.paragraph(
            "No heartbeat came in the period: `serve` makes one where it has nothing to do, and \
             `sealift ledger heartbeat` from a timer.",
        ),
    };
    if report.gaps.is_empty() {
        markup.paragraph("There is no gap.");
        return;
    }
    let rows: Vec<Vec<Cell>> = report
        .gaps
        .iter()
        .enumerate()
        .map(|(at, gap)| {
            let tone = match gap.kind {
                GapKind::Altered => Tone::Bad,
                GapKind::Silence | GapKind::Clock => Tone::Warn,
                GapKind::Unwatched | GapKind::Unanchored | GapKind::Unsigned => Tone::Quiet,
            };
            vec![
                Cell::Badge(tone, gap.kind.title().to_owned()),
                Cell::Text(gap.statement.clone()),
                gap.after.map_or(Cell::Empty, |seq| Cell::At(format!("/gaps/{at}/after"), seq)),
            ]
        })
        .collect();
    markup.table("Where evidence is missing", &["gap", "what", "at entry"], &rows);
}

pub(super) fn keys(markup: &mut Markup, report: &PeriodReport) {
    key_table(markup, &report.keys);
}

pub(super) fn risks(markup: &mut Markup, report: &PeriodReport) {
    if report.risks.is_empty() {
        markup.paragraph("No run, no risk of one.");
        return;
    }
    let all = report.runs.len();
    let rows: Vec<Vec<Cell>> = report
        .risks
        .iter()
        .map(|risk| {
            let tone = match risk.kind {
                RiskKind::Exception => Tone::Warn,
                RiskKind::Residual => Tone::Quiet,
            };
            let runs: Vec<String> = risk.runs.iter().map(|run| format!("`{run}`")).collect();
            vec![
                Cell::Text(risk.about.clone()),
                Cell::Badge(tone, risk.kind.name().to_owned()),
                Cell::Text(risk.statement.clone()),
                Cell::Text(if runs.len() == all { "all".to_owned() } else { runs.join(", ") }),
            ]
        })
        .collect();
    let heads = ["about", "kind", "statement", "runs"];
    markup.table("What was accepted, and what remains", &heads, &rows);
}

pub(super) fn controls(markup: &mut Markup, report: &PeriodReport) {
    markup.paragraph(
        "What the evidence of these runs supports together, in the words of rules that are often asked \
         about; runs that were rolled back are not asked. It supports an assessment and never certifies \
         one: what an organisation does besides stands in no database.",
    );
    let mut rest: Vec<(usize, &SharedControl)> = report.controls.iter().enumerate().collect();
    while let Some((_, first)) = rest.first() {
        let rule = first.rule;
        let behind = rest.iter().position(|(_, line)| line.rule != rule).unwrap_or(rest.len());
        let of_rule: Vec<_> = rest.drain(..behind).collect();
        let rows: Vec<Vec<Cell>> = of_rule.into_iter().map(|(at, line)| row(line, at)).collect();
        let heads = ["control", "asks that", "evidence", "runs", "of", "see"];
        markup.table(rule, &heads, &rows);
    }
}

fn row(line: &SharedControl, at: usize) -> Vec<Cell> {
    let tone = match line.support {
        Support::Supports => Tone::Good,
        Support::Partly => Tone::Warn,
        Support::NotYet => Tone::Quiet,
    };
    let missing: Vec<String> = line
        .missing
        .iter()
        .map(|(what, runs)| {
            if runs.len() as u64 == line.runs {
                what.clone()
            } else {
                format!("{what} ({})", runs.join(", "))
            }
        })
        .collect();
    let sections = line.sections.iter().map(|anchor| (*anchor, title_of(anchor))).collect();
    vec![
        Cell::Text(line.control.to_owned()),
        Cell::Text(line.asks.to_owned()),
        Cell::Badged(tone, line.support.title().to_owned(), missing.join("; ")),
        Cell::At(format!("/controls/{at}/supported_by"), line.supported_by),
        Cell::At(format!("/controls/{at}/runs"), line.runs),
        Cell::Links(sections, Vec::new()),
    ]
}

pub(super) fn how_to_verify(markup: &mut Markup, report: &PeriodReport) {
    commands(markup, &report.how_to_verify);
    checkpoint(markup, report.header.checkpoint.as_ref());
}
