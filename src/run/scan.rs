//! Scan: the rows of a sample go through the detectors, column by column.
//!
//! One task reads, block after block; the columns of a block are judged on all cores meanwhile. It
//! knows no policy beyond its patterns: what a finding means for whom, `cli` says.
//!
//! **Invariant:** no value is kept: of each column counts and keyed hashes leave this room.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

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
        let level = self.level.max(other.level);
        let kept = |sketch: &Self| -> HashSet<u64> {
            sketch.hashes.iter().copied().filter(|hash| hash.trailing_zeros() >= level).collect()
        };
        let (one, two) = (kept(self), kept(other));
        let smaller = one.len().min(two.len());
        if smaller == 0 { 0.0 } else { one.intersection(&two).count() as f64 / smaller as f64 }
    }
}

/// What the reading task says.
enum Message {
    Begun(usize),
    Rows(Vec<SampleRow>),
    Done(SampleExtent),
}

/// Reads samples of these tables and judges their columns.
///
/// # Errors
///
/// [`SourceError`] where a table cannot be read.
pub async fn scan(
    source: &dyn Source,
    tables: &[&Table],
    size: SampleSize,
    detectors: &Detectors,
    progress: &dyn Progress,
) -> Result<Vec<ScannedTable>, SourceError> {
    progress.begin("scan", "tables", tables.len() as u64);
    let sampler = source.sampler().await?;
    let wanted: Arc<Vec<(Table, Vec<String>)>> =
        Arc::new(tables.iter().map(|table| ((*table).clone(), columns(table))).collect());
    let (sender, mut receiver) = mpsc::channel(BLOCKS_WAITING);
    let reader = tokio::spawn(read(sampler, Arc::clone(&wanted), size, sender));
    let hasher = RandomState::new();
    let mut scanned = Vec::with_capacity(tables.len());
    let mut judged: Vec<Judged<'_>> = Vec::new();
    let mut at = 0;
    while let Some(message) = receiver.recv().await {
        match message {
            Message::Begun(table) => {
                at = table;
                let (table, columns) = &wanted[at];
                judged = Judged::columns(table, columns, detectors);
            }
            Message::Rows(rows) => {
                compute_each(&mut judged, |column| column.look(&rows, &hasher));
            }
            Message::Done(extent) => {
                let table = wanted[at].0.name.clone();
                let columns = judged.drain(..).map(|column| column.finish(&table)).collect();
                scanned.push(ScannedTable { table, extent, columns });
                progress.advance(1);
            }
        }
    }
    progress.end();
    match reader.await {
        Ok(read) => read.map(|()| scanned),
        Err(error) => {
            Err(SourceError::Engine { doing: "reading a sample", source: Box::new(error) })
        }
    }
}

/// The columns of a table that can be read.
fn columns(table: &Table) -> Vec<String> {
    let shown = table.columns.iter().filter(|column| !column.hidden);
    shown.map(|column| column.name.clone()).collect()
}

async fn read(
    mut sampler: Box<dyn Sampler>,
    wanted: Arc<Vec<(Table, Vec<String>)>>,
    size: SampleSize,
    sender: mpsc::Sender<Message>,
) -> Result<(), SourceError> {
    // A receiver that is gone has failed, and says so itself.
    for (at, (table, columns)) in wanted.iter().enumerate() {
        if sender.send(Message::Begun(at)).await.is_err() {
            return Ok(());
        }
        sampler.begin(table, columns, size).await?;
        while let Some(rows) = sampler.next().await? {
            if sender.send(Message::Rows(rows)).await.is_err() {
                return Ok(());
            }
        }
        if sender.send(Message::Done(sampler.extent())).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
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
