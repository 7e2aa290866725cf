//! Watches over statements whose answer may never come.
//!
//! A network that swallows packets leaves a connection that looks alive: nothing is refused, nothing
//! arrives. How long a statement may take cannot be said beforehand, so no clock decides: another
//! session asks the server whether it is still at work for us.

use std::future::Future;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use sqlx::Connection as _;

use super::connect::Address;

/// How long an answer is waited for before the server is asked; each next time twice as long.
const LOOK_AFTER: Duration = Duration::from_secs(5);

/// The longest time between two questions.
const LOOK_AFTER_MAX: Duration = Duration::from_mins(1);

/// How long a question may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often in a row the server may not be reached before the connection is given up.
const MISSES_MAX: u32 = 3;

/// Watches over the statements of one session.
pub(super) struct Watch {
    address: Address,
    /// The process of the server that works for the session.
    backend: AtomicI32,
}

impl Watch {
    pub(super) fn new(address: Address, backend: i32) -> Self {
        Self { address, backend: AtomicI32::new(backend) }
    }

    /// The session has been opened anew.
    pub(super) fn is_now(&self, backend: i32) {
        self.backend.store(backend, Ordering::Relaxed);
    }

    /// Waits for a step, as long as the server works on it.
    ///
    /// # Errors
    ///
    /// Those of the step; and, as a lost connection, that nobody works on it any more. The step is
    /// then cut off within a statement: its connection must not be used again.
    pub(super) async fn over<T, E: From<sqlx::Error>>(
        &self,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut step = std::pin::pin!(step);
        let mut look_after = LOOK_AFTER;
        let mut misses = 0;
        loop {
            if let Ok(done) = tokio::time::timeout(look_after, step.as_mut()).await {
                return done;
            }
            look_after = (look_after * 2).min(LOOK_AFTER_MAX);
            match tokio::time::timeout(LOOK_TIMEOUT, self.is_at_work()).await {
                Ok(Ok(true)) => misses = 0,
                Ok(Ok(false)) => return Err(swallowed().into()),
                Ok(Err(_)) | Err(_) => {
                    misses += 1;
                    look_after = LOOK_AFTER;
                    if misses >= MISSES_MAX {
                        return Err(swallowed().into());
                    }
                }
            }
        }
    }

    /// Whether the server still works for the session, or has only just answered.
    async fn is_at_work(&self) -> Result<bool, sqlx::Error> {
        // language=PostgreSQL
        const SQL: &str = "SELECT state IN ('idle', 'idle in transaction',
                    'idle in transaction (aborted)')
                AND pg_catalog.clock_timestamp() - state_change > interval '4 seconds'
            FROM pg_catalog.pg_stat_activity WHERE pid = $1";
        let mut glance = self.address.glance().await?;
        let is_done: Option<Option<bool>> = sqlx::query_scalar(SQL)
            .bind(self.backend.load(Ordering::Relaxed))
            .fetch_optional(&mut glance)
            .await?;
        let _ = glance.close().await;
        // No such process: it was ended. A state that may not be seen decides nothing.
        Ok(matches!(is_done, Some(is_done) if is_done != Some(true)))
    }
}

fn swallowed() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "the server has answered, or is gone, and nothing arrived: the connection is dead",
    ))
}
