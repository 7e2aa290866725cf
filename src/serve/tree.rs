//! Recorded requests on their way into the ledger's tree, while a service runs.
//!
//! One service leads, and the others let it. A leader that stands still, but whose session with the
//! vault lives on, would hold them all up: what waits too long, whoever sees it brings. That two do so
//! at once costs one of them its work, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::intake::integrate_some;
use super::standing::{Standing, Told, is_stopped_within};
use super::uses::Uses;
use super::{chain, checkpoint};
use crate::crypto::KeyRing;
use crate::ledger::Draft;
use crate::ports::{Vault, VaultError};

/// How often recorded requests are brought into the tree.
const INTEGRATE_EVERY: Duration = Duration::from_millis(200);

/// Entries after which the ledger is signed …
const SIGN_ENTRIES: u64 = 1_000;

/// … or this long after the first that is not signed.
const SIGN_AFTER: Duration = Duration::from_mins(1);

/// After so long without an entry, one says that the service is alive: so silence on the ledger is no
/// quiet hour, but a service that is gone.
const HEARTBEAT_AFTER: Duration = Duration::from_mins(10);

/// How often who does not lead looks whether anything waits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a record may wait for the one that leads.
const WAITS_FOR: Duration = Duration::from_secs(5);

/// Brings records into the tree, as long as this process is the one that does, and notes which
/// credentials were used.
pub(super) async fn keep(
    vault: Arc<dyn Vault>,
    standing: watch::Receiver<Standing>,
    uses: Arc<Uses>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut unsigned = Unsigned::default();
    let mut told = Told::default();
    let mut waiting = Waiting { looked: Instant::now(), first: None };
    loop {
        let is_last = is_stopped_within(&mut stopped, INTEGRATE_EVERY).await;
        let keys = Arc::clone(&standing.borrow().grants.keys);
        let brought = bring(vault.as_ref(), &keys, &mut unsigned, &mut waiting, is_last).await;
        match brought.map_err(|error| chain(&error)) {
            Ok(()) => {
                told.is_over();
            }
            Err(error) if told.is_new(&error) => {
                tracing::error!(%error, "recorded requests wait for the ledger");
            }
            Err(_) => {}
        }
        if is_last {
            uses.note_all(vault.as_ref()).await;
            return;
        }
        uses.note(vault.as_ref()).await;
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

/// The record that has waited longest, as far as who does not lead has seen.
struct Waiting {
    looked: Instant,
    first: Option<(String, u64, Instant)>,
}

impl Waiting {
    /// Whether the same record is the first that waits for too long by now.
    async fn is_too_long(&mut self, vault: &dyn Vault) -> Result<bool, VaultError> {
        if self.looked.elapsed() < LOOK_EVERY {
            return Ok(false);
        }
        self.looked = Instant::now();
        let first = vault.intake_rows(1).await?.pop();
        let known = self.first.take();
        self.first = first.map(|row| match known {
            Some((writer, number, since)) if (&writer, number) == (&row.writer, row.number) => {
                (writer, number, since)
            }
            _ => (row.writer, row.number, Instant::now()),
        });
        Ok(self.first.as_ref().is_some_and(|(.., since)| since.elapsed() >= WAITS_FOR))
    }
}

async fn bring(
    vault: &dyn Vault,
    keys: &KeyRing,
    unsigned: &mut Unsigned,
    waiting: &mut Waiting,
    is_last: bool,
) -> Result<(), VaultError> {
    let leads = vault.leads_intake().await?;
    // Who ends brings what is left, whoever leads.
    if leads || is_last || waiting.is_too_long(vault).await? {
        while let Some(entries) = integrate_some(vault, keys).await? {
            unsigned.heard(entries);
            if unsigned.entries >= SIGN_ENTRIES {
                checkpoint(vault, keys).await?;
                unsigned.signed();
            }
        }
    }
    if leads && unsigned.is_silent(HEARTBEAT_AFTER) {
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
