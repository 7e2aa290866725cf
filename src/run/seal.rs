//! The second pass: from the backup's files into the vault. The source is not touched.
//!
//! For each backup file: a *token file* in the same order, and a *stage file* with its sealed
//! values in token order, which lie as they are. Both are on disk and on record before the next file
//! is begun. When all are, the stage files are merged into the vault (see [`super::load`]).
//!
//! Only the backup is read, so a backup that has filled a vault is a backup that restores.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use tokio::task::JoinSet;

use crate::ledger::Draft;
use crate::lifecycle::{Event, Phase};
use crate::plan::{SEALED_AHEAD, Unit};
use crate::ports::{BlindRow, Change, FileKind, FileRow, Lease, Piece, RangeRow, Task, VaultError};
use crate::run::batch::{BYTES_MAX, compute};
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::entries::{SealedRecords, Sealing, differ, draw};
use crate::run::error::RunError;
use crate::run::job::{Job, Stop, file_bytes, manifest_hash, ms, table_of, unit_of};
use crate::run::load::load;
use crate::run::record::{BackupCell, BackupRecord, TokenCell, TokenRecord};
use crate::run::share::{Laid, piece_of, share, turn};
use crate::token::{DomainId, TokenBody};
use crate::value::Original;

/// How often a file is drawn again because somebody else gave a value its token meanwhile.
const REDRAWS_MAX: u32 = 10;

/// Seals every backup file that is not sealed yet, loads the vault, moves the run to `sealed`.
///
/// # Errors
///
/// [`RunError`]; what is on record stays. [`RunError::Collision`] is fatal.
pub async fn seal(job: &Job) -> Result<(), RunError> {
    let begun = Instant::now();
    let files = job.vault.files(job.run).await?;
    let sealed = files.iter().filter(|file| file.kind == FileKind::Token).count() as u64;
    let resumed = sealed > sealed_ahead(job).await?;
    let ranges = job.vault.ranges(job.run).await?;
    let left =
        unsealed(&files).map(|file| left_of(&ranges, file)).collect::<Result<Vec<_>, _>>()?;
    job.watch.does("seals");
    job.progress.begin("seal", "values", left.iter().map(|(_, range)| range.originals).sum());
    if job.crew.shares {
        let piece =
            |range: &RangeRow| piece_of(job, Task::Seal, range.unit, range.table, range.number);
        let pieces: Vec<(Piece, u64)> = left.iter().map(|(_, range)| (piece(range), 0)).collect();
        job.vault.add_pieces(&pieces).await?;
        let wanted = pieces.len() as u64;
        share(job, Task::Seal, wanted, Laid::default(), &Stop::default()).await?;
    } else {
        let left = left.into_iter().map(|(file, range)| (file.clone(), range.table)).collect();
        seal_here(job, left).await?;
    }
    job.progress.end();
    let Some(turn) = turn(job, Phase::BackedUp).await? else { return Ok(()) };
    let done = rest(job, begun, resumed).await;
    turn.end(done).await
}

/// How many files were sealed while the backup went on, as the ledger has it.
async fn sealed_ahead(job: &Job) -> Result<u64, RunError> {
    let entries = job.vault.ledger_of(job.run).await?;
    let backed_up = entries.iter().rfind(|entry| entry.action == Event::BackedUp.name());
    Ok(backed_up.and_then(|entry| entry.counts.get(SEALED_AHEAD).copied()).unwrap_or(0))
}

/// A file that is left to seal, with its range.
fn left_of<'f>(
    ranges: &'f [RangeRow],
    file: &'f FileRow,
) -> Result<(&'f FileRow, &'f RangeRow), RunError> {
    let range = ranges.iter().find(|row| row.unit == file.unit && row.number == file.range);
    range.map(|range| (file, range)).ok_or_else(|| {
        RunError::Inconsistent(format!("file `{}` has no range on record", file.seal.name))
    })
}

/// What one process does: the load of what was sealed, then the phase.
async fn rest(job: &Job, begun: Instant, resumed: bool) -> Result<(), RunError> {
    load(job).await?;
    finish(job, begun, resumed).await
}

/// How many files one process seals at a time: while one is written, the other keeps the cores busy.
const FILES_AT_A_TIME: usize = 2;

/// Seals files where nobody else may.
async fn seal_here(job: &Job, files: Vec<(FileRow, u16)>) -> Result<(), RunError> {
    let mut files = files.into_iter();
    let mut sealing: JoinSet<Result<(), RunError>> = JoinSet::new();
    loop {
        while sealing.len() < FILES_AT_A_TIME
            && let Some((file, table)) = files.next()
        {
            job.refuse_if_paused().await?;
            let job = job.clone();
            sealing.spawn(async move {
                let _room = job.crew.room(room_of(&file)).await;
                seal_known(&job, table, &file, "").await
            });
        }
        let Some(sealed) = sealing.join_next().await else { return Ok(()) };
        sealed.map_err(|_| RunError::Inconsistent("a file was left unsealed".to_owned()))??;
    }
}

/// What sealing a file holds in memory.
fn room_of(file: &FileRow) -> usize {
    let bytes = usize::try_from(file.seal.bytes).unwrap_or(usize::MAX);
    bytes.saturating_mul(4).saturating_add(BYTES_MAX)
}

/// The backup files that have no token file and stage file yet.
fn unsealed(files: &[FileRow]) -> impl Iterator<Item = &FileRow> {
    let sealed: HashSet<(FileKind, u16, u32)> =
        files.iter().map(|file| (file.kind, file.unit, file.range)).collect();
    files.iter().filter(|file| file.kind == FileKind::Backup).filter(move |file| {
        let has = |kind: FileKind| sealed.contains(&(kind, file.unit, file.range));
        !(has(FileKind::Token) && has(FileKind::Stage))
    })
}

/// Seals the file of one piece.
pub(crate) async fn seal_piece(job: &Job, lease: &Lease) -> Result<(), RunError> {
    let piece = &lease.piece;
    // A piece that was left undone may have been done but for its mark.
    let files = job.vault.files_of(job.run, piece.unit, &[piece.range]).await?;
    if let Some(file) = unsealed(&files).next() {
        let _room = job.crew.room(room_of(file)).await;
        // INVARIANT: a name of its own for each attempt, because a worker that was passed over may
        // still be writing its files.
        let attempt = if lease.epoch == 1 { String::new() } else { format!("-e{}", lease.epoch) };
        seal_known(job, piece.table, file, &attempt).await?;
    }
    job.vault.commit(vec![Change::PieceDone(lease.clone())], Vec::new()).await?;
    Ok(())
}

async fn seal_known(job: &Job, table: u16, file: &FileRow, attempt: &str) -> Result<(), RunError> {
    let unit = unit_of(job, file.unit)?;
    let columns = job.columns(table_of(unit, table)?).await?;
    seal_file(job, unit, &columns, file, attempt).await
}

async fn seal_file(
    job: &Job,
    unit: &Unit,
    columns: &[Column],
    file: &FileRow,
    attempt: &str,
) -> Result<(), RunError> {
    let records = read_backup(job, file)?;
    for _ in 0..REDRAWS_MAX {
        let drawn = draw_tokens(job, columns, &records).await?;
        let values = values(columns, &records, &drawn);
        let order = each_once(job, &values, in_order(&values))?;
        let stem = format!("u{}-r{}{attempt}", unit.id, file.range);
        let token_file = write_tokens(job, &stem, &records, &drawn, file)?;
        here("seal.after_token_file");
        let stage_file = write_stage(job, &stem, &values, &order, file)?;
        here("seal.after_stage_file");
        let recorded =
            job.vault.record_seal(job.run, vec![token_file, stage_file], drawn.blind).await;
        match recorded {
            Err(VaultError::BlindTaken) => {}
            recorded => {
                recorded?;
                here("seal.after_record");
                job.progress.advance(drawn.originals);
                return Ok(());
            }
        }
    }
    Err(RunError::Inconsistent(format!(
        "file `{}` was drawn {REDRAWS_MAX} times and another token was always there first",
        file.seal.name
    )))
}

/// Reads a whole backup file. A range is bounded, so it fits in memory.
pub(crate) fn read_backup(job: &Job, file: &FileRow) -> Result<Vec<BackupRecord>, RunError> {
    let mut reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
    let mut records = Vec::with_capacity(usize::try_from(file.seal.records).unwrap_or(0));
    while let Some(record) = reader.read()? {
        let record = BackupRecord::decode(&record)
            .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
        records.push(record);
    }
    if records.len() as u64 != file.seal.records {
        return Err(RunError::Inconsistent(format!(
            "file `{}` has {} records instead of {}",
            file.seal.name,
            records.len(),
            file.seal.records
        )));
    }
    Ok(records)
}

/// The tokens of a file's originals.
struct Drawn {
    /// Per record and column.
    cells: Vec<Vec<TokenCell>>,
    /// New entries of the blind index.
    blind: Vec<BlindRow>,
    /// How many originals there are.
    originals: u64,
}

async fn draw_tokens(
    job: &Job,
    columns: &[Column],
    records: &[BackupRecord],
) -> Result<Drawn, RunError> {
    let keys = &job.keys;
    let derived: Vec<Vec<TokenCell>> = compute(records, |record| {
        record
            .cells
            .iter()
            .zip(columns)
            .map(|(cell, column)| token_cell(keys, column, cell))
            .collect()
    });
    let mut drawn = Drawn { cells: derived, blind: Vec::new(), originals: 0 };
    for (at, column) in columns.iter().enumerate() {
        if column.treatment.is_deduplicated() {
            deduplicate(job, at, column, records, &mut drawn).await?;
        }
    }
    drawn.originals = records
        .iter()
        .flat_map(|record| &record.cells)
        .filter(|cell| matches!(cell, BackupCell::Value(_)))
        .count() as u64;
    Ok(drawn)
}

/// The token of one cell. A value that can have none is left for the rewrite to quarantine.
fn token_cell(keys: &crate::crypto::KeyRing, column: &Column, cell: &BackupCell) -> TokenCell {
    match cell {
        BackupCell::Null => TokenCell::Null,
        BackupCell::Empty => TokenCell::Empty,
        BackupCell::Token(token) => TokenCell::Token(token.clone()),
        BackupCell::Value(original) if column.refusal(original).is_some() => TokenCell::None,
        BackupCell::Value(original) if column.treatment.is_deterministic() => column
            .derive(keys, original)
            .map_or(TokenCell::None, |token| TokenCell::Sealed { token, digest: None }),
        BackupCell::Value(original) => {
            TokenCell::Sealed { token: draw(), digest: Some(column.digest(keys, original)) }
        }
    }
}

/// Gives equal values of a `dedupe` column one token: the one in the blind index, or the first that
/// was drawn for it in this file.
async fn deduplicate(
    job: &Job,
    at: usize,
    column: &Column,
    records: &[BackupRecord],
    drawn: &mut Drawn,
) -> Result<(), RunError> {
    let mut places: HashMap<[u8; 16], Vec<usize>> = HashMap::new();
    for (place, record) in records.iter().enumerate() {
        let Some(BackupCell::Value(original)) = record.cells.get(at) else { continue };
        let Some(digest) = column.blind_digest(&job.keys, original) else { continue };
        places.entry(digest).or_default().push(place);
    }
    let digests: Vec<[u8; 16]> = places.keys().copied().collect();
    let winners = job.vault.blind(column.domain_id(), &digests).await?;
    for (digest, winner) in digests.iter().zip(winners) {
        let token = winner.clone().unwrap_or_else(draw);
        if winner.is_none() {
            drawn.blind.push(BlindRow {
                domain: column.domain_id(),
                digest: *digest,
                token: token.clone(),
            });
        }
        for place in &places[digest] {
            if let Some(TokenCell::Sealed { token: cell, .. }) = drawn.cells[*place].get_mut(at) {
                *cell = token.clone();
            }
        }
    }
    Ok(())
}

/// The originals of a file with their tokens, row by row.
fn values<'v>(
    columns: &'v [Column],
    records: &'v [BackupRecord],
    drawn: &Drawn,
) -> Vec<Sealing<'v>> {
    let mut values = Vec::with_capacity(usize::try_from(drawn.originals).unwrap_or(0));
    for (record, cells) in records.iter().zip(&drawn.cells) {
        for ((cell, token), column) in record.cells.iter().zip(cells).zip(columns) {
            if let (BackupCell::Value(original), TokenCell::Sealed { token, .. }) = (cell, token) {
                values.push(Sealing { column, token: token.clone(), original });
            }
        }
    }
    values
}

/// Leaves each token once in an order, and settles duplicates by comparing the values themselves.
fn each_once(
    job: &Job,
    values: &[Sealing<'_>],
    mut order: Vec<usize>,
) -> Result<Vec<usize>, RunError> {
    for pair in order.windows(2) {
        let [one, two] = [&values[pair[0]], &values[pair[1]]];
        if is_same_token(one, two) && !is_same(job, two.column, one.original, two.original) {
            return Err(differ(&job.keys, two.column, &two.token, one.original, two.original));
        }
    }
    order.dedup_by(|two, one| is_same_token(&values[*one], &values[*two]));
    Ok(order)
}

/// The places of values in the order of domain and token; of equal ones the first comes first.
fn in_order(values: &[Sealing<'_>]) -> Vec<usize> {
    let tokens: Vec<(DomainId, &TokenBody)> =
        values.iter().map(|value| (value.column.domain_id(), &value.token)).collect();
    order(&tokens)
}

/// The places of tokens in the order of domain and token; of equal ones the first comes first.
fn order(tokens: &[(DomainId, &TokenBody)]) -> Vec<usize> {
    /// A token's first bytes as a number: it decides almost always, and lies beside its neighbours.
    fn beginning(token: &TokenBody) -> u128 {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(token.as_bytes()) {
            *to = *from;
        }
        u128::from_be_bytes(bytes)
    }
    let mut places: Vec<(DomainId, u128, usize)> = tokens
        .iter()
        .zip(0..)
        .map(|((domain, token), at)| (*domain, beginning(token), at))
        .collect();
    places.sort_unstable_by(|one, two| {
        let rest = || tokens[one.2].1.cmp(tokens[two.2].1).then(one.2.cmp(&two.2));
        (one.0, one.1).cmp(&(two.0, two.1)).then_with(rest)
    });
    places.into_iter().map(|(.., at)| at).collect()
}

/// Whether two values share a token. Columns of one domain share theirs.
fn is_same_token(one: &Sealing<'_>, two: &Sealing<'_>) -> bool {
    one.token == two.token && one.column.domain_id() == two.column.domain_id()
}

fn is_same(job: &Job, column: &Column, one: &Original, two: &Original) -> bool {
    one.same_as(two)
        || (column.treatment.is_lossy_ok()
            && column.digest(&job.keys, one) == column.digest(&job.keys, two))
}

fn write_tokens(
    job: &Job,
    stem: &str,
    records: &[BackupRecord],
    drawn: &Drawn,
    file: &FileRow,
) -> Result<FileRow, RunError> {
    let mut writer = job.files.create(&format!("{stem}.token"))?;
    for (record, cells) in records.iter().zip(&drawn.cells) {
        let (key, stamp) = (record.key.encode(), record.stamp.as_ref());
        writer.write(&TokenRecord::encoded(&key, stamp, cells))?;
    }
    Ok(FileRow { kind: FileKind::Token, seal: writer.finish()?, ..file.clone() })
}

/// Seals the values of an order, and writes them in it.
fn write_stage(
    job: &Job,
    stem: &str,
    values: &[Sealing<'_>],
    order: &[usize],
    file: &FileRow,
) -> Result<FileRow, RunError> {
    // They are sealed in the order in which they lie in memory: in that of their tokens, each would
    // have to be fetched.
    let mut places = order.to_vec();
    places.sort_unstable();
    let wanted: Vec<&Sealing<'_>> = places.iter().map(|place| &values[*place]).collect();
    let sealed = SealedRecords::of(&job.keys, &wanted)?;
    let mut numbers = vec![0; values.len()];
    for (number, place) in places.iter().enumerate() {
        numbers[*place] = number;
    }
    let lost = || RunError::Inconsistent("a value was not sealed".to_owned());
    let mut writer = job.files.create_plain(&format!("{stem}.stage"))?;
    for place in order {
        writer.write(sealed.get(numbers[*place]).ok_or_else(lost)?)?;
    }
    Ok(FileRow { kind: FileKind::Stage, seal: writer.finish()?, ..file.clone() })
}

/// The vault has every value: the segment is closed, the stage files have done their work.
async fn finish(job: &Job, begun: Instant, resumed: bool) -> Result<(), RunError> {
    let cursor = job.vault.load_cursor(job.run).await?;
    let files = job.vault.files(job.run).await?;
    let root = crate::ledger::RowSetRoot::decode(&cursor.root_state)
        .map_err(|error| RunError::Inconsistent(error.to_string()))?
        .root();
    let segment = crate::ports::SegmentRow {
        segment: cursor.segment,
        run: Some(job.run),
        entries: cursor.entries,
        root: Some(root.as_bytes().to_vec()),
    };
    let tokens = manifest_hash(&files, FileKind::Token);
    let changes =
        vec![Change::CloseSegment(segment), Change::ForgetFiles(job.run, FileKind::Stage)];
    let key_ids = job.key_ids();
    let vault_bytes = job.vault.bytes().await?;
    here("seal.before_phase");
    job.advance(Phase::BackedUp, Event::Sealed, changes, |draft: &mut Draft| {
        draft.counts.insert("took_ms".into(), ms(begun.elapsed()));
        draft.counts.extend(resumed.then(|| ("resumed".into(), 1)));
        draft.counts.insert("file_bytes".into(), file_bytes(&files, FileKind::Token));
        draft.counts.insert("stage_bytes".into(), file_bytes(&files, FileKind::Stage));
        draft.counts.extend(vault_bytes.map(|bytes| ("vault_bytes".into(), bytes)));
        draft.counts.insert("entries".into(), cursor.entries);
        draft.counts.insert("segment".into(), u64::from(cursor.segment));
        draft.details.insert("root".into(), root.to_string().into());
        draft.details.insert("token_files".into(), tokens.into());
        draft.key_ids = key_ids;
    })
    .await?;
    for file in files.iter().filter(|file| file.kind == FileKind::Stage) {
        job.files.remove(&file.seal.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_any_length_are_put_in_the_order_of_their_bytes_and_equal_ones_stay_in_theirs() {
        let tokens: Vec<TokenBody> = [
            &b"b"[..],
            b"",
            b"a",
            b"a\0",
            b"\0",
            b"0123456789abcdef",
            b"0123456789abcdefg",
            b"0123456789abcdef\0",
            b"a",
            b"\xff\xff",
        ]
        .map(TokenBody::new)
        .to_vec();
        let all: Vec<(DomainId, &TokenBody)> =
            tokens.iter().zip(0..).map(|(token, at)| (DomainId(at % 3), token)).collect();
        let mut expected: Vec<usize> = (0..all.len()).collect();
        expected.sort_by_key(|at| all[*at]);
        assert_eq!(order(&all), expected);
        let one_domain: Vec<_> = tokens.iter().map(|token| (DomainId(7), token)).collect();
        assert_eq!(order(&one_domain), [1, 4, 5, 7, 6, 2, 8, 3, 0, 9]);
    }
}
