//! The fourth pass: every cell's token opens to the original that the backup has for it.
//!
//! What is compared are pairs (token, keyed digest of a value). The vault's side: every entry of
//! the run's domains is opened, and its token derived again where it can be. The source's side:
//! every cell, with the newest original that the backup has for it. Both go to buckets on disk, and
//! a cell's pair has to be one of the vault's. Digests and tokens come from an implementation of
//! their own (another encoder, another HMAC), so that a fault of the first cannot hide itself.
//!
//! **Invariant:** [`RoundTripProof`] is made here and nowhere else.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::ledger::RowSetRoot;
use crate::lifecycle::{Event, Phase, RunId};
use crate::plan::{Unit, UnitMode, UnitTable, Walk};
use crate::ports::{
    Change, EntryRow, FileKind, FileRow, Limit, QuarantineRow, QuarantineState, RangeRow, Row,
    SegmentRow, WalkFilter,
};
use crate::run::batch::{BYTES_MAX, compute};
use crate::run::buckets::{Buckets, Says};
use crate::run::column::{Column, Fate};
use crate::run::entries::{known, open_entry, token_name};
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::increments::read_increment;
use crate::run::job::{Job, manifest_hash, ms};
use crate::run::load::domains;
use crate::run::record::{BackupCell, BackupRecord};
use crate::run::rewrite::sweep_range;
use crate::run::window::Image;
use crate::token::{DomainId, TokenBody, second};
use crate::value::RowKey;

/// Rows of one read.
const ROWS: usize = 10_000;

/// Entries of one read.
const ENTRIES: usize = 20_000;

/// Evidence that every token of a run was opened and matched its original.
///
/// Only [`verify`] makes one. It cannot be copied, and the purge consumes it, so that one
/// verification pays for one purge. After a restart it is not read from anywhere: it is earned
/// again.
#[derive(Debug)]
#[must_use = "a proof that is dropped must be earned again before a purge"]
pub struct RoundTripProof {
    run: RunId,
    cells: u64,
    digest: String,
}

impl RoundTripProof {
    /// The run that was proven.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// How many cells were opened and compared.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.cells
    }

    /// What was proven: run, policy, fingerprint, backup, increments, entries.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// Whether a verification is an event of the run, or part of a larger act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// The run is moved along, and the result is on the ledger.
    Record,
    /// Only the proof is wanted.
    Prove,
}

/// What a verification counted.
#[derive(Debug)]
pub struct Verified {
    /// The proof.
    pub proof: RoundTripProof,
    /// Cells by name.
    pub counts: std::collections::BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Tally {
    rows: u64,
    opened: u64,
    null: u64,
    empty: u64,
    waived: u64,
    unbacked: u64,
    entries: u64,
    /// Cells opened, by unit, table of it and column of it.
    opened_of: std::collections::BTreeMap<(u16, u16, usize), u64>,
}

impl Tally {
    fn open(&mut self, column: (u16, u16, usize)) {
        self.opened += 1;
        *self.opened_of.entry(column).or_default() += 1;
    }

    /// Cells opened, by the name of their column, for the ledger.
    fn by_column(&self, job: &Job) -> serde_json::Value {
        let mut opened: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
        for unit in &job.plan.units {
            for (table, at) in unit.tables.iter().zip(0_u16..) {
                for (place, column) in table.columns.iter().enumerate() {
                    // Partitions count for the column that the policy names.
                    let Some(rule) = job.policy.columns.get(column.rule) else { continue };
                    let cells = self.opened_of.get(&(unit.id, at, place)).copied();
                    *opened.entry(rule.name.to_string()).or_default() += cells.unwrap_or_default();
                }
            }
        }
        opened.into_iter().collect()
    }
}

/// Verifies a run. `scratch` is a folder for buckets; it is removed again.
///
/// # Errors
///
/// [`RunError::Mismatches`] names what is wrong; with [`Drive::Record`] a run that was verified is
/// back in `rewritten` then.
pub async fn verify(
    job: &Job,
    phase: Phase,
    scratch: PathBuf,
    drive: Drive,
) -> Result<Verified, RunError> {
    let begun = Instant::now();
    crate::run::rewrite::within_budget(job).await?;
    let mut pass = Pass::begin(job, scratch).await?;
    pass.read_vault().await?;
    pass.compare_segments().await?;
    for unit in &job.plan.units {
        for (at, table) in unit.tables.iter().enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            match (unit.mode, &table.walk) {
                (UnitMode::Ranges, _) => pass.read_ranges(unit, at, table).await?,
                (UnitMode::Window, Walk::Key(_)) => pass.read_keyed(unit, at, table).await?,
                (UnitMode::Window, Walk::RowId | Walk::ScopedKey(_)) => {
                    pass.read_multiset(unit, at, table).await?;
                }
            }
        }
    }
    pass.finish(phase, drive, begun).await
}

/// One verification at work.
struct Pass<'p> {
    job: &'p Job,
    columns: HashMap<DomainId, Column>,
    buckets: Buckets,
    roots: HashMap<u32, RowSetRoot>,
    found: Vec<Mismatch>,
    tally: Tally,
    quarantine: Vec<QuarantineRow>,
    files: Vec<FileRow>,
    ranges: Vec<RangeRow>,
}

impl<'p> Pass<'p> {
    async fn begin(job: &'p Job, scratch: PathBuf) -> Result<Self, RunError> {
        let cells = job.plan.estimate.cells;
        let buckets = Buckets::make(scratch, cells.saturating_mul(2)).map_err(bucket_error)?;
        Ok(Self {
            job,
            columns: domains(job).await?,
            buckets,
            roots: HashMap::new(),
            found: Vec::new(),
            tally: Tally::default(),
            quarantine: job.vault.quarantine(job.run).await?,
            files: job.vault.files(job.run).await?,
            ranges: job.vault.ranges(job.run).await?,
        })
    }

    /// Opens every entry of the run's domains, and derives its token again.
    async fn read_vault(&mut self) -> Result<(), RunError> {
        self.job.progress.begin("verify the vault", "entries", self.job.plan.estimate.entries);
        let mut after = None;
        loop {
            self.job.may_go_on()?;
            let entries = self.job.vault.scan(after.clone(), ENTRIES).await?;
            let Some(last) = entries.last() else { break };
            after = Some((last.domain, last.token.clone()));
            self.read_entries(&entries)?;
            self.job.progress.advance(entries.len() as u64);
        }
        self.job.progress.end();
        Ok(())
    }

    fn read_entries(&mut self, entries: &[EntryRow]) -> Result<(), RunError> {
        let columns = &self.columns;
        let keys = &self.job.keys;
        let opened: Vec<Option<Result<[u8; 16], MismatchKind>>> = compute(entries, |entry| {
            let column = columns.get(&entry.domain)?;
            let Ok(original) = open_entry(keys, column, entry) else {
                return Some(Err(MismatchKind::Unauthentic));
            };
            if column.treatment.is_deterministic() {
                let token_key = keys.token_key(&column.domain)?;
                let mac = |parts: &[&[u8]]| token_key.verifier_hmac(parts);
                let format_key = keys.format_key(&column.domain);
                let format_key = format_key.map(crate::crypto::FormatKey::expose);
                let derived = second::derive(&column.treatment, &mac, format_key, &original);
                if derived.ok().as_ref() != Some(&entry.token) {
                    return Some(Err(MismatchKind::Misfiled));
                }
            }
            Some(Ok(column.second_digest(keys, &original)))
        });
        for (entry, opened) in entries.iter().zip(opened) {
            let root = self.roots.entry(entry.segment).or_default();
            root.push(u32::from(entry.domain.0), entry.token.as_bytes(), &entry.envelope)
                .map_err(|error| RunError::Inconsistent(error.to_string()))?;
            match opened {
                None => {}
                Some(Ok(digest)) => {
                    self.tally.entries += 1;
                    self.buckets
                        .add(entry.domain, &entry.token, Says::Opens(digest), &[])
                        .map_err(bucket_error)?;
                }
                Some(Err(kind)) => {
                    let column = &self.columns[&entry.domain];
                    let token = token_name(column, &entry.token);
                    let place = format!("entry `{token}` of domain `{}`", column.domain);
                    self.found.push(Mismatch { kind, place });
                }
            }
        }
        Ok(())
    }

    /// Deleted, added and older entries show in the root of their segment.
    async fn compare_segments(&mut self) -> Result<(), RunError> {
        let on_ledger = self.roots_on_ledger().await?;
        for segment in self.job.vault.segments().await? {
            let is_mine = segment.run == Some(self.job.run);
            let Some(root) = segment.root.as_ref().filter(|_| is_mine) else { continue };
            let now = self.roots.get(&segment.segment).cloned().unwrap_or_default();
            let is_same = now.root().as_bytes().as_slice() == root.as_slice()
                && on_ledger
                    .get(&segment.segment)
                    .is_none_or(|known| *known == now.root().to_string());
            if !is_same {
                let place = format!(
                    "segment {} ({} entries instead of {})",
                    segment.segment,
                    now.rows(),
                    segment.entries
                );
                self.found.push(Mismatch { kind: MismatchKind::Segment, place });
            }
        }
        Ok(())
    }

    /// Segment → root, as the entries of this run say it.
    async fn roots_on_ledger(&self) -> Result<HashMap<u32, String>, RunError> {
        let entries = self.job.vault.ledger_of(self.job.run).await?;
        Ok(entries
            .iter()
            .filter_map(|entry| {
                let segment = u32::try_from(*entry.counts.get("segment")?).ok()?;
                Some((segment, entry.details.get("root")?.as_str()?.to_owned()))
            })
            .collect())
    }

    async fn read_ranges(
        &mut self,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
    ) -> Result<(), RunError> {
        let columns = self.job.columns(table).await?;
        self.job.progress.begin("verify the source", "rows", table.rows);
        let ranges: Vec<RangeRow> = self
            .ranges
            .iter()
            .filter(|range| range.unit == unit.id && range.table == at)
            .cloned()
            .collect();
        for range in ranges {
            let newest = self.newest_of_range(&range, &columns)?;
            self.read_rows(at, table, &columns, range.lower.clone(), &range, &newest).await?;
        }
        self.job.progress.end();
        Ok(())
    }

    /// What the backup expects of each cell: its file, then its increments, then the sweeps'.
    fn newest_of_range(&self, range: &RangeRow, columns: &[Column]) -> Result<Newest, RunError> {
        let mut newest = Newest::default();
        let of = |kind: FileKind, number: u32| {
            self.files
                .iter()
                .filter(move |f| f.kind == kind && f.unit == range.unit && f.range == number)
        };
        for file in of(FileKind::Backup, range.number) {
            let mut reader = self.job.files.open(&file.seal.name, &file.seal.sha256)?;
            while let Some(record) = reader.read()? {
                let record = BackupRecord::decode(&record)
                    .map_err(|source| RunError::Record { name: file.seal.name.clone(), source })?;
                newest.put_row(self.job, columns, &record);
            }
        }
        let swept = of(FileKind::Increment, sweep_range(range.table));
        for file in of(FileKind::Increment, range.number).chain(swept) {
            for record in read_increment(self.job, file)? {
                let key = record.key.encode();
                newest.put(self.job, columns, key, usize::from(record.column), &record.cell);
            }
        }
        Ok(newest)
    }

    async fn read_keyed(
        &mut self,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
    ) -> Result<(), RunError> {
        let columns = self.job.columns(table).await?;
        let mut newest = Newest::default();
        let mut image = Image::open(self.job, unit, at, columns.len()).await?;
        while let Some(record) = image.next()? {
            newest.put_row(self.job, &columns, &record);
        }
        let whole = RangeRow {
            unit: unit.id,
            table: at,
            number: 0,
            lower: None,
            upper: None,
            rows: 0,
            originals: 0,
        };
        self.job.progress.begin("verify the source", "rows", table.rows);
        self.read_rows(at, table, &columns, None, &whole, &newest).await?;
        self.job.progress.end();
        Ok(())
    }

    async fn read_rows(
        &mut self,
        at: u16,
        table: &UnitTable,
        columns: &[Column],
        lower: Option<RowKey>,
        range: &RangeRow,
        newest: &Newest,
    ) -> Result<(), RunError> {
        let mut position = lower;
        loop {
            self.job.may_go_on()?;
            let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
            let rows = self
                .job
                .source
                .walk(table, position.as_ref(), range.upper.as_ref(), limit, &WalkFilter::All)
                .await?;
            let Some(last) = rows.last() else { return Ok(()) };
            position = Some(last.key.clone());
            for row in &rows {
                self.read_row(range.unit, at, table, columns, row, newest)?;
            }
            self.job.progress.advance(rows.len() as u64);
        }
    }

    fn read_row(
        &mut self,
        unit: u16,
        at: u16,
        table: &UnitTable,
        columns: &[Column],
        row: &Row,
        newest: &Newest,
    ) -> Result<(), RunError> {
        self.tally.rows += 1;
        let key = row.key.encode();
        for (place, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
            let token = match self.shape(column, cell.as_ref()) {
                Shape::Nothing => continue,
                Shape::Token(token) => token,
                Shape::Original if self.is_waived(unit, at, &row.key) => {
                    self.tally.waived += 1;
                    continue;
                }
                Shape::Original => {
                    let place = cell_name(table, place, &row.key);
                    self.found.push(Mismatch { kind: MismatchKind::Original, place });
                    continue;
                }
            };
            let says = match newest.0.get(&key).and_then(|cells| cells.get(place)) {
                Some(Expected::Value(digest)) => Says::Holds(*digest),
                Some(Expected::Token(known)) if *known != token => Says::Holds([0xff; 16]),
                Some(Expected::Token(_) | Expected::Nothing) | None => {
                    self.tally.unbacked += 1;
                    Says::HoldsAny
                }
            };
            self.tally.open((unit, at, place));
            let name = cell_name(table, place, &row.key);
            self.buckets
                .add(column.domain_id(), &token, says, name.as_bytes())
                .map_err(bucket_error)?;
        }
        Ok(())
    }

    /// What a cell is. A column whose tokens have no shape of their own holds only tokens.
    fn shape(&mut self, column: &Column, cell: Option<&crate::value::Original>) -> Shape {
        match (column.fate(cell), cell) {
            (Fate::Null, _) | (_, None) => {
                self.tally.null += 1;
                Shape::Nothing
            }
            (Fate::Empty, _) => {
                self.tally.empty += 1;
                Shape::Nothing
            }
            (Fate::Shaped(token), _) => Shape::Token(token),
            (Fate::Original, Some(cell)) if !column.treatment.is_recognisable_by_shape() => {
                let accepted = cell.as_text().and_then(|text| column.treatment.accept(text));
                accepted.map_or(Shape::Original, Shape::Token)
            }
            (Fate::Original, Some(_)) => Shape::Original,
        }
    }

    fn is_waived(&self, unit: u16, table: u16, key: &RowKey) -> bool {
        self.quarantine.iter().any(|row| {
            row.unit == unit
                && row.table == table
                && row.state == QuarantineState::Waived
                && row.key == *key
        })
    }

    /// A table without a key: its tokens, counted, are those of the backup's originals, counted.
    async fn read_multiset(
        &mut self,
        unit: &Unit,
        at: u16,
        table: &UnitTable,
    ) -> Result<(), RunError> {
        let columns = self.job.columns(table).await?;
        self.job.progress.begin("verify the source", "rows", table.rows);
        let mut image = Image::open(self.job, unit, at, columns.len()).await?;
        while let Some(record) = image.next()? {
            self.expect(table, &columns, record).await?;
        }
        let mut position: Option<RowKey> = None;
        loop {
            let limit = Limit { rows: ROWS, bytes: BYTES_MAX };
            let rows = self
                .job
                .source
                .walk(table, position.as_ref(), None, limit, &WalkFilter::All)
                .await?;
            let Some(last) = rows.last() else { break };
            position = Some(last.key.clone());
            for row in &rows {
                self.tally.rows += 1;
                for (place, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
                    let name = column_name(table, place);
                    match self.shape(column, cell.as_ref()) {
                        Shape::Nothing => {}
                        Shape::Original => {
                            let place = format!("a cell of `{name}`");
                            self.found.push(Mismatch { kind: MismatchKind::Original, place });
                        }
                        Shape::Token(token) => {
                            self.tally.open((unit.id, at, place));
                            self.buckets
                                .add(column.domain_id(), &token, Says::Counted, name.as_bytes())
                                .map_err(bucket_error)?;
                        }
                    }
                }
            }
            self.job.progress.advance(rows.len() as u64);
        }
        self.job.progress.end();
        Ok(())
    }

    async fn expect(
        &mut self,
        table: &UnitTable,
        columns: &[Column],
        record: BackupRecord,
    ) -> Result<(), RunError> {
        for (place, (column, cell)) in columns.iter().zip(record.cells).enumerate() {
            let token = match cell {
                BackupCell::Null | BackupCell::Empty => continue,
                BackupCell::Token(token) => token,
                BackupCell::Value(original) => {
                    second_token(self.job, column, &original).await?.ok_or_else(|| {
                        RunError::Inconsistent(format!(
                            "an original of `{}` has no token",
                            column_name(table, place)
                        ))
                    })?
                }
            };
            let name = column_name(table, place);
            self.buckets
                .add(column.domain_id(), &token, Says::Expected, name.as_bytes())
                .map_err(bucket_error)?;
        }
        Ok(())
    }

    async fn finish(
        mut self,
        phase: Phase,
        drive: Drive,
        begun: Instant,
    ) -> Result<Verified, RunError> {
        let bucket_bytes = self.buckets.bytes();
        let (job, columns, mut found) = (self.job, self.columns, std::mem::take(&mut self.found));
        self.buckets
            .compare(
                |domain, token, place| {
                    let token = columns
                        .get(&domain)
                        .map_or_else(String::new, |column| token_name(column, token));
                    format!("{} (token `{token}`)", String::from_utf8_lossy(place))
                },
                &mut found,
            )
            .map_err(bucket_error)?;
        found.sort_by(|one, two| (one.kind, &one.place).cmp(&(two.kind, &two.place)));
        let counts: std::collections::BTreeMap<String, u64> = [
            ("rows", self.tally.rows),
            ("opened", self.tally.opened),
            ("null", self.tally.null),
            ("empty", self.tally.empty),
            ("waived", self.tally.waived),
            ("without_backup", self.tally.unbacked),
            ("entries", self.tally.entries),
            ("mismatches", found.len() as u64),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
        let opened = self.tally.by_column(job);
        if !found.is_empty() {
            if drive == Drive::Record {
                record_mismatch(job, phase, &found, &counts).await?;
            }
            return Err(RunError::Mismatches(found));
        }
        let digest = verified_digest(job).await?;
        let proof = RoundTripProof { run: job.run, cells: self.tally.opened, digest };
        if drive == Drive::Record {
            let set = Change::SetVerified { run: job.run, digest: Some(proof.digest.clone()) };
            job.advance(phase, Event::Verified, vec![set], |draft| {
                draft.counts.clone_from(&counts);
                draft.counts.insert("took_ms".into(), ms(begun.elapsed()));
                draft.counts.insert("bucket_bytes".into(), bucket_bytes);
                draft.details.insert("columns".into(), opened);
                draft.details.insert("digest".into(), proof.digest.clone().into());
            })
            .await?;
        }
        Ok(Verified { proof, counts })
    }
}

enum Shape {
    Nothing,
    Token(TokenBody),
    Original,
}

/// What the backup says of the cells of a range, as digests by the second implementation.
#[derive(Default)]
struct Newest(HashMap<Vec<u8>, Vec<Expected>>);

#[derive(Clone)]
enum Expected {
    Nothing,
    Value([u8; 16]),
    Token(TokenBody),
}

impl Newest {
    fn put_row(&mut self, job: &Job, columns: &[Column], record: &BackupRecord) {
        let cells = record
            .cells
            .iter()
            .zip(columns)
            .map(|(cell, column)| expected(job, column, cell))
            .collect();
        self.0.insert(record.key.encode(), cells);
    }

    fn put(&mut self, job: &Job, columns: &[Column], key: Vec<u8>, at: usize, cell: &BackupCell) {
        let Some(column) = columns.get(at) else { return };
        let cells = self.0.entry(key).or_insert_with(|| vec![Expected::Nothing; columns.len()]);
        if let Some(place) = cells.get_mut(at) {
            *place = expected(job, column, cell);
        }
    }
}

fn expected(job: &Job, column: &Column, cell: &BackupCell) -> Expected {
    match cell {
        BackupCell::Null | BackupCell::Empty => Expected::Nothing,
        BackupCell::Value(original) => Expected::Value(column.second_digest(&job.keys, original)),
        BackupCell::Token(token) => Expected::Token(token.clone()),
    }
}

/// The token of a value by the second implementation; of a `dedupe` column the blind index says it.
async fn second_token(
    job: &Job,
    column: &Column,
    original: &crate::value::Original,
) -> Result<Option<TokenBody>, RunError> {
    if column.treatment.is_deterministic() {
        let Some(token_key) = job.keys.token_key(&column.domain) else { return Ok(None) };
        let mac = |parts: &[&[u8]]| token_key.verifier_hmac(parts);
        let format_key = job.keys.format_key(&column.domain);
        let format_key = format_key.map(crate::crypto::FormatKey::expose);
        return Ok(second::derive(&column.treatment, &mac, format_key, original).ok());
    }
    let Some(digest) = column.blind_digest(&job.keys, original) else { return Ok(None) };
    Ok(job.vault.blind(column.domain_id(), &[digest]).await?.into_iter().flatten().next())
}

fn column_name(table: &UnitTable, place: usize) -> String {
    let column = table.columns.get(place).map_or("?", |column| column.column.as_str());
    format!("{}.{column}", table.table)
}

fn cell_name(table: &UnitTable, place: usize, key: &RowKey) -> String {
    format!("`{}` of row {key}", column_name(table, place))
}

fn bucket_error(error: std::io::Error) -> RunError {
    RunError::Backup(crate::ports::BackupError::Io { name: "buckets".to_owned(), source: error })
}

async fn record_mismatch(
    job: &Job,
    phase: Phase,
    found: &[Mismatch],
    counts: &std::collections::BTreeMap<String, u64>,
) -> Result<(), RunError> {
    let by_kind = |kind: MismatchKind| found.iter().filter(|m| m.kind == kind).count() as u64;
    let mut changes = Vec::new();
    if phase != Phase::Rewritten {
        changes.push(Change::SetVerified { run: job.run, digest: None });
        changes.push(Change::VoidApprovals(job.run, crate::ledger::ApprovalKind::Purge));
    }
    // ORDER: the phase goes back first; a run without a verified digest may not be past it.
    changes.reverse();
    let kinds: Vec<(String, u64)> = [
        MismatchKind::Original,
        MismatchKind::Unknown,
        MismatchKind::Different,
        MismatchKind::Multiset,
        MismatchKind::Unauthentic,
        MismatchKind::Misfiled,
        MismatchKind::Segment,
    ]
    .into_iter()
    .map(|kind| (kind.name().to_owned(), by_kind(kind)))
    .filter(|(_, count)| *count > 0)
    .collect();
    let mut draft = job.draft(Event::Mismatch.name());
    draft.counts.clone_from(counts);
    draft.counts.extend(kinds);
    let mut all = vec![Change::Advance { run: job.run, from: phase, event: Event::Mismatch }];
    all.append(&mut changes);
    job.vault.commit(all, vec![draft]).await?;
    crate::serve::checkpoint(job.vault.as_ref(), &job.keys).await?;
    Ok(())
}

/// What a verification vouches for: run, policy, fingerprint, backup, increments, entries.
pub(crate) async fn verified_digest(job: &Job) -> Result<String, RunError> {
    let files = job.vault.files(job.run).await?;
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(b"sealift/v1/verified");
    field(job.run.to_string().as_bytes());
    field(job.policy.hash.as_bytes());
    field(job.fingerprint.as_bytes());
    field(manifest_hash(&files, FileKind::Backup).as_bytes());
    field(manifest_hash(&files, FileKind::Increment).as_bytes());
    for SegmentRow { segment, run, root, .. } in job.vault.segments().await? {
        if let Some(root) = root.filter(|_| run == Some(job.run)) {
            field(&segment.to_be_bytes());
            field(&root);
        }
    }
    Ok(data_encoding::HEXLOWER.encode(&hash.finalize()))
}

/// The row-set root over a segment as it lies in the vault now.
pub(crate) async fn segment_root(job: &Job, segment: u32) -> Result<RowSetRoot, RunError> {
    let mut root = RowSetRoot::new();
    let mut after = None;
    loop {
        let entries = job.vault.scan(after.clone(), ENTRIES).await?;
        let Some(last) = entries.last() else { return Ok(root) };
        after = Some((last.domain, last.token.clone()));
        for entry in entries.iter().filter(|entry| entry.segment == segment) {
            root.push(u32::from(entry.domain.0), entry.token.as_bytes(), &entry.envelope)
                .map_err(|error| RunError::Inconsistent(error.to_string()))?;
        }
    }
}

/// Which of these cells' tokens the vault knows.
pub(crate) async fn entries_of(
    job: &Job,
    tokens: Vec<(DomainId, TokenBody)>,
) -> Result<HashMap<(DomainId, TokenBody), EntryRow>, RunError> {
    known(job.vault.as_ref(), tokens).await
}
