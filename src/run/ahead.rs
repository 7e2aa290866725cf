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
    next: Option<Ahead>,
}

/// A batch that is being read.
struct Ahead {
    after: Option<RowKey>,
    version: i64,
    rows: JoinHandle<Result<Vec<Row>, SourceError>>,
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

    /// The rows behind a key, and the version that was noted before they were read.
    pub(crate) async fn read(
        &mut self,
        after: Option<&RowKey>,
        limit: Limit,
    ) -> Result<(i64, Vec<Row>), RunError> {
        // A batch that was cut, or did not go through, is not followed by what was read ahead.
        if let Some(ahead) = self.next.take().filter(|ahead| ahead.after.as_ref() == after)
            && let Ok(Ok(mut rows)) = ahead.rows.await
        {
            rows.truncate(limit.rows.max(1));
            return Ok((ahead.version, rows));
        }
        // ORDER: noted before the read, so that what is written from here on moves it.
        let version = self.job.source.version().await?;
        here("rewrite.within_read");
        let all = &WalkFilter::All;
        let rows = self.job.source.walk(self.table, after, self.upto, limit, all).await?;
        Ok((version, rows))
    }

    /// Begins to read what comes behind a key, where that may be.
    pub(crate) async fn look_ahead(
        &mut self,
        after: Option<&RowKey>,
        limit: Limit,
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
            source.walk(&table, from.as_ref(), upto.as_ref(), limit, &WalkFilter::All).await
        });
        self.next = Some(Ahead { after, version, rows });
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
