//! The byte scan of a run: the same before anything is rewritten and after the purge.
//!
//! The originals are streamed from the backup each time they are needed; no list of them is kept.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use rand::Rng;

use crate::crypto::KeyRing;
use crate::ledger::Draft;
use crate::policy::ColumnName;
use crate::ports::{EntryRow, FileKind, FileRow, Originals, ScanDepth, Vault, Visitor};
use crate::residue::{Filter, FilterBuilder, ScanReport};
use crate::run::batch::compute;
use crate::run::column::Column;
use crate::run::elsewhere::SHOWN;
use crate::run::entries::open_entry;
use crate::run::error::RunError;
use crate::run::increments::read_increment;
use crate::run::job::Job;
use crate::run::purge::tables;
use crate::run::record::{BackupCell, BackupRecord};
use crate::token::DomainId;
use crate::value::Original;

/// Entries that are opened together.
const ENTRIES: usize = 8_192;

/// The action of the ledger entry that holds the positive control.
pub(crate) const CONTROL: &str = "residue_control";

/// How the database keeps the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// As their text, or as the bytes that they are.
    AsTheyAre,
    /// In another form, by their type.
    ByType,
}

/// The columns whose values are kept by their type: (unit, table, column).
async fn kept_by_type(job: &Job) -> Result<HashSet<(u16, u16, u16)>, RunError> {
    let catalog = job.source.catalog().await?;
    let Some(postgres) = &catalog.postgres else { return Ok(HashSet::new()) };
    let mut found = HashSet::new();
    for unit in &job.plan.units {
        for (at, table) in (0..).zip(&unit.tables) {
            let columns = postgres.table(&table.table).map(|table| table.columns.as_slice());
            for (place, column) in (0..).zip(&table.columns) {
                // A run may have made it a text meanwhile.
                let was_changed =
                    job.plan.changes.iter().any(|change| {
                        change.table == table.table && change.column == column.column
                    });
                let is_kept = columns
                    .unwrap_or_default()
                    .iter()
                    .find(|facts| facts.name == column.column)
                    .is_some_and(|facts| {
                        facts.is_text() || matches!(facts.base_type.as_str(), "bytea" | "json")
                    });
                if was_changed || !is_kept {
                    found.insert((unit.id, at, place));
                }
            }
        }
    }
    Ok(found)
}

/// The originals in some of a run's files.
struct FromFiles<'f> {
    job: &'f Job,
    files: Vec<FileRow>,
    /// Of each range the table: (unit, range) → table.
    tables: HashMap<(u16, u32), u16>,
    by_type: HashSet<(u16, u16, u16)>,
}

impl<'f> FromFiles<'f> {
    async fn of(job: &'f Job, kinds: &[FileKind]) -> Result<Self, RunError> {
        let files = job.vault.files(job.run).await?;
        let files = files.into_iter().filter(|file| kinds.contains(&file.kind)).collect();
        let ranges = job.vault.ranges(job.run).await?;
        let tables = ranges.iter().map(|row| ((row.unit, row.number), row.table)).collect();
        Ok(Self { job, files, tables, by_type: kept_by_type(job).await? })
    }

    /// Keeps of each table the first range that holds originals. A control has shown what it can when
    /// it has found some; a range has thousands, and to read all of a large table would show no more.
    async fn keep_one_of_each_table(&mut self, job: &Job) -> Result<(), RunError> {
        let mut seen: HashSet<(u16, u16)> = HashSet::new();
        let ranges = job.vault.ranges(job.run).await?;
        let kept: HashSet<(u16, u32)> = ranges
            .iter()
            .filter(|range| range.originals > 0 && seen.insert((range.unit, range.table)))
            .map(|range| (range.unit, range.number))
            .collect();
        self.files.retain(|file| kept.contains(&(file.unit, file.range)));
        Ok(())
    }

    /// How many there are: of what was backed up the ranges tell.
    async fn count(&self) -> Result<u64, RunError> {
        let mut count = 0;
        if self.files.iter().all(|file| file.kind == FileKind::Backup) {
            let read: HashSet<(u16, u32)> =
                self.files.iter().map(|file| (file.unit, file.range)).collect();
            let ranges = self.job.vault.ranges(self.job.run).await?;
            let of_these = ranges.iter().filter(|range| read.contains(&(range.unit, range.number)));
            count = of_these.map(|range| range.originals).sum();
        } else {
            self.read(&mut |_, _| count += 1)?;
        }
        Ok(count)
    }

    fn read(&self, visit: &mut dyn FnMut(&Original, Kept)) -> Result<(), RunError> {
        for file in &self.files {
            let mut cell = |cell: &BackupCell, table: u16, column: u16| {
                if let BackupCell::Value(original) = cell {
                    let is_typed = self.by_type.contains(&(file.unit, table, column));
                    visit(original, if is_typed { Kept::ByType } else { Kept::AsTheyAre });
                }
            };
            match file.kind {
                FileKind::Increment => {
                    for record in read_increment(self.job, file)? {
                        cell(&record.cell, record.table, record.column);
                    }
                }
                FileKind::Backup | FileKind::Token | FileKind::Stage => {
                    let mut reader = self.job.files.open(&file.seal.name, &file.seal.sha256)?;
                    while let Some(record) = reader.read()? {
                        let record = BackupRecord::decode(&record).map_err(|source| {
                            RunError::Record { name: file.seal.name.clone(), source }
                        })?;
                        let table = self.tables.get(&(file.unit, file.range)).copied().unwrap_or(0);
                        for (column, value) in (0..).zip(&record.cells) {
                            cell(value, table, column);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Originals for FromFiles<'_> {
    fn each(
        &self,
        visit: &mut dyn FnMut(&Original),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.read(&mut |original, _| visit(original)).map_err(Into::into)
    }
}

/// The originals of a vault, opened anew each time.
pub struct FromVault {
    vault: Arc<dyn Vault>,
    keys: Arc<KeyRing>,
    columns: HashMap<DomainId, Column>,
    /// Scans ask from threads that know no runtime.
    runtime: tokio::runtime::Handle,
}

impl FromVault {
    /// Takes the domains whose keys are there; `only` of these names, or all.
    ///
    /// # Errors
    ///
    /// [`RunError`] where the vault cannot be read.
    pub async fn new(
        vault: Arc<dyn Vault>,
        keys: Arc<KeyRing>,
        only: Option<&[String]>,
    ) -> Result<Self, RunError> {
        let columns = crate::serve::domains(vault.as_ref(), &keys)
            .await?
            .into_iter()
            .filter(|domain| only.is_none_or(|only| only.contains(&domain.name)))
            .map(|domain| (domain.column.domain_id(), domain.column))
            .collect();
        Ok(Self { vault, keys, columns, runtime: tokio::runtime::Handle::current() })
    }

    /// Builds the filter for a scan, under a fresh key.
    ///
    /// # Errors
    ///
    /// [`RunError`] where an entry does not open.
    pub async fn filter(&self) -> Result<Filter, RunError> {
        let mut values = 0;
        self.read(&mut |_| values += 1).await?;
        let mut builder = FilterBuilder::new(random(), values);
        self.read(&mut |original| builder.add(original)).await?;
        Ok(builder.build())
    }

    /// Opens some entries on all cores.
    fn open(&self, entries: &[EntryRow]) -> Vec<Result<Original, RunError>> {
        compute(entries, |entry| {
            let column = self.columns.get(&entry.domain)?;
            Some(open_entry(&self.keys, column, entry))
        })
        .into_iter()
        .flatten()
        .collect()
    }

    async fn read(&self, visit: &mut (dyn FnMut(&Original) + Send)) -> Result<(), RunError> {
        let mut after = None;
        loop {
            let entries = self.vault.scan(after.clone(), ENTRIES).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some((last.domain, last.token.clone()));
            for original in self.open(&entries) {
                visit(&original?);
            }
        }
    }
}

impl Originals for FromVault {
    fn each(
        &self,
        visit: &mut dyn FnMut(&Original),
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut after = None;
        loop {
            let entries = self.runtime.block_on(self.vault.scan(after.clone(), ENTRIES))?;
            let Some(last) = entries.last() else { return Ok(()) };
            after = Some((last.domain, last.token.clone()));
            for original in self.open(&entries) {
                visit(&original?);
            }
        }
    }
}

/// Random bytes, for keys that live as long as a scan.
#[must_use]
pub fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Scans the source for the originals of the run's files of one kind.
pub(crate) async fn scan(
    job: &Job,
    kind: FileKind,
    depth: ScanDepth,
) -> Result<ScanReport, RunError> {
    let mut originals = FromFiles::of(job, &[kind]).await?;
    if depth == ScanDepth::Control {
        originals.keep_one_of_each_table(job).await?;
    }
    let mut builder = FilterBuilder::new(random(), originals.count().await?);
    originals.read(&mut |original, kept| match kept {
        Kept::AsTheyAre => builder.add(original),
        Kept::ByType => builder.add_typed(original),
    })?;
    let filter = builder.build();
    let named = &job.policy.purge.scan;
    let mut report = job.source.scan(&filter, random(), &originals, depth, named).await?;
    if kind == FileKind::Backup {
        let ranges = job.vault.ranges(job.run).await?;
        report.values_known = ranges.iter().map(|range| range.originals).sum();
    }
    Ok(report)
}

/// The positive control: the scan has to find the originals while they are still there. A zero
/// after the purge is evidence only beside it.
pub(crate) async fn control(job: &Job) -> Result<(), RunError> {
    let known = control_report(job).await?;
    if known.is_some() {
        return Ok(());
    }
    let report = scan(job, FileKind::Backup, ScanDepth::Control).await?;
    let mut draft = job.draft(CONTROL);
    count(&mut draft, &report);
    draft.details.insert("report".into(), as_json(&report)?);
    let shown = job.source.elsewhere(&tables(job)).await?;
    if !shown.is_empty() {
        let shown = serde_json::to_value(shown)
            .map_err(|error| RunError::Inconsistent(error.to_string()))?;
        draft.details.insert(SHOWN.into(), shown);
    }
    job.vault.commit(Vec::new(), vec![draft]).await?;
    Ok(())
}

/// The positive control, as the ledger has it.
pub(crate) async fn control_report(job: &Job) -> Result<Option<ScanReport>, RunError> {
    let entries = job.vault.ledger_of(job.run).await?;
    Ok(entries
        .into_iter()
        .rfind(|entry| entry.action == CONTROL)
        .and_then(|mut entry| entry.details.remove("report"))
        .and_then(|report| serde_json::from_value(report).ok()))
}

/// Puts the figures of a scan into an entry.
pub(crate) fn count(draft: &mut Draft, report: &ScanReport) {
    let hits = report.files.iter().map(|file| file.hits.total()).sum();
    let residue = report.files.iter().map(|file| file.hits.residue()).sum();
    draft.counts.insert("values_searched".into(), report.values_searched);
    draft.counts.insert("hits".into(), hits);
    draft.counts.insert("residue".into(), residue);
    draft.counts.insert("bytes".into(), report.files.iter().map(|file| file.bytes).sum());
}

/// A scan's report for the ledger, without the list of single hits.
pub(crate) fn as_json(report: &ScanReport) -> Result<serde_json::Value, RunError> {
    let mut report = report.clone();
    for file in &mut report.files {
        file.listed.clear();
    }
    serde_json::to_value(report).map_err(|error| RunError::Inconsistent(error.to_string()))
}

/// Copies of in-scope values in columns that the policy leaves out: column → cells.
///
/// Whole values are compared, by keyed 64-bit hashes that live as long as this call.
pub(crate) async fn uncovered_copies(job: &Job) -> Result<BTreeMap<String, u64>, RunError> {
    let originals = FromFiles::of(job, &[FileKind::Backup, FileKind::Increment]).await?;
    let hasher = RandomState::new();
    let mut wanted: HashSet<u64> = HashSet::new();
    originals.read(&mut |original, _| {
        // What is shorter stands in other columns by chance.
        if original.len() >= crate::residue::WINDOW_BYTES {
            wanted.insert(hasher.hash_one((original.kind().code(), original.expose())));
        }
    })?;
    let mut copies = Copies { hasher, wanted, found: BTreeMap::new() };
    job.source.uncovered(&job.policy, &mut copies).await?;
    Ok(copies.found)
}

/// Counts the values that are among those wanted.
struct Copies {
    hasher: RandomState,
    wanted: HashSet<u64>,
    found: BTreeMap<String, u64>,
}

impl Visitor for Copies {
    fn visit(&mut self, column: &ColumnName, original: &Original) {
        let hash = self.hasher.hash_one((original.kind().code(), original.expose()));
        if self.wanted.contains(&hash) {
            *self.found.entry(column.to_string()).or_default() += 1;
        }
    }
}
