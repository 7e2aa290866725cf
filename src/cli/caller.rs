//! `sealift caller`: those who may ask.

use std::path::Path;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::json;

use super::args::Caller;
use super::desk::{Desk, OsRandom, caller_mac, is_genuine, now, stored_id};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::{Role, Verb};
use crate::crypto::Credential;
use crate::keystore::write_secret_file;
use crate::ledger::Draft;
use crate::ports::{CallerRow, Change};

/// The longest name.
const NAME_CHARS_MAX: usize = 64;

pub(super) async fn caller(
    settings: &Settings,
    out: &Output,
    typed: Caller,
) -> Result<Outcome, Failure> {
    match typed {
        Caller::Add { name, role, credential_file, expires } => {
            add(settings, out, &name, &role, &credential_file, expires).await
        }
        Caller::List => list(settings, out).await,
        Caller::Revoke { name } => revoke(settings, out, &name).await,
    }
}

/// The ledger entry of a new caller: it enrols the key by which approvals are checked.
pub(super) fn added(row: &CallerRow, actor: &str) -> Draft {
    let mut draft = Draft {
        actor: actor.to_owned(),
        action: "caller_added".to_owned(),
        object: format!("caller {}", row.name),
        ..Draft::default()
    };
    let key = data_encoding::HEXLOWER.encode(&row.approver_key);
    draft.details.insert("role".into(), row.role.clone().into());
    draft.details.insert("credential".into(), row.credential.clone().into());
    draft.details.insert("approver_key".into(), key.into());
    draft
}

/// Refuses names that read otherwise than they are: on a terminal, on the ledger, in a report.
pub(super) fn checked_name(name: &str) -> Result<(), Failure> {
    let is_plain = |sign: char| sign.is_alphanumeric() || "-_.@+ ".contains(sign);
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if fits && name.trim() == name && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Failure::failed(format!("`{}` cannot be the name of a caller", name.escape_debug())).hint(
        format!(
            "a name has 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_`, `.`, `@`, `+`, and blanks \
             between them"
        ),
    ))
}

async fn add(
    settings: &Settings,
    out: &Output,
    name: &str,
    role: &str,
    file: &Path,
    expires: Option<String>,
) -> Result<Outcome, Failure> {
    checked_name(name)?;
    Role::from_str(role)?;
    if let Some(expires) = &expires {
        let at = Timestamp::from_str(expires).map_err(|_| {
            Failure::failed(format!("`{expires}` is not a time"))
                .hint("write it as 2027-01-31T00:00:00Z")
        })?;
        if at <= Timestamp::now() {
            return Err(Failure::failed(format!("`{expires}` is past"))
                .hint("a credential expires in the future, or never"));
        }
    }
    let desk = Desk::open(settings, Verb::CallerAdd).await?;
    let callers = desk.vault.callers().await?;
    if callers.iter().any(|row| row.name == name && row.revoked_at.is_none()) {
        return Err(Failure::refused(format!("there is a caller `{name}` already"))
            .hint(format!("revoke the old credential first: `sealift caller revoke {name}`")));
    }
    let credential = Credential::generate(&mut OsRandom);
    let mut row = CallerRow {
        name: name.to_owned(),
        role: role.to_owned(),
        credential: stored_id(credential.id()),
        credential_hash: credential.stored_hash().to_vec(),
        approver_key: credential.approver_public().to_vec(),
        created_at: now(),
        expires_at: expires,
        revoked_at: None,
        mac: Vec::new(),
    };
    row.mac = caller_mac(&desk.keys, &row);
    // ORDER: the file first; a row whose credential nobody has would only be in the way.
    write_secret_file(file, &credential.expose_text())?;
    let draft = added(&row, &desk.caller.name);
    if let Err(error) = desk.commit(vec![Change::PutCaller(row)], draft).await {
        let _ = std::fs::remove_file(file);
        return Err(error);
    }
    out.object(
        &json!({"caller": name, "role": role, "credential_file": file.display().to_string()}),
    );
    out.line(format!("caller `{name}` is `{role}`; the credential is in {}", file.display()));
    out.next(&desk.caller.name, "sealift scan --write-policy policy.toml");
    Ok(Outcome::Done)
}

async fn list(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::CallerList).await?;
    let noted = desk.vault.credential_uses().await?;
    for row in desk.vault.callers().await? {
        let state = match (&row.revoked_at, is_genuine(&desk.keys, &row)) {
            (_, false) => "not genuine: grants nothing".to_owned(),
            (Some(at), true) => format!("revoked {at}"),
            (None, true) => row
                .expires_at
                .as_ref()
                .map_or_else(|| "in force".to_owned(), |at| format!("until {at}")),
        };
        let used = noted.iter().find(|used| used.credential == row.credential);
        let used_at = used.map(|used| used.used_at.as_str());
        out.object(&json!({
            "caller": row.name, "role": row.role, "credential": row.credential, "state": state,
            "used_at": used_at,
        }));
        let last = used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {at}"));
        out.line(format!(
            "{:<20} {:<12} {:<10} {last:<25} {state}",
            row.name, row.role, row.credential
        ));
    }
    out.next(&desk.caller.name, "sealift status");
    Ok(Outcome::Done)
}

async fn revoke(settings: &Settings, out: &Output, name: &str) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::CallerRevoke).await?;
    let callers = desk.vault.callers().await?;
    let is_it = |row: &&CallerRow| row.name == name && row.revoked_at.is_none();
    let mut row = callers.iter().find(is_it).cloned().ok_or_else(|| {
        Failure::failed(format!("there is no caller `{}`", name.escape_debug()))
            .hint("`sealift caller list` lists them")
    })?;
    let rules = |row: &CallerRow| {
        let lasts = row
            .expires_at
            .as_ref()
            .is_none_or(|at| Timestamp::from_str(at).is_ok_and(|at| at > Timestamp::now()));
        row.role == Role::Steward.name()
            && row.revoked_at.is_none()
            && lasts
            && is_genuine(&desk.keys, row)
    };
    let is_last = !callers.iter().any(|other| other.credential != row.credential && rules(other));
    if rules(&row) && is_last {
        // Nobody could add a caller any more, nor roll a run back: not even who has the root key.
        return Err(Failure::refused(format!("`{name}` is the only steward in force")).hint(
            "add another one first: `sealift caller add NAME --role steward --credential-file FILE`",
        ));
    }
    row.revoked_at = Some(now());
    row.mac = caller_mac(&desk.keys, &row);
    let draft = desk.draft("caller_revoked", format!("caller {name}"));
    desk.commit(vec![Change::PutCaller(row)], draft).await?;
    out.object(&json!({"caller": name, "state": "revoked"}));
    out.line(format!("the credential of `{name}` is void"));
    out.next(&desk.caller.name, "sealift caller list");
    Ok(Outcome::Done)
}
