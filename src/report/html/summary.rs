//! The head of the page: what came of the run in a sentence, four figures, and what is not said.

use super::evidence_sections::claim_tone;
use super::markup::Markup;
use super::{SECTIONS, contents, pictures};
use crate::lifecycle::Phase;
use crate::report::{AnchorFact, Figure, Report, Summary, Tone};

pub(super) fn write(markup: &mut Markup, report: &Report) {
    let header = &report.header;
    markup
        .raw("<header>\n<p class=\"brand\">Sealift <span>· report of a run</span></p>\n<h1>Run ")
        .raw("<span class=\"id\">")
        .text(&header.run.to_string())
        .raw("</span> of <span class=\"source\">")
        .text(&header.source)
        .raw("</span>");
    if let Some(as_of) = &header.as_of {
        markup.raw(" <span class=\"as-of\">as of ").time(as_of).raw("</span>");
    }
    markup.raw("</h1>\n");
    outcome(markup, report);
    figures(markup, &report.summary.figures);
    markup.raw("<div class=\"two\">\n");
    claims(markup, report);
    limits(markup, &report.summary);
    markup.raw("</div>\n");
    pictures::life(markup, report);
    identity(markup, report);
    markup.raw("</header>\n");
    contents(markup, &SECTIONS);
}

fn outcome(markup: &mut Markup, report: &Report) {
    let held = report.header.condition.map(|condition| condition.name().to_uppercase());
    verdict(markup, &report.summary, held.as_deref());
    if !report.summary.is_finished {
        markup.raw("<p class=\"unfinished\"><strong>");
        markup.raw(if report.header.phase == Phase::Purged {
            "This run is not closed."
        } else {
            "This run is not finished."
        });
        markup.raw("</strong>");
        if let Some(next) = &report.summary.next {
            markup.raw(" Next: ").code(next);
        }
        markup.raw("</p>\n");
    }
    markup.raw("</div>\n");
}

/// Opens the box with the verdict, and writes its sentences.
pub(super) fn verdict(markup: &mut Markup, summary: &Summary, held: Option<&str>) {
    markup.raw(match summary.tone {
        Tone::Good => "<div class=\"outcome good\">",
        Tone::Warn => "<div class=\"outcome warn\">",
        Tone::Bad => "<div class=\"outcome bad\">",
        Tone::Quiet => "<div class=\"outcome quiet\">",
    });
    markup.raw("<p class=\"word\"><span aria-hidden=\"true\">").raw(match summary.tone {
        Tone::Good => "✓",
        Tone::Warn => "!",
        Tone::Bad => "✕",
        Tone::Quiet => "●",
    });
    markup.raw("</span> ").text(summary.verdict);
    if let Some(held) = held {
        markup.raw(" · ").text(held);
    }
    markup.raw("</p>\n");
    for (statement, at) in summary.statements.iter().zip(0..) {
        markup.raw(if at == 0 { "<p class=\"lead\">" } else { "<p class=\"then\">" });
        markup.prose(statement).raw(".</p>\n");
    }
}

pub(super) fn figures(markup: &mut Markup, figures: &[Figure]) {
    markup.raw("<div class=\"figures\">\n");
    for (figure, at) in figures.iter().zip(0..) {
        markup
            .raw("<div class=\"figure\"><p class=\"name\">")
            .raw(figure.name)
            .raw("</p><p class=\"number\">");
        match figure.number {
            Some(number) => markup.number_at(&format!("/summary/figures/{at}/number"), number),
            None => markup.raw("–"),
        };
        markup.raw("</p><p class=\"remark\">").text(&figure.remark).raw("</p></div>\n");
    }
    markup.raw("</div>\n");
}

/// The three claim levels, side by side with what is not said.
fn claims(markup: &mut Markup, report: &Report) {
    markup.raw("<div class=\"half\"><h2>What is claimed</h2>\n<dl class=\"claims\">\n");
    for claim in &report.certificate.claims {
        markup.raw("<div><dt>").text(claim.level.title()).raw(" ");
        markup.badge(claim_tone(claim), claim.state.title()).raw("</dt><dd>");
        markup.prose(&claim.statement).raw("</dd></div>\n");
    }
    markup.raw("</dl></div>\n");
}

pub(super) fn limits(markup: &mut Markup, summary: &Summary) {
    markup.raw("<div class=\"half\"><h2>What this does not say</h2>\n");
    markup.list(summary.limits.iter().map(String::as_str)).raw("</div>\n");
}

fn identity(markup: &mut Markup, report: &Report) {
    let header = &report.header;
    markup.raw("<dl class=\"identity\">\n");
    facts(
        markup,
        &[
            ("Vault", &header.vault),
            ("Ledger", &header.origin),
            ("Key fingerprint", &header.key_fingerprint),
            ("Policy, SHA-256", &header.policy_hash),
            ("Plan as signed", &header.plan_fingerprint),
        ],
    );
    anchors(markup, &header.anchors);
    markup.raw("</dl>\n");
}

/// Writes names beside what they stand for.
pub(super) fn facts(markup: &mut Markup, facts: &[(&'static str, &str)]) {
    for (name, value) in facts {
        markup.raw("<div><dt>").raw(name).raw("</dt><dd>").code(value).raw("</dd></div>\n");
    }
}

/// Writes where checkpoints were kept outside the vault.
pub(super) fn anchors(markup: &mut Markup, anchors: &[AnchorFact]) {
    for anchor in anchors {
        markup.raw("<div><dt>Anchored outside, over <span>").number(anchor.size);
        markup.raw("</span> entries</dt><dd>").code(&anchor.place).raw(" ").time(&anchor.at);
        markup.raw("</dd></div>\n");
    }
}
