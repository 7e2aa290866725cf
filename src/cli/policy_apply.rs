//! `sealift policy apply` and what an approver signs of it: purposes, changed without a run.
//!
//! A steward proposes a file's purposes; the difference is shown, and what is proposed has a digest
//! over the file, the purposes and those in force at that moment. Approvers sign that digest with the
//! same file at hand: `sealift approve --policy FILE`. With the last signature that the policy's
//! `[approval] plan` asks for, the purposes are in force.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;

use super::args::ApplyPolicy;
use super::desk::{Desk, is_genuine};
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::policy::read;
use super::policy_words::differences;
use super::settings::Settings;
use crate::access::Verb;
use crate::access::grants::{Grant, PurposeGrant};
use crate::crypto::{KeyRing, verify_signature};
use crate::ledger::{Digest, Entry, policy_message};
use crate::policy::{Policy, Purpose};
use crate::ports::{Change, PurposeRow, Vault};
use crate::serve::InForce;

/// The entries of a policy's way into force.
const PROPOSED: &str = "policy_proposed";
const SIGNED: &str = "policy_signed";
const APPLIED: &str = "policy_applied";

/// What a file would change.
struct Proposal {
    policy: Policy,
    removed: BTreeSet<String>,
    lines: Vec<String>,
    digest: String,
}

impl Proposal {
    async fn of(desk: &Desk, file: &Path, remove: &[String]) -> Result<Self, Failure> {
        let policy = read(file)?;
        let in_force = crate::serve::purposes(desk.vault.as_ref(), &desk.keys).await?;
        let in_force: BTreeMap<String, InForce> =
            in_force.into_iter().map(|(name, purpose)| (name, InForce::clone(&purpose))).collect();
        let removed: BTreeSet<String> = remove.iter().cloned().collect();
        for name in &removed {
            if policy.purposes.iter().any(|purpose| purpose.name == *name) {
                return Err(Failure::failed(format!("purpose `{name}` is in the file"))
                    .hint("take it out of the file, or leave out `--remove`"));
            }
            if !in_force.contains_key(name) {
                return Err(Failure::failed(format!("no purpose `{name}` is in force"))
                    .hint("`sealift policy history` says which are"));
            }
        }
        let before = |name: &str| in_force.get(name).map(|found| &found.purpose);
        let mut lines = Vec::new();
        for purpose in &policy.purposes {
            lines.extend(differences(before(&purpose.name), Some(purpose)));
        }
        for name in &removed {
            lines.extend(differences(before(name), None));
        }
        let digest = digest(&policy, &removed, &in_force)?;
        Ok(Self { policy, removed, lines, digest })
    }

    fn changes(&self, keys: &KeyRing) -> Result<Vec<Change>, Failure> {
        let mut changes = self.removed.iter().cloned().map(Change::RemovePurpose).collect();
        purposes_of(keys, &self.policy, &mut changes)?;
        Ok(changes)
    }
}

/// Over the file, what it would put into force, what it would remove, and what is in force: a
/// signature for one of these holds for no other.
fn digest(
    policy: &Policy,
    removed: &BTreeSet<String>,
    in_force: &BTreeMap<String, InForce>,
) -> Result<String, Failure> {
    let text = |purpose: &Purpose| serde_json::to_string(purpose).map_err(Failure::fault);
    let mut lines = vec!["sealift/v1/purposes".to_owned(), policy.hash.clone()];
    for purpose in &policy.purposes {
        lines.push(format!("put {}", text(purpose)?));
    }
    lines.extend(removed.iter().map(|name| format!("remove {name}")));
    for found in in_force.values() {
        lines.push(format!("in force {} {}", found.policy, text(&found.purpose)?));
    }
    Ok(Digest::of(lines.join("\n").as_bytes()).to_string())
}

/// The purposes of a policy, as rows that grant.
pub(super) fn purposes_of(
    keys: &KeyRing,
    policy: &Policy,
    changes: &mut Vec<Change>,
) -> Result<(), Failure> {
    for purpose in &policy.purposes {
        let mut row = PurposeRow {
            name: purpose.name.clone(),
            body: serde_json::to_string(purpose).map_err(Failure::fault)?,
            policy: policy.hash.clone(),
            mac: Vec::new(),
        };
        let grant = PurposeGrant { name: &row.name, body: &row.body, policy: &row.policy };
        row.mac = grant.mac(keys.control()).to_vec();
        changes.push(Change::PutPurpose(row));
    }
    Ok(())
}

/// `policy apply`: the steward's part.
pub(super) async fn apply(
    settings: &Settings,
    out: &Output,
    typed: &ApplyPolicy,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::PolicyApply).await?;
    let proposal = Proposal::of(&desk, &typed.file, &typed.remove).await?;
    tell(out, &proposal);
    if proposal.lines.is_empty() {
        out.object(&json!({"policy": proposal.policy.hash, "state": "unchanged"}));
        out.line("nothing to apply: these purposes are in force as they are");
        out.next(&desk.caller.name, "sealift policy history");
        return Ok(Outcome::Done);
    }
    if proposal.policy.approval.plan == 0 {
        return in_force(&desk, out, &proposal, 0).await;
    }
    let mut draft = desk.draft(PROPOSED, format!("policy {}", proposal.policy.hash));
    draft.policy = Some(proposal.policy.hash.clone());
    draft.details.insert("digest".into(), proposal.digest.clone().into());
    draft.counts.insert("needed".into(), u64::from(proposal.policy.approval.plan));
    desk.commit(Vec::new(), draft).await?;
    out.object(&json!({
        "policy": proposal.policy.hash, "digest": proposal.digest, "state": "proposed",
    }));
    out.line(format!("proposed; {} signatures are needed", proposal.policy.approval.plan));
    out.next("an approver", &approve_command(&typed.file, &typed.remove));
    Ok(Outcome::Done)
}

fn approve_command(file: &Path, removed: &[String]) -> String {
    let mut command = format!(
        "sealift approve --policy {}",
        crate::words::shell_word(&file.display().to_string())
    );
    for name in removed {
        command.push_str(" --remove ");
        command.push_str(&crate::words::shell_word(name));
    }
    command
}

fn tell(out: &Output, proposal: &Proposal) {
    for line in &proposal.lines {
        out.object(&json!({"difference": line}));
        out.line(line);
    }
}

/// `approve --policy`: the approver's part.
pub(super) async fn approve(
    settings: &Settings,
    out: &Output,
    file: &Path,
    remove: &[String],
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::Approve).await?;
    let proposal = Proposal::of(&desk, file, remove).await?;
    let entries = desk.vault.ledger_of_policies().await?;
    let proposed = newest_proposal(&entries, &proposal.digest).ok_or_else(|| {
        Failure::refused("nobody has proposed these purposes over those that are in force").hint(
            "a steward proposes them: `sealift policy apply --policy FILE`; then sign the same file",
        )
    })?;
    if proposed.actor == desk.caller.name {
        return Err(Failure::refused(format!(
            "`{}` proposed these purposes and may not approve them",
            desk.caller.name
        ))
        .hint("somebody else with the role `approver` has to sign"));
    }
    tell(out, &proposal);
    let vault = desk.keys.vault().to_string();
    let message = policy_message(&vault, &proposal.digest, &desk.caller.name);
    let mut draft = desk.draft(SIGNED, format!("policy {}", proposal.policy.hash));
    draft.policy = Some(proposal.policy.hash.clone());
    draft.details.insert("digest".into(), proposal.digest.clone().into());
    let signature = data_encoding::HEXLOWER.encode(&desk.credential.sign(&message));
    draft.details.insert("signature".into(), signature.into());
    desk.commit(Vec::new(), draft).await?;
    let signers = signers(desk.vault.as_ref(), &desk.keys, &proposal.digest).await?;
    let needed = u64::from(proposal.policy.approval.plan);
    if (signers.len() as u64) < needed {
        out.object(&json!({"policy": proposal.policy.hash, "state": "signed"}));
        out.line(format!("signed; {} of {needed} signatures are there", signers.len()));
        out.next("another approver", &approve_command(file, remove));
        return Ok(Outcome::Done);
    }
    in_force(&desk, out, &proposal, signers.len() as u64).await
}

async fn in_force(
    desk: &Desk,
    out: &Output,
    proposal: &Proposal,
    signatures: u64,
) -> Result<Outcome, Failure> {
    let mut draft = desk.draft(APPLIED, format!("policy {}", proposal.policy.hash));
    draft.policy = Some(proposal.policy.hash.clone());
    draft.details.insert("digest".into(), proposal.digest.clone().into());
    let lines: Vec<serde_json::Value> =
        proposal.lines.iter().map(|line| line.clone().into()).collect();
    draft.details.insert("differences".into(), lines.into());
    draft.counts.insert("signatures".into(), signatures);
    draft.counts.insert("needed".into(), u64::from(proposal.policy.approval.plan));
    desk.commit(proposal.changes(&desk.keys)?, draft).await?;
    out.object(&json!({"policy": proposal.policy.hash, "state": "in_force"}));
    out.line("in force; services that run use them within a second");
    out.next(&desk.caller.name, "sealift policy history");
    Ok(Outcome::Done)
}

/// The newest proposal of this very change.
fn newest_proposal<'e>(entries: &'e [Entry], digest: &str) -> Option<&'e Entry> {
    entries.iter().rfind(|entry| entry.action == PROPOSED && says(entry, "digest") == Some(digest))
}

fn says<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    entry.details.get(name)?.as_str()
}

/// Who has validly signed it since it was proposed.
async fn signers(
    vault: &dyn Vault,
    keys: &KeyRing,
    digest: &str,
) -> Result<BTreeSet<String>, Failure> {
    let callers = vault.callers().await?;
    let entries = vault.ledger_of_policies().await?;
    let Some(proposed) = newest_proposal(&entries, digest) else { return Ok(BTreeSet::new()) };
    let id = keys.vault().to_string();
    let signed = entries.iter().filter(|entry| {
        entry.action == SIGNED && entry.seq > proposed.seq && says(entry, "digest") == Some(digest)
    });
    Ok(signed
        .filter(|entry| entry.actor != proposed.actor)
        .filter(|entry| {
            let known = callers.iter().find(|caller| caller.name == entry.actor);
            let Some(caller) = known.filter(|caller| is_genuine(keys, caller)) else {
                return false;
            };
            let signature = says(entry, "signature").unwrap_or_default();
            let signature =
                data_encoding::HEXLOWER.decode(signature.as_bytes()).unwrap_or_default();
            let (Ok(public), Ok(signature)) = (
                <&[u8; 32]>::try_from(caller.approver_key.as_slice()),
                <&[u8; 64]>::try_from(signature.as_slice()),
            ) else {
                return false;
            };
            let message = policy_message(&id, digest, &entry.actor);
            caller.role == "approver" && verify_signature(public, &message, signature).is_ok()
        })
        .map(|entry| entry.actor.clone())
        .collect())
}

/// `policy history`: what was put into force, when, by whom.
pub(super) async fn history(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::PolicyHistory).await?;
    let mut entries = desk.vault.ledger_of_policies().await?;
    for run in desk.vault.runs().await? {
        let approved = crate::lifecycle::Event::Approved.name();
        let of_run = desk.vault.ledger_of(run.run).await?;
        entries.extend(of_run.into_iter().filter(|entry| entry.action == approved));
    }
    entries.sort_by_key(|entry| entry.seq);
    for entry in &entries {
        out.object(&json!({
            "entry": entry.seq, "at": entry.at, "actor": entry.actor, "action": entry.action,
            "object": entry.object, "policy": entry.policy,
            "differences": entry.details.get("differences"),
        }));
        out.line(format!(
            "{}  {:<16} {:<12} {}",
            entry.at, entry.action, entry.actor, entry.object
        ));
        let lines = entry.details.get("differences").and_then(serde_json::Value::as_array);
        for line in lines.into_iter().flatten().filter_map(serde_json::Value::as_str) {
            out.line(format!("    {line}"));
        }
    }
    let in_force = crate::serve::purposes(desk.vault.as_ref(), &desk.keys).await?;
    let mut names: Vec<&String> = in_force.keys().collect();
    names.sort();
    for name in names {
        let policy = &in_force[name].policy;
        out.object(&json!({"purpose": name, "policy": policy, "state": "in_force"}));
        out.line(format!("in force: `{name}`, by policy {}", policy.get(..12).unwrap_or(policy)));
    }
    out.next(&desk.caller.name, "sealift access report");
    Ok(Outcome::Done)
}
