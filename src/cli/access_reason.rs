//! `sealift access reason` and `sealift access forget`: why somebody asked, and its end.

use std::collections::BTreeSet;

use serde_json::json;

use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::ledger::Entry;
use crate::ports::{Change, Vault};

/// Entries of one read.
const ENTRIES: usize = 2_000;

/// Shows the words behind an entry. That they were looked at is an entry too.
pub(super) async fn reason(
    settings: &Settings,
    out: &Output,
    seq: u64,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::AccessReason).await?;
    let entry = entry(desk.vault.as_ref(), seq).await?;
    let digest = given(&entry).ok_or_else(|| {
        Failure::failed(format!("entry {seq} (`{}`) has no reason", entry.action))
            .hint("requests for values and tokens have one, waivers and unlocks too")
    })?;
    let sealed = desk.vault.reason(&digest).await?.ok_or_else(|| {
        Failure::finding(format!("the reason of entry {seq} was erased"))
            .hint("the ledger keeps its digest; the words are not kept anywhere")
    })?;
    let words = crate::serve::opened_reason(&desk.keys, &digest, &sealed).ok_or_else(|| {
        Failure::failed(format!("the sealed reason of entry {seq} is not the one of the ledger"))
            .hint("the vault is not as it was written; compare it with a backup before going on")
    })?;
    let mut draft = desk.draft("reason_read", format!("entry {seq}"));
    draft.details.insert("entry".into(), seq.into());
    desk.commit(Vec::new(), draft).await?;
    out.object(&json!({"entry": seq, "actor": entry.actor, "action": entry.action, "at": entry.at, "reason": *words}));
    out.line(format!("{} by `{}` at {}: {}", entry.action, entry.actor, entry.at, *words));
    out.next("an auditor", "sealift access report");
    Ok(Outcome::Done)
}

/// Erases one reason, or those that are old enough.
pub(super) async fn forget(
    settings: &Settings,
    out: &Output,
    seq: Option<u64>,
    before: Option<&str>,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::AccessForget).await?;
    let vault = desk.vault.as_ref();
    let mut draft = desk.draft("reasons_erased", "reasons");
    let digests = match (seq, before) {
        (Some(seq), _) => {
            draft.object = format!("the reason of entry {seq}");
            draft.details.insert("entry".into(), seq.into());
            given(&entry(vault, seq).await?).into_iter().collect()
        }
        (None, Some(time)) => {
            let time: jiff::Timestamp = time.parse().map_err(|_| {
                Failure::failed(format!("`{time}` is no time"))
                    .hint("write it as 2026-01-31T00:00:00Z")
            })?;
            draft.object = format!("reasons from before {time}");
            draft.details.insert("before".into(), time.to_string().into());
            given_before(vault, time).await?
        }
        (None, None) => BTreeSet::new(),
    };
    let mut there = Vec::new();
    for digest in digests {
        if vault.reason(&digest).await?.is_some() {
            there.push(digest);
        }
    }
    let erased = there.len() as u64;
    if erased > 0 {
        draft.counts.insert("erased".into(), erased);
        desk.commit(vec![Change::EraseReasons(there)], draft).await?;
        // What was erased must not live on in the vault's own log.
        vault.settle().await?;
    }
    out.object(&json!({"erased": erased}));
    out.line(match erased {
        0 => "there was nothing to erase".to_owned(),
        _ => format!("{} erased; the ledger stays as it is", reasons(erased)),
    });
    out.next("an auditor", "sealift ledger export --output ledger/");
    Ok(Outcome::Done)
}

fn reasons(count: u64) -> String {
    crate::words::counted(count, "reason", "reasons")
}

async fn entry(vault: &dyn Vault, seq: u64) -> Result<Entry, Failure> {
    let body = vault.ledger(seq, 1).await?.pop();
    let entry = body.and_then(|body| Entry::parse(&body).ok()).filter(|entry| entry.seq == seq);
    entry.ok_or_else(|| {
        Failure::failed(format!("the ledger has no entry {seq}"))
            .hint("`sealift ledger export` writes them all, `seq` is their number")
    })
}

fn given(entry: &Entry) -> Option<String> {
    entry.details.get("reason_hash")?.as_str().map(str::to_owned)
}

async fn given_before(
    vault: &dyn Vault,
    time: jiff::Timestamp,
) -> Result<BTreeSet<String>, Failure> {
    let (mut old, mut young) = (BTreeSet::new(), BTreeSet::new());
    let mut from = 0;
    loop {
        let bodies = vault.ledger(from, ENTRIES).await?;
        if bodies.is_empty() {
            // The same words within a minute are kept once: what a younger entry has stays.
            return Ok(&old - &young);
        }
        from += bodies.len() as u64;
        for entry in bodies.iter().filter_map(|body| Entry::parse(body).ok()) {
            let is_old = entry.at.parse::<jiff::Timestamp>().is_ok_and(|at| at < time);
            let into = if is_old { &mut old } else { &mut young };
            into.extend(given(&entry));
        }
    }
}
