//! `sealift access`: who may see what, for how long more than usual, and who looked at it.

use serde_json::json;

use super::args::Access;
use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::settings::Settings;
use crate::access::Verb;
use crate::access::grants::{Grant, UnlockGrant};
use crate::ports::{Change, SealedReason, UnlockRow};

pub(super) async fn access(
    settings: &Settings,
    out: &Output,
    typed: Access,
) -> Result<Outcome, Failure> {
    match typed {
        Access::Report { requests } => super::access_report::report(settings, out, requests).await,
        Access::Unlock { caller, purpose, minutes, reason } => {
            unlock(settings, out, &caller, &purpose, minutes, &reason).await
        }
        Access::Reason { entry } => super::access_reason::reason(settings, out, entry).await,
        Access::Forget { entry, before } => {
            super::access_reason::forget(settings, out, entry, before.as_deref()).await
        }
        Access::Review { purpose, reason } => review(settings, out, &purpose, &reason).await,
    }
}

/// A second person's leave, which ends by itself.
async fn unlock(
    settings: &Settings,
    out: &Output,
    caller: &str,
    purpose: &str,
    minutes: u32,
    reason: &str,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::AccessUnlock).await?;
    if desk.caller.name == caller {
        return Err(Failure::refused(format!("`{caller}` cannot unlock for himself"))
            .hint("somebody else with the role `approver` has to do it"));
    }
    let callers = desk.vault.callers().await?;
    if !callers.iter().any(|row| row.name == caller && row.revoked_at.is_none()) {
        return Err(Failure::failed(format!("there is no caller `{caller}`"))
            .hint("`sealift caller list` lists them"));
    }
    in_force(&desk, purpose).await?;
    let span = jiff::SignedDuration::from_mins(i64::from(minutes));
    let until = (jiff::Timestamp::now() + span).to_string();
    let mut row = UnlockRow {
        caller: caller.to_owned(),
        purpose: purpose.to_owned(),
        until: until.clone(),
        given_by: desk.caller.name.clone(),
        mac: Vec::new(),
    };
    let grant = UnlockGrant {
        caller: &row.caller,
        purpose: &row.purpose,
        until: &row.until,
        given_by: &row.given_by,
    };
    row.mac = grant.mac(desk.keys.control()).to_vec();
    let mut draft = desk.draft("access_unlocked", format!("caller {caller}, purpose {purpose}"));
    draft.purpose = Some(purpose.to_owned());
    draft.details.insert("until".into(), until.clone().into());
    let SealedReason { digest, sealed } = crate::serve::sealed_reason(&desk.keys, reason);
    draft.details.insert("reason_hash".into(), digest.clone().into());
    let changes = vec![Change::PutUnlock(row), Change::PutReason { digest, sealed }];
    desk.commit(changes, draft).await?;
    out.object(&json!({"caller": caller, "purpose": purpose, "until": until}));
    out.line(format!("`{caller}` may send large requests under `{purpose}` until {until}"));
    out.next(&desk.caller.name, "sealift access report");
    Ok(Outcome::Done)
}

/// Says on the ledger that every use so far was looked at.
async fn review(
    settings: &Settings,
    out: &Output,
    purpose: &str,
    reason: &str,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::AccessReview).await?;
    in_force(&desk, purpose).await?;
    let mut draft = desk.draft("access_reviewed", format!("purpose {purpose}"));
    draft.purpose = Some(purpose.to_owned());
    let SealedReason { digest, sealed } = crate::serve::sealed_reason(&desk.keys, reason);
    draft.details.insert("reason_hash".into(), digest.clone().into());
    desk.commit(vec![Change::PutReason { digest, sealed }], draft).await?;
    out.object(&json!({"purpose": purpose, "state": "reviewed"}));
    out.line(format!("what was asked under `{purpose}` is reviewed, by `{}`", desk.caller.name));
    out.next(&desk.caller.name, "sealift access report");
    Ok(Outcome::Done)
}

async fn in_force(desk: &Desk, purpose: &str) -> Result<(), Failure> {
    let in_force = crate::serve::purposes(desk.vault.as_ref(), &desk.keys).await?;
    if in_force.contains_key(purpose) {
        return Ok(());
    }
    Err(Failure::failed(format!("no purpose `{purpose}` is in force"))
        .hint("`sealift policy history` says which are"))
}
