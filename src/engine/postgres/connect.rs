//! Connections: how a URL names a server, and which settings every session of ours has.
//!
//! What must hold for safety is sent with the start of the session and asked back, so that nothing
//! runs without it. A pooler refuses such a start or drops the settings, and is refused in turn: under
//! it, settings and locks would wander from one server connection to another.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use rand::RngExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row as _};

use super::error::{LOCK_TIMEOUT, is_away, is_shut_out, millis, state};
use super::refusal::Refusal;

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

/// How long is waited before a server that was there is asked again: half a minute in all, which is
/// what a restart takes.
const AWAY_WAITS_MS: [u64; 10] = [50, 200, 500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000];

/// Settings that keep values out of the server's log. A role may set some of them only where the
/// server's owner lets it; a session that could not set all of them writes by way of `unseen`.
const QUIET: [(&str, &str); 9] = [
    ("log_parameter_max_length_on_error", "0"),
    ("log_parameter_max_length", "0"),
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
    // What a trigger of the application says about a row, at whatever level.
    ("log_min_messages", "panic"),
    ("log_statement", "none"),
    ("log_min_duration_statement", "-1"),
    ("log_min_duration_sample", "-1"),
    ("log_transaction_sample_rate", "0"),
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

/// Limits that a role may have been given, and that would end a session of ours in its work. They
/// are not known to every version, so they cannot be sent with the start.
const PATIENT: [(&str, &str); 2] = [("idle_session_timeout", "0"), ("transaction_timeout", "0")];

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
    /// A file that it names is not there.
    #[error("the file of `{0}` in the URL is missing")]
    File(String),
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
            // A path with signs that a URL writes otherwise is left to the driver.
            let value = parameter.split_once('=').map_or("", |(_, value)| value);
            let is_file = matches!(name, "sslrootcert" | "sslcert" | "sslkey");
            if is_file && !value.contains('%') && !std::path::Path::new(value).exists() {
                return Err(AddressError::File(name.to_owned()));
            }
        }
        let mut options = PgConnectOptions::from_str(url).map_err(|_| AddressError::Malformed)?;
        // As PostgreSQL's own programs have it: who names an authority wants it to be asked.
        let names_authority = parameters.split('&').any(|part| part.starts_with("sslrootcert="));
        if names_authority && matches!(options.get_ssl_mode(), PgSslMode::Require) {
            options = options.ssl_mode(PgSslMode::VerifyCa);
        }
        let shown = shown(&options);
        Ok(Self { options, shown })
    }

    /// The URL without a password.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Opens a session with the settings that every session of ours has, and waits for a server that
    /// is away: one that restarts, one whose connections are all taken.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        Ok(self.open_again().await?.connection)
    }

    /// As [`Self::open`], and waits for a server that is away.
    pub(crate) async fn open_again(&self) -> Result<Opened, sqlx::Error> {
        let mut waits = AWAY_WAITS_MS.iter();
        loop {
            match self.open().await {
                Ok(opened) => return Ok(opened),
                Err(error) => match waits.next() {
                    Some(wait) if is_away(&error) => {
                        tokio::time::sleep(Duration::from_millis(*wait)).await;
                    }
                    _ => return Err(error),
                },
            }
        }
    }

    /// Opens a session for one question, without the settings of those that work.
    pub(super) async fn glance(&self) -> Result<PgConnection, sqlx::Error> {
        let options = self.options.clone().application_name("sealift");
        options.disable_statement_logging().connect().await
    }

    /// Opens a session, and says what is known of it.
    pub(crate) async fn open(&self) -> Result<Opened, sqlx::Error> {
        tokio::time::timeout(LOGIN_TIMEOUT, self.log_in()).await.map_err(|_| {
            sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                "the server did not answer the login in time",
            ))
        })?
    }

    async fn log_in(&self) -> Result<Opened, sqlx::Error> {
        let asked = settings();
        let options = self
            .options
            .clone()
            .application_name(process_name())
            .options(asked.iter().map(|(name, value)| (*name, value.as_str())))
            // INVARIANT: a value has one text, whatever the server or the role prefers: what was
            // read in one session is compared with what another reads. The driver says the same
            // with words of its own, so they are not asked back.
            .options([("DateStyle", "ISO, YMD"), ("TimeZone", "UTC"), ("extra_float_digits", "1")])
            // The statement log of the driver would print statements; ours hold no values, and
            // still.
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| self.shut_out(error))?;
        be_durable(&mut connection).await?;
        set(&mut connection, &PATIENT).await?;
        be_watched(&mut connection).await?;
        let is_silent = set(&mut connection, &QUIET).await?;
        let backend = asked_back(&mut connection, &asked).await?;
        Ok(Opened { connection, backend, is_silent })
    }

    /// Names role and database where the one may not enter the other.
    fn shut_out(&self, error: sqlx::Error) -> sqlx::Error {
        if !is_shut_out(&error) {
            return error;
        }
        let role = self.options.get_username();
        let database = self.options.get_database().unwrap_or(role);
        sqlx::Error::Configuration(Box::new(Refusal::not_let_in(role, database)))
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

/// A session that was opened.
pub(crate) struct Opened {
    pub(crate) connection: PgConnection,
    /// The process of the server.
    pub(crate) backend: i32,
    /// The role may keep the server's log free of what its statements bind and break.
    pub(crate) is_silent: bool,
}

/// What every session begins with.
fn settings() -> Vec<(&'static str, String)> {
    vec![
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
        ("synchronize_seqscans", "off".to_owned()),
        // What a database may have been given years ago, and that changes what a text means: of a
        // name, of an array with NULL in it, of a document, of `= NULL` in a view that comes back.
        ("quote_all_identifiers", "off".to_owned()),
        ("array_nulls", "on".to_owned()),
        ("xmloption", "content".to_owned()),
        ("transform_null_equals", "off".to_owned()),
        // What is made anew goes to where it was.
        ("default_tablespace", String::new()),
        // What a trigger says about a row may hold its values, and nobody here listens.
        ("client_min_messages", "error".to_owned()),
        // Our statements are many and short; each would be compiled anew.
        ("jit", "off".to_owned()),
    ]
}

/// INVARIANT: a session that does not have the settings it began with is not worked with. Says which
/// process of the server it is.
async fn asked_back(
    connection: &mut PgConnection,
    asked: &[(&'static str, String)],
) -> Result<i32, sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.pg_backend_pid(), min(asked.at)::int4
        FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (name, value, at)
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_settings s
            WHERE lower(s.name) = lower(asked.name) AND s.setting = asked.value)";
    let names: Vec<&str> = asked.iter().map(|(name, _)| *name).collect();
    let values: Vec<&str> = asked.iter().map(|(_, value)| value.as_str()).collect();
    let row = sqlx::query(SQL).bind(names).bind(values).fetch_one(connection).await?;
    let Some(missing) = row.try_get::<Option<i32>, _>(1)? else { return row.try_get(0) };
    let place = usize::try_from(missing).unwrap_or_default().saturating_sub(1);
    let setting = asked.get(place).map_or("options", |(name, _)| *name);
    Err(sqlx::Error::Configuration(Box::new(Refusal::Pooler { setting })))
}

fn shown(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    format!("postgres://{}@{host}:{}/{database}", options.get_username(), options.get_port())
}

/// INVARIANT: what this session is told is committed is on disk, and what it writes is met by the
/// triggers and foreign keys that meet everybody's.
async fn be_durable(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.current_setting('synchronous_commit'),
        pg_catalog.current_setting('session_replication_role') = 'replica'";
    sqlx::raw_sql("SET synchronous_commit = on").execute(&mut *connection).await?;
    let (level, is_replica): (String, bool) =
        sqlx::query_as(SQL).fetch_one(&mut *connection).await?;
    if !is_durable(&level) {
        let refusal = Refusal::Pooler { setting: "synchronous_commit" };
        return Err(sqlx::Error::Configuration(Box::new(refusal)));
    }
    if is_replica && !set(connection, &[("session_replication_role", "origin")]).await? {
        return Err(sqlx::Error::Configuration(Box::new(Refusal::Replica)));
    }
    Ok(())
}

/// Whether a COMMIT that was answered is on disk, at this level of `synchronous_commit`, and on that of
/// each replica that has to have it too.
fn is_durable(level: &str) -> bool {
    matches!(level, "on" | "remote_apply")
}

/// Makes settings, as far as the role may; says whether it may make all of them.
async fn set(
    connection: &mut PgConnection,
    settings: &[(&'static str, &'static str)],
) -> Result<bool, sqlx::Error> {
    let mut is_whole = true;
    for (name, value) in settings {
        let set = sqlx::raw_sql(AssertSqlSafe(format!("SET {name} = {value}")))
            .execute(&mut *connection)
            .await;
        match set {
            Ok(_) => {}
            // 42704: an older server does not know it.
            Err(error) if state(&error) == Some("42704") => {}
            // 42501: only a superuser may.
            Err(error) if state(&error) == Some("42501") => is_whole = false,
            Err(error) => return Err(error),
        }
    }
    Ok(is_whole)
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
    fn a_session_whose_commits_do_not_wait_for_the_disk_is_not_durable() {
        assert!(is_durable("on") && is_durable("remote_apply"));
        for level in ["off", "local", "remote_write", ""] {
            assert!(!is_durable(level), "{level}");
        }
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address =
            Address::parse("postgres://alice:an%20invented%20one@db.example.com:5433/crm").unwrap();
        assert_eq!(address.shown(), "postgres://alice@db.example.com:5433/crm");
        assert_eq!(format!("{address:?}"), "Address(postgres://alice@db.example.com:5433/crm)");
    }

    #[test]
    fn who_names_an_authority_has_it_asked() {
        let mode = |url| format!("{:?}", Address::parse(url).unwrap().options.get_ssl_mode());
        assert_eq!(mode("postgres://alice@db/crm?sslmode=require"), "Require");
        // Any file that is there.
        let named = "postgres://alice@db/crm?sslmode=require&sslrootcert=Cargo.toml";
        assert_eq!(mode(named), "VerifyCa");
        assert_eq!(mode("postgres://alice@db/crm?sslmode=verify-full"), "VerifyFull");
    }

    #[test]
    fn a_parameter_that_means_nothing_is_named_and_its_value_is_not() {
        let error = Address::parse("postgres://alice@db/crm?passwd=secret").unwrap_err();
        assert_eq!(error, AddressError::Parameter("passwd".to_owned()));
        assert!(!error.to_string().contains("secret"));
        let error = Address::parse("postgres://alice@db/crm?sslrootcert=nowhere.pem").unwrap_err();
        assert_eq!(error, AddressError::File("sslrootcert".to_owned()));
        let error = Address::parse("postgres://alice:secret@db:port/crm").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }
}
