//! Sealed values of many requests, looked up together.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::request::ServeError;
use crate::ports::{Looked, Vault};
use crate::token::{DomainId, TokenBody};

/// Look-ups that wait for each session; one more is refused as busy.
const WAITING_MAX: usize = 1_024;

/// Tokens of one look-up in the vault.
const TOKENS_AT_ONCE: usize = 4_000;

/// Where sealed values come from.
pub(super) struct LookUp {
    queues: Vec<mpsc::Sender<Wanted>>,
    turn: AtomicUsize,
}

struct Wanted {
    domain: DomainId,
    tokens: Vec<TokenBody>,
    bytes_max: usize,
    done: oneshot::Sender<Option<Vec<Option<Looked>>>>,
}

impl LookUp {
    /// Starts a reader over each session.
    pub(super) fn start(vaults: Vec<Arc<dyn Vault>>) -> Self {
        let queues = vaults.into_iter().map(|vault| {
            let (queue, wanted) = mpsc::channel(WAITING_MAX);
            // It is not stopped in the middle: a session would be left with half an answer.
            tokio::spawn(read(vault, wanted));
            queue
        });
        Self { queues: queues.collect(), turn: AtomicUsize::new(0) }
    }

    /// Looks tokens of one domain up; one answer a token. Of what is larger, only the size is told.
    pub(super) async fn entries(
        &self,
        domain: DomainId,
        tokens: Vec<TokenBody>,
        bytes_max: usize,
    ) -> Result<Vec<Option<Looked>>, ServeError> {
        let (done, told) = oneshot::channel();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.queues.len().max(1);
        let queue = self.queues.get(turn).ok_or(ServeError::Unavailable)?;
        let wanted = Wanted { domain, tokens, bytes_max, done };
        queue.try_send(wanted).map_err(|_| ServeError::Busy)?;
        told.await.ok().flatten().ok_or(ServeError::Unavailable)
    }
}

async fn read(vault: Arc<dyn Vault>, mut wanted: mpsc::Receiver<Wanted>) {
    while let Some(first) = wanted.recv().await {
        // Whoever is about to ask comes along.
        tokio::task::yield_now().await;
        let mut count = first.tokens.len();
        let mut groups: HashMap<(DomainId, usize), Vec<Wanted>> = HashMap::new();
        groups.entry((first.domain, first.bytes_max)).or_default().push(first);
        while count < TOKENS_AT_ONCE
            && let Ok(next) = wanted.try_recv()
        {
            count += next.tokens.len();
            groups.entry((next.domain, next.bytes_max)).or_default().push(next);
        }
        for ((domain, bytes_max), group) in groups {
            answer(vault.as_ref(), domain, bytes_max, group).await;
        }
    }
}

async fn answer(vault: &dyn Vault, domain: DomainId, bytes_max: usize, mut group: Vec<Wanted>) {
    let mut tokens = Vec::new();
    let counts: Vec<usize> = group
        .iter_mut()
        .map(|wanted| {
            let count = wanted.tokens.len();
            tokens.append(&mut wanted.tokens);
            count
        })
        .collect();
    let found = vault.entries_within(domain, &tokens, bytes_max).await;
    if let Err(error) = &found {
        tracing::error!(error = %crate::serve::chain(error), "tokens could not be looked up");
    }
    let mut found = found.ok().map(Vec::into_iter);
    for (wanted, count) in group.into_iter().zip(counts) {
        let answers = found.as_mut().map(|found| found.take(count).collect());
        // Whoever asked may be gone by now.
        let _ = wanted.done.send(answers);
    }
}
