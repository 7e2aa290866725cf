//! `sealift access report`: what is declared beside what was done. Who could read which domain, who
//! did, and why they said that they had to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::json;

use super::access_use::{Asked, Used, entries, used};
use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::policy_words::form_name;
use super::settings::Settings;
use crate::access::{Verb, form_for};
use crate::policy::Purpose;
use crate::serve::{Domain, InForce, opened_reasons};

type Purposes = HashMap<String, Arc<InForce>>;

pub(super) async fn report(
    settings: &Settings,
    out: &Output,
    requests: bool,
) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::AccessReport).await?;
    if requests {
        return each_request(&desk, out).await;
    }
    let used = used(desk.vault.as_ref()).await?;
    let domains = crate::serve::domains(desk.vault.as_ref(), &desk.keys).await?;
    let in_force = crate::serve::purposes(desk.vault.as_ref(), &desk.keys).await?;
    let mut names: Vec<&String> = in_force.keys().collect();
    names.sort();
    let none = Used::default();
    for name in names {
        let used = used.get(name).unwrap_or(&none);
        of_purpose(&desk, out, &in_force[name].purpose, &domains, used).await?;
    }
    for (name, used) in used.iter().filter(|(name, _)| !in_force.contains_key(*name)) {
        out.object(&json!({
            "purpose": name, "in_force": false, "requests": used.sums.requests, "refused": used.sums.refused,
            "last": used.sums.last, "callers": used.sums.callers,
        }));
        // Whoever asked has named it, and may have put into it what moves a terminal's cursor.
        out.line(format!(
            "purpose `{}` is not in force: {} requests, {} refused",
            name.escape_debug(),
            used.sums.requests,
            used.sums.refused
        ));
    }
    unread(out, &domains, &in_force, &used);
    if let Some((name, _)) = used.iter().find(|(_, used)| used.sums.unreviewed > 0) {
        let name = crate::words::shell_word(name);
        out.next("an auditor", &format!("sealift access review {name} --reason WHAT_WAS_FOUND"));
        return Ok(Outcome::Finding);
    }
    out.next(&desk.caller.name, "sealift policy history");
    Ok(Outcome::Done)
}

async fn of_purpose(
    desk: &Desk,
    out: &Output,
    purpose: &Purpose,
    domains: &[Domain],
    used: &Used,
) -> Result<(), Failure> {
    out.line(format!(
        "purpose `{}` (roles: {}): {} requests, {} refused",
        purpose.name,
        purpose.roles.join(", "),
        used.sums.requests,
        used.sums.refused
    ));
    let mut shown = Vec::new();
    for domain in domains {
        let form = form_for(purpose, &domain.name, &domain.class);
        let read = used.sums.domains.get(&domain.name).copied().unwrap_or(0);
        let Some(form) = form else { continue };
        let actual = if read == 0 { "never read".to_owned() } else { format!("{read} asked for") };
        shown.push(json!({"domain": domain.name, "form": form_name(form), "asked": read}));
        out.line(format!("  {:<32} declared {:<7} {actual}", domain.name, form_name(form)));
    }
    let used_by = by_role(out, purpose, used);
    if purpose.pass_originals {
        out.line(format!("  passed as they were: {}", used.sums.passed));
    }
    for (caller, requests) in &used.sums.callers {
        out.line(format!("  by `{caller}`: {requests} requests"));
    }
    out.object(&json!({
        "purpose": purpose.name, "roles": purpose.roles, "requests": used.sums.requests,
        "refused": used.sums.refused, "passed": used.sums.passed, "unreviewed": used.sums.unreviewed,
        "last": used.sums.last, "domains": shown, "used_by": used_by, "callers": used.sums.callers,
    }));
    if used.sums.unreviewed > 0 {
        out.line(format!("  for emergencies: {} uses are to be reviewed", used.sums.unreviewed));
        let newest: Vec<Asked> = used.emergencies.iter().cloned().collect();
        tell(desk, out, &newest).await?;
    }
    Ok(())
}

/// Roles that the purpose names beside those that used it; a role that it does not name was refused.
fn by_role(out: &Output, purpose: &Purpose, used: &Used) -> Vec<serde_json::Value> {
    let mut lines = BTreeMap::new();
    for role in &purpose.roles {
        lines.insert(role.as_str(), (true, used.roles.get(role)));
    }
    for (role, of_role) in &used.roles {
        lines.entry(role.as_str()).or_insert((false, Some(of_role)));
    }
    let told = lines.into_iter().map(|(role, (is_declared, of_role))| {
        let named = if is_declared { "" } else { ", which the purpose does not name" };
        match of_role {
            None => out.line(format!("  role `{role}`{named}: never used it")),
            Some(of_role) => {
                let read: Vec<String> = of_role
                    .domains
                    .iter()
                    .map(|(domain, count)| format!("`{domain}` {count}"))
                    .collect();
                let read =
                    if read.is_empty() { String::new() } else { format!(": {}", read.join(", ")) };
                out.line(format!(
                    "  role `{role}`{named}: {} requests, {} refused{read}",
                    of_role.requests, of_role.refused
                ));
            }
        }
        json!({
            "role": role, "declared": is_declared,
            "requests": of_role.map_or(0, |of_role| of_role.requests),
            "refused": of_role.map_or(0, |of_role| of_role.refused),
            "domains": of_role.map(|of_role| &of_role.domains),
        })
    });
    told.collect()
}

/// Domains that nobody may read, or nobody ever did.
fn unread(out: &Output, domains: &[Domain], in_force: &Purposes, used: &BTreeMap<String, Used>) {
    for domain in domains {
        let is_shown = in_force
            .values()
            .any(|found| form_for(&found.purpose, &domain.name, &domain.class).is_some());
        let was_read = used.values().any(|used| used.sums.domains.contains_key(&domain.name));
        let what = match (is_shown, was_read) {
            (false, _) => "no purpose shows it",
            (true, false) => "nobody has asked for it",
            (true, true) => continue,
        };
        out.object(&json!({"domain": domain.name, "note": what}));
        out.line(format!("domain `{}`: {what}", domain.name));
    }
}

/// Every request on the ledger, oldest first, with the words that were given as its reason.
async fn each_request(desk: &Desk, out: &Output) -> Result<Outcome, Failure> {
    let mut from = 0;
    loop {
        let read = entries(desk.vault.as_ref(), from).await?;
        if read.is_empty() {
            break;
        }
        from += read.len() as u64;
        let asked: Vec<Asked> = read.iter().filter_map(Asked::of).collect();
        tell(desk, out, &asked).await?;
    }
    out.next(&desk.caller.name, "sealift access report");
    Ok(Outcome::Done)
}

async fn tell(desk: &Desk, out: &Output, requests: &[Asked]) -> Result<(), Failure> {
    let digests: Vec<String> =
        requests.iter().map(|asked| asked.reason_hash.clone().unwrap_or_default()).collect();
    let reasons = opened_reasons(desk.vault.as_ref(), &desk.keys, &digests).await?;
    for (asked, reason) in requests.iter().zip(reasons) {
        let words = reason.as_ref().map(|words| words.as_str());
        out.object(&json!({
            "entry": asked.sequence, "at": asked.at, "caller": asked.caller,
            "purpose": asked.purpose, "action": asked.action, "asked": asked.tokens,
            "domains": asked.domains, "refusal": asked.refusal, "reason": words,
        }));
        // Whoever asked may have put anything into purpose and reason, as above.
        let words =
            words.map_or("(erased)".to_owned(), |words| format!("“{}”", words.escape_debug()));
        let refusal = asked.refusal.as_ref().map_or(String::new(), |kind| format!(" ({kind})"));
        out.line(format!(
            "  {} `{}` {}{refusal} under `{}`, {} asked: {words}",
            asked.at,
            asked.caller.escape_debug(),
            asked.action,
            asked.purpose.escape_debug(),
            asked.tokens
        ));
    }
    Ok(())
}
