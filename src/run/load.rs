//! Loading the vault: the stage files of a run, merged in token order, batch by batch.
//!
//! Sorted input keeps the index of the entry table cheap, and equal tokens meet: they are opened
//! and compared, and one is kept. Each batch commits with the load's cursor and the state of the
//! row-set root, so a load that is cut off goes on where it was. How files are merged is the
//! business of [`super::merge`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::ledger::{Digest, RowSetRoot};
use crate::ports::{EntryRow, FileKind, LoadCursor};
use crate::run::batch::compute;
use crate::run::column::Column;
use crate::run::crash::here;
use crate::run::entries::{compare, same_value};
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::merge::{Gathered, Merge};
use crate::token::{DomainId, TokenBody};

/// Entries of one transaction.
const BATCH_ENTRIES: usize = 40_000;

/// Bytes of envelopes in one transaction. Three batches are held at a time.
const BATCH_BYTES: usize = 8 << 20;

pub(crate) async fn load(job: &Job) -> Result<(), RunError> {
    let cursor = job.vault.load_cursor(job.run).await?;
    if cursor.done {
        return Ok(());
    }
    let files = job.vault.files(job.run).await?;
    let total = files.iter().filter(|f| f.kind == FileKind::Stage).map(|f| f.seal.records).sum();
    job.progress.begin("load the vault", "values", total);
    let columns = Arc::new(domains(job).await?);
    let stages = files.iter().filter(|f| f.kind == FileKind::Stage).map(|f| f.seal.clone());
    let gathered = tokio::task::block_in_place(|| {
        Gathered::from(job.files.as_ref(), stages.collect(), || job.may_go_on())
    })?;
    let mut merge = gathered.open(job.files.as_ref(), cursor.after.as_ref())?;
    // While the vault takes one batch, the next waits for it, and the one after that is merged.
    let (sender, receiver) = mpsc::channel(1);
    let storing = tokio::spawn(store(job.clone(), Arc::clone(&columns), cursor.clone(), receiver));
    let merged = merge_all(job, &mut merge, &columns, cursor, sender).await;
    let stored = storing.await.map_err(|_| broken_off())?;
    // What the vault says comes first: it is why the merge was broken off, where it was.
    let cursor = stored?;
    merged?;
    let done = LoadCursor { done: true, ..cursor };
    job.vault.load(job.run, &[], &done).await?;
    here("seal.after_load");
    drop(merge);
    gathered.remove(job.files.as_ref())?;
    job.progress.end();
    Ok(())
}

fn broken_off() -> RunError {
    RunError::Inconsistent("a batch of the load was broken off".to_owned())
}

/// Merges batches and hands them over, each with where the load will stand when the vault has taken
/// it whole, until none is left or nobody takes them.
async fn merge_all(
    job: &Job,
    merge: &mut Merge,
    columns: &HashMap<DomainId, Column>,
    mut cursor: LoadCursor,
    sender: mpsc::Sender<Bound>,
) -> Result<(), RunError> {
    loop {
        job.may_go_on()?;
        let bound = tokio::task::block_in_place(|| {
            let batch = next_batch(merge, job, columns, cursor.segment)?;
            Bound::behind(batch, &cursor)
        })?;
        if bound.batch.entries.is_empty() {
            return Ok(());
        }
        cursor.clone_from(&bound.next);
        if sender.send(bound).await.is_err() {
            return Ok(());
        }
    }
}

/// Stores batches one by one, in the order of their tokens; says where the load stands behind them.
async fn store(
    job: Job,
    columns: Arc<HashMap<DomainId, Column>>,
    mut cursor: LoadCursor,
    mut receiver: mpsc::Receiver<Bound>,
) -> Result<LoadCursor, RunError> {
    while let Some(mut bound) = receiver.recv().await {
        job.may_go_on()?;
        // INVARIANT: a batch goes in behind the one before it, as that one was taken. Where entries of
        // it were there already, the root is another than was expected.
        if bound.before != cursor {
            bound = tokio::task::block_in_place(|| Bound::behind(bound.batch, &cursor))?;
        }
        let taken = bound.batch.taken;
        cursor = settle(&job, &columns, bound).await?;
        here("seal.after_vault_commit");
        job.progress.advance(taken);
    }
    Ok(cursor)
}

/// One column for each domain of the run: any of them opens the domain's entries.
pub(crate) async fn domains(job: &Job) -> Result<HashMap<DomainId, Column>, RunError> {
    let mut columns = HashMap::new();
    for table in job.plan.units.iter().flat_map(|unit| &unit.tables) {
        for column in job.columns(table).await? {
            columns.entry(column.domain_id()).or_insert(column);
        }
    }
    Ok(columns)
}

/// Entries in token order, each token once, with their leaves of the row set.
struct Batch {
    entries: Vec<EntryRow>,
    leaves: Vec<Digest>,
    /// How many records were merged into them.
    taken: u64,
}

impl Batch {
    /// Where the load stands when the batch is stored.
    fn cursor(
        &self,
        before: &LoadCursor,
        after: Option<(DomainId, TokenBody)>,
    ) -> Result<LoadCursor, RunError> {
        let inconsistent =
            |error: crate::ledger::RowSetError| RunError::Inconsistent(error.to_string());
        let mut root = RowSetRoot::decode(&before.root_state).map_err(inconsistent)?;
        for (entry, leaf) in self.entries.iter().zip(&self.leaves) {
            root.append(u32::from(entry.domain.0), entry.token.as_bytes(), *leaf)
                .map_err(inconsistent)?;
        }
        Ok(LoadCursor {
            segment: before.segment,
            after: after.or_else(|| before.after.clone()),
            root_state: root.encode(),
            entries: before.entries + self.entries.len() as u64,
            done: false,
        })
    }
}

/// A batch, and between which states of the load it lies.
struct Bound {
    batch: Batch,
    before: LoadCursor,
    after: Option<(DomainId, TokenBody)>,
    next: LoadCursor,
}

impl Bound {
    fn behind(batch: Batch, before: &LoadCursor) -> Result<Self, RunError> {
        let after = batch.entries.last().map(|entry| (entry.domain, entry.token.clone()));
        let next = batch.cursor(before, after.clone())?;
        Ok(Self { batch, before: before.clone(), after, next })
    }
}

/// Stores a batch. Tokens that the vault had before are opened, compared and left where they are.
async fn settle(
    job: &Job,
    columns: &HashMap<DomainId, Column>,
    bound: Bound,
) -> Result<LoadCursor, RunError> {
    let Bound { mut batch, before, after, mut next } = bound;
    loop {
        let taken = job.vault.load(job.run, &batch.entries, &next).await?;
        if taken.is_empty() {
            return Ok(next);
        }
        compare(&job.keys, columns, &batch.entries, &taken)?;
        let taken: HashSet<(DomainId, TokenBody)> =
            taken.into_iter().map(|entry| (entry.domain, entry.token)).collect();
        let (entries, leaves) = batch
            .entries
            .into_iter()
            .zip(batch.leaves)
            .filter(|(mine, _)| !taken.contains(&(mine.domain, mine.token.clone())))
            .unzip();
        batch = Batch { entries, leaves, taken: batch.taken };
        next = batch.cursor(&before, after.clone())?;
    }
}

/// The next entries, each token once, all of one domain.
///
/// INVARIANT: records of one token are never split between two batches.
fn next_batch(
    merge: &mut Merge,
    job: &Job,
    columns: &HashMap<DomainId, Column>,
    segment: u32,
) -> Result<Batch, RunError> {
    let mut entries: Vec<EntryRow> = Vec::new();
    let (mut bytes, mut taken) = (0, 0);
    while let Some(front) = merge.front() {
        let last = entries.last();
        let repeats = last.is_some_and(|last| (last.domain, &last.token) == front);
        let is_full = entries.len() >= BATCH_ENTRIES
            || bytes >= BATCH_BYTES
            || last.is_some_and(|last| last.domain != front.0);
        if !repeats && is_full {
            break;
        }
        let Some(mut entry) = merge.next()? else { break };
        taken += 1;
        match entries.last() {
            Some(last) if repeats => same_value(&job.keys, columns, last, &entry)?,
            _ => {
                entry.segment = segment;
                bytes += entry.envelope.len();
                entries.push(entry);
            }
        }
    }
    let leaves = compute(&entries, |entry| {
        RowSetRoot::leaf(u32::from(entry.domain.0), entry.token.as_bytes(), &entry.envelope)
    });
    Ok(Batch { entries, leaves, taken })
}
