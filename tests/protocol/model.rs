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

pub(super) type Value = u8;
pub(super) type Values = [Option<Value>; KEYS];

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
    /// Z2: a rollback raises the epoch of the cursor before it walks.
    RollbackFence,
    /// R0: a range is taken over only in a phase that rewrites.
    PhaseAtTakeover,
}

/// The cursor row of the range, in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Cursor {
    pub(super) pass: u8,
    pub(super) epoch: u8,
    /// Rows below this place are done in this pass.
    pub(super) position: usize,
    /// Whether this pass has rewritten a cell.
    pub(super) moved: bool,
    /// Cells tokenized, over all passes.
    pub(super) counted: u8,
}

/// One worker's memory. It is gone when the worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Worker {
    pub(super) epoch: u8,
    pub(super) pass: u8,
    pub(super) position: usize,
    /// The newest backup entry of each cell, as this worker knows it.
    pub(super) known: Values,
    pub(super) step: Step,
}

/// Where a worker stands: what it has done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
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
pub(super) struct Batch {
    pub(super) rows: [Option<Cell>; BATCH],
    pub(super) changed: bool,
}

/// All that is durable, all that workers remember, and what only the checker knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) source: [Option<Cell>; KEYS],
    pub(super) cursor: Cursor,
    /// One bit per value that has an entry.
    pub(super) entries: u8,
    /// The range's epoch in the vault.
    pub(super) vault_epoch: u8,
    /// The last recorded increment of each cell by (epoch, number), with its epoch.
    pub(super) increments: [Option<(u8, Value)>; KEYS],
    /// The event `rewritten` is on the ledger.
    pub(super) rewritten: bool,
    pub(super) rollback: Rollback,
    pub(super) workers: [Option<Worker>; 2],
    starts_left: u8,
    writes_left: u8,
    /// For the checker: the application's last word.
    said: Values,
    /// For the checker: written by the application since the current sweep began.
    pub(super) late: [bool; KEYS],
    /// For the checker: cells that turned from an original into a token.
    pub(super) tokenized: u8,
}

/// How far a rollback is. What it knows is durable, so that its death changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Rollback {
    /// Nobody asked for one.
    No,
    /// Z1: on the ledger, and the epoch raised in the vault.
    Begun,
    /// Z2: and in the source. Z3: rows below this place hold originals.
    At(usize),
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
    /// A rollback begins, or takes its next step.
    Rollback,
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
    /// Whether a rollback may begin at any moment.
    pub(super) rolls_back: bool,
}

impl Rewrite {
    /// The newest backup entry of each cell: its last increment, or else its backup.
    pub(super) fn newest(&self, state: &State) -> Values {
        std::array::from_fn(|key| {
            state.increments[key].map(|(_, value)| value).or(self.backup[key])
        })
    }

    pub(super) fn keeps(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }
}

impl Batch {
    /// The cells that are to get a token, for a batch that begins at `position`.
    pub(super) fn originals(self, position: usize) -> impl Iterator<Item = (usize, Value)> {
        (position..KEYS).zip(self.rows).filter_map(|(key, cell)| match cell {
            Some(Cell::Original(value)) => Some((key, value)),
            Some(Cell::Token(_)) | None => None,
        })
    }
}

impl Worker {
    /// What `PRAGMA data_version` will show to this worker's connection.
    pub(super) fn notice_change(&mut self) {
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
    pub(super) fn rows_at(&self, position: usize) -> [Option<Cell>; BATCH] {
        let mut rows = [None; BATCH];
        for (row, cell) in rows.iter_mut().zip(&self.source[position..]) {
            *row = *cell;
        }
        rows
    }

    pub(super) fn add_entries(&mut self, batch: Batch) {
        for (_, value) in batch.originals(0) {
            self.entries |= 1 << value;
        }
    }

    pub(super) fn cursor_is(&self, worker: &Worker) -> bool {
        (self.cursor.epoch, self.cursor.pass, self.cursor.position)
            == (worker.epoch, worker.pass, worker.position)
    }

    pub(super) fn move_cursor(&mut self, batch: Batch) {
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
            rollback: Rollback::No,
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
        if self.rolls_back && state.rollback != Rollback::At(KEYS) {
            actions.push(Action::Rollback);
        }
        if state.starts_left > 0 && !state.rewritten && state.rollback == Rollback::No {
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
            Action::Rollback => self.roll_back(&mut state),
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
        let mut properties = vec![
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
            Property::always(THE_WAY_BACK, |model: &Self, state: &State| {
                let newest = model.newest(state);
                state.tokens().all(|(key, value)| newest[key] == Some(value))
            }),
            Property::always(COUNTS_RECONCILE, |_, state: &State| {
                state.cursor.position < KEYS || state.cursor.counted == state.tokenized
            }),
            Property::always(NO_ROW_IS_PASSED_OVER, |_, state: &State| {
                !state.rewritten
                    || state.rollback != Rollback::No
                    || state.originals().all(|key| state.late[key])
            }),
            Property::always(ROLLED_BACK_MEANS_NO_TOKEN, |_, state: &State| {
                state.rollback != Rollback::At(KEYS) || state.tokens().next().is_none()
            }),
            Property::sometimes(THE_END_IS_REACHED, |_, state: &State| {
                // After every write that the application may make, and with every process started.
                state.rewritten
                    && state.originals().next().is_none()
                    && state.tokens().next().is_some()
                    && state.writes_left == 0
                    && state.starts_left == 0
            }),
        ];
        if self.rolls_back {
            properties.push(Property::sometimes(A_REWRITE_IS_ROLLED_BACK, |_, state: &State| {
                state.rewritten && state.rollback == Rollback::At(KEYS)
            }));
        }
        properties
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
/// What a rollback promises, against a worker that does not know of it.
pub(super) const ROLLED_BACK_MEANS_NO_TOKEN: &str = "rolled back means no token";
/// A run can be rolled back from its end.
pub(super) const A_REWRITE_IS_ROLLED_BACK: &str = "a rewrite is rolled back";
/// The protocol can finish, whatever was in its way.
pub(super) const THE_END_IS_REACHED: &str = "the end is reached";
