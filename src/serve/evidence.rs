//! What vault and ledger say of a run, gathered for its report.
//!
//! It reads, and decides nothing: what the facts come to is said in [`crate::report`]. It needs no key,
//! so that a report can be had without the passphrase.

use std::collections::BTreeMap;

use super::checkpoint::{signed, verifier_key};
use crate::crypto::{KeyPurpose, KeyState};
use crate::ledger::{self, Entry, ProofBundle};
use crate::lifecycle::Phase;
use crate::plan::Assessment;
use crate::ports::{self, QuarantineState as Waits, RunRow, Vault, VaultError};
use crate::report::{
    AnchorFact, ApprovalFact, CheckFact, Condition, Evidence, KeyFact, LedgerFacts,
    QuarantineCause, QuarantineFact, QuarantineState, RowDigest, SegmentFact, Usage,
};

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
    // ORDER: before the run's entries: a report shows every entry of its run that its checkpoint signs.
    let signed = signed(vault).await?;
    let entries = vault.ledger_of(row.run).await?;
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
    let LedgerFacts {
        counts,
        units,
        opened,
        verification,
        residue_before,
        residue_after,
        residue_left,
        purge,
    } = LedgerFacts::of(&entries, phase);
    Ok(Evidence {
        tool: concat!("sealift ", env!("CARGO_PKG_VERSION")).to_owned(),
        vault: header.vault.to_string(),
        origin: header.origin,
        key_fingerprint: verifier_key(vault).await?.fingerprint(),
        run: row.run,
        source: row.source.clone(),
        phase,
        condition: held.map(condition),
        counts,
        units,
        opened,
        verification,
        checks: checks(vault, row, &policy).await?,
        residue_before,
        residue_after,
        residue_left,
        purge,
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
