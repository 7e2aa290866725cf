//! The fifth pass: originals gone from the files, and what is known about that.
//!
//! Order: the lock that lasts; every cell verified again inside it; the files rewritten; the vault
//! copied and the copy tried out; the log of changes retired; the scan; the facts on the ledger; the
//! backup and the key that opens it, last. From the moment that the
//! facts are on the ledger the vault is the only copy, and a purge that is cut off there only has
//! its backup left to destroy.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::crypto::{KeyHeader, KeyPurpose, KeyState};
use crate::ledger::{PurgeFacts, RESIDUE_FOUND, SCRUBBED, ScrubStep, VaultCopyFact};
use crate::lifecycle::{Event, Phase};
use crate::policy::{CopyRule, TableName};
use crate::ports::{Change, FileKind, KeyRow, ScanDepth, Scrubbed, VaultCopies, VaultCopy};
use crate::residue::{Evidence, FileReport, Verdict};
use crate::run::crash::here;
use crate::run::elsewhere::elsewhere;
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::job::{Job, ms};
use crate::run::residue::{as_json, control_report, count, scan, uncovered_copies};
use crate::run::verify::{Drive, RoundTripProof, record_mismatch, verify};

/// The action of the entry of a copy of the vault.
pub(crate) const VAULT_COPIED: &str = "vault_backed_up";

/// How many places of residue an error names.
const PLACES_MAX: usize = 8;

/// What a purge is given by whoever asks for it.
#[derive(Debug, Clone)]
pub struct PurgeOrder {
    /// The verified digest that was signed.
    pub approved: String,
    /// Where a verification may write what it sorts.
    pub scratch: PathBuf,
    /// How long to wait for others who still see what was there before.
    pub patience: Duration,
    /// Keepers of copies elsewhere, beside those of the policy.
    pub elsewhere: Vec<CopyRule>,
}

/// Purges a run that was approved for it.
///
/// # Errors
///
/// [`RunError`]. Up to the entry `purge_scrubbed` nothing is lost and the run may still be rolled
/// back; after it a repeated call finishes the work.
pub async fn purge(
    job: &Job,
    order: &PurgeOrder,
    copies: &dyn VaultCopies,
) -> Result<PurgeFacts, RunError> {
    let facts = match scrubbed(job).await? {
        Some(facts) => facts,
        None => match scrub(job, order, copies).await {
            Err(RunError::Mismatches(found)) => {
                step_back(job, &found).await?;
                return Err(RunError::Mismatches(found));
            }
            scrubbed => scrubbed?,
        },
    };
    destroy(job).await?;
    Ok(facts)
}

/// Takes a run to where its originals are moved, if some came after the approval: what was approved is
/// not what stands there any more, and cannot be again.
async fn step_back(job: &Job, found: &[Mismatch]) -> Result<(), RunError> {
    if found.iter().all(|mismatch| mismatch.kind != MismatchKind::Original) {
        return Ok(());
    }
    // ORDER: after the lock has ended, because the vault may lie in the same file as the source.
    let counts = BTreeMap::from([("mismatches".to_owned(), found.len() as u64)]);
    record_mismatch(job, Phase::PurgeApproved, found, &counts).await
}

/// The facts of a purge that was cut off after its files were rewritten.
async fn scrubbed(job: &Job) -> Result<Option<PurgeFacts>, RunError> {
    Ok(PurgeFacts::of(&job.vault.ledger_of(job.run).await?))
}

async fn scrub(
    job: &Job,
    order: &PurgeOrder,
    copies: &dyn VaultCopies,
) -> Result<PurgeFacts, RunError> {
    let begun = Instant::now();
    job.source.seize(&tables(job)).await?;
    here("purge.after_lock");
    let rewritten = rewrite_seized(job, order).await;
    // The lock ends whatever happened; an error of the work is the one to report.
    let released = job.source.release().await;
    let (scrubbed, mut cells) = rewritten?;
    released?;
    here("purge.after_scrub");
    let Scrubbed { mut steps, written_since } = scrubbed;
    if written_since > 0 {
        // The lock could not be held over the rewrite, and somebody wrote in between.
        cells = verify_again(job, order).await?;
    }
    // ORDER: behind the rewrite, and before anything else goes that could bring originals back.
    steps.push(copied(copies).await?);
    steps.extend(job.source.retire_log().await?);
    // ORDER: after the lock, because its journal goes with it.
    let facts = weigh(job, steps, cells, &order.elsewhere).await?;
    let is_left = matches!(facts.verdict, Verdict::Residue { .. }) || facts.late_hits > 0;
    let mut draft = job.draft(if is_left { RESIDUE_FOUND } else { SCRUBBED });
    draft.details.insert("began_at".into(), job.began.lap().into());
    count(&mut draft, &facts.after);
    draft.counts.insert("took_ms".into(), ms(begun.elapsed()));
    draft.counts.insert("cells".into(), facts.cells);
    draft.counts.insert("uncovered".into(), facts.uncovered.values().sum());
    draft.details.insert("digest".into(), order.approved.as_str().into());
    draft.details.insert("facts".into(), facts_json(&facts)?);
    here("purge.before_marker");
    job.vault.commit(Vec::new(), vec![draft]).await?;
    here("purge.after_marker");
    if is_left { Err(residue_found(&facts)) } else { Ok(facts) }
}

/// A copy of the vault, tried out, as a step of the purge.
async fn copied(copies: &dyn VaultCopies) -> Result<ScrubStep, RunError> {
    let started_at = Timestamp::now().to_string();
    let VaultCopy { file, rows } = copies.copy().await.map_err(RunError::VaultCopy)?;
    Ok(ScrubStep {
        step: "copy of the vault".to_owned(),
        outcome: format!("{file}: {rows} rows, put back as a trial and read through"),
        falls_short: false,
        started_at,
        finished_at: Timestamp::now().to_string(),
    })
}

fn facts_json(facts: &PurgeFacts) -> Result<serde_json::Value, RunError> {
    let failed = |error: serde_json::Error| RunError::Inconsistent(error.to_string());
    let mut json = serde_json::to_value(facts).map_err(failed)?;
    json["after"] = as_json(&facts.after)?;
    json["before"] = match &facts.before {
        Some(before) => as_json(before)?,
        None => serde_json::Value::Null,
    };
    Ok(json)
}

/// Verifies every cell once more, under the lock.
async fn verify_again(job: &Job, order: &PurgeOrder) -> Result<u64, RunError> {
    job.source.seize(&tables(job)).await?;
    let proven = proven(job, order).await;
    let released = job.source.release().await;
    let cells = proven?.cells();
    released?;
    Ok(cells)
}

async fn rewrite_seized(job: &Job, order: &PurgeOrder) -> Result<(Scrubbed, u64), RunError> {
    let proof = proven(job, order).await?;
    let cells = proof.cells();
    Ok((rewrite_files(job, proof, order.patience).await?, cells))
}

/// Verifies under the lock; what is verified has to be what was approved.
async fn proven(job: &Job, order: &PurgeOrder) -> Result<RoundTripProof, RunError> {
    let scratch = order.scratch.clone();
    let verified = verify(job, Phase::PurgeApproved, scratch, Drive::Prove).await?;
    if verified.proof.digest() != order.approved {
        return Err(RunError::Inconsistent(
            "what was verified under the lock is not what the approval is bound to".to_owned(),
        ));
    }
    Ok(verified.proof)
}

/// The act that cannot be undone. It takes the proof that every token opened to its original, and
/// spends it.
async fn rewrite_files(
    job: &Job,
    proof: RoundTripProof,
    patience: Duration,
) -> Result<Scrubbed, RunError> {
    if proof.run() != job.run {
        let run = proof.run();
        return Err(RunError::Inconsistent(format!("the proof is of run {run}, not {}", job.run)));
    }
    Ok(job.source.scrub(&tables(job), patience).await?)
}

/// The tables of a run.
pub(super) fn tables(job: &Job) -> Vec<TableName> {
    let units = job.plan.units.iter();
    units.flat_map(|unit| &unit.tables).map(|table| table.table.clone()).collect()
}

/// The scan afterwards, beside the scan before.
async fn weigh(
    job: &Job,
    steps: Vec<ScrubStep>,
    cells: u64,
    named: &[CopyRule],
) -> Result<PurgeFacts, RunError> {
    let before = control_report(job).await?;
    let after = scan(job, FileKind::Backup, ScanDepth::Whole).await?;
    let files = job.vault.files(job.run).await?;
    let (mut late_hits, mut late_files) = (0, Vec::new());
    if files.iter().any(|file| file.kind == FileKind::Increment) {
        let late = scan(job, FileKind::Increment, ScanDepth::Whole).await?;
        for file in late.files.iter().filter(|file| file.hits.residue() > 0) {
            late_hits += file.hits.residue();
            late_files.push(file.name.clone());
        }
    }
    let verdict = match &before {
        Some(before) => Evidence::weigh(before, &after),
        None => Verdict::NotEvidence { reasons: Vec::new() },
    };
    let structure = job.source.structure(&tables(job)).await?;
    let uncovered = uncovered_copies(job).await?;
    let vault_copies = vault_copies(job).await?;
    let elsewhere = elsewhere(job, named).await?;
    Ok(PurgeFacts {
        steps,
        before,
        after,
        verdict,
        late_hits,
        late_files,
        uncovered,
        cells,
        structure,
        vault_copies,
        elsewhere,
    })
}

/// Copies of the vault that the ledger has since the run's first entry.
async fn vault_copies(job: &Job) -> Result<Vec<VaultCopyFact>, RunError> {
    const ENTRIES: usize = 1_000;
    let mut from = job.vault.ledger_of(job.run).await?.first().map_or(0, |entry| entry.seq);
    let mut copies = Vec::new();
    loop {
        let bodies = job.vault.ledger(from, ENTRIES).await?;
        let Some(last) = from.checked_add(bodies.len() as u64).filter(|end| *end > from) else {
            return Ok(copies);
        };
        from = last;
        // Most entries are of requests: only those are taken apart that can be meant.
        let is_meant =
            |body: &&Vec<u8>| memchr::memmem::find(body, VAULT_COPIED.as_bytes()).is_some();
        for body in bodies.iter().filter(is_meant) {
            let entry = crate::ledger::Entry::parse(body)
                .map_err(|error| RunError::Inconsistent(error.to_string()))?;
            let text = |name: &str| {
                entry.details.get(name).and_then(|value| value.as_str()).unwrap_or_default()
            };
            if entry.action == VAULT_COPIED {
                let (file, sha256) = (text("file").to_owned(), text("sha256").to_owned());
                copies.push(VaultCopyFact { at: entry.at.clone(), file, sha256 });
            }
        }
    }
}

fn residue_found(facts: &PurgeFacts) -> RunError {
    let residue = |file: &&FileReport| file.hits.residue() > 0;
    let hits = facts.residue();
    let mut places: Vec<String> = facts
        .after
        .files
        .iter()
        .filter(residue)
        .map(|file| match file.by_owner.keys().next() {
            Some(owner) => format!("{} ({owner})", file.name),
            None => file.name.clone(),
        })
        .collect();
    let late = facts.late_files.iter().filter(|name| !places.iter().any(|place| place == *name));
    let late: Vec<String> = late.cloned().collect();
    places.extend(late);
    if places.len() > PLACES_MAX {
        let more = places.len() - PLACES_MAX;
        places.truncate(PLACES_MAX);
        places.push(format!("{more} more"));
    }
    RunError::Residue { hits, places: places.join(", ") }
}

/// Destroys the backup and the key that opens it, then moves the run to `purged`.
async fn destroy(job: &Job) -> Result<(), RunError> {
    if job.policy.backup.retention_days > 0 {
        return keep(job).await;
    }
    let removed = job.files.destroy()?;
    here("purge.after_backup_gone");
    let mut changes = Vec::new();
    let mut ids = Vec::new();
    let run = job.run.to_string();
    let now = Timestamp::now().to_string();
    for header in job.keys.headers().iter().filter(|h| is_run_key(h, &run)) {
        ids.push(header.id.0);
        changes.push(Change::PutKey(KeyRow {
            key: header.id.0,
            purpose: header.purpose.name().to_owned(),
            subject: header.subject.clone(),
            version: header.version,
            state: KeyState::Destroyed.name().to_owned(),
            created_at: header.created_at.clone(),
            changed_at: now.clone(),
            wrapped: None,
        }));
    }
    changes.push(Change::ForgetFiles(job.run, FileKind::Backup));
    changes.push(Change::ForgetFiles(job.run, FileKind::Token));
    changes.push(Change::ForgetFiles(job.run, FileKind::Increment));
    job.advance(Phase::PurgeApproved, Event::Purged, changes, |draft| {
        draft.counts.insert("backup_files_destroyed".into(), removed);
        draft.key_ids = ids;
    })
    .await?;
    job.vault.settle().await?;
    Ok(())
}

/// Keeps the backup for as long as the policy says. It is encrypted, its key stays in the vault, and
/// the report says that it is there.
async fn keep(job: &Job) -> Result<(), RunError> {
    let days = i64::from(job.policy.backup.retention_days);
    let until = Timestamp::now()
        .checked_add(jiff::SignedDuration::from_hours(24 * days))
        .map_err(|error| RunError::Inconsistent(error.to_string()))?;
    let day = until.to_string().chars().take(10).collect::<String>();
    job.advance(Phase::PurgeApproved, Event::Purged, Vec::new(), |draft| {
        draft.details.insert("backup_kept_until".into(), day.into());
    })
    .await?;
    job.vault.settle().await?;
    Ok(())
}

fn is_run_key(header: &KeyHeader, run: &str) -> bool {
    header.purpose == KeyPurpose::Run && header.subject == run && header.state.may_open()
}
