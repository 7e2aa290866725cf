//! The life of a run as a track: where it was, where it stands, what is ahead, and the way back.
//!
//! Drawn twice, across for wide pages and down for narrow ones; the page shows one of them.

use crate::lifecycle::Phase;
use crate::report::html::markup::Markup;
use crate::report::html::svg::{Anchor, At, Drawing, Share};
use crate::report::{Report, Step, StepState};

/// Pixels from one phase to the next, downwards.
const ROW: u64 = 42;
/// A caller's name is cut off after this many characters.
const NAME_CHARS_MAX: usize = 13;
/// Where the line of the track lies, from the top.
const TRACK: u64 = 16;
/// Where the way back lies.
const WAY_BACK: u64 = 130;

pub(crate) fn draw(markup: &mut Markup, report: &Report) {
    let steps = &report.header.steps;
    let (back, forth): (Vec<&Step>, Vec<&Step>) =
        steps.iter().partition(|step| is_way_back(step.phase));
    let said: Vec<String> = steps.iter().map(told).collect();
    let said = said.join("; ");
    markup.raw("<figure class=\"life\">\n");
    across(markup, &forth, &back, &said);
    down(markup, &forth, &back, &said);
    markup.raw("</figure>\n");
}

fn is_way_back(phase: Phase) -> bool {
    matches!(phase, Phase::RollingBack | Phase::RolledBack)
}

fn across(markup: &mut Markup, forth: &[&Step], back: &[&Step], said: &str) {
    let height = if back.is_empty() { 92 } else { 210 };
    let mut drawing = Drawing::open(markup, "life-across", height, "The life of the run", said);
    let one = Share::one_of(forth.len() as u64);
    let place = |at: u64| one.times(at).plus(one.half());
    for (pair, at) in forth.windows(2).zip(0..) {
        let is_done = pair.iter().all(|step| is_past(step.state));
        let class = if is_done { "track-done" } else { "track-ahead" };
        drawing.line((place(at), TRACK), (place(at + 1), TRACK), class);
    }
    if !back.is_empty() {
        let turned = forth.iter().rposition(|step| is_past(step.state)).unwrap_or_default() as u64;
        let is_back =
            back.iter().any(|step| step.phase == Phase::RolledBack && is_past(step.state));
        let class = if is_back { "track-back" } else { "track-ahead" };
        drawing.line((place(turned), 94), (place(turned), WAY_BACK), class);
        drawing.line((place(turned), WAY_BACK), (place(0), WAY_BACK), class);
        for (step, at) in back.iter().zip([turned, 0]) {
            phase(&mut drawing, step, place(at), WAY_BACK);
        }
        if turned > 0 {
            drawing.arrow_left(place(0).plus(Share::of(1, 100)), WAY_BACK);
        }
    }
    for (step, at) in forth.iter().zip(0..) {
        phase(&mut drawing, step, place(at), TRACK);
    }
    drawing.close();
}

fn phase(drawing: &mut Drawing<'_>, step: &Step, x: Share, y: u64) {
    let at = At(x, 0);
    dot(drawing, step, at, y);
    let name = step.phase.name().replace('_', " ");
    drawing.text(at, y + 27, Anchor::Middle, name_class(step.state), &name);
    match &step.at {
        Some(time) => {
            let (day, hour) = (time.get(..10).unwrap_or(time), time.get(11..19).unwrap_or(""));
            let by = step.by.as_deref().unwrap_or("–");
            drawing
                .text(at, y + 43, Anchor::Middle, "l-small", day)
                .text(at, y + 57, Anchor::Middle, "l-small", hour)
                .text(at, y + 71, Anchor::Middle, "l-small", &format!("by {}", short(by)));
        }
        None => {
            drawing.text(at, y + 43, Anchor::Middle, "l-small", step.state.title());
        }
    }
}

fn down(markup: &mut Markup, forth: &[&Step], back: &[&Step], said: &str) {
    let steps: Vec<&&Step> = forth.iter().chain(back).collect();
    let height = ROW * steps.len() as u64;
    let mut drawing = Drawing::open(markup, "life-down", height, "The life of the run", said);
    for (pair, at) in steps.windows(2).zip(0..) {
        let is_done = pair.iter().all(|step| is_past(step.state));
        let class = match (is_done, is_way_back(pair[1].phase)) {
            (true, true) => "track-back",
            (true, false) => "track-done",
            (false, _) => "track-ahead",
        };
        drawing.upright(11, at * ROW + TRACK, (at + 1) * ROW + TRACK, class);
    }
    for (step, at) in steps.iter().zip(0..) {
        let y = at * ROW + TRACK;
        dot(&mut drawing, step, At(Share::ZERO, 11), y);
        let arrow = if is_way_back(step.phase) { "↩ " } else { "" };
        let name = format!("{arrow}{}", step.phase.name().replace('_', " "));
        let note = match (&step.at, &step.by) {
            (Some(time), Some(by)) => {
                let (day, hour) = (time.get(..10).unwrap_or(time), time.get(11..19).unwrap_or(""));
                format!("{day} {hour} · by {by}")
            }
            _ => step.state.title().to_owned(),
        };
        let beside = At(Share::ZERO, 32);
        drawing.text(beside, y + 1, Anchor::Start, name_class(step.state), &name).text(
            beside,
            y + 16,
            Anchor::Start,
            "l-small",
            &note,
        );
    }
    drawing.close();
}

/// A name that fits between two phases.
fn short(name: &str) -> String {
    if name.chars().count() <= NAME_CHARS_MAX {
        return name.to_owned();
    }
    let start: String = name.chars().take(NAME_CHARS_MAX - 1).collect();
    format!("{start}…")
}

fn dot(drawing: &mut Drawing<'_>, step: &Step, at: At, y: u64) {
    match step.state {
        StepState::Done => drawing.dot(at, y, 7, "dot-done"),
        StepState::Current => drawing.dot(at, y, 10, "dot-ring").dot(at, y, 6, "dot-done"),
        StepState::Ahead | StepState::LeftOut => drawing.dot(at, y, 7, "dot-ahead"),
    };
}

fn name_class(state: StepState) -> &'static str {
    match state {
        StepState::Done => "l-phase",
        StepState::Current => "l-phase now",
        StepState::Ahead => "l-phase ahead",
        StepState::LeftOut => "l-phase left-out",
    }
}

fn is_past(state: StepState) -> bool {
    matches!(state, StepState::Done | StepState::Current)
}

fn told(step: &Step) -> String {
    let name = step.phase.name().replace('_', " ");
    match (&step.at, &step.by) {
        (Some(at), Some(by)) => format!("{name}: {at} by {by}"),
        _ => format!("{name}: {}", step.state.title()),
    }
}
