//! The report as one page of HTML that needs no network, and checks the proofs that it carries.
//!
//! What a page says is a [`Report`]'s; this file only sets it.

use super::Report;

mod control_sections;
mod embedded;
mod evidence_sections;
mod markup;
mod pictures;
mod plan_page;
mod run_sections;
mod summary;
mod svg;

pub use embedded::embedded;
use markup::Markup;

pub(super) use markup::{is_invisible, readable};
pub(super) use plan_page::page as plan_page;

/// How the page looks: light and dark, on a screen of 390 pixels and on paper.
const STYLE: &str = include_str!("style.css");

/// What checks the page's proofs, in the page.
const SCRIPT: &str = include_str!("check.js");

/// A section: its anchor, its title, and what writes it.
type Section = (&'static str, &'static str, fn(&mut Markup, &Report));

/// The contents page.
const SECTIONS: [Section; 17] = [
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
    head(&mut markup, report);
    summary::write(&mut markup, report);
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
        write(&mut markup, report);
        markup.raw("</section>\n");
    }
    markup.raw("</main>\n<footer>\n");
    markup.note(
        "This report supports an assessment; it does not certify that a rule or a law is kept. It \
         holds no original and no key.",
    );
    markup.raw("<p class=\"note\">").text(&report.header.tool).raw(" · ").text(report.schema);
    markup.raw("</p>\n</footer>\n").embed(&report.to_json()).raw("\n<script>").raw(SCRIPT);
    markup.raw("</script>\n</body>\n</html>\n");
    markup.finish()
}

fn head(markup: &mut Markup, report: &Report) {
    markup
        .raw(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-",
        )
        .script_hash(SCRIPT)
        .raw("'\">\n<title>Run ")
        .text(&report.header.run.to_string())
        .raw(" of ")
        .text(&report.header.source)
        .raw(" · Sealift report</title>\n<style>\n")
        .raw(STYLE)
        .raw("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the sections</a>\n")
        .raw(svg::PATTERNS);
}
