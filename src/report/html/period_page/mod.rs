//! The report over a period as one page that needs no network, and checks the proofs that it carries.
//!
//! What the page says is a [`PeriodReport`]'s; this room only sets it.

use super::markup::Markup;
use super::{Section, contents, foot, head, summary};
use crate::report::period::{PeriodReport, title};

mod ledger_sections;
mod run_sections;

/// What checks the page's proofs, in the page.
const SCRIPT: &str = concat!(include_str!("../check.js"), include_str!("../check_period.js"));

/// The contents page.
const SECTIONS: [Section<PeriodReport>; 13] = [
    ("runs", "Runs and where they stand", run_sections::runs),
    ("totals", "Counts that reconcile", run_sections::totals),
    ("domains", "Domains, and who may read them", run_sections::domains),
    ("columns", "Columns", run_sections::columns),
    ("purges", "Purges and certificates", run_sections::purges),
    ("approvals", "Approvals", run_sections::approvals),
    ("access", "Access by purpose", ledger_sections::access),
    ("ledger", "What else is on the ledger", ledger_sections::ledger),
    ("gaps", "Gaps", ledger_sections::gaps),
    ("keys", "Keys", ledger_sections::keys),
    ("risks", "Exceptions and residual risks", ledger_sections::risks),
    ("controls", "Controls that this supports", ledger_sections::controls),
    ("verify", "How to verify", ledger_sections::how_to_verify),
];

/// Writes the page.
pub(in crate::report) fn page(report: &PeriodReport) -> String {
    let mut markup = Markup::default();
    head(&mut markup, &format!("{} · Sealift report", title(report)), SCRIPT);
    begin(&mut markup, report);
    super::sections(&mut markup, &SECTIONS, report);
    foot(&mut markup, &report.header.tool, report.schema, &report.to_json(), SCRIPT);
    markup.finish()
}

/// The head of the page: what came of the runs, four figures, and what is not said.
fn begin(markup: &mut Markup, report: &PeriodReport) {
    markup
        .raw("<header>\n<p class=\"brand\">Sealift <span>· report over a period</span></p>\n<h1>")
        .text(&title(report));
    if let Some(as_of) = &report.header.as_of {
        markup.raw(" <span class=\"as-of\">as of ").time(as_of).raw("</span>");
    }
    markup.raw("</h1>\n");
    summary::verdict(markup, &report.summary, None);
    markup.raw("</div>\n");
    summary::figures(markup, &report.summary.figures);
    markup.raw("<div class=\"two\">\n");
    run_sections::states(markup, report);
    summary::limits(markup, &report.summary);
    markup.raw("</div>\n");
    identity(markup, report);
    markup.raw("</header>\n");
    contents(markup, &SECTIONS);
}

fn identity(markup: &mut Markup, report: &PeriodReport) {
    let header = &report.header;
    markup.raw("<dl class=\"identity\">\n");
    summary::facts(
        markup,
        &[
            ("Vault", &header.vault),
            ("Ledger", &header.origin),
            ("Key fingerprint", &header.key_fingerprint),
        ],
    );
    summary::anchors(markup, &header.anchors);
    markup.raw("</dl>\n");
}

/// The title of a section, by its anchor.
fn title_of(anchor: &str) -> &'static str {
    SECTIONS.iter().find(|(name, ..)| *name == anchor).map_or("", |(_, title, _)| title)
}
