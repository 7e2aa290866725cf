//! Connections: which settings each kind of work needs, and how a URL names a file.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use super::error::BUSY_TIMEOUT_MS;

/// The file that a `sqlite:` URL names.
///
/// Everything after `sqlite:` (or `sqlite://`) is the path, letter for letter: a path may hold
/// `?` and `%`, and an option in a URL would be a second way to say what a flag says.
#[must_use]
pub fn path_of(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    (!path.is_empty()).then(|| PathBuf::from(path))
}

/// What may be shown of a URL that is none of ours, which may hold a password: its kind.
pub(super) fn kind_of(url: &str) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "._-/+".contains(c));
    match url.split_once(':') {
        Some((kind, _)) if plain(kind) => format!("{kind}:"),
        None if plain(url) => url.to_owned(),
        _ => "(not shown: it may hold a password)".to_owned(),
    }
}

/// Why a URL names no file.
pub(super) fn no_path(url: &str) -> &'static str {
    if url.starts_with("sqlite:") {
        "the URL names no file after `sqlite:`"
    } else {
        "the URL begins neither with `sqlite:` nor with `postgres:`"
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))
        // Sorts and temporary tables may hold originals: they stay out of files.
        .pragma("temp_store", "MEMORY")
        // The statement log of the driver would print statements; ours hold no values, and still.
        .disable_statement_logging()
}

/// Opens a source for reading: nothing can be written through it.
///
/// A file in write-ahead mode needs its index file beside it. Where that cannot be made (a read-only
/// folder) and no log waits, the file is opened as one that nobody changes.
pub(crate) async fn reader(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = options(path).read_only(true).pragma("query_only", "ON");
    let opened = open_and_read(options.clone()).await;
    match opened {
        Err(error) if is_folder_closed(&error) && !has_log(path) => {
            open_and_read(options.immutable(true)).await
        }
        opened => opened,
    }
}

/// SQLite touches the file no earlier than the first read.
async fn open_and_read(options: SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options.connect().await?;
    sqlx::query("SELECT count(*) FROM main.sqlite_schema").fetch_one(&mut connection).await?;
    Ok(connection)
}

/// `SQLITE_CANTOPEN` and `SQLITE_READONLY`, in all their variants.
fn is_folder_closed(error: &sqlx::Error) -> bool {
    matches!(super::error::code(error), Some(14 | 8))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// Opens a source for the passes of a run.
///
/// Foreign keys are not enforced on this connection: parents and children of a group are rewritten
/// in one transaction that ends with a `foreign_key_check`, and a cascade would rewrite cells that
/// were not read.
pub(crate) async fn writer(
    path: &Path,
    rows_ahead: usize,
) -> Result<SqliteConnection, sqlx::Error> {
    options(path)
        .foreign_keys(false)
        .pragma("synchronous", "FULL")
        .pragma("recursive_triggers", "OFF")
        // Pages of an index are written by many batches: bring them home once, not after each.
        .pragma("wal_autocheckpoint", "16384")
        .row_buffer_size(rows_ahead)
        .connect()
        .await
}

/// Opens a vault that exists.
pub(crate) async fn vault(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let mut connection = options(path)
        .foreign_keys(true)
        // A destroyed key must not survive on a free page.
        .pragma("secure_delete", "ON")
        // Entries are loaded and read in the order of their index, past each page once; and while a
        // run is verified, two connections are open.
        .pragma("cache_size", "-8192")
        .connect()
        .await?;
    sqlx::raw_sql("PRAGMA synchronous = FULL").execute(&mut connection).await?;
    durable(connection).await
}

/// INVARIANT: what the vault says is committed is on disk. A connection of which SQLite says otherwise
/// is not worked with, whatever was asked for.
async fn durable(mut connection: SqliteConnection) -> Result<SqliteConnection, sqlx::Error> {
    let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await?;
    if level < 2 {
        connection.close().await?;
        return Err(sqlx::Error::Protocol("the vault's connection is not durable".into()));
    }
    Ok(connection)
}

/// Opens a file for a new vault, in write-ahead mode where the file is new.
pub(crate) async fn new_vault(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    // A file that another attempt had no room for is as good as new.
    let is_new = make_private(path).map_err(sqlx::Error::Io)?
        || std::fs::metadata(path).is_ok_and(|file| file.len() == 0);
    let mut connection = options(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .pragma("synchronous", "FULL")
        .connect()
        .await?;
    if is_new {
        sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
    }
    Ok(connection)
}

/// Opens a file for rows of a backup, one that only its owner can read where it is new.
pub(crate) async fn scratch(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    make_private(path).map_err(sqlx::Error::Io)?;
    options(path).pragma("synchronous", "FULL").connect().await
}

/// Makes an empty file that only its owner can read, journals of it included; `false` where there is
/// a file already, which keeps its mode.
pub(crate) fn make_private(path: &Path) -> std::io::Result<bool> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vault_that_would_not_be_durable_is_not_worked_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.db");
        new_vault(&path).await.unwrap().close().await.unwrap();
        let mut connection = vault(&path).await.unwrap();
        sqlx::raw_sql("PRAGMA synchronous = NORMAL").execute(&mut connection).await.unwrap();
        assert!(durable(connection).await.is_err());
        let again = durable(vault(&path).await.unwrap()).await;
        assert!(again.is_ok(), "each connection is opened durable");
    }

    #[tokio::test]
    async fn every_connection_that_writes_is_durable() {
        async fn level(mut connection: SqliteConnection) -> i64 {
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut connection).await.unwrap()
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.db");
        assert_eq!(level(new_vault(&path).await.unwrap()).await, 2);
        assert_eq!(level(vault(&path).await.unwrap()).await, 2);
        assert_eq!(level(writer(&path, 1).await.unwrap()).await, 2);
        assert_eq!(level(scratch(&path).await.unwrap()).await, 2);
    }

    #[test]
    fn of_another_kind_of_url_no_password_is_shown() {
        assert_eq!(kind_of("mysql://alice:invented@example.com/crm"), "mysql:");
        assert_eq!(kind_of("data/crm.db"), "data/crm.db");
        for hidden in ["host=example.com password=invented", "alice@example.com:invented", "a b"] {
            assert!(kind_of(hidden).starts_with("(not shown"), "{}", kind_of(hidden));
        }
    }
}
