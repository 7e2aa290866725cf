//! Requests that were recorded and are not in the ledger's tree yet.
//!
//! Any number of processes may try to bring them there: what one of them has brought, the others
//! find gone, and their own transaction comes to nothing. So each request is one entry, once.

use std::collections::VecDeque;

use serde_json::Value;

use super::checkpoint;
use crate::crypto::KeyRing;
use crate::ledger::{Digest, Draft, IntakeRecord};
use crate::ports::{Change, IntakeRow, Vault, VaultError};

/// The name of the MAC over intake rows.
pub(super) const ROW_TABLE: &str = "intake";

/// Rows that one transaction brings into the tree.
const ROWS_AT_ONCE: usize = 64;

/// The fields of the MAC over an intake row.
pub(super) fn row_fields<'r>(
    writer: &'r str,
    number: &'r [u8; 8],
    body: &'r [u8],
) -> [&'r [u8]; 3] {
    [writer.as_bytes(), number, body]
}

/// Puts all that was recorded into the tree, in the order of each writer, and signs it.
///
/// # Errors
///
/// [`VaultError`] where the vault cannot be read or written.
pub async fn integrate(vault: &dyn Vault, keys: &KeyRing) -> Result<(), VaultError> {
    let mut brought = 0;
    while let Some(entries) = integrate_some(vault, keys).await? {
        brought += entries;
    }
    if brought > 0 {
        checkpoint(vault, keys).await?;
    }
    Ok(())
}

/// Puts some of what was recorded into the tree; `None` where nothing waits.
pub(super) async fn integrate_some(
    vault: &dyn Vault,
    keys: &KeyRing,
) -> Result<Option<u64>, VaultError> {
    let rows = vault.intake_rows(ROWS_AT_ONCE).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let (mut changes, mut drafts) = (Vec::new(), Vec::new());
    for rows in rows.chunk_by(|one, two| one.writer == two.writer) {
        let (change, entries) = of_writer(vault, keys, rows).await?;
        changes.push(change);
        drafts.push(VecDeque::from(entries));
    }
    let drafts = by_time(drafts);
    let count = drafts.len() as u64;
    match vault.commit(changes, drafts).await {
        Ok(_) => Ok(Some(count)),
        // Another process was first; what it left is read anew.
        Err(VaultError::IntakeMoved) => Ok(Some(0)),
        Err(error) => Err(error),
    }
}

/// Merges what several writers recorded, by time. What one of them recorded stays in its order,
/// whatever a clock did.
fn by_time(mut writers: Vec<VecDeque<Draft>>) -> Vec<Draft> {
    let mut all = Vec::with_capacity(writers.iter().map(VecDeque::len).sum());
    loop {
        let first = |writer: &VecDeque<Draft>| writer.front().map(|draft| draft.at.clone());
        let heads =
            writers.iter().enumerate().filter_map(|(at, writer)| Some((first(writer)?, at)));
        let Some((_, next)) = heads.min() else { return all };
        all.extend(writers[next].pop_front());
    }
}

/// The entries of one writer's rows. What is missing between them, and what is not as it was
/// written, becomes an entry too: it cannot be brought back, and from then on it shows.
async fn of_writer(
    vault: &dyn Vault,
    keys: &KeyRing,
    rows: &[IntakeRow],
) -> Result<(Change, Vec<Draft>), VaultError> {
    let writer = rows[0].writer.clone();
    let before = vault.intake_through(&writer).await?;
    let mut through = before;
    let mut drafts = Vec::new();
    for row in rows {
        let Some(records) = genuine(keys, row) else {
            drafts.push(altered(row));
            continue;
        };
        for record in records {
            if record.number <= through {
                drafts.push(finding("intake_repeated", &writer, record.number, record.number));
                continue;
            }
            if record.number > through + 1 {
                drafts.push(finding("intake_missing", &writer, through + 1, record.number - 1));
            }
            through = record.number;
            drafts.push(record.into_draft());
        }
    }
    let numbers = rows.iter().map(|row| row.number).collect();
    Ok((Change::IntakeDone { writer, rows: numbers, through }, drafts))
}

/// The records of a row whose MAC holds.
fn genuine(keys: &KeyRing, row: &IntakeRow) -> Option<Vec<IntakeRecord>> {
    let number = row.number.to_be_bytes();
    let fields = row_fields(&row.writer, &number, &row.body);
    if !keys.control().check(ROW_TABLE, &fields, &row.mac) {
        return None;
    }
    row.body
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| IntakeRecord::read(line.strip_suffix(b"\n")?).ok())
        .collect()
}

fn finding(action: &str, writer: &str, from: u64, through: u64) -> Draft {
    let mut draft = Draft {
        actor: "system".to_owned(),
        action: action.to_owned(),
        object: format!("intake {writer}"),
        ..Draft::default()
    };
    draft.details.insert("intake_from".to_owned(), Value::from(from));
    draft.details.insert("intake_through".to_owned(), Value::from(through));
    tracing::error!(writer, from, through, "{action}: recorded requests are not as they were");
    draft
}

fn altered(row: &IntakeRow) -> Draft {
    let mut draft = finding("intake_altered", &row.writer, row.number, row.number);
    let digest = Digest::of(&row.body).to_string();
    draft.details.insert("sha256".to_owned(), Value::from(digest));
    draft
}
