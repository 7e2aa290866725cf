//! The rewrite of one range, as a machine small enough to be explored whole.
//!
//! A source of a few rows, a vault, a backup, increments, a cursor with an epoch, an application that
//! writes whenever it likes, and workers that die at any step. The steps are those of section 5 of
//! `docs/PROTOCOL.md` and carry its names (R0 to R8). This room knows no database: one transition is one
//! transaction, or one act that another process cannot see half of.
//!
//! A token is written as the value that it stands for, so a token is wrong where its value is.

use stateright::{Model, Property};

/// Row keys: the places in the table, in walk order.
pub(super) const KEYS: usize = 3;
/// Rows in a batch. Two batches make a pass, and the first holds two rows.
const BATCH: usize = 2;
/// Values that the application may write; the last of them is in no backup.
const VALUES: u8 = 3;

type Value = u8;
type Values = [Option<Value>; KEYS];

/// What a row's cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    /// What the application wrote.
    Original(Value),
    /// The token of this value.
    Token(Value),
}

/// A rule of the protocol which a test takes out, to see what it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// R6: the rows are compared again where `data_version` moved.
    Reread,
    /// R3: `data_version` is noted before the rows are read.
    VersionBeforeRead,
    /// R5 before R6: the vault commits before the source.
    VaultFirst,
    /// R5: an increment and its entries are one transaction.
    EntriesWithIncrement,
    /// R4: what differs from the newest backup entry gets an increment.
    Increment,
    /// R3: a cell is compared with its newest backup entry, not with any.
    NewestOnly,
    /// R5: an increment is recorded only under the range's epoch in the vault.
    VaultEpoch,
    /// R2 after R1: increments are read when no other worker can add one.
    LearnAfterFence,
    /// R6: a batch takes the cursor row by its epoch.
    SourceEpoch,
    /// R6: tokens and cursor are one transaction.
    CursorWithRows,
    /// R6, rule 6: an unknown COMMIT is looked up, and a position is taken once.
    PositionOnRetry,
    /// R8: the run is rewritten when a sweep found nothing.
    Sweep,
}

/// The cursor row of the range, in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cursor {
    pub(super) pass: u8,
    pub(super) epoch: u8,
    /// Rows below this place are done in this pass.
    pub(super) position: usize,
    /// Whether this pass has rewritten a cell.
    moved: bool,
    /// Cells tokenized, over all passes.
    pub(super) counted: u8,
}

/// One worker's memory. It is gone when the worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    epoch: u8,
    pass: u8,
    position: usize,
    /// The newest backup entry of each cell, as this worker knows it.
    known: Values,
    step: Step,
}

/// Where a worker stands: what it has done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Step {
    /// Alive, nothing done.
    Started,
    /// R0: the epoch is raised in the vault.
    Fenced,
    /// R1: and in the source.
    Taken,
    /// R2, or a batch committed: at a position, with nothing in hand.
    Ready,
    /// R3: rows in hand.
    Read(Batch),
    /// Only without [`Guard::EntriesWithIncrement`]: recorded, its entries not yet in the vault.
    HalfRecorded(Batch),
    /// R5: all that the batch will refer to is in the vault.
    Secured(Batch),
    /// Only without [`Guard::CursorWithRows`]: tokens committed, the cursor not yet.
    HalfCommitted(Batch),
    /// R6: COMMIT was sent and no answer came.
    Unknown(Batch),
}

/// Rows as they were read, and whether somebody else committed since `data_version` was noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Batch {
    rows: [Option<Cell>; BATCH],
    changed: bool,
}

/// All that is durable, all that workers remember, and what only the checker knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) source: [Option<Cell>; KEYS],
    pub(super) cursor: Cursor,
    /// One bit per value that has an entry.
    entries: u8,
    /// The range's epoch in the vault.
    vault_epoch: u8,
    /// The last recorded increment of each cell by (epoch, number), with its epoch.
    increments: [Option<(u8, Value)>; KEYS],
    /// The event `rewritten` is on the ledger.
    pub(super) rewritten: bool,
    workers: [Option<Worker>; 2],
    starts_left: u8,
    writes_left: u8,
    /// For the checker: the application's last word.
    said: Values,
    /// For the checker: written by the application since the current sweep began.
    late: [bool; KEYS],
    /// For the checker: cells that turned from an original into a token.
    pub(super) tokenized: u8,
}

/// Who does what next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The application inserts or updates a row.
    Write(usize, Value),
    /// The application deletes a row.
    Delete(usize),
    /// A process starts, whether or not another is alive.
    Start(usize),
    /// A process is killed.
    Kill(usize),
    /// A worker takes its next step.
    Step(usize),
    /// A worker's COMMIT gets no answer; the database applied it.
    CommitUnanswered(usize),
    /// A worker's COMMIT gets no answer; the database never saw it.
    CommitLost(usize),
}

/// The machine: its budget, and the guard that a test has taken out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rewrite {
    /// What the source held when it was backed up.
    pub(super) backup: [Option<Value>; KEYS],
    pub(super) without: Option<Guard>,
    /// How often the application may write.
    pub(super) writes: u8,
    /// How many processes may start, one after the other or beside each other.
    pub(super) starts: u8,
}

impl Rewrite {
    /// The newest backup entry of each cell: its last increment, or else its backup.
    fn newest(&self, state: &State) -> Values {
        std::array::from_fn(|key| {
            state.increments[key].map(|(_, value)| value).or(self.backup[key])
        })
    }

    fn keeps(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// Takes a worker's next step; `None` where it has nothing to do but leave.
    fn advance(&self, state: &mut State, mut worker: Worker) -> Option<Worker> {
        worker.step = match worker.step {
            Step::Started => {
                state.vault_epoch += 1;
                worker.epoch = state.vault_epoch;
                Step::Fenced
            }
            Step::Fenced => {
                if state.cursor.epoch >= worker.epoch {
                    return None;
                }
                state.cursor.epoch = worker.epoch;
                (worker.pass, worker.position) = (state.cursor.pass, state.cursor.position);
                Step::Taken
            }
            Step::Taken => {
                if self.keeps(Guard::LearnAfterFence) {
                    worker.known = self.newest(state);
                }
                Step::Ready
            }
            Step::Ready if worker.position == KEYS => return self.end_pass(state, worker),
            Step::Ready => {
                Step::Read(Batch { rows: state.rows_at(worker.position), changed: false })
            }
            Step::Read(mut batch) => {
                if !self.keeps(Guard::VersionBeforeRead) {
                    batch.changed = false;
                }
                if self.keeps(Guard::VaultFirst) && self.differs(&worker, &batch) {
                    return self.record(state, worker, batch);
                }
                Step::Secured(batch)
            }
            Step::HalfRecorded(batch) => {
                state.add_entries(&batch);
                Step::Secured(batch)
            }
            Step::Secured(batch) => return self.commit(state, worker, batch),
            Step::HalfCommitted(batch) => {
                if !state.cursor_is(&worker) {
                    return None;
                }
                state.move_cursor(&batch);
                worker.position = state.cursor.position;
                Step::Ready
            }
            Step::Unknown(batch) if !self.keeps(Guard::PositionOnRetry) => Step::Secured(batch),
            Step::Unknown(_) => {
                if (state.cursor.epoch, state.cursor.pass) != (worker.epoch, worker.pass) {
                    return None;
                }
                worker.position = state.cursor.position;
                Step::Ready
            }
        };
        Some(worker)
    }

    /// Whether the newest backup entry of this cell is not the value that was read.
    fn is_new(&self, worker: &Worker, key: usize, value: Value) -> bool {
        let any = !self.keeps(Guard::NewestOnly) && self.backup[key] == Some(value);
        worker.known[key] != Some(value) && !any
    }

    fn differs(&self, worker: &Worker, batch: &Batch) -> bool {
        batch.originals(worker.position).any(|(key, value)| self.is_new(worker, key, value))
    }

    /// R4 and R5: records an increment and its entries, if the range is still ours in the vault.
    ///
    /// The file is written before, under a name of its own. Until it is recorded nobody reads it, so
    /// that it needs no state here.
    fn record(&self, state: &mut State, mut worker: Worker, batch: Batch) -> Option<Worker> {
        if self.keeps(Guard::VaultEpoch) && state.vault_epoch != worker.epoch {
            return None;
        }
        for (key, value) in batch.originals(worker.position) {
            if !self.is_new(&worker, key, value) {
                continue;
            }
            worker.known[key] = Some(value);
            let is_newest = state.increments[key].is_none_or(|(epoch, _)| epoch <= worker.epoch);
            if is_newest && self.keeps(Guard::Increment) {
                state.increments[key] = Some((worker.epoch, value));
            }
        }
        worker.step = if self.keeps(Guard::EntriesWithIncrement) {
            state.add_entries(&batch);
            Step::Secured(batch)
        } else {
            Step::HalfRecorded(batch)
        };
        Some(worker)
    }

    /// R6: one transaction on the source, from `BEGIN IMMEDIATE` to COMMIT.
    fn commit(&self, state: &mut State, mut worker: Worker, batch: Batch) -> Option<Worker> {
        let cursor = state.cursor;
        if self.keeps(Guard::SourceEpoch) && cursor.epoch != worker.epoch {
            return None;
        }
        let is_here = cursor.position == worker.position || !self.keeps(Guard::PositionOnRetry);
        if cursor.pass != worker.pass || !is_here {
            return None;
        }
        if self.keeps(Guard::Reread)
            && batch.changed
            && state.rows_at(worker.position) != batch.rows
        {
            worker.step = Step::Ready;
            return Some(worker);
        }
        for (key, value) in batch.originals(worker.position) {
            // An UPDATE by key: a row that is gone is not brought back.
            if let Some(held) = state.source[key].as_mut() {
                state.tokenized += u8::from(matches!(held, Cell::Original(_)));
                *held = Cell::Token(value);
            }
        }
        for rival in state.workers.iter_mut().flatten().filter(|rival| rival.epoch != worker.epoch)
        {
            rival.notice_change();
        }
        worker.step = if self.keeps(Guard::CursorWithRows) {
            state.move_cursor(&batch);
            worker.position = state.cursor.position;
            Step::Ready
        } else {
            Step::HalfCommitted(batch)
        };
        Some(worker)
    }

    /// R7, R8: begins the next sweep, or ends the rewrite when the last one found nothing.
    fn end_pass(&self, state: &mut State, mut worker: Worker) -> Option<Worker> {
        if !state.cursor_is(&worker) {
            return None;
        }
        let is_swept = worker.pass > 0 && !state.cursor.moved;
        if is_swept || !self.keeps(Guard::Sweep) {
            state.rewritten = true;
            return None;
        }
        state.cursor = Cursor { pass: worker.pass + 1, position: 0, moved: false, ..state.cursor };
        state.late = [false; KEYS];
        (worker.pass, worker.position) = (state.cursor.pass, 0);
        Some(worker)
    }
}

impl Batch {
    /// The cells that are to get a token, for a batch that begins at `position`.
    fn originals(self, position: usize) -> impl Iterator<Item = (usize, Value)> {
        (position..KEYS).zip(self.rows).filter_map(|(key, cell)| match cell {
            Some(Cell::Original(value)) => Some((key, value)),
            Some(Cell::Token(_)) | None => None,
        })
    }
}

impl Worker {
    /// What `PRAGMA data_version` will show to this worker's connection.
    fn notice_change(&mut self) {
        if let Step::Read(batch)
        | Step::HalfRecorded(batch)
        | Step::Secured(batch)
        | Step::Unknown(batch) = &mut self.step
        {
            batch.changed = true;
        }
    }
}

impl State {
    fn rows_at(&self, position: usize) -> [Option<Cell>; BATCH] {
        let mut rows = [None; BATCH];
        for (row, cell) in rows.iter_mut().zip(&self.source[position..]) {
            *row = *cell;
        }
        rows
    }

    fn add_entries(&mut self, batch: &Batch) {
        for (_, value) in batch.originals(0) {
            self.entries |= 1 << value;
        }
    }

    fn cursor_is(&self, worker: &Worker) -> bool {
        (self.cursor.epoch, self.cursor.pass, self.cursor.position)
            == (worker.epoch, worker.pass, worker.position)
    }

    fn move_cursor(&mut self, batch: &Batch) {
        for _ in batch.originals(self.cursor.position) {
            self.cursor.counted += 1;
            self.cursor.moved = true;
        }
        self.cursor.position = KEYS.min(self.cursor.position + BATCH);
    }

    /// The application's transaction: the row, its last word, and a new `data_version`.
    fn write(&mut self, key: usize, value: Option<Value>) {
        self.writes_left -= 1;
        self.source[key] = value.map(Cell::Original);
        self.said[key] = value;
        self.late[key] = self.cursor.pass > 0;
        self.workers.iter_mut().flatten().for_each(Worker::notice_change);
    }

    fn tokens(&self) -> impl Iterator<Item = (usize, Value)> {
        self.source.iter().enumerate().filter_map(|(key, cell)| match cell {
            Some(Cell::Token(value)) => Some((key, *value)),
            Some(Cell::Original(_)) | None => None,
        })
    }

    fn originals(&self) -> impl Iterator<Item = usize> {
        (0..KEYS).filter(|&key| matches!(self.source[key], Some(Cell::Original(_))))
    }
}

impl Model for Rewrite {
    type State = State;
    type Action = Action;

    /// A sealed run: the backup was read, the vault loaded from it, the source untouched.
    fn init_states(&self) -> Vec<State> {
        let backup = self.backup;
        vec![State {
            source: backup.map(|value| value.map(Cell::Original)),
            cursor: Cursor { pass: 0, epoch: 0, position: 0, moved: false, counted: 0 },
            entries: backup.iter().flatten().fold(0, |bits, value| bits | 1 << value),
            vault_epoch: 0,
            increments: [None; KEYS],
            rewritten: false,
            workers: [None; 2],
            starts_left: self.starts,
            writes_left: self.writes,
            said: backup,
            late: [false; KEYS],
            tokenized: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.writes_left > 0 && !state.rewritten {
            for key in 0..KEYS {
                let held = state.source[key];
                let new = (0..VALUES).filter(|value| held != Some(Cell::Original(*value)));
                actions.extend(new.map(|value| Action::Write(key, value)));
                actions.extend(held.map(|_| Action::Delete(key)));
            }
        }
        for (slot, worker) in state.workers.iter().enumerate() {
            let Some(worker) = worker else { continue };
            actions.push(Action::Step(slot));
            // A death that nobody survives or follows leads nowhere new.
            if state.starts_left > 0 || state.workers[1 - slot].is_some() {
                actions.push(Action::Kill(slot));
            }
            if matches!(worker.step, Step::Secured(_)) {
                actions.extend([Action::CommitUnanswered(slot), Action::CommitLost(slot)]);
            }
        }
        if state.starts_left > 0 && !state.rewritten {
            actions.extend(state.workers.iter().position(Option::is_none).map(Action::Start));
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Write(key, value) => state.write(key, Some(value)),
            Action::Delete(key) => state.write(key, None),
            Action::Start(slot) => {
                state.starts_left -= 1;
                state.workers[slot] = Some(Worker {
                    epoch: 0,
                    pass: 0,
                    position: 0,
                    known: if self.keeps(Guard::LearnAfterFence) {
                        [None; KEYS]
                    } else {
                        self.newest(last)
                    },
                    step: Step::Started,
                });
            }
            Action::Kill(slot) => state.workers[slot] = None,
            Action::Step(slot) => {
                let worker = last.workers[slot]?;
                state.workers[slot] = self.advance(&mut state, worker);
            }
            Action::CommitUnanswered(slot) => {
                let worker = last.workers[slot]?;
                let Step::Secured(batch) = worker.step else { return None };
                let mut unsure = worker;
                unsure.step = Step::Unknown(batch);
                state.workers[slot] = self.commit(&mut state, worker, batch).map(|_| unsure);
            }
            Action::CommitLost(slot) => {
                let worker = last.workers[slot]?;
                let Step::Secured(batch) = worker.step else { return None };
                let mut unsure = worker;
                unsure.step = Step::Unknown(batch);
                state.workers[slot] = Some(unsure);
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(NOTHING_IS_LOST, |_, state: &State| {
                (0..KEYS).all(|key| match state.source[key] {
                    Some(Cell::Original(value) | Cell::Token(value)) => {
                        state.said[key] == Some(value)
                    }
                    None => state.said[key].is_none(),
                })
            }),
            Property::always(EVERY_TOKEN_OPENS, |_, state: &State| {
                state.tokens().all(|(_, value)| state.entries & (1 << value) != 0)
            }),
            Property::always(THE_WAY_BACK, |model, state: &State| {
                let newest = model.newest(state);
                state.tokens().all(|(key, value)| newest[key] == Some(value))
            }),
            Property::always(COUNTS_RECONCILE, |_, state: &State| {
                state.cursor.position < KEYS || state.cursor.counted == state.tokenized
            }),
            Property::always(NO_ROW_IS_PASSED_OVER, |_, state: &State| {
                !state.rewritten || state.originals().all(|key| state.late[key])
            }),
            Property::sometimes(THE_END_IS_REACHED, |model, state: &State| {
                // After every write that the application may make, and every process but one killed.
                state.rewritten
                    && state.originals().next().is_none()
                    && state.tokens().next().is_some()
                    && state.writes_left == 0
                    && state.vault_epoch == model.starts
            }),
        ]
    }
}

/// P1.
pub(super) const NOTHING_IS_LOST: &str = "nothing is lost";
/// P2.
pub(super) const EVERY_TOKEN_OPENS: &str = "every token opens";
/// P3.
pub(super) const THE_WAY_BACK: &str = "the newest backup entry is what the token replaced";
/// P4.
pub(super) const COUNTS_RECONCILE: &str = "counts reconcile";
/// P5.
pub(super) const NO_ROW_IS_PASSED_OVER: &str = "no row is passed over";
/// The protocol can finish, whatever was in its way.
pub(super) const THE_END_IS_REACHED: &str = "the end is reached";
