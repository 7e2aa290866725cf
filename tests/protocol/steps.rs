//! The steps of a worker and of a rollback: R0 to R8 and Z1 to Z3 of `docs/PROTOCOL.md`.
//!
//! Each function is one transaction, or one act that another process cannot see half of. It asks
//! [`Rewrite::keeps`] for its guard, so that a test can take the guard out.

use super::model::{
    Batch, Cell, Cursor, Guard, KEYS, Rewrite, Rollback, State, Step, Value, Worker,
};

impl Rewrite {
    /// Takes a worker's next step; `None` where it has nothing to do but leave.
    pub(super) fn advance(&self, state: &mut State, mut worker: Worker) -> Option<Worker> {
        worker.step = match worker.step {
            Step::Started => {
                if self.keeps(Guard::PhaseAtTakeover) && state.rollback != Rollback::No {
                    return None;
                }
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
                if self.keeps(Guard::VaultFirst) && self.differs(&worker, batch) {
                    return self.record(state, worker, batch);
                }
                Step::Secured(batch)
            }
            Step::HalfRecorded(batch) => {
                state.add_entries(batch);
                Step::Secured(batch)
            }
            Step::Secured(batch) => return self.commit(state, worker, batch),
            Step::HalfCommitted(batch) => {
                if !state.cursor_is(&worker) {
                    return None;
                }
                state.move_cursor(batch);
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

    fn differs(&self, worker: &Worker, batch: Batch) -> bool {
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
            state.add_entries(batch);
            Step::Secured(batch)
        } else {
            Step::HalfRecorded(batch)
        };
        Some(worker)
    }

    /// R6: one transaction on the source, from `BEGIN IMMEDIATE` to COMMIT.
    pub(super) fn commit(
        &self,
        state: &mut State,
        mut worker: Worker,
        batch: Batch,
    ) -> Option<Worker> {
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
            state.move_cursor(batch);
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
            state.rewritten = state.rollback == Rollback::No;
            return None;
        }
        state.cursor = Cursor { pass: worker.pass + 1, position: 0, moved: false, ..state.cursor };
        state.late = [false; KEYS];
        (worker.pass, worker.position) = (state.cursor.pass, 0);
        Some(worker)
    }

    /// Z1 to Z3, a row at a time.
    pub(super) fn roll_back(&self, state: &mut State) {
        state.rollback = match state.rollback {
            Rollback::No => {
                state.vault_epoch += 1;
                Rollback::Begun
            }
            Rollback::Begun => {
                if self.keeps(Guard::RollbackFence) {
                    state.cursor.epoch = state.vault_epoch;
                }
                Rollback::At(0)
            }
            Rollback::At(key) => {
                if let Some(Cell::Token(_)) = state.source[key] {
                    // The backup's word, not the vault's: P3 is what makes it the right one.
                    state.source[key] = self.newest(state)[key].map(Cell::Original);
                    state.workers.iter_mut().flatten().for_each(Worker::notice_change);
                }
                Rollback::At(key + 1)
            }
        };
    }
}
