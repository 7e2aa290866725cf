//! Telling somebody: alerts go to hooks, checkpoints to anchors, each once and in order.
//!
//! What is told follows from the ledger; this room only carries it. The vault remembers how far each
//! place was told, so that another process goes on where this one stopped.
//!
//! **Invariant:** nothing is sent but [`Alert`]s and signed checkpoints, which hold no value.

mod carry;

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use crate::alert::{
    Alert, Anchor, BEHIND, BehindConfig, ConfigError, HONEYTOKEN_PLANTED, Hook, NotifyConfig,
    RunFacts, Volume, alerts, overdue,
};
use crate::ledger::{Draft, Entry};
use crate::lifecycle::RunId;
use crate::plan::Assessment;
use crate::policy::Policy;
use crate::ports::{Change, RunRow, ToldRow, Vault, VaultError};

pub use carry::CarryError;

/// Entries of one read.
const ENTRIES: usize = 2_000;

/// Tells the places of one notify file.
pub struct Notifier {
    config: NotifyConfig,
    http: reqwest::Client,
}

/// Why something could not be told. It is tried again with the next occasion.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotifyError {
    /// The notify file cannot be read.
    #[error("`{file}` cannot be read")]
    File {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not understood.
    #[error("`{file}`: {source}")]
    Config {
        /// The file.
        file: String,
        /// Why not.
        source: ConfigError,
    },
    /// There is no way to send anything.
    #[error("nothing can be sent over the network")]
    Network(#[source] reqwest::Error),
    /// A place did not take it.
    #[error("`{place}` was not told")]
    Carry {
        /// The hook or the anchor.
        place: String,
        /// Why not.
        #[source]
        source: CarryError,
    },
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// What was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Alerts, once for each hook.
    pub alerts: u64,
    /// Checkpoints, once for each anchor.
    pub anchored: u64,
}

impl Notifier {
    /// Reads a notify file.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] where it cannot be read or is not understood.
    pub fn read(file: &Path) -> Result<Self, NotifyError> {
        let shown = || file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|source| NotifyError::File { file: shown(), source })?;
        let config = NotifyConfig::parse(&text)
            .map_err(|source| NotifyError::Config { file: shown(), source })?;
        Ok(Self { config, http: carry::client().map_err(NotifyError::Network)? })
    }

    /// Takes note of places that are new: they are told of what comes from now on.
    ///
    /// # Errors
    ///
    /// [`NotifyError::Vault`] where the vault cannot be read or written.
    pub async fn begin(&self, vault: &dyn Vault) -> Result<(), NotifyError> {
        let told = vault.told().await?;
        let size = vault.head().await?.size();
        let new: Vec<Change> = self
            .config
            .hooks
            .iter()
            .map(place_of)
            .filter(|place| !told.iter().any(|row| row.place == *place))
            .map(|place| Change::PutTold(row(place, size)))
            .collect();
        if !new.is_empty() {
            vault.commit(new, Vec::new()).await?;
        }
        Ok(())
    }

    /// Tells every place what it was not told yet. Where one does not take it, the others are told all
    /// the same, and the first error is returned.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] where a place was not told; it is told with the next occasion.
    pub async fn tell(&self, vault: &dyn Vault) -> Result<Told, NotifyError> {
        let mut told = Told::default();
        let mut failed = self.look_for_delay(vault).await.err();
        for anchor in &self.config.anchors {
            match self.anchor(vault, anchor).await {
                Ok(anchored) => told.anchored += anchored,
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        match self.alert(vault).await {
            Ok(alerts) => told.alerts = alerts,
            Err(error) => drop(failed.get_or_insert(error)),
        }
        failed.map_or(Ok(told), Err)
    }

    /// Puts on the ledger which runs at work are behind what their plans said, so that it is told of
    /// while they still are: a run that hangs makes no entry itself.
    async fn look_for_delay(&self, vault: &dyn Vault) -> Result<(), NotifyError> {
        if self.config.hooks.is_empty() {
            return Ok(());
        }
        let workers = vault.workers().await?;
        for row in vault.runs().await?.iter().filter(|row| row.phase.is_open()) {
            let ours = workers.iter().filter(|worker| worker.run == row.run);
            let since = ours.filter_map(|worker| worker.since.parse::<Timestamp>().ok()).min();
            let (Some(since), None) = (since, row.condition) else { continue };
            let Some(facts) = facts_of(row, self.config.behind) else { continue };
            let entries = vault.ledger_of(row.run).await?;
            let now = Timestamp::now();
            let passes = &facts.estimate.passes;
            let Some(late) = overdue(&entries, passes, facts.behind, since, now) else { continue };
            let mut draft = Draft {
                actor: "system".to_owned(),
                action: BEHIND.to_owned(),
                object: format!("run {}", row.run),
                run: Some(row.run),
                ..Draft::default()
            };
            draft.details.insert("pass".to_owned(), late.pass.into());
            draft.counts.insert("so_far_ms".to_owned(), late.so_far_ms);
            draft.counts.insert("estimated_ms".to_owned(), late.estimated_ms);
            vault.commit(Vec::new(), vec![draft]).await?;
        }
        Ok(())
    }

    /// Sends each hook an alert that says it is a trial.
    ///
    /// # Errors
    ///
    /// [`NotifyError`] where one did not take it.
    pub async fn try_out(&self, vault: &dyn Vault) -> Result<u64, NotifyError> {
        let alert = Alert {
            schema: crate::alert::ALERT_SCHEMA,
            kind: crate::alert::AlertKind::Failed,
            ledger: vault.header().await?.origin,
            seq: vault.head().await?.size().saturating_sub(1),
            at: now(),
            actor: "system".to_owned(),
            run: None,
            purpose: None,
            text: "a trial: nothing has happened".to_owned(),
            next: "sealift status".to_owned(),
        };
        for hook in &self.config.hooks {
            self.send(hook, &alert).await?;
        }
        Ok(self.config.hooks.len() as u64)
    }

    async fn anchor(&self, vault: &dyn Vault, anchor: &Anchor) -> Result<u64, NotifyError> {
        let Some((size, note)) = vault.newest_checkpoint().await? else { return Ok(0) };
        let place = format!("anchor {}", anchor.name);
        let before = vault.told().await?.into_iter().find(|row| row.place == place);
        if before.is_some_and(|row| row.size >= size) {
            return Ok(0);
        }
        carry::anchor(anchor, &note)
            .await
            .map_err(|source| NotifyError::Carry { place: place.clone(), source })?;
        vault.commit(vec![Change::PutTold(row(place, size))], Vec::new()).await?;
        Ok(1)
    }

    async fn alert(&self, vault: &dyn Vault) -> Result<u64, NotifyError> {
        let head = vault.head().await?.size();
        let told = vault.told().await?;
        let from = |hook: &Hook| {
            let place = place_of(hook);
            told.iter().find(|row| row.place == place).map_or(head, |row| row.size)
        };
        let Some(first) = self.config.hooks.iter().map(from).min() else { return Ok(0) };
        if first >= head {
            return Ok(0);
        }
        let found = self.found(vault, first, head).await?;
        let (mut sent, mut failed) = (0, None);
        for hook in &self.config.hooks {
            let (mut through, begun) = (from(hook), from(hook));
            let wanted = found.iter().filter(|alert| alert.seq >= begun && hook.wants(alert.kind));
            for alert in wanted {
                if let Err(error) = self.send(hook, alert).await {
                    failed.get_or_insert(error);
                    break;
                }
                sent += 1;
                through = alert.seq + 1;
            }
            if failed.is_none() {
                through = head;
            }
            if through > begun {
                vault
                    .commit(vec![Change::PutTold(row(place_of(hook), through))], Vec::new())
                    .await?;
            }
        }
        failed.map_or(Ok(sent), Err)
    }

    async fn send(&self, hook: &Hook, alert: &Alert) -> Result<(), NotifyError> {
        carry::alert(&self.http, hook, alert)
            .await
            .map_err(|source| NotifyError::Carry { place: place_of(hook), source })
    }

    /// The alerts of the entries from `first` on.
    async fn found(
        &self,
        vault: &dyn Vault,
        first: u64,
        head: u64,
    ) -> Result<Vec<Alert>, NotifyError> {
        let entries = read(vault, first, head).await?;
        let ledger = vault.header().await?.origin;
        let asked = entries.iter().any(|entry| entry.details.contains_key("token_digests"));
        let planted = if asked { planted(vault, head).await? } else { BTreeSet::new() };
        let mut volume = self.volume(vault, &entries, first).await?;
        let facts = facts(vault, self.config.behind).await?;
        let run = |id: RunId| {
            let known = facts.iter().find(|(run, _)| *run == id);
            known.map(|(_, facts)| facts.clone())
        };
        Ok(entries
            .iter()
            .flat_map(|entry| alerts(&ledger, entry, run, &planted, &mut volume))
            .collect())
    }

    /// Counts what was asked in the hour of the first entry before it.
    async fn volume(
        &self,
        vault: &dyn Vault,
        entries: &[Entry],
        first: u64,
    ) -> Result<Volume, NotifyError> {
        let mut volume = Volume::of(self.config.volume.tokens_per_hour);
        let Some(hour) = entries.first().and_then(|entry| entry.at.get(..13)) else {
            return Ok(volume);
        };
        let (mut from, mut before) = (first, Vec::new());
        while from > 0 {
            let start = from.saturating_sub(ENTRIES as u64);
            let mut piece = read(vault, start, from).await?;
            let is_done = piece.first().is_none_or(|entry| !entry.at.starts_with(hour));
            piece.append(&mut before);
            before = piece;
            from = start;
            if is_done {
                break;
            }
        }
        for entry in &before {
            volume.count(entry);
        }
        Ok(volume)
    }
}

fn place_of(hook: &Hook) -> String {
    format!("hook {}", hook.name)
}

fn row(place: String, size: u64) -> ToldRow {
    ToldRow { place, size, at: now() }
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// The entries from `from` up to `until`.
async fn read(vault: &dyn Vault, from: u64, until: u64) -> Result<Vec<Entry>, VaultError> {
    let mut entries = Vec::new();
    let mut at = from;
    while at < until {
        let wanted = usize::try_from(until - at).map_or(ENTRIES, |left| left.min(ENTRIES));
        let bodies = vault.ledger(at, wanted).await?;
        if bodies.is_empty() {
            break;
        }
        at += bodies.len() as u64;
        entries.extend(bodies.iter().filter_map(|body| Entry::parse(body).ok()));
    }
    Ok(entries)
}

/// The tokens that stand for nobody, from the whole ledger: few entries need to be parsed for it.
async fn planted(vault: &dyn Vault, head: u64) -> Result<BTreeSet<String>, VaultError> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < head {
        let bodies = vault.ledger(at, ENTRIES).await?;
        if bodies.is_empty() {
            break;
        }
        at += bodies.len() as u64;
        let named =
            |body: &&Vec<u8>| memchr::memmem::find(body, HONEYTOKEN_PLANTED.as_bytes()).is_some();
        found.extend(bodies.iter().filter(named).filter_map(|body| Entry::parse(body).ok()));
    }
    Ok(crate::alert::honeytokens(&found))
}

/// What the runs of the vault need and expect.
async fn facts(
    vault: &dyn Vault,
    behind: BehindConfig,
) -> Result<Vec<(RunId, RunFacts)>, VaultError> {
    let rows = vault.runs().await?;
    Ok(rows.iter().filter_map(|row| Some((row.run, facts_of(row, behind)?))).collect())
}

fn facts_of(row: &RunRow, behind: BehindConfig) -> Option<RunFacts> {
    let policy: Policy = serde_json::from_str(&row.policy).ok()?;
    let plan: Assessment = serde_json::from_str(&row.plan).ok()?;
    Some(RunFacts {
        plan_approvals: policy.approval.plan,
        purge_approvals: policy.approval.purge,
        estimate: plan.estimate,
        behind,
    })
}
