//! What SQLite says, in the words of the ports.
//!
//! **Invariant:** a message of a trigger (`RAISE`) never leaves here: it may hold a value.

use crate::ports::{SourceError, VaultError};

/// How long a lock is waited for.
pub(crate) const BUSY_TIMEOUT_MS: u64 = 5_000;

/// SQLite's primary result code, where the error is one of SQLite's.
pub(crate) fn code(error: &sqlx::Error) -> Option<i32> {
    extended_code(error).map(|code| code & 0xff)
}

/// SQLite's extended result code, where the error is one of SQLite's.
pub(crate) fn extended_code(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code().and_then(|code| code.parse().ok())
}

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;
/// The index of a write-ahead log finds no room: the disk is full, in other words.
const IOERR_SHMSIZE: i32 = IOERR + (19 << 8);
/// The file was moved away while it was open; with a log, SQLite does not look.
const READONLY_DBMOVED: i32 = READONLY | (4 << 8);
const CONSTRAINT_TRIGGER: i32 = CONSTRAINT | (7 << 8);

/// The engine's own words about a constraint, which name objects and not values.
pub(crate) fn constraint(error: &sqlx::Error) -> Option<String> {
    let sqlx::Error::Database(database) = error else { return None };
    if code(error)? != CONSTRAINT {
        return None;
    }
    if extended_code(error)? == CONSTRAINT_TRIGGER {
        return Some("a trigger refuses the row".to_owned());
    }
    Some(database.message().to_owned())
}

/// An error with its text left out: what is known is its code.
#[derive(Debug, thiserror::Error)]
#[error("SQLite result code {0}")]
struct Withheld(i32);

fn safe(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match extended_code(&error) {
        Some(code) if code == CONSTRAINT_TRIGGER => Box::new(Withheld(code)),
        _ => Box::new(error),
    }
}

/// Whether pages of the file are not what they have to be.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    code(error) == Some(CORRUPT)
}

/// Whether there is no room left on the disk.
fn is_full(error: &sqlx::Error) -> bool {
    code(error) == Some(FULL) || extended_code(error) == Some(IOERR_SHMSIZE)
}

/// Says what went wrong with a source.
pub(crate) fn source_error(error: sqlx::Error, url: &str, doing: &'static str) -> SourceError {
    match code(&error) {
        Some(BUSY | LOCKED) => SourceError::Locked { waited_ms: BUSY_TIMEOUT_MS },
        Some(READONLY) => SourceError::ReadOnly { url: url.to_owned() },
        _ if is_full(&error) => SourceError::Full,
        Some(NOT_A_DATABASE) => SourceError::NotADatabase { url: url.to_owned() },
        Some(CORRUPT) => SourceError::Damaged { url: url.to_owned() },
        _ => SourceError::Engine { doing, source: safe(error) },
    }
}

/// Says what went wrong with a vault.
pub(crate) fn vault_error(error: sqlx::Error, url: &str, doing: &'static str) -> VaultError {
    match code(&error) {
        Some(BUSY | LOCKED) => VaultError::Locked { waited_ms: BUSY_TIMEOUT_MS },
        _ if is_full(&error) => VaultError::Full,
        Some(NOT_A_DATABASE) => VaultError::NoVault { url: url.to_owned() },
        _ if extended_code(&error) == Some(READONLY_DBMOVED) => {
            VaultError::Moved { url: url.to_owned() }
        }
        _ => VaultError::Engine { doing, source: safe(error) },
    }
}
