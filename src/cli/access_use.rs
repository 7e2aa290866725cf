//! What was asked for, added up from the ledger: by purpose, by role, by domain.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::exit::Failure;
use crate::ledger::Entry;
use crate::ports::Vault;
use crate::report::Usage;

/// Entries that are read at once.
const ENTRIES_A_READ: usize = 2_000;

/// Uses in an emergency that are named one by one; of older ones only the number.
const EMERGENCIES_MAX: usize = 100;

/// What was asked under a purpose.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) sums: Usage,
    /// The newest uses of a purpose for emergencies that nobody has looked at since.
    pub(super) emergencies: VecDeque<Asked>,
    /// By the role that the caller had then.
    pub(super) roles: BTreeMap<String, RoleUse>,
}

/// What callers of one role asked for under a purpose.
#[derive(Debug, Default)]
pub(super) struct RoleUse {
    pub(super) requests: u64,
    pub(super) refused: u64,
    /// By domain: how many tokens or values.
    pub(super) domains: BTreeMap<String, u64>,
}

/// One request, as its entry has it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) sequence: u64,
    pub(super) at: String,
    pub(super) caller: String,
    pub(super) purpose: String,
    pub(super) action: String,
    pub(super) tokens: u64,
    pub(super) domains: BTreeMap<String, u64>,
    pub(super) refusal: Option<String>,
    pub(super) reason_hash: Option<String>,
}

impl Asked {
    /// The request that an entry is about, if it is about one.
    pub(super) fn of(entry: &Entry) -> Option<Self> {
        let verb = entry.action.strip_suffix("_refused").unwrap_or(&entry.action);
        if !["detokenize", "tokenize", "search"].contains(&verb) {
            return None;
        }
        let text = |name: &str| Some(entry.details.get(name)?.as_str()?.to_owned());
        let domains = entry
            .counts
            .iter()
            .filter_map(|(name, count)| Some((name.strip_prefix("domain ")?.to_owned(), *count)));
        Some(Self {
            sequence: entry.seq,
            at: entry.at.clone(),
            caller: entry.actor.clone(),
            purpose: entry.purpose.clone()?,
            action: entry.action.clone(),
            tokens: entry.counts.get("asked").copied().unwrap_or(0),
            domains: domains.collect(),
            refusal: text("refusal"),
            reason_hash: text("reason_hash"),
        })
    }
}

/// Adds up what the ledger says of requests.
pub(super) async fn used(vault: &dyn Vault) -> Result<BTreeMap<String, Used>, Failure> {
    let (mut all, mut sums, mut roles) = (BTreeMap::new(), BTreeMap::new(), HashMap::new());
    let mut from = 0;
    loop {
        let entries = entries(vault, from).await?;
        if entries.is_empty() {
            break;
        }
        from += entries.len() as u64;
        for entry in entries {
            add(&mut all, &mut roles, &entry);
            Usage::add(&mut sums, entry);
        }
    }
    for (purpose, sums) in sums {
        all.entry(purpose).or_default().sums = sums;
    }
    Ok(all)
}

/// Entries from a place on; none at the end.
pub(super) async fn entries(vault: &dyn Vault, from: u64) -> Result<Vec<Entry>, Failure> {
    let bodies = vault.ledger(from, ENTRIES_A_READ).await?;
    bodies.iter().map(|body| Entry::parse(body).map_err(Failure::fault)).collect()
}

fn add(all: &mut BTreeMap<String, Used>, roles: &mut HashMap<String, String>, entry: &Entry) {
    match entry.action.as_str() {
        "access_reviewed" => {
            if let Some(used) = entry.purpose.as_ref().and_then(|purpose| all.get_mut(purpose)) {
                used.emergencies.clear();
            }
        }
        // A name may come back with another role: what it asked before, it asked in the old one.
        "caller_added" => {
            let role = entry.details.get("role").and_then(|role| role.as_str());
            if let (Some(name), Some(role)) = (entry.object.strip_prefix("caller "), role) {
                roles.insert(name.to_owned(), role.to_owned());
            }
        }
        _ => {
            let Some(asked) = Asked::of(entry) else { return };
            let role = roles.get(&asked.caller).map_or("unknown", String::as_str);
            let used: &mut Used = all.entry(asked.purpose.clone()).or_default();
            let of_role = used.roles.entry(role.to_owned()).or_default();
            of_role.requests += 1;
            of_role.refused += u64::from(asked.action.ends_with("_refused"));
            for (domain, count) in &asked.domains {
                *of_role.domains.entry(domain.clone()).or_default() += count;
            }
            if entry.counts.contains_key("break_glass") {
                used.emergencies.push_back(asked);
                if used.emergencies.len() > EMERGENCIES_MAX {
                    used.emergencies.pop_front();
                }
            }
        }
    }
}
