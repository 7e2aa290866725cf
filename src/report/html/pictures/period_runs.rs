//! When each run of a period began and ended, and how it stands: one bar a run, over the same time.

use super::legend;
use crate::report::html::markup::Markup;
use crate::report::html::svg::{Anchor, At, Drawing, Fill, Share, label};
use crate::report::{RunLine, Tone};
use crate::words::between;

/// Pixels from one run to the next.
const ROW: u64 = 40;
/// More runs than these are left to the table beneath.
const RUNS_MAX: usize = 40;

pub(crate) fn draw(markup: &mut Markup, runs: &[RunLine]) {
    let runs = &runs[..runs.len().min(RUNS_MAX)];
    let begin = runs.iter().filter_map(|run| run.planned_at.as_deref()).min();
    let end = runs.iter().filter_map(|run| run.last_at.as_deref()).max();
    let (Some(begin), Some(end)) = (begin, end) else { return };
    let whole = between(begin, end).unwrap_or(0).max(1);
    let said: Vec<String> = runs
        .iter()
        .map(|run| format!("{} of {}: {}", run.run, run.source, run.verdict.to_lowercase()))
        .collect();
    markup.raw("<figure class=\"picture\">\n");
    let height = ROW * runs.len() as u64;
    let title = "When each run was planned, and when its last entry was written";
    let mut drawing = Drawing::open(markup, "drawing", height, title, &said.join("; "));
    for (run, at) in runs.iter().zip(0..) {
        let top = at * ROW;
        let from = run.planned_at.as_deref().and_then(|at| between(begin, at)).unwrap_or(0);
        let until = run.last_at.as_deref().and_then(|at| between(begin, at)).unwrap_or(from);
        let (from, until) = (Share::of(from, whole), Share::of(until, whole));
        // A run of seconds in a period of months is still to be seen.
        let width = until.minus(from).max(Share::of(1, 100));
        let from = from.min(Share::FULL.minus(width));
        drawing
            .text(At(Share::ZERO, 0), top + 14, Anchor::Start, "l-name", &name(run))
            .text(At(Share::FULL, 0), top + 14, Anchor::End, "l-note", run.verdict)
            .rect((Share::ZERO, top + 20), (Share::FULL, 10), Fill::Track)
            .rect((from, top + 20), (width, 10), fill(run));
    }
    drawing.close();
    let marks = [
        (Fill::Token, "as it should be", Tone::Good),
        (Fill::Quiet, "under way, or turned back", Tone::Quiet),
        (Fill::Warn, "worth reading", Tone::Warn),
        (Fill::Residue, "not as it should be", Tone::Bad),
    ];
    let used = |tone: &Tone| runs.iter().any(|run| run.tone == *tone);
    let marks: Vec<(Fill, String)> = marks
        .into_iter()
        .filter(|(_, _, tone)| used(tone))
        .map(|(fill, words, _)| (fill, words.to_owned()))
        .collect();
    legend(markup, &marks);
    markup.raw("</figure>\n");
}

fn name(run: &RunLine) -> String {
    format!("{} · {}", run.run, label(&run.source))
}

fn fill(run: &RunLine) -> Fill {
    match run.tone {
        Tone::Good => Fill::Token,
        Tone::Quiet => Fill::Quiet,
        Tone::Warn => Fill::Warn,
        Tone::Bad => Fill::Residue,
    }
}
