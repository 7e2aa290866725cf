//! A SQLite database, as another program beside Sealift sees it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use tokio::runtime::{Builder, Runtime};

/// An open database. Foreign keys are enforced, and it waits a minute for a lock.
pub(crate) struct Db {
    runtime: Runtime,
    connection: Option<SqliteConnection>,
}

impl Db {
    /// Opens a database, and makes it where it is not there.
    pub(crate) fn open(path: &Path) -> Self {
        Self::with(SqliteConnectOptions::new().filename(path).create_if_missing(true))
    }

    /// Opens a database for reading.
    pub(crate) fn reading(path: &Path) -> Self {
        Self::with(SqliteConnectOptions::new().filename(path).read_only(true))
    }

    fn with(options: SqliteConnectOptions) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let options = options.busy_timeout(Duration::from_mins(1)).disable_statement_logging();
        let connection = runtime.block_on(options.connect()).unwrap();
        Self { runtime, connection: Some(connection) }
    }

    /// Runs statements.
    #[track_caller]
    pub(crate) fn exec(&mut self, sql: impl Into<String>) {
        self.try_exec(sql).unwrap();
    }

    /// Runs statements; says whether they were taken.
    pub(crate) fn try_exec(&mut self, sql: impl Into<String>) -> Result<(), sqlx::Error> {
        let connection = self.connection.as_mut().unwrap();
        let query = sqlx::raw_sql(AssertSqlSafe(sql.into()));
        self.runtime.block_on(query.execute(connection)).map(|_| ())
    }

    /// The rows of a query, each column as text; NULL and text that is not UTF-8 are refused, so a
    /// query says itself how it wants to see them.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: impl Into<String>) -> Vec<Vec<String>> {
        let connection = self.connection.as_mut().unwrap();
        let query = sqlx::query(AssertSqlSafe(sql.into()));
        let rows = self.runtime.block_on(query.fetch_all(connection)).unwrap();
        let text = |row: &sqlx::sqlite::SqliteRow| {
            (0..row.len()).map(|at| row.try_get_unchecked(at).unwrap()).collect()
        };
        rows.iter().map(text).collect()
    }

    /// The first column of a query.
    #[track_caller]
    pub(crate) fn column(&mut self, sql: impl Into<String>) -> Vec<String> {
        self.rows(sql).into_iter().map(|row| row.into_iter().next().unwrap()).collect()
    }

    /// The only value of a query.
    #[track_caller]
    pub(crate) fn value(&mut self, sql: impl Into<String>) -> String {
        let column = self.column(sql);
        assert_eq!(column.len(), 1, "one row is expected");
        column.into_iter().next().unwrap()
    }

    /// The only value of a query, as a number.
    #[track_caller]
    pub(crate) fn number(&mut self, sql: impl Into<String>) -> i64 {
        self.value(sql).parse().unwrap()
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // A test that has failed already shall not fail a second time.
            let _ = self.runtime.block_on(connection.close());
        }
    }
}

/// A name as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
