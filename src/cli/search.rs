//! `sealift search`: which tokens stand for values?

use serde_json::json;

use super::args::Tokenize;
use super::desk::Desk;
use super::detokenize::failure;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use super::tokenize::values_of;
use crate::access::Verb;
use crate::serve::Request;

pub(super) async fn search(
    settings: &Settings,
    out: &Output,
    typed: Tokenize,
) -> Result<Outcome, Failure> {
    let values = values_of(&typed)?;
    let desk = Desk::open(settings, Verb::Search).await?;
    let request = Request {
        caller: &desk.caller,
        purpose: &typed.purpose,
        reason: &typed.reason,
        domain: Some(&typed.domain),
    };
    let found = crate::serve::search(desk.vault.as_ref(), &desk.keys, &request, &values).await;
    let found = found.map_err(failure)?;
    let mut missing = 0;
    for (at, token) in found.iter().enumerate() {
        if let Some(token) = token.as_ref().and_then(|token| token.as_text()) {
            out.object(&json!({"value_index": at, "token": token}));
            out.line(token);
        } else {
            missing += 1;
            out.object(&json!({"value_index": at, "code": "refused"}));
            out.line("");
            out.note("sealift: no token stands for a value");
        }
    }
    Ok(match missing {
        0 => Outcome::Done,
        all if all == found.len() => Outcome::Refused,
        _ => Outcome::Finding,
    })
}
