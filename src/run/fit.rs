//! Room for tokens: types of columns changed before the first token, and put back by a rollback.
//!
//! The plan says which, the source does it at once or not at all; nothing here knows how.

use crate::ports::FitTo;
use crate::run::error::RunError;
use crate::run::job::Job;

/// What the ledger calls it.
const WIDENED: &str = "columns_widened";
const NARROWED: &str = "columns_narrowed";

/// Gives the columns the types that the plan says. May be asked for twice.
pub(crate) async fn fit(job: &Job, to: FitTo) -> Result<(), RunError> {
    if job.plan.changes.is_empty() || !job.source.fit(&job.plan.changes, to).await? {
        return Ok(());
    }
    let mut draft = job.draft(match to {
        FitTo::Tokens => WIDENED,
        FitTo::Originals => NARROWED,
    });
    let columns: Vec<String> = job
        .plan
        .changes
        .iter()
        .map(|change| {
            let declared = match to {
                FitTo::Tokens => &change.to,
                FitTo::Originals => &change.from,
            };
            format!("{}.{} {declared}", change.table, change.column)
        })
        .collect();
    draft.counts.insert("columns".into(), columns.len() as u64);
    draft.details.insert("columns".into(), columns.join(", ").into());
    job.vault.commit(Vec::new(), vec![draft]).await?;
    Ok(())
}
