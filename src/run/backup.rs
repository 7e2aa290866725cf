//! The first pass: originals into encrypted files, range by range. The source is only read.
//!
//! Ranges are cut while walking, so that nobody has to count first: a range ends after so many rows
//! or bytes, and the last one is open above, so that rows which arrive later belong to it. Where the
//! source lets several work, each worker cuts the next range for itself and backs it up, and others
//! seal what is on record meanwhile, where the run is to go on to the seal.

use std::time::Instant;

use crate::lifecycle::{Event, Phase};
use crate::plan::{SEALED_AHEAD, Unit, UnitMode, UnitTable, Walk};
use crate::ports::{
    Change, CutState, FileKind, FileRow, FileSeal, Lease, Limit, Piece, RangeRow, RecordWriter,
    Row, Task, VaultError, WalkFilter,
};
use crate::run::batch::BYTES_MAX;
use crate::run::column::{Column, Fate};
use crate::run::crash::here;
use crate::run::entries::known;
use crate::run::error::RunError;
use crate::run::job::{Job, Stop, file_bytes, manifest_hash, ms, table_of, unit_of};
use crate::run::record::{BackupCell, BackupRecord};
use crate::run::residue::control;
use crate::run::share::{Followers, Laid, piece_of, share, turn};
use crate::token::TokenBody;
use crate::value::RowKey;

/// Rows of a range. The rewrite holds the tokens of one range in memory.
const RANGE_ROWS: u64 = 25_000;

/// Bytes of originals in a range. The seal holds the sealed values of one range in memory.
const RANGE_BYTES: usize = 24 << 20;

/// How often the rest of a piece is given a number that somebody else takes meanwhile.
const SPLITS_MAX: u32 = 20;

/// Rows that one snapshot reads.
const SNAPSHOT_ROWS: usize = 5_000;

/// Whether files are sealed while others are still backed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// The run goes on to the seal: what is on record is sealed meanwhile, where order allows it.
    Yes,
    /// The run is to stop at `backed_up`, with nothing sealed by this process.
    No,
}

/// When a pass began, and what was there.
struct Beginning {
    at: Instant,
    resumed: bool,
    vault_bytes: Option<u64>,
}

/// Backs up every range that is not on record yet, then moves the run to `backed_up`.
///
/// # Errors
///
/// [`RunError`]; what is on record stays, and the next call goes on behind it.
pub async fn backup(job: &Job, ahead: Ahead) -> Result<(), RunError> {
    let begun = Beginning {
        at: Instant::now(),
        resumed: !job.vault.ranges(job.run).await?.is_empty(),
        vault_bytes: job.vault.bytes().await?,
    };
    let rows: u64 = job.plan.units.iter().flat_map(|unit| &unit.tables).map(|t| t.rows).sum();
    job.watch.does("backs up");
    job.progress.begin("back up", "rows", rows);
    if !job.crew.shares {
        return alone(job, begun, None).await;
    }
    let halt = Stop::default();
    // Of a single range nothing is on record before the end.
    let wanted = if ahead == Ahead::Yes { rows / RANGE_ROWS } else { 0 };
    let mut followers = Followers::begin(job, wanted, &halt).await;
    if followers.are_some() {
        job.watch.does("backs up and seals");
    }
    let shared = share(job, Task::Backup, rows / RANGE_ROWS + 1, Laid::default(), &halt).await;
    let done = match shared {
        Ok(()) => alone(job, begun, Some(&mut followers)).await,
        Err(error) => Err(error),
    };
    followers.end_with(done).await
}

/// What one process does.
async fn alone(
    job: &Job,
    begun: Beginning,
    followers: Option<&mut Followers>,
) -> Result<(), RunError> {
    let Some(turn) = turn(job, Phase::Approved).await? else {
        job.progress.end();
        return Ok(());
    };
    let done = rest(job, begun, followers).await;
    turn.end(done).await
}

/// Tables that are walked by nobody else, then the phase.
async fn rest(
    job: &Job,
    begun: Beginning,
    followers: Option<&mut Followers>,
) -> Result<(), RunError> {
    for unit in job.plan.units.iter().filter(|unit| !is_shared(job, unit)) {
        for (at, table) in unit.tables.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            while back_up_range(job, unit, at, table).await? {
                job.refuse_if_paused().await?;
            }
        }
    }
    job.progress.end();
    control(job).await?;
    if let Some(followers) = followers {
        // ORDER: before the phase, so that its entry says all that was sealed ahead of it.
        followers.end().await?;
    }
    let files = job.vault.files(job.run).await?;
    let ranges = job.vault.ranges(job.run).await?;
    here("backup.before_phase");
    job.advance(Phase::Approved, Event::BackedUp, Vec::new(), |draft| {
        draft.counts.insert("took_ms".into(), ms(begun.at.elapsed()));
        draft.counts.extend(begun.resumed.then(|| ("resumed".into(), 1)));
        draft.counts.insert("file_bytes".into(), file_bytes(&files, FileKind::Backup));
        draft.counts.extend(begun.vault_bytes.map(|bytes| ("vault_bytes_before".into(), bytes)));
        draft.counts.insert("files".into(), of_kind(&files, FileKind::Backup));
        let ahead = of_kind(&files, FileKind::Token);
        draft.counts.extend((ahead > 0).then(|| (SEALED_AHEAD.into(), ahead)));
        draft.counts.insert("rows".into(), ranges.iter().map(|range| range.rows).sum());
        draft.counts.insert("originals".into(), ranges.iter().map(|range| range.originals).sum());
        draft.details.insert("manifest".into(), manifest_hash(&files, FileKind::Backup).into());
        draft.details.insert("folder".into(), job.files.place().into());
    })
    .await
}

fn of_kind(files: &[FileRow], kind: FileKind) -> u64 {
    files.iter().filter(|file| file.kind == kind).count() as u64
}

/// Whether a unit is cut into ranges that several workers may back up. The images of a window are in
/// the order of their ranges, and one worker makes them.
fn is_shared(job: &Job, unit: &Unit) -> bool {
    job.crew.shares
        && unit.mode == UnitMode::Ranges
        && unit.tables.iter().all(|table| matches!(table.walk, Walk::Key(_)))
}

fn shared_tables(job: &Job) -> Vec<(&Unit, u16, &UnitTable)> {
    let mut shared = Vec::new();
    for unit in job.plan.units.iter().filter(|unit| is_shared(job, unit)) {
        for (table, at) in unit.tables.iter().zip(0_u16..) {
            shared.push((unit, at, table));
        }
    }
    shared
}

/// Cuts the next range off a table that is not cut to its end, and takes it.
pub(crate) async fn cut(job: &Job) -> Result<Option<Lease>, RunError> {
    for (unit, at, table) in shared_tables(job) {
        // Somebody else may be faster: then there is another end to cut from.
        loop {
            let (after, lower, next) = match job.vault.cut_state(job.run, unit.id, at).await? {
                CutState::Whole => break,
                CutState::Untouched { next } => (None, None, next),
                CutState::Upto { last, upper, next } => (Some(last), Some(upper), next),
            };
            let upper = job.source.cut(table, lower.as_ref(), RANGE_ROWS).await?;
            let piece = Piece { lower, upper, ..piece_of(job, Task::Backup, unit.id, at, next) };
            let (holder, lease_ms) = (&job.crew.holder, job.crew.lease_ms());
            let lease = job.vault.cut_piece(&piece, after, holder, lease_ms).await?;
            if lease.is_some() {
                return Ok(lease);
            }
        }
    }
    Ok(None)
}

/// Whether every table is cut to its end.
pub(crate) async fn is_cut(job: &Job) -> Result<bool, RunError> {
    for (unit, at, _) in shared_tables(job) {
        if job.vault.cut_state(job.run, unit.id, at).await? != CutState::Whole {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Backs up one piece. Where its values are larger than a file should be, it ends earlier, and the
/// rest is a piece of its own.
pub(crate) async fn back_up_piece(job: &Job, lease: &Lease) -> Result<(), RunError> {
    let Piece { unit, table: at, range: number, lower, upper, .. } = &lease.piece;
    let unit = unit_of(job, *unit)?;
    let table = table_of(unit, *at)?;
    let columns = job.columns(table).await?;
    let _room = job.crew.room(3 * job.crew.batch_bytes()).await;
    remove_earlier(job, lease).await?;
    let name = attempt(lease, lease.epoch);
    let filled = match fill(job, lease, table, &columns, &name).await {
        Ok(filled) => filled,
        Err(error) => {
            // It is on no record, and half of it would only take up room. What stays all the same is
            // removed by whoever takes the piece over. Once a record of it was asked for, it stays: the
            // answer may be lost, and the record there.
            let _ = job.files.remove(&name);
            return Err(error);
        }
    };
    let Filled { seal, rows, originals, rest } = filled;
    let row = RangeRow {
        unit: unit.id,
        table: *at,
        number: *number,
        lower: lower.clone(),
        upper: rest.clone().or_else(|| upper.clone()),
        rows,
        originals,
    };
    here("backup.after_file");
    let file = FileRow {
        kind: FileKind::Backup,
        unit: unit.id,
        range: *number,
        epoch: 0,
        number: 0,
        seal,
    };
    let mut changes = vec![Change::PutRange(job.run, row), Change::PutFile(job.run, file)];
    changes.extend(rest.map(|at| Change::SplitPiece(lease.clone(), at)));
    changes.push(Change::PieceDone(lease.clone()));
    if columns.iter().all(|column| !column.treatment.is_deduplicated()) {
        // Sealed ahead of the phase, a file leaves nothing in the vault but its record. A blind index
        // would be filled with tokens whose entries may never come.
        changes.push(Change::AddPiece(piece_of(job, Task::Seal, unit.id, *at, *number)));
    }
    for _ in 0..SPLITS_MAX {
        match job.vault.commit(changes.clone(), Vec::new()).await {
            // Somebody has cut a range under the number that the rest was to have.
            Err(VaultError::Locked { .. }) => {}
            committed => {
                committed?;
                here("backup.after_record");
                return Ok(());
            }
        }
    }
    Err(VaultError::Locked { waited_ms: 0 }.into())
}

/// The file of an attempt at a piece.
///
/// INVARIANT: a name of its own for each attempt, because a worker that was passed over may still be
/// writing its file.
fn attempt(lease: &Lease, epoch: u64) -> String {
    let (unit, range) = (lease.piece.unit, lease.piece.range);
    let attempt = if epoch == 1 { String::new() } else { format!("-e{epoch}") };
    format!("u{unit}-r{range}{attempt}.backup")
}

/// Removes what earlier attempts at a piece have left: on a full disk, each would leave less room to the
/// next one.
///
/// INVARIANT: a file goes on record together with the end of its piece, by the lease that it was written
/// under, and a piece that has ended is not taken again. So whoever was given a piece knows that no file
/// of an earlier epoch is on record, or ever will be. Who is still writing one has lost its lease.
async fn remove_earlier(job: &Job, lease: &Lease) -> Result<(), RunError> {
    if lease.epoch == 1 {
        return Ok(());
    }
    let files = job.vault.files_of(job.run, lease.piece.unit, &[lease.piece.range]).await?;
    for epoch in 1..lease.epoch {
        let name = attempt(lease, epoch);
        // What is on record is kept, whatever a lease says.
        if files.iter().all(|file| file.seal.name != name) {
            // What cannot be removed is in nobody's way but the room's.
            let _ = job.files.remove(&name);
        }
    }
    Ok(())
}

/// What an attempt at a piece has put into its file.
struct Filled {
    seal: FileSeal,
    rows: u64,
    originals: u64,
    /// Where the file ends before its piece.
    rest: Option<RowKey>,
}

/// Writes the file of a piece, to its end or until it is large enough.
async fn fill(
    job: &Job,
    lease: &Lease,
    table: &UnitTable,
    columns: &[Column],
    name: &str,
) -> Result<Filled, RunError> {
    let Piece { lower, upper, .. } = &lease.piece;
    let bytes = job.crew.batch_bytes();
    let writer = job.files.create(name)?;
    let mut range = Filling { writer, columns, rows: 0, bytes: 0, originals: 0 };
    let mut position = lower.clone();
    let rest = loop {
        job.may_go_on()?;
        let limit = Limit { rows: SNAPSHOT_ROWS, bytes };
        let (after, upto) = (position.as_ref(), upper.as_ref());
        let filter = WalkFilter::Stamped { seed: job.stamp_seed() };
        let rows = job.source.walk(table, after, upto, limit, &filter).await?;
        let Some(last) = rows.last() else { break None };
        position = Some(last.key.clone());
        range.add(job, &rows).await?;
        job.progress.advance(rows.len() as u64);
        let is_full = range.rows >= 2 * RANGE_ROWS || range.bytes >= RANGE_BYTES;
        if is_full && position != *upper {
            break position.clone();
        }
    };
    here("backup.before_file_ends");
    let (rows, originals) = (range.rows, range.originals);
    Ok(Filled { seal: range.writer.finish()?, rows, originals, rest })
}

/// Backs up the next range of a table; `false` where the table is complete.
async fn back_up_range(
    job: &Job,
    unit: &Unit,
    at: u16,
    table: &UnitTable,
) -> Result<bool, RunError> {
    let ranges: Vec<RangeRow> = job
        .vault
        .ranges(job.run)
        .await?
        .into_iter()
        .filter(|range| range.unit == unit.id)
        .collect();
    let number = u32::try_from(ranges.len()).unwrap_or(u32::MAX);
    let lower = match ranges.iter().rfind(|range| range.table == at) {
        Some(RangeRow { upper: None, .. }) => return Ok(false),
        Some(range) if matches!(table.walk, Walk::ScopedKey(_)) => {
            let files = job.vault.files(job.run).await?;
            Some(last_key(job, &files, unit, range.number)?)
        }
        Some(range) => range.upper.clone(),
        None => None,
    };
    let columns = job.columns(table).await?;
    let name = format!("u{}-r{number}.backup", unit.id);
    let writer = job.files.create(&name)?;
    let mut range = Filling { writer, columns: &columns, rows: 0, bytes: 0, originals: 0 };
    let mut position = lower.clone();
    let upper = loop {
        job.may_go_on()?;
        let limit = Limit { rows: SNAPSHOT_ROWS, bytes: BYTES_MAX };
        let rows = job.source.walk(table, position.as_ref(), None, limit, &WalkFilter::All).await?;
        let Some(last) = rows.last() else { break None };
        position = Some(last.key.clone());
        range.add(job, &rows).await?;
        job.progress.advance(rows.len() as u64);
        if range.rows >= RANGE_ROWS || range.bytes >= RANGE_BYTES {
            break position;
        }
    };
    let row = RangeRow {
        unit: unit.id,
        table: at,
        number,
        lower: recorded(table, lower),
        upper: recorded(table, upper.clone()),
        rows: range.rows,
        originals: range.originals,
    };
    here("backup.before_file_ends");
    let seal = range.writer.finish()?;
    here("backup.after_file");
    let file =
        FileRow { kind: FileKind::Backup, unit: unit.id, range: number, epoch: 0, number: 0, seal };
    let changes = vec![Change::PutRange(job.run, row), Change::PutFile(job.run, file)];
    job.vault.commit(changes, Vec::new()).await?;
    here("backup.after_record");
    Ok(upper.is_some())
}

/// The bound of a range as it is put on record. A key that is in scope is an original: it stays in
/// the encrypted file, and the record only says that there is a bound.
fn recorded(table: &UnitTable, key: Option<RowKey>) -> Option<RowKey> {
    match table.walk {
        Walk::Key(_) | Walk::RowId => key,
        Walk::ScopedKey(_) => key.map(|_| RowKey(Vec::new())),
    }
}

/// The key behind which the next range begins, where the record of the last one does not say it.
fn last_key(job: &Job, files: &[FileRow], unit: &Unit, range: u32) -> Result<RowKey, RunError> {
    let missing =
        || RunError::Inconsistent(format!("range {range} of unit {} has no file", unit.id));
    let file = files
        .iter()
        .find(|f| f.kind == FileKind::Backup && f.unit == unit.id && f.range == range)
        .ok_or_else(missing)?;
    let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
    let mut last = None;
    while let Some(record) = reader.read()? {
        let record = BackupRecord::decode(&record)
            .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
        last = Some(record.key);
    }
    last.ok_or_else(missing)
}

struct Filling<'f> {
    writer: Box<dyn RecordWriter>,
    columns: &'f [Column],
    rows: u64,
    bytes: usize,
    originals: u64,
}

impl Filling<'_> {
    async fn add(&mut self, job: &Job, rows: &[Row]) -> Result<(), RunError> {
        for record in backup_records(job, self.columns, rows).await? {
            self.originals +=
                record.cells.iter().filter(|cell| matches!(cell, BackupCell::Value(_))).count()
                    as u64;
            self.writer.write(&record.encode())?;
        }
        self.rows += rows.len() as u64;
        self.bytes += rows.iter().map(Row::bytes).sum::<usize>();
        Ok(())
    }
}

/// Says what each cell of some rows is, and keeps it.
pub(crate) async fn backup_records(
    job: &Job,
    columns: &[Column],
    rows: &[Row],
) -> Result<Vec<BackupRecord>, RunError> {
    let fates: Vec<Vec<Fate>> = rows
        .iter()
        .map(|row| columns.iter().zip(&row.cells).map(|(c, cell)| c.fate(cell.as_ref())).collect())
        .collect();
    let shaped = fates.iter().flat_map(|fates| {
        columns.iter().zip(fates).filter_map(|(column, fate)| match fate {
            Fate::Shaped(token) => Some((column.domain_id(), token.clone())),
            Fate::Null | Fate::Empty | Fate::Original => None,
        })
    });
    let shaped: Vec<_> = shaped.collect();
    let known = known(job.vault.as_ref(), shaped).await?;
    let is_known = |column: &Column, token: &TokenBody| {
        known.contains_key(&(column.domain_id(), token.clone()))
    };
    let is_plain = |fates: &[Fate]| !fates.iter().any(|fate| matches!(fate, Fate::Shaped(_)));
    Ok(rows
        .iter()
        .zip(fates)
        .map(|(row, fates)| BackupRecord {
            key: row.key.clone(),
            stamp: row.stamp.clone().filter(|_| is_plain(&fates)),
            cells: row
                .cells
                .iter()
                .zip(fates)
                .zip(columns)
                .map(|((cell, fate), column)| match (cell, fate) {
                    (None, _) => BackupCell::Null,
                    (Some(_), Fate::Empty) => BackupCell::Empty,
                    (Some(_), Fate::Shaped(token)) if is_known(column, &token) => {
                        BackupCell::Token(token)
                    }
                    (Some(cell), _) => BackupCell::Value(cell.duplicate()),
                })
                .collect(),
        })
        .collect())
}
