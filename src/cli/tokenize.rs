//! `sealift tokenize`: values to tokens, under a purpose.

use serde_json::json;

use super::args::Tokenize;
use super::desk::Desk;
use super::detokenize::{failure, lines_of_input};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::serve::{Request, tokenize as give_tokens};
use crate::value::Original;

pub(super) async fn tokenize(
    settings: &Settings,
    out: &Output,
    typed: Tokenize,
) -> Result<Outcome, Failure> {
    let values = values_of(&typed)?;
    let desk = Desk::open(settings, Verb::Tokenize).await?;
    let request = Request {
        caller: &desk.caller,
        purpose: &typed.purpose,
        reason: &typed.reason,
        domain: Some(&typed.domain),
    };
    let tokens = give_tokens(desk.vault.as_ref(), &desk.keys, &request, &values).await;
    for (at, token) in tokens.map_err(failure)?.iter().enumerate() {
        let token = token.as_text().unwrap_or_default();
        out.object(&json!({"value_index": at, "token": token}));
        out.line(token);
    }
    Ok(Outcome::Done)
}

/// The values that were named. They never come as arguments: other users of the machine can read
/// those.
pub(super) fn values_of(typed: &Tokenize) -> Result<Vec<Original>, Failure> {
    let lines: Vec<String> = match &typed.values_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::unreadable(file, &error))?
            .lines()
            .map(str::to_owned)
            .collect(),
        None => lines_of_input()?,
    };
    Ok(lines.iter().map(|line| Original::text(line)).collect())
}
