//! What a run was estimated to take, beside what it took: told at its end, and by `status`.

use super::exit::Failure;
use super::job::parsed;
use super::output::Output;
use crate::ledger::Entry;
use crate::plan::{EstimateCheck, estimates_in_all};
use crate::ports::RunRow;
use crate::report::estimate_checks;

/// Whether a count on the ledger is a measure, told beside its estimate and not among the counts.
pub(super) fn is_measure(name: &str) -> bool {
    name.ends_with("_ms")
        || name.ends_with("_bytes")
        || name == "lock_ms_max"
        || name == "resumed"
        || name == "vault_bytes_before"
}

/// What was estimated beside what was measured, as far as the run came.
pub(super) fn checks(row: &RunRow, entries: &[Entry]) -> Result<Vec<EstimateCheck>, Failure> {
    let (_, plan) = parsed(row)?;
    Ok(estimate_checks(&plan.estimate, entries))
}

/// Tells them: in two lines once the run is verified, pass by pass before.
pub(super) fn tell(out: &Output, checks: &[EstimateCheck]) {
    match estimates_in_all(checks) {
        Some((time, disk)) => {
            line(out, &time);
            line(out, &disk);
        }
        None => checks.iter().for_each(|check| line(out, check)),
    }
}

fn line(out: &Output, check: &EstimateCheck) {
    out.line(format!("  {:<16} {}", check.what, check.sentence()));
}
