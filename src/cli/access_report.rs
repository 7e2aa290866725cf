//! `sealift access report`: what is declared beside what was done. Who could read which domain, and
//! who did.

use std::collections::BTreeMap;

use serde_json::json;

use super::desk::Desk;
use super::exit::{Failure, Outcome};
use super::output::Output;
use super::policy_words::form_name;
use super::settings::Settings;
use crate::access::{Verb, form_for};
use crate::ledger::Entry;
use crate::ports::Vault;
use crate::report::Usage;

/// Entries that are read at once.
const ENTRIES_A_READ: usize = 2_000;

pub(super) async fn report(settings: &Settings, out: &Output) -> Result<Outcome, Failure> {
    let desk = Desk::open(settings, Verb::AccessReport).await?;
    let used = used(desk.vault.as_ref()).await?;
    let domains = crate::serve::domains(desk.vault.as_ref(), &desk.keys).await?;
    let in_force = crate::serve::purposes(desk.vault.as_ref(), &desk.keys).await?;
    let mut names: Vec<&String> = in_force.keys().collect();
    names.sort();
    let none = Usage::default();
    for name in names {
        let purpose = &in_force[name].purpose;
        let used = used.get(name).unwrap_or(&none);
        out.line(format!(
            "purpose `{name}` (roles: {}): {} requests, {} refused",
            purpose.roles.join(", "),
            used.requests,
            used.refused
        ));
        let mut shown = Vec::new();
        for domain in &domains {
            let form = form_for(purpose, &domain.name, &domain.class);
            let read = used.domains.get(&domain.name).copied().unwrap_or(0);
            let Some(form) = form else { continue };
            let actual =
                if read == 0 { "never read".to_owned() } else { format!("{read} asked for") };
            shown.push(json!({"domain": domain.name, "form": form_name(form), "asked": read}));
            out.line(format!("  {:<32} declared {:<7} {actual}", domain.name, form_name(form)));
        }
        if purpose.pass_originals {
            out.line(format!("  passed as they were: {}", used.passed));
        }
        if used.unreviewed > 0 {
            out.line(format!("  for emergencies: {} uses are to be reviewed", used.unreviewed));
        }
        for (caller, requests) in &used.callers {
            out.line(format!("  by `{caller}`: {requests} requests"));
        }
        out.object(&json!({
            "purpose": name, "roles": purpose.roles, "requests": used.requests,
            "refused": used.refused, "passed": used.passed, "unreviewed": used.unreviewed, "last": used.last, "domains": shown,
            "callers": used.callers,
        }));
    }
    for (name, used) in used.iter().filter(|(name, _)| !in_force.contains_key(*name)) {
        out.object(&json!({
            "purpose": name, "in_force": false, "requests": used.requests, "refused": used.refused,
            "last": used.last, "callers": used.callers,
        }));
        out.line(format!(
            "purpose `{name}` is not in force: {} requests, {} refused",
            used.requests, used.refused
        ));
    }
    unread(out, &domains, &in_force, &used);
    if let Some((name, _)) = used.iter().find(|(_, used)| used.unreviewed > 0) {
        let name = crate::words::shell_word(name);
        out.next("an auditor", &format!("sealift access review {name} --reason WHAT_WAS_FOUND"));
        return Ok(Outcome::Finding);
    }
    out.next(&desk.caller.name, "sealift policy history");
    Ok(Outcome::Done)
}

/// Domains that nobody may read, or nobody ever did.
fn unread(
    out: &Output,
    domains: &[crate::serve::Domain],
    in_force: &std::collections::HashMap<String, std::sync::Arc<crate::serve::InForce>>,
    used: &BTreeMap<String, Usage>,
) {
    for domain in domains {
        let is_shown = in_force
            .values()
            .any(|found| form_for(&found.purpose, &domain.name, &domain.class).is_some());
        let was_read = used.values().any(|used| used.domains.contains_key(&domain.name));
        let what = match (is_shown, was_read) {
            (false, _) => "no purpose shows it",
            (true, false) => "nobody has asked for it",
            (true, true) => continue,
        };
        out.object(&json!({"domain": domain.name, "note": what}));
        out.line(format!("domain `{}`: {what}", domain.name));
    }
}

/// Adds up what the ledger says of requests.
async fn used(vault: &dyn Vault) -> Result<BTreeMap<String, Usage>, Failure> {
    let mut all: BTreeMap<String, Usage> = BTreeMap::new();
    let mut from = 0;
    loop {
        let bodies = vault.ledger(from, ENTRIES_A_READ).await?;
        if bodies.is_empty() {
            return Ok(all);
        }
        from += bodies.len() as u64;
        for body in bodies {
            let entry = Entry::parse(&body).map_err(Failure::fault)?;
            Usage::add(&mut all, entry);
        }
    }
}
