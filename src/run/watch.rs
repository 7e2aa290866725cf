//! What a process at work tells others, and what it is told: who lives, what is waited for, what the
//! work costs.
//!
//! Two tasks run beside the passes, each with a session of its own: one renews the leases and tells
//! what the process does, the other reads the source's signals. This room decides nothing about
//! batches; `throttle` does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::policy::TableName;
use crate::ports::{Beat, Pressure, Source, SourceError, Vault, VaultError, Wait, WorkerRow};
use crate::run::error::RunError;
use crate::run::job::Job;

/// How often signals are read, and how often it is looked whether there is something to tell.
const EVERY: Duration = Duration::from_millis(400);

/// How many readings are kept: with [`EVERY`], ten minutes.
const READINGS_MAX: usize = 1_500;

/// How long a wait lasts before it is told on standard error.
const TOLD_AFTER_MS: u64 = 1_000;

/// Told to whoever watches the process.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What is known of the work just now; shared by all workers of a process.
pub struct Watch {
    now: Mutex<Now>,
    tell: Tell,
}

#[derive(Default)]
struct Now {
    doing: String,
    /// What our own work waits for: other processes, a hold.
    waits: String,
    /// What sessions of ours wait for.
    locks: Vec<Wait>,
    processes: u64,
    reading: Option<Reading>,
    written: VecDeque<(Instant, u64)>,
    told: String,
}

/// The last reading of the signals.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) at: Instant,
    pub(crate) pressure: Result<Pressure, String>,
}

impl Watch {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(tell: Tell) -> Self {
        Self { now: Mutex::new(Now { processes: 1, ..Now::default() }), tell }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the process does.
    pub fn does(&self, doing: impl Into<String>) {
        self.now().doing = doing.into();
    }

    /// Tells something that whoever watches the process may want to know.
    pub(crate) fn notes(&self, note: &str) {
        (self.tell)(note);
    }

    /// Says what the process waits for, and tells it once.
    pub(crate) fn waits(&self, waits: impl Into<String>) {
        let waits = waits.into();
        let told = {
            let mut now = self.now();
            now.waits.clone_from(&waits);
            let kind = kind_of(&waits);
            let is_new = now.told != kind;
            if is_new {
                now.told = kind;
            }
            is_new
        };
        if told {
            (self.tell)(&format!("waits: {waits}"));
        }
    }

    /// The wait is over.
    pub(crate) fn goes_on(&self) {
        let was_told = {
            let mut now = self.now();
            now.waits.clear();
            !std::mem::take(&mut now.told).is_empty()
        };
        if was_told {
            (self.tell)("goes on");
        }
    }

    /// How many processes are at work on the run.
    pub(crate) fn processes(&self) -> u64 {
        self.now().processes.max(1)
    }

    /// The last reading, and where the source's log stood at the readings before.
    pub(crate) fn reading(&self) -> (Option<Reading>, VecDeque<(Instant, u64)>) {
        let now = self.now();
        (now.reading.clone(), now.written.clone())
    }

    /// What sessions of ours wait for, the longest first.
    #[must_use]
    pub fn longest_wait(&self) -> Option<Wait> {
        self.now().locks.first().cloned()
    }

    fn beat(&self) -> Beat {
        let now = self.now();
        let mut waits: Vec<String> =
            now.locks.iter().take(3).map(|wait| format!("waits for {wait}")).collect();
        if !now.waits.is_empty() {
            waits.insert(0, now.waits.clone());
        }
        Beat { doing: now.doing.clone(), waits: waits.join("; ") }
    }

    fn saw_locks(&self, locks: Vec<Wait>) {
        let long = locks.first().filter(|wait| wait.age_ms >= TOLD_AFTER_MS).cloned();
        self.now().locks = locks;
        if let Some(wait) = long {
            let is_new = {
                let mut now = self.now();
                let kind = format!("lock {}", wait.pid);
                let is_new = now.told != kind;
                now.told = kind;
                is_new
            };
            if is_new {
                (self.tell)(&format!("waits for {wait}"));
            }
        }
    }

    fn saw_pressure(&self, pressure: Result<Pressure, SourceError>) {
        let mut now = self.now();
        let at = Instant::now();
        if let Ok(pressure) = &pressure {
            if now.written.len() >= READINGS_MAX {
                now.written.pop_front();
            }
            now.written.push_back((at, pressure.written_bytes));
        }
        let pressure = pressure.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        });
        now.reading = Some(Reading { at, pressure });
    }
}

/// A wait without its figures: the same wait is told once, however long it lasts.
fn kind_of(waits: &str) -> String {
    waits.chars().filter(|sign| !sign.is_ascii_digit() && *sign != '.').collect()
}

/// The tasks beside the work; they end with it.
pub struct Watching(Vec<JoinHandle<()>>);

impl Drop for Watching {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Enters this process among those at work on the run, and begins to watch.
///
/// # Errors
///
/// [`RunError`] where a process works on another run of the vault.
pub async fn watch(job: &Job, worker: WorkerRow) -> Result<Watching, RunError> {
    let lease_ms = job.crew.lease_ms();
    job.vault.enter(&worker, lease_ms).await?;
    let vault = job.vault.another().await?.unwrap_or_else(|| Arc::clone(&job.vault));
    let watch = Arc::clone(&job.watch);
    let mut tasks = vec![tokio::spawn(keep_leases(watch, vault, worker, lease_ms))];
    if let Some(source) = job.source.another().await? {
        let tables: Vec<TableName> = job
            .plan
            .units
            .iter()
            .flat_map(|unit| &unit.tables)
            .map(|table| table.table.clone())
            .collect();
        tasks.push(tokio::spawn(read_signals(Arc::clone(&job.watch), source, tables)));
    }
    Ok(Watching(tasks))
}

/// Renews the leases well before they end, and tells at once what changed.
async fn keep_leases(watch: Arc<Watch>, vault: Arc<dyn Vault>, worker: WorkerRow, lease_ms: u64) {
    let renew = Duration::from_millis(lease_ms / 4);
    let (mut told, mut at) = (Beat::default(), Instant::now());
    loop {
        tokio::time::sleep(EVERY.min(renew)).await;
        let beat = watch.beat();
        let is_news = beat.doing != told.doing || kind_of(&beat.waits) != kind_of(&told.waits);
        if !is_news && at.elapsed() < renew {
            continue;
        }
        at = Instant::now();
        match vault.beat(&worker.worker, lease_ms, &beat).await {
            // It was stopped, and taken for dead: it is one that joins, now.
            Ok(0) => {
                let entered: Result<(), VaultError> = vault.enter(&worker, lease_ms).await;
                // Where another run is at work, every batch finds its lease lost, and that is told.
                drop(entered);
            }
            Ok(processes) => watch.now().processes = processes,
            // Leases that cannot be renewed run out, and the work finds them lost.
            Err(_) => {}
        }
        told = beat;
    }
}

async fn read_signals(watch: Arc<Watch>, source: Arc<dyn Source>, tables: Vec<TableName>) {
    loop {
        watch.saw_pressure(source.pressure(&tables).await);
        if let Ok(locks) = source.waits().await {
            watch.saw_locks(locks);
        }
        tokio::time::sleep(EVERY).await;
    }
}
