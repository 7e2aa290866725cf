//! The third pass: tokens into the source, batch by batch, each with its cursor.
//!
//! A batch is read without a lock and prepared; whatever in it the backup does not know yet goes
//! into an increment and into the vault; only then is the source written, under its guard.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::lifecycle::{Event, Phase};
use crate::plan::{Strategy, Unit, UnitMode, UnitTable};
use crate::policy::TableName;
use crate::ports::{
    BlindRow, Change, Counts, CursorId, CursorState, FitTo, Interval, Lease, Pass, Piece,
    QuarantineRow, QuarantineState, RangeRow, Row, RowWrite, SegmentRow, SourceIdentity, Step,
    Task, VaultError, WriteOutcome,
};
use crate::run::ahead::NextRows;
use crate::run::batch::{Pace, compute};
use crate::run::column::{Column, Fate};
use crate::run::crash::here;
use crate::run::entries::{draw, known};
use crate::run::error::RunError;
use crate::run::fit::fit;
use crate::run::increments::{Newest, Place, add};
use crate::run::job::{Job, ms, table_of, unit_of};
use crate::run::rebuild::rebuild;
use crate::run::record::{BackupCell, IncrementRecord, TokenCell};
use crate::run::share::{Laid, piece_of, share, turn};
use crate::run::sweep::{note_busy, sweep};
use crate::run::window::rewrite_window;
use crate::token::TokenBody;
use crate::value::{Original, RowKey};

/// How often a batch is read again before it is cut in half: writers are busy there.
const MISSES_A_SIZE: u32 = 5;

/// How often a single row is read again before it is taken as one that cannot be written.
const MISSES_A_ROW: u32 = 20;

/// Rewrites every range and window that is not done, sweeps, and moves the run to `rewritten`.
///
/// # Errors
///
/// [`RunError`]; what is committed stays, and the cursors say where to go on.
pub async fn rewrite(job: &Job) -> Result<(), RunError> {
    let begun = Instant::now();
    // ORDER: after everything is sealed and before the first token; our tables are made by one.
    let Some(first) = turn(job, Phase::Sealed).await? else { return Ok(()) };
    let begins = async {
        bind_source(job).await?;
        here("rewrite.after_bind");
        fit(job, FitTo::Tokens).await
    };
    first.end(begins.await).await?;
    let resumed = !job.source.cursors(job.run, Pass::Rewrite).await?.is_empty();
    let rows = job.plan.units.iter().flat_map(|unit| &unit.tables).map(|table| table.rows).sum();
    job.progress.begin("rewrite", "rows", rows);
    job.watch.does("rewrites");
    if job.crew.shares {
        let laid = lay_out(job).await?;
        let wanted = laid.ranges.len() as u64;
        share(job, Task::Rewrite, wanted, laid).await?;
    }
    let Some(turn) = turn(job, Phase::Sealed).await? else {
        job.progress.end();
        return Ok(());
    };
    let done = rest(job, begun, resumed).await;
    turn.end(done).await
}

/// What one process does: windows, sweeps, the phase.
async fn rest(job: &Job, begun: Instant, resumed: bool) -> Result<(), RunError> {
    for unit in &job.plan.units {
        match unit.mode {
            UnitMode::Ranges if unit.strategy == Strategy::Rebuild => rebuild(job, unit).await?,
            UnitMode::Ranges if job.crew.shares => {}
            UnitMode::Ranges => rewrite_ranges(job, unit).await?,
            UnitMode::Window => rewrite_window(job, unit).await?,
        }
    }
    job.progress.end();
    let left = sweep_and_renew(job).await?;
    finish(job, begun, resumed, left).await
}

/// What the last sweeps and the statistics left undone.
struct Left {
    /// Tables into which originals still came.
    busy: Vec<TableName>,
    /// Tables whose statistics are as they were, and why.
    statistics: Map<String, Value>,
}

/// Sweeps, and has statistics taken anew meanwhile, where the source has a session left for it.
async fn sweep_and_renew(job: &Job) -> Result<Left, RunError> {
    let Ok(Some(source)) = job.source.another().await else {
        let busy = sweep(job).await?;
        return Ok(Left { busy, statistics: renew_statistics(job).await? });
    };
    let beside = Job { source, ..job.clone() };
    let (swept, statistics) = tokio::join!(sweep(job), renew_statistics(&beside));
    Ok(Left { busy: swept?, statistics: statistics? })
}

/// Has queries of others planned for what the tables hold now. What could not be done is told, and
/// put on the ledger: nothing of the run hangs on it.
pub(crate) async fn renew_statistics(job: &Job) -> Result<Map<String, Value>, RunError> {
    let tables: Vec<TableName> = job
        .plan
        .units
        .iter()
        .flat_map(|unit| &unit.tables)
        .map(|table| table.table.clone())
        .collect();
    let left = job.source.renew_statistics(&tables).await?;
    for (table, why) in &left {
        job.watch.notes(&format!("the statistics of `{table}` are as they were: {why}"));
    }
    Ok(left.into_iter().map(|(table, why)| (table.to_string(), why.into())).collect())
}

/// The ranges that are rewritten one by one.
async fn lay_out_ranges(job: &Job) -> Result<Vec<RangeRow>, RunError> {
    let in_ranges = |unit: u16| {
        job.plan.units.iter().any(|known| known.id == unit && known.mode == UnitMode::Ranges)
    };
    let mut ranges = job.vault.ranges(job.run).await?;
    ranges.retain(|range| in_ranges(range.unit));
    Ok(ranges)
}

/// Makes a piece of each range. The epoch of a piece begins where that of its cursor is.
async fn lay_out(job: &Job) -> Result<Laid, RunError> {
    let mut ranges = lay_out_ranges(job).await?;
    // A table that is rebuilt is one piece of work, and not shared.
    ranges.retain(|range| {
        job.plan.units.iter().any(|u| u.id == range.unit && u.strategy == Strategy::InPlace)
    });
    let epochs: HashMap<(u16, u32), u64> = job
        .source
        .cursors(job.run, Pass::Rewrite)
        .await?
        .into_iter()
        .map(|(unit, range, state)| ((unit, range), state.epoch))
        .collect();
    let pieces: Vec<(Piece, u64)> = ranges
        .iter()
        .map(|range| {
            let epoch = epochs.get(&(range.unit, range.number)).copied().unwrap_or(0);
            (piece_of(job, Task::Rewrite, range.unit, range.table, range.number), epoch)
        })
        .collect();
    job.vault.add_pieces(&pieces).await?;
    Ok(Laid { ranges })
}

/// Rewrites the range of one piece.
pub(crate) async fn rewrite_piece(job: &Job, lease: &Lease) -> Result<(), RunError> {
    let piece = &lease.piece;
    let range = job
        .crew
        .laid
        .ranges
        .iter()
        .find(|range| range.unit == piece.unit && range.number == piece.range)
        .ok_or_else(|| RunError::Inconsistent("a piece of work names no range".to_owned()))?;
    let table = table_of(unit_of(job, piece.unit)?, range.table)?;
    // The tokens of the range, and a batch in its several forms.
    let rows = usize::try_from(range.rows).unwrap_or(usize::MAX);
    let tokens = rows.saturating_mul(100 + 100 * table.columns.len());
    let _room = job.crew.room(tokens.saturating_add(3 * job.crew.batch_bytes())).await;
    rewrite_range(job, table, range, Some(lease)).await?;
    job.vault.commit(vec![Change::PieceDone(lease.clone())], Vec::new()).await?;
    Ok(())
}

/// Binds the source to this vault, and refuses a vault that is behind what the source has seen.
pub(crate) async fn bind_source(job: &Job) -> Result<u64, RunError> {
    let vault = job.vault.header().await?.vault.to_string();
    let id = data_encoding::HEXLOWER.encode(draw().as_bytes());
    job.source.prepare(&SourceIdentity { id, vault: vault.clone() }).await?;
    let identity = job.source.identity().await?;
    if let Some(found) = identity.filter(|identity| identity.vault != vault) {
        let other = crate::ports::SourceError::OtherVault { found: found.vault, expected: vault };
        return Err(other.into());
    }
    let size = job.vault.head().await?.size();
    let seen = job.source.ledger_seen().await?;
    if seen > size {
        return Err(RunError::OldVault { found: size, expected: seen });
    }
    job.files.note_ledger(size)?;
    Ok(size)
}

async fn rewrite_ranges(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let ranges = job.vault.ranges(job.run).await?;
    // ORDER: before the first read.
    let version = job.source.version().await?;
    let mut is_whole = true;
    for range in ranges.iter().filter(|range| range.unit == unit.id) {
        job.refuse_if_paused().await?;
        let table = table_of(unit, range.table)?;
        is_whole &= rewrite_range(job, table, range, None).await?;
    }
    if is_whole {
        job.whole.note(unit.id, version);
    }
    Ok(())
}

/// Rewrites a range; says whether all of it was done here, from its first row on.
async fn rewrite_range(
    job: &Job,
    table: &UnitTable,
    range: &RangeRow,
    lease: Option<&Lease>,
) -> Result<bool, RunError> {
    let cursor =
        CursorId { run: job.run, pass: Pass::Rewrite, unit: range.unit, range: range.number };
    let ledger_size = job.vault.head().await?.size();
    let state = match lease {
        Some(lease) => job
            .source
            .take_as(cursor, lease.epoch, ledger_size)
            .await?
            .ok_or(RunError::LeaseLost { unit: range.unit, range: range.number })?,
        None => job.source.take(cursor, ledger_size).await?,
    };
    here("rewrite.after_cursor_taken");
    if state.done {
        job.progress.advance(state.counts.rows);
        return Ok(false);
    }
    let is_whole = state.position.is_none();
    let columns = job.columns(table).await?;
    // ORDER: after the range was taken, so that no increment of somebody else can follow.
    let files = job.vault.files(job.run).await?;
    let newest = Newest::read(job, &files, range, &columns)?;
    let mut worker = Worker::new(job, table, range, columns, newest, cursor, &state);
    let mut position = state.position.or_else(|| range.lower.clone());
    let mut stored = worker.stored_position(position.as_ref());
    let mut next = NextRows::begin(job, table, range.upper.as_ref()).await?;
    loop {
        let limit = worker.pace.begin().await?;
        let (version, read) = next.read(position.as_ref(), limit).await?;
        worker.pace.saw(version);
        let is_end = read.is_empty();
        let to = read.last().map(|row| row.key.clone()).or_else(|| position.clone());
        if !is_end {
            next.look_ahead(to.as_ref(), limit).await?;
        }
        let upto = if is_end { range.upper.clone() } else { to.clone() };
        let interval = Some(Interval { after: position.clone(), upto });
        let step = worker.step(stored.clone(), to.clone(), is_end, interval);
        if worker.write(step, &read, version).await? {
            job.progress.advance(read.len() as u64);
            if job.throttle.is_polite() {
                job.source.tidy().await?;
            }
            position = to;
            stored.clone_from(&position);
            if is_end {
                return Ok(is_whole);
            }
        }
    }
}

/// One range in one worker's hands.
pub(crate) struct Worker<'w> {
    pub(crate) job: &'w Job,
    pub(crate) table: &'w UnitTable,
    pub(crate) range: &'w RangeRow,
    pub(crate) columns: Vec<Column>,
    pub(crate) newest: Newest,
    pub(crate) cursor: CursorId,
    epoch: u64,
    increments: u32,
    at_start: bool,
    misses: u32,
    pub(crate) pace: Pace<'w>,
}

/// A batch that is ready to be written.
pub(crate) struct Prepared {
    pub(crate) writes: Vec<RowWrite>,
    pub(crate) counts: Counts,
    pub(crate) increments: Vec<IncrementRecord>,
    blind: Vec<BlindRow>,
    poison: Vec<QuarantineRow>,
}

impl Prepared {
    /// Whether backup and vault have everything that it replaces, and nothing of it can have no token.
    pub(crate) fn is_known(&self) -> bool {
        self.increments.is_empty() && self.blind.is_empty() && self.poison.is_empty()
    }
}

impl<'w> Worker<'w> {
    pub(crate) fn new(
        job: &'w Job,
        table: &'w UnitTable,
        range: &'w RangeRow,
        columns: Vec<Column>,
        newest: Newest,
        cursor: CursorId,
        state: &CursorState,
    ) -> Self {
        Self {
            job,
            table,
            range,
            columns,
            newest,
            cursor,
            epoch: state.epoch,
            increments: 0,
            at_start: state.position.is_none(),
            misses: 0,
            pace: Pace::new(job),
        }
    }

    /// What the cursor row holds: nothing before the first batch, also where the range begins
    /// behind a key.
    fn stored_position(&self, position: Option<&RowKey>) -> Option<RowKey> {
        if self.at_start { None } else { position.cloned() }
    }

    pub(crate) fn step(
        &self,
        from: Option<RowKey>,
        to: Option<RowKey>,
        done: bool,
        interval: Option<Interval>,
    ) -> Step {
        // The end of a range leaves the position as it is stored.
        let to = if done { from.clone() } else { to };
        let (cursor, epoch, counts) = (self.cursor, self.epoch, Counts::default());
        Step { cursor, epoch, from, to, done, counts, interval }
    }

    /// Writes one batch; `false` where it has to be read again.
    async fn write(
        &mut self,
        mut step: Step,
        read: &[Row],
        version: i64,
    ) -> Result<bool, RunError> {
        let prepared = self.prepare(read).await?;
        if !self.settle(&prepared).await? {
            return Ok(false);
        }
        step.counts = prepared.counts;
        let begun = Instant::now();
        here("rewrite.before_cursor");
        let outcome =
            self.job.source.write(self.table, &step, read, &prepared.writes, version).await?;
        here("rewrite.after_commit");
        self.job.lock_meter.saw(begun.elapsed());
        match outcome {
            WriteOutcome::Written => {
                self.misses = 0;
                self.at_start = false;
                self.pace.went(read.len(), begun.elapsed());
                Ok(true)
            }
            WriteOutcome::LeaseLost => {
                Err(RunError::LeaseLost { unit: self.cursor.unit, range: self.cursor.range })
            }
            WriteOutcome::Changed => {
                self.missed(read).await?;
                Ok(false)
            }
            WriteOutcome::Rejected(rejection) => {
                self.rejected(read, rejection.reason).await?;
                Ok(false)
            }
        }
    }

    /// A row changed under the batch, or a trigger ignored the write.
    pub(crate) async fn missed(&mut self, read: &[Row]) -> Result<(), RunError> {
        self.misses += 1;
        if self.pace.is_single() && self.misses >= MISSES_A_ROW {
            return self.rejected(read, "the row could not be written".to_owned()).await;
        }
        if self.misses.is_multiple_of(MISSES_A_SIZE) {
            self.pace.halve(read.len());
        }
        Ok(())
    }

    /// The database refuses a row: the batch is cut until it is alone, then it is quarantined.
    pub(crate) async fn rejected(&mut self, read: &[Row], reason: String) -> Result<(), RunError> {
        let [row] = read else {
            self.pace.halve(read.len());
            return Ok(());
        };
        self.misses = 0;
        self.pace.recover();
        let row = self.poison(row, reason);
        self.quarantine(vec![row]).await
    }

    /// Increments and new entries first, durable, before the source is touched. `false` where
    /// somebody else gave one of the values its token meanwhile.
    pub(crate) async fn settle(&mut self, prepared: &Prepared) -> Result<bool, RunError> {
        if !prepared.poison.is_empty() {
            self.quarantine(prepared.poison.clone()).await?;
        }
        if prepared.increments.is_empty() {
            return Ok(true);
        }
        let place = Place {
            unit: self.cursor.unit,
            range: self.cursor.range,
            epoch: self.epoch,
            number: self.increments,
        };
        self.increments += 1;
        let added =
            add(self.job, place, &self.columns, &prepared.increments, &prepared.blind).await;
        if matches!(added, Err(RunError::Vault(VaultError::BlindTaken))) {
            return Ok(false);
        }
        added?;
        for record in &prepared.increments {
            self.newest.apply(self.job, &self.columns, record);
        }
        Ok(true)
    }

    async fn quarantine(&self, rows: Vec<QuarantineRow>) -> Result<(), RunError> {
        let changes =
            rows.into_iter().map(|row| Change::PutQuarantine(self.job.run, row)).collect();
        self.job.vault.commit(changes, Vec::new()).await?;
        within_budget(self.job).await
    }

    fn poison(&self, row: &Row, reason: String) -> QuarantineRow {
        let cells = self
            .columns
            .iter()
            .zip(&row.cells)
            .filter(|(column, cell)| {
                matches!(column.fate(cell.as_ref()), Fate::Original | Fate::Shaped(_))
            })
            .count() as u64;
        QuarantineRow {
            unit: self.range.unit,
            table: self.range.table,
            row: row_digest(self.job, self.range.unit, self.range.table, &row.key),
            key: row.key.clone(),
            reason,
            cells,
            state: QuarantineState::Waiting,
            waived_by: None,
        }
    }

    pub(crate) async fn prepare(&self, read: &[Row]) -> Result<Prepared, RunError> {
        let job = self.job;
        let quarantined = job.vault.quarantine(job.run).await?;
        let is_quarantined = |row: &Row| {
            quarantined.iter().any(|waiting| {
                waiting.unit == self.range.unit
                    && waiting.table == self.range.table
                    && waiting.state != QuarantineState::Replayed
                    && waiting.key == row.key
            })
        };
        let fates = fates(&self.columns, read);
        let known = known(job.vault.as_ref(), shaped(&self.columns, &fates)).await?;
        let numbered: Vec<(&Row, &Vec<Fate>)> = read.iter().zip(&fates).collect();
        let derived: Vec<Vec<Result<Option<TokenBody>, String>>> =
            compute(&numbered, |(row, fates)| derive_row(job, &self.columns, row, fates));
        let mut prepared = Prepared {
            writes: Vec::with_capacity(read.len()),
            counts: Counts::default(),
            increments: Vec::new(),
            blind: Vec::new(),
            poison: Vec::new(),
        };
        for ((row, fates), derived) in numbered.into_iter().zip(derived) {
            prepared.counts.rows += 1;
            let refusal = derived.iter().zip(&self.table.columns).find_map(|(result, column)| {
                let reason = result.as_ref().err()?;
                Some(format!("column `{}`: {reason}", column.column))
            });
            if let Some(reason) = refusal.filter(|_| !is_quarantined(row)) {
                prepared.poison.push(self.poison(row, reason));
                self.count_only(&mut prepared.counts, row, fates, &known);
            } else if is_quarantined(row) {
                self.count_only(&mut prepared.counts, row, fates, &known);
            } else {
                self.prepare_row(&mut prepared, row, fates, derived, &known).await?;
            }
        }
        Ok(prepared)
    }

    /// A quarantined row stays as it is.
    fn count_only(&self, counts: &mut Counts, row: &Row, fates: &[Fate], known: &Known) {
        for ((column, fate), _) in self.columns.iter().zip(fates).zip(&row.cells) {
            match fate {
                Fate::Null => counts.null += 1,
                Fate::Empty => counts.empty += 1,
                Fate::Shaped(token) if known.contains_key(&(column.domain_id(), token.clone())) => {
                    counts.already_token += 1;
                }
                Fate::Shaped(_) | Fate::Original => counts.quarantined += 1,
            }
        }
    }

    async fn prepare_row(
        &self,
        prepared: &mut Prepared,
        row: &Row,
        fates: &[Fate],
        derived: Vec<Result<Option<TokenBody>, String>>,
        known: &Known,
    ) -> Result<(), RunError> {
        let key = row.key.encode();
        let newest = self.newest.row(&key);
        let mut cells = Vec::with_capacity(row.cells.len());
        let mut changes = false;
        for (at, (cell, derived)) in row.cells.iter().zip(derived).enumerate() {
            let column = &self.columns[at];
            let newest = newest.get(at).unwrap_or(&TokenCell::None);
            let increment = |cell, token| IncrementRecord {
                table: self.range.table,
                column: u16::try_from(at).unwrap_or(u16::MAX),
                key: row.key.clone(),
                cell,
                token,
            };
            let original = match (&fates[at], cell) {
                (Fate::Null, _) | (_, None) => {
                    prepared.counts.null += 1;
                    cells.push(None);
                    continue;
                }
                (Fate::Empty, Some(cell)) => {
                    prepared.counts.empty += 1;
                    cells.push(Some(cell.duplicate()));
                    continue;
                }
                (Fate::Shaped(token), Some(cell))
                    if known.contains_key(&(column.domain_id(), token.clone())) =>
                {
                    prepared.counts.already_token += 1;
                    if *newest != TokenCell::Token(token.clone()) {
                        let cell = BackupCell::Token(token.clone());
                        prepared.increments.push(increment(cell, None));
                    }
                    cells.push(Some(cell.duplicate()));
                    continue;
                }
                (Fate::Shaped(_) | Fate::Original, Some(cell)) => cell,
            };
            let (token, is_new) =
                self.token_of(prepared, at, original, derived.ok().flatten(), newest).await?;
            if is_new {
                let cell = BackupCell::Value(original.duplicate());
                prepared.increments.push(increment(cell, Some(token.clone())));
            }
            prepared.counts.tokenized += 1;
            changes = true;
            cells.push(Some(written(column, &token)?));
        }
        if changes {
            prepared.writes.push(RowWrite { key: row.key.clone(), cells });
        }
        Ok(())
    }

    /// The token of an original, and whether the backup does not know the pair yet.
    async fn token_of(
        &self,
        prepared: &mut Prepared,
        at: usize,
        original: &Original,
        derived: Option<TokenBody>,
        newest: &TokenCell,
    ) -> Result<(TokenBody, bool), RunError> {
        let column = &self.columns[at];
        if let Some(token) = derived {
            let is_known =
                matches!(newest, TokenCell::Sealed { token: known, .. } if *known == token);
            return Ok((token, !is_known));
        }
        let digest = column.digest(&self.job.keys, original);
        if let TokenCell::Sealed { token, digest: Some(known) } = newest
            && *known == digest
        {
            return Ok((token.clone(), false));
        }
        let token = fresh_token(self.job, column, original, &mut prepared.blind).await?;
        Ok((token, true))
    }
}

/// A token for a value of a `random` column that has none in this place: drawn, or with `dedupe`
/// the one that stands for the value already.
pub(crate) async fn fresh_token(
    job: &Job,
    column: &Column,
    original: &Original,
    blind: &mut Vec<BlindRow>,
) -> Result<TokenBody, RunError> {
    if !column.treatment.is_deduplicated() {
        return Ok(draw());
    }
    let digest = column
        .blind_digest(&job.keys, original)
        .ok_or_else(|| RunError::NoKey(format!("domain `{}`", column.domain)))?;
    let drawn = blind.iter().find(|row| row.domain == column.domain_id() && row.digest == digest);
    if let Some(row) = drawn {
        return Ok(row.token.clone());
    }
    let found = job.vault.blind(column.domain_id(), &[digest]).await?;
    if let Some(token) = found.into_iter().flatten().next() {
        return Ok(token);
    }
    let token = draw();
    blind.push(BlindRow { domain: column.domain_id(), digest, token: token.clone() });
    Ok(token)
}

/// What is written to a cell.
pub(crate) fn written(column: &Column, token: &TokenBody) -> Result<Original, RunError> {
    column.treatment.cell(token).map_err(|error| RunError::Inconsistent(error.to_string()))
}

/// Entries of the vault under tokens that cells of a batch look like.
pub(crate) type Known =
    std::collections::HashMap<(crate::token::DomainId, TokenBody), crate::ports::EntryRow>;

pub(crate) fn fates(columns: &[Column], rows: &[Row]) -> Vec<Vec<Fate>> {
    rows.iter()
        .map(|row| columns.iter().zip(&row.cells).map(|(c, cell)| c.fate(cell.as_ref())).collect())
        .collect()
}

pub(crate) fn shaped(
    columns: &[Column],
    fates: &[Vec<Fate>],
) -> Vec<(crate::token::DomainId, TokenBody)> {
    fates
        .iter()
        .flat_map(|fates| columns.iter().zip(fates))
        .filter_map(|(column, fate)| match fate {
            Fate::Shaped(token) => Some((column.domain_id(), token.clone())),
            Fate::Null | Fate::Empty | Fate::Original => None,
        })
        .collect()
}

/// The derived token of each cell; `None` where there is nothing to derive; a reason where the
/// value can have none.
pub(crate) fn derive_row(
    job: &Job,
    columns: &[Column],
    row: &Row,
    fates: &[Fate],
) -> Vec<Result<Option<TokenBody>, String>> {
    columns
        .iter()
        .zip(&row.cells)
        .zip(fates)
        .map(|((column, cell), fate)| match (cell, fate) {
            (Some(cell), Fate::Original | Fate::Shaped(_)) => {
                if let Some(reason) = column.refusal(cell) {
                    Err(reason)
                } else if column.treatment.is_deterministic() {
                    column.derive(&job.keys, cell).map(Some).map_err(|misfit| misfit.to_string())
                } else {
                    Ok(None)
                }
            }
            (_, Fate::Null | Fate::Empty | Fate::Original | Fate::Shaped(_)) => Ok(None),
        })
        .collect()
}

/// How reports name a row: a keyed digest of where it is.
#[must_use]
pub fn row_digest(job: &Job, unit: u16, table: u16, key: &RowKey) -> String {
    let digest = job.keys.index().digest(
        "row",
        &[&job.run.0.to_be_bytes(), &unit.to_be_bytes(), &table.to_be_bytes(), &key.encode()],
    );
    data_encoding::HEXLOWER.encode(&digest)
}

/// Refuses to go on where more rows wait in quarantine than the policy allows.
pub(crate) async fn within_budget(job: &Job) -> Result<(), RunError> {
    let rows = job.vault.quarantine(job.run).await?;
    let waiting = rows.iter().filter(|row| row.state == QuarantineState::Waiting).count() as u64;
    let allowed = job.policy.limits.quarantine_max;
    if waiting > allowed { Err(RunError::Quarantine { waiting, allowed }) } else { Ok(()) }
}

/// Every range is done: late segments are closed, the counts go on the ledger.
async fn finish(job: &Job, begun: Instant, resumed: bool, left: Left) -> Result<(), RunError> {
    let cursors = job.source.cursors(job.run, Pass::Rewrite).await?;
    let done: HashSet<(u16, u32)> =
        cursors.iter().filter(|(_, _, state)| state.done).map(|(u, r, _)| (*u, *r)).collect();
    for range in lay_out_ranges(job).await? {
        // A mark in the vault does not stand for a cursor that the source has lost.
        if !done.contains(&(range.unit, range.number)) {
            let fact = format!("range {} has no cursor that is done", range.number);
            return Err(RunError::Counts { unit: range.unit, fact });
        }
    }
    let mut counts = Counts::default();
    let mut of_units: BTreeMap<String, Counts> = BTreeMap::new();
    for (unit, range, state) in &cursors {
        if !state.done {
            return Err(RunError::Counts {
                unit: *unit,
                fact: format!("range {range} is not done"),
            });
        }
        counts.add(&state.counts);
        of_units.entry(unit.to_string()).or_default().add(&state.counts);
    }
    let mut changes = Vec::new();
    for segment in late_segments(job).await? {
        changes.push(Change::CloseSegment(segment));
    }
    let files = job.vault.files(job.run).await?;
    let increments = crate::run::job::manifest_hash(&files, crate::ports::FileKind::Increment);
    let late = changes.len() as u64;
    here("rewrite.before_phase");
    job.advance(Phase::Sealed, Event::Rewritten, changes, |draft| {
        draft.counts = counts.by_name();
        draft.counts.insert("late_segments".into(), late);
        draft.counts.insert("took_ms".into(), ms(begun.elapsed()));
        draft.counts.extend(resumed.then(|| ("resumed".into(), 1)));
        draft.counts.insert("lock_ms_max".into(), job.lock_meter.longest_ms());
        draft.details.insert("increments".into(), increments.into());
        if !left.statistics.is_empty() {
            draft.details.insert("statistics_left".into(), Value::Object(left.statistics));
        }
        note_busy(draft, &left.busy);
        let of_units =
            of_units.iter().map(|(unit, counts)| (unit.clone(), json!(counts.by_name())));
        draft.details.insert("units".into(), of_units.collect());
    })
    .await
}

/// Segments of single inserts that belong to the run and are still open, with their roots.
pub(crate) async fn late_segments(job: &Job) -> Result<Vec<SegmentRow>, RunError> {
    let open: Vec<SegmentRow> = job
        .vault
        .segments()
        .await?
        .into_iter()
        .filter(|segment| segment.run == Some(job.run) && segment.root.is_none())
        .collect();
    let mut closed = Vec::with_capacity(open.len());
    for segment in open {
        let root = crate::run::verify::segment_root(job, segment.segment).await?;
        closed.push(SegmentRow {
            entries: root.rows(),
            root: Some(root.root().as_bytes().to_vec()),
            ..segment
        });
    }
    Ok(closed)
}
