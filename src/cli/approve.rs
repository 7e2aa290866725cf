//! `sealift approve`: signatures under a plan or a purge, and when they are enough.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::args::Approve;
use super::desk::{Desk, find_run, is_genuine, now};
use super::exit::{Failure, Outcome};
use super::job::{genuine, parsed};
use super::output::Output;
use super::plan_document::stored;
use super::policy_apply::purposes_of;
use super::settings::Settings;
use crate::access::Verb;
use crate::crypto::{KeyRing, verify_signature};
use crate::ledger::{ApprovalKind, Draft, approval_message};
use crate::lifecycle::{Event, Phase};
use crate::policy::Policy;
use crate::ports::{ApprovalRow, Change, RunRow, Vault};
use crate::report::DocumentForm;

pub(super) async fn approve(
    settings: &Settings,
    out: &Output,
    typed: Approve,
) -> Result<Outcome, Failure> {
    if let Some(file) = &typed.policy {
        return super::policy_apply::approve(settings, out, file, &typed.remove).await;
    }
    let verb = if typed.purge { Verb::ApprovePurge } else { Verb::Approve };
    let desk = Desk::open(settings, verb).await?;
    let (kind, phase) = if typed.purge {
        (ApprovalKind::Purge, Phase::Verified)
    } else {
        (ApprovalKind::Plan, Phase::Planned)
    };
    let row = find_run(desk.vault.as_ref(), typed.run.as_deref(), |at| at == phase).await?;
    genuine(&desk, &row)?;
    if row.phase != phase {
        return Err(Failure::refused(format!(
            "run {} is in phase `{}`, and {} is approved in phase `{phase}`",
            row.run,
            row.phase,
            if typed.purge { "its purge" } else { "its plan" }
        ))
        .hint("`sealift status` says what comes next"));
    }
    if row.planned_by == desk.caller.name {
        return Err(Failure::refused(format!(
            "`{}` planned run {} and may not approve it",
            desk.caller.name, row.run
        ))
        .hint("somebody else with the role `approver` has to sign"));
    }
    let (policy, _) = parsed(&row)?;
    let document = match kind {
        ApprovalKind::Plan => document(&row, typed.document.as_deref())?,
        ApprovalKind::Purge => None,
    };
    let digest = digest(&row, kind)?;
    let message =
        approval_message(&desk.keys.vault().to_string(), row.run, kind, &digest, &desk.caller.name);
    let approval = ApprovalRow {
        run: row.run,
        kind,
        digest,
        caller: desk.caller.name.clone(),
        signature: desk.credential.sign(&message).to_vec(),
        signed_at: now(),
    };
    let mut draft = desk.draft("approval_signed", format!("run {} ({})", row.run, kind.name()));
    draft.run = Some(row.run);
    draft.policy = Some(row.policy_hash.clone());
    draft.details.insert("digest".into(), approval.digest.clone().into());
    if let Some(document) = &document {
        draft.details.insert("document".into(), document.sha256.clone().into());
        let form = document.read.map_or("none", DocumentForm::name);
        draft.details.insert("document_read".into(), form.into());
    }
    let signature = data_encoding::HEXLOWER.encode(&approval.signature);
    draft.details.insert("signature".into(), signature.into());
    desk.commit(vec![Change::PutApproval(approval)], draft).await?;
    let phase =
        settle(desk.vault.as_ref(), &desk.keys, &row, &policy, kind, &desk.caller.name).await?;
    out.object(&json!({
        "run": row.run.to_string(), "phase": phase.name(), "approval": kind.name(),
        "document": document.as_ref().map(|document| &document.sha256),
    }));
    if let Some(document) = &document {
        let how = document.read.map_or("not compared with a file", |_| "compared with the file");
        out.line(format!("document {}: {how}", document.sha256));
    }
    if phase == row.phase {
        out.line(format!("signed; run {} needs further signatures", row.run));
        out.next("another approver", &format!("sealift approve {}", row.run));
    } else {
        out.line(format!("run {} is `{phase}`", row.run));
        let (who, command) =
            super::next::in_vault(desk.vault.as_ref(), &RunRow { phase, ..row }).await?;
        out.next(&who, &command);
    }
    Ok(Outcome::Done)
}

/// The document that a signature covers.
struct Signed {
    /// The hash of its page.
    sha256: String,
    /// The form in which the approver had it at hand; `None` where no file was named.
    read: Option<DocumentForm>,
}

/// Finds the document of a run, and refuses a file that is not one of its forms: whoever signs shall
/// sign what was read. `None` for a run of a version without documents.
fn document(row: &RunRow, file: Option<&Path>) -> Result<Option<Signed>, Failure> {
    let Some(kept) = stored(row)?.document else {
        return match file {
            None => Ok(None),
            Some(_) => {
                Err(Failure::refused(format!("run {} was planned without a document", row.run))
                    .hint("plan again to get one, or approve without `--document`"))
            }
        };
    };
    let sha256 = kept.sha256(DocumentForm::Html);
    let Some(file) = file else { return Ok(Some(Signed { sha256, read: None })) };
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::failed(format!("`{}` cannot be read: {error}", file.display())).hint(format!(
            "nothing was signed; the document on record: `sealift plan --reissue {} --output F`",
            row.run
        ))
    })?;
    match kept.recognise(&bytes) {
        Some(form) => Ok(Some(Signed { sha256, read: Some(form) })),
        None => Err(Failure::refused(format!(
            "`{}` is not the document of run {}: it was altered, or belongs to another plan",
            file.display(),
            row.run
        ))
        .hint(format!(
            "nothing was signed; the one on record: `sealift plan --reissue {} --output again.html`",
            row.run
        ))),
    }
}

/// What is signed: the fingerprint of the plan, or what was verified.
fn digest(row: &RunRow, kind: ApprovalKind) -> Result<String, Failure> {
    match kind {
        ApprovalKind::Plan => Ok(row.fingerprint.clone()),
        ApprovalKind::Purge => row.verified_digest.clone().ok_or_else(|| {
            Failure::refused(format!("run {} is not verified", row.run))
                .hint(format!("sealift verify {}", row.run))
        }),
    }
}

/// Moves the run along where enough distinct callers have signed, and says where it stands.
///
/// A signature counts only if the caller's row is genuine, the key is the enrolled one, and the
/// caller is not the one who planned.
pub(super) async fn settle(
    vault: &dyn Vault,
    keys: &KeyRing,
    row: &RunRow,
    policy: &Policy,
    kind: ApprovalKind,
    actor: &str,
) -> Result<Phase, Failure> {
    let needed = match kind {
        ApprovalKind::Plan => policy.approval.plan,
        ApprovalKind::Purge => policy.approval.purge,
    };
    let signers = signers(vault, keys, row, kind).await?;
    if (signers.len() as u64) < u64::from(needed) {
        return Ok(row.phase);
    }
    let event = match kind {
        ApprovalKind::Plan => Event::Approved,
        ApprovalKind::Purge => Event::PurgeApproved,
    };
    let mut changes = vec![Change::Advance { run: row.run, from: row.phase, event }];
    if kind == ApprovalKind::Plan {
        purposes_of(keys, policy, &mut changes)?;
    }
    let mut draft = Draft {
        actor: actor.to_owned(),
        action: event.name().to_owned(),
        object: format!("run {}", row.run),
        run: Some(row.run),
        policy: Some(row.policy_hash.clone()),
        ..Draft::default()
    };
    draft.counts.insert("signatures".into(), signers.len() as u64);
    draft.counts.insert("needed".into(), u64::from(needed));
    draft.details.insert("digest".into(), digest(row, kind)?.into());
    vault.commit(changes, vec![draft]).await?;
    crate::serve::checkpoint(vault, keys).await?;
    row.phase.after(event).map_err(Failure::fault)
}

/// Who has validly signed what holds now.
pub(super) async fn signers(
    vault: &dyn Vault,
    keys: &KeyRing,
    row: &RunRow,
    kind: ApprovalKind,
) -> Result<BTreeSet<String>, Failure> {
    let callers = vault.callers().await?;
    let wanted = digest(row, kind)?;
    let mut signers = BTreeSet::new();
    for approval in vault.approvals(row.run).await? {
        if approval.kind != kind || approval.digest != wanted || approval.caller == row.planned_by {
            continue;
        }
        let known = callers.iter().find(|caller| caller.name == approval.caller);
        let Some(caller) = known.filter(|caller| is_genuine(keys, caller)) else { continue };
        let message = approval_message(
            &keys.vault().to_string(),
            row.run,
            kind,
            &approval.digest,
            &approval.caller,
        );
        let (Ok(public), Ok(signature)) = (
            <&[u8; 32]>::try_from(caller.approver_key.as_slice()),
            <&[u8; 64]>::try_from(approval.signature.as_slice()),
        ) else {
            continue;
        };
        if caller.role == "approver" && verify_signature(public, &message, signature).is_ok() {
            signers.insert(approval.caller);
        }
    }
    Ok(signers)
}
