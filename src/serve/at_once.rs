//! Requests of the command line: each is an entry of the ledger at once.

use async_trait::async_trait;
use tokio::sync::OwnedSemaphorePermit;

use super::reasons::Reason;
use super::request::{ServeError, World};
use crate::crypto::KeyRing;
use crate::ledger::IntakeRecord;
use crate::ports::{Change, Looked, Quota, SealedReason, Taken, Vault};
use crate::token::{DomainId, TokenBody};

/// One caller at one vault, one request at a time.
pub(super) struct AtOnce<'v> {
    pub(super) vault: &'v dyn Vault,
}

#[async_trait]
impl World for AtOnce<'_> {
    fn vault(&self) -> &dyn Vault {
        self.vault
    }

    async fn record(&self, record: IntakeRecord, reason: Reason) -> Result<(), ServeError> {
        let kept = reason.to_keep().into_iter();
        let changes =
            kept.map(|SealedReason { digest, sealed }| Change::PutReason { digest, sealed });
        let recorded = self.vault.commit(changes.collect(), vec![record.into_draft()]).await;
        recorded.map(|_| ()).map_err(ServeError::Unrecorded)
    }

    async fn take_quota(&self, quotas: Vec<Quota>, count: u64) -> Result<Taken, ServeError> {
        Ok(self.vault.take_quota(&quotas, count).await?)
    }

    async fn look_up(
        &self,
        domain: DomainId,
        tokens: Vec<TokenBody>,
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, ServeError> {
        Ok(self.vault.entries_within(domain, &tokens, bytes_max).await?)
    }

    async fn hold(&self, _bytes: usize) -> Result<Option<OwnedSemaphorePermit>, ServeError> {
        Ok(None)
    }

    fn reason(&self, keys: &KeyRing, _caller: &str, reason: &str) -> Reason {
        Reason::sealed(keys, reason, [0; 32])
    }
}
