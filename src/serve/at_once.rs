//! Requests of the command line: each is an entry of the ledger at once.

use async_trait::async_trait;

use super::request::{Reason, ServeError, World, sealed_reason};
use crate::crypto::KeyRing;
use crate::ledger::IntakeRecord;
use crate::ports::{Change, EntryRow, Quota, SealedReason, Taken, Vault};
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
    ) -> Result<Vec<Option<EntryRow>>, ServeError> {
        Ok(self.vault.entries(domain, &tokens).await?)
    }

    fn reason(&self, keys: &KeyRing, _caller: &str, reason: &str) -> Reason {
        let SealedReason { digest, sealed } = sealed_reason(keys, reason);
        Reason { digest, sealed: Some(sealed), key: [0; 32] }
    }
}
