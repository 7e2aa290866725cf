//! Everything that the passes of one run share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::crypto::{KeyId, KeyPurpose, KeyRing};
use crate::ledger::Draft;
use crate::lifecycle::{Event, Phase, RunId};
use crate::plan::{Assessment, Unit, UnitTable};
use crate::policy::Policy;
use crate::ports::{BackupStore, Change, Condition, FileKind, FileRow, Progress, Source, Vault};
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::error::RunError;
use crate::run::manifest::keep_manifest;
use crate::run::share::Crew;
use crate::run::throttle::{Permit, Throttle};
use crate::run::watch::Watch;
use crate::token::{DomainId, Treatment};

/// How often a run that waits or holds looks whether it may go on, or shall stop.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Set when somebody asks to stop: the batch at hand is finished first.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The longest stretch for which a run has held the source's write lock, in this process.
#[derive(Debug, Default)]
pub struct LockMeter(AtomicU64);

impl LockMeter {
    /// Notes a stretch.
    pub fn saw(&self, held: Duration) {
        self.0.fetch_max(ms(held), Ordering::Relaxed);
    }

    /// The longest, in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Which units this process has rewritten whole, each with the version of the source before its first
/// read: while the version is the same, nobody has written into them, and no sweep finds anything.
///
/// **Invariant:** kept by the process and never read from anywhere. Who resumes a run knows nothing of
/// what was written before.
#[derive(Debug, Default)]
pub struct Whole(Mutex<HashMap<u16, i64>>);

impl Whole {
    /// Notes a unit.
    pub(crate) fn note(&self, unit: u16, version: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(unit, version);
    }

    /// The version before a unit's first read.
    pub(crate) fn since(&self, unit: u16) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&unit).copied()
    }
}

/// A duration as the ledger counts it; what took no time took one millisecond.
pub(crate) fn ms(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// When the work at hand began: a run's phases end on the ledger, and reports say how long they took.
#[derive(Debug)]
pub struct Began(Mutex<jiff::Timestamp>);

impl Began {
    /// Begins now.
    #[must_use]
    pub fn now() -> Self {
        Self(Mutex::new(jiff::Timestamp::now()))
    }

    /// Tells when the work began that ends now, and begins the next.
    pub(crate) fn lap(&self) -> String {
        let mut began = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *began, jiff::Timestamp::now()).to_string()
    }
}

/// One run at work.
#[derive(Clone)]
pub struct Job {
    /// Its id.
    pub run: RunId,
    /// Its policy.
    pub policy: Policy,
    /// Its plan.
    pub plan: Assessment,
    /// What was signed.
    pub fingerprint: String,
    /// The source.
    pub source: Arc<dyn Source>,
    /// The vault.
    pub vault: Arc<dyn Vault>,
    /// The run's encrypted files.
    pub files: Arc<dyn BackupStore>,
    /// The unlocked keys.
    pub keys: Arc<KeyRing>,
    /// Who had it work.
    pub actor: String,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
    /// Who may stop it.
    pub stop: Stop,
    /// How fast it may go.
    pub throttle: Arc<Throttle>,
    /// What it does and waits for, for others to see.
    pub watch: Arc<Watch>,
    /// Who works.
    pub crew: Crew,
    /// How long others had to wait.
    pub lock_meter: Arc<LockMeter>,
    /// Units that this process has rewritten from end to end, and the version of the source before.
    pub whole: Arc<Whole>,
    /// When the work at hand began.
    pub began: Arc<Began>,
}

impl Job {
    /// What the digests in the stamps of this run's rows begin from. Nobody without the keys can look
    /// for two values that share a digest.
    #[must_use]
    pub fn stamp_seed(&self) -> i64 {
        let digest = self.keys.index().digest("stamp", &[&self.run.0.to_be_bytes()]);
        digest.first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
    }

    /// The columns of a table, in the order of its unit.
    ///
    /// # Errors
    ///
    /// [`RunError::NoKey`] where a domain or a key of it is missing.
    pub async fn columns(&self, table: &UnitTable) -> Result<Vec<Column>, RunError> {
        let domains = self.vault.domains().await?;
        let mut columns = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            let rule = self.policy.columns.get(column.rule).ok_or_else(|| {
                RunError::Inconsistent("the plan names a column that the policy does not".into())
            })?;
            let missing = || RunError::NoKey(format!("domain `{}`", column.domain));
            let domain: DomainId = domains
                .iter()
                .find(|row| row.name == column.domain)
                .map(|row| row.domain)
                .ok_or_else(missing)?;
            let treatment = Treatment::from_rule(rule, domain)
                .map_err(|error| RunError::Inconsistent(error.to_string()))?;
            let data_key: KeyId = self.keys.active_data(&column.domain).ok_or_else(missing)?;
            columns.push(Column {
                treatment,
                domain: column.domain.clone(),
                data_key,
                value_bytes_max: self.policy.limits.value_bytes_max,
            });
        }
        Ok(columns)
    }

    /// Stops at a batch's end where somebody asked, or paused the run from elsewhere.
    pub(crate) fn may_go_on(&self) -> Result<(), RunError> {
        if self.stop.is_asked() || self.crew.is_halted() {
            return Err(RunError::Stopped);
        }
        Ok(())
    }

    /// Whether the policy lets a run work at this time of day.
    pub(crate) fn within_window(&self) -> Result<(), RunError> {
        let Some(window) = &self.policy.window else { return Ok(()) };
        let now = jiff::Timestamp::now().in_tz(&window.zone).map_err(|_| {
            RunError::Inconsistent(format!("there is no time zone `{}`", window.zone))
        })?;
        let minute =
            u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0);
        let (from, until) = (window.from_min, window.until_min);
        let is_open = if from <= until {
            (from..until).contains(&minute)
        } else {
            minute >= from || minute < until
        };
        if is_open { Ok(()) } else { Err(RunError::OutsideWindow) }
    }

    /// Whether somebody paused the run, and how fast it may go now. Asked before each batch.
    pub(crate) async fn refuse_if_paused(&self) -> Result<(), RunError> {
        self.may_go_on()?;
        let state = self.vault.run_state(self.run).await?;
        // The way back is open at any hour.
        if state.phase != Phase::RollingBack {
            self.within_window()?;
        }
        self.throttle.set(state.rate, self.watch.processes());
        if state.condition == Some(Condition::Paused) { Err(RunError::Paused) } else { Ok(()) }
    }

    /// Waits until a batch of about so many rows may be written; says how many rows it may have.
    ///
    /// # Errors
    ///
    /// [`RunError::Stopped`] and its like where somebody asked to stop meanwhile.
    pub(crate) async fn permit(&self, rows: usize) -> Result<usize, RunError> {
        loop {
            self.refuse_if_paused().await?;
            let (reading, written) = self.watch.reading();
            let wait = match self.throttle.permit(rows, reading.as_ref(), &written) {
                Permit::Go { rows } => {
                    self.watch.goes_on();
                    return Ok(rows);
                }
                Permit::Later(wait) => wait.min(LOOK_AGAIN),
                Permit::Hold(why) => {
                    self.watch.waits(format!("the run holds: {why}"));
                    LOOK_AGAIN
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// A ledger entry of this run.
    #[must_use]
    pub fn draft(&self, action: &str) -> Draft {
        Draft {
            actor: self.actor.clone(),
            action: action.to_owned(),
            object: format!("run {}", self.run),
            run: Some(self.run),
            policy: Some(self.policy.hash.clone()),
            ..Draft::default()
        }
    }

    /// Moves the run along: phase, changes and entry in one transaction, then a checkpoint.
    pub(crate) async fn advance(
        &self,
        from: Phase,
        event: Event,
        mut changes: Vec<Change>,
        fill: impl FnOnce(&mut Draft),
    ) -> Result<(), RunError> {
        let mut draft = self.draft(event.name());
        draft.details.insert("began_at".into(), self.began.lap().into());
        fill(&mut draft);
        changes.push(Change::Advance { run: self.run, from, event });
        self.vault.commit(changes, vec![draft]).await?;
        here(after(event));
        crate::serve::checkpoint(self.vault.as_ref(), &self.keys).await?;
        if matches!(event, Event::BackedUp | Event::Sealed | Event::Rewritten | Event::Verified) {
            self.files.note_ledger(self.vault.head().await?.size())?;
            keep_manifest(self).await?;
        }
        Ok(())
    }

    /// The id of the data keys of the run's domains, for the ledger.
    #[must_use]
    pub fn key_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self
            .plan
            .units
            .iter()
            .flat_map(|unit| &unit.tables)
            .flat_map(|table| &table.columns)
            .flat_map(|column| {
                [KeyPurpose::Data, KeyPurpose::Token, KeyPurpose::Format]
                    .into_iter()
                    .filter_map(|purpose| self.keys.id_of(purpose, &column.domain))
            })
            .map(|id| id.0)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// The unit of this number.
pub(crate) fn unit_of(job: &Job, unit: u16) -> Result<&Unit, RunError> {
    job.plan.units.iter().find(|known| known.id == unit).ok_or_else(|| {
        RunError::Inconsistent("a piece of work names a unit that the plan does not".to_owned())
    })
}

/// The place behind the commit of an event, before its checkpoint.
fn after(event: Event) -> &'static str {
    match event {
        Event::BackedUp => "backup.after_phase",
        Event::Sealed => "seal.after_phase",
        Event::Rewritten => "rewrite.after_phase",
        Event::Verified => "verify.after_phase",
        Event::Purged => "purge.after_phase",
        Event::RollbackStarted => "rollback.after_begin",
        Event::RolledBack => "rollback.after_phase",
        Event::Approved
        | Event::ApprovalVoided
        | Event::Mismatch
        | Event::PurgeApproved
        | Event::Closed => "phase.after_commit",
    }
}

/// The table of a unit at this place.
pub(crate) fn table_of(unit: &Unit, at: u16) -> Result<&UnitTable, RunError> {
    unit.tables.get(usize::from(at)).ok_or_else(|| {
        RunError::Inconsistent("a range names a table that the plan does not".to_owned())
    })
}

/// How many bytes a run's files of one kind have.
pub(crate) fn file_bytes(files: &[FileRow], kind: FileKind) -> u64 {
    files.iter().filter(|file| file.kind == kind).map(|file| file.seal.bytes).sum()
}

/// SHA-256 over the names and hashes of a run's files of one kind: its manifest.
#[must_use]
pub fn manifest_hash(files: &[FileRow], kind: FileKind) -> String {
    let mut hash = Sha256::new();
    for file in files.iter().filter(|file| file.kind == kind) {
        hash.update((file.seal.name.len() as u64).to_be_bytes());
        hash.update(file.seal.name.as_bytes());
        hash.update(file.seal.sha256);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}
