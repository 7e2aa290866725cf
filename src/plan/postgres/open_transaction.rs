//! Transactions that are open for long: rows as they were before the run cannot be removed while
//! somebody may still see them, and what they have locked stops it.

use super::super::case::{Case, counted, warns};
use super::super::model::Finding;
use super::setting;

const PITFALL: &str = "open_transaction";

/// Shorter ones end while a run is prepared.
const AGE_S_MAX: u64 = 300;

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let number = |name| setting(case, name).and_then(|value| value.parse::<u64>().ok());
    let mut findings = Vec::new();
    if let Some(prepared) = number("prepared_transactions").filter(|prepared| *prepared > 0) {
        let of = counted(prepared, "prepared transaction");
        findings.push(warns(
            PITFALL,
            "database",
            format!("it holds {of}: a run waits for what they lock, and the purge for their end"),
            "look into `pg_prepared_xacts`; COMMIT PREPARED, or ROLLBACK PREPARED",
        ));
    }
    if let Some(age) = number("oldest_transaction_s").filter(|age| *age > AGE_S_MAX) {
        findings.push(warns(
            PITFALL,
            "database",
            format!(
                "a transaction is open in it for {} minutes: rows that a run has replaced cannot be \
                 cleared up, and the purge waits for its end",
                age / 60
            ),
            "look for its `xact_start` in `pg_stat_activity`, and end it",
        ));
    }
    findings
}
