//! How a table is cut into ranges by workers that do not wait for each other: L2 and L5 of section 13.
//!
//! A table of a few rows, pieces as the vault has them, two workers, and a lease that may run out at
//! any moment. One transition is one transaction. The promise: the ranges that are on record never
//! overlap, and once every piece is done they are the whole table.

use stateright::{Checker, HasDiscoveries, Model, Property};

/// Rows of the table; a place is the number of rows below it.
const ROWS: u8 = 4;
/// Rows of a range as it is cut.
const RANGE: u8 = 2;
/// How often a lease may run out.
const PASSED_OVER_MAX: u8 = 2;

const NO_OVERLAP: &str = "no row is in two ranges";
const NO_GAP: &str = "every row is in a range";

/// A rule that a test takes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// L2: a range is cut only behind the one that bears the mark of the last cut.
    Mark,
    /// L5: a range is recorded only under the epoch of its lease.
    Epoch,
    /// L5: the rest of a range that is split is a piece from the same transaction on.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Piece {
    lower: u8,
    /// `None`: open above.
    upper: Option<u8>,
    is_last: bool,
    is_done: bool,
    epoch: u8,
    holder: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Worker {
    Idle,
    /// It has read where the last cut ended, and behind which piece.
    Seen {
        after: Option<usize>,
        lower: u8,
    },
    /// It walks a piece, as it was when it was taken.
    Holds {
        piece: usize,
        epoch: u8,
        lower: u8,
        upper: Option<u8>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    pieces: Vec<Piece>,
    workers: [Worker; 2],
    recorded: Vec<(u8, Option<u8>)>,
    passed_over: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// A worker takes its next step.
    Step(usize),
    /// A worker finds its range too large, and records the first row of it only.
    Split(usize),
    /// The lease of a piece runs out.
    RunsOut(usize),
}

#[derive(Debug, Clone, Copy)]
struct Cutting {
    without: Option<Guard>,
}

impl Cutting {
    fn keeps(self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// Takes a free piece, or looks where the next one begins.
    fn begin(state: &State) -> Option<(Worker, Option<usize>)> {
        let free = state.pieces.iter().position(|p| !p.is_done && p.holder.is_none());
        if let Some(at) = free {
            let piece = state.pieces[at];
            let epoch = piece.epoch + 1;
            let (lower, upper) = (piece.lower, piece.upper);
            return Some((Worker::Holds { piece: at, epoch, lower, upper }, Some(at)));
        }
        let Some(after) = state.pieces.iter().position(|piece| piece.is_last) else {
            return Some((Worker::Seen { after: None, lower: 0 }, None));
        };
        let lower = state.pieces[after].upper?;
        Some((Worker::Seen { after: Some(after), lower }, None))
    }

    fn cut(self, state: &mut State, worker: usize, after: Option<usize>, lower: u8) {
        let is_still_last = match after {
            Some(after) => state.pieces[after].is_last,
            None => state.pieces.is_empty(),
        };
        if self.keeps(Guard::Mark) && !is_still_last {
            state.workers[worker] = Worker::Idle;
            return;
        }
        if let Some(after) = after {
            state.pieces[after].is_last = false;
        }
        let upper = Some(lower + RANGE).filter(|upper| *upper < ROWS);
        let holder = Some(worker);
        let is_last = true;
        state.pieces.push(Piece { lower, upper, is_last, is_done: false, epoch: 1, holder });
        let piece = state.pieces.len() - 1;
        state.workers[worker] = Worker::Holds { piece, epoch: 1, lower, upper };
    }

    /// Records what was walked, up to `end` where the piece is split.
    fn record(self, state: &mut State, worker: usize, split: bool) {
        let Worker::Holds { piece: at, epoch, lower, upper } = state.workers[worker] else {
            return;
        };
        state.workers[worker] = Worker::Idle;
        let piece = state.pieces[at];
        let is_ours = piece.epoch == epoch && piece.holder == Some(worker);
        if self.keeps(Guard::Epoch) && !is_ours {
            return;
        }
        if split {
            let end = lower + 1;
            if self.keeps(Guard::Rest) {
                let rest = Piece { lower: end, upper, epoch: 0, holder: None, ..piece };
                state.pieces.push(rest);
            }
            state.recorded.push((lower, Some(end)));
            state.pieces[at].upper = Some(end);
            state.pieces[at].is_last &= !self.keeps(Guard::Rest);
        } else {
            state.recorded.push((lower, upper));
        }
        state.pieces[at].is_done = true;
        state.pieces[at].holder = None;
    }
}

/// How many ranges on record hold a row.
fn times(state: &State, row: u8) -> usize {
    let holds =
        |(lower, upper): &&(u8, Option<u8>)| *lower <= row && upper.is_none_or(|upper| row < upper);
    state.recorded.iter().filter(holds).count()
}

fn is_over(state: &State) -> bool {
    let is_whole = state.pieces.iter().any(|piece| piece.is_last && piece.upper.is_none());
    is_whole && state.pieces.iter().all(|piece| piece.is_done)
}

impl Model for Cutting {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let workers = [Worker::Idle; 2];
        vec![State { pieces: Vec::new(), workers, recorded: Vec::new(), passed_over: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (at, worker) in state.workers.iter().enumerate() {
            actions.push(Action::Step(at));
            if let Worker::Holds { lower, upper, .. } = worker
                && upper.unwrap_or(ROWS) > lower + 1
            {
                actions.push(Action::Split(at));
            }
        }
        if state.passed_over < PASSED_OVER_MAX {
            let held = state.pieces.iter().enumerate().filter(|(_, piece)| piece.holder.is_some());
            actions.extend(held.map(|(at, _)| Action::RunsOut(at)));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Step(worker) => match state.workers[worker] {
                Worker::Idle => {
                    let (next, taken) = Self::begin(&state)?;
                    state.workers[worker] = next;
                    if let Some(at) = taken {
                        state.pieces[at].epoch += 1;
                        state.pieces[at].holder = Some(worker);
                    }
                }
                Worker::Seen { after, lower } => self.cut(&mut state, worker, after, lower),
                Worker::Holds { .. } => self.record(&mut state, worker, false),
            },
            Action::Split(worker) => self.record(&mut state, worker, true),
            Action::RunsOut(at) => {
                state.pieces[at].holder = None;
                state.passed_over += 1;
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NO_OVERLAP, |_, state| (0..ROWS).all(|row| times(state, row) <= 1)),
            Property::always(NO_GAP, |_, state| {
                !is_over(state) || (0..ROWS).all(|row| times(state, row) >= 1)
            }),
            Property::sometimes("the table is backed up", |_, state| is_over(state)),
        ]
    }
}

fn broken(guard: Guard, promise: &'static str) {
    let model = Cutting { without: Some(guard) };
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found = checker.discovery(promise);
    assert!(found.is_some(), "nothing noticed that {guard:?} is gone");
}

#[test]
fn ranges_neither_overlap_nor_leave_a_gap_whoever_is_passed_over() {
    let checker = Cutting { without: None }.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
}

#[test]
fn without_the_mark_of_the_last_cut_two_cut_the_same_range() {
    broken(Guard::Mark, NO_OVERLAP);
}

#[test]
fn without_the_epoch_a_range_is_recorded_by_whoever_was_passed_over_too() {
    broken(Guard::Epoch, NO_OVERLAP);
}

#[test]
fn a_split_that_does_not_lay_out_the_rest_loses_rows() {
    broken(Guard::Rest, NO_GAP);
}
