//! How long the work took. Work is drawn to scale; waits, which may be days, are shortened.

use super::legend;
use crate::report::html::markup::Markup;
use crate::report::html::svg::{Anchor, At, Drawing, Fill, Share, split};
use crate::report::{Report, Stage, StageKind};
use crate::words::duration;

/// Pixels from one stage to the next.
const ROW: u64 = 40;
/// What all waits together take of the width, at the most, in percent.
const WAITS_MAX: u64 = 30;
/// What one wait takes of it.
const WAIT: u64 = 5;
/// More stages than these are left to the table beneath.
const STAGES_MAX: usize = 40;

pub(crate) fn draw(markup: &mut Markup, report: &Report) {
    let stages = &report.stages[..report.stages.len().min(STAGES_MAX)];
    if stages.is_empty() {
        return;
    }
    let said: Vec<String> = stages
        .iter()
        .map(|stage| format!("{} {}: {}", stage.kind.title(), stage.name, duration(stage.millis)))
        .collect();
    let height = ROW * stages.len() as u64;
    let title = "How long the work took, and how long the run waited";
    markup.raw("<figure class=\"picture\">\n");
    let mut drawing = Drawing::open(markup, "drawing", height, title, &said.join("; "));
    let mut x = Share::ZERO;
    for ((stage, width), at) in stages.iter().zip(widths(stages)).zip(0..) {
        let top = at * ROW;
        let fill = match stage.kind {
            StageKind::Work => Fill::Token,
            StageKind::Wait => Fill::Wait,
        };
        let class = match stage.kind {
            StageKind::Work => "l-name",
            StageKind::Wait => "l-wait",
        };
        drawing
            .text(At(Share::ZERO, 0), top + 14, Anchor::Start, class, &name(stage))
            .text(At(Share::FULL, 0), top + 14, Anchor::End, "l-note", &duration(stage.millis))
            .rect((Share::ZERO, top + 20), (Share::FULL, 10), Fill::Track)
            .rect((x, top + 20), (width, 10), fill);
        x = x.plus(width);
    }
    drawing.close();
    legend(
        markup,
        &[
            (Fill::Token, "work, to scale".to_owned()),
            (Fill::Wait, "waiting, not to scale: its length stands beside it".to_owned()),
        ],
    );
    markup.raw("</figure>\n");
}

fn name(stage: &Stage) -> String {
    match stage.kind {
        StageKind::Work => stage.name.to_owned(),
        StageKind::Wait => format!("waited {}", stage.name),
    }
}

fn widths(stages: &[Stage]) -> Vec<Share> {
    let is_wait = |stage: &Stage| stage.kind == StageKind::Wait;
    let waits = stages.iter().filter(|stage| is_wait(stage)).count() as u64;
    let all = (waits * WAIT).min(WAITS_MAX);
    let wait =
        Share::of(all * 100 / waits.max(1), WAITS_MAX * 100).within(Share::of(WAITS_MAX, 100));
    let room = Share::FULL.minus(wait.times(waits));
    let work: Vec<u64> =
        stages.iter().map(|stage| if is_wait(stage) { 0 } else { stage.millis.max(1) }).collect();
    let work = split(&work, room);
    stages.iter().zip(work).map(|(stage, work)| if is_wait(stage) { wait } else { work }).collect()
}
