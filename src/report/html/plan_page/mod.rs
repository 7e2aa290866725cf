//! The plan's document as one page that needs no network and no script.
//!
//! What the page says is a [`PlanDocument`]'s; this file only sets it.

use super::STYLE;
use super::markup::Markup;
use super::svg::{Drawing, Fill, Share};
use crate::plan::{readable_bytes, readable_ms};
use crate::report::Tone;
use crate::report::plan_document::{PlanDocument, PlanVerdict};
use crate::words::grouped;

mod map;
mod sections;
mod work_sections;

/// Pixels from the top to the bottom of a bar.
const BAR: u64 = 16;

/// What this page has beside the report's style.
const PLAN_STYLE: &str = include_str!("plan.css");

/// A section: its anchor, its title, and what writes it.
type Section = (&'static str, &'static str, fn(&mut Markup, &PlanDocument));

/// The contents page.
const SECTIONS: [Section; 12] = [
    ("scope", "In scope", sections::scope),
    ("out", "Out of scope", sections::out_of_scope),
    ("touched", "Blast radius", sections::blast_radius),
    ("breaks", "What breaks", sections::breaks),
    ("copies", "Copies", sections::copies),
    ("accepted", "Accepted by signing", sections::accepted),
    ("findings", "Findings", sections::findings),
    ("work", "How it is done", work_sections::work),
    ("estimates", "Estimates", work_sections::estimates),
    ("back", "The way back", work_sections::way_back),
    ("limits", "Known limits", work_sections::limits),
    ("sign", "To sign", work_sections::signing),
];

/// Writes the page.
pub(in crate::report) fn page(document: &PlanDocument) -> String {
    let mut markup = Markup::default();
    head(&mut markup, document);
    summary(&mut markup, document);
    markup.raw("<main id=\"main\">\n");
    for (anchor, title, write) in SECTIONS {
        markup
            .raw("<section id=\"")
            .raw(anchor)
            .raw("\" aria-labelledby=\"")
            .raw(anchor)
            .raw("-title\">\n<h2 id=\"")
            .raw(anchor)
            .raw("-title\">")
            .raw(title)
            .raw("</h2>\n");
        write(&mut markup, document);
        markup.raw("</section>\n");
    }
    markup.raw("</main>\n<footer>\n");
    markup.note(
        "This document says what a run would do. It supports a decision; it does not certify that a \
         rule or a law is kept. It holds no original and no key.",
    );
    markup
        .raw("<p class=\"note\">Contents, SHA-256 of the JSON form: ")
        .code(&document.contents_sha256())
        .raw("</p>\n<p class=\"note\">")
        .text(&document.head.tool)
        .raw(" · ")
        .text(&document.schema)
        .raw("</p>\n</footer>\n</body>\n</html>\n");
    markup.finish()
}

fn head(markup: &mut Markup, document: &PlanDocument) {
    markup
        .raw(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>",
        )
        .text(document.head.purpose.as_deref().unwrap_or("Plan"))
        .raw(" · ")
        .text(&document.head.source)
        .raw(" · Sealift plan</title>\n<style>\n")
        .raw(STYLE)
        .raw(PLAN_STYLE)
        .raw("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the sections</a>\n");
}

fn summary(markup: &mut Markup, document: &PlanDocument) {
    let head = &document.head;
    markup.raw("<header>\n<p class=\"brand\">Sealift <span>· plan of a change</span></p>\n<h1>");
    match &head.purpose {
        Some(purpose) => markup.text(purpose),
        None => markup.raw("Plan for <span class=\"source\">").text(&head.source).raw("</span>"),
    };
    markup.raw("</h1>\n<p class=\"note\">Planned ").time(&head.planned_at);
    if let Some(by) = &head.planned_by {
        markup.raw(" by ").text(by);
    }
    if let Some(run) = &head.run {
        markup.raw(" as run ").code(run);
    }
    markup.raw("; ").text(head.state.sentence()).raw(".</p>\n");
    outcome(markup, document);
    figures(markup, document);
    identity(markup, document);
    markup.raw("</header>\n<nav aria-label=\"Sections\"><ol>\n");
    for (anchor, title, _) in SECTIONS {
        markup.raw("<li><a href=\"#").raw(anchor).raw("\">").raw(title).raw("</a></li>\n");
    }
    markup.raw("</ol></nav>\n");
}

fn outcome(markup: &mut Markup, document: &PlanDocument) {
    let summary = &document.summary;
    let (open, tone) = match summary.verdict {
        PlanVerdict::Blocked => ("<div class=\"outcome bad\">", Tone::Bad),
        PlanVerdict::Warned => ("<div class=\"outcome warn\">", Tone::Warn),
        PlanVerdict::Clear => ("<div class=\"outcome good\">", Tone::Good),
    };
    markup.raw(open).raw("<p class=\"word\">").text(&summary.word()).raw("</p>\n<p>");
    markup.text(&capital(&summary.verdict_sentence())).raw(".</p>\n<ul class=\"tally\">\n");
    let counts = [
        ("blocking", summary.blocks, Tone::Bad),
        ("warnings", summary.warns, Tone::Warn),
        ("dealt with by Sealift", summary.handled, Tone::Good),
    ];
    for (name, count, of) in counts {
        let shown = if count == 0 || of == tone { of } else { Tone::Quiet };
        let shown = if count == 0 { Tone::Quiet } else { shown };
        markup.raw("<li><span class=\"level\">").raw(name).raw("</span> ");
        markup.badge(shown, &grouped(count)).raw("</li>\n");
    }
    markup.raw("</ul>\n");
    for sentence in &summary.sentences {
        markup.raw("<p class=\"said\">").prose(sentence).raw("</p>\n");
    }
    markup.raw("</div>\n");
}

fn figures(markup: &mut Markup, document: &PlanDocument) {
    let summary = &document.summary;
    let cells = grouped(summary.cells);
    let within =
        format!("in {} columns of {} tables", grouped(summary.columns), grouped(summary.tables));
    let lock = if summary.window_tables == 0 { "for one batch" } else { "for one transaction" };
    let figures = [
        ("cells get a token", cells, within.as_str()),
        ("estimated time", readable_ms(summary.run_ms), "from backup to verification"),
        ("free disk needed", readable_bytes(summary.disk_bytes), "while it lasts"),
        ("writers wait at most", readable_ms(summary.lock_ms), lock),
    ];
    markup.raw("<div class=\"figures plan-figures\">\n");
    for (name, number, remark) in figures {
        markup
            .raw("<div class=\"figure\"><p class=\"name\">")
            .raw(name)
            .raw("</p><p class=\"number\">")
            .text(&number)
            .raw("</p><p class=\"remark\">")
            .text(remark)
            .raw("</p></div>\n");
    }
    markup.raw("</div>\n");
}

fn identity(markup: &mut Markup, document: &PlanDocument) {
    let head = &document.head;
    let unsaid = "not stated: `[change]` of the policy says it";
    let source = format!("{}, {}", head.engine, readable_bytes(head.bytes));
    let words = [
        ("Ticket", head.ticket.as_deref().unwrap_or(unsaid)),
        ("Owner", head.owner.as_deref().unwrap_or(unsaid)),
        ("Purpose", head.purpose.as_deref().unwrap_or(unsaid)),
        ("Strategy", head.strategy.as_str()),
        ("Engine", source.as_str()),
    ];
    markup.raw("<dl class=\"identity\">\n");
    for (name, value) in words {
        markup.raw("<div><dt>").raw(name).raw("</dt><dd>").prose(value).raw("</dd></div>\n");
    }
    let names = [
        ("Source", Some(&head.source)),
        ("Place", head.place.as_ref()),
        ("Source id", head.identity.as_ref()),
        ("Vault", head.vault.as_ref()),
        ("Policy, SHA-256", Some(&head.policy_sha256)),
        ("Fingerprint of catalog and policy", Some(&head.fingerprint)),
    ];
    for (name, value) in names {
        let Some(value) = value else { continue };
        markup.raw("<div><dt>").raw(name).raw("</dt><dd>").code(value).raw("</dd></div>\n");
    }
    markup.raw("</dl>\n");
}

/// A sentence begins with a capital letter.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Draws how much of the whole something is; `says` are its figures in words.
fn bar(markup: &mut Markup, title: &str, says: &str, (amount, whole): (u64, u64)) {
    let mut drawing = Drawing::open(markup, "bar", BAR, title, says);
    drawing.rect((Share::ZERO, 0), (Share::FULL, BAR), Fill::Track).rect(
        (Share::ZERO, 0),
        (Share::of(amount, whole), BAR),
        Fill::Token,
    );
    drawing.close();
}
