//! What vault and ledger say of a period and its runs, gathered for a report over all of them.
//!
//! It reads, and decides nothing. Like the report of a run it needs no key.
//!
//! **Invariant:** only entries that the newest checkpoint signs are told of: whoever gets the report
//! can make each of its sums again.

use std::ops::Range;

use super::checkpoint::{Signed, signed, verifier_key};
use super::evidence::{Stood, anchors, of_run};
use crate::ledger::{Entry, ProofBundle};
use crate::ports::{Condition, RunRow, Vault, VaultError};
use crate::report::{Asked, DomainFact, Evidence, Period, PeriodEvidence, Stretch};

/// So many entries a report carries at the most, beside those of its runs.
const CARRIED_MAX: u64 = 1_000;

/// Gathers what vault and ledger say of `rows` and of a period; `None` where nothing is signed yet.
///
/// # Errors
///
/// [`VaultError`] where they cannot be read, or a row is not what Sealift wrote.
pub async fn period_evidence(
    vault: &dyn Vault,
    asked: Asked,
    rows: Vec<RunRow>,
    period: Period,
) -> Result<Option<PeriodEvidence>, VaultError> {
    let Some(signed) = signed(vault).await? else { return Ok(None) };
    let range = period.range_of(signed.bodies.iter().map(|body| time_of(body)));
    let mut runs: Vec<Evidence> = Vec::new();
    for row in rows {
        let entries = vault.ledger_of(row.run).await?;
        let is_last = entries.last().is_some_and(|entry| entry.seq < range.end);
        let told: Vec<Entry> = entries.into_iter().filter(|entry| entry.seq < range.end).collect();
        let Some(last) = told.last() else { continue };
        if asked == Asked::Period && last.seq < range.start {
            continue;
        }
        let stood = if is_last {
            Stood { phase: row.phase, condition: row.condition, entries: told }
        } else {
            Stood {
                phase: last.phase_after.unwrap_or(row.phase),
                condition: condition_after(last),
                entries: told,
            }
        };
        let mut run = of_run(vault, &row, stood).await?;
        run.approvals.retain(|approval| !period.is_past(&approval.signed_at));
        runs.push(run);
    }
    runs.sort_by_key(|run| run.entries.first().map(|entry| entry.seq));
    let (proofs, is_whole) = proofs(&signed, &range, &runs)?;
    let size = signed.bodies.len() as u64;
    let inside = signed.bodies.iter().skip(place(range.start)).take(place(range.end - range.start));
    let header = vault.header().await?;
    let domains = vault.domains().await?.into_iter();
    let purposes = vault.purposes().await?;
    Ok(Some(PeriodEvidence {
        tool: concat!("sealift ", env!("CARGO_PKG_VERSION")).to_owned(),
        vault: header.vault.to_string(),
        origin: header.origin,
        key_fingerprint: verifier_key(vault).await?.fingerprint(),
        asked,
        period,
        runs,
        told: Stretch::of(inside.filter_map(|body| Entry::parse(body).ok())),
        range,
        younger: vault.head().await?.size().saturating_sub(size),
        domains: domains.map(|row| DomainFact { name: row.name, class: row.class }).collect(),
        purposes: purposes.iter().filter_map(|row| serde_json::from_str(&row.body).ok()).collect(),
        anchors: anchors(vault).await?,
        proofs: Some(proofs),
        checkpoint: Some(signed.note),
        is_whole,
    }))
}

/// The entries that the report carries, proven; and whether they are all of the period.
fn proofs(
    signed: &Signed,
    range: &Range<u64>,
    runs: &[Evidence],
) -> Result<(ProofBundle, bool), VaultError> {
    let size = signed.bodies.len() as u64;
    let of_runs = runs.iter().flat_map(|run| &run.entries).map(|entry| entry.seq);
    let mut wanted: Vec<u64> = of_runs.collect();
    let is_whole = range.end - range.start <= CARRIED_MAX;
    if is_whole {
        // With its neighbours, which show that it begins and ends where it says.
        wanted.extend(range.start.saturating_sub(1)..(range.end + 1).min(size));
    }
    let proofs = ProofBundle::of(&signed.bodies, &signed.keys, &signed.note, &wanted, None);
    Ok((proofs.map_err(|error| VaultError::Inconsistent(error.to_string()))?, is_whole))
}

/// The time of a stored entry; one that cannot be read has none, and lies in no period.
fn time_of(body: &[u8]) -> String {
    Entry::parse(body).map(|entry| entry.at).unwrap_or_default()
}

/// What held a run after this entry.
fn condition_after(entry: &Entry) -> Option<Condition> {
    match entry.action.as_str() {
        "failed" => Some(Condition::Failed),
        "paused" => Some(Condition::Paused),
        _ => None,
    }
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
