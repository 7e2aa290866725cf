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
use crate::run::entries::open_entry;
use crate::run::error::RunError;
use crate::run::increments::read_increment;
use crate::run::job::Job;
use crate::run::record::{BackupCell, BackupRecord};
use crate::token::DomainId;
use crate::value::Original;

/// Entries that are opened together.
const ENTRIES: usize = 8_192;

/// The action of the ledger entry that holds the positive control.
pub(crate) const CONTROL: &str = "residue_control";

/// The originals in some of a run's files.
struct FromFiles<'f> {
    job: &'f Job,
    files: Vec<FileRow>,
}

impl FromFiles<'_> {
    fn read(&self, visit: &mut dyn FnMut(&Original)) -> Result<(), RunError> {
        let mut cell = |cell: &BackupCell| {
            if let BackupCell::Value(original) = cell {
                visit(original);
            }
        };
        for file in &self.files {
            match file.kind {
                FileKind::Increment => {
                    for record in read_increment(self.job, file)? {
                        cell(&record.cell);
                    }
                }
                FileKind::Backup | FileKind::Token | FileKind::Stage => {
                    let mut reader = self.job.files.open(&file.seal.name, &file.seal.sha256)?;
                    while let Some(record) = reader.read()? {
                        let record = BackupRecord::decode(&record).map_err(|source| {
                            RunError::Record { name: file.seal.name.clone(), source }
                        })?;
                        record.cells.iter().for_each(&mut cell);
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
        self.read(visit).map_err(Into::into)
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
    let files: Vec<FileRow> =
        job.vault.files(job.run).await?.into_iter().filter(|file| file.kind == kind).collect();
    let originals = FromFiles { job, files };
    let mut values = 0_u64;
    originals.read(&mut |_| values += 1)?;
    let mut builder = FilterBuilder::new(random(), values);
    originals.read(&mut |original| builder.add(original))?;
    let filter = builder.build();
    let named = &job.policy.purge.scan;
    Ok(job.source.scan(&filter, random(), &originals, depth, named).await?)
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
    let files = job.vault.files(job.run).await?;
    let kinds = [FileKind::Backup, FileKind::Increment];
    let files = files.into_iter().filter(|file| kinds.contains(&file.kind)).collect();
    let hasher = RandomState::new();
    let mut wanted: HashSet<u64> = HashSet::new();
    FromFiles { job, files }.read(&mut |original| {
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
