//! The report as one page of HTML that needs no network, and checks the proofs that it carries.
//!
//! What a page says is a [`Report`]'s; this file only sets it.

use super::Report;

mod control_sections;
mod embedded;
mod evidence_sections;
mod markup;
mod period_page;
mod pictures;
mod plan_page;
mod run_sections;
mod summary;
mod svg;

pub use embedded::embedded;
use markup::Markup;

pub(super) use markup::{is_invisible, readable};
pub(super) use period_page::page as period_page;
pub(super) use plan_page::page as plan_page;

/// How the page looks: light and dark, on a screen of 390 pixels and on paper.
const STYLE: &str = include_str!("style.css");

/// What checks the page's proofs, in the page.
const SCRIPT: &str = concat!(include_str!("check.js"), include_str!("check_run.js"));

/// A section: its anchor, its title, and what writes it.
type Section<R> = (&'static str, &'static str, fn(&mut Markup, &R));

/// The contents page.
const SECTIONS: [Section<Report>; 17] = [
    ("scope", "Columns and treatment", run_sections::scope),
    ("coverage", "Coverage by table", run_sections::coverage),
    ("counts", "Counts that reconcile", run_sections::counts),
    ("verification", "Verification", run_sections::verification),
    ("originals", "Originals before and after", evidence_sections::originals),
    ("certificate", "Purge certificate", evidence_sections::certificate),
    ("approvals", "Approvals", evidence_sections::approvals),
    ("time", "Work and waiting", evidence_sections::stages),
    ("estimates", "Estimated and measured", run_sections::estimates),
    ("leakage", "What equal tokens show", run_sections::leakage),
    ("plan", "What the plan found", run_sections::plan),
    ("keys", "Keys", evidence_sections::keys),
    ("access", "Access by purpose", evidence_sections::access),
    ("risks", "Exceptions and residual risks", evidence_sections::risks),
    ("controls", "Controls that this supports", control_sections::controls),
    ("timeline", "The run on the ledger", evidence_sections::timeline),
    ("verify", "How to verify", evidence_sections::how_to_verify),
];

/// Writes the page.
pub(super) fn page(report: &Report) -> String {
    let mut markup = Markup::default();
    let title = format!("Run {} of {} · Sealift report", report.header.run, report.header.source);
    head(&mut markup, &title, SCRIPT);
    summary::write(&mut markup, report);
    sections(&mut markup, &SECTIONS, report);
    foot(&mut markup, &report.header.tool, report.schema, &report.to_json(), SCRIPT);
    markup.finish()
}

/// Writes what a page begins with. It allows no script but its own, and nothing from elsewhere.
fn head(markup: &mut Markup, title: &str, script: &'static str) {
    markup
        .raw(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-",
        )
        .script_hash(script)
        .raw("'\">\n<title>")
        .text(title)
        .raw("</title>\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the sections</a>\n")
        .raw(svg::PATTERNS);
}

/// Writes the sections of a page, in order.
fn sections<R>(markup: &mut Markup, sections: &[Section<R>], report: &R) {
    markup.raw("<main id=\"main\">\n");
    for (anchor, title, write) in sections {
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
        write(markup, report);
        markup.raw("</section>\n");
    }
    markup.raw("</main>\n");
}

/// Writes the list of sections.
fn contents<R>(markup: &mut Markup, sections: &[Section<R>]) {
    markup.raw("<nav aria-label=\"Sections\"><ol>\n");
    for (anchor, title, _) in sections {
        markup.raw("<li><a href=\"#").raw(anchor).raw("\">").raw(title).raw("</a></li>\n");
    }
    markup.raw("</ol></nav>\n");
}

/// Writes what a page ends with: its data, and what checks it.
fn foot(markup: &mut Markup, tool: &str, schema: &'static str, json: &str, script: &'static str) {
    markup.raw("<footer>\n");
    markup.note(
        "This report supports an assessment; it does not certify that a rule or a law is kept. It \
         holds no original and no key.",
    );
    markup.raw("<p class=\"note\">").text(tool).raw(" · ").text(schema);
    markup.raw("</p>\n</footer>\n").embed(json).raw("\n<script>").raw(script);
    markup.raw("</script>\n</body>\n</html>\n");
}
