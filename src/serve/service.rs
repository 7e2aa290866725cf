//! The service: one process that answers many requests at once.
//!
//! What the vault grants is read once and kept. It counts as long as the vault said, less than a
//! second ago, that nothing has changed; so a credential that is revoked is refused within a second,
//! and a vault that does not answer ends all answers.
//!
//! Sessions with the vault belong to tasks, never to requests: a caller who hangs up in the middle
//! leaves no session half-used.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use super::callers::stored_id;
use super::evidence::evidence;
use super::grants::Grants;
use super::look_up::LookUp;
use super::open::{Opening, Piece, begin};
use super::reasons::{Reason, Reasons};
use super::recorder::Recorder;
use super::request::{Request, ServeError, World};
use super::standing::{self, Standing, Unlock};
use super::uses::Uses;
use super::{KeysError, tree};
use crate::access::Caller;
use crate::crypto::{Credential, KeyRing, RootKey};
use crate::ledger::IntakeRecord;
use crate::ports::{Looked, Quota, RunRow, Taken, Vault};
use crate::report::Report;
use crate::token::{DomainId, TokenBody};
use crate::value::Original;

/// How long a request waits for what the vault grants, where it is out of date.
const GRANTS_WAIT: Duration = Duration::from_secs(2);

/// Large values that are opened and sent at one time, in units of [`LARGE_UNIT`].
const LARGE_UNITS_MAX: usize = 1_024;

/// Large values are counted in these bytes.
const LARGE_UNIT: usize = 64 << 10;

/// Sessions with one vault, each used by one task.
pub struct Sessions {
    /// Each writes the records of requests.
    pub records: Vec<Arc<dyn Vault>>,
    /// Each looks tokens up.
    pub reads: Vec<Arc<dyn Vault>>,
    /// Adds values, and looks values up.
    pub writes: Arc<dyn Vault>,
    /// Counts against limits.
    pub quotas: Arc<dyn Vault>,
    /// Is asked what has changed.
    pub grants: Arc<dyn Vault>,
    /// Brings records into the tree.
    pub tree: Arc<dyn Vault>,
}

/// Answers requests.
pub struct Service {
    core: Arc<Core>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    stop: watch::Sender<bool>,
}

struct Core {
    standing: watch::Receiver<Standing>,
    recorders: Vec<Recorder>,
    turn: std::sync::atomic::AtomicUsize,
    look_up: LookUp,
    writes: Arc<dyn Vault>,
    quotas: Arc<dyn Vault>,
    reasons: Mutex<Reasons>,
    uses: Arc<Uses>,
    large: Arc<Semaphore>,
}

impl Service {
    /// Reads what the vault grants and starts.
    ///
    /// # Errors
    ///
    /// [`KeysError`] where the vault cannot be read.
    pub async fn start(
        sessions: Sessions,
        root: RootKey,
        unlock: Arc<dyn Unlock>,
    ) -> Result<Self, KeysError> {
        let standing = Standing::read(sessions.grants.as_ref(), root).await?;
        let (sender, receiver) = watch::channel(standing);
        let (stop, stopped) = watch::channel(false);
        let uses = Arc::new(Uses::new());
        let keep = standing::keep(sessions.grants, unlock, sender, stopped.clone());
        let tasks = vec![
            tokio::spawn(keep),
            tokio::spawn(tree::keep(sessions.tree, receiver.clone(), Arc::clone(&uses), stopped)),
        ];
        let recorders = sessions.records.into_iter().map(Recorder::start).collect();
        Ok(Self {
            core: Arc::new(Core {
                standing: receiver,
                recorders,
                turn: std::sync::atomic::AtomicUsize::new(0),
                look_up: LookUp::start(sessions.reads),
                writes: sessions.writes,
                quotas: sessions.quotas,
                reasons: Mutex::default(),
                uses,
                large: Arc::new(Semaphore::new(LARGE_UNITS_MAX)),
            }),
            tasks: Mutex::new(tasks),
            stop,
        })
    }

    /// What the vault grants, no older than a second.
    ///
    /// # Errors
    ///
    /// [`ServeError::Unavailable`] where the vault has not said so for too long.
    pub async fn grants(&self) -> Result<Arc<Grants>, ServeError> {
        let mut standing = self.core.standing.clone();
        let fresh = standing.wait_for(Standing::stands);
        match tokio::time::timeout(GRANTS_WAIT, fresh).await {
            Ok(Ok(standing)) => Ok(Arc::clone(&standing.grants)),
            Ok(Err(_)) | Err(_) => Err(ServeError::Unavailable),
        }
    }

    /// Whether requests would be answered now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.core.standing.borrow().stands() && !*self.stop.borrow()
    }

    /// Notes that somebody was known by a credential just now.
    pub fn used(&self, credential: &Credential) {
        self.core.uses.used(&stored_id(credential.id()), jiff::Timestamp::now());
    }

    /// Decides a request for values and records it.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where it is refused or could not be recorded; no value has left then.
    pub async fn detokenize(
        &self,
        grants: Arc<Grants>,
        request: &Request<'_>,
        tokens: Vec<String>,
    ) -> Result<Opening, ServeError> {
        begin(self.core.as_ref(), grants, request, tokens).await
    }

    /// Opens the next tokens of a recorded request; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where the vault does not answer.
    pub async fn open(&self, opening: &mut Opening) -> Result<Option<Piece>, ServeError> {
        opening.next(self.core.as_ref()).await
    }

    /// Gives values their tokens.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where the request is refused or could not be recorded.
    pub async fn tokenize(
        &self,
        grants: Arc<Grants>,
        caller: Caller,
        asked: Asked,
        values: Vec<Original>,
    ) -> Result<Vec<Original>, ServeError> {
        self.in_a_task(|core| async move {
            let request = asked.request(&caller);
            super::tokenize::tokenize_in(core.as_ref(), &grants, &request, &values).await
        })
        .await
    }

    /// Says which tokens stand for values.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where the request is refused or could not be recorded.
    pub async fn search(
        &self,
        grants: Arc<Grants>,
        caller: Caller,
        asked: Asked,
        values: Vec<Original>,
    ) -> Result<Vec<Option<Original>>, ServeError> {
        self.in_a_task(|core| async move {
            let request = asked.request(&caller);
            super::search::search_in(core.as_ref(), &grants, &request, &values).await
        })
        .await
    }

    /// The runs of the vault.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where it does not answer.
    pub async fn runs(&self) -> Result<Vec<RunRow>, ServeError> {
        self.in_a_task(|core| async move { Ok(core.writes.runs().await?) }).await
    }

    /// The report of a run.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where the vault does not answer.
    pub async fn report(&self, row: RunRow) -> Result<Report, ServeError> {
        self.in_a_task(|core| async move {
            Ok(Report::of(&evidence(core.writes.as_ref(), &row).await?))
        })
        .await
    }

    /// Works in a task of its own: what is begun in the vault comes to its end, also where whoever
    /// asked hangs up.
    async fn in_a_task<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Arc<Core>) -> F,
    ) -> Result<T, ServeError>
    where
        F: Future<Output = Result<T, ServeError>> + Send + 'static,
    {
        let work = tokio::spawn(work(Arc::clone(&self.core)));
        work.await.unwrap_or(Err(ServeError::Unavailable))
    }

    /// Brings what was recorded into the tree, signs it, and ends.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
    }
}

/// A request's words, owned.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The purpose, by its name.
    pub purpose: String,
    /// Why.
    pub reason: String,
    /// The domain, where it is named.
    pub domain: Option<String>,
}

impl Asked {
    /// The request of a caller.
    #[must_use]
    pub fn request<'r>(&'r self, caller: &'r Caller) -> Request<'r> {
        Request {
            caller,
            purpose: &self.purpose,
            reason: &self.reason,
            domain: self.domain.as_deref(),
        }
    }
}

impl Core {
    fn reasons(&self) -> std::sync::MutexGuard<'_, Reasons> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl World for Core {
    fn vault(&self) -> &dyn Vault {
        self.writes.as_ref()
    }

    async fn record(&self, record: IntakeRecord, reason: Reason) -> Result<(), ServeError> {
        let keys = Arc::clone(&self.standing.borrow().grants.keys);
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let recorder = self
            .recorders
            .get(turn % self.recorders.len().max(1))
            .ok_or(ServeError::Unavailable)?;
        recorder.record(&keys, record, reason.to_keep()).await?;
        // ORDER: remembered when it is durable: until then it may not be kept at all.
        if reason.sealed.is_some() {
            self.reasons().remember(reason.key, reason.digest);
        }
        Ok(())
    }

    async fn take_quota(&self, quotas: Vec<Quota>, count: u64) -> Result<Taken, ServeError> {
        let vault = Arc::clone(&self.quotas);
        let work = tokio::spawn(async move { vault.take_quota(&quotas, count).await });
        work.await.map_err(|_| ServeError::Unavailable)?.map_err(ServeError::from)
    }

    async fn look_up(
        &self,
        domain: DomainId,
        tokens: Vec<TokenBody>,
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, ServeError> {
        self.look_up.entries(domain, tokens, bytes_max).await
    }

    async fn hold(&self, bytes: usize) -> Result<Option<OwnedSemaphorePermit>, ServeError> {
        // One request is never refused for being larger than all of them may be.
        let units = bytes.div_ceil(LARGE_UNIT).min(LARGE_UNITS_MAX);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let held = Arc::clone(&self.large).acquire_many_owned(units).await;
        held.map(Some).map_err(|_| ServeError::Unavailable)
    }

    fn reason(&self, keys: &KeyRing, caller: &str, reason: &str) -> Reason {
        let key = Reasons::key(caller, reason);
        match self.reasons().digest(&key) {
            Some(digest) => Reason { digest, sealed: None, key },
            None => Reason::sealed(keys, reason, key),
        }
    }
}
