//! The way back: tokens become the originals that they replaced, as a pass of its own.
//!
//! Only cells that hold a token of ours are opened; a token that the backup says was there before
//! the run stays. Afterwards every cell is compared with the backup, and our tables are removed.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::lifecycle::{Event, Phase, RunId};
use crate::plan::{Assessment, Unit, UnitMode, UnitTable, Walk};
use crate::policy::TokenKind;
use crate::ports::{
    Change, Counts, CursorId, FileKind, FileRow, FitTo, Interval, Limit, Pass, RangeRow, Rejection,
    Row, RowWrite, SourceWindow, Step, WalkFilter, WriteOutcome,
};
use crate::run::batch::{BYTES_MAX, Pace, compute};
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::entries::open_entry;
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::fit::fit;
use crate::run::increments::read_increment;
use crate::run::job::{Job, table_of};
use crate::run::record::{BackupCell, BackupRecord};
use crate::run::rewrite::{bind_source, renew_statistics};
use crate::run::sweep::{late_records, sweep_range};
use crate::run::traces::{Traces, bind, has_begun, note_swept};
use crate::run::untouched::{give_up, has_written};
use crate::run::verify::entries_of;
use crate::run::window::Image;
use crate::run::worker::Known;
use crate::token::TokenBody;
use crate::value::{Original, RowKey};

mod before;
mod compare;
mod sweep;
mod unsure;

use before::{Before, Spelled, SpelledRow};

/// How often a batch that somebody changed is read again.
const MISSES_MAX: u32 = 50;

/// An epoch that no lease comes to.
const FENCED: u64 = 1 << 40;

/// What an entry calls the cells that have their originals again.
pub(crate) const RESTORED: &str = "restored";

/// What a way back came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// Every original is back in its cell.
    PutBack,
    /// The run had written nothing to the source; its backup was not read.
    NothingWritten,
}

/// Rolls a run back, from any phase before the purge.
///
/// # Errors
///
/// [`RunError`]; what is committed stays, and the next call goes on from the cursors.
pub async fn rollback(job: &Job, phase: Phase) -> Result<Undone, RunError> {
    let entries = job.vault.ledger_of(job.run).await?;
    if entries.iter().any(|entry| entry.action == crate::ledger::SCRUBBED) {
        return Err(RunError::Inconsistent(
            "the purge has rewritten the files already; there is no way back".to_owned(),
        ));
    }
    let traces = Traces::find(job, &entries).await?;
    // ORDER: before the event, behind which no mark means that the tables are lost.
    traces.mark_again(job, &entries).await?;
    if phase != Phase::RollingBack {
        job.advance(phase, Event::RollbackStarted, Vec::new(), |_| {}).await?;
    }
    if let Traces::Removed(counts) = &traces {
        // A call before this one has come to its end but for the event.
        return end(job, counts).await;
    }
    // ORDER: before our tables are made anew, and look as if they had been there all the time.
    traces.look_anew(job, &entries).await?;
    let is_restore = job.plan.restores.is_some();
    let has_begun = has_begun(&entries);
    if is_restore {
        ranges_of_restore(job).await?;
        if !has_begun {
            bind(job).await?;
        }
    }
    let is_bound = is_restore || has_begun || job.source.identity().await?.is_some();
    if job.crew.shares {
        fence(job, is_bound).await?;
    }
    // ORDER: behind the fence, so that nobody who was passed over writes after the look.
    if !is_restore && !has_written(job).await? {
        return give_up(job, is_bound).await;
    }
    let counts = bring_back(job, &traces).await?;
    leave_source(job, &counts).await?;
    end(job, &counts).await
}

/// Brings every original back, and holds that no token of ours is left; returns what was counted.
async fn bring_back(job: &Job, traces: &Traces) -> Result<BTreeMap<String, u64>, RunError> {
    bind_source(job).await?;
    let rows = job.plan.units.iter().flat_map(|unit| &unit.tables).map(|t| t.rows).sum();
    job.progress.begin("roll back", "rows", rows);
    let opened = if *traces == Traces::Lost { Opened::Unsure } else { Opened::InTurn };
    for unit in &job.plan.units {
        match unit.mode {
            UnitMode::Ranges => roll_back_ranges(job, unit).await?,
            UnitMode::Window => {
                roll_back_window(job, unit, opened).await?;
            }
        }
    }
    // ORDER: behind every table, because a row can go from one to another.
    sweep::sweep(job).await?;
    job.progress.end();
    let mut counts = Counts::default();
    for (_, _, state) in job.source.cursors(job.run, Pass::Rollback).await? {
        counts.add(&state.counts);
    }
    if job.plan.restores.is_some() {
        no_token_is_left(job).await?;
    } else {
        compare::compare(job).await?;
    }
    // ORDER: no token is left, and our tables still say that the source is ours.
    fit(job, FitTo::Originals).await?;
    renew_statistics(job).await?;
    let mut named = counts.by_name();
    named.remove("tokenized");
    named.insert(RESTORED.to_owned(), counts.tokenized);
    Ok(named)
}

/// Removes our tables from the source. Traces of another open run there are not ours to remove.
pub(crate) async fn leave_source(
    job: &Job,
    counts: &BTreeMap<String, u64>,
) -> Result<(), RunError> {
    if only_run_in_source(job).await? {
        // ORDER: whoever comes next and finds no tables has to know that it was us who removed them.
        note_swept(job, counts).await?;
        here("rollback.before_traces");
        job.source.remove_traces().await?;
        here("rollback.after_traces");
    }
    Ok(())
}

/// Ends a way back. Only one that has walked through tables has counted rows.
pub(crate) async fn end(job: &Job, counts: &BTreeMap<String, u64>) -> Result<Undone, RunError> {
    job.advance(Phase::RollingBack, Event::RolledBack, Vec::new(), |draft| {
        draft.counts.clone_from(counts);
    })
    .await?;
    if job.plan.restores.is_some() {
        // It holds a marker and wrapped keys, and no file.
        job.files.destroy()?;
    }
    Ok(if counts.contains_key("rows") { Undone::PutBack } else { Undone::NothingWritten })
}

/// A run that only brings originals back has no backup that has cut its tables: each is one range.
async fn ranges_of_restore(job: &Job) -> Result<(), RunError> {
    if !job.vault.ranges(job.run).await?.is_empty() {
        return Ok(());
    }
    let mut changes = Vec::new();
    for unit in job.plan.units.iter().filter(|unit| unit.mode == UnitMode::Ranges) {
        for at in 0..unit.tables.len() {
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            let table = u16::try_from(at).unwrap_or(u16::MAX);
            let (lower, upper, rows, originals) = (None, None, 0, 0);
            let range = RangeRow { unit: unit.id, table, number, lower, upper, rows, originals };
            changes.push(Change::PutRange(job.run, range));
        }
    }
    job.vault.commit(changes, Vec::new()).await?;
    Ok(())
}

/// Holds that no cell has a token that opens, or one that the vault has lost: after a restore there is no
/// backup to compare with. A UUID or a number may have the shape of a token by chance, and a text that
/// the vault knows as an original may be another vault's token.
async fn no_token_is_left(job: &Job) -> Result<(), RunError> {
    let mut found = Vec::new();
    for (mode, table) in tables_of(job) {
        let columns = job.columns(table).await?;
        let look = if mode == UnitMode::Ranges { Look::All } else { Look::Shaped };
        let mut position: Option<RowKey> = None;
        loop {
            let limit = Limit { rows: 10_000, bytes: BYTES_MAX };
            let after = position.as_ref();
            let rows = job.source.walk(table, after, None, limit, &tokens(mode, &columns)).await?;
            let Some(last) = rows.last() else { break };
            position = Some(last.key.clone());
            let (mut none, mut spelled) = (Before::none(), Spelled::default());
            let left = restored(job, &columns, &rows, (look, &mut none), &mut spelled).await?;
            for write in &left.writes {
                let place = match table.walk {
                    Walk::Key(_) => format!("row {} of `{}`", write.key, table.table),
                    Walk::RowId | Walk::ScopedKey(_) => format!("a row of `{}`", table.table),
                };
                found.push(Mismatch { kind: MismatchKind::Different, place });
            }
            for cell in Unknown::all(table, &columns, &rows, &left) {
                let Some(column) = columns.get(cell.at) else { continue };
                let has_check =
                    matches!(column.treatment.kind(), TokenKind::Keyed | TokenKind::Random);
                if has_check && !is_original(job, column, &cell.token).await? {
                    found.push(cell.named());
                }
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(RunError::Mismatches(found)) }
}

/// Every table of a run, with how it is rewritten.
fn tables_of(job: &Job) -> impl Iterator<Item = (UnitMode, &UnitTable)> {
    job.plan.units.iter().flat_map(|unit| unit.tables.iter().map(|table| (unit.mode, table)))
}

/// Whether the vault knows the text of a token as an original.
async fn is_original(job: &Job, column: &Column, token: &TokenBody) -> Result<bool, RunError> {
    let Ok(text) = column.treatment.token_text(token) else { return Ok(false) };
    let Ok(derived) = column.derive(&job.keys, &Original::text(&text)) else { return Ok(false) };
    Ok(!entries_of(job, vec![(column.domain_id(), derived)]).await?.is_empty())
}

/// Fences off every worker that may still live: its leases are void in the vault, and its epochs in
/// the source, also where it has taken a range that has no cursor yet.
///
/// Cursors that are not there, or not any more, begin with the epoch of no lease: with their own first
/// they would bear that of somebody who took the range once.
async fn fence(job: &Job, is_bound: bool) -> Result<(), RunError> {
    job.vault.fence(job.run).await?;
    if !is_bound {
        return Ok(());
    }
    bind_source(job).await?;
    let ledger_size = job.vault.head().await?.size();
    for range in job.vault.ranges(job.run).await? {
        let (unit, range) = (range.unit, range.number);
        let cursor = CursorId { run: job.run, pass: Pass::Rewrite, unit, range };
        job.source.take_as(cursor, FENCED, ledger_size).await?;
    }
    Ok(())
}

pub(crate) async fn only_run_in_source(job: &Job) -> Result<bool, RunError> {
    let runs = job.vault.runs().await?;
    // A run whose originals came back after its purge has nothing there any more.
    let mut undone: HashSet<RunId> = runs
        .iter()
        .filter(|row| row.phase == Phase::RolledBack)
        .filter_map(|row| serde_json::from_str::<Assessment>(&row.plan).ok()?.restores)
        .collect();
    undone.extend(job.plan.restores);
    Ok(!runs.iter().any(|row| {
        row.run != job.run
            && !undone.contains(&row.run)
            && row.source == job.policy.source
            && row.phase.rank() >= Phase::Sealed.rank()
            && row.phase != Phase::RolledBack
    }))
}

/// The newest spelling of each cell of a range.
fn spelled_in(
    job: &Job,
    files: &[FileRow],
    range: &RangeRow,
    columns: &[Column],
) -> Result<Spelled, RunError> {
    let mut spelled = Spelled::default();
    if !Spelled::is_wanted(columns) {
        return Ok(spelled);
    }
    let of = |kind: FileKind, number: u32| {
        files.iter().filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
    };
    for file in of(FileKind::Backup, range.number) {
        for record in crate::run::seal::read_backup(job, file)? {
            for (at, cell) in record.cells.iter().enumerate() {
                spelled.add(columns, &record.key, at, cell);
            }
        }
    }
    let swept = of(FileKind::Increment, sweep_range(range.table));
    for file in of(FileKind::Increment, range.number).chain(swept) {
        for record in read_increment(job, file)? {
            spelled.add(columns, &record.key, usize::from(record.column), &record.cell);
        }
    }
    Ok(spelled)
}

async fn roll_back_ranges(job: &Job, unit: &Unit) -> Result<(), RunError> {
    let ranges = job.vault.ranges(job.run).await?;
    for range in ranges.iter().filter(|range| range.unit == unit.id) {
        job.may_go_on()?;
        roll_back_range(job, table_of(unit, range.table)?, range).await?;
    }
    Ok(())
}

async fn roll_back_range(job: &Job, table: &UnitTable, range: &RangeRow) -> Result<(), RunError> {
    let cursor =
        CursorId { run: job.run, pass: Pass::Rollback, unit: range.unit, range: range.number };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    if state.done {
        job.progress.advance(state.counts.rows);
        return Ok(());
    }
    let columns = job.columns(table).await?;
    let files = job.vault.files(job.run).await?;
    let mut before = tokens_before(job, &files, range)?;
    let mut spelled = spelled_in(job, &files, range, &columns)?;
    let mut pace = Pace::new(job);
    let rows_max = rows_in_memory(job, table);
    let mut stored = state.position.clone();
    let mut position = state.position.or_else(|| range.lower.clone());
    let mut misses = 0;
    loop {
        let rows = pace.begin().await?.rows.min(rows_max);
        let version = job.source.version().await?;
        pace.saw(version);
        let limit = Limit { rows, bytes: BYTES_MAX };
        let read = job
            .source
            .walk(table, position.as_ref(), range.upper.as_ref(), limit, &WalkFilter::All)
            .await?;
        let is_end = read.is_empty();
        let to = read.last().map(|row| row.key.clone()).or_else(|| position.clone());
        let restored =
            restored(job, &columns, &read, (Look::All, &mut before), &mut spelled).await?;
        let (writes, counts) = restored.writes();
        let upto = if is_end { range.upper.clone() } else { to.clone() };
        let step = Step {
            cursor,
            epoch: state.epoch,
            from: stored.clone(),
            to: if is_end { stored.clone() } else { to.clone() },
            done: is_end,
            counts,
            interval: Some(Interval { after: position.clone(), upto }),
        };
        let begun = std::time::Instant::now();
        here("rollback.before_cursor");
        match job.source.write(table, &step, &read, &writes, version).await? {
            WriteOutcome::Written => {
                here("rollback.after_commit");
                misses = 0;
                pace.went(read.len(), begun.elapsed());
                job.progress.advance(read.len() as u64);
                position = to;
                stored = step.to;
                if is_end {
                    return Ok(());
                }
            }
            WriteOutcome::LeaseLost => {
                return Err(RunError::LeaseLost { unit: range.unit, range: range.number });
            }
            WriteOutcome::Changed => {
                misses += 1;
                if misses > MISSES_MAX {
                    let table = table.table.to_string();
                    return Err(RunError::Busy { table, attempts: misses });
                }
                pace.halve(read.len());
            }
            // One row is to blame, and has to be named.
            WriteOutcome::Rejected(_) if read.len() > 1 => pace.halve(read.len()),
            WriteOutcome::Rejected(rejection) => return Err(refused(table, &read, rejection)),
        }
    }
}

/// A row that the database does not take back as it was.
fn refused(table: &UnitTable, rows: &[Row], rejection: Rejection) -> RunError {
    let reason = match (rows, &table.walk) {
        ([row], Walk::Key(_)) => format!("row {}: {}", row.key, rejection.reason),
        _ => rejection.reason,
    };
    RunError::WindowRefused { table: table.table.to_string(), reason }
}

/// Rows whose originals may be in memory at the same time.
fn rows_in_memory(job: &Job, table: &UnitTable) -> usize {
    let widest: u64 = table
        .columns
        .iter()
        .filter_map(|column| job.plan.columns.iter().find(|plan| plan.rule == column.rule))
        .map(|plan| plan.bytes_max)
        .sum();
    let rows = BYTES_MAX as u64 / widest.max(1);
    usize::try_from(rows).unwrap_or(usize::MAX).clamp(1, 20_000)
}

/// The cells of a range that the backup file says were tokens before the run.
fn tokens_before(job: &Job, files: &[FileRow], range: &RangeRow) -> Result<Before, RunError> {
    let mut before = Before::none();
    let file = files.iter().find(|file| {
        file.kind == FileKind::Backup && file.unit == range.unit && file.range == range.number
    });
    let Some(file) = file else { return Ok(before) };
    let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
    while let Some(record) = reader.read()? {
        let record = BackupRecord::decode(&record)
            .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
        before.add(&record.key, record.cells);
    }
    Ok(before)
}

/// The rows of a batch with their originals back.
struct Restored {
    /// What is to be written; rows without a token of ours are left out.
    writes: Vec<RowWrite>,
    counts: Counts,
    /// Cells with the shape of a token that the vault does not know, by number of the row and column.
    unknown: Vec<(usize, usize)>,
}

impl Restored {
    /// What is written, where a later look sees what is left.
    fn writes(self) -> (Vec<RowWrite>, Counts) {
        (self.writes, self.counts)
    }
}

/// The rows of a batch with their originals back; rows without a token of ours are left out.
async fn restored(
    job: &Job,
    columns: &[Column],
    rows: &[Row],
    (look, before): (Look, &mut Before),
    spelled: &mut Spelled,
) -> Result<Restored, RunError> {
    let looked: Vec<bool> = columns.iter().map(|column| look.takes(column)).collect();
    let ours: Vec<Vec<Option<TokenBody>>> = rows
        .iter()
        .map(|row| {
            let key = row.key.encode();
            columns
                .iter()
                .zip(&row.cells)
                .enumerate()
                .map(|(at, (column, cell))| {
                    let token = token_in(column, cell.as_ref()).filter(|_| looked[at])?;
                    (!before.keeps(&key, at, &token)).then_some(token)
                })
                .collect()
        })
        .collect();
    let tokens = ours
        .iter()
        .flat_map(|tokens| columns.iter().zip(tokens))
        .filter_map(|(column, token)| Some((column.domain_id(), token.clone()?)))
        .collect();
    let known = entries_of(job, tokens).await?;
    let numbered: Vec<Numbered<'_>> = rows
        .iter()
        .zip(&ours)
        .map(|(row, tokens)| (row, tokens, spelled.take_row(columns, tokens)))
        .collect();
    let spelled = &*spelled;
    let opened =
        compute(&numbered, |numbered| restored_row(job, columns, numbered, &known, spelled));
    let mut counts = Counts { rows: rows.len() as u64, ..Counts::default() };
    let mut writes = Vec::new();
    for row in opened {
        let (write, restored) = row?;
        counts.tokenized += restored;
        writes.extend(write);
    }
    let mut unknown = Vec::new();
    for (row, tokens) in ours.iter().enumerate() {
        for (at, (column, token)) in columns.iter().zip(tokens).enumerate() {
            let Some(token) = token else { continue };
            let is_shaped = column.treatment.is_recognisable_by_shape();
            if is_shaped && !known.contains_key(&(column.domain_id(), token.clone())) {
                unknown.push((row, at));
            }
        }
    }
    Ok(Restored { writes, counts, unknown })
}

/// A cell with the shape of a token that the vault does not know.
struct Unknown {
    at: usize,
    token: TokenBody,
    /// Its column, and its row where that has a key.
    place: String,
}

impl Unknown {
    fn all(table: &UnitTable, columns: &[Column], rows: &[Row], restored: &Restored) -> Vec<Self> {
        let named = |(row, at): &(usize, usize)| {
            let (row, column) = (rows.get(*row)?, columns.get(*at)?);
            let token = token_in(column, row.cells.get(*at)?.as_ref())?;
            Some(Self { at: *at, token, place: cell_name(table, *at, &row.key) })
        };
        restored.unknown.iter().filter_map(named).collect()
    }

    fn named(self) -> Mismatch {
        Mismatch { kind: MismatchKind::Unknown, place: self.place }
    }
}

/// Those of the unknown tokens that stood for an original of the backup: the vault has lost them. What
/// else has the shape of a token is somebody's word, and stays. A `random` token of a table with a key
/// follows from nothing: it counts as lost, unless it was itself an original.
async fn lost(
    job: &Job,
    unit: &Unit,
    at: u16,
    columns: &[Column],
    mut unknown: Vec<Unknown>,
) -> Result<Vec<Mismatch>, RunError> {
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let mut stood = Stood::default();
    let asked: HashSet<usize> = unknown.iter().map(|cell| cell.at).collect();
    let mut image = Image::open(job, unit, at, columns.len()).await?;
    while let Some(record) = image.next()? {
        for (at, cell) in record.cells.iter().enumerate().filter(|(at, _)| asked.contains(at)) {
            stood.add(job, columns, at, cell).await?;
        }
    }
    let files = job.vault.files(job.run).await?;
    for record in late_records(job, &files, unit.id, at)? {
        let at = usize::from(record.column);
        if asked.contains(&at) {
            stood.add(job, columns, at, &record.cell).await?;
            stood.tokens.extend(record.token.map(|token| (at, token)));
        }
    }
    unknown.retain(|cell| {
        let place = (cell.at, cell.token.clone());
        let follows = columns.get(cell.at).is_some_and(follows);
        stood.tokens.contains(&place) || (!follows && !stood.originals.contains(&place))
    });
    Ok(unknown.into_iter().map(Unknown::named).collect())
}

/// Whether the token of a value can be found from the value: it follows from it, or there is an index.
fn follows(column: &Column) -> bool {
    column.treatment.is_deterministic() || column.treatment.is_deduplicated()
}

/// What stood in the columns of a table, as its backup has it.
#[derive(Default)]
struct Stood {
    /// The tokens of its originals.
    tokens: HashSet<(usize, TokenBody)>,
    /// Originals that look like tokens.
    originals: HashSet<(usize, TokenBody)>,
}

impl Stood {
    async fn add(
        &mut self,
        job: &Job,
        columns: &[Column],
        at: usize,
        cell: &BackupCell,
    ) -> Result<(), RunError> {
        let (Some(column), BackupCell::Value(original)) = (columns.get(at), cell) else {
            return Ok(());
        };
        self.originals.extend(column.treatment.recognise(original).map(|token| (at, token)));
        let token = match column.blind_digest(&job.keys, original) {
            Some(digest) if !column.treatment.is_deterministic() => {
                job.vault.blind(column.domain_id(), &[digest]).await?.into_iter().flatten().next()
            }
            _ => column.derive(&job.keys, original).ok(),
        };
        self.tokens.extend(token.map(|token| (at, token)));
        Ok(())
    }
}

/// How messages name a cell. A key that is in scope may be an original: it is left out.
fn cell_name(table: &UnitTable, at: usize, key: &RowKey) -> String {
    let name = table.columns.get(at).map_or("?", |column| &column.column);
    match table.walk {
        Walk::Key(_) => format!("`{}.{name}` of row {key}", table.table),
        Walk::RowId | Walk::ScopedKey(_) => format!("a cell of `{}.{name}`", table.table),
    }
}

/// Rows that hold a token of ours, as far as its shape tells. In a unit of ranges every column has such a
/// shape, also one that no pattern tells; of a window only the columns with a pattern are looked at.
pub(crate) fn tokens(mode: UnitMode, columns: &[Column]) -> WalkFilter {
    let globs: Vec<_> = columns.iter().map(|column| column.treatment.sqlite_glob()).collect();
    if mode == UnitMode::Ranges && globs.iter().any(Option::is_none) {
        return WalkFilter::All;
    }
    WalkFilter::Tokens { globs }
}

/// Why the tables of a unit are taken under their lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opened {
    /// It is their turn, and the cursor of the unit says whether they were rewritten.
    InTurn,
    /// It is their turn, and no cursor can be trusted: their cells say it.
    Unsure,
    /// A token came into them behind their turn.
    Again,
}

/// Which columns of a table are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// All of them.
    All,
    /// Those whose tokens can be told from originals, by a pattern or otherwise.
    Told,
    /// Those whose tokens a pattern tells. Where originals and tokens look alike, nothing is done twice:
    /// an original that is back may equal the token of another value.
    Shaped,
}

impl Look {
    fn takes(self, column: &Column) -> bool {
        match self {
            Self::All => true,
            Self::Told => column.treatment.is_recognisable_by_shape(),
            Self::Shaped => column.treatment.sqlite_glob().is_some(),
        }
    }
}

/// What token a cell holds. Tokens without a shape of their own are taken at their word: the vault
/// says whether it has an entry for them.
pub(crate) fn token_in(column: &Column, cell: Option<&Original>) -> Option<TokenBody> {
    let cell = cell?;
    if column.treatment.keeps(cell) {
        return None;
    }
    if column.treatment.is_recognisable_by_shape() {
        column.treatment.recognise(cell)
    } else {
        column.treatment.accept(cell.as_text()?)
    }
}

/// A row, its tokens, and how it was spelled where it has no key.
type Numbered<'r> = (&'r Row, &'r Vec<Option<TokenBody>>, Option<SpelledRow>);

fn restored_row(
    job: &Job,
    columns: &[Column],
    (row, tokens, own): &Numbered<'_>,
    known: &Known,
    spelled: &Spelled,
) -> Result<(Option<RowWrite>, u64), RunError> {
    let mut cells = Vec::with_capacity(row.cells.len());
    let mut restored = 0;
    for (at, ((column, cell), token)) in columns.iter().zip(&row.cells).zip(*tokens).enumerate() {
        let entry =
            token.as_ref().and_then(|token| known.get(&(column.domain_id(), token.clone())));
        match entry {
            Some(entry) => {
                let opened = open_entry(&job.keys, column, entry)?;
                let place = (&row.key, at);
                let own = own.as_ref();
                cells.push(Some(spelled.of(&job.keys, column, place, &entry.token, own, opened)));
                restored += 1;
            }
            None => cells.push(cell.as_ref().map(Original::duplicate)),
        }
    }
    let write = (restored > 0).then(|| RowWrite { key: row.key.clone(), cells });
    Ok((write, restored))
}

/// Puts the tables of a unit back under its lock; a window that was closed is opened again where that is
/// asked. Returns how many cells were put back.
async fn roll_back_window(job: &Job, unit: &Unit, opened: Opened) -> Result<u64, RunError> {
    let cursor = CursorId { run: job.run, pass: Pass::Rollback, unit: unit.id, range: 0 };
    let ledger_size = job.vault.head().await?.size();
    let state = job.source.take(cursor, ledger_size).await?;
    let is_wanted = match opened {
        Opened::InTurn => !state.done && was_rewritten(job, unit).await?,
        Opened::Unsure | Opened::Again => true,
    };
    if !is_wanted {
        return Ok(0);
    }
    job.may_go_on()?;
    // Nothing was read before the lock, so it does not matter who has written what.
    let (_, window) = job.source.window(&unit.tables, None).await?;
    let Some(mut window) = window else {
        let table = unit.tables.first().map(|table| table.table.to_string()).unwrap_or_default();
        return Err(RunError::Busy { table, attempts: 1 });
    };
    let look = match opened {
        Opened::InTurn => Look::All,
        Opened::Again => Look::Shaped,
        Opened::Unsure => match unsure::look(job, unit, window.as_mut()).await {
            Ok(look) => look,
            Err(error) => {
                window.abandon().await?;
                return Err(error);
            }
        },
    };
    let is_counted = opened == Opened::Again || state.done;
    roll_back_held(job, unit, (cursor, state.epoch), (look, is_counted), window).await
}

/// Whether a unit was rewritten, as far as cursors and ledger say.
async fn was_rewritten(job: &Job, unit: &Unit) -> Result<bool, RunError> {
    let cursors = job.source.cursors(job.run, Pass::Rewrite).await?;
    if cursors.iter().any(|(id, range, state)| *id == unit.id && *range == 0 && state.done) {
        return Ok(true);
    }
    was_rewritten_as_a_whole(job).await
}

/// Whether every unit was done once. A purge that was cut off has dropped the cursors that say so;
/// the ledger still does.
async fn was_rewritten_as_a_whole(job: &Job) -> Result<bool, RunError> {
    if job.plan.restores.is_some() {
        return Ok(true);
    }
    let entries = job.vault.ledger_of(job.run).await?;
    Ok(entries.iter().any(|entry| entry.action == Event::Rewritten.name()))
}

async fn roll_back_held(
    job: &Job,
    unit: &Unit,
    (cursor, epoch): (CursorId, u64),
    (look, is_counted): (Look, bool),
    mut window: Box<dyn SourceWindow>,
) -> Result<u64, RunError> {
    let mut counts = Counts::default();
    for (at, table) in unit.tables.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        match roll_back_table(job, unit, (at, table), look, window.as_mut()).await {
            Ok(table_counts) => counts.add(&table_counts),
            Err(error) => {
                window.abandon().await?;
                return Err(error);
            }
        }
    }
    let put_back = counts.tokenized;
    if is_counted {
        // Its rows were counted before: only what changes counts.
        counts = Counts { tokenized: put_back, ..Counts::default() };
    }
    let step = Step { cursor, epoch, from: None, to: None, done: true, counts, interval: None };
    here("rollback.before_window_commit");
    match window.commit(&step).await? {
        WriteOutcome::Written => {
            here("rollback.after_window_commit");
            Ok(put_back)
        }
        WriteOutcome::Rejected(rejection) => {
            let table = unit.tables.first().map(|t| t.table.to_string()).unwrap_or_default();
            Err(RunError::WindowRefused { table, reason: rejection.reason })
        }
        WriteOutcome::LeaseLost | WriteOutcome::Changed => {
            Err(RunError::LeaseLost { unit: unit.id, range: 0 })
        }
    }
}

async fn roll_back_table(
    job: &Job,
    unit: &Unit,
    (at, table): (u16, &UnitTable),
    look: Look,
    window: &mut dyn SourceWindow,
) -> Result<Counts, RunError> {
    let columns = job.columns(table).await?;
    let mut before = match table.walk {
        Walk::Key(_) => Before::none(),
        Walk::RowId | Walk::ScopedKey(_) => Before::Counted(HashMap::new()),
    };
    // A newer image may have met tokens of this run, carried here from a table that was done.
    let mut image = Image::first(job, unit, at, columns.len()).await?;
    while let Some(record) = image.next()? {
        before.add(&record.key, record.cells);
    }
    let mut spelled = Spelled::default();
    if Spelled::is_wanted(&columns) {
        let is_found_by_key = matches!(table.walk, Walk::Key(_));
        let mut image = Image::open(job, unit, at, columns.len()).await?;
        while let Some(record) = image.next()? {
            if !is_found_by_key {
                spelled.add_row(&job.keys, &columns, record.cells);
                continue;
            }
            for (at, cell) in record.cells.iter().enumerate() {
                spelled.add(&columns, &record.key, at, cell);
            }
        }
        let files = job.vault.files(job.run).await?;
        for record in late_records(job, &files, unit.id, at)?.iter().filter(|_| is_found_by_key) {
            spelled.add(&columns, &record.key, usize::from(record.column), &record.cell);
        }
    }
    let (mut counts, mut unknown) = (Counts::default(), Vec::new());
    let rows_max = rows_in_memory(job, table).min(5_000);
    let mut position: Option<RowKey> = None;
    loop {
        let limit = Limit { rows: rows_max, bytes: BYTES_MAX };
        let rows = window.walk(table, position.as_ref(), limit).await?;
        let Some(last) = rows.last() else { break };
        position = Some(last.key.clone());
        let restored = restored(job, &columns, &rows, (look, &mut before), &mut spelled).await?;
        unknown.extend(Unknown::all(table, &columns, &rows, &restored));
        let (writes, batch) = restored.writes();
        counts.add(&batch);
        job.progress.advance(rows.len() as u64);
        if let Some(rejection) = window.write(table, &writes).await? {
            let table = table.table.to_string();
            return Err(RunError::WindowRefused { table, reason: rejection.reason });
        }
    }
    if job.plan.restores.is_some() {
        // There is no backup to ask: what is left is named at the end.
        return Ok(counts);
    }
    // Its rows are not found again to be compared with the backup: what is left shows here or nowhere.
    let lost = lost(job, unit, at, &columns, unknown).await?;
    if lost.is_empty() { Ok(counts) } else { Err(RunError::Mismatches(lost)) }
}
