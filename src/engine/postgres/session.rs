//! One session with the server, mended where it breaks: lost connections are made again, and what
//! may pass (a deadlock, a lock that is held) is tried again with growing pauses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use sqlx::postgres::PgConnection;

use super::connect::{Address, Opened};
use super::error::{is_away, is_passing, open_error, source_error};
use super::shape::Shape;
use super::watch::Watch;
use crate::policy::TableName;
use crate::ports::SourceError;

/// How often something that may pass is tried again.
pub(super) const ATTEMPTS_MAX: u32 = 12;

/// The first pause; each next one is twice as long, up to [`PAUSE_MAX`].
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: a server that restarts is waited for half a minute in all.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a session is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing.
    Nothing,
    /// A transaction that ends with the call that began it. Found at the begin of another call, it
    /// was left behind.
    Transaction,
    /// The transaction of a purge, which spans calls.
    Seizure,
}

/// One session with the server.
pub(super) struct Session {
    address: Address,
    connection: Option<PgConnection>,
    pub(super) doing: Doing,
    /// The role may keep the server's log free of values; else writes go by way of `unseen`.
    pub(super) is_silent: bool,
    watch: Arc<Watch>,
    /// Shapes of tables, read once.
    shapes: HashMap<TableName, Shape>,
    /// How long the last COMMIT took.
    pub(super) commit_took: Option<Duration>,
    /// Transactions within the one at hand that wrote rows.
    pub(super) parts: Vec<String>,
}

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Try once more; nothing was committed.
    Passing,
    /// Try once more on a new connection; what was sent last may have been committed.
    Lost,
}

impl Session {
    pub(super) async fn open(address: Address) -> Result<Self, SourceError> {
        let opened =
            open(&address, Waits::No).await.map_err(|error| open_error(error, address.shown()))?;
        Ok(Self {
            watch: Arc::new(Watch::new(address.clone(), opened.backend)),
            address,
            connection: Some(opened.connection),
            doing: Doing::Nothing,
            is_silent: opened.is_silent,
            shapes: HashMap::new(),
            commit_took: None,
            parts: Vec::new(),
        })
    }

    /// Who watches over the statements of this session.
    pub(super) fn watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch)
    }

    /// The connection; made again where it was lost, and rid of a transaction that was left open.
    pub(super) async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.doing == Doing::Transaction {
            self.roll_back().await;
        }
        if self.connection.is_none() {
            if self.doing == Doing::Seizure {
                return Err(sqlx::Error::Protocol("the connection with the lock is gone".into()));
            }
            let opened = open(&self.address, Waits::Yes).await?;
            self.watch.is_now(opened.backend);
            self.is_silent = opened.is_silent;
            self.connection = Some(opened.connection);
        }
        self.within()
    }

    /// The connection inside a transaction that this call has begun.
    pub(super) fn within(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection
            .as_mut()
            .ok_or_else(|| sqlx::Error::Protocol("the connection is gone".to_owned()))
    }

    /// Begins a transaction with these first statements.
    pub(super) async fn begin(&mut self, first: &'static str) -> Result<(), sqlx::Error> {
        let connection = self.connection().await?;
        sqlx::raw_sql("BEGIN").execute(&mut *connection).await?;
        self.doing = Doing::Transaction;
        self.parts.clear();
        sqlx::raw_sql(first).execute(self.within()?).await?;
        Ok(())
    }

    /// Commits. After an error its outcome is unknown where the connection was lost.
    pub(super) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        let begun = Instant::now();
        sqlx::raw_sql("COMMIT").execute(self.within()?).await?;
        self.commit_took = Some(begun.elapsed());
        self.doing = Doing::Nothing;
        Ok(())
    }

    /// Ends a transaction without its work.
    pub(super) async fn roll_back(&mut self) {
        self.doing = Doing::Nothing;
        let Some(connection) = self.connection.as_mut() else { return };
        if sqlx::raw_sql("ROLLBACK").execute(connection).await.is_err() {
            self.connection = None;
        }
    }

    /// The shape of a table, as it was when it was first asked for.
    pub(super) async fn shape(&mut self, table: &TableName) -> Result<Shape, sqlx::Error> {
        if let Some(shape) = self.shapes.get(table) {
            return Ok(shape.clone());
        }
        let shape = Shape::read(self.within()?, table).await?;
        self.shapes.insert(table.clone(), shape.clone());
        Ok(shape)
    }

    /// Keeps the shape of a table in place of the one that was read first.
    pub(super) fn knows(&mut self, table: &TableName, shape: Shape) {
        self.shapes.insert(table.clone(), shape);
    }

    /// Has the shapes of tables read anew: this session has changed some.
    pub(super) fn forget_shapes(&mut self) {
        self.shapes.clear();
    }

    /// Whether a failed step may be tried again, after a pause that this call makes. The transaction
    /// is rolled back, and a lost connection is let go.
    pub(super) async fn may_try_again(
        &mut self,
        error: &sqlx::Error,
        attempt: u32,
    ) -> Option<Again> {
        let again = if is_away(error) {
            self.connection = None;
            Again::Lost
        } else if is_passing(error) {
            Again::Passing
        } else {
            if self.doing == Doing::Transaction {
                self.roll_back().await;
            }
            return None;
        };
        if self.doing == Doing::Seizure {
            return None;
        }
        self.roll_back().await;
        if attempt >= ATTEMPTS_MAX {
            return None;
        }
        pause(attempt).await;
        Some(again)
    }

    /// An error of this session, in the words of the ports.
    pub(super) fn failed(&self, error: sqlx::Error, doing: &'static str) -> SourceError {
        source_error(error, self.address.shown(), doing)
    }
}

/// Opens a session in which a walk follows the index of its key. Whatever the statistics say of a
/// table that changes under them: a sort would read a whole range for each batch, and what it does
/// not keep in memory it writes to files of the server, originals among it.
async fn open(address: &Address, waits: Waits) -> Result<Opened, sqlx::Error> {
    let mut opened = match waits {
        Waits::Yes => address.open_again().await?,
        Waits::No => address.open().await?,
    };
    sqlx::raw_sql("SET enable_sort = off; SET enable_bitmapscan = off;")
        .execute(&mut opened.connection)
        .await?;
    Ok(opened)
}

/// Whether a server that is away is waited for: it was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    Yes,
    No,
}

/// Waits, the longer the more often it was tried, and never as long as another worker.
pub(super) async fn pause(attempt: u32) {
    let longest = PAUSE.saturating_mul(1 << attempt.min(10)).min(PAUSE_MAX);
    let part = rand::rng().random_range(0.5..1.0);
    tokio::time::sleep(longest.mul_f64(part)).await;
}
