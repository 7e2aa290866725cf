//! The fourth pass: every cell's token opens to the original that the backup has for it.
//!
//! The vault's side: every entry of the run's domains is opened, and where a token follows from its
//! value it is derived again and has to be the one that the entry lies under. The source's side:
//! every cell's token has to be the one that follows from the newest original that the backup has
//! for it. What is left is that the vault has each of these tokens: both sides write them into
//! buckets on disk, which are compared. Then equal tokens mean equal values, and nothing is looked
//! up cell by cell. A token of another value is a mismatch, unless the application is known to have
//! written it there itself (`carried.rs`). `random` tokens follow from nothing: of them the buckets
//! hold a keyed digest of the value too. Tokens, their texts and digests come from an implementation
//! of their own (another encoder, another HMAC), so that a fault of the first cannot hide itself.
//!
//! **Invariant:** [`RoundTripProof`] is made here and nowhere else.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::lifecycle::{Event, Phase, RunId};
use crate::plan::{UnitMode, UnitTable, Walk};
use crate::ports::{
    Change, EntryRow, FileKind, FileRow, QuarantineRow, QuarantineState, RangeRow, SegmentRow,
    Source,
};
use crate::run::ahead::broken_off;
use crate::run::buckets::Buckets;
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::entries::{known, token_name};
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::job::{Job, manifest_hash, ms};
use crate::run::load::domains;
use crate::token::{DomainId, TokenBody};
use crate::value::RowKey;
use carried::Carried;

mod carried;
mod cells;
mod entries;

pub(crate) use carried::own_writers;
use entries::VaultLook;
pub(crate) use entries::segment_root;

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
    fn open(&mut self, column: (u16, u16, usize), cells: u64) {
        self.opened += cells;
        *self.opened_of.entry(column).or_default() += cells;
    }

    /// Adds what another has counted.
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.null += other.null;
        self.empty += other.empty;
        self.waived += other.waived;
        self.unbacked += other.unbacked;
        self.entries += other.entries;
        for (column, cells) in other.opened_of {
            self.open(column, cells);
        }
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
    crate::run::worker::within_budget(job).await?;
    let mut pass = Pass::begin(job, scratch, drive).await?;
    let vault = VaultLook::of(&pass);
    job.progress.begin("verify", "entries and rows", things(job));
    // Neither side waits for the other: while one computes, the other's database reads. Where one
    // fails the other is ended: the folder of the buckets goes then.
    let mut looks = JoinSet::new();
    looks.spawn(vault.read());
    let looked = async { looks.join_next().await.and_then(Result::ok).ok_or_else(broken_off)? };
    let both = tokio::try_join!(looked, pass.read_source());
    looks.shutdown().await;
    let (vault, ()) = both?;
    job.progress.end();
    pass.take(vault);
    pass.finish(phase, drive, begun).await
}

/// How many entries and rows a verification reads, as the plan has them.
fn things(job: &Job) -> u64 {
    let tables = job.plan.units.iter().flat_map(|unit| &unit.tables);
    job.plan.estimate.entries + tables.map(|table| table.rows).sum::<u64>()
}

/// What a look at the source counted, and what it found wrong.
#[derive(Debug, Default)]
struct Findings {
    tally: Tally,
    found: Vec<Mismatch>,
}

impl Findings {
    fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.found.extend(other.found);
    }
}

/// One verification at work: its look at the source, and what comes of both looks.
struct Pass<'p> {
    job: &'p Job,
    columns: Arc<HashMap<DomainId, Column>>,
    buckets: Arc<Buckets>,
    /// The place of the cell at hand, as buckets have it.
    place: Vec<u8>,
    findings: Findings,
    quarantine: Vec<QuarantineRow>,
    files: Arc<Vec<FileRow>>,
    ranges: Vec<RangeRow>,
    /// Where rows are read, one range in each.
    sources: Vec<Arc<dyn Source>>,
}

impl<'p> Pass<'p> {
    async fn begin(job: &'p Job, scratch: PathBuf, drive: Drive) -> Result<Self, RunError> {
        let cells = job.plan.estimate.cells;
        let buckets = Buckets::make(scratch.clone(), cells.saturating_mul(2));
        let buckets = buckets.map_err(unsorted(&scratch))?;
        let mut sources = vec![Arc::clone(&job.source)];
        // INVARIANT: what is part of a larger act is done in the session that has the locks.
        if drive == Drive::Record
            && let Ok(Some(source)) = job.source.another().await
        {
            sources.push(source);
        }
        Ok(Self {
            job,
            columns: Arc::new(domains(job).await?),
            buckets: Arc::new(buckets),
            place: Vec::new(),
            findings: Findings::default(),
            quarantine: job.vault.quarantine(job.run).await?,
            files: Arc::new(job.vault.files(job.run).await?),
            ranges: job.vault.ranges(job.run).await?,
            sources,
        })
    }

    /// Looks at every table of the run.
    async fn read_source(&mut self) -> Result<(), RunError> {
        let job = self.job;
        for unit in &job.plan.units {
            for (at, table) in unit.tables.iter().enumerate() {
                let at = u16::try_from(at).unwrap_or(u16::MAX);
                match (unit.mode, &table.walk) {
                    (UnitMode::Ranges, _) => self.read_ranges(unit, at, table).await?,
                    (UnitMode::Window, Walk::Key(_)) => self.read_keyed(unit, at, table).await?,
                    (UnitMode::Window, Walk::RowId | Walk::ScopedKey(_)) => {
                        self.read_multiset(unit, at, table).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes over what the look at the vault has found.
    fn take(&mut self, vault: VaultLook) {
        self.findings.tally.entries += vault.whole;
        self.findings.found.extend(vault.found);
    }

    /// Whether a row is in quarantine, in this state.
    fn is_in(&self, state: QuarantineState, unit: u16, table: u16, key: &RowKey) -> bool {
        self.quarantine.iter().any(|row| {
            row.unit == unit && row.table == table && row.state == state && row.key == *key
        })
    }

    async fn finish(
        self,
        phase: Phase,
        drive: Drive,
        begun: Instant,
    ) -> Result<Verified, RunError> {
        let bucket_bytes = self.buckets.bytes();
        let (job, columns, Findings { tally, mut found }) = (self.job, self.columns, self.findings);
        // ORDER: after the last row was read.
        let carried = Mutex::new(Carried::begin(job).await?);
        let shared = || RunError::Inconsistent("buckets are still being filled".to_owned());
        let scratch = self.buckets.folder().to_owned();
        Arc::into_inner(self.buckets)
            .ok_or_else(shared)?
            .compare(
                |kind, domain, token, place| {
                    let is_carried = kind == MismatchKind::Different
                        && carried.lock().is_ok_and(|mut carried| carried.takes(job, place));
                    if is_carried {
                        return None;
                    }
                    let token = columns
                        .get(&domain)
                        .map_or_else(String::new, |column| token_name(column, token));
                    let place = format!("{} (token `{token}`)", cells::place_name(job, place));
                    Some(Mismatch { kind, place })
                },
                &mut found,
            )
            .map_err(unsorted(&scratch))?;
        let mut carried = carried.into_inner().unwrap_or_else(PoisonError::into_inner);
        carried.tell(job);
        found.sort_by(|one, two| (one.kind, &one.place).cmp(&(two.kind, &two.place)));
        let counts: std::collections::BTreeMap<String, u64> = [
            ("rows", tally.rows),
            ("opened", tally.opened),
            ("null", tally.null),
            ("empty", tally.empty),
            ("waived", tally.waived),
            ("without_backup", tally.unbacked),
            ("carried", carried.count()),
            ("entries", tally.entries),
            ("mismatches", found.len() as u64),
        ]
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect();
        let opened = tally.by_column(job);
        if !found.is_empty() {
            if drive == Drive::Record {
                record_mismatch(job, phase, &found, &counts).await?;
            }
            return Err(RunError::Mismatches(found));
        }
        let digest = verified_digest(job).await?;
        let proof = RoundTripProof { run: job.run, cells: tally.opened, digest };
        if drive == Drive::Record {
            let set = Change::SetVerified { run: job.run, digest: Some(proof.digest.clone()) };
            here("verify.before_phase");
            job.advance(phase, Event::Verified, vec![set], |draft| {
                draft.counts.clone_from(&counts);
                draft.counts.insert("took_ms".into(), ms(begun.elapsed()));
                draft.counts.insert("bucket_bytes".into(), bucket_bytes);
                draft.details.insert("columns".into(), opened);
                draft.details.extend(carried.by_column(job).map(|cells| ("carried".into(), cells)));
                draft.details.insert("digest".into(), proof.digest.clone().into());
            })
            .await?;
        }
        Ok(Verified { proof, counts })
    }
}

fn column_name(table: &UnitTable, place: usize) -> String {
    let column = table.columns.get(place).map_or("?", |column| column.column.as_str());
    format!("{}.{column}", table.table)
}

/// What went wrong with the buckets, which lie in this folder.
fn unsorted(folder: &Path) -> impl FnOnce(io::Error) -> RunError + '_ {
    move |source| RunError::Scratch { folder: folder.display().to_string(), source }
}

/// Takes a run back to `rewritten`, and its verification and the approval of its purge with it.
pub(crate) async fn record_mismatch(
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
        MismatchKind::Quarantined,
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

/// Which of these cells' tokens the vault knows.
pub(crate) async fn entries_of(
    job: &Job,
    tokens: Vec<(DomainId, TokenBody)>,
) -> Result<HashMap<(DomainId, TokenBody), EntryRow>, RunError> {
    known(job.vault.as_ref(), tokens).await
}
