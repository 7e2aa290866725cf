//! Reading ahead: while one batch is worked on, the database reads the next.
//!
//! It holds two batches at a time, whatever the table's size, and knows nothing of what is in them.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::plan::UnitTable;
use crate::ports::{EntryRow, Limit, Row, Source, SourceError, Vault, VaultError, WalkFilter};
use crate::run::error::RunError;
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
