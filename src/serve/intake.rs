//! Requests that were recorded and are not in the ledger's tree yet.

use super::checkpoint;
use crate::crypto::KeyRing;
use crate::ledger::IntakeRecord;
use crate::ports::{Change, Vault, VaultError};

/// The name of the MAC over intake rows.
const TABLE: &str = "intake";

/// Puts what was recorded into the tree, in the order of each writer.
///
/// # Errors
///
/// [`VaultError::Inconsistent`] where a row was altered or one is missing from a writer's numbers.
pub async fn integrate(vault: &dyn Vault, keys: &KeyRing) -> Result<(), VaultError> {
    let rows = vault.intake_rows().await?;
    if rows.is_empty() {
        return Ok(());
    }
    let (mut changes, mut drafts) = (Vec::new(), Vec::new());
    let mut last: Option<(String, u64)> = None;
    for row in rows {
        if last.as_ref().is_some_and(|(writer, number)| {
            *writer == row.writer && number.checked_add(1) != Some(row.number)
        }) {
            return Err(VaultError::Inconsistent(format!(
                "a request of `{}` before number {} is missing",
                row.writer, row.number
            )));
        }
        last = Some((row.writer.clone(), row.number));
        let genuine = keys.control().check(
            TABLE,
            &[row.writer.as_bytes(), &row.number.to_be_bytes(), &row.body],
            &row.mac,
        );
        let record = IntakeRecord::parse(&row.body).ok().filter(|_| genuine).ok_or_else(|| {
            VaultError::Inconsistent(format!(
                "request {} of `{}` was altered",
                row.number, row.writer
            ))
        })?;
        drafts.push(record.into_draft());
        changes.push(Change::IntakeDone { writer: row.writer, number: row.number });
    }
    vault.commit(changes, drafts).await?;
    checkpoint(vault, keys).await?;
    Ok(())
}
