//! Who does which piece of a pass: workers of this process, and of others that have joined.
//!
//! A pass is laid out as pieces. Each worker takes one by a lease, does it with a session of its own
//! with source and vault, and takes the next; what exactly one may do is done in a [`Turn`]. This
//! room knows leases and the order of work, and nothing of what a piece holds.
//!
//! **Invariant:** while a worker has a piece, every transaction of its vault session asks for the
//! lease first. A worker that was stopped and passed over therefore writes nothing to the vault, and
//! the epoch in the source's cursor keeps it from the source.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::lifecycle::Phase;
use crate::ports::{Holder, Lease, Piece, RangeRow, Silent, Task};
use crate::run::batch::BYTES_MAX;
use crate::run::error::RunError;
use crate::run::job::{Job, Stop};
use crate::run::{backup, rewrite, seal};

/// What the workers of a process may hold in memory at the same time, in all.
const MEMORY_BYTES: usize = 112 << 20;

/// What memory is counted in.
const ROOM_BYTES: usize = 1 << 10;

/// How often a process that waits for others looks again.
const PATIENCE: Duration = Duration::from_millis(200);

/// The workers of a process, and how they share the work of a run.
#[derive(Clone)]
pub struct Crew {
    /// This process, and the number of the worker in it.
    pub holder: Holder,
    /// How many workers there are.
    pub workers: usize,
    /// How long a lease lasts that is not renewed.
    pub lease: Duration,
    /// Whether the source lets several work at once: pieces are leased then.
    pub shares: bool,
    memory: Memory,
    /// Set when another worker of this process has failed.
    halt: Stop,
    /// Told when a worker of this process has ended a piece.
    ended: Arc<Notify>,
    pub(crate) laid: Arc<Laid>,
}

/// What a pass was laid out from; it does not change while the pass lasts.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    pub(crate) ranges: Vec<RangeRow>,
}

impl Crew {
    /// How many workers a process has where nobody says: while one waits for a file or a commit, the
    /// others keep the cores busy.
    #[must_use]
    pub fn usual() -> usize {
        std::thread::available_parallelism().map_or(1, NonZero::get) + 1
    }

    /// A crew of so many workers.
    #[must_use]
    pub fn new(worker: &str, workers: usize, lease: Duration, shares: bool) -> Self {
        Self {
            holder: Holder { worker: worker.to_owned(), slot: 0 },
            workers: workers.max(1),
            lease,
            shares,
            memory: Memory::new(),
            halt: Stop::default(),
            ended: Arc::default(),
            laid: Arc::default(),
        }
    }

    /// Whether another worker has failed, so that this one has to end.
    pub(crate) fn is_halted(&self) -> bool {
        self.halt.is_asked()
    }

    /// The lease's time as the vault counts it.
    #[must_use]
    pub fn lease_ms(&self) -> u64 {
        u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX)
    }

    /// Bytes of in-scope cells in a batch: less where many have one in hand.
    pub(crate) fn batch_bytes(&self) -> usize {
        if self.workers > 4 { BYTES_MAX / 4 } else { BYTES_MAX }
    }

    /// Waits until so many bytes may be held; they are given back with what is returned.
    pub(crate) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        self.memory.room(bytes).await
    }
}

/// What workers may hold in memory, shared out among them.
#[derive(Clone)]
struct Memory(Arc<Semaphore>);

impl Memory {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(MEMORY_BYTES / ROOM_BYTES)))
    }

    /// A piece that is larger than everything has everything for itself.
    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let rooms = bytes.clamp(ROOM_BYTES, MEMORY_BYTES) / ROOM_BYTES;
        let rooms = u32::try_from(rooms).unwrap_or(u32::MAX);
        // Nobody closes the semaphore; if somebody did, work would go on without its limit.
        Arc::clone(&self.0).acquire_many_owned(rooms).await.ok()
    }
}

/// Has every piece of a task done, by as many workers as there are pieces for at the most.
///
/// # Errors
///
/// The first error of a worker; the others end at their batch's end, and so they do where `halt` is
/// asked for elsewhere.
pub(crate) async fn share(
    job: &Job,
    task: Task,
    wanted: u64,
    laid: Laid,
    halt: &Stop,
) -> Result<(), RunError> {
    let laid = Arc::new(laid);
    let mut crew: JoinSet<Result<(), RunError>> = JoinSet::new();
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    let workers = job.crew.workers.min(wanted).max(1);
    for slot in 1..=workers {
        let Some(worker) = worker(job, task, slot, halt, &laid).await? else { break };
        crew.spawn(async move {
            let done = work(&worker, task).await;
            ended(&worker, done)
        });
    }
    outcome(&mut crew, halt).await
}

/// A worker's work has come to an end: where it failed the others are halted.
fn ended(worker: &Job, done: Result<(), RunError>) -> Result<(), RunError> {
    if done.is_err() {
        worker.crew.halt.ask();
    }
    worker.crew.ended.notify_waiters();
    done
}

/// Waits for all workers of a crew; the first error that says something.
async fn outcome(crew: &mut JoinSet<Result<(), RunError>>, halt: &Stop) -> Result<(), RunError> {
    let mut first = Ok(());
    while let Some(ended) = crew.join_next().await {
        let done = ended.unwrap_or_else(|_| {
            halt.ask();
            Err(RunError::Inconsistent("a worker ended in the middle of its work".to_owned()))
        });
        first = telling(first, done);
    }
    first
}

/// Of two outcomes the first that says what went wrong. A worker that was halted because of another
/// has nothing to tell.
fn telling(first: Result<(), RunError>, second: Result<(), RunError>) -> Result<(), RunError> {
    match (&first, &second) {
        (Ok(()), _) | (Err(RunError::Stopped), Err(_)) => second,
        (Err(_), _) => first,
    }
}

/// Workers that seal beside a backup what it has on record already. They end with it.
pub(crate) struct Followers {
    crew: JoinSet<Result<(), RunError>>,
    halt: Stop,
    end: Stop,
    wake: Arc<Notify>,
}

impl Followers {
    /// So many at the most, and no more than one for two workers: the others read the server meanwhile,
    /// and what all of them hold in memory is bounded. What goes wrong with one halts those
    /// whom `halt` halts; where the vault has no session left, there is one less.
    pub(crate) async fn begin(job: &Job, wanted: u64, halt: &Stop) -> Self {
        let (end, wake) = (Stop::default(), Arc::clone(&job.crew.ended));
        let mut crew = JoinSet::new();
        let wanted =
            usize::try_from(wanted).unwrap_or(usize::MAX).min(job.crew.workers.div_ceil(2));
        for slot in 1..=wanted {
            let Ok(Some(worker)) = worker(job, Task::Seal, slot, halt, &Arc::default()).await
            else {
                break;
            };
            // Whoever watches is told of the backup.
            let worker = Job { progress: Arc::new(Silent), ..worker };
            let end = end.clone();
            crew.spawn(async move {
                let done = follow(&worker, &end).await;
                ended(&worker, done)
            });
        }
        Self { crew, halt: halt.clone(), end, wake }
    }

    /// Whether there are any.
    pub(crate) fn are_some(&self) -> bool {
        !self.crew.is_empty()
    }

    /// Has each finish the piece that it holds, and waits for it.
    ///
    /// # Errors
    ///
    /// What went wrong with one; once it was told it is not told again.
    pub(crate) async fn end(&mut self) -> Result<(), RunError> {
        self.end.ask();
        self.wake.notify_waiters();
        outcome(&mut self.crew, &self.halt).await
    }

    /// Ends them behind a backup that came to this.
    ///
    /// # Errors
    ///
    /// The backup's, or one's of them where that one says what went wrong.
    pub(crate) async fn end_with(mut self, backup: Result<(), RunError>) -> Result<(), RunError> {
        telling(backup, self.end().await)
    }
}

/// Seals piece after piece as they come, until it is told to end.
async fn follow(job: &Job, end: &Stop) -> Result<(), RunError> {
    loop {
        // ORDER: before the look, so that a piece which comes after it is heard of.
        let ended = job.crew.ended.notified();
        if end.is_asked() {
            return Ok(());
        }
        job.refuse_if_paused().await?;
        match next(job, Task::Seal).await? {
            Some(lease) => held(job, &lease).await?,
            None => {
                let _ = tokio::time::timeout(PATIENCE, ended).await;
            }
        }
    }
}

/// The job in the hands of one worker; `None` where the server has no session left for it, and
/// others are at work already.
async fn worker(
    job: &Job,
    task: Task,
    slot: usize,
    halt: &Stop,
    laid: &Arc<Laid>,
) -> Result<Option<Job>, RunError> {
    let another = match task {
        // Who seals reads files.
        Task::Seal => Ok(None),
        Task::Backup | Task::Rewrite | Task::Alone => job.source.another().await,
    };
    let source = match another {
        Ok(source) => source.unwrap_or_else(|| Arc::clone(&job.source)),
        Err(_) if slot > 1 => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let vault = match job.vault.another().await {
        Ok(vault) => vault.unwrap_or_else(|| Arc::clone(&job.vault)),
        Err(_) if slot > 1 => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let slot = u32::try_from(slot).unwrap_or(u32::MAX);
    let holder = Holder { slot, ..job.crew.holder.clone() };
    let (halt, laid) = (halt.clone(), Arc::clone(laid));
    let crew = Crew { holder, halt, laid, ..job.crew.clone() };
    Ok(Some(Job { source, vault, crew, ..job.clone() }))
}

/// Takes piece after piece, until none is left that anybody has to do.
async fn work(job: &Job, task: Task) -> Result<(), RunError> {
    loop {
        job.refuse_if_paused().await?;
        // ORDER: before the look, so that a piece which ends after it is heard of.
        let ended = job.crew.ended.notified();
        let Some(lease) = next(job, task).await? else {
            if is_done(job, task).await? {
                return Ok(());
            }
            // What another worker of this process ends is told at once; of others nobody tells.
            if tokio::time::timeout(PATIENCE, ended).await.is_err() {
                job.watch.waits(format!("ranges to {} that others hold", task.name()));
            }
            continue;
        };
        job.watch.goes_on();
        held(job, &lease).await?;
    }
}

/// Does a piece while its lease is held.
async fn held(job: &Job, lease: &Lease) -> Result<(), RunError> {
    job.vault.hold(Some(lease.clone()));
    let done = piece(job, lease).await;
    job.vault.hold(None);
    job.crew.ended.notify_waiters();
    match done {
        Ok(()) => Ok(()),
        // Somebody has passed this worker over: the piece is theirs, and nothing was written.
        Err(error) if error.is_lease_lost() => Ok(()),
        Err(error) => {
            // What cannot be given back runs out by itself.
            let _ = job.vault.give_back(lease).await;
            Err(error)
        }
    }
}

async fn next(job: &Job, task: Task) -> Result<Option<Lease>, RunError> {
    let lease_ms = job.crew.lease_ms();
    let taken = job.vault.take_piece(job.run, task, &job.crew.holder, lease_ms).await?;
    match (taken, task) {
        (None, Task::Backup) => backup::cut(job).await,
        (taken, _) => Ok(taken),
    }
}

async fn is_done(job: &Job, task: Task) -> Result<bool, RunError> {
    if job.vault.pieces(job.run, task).await?.open > 0 {
        return Ok(false);
    }
    if task == Task::Backup { backup::is_cut(job).await } else { Ok(true) }
}

async fn piece(job: &Job, lease: &Lease) -> Result<(), RunError> {
    match lease.piece.task {
        Task::Backup => backup::back_up_piece(job, lease).await,
        Task::Seal => seal::seal_piece(job, lease).await,
        Task::Rewrite => rewrite::rewrite_piece(job, lease).await,
        Task::Alone => {
            Err(RunError::Inconsistent("what one does alone is no piece of a pass".to_owned()))
        }
    }
}

/// A piece without bounds.
pub(crate) fn piece_of(job: &Job, task: Task, unit: u16, table: u16, range: u32) -> Piece {
    Piece { run: job.run, task, unit, table, range, lower: None, upper: None }
}

/// The right to do what exactly one process may do in a phase.
pub struct Turn<'j> {
    job: &'j Job,
    lease: Option<Lease>,
}

/// Waits for one's turn; `None` where another process has moved the run out of the phase.
///
/// # Errors
///
/// [`RunError::Stopped`] where somebody asked to stop while it was waited for.
pub async fn turn(job: &Job, phase: Phase) -> Result<Option<Turn<'_>>, RunError> {
    if !job.crew.shares {
        return Ok(Some(Turn { job, lease: None }));
    }
    job.vault.add_pieces(&[(piece_of(job, Task::Alone, 0, 0, 0), 0)]).await?;
    loop {
        job.refuse_if_paused().await?;
        if job.vault.run_state(job.run).await?.phase != phase {
            job.watch.goes_on();
            return Ok(None);
        }
        let lease_ms = job.crew.lease_ms();
        let taken = job.vault.take_piece(job.run, Task::Alone, &job.crew.holder, lease_ms).await?;
        let Some(lease) = taken else {
            job.watch.waits(format!("another process to bring the run out of `{phase}`"));
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        job.watch.goes_on();
        let turn = Turn { job, lease: Some(lease.clone()) };
        job.vault.hold(Some(lease));
        // Somebody may have moved it between the look and the lease.
        if job.vault.run_state(job.run).await?.phase != phase {
            return turn.end(Ok(None)).await;
        }
        return Ok(Some(turn));
    }
}

impl Turn<'_> {
    /// The lease of it, for a session of its own with the vault.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.lease.clone()
    }

    /// Ends it, whatever came of it.
    ///
    /// # Errors
    ///
    /// What was handed over.
    pub async fn end<T, E>(self, outcome: Result<T, E>) -> Result<T, E> {
        if let Some(lease) = &self.lease {
            self.job.vault.hold(None);
            // What cannot be given back runs out by itself.
            let _ = self.job.vault.give_back(lease).await;
        }
        outcome
    }
}
