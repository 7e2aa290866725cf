//! Records of many requests, written together: one row and one commit for all that wait.
//!
//! A writer numbers its records without gaps, and each row carries a MAC, so that whoever can only
//! write the vault's tables cannot take one away unnoticed. The name of a writer is drawn anew at
//! each start, and whenever it is not known what came of a row: a number is then never used twice.
//!
//! **Invariant:** nobody is told that a request is recorded before its row is durable.

use std::sync::Arc;

use rand::Rng;
use tokio::sync::{mpsc, oneshot};

use super::intake::{ROW_TABLE, row_fields};
use super::request::ServeError;
use crate::crypto::KeyRing;
use crate::ledger::IntakeRecord;
use crate::ports::{IntakeRow, SealedReason, Vault};

/// Records that wait for each writer; one more is refused as busy.
const WAITING_MAX: usize = 1_024;

/// Records of one row.
const RECORDS_A_ROW: usize = 512;

/// A row is closed when it has this many bytes.
const ROW_BYTES: usize = 256 << 10;

/// Where records go.
pub(super) struct Recorder {
    queue: mpsc::Sender<Waiting>,
}

struct Waiting {
    record: IntakeRecord,
    reason: Option<SealedReason>,
    keys: Arc<KeyRing>,
    done: oneshot::Sender<Result<(), ServeError>>,
}

impl Recorder {
    /// Starts a writer over a session of its own. It ends when nobody can record any more.
    pub(super) fn start(vault: Arc<dyn Vault>) -> Self {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(vault, waiting));
        Self { queue }
    }

    /// Records a request, durable before this returns. `reason` is `None` where it is kept already.
    pub(super) async fn record(
        &self,
        keys: &Arc<KeyRing>,
        record: IntakeRecord,
        reason: Option<SealedReason>,
    ) -> Result<(), ServeError> {
        let (done, told) = oneshot::channel();
        let waiting = Waiting { record, reason, keys: Arc::clone(keys), done };
        self.queue.try_send(waiting).map_err(|_| ServeError::Busy)?;
        told.await.unwrap_or(Err(ServeError::Unavailable))
    }
}

/// Who numbers.
struct Writer {
    name: String,
    next: u64,
}

impl Writer {
    fn new() -> Self {
        let mut bytes = [0; 10];
        rand::rng().fill_bytes(&mut bytes);
        Self { name: data_encoding::HEXLOWER.encode(&bytes), next: 1 }
    }
}

async fn write(vault: Arc<dyn Vault>, mut waiting: mpsc::Receiver<Waiting>) {
    let mut writer = Writer::new();
    let mut group = Vec::new();
    while let Some(first) = waiting.recv().await {
        group.push(first);
        // Whoever is about to ask comes along: one commit for all of them.
        tokio::task::yield_now().await;
        let row = row(&mut writer, &mut group, &mut waiting);
        let written = match row {
            Some((row, reasons)) => vault.intake(row, reasons).await,
            None => Err(crate::ports::VaultError::Inconsistent(
                "the record of a request has no canonical form".to_owned(),
            )),
        };
        if let Err(error) = &written {
            tracing::error!(error = %crate::serve::chain(error), "requests could not be recorded");
            // Whether the row is there is not known: its numbers are not used again.
            writer = Writer::new();
        }
        let is_written = written.is_ok();
        for Waiting { done, .. } in group.drain(..) {
            // Whoever asked may be gone by now: the request is on record all the same.
            let _ = done.send(if is_written { Ok(()) } else { Err(unrecorded()) });
        }
    }
}

fn unrecorded() -> ServeError {
    ServeError::Unrecorded(crate::ports::VaultError::Inconsistent("see the log".to_owned()))
}

/// Takes what waits, up to the size of a row, and numbers it.
fn row(
    writer: &mut Writer,
    group: &mut Vec<Waiting>,
    waiting: &mut mpsc::Receiver<Waiting>,
) -> Option<(IntakeRow, Vec<SealedReason>)> {
    let (mut body, mut reasons) = (Vec::new(), Vec::new());
    let number = writer.next;
    let mut at = 0;
    loop {
        while let Some(one) = group.get_mut(at) {
            one.record.writer.clone_from(&writer.name);
            one.record.number = writer.next;
            body.extend(one.record.canonical().ok()?);
            body.push(b'\n');
            reasons.extend(one.reason.take());
            writer.next += 1;
            at += 1;
        }
        if group.len() >= RECORDS_A_ROW || body.len() >= ROW_BYTES {
            break;
        }
        match waiting.try_recv() {
            Ok(next) => group.push(next),
            Err(_) => break,
        }
    }
    let keys = &group.last()?.keys;
    let (name, number_bytes) = (writer.name.clone(), number.to_be_bytes());
    let mac = keys.control().mac(ROW_TABLE, &row_fields(&name, &number_bytes, &body));
    Some((IntakeRow { writer: name, number, body, mac: mac.to_vec() }, reasons))
}
