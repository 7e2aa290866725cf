//! A caller at an unlocked vault: keys are there, the credential is known, roles are asked.

use std::sync::Arc;

use rand::Rng;
use rand::rngs::SysRng;

use super::exit::Failure;
use super::settings::{Settings, Unlock};
use crate::access::{Caller, Refusal, Verb, permit};
use crate::crypto::{
    Credential, KeyFile, KeyHeader, KeyRing, RecoveryCode, RootKey, Slot, SlotError, SlotSecret,
    VaultId,
};
use crate::keystore::{PassphraseSource, read_secret_file};
use crate::ledger::Draft;
use crate::lifecycle::{Phase, RunId};
use crate::ports::{Change, KeyRow, RunRow, SlotRow, Vault};
use crate::serve::{Callers, KeysError};
pub(super) use crate::serve::{caller_mac, is_genuine, stored_id};

/// Runs that are named where none is meant.
const RUNS_NAMED_MAX: usize = 8;

/// A caller at an unlocked vault.
pub(super) struct Desk {
    pub(super) vault: Arc<dyn Vault>,
    pub(super) keys: Arc<KeyRing>,
    pub(super) caller: Caller,
    pub(super) credential: Credential,
    /// The slot that opened the vault.
    pub(super) slot: u32,
}

impl Desk {
    /// Opens the vault, unlocks it, and finds out who asks and whether they may.
    pub(super) async fn open(settings: &Settings, verb: Verb) -> Result<Self, Failure> {
        for refusal in crate::keystore::harden() {
            tracing::warn!("{refusal}");
        }
        let vault = settings.open_vault().await?;
        let (root, slot) = unlock(vault.as_ref(), settings).await?;
        let keys = Arc::new(ring(vault.as_ref(), root).await?);
        let (caller, credential) = authenticate(vault.as_ref(), &keys, settings).await?;
        match permit(&caller, verb, jiff::Timestamp::now()) {
            // Whether a purpose permits it is asked when the purpose is known.
            Ok(()) | Err(Refusal::PurposeMissing { .. }) => {}
            Err(refusal) => return Err(refused(refusal)),
        }
        integrate_intake(vault.as_ref(), &keys).await?;
        // A note: nothing is refused for want of it.
        let used = stored_id(credential.id());
        let noted = crate::serve::note_use(vault.as_ref(), &used, jiff::Timestamp::now()).await;
        if let Err(error) = noted {
            tracing::debug!(error = %crate::serve::chain(&error), "a use is not noted");
        }
        Ok(Self { vault, keys, caller, credential, slot })
    }

    /// A ledger entry of this caller's.
    pub(super) fn draft(&self, action: &str, object: impl Into<String>) -> Draft {
        Draft {
            actor: self.caller.name.clone(),
            action: action.to_owned(),
            object: object.into(),
            ..Draft::default()
        }
    }

    /// Records changes with an entry, and signs.
    pub(super) async fn commit(&self, changes: Vec<Change>, draft: Draft) -> Result<(), Failure> {
        self.vault.commit(changes, vec![draft]).await?;
        crate::serve::checkpoint(self.vault.as_ref(), &self.keys).await?;
        Ok(())
    }
}

/// Requests that were recorded and are not in the tree yet go there before anything else.
async fn integrate_intake(vault: &dyn Vault, keys: &KeyRing) -> Result<(), Failure> {
    crate::serve::integrate(vault, keys).await.map_err(Into::into)
}

/// Opens a slot and checks the root key.
pub(super) async fn unlock(
    vault: &dyn Vault,
    settings: &Settings,
) -> Result<(RootKey, u32), Failure> {
    let header = vault.header().await?;
    let rows = vault.slots().await?;
    let slots: Vec<(u32, Slot)> =
        rows.iter().map(|row| Ok((row.slot, parse_slot(row)?))).collect::<Result<_, Failure>>()?;
    unlock_slots(header.vault, &header.key_check, &slots, settings)
}

/// Opens one of these slots and checks the root key; also says which it was.
pub(super) fn unlock_slots(
    vault: VaultId,
    key_check: &[u8],
    slots: &[(u32, Slot)],
    settings: &Settings,
) -> Result<(RootKey, u32), Failure> {
    let secret = slot_secret(&settings.unlock)?;
    for (number, slot) in slots.iter().filter(|(_, slot)| slot.kind == secret.kind()) {
        match tokio::task::block_in_place(|| slot.open(vault, &secret)) {
            Ok(root) => {
                root.check(vault, key_check).map_err(|error| {
                    Failure::failed(error)
                        .hint("the vault is not as it was written; compare it with a backup")
                })?;
                return Ok((root, *number));
            }
            Err(SlotError::WrongSecret { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::failed(format!("no {} opens this vault", secret.kind().name()))
        .hint("check SEALIFT_PASSPHRASE or `--passphrase-file`, and `--vault`"))
}

pub(super) fn parse_slot(row: &SlotRow) -> Result<Slot, Failure> {
    serde_json::from_str(&row.body).map_err(|_| Failure::malformed(format!("slot {}", row.slot)))
}

fn slot_secret(unlock: &Unlock) -> Result<SlotSecret, Failure> {
    match unlock {
        Unlock::Passphrase { file, environment } => {
            let source = PassphraseSource::choose(file.clone(), environment.clone());
            Ok(SlotSecret::Passphrase(source.read()?))
        }
        Unlock::Recovery(file) => recovery_secret(file),
        Unlock::KeyFile(file) => key_file_secret(file),
    }
}

pub(super) fn recovery_secret(file: &std::path::Path) -> Result<SlotSecret, Failure> {
    let text = read_secret_file(file)?;
    let code = RecoveryCode::parse(&text);
    code.map(SlotSecret::RecoveryCode).map_err(|error| no_secret(file, "recovery code", error))
}

pub(super) fn key_file_secret(file: &std::path::Path) -> Result<SlotSecret, Failure> {
    let text = read_secret_file(file)?;
    let key = KeyFile::parse(&text);
    key.map(SlotSecret::KeyFile).map_err(|error| no_secret(file, "key of a key file", error))
}

/// A file that holds something else than the secret that is wanted; what it holds is not said.
fn no_secret(
    file: &std::path::Path,
    what: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Failure {
    Failure::failed(format!("`{}` holds no {what}: {error}", file.display()))
        .hint("name the file that Sealift wrote; it is not changed by hand")
}

/// Unwraps every key of the vault.
pub(super) async fn ring(vault: &dyn Vault, root: RootKey) -> Result<KeyRing, Failure> {
    crate::serve::key_ring(vault, root).await.map_err(|error| match error {
        KeysError::Vault(error) => error.into(),
        KeysError::Ring(error) => {
            Failure::failed(error).hint("the vault's key rows were changed; compare with a backup")
        }
        error => {
            Failure::failed(error).hint("the vault's key rows were changed; compare with a backup")
        }
    })
}

pub(super) fn header_of(vault: VaultId, row: &KeyRow) -> Result<KeyHeader, Failure> {
    crate::serve::header_of(vault, row)
        .ok_or_else(|| Failure::malformed(format!("key {}", row.key)))
}

/// A key as the vault stores it.
pub(super) fn key_row(header: &KeyHeader, wrapped: Vec<u8>) -> KeyRow {
    KeyRow {
        key: header.id.0,
        purpose: header.purpose.name().to_owned(),
        subject: header.subject.clone(),
        version: header.version,
        state: header.state.name().to_owned(),
        created_at: header.created_at.clone(),
        changed_at: header.changed_at.clone(),
        wrapped: Some(wrapped),
    }
}

/// Finds out who asks: the credential has to be known, unrevoked, and its row genuine.
async fn authenticate(
    vault: &dyn Vault,
    keys: &KeyRing,
    settings: &Settings,
) -> Result<(Caller, Credential), Failure> {
    let file = settings.credential_file.as_ref().ok_or_else(|| {
        Failure::failed("no credential is named")
            .hint("name its file: `--as-file FILE`, or set SEALIFT_CREDENTIAL_FILE")
    })?;
    let text = read_secret_file(file)?;
    let credential =
        Credential::parse(&text).map_err(|error| no_secret(file, "credential", error))?;
    let unknown = || {
        Failure::refused("the credential is not one of this vault's")
            .hint("ask a steward: `sealift caller add NAME --role ROLE --credential-file FILE`")
    };
    let callers = Callers::read(vault, keys).await?;
    let caller = callers.holder(&credential).cloned().ok_or_else(unknown)?;
    Ok((caller, credential))
}

/// An act that the policy or the role does not allow.
pub(super) fn refused(refusal: Refusal) -> Failure {
    Failure::refused(refusal).hint("docs/ACCESS.md says which role and which purpose may do what")
}

/// Finds the run that is meant: by its id, by a unique prefix, or the only one that `fits`.
pub(super) async fn find_run(
    vault: &dyn Vault,
    typed: Option<&str>,
    fits: impl Fn(Phase) -> bool,
) -> Result<RunRow, Failure> {
    let runs = vault.runs().await?;
    let is_meant = |row: &RunRow| match typed {
        Some(prefix) => row.run.to_string().starts_with(prefix),
        None => fits(row.phase),
    };
    let (mut found, others): (Vec<RunRow>, Vec<RunRow>) = runs.into_iter().partition(is_meant);
    match (found.len(), typed) {
        (1, _) => Ok(found.remove(0)),
        (0, Some(typed)) => Err(Failure::failed(format!("there is no run `{typed}`"))
            .hint("`sealift status --all` lists them")),
        (0, None) => Err(none_fits(&others)),
        (many, _) => Err(Failure::failed(format!("{many} runs could be meant"))
            .hint("name one; `sealift status` lists them")),
    }
}

/// No run stands where the verb begins: the open ones are named with where they stand.
fn none_fits(others: &[RunRow]) -> Failure {
    let open: Vec<&RunRow> = others.iter().filter(|row| row.phase.is_open()).collect();
    match open.as_slice() {
        [] => Failure::failed("there is no run that this could mean")
            .hint("`sealift status --all` lists them"),
        [one] => Failure::failed(format!(
            "there is no run that this could mean: run {} is `{}`",
            one.run, one.phase
        ))
        .hint(format!("`sealift status {}` says what comes next", one.run)),
        [_, ..] => {
            let stand = open.iter().map(|row| format!("{} is `{}`", row.run, row.phase));
            let stand: Vec<String> = stand.take(RUNS_NAMED_MAX).collect();
            Failure::failed(format!(
                "there is no run that this could mean, of {} that are open: {}",
                open.len(),
                stand.join(", ")
            ))
            .hint("`sealift status` says what comes next for each")
        }
    }
}

/// Now, as ledger and rows have it.
pub(super) fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// Random bytes from the operating system, for keys.
pub(super) struct OsRandom;

impl rand::TryRng for OsRandom {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        if SysRng.try_fill_bytes(bytes).is_err() {
            // The generator of this thread was seeded by the system, and is good for keys too.
            rand::rng().fill_bytes(bytes);
        }
        Ok(())
    }
}

impl rand::TryCryptoRng for OsRandom {}

/// A new run id that no run has.
pub(super) fn new_run_id(runs: &[RunRow]) -> RunId {
    loop {
        let run = RunId(rand::rng().next_u32());
        if !runs.iter().any(|row| row.run == run) {
            return run;
        }
    }
}
