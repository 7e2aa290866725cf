//! Connections: how a URL names a server, and which settings every session of ours has.
//!
//! What must hold for safety is sent with the start of the session, so that nothing runs without
//! it. A pooler in transaction mode refuses such a start, and that is wanted: under it, settings
//! and cursors would wander from one server connection to another.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use rand::RngExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::error::{LOCK_TIMEOUT, millis};

/// How long a lease lasts that is not renewed.
const LEASE: Duration = Duration::from_secs(15);

/// What may be set as a lease's time, for tests that have no time.
const LEASES_MS: std::ops::RangeInclusive<u64> = 500..=600_000;

/// What the names of all our sessions begin with.
pub(crate) const PROGRAM: &str = "sealift";

/// How long a server may take to answer a login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// What a URL may say beside user, host, port and database.
const PARAMETERS: [&str; 10] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
];

/// Settings that keep values out of the server's log. A role may set some of them only where the
/// server's owner lets it; what could not be set is said in the plan.
const QUIET: [(&str, &str); 6] = [
    ("log_parameter_max_length_on_error", "0"),
    ("log_parameter_max_length", "0"),
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
    ("log_statement", "none"),
    ("log_min_duration_statement", "-1"),
];

/// How long a lease lasts that is not renewed. `SEALIFT_LEASE_MS` sets it; all processes at work on
/// a run have to agree about it.
#[must_use]
pub fn lease_time() -> Duration {
    let set = std::env::var("SEALIFT_LEASE_MS").ok().and_then(|text| text.parse().ok());
    set.filter(|ms| LEASES_MS.contains(ms)).map_or(LEASE, Duration::from_millis)
}

/// How long a transaction of ours may lie idle before the server ends it: a process that is stopped
/// cannot hold rows for longer, and not until its lease is somebody else's.
fn idle_timeout() -> Duration {
    lease_time().mul_f64(2.0 / 3.0)
}

/// The name of this process, which all its sessions bear: random, so that a server can tell what is
/// left of a process that died from what another one does.
#[must_use]
pub fn process_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| format!("{PROGRAM}-{:016x}", rand::rng().random::<u64>()))
}

/// Whether a URL names a PostgreSQL server.
#[must_use]
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

/// Where a server is and who logs in. It prints without the password.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    shown: String,
}

/// The URL does not name a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It cannot be read. What it holds is not repeated: it may be a password.
    #[error("the URL is not `postgres://USER@HOST:PORT/DATABASE`")]
    Malformed,
    /// It has a parameter that means nothing here.
    #[error("the URL has a parameter `{0}`, which is not known")]
    Parameter(String),
}

impl Address {
    /// Reads a URL. What it leaves out comes from `PGHOST`, `PGUSER`, `PGPASSWORD`, `PGPASSFILE` and
    /// their like, as with PostgreSQL's own programs.
    ///
    /// # Errors
    ///
    /// [`AddressError`], which repeats nothing of the URL but the name of a parameter.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let (_, parameters) = url.split_once('?').unwrap_or((url, ""));
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&name) {
                return Err(AddressError::Parameter(name.to_owned()));
            }
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| AddressError::Malformed)?;
        let shown = shown(&options);
        Ok(Self { options, shown })
    }

    /// The URL without a password.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Opens a session with the settings that every session of ours has.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self
            .options
            .clone()
            .application_name(process_name())
            .options([
                ("search_path", "pg_catalog".to_owned()),
                ("idle_in_transaction_session_timeout", millis(idle_timeout()).to_string()),
                ("statement_timeout", "0".to_owned()),
                ("lock_timeout", millis(LOCK_TIMEOUT).to_string()),
                ("standard_conforming_strings", "on".to_owned()),
                ("default_transaction_isolation", "read committed".to_owned()),
                ("default_transaction_read_only", "off".to_owned()),
                ("row_security", "off".to_owned()),
                ("bytea_output", "hex".to_owned()),
                ("IntervalStyle", "postgres".to_owned()),
                // INVARIANT: a value has one text, whatever the server or the role prefers: what was
                // read in one session is compared with what another reads.
                ("DateStyle", "ISO, YMD".to_owned()),
                ("TimeZone", "UTC".to_owned()),
                ("extra_float_digits", "1".to_owned()),
                ("synchronize_seqscans", "off".to_owned()),
            ])
            // The statement log of the driver would print statements; ours hold no values, and
            // still.
            .disable_statement_logging();
        let timeout = tokio::time::timeout(LOGIN_TIMEOUT, options.connect());
        let mut connection = timeout.await.map_err(|_| {
            sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the server did not answer the login in time",
            ))
        })??;
        be_durable(&mut connection).await?;
        be_quiet(&mut connection).await?;
        be_watched(&mut connection).await?;
        Ok(connection)
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

fn shown(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("postgres://{}@{host}:{}/{database}", options.get_username(), options.get_port())
}

/// INVARIANT: what this session is told is committed is on disk.
async fn be_durable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("SET synchronous_commit = on").execute(&mut *connection).await?;
    let level: String =
        sqlx::query_scalar("SELECT pg_catalog.current_setting('synchronous_commit')")
            .fetch_one(connection)
            .await?;
    if level == "on" || level == "remote_apply" {
        Ok(())
    } else {
        Err(sqlx::Error::Protocol(format!("synchronous_commit is `{level}`, not `on`")))
    }
}

/// Keeps values out of the server's log, as far as the role may say so.
async fn be_quiet(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (name, value) in QUIET {
        let set = sqlx::raw_sql(AssertSqlSafe(format!("SET {name} = {value}")))
            .execute(&mut *connection)
            .await;
        match set {
            Ok(_) => {}
            // 42501: only a superuser may; 42704: an older server does not know it.
            Err(error) if matches!(super::error::state(&error), Some("42501" | "42704")) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Has the server look whether we are still there while it works for us, where it can (from 14 on):
/// what a killed process was waiting for, or had begun, ends within a second or two.
async fn be_watched(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let set =
        sqlx::raw_sql("SET client_connection_check_interval = '1s'").execute(connection).await;
    match set {
        Ok(_) => Ok(()),
        // 42704: an older server does not know it; 22023: its system cannot do it.
        Err(error) if matches!(super::error::state(&error), Some("42704" | "22023")) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ends a session; whatever it still had open is rolled back by the server.
pub(crate) async fn close(connection: PgConnection) {
    let _ = connection.close().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address =
            Address::parse("postgres://alice:an%20invented%20one@db.example.com:5433/crm").unwrap();
        assert_eq!(address.shown(), "postgres://alice@db.example.com:5433/crm");
        assert_eq!(format!("{address:?}"), "Address(postgres://alice@db.example.com:5433/crm)");
    }

    #[test]
    fn a_parameter_that_means_nothing_is_named_and_its_value_is_not() {
        let error = Address::parse("postgres://alice@db/crm?passwd=secret").unwrap_err();
        assert_eq!(error, AddressError::Parameter("passwd".to_owned()));
        assert!(!error.to_string().contains("secret"));
        let error = Address::parse("postgres://alice:secret@db:port/crm").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
