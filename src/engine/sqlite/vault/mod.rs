//! A vault in a SQLite file.
//!
//! One connection, `synchronous = FULL`: what a method returns `Ok` for is on disk. Every change
//! goes through an `IMMEDIATE` transaction, so two processes take turns, and none is committed to a file
//! that no longer stands at the vault's path.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, MutexGuard};

use super::connect;
use super::error::{code, vault_error};
use crate::engine::read_pace::ReadPace;
use crate::ledger::{Draft, Entry, Head};
use crate::lifecycle::RunId;
use crate::ports::{
    ApprovalRow, ArchiveError, ArchiveSink, Beat, BlindRow, CallerRow, Change, CheckRow,
    CredentialUse, CutState, DomainRow, EntryRow, FileRow, Holder, IntakeRow, KeyRow, Lease,
    LoadCursor, Looked, Piece, PieceCounts, PurposeRow, QuarantineRow, Quota, RangeRow, RunRow,
    RunState, SealedReason, SegmentRow, SlotRow, Taken, Task, ToldRow, UnlockRow, Vault,
    VaultError, VaultHeader, WorkerRow, check_format,
};
use crate::token::{DomainId, TokenBody};

mod archive;
mod commit;
mod entries;
mod lease;
mod ledger;
mod place;
mod read;

pub use archive::SqliteRebuild;
use place::Place;

/// A vault in a SQLite file.
pub struct SqliteVault {
    url: String,
    place: Place,
    connection: Mutex<SqliteConnection>,
    scan_pace: ReadPace,
}

impl SqliteVault {
    /// Opens a vault.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where there is none, it is of another format, or the file cannot be opened.
    pub async fn open(url: &str) -> Result<Self, VaultError> {
        let path = connect::path_of(url)
            .ok_or_else(|| unopened(&connect::kind_of(url), connect::no_path(url)))?;
        if !path.is_file() {
            return Err(unopened(url, "there is no such file"));
        }
        let mut connection =
            connect::vault(&path).await.map_err(|error| vault_error(error, url, "opening it"))?;
        let found = format_of(&mut connection, url).await?;
        check_format(found)?;
        let scan_pace = ReadPace::new(entries::SCAN_AT_FIRST);
        let place = Place::of(path)
            .map_err(|error| VaultError::Open { url: url.to_owned(), source: Box::new(error) })?;
        Ok(Self { url: url.to_owned(), place, connection: Mutex::new(connection), scan_pace })
    }

    /// Makes a vault, in a new file or beside the tables of an existing one. One that was never
    /// finished, so that nobody can open it, is begun anew.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exists`] where the file holds a vault already; nothing is changed then.
    pub async fn create(url: &str, header: &VaultHeader) -> Result<Self, VaultError> {
        let failed = |error| vault_error(error, url, "making its tables");
        let path = connect::path_of(url)
            .ok_or_else(|| unopened(&connect::kind_of(url), connect::no_path(url)))?;
        let mut connection =
            connect::new_vault(&path).await.map_err(|error| {
                match vault_error(error, url, "making its file") {
                    VaultError::Engine { source, .. } => {
                        VaultError::Open { url: url.to_owned(), source }
                    }
                    told => told,
                }
            })?;
        if format_of(&mut connection, url).await.is_ok() && has_slots(&mut connection, url).await? {
            return Err(VaultError::Exists { url: url.to_owned() });
        }
        migrate(&mut connection, url).await?;
        begin(&mut connection, header).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        Self::open(url).await
    }

    /// Closes the vault. The last connection that is closed empties the log and removes it.
    pub async fn close(self) {
        // What is committed is durable whether or not this works.
        let _ = self.connection.into_inner().close().await;
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        self.place.path()
    }

    async fn lock(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }

    fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> VaultError + '_ {
        move |error| vault_error(error, &self.url, doing)
    }
}

async fn migrate(connection: &mut SqliteConnection, url: &str) -> Result<(), VaultError> {
    let mut migrations: Migrator = sqlx::migrate!("./vault-schema/sqlite");
    migrations.dangerous_set_table_name("sealift_migration");
    migrations.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            vault_error(error, url, "making its tables")
        }
        other => VaultError::Engine { doing: "making its tables", source: Box::new(other) },
    })
}

/// Whether there is a way in: without one a vault was never finished.
async fn has_slots(connection: &mut SqliteConnection, url: &str) -> Result<bool, VaultError> {
    let slots: i64 = sqlx::query_scalar("SELECT count(*) FROM sealift_slot")
        .fetch_one(connection)
        .await
        .map_err(|error| vault_error(error, url, "reading its slots"))?;
    Ok(slots > 0)
}

/// Writes the rows that make the tables a vault, both or none, in place of those of a vault that was
/// never finished.
async fn begin(connection: &mut SqliteConnection, header: &VaultHeader) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // INVARIANT: a vault that another has finished since the look is left alone: its row stays, and
    // ours, of the same number, is refused.
    sqlx::raw_sql(
        "DELETE FROM sealift_vault WHERE NOT EXISTS (SELECT 1 FROM sealift_slot);
         DELETE FROM sealift_ledger_head WHERE NOT EXISTS (SELECT 1 FROM sealift_slot)",
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query("INSERT INTO sealift_vault VALUES (1, ?, ?, ?, ?, ?, ?)")
        .bind(header.vault.0.to_vec())
        .bind(i64::from(header.format))
        .bind(&header.created_at)
        .bind(&header.key_check)
        .bind(&header.origin)
        .bind(&header.verifier_key)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO sealift_ledger_head VALUES (1, ?)")
        .bind(Head::new().encode())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

fn unopened(url: &str, message: &'static str) -> VaultError {
    VaultError::Open { url: url.to_owned(), source: message.into() }
}

async fn format_of(connection: &mut SqliteConnection, url: &str) -> Result<u32, VaultError> {
    let found: Result<i64, sqlx::Error> =
        sqlx::query_scalar("SELECT format FROM sealift_vault").fetch_one(connection).await;
    match found {
        Ok(format) => Ok(u32::try_from(format).unwrap_or(u32::MAX)),
        // SQLITE_ERROR: there is no such table. No row: `create` was cut short.
        Err(error) if code(&error) == Some(1) || matches!(error, sqlx::Error::RowNotFound) => {
            Err(VaultError::NoVault { url: url.to_owned() })
        }
        Err(error) => Err(vault_error(error, url, "reading its format")),
    }
}

/// Runs `work` in an `IMMEDIATE` transaction: all of it is committed or nothing.
///
/// **Invariant:** nothing is committed to a file that was moved away, deleted or replaced.
macro_rules! in_transaction {
    ($self:ident, $doing:literal, |$connection:ident| $work:expr) => {{
        let mut guard = $self.lock().await;
        let $connection = &mut *guard;
        sqlx::raw_sql("BEGIN IMMEDIATE")
            .execute(&mut *$connection)
            .await
            .map_err($self.failed($doing))?;
        let outcome: Result<_, VaultError> = async { $work }.await;
        // ORDER: looked at last, so that as little time as can be is left until the commit.
        match outcome.and_then(|value| $self.place.stands(&$self.url).map(|()| value)) {
            Ok(value) => {
                if let Err(error) = sqlx::raw_sql("COMMIT").execute(&mut *$connection).await {
                    // A COMMIT that failed may have rolled back already; this makes sure.
                    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *$connection).await;
                    return Err(vault_error(error, &$self.url, $doing));
                }
                Ok(value)
            }
            Err(error) => {
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *$connection).await;
                Err(error)
            }
        }
    }};
}

#[async_trait]
impl Vault for SqliteVault {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        read::header(&mut *self.lock().await).await.map_err(self.failed("reading its header"))
    }

    async fn commit(&self, changes: Vec<Change>, drafts: Vec<Draft>) -> Result<Head, VaultError> {
        in_transaction!(self, "recording a change", |connection| {
            for change in &changes {
                commit::apply(connection, &self.url, change).await?;
            }
            if changes.iter().any(commit::changes_grants) {
                commit::grants_changed(connection)
                    .await
                    .map_err(self.failed("recording a change"))?;
            }
            // ORDER: the head is locked last, so that a long change does not hold it.
            ledger::append(connection, &self.url, drafts).await
        })
    }

    async fn slots(&self) -> Result<Vec<SlotRow>, VaultError> {
        read::slots(&mut *self.lock().await).await.map_err(self.failed("reading its slots"))
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, VaultError> {
        read::keys(&mut *self.lock().await).await.map_err(self.failed("reading its keys"))
    }

    async fn domains(&self) -> Result<Vec<DomainRow>, VaultError> {
        read::domains(&mut *self.lock().await).await.map_err(self.failed("reading its domains"))
    }

    async fn callers(&self) -> Result<Vec<CallerRow>, VaultError> {
        read::callers(&mut *self.lock().await).await.map_err(self.failed("reading its callers"))
    }

    async fn purposes(&self) -> Result<Vec<PurposeRow>, VaultError> {
        read::purposes(&mut *self.lock().await).await.map_err(self.failed("reading its purposes"))
    }

    async fn unlocks(&self) -> Result<Vec<UnlockRow>, VaultError> {
        read::unlocks(&mut *self.lock().await).await.map_err(self.failed("reading its unlocks"))
    }

    async fn runs(&self) -> Result<Vec<RunRow>, VaultError> {
        let rows = read::runs(&mut *self.lock().await).await;
        rows.map_err(self.failed("reading its runs"))?.into_iter().collect()
    }

    async fn approvals(&self, run: RunId) -> Result<Vec<ApprovalRow>, VaultError> {
        let rows = read::approvals(&mut *self.lock().await, run).await;
        rows.map_err(self.failed("reading signatures"))
    }

    async fn ranges(&self, run: RunId) -> Result<Vec<RangeRow>, VaultError> {
        let rows = read::ranges(&mut *self.lock().await, run).await;
        rows.map_err(self.failed("reading ranges"))?.into_iter().collect()
    }

    async fn files(&self, run: RunId) -> Result<Vec<FileRow>, VaultError> {
        let rows = read::files(&mut *self.lock().await, run).await;
        rows.map_err(self.failed("reading the list of files"))?.into_iter().collect()
    }

    async fn files_of(
        &self,
        run: RunId,
        unit: u16,
        ranges: &[u32],
    ) -> Result<Vec<FileRow>, VaultError> {
        let rows = read::files_of(&mut *self.lock().await, run, unit, ranges).await;
        rows.map_err(self.failed("reading the list of files"))?.into_iter().collect()
    }

    async fn quarantine(&self, run: RunId) -> Result<Vec<QuarantineRow>, VaultError> {
        let rows = read::quarantine(&mut *self.lock().await, run).await;
        rows.map_err(self.failed("reading the quarantine"))?.into_iter().collect()
    }

    async fn checks(&self, run: RunId) -> Result<Vec<CheckRow>, VaultError> {
        let rows = read::checks(&mut *self.lock().await, run).await;
        rows.map_err(self.failed("reading the answers of checks"))
    }

    async fn record_seal(
        &self,
        run: RunId,
        files: Vec<FileRow>,
        blind: Vec<BlindRow>,
    ) -> Result<(), VaultError> {
        in_transaction!(self, "recording sealed files", |connection| {
            for row in &blind {
                if !entries::insert_blind(connection, &self.url, row).await? {
                    return Err(VaultError::BlindTaken);
                }
            }
            for file in files {
                commit::apply(connection, &self.url, &Change::PutFile(run, file)).await?;
            }
            Ok(())
        })
    }

    async fn settle(&self) -> Result<(), VaultError> {
        // In another journal mode, and where a reader is in the way, this does nothing.
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut *self.lock().await)
            .await
            .map_err(self.failed("emptying its log"))?;
        Ok(())
    }

    async fn bytes(&self) -> Result<Option<u64>, VaultError> {
        // language=SQLite
        let pages = "SELECT (SELECT * FROM pragma_page_count) * (SELECT * FROM pragma_page_size)";
        let bytes: i64 = sqlx::query_scalar(pages)
            .fetch_one(&mut *self.lock().await)
            .await
            .map_err(self.failed("measuring itself"))?;
        Ok(u64::try_from(bytes).ok())
    }

    async fn load_cursor(&self, run: RunId) -> Result<LoadCursor, VaultError> {
        in_transaction!(self, "beginning a load", |connection| {
            entries::load_cursor(connection, &self.url, run).await
        })
    }

    async fn load(
        &self,
        run: RunId,
        entries: &[EntryRow],
        next: &LoadCursor,
    ) -> Result<Vec<EntryRow>, VaultError> {
        let added = in_transaction!(self, "loading sealed values", |connection| {
            // Nothing of a batch with a token that exists stays: the caller opens and compares,
            // and sends the batch again without it.
            if entries::add(connection, &self.url, entries).await? < entries.len() {
                return Err(VaultError::EntriesTaken);
            }
            entries::move_load_cursor(connection, &self.url, run, next).await
        });
        match added {
            Ok(()) => Ok(Vec::new()),
            Err(VaultError::EntriesTaken) => {
                entries::existing(&mut *self.lock().await, &self.url, entries).await
            }
            Err(error) => Err(error),
        }
    }

    async fn insert(
        &self,
        run: Option<RunId>,
        rows: &[EntryRow],
        blind: &[BlindRow],
        file: Option<FileRow>,
    ) -> Result<Vec<EntryRow>, VaultError> {
        in_transaction!(self, "adding sealed values", |connection| {
            if let Some((run, file)) = run.zip(file) {
                commit::apply(connection, &self.url, &Change::PutFile(run, file)).await?;
            }
            for row in blind {
                if !entries::insert_blind(connection, &self.url, row).await? {
                    return Err(VaultError::BlindTaken);
                }
            }
            let taken = entries::existing(connection, &self.url, rows).await?;
            let there: HashSet<(DomainId, &TokenBody)> =
                taken.iter().map(|entry| (entry.domain, &entry.token)).collect();
            let fresh: Vec<EntryRow> =
                rows.iter().filter(|r| !there.contains(&(r.domain, &r.token))).cloned().collect();
            let fresh = entries::into_open_segment(connection, &self.url, run, fresh).await?;
            entries::add(connection, &self.url, &fresh).await?;
            Ok(taken)
        })
    }

    async fn entries(
        &self,
        domain: DomainId,
        tokens: &[TokenBody],
    ) -> Result<Vec<Option<EntryRow>>, VaultError> {
        entries::find(&mut *self.lock().await, &self.url, domain, tokens).await
    }

    async fn entries_within(
        &self,
        domain: DomainId,
        tokens: &[TokenBody],
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, VaultError> {
        entries::find_within(&mut *self.lock().await, &self.url, domain, tokens, bytes_max).await
    }

    async fn blind(
        &self,
        domain: DomainId,
        digests: &[[u8; 16]],
    ) -> Result<Vec<Option<TokenBody>>, VaultError> {
        entries::find_blind(&mut *self.lock().await, &self.url, domain, digests).await
    }

    async fn scan(
        &self,
        after: Option<(DomainId, TokenBody)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, VaultError> {
        entries::scan(&mut *self.lock().await, &self.url, after, limit, &self.scan_pace).await
    }

    async fn segments(&self) -> Result<Vec<SegmentRow>, VaultError> {
        read::segments(&mut *self.lock().await).await.map_err(self.failed("reading its segments"))
    }

    async fn reasons(&self, digests: &[String]) -> Result<Vec<Option<Vec<u8>>>, VaultError> {
        ledger::reasons(&mut *self.lock().await, digests)
            .await
            .map_err(self.failed("reading reasons"))
    }

    async fn note_uses(&self, uses: Vec<CredentialUse>) -> Result<(), VaultError> {
        in_transaction!(self, "noting uses", |connection| {
            ledger::note_uses(connection, &uses).await.map_err(self.failed("noting uses"))
        })
    }

    async fn credential_uses(&self) -> Result<Vec<CredentialUse>, VaultError> {
        ledger::credential_uses(&mut *self.lock().await).await.map_err(self.failed("reading uses"))
    }

    async fn grants_version(&self) -> Result<u64, VaultError> {
        // A service asks this all the time: a file that was moved away ends its answers.
        self.place.stands(&self.url)?;
        ledger::grants_version(&mut *self.lock().await)
            .await
            .map_err(self.failed("asking what has changed"))
    }

    async fn intake(&self, row: IntakeRow, reasons: Vec<SealedReason>) -> Result<(), VaultError> {
        in_transaction!(self, "recording a request", |connection| {
            ledger::intake(connection, &row, &reasons)
                .await
                .map_err(self.failed("recording a request"))
        })
    }

    async fn intake_rows(&self, limit: usize) -> Result<Vec<IntakeRow>, VaultError> {
        ledger::intake_rows(&mut *self.lock().await, limit)
            .await
            .map_err(self.failed("reading recorded requests"))
    }

    async fn intake_through(&self, writer: &str) -> Result<u64, VaultError> {
        ledger::intake_through(&mut *self.lock().await, writer)
            .await
            .map_err(self.failed("reading recorded requests"))
    }

    /// Writers of one file take turns anyway; whoever comes second finds the rows gone.
    async fn leads_intake(&self) -> Result<bool, VaultError> {
        Ok(true)
    }

    async fn take_quota(&self, quotas: &[Quota], count: u64) -> Result<Taken, VaultError> {
        in_transaction!(self, "counting tokens", |connection| {
            ledger::take_quota(connection, quotas, count)
                .await
                .map_err(self.failed("counting tokens"))
        })
    }

    async fn head(&self) -> Result<Head, VaultError> {
        ledger::head(&mut *self.lock().await, &self.url).await
    }

    async fn ledger(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, VaultError> {
        ledger::bodies(&mut *self.lock().await, from, limit)
            .await
            .map_err(self.failed("reading its ledger"))
    }

    async fn ledger_of(&self, run: RunId) -> Result<Vec<Entry>, VaultError> {
        ledger::of_run(&mut *self.lock().await, &self.url, run).await
    }

    async fn ledger_of_callers(&self) -> Result<Vec<Entry>, VaultError> {
        ledger::of_callers(&mut *self.lock().await, &self.url).await
    }

    async fn ledger_of_policies(&self) -> Result<Vec<Entry>, VaultError> {
        ledger::of_policies(&mut *self.lock().await, &self.url).await
    }

    async fn reason(&self, digest: &str) -> Result<Option<Vec<u8>>, VaultError> {
        ledger::reason(&mut *self.lock().await, digest)
            .await
            .map_err(self.failed("reading a sealed reason"))
    }

    async fn told(&self) -> Result<Vec<ToldRow>, VaultError> {
        ledger::told(&mut *self.lock().await).await.map_err(self.failed("reading what was told"))
    }

    async fn newest_checkpoint(&self) -> Result<Option<(u64, String)>, VaultError> {
        ledger::newest_checkpoint(&mut *self.lock().await)
            .await
            .map_err(self.failed("reading its checkpoints"))
    }

    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, VaultError> {
        ledger::checkpoints(&mut *self.lock().await)
            .await
            .map_err(self.failed("reading its checkpoints"))
    }

    async fn run_state(&self, run: RunId) -> Result<RunState, VaultError> {
        lease::run_state(&mut *self.lock().await, run)
            .await
            .map_err(self.failed("reading where a run stands"))?
            .ok_or_else(|| VaultError::Inconsistent("a run has no known phase".to_owned()))
    }

    async fn enter(&self, worker: &WorkerRow, lease_ms: u64) -> Result<(), VaultError> {
        in_transaction!(self, "entering a process", |connection| {
            lease::enter(connection, worker, lease_ms)
                .await
                .map_err(self.failed("entering a process"))
        })
    }

    async fn beat(&self, worker: &str, lease_ms: u64, beat: &Beat) -> Result<u64, VaultError> {
        lease::beat(&mut *self.lock().await, worker, lease_ms, beat)
            .await
            .map_err(self.failed("noting what a process does"))
    }

    async fn evict(&self, worker: &str) -> Result<(), VaultError> {
        in_transaction!(self, "freeing leases", |connection| {
            lease::evict(connection, worker).await.map_err(self.failed("freeing leases"))
        })
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, VaultError> {
        lease::workers(&mut *self.lock().await).await.map_err(self.failed("reading who is at work"))
    }

    async fn add_pieces(&self, pieces: &[(Piece, u64)]) -> Result<(), VaultError> {
        in_transaction!(self, "laying out the work", |connection| {
            lease::add_pieces(connection, pieces).await.map_err(self.failed("laying out the work"))
        })
    }

    async fn take_piece(
        &self,
        run: RunId,
        task: Task,
        holder: &Holder,
        lease_ms: u64,
    ) -> Result<Option<Lease>, VaultError> {
        lease::take(&mut *self.lock().await, run, task, holder, lease_ms).await
    }

    async fn cut_state(&self, run: RunId, unit: u16, table: u16) -> Result<CutState, VaultError> {
        lease::cut_state(&mut *self.lock().await, run, unit, table).await
    }

    async fn cut_piece(
        &self,
        piece: &Piece,
        after: Option<u32>,
        holder: &Holder,
        lease_ms: u64,
    ) -> Result<Option<Lease>, VaultError> {
        let lost = VaultError::LeaseLost { unit: piece.unit, range: piece.range };
        let cut: Result<(), VaultError> = in_transaction!(self, "cutting a range", |connection| {
            match lease::cut(connection, piece, after, holder, lease_ms).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(lost),
                Err(error) => Err(vault_error(error, &self.url, "cutting a range")),
            }
        });
        match cut {
            Ok(()) => {
                let (piece, holder) = (piece.clone(), holder.clone());
                Ok(Some(Lease { piece, epoch: 1, holder }))
            }
            Err(VaultError::LeaseLost { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn give_back(&self, lease: &Lease) -> Result<(), VaultError> {
        lease::give_back(&mut *self.lock().await, lease)
            .await
            .map_err(self.failed("giving a lease back"))
    }

    async fn pieces(&self, run: RunId, task: Task) -> Result<PieceCounts, VaultError> {
        lease::counts(&mut *self.lock().await, run, task)
            .await
            .map_err(self.failed("counting what is left to do"))
    }

    async fn fence(&self, run: RunId) -> Result<(), VaultError> {
        lease::fence(&mut *self.lock().await, run)
            .await
            .map_err(self.failed("fencing off whoever is still at work"))
    }

    async fn copy_out(&self, sink: &mut dyn ArchiveSink) -> Result<(), ArchiveError> {
        // A copy opens the path anew: it would be one of another vault.
        self.place.stands(&self.url)?;
        archive::copy_out(self.place.path(), &self.url, sink).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::VaultId;
    use crate::ports::VAULT_FORMAT;

    fn header(of: u8) -> VaultHeader {
        VaultHeader {
            vault: VaultId([of; 16]),
            format: VAULT_FORMAT,
            created_at: "2026-01-01T00:00:00Z".to_owned(),
            key_check: vec![of; 32],
            origin: "test".to_owned(),
            verifier_key: of.to_string(),
        }
    }

    #[tokio::test]
    async fn a_vault_is_begun_anew_until_somebody_has_finished_it() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("vault.db").display());
        SqliteVault::create(&url, &header(1)).await.unwrap();
        let vault = SqliteVault::create(&url, &header(2)).await.unwrap();
        let mut connection = vault.lock().await;
        sqlx::raw_sql("INSERT INTO sealift_slot VALUES (1, '{}', '2026-01-01T00:00:00Z', NULL)")
            .execute(&mut *connection)
            .await
            .unwrap();
        // As one who has looked before the slot came.
        assert!(begin(&mut connection, &header(3)).await.is_err());
        drop(connection);
        assert_eq!(vault.header().await.unwrap().vault, VaultId([2; 16]));
    }

    #[tokio::test]
    async fn nothing_is_committed_to_a_file_that_was_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let (path, away) = (dir.path().join("vault.db"), dir.path().join("away.db"));
        let url = format!("sqlite:{}", path.display());
        let vault = SqliteVault::create(&url, &header(1)).await.unwrap();
        let size = vault.head().await.unwrap().size();
        let is_refused = async || {
            let written = vault.commit(Vec::new(), vec![Draft::default()]).await;
            assert!(matches!(vault.grants_version().await, Err(VaultError::Moved { .. })));
            matches!(written, Err(VaultError::Moved { .. }))
        };

        std::fs::rename(&path, &away).unwrap();
        assert!(is_refused().await, "there is no file");
        std::fs::copy(&away, &path).unwrap();
        assert!(is_refused().await, "there is another one");
        std::fs::rename(&away, &path).unwrap();

        assert_eq!(vault.head().await.unwrap().size(), size);
        vault.grants_version().await.unwrap();
        vault.commit(Vec::new(), vec![Draft::default()]).await.unwrap();
    }
}
