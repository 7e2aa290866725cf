//! Verify's look at the source: every cell, beside the newest original that the backup has for it.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::carried::BROUGHT;
use super::entries::Deriver;
use super::{Findings, Pass, ROWS, column_name, unsorted};
use crate::crypto::KeyRing;
use crate::plan::{Unit, UnitTable};
use crate::policy::TokenKind;
use crate::ports::{FileKind, FileRow, Limit, QuarantineState, RangeRow, Row, Source};
use crate::run::ahead::{RowsAhead, broken_off};
use crate::run::batch::{BYTES_MAX, compute_chunks};
use crate::run::buckets::{Buckets, Says};
use crate::run::by_key::ByKey;
use crate::run::column::{Column, Fate};
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::increments::read_increment;
use crate::run::job::Job;
use crate::run::record::{BackupCell, BackupRecord};
use crate::run::seal::read_backup;
use crate::run::sweep::{late_records, sweep_range};
use crate::run::window::Image;
use crate::token::TokenBody;
use crate::token::second::{self, Message};
use crate::value::{Original, RowKey};

/// Records of an image whose originals are taken at a time.
const RECORDS: usize = 10_000;

/// What no value's digest is: a cell that says so agrees with no entry.
const NEVER: [u8; 16] = [0xff; 16];

/// What the backup says of the cells of a range, row by row.
struct Newest {
    width: usize,
    /// The rows, in the order of the backup.
    rows: ByKey,
    /// Of each row, what is expected of its cells.
    cells: Vec<Expected>,
    /// Tokens that stood in cells of originals before we wrote there, by row and column: brought by
    /// the application.
    brought: HashMap<(usize, usize), TokenBody>,
}

#[derive(Clone)]
enum Expected {
    /// Nothing.
    Nothing,
    /// An original of this digest.
    Value([u8; 16]),
    /// An original that this token follows from, by the second implementation.
    Derived(TokenBody),
    /// An original that no token follows from.
    Underived,
    /// A token that was there before the run.
    Token(TokenBody),
}

impl Newest {
    fn of(columns: &[Column]) -> Self {
        let width = columns.len();
        Self { width, rows: ByKey::default(), cells: Vec::new(), brought: HashMap::new() }
    }

    /// Takes in the rows of a file, each row once.
    fn put_rows(&mut self, keys: &KeyRing, columns: &[Column], records: &[BackupRecord]) {
        let derivers: Vec<Deriver<'_>> =
            columns.iter().map(|column| Deriver::of(keys, column)).collect();
        let width = self.width;
        let rows = compute_chunks(records, CHUNK, |_, chunk| {
            let mut rows = (ByKey::default(), Vec::with_capacity(chunk.len() * width));
            let mut message = Message::default();
            for record in chunk {
                rows.0.push(&record.key.encode());
                let cells = record.cells.iter().zip(&derivers);
                rows.1.extend(
                    cells.map(|(cell, deriver)| expected(keys, deriver, &mut message, cell)),
                );
                rows.1.resize(rows.0.len() * width, Expected::Nothing);
            }
            rows
        });
        for (rows, cells) in rows {
            self.rows.append(&rows);
            self.cells.extend(cells);
        }
    }

    fn put(&mut self, job: &Job, columns: &[Column], key: &[u8], at: usize, cell: &BackupCell) {
        let Some(column) = columns.get(at) else { return };
        let row = self.rows.place_or_push(key);
        self.cells.resize(self.rows.len() * self.width, Expected::Nothing);
        let Some(place) = self.cells.get_mut(row * self.width + at) else { return };
        match (cell, &*place) {
            // The original that the token replaced is still the newest that is known.
            (BackupCell::Token(token), known) if !matches!(known, Expected::Nothing) => {
                self.brought.insert((row, at), token.clone());
            }
            _ => {
                let deriver = Deriver::of(&job.keys, column);
                *place = expected(&job.keys, &deriver, &mut Message::default(), cell);
                self.brought.remove(&(row, at));
            }
        }
    }

    /// Whether the application is known to have brought a token to a cell.
    fn is_brought(&self, row: Option<usize>, at: usize, token: &TokenBody) -> bool {
        row.is_some_and(|row| self.brought.get(&(row, at)) == Some(token))
    }

    fn cells(&self, row: usize) -> &[Expected] {
        self.cells.get(row * self.width..(row + 1) * self.width).unwrap_or_default()
    }
}

fn expected(
    keys: &KeyRing,
    deriver: &Deriver<'_>,
    message: &mut Message,
    cell: &BackupCell,
) -> Expected {
    let column = deriver.column();
    match cell {
        BackupCell::Null | BackupCell::Empty => Expected::Nothing,
        BackupCell::Value(original) if column.treatment.is_deterministic() => {
            deriver.derive(message, original).map_or(Expected::Underived, Expected::Derived)
        }
        BackupCell::Value(original) => Expected::Value(column.second_digest(keys, original)),
        BackupCell::Token(token) => Expected::Token(token.clone()),
    }
}

/// What a cell holds.
enum Shape {
    Null,
    Empty,
    Original,
    Token(TokenBody),
}

/// What a cell holds, as its shape tells. A column whose tokens have no shape of their own holds
/// only tokens.
fn shape(column: &Column, cell: Option<&Original>) -> Shape {
    match (column.fate(cell), cell) {
        (Fate::Null, _) | (_, None) => Shape::Null,
        (Fate::Empty, _) => Shape::Empty,
        (Fate::Shaped(token), Some(cell)) => {
            if is_text_of(column, cell, &token).unwrap_or(true) {
                Shape::Token(token)
            } else {
                Shape::Original
            }
        }
        (Fate::Original, Some(cell)) if !column.treatment.is_recognisable_by_shape() => {
            let accepted = cell.as_text().and_then(|text| column.treatment.accept(text));
            accepted.map_or(Shape::Original, Shape::Token)
        }
        (Fate::Original, Some(_)) => Shape::Original,
    }
}

/// Whether the second implementation writes a token as it stands in the cell: a fault in the text of
/// tokens would hide behind the parser that was made with it. `None` where it does not write such
/// tokens.
fn is_text_of(column: &Column, cell: &Original, token: &TokenBody) -> Option<bool> {
    let kind = match column.treatment.kind() {
        TokenKind::Keyed => b'k',
        TokenKind::Random => b'r',
        TokenKind::Format | TokenKind::Uuid => return None,
    };
    let (None, Some(body)) = (column.treatment.template(), token.sixteen()) else { return None };
    Some(cell.expose() == second::token_signs(kind, column.domain_id(), body))
}

/// The token that follows from the newest original of a cell, where the cell holds it letter for
/// letter as the second implementation writes it: most cells do, and need no parser then.
fn as_derived<'e>(
    column: &Column,
    cell: Option<&Original>,
    newest: Option<&'e Expected>,
) -> Option<&'e TokenBody> {
    let (Some(cell), Some(Expected::Derived(token))) = (cell, newest) else { return None };
    let is_plain = column.treatment.kind() == TokenKind::Keyed;
    (is_plain && is_text_of(column, cell, token)?).then_some(token)
}

/// What a cell and the backup say of its token, and whether the backup says anything.
fn weigh(token: &TokenBody, newest: Option<&Expected>) -> (Says, bool) {
    match newest {
        Some(Expected::Value(digest)) => (Says::Holds(*digest), true),
        // Equal tokens mean equal values, once the vault is known to have the token.
        Some(Expected::Derived(known)) if known == token => (Says::HoldsAny, true),
        Some(Expected::Derived(_) | Expected::Underived) => (Says::Holds(NEVER), true),
        Some(Expected::Token(known)) if known != token => (Says::Holds(NEVER), true),
        Some(Expected::Token(_) | Expected::Nothing) | None => (Says::HoldsAny, false),
    }
}

/// Rows that one thread looks at in a row.
const CHUNK: usize = 500;

/// What rows are compared with, and where what they say is kept.
struct Look<'l> {
    unit: u16,
    table: u16,
    columns: &'l [Column],
    newest: &'l Newest,
    buckets: &'l Buckets,
}

/// What some rows were found to be, once what they say of their tokens is in the buckets.
struct Seen {
    null: u64,
    empty: u64,
    unbacked: u64,
    /// Tokens by column.
    opened: Vec<u64>,
    /// Cells that hold no token: the number of the row, and the column.
    originals: Vec<(usize, usize)>,
    /// Where the backup's row is likely to be that is like the next one.
    likely: usize,
}

impl Look<'_> {
    /// Looks at rows, the first of which is the one with number `from`; `likely` is where the backup
    /// has the first.
    fn rows(&self, rows: &[Row], from: usize, likely: usize) -> io::Result<Seen> {
        let width = self.columns.len();
        let mut records = self.buckets.records(rows.len() * width);
        let mut seen = Seen {
            null: 0,
            empty: 0,
            unbacked: 0,
            opened: vec![0; width],
            originals: Vec::new(),
            likely,
        };
        let mut place = Vec::new();
        for (row, number) in rows.iter().zip(from..) {
            let key = row.key.encode();
            let known = self.newest.rows.find(seen.likely, &key);
            seen.likely = known.map_or(seen.likely, |row| row + 1);
            let newest = known.map_or(&[][..], |row| self.newest.cells(row));
            for (at, (column, cell)) in self.columns.iter().zip(&row.cells).enumerate() {
                let newest = newest.get(at);
                let mut keep = |token: &TokenBody, says| {
                    // Who wrote a row is asked where its token may be another than the backup's.
                    let writer = match says {
                        Says::Holds(_) if self.newest.is_brought(known, at, token) => Some(BROUGHT),
                        Says::Holds(_) => row.version.map(|version| version.writer),
                        _ => None,
                    };
                    encode_place(&mut place, (self.unit, self.table, at), writer, &key);
                    records.add(column.domain_id(), token, says, &place);
                };
                if let Some(token) = as_derived(column, cell.as_ref(), newest) {
                    keep(token, Says::HoldsAny);
                    seen.opened[at] += 1;
                    continue;
                }
                match shape(column, cell.as_ref()) {
                    Shape::Null => seen.null += 1,
                    Shape::Empty => seen.empty += 1,
                    Shape::Original => seen.originals.push((number, at)),
                    Shape::Token(token) => {
                        let (says, is_backed) = weigh(&token, newest);
                        keep(&token, says);
                        seen.unbacked += u64::from(!is_backed);
                        seen.opened[at] += 1;
                    }
                }
            }
        }
        records.write().map(|()| seen)
    }
}

/// What rows of one table are looked at by.
struct Part<'p> {
    pass: &'p Pass<'p>,
    unit: u16,
    at: u16,
    table: &'p UnitTable,
    columns: &'p [Column],
}

impl Part<'_> {
    /// Looks at the ranges that are left, one after the other.
    async fn ranges(
        &self,
        source: &Arc<dyn Source>,
        left: &Mutex<impl Iterator<Item = RangeRow>>,
    ) -> Result<Findings, RunError> {
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let mut findings = Findings::default();
        while let Some(range) = next() {
            let (after, upto) = (range.lower.clone(), range.upper.clone());
            let rows = rows_of(source, self.table, after, upto);
            let (job, files) = (self.pass.job.clone(), Arc::clone(&self.pass.files));
            let columns = self.columns.to_vec();
            let newest = tokio::task::spawn_blocking(move || {
                newest_of_range(&job, &files, &range, &columns)
            });
            let newest = newest.await.map_err(|_| broken_off())??;
            findings.add(self.rows(rows, &newest).await?);
        }
        Ok(findings)
    }

    /// Looks at rows.
    async fn rows(&self, mut ahead: RowsAhead, newest: &Newest) -> Result<Findings, RunError> {
        let job = self.pass.job;
        let mut findings = Findings::default();
        let mut likely = 0;
        loop {
            job.may_go_on()?;
            let rows = ahead.next().await?;
            if rows.is_empty() {
                return Ok(findings);
            }
            let (unit, table, columns) = (self.unit, self.at, self.columns);
            let look = Look { unit, table, columns, newest, buckets: &self.pass.buckets };
            let looked =
                compute_chunks(&rows, CHUNK, |from, chunk| look.rows(chunk, from, likely + from));
            for seen in looked {
                let seen = seen.map_err(unsorted(look.buckets.folder()))?;
                likely = seen.likely;
                self.count(&mut findings, &rows, &seen);
            }
            findings.tally.rows += rows.len() as u64;
            job.progress.advance(rows.len() as u64);
        }
    }

    /// Counts rows.
    fn count(&self, findings: &mut Findings, rows: &[Row], seen: &Seen) {
        let Findings { tally, found } = findings;
        tally.null += seen.null;
        tally.empty += seen.empty;
        tally.unbacked += seen.unbacked;
        for (place, cells) in seen.opened.iter().enumerate() {
            tally.open((self.unit, self.at, place), *cells);
        }
        let is_in = |state, row: &Row| self.pass.is_in(state, self.unit, self.at, &row.key);
        for (row, place) in &seen.originals {
            let Some(row) = rows.get(*row) else { continue };
            if is_in(QuarantineState::Waived, row) {
                tally.waived += 1;
                continue;
            }
            let waits = is_in(QuarantineState::Waiting, row);
            let kind = if waits { MismatchKind::Quarantined } else { MismatchKind::Original };
            found.push(Mismatch { kind, place: cell_name(self.table, *place, &row.key) });
        }
    }
}

impl Pass<'_> {
    fn part<'q>(
        &'q self,
        (unit, at): (u16, u16),
        table: &'q UnitTable,
        columns: &'q [Column],
    ) -> Part<'q> {
        Part { pass: self, unit, at, table, columns }
    }

    pub(super) async fn read_ranges(
        &mut self,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
    ) -> Result<(), RunError> {
        let columns = self.job.columns(table).await?;
        let is_of = |range: &&RangeRow| range.unit == unit.id && range.table == at;
        let left = Mutex::new(self.ranges.iter().filter(is_of).cloned());
        let part = self.part((unit.id, at), table, &columns);
        // While the rows of one range are read, another is made ready or looked at.
        let looks = self.sources.iter().map(|source| part.ranges(source, &left));
        let looked = futures::future::try_join_all(looks).await?;
        for findings in looked {
            self.findings.add(findings);
        }
        Ok(())
    }

    pub(super) async fn read_keyed(
        &mut self,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
    ) -> Result<(), RunError> {
        let columns = self.job.columns(table).await?;
        let mut newest = Newest::of(&columns);
        let mut image = Image::open(self.job, unit, at, columns.len()).await?;
        let mut records = Vec::new();
        while let Some(record) = image.next()? {
            records.push(record);
            if records.len() == RECORDS {
                newest.put_rows(&self.job.keys, &columns, &records);
                records.clear();
            }
        }
        newest.put_rows(&self.job.keys, &columns, &records);
        for record in late_records(self.job, &self.files, unit.id, at)? {
            let key = record.key.encode();
            newest.put(self.job, &columns, &key, usize::from(record.column), &record.cell);
        }
        let rows = rows_of(&self.job.source, table, None, None);
        let findings = self.part((unit.id, at), table, &columns).rows(rows, &newest).await?;
        self.findings.add(findings);
        Ok(())
    }

    /// A table without a key: its tokens, counted, are those of the backup's originals, counted.
    pub(super) async fn read_multiset(
        &mut self,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
    ) -> Result<(), RunError> {
        let columns = self.job.columns(table).await?;
        let mut image = Image::open(self.job, unit, at, columns.len()).await?;
        while let Some(record) = image.next()? {
            for (place, cell) in record.cells.into_iter().enumerate() {
                self.expect((unit.id, at, place), table, &columns, cell).await?;
            }
        }
        for record in late_records(self.job, &self.files, unit.id, at)? {
            let place = usize::from(record.column);
            self.expect((unit.id, at, place), table, &columns, record.cell).await?;
        }
        let mut ahead = rows_of(&self.job.source, table, None, None);
        loop {
            let rows = ahead.next().await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                self.findings.tally.rows += 1;
                for (place, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
                    self.count_cell(unit.id, at, table, place, column, cell.as_ref())?;
                }
            }
            self.job.progress.advance(rows.len() as u64);
        }
        Ok(())
    }

    fn count_cell(
        &mut self,
        unit: u16,
        at: u16,
        table: &UnitTable,
        place: usize,
        column: &Column,
        cell: Option<&Original>,
    ) -> Result<(), RunError> {
        match shape(column, cell) {
            Shape::Null => self.findings.tally.null += 1,
            Shape::Empty => self.findings.tally.empty += 1,
            Shape::Original => {
                let place = format!("a cell of `{}`", column_name(table, place));
                self.findings.found.push(Mismatch { kind: MismatchKind::Original, place });
            }
            Shape::Token(token) => {
                self.findings.tally.open((unit, at, place), 1);
                self.keep((unit, at, place), column, &token, Says::Counted)?;
            }
        }
        Ok(())
    }

    async fn expect(
        &mut self,
        cell: (u16, u16, usize),
        table: &UnitTable,
        columns: &[Column],
        known: BackupCell,
    ) -> Result<(), RunError> {
        let Some(column) = columns.get(cell.2) else { return Ok(()) };
        let token = match known {
            BackupCell::Null | BackupCell::Empty => return Ok(()),
            BackupCell::Token(token) => token,
            BackupCell::Value(original) => {
                second_token(self.job, column, &original).await?.ok_or_else(|| {
                    RunError::Inconsistent(format!(
                        "an original of `{}` has no token",
                        column_name(table, cell.2)
                    ))
                })?
            }
        };
        self.keep(cell, column, &token, Says::Expected)
    }

    /// Keeps what a cell of a table without a key says of its token.
    fn keep(
        &mut self,
        cell: (u16, u16, usize),
        column: &Column,
        token: &TokenBody,
        says: Says,
    ) -> Result<(), RunError> {
        encode_place(&mut self.place, cell, None, &[]);
        let mut records = self.buckets.records(1);
        records.add(column.domain_id(), token, says, &self.place);
        records.write().map_err(unsorted(self.buckets.folder()))
    }
}

/// Begins to read rows.
fn rows_of(
    source: &Arc<dyn Source>,
    table: &UnitTable,
    after: Option<RowKey>,
    upto: Option<RowKey>,
) -> RowsAhead {
    let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
    RowsAhead::begin(source, table, after, upto, limit)
}

/// What the backup expects of each cell of a range: its file, then its increments, then the sweeps'.
fn newest_of_range(
    job: &Job,
    files: &[FileRow],
    range: &RangeRow,
    columns: &[Column],
) -> Result<Newest, RunError> {
    let mut newest = Newest::of(columns);
    let of = |kind: FileKind, number: u32| {
        files.iter().filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
    };
    for file in of(FileKind::Backup, range.number) {
        let records = read_backup(job, file)?;
        newest.put_rows(&job.keys, columns, &records);
    }
    let swept = of(FileKind::Increment, sweep_range(range.table));
    for file in of(FileKind::Increment, range.number).chain(swept) {
        for record in read_increment(job, file)? {
            let key = record.key.encode();
            newest.put(job, columns, &key, usize::from(record.column), &record.cell);
        }
    }
    Ok(newest)
}

/// Says, in the number of a column, that the writer of the row follows.
const HAS_WRITER: u16 = 1 << 15;

/// Where a cell is, as a bucket keeps it: unit, table and column, in which transaction the row was
/// written where that is asked, then the row's key where the table has one. It is put into words only
/// where a mismatch has to be told.
fn encode_place(
    place: &mut Vec<u8>,
    (unit, table, column): (u16, u16, usize),
    writer: Option<u32>,
    key: &[u8],
) {
    place.clear();
    let column = u16::try_from(column).unwrap_or(u16::MAX) & !HAS_WRITER;
    let column = if writer.is_some() { column | HAS_WRITER } else { column };
    for number in [unit, table, column] {
        place.extend_from_slice(&number.to_be_bytes());
    }
    if let Some(writer) = writer {
        place.extend_from_slice(&writer.to_be_bytes());
    }
    place.extend_from_slice(key);
}

/// A place of a bucket, read.
pub(super) struct Place<'p> {
    pub(super) unit: u16,
    pub(super) table: u16,
    pub(super) column: u16,
    pub(super) writer: Option<u32>,
    key: &'p [u8],
}

impl<'p> Place<'p> {
    pub(super) fn read(place: &'p [u8]) -> Option<Self> {
        let short = |at: usize| place.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
        let (unit, table, column) = (short(0)?, short(2)?, short(4)?);
        let rest = place.get(6..)?;
        let (writer, key) = if column & HAS_WRITER == 0 {
            (None, rest)
        } else {
            let (writer, key) = rest.split_first_chunk()?;
            (Some(u32::from_be_bytes(*writer)), key)
        };
        Some(Self { unit, table, column: column & !HAS_WRITER, writer, key })
    }
}

/// The words for a place of a bucket.
pub(super) fn place_name(job: &Job, place: &[u8]) -> String {
    let named = || {
        let cell = Place::read(place)?;
        let unit = job.plan.units.iter().find(|known| known.id == cell.unit)?;
        let table = unit.tables.get(usize::from(cell.table))?;
        let key = RowKey::decode(cell.key).ok()?;
        Some(if key.0.is_empty() {
            column_name(table, usize::from(cell.column))
        } else {
            cell_name(table, usize::from(cell.column), &key)
        })
    };
    named().unwrap_or_else(|| "a cell".to_owned())
}

/// The token of a value by the second implementation; of a `dedupe` column the blind index says it.
async fn second_token(
    job: &Job,
    column: &Column,
    original: &Original,
) -> Result<Option<TokenBody>, RunError> {
    if column.treatment.is_deterministic() {
        return Ok(Deriver::of(&job.keys, column).derive(&mut Message::default(), original));
    }
    let Some(digest) = column.blind_digest(&job.keys, original) else { return Ok(None) };
    Ok(job.vault.blind(column.domain_id(), &[digest]).await?.into_iter().flatten().next())
}

fn cell_name(table: &UnitTable, place: usize, key: &RowKey) -> String {
    format!("`{}` of row {key}", column_name(table, place))
}
