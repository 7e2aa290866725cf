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
    let (mut changes, mut drafts, mut findings) = (Vec::new(), Vec::new(), Vec::new());
    for rows in rows.chunk_by(|one, two| one.writer == two.writer) {
        let (change, entries) = of_writer(vault, keys, rows, &mut findings).await?;
        changes.push(change);
        drafts.push(VecDeque::from(entries));
    }
    let drafts = by_time(drafts);
    let count = drafts.len() as u64;
    match vault.commit(changes, drafts).await {
        Ok(_) => {
            findings.iter().for_each(Finding::tell);
            Ok(Some(count))
        }
        // Another process was first; what it left is read anew. What was found is nothing: the rows
        // were of before, and the number behind them of after.
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
    findings: &mut Vec<Finding>,
) -> Result<(Change, Vec<Draft>), VaultError> {
    let writer = rows[0].writer.clone();
    // ORDER: after the rows. Where another process brings them meanwhile, the number is too high, and
    // the commit comes to nothing because its rows are gone. The other way round the number would be
    // too low for rows that are there: a gap that is none would be committed.
    let mut through = vault.intake_through(&writer).await?;
    let mut drafts = Vec::new();
    let mut find = |action, from, through| {
        let finding = Finding { action, writer: writer.clone(), from, through };
        let draft = finding.draft();
        findings.push(finding);
        draft
    };
    for row in rows {
        let Some(records) = genuine(keys, row) else {
            let mut draft = find("intake_altered", row.number, row.number);
            let digest = Digest::of(&row.body).to_string();
            draft.details.insert("sha256".to_owned(), Value::from(digest));
            drafts.push(draft);
            continue;
        };
        for record in records {
            if record.number <= through {
                drafts.push(find("intake_repeated", record.number, record.number));
                continue;
            }
            if record.number > through + 1 {
                drafts.push(find("intake_missing", through + 1, record.number - 1));
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

/// What is not as it was written.
struct Finding {
    action: &'static str,
    writer: String,
    from: u64,
    through: u64,
}

impl Finding {
    fn draft(&self) -> Draft {
        let mut draft = Draft {
            actor: "system".to_owned(),
            action: self.action.to_owned(),
            object: format!("intake {}", self.writer),
            ..Draft::default()
        };
        draft.details.insert("intake_from".to_owned(), Value::from(self.from));
        draft.details.insert("intake_through".to_owned(), Value::from(self.through));
        draft
    }

    /// INVARIANT: told when the entry is in the ledger, and not before: until then it may be that
    /// another process was between two reads.
    fn tell(&self) {
        let Self { action, writer, from, through } = self;
        let writer = writer.as_str();
        tracing::error!(writer, from, through, "{action}: recorded requests are not as they were");
    }
}
