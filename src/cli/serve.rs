//! `sealift serve`: requests over HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::args::Serve;
use super::desk::{Desk, parse_slot, unlock_slots};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::api::{Listen, ListenError, TlsFiles};
use crate::crypto::{RootKey, Slot};
use crate::ports::{SlotRow, VaultHeader};
use crate::serve::{Service, Sessions, Unlock};

/// Sessions that write records: while one waits for the disk, the other takes what comes.
const RECORD_SESSIONS: usize = 2;

/// Sessions that look tokens up.
const READ_SESSIONS: usize = 2;

pub(super) async fn serve(
    settings: &Settings,
    out: &Output,
    typed: Serve,
) -> Result<Outcome, Failure> {
    let tls = match (typed.tls_cert, typed.tls_key) {
        (Some(certificate), Some(key)) => {
            Some(TlsFiles { certificate, key, client_ca: typed.client_ca })
        }
        _ => None,
    };
    serve_at(settings, out, Listen { address: typed.listen, tls }, |_| {}).await
}

/// Answers requests until it is told to end; `said` is called when it listens.
pub(crate) async fn serve_at(
    settings: &Settings,
    out: &Output,
    listen: Listen,
    said: impl FnOnce(std::net::SocketAddr),
) -> Result<Outcome, Failure> {
    if let Some(files) = &listen.tls {
        files.config().map_err(|error| unlistened(error.into()))?;
    } else if !listen.address.ip().is_loopback() {
        return Err(unlistened(ListenError::PlainBeyondLoopback(listen.address)));
    }
    let desk = Desk::open(settings, Verb::Serve).await?;
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    let root = desk.keys.root().duplicate();
    let same_way = Arc::new(SameWay(settings.clone()));
    let service = Service::start(sessions(settings).await?, root, same_way).await;
    let service = Arc::new(service.map_err(Failure::fault)?);
    desk.commit(Vec::new(), desk.draft("serve_started", "vault")).await?;
    let ended = crate::api::serve(
        listen,
        Arc::clone(&service),
        |address| {
            out.object(&json!({"listening": format!("{scheme}://{address}")}));
            out.line(format!("listening on {scheme}://{address}; the API is described there"));
            said(address);
        },
        asked_to_end(),
    )
    .await;
    // ORDER: nobody is answered any more; then what was recorded goes into the tree.
    service.stop().await;
    desk.commit(Vec::new(), desk.draft("serve_stopped", "vault")).await?;
    ended.map_err(unlistened)?;
    Ok(Outcome::Done)
}

/// Unlocks a vault whose root key was exchanged, with what unlocked it when the service began.
struct SameWay(Settings);

#[async_trait]
impl Unlock for SameWay {
    async fn unlock(&self, header: &VaultHeader, slots: Vec<SlotRow>) -> Option<RootKey> {
        // Nobody sits at the terminal of a service.
        if self.0.unlock.asks_a_person() {
            return None;
        }
        let slots: Vec<(u32, Slot)> =
            slots.iter().filter_map(|row| Some((row.slot, parse_slot(row).ok()?))).collect();
        match unlock_slots(header.vault, &header.key_check, &slots, &self.0) {
            Ok((root, _)) => Some(root),
            Err(failure) => {
                tracing::error!(error = %failure, "the vault is not unlocked anew");
                None
            }
        }
    }
}

/// Sessions with the vault of the settings.
pub(super) async fn sessions(settings: &Settings) -> Result<Sessions, Failure> {
    let mut records = Vec::new();
    for _ in 0..RECORD_SESSIONS {
        records.push(settings.open_vault().await?);
    }
    let mut reads = Vec::new();
    for _ in 0..READ_SESSIONS {
        reads.push(settings.open_vault().await?);
    }
    Ok(Sessions {
        records,
        reads,
        writes: settings.open_vault().await?,
        quotas: settings.open_vault().await?,
        grants: settings.open_vault().await?,
        tree: settings.open_vault().await?,
    })
}

fn unlistened(error: ListenError) -> Failure {
    let hint = match &error {
        ListenError::PlainBeyondLoopback(_) => {
            "name a certificate: `--tls-cert FILE --tls-key FILE`, or listen on 127.0.0.1"
        }
        ListenError::Bind { .. } => "choose another port, or stop what listens there",
        ListenError::Tls(_) => "check `--tls-cert`, `--tls-key` and `--client-ca`",
        ListenError::Io(_) => "start it again",
    };
    Failure::failed(error).hint(hint)
}

/// Ctrl-C, and what a service manager sends.
async fn asked_to_end() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = interrupt.await;
}
