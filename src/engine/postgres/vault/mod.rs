//! A vault in a PostgreSQL database, in the schema `sealift`.
//!
//! One session, `synchronous_commit` at least `on`: what a method returns `Ok` for is on disk. A
//! session that is lost is opened again, and what was not yet committed is done again; where the
//! connection is lost while a COMMIT is under way, what it came to is not guessed: the caller is
//! told, and the next command reads where things stand.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use tokio::sync::{Mutex, MutexGuard};

use super::connect::{Address, Opened, close};
use super::error::{is_lost, is_passing, state, vault_error};
use super::refusal::Refusal;
use super::watch::Watch;
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
pub(super) mod lease;
mod ledger;
mod read;
mod run_lock;
mod stage;

pub use archive::PostgresRebuild;
pub use run_lock::{PostgresRunLock, RunShare};

/// How long is waited before something is tried again; one more try than there are waits.
const WAITS_MS: [u64; 6] = [50, 200, 500, 1_000, 2_000, 4_000];

/// Names the lock of whoever puts requests into the tree: `slintake` in ASCII.
const INTAKE_LOCK: i64 = 0x736c_696e_7461_6b65;

/// A vault in a PostgreSQL database.
pub struct PostgresVault {
    address: Address,
    session: Mutex<Option<PgConnection>>,
    /// What every transaction of this session asks after first.
    held: std::sync::Mutex<Option<Lease>>,
    watch: Watch,
    builds: Mutex<stage::Builds>,
    scan_pace: ReadPace,
}

/// Why a piece of work did not come to its end.
pub(super) enum Broken {
    /// The server or the connection said so.
    Engine(sqlx::Error),
    /// The vault is not as the work needs it.
    Vault(VaultError),
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<VaultError> for Broken {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

impl Broken {
    /// Whether the same work may go through when it is begun again.
    fn is_worth_another_try(&self) -> bool {
        match self {
            Self::Engine(error) => is_lost(error) || is_passing(error),
            Self::Vault(_) => false,
        }
    }

    fn told(self, doing: &'static str) -> VaultError {
        match self {
            Self::Engine(error) => vault_error(error, doing),
            Self::Vault(error) => error,
        }
    }
}

impl PostgresVault {
    /// Opens a vault.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where there is none, it is of another format, or the server does not let us in.
    pub async fn open(url: &str) -> Result<Self, VaultError> {
        let (address, mut opened) = connected(url).await?;
        let found = format_of(&mut opened.connection, &address).await?;
        check_format(found)?;
        Ok(Self::over(address, opened))
    }

    /// Makes a vault, in the schema `sealift` of a database that may hold other things. One that was
    /// never finished, so that nobody can open it, is begun anew.
    ///
    /// # Errors
    ///
    /// [`VaultError::Exists`] where the database holds a vault already; nothing is changed then.
    pub async fn create(url: &str, header: &VaultHeader) -> Result<Self, VaultError> {
        let (address, mut opened) = connected(url).await?;
        let session = &mut opened.connection;
        if format_of(session, &address).await.is_ok() && has_slots(session).await? {
            return Err(VaultError::Exists { url: address.shown().to_owned() });
        }
        migrate(session).await?;
        begin(session, header).await.map_err(|error| vault_error(error, "making it"))?;
        Ok(Self::over(address, opened))
    }

    fn over(address: Address, opened: Opened) -> Self {
        let watch = Watch::new(address.clone(), opened.backend);
        Self {
            address,
            session: Mutex::new(Some(opened.connection)),
            watch,
            builds: Mutex::default(),
            scan_pace: ReadPace::new(entries::SCAN_AT_FIRST),
            held: std::sync::Mutex::new(None),
        }
    }

    fn held(&self) -> Option<Lease> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the session.
    pub async fn close(self) {
        if let Some(session) = self.session.into_inner() {
            close(session).await;
        }
    }

    /// The session, opened anew where it was lost.
    async fn lock(&self) -> Result<Session<'_>, VaultError> {
        let mut guard = self.session.lock().await;
        if guard.is_none() {
            *guard = Some(self.reconnected().await?);
        }
        Ok(Session(guard))
    }

    async fn reconnected(&self) -> Result<PgConnection, VaultError> {
        let opened = opened_again(&self.address).await?;
        self.watch.is_now(opened.backend);
        Ok(opened.connection)
    }
}

/// The one session while somebody works on it.
struct Session<'v>(MutexGuard<'v, Option<PgConnection>>);

impl Session<'_> {
    fn connection(&mut self) -> Result<&mut PgConnection, Broken> {
        // `PostgresVault::lock` has just seen to it; nobody else holds the guard.
        self.0.as_mut().ok_or_else(|| Broken::Engine(sqlx::Error::WorkerCrashed))
    }

    /// Lets go of a session whose connection is lost.
    fn forget(&mut self) {
        *self.0 = None;
    }

    /// Ends a transaction that did not come to its end, or the session, if that fails too.
    async fn roll_back(&mut self, broken: &Broken) {
        let lost = matches!(broken, Broken::Engine(error) if is_lost(error));
        let ended = match self.connection() {
            Ok(connection) if !lost => sqlx::raw_sql("ROLLBACK").execute(connection).await.is_ok(),
            _ => false,
        };
        if !ended {
            self.forget();
        }
    }
}

async fn pause(wait_ms: u64) {
    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
}

async fn connected(url: &str) -> Result<(Address, Opened), VaultError> {
    // What cannot be read as an address is not repeated: it may hold a password.
    let address = Address::parse(url).map_err(|error| VaultError::Open {
        url: "postgres:".to_owned(),
        source: Box::new(error),
    })?;
    let mut opened = address.open().await.map_err(|error| unopened(&address, error))?;
    follow_indexes(&mut opened).await.map_err(|error| unopened(&address, error))?;
    Ok((address, opened))
}

async fn opened_again(address: &Address) -> Result<Opened, VaultError> {
    let mut opened = address.open_again().await.map_err(|error| unopened(address, error))?;
    follow_indexes(&mut opened).await.map_err(|error| unopened(address, error))?;
    Ok(opened)
}

/// Has entries read along their index. Of a partition that has just been loaded the server knows no
/// statistics yet, and then it would read and sort all of it for each batch.
async fn follow_indexes(opened: &mut Opened) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("SET enable_sort = off; SET enable_bitmapscan = off;")
        .execute(&mut opened.connection)
        .await?;
    Ok(())
}

fn unopened(address: &Address, error: sqlx::Error) -> VaultError {
    VaultError::Open { url: address.shown().to_owned(), source: super::error::unopened(error) }
}

async fn migrate(session: &mut PgConnection) -> Result<(), VaultError> {
    let mut migrations: Migrator = sqlx::migrate!("./vault-schema/postgres");
    migrations.dangerous_set_table_name("sealift.migration");
    // A role may own the schema and may not make it.
    if needs_schema(session).await? {
        migrations.create_schemas = vec!["sealift".into()].into();
    }
    migrations.run_direct(None, session, false).await.map_err(unmigrated)
}

/// Whether the schema is still to be made. Which privilege is missing for that, or for making tables
/// in one that is there, is said before either is tried.
async fn needs_schema(session: &mut PgConnection) -> Result<bool, VaultError> {
    // language=PostgreSQL
    const MAY: &str =
        "SELECT current_user::text, pg_catalog.current_database()::text, n.oid IS NULL,
            CASE WHEN n.oid IS NULL
                THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
                ELSE pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                     AND pg_catalog.has_schema_privilege(n.oid, 'CREATE') END
        FROM (SELECT 'sealift'::name) AS w (name)
        LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.name";
    let (role, database, is_missing, may): (String, String, bool, bool) = sqlx::query_as(MAY)
        .fetch_one(session)
        .await
        .map_err(|error| vault_error(error, "looking for its schema"))?;
    if may {
        return Ok(is_missing);
    }
    let refusal = if is_missing {
        Refusal::no_schema(&role, &database)
    } else {
        Refusal::closed_schema(&role)
    };
    Err(VaultError::Engine { doing: "making its schema", source: Box::new(refusal) })
}

fn unmigrated(error: sqlx::migrate::MigrateError) -> VaultError {
    match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            vault_error(error, "making its tables")
        }
        other => VaultError::Engine { doing: "making its tables", source: Box::new(other) },
    }
}

async fn format_of(connection: &mut PgConnection, address: &Address) -> Result<u32, VaultError> {
    let found: Result<i64, sqlx::Error> =
        sqlx::query_scalar("SELECT format FROM sealift.vault").fetch_one(connection).await;
    match found {
        Ok(format) => Ok(u32::try_from(format).unwrap_or(u32::MAX)),
        // 42P01: there is no such table. No row: `create` was cut short.
        Err(error)
            if state(&error) == Some("42P01") || matches!(error, sqlx::Error::RowNotFound) =>
        {
            Err(VaultError::NoVault { url: address.shown().to_owned() })
        }
        Err(error) => Err(vault_error(error, "reading its format")),
    }
}

/// Whether there is a way in: without one a vault was never finished.
async fn has_slots(connection: &mut PgConnection) -> Result<bool, VaultError> {
    let slots: i64 = sqlx::query_scalar("SELECT count(*) FROM sealift.slot")
        .fetch_one(connection)
        .await
        .map_err(|error| vault_error(error, "reading its slots"))?;
    Ok(slots > 0)
}

/// Writes the rows that make a schema a vault, both or none, in place of those of a vault that was
/// never finished.
async fn begin(connection: &mut PgConnection, header: &VaultHeader) -> Result<(), sqlx::Error> {
    use sqlx::Connection as _;
    let mut transaction = connection.begin().await?;
    // INVARIANT: a vault that another has finished since the look is left alone: its row stays, and
    // ours, of the same number, is refused.
    sqlx::raw_sql(
        "DELETE FROM sealift.vault WHERE NOT EXISTS (SELECT 1 FROM sealift.slot);
         DELETE FROM sealift.ledger_head WHERE NOT EXISTS (SELECT 1 FROM sealift.slot)",
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query("INSERT INTO sealift.ledger_head VALUES (1, $1)")
        .bind(Head::new().encode())
        .execute(&mut *transaction)
        .await?;
    sqlx::query("INSERT INTO sealift.vault VALUES (1, $1, $2, $3, $4, $5, $6)")
        .bind(header.vault.0.to_vec())
        .bind(i64::from(header.format))
        .bind(&header.created_at)
        .bind(&header.key_check)
        .bind(&header.origin)
        .bind(&header.verifier_key)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Reads; where the connection is lost, reads again over a new one.
macro_rules! reading {
    ($self:ident, $doing:literal, |$connection:ident| $work:expr) => {{
        let mut waits = WAITS_MS.iter();
        loop {
            let mut session = $self.lock().await?;
            let work = async {
                let $connection = session.connection()?;
                Ok($work)
            };
            let outcome: Result<_, Broken> = $self.watch.over(work).await;
            match outcome {
                Ok(value) => break Ok(value),
                Err(broken) => {
                    session.roll_back(&broken).await;
                    drop(session);
                    match waits.next() {
                        Some(wait) if broken.is_worth_another_try() => pause(*wait).await,
                        _ => break Err(broken.told($doing)),
                    }
                }
            }
        }
    }};
}

/// Runs `work` in a transaction: all of it is committed or nothing. What passes, and a connection
/// that is lost before the COMMIT was sent, is tried again.
macro_rules! in_transaction {
    ($self:ident, $doing:literal, |$connection:ident| $work:expr) => {{
        let mut waits = WAITS_MS.iter();
        loop {
            let mut session = $self.lock().await?;
            let work = async {
                let $connection = session.connection()?;
                sqlx::raw_sql("BEGIN").execute(&mut *$connection).await?;
                // ORDER: the lease comes first, so that nothing waits for a piece that is lost.
                lease::still_held($connection, $self.held().as_ref()).await?;
                Ok($work)
            };
            let outcome: Result<_, Broken> = $self.watch.over(work).await;
            let broken = match outcome {
                Ok(value) => {
                    let commit = async {
                        let connection = session.connection()?;
                        sqlx::raw_sql("COMMIT").execute(connection).await?;
                        Ok(())
                    };
                    match $self.watch.over(commit).await {
                        Ok(()) => break Ok(value),
                        // The outcome is known to be none: it may be tried again.
                        Err(Broken::Engine(error)) if is_passing(&error) => Broken::Engine(error),
                        Err(broken) => {
                            session.roll_back(&broken).await;
                            break Err(broken.told("committing; what came of it is not known"));
                        }
                    }
                }
                Err(broken) => broken,
            };
            session.roll_back(&broken).await;
            drop(session);
            match waits.next() {
                Some(wait) if broken.is_worth_another_try() => pause(*wait).await,
                _ => break Err(broken.told($doing)),
            }
        }
    }};
}

#[async_trait]
impl Vault for PostgresVault {
    async fn header(&self) -> Result<VaultHeader, VaultError> {
        reading!(self, "reading its header", |connection| read::header(connection).await?)
    }

    async fn commit(&self, changes: Vec<Change>, drafts: Vec<Draft>) -> Result<Head, VaultError> {
        in_transaction!(self, "recording a change", |connection| {
            for change in &changes {
                commit::apply(connection, change).await?;
            }
            if changes.iter().any(commit::changes_grants) {
                commit::grants_changed(connection).await?;
            }
            // ORDER: the head is locked last, so that a long change does not hold it.
            ledger::append(connection, drafts.clone()).await?
        })
    }

    async fn slots(&self) -> Result<Vec<SlotRow>, VaultError> {
        reading!(self, "reading its slots", |connection| read::slots(connection).await?)
    }

    async fn keys(&self) -> Result<Vec<KeyRow>, VaultError> {
        reading!(self, "reading its keys", |connection| read::keys(connection).await?)
    }

    async fn domains(&self) -> Result<Vec<DomainRow>, VaultError> {
        reading!(self, "reading its domains", |connection| read::domains(connection).await?)
    }

    async fn callers(&self) -> Result<Vec<CallerRow>, VaultError> {
        reading!(self, "reading its callers", |connection| read::callers(connection).await?)
    }

    async fn purposes(&self) -> Result<Vec<PurposeRow>, VaultError> {
        reading!(self, "reading its purposes", |connection| read::purposes(connection).await?)
    }

    async fn unlocks(&self) -> Result<Vec<UnlockRow>, VaultError> {
        reading!(self, "reading its unlocks", |connection| read::unlocks(connection).await?)
    }

    async fn runs(&self) -> Result<Vec<RunRow>, VaultError> {
        let rows = reading!(self, "reading its runs", |c| read::runs(c).await?);
        rows?.into_iter().collect()
    }

    async fn approvals(&self, run: RunId) -> Result<Vec<ApprovalRow>, VaultError> {
        reading!(self, "reading signatures", |connection| read::approvals(connection, run).await?)
    }

    async fn ranges(&self, run: RunId) -> Result<Vec<RangeRow>, VaultError> {
        let rows = reading!(self, "reading ranges", |c| read::ranges(c, run).await?);
        rows?.into_iter().collect()
    }

    async fn files(&self, run: RunId) -> Result<Vec<FileRow>, VaultError> {
        let rows = reading!(self, "reading the list of files", |c| read::files(c, run).await?);
        rows?.into_iter().collect()
    }

    async fn files_of(
        &self,
        run: RunId,
        unit: u16,
        ranges: &[u32],
    ) -> Result<Vec<FileRow>, VaultError> {
        let rows = reading!(self, "reading the list of files", |c| {
            read::files_of(c, run, unit, ranges).await?
        });
        rows?.into_iter().collect()
    }

    async fn quarantine(&self, run: RunId) -> Result<Vec<QuarantineRow>, VaultError> {
        let rows = reading!(self, "reading the quarantine", |c| read::quarantine(c, run).await?);
        rows?.into_iter().collect()
    }

    async fn checks(&self, run: RunId) -> Result<Vec<CheckRow>, VaultError> {
        reading!(self, "reading the answers of checks", |c| read::checks(c, run).await?)
    }

    async fn record_seal(
        &self,
        run: RunId,
        files: Vec<FileRow>,
        blind: Vec<BlindRow>,
    ) -> Result<(), VaultError> {
        in_transaction!(self, "recording sealed files", |connection| {
            if !entries::insert_blind(connection, &blind).await? {
                return_vault(VaultError::BlindTaken)?;
            }
            for file in &files {
                commit::apply(connection, &Change::PutFile(run, file.clone())).await?;
            }
        })
    }

    async fn settle(&self) -> Result<(), VaultError> {
        // Keys are few: their table is written anew, so that a destroyed one is not in it any more. Of
        // reasons there may be many, and requests write them: their room is only given back. Where
        // somebody reads keys just now, the next command does it.
        let mut session = self.lock().await?;
        for sql in ["VACUUM FULL sealift.key", "VACUUM sealift.reason"] {
            let Ok(connection) = session.connection() else { break };
            let done = sqlx::raw_sql(sql).execute(connection).await;
            if done.is_err_and(|error| is_lost(&error)) {
                session.forget();
            }
        }
        Ok(())
    }

    async fn load_cursor(&self, run: RunId) -> Result<LoadCursor, VaultError> {
        in_transaction!(self, "beginning a load", |connection| {
            entries::load_cursor(connection, run).await?
        })
    }

    async fn load(
        &self,
        run: RunId,
        entries: &[EntryRow],
        next: &LoadCursor,
    ) -> Result<Vec<EntryRow>, VaultError> {
        let mut builds = self.builds.lock().await;
        if let Some(before) = builds.look(entries, next.done) {
            let complete = reading!(self, "looking for stages", |connection| {
                stage::complete(connection, run, before).await?
            })?;
            builds.begin(&self.address, run, complete);
        }
        if next.done {
            let built = builds.wait().await;
            built.map_err(|error| vault_error(error, "building the index of sealed values"))?;
        }
        drop(builds);
        let added = in_transaction!(self, "loading sealed values", |connection| {
            for group in entries.chunk_by(|one, two| one.domain == two.domain) {
                if stage::takes(connection, run, group[0].domain, group.len()).await? {
                    stage::copy(connection, run, group).await?;
                } else if entries::add(connection, group).await? < group.len() {
                    // Nothing of a batch with a token that exists stays: the caller opens and
                    // compares, and sends the batch again without it.
                    return_vault(VaultError::EntriesTaken)?;
                }
            }
            if next.done {
                stage::publish(connection, run).await?;
            }
            entries::move_load_cursor(connection, run, next).await?;
        });
        match added {
            Ok(()) => Ok(Vec::new()),
            Err(VaultError::EntriesTaken) => {
                reading!(self, "looking tokens up", |connection| {
                    entries::existing(connection, entries).await?
                })
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
            entries::take_turns(connection).await?;
            if let Some((run, file)) = run.zip(file.clone()) {
                commit::apply(connection, &Change::PutFile(run, file)).await?;
            }
            if !entries::insert_blind(connection, blind).await? {
                return_vault(VaultError::BlindTaken)?;
            }
            let taken = entries::existing(connection, rows).await?;
            let there: HashSet<(DomainId, &TokenBody)> =
                taken.iter().map(|entry| (entry.domain, &entry.token)).collect();
            let fresh: Vec<EntryRow> =
                rows.iter().filter(|r| !there.contains(&(r.domain, &r.token))).cloned().collect();
            let fresh = entries::into_open_segment(connection, run, fresh).await?;
            // A load may have added one meanwhile: then nothing of this stays, and it is retried.
            if entries::add(connection, &fresh).await? < fresh.len() {
                return_vault(VaultError::EntriesTaken)?;
            }
            taken
        })
    }

    async fn entries(
        &self,
        domain: DomainId,
        tokens: &[TokenBody],
    ) -> Result<Vec<Option<EntryRow>>, VaultError> {
        reading!(self, "looking tokens up", |connection| {
            entries::find(connection, domain, tokens).await?
        })
    }

    async fn entries_within(
        &self,
        domain: DomainId,
        tokens: &[TokenBody],
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, VaultError> {
        reading!(self, "looking tokens up", |connection| {
            entries::find_within(connection, domain, tokens, bytes_max).await?
        })
    }

    async fn blind(
        &self,
        domain: DomainId,
        digests: &[[u8; 16]],
    ) -> Result<Vec<Option<TokenBody>>, VaultError> {
        reading!(self, "looking values up", |connection| {
            entries::find_blind(connection, domain, digests).await?
        })
    }

    async fn scan(
        &self,
        after: Option<(DomainId, TokenBody)>,
        limit: usize,
    ) -> Result<Vec<EntryRow>, VaultError> {
        reading!(self, "reading entries", |connection| {
            entries::scan(connection, after.clone(), limit, &self.scan_pace).await?
        })
    }

    async fn segments(&self) -> Result<Vec<SegmentRow>, VaultError> {
        reading!(self, "reading its segments", |connection| read::segments(connection).await?)
    }

    async fn reasons(&self, digests: &[String]) -> Result<Vec<Option<Vec<u8>>>, VaultError> {
        reading!(self, "reading reasons", |c| ledger::reasons(c, digests).await?)
    }

    async fn note_uses(&self, uses: Vec<CredentialUse>) -> Result<(), VaultError> {
        reading!(self, "noting uses", |c| ledger::note_uses(c, &uses).await?)
    }

    async fn credential_uses(&self) -> Result<Vec<CredentialUse>, VaultError> {
        reading!(self, "reading uses", |c| ledger::credential_uses(c).await?)
    }

    async fn grants_version(&self) -> Result<u64, VaultError> {
        reading!(self, "asking what has changed", |c| ledger::grants_version(c).await?)
    }

    async fn intake(&self, row: IntakeRow, reasons: Vec<SealedReason>) -> Result<(), VaultError> {
        let mut session = self.lock().await?;
        let write = async {
            ledger::intake(session.connection()?, &row, &reasons).await?;
            Ok(())
        };
        let written = self.watch.over(write).await;
        // One statement, tried once: where it is lost on the way nobody is told that it is there.
        if let Err(broken) = written {
            session.roll_back(&broken).await;
            return Err(broken.told("recording a request"));
        }
        Ok(())
    }

    async fn intake_rows(&self, limit: usize) -> Result<Vec<IntakeRow>, VaultError> {
        reading!(self, "reading recorded requests", |c| ledger::intake_rows(c, limit).await?)
    }

    async fn intake_through(&self, writer: &str) -> Result<u64, VaultError> {
        reading!(self, "reading recorded requests", |c| ledger::intake_through(c, writer).await?)
    }

    async fn leads_intake(&self) -> Result<bool, VaultError> {
        reading!(self, "asking who leads", |c| ledger::leads_intake(c).await?)
    }

    async fn take_quota(&self, quotas: &[Quota], count: u64) -> Result<Taken, VaultError> {
        in_transaction!(self, "counting tokens", |connection| {
            ledger::take_quota(connection, quotas, count).await?
        })
    }

    async fn head(&self) -> Result<Head, VaultError> {
        reading!(self, "reading the head of its ledger", |c| ledger::head(c).await?)
    }

    async fn ledger(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, VaultError> {
        reading!(self, "reading its ledger", |c| ledger::bodies(c, from, limit).await?)
    }

    async fn ledger_of(&self, run: RunId) -> Result<Vec<Entry>, VaultError> {
        reading!(self, "reading its ledger", |c| ledger::of_run(c, run).await?)
    }

    async fn ledger_of_callers(&self) -> Result<Vec<Entry>, VaultError> {
        reading!(self, "reading its ledger", |c| ledger::of_callers(c).await?)
    }

    async fn ledger_of_policies(&self) -> Result<Vec<Entry>, VaultError> {
        reading!(self, "reading its ledger", |c| ledger::of_policies(c).await?)
    }

    async fn reason(&self, digest: &str) -> Result<Option<Vec<u8>>, VaultError> {
        reading!(self, "reading a sealed reason", |c| ledger::reason(c, digest).await?)
    }

    async fn told(&self) -> Result<Vec<ToldRow>, VaultError> {
        reading!(self, "reading what was told", |c| ledger::told(c).await?)
    }

    async fn newest_checkpoint(&self) -> Result<Option<(u64, String)>, VaultError> {
        reading!(self, "reading its checkpoints", |c| ledger::newest_checkpoint(c).await?)
    }

    async fn checkpoints(&self) -> Result<Vec<(u64, String)>, VaultError> {
        reading!(self, "reading its checkpoints", |c| ledger::checkpoints(c).await?)
    }

    async fn another(&self) -> Result<Option<Arc<dyn Vault>>, VaultError> {
        let opened = opened_again(&self.address).await?;
        Ok(Some(Arc::new(Self::over(self.address.clone(), opened))))
    }

    fn hold(&self, lease: Option<Lease>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    async fn run_state(&self, run: RunId) -> Result<RunState, VaultError> {
        reading!(self, "reading where a run stands", |c| lease::run_state(c, run).await?)
    }

    async fn enter(&self, worker: &WorkerRow, lease_ms: u64) -> Result<(), VaultError> {
        in_transaction!(self, "entering a process", |connection| {
            lease::enter(connection, worker, lease_ms).await?;
        })
    }

    async fn beat(&self, worker: &str, lease_ms: u64, beat: &Beat) -> Result<u64, VaultError> {
        reading!(self, "renewing leases", |c| lease::beat(c, worker, lease_ms, beat).await?)
    }

    async fn evict(&self, worker: &str) -> Result<(), VaultError> {
        reading!(self, "freeing leases", |c| lease::evict(c, worker).await?)
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, VaultError> {
        reading!(self, "reading who is at work", |c| lease::workers(c).await?)
    }

    async fn add_pieces(&self, pieces: &[(Piece, u64)]) -> Result<(), VaultError> {
        reading!(self, "laying out the work", |c| lease::add_pieces(c, pieces).await?)
    }

    async fn take_piece(
        &self,
        run: RunId,
        task: Task,
        holder: &Holder,
        lease_ms: u64,
    ) -> Result<Option<Lease>, VaultError> {
        reading!(self, "taking a lease", |c| lease::take(c, run, task, holder, lease_ms).await?)
    }

    async fn cut_state(&self, run: RunId, unit: u16, table: u16) -> Result<CutState, VaultError> {
        reading!(self, "reading how far a table is cut", |connection| {
            lease::cut_state(connection, run, unit, table).await?
        })
    }

    async fn cut_piece(
        &self,
        piece: &Piece,
        after: Option<u32>,
        holder: &Holder,
        lease_ms: u64,
    ) -> Result<Option<Lease>, VaultError> {
        let cut: Result<Option<Lease>, VaultError> =
            in_transaction!(self, "cutting a range", |connection| {
                lease::cut(connection, piece, after, holder, lease_ms).await?
            });
        match cut {
            Err(VaultError::LeaseLost { .. }) => Ok(None),
            cut => cut,
        }
    }

    async fn give_back(&self, lease: &Lease) -> Result<(), VaultError> {
        reading!(self, "giving a lease back", |c| lease::give_back(c, lease).await?)
    }

    async fn pieces(&self, run: RunId, task: Task) -> Result<PieceCounts, VaultError> {
        reading!(self, "counting what is left to do", |c| lease::counts(c, run, task).await?)
    }

    async fn fence(&self, run: RunId) -> Result<(), VaultError> {
        reading!(self, "fencing off whoever is still at work", |c| lease::fence(c, run).await?)
    }

    async fn copy_out(&self, sink: &mut dyn ArchiveSink) -> Result<(), ArchiveError> {
        archive::copy_out(&self.address, sink).await
    }
}

/// Ends a transaction with a word of the vault's own.
fn return_vault(error: VaultError) -> Result<(), Broken> {
    Err(Broken::Vault(error))
}
