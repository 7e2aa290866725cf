//! Loading the vault: the stage files of a run, merged in token order, batch by batch.
//!
//! Sorted input keeps the index of the entry table cheap, and equal tokens meet: they are opened
//! and compared, and one is kept. Each batch commits with the load's cursor and the state of the
//! row-set root, so a load that is cut off goes on where it was.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::ledger::RowSetRoot;
use crate::ports::{EntryRow, FileKind, FileRow, LoadCursor, RecordReader};
use crate::run::column::Column;
use crate::run::entries::{compare, same_value};
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::record::StageRecord;
use crate::token::{DomainId, TokenBody};

/// Entries of one transaction.
const BATCH_ENTRIES: usize = 20_000;

/// Bytes of envelopes in one transaction.
const BATCH_BYTES: usize = 8 << 20;

pub(crate) async fn load(job: &Job) -> Result<(), RunError> {
    let mut cursor = job.vault.load_cursor(job.run).await?;
    if cursor.done {
        return Ok(());
    }
    let files = job.vault.files(job.run).await?;
    let total = files.iter().filter(|f| f.kind == FileKind::Stage).map(|f| f.seal.records).sum();
    job.progress.begin("load the vault", "values", total);
    let columns = domains(job).await?;
    let mut merge = Merge::open(job, &files, &cursor)?;
    loop {
        job.may_go_on()?;
        let (batch, taken) = merge.next_batch(job, &columns, cursor.segment)?;
        let is_last = batch.is_empty();
        cursor = store(job, &columns, batch, &cursor, is_last).await?;
        job.progress.advance(taken);
        if is_last {
            break;
        }
    }
    job.progress.end();
    Ok(())
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

/// Stores a batch. Tokens that the vault had before are opened, compared and left where they are.
async fn store(
    job: &Job,
    columns: &HashMap<DomainId, Column>,
    mut batch: Vec<EntryRow>,
    cursor: &LoadCursor,
    is_last: bool,
) -> Result<LoadCursor, RunError> {
    let after = batch.last().map(|entry| (entry.domain, entry.token.clone()));
    loop {
        let next = advanced(cursor, &batch, after.clone(), is_last)?;
        let taken = job.vault.load(job.run, &batch, &next).await?;
        if taken.is_empty() {
            return Ok(next);
        }
        compare(&job.keys, columns, &batch, &taken)?;
        let taken: HashSet<(DomainId, TokenBody)> =
            taken.into_iter().map(|entry| (entry.domain, entry.token)).collect();
        batch.retain(|mine| !taken.contains(&(mine.domain, mine.token.clone())));
    }
}

fn advanced(
    cursor: &LoadCursor,
    batch: &[EntryRow],
    after: Option<(DomainId, TokenBody)>,
    done: bool,
) -> Result<LoadCursor, RunError> {
    let inconsistent =
        |error: crate::ledger::RowSetError| RunError::Inconsistent(error.to_string());
    let mut root = RowSetRoot::decode(&cursor.root_state).map_err(inconsistent)?;
    for entry in batch {
        root.push(u32::from(entry.domain.0), entry.token.as_bytes(), &entry.envelope)
            .map_err(inconsistent)?;
    }
    Ok(LoadCursor {
        segment: cursor.segment,
        after: after.or_else(|| cursor.after.clone()),
        root_state: root.encode(),
        entries: cursor.entries + batch.len() as u64,
        done,
    })
}

/// The next record of one stage file, ordered by (domain, token).
struct Front {
    entry: EntryRow,
    file: usize,
}

impl Front {
    fn key(&self) -> (DomainId, &TokenBody) {
        (self.entry.domain, &self.entry.token)
    }
}

impl PartialEq for Front {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.file == other.file
    }
}

impl Eq for Front {}

impl PartialOrd for Front {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Front {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key()).then(self.file.cmp(&other.file))
    }
}

struct Merge {
    readers: Vec<(String, Box<dyn RecordReader>)>,
    fronts: BinaryHeap<Reverse<Front>>,
}

impl Merge {
    /// Opens every stage file and goes to the first record behind the cursor.
    fn open(job: &Job, files: &[FileRow], cursor: &LoadCursor) -> Result<Self, RunError> {
        let mut merge = Self { readers: Vec::new(), fronts: BinaryHeap::new() };
        for file in files.iter().filter(|file| file.kind == FileKind::Stage) {
            let reader = job.files.open(&file.seal.name, &file.seal.sha256)?;
            merge.readers.push((file.seal.name.clone(), reader));
            let at = merge.readers.len() - 1;
            while let Some(front) = merge.read(at)? {
                let is_behind = cursor
                    .after
                    .as_ref()
                    .is_none_or(|(domain, token)| front.key() > (*domain, token));
                if is_behind {
                    merge.fronts.push(Reverse(front));
                    break;
                }
            }
        }
        Ok(merge)
    }

    fn read(&mut self, file: usize) -> Result<Option<Front>, RunError> {
        let (name, reader) = &mut self.readers[file];
        let Some(record) = reader.read()? else { return Ok(None) };
        let record = StageRecord::decode(&record)
            .map_err(|source| RunError::Record { name: name.clone(), source })?;
        let entry = EntryRow {
            domain: DomainId(record.domain),
            token: record.token,
            segment: 0,
            kind: record.kind,
            envelope: record.envelope,
        };
        Ok(Some(Front { entry, file }))
    }

    /// The next entries, each token once. Also says how many records were merged into them.
    ///
    /// INVARIANT: records of one token are never split between two batches.
    fn next_batch(
        &mut self,
        job: &Job,
        columns: &HashMap<DomainId, Column>,
        segment: u32,
    ) -> Result<(Vec<EntryRow>, u64), RunError> {
        let mut batch: Vec<EntryRow> = Vec::new();
        let (mut bytes, mut taken) = (0, 0);
        while let Some(Reverse(front)) = self.fronts.peek() {
            let repeats =
                batch.last().is_some_and(|last| (last.domain, &last.token) == front.key());
            if !repeats && (batch.len() >= BATCH_ENTRIES || bytes >= BATCH_BYTES) {
                break;
            }
            let Some(Reverse(Front { mut entry, file })) = self.fronts.pop() else { break };
            if let Some(next) = self.read(file)? {
                self.fronts.push(Reverse(next));
            }
            taken += 1;
            match batch.last() {
                Some(last) if repeats => same_value(&job.keys, columns, last, &entry)?,
                _ => {
                    entry.segment = segment;
                    bytes += entry.envelope.len();
                    batch.push(entry);
                }
            }
        }
        Ok((batch, taken))
    }
}
