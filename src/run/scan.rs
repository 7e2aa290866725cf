//! Scan: the rows of a sample go through the detectors, column by column.
//!
//! A few tables at a time: of each one task reads, block after block, while the columns of the block
//! before are judged on all cores. It knows no policy beyond its patterns: what a finding means for
//! whom, `cli` says.
//!
//! **Invariant:** no value is kept: of each column counts and keyed hashes leave this room.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::batch::compute_each;
use super::wanted::is_token;
use crate::catalog::Table;
use crate::classify::{Detectors, Finding, Profile, Subject};
use crate::policy::{ColumnName, TableName};
use crate::ports::{Progress, SampleExtent, SampleRow, SampleSize, Sampler, Source, SourceError};
use crate::value::{Original, ValueType};

/// Blocks that wait to be judged.
const BLOCKS_WAITING: usize = 4;

/// Tables that are read at the same time, at most: each takes a connection and its blocks.
const WORKERS_MAX: usize = 4;

/// Hashes that a sketch keeps.
const SKETCH_MAX: usize = 1_024;

/// What was found in one table.
#[derive(Debug)]
pub struct ScannedTable {
    /// The table.
    pub table: TableName,
    /// How much of it was read.
    pub extent: SampleExtent,
    /// Its columns.
    pub columns: Vec<ScannedColumn>,
}

/// What was found in one column.
#[derive(Debug)]
pub struct ScannedColumn {
    /// The column.
    pub name: ColumnName,
    /// What the detectors say.
    pub findings: Vec<Finding>,
    /// Values that are tokens by their grammar.
    pub tokens: u64,
    /// Values that are none, empty ones aside.
    pub originals: u64,
    /// By which columns with the same values are found.
    pub sketch: Sketch,
}

/// Keyed hashes of a column's distinct values, or of a share of them.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    level: u32,
    hashes: HashSet<u64>,
}

impl Sketch {
    fn add(&mut self, hash: u64) {
        if hash.trailing_zeros() < self.level {
            return;
        }
        self.hashes.insert(hash);
        while self.hashes.len() > SKETCH_MAX {
            self.level += 1;
            let level = self.level;
            self.hashes.retain(|hash| hash.trailing_zeros() >= level);
        }
    }

    /// About which part of the smaller column's distinct values the other one has too, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share of a thousand")]
    pub fn shared_with(&self, other: &Self) -> f64 {
        if self.hashes.is_empty() || other.hashes.is_empty() {
            return 0.0;
        }
        let level = self.level.max(other.level);
        let kept = |sketch: &Self| -> HashSet<u64> {
            sketch.hashes.iter().copied().filter(|hash| hash.trailing_zeros() >= level).collect()
        };
        let (one, two) = (kept(self), kept(other));
        let smaller = one.len().min(two.len());
        if smaller == 0 { 0.0 } else { one.intersection(&two).count() as f64 / smaller as f64 }
    }
}

/// The tables to be read, and which comes next.
struct Queue {
    tables: Vec<(Table, Vec<String>)>,
    next: AtomicUsize,
    size: SampleSize,
    detectors: Detectors,
    hasher: RandomState,
}

/// Reads samples of these tables and judges their columns; as many tables at a time as there are
/// cores, up to four.
///
/// # Errors
///
/// [`SourceError`] where a table cannot be read.
pub async fn scan(
    source: &dyn Source,
    tables: &[&Table],
    size: SampleSize,
    detectors: Detectors,
    progress: &dyn Progress,
) -> Result<Vec<ScannedTable>, SourceError> {
    progress.begin("scan", "tables", tables.len() as u64);
    let queue = Arc::new(Queue {
        tables: tables.iter().map(|table| ((*table).clone(), columns(table))).collect(),
        next: AtomicUsize::new(0),
        size,
        detectors,
        hasher: RandomState::new(),
    });
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let (sender, mut receiver) = mpsc::channel(BLOCKS_WAITING);
    let mut workers = Vec::new();
    for _ in 0..cores.min(WORKERS_MAX).min(tables.len()) {
        let sampler = source.sampler().await?;
        workers.push(tokio::spawn(work(sampler, Arc::clone(&queue), sender.clone())));
    }
    drop(sender);
    let mut scanned = Vec::with_capacity(tables.len());
    while let Some(table) = receiver.recv().await {
        scanned.push(table);
        progress.advance(1);
    }
    progress.end();
    for worker in workers {
        worker.await.map_err(stopped)??;
    }
    scanned.sort_by_key(|(at, _): &(usize, ScannedTable)| *at);
    Ok(scanned.into_iter().map(|(_, table)| table).collect())
}

/// INVARIANT: what a task that panicked has to say may quote a value, so it goes no further.
fn stopped(_: tokio::task::JoinError) -> SourceError {
    SourceError::Inconsistent("a table could not be read to its end".to_owned())
}

/// Takes table after table until there is none.
async fn work(
    mut sampler: Box<dyn Sampler>,
    queue: Arc<Queue>,
    sender: mpsc::Sender<(usize, ScannedTable)>,
) -> Result<(), SourceError> {
    loop {
        let at = queue.next.fetch_add(1, Ordering::Relaxed);
        let Some((table, columns)) = queue.tables.get(at) else { return Ok(()) };
        let (blocks, mut waiting) = mpsc::channel(BLOCKS_WAITING);
        let reader = tokio::spawn(read(sampler, Arc::clone(&queue), at, blocks));
        let mut judged = Judged::columns(table, columns, &queue.detectors);
        while let Some(rows) = waiting.recv().await {
            compute_each(&mut judged, |column| column.look(&rows, &queue.hasher));
        }
        let (back, read) = reader.await.map_err(stopped)?;
        read?;
        let extent = back.extent();
        sampler = back;
        let columns = judged.into_iter().map(|column| column.finish(&table.name)).collect();
        let scanned = ScannedTable { table: table.name.clone(), extent, columns };
        // A receiver that is gone has failed, and says so itself.
        if sender.send((at, scanned)).await.is_err() {
            return Ok(());
        }
    }
}

/// The columns of a table that can be read.
fn columns(table: &Table) -> Vec<String> {
    let shown = table.columns.iter().filter(|column| !column.hidden);
    shown.map(|column| column.name.clone()).collect()
}

/// Reads one table, block after block, and gives the sampler back.
async fn read(
    mut sampler: Box<dyn Sampler>,
    queue: Arc<Queue>,
    at: usize,
    blocks: mpsc::Sender<Vec<SampleRow>>,
) -> (Box<dyn Sampler>, Result<(), SourceError>) {
    let (table, columns) = &queue.tables[at];
    if let Err(error) = sampler.begin(table, columns, queue.size).await {
        return (sampler, Err(error));
    }
    loop {
        match sampler.next().await {
            Ok(Some(rows)) => {
                if blocks.send(rows).await.is_err() {
                    return (sampler, Ok(()));
                }
            }
            Ok(None) => return (sampler, Ok(())),
            Err(error) => return (sampler, Err(error)),
        }
    }
}

/// One column while it is judged.
struct Judged<'d> {
    at: usize,
    column: String,
    profile: Profile<'d>,
    tokens: u64,
    originals: u64,
    sketch: Sketch,
}

impl<'d> Judged<'d> {
    fn columns(table: &Table, columns: &[String], detectors: &'d Detectors) -> Vec<Self> {
        let judged = columns.iter().enumerate().map(|(at, column)| {
            let siblings: Vec<&str> =
                columns.iter().filter(|sibling| *sibling != column).map(String::as_str).collect();
            let declared = table.column(column).map_or("", |column| column.declared.as_str());
            let subject =
                Subject { table: &table.name.name, column, declared, siblings: &siblings };
            Self {
                at,
                column: column.clone(),
                profile: Profile::new(detectors, &subject),
                tokens: 0,
                originals: 0,
                sketch: Sketch::default(),
            }
        });
        judged.collect()
    }

    fn look(&mut self, rows: &[SampleRow], hasher: &RandomState) {
        for row in rows {
            match row.get(self.at) {
                Some(Some(original)) => self.look_at(original, hasher),
                _ => self.profile.add_null(),
            }
        }
    }

    fn look_at(&mut self, original: &Original, hasher: &RandomState) {
        let bytes = original.expose();
        let is_text = original.kind() == ValueType::Text;
        if is_text && is_token(bytes) {
            self.tokens += 1;
            return;
        }
        self.profile.add(original);
        if !bytes.is_empty() {
            self.originals += 1;
            self.sketch.add(hasher.hash_one((original.kind().code(), bytes)));
        }
    }

    fn finish(self, table: &TableName) -> ScannedColumn {
        // A column of tokens holds nothing, whatever its name promises.
        let is_done = self.tokens > 0 && self.originals == 0;
        let findings = if is_done { Vec::new() } else { self.profile.findings() };
        ScannedColumn {
            name: ColumnName { table: table.clone(), column: self.column },
            findings,
            tokens: self.tokens,
            originals: self.originals,
            sketch: self.sketch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_tells_which_part_of_the_values_is_shared() {
        let hasher = RandomState::new();
        let sketch = |range: std::ops::Range<u32>| {
            let mut sketch = Sketch::default();
            range.for_each(|number| sketch.add(hasher.hash_one(number)));
            sketch
        };
        let people = sketch(0..50_000);
        assert!(people.shared_with(&sketch(0..100_000)) > 0.99);
        assert!((0.35..0.65).contains(&people.shared_with(&sketch(25_000..75_000))));
        assert!(people.shared_with(&sketch(60_000..70_000)) < 0.01);
        assert!(people.shared_with(&Sketch::default()) < 0.01);
    }
}
