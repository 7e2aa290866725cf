//! What PostgreSQL says, in the words of the ports.
//!
//! **Invariant:** neither DETAIL nor HINT nor CONTEXT leaves here, and of primary messages only
//! those that can name objects and nothing else: `Key (email)=(…) already exists`, `invalid input
//! syntax for type uuid: "…"` and whatever a function raises hold values.

use std::fmt::Write as _;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;

use super::refusal::Refusal;
use crate::ports::{SourceError, VaultError};

/// How long one statement waits for a lock before it is tried again.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// What PostgreSQL said, without the parts that may hold a value.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Withheld {
    text: String,
}

/// Somebody changed a table under the run: trying again does not help.
#[derive(Debug, thiserror::Error)]
#[error("the columns of a table were changed during the run")]
struct Moved;

/// Says that a table is not what the run began with.
pub(crate) fn moved() -> sqlx::Error {
    sqlx::Error::AnyDriverError(Box::new(Moved))
}

/// The five letters of PostgreSQL's error code, where the error is one of PostgreSQL's.
pub(crate) fn state(error: &sqlx::Error) -> Option<&str> {
    database(error).map(PgDatabaseError::code)
}

fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

/// Whether the same transaction may go through when it is tried again: a deadlock, a lock that was
/// waited for too long, a serialization failure.
pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    matches!(state(error), Some("40P01" | "40001" | "55P03"))
}

/// Whether the connection is gone. What a COMMIT came to is then unknown.
pub(crate) fn is_lost(error: &sqlx::Error) -> bool {
    if matches!(Refusal::of(error), Some(refusal) if !matches!(refusal, Refusal::Tls(_))) {
        return false;
    }
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        _ => state(error).is_some_and(|state| {
            // 57P01 to 57P03: shutdown, crash, not up yet; 25P03: idle for too long.
            state.starts_with("08") || state.starts_with("57P0") || state == "25P03"
        }),
    }
}

/// Whether the server is there and cannot take one session more, or is not there just now.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    is_lost(error) || state(error) == Some("53300")
}

/// Whether the role may log in and not enter the database. The privilege has no code of its own, and
/// what is said of it is in the server's language: it is known by where in the server it comes from.
pub(crate) fn is_shut_out(error: &sqlx::Error) -> bool {
    let Some(error) = database(error) else { return false };
    error.code() == "42501" && error.routine() == Some("CheckMyDatabase")
}

/// Why the database refuses a row, naming the constraint and nothing of the row.
pub(crate) fn constraint(error: &sqlx::Error) -> Option<String> {
    let error = database(error)?;
    let code = error.code();
    // 22: the value does not fit (width, syntax); 23: a constraint; 44000: a view's CHECK OPTION;
    // 54000: the row is too wide for a page; P0001: a trigger that raises; 27000: a trigger that
    // changed the row itself.
    let is_of_the_row = code.starts_with("22")
        || code.starts_with("23")
        || matches!(code, "44000" | "54000" | "P0001" | "27000");
    is_of_the_row.then(|| described(error))
}

/// Code, name and objects of an error.
fn described(error: &PgDatabaseError) -> String {
    let code = error.code();
    let mut text = match meaning(code) {
        Some(meaning) => format!("{meaning} ({code})"),
        None => format!("PostgreSQL error {code}"),
    };
    let objects = [
        ("constraint", error.constraint()),
        ("column", error.column()),
        ("type", error.data_type()),
        ("table", error.table()),
    ];
    for (what, name) in objects {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {what} `{name}`");
        }
    }
    // SPEC: these messages name objects, roles and files only
    // (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    let is_harmless = code.starts_with("08")
        || code.starts_with("28")
        || code.starts_with("3D")
        || code.starts_with("3F")
        || code.starts_with("53")
        || code.starts_with("57P")
        || matches!(code, "42501" | "42P01" | "42703" | "42P07" | "55000" | "55006" | "25006");
    if is_harmless {
        text.push_str(": ");
        text.push_str(error.message());
    }
    text
}

/// What a code means, for those that runs meet.
fn meaning(code: &str) -> Option<&'static str> {
    Some(match code {
        "22001" => "a value is too long for its column",
        "22003" => "a number is out of range",
        "22P02" => "a text is not of the column's type",
        "23502" => "a column may not be NULL",
        "23503" => "a foreign key would break",
        "23505" => "a unique key would be there twice",
        "23514" => "a check refuses the row",
        "23P01" => "an exclusion constraint refuses the row",
        "22021" => "a text is not of the database's encoding",
        "25006" => "the transaction is read-only",
        "28000" | "28P01" => "the server refuses the login",
        "3D000" => "there is no such database",
        "40001" => "another transaction was faster",
        "40P01" => "a deadlock with another transaction",
        "42501" => "the role lacks a privilege",
        "42P01" => "a table is missing",
        "42703" => "a column is missing",
        "53100" => "the disk of the server is full",
        "53300" => "the server has no connection left",
        "55P03" => "a lock was waited for too long",
        "53200" => "the server is out of memory",
        "53400" => "a limit of the server's configuration is reached",
        "54000" => {
            "a limit of the server is passed: a row is too wide for a page, or a value is too large"
        }
        "57014" => "the statement was cancelled",
        "57P01" => "the server was shut down",
        "57P05" => "the session was idle for too long",
        "57P03" => "the server is not ready",
        "P0001" => "a trigger refuses the row",
        "08P01" => "the other side does not speak PostgreSQL's protocol in full",
        _ => return None,
    })
}

/// An error without what may hold a value.
pub(crate) fn safe(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    if let Some(refusal) = Refusal::of(&error) {
        return Box::new(refusal);
    }
    if is_lost(&error) {
        return Box::new(Refusal::Lost(told(error)));
    }
    told(error)
}

fn told(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    if let Some(error) = database(&error) {
        return Box::new(Withheld { text: described(error) });
    }
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Box::new(error),
        // INVARIANT: only what we made ourselves.
        sqlx::Error::Configuration(ours) if ours.is::<Refusal>() => ours,
        // The driver of one engine never makes these: they are ours.
        sqlx::Error::AnyDriverError(error) if error.is::<Moved>() => error,
        sqlx::Error::RowNotFound => Box::new(Withheld { text: "a row is missing".to_owned() }),
        sqlx::Error::ColumnDecode { index, .. } => {
            Box::new(Withheld { text: format!("column {index} of an answer cannot be read") })
        }
        _ => Box::new(Withheld { text: "the driver failed".to_owned() }),
    }
}

/// Whether the disk of the server is full, or a file on it must not grow: the latter has no code of
/// its own, and is known by where in the server it comes from.
fn is_full(error: &sqlx::Error) -> bool {
    let Some(error) = database(error) else { return false };
    let grows = || {
        let routine = error.routine().unwrap_or_default();
        ["mdextend", "mdextendv", "mdzeroextend", "mdwrite", "mdwritev"].contains(&routine)
    };
    error.code() == "53100" || (error.code() == "XX000" && grows())
}

/// Says what went wrong with a source; `shown` is its address without a password.
pub(crate) fn source_error(error: sqlx::Error, shown: &str, doing: &'static str) -> SourceError {
    match state(&error) {
        _ if is_full(&error) => SourceError::Full,
        Some("55P03" | "40P01" | "40001") => {
            SourceError::Locked { waited_ms: millis(LOCK_TIMEOUT) }
        }
        Some("25006") => SourceError::ReadOnly { url: shown.to_owned() },
        // What is raised over a row is told apart before: see `constraint`.
        Some("P0001") => SourceError::Engine { doing, source: Box::new(Refusal::Raised) },
        _ => SourceError::Engine { doing, source: safe(error) },
    }
}

/// Says why a source cannot be opened.
pub(crate) fn open_error(error: sqlx::Error, shown: &str) -> SourceError {
    SourceError::Open { url: shown.to_owned(), source: unopened(error) }
}

/// Why a session could not be opened, without what may hold a value.
pub(crate) fn unopened(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match Refusal::of(&error) {
        Some(refusal) => Box::new(refusal),
        None => told(error),
    }
}

/// Says what went wrong with a vault; `shown` is its address without a password.
pub(crate) fn vault_error(error: sqlx::Error, doing: &'static str) -> VaultError {
    match state(&error) {
        _ if is_full(&error) => VaultError::Full,
        Some("55P03" | "40P01" | "40001") => VaultError::Locked { waited_ms: millis(LOCK_TIMEOUT) },
        _ => VaultError::Engine { doing, source: safe(error) },
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
