//! `sealift honeytoken`: tokens that stand for nobody, planted where only a thief would find them.

use std::path::Path;

use rand::Rng as _;
use serde_json::json;

use super::args::Honeytoken;
use super::desk::Desk;
use super::detokenize::failure;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::alert::HONEYTOKEN_PLANTED;
use crate::ledger::Entry;
use crate::value::Original;

/// Entries of one read.
const ENTRIES: usize = 2_000;

pub(super) async fn honeytoken(
    settings: &Settings,
    out: &Output,
    typed: Honeytoken,
) -> Result<Outcome, Failure> {
    match typed {
        Honeytoken::Plant { domain, place, value_file } => {
            plant(settings, out, &domain, &place, value_file.as_deref()).await
        }
        Honeytoken::List => list(settings, out).await,
    }
}

async fn plant(
    settings: &Settings,
    out: &Output,
    domain: &str,
    place: &str,
    value_file: Option<&Path>,
) -> Result<Outcome, Failure> {
    let value = match value_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::unreadable(file, &error))?
            .trim_end_matches('\n')
            .to_owned(),
        None => nobody(),
    };
    let desk = Desk::open(settings, Verb::HoneytokenPlant).await?;
    let value = Original::text(&value);
    let planted = crate::serve::honeytoken(desk.vault.as_ref(), &desk.keys, domain, &value).await;
    let planted = planted.map_err(|error| {
        failure(error).or_hint("`--value-file FILE` names an invented value that fits the domain")
    })?;
    let mut draft = desk.draft(HONEYTOKEN_PLANTED, format!("domain {domain}"));
    draft.details.insert("token_digest".into(), planted.digest.into());
    draft.details.insert("place".into(), place.into());
    desk.commit(Vec::new(), draft).await?;
    let token = planted.cell.as_text().unwrap_or_default();
    out.object(&json!({"token": token, "domain": domain, "place": place}));
    out.line(token);
    out.note("sealift: it stands for nobody; who opens it is told of where `--notify` says");
    Ok(Outcome::Done)
}

/// An invented value that nobody else has.
fn nobody() -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    format!("nobody.{}@example.invalid", data_encoding::HEXLOWER.encode(&bytes))
}

async fn list(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::HoneytokenList).await?;
    let (mut planted, mut opened, mut from) = (Vec::new(), Vec::new(), 0);
    loop {
        let bodies = desk.vault.ledger(from, ENTRIES).await?;
        if bodies.is_empty() {
            break;
        }
        from += bodies.len() as u64;
        for entry in bodies.iter().filter_map(|body| Entry::parse(body).ok()) {
            if entry.action == HONEYTOKEN_PLANTED {
                planted.push(entry);
            } else if entry.details.contains_key("token_digests") {
                opened.push(entry);
            }
        }
    }
    for entry in &planted {
        let digest = entry.details.get("token_digest");
        let hits = opened.iter().filter(|entry| {
            let asked = entry.details.get("token_digests").and_then(|it| it.as_array());
            asked.is_some_and(|asked| asked.iter().any(|one| Some(one) == digest))
        });
        let hits: Vec<u64> = hits.map(|entry| entry.seq).collect();
        let place = entry.details.get("place").and_then(|it| it.as_str()).unwrap_or_default();
        out.object(&json!({
            "entry": entry.seq, "at": entry.at, "object": entry.object, "place": place,
            "opened_by_entries": hits,
        }));
        let said = match hits.as_slice() {
            [] => "never opened".to_owned(),
            hits => format!("OPENED, by entries {hits:?}"),
        };
        out.line(format!("{} {} in {place}: {said}", entry.at, entry.object));
    }
    out.next(&desk.caller.name, "sealift access report");
    Ok(Outcome::Done)
}
