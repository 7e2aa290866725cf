//! The head of the page: which run, how far it came, what came of it, in figures.

use super::figures::{Fill, Part, bar};
use super::markup::{Markup, Tone};
use super::{SECTIONS, step_open, tone_of};
use crate::report::{CertificateStatus, Report};

pub(super) fn write(markup: &mut Markup, report: &Report) {
    let header = &report.header;
    markup
        .raw("<header>\n<p class=\"brand\">Sealift <span>· report of a run</span></p>\n<h1>Run ")
        .raw("<span class=\"id\">")
        .text(&header.run.to_string())
        .raw("</span> of <span class=\"source\">")
        .text(&header.source)
        .raw("</span></h1>\n");
    if let Some(as_of) = &header.as_of {
        markup
            .raw("<p class=\"note\">As of ")
            .time(as_of)
            .raw(", the run’s last entry on the ledger.</p>\n");
    }
    steps(markup, report);
    outcome(markup, report);
    figures(markup, report);
    identity(markup, report);
    markup.raw("</header>\n");
    contents(markup);
}

fn steps(markup: &mut Markup, report: &Report) {
    markup.raw("<ol class=\"steps\" aria-label=\"Phases of the run\">\n");
    for step in &report.header.steps {
        markup
            .raw(step_open(step.state))
            .raw("<span class=\"dot\" aria-hidden=\"true\"></span><span class=\"phase\">")
            .text(&step.phase.name().replace('_', " "))
            .raw("</span>");
        match &step.at {
            Some(at) => {
                let day = at.get(..10).unwrap_or(at);
                markup.raw("<time datetime=\"").text(at).raw("\">").text(day).raw("</time>");
            }
            None => {
                markup.raw("<span class=\"when\">").text(step.state.title()).raw("</span>");
            }
        }
        markup.raw("</li>\n");
    }
    markup.raw("</ol>\n");
}

fn outcome(markup: &mut Markup, report: &Report) {
    let certificate = &report.certificate;
    markup.raw(match tone_of(certificate.status) {
        Tone::Good => "<div class=\"outcome good\">",
        Tone::Warn => "<div class=\"outcome warn\">",
        Tone::Bad => "<div class=\"outcome bad\">",
        Tone::Quiet => "<div class=\"outcome quiet\">",
    });
    markup.raw("<p class=\"word\">").text(certificate.word).raw("</p>\n<p>");
    markup.text(&capital(&certificate.statement)).raw(".</p>\n<ul class=\"claims\">\n");
    for claim in &certificate.claims {
        markup.raw("<li><span class=\"level\">").text(claim.level.title()).raw("</span> ");
        markup.badge(super::evidence_sections::claim_tone(claim), claim.state.title());
        markup.raw("</li>\n");
    }
    markup.raw("</ul></div>\n");
}

fn figures(markup: &mut Markup, report: &Report) {
    let (counts, verification) = (&report.counts, &report.verification);
    let planned: u64 = report.scope.columns.iter().map(|column| column.rows).sum();
    let (cells, remark) = match counts.reconciles {
        Some(true) => (counts.cells, "they add up"),
        Some(false) => (counts.cells, "they do not add up"),
        None => (planned, "by the plan; not counted yet"),
    };
    markup.raw("<div class=\"figures\">\n");
    figure(markup, "cells in scope", cells, remark);
    let opens = match verification.passed {
        Some(true) => "each one opens in the vault",
        Some(false) | None => "whether they open is not proven",
    };
    figure(markup, "tokens written", counts.part("tokenized"), opens);
    figure(
        markup,
        "cells verified",
        verification.opened,
        match verification.passed {
            Some(true) => "opened and compared, no mismatch",
            Some(false) => "not in order",
            None => "not verified yet",
        },
    );
    hits(markup, report);
    markup.raw("</div>\n");
}

fn figure(markup: &mut Markup, name: &'static str, number: u64, remark: &'static str) {
    markup
        .raw("<div class=\"figure\"><p class=\"name\">")
        .raw(name)
        .raw("</p><p class=\"number\">")
        .number(number)
        .raw("</p><p class=\"remark\">")
        .raw(remark)
        .raw("</p></div>\n");
}

/// Originals found in the files, before and after the purge.
fn hits(markup: &mut Markup, report: &Report) {
    let certificate = &report.certificate;
    let (before, after) = (&certificate.scan_before, &certificate.scan_after);
    let of = |scan: &Option<crate::report::ScanFigures>| {
        scan.as_ref().map(|scan| (scan.residue, scan.live))
    };
    let whole = [of(before), of(after)].into_iter().flatten().map(|(residue, live)| residue + live);
    let whole = whole.max().unwrap_or_default();
    markup.raw("<div class=\"figure hits\"><p class=\"name\">originals found in files</p><div class=\"hit-rows\">");
    for (title, scan) in [("before", of(before)), ("after", of(after))] {
        markup.raw("<div class=\"hit-row\"><span class=\"hit-name\">").raw(title).raw("</span>");
        let Some((residue, live)) = scan else {
            markup.raw("<span class=\"remark not-scanned\">not scanned</span></div>");
            continue;
        };
        let parts = [
            Part { name: "outside live rows", amount: residue, fill: Fill::Residue },
            Part { name: "in live rows", amount: live, fill: Fill::Warn },
        ];
        bar(markup, title, whole, &parts);
        markup.raw("<span class=\"hit-number\">").number(residue + live).raw("</span></div>");
    }
    let remark = match certificate.status {
        CertificateStatus::NotPurged => "a scan counts only beside one from before the purge",
        CertificateStatus::Clean => "the same scan, before and after the purge",
        CertificateStatus::Residue
        | CertificateStatus::NotEvidence
        | CertificateStatus::UncoveredCopies
        | CertificateStatus::Limited => "see the purge certificate for what this means",
    };
    markup.raw("</div><p class=\"remark\">").raw(remark).raw("</p></div>\n");
}

fn identity(markup: &mut Markup, report: &Report) {
    let header = &report.header;
    markup.raw("<dl class=\"identity\">\n");
    let facts = [
        ("Vault", &header.vault),
        ("Ledger", &header.origin),
        ("Key fingerprint", &header.key_fingerprint),
        ("Policy", &header.policy_hash),
        ("Plan", &header.plan_fingerprint),
    ];
    for (name, value) in facts {
        markup.raw("<div><dt>").raw(name).raw("</dt><dd>").code(value).raw("</dd></div>\n");
    }
    markup.raw("</dl>\n");
}

fn contents(markup: &mut Markup) {
    markup.raw("<nav aria-label=\"Sections\"><ol>\n");
    for (anchor, title, _) in SECTIONS {
        markup.raw("<li><a href=\"#").raw(anchor).raw("\">").raw(title).raw("</a></li>\n");
    }
    markup.raw("</ol></nav>\n");
}

/// A sentence begins with a capital letter; the report's statements are parts of sentences.
fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
