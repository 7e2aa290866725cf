//! One range in one worker's hands: what becomes of each cell of a batch, and what of the batch.
//!
//! A batch is prepared from the rows as they were read; what backup and vault do not know yet goes
//! into an increment and into the vault; then it is written, and whatever comes of that is answered:
//! read again, cut in half, a row put into quarantine. Which ranges there are is the business of
//! [`super::rewrite`].

use std::time::Instant;

use crate::plan::UnitTable;
use crate::ports::{
    BlindRow, Change, Counts, CursorId, CursorState, Interval, QuarantineRow, QuarantineState,
    RangeRow, Row, RowWrite, Step, VaultError, WriteOutcome,
};
use crate::run::ahead::Batch;
use crate::run::batch::{Pace, compute};
use crate::run::column::{Column, Fate};
use crate::run::crash::here;
use crate::run::entries::{draw, known};
use crate::run::error::RunError;
use crate::run::increments::{Newest, Place, add};
use crate::run::job::Job;
use crate::run::record::{BackupCell, IncrementRecord, TokenCell};
use crate::run::unchanged::Bare;
use crate::token::TokenBody;
use crate::value::{Original, RowKey};

/// How often a batch is read again before it is cut in half: writers are busy there.
const MISSES_A_SIZE: u32 = 5;

/// How often a single row is read again before it is taken as one that cannot be written.
const MISSES_A_ROW: u32 = 20;

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
    pub(crate) bare: Bare,
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
    pub(crate) fn of(rows: usize) -> Self {
        Self {
            writes: Vec::with_capacity(rows),
            counts: Counts::default(),
            increments: Vec::new(),
            blind: Vec::new(),
            poison: Vec::new(),
        }
    }

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
        let bare = Bare::new(job, &newest);
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
            bare,
        }
    }

    /// What the cursor row holds: nothing before the first batch, also where the range begins
    /// behind a key.
    pub(crate) fn stored_position(&self, position: Option<&RowKey>) -> Option<RowKey> {
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
    pub(crate) async fn write(
        &mut self,
        mut step: Step,
        batch: &Batch,
        unchanged: Option<Prepared>,
    ) -> Result<bool, RunError> {
        let read = &batch.rows;
        let prepared = if let Some(unchanged) = unchanged {
            unchanged
        } else {
            let prepared = self.prepare(read).await?;
            if !self.settle(&prepared).await? {
                return Ok(false);
            }
            prepared
        };
        step.counts = prepared.counts;
        let begun = Instant::now();
        here("rewrite.before_cursor");
        let writes = &prepared.writes;
        let outcome = self.job.source.write(self.table, &step, read, writes, batch.version).await?;
        here("rewrite.after_commit");
        self.job.lock_meter.saw(begun.elapsed());
        match outcome {
            WriteOutcome::Written => {
                self.misses = 0;
                self.at_start = false;
                self.bare.went();
                self.pace.went(read.len(), begun.elapsed());
                return Ok(true);
            }
            WriteOutcome::LeaseLost => {
                let (unit, range) = (self.cursor.unit, self.cursor.range);
                return Err(RunError::LeaseLost { unit, range });
            }
            // Which row it was, and what is in it, is known when it was read with its cells.
            WriteOutcome::Changed | WriteOutcome::Rejected(_) if batch.is_bare => {
                self.bare.met_changes();
            }
            WriteOutcome::Changed => self.missed(read).await?,
            WriteOutcome::Rejected(rejection) => self.rejected(read, rejection.reason).await?,
        }
        Ok(false)
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

    /// Keys of rows of the table that stay as they are.
    pub(crate) async fn set_apart(&self) -> Result<Vec<RowKey>, RunError> {
        let mut rows = self.job.vault.quarantine(self.job.run).await?;
        rows.retain(|row| {
            row.unit == self.range.unit
                && row.table == self.range.table
                && row.state != QuarantineState::Replayed
        });
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    pub(crate) async fn prepare(&self, read: &[Row]) -> Result<Prepared, RunError> {
        let job = self.job;
        let quarantined = self.set_apart().await?;
        let is_quarantined = |row: &Row| quarantined.contains(&row.key);
        let fates = fates(&self.columns, read);
        let known = known(job.vault.as_ref(), shaped(&self.columns, &fates)).await?;
        let numbered: Vec<(&Row, &Vec<Fate>)> = read.iter().zip(&fates).collect();
        let derived: Vec<Vec<Result<Option<TokenBody>, String>>> =
            compute(&numbered, |(row, fates)| derive_row(job, &self.columns, row, fates));
        let mut prepared = Prepared::of(read.len());
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
