//! `sealift detokenize`: tokens to values, under a purpose.

use std::io::{IsTerminal, Write};

use serde_json::json;

use super::args::Detokenize;
use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::{Refusal, Shown, Verb};
use crate::ports::Remedy;
use crate::serve::{Answer, Request, ServeError, open};

pub(super) async fn detokenize(
    settings: &Settings,
    out: &Output,
    typed: Detokenize,
) -> Result<Outcome, Failure> {
    let tokens = if typed.tokens.is_empty() { lines_of_input()? } else { typed.tokens };
    let desk = Desk::open(settings, Verb::Detokenize).await?;
    let request = Request {
        caller: &desk.caller,
        purpose: &typed.purpose,
        reason: &typed.reason,
        domain: typed.domain.as_deref(),
    };
    let answers = open(desk.vault.as_ref(), &desk.keys, &request, tokens.clone()).await;
    let answers = answers.map_err(failure)?;
    let mut refused = 0;
    for (token, answer) in tokens.iter().zip(&answers) {
        match answer {
            Answer::Shown(shown) => tell(out, token, shown),
            Answer::Passed => {
                out.object(&json!({"token": token, "value": token}));
                out.line(token);
            }
            Answer::Refused => {
                refused += 1;
                out.object(&json!({"token": token, "code": "refused"}));
                out.line("");
                out.note("sealift: a token is refused");
            }
        }
    }
    Ok(match refused {
        0 => Outcome::Done,
        all if all == answers.len() => Outcome::Refused,
        _ => Outcome::Finding,
    })
}

/// Lines of standard input, where it is not a terminal: no verb asks a question there.
pub(super) fn lines_of_input() -> Result<Vec<String>, Failure> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(Failure::failed("nothing is named")
            .hint("name it on the command line, or send it on standard input, one a line"));
    }
    input.lines().map(|line| line.map_err(Into::into)).collect()
}

/// Says why a request as a whole got no answer.
pub(super) fn failure(error: ServeError) -> Failure {
    let hint = match &error {
        ServeError::Refused(Refusal::DomainDenied { .. }) | ServeError::NoDomain(_) => {
            "the purpose has to show the domain, and the vault to have it"
        }
        ServeError::Refused(_) => "docs/ACCESS.md says which role and which purpose may do what",
        ServeError::Loading(_) => "try again when the run has sealed its values",
        ServeError::Misfit { .. } => "leave the value out, or treat its column otherwise",
        ServeError::NotSearchable(_) => "`dedupe = true` on a random column makes it searchable",
        ServeError::Busy | ServeError::Unavailable => "try again",
        ServeError::Unrecorded(_) | ServeError::Vault(_) | ServeError::Run(_) => {
            "see `sealift status`"
        }
    };
    match (&error, error.remedy()) {
        (ServeError::Refused(_) | ServeError::NoDomain(_), _) => Failure::refused(error).hint(hint),
        (_, Remedy::ChangeRequest | Remedy::RetryLater | Remedy::Escalate) => {
            Failure::failed(error).hint(hint)
        }
    }
}

fn tell(out: &Output, token: &str, shown: &Shown) {
    let text = shown.text();
    if out.is_json() {
        match (&text, shown.base64()) {
            (Some(text), _) => out.object(&json!({"token": token, "value": text.as_str()})),
            (None, Some(base64)) => {
                out.object(&json!({"token": token, "base64": base64.as_str()}));
            }
            (None, None) => {}
        }
        return;
    }
    if text.as_ref().is_some_and(|text| text.contains('\n')) {
        out.note("sealift: a value has several lines; `--format json` keeps values apart");
    }
    // The one place where an original is printed: it was asked for, permitted and recorded.
    let mut stdout = std::io::stdout().lock();
    let _ = match (&text, shown) {
        (Some(text), _) => writeln!(stdout, "{}", text.as_str()),
        (None, Shown::Whole(original)) => {
            stdout.write_all(original.expose()).and_then(|()| writeln!(stdout))
        }
        (None, Shown::Part(_)) => Ok(()),
    };
}
