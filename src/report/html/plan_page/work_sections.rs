//! How it is done: units, estimates, the way back, limits, signatures.

use super::super::markup::{Cell, Markup};
use super::bar;
use crate::plan::{UnitMode, readable_bytes, readable_ms};
use crate::report::Tone;
use crate::report::plan_document::{PlanDocument, StrategyLine};

pub(super) fn work(markup: &mut Markup, document: &PlanDocument) {
    if document.work.is_empty() {
        markup.paragraph("No table can be rewritten as the policy asks.");
        return;
    }
    let rows: Vec<Vec<Cell>> = document
        .work
        .iter()
        .map(|unit| {
            let tables: Vec<String> =
                unit.tables.iter().map(|table| format!("`{table}`")).collect();
            let (tone, mode) = match unit.mode {
                UnitMode::Ranges => (Tone::Good, "ranges"),
                UnitMode::Window => (Tone::Warn, "one transaction"),
            };
            vec![
                Cell::Number(unit.order),
                Cell::Text(tables.join(", ")),
                Cell::Number(unit.rows),
                Cell::Badge(tone, mode.to_owned()),
                Cell::Text(unit.how.clone()),
                Cell::Text(unit.noticed.clone()),
            ]
        })
        .collect();
    let heads = ["place", "tables", "rows", "mode", "how", "what others notice"];
    markup.table("Pieces of the work, in order", &heads, &rows);
}

pub(super) fn estimates(markup: &mut Markup, document: &PlanDocument) {
    let estimates = &document.estimates;
    markup.raw("<h3>Time</h3>\n");
    let longest = estimates.passes.iter().map(|pass| pass.ms).max().unwrap_or(0);
    markup.raw("<div class=\"fig-rows\">\n");
    for pass in &estimates.passes {
        let figure = readable_ms(pass.ms);
        row(markup, &pass.pass, &pass.does, (pass.ms, longest), &figure);
    }
    markup.raw("</div>\n<h3>Disk</h3>\n");
    let largest = estimates.disk.iter().map(|place| place.bytes).max().unwrap_or(0);
    markup.raw("<div class=\"fig-rows\">\n");
    for place in &estimates.disk {
        let figure = readable_bytes(place.bytes);
        row(markup, &place.place, &place.until, (place.bytes, largest), &figure);
    }
    markup.raw("</div>\n<p>Free space that is needed in all: <strong>");
    markup.text(&readable_bytes(estimates.disk_needed_bytes)).raw("</strong>");
    if let Some(free) = estimates.disk_free_bytes {
        markup.raw("; beside the source <strong>").text(&readable_bytes(free));
        markup.raw("</strong> are free");
    }
    markup.raw(".</p>\n<h3>Locks</h3>\n");
    let rows: Vec<Vec<Cell>> = estimates
        .locks
        .iter()
        .map(|lock| {
            vec![
                Cell::Text(lock.when.clone()),
                Cell::Text(lock.waits.clone()),
                Cell::Text(format!("up to about {}", readable_ms(lock.ms))),
            ]
        })
        .collect();
    markup.table("Who waits, and how long at a stretch", &["when", "who waits", "how long"], &rows);
    if !estimates.strategies.is_empty() {
        markup.raw("<h3>Strategies</h3>\n");
        let said: Vec<String> = estimates.strategies.iter().map(StrategyLine::sentence).collect();
        markup.list(said.iter().map(String::as_str));
    }
    markup.raw("<h3>What the figures rest on</h3>\n");
    markup.list(estimates.assumptions.iter().map(String::as_str));
    markup.note("What a run really takes stands beside these figures in its report.");
}

fn row(markup: &mut Markup, name: &str, said: &str, (amount, whole): (u64, u64), figure: &str) {
    markup.raw("<p class=\"fig-row\"><span class=\"fig-name\">").text(name);
    markup.raw(" <span class=\"remark\">").text(said).raw("</span></span>");
    bar(markup, name, figure, (amount, whole));
    markup.raw("<span class=\"fig-number\">").text(figure).raw("</span></p>\n");
}

pub(super) fn way_back(markup: &mut Markup, document: &PlanDocument) {
    markup.raw("<ol class=\"commands\">\n");
    for step in &document.way_back {
        let (tone, word) = if step.is_open {
            (Tone::Good, "everything can be put back")
        } else {
            (Tone::Warn, "no way back")
        };
        markup.raw("<li><strong>").text(&step.stage).raw("</strong> ").badge(tone, word);
        markup.raw("<p>").prose(&step.what).raw(".</p>");
        if !step.command.is_empty() {
            markup.raw("<pre>").code(&step.command).raw("</pre>");
        }
        markup.raw("</li>\n");
    }
    markup.raw("</ol>\n");
}

pub(super) fn limits(markup: &mut Markup, document: &PlanDocument) {
    markup.paragraph("What this change does not protect against, here:");
    markup.raw("<ul>\n");
    for limit in &document.limits {
        markup.raw("<li><strong>").text(&limit.about).raw(":</strong> ");
        markup.prose(&limit.statement).raw(".</li>\n");
    }
    markup.raw("</ul>\n");
}

pub(super) fn signing(markup: &mut Markup, document: &PlanDocument) {
    let signing = &document.signing;
    markup.raw("<p>").prose(&signing.who).raw(".</p>\n<p>A signature covers ");
    markup.prose(&signing.covers).raw(".</p>\n<ol class=\"commands\">\n");
    for step in &signing.steps {
        markup.raw("<li><strong>").text(&step.who).raw(":</strong> ").prose(&step.shows);
        markup.raw("<pre>").code(&step.command).raw("</pre></li>\n");
    }
    markup.raw("</ol>\n");
    markup.note(
        "A file cannot hold its own hash. `plan` prints the hash of this file, the ledger has it, \
         and `approve` compares it with the file that it is given.",
    );
}
