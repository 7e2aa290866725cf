//! What vault and ledger say of a run, gathered for its report.
//!
//! It reads, and decides nothing: what the facts come to is said in [`crate::report`]. It needs no key,
//! so that a report can be had without the passphrase.

use std::collections::BTreeMap;

use super::checkpoint::{signed, verifier_key};
use crate::crypto::{KeyPurpose, KeyState};
use crate::ledger::{self, Entry, ProofBundle};
use crate::lifecycle::{Event, Phase};
use crate::plan::Assessment;
use crate::ports::{self, QuarantineState as Waits, RunRow, Vault, VaultError};
use crate::report::{
    AnchorFact, ApprovalFact, BackupFate, CheckFact, Condition, ElsewhereLine, Evidence, KeyFact,
    PurgeFacts, PurgeStep, QuarantineCause, QuarantineFact, QuarantineState, RowDigest,
    SegmentFact, StructureFacts, UncoveredCopy, UnitFact, Usage, VaultCopyLine,
};
use crate::run::{CopyFact, NamedBy, PurgeFacts as Purged, facts_of, residue_of};

/// Where a run stood when it is told of.
pub(super) struct Stood {
    /// Its entries until then.
    pub(super) entries: Vec<Entry>,
    /// Its phase.
    pub(super) phase: Phase,
    /// What held it there.
    pub(super) condition: Option<ports::Condition>,
}

/// Gathers what vault and ledger say of a run.
///
/// # Errors
///
/// [`VaultError`] where they cannot be read, or a row is not what Sealift wrote.
pub async fn evidence(vault: &dyn Vault, row: &RunRow) -> Result<Evidence, VaultError> {
    let entries = vault.ledger_of(row.run).await?;
    let signed = signed(vault).await?;
    let stood = Stood { entries, phase: row.phase, condition: row.condition };
    let mut evidence = of_run(vault, row, stood).await?;
    for body in signed.iter().flat_map(|signed| &signed.bodies) {
        if let Ok(entry) = Entry::parse(body) {
            Usage::add(&mut evidence.usage, entry);
        }
    }
    let proofs = signed.as_ref().map(|signed| {
        let size = signed.bodies.len() as u64;
        let entries = evidence.entries.iter();
        let wanted: Vec<u64> = entries.map(|entry| entry.seq).filter(|seq| *seq < size).collect();
        ProofBundle::of(&signed.bodies, &signed.keys, &signed.note, &wanted, None)
            .map_err(|error| VaultError::Inconsistent(error.to_string()))
    });
    evidence.proofs = proofs.transpose()?;
    evidence.checkpoint = signed.map(|signed| signed.note);
    Ok(evidence)
}

/// Gathers what vault and ledger say of a run, but for what was asked, checkpoint and proofs.
pub(super) async fn of_run(
    vault: &dyn Vault,
    row: &RunRow,
    stood: Stood,
) -> Result<Evidence, VaultError> {
    let malformed =
        |_| VaultError::Inconsistent(format!("the row of run {} is malformed", row.run));
    let policy: crate::policy::Policy = serde_json::from_str(&row.policy).map_err(malformed)?;
    let plan: Assessment = serde_json::from_str(&row.plan).map_err(malformed)?;
    let header = vault.header().await?;
    let Stood { entries, phase, condition: held } = stood;
    let counts_of = |action: &[&str]| {
        entries
            .iter()
            .rfind(|entry| action.contains(&entry.action.as_str()))
            .map(|entry| entry.counts.clone())
            .unwrap_or_default()
    };
    let control = entries
        .iter()
        .rfind(|entry| entry.action == "residue_control")
        .and_then(|entry| serde_json::from_value(entry.details.get("report")?.clone()).ok());
    let facts = facts_of(&entries);
    let stopped = residue_of(&entries);
    let purged = matches!(phase, Phase::Purged | Phase::Closed);
    let kept = entries
        .iter()
        .rfind(|entry| entry.action == Event::Purged.name())
        .and_then(|entry| entry.details.get("backup_kept_until")?.as_str().map(str::to_owned));
    Ok(Evidence {
        tool: concat!("sealift ", env!("CARGO_PKG_VERSION")).to_owned(),
        vault: header.vault.to_string(),
        origin: header.origin,
        key_fingerprint: verifier_key(vault).await?.fingerprint(),
        run: row.run,
        source: row.source.clone(),
        phase,
        condition: held.map(condition),
        counts: counts_of(&["rewritten"]),
        units: units(&entries),
        opened: opened(&entries),
        verification: counts_of(&["verified", "mismatch"]),
        checks: checks(vault, row, &policy).await?,
        residue_before: control,
        residue_after: facts.as_ref().or(stopped.as_ref()).map(|facts| facts.after.clone()),
        residue_left: stopped.as_ref().map_or(0, residue_left),
        purge: facts.filter(|_| purged).map(|facts| purge_facts(facts, kept)),
        checkpoint: None,
        approvals: approvals(vault, row).await?,
        keys: keys(vault, row, &plan).await?,
        segments: segments(vault, row).await?,
        quarantine: quarantine(vault, row).await?,
        purposes: policy.purposes.clone(),
        usage: BTreeMap::new(),
        anchors: anchors(vault).await?,
        proofs: None,
        entries,
        policy,
        plan,
    })
}

/// What became of the steward's checks.
async fn checks(
    vault: &dyn Vault,
    row: &RunRow,
    policy: &crate::policy::Policy,
) -> Result<Vec<CheckFact>, VaultError> {
    let answers = vault.checks(row.run).await?;
    let holds = |name: &str| {
        answers.iter().any(|row| row.name == name && row.moment != "before").then_some(true)
    };
    let checks = policy.checks.iter();
    Ok(checks.map(|it| CheckFact { name: it.name.clone(), holds: holds(&it.name) }).collect())
}

async fn approvals(vault: &dyn Vault, row: &RunRow) -> Result<Vec<ApprovalFact>, VaultError> {
    let rows = vault.approvals(row.run).await?.into_iter();
    Ok(rows
        .map(|row| ApprovalFact {
            kind: row.kind,
            caller: row.caller,
            digest: row.digest,
            signed_at: row.signed_at,
        })
        .collect())
}

/// Where checkpoints were kept outside the vault.
pub(super) async fn anchors(vault: &dyn Vault) -> Result<Vec<AnchorFact>, VaultError> {
    let told = vault.told().await?.into_iter();
    let anchors = told.filter_map(|row| {
        let place = row.place.strip_prefix("anchor ")?.to_owned();
        Some(AnchorFact { place, size: row.size, at: row.at })
    });
    Ok(anchors.collect())
}

fn condition(condition: ports::Condition) -> Condition {
    match condition {
        ports::Condition::Paused => Condition::Paused,
        ports::Condition::Failed => Condition::Failed,
    }
}

/// What the rewrite counted in each unit of the plan.
fn units(entries: &[Entry]) -> Vec<UnitFact> {
    let units = entries
        .iter()
        .rfind(|entry| entry.action == Event::Rewritten.name())
        .and_then(|entry| entry.details.get("units")?.as_object());
    let mut units: Vec<UnitFact> = units
        .into_iter()
        .flatten()
        .filter_map(|(unit, counts)| {
            let counts = serde_json::from_value(counts.clone()).ok()?;
            Some(UnitFact { unit: unit.parse().ok()?, counts })
        })
        .collect();
    units.sort_by_key(|fact| fact.unit);
    units
}

/// What the last verification opened, by column.
fn opened(entries: &[Entry]) -> BTreeMap<String, u64> {
    let is_last = |entry: &&Entry| {
        [Event::Verified.name(), Event::Mismatch.name()].contains(&entry.action.as_str())
    };
    entries
        .iter()
        .rfind(is_last)
        .and_then(|entry| serde_json::from_value(entry.details.get("columns")?.clone()).ok())
        .unwrap_or_default()
}

/// The hits for which a purge stopped.
fn residue_left(facts: &Purged) -> u64 {
    let hits: u64 = facts.after.files.iter().map(|file| file.hits.residue()).sum();
    hits + facts.late_hits
}

fn purge_facts(facts: Purged, kept: Option<String>) -> PurgeFacts {
    PurgeFacts {
        steps: facts
            .steps
            .into_iter()
            .map(|step| PurgeStep {
                name: step.step,
                outcome: step.outcome,
                falls_short: step.falls_short,
                started_at: step.started_at,
                finished_at: step.finished_at,
            })
            .collect(),
        statements: BTreeMap::new(),
        uncovered_copies: facts
            .uncovered
            .into_iter()
            .filter_map(|(column, cells)| {
                let column = crate::policy::ColumnName::parse(&column).ok()?;
                Some(UncoveredCopy { column, cells })
            })
            .collect(),
        not_covered: Vec::new(),
        structure: facts.structure.map(|structure| StructureFacts {
            pages: structure.pages,
            pages_with_remains: structure.pages_with_remains,
        }),
        backup: kept.map_or(BackupFate::Destroyed, BackupFate::KeptUntil),
        vault_copies: facts
            .vault_copies
            .into_iter()
            .map(|copy| VaultCopyLine { at: copy.at, file: copy.file, sha256: copy.sha256 })
            .collect(),
        elsewhere: facts.elsewhere.into_iter().map(copy_line).collect(),
    }
}

/// A copy elsewhere, with how it is known in words.
fn copy_line(copy: CopyFact) -> ElsewhereLine {
    let named = copy.named.map(|by| match by {
        NamedBy::Policy => "named in the policy",
        NamedBy::Purge => "named by who purged",
    });
    let known = match (named, &copy.shown) {
        (Some(named), Some(shown)) => format!("{named}; the server shows it: {shown}"),
        (Some(named), None) => format!("{named}; the source cannot know of it"),
        (None, shown) => format!("the server shows it: {}", shown.as_deref().unwrap_or_default()),
    };
    let CopyFact { kind, name, owner, expires, .. } = copy;
    ElsewhereLine { kind: kind.name().to_owned(), name, owner, expires, known }
}

async fn keys(
    vault: &dyn Vault,
    row: &RunRow,
    plan: &Assessment,
) -> Result<Vec<KeyFact>, VaultError> {
    let run = row.run.to_string();
    Ok(vault
        .keys()
        .await?
        .into_iter()
        .filter(|key| {
            key.subject.is_empty()
                || key.subject == run
                || plan.columns.iter().any(|column| column.domain == key.subject)
        })
        .filter_map(|key| {
            Some(KeyFact {
                id: key.key,
                purpose: KeyPurpose::from_name(&key.purpose)?,
                subject: key.subject,
                version: key.version,
                state: KeyState::from_name(&key.state)?,
                created_at: key.created_at,
                changed_at: key.changed_at,
            })
        })
        .collect())
}

async fn segments(vault: &dyn Vault, row: &RunRow) -> Result<Vec<SegmentFact>, VaultError> {
    Ok(vault
        .segments()
        .await?
        .into_iter()
        .filter(|segment| segment.run == Some(row.run))
        .map(|segment| SegmentFact {
            number: segment.segment,
            entries: segment.entries,
            root: segment
                .root
                .and_then(|root| <[u8; 32]>::try_from(root.as_slice()).ok())
                .map(ledger::Digest::from_bytes),
        })
        .collect())
}

async fn quarantine(vault: &dyn Vault, row: &RunRow) -> Result<Vec<QuarantineFact>, VaultError> {
    Ok(vault
        .quarantine(row.run)
        .await?
        .into_iter()
        .filter_map(|waiting| {
            Some(QuarantineFact {
                row: RowDigest::parse(&waiting.row).ok()?,
                cause: QuarantineCause::of(&waiting.reason),
                cells: waiting.cells,
                state: match waiting.state {
                    Waits::Waiting => QuarantineState::Waiting,
                    Waits::Replayed => QuarantineState::Replayed,
                    Waits::Waived => {
                        QuarantineState::Waived { by: waiting.waived_by.unwrap_or_default() }
                    }
                },
            })
        })
        .collect())
}
