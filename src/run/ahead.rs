//! Reading ahead: while one batch is worked on, the database reads the next.
//!
//! Each holds two batches at a time, whatever the table's size, and knows nothing of what is in them.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::plan::UnitTable;
use crate::ports::{EntryRow, Limit, Row, Source, SourceError, Vault, VaultError, WalkFilter};
use crate::run::crash::here;
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::token::{DomainId, TokenBody};
use crate::value::RowKey;

/// The rows of a table in the order of its key, batch by batch.
pub(crate) struct RowsAhead {
    source: Arc<dyn Source>,
    table: UnitTable,
    upto: Option<RowKey>,
    limit: Limit,
    next: Option<JoinHandle<Result<Vec<Row>, SourceError>>>,
}

impl RowsAhead {
    /// Begins to read the rows with `after < key ≤ upto`.
    pub(crate) fn begin(
        source: &Arc<dyn Source>,
        table: &UnitTable,
        after: Option<RowKey>,
        upto: Option<RowKey>,
        limit: Limit,
    ) -> Self {
        let mut rows =
            Self { source: Arc::clone(source), table: table.clone(), upto, limit, next: None };
        rows.read(after);
        rows
    }

    fn read(&mut self, after: Option<RowKey>) {
        let (source, table) = (Arc::clone(&self.source), self.table.clone());
        let (upto, limit) = (self.upto.clone(), self.limit);
        self.next = Some(tokio::spawn(async move {
            source.walk(&table, after.as_ref(), upto.as_ref(), limit, &WalkFilter::All).await
        }));
    }

    /// The next batch; empty where none is left.
    pub(crate) async fn next(&mut self) -> Result<Vec<Row>, RunError> {
        let Some(next) = self.next.take() else { return Ok(Vec::new()) };
        let rows = next.await.map_err(|_| broken_off())??;
        if let Some(last) = rows.last() {
            self.read(Some(last.key.clone()));
        }
        Ok(rows)
    }
}

/// The batches of a range that is rewritten. Where the source lets a second session read beside the
/// writes, the next one is read while one is written.
///
/// **Invariant:** a batch bears the version that the *writing* session noted before the batch was
/// read, whoever read it: the guard of the write compares with that. Nothing is read ahead any more
/// once the version is another one than when the source said that it may be.
pub(crate) struct NextRows<'n> {
    job: &'n Job,
    table: &'n UnitTable,
    upto: Option<&'n RowKey>,
    beside: Option<(i64, Arc<dyn Source>)>,
    next: Option<Reading>,
}

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// With their cells.
    Whole,
    /// Only what says whether they are still what was backed up; with their cells where the source
    /// cannot say it.
    Stamps {
        /// What the digests begin from.
        seed: i64,
    },
}

/// A batch of rows.
pub(crate) struct Batch {
    /// The version that was noted before they were read.
    pub(crate) version: i64,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// Whether they came without their cells.
    pub(crate) is_bare: bool,
}

/// A batch that is being read.
struct Reading {
    after: Option<RowKey>,
    version: i64,
    reads: Reads,
    rows: JoinHandle<Result<(Vec<Row>, bool), SourceError>>,
}

/// Reads rows in one of the two ways; says whether they came without their cells.
async fn rows(
    source: &dyn Source,
    table: &UnitTable,
    (after, upto): (Option<&RowKey>, Option<&RowKey>),
    limit: Limit,
    reads: Reads,
) -> Result<(Vec<Row>, bool), SourceError> {
    if let Reads::Stamps { seed } = reads
        && let Some(rows) = source.stamps(table, after, upto, limit.rows, seed).await?
    {
        return Ok((rows, true));
    }
    Ok((source.walk(table, after, upto, limit, &WalkFilter::All).await?, false))
}

impl<'n> NextRows<'n> {
    /// Begins with nothing read.
    pub(crate) async fn begin(
        job: &'n Job,
        table: &'n UnitTable,
        upto: Option<&'n RowKey>,
    ) -> Result<Self, RunError> {
        let beside = job.source.beside().await?;
        Ok(Self { job, table, upto, beside, next: None })
    }

    /// The rows behind a key.
    pub(crate) async fn read(
        &mut self,
        after: Option<&RowKey>,
        limit: Limit,
        reads: Reads,
    ) -> Result<Batch, RunError> {
        // A batch that was cut, or did not go through, is not followed by what was read ahead.
        let follows = |reading: &Reading| reading.after.as_ref() == after && reading.reads == reads;
        if let Some(ahead) = self.next.take().filter(follows)
            && let Ok(Ok((mut rows, is_bare))) = ahead.rows.await
        {
            rows.truncate(limit.rows.max(1));
            return Ok(Batch { version: ahead.version, rows, is_bare });
        }
        // ORDER: noted before the read, so that what is written from here on moves it.
        let version = self.job.source.version().await?;
        here("rewrite.within_read");
        let between = (after, self.upto);
        let (rows, is_bare) =
            rows(self.job.source.as_ref(), self.table, between, limit, reads).await?;
        Ok(Batch { version, rows, is_bare })
    }

    /// Begins to read what comes behind a key, where that may be.
    pub(crate) async fn look_ahead(
        &mut self,
        after: Option<&RowKey>,
        limit: Limit,
        reads: Reads,
    ) -> Result<(), RunError> {
        let Some((since, source)) = &self.beside else { return Ok(()) };
        let version = self.job.source.version().await?;
        if version != *since {
            self.beside = None;
            return Ok(());
        }
        let (source, table) = (Arc::clone(source), self.table.clone());
        let (after, upto) = (after.cloned(), self.upto.cloned());
        let from = after.clone();
        let rows = tokio::spawn(async move {
            let between = (from.as_ref(), upto.as_ref());
            rows(source.as_ref(), &table, between, limit, reads).await
        });
        self.next = Some(Reading { after, version, reads, rows });
        Ok(())
    }
}

/// The vault's entries in the order of domain and token, batch by batch.
pub(crate) struct EntriesAhead {
    vault: Arc<dyn Vault>,
    limit: usize,
    next: Option<JoinHandle<Result<Vec<EntryRow>, VaultError>>>,
}

impl EntriesAhead {
    /// Begins to read all of them.
    pub(crate) fn begin(vault: &Arc<dyn Vault>, limit: usize) -> Self {
        let mut entries = Self { vault: Arc::clone(vault), limit, next: None };
        entries.read(None);
        entries
    }

    fn read(&mut self, after: Option<(DomainId, TokenBody)>) {
        let (vault, limit) = (Arc::clone(&self.vault), self.limit);
        self.next = Some(tokio::spawn(async move { vault.scan(after, limit).await }));
    }

    /// The next batch; empty where none is left.
    pub(crate) async fn next(&mut self) -> Result<Vec<EntryRow>, RunError> {
        let Some(next) = self.next.take() else { return Ok(Vec::new()) };
        let entries = next.await.map_err(|_| broken_off())??;
        if let Some(last) = entries.last() {
            self.read(Some((last.domain, last.token.clone())));
        }
        Ok(entries)
    }
}

pub(crate) fn broken_off() -> RunError {
    RunError::Inconsistent("a read ahead was broken off".to_owned())
}
