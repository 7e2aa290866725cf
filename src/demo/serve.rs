//! The service over the vault of a tour, and lines of `curl` that it answers.
//!
//! It answers none of them itself: a line is for whoever pastes it.

use std::net::SocketAddr;

use secrecy::SecretString;
use serde_json::json;

use super::folder::{Folder, VAULT};
use super::measured::Field;
use super::shop::{CALLERS, PASSPHRASE, POLICY, REASON, STEWARD};
use crate::api::Listen;
use crate::cli::{Failure, Outcome, Output, Settings, Unlock, serve_at};
use crate::policy::{Permission, Policy, Purpose};
use crate::words::shell_word as quoted;

/// A request to paste: who asks under which purpose, and whether he may.
struct Line {
    caller: &'static str,
    purpose: String,
    is_refused: bool,
}

/// Serves until it is told to end.
pub(super) async fn serve(
    out: &Output,
    folder: &Folder,
    row: &[Field],
    address: SocketAddr,
) -> Result<Outcome, Failure> {
    let settings = Settings {
        vault: folder.url(VAULT),
        source: None,
        unlock: Unlock::Passphrase {
            file: None,
            environment: Some(SecretString::from(PASSPHRASE)),
        },
        credential_file: Some(folder.credential(STEWARD).into()),
        notify: None,
    };
    let policy = Policy::parse(POLICY, "shop.toml").map_err(Failure::failed)?;
    let lines = lines(&policy.purposes);
    // Those that name their domain themselves.
    let tokens: Vec<&str> = row
        .iter()
        .map(|field| field.after.as_str())
        .filter(|cell| crate::token::has_token_shape(cell))
        .collect();
    let listen = Listen { address, tls: None };
    serve_at(&settings, out, listen, |address| {
        for line in lines {
            let asks = if line.is_refused { "is refused" } else { "gets an answer" };
            let command = curl(folder, address, &line, &tokens);
            out.object(&json!({
                "caller": line.caller, "purpose": line.purpose, "refused": line.is_refused,
                "curl": command,
            }));
            out.line(format!("\n{} under `{}` {asks}:\n{command}", line.caller, line.purpose));
        }
    })
    .await
}

/// One request for each purpose, by a caller whose role it names, and one by a caller whom it does
/// not.
fn lines(purposes: &[Purpose]) -> Vec<Line> {
    let may = |purpose: &Purpose, role: &str| purpose.roles.iter().any(|named| named == role);
    let opens = |purpose: &&Purpose| purpose.may.contains(&Permission::Detokenize);
    let mut lines: Vec<Line> = purposes
        .iter()
        .filter(opens)
        .filter_map(|purpose| {
            let (caller, _) = CALLERS.iter().find(|(_, role)| may(purpose, role))?;
            Some(Line { caller, purpose: purpose.name.clone(), is_refused: false })
        })
        .collect();
    let refused = purposes.iter().filter(opens).find_map(|purpose| {
        let is_other = |(_, role): &&(&str, &str)| {
            !may(purpose, role) && !matches!(*role, "approver" | "auditor")
        };
        let (caller, _) = CALLERS.iter().find(is_other)?;
        Some(Line { caller, purpose: purpose.name.clone(), is_refused: true })
    });
    lines.extend(refused);
    lines
}

fn curl(folder: &Folder, address: SocketAddr, line: &Line, tokens: &[&str]) -> String {
    let body = json!({"purpose": line.purpose, "reason": REASON, "tokens": tokens}).to_string();
    format!(
        "curl -s http://{address}/v1/detokenize -H \"authorization: Bearer $(cat {})\" \
         -H 'content-type: application/json' -d {}",
        quoted(&folder.credential(line.caller)),
        quoted(&body)
    )
}
