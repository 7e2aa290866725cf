//! A run brought to work: its row is genuine, its lock is held, its domains and keys exist.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::desk::{Desk, OsRandom, key_row, now, ring};
use super::exit::Failure;
use super::output::Output;
use super::process::{bury_dead, shown_host, this};
use super::settings::Settings;
use crate::access::grants::{DomainGrant, Grant, RunGrant};
use crate::backup::{AgeFolder, LostFolder, new_identity};
use crate::catalog::{Catalog, differences};
use crate::crypto::{DataKey, FormatKey, KeyHeader, KeyId, KeyPurpose, TokenKey, WrappedKey};
use crate::engine::postgres::vault::{PostgresRunLock, RunShare};
use crate::engine::postgres::{is_postgres, lease_time, process_name};
use crate::engine::sqlite::path_of;
use crate::lifecycle::{Event, Phase};
use crate::plan::{Assessment, fingerprint, fingerprint_after};
use crate::policy::{ColumnRule, Policy, TokenKind};
use crate::ports::{
    BackupError, BackupStore, Change, Condition, DomainRow, Holder, Piece, RunRow, Task, Vault,
};
use crate::run::{Began, Crew, Job, RunError, Stop, Throttle, Watch, Watching};
use crate::token::DomainId;

/// Held while a process works on runs of a vault; it dies with the process.
#[expect(dead_code, reason = "held, not read")]
pub(super) enum RunLock {
    /// Of a file beside the vault's own.
    File(File),
    /// Of a session with the vault's server.
    Session(PostgresRunLock),
}

impl RunLock {
    /// Takes the lock of the vault. What dead processes of this machine have left behind is cleared
    /// away first, so that nobody has to wait for it.
    pub(super) async fn take(
        settings: &Settings,
        vault: &dyn Vault,
        share: RunShare,
    ) -> Result<Self, Failure> {
        for dead in bury_dead(vault, settings).await {
            super::output::note(format!("takes over from process {}, which is dead", dead.pid));
        }
        if is_postgres(&settings.vault) {
            let taken = PostgresRunLock::take(&settings.vault, share).await?;
            let Some(lock) = taken else { return Err(busy(vault).await) };
            return Ok(Self::Session(lock));
        }
        let path = path_of(&settings.vault).ok_or_else(|| {
            Failure::failed("the vault is no file")
                .hint("check `--vault`: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")
        })?;
        let path = with_end(path, "lock");
        let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let file = file.map_err(|error| Failure::unwritable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self::File(file)),
            Err(TryLockError::WouldBlock) => Err(busy(vault).await),
            Err(TryLockError::Error(error)) => Err(Failure::unwritable(&path, &error)),
        }
    }
}

/// Says who is at work.
async fn busy(vault: &dyn Vault) -> Failure {
    let workers = vault.workers().await.unwrap_or_default();
    let who = workers
        .iter()
        .map(|worker| format!("process {} on `{}`", worker.pid, shown_host(&worker.host)));
    let who = who.collect::<Vec<_>>().join(", ");
    let named = if who.is_empty() { String::new() } else { format!(": {who}") };
    Failure::refused(format!("another process works on a run of this vault{named}"))
        .hint("wait for it, or see `sealift status`; a dead process holds nothing")
}

/// Enters this process among those at work, and tells others what it does until it is dropped.
pub(super) async fn at_work(job: &Job) -> Result<AtWork, Failure> {
    let watching = crate::run::watch(job, this(job.run)).await?;
    Ok(AtWork { watching, vault: Arc::clone(&job.vault) })
}

/// This process among those at work.
pub(super) struct AtWork {
    watching: Watching,
    vault: Arc<dyn Vault>,
}

impl AtWork {
    /// Leaves. A process that cannot is taken for dead soon.
    pub(super) async fn leave(self) {
        let Self { watching, vault } = self;
        drop(watching);
        let _ = vault.evict(process_name()).await;
    }
}

/// Where a verification sorts its buckets: beside the vault's file, or beside the run's backup.
pub(super) fn scratch(vault: &str, row: &RunRow) -> PathBuf {
    with_end(path_of(vault).unwrap_or_else(|| PathBuf::from(&row.backup_dir)), "verify")
}

/// As [`scratch`], but this process's own, where others may have joined: one that was stopped in the
/// middle of a verification may go on sorting. What such ones have left is removed.
pub(super) fn own_scratch(settings: &Settings, row: &RunRow) -> PathBuf {
    let shared = scratch(&settings.vault, row);
    if !settings.can_be_joined() {
        return shared;
    }
    let begin = with_end(shared.clone(), "");
    let folder = shared.parent().map(Path::to_path_buf).unwrap_or_default();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.as_os_str().as_encoded_bytes().starts_with(begin.as_os_str().as_encoded_bytes()) {
            // What cannot be removed is in nobody's way.
            let _ = std::fs::remove_dir_all(path);
        }
    }
    with_end(shared, process_name())
}

fn with_end(path: PathBuf, end: &str) -> PathBuf {
    let mut name = path.into_os_string();
    name.push(format!(".{end}"));
    PathBuf::from(name)
}

/// Parses what a run's row holds.
pub(super) fn parsed(row: &RunRow) -> Result<(Policy, Assessment), Failure> {
    let malformed = |_| Failure::malformed(format!("the row of run {}", row.run));
    Ok((
        serde_json::from_str(&row.policy).map_err(malformed)?,
        serde_json::from_str(&row.plan).map_err(malformed)?,
    ))
}

/// The part of a run's row that grants.
pub(super) fn run_grant(row: &RunRow) -> RunGrant<'_> {
    RunGrant {
        run: row.run,
        source: &row.source,
        policy: &row.policy,
        policy_hash: &row.policy_hash,
        plan: &row.plan,
        fingerprint: &row.fingerprint,
        planned_by: &row.planned_by,
        planned_at: &row.planned_at,
        backup_dir: &row.backup_dir,
    }
}

/// Refuses a row that somebody wrote who does not hold the control key.
pub(super) fn genuine(desk: &Desk, row: &RunRow) -> Result<(), Failure> {
    if run_grant(row).is_genuine(desk.keys.control(), &row.mac) {
        Ok(())
    } else {
        Err(Failure::refused(format!("the row of run {} was changed behind our back", row.run))
            .hint("plan again; what the row says now was never approved"))
    }
}

/// Brings a run to work, with one worker more than the machine has cores: while one waits for the disk
/// the others keep them busy.
pub(super) async fn job(
    desk: &Desk,
    settings: &Settings,
    out: &Output,
    row: &RunRow,
) -> Result<Job, Failure> {
    job_of(desk, settings, out, row, None).await
}

/// As [`job`], of a run whose backup folder is lost: for who needs no file of it.
pub(super) async fn job_without_folder(
    desk: &Desk,
    settings: &Settings,
    out: &Output,
    row: &RunRow,
) -> Result<Job, Failure> {
    Box::pin(brought(desk, settings, out, row, (None, Kept::Lost))).await
}

/// Whether the folder of a run's backup is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// It has to be.
    There,
    /// It is known not to be.
    Lost,
}

/// As [`job`], with so many workers.
pub(super) async fn job_of(
    desk: &Desk,
    settings: &Settings,
    out: &Output,
    row: &RunRow,
    workers: Option<u16>,
) -> Result<Job, Failure> {
    Box::pin(brought(desk, settings, out, row, (workers, Kept::There))).await
}

async fn brought(
    desk: &Desk,
    settings: &Settings,
    out: &Output,
    row: &RunRow,
    (workers, kept): (Option<u16>, Kept),
) -> Result<Job, Failure> {
    genuine(desk, row)?;
    let (policy, plan) = parsed(row)?;
    let source = settings.open_source().await?;
    same_source(desk, source.as_ref()).await?;
    // Before anything is written: an older copy would begin its backup anew, over the only one.
    let marker = super::backup::marker(desk, row);
    let base = Path::new(&row.backup_dir);
    let noted = match AgeFolder::ledger_noted(base, row.run, &marker) {
        // It is another run's, and says nothing of this vault.
        Err(BackupError::NoMarker { .. }) if kept == Kept::Lost => 0,
        noted => noted?,
    };
    no_older_than(desk, noted).await?;
    let (keys, files) = match kept {
        Kept::There => {
            let (keys, files) = prepared(desk, settings, row, &policy).await?;
            let files: Arc<dyn BackupStore> = Arc::new(files);
            (keys, files)
        }
        Kept::Lost => {
            let keys = prepared_keys(desk, row, &policy).await?;
            let files: Arc<dyn BackupStore> = Arc::new(LostFolder::of(base, row.run));
            (keys, files)
        }
    };
    let keys = Arc::new(keys);
    let has_workers = settings.has_workers();
    let workers = workers.map_or_else(Crew::usual, usize::from);
    let tell = |told: &str| super::output::note(told);
    Ok(Job {
        run: row.run,
        throttle: Arc::new(Throttle::new(policy.throttle.clone(), has_workers)),
        watch: Arc::new(Watch::new(Arc::new(tell))),
        crew: Crew::new(process_name(), workers, lease_time(), has_workers),
        policy,
        plan,
        fingerprint: row.fingerprint.clone(),
        source,
        vault: Arc::clone(&desk.vault),
        files,
        keys,
        actor: desk.caller.name.clone(),
        progress: Arc::from(out.progress()),
        stop: stop_on_interrupt(),
        lock_meter: Arc::default(),
        whole: Arc::default(),
        began: Arc::new(Began::now()),
    })
}

/// The same run over connections of their own and keys that are unwrapped anew, for verification.
pub(super) async fn fresh(desk: &Desk, settings: &Settings, job: &Job) -> Result<Job, Failure> {
    let vault = settings.open_vault().await?;
    let keys = Arc::new(ring(vault.as_ref(), desk.keys.root().duplicate()).await?);
    let (source, began) = (settings.open_source().await?, Arc::new(Began::now()));
    Ok(Job { source, vault, keys, began, ..job.clone() })
}

/// Ctrl-C finishes the batch at hand.
fn stop_on_interrupt() -> Stop {
    let stop = Stop::default();
    let asked = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            asked.ask();
            super::output::note("stopping at the end of this batch");
        }
    });
    stop
}

/// Refuses a vault whose ledger is shorter than one that was seen: it was restored from a copy, and
/// knows nothing of what has happened since.
async fn no_older_than(desk: &Desk, expected: u64) -> Result<(), Failure> {
    let found = desk.vault.head().await?.size();
    if found < expected { Err(RunError::OldVault { found, expected }.into()) } else { Ok(()) }
}

/// Refuses a source whose tokens belong to another vault, or to a newer copy of this one, before
/// anything is written.
pub(super) async fn same_source(
    desk: &Desk,
    source: &dyn crate::ports::Source,
) -> Result<(), Failure> {
    let expected = desk.keys.vault().to_string();
    match source.identity().await? {
        Some(identity) if identity.vault != expected => {
            Err(crate::ports::SourceError::OtherVault { found: identity.vault, expected }.into())
        }
        _ => no_older_than(desk, source.ledger_seen().await?).await,
    }
}

/// Makes the domains, their keys and the run's identity where they are missing, and unlocks again.
async fn prepared_keys(
    desk: &Desk,
    row: &RunRow,
    policy: &Policy,
) -> Result<crate::crypto::KeyRing, Failure> {
    // The same root key, and every key unwrapped anew: another process may have made some since.
    let keys = ring(desk.vault.as_ref(), desk.keys.root().duplicate()).await?;
    let missing = missing(desk, &keys, row, policy).await?;
    if missing.changes.is_empty() {
        return Ok(keys);
    }
    let mut draft = desk.draft("keys_made", format!("run {}", row.run));
    draft.run = Some(row.run);
    draft.key_ids = missing.ids;
    draft.policy = Some(policy.hash.clone());
    desk.commit(missing.changes, draft).await?;
    ring(desk.vault.as_ref(), desk.keys.root().duplicate()).await
}

/// Keys and folder of a run that others may join are made by one process: a second identity would
/// lock the first one's files.
async fn prepared(
    desk: &Desk,
    settings: &Settings,
    row: &RunRow,
    policy: &Policy,
) -> Result<(crate::crypto::KeyRing, AgeFolder), Failure> {
    let both = async || {
        let keys = prepared_keys(desk, row, policy).await?;
        let files = folder(desk, row, policy, &keys).await?;
        Ok((keys, files))
    };
    if !settings.can_be_joined() {
        return both().await;
    }
    let vault = desk.vault.as_ref();
    let alone = Piece {
        run: row.run,
        task: Task::Alone,
        unit: 0,
        table: 0,
        range: 0,
        lower: None,
        upper: None,
    };
    vault.add_pieces(&[(alone, 0)]).await?;
    let holder = Holder { worker: process_name().to_owned(), slot: 0 };
    let lease_ms = u64::try_from(lease_time().as_millis()).unwrap_or(u64::MAX);
    let lease = loop {
        // Behind `approved` everything is there, and whoever works alone does so for long.
        if vault.run_state(row.run).await?.phase.rank() > Phase::Approved.rank() {
            return both().await;
        }
        if let Some(lease) = vault.take_piece(row.run, Task::Alone, &holder, lease_ms).await? {
            break lease;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    vault.hold(Some(lease.clone()));
    let made = both().await;
    vault.hold(None);
    vault.give_back(&lease).await?;
    made
}

#[derive(Default)]
struct Missing {
    changes: Vec<Change>,
    ids: Vec<u32>,
}

async fn missing(
    desk: &Desk,
    keys: &crate::crypto::KeyRing,
    row: &RunRow,
    policy: &Policy,
) -> Result<Missing, Failure> {
    let mut missing = Missing::default();
    let mut next = keys.next_id().0;
    let mut domains = desk.vault.domains().await?;
    for rule in &policy.columns {
        let name = policy.domain_of(rule);
        if !domains.iter().any(|domain| domain.name == name) {
            let domain = domain_row(desk, &domains, &name, rule)?;
            missing.changes.push(Change::PutDomain(domain.clone()));
            domains.push(domain);
        }
        for purpose in [KeyPurpose::Data, KeyPurpose::Token, KeyPurpose::Format] {
            let wanted = purpose != KeyPurpose::Format || rule.token == TokenKind::Format;
            let known = keys.id_of(purpose, &name).is_some()
                || missing.changes.iter().any(|change| is_key(change, purpose, &name));
            if wanted && !known {
                missing.changes.push(new_key(desk, purpose, &name, next)?);
                missing.ids.push(next);
                next += 1;
            }
        }
    }
    if keys.id_of(KeyPurpose::Run, &row.run.to_string()).is_none() {
        let header = KeyHeader::new(
            desk.keys.vault(),
            KeyId(next),
            KeyPurpose::Run,
            &row.run.to_string(),
            &now(),
        );
        let secret = new_identity();
        let wrapped = desk.keys.root().wrap(&header, secret.as_bytes(), &mut OsRandom);
        missing.changes.push(Change::PutKey(key_row(&header, wrapped)));
        missing.ids.push(next);
    }
    Ok(missing)
}

fn is_key(change: &Change, purpose: KeyPurpose, subject: &str) -> bool {
    matches!(change, Change::PutKey(row) if row.purpose == purpose.name() && row.subject == subject)
}

fn new_key(desk: &Desk, purpose: KeyPurpose, subject: &str, id: u32) -> Result<Change, Failure> {
    fn wrapped<K: WrappedKey>(desk: &Desk, header: &KeyHeader, key: &K) -> Result<Change, Failure> {
        let wrapped =
            desk.keys.root().wrap_key(header, key, &mut OsRandom).map_err(Failure::fault)?;
        Ok(Change::PutKey(key_row(header, wrapped)))
    }
    let header = KeyHeader::new(desk.keys.vault(), KeyId(id), purpose, subject, &now());
    match purpose {
        KeyPurpose::Data => wrapped(desk, &header, &DataKey::generate(&mut OsRandom)),
        KeyPurpose::Token => wrapped(desk, &header, &TokenKey::generate(&mut OsRandom)),
        KeyPurpose::Format => wrapped(desk, &header, &FormatKey::generate(&mut OsRandom)),
        KeyPurpose::Run | KeyPurpose::Control | KeyPurpose::Index | KeyPurpose::Ledger => {
            Err(Failure::fault(format!("a domain has no {} key", purpose.name())))
        }
    }
}

fn domain_row(
    desk: &Desk,
    domains: &[DomainRow],
    name: &str,
    rule: &ColumnRule,
) -> Result<DomainRow, Failure> {
    let number = domains.iter().map(|row| row.domain.0).max().unwrap_or(0) + 1;
    let domain = DomainId::new(number).ok_or_else(|| {
        Failure::failed("the vault has no room for another domain")
            .hint("give columns a `domain` in common, or use a second vault")
    })?;
    let mut row = DomainRow {
        domain,
        name: name.to_owned(),
        class: rule.class.clone(),
        treatment: serde_json::to_string(rule).map_err(Failure::fault)?,
        mac: Vec::new(),
    };
    let grant = DomainGrant {
        domain: row.domain,
        name: &row.name,
        class: &row.class,
        treatment: &row.treatment,
    };
    row.mac = grant.mac(desk.keys.control()).to_vec();
    Ok(row)
}

/// Opens the run's folder; it is made in phase `approved` and has to be there afterwards.
async fn folder(
    desk: &Desk,
    row: &RunRow,
    policy: &Policy,
    keys: &crate::crypto::KeyRing,
) -> Result<AgeFolder, Failure> {
    let secret = keys.run_secret(&row.run.to_string()).ok_or_else(|| {
        Failure::failed(format!("the key that opens the backup of run {} is gone", row.run)).hint(
            "a purge destroys it; before one, compare the vault with a backup of it before going on",
        )
    })?;
    let base = Path::new(&row.backup_dir);
    let marker = super::backup::marker(desk, row);
    let others = &policy.backup.recipients;
    // A purge that was cut off while it destroyed the folder has only that left to do.
    let is_leaving = row.phase == Phase::PurgeApproved
        && crate::run::PurgeFacts::of(&desk.vault.ledger_of(row.run).await?).is_some();
    // Whoever joins must find the folder of those at work: one made here would be another.
    let has_begun = !desk.vault.files(row.run).await?.is_empty()
        || desk.vault.workers().await?.iter().any(|worker| worker.is_live && worker.run == row.run);
    let begins = matches!(row.phase, Phase::Planned | Phase::Approved) && !has_begun;
    if begins || is_leaving {
        let copy = keys_copy(desk.vault.as_ref()).await?;
        return Ok(AgeFolder::prepare(base, row.run, secret.expose(), others, &marker, &copy)?);
    }
    Ok(AgeFolder::open(base, row.run, secret.expose(), others, &marker)?)
}

/// Slots and wrapped keys, so that a lost vault does not lose the backup.
async fn keys_copy(vault: &dyn Vault) -> Result<String, Failure> {
    serde_json::to_string_pretty(&keys_json(vault).await?).map_err(Failure::fault)
}

/// Slots and wrapped keys: with the passphrase, all that opens what was sealed.
pub(super) async fn keys_json(vault: &dyn Vault) -> Result<serde_json::Value, Failure> {
    let header = vault.header().await?;
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let slots: Vec<serde_json::Value> = vault
        .slots()
        .await?
        .iter()
        .filter_map(|row| serde_json::from_str(&row.body).ok())
        .collect();
    let keys: Vec<serde_json::Value> = vault
        .keys()
        .await?
        .iter()
        .map(|row| {
            serde_json::json!({
                "key": row.key, "purpose": row.purpose, "subject": row.subject,
                "version": row.version, "state": row.state, "created_at": row.created_at,
                "changed_at": row.changed_at,
                "wrapped": row.wrapped.as_deref().map(hex),
            })
        })
        .collect();
    Ok(serde_json::json!({
        "vault": header.vault.to_string(), "format": header.format,
        "key_check": hex(&header.key_check), "slots": slots, "keys": keys,
    }))
}

/// Refuses to go on over a catalog that is not the one that was signed.
pub(super) async fn unchanged_catalog(desk: &Desk, job: &Job, phase: Phase) -> Result<(), Failure> {
    let catalog = job.source.catalog().await?;
    if is_as_planned(job, phase, &catalog) {
        return Ok(());
    }
    let reason = &another_catalog(&job.plan, &catalog);
    let plan_again = "plan again with the same policy: `sealift plan --policy FILE`, then approve";
    if phase == Phase::Planned {
        // Nothing was signed, or is signed any more: there is nothing to hold.
        return Err(Failure::refused(reason.clone()).hint(plan_again));
    }
    if phase == Phase::Approved {
        let mut draft = job.draft(Event::ApprovalVoided.name());
        draft.details.insert("why".into(), reason.clone().into());
        let changes = vec![
            Change::Advance { run: job.run, from: phase, event: Event::ApprovalVoided },
            Change::VoidApprovals(job.run, crate::ledger::ApprovalKind::Plan),
        ];
        desk.commit(changes, draft).await?;
        return Err(Failure::refused(reason.clone()).hint(plan_again));
    }
    let change = Change::SetCondition {
        run: job.run,
        condition: Some(Condition::Paused),
        reason: reason.clone(),
    };
    let mut draft = job.draft("paused");
    draft.details.insert("why".into(), reason.clone().into());
    desk.commit(vec![change], draft).await?;
    Err(Failure::refused(reason.clone()).hint(
        "put the catalog back as it was and `sealift resume`, or go back with `sealift rollback`",
    ))
}

/// Says that a catalog is another one, and what of it.
pub(super) fn another_catalog(plan: &Assessment, catalog: &Catalog) -> String {
    // The run's own changes of columns are made or not, whichever leaves less to be said.
    let told =
        |is_changed: bool| differences(&plan.objects, &catalog.objects(&plan.changes, is_changed));
    let what = [told(false), told(true)].into_iter().min_by_key(String::len).unwrap_or_default();
    // Plans of earlier builds do not say what there was.
    let is_told = !plan.objects.is_empty() && !what.is_empty();
    let what = if is_told { format!(" ({what})") } else { String::new() };
    format!("the catalog of the source is not the one that was planned for{what}")
}

/// Whether a catalog is the one that was signed. Where the run changes types of columns there are
/// two: as it was until everything is sealed, as it becomes once tokens are written, and either
/// while that happens.
fn is_as_planned(job: &Job, phase: Phase, catalog: &Catalog) -> bool {
    let is_before = || fingerprint(catalog, &job.policy) == job.plan.fingerprint;
    let Some(after) = &job.plan.fingerprint_after else { return is_before() };
    let is_after = || &fingerprint_after(catalog, &job.policy, &job.plan.changes) == after;
    match phase {
        Phase::Planned | Phase::Approved | Phase::BackedUp => is_before(),
        Phase::Sealed => is_before() || is_after(),
        Phase::Rewritten
        | Phase::Verified
        | Phase::PurgeApproved
        | Phase::Purged
        | Phase::Closed
        | Phase::RollingBack
        | Phase::RolledBack => is_after(),
    }
}

/// Remembers that a run failed, so that `status` can say why. What somebody wanted is no failure.
pub(super) async fn note_failure(job: &Job, failure: &Failure) {
    if failure.is_wanted() {
        return;
    }
    let reason = failure.to_string().lines().next().unwrap_or_default().to_owned();
    let change = Change::SetCondition {
        run: job.run,
        condition: Some(Condition::Failed),
        reason: reason.clone(),
    };
    let mut draft = job.draft("failed");
    draft.details.insert("why".into(), reason.into());
    // Where the vault itself is the trouble, this cannot be written; the failure is told anyway.
    let _ = job.vault.commit(vec![change], vec![draft]).await;
}
