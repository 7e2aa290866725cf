//! The service: one process that answers many requests at once.
//!
//! What the vault grants is read once and kept. It counts as long as the vault said, less than a
//! second ago, that nothing has changed; so a credential that is revoked is refused within a second,
//! and a vault that does not answer ends all answers.
//!
//! Sessions with the vault belong to tasks, never to requests: a caller who hangs up in the middle
//! leaves no session half-used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::checkpoint;
use super::grants::Grants;
use super::intake::integrate_some;
use super::look_up::LookUp;
use super::open::{Answer, Opening, begin};
use super::recorder::Recorder;
use super::request::{Reason, Request, ServeError, World, sealed_reason};
use super::{KeysError, chain};
use crate::access::Caller;
use crate::crypto::{KeyRing, RootKey};
use crate::ledger::{Draft, IntakeRecord};
use crate::ports::{EntryRow, Quota, SealedReason, Taken, Vault, VaultError};
use crate::token::{DomainId, TokenBody};
use crate::value::Original;

/// What was read counts this long after the vault last said that it stands.
const STANDS_FOR: Duration = Duration::from_millis(900);

/// How often the vault is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Everything is read again after this time, whatever the vault says of changes.
const READ_ANEW_AFTER: Duration = Duration::from_mins(1);

/// How long a request waits for what the vault grants, where it is out of date.
const GRANTS_WAIT: Duration = Duration::from_secs(2);

/// How often recorded requests are brought into the tree.
const INTEGRATE_EVERY: Duration = Duration::from_millis(200);

/// Entries after which the ledger is signed …
const SIGN_ENTRIES: u64 = 1_000;

/// … or this long after the first that is not signed.
const SIGN_AFTER: Duration = Duration::from_mins(1);

/// After so long without an entry, one says that the service is alive: so silence on the ledger is no
/// quiet hour, but a service that is gone.
const HEARTBEAT_AFTER: Duration = Duration::from_mins(10);

/// The same words of the same caller are sealed once in this time.
const REASON_FOR: Duration = Duration::from_mins(1);

/// Reasons that are remembered, twice.
const REASONS_MAX: usize = 2_048;

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

/// What was read, and when the vault last said that it stands.
#[derive(Clone)]
struct Standing {
    grants: Arc<Grants>,
    version: u64,
    read: Instant,
    asked: Instant,
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
}

/// Words that were sealed just now, by what knows them again. When there are many, or some time has
/// passed, the young ones become the old ones, and the old ones are forgotten.
struct Reasons {
    young: HashMap<[u8; 32], String>,
    old: HashMap<[u8; 32], String>,
    since: Instant,
}

impl Default for Reasons {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), since: Instant::now() }
    }
}

impl Reasons {
    fn digest(&mut self, key: &[u8; 32]) -> Option<String> {
        if self.since.elapsed() > REASON_FOR {
            self.turn();
            self.turn();
        } else if self.since.elapsed() > REASON_FOR / 2 {
            self.turn();
        }
        self.young.get(key).or_else(|| self.old.get(key)).cloned()
    }

    fn remember(&mut self, key: [u8; 32], digest: String) {
        if self.young.len() >= REASONS_MAX {
            self.turn();
        }
        self.young.insert(key, digest);
    }

    fn turn(&mut self) {
        self.old = std::mem::take(&mut self.young);
        self.since = Instant::now();
    }
}

impl Service {
    /// Reads what the vault grants and starts.
    ///
    /// # Errors
    ///
    /// [`KeysError`] where the vault cannot be read.
    pub async fn start(sessions: Sessions, root: RootKey) -> Result<Self, KeysError> {
        let asked = Instant::now();
        let version = sessions.grants.grants_version().await?;
        let grants = Arc::new(Grants::read(sessions.grants.as_ref(), root).await?);
        let standing = Standing { grants, version, read: asked, asked };
        let (sender, receiver) = watch::channel(standing);
        let (stop, stopped) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(keep_grants(sessions.grants, sender, stopped.clone())),
            tokio::spawn(keep_tree(sessions.tree, receiver.clone(), stopped)),
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
        let fresh = standing.wait_for(|standing| standing.asked.elapsed() < STANDS_FOR);
        match tokio::time::timeout(GRANTS_WAIT, fresh).await {
            Ok(Ok(standing)) => Ok(Arc::clone(&standing.grants)),
            Ok(Err(_)) | Err(_) => Err(ServeError::Unavailable),
        }
    }

    /// Whether requests would be answered now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.core.standing.borrow().asked.elapsed() < STANDS_FOR && !*self.stop.borrow()
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
    pub async fn open(
        &self,
        opening: &mut Opening,
    ) -> Result<Option<(Vec<String>, Vec<Answer>)>, ServeError> {
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
        let core = Arc::clone(&self.core);
        // In a task of its own: what is begun in the vault comes to its end.
        let work = tokio::spawn(async move {
            let request = asked.request(&caller);
            super::tokenize::tokenize_in(core.as_ref(), &grants, &request, &values).await
        });
        work.await.unwrap_or(Err(ServeError::Unavailable))
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
        let core = Arc::clone(&self.core);
        let work = tokio::spawn(async move {
            let request = asked.request(&caller);
            super::search::search_in(core.as_ref(), &grants, &request, &values).await
        });
        work.await.unwrap_or(Err(ServeError::Unavailable))
    }

    /// The vault, for reading about runs.
    ///
    /// # Errors
    ///
    /// [`ServeError`] where it does not answer.
    pub async fn runs(&self) -> Result<Vec<crate::ports::RunRow>, ServeError> {
        let vault = Arc::clone(&self.core.writes);
        let work = tokio::spawn(async move { vault.runs().await });
        work.await.unwrap_or(Ok(Vec::new())).map_err(ServeError::from)
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

fn reason_key(caller: &str, reason: &str) -> [u8; 32] {
    let length = (caller.len() as u64).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(caller).chain_update(reason).finalize().into()
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
    ) -> Result<Vec<Option<EntryRow>>, ServeError> {
        self.look_up.entries(domain, tokens).await
    }

    fn reason(&self, keys: &KeyRing, caller: &str, reason: &str) -> Reason {
        let key = reason_key(caller, reason);
        let known = self.reasons().digest(&key);
        if let Some(digest) = known {
            return Reason { digest, sealed: None, key };
        }
        let SealedReason { digest, sealed } = sealed_reason(keys, reason);
        Reason { digest, sealed: Some(sealed), key }
    }
}

/// Keeps what the vault grants up to date.
async fn keep_grants(
    vault: Arc<dyn Vault>,
    standing: watch::Sender<Standing>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let last = standing.borrow().clone();
        let asked = Instant::now();
        match ask(vault.as_ref(), &last, asked).await {
            Ok(next) => drop(standing.send_replace(next)),
            // What was read stops to count by itself.
            Err(error) => tracing::error!(error = %chain(&error), "the vault cannot be read"),
        }
        if is_stopped_within(&mut stopped, ASK_EVERY).await {
            return;
        }
    }
}

async fn ask(vault: &dyn Vault, last: &Standing, asked: Instant) -> Result<Standing, KeysError> {
    let version = vault.grants_version().await?;
    if version == last.version && last.read.elapsed() < READ_ANEW_AFTER {
        return Ok(Standing { asked, ..last.clone() });
    }
    // ORDER: the version before the rows: what changes meanwhile is read again.
    let root = last.grants.keys.root().duplicate();
    let grants = Arc::new(Grants::read(vault, root).await?);
    Ok(Standing { grants, version, read: asked, asked })
}

/// Brings records into the tree, as long as this process is the one that does.
async fn keep_tree(
    vault: Arc<dyn Vault>,
    standing: watch::Receiver<Standing>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut unsigned = Unsigned::default();
    loop {
        let is_last = is_stopped_within(&mut stopped, INTEGRATE_EVERY).await;
        let keys = Arc::clone(&standing.borrow().grants.keys);
        if let Err(error) = bring(vault.as_ref(), &keys, &mut unsigned, is_last).await {
            tracing::error!(error = %chain(&error), "recorded requests wait for the ledger");
        }
        if is_last {
            return;
        }
    }
}

/// Entries that no checkpoint signs yet.
#[derive(Default)]
struct Unsigned {
    entries: u64,
    since: Option<Instant>,
    /// When the last entry came, or the service began.
    heard: Option<Instant>,
}

impl Unsigned {
    fn heard(&mut self, entries: u64) {
        self.entries += entries;
        self.since.get_or_insert_with(Instant::now);
        self.heard = Some(Instant::now());
    }

    fn signed(&mut self) {
        self.entries = 0;
        self.since = None;
    }

    /// Whether nothing has come for so long that somebody should be told.
    fn is_silent(&mut self, after: Duration) -> bool {
        self.heard.get_or_insert_with(Instant::now).elapsed() >= after
    }
}

async fn bring(
    vault: &dyn Vault,
    keys: &KeyRing,
    unsigned: &mut Unsigned,
    is_last: bool,
) -> Result<(), VaultError> {
    if !vault.leads_intake().await? {
        return Ok(());
    }
    while let Some(entries) = integrate_some(vault, keys).await? {
        unsigned.heard(entries);
        if unsigned.entries >= SIGN_ENTRIES {
            checkpoint(vault, keys).await?;
            unsigned.signed();
        }
    }
    if unsigned.is_silent(HEARTBEAT_AFTER) {
        vault.commit(Vec::new(), vec![heartbeat()]).await?;
        unsigned.heard(1);
    }
    let is_due = unsigned.since.is_some_and(|since| is_last || since.elapsed() >= SIGN_AFTER);
    if is_due {
        checkpoint(vault, keys).await?;
        unsigned.signed();
    }
    Ok(())
}

fn heartbeat() -> Draft {
    Draft {
        actor: "system".to_owned(),
        action: "heartbeat".to_owned(),
        object: "ledger".to_owned(),
        ..Draft::default()
    }
}

/// Waits; `true` where the service ends meanwhile.
async fn is_stopped_within(stopped: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    let told = stopped.wait_for(|stopped| *stopped);
    // A sender that is gone has stopped as well.
    tokio::time::timeout(wait, told).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_ends_a_silence_and_a_signature_does_not() {
        let mut unsigned = Unsigned::default();
        assert!(!unsigned.is_silent(Duration::from_mins(1)));
        assert!(unsigned.is_silent(Duration::ZERO));
        let long_ago = Instant::now().checked_sub(Duration::from_mins(2));
        unsigned.heard = long_ago;
        unsigned.signed();
        assert!(unsigned.is_silent(Duration::from_mins(1)));
        unsigned.heard(3);
        assert!(!unsigned.is_silent(Duration::from_mins(1)));
        assert_eq!(unsigned.entries, 3);
    }
}
