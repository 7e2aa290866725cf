//! The lock of whoever works on the runs of a vault.
//!
//! It knows no run and no phase.

use sqlx::postgres::PgConnection;

use super::super::connect::Opened;
use super::super::error::vault_error;
use super::{connected, pause};
use crate::ports::VaultError;

/// Names the lock of whoever works on runs of the vault in this database: `sealift` in ASCII.
const RUN_LOCK: i64 = 0x0073_6561_6c69_6674;

/// How long is waited after each try to take the lock of runs.
const RUN_LOCK_WAITS_MS: [u64; 4] = [50, 150, 300, 500];

/// How a process works on the runs of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunShare {
    /// Beside others that work on the same run: leases say who does what.
    Joined,
    /// Alone: a rollback, a purge, a verification, a source that has one writer.
    Alone,
}

/// Held while a process works on runs of a vault; the server lets go of it when the process ends.
///
/// Where its connection is lost the lock is lost too: what fences a second worker off is the epoch
/// in the source's cursor, and this only keeps the wrong ones from starting.
pub struct PostgresRunLock(#[expect(dead_code, reason = "held, not read")] PgConnection);

impl PostgresRunLock {
    /// Takes the lock of the vault in this database; `None` where another process has it.
    ///
    /// # Errors
    ///
    /// [`VaultError`] where the server does not let us in.
    pub async fn take(url: &str, share: RunShare) -> Result<Option<Self>, VaultError> {
        let (_, Opened { connection: mut session, .. }) = connected(url).await?;
        let sql = match share {
            RunShare::Joined => "SELECT pg_try_advisory_lock_shared($1)",
            RunShare::Alone => "SELECT pg_try_advisory_lock($1)",
        };
        // The server needs a moment to see that a process which was killed is gone.
        for wait in RUN_LOCK_WAITS_MS {
            let taken: bool = sqlx::query_scalar(sql)
                .bind(RUN_LOCK)
                .fetch_one(&mut session)
                .await
                .map_err(|error| vault_error(error, "taking the lock of its runs"))?;
            if taken {
                return Ok(Some(Self(session)));
            }
            pause(wait).await;
        }
        Ok(None)
    }
}
