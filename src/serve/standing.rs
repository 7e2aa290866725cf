//! What the vault grants, kept up to date while a service runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::watch;

use super::grants::Grants;
use super::{KeysError, chain};
use crate::crypto::RootKey;
use crate::ports::{SlotRow, Vault, VaultError, VaultHeader};

/// What was read counts this long after the vault last said that it stands.
pub(super) const STANDS_FOR: Duration = Duration::from_millis(900);

/// How often the vault is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Everything is read again after this time, whatever the vault says of changes.
const READ_ANEW_AFTER: Duration = Duration::from_mins(1);

/// How often another root key is tried to be unlocked: a passphrase costs a while on purpose.
const UNLOCK_EVERY: Duration = Duration::from_secs(5);

/// What was read, and when the vault last said that it stands.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) grants: Arc<Grants>,
    pub(super) version: u64,
    pub(super) read: Instant,
    pub(super) asked: Instant,
}

/// Opens a vault's root key again, in the way in which it was opened when the service began.
#[async_trait]
pub trait Unlock: Send + Sync {
    /// The root key; `None` where it cannot be had without asking somebody, or not at all.
    async fn unlock(&self, header: &VaultHeader, slots: Vec<SlotRow>) -> Option<RootKey>;
}

impl Standing {
    /// Reads what the vault grants.
    pub(super) async fn read(vault: &dyn Vault, root: RootKey) -> Result<Self, KeysError> {
        // ORDER: the version before the rows: what changes meanwhile is read again.
        let asked = Instant::now();
        let version = vault.grants_version().await?;
        let grants = Arc::new(Grants::read(vault, root).await?);
        Ok(Self { grants, version, read: asked, asked })
    }

    /// Whether it counts still.
    pub(super) fn stands(&self) -> bool {
        self.asked.elapsed() < STANDS_FOR
    }
}

/// Keeps what the vault grants up to date. It only reads, so that nothing that waits for the vault's
/// lock makes what was read too old.
pub(super) async fn keep(
    vault: Arc<dyn Vault>,
    unlock: Arc<dyn Unlock>,
    standing: watch::Sender<Standing>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut tried: Option<Instant> = None;
    let mut told = Told::default();
    loop {
        let last = standing.borrow().clone();
        match ask(vault.as_ref(), &last).await {
            Ok(next) => {
                if told.is_over() {
                    tracing::info!("the vault can be read again");
                }
                drop(standing.send_replace(next));
            }
            // The wraps are of another root key by now: `keys rewrap`. What was unwrapped is the same.
            Err(KeysError::Ring(error))
                if tried.is_none_or(|tried| tried.elapsed() >= UNLOCK_EVERY) =>
            {
                tried = Some(Instant::now());
                tracing::warn!(error = %chain(&error), "the root key is another one: unlocking anew");
                match unlocked(vault.as_ref(), unlock.as_ref()).await {
                    Ok(Some(next)) => {
                        tracing::info!("unlocked with the new root key");
                        drop(standing.send_replace(next));
                    }
                    Ok(None) => tracing::error!(
                        "the new root key cannot be unlocked as the old one was: start the service again"
                    ),
                    Err(error) => tracing::error!(error = %chain(&error), "not unlocked"),
                }
            }
            // What was read stops to count by itself.
            Err(error) => tell(&error, &mut told),
        }
        if is_stopped_within(&mut stopped, ASK_EVERY).await {
            return;
        }
    }
}

fn tell(error: &KeysError, last: &mut Told) {
    let told = chain(error);
    if !last.is_new(&told) {
        return;
    }
    if matches!(error, KeysError::Vault(VaultError::Moved { .. })) {
        tracing::error!(
            error = %told,
            "nothing is answered: stop the service, put the file back or start it on the right one"
        );
    } else {
        tracing::error!(error = %told, "the vault cannot be read");
    }
}

/// What was told last, so that what stays wrong is told once and not five times a second.
#[derive(Default)]
pub(super) struct Told(Option<String>);

impl Told {
    /// Whether this was not what was told last.
    pub(super) fn is_new(&mut self, error: &str) -> bool {
        let is_new = self.0.as_deref() != Some(error);
        if is_new {
            self.0 = Some(error.to_owned());
        }
        is_new
    }

    /// Whether something was wrong until now.
    pub(super) fn is_over(&mut self) -> bool {
        self.0.take().is_some()
    }
}

async fn ask(vault: &dyn Vault, last: &Standing) -> Result<Standing, KeysError> {
    let asked = Instant::now();
    let version = vault.grants_version().await?;
    if version == last.version && last.read.elapsed() < READ_ANEW_AFTER {
        return Ok(Standing { asked, ..last.clone() });
    }
    Standing::read(vault, last.grants.keys.root().duplicate()).await
}

async fn unlocked(vault: &dyn Vault, unlock: &dyn Unlock) -> Result<Option<Standing>, KeysError> {
    let header = vault.header().await?;
    let slots = vault.slots().await?;
    let Some(root) = unlock.unlock(&header, slots).await else { return Ok(None) };
    Standing::read(vault, root).await.map(Some)
}

/// Waits; `true` where the service ends meanwhile.
pub(super) async fn is_stopped_within(stopped: &mut watch::Receiver<bool>, wait: Duration) -> bool {
    let told = stopped.wait_for(|stopped| *stopped);
    // A sender that is gone has stopped as well.
    tokio::time::timeout(wait, told).await.is_ok()
}
