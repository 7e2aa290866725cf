//! `sealift verify`: every token opened again and compared.

use serde_json::json;

use super::args::OneRun;
use super::desk::{Desk, find_run};
use super::exit::{Failure, Outcome};
use super::job::{RunLock, job, scratch, unchanged_catalog};
use super::output::{Output, note};
use super::settings::Settings;
use crate::access::Verb;
use crate::engine::postgres::vault::RunShare;
use crate::lifecycle::Phase;
use crate::run::{Drive, Mismatch, MismatchKind, RunError, Verified};

/// Mismatches that are named one by one.
const NAMED_MAX: usize = 100;

pub(super) async fn verify(
    settings: &Settings,
    out: &Output,
    typed: &OneRun,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::Verify).await?;
    // ORDER: the lock before the row, so that what the row says still holds.
    let _lock = RunLock::take(settings, desk.vault.as_ref(), RunShare::Alone).await?;
    let fits = |phase| matches!(phase, Phase::Rewritten | Phase::Verified | Phase::PurgeApproved);
    let row = find_run(desk.vault.as_ref(), typed.run.as_deref(), fits).await?;
    if !fits(row.phase) {
        return Err(Failure::refused(format!(
            "run {} is in phase `{}`: there is nothing to verify",
            row.run, row.phase
        ))
        .hint("a run is verified from `rewritten` to `purge_approved`"));
    }
    let job = job(&desk, settings, out, &row).await?;
    unchanged_catalog(&desk, &job, row.phase).await?;
    let scratch = scratch(&settings.vault, &row);
    let verified = crate::run::verify(&job, row.phase, scratch, Drive::Record).await;
    if let (true, Err(RunError::Mismatches(found))) = (out.is_json(), &verified) {
        for mismatch in found {
            out.object(&json!({
                "mismatch": {"kind": mismatch.kind.name(), "place": mismatch.place}
            }));
        }
    }
    let verified = named(verified)?;
    let now = find_run(desk.vault.as_ref(), Some(&row.run.to_string()), |_| true).await?;
    let (next, phase) = (super::next::in_vault(desk.vault.as_ref(), &now).await?, now.phase);
    out.object(&json!({
        "run": row.run.to_string(), "phase": phase.name(), "counts": verified.counts,
        "digest": verified.proof.digest(),
    }));
    out.line(format!(
        "run {}: {} cells opened to their originals",
        row.run,
        verified.proof.cells()
    ));
    for (name, count) in &verified.counts {
        out.line(format!("  {name:<16} {count}"));
    }
    out.next(&next.0, &next.1);
    Ok(Outcome::Done)
}

/// Names mismatches on standard error before they become the failure of the command.
pub(super) fn named(verified: Result<Verified, RunError>) -> Result<Verified, Failure> {
    if let Err(RunError::Mismatches(found)) = &verified {
        name_all(found);
    }
    verified.map_err(Into::into)
}

/// Names mismatches on standard error.
pub(super) fn name_all(found: &[Mismatch]) {
    // An original is mended by a command; whatever else there is must not be lost among many.
    let (late, others): (Vec<_>, Vec<_>) =
        found.iter().partition(|mismatch| mismatch.kind == MismatchKind::Original);
    for mismatch in others.into_iter().chain(late).take(NAMED_MAX) {
        note(format!("mismatch: {mismatch}"));
    }
    if found.len() > NAMED_MAX {
        note(format!("… and {} more", found.len() - NAMED_MAX));
    }
}
