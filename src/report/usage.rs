//! What was asked under each purpose, as the ledger has it: the other half of what is declared.
//!
//! It knows no vault: entries go in, sums come out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::ledger::Entry;

/// What was asked under one purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Usage {
    /// Requests, refused ones too.
    pub requests: u64,
    /// Requests that were refused as a whole.
    pub refused: u64,
    /// Texts that were no tokens, and came back as they were.
    pub passed: u64,
    /// Uses of a purpose for emergencies that nobody has looked at since.
    pub unreviewed: u64,
    /// When the last one came.
    pub last: String,
    /// By domain: how many tokens or values.
    pub domains: BTreeMap<String, u64>,
    /// By caller: how many requests.
    pub callers: BTreeMap<String, u64>,
}

impl Usage {
    /// Adds what an entry says to the usage of its purpose.
    pub fn add(all: &mut BTreeMap<String, Self>, entry: Entry) {
        if entry.action == "access_reviewed" {
            if let Some(used) = entry.purpose.and_then(|purpose| all.get_mut(&purpose)) {
                used.unreviewed = 0;
            }
            return;
        }
        let verb = entry.action.strip_suffix("_refused").unwrap_or(&entry.action);
        let is_request = ["detokenize", "tokenize", "search"].contains(&verb);
        let Some(purpose) = entry.purpose.filter(|_| is_request) else { return };
        let used = all.entry(purpose).or_default();
        used.requests += 1;
        used.refused += u64::from(entry.action.ends_with("_refused"));
        used.last = entry.at;
        *used.callers.entry(entry.actor).or_default() += 1;
        used.unreviewed += entry.counts.get("break_glass").copied().unwrap_or(0);
        used.passed += entry.counts.get("passed").copied().unwrap_or(0);
        for (name, count) in entry.counts {
            if let Some(domain) = name.strip_prefix("domain ") {
                *used.domains.entry(domain.to_owned()).or_default() += count;
            }
        }
    }
}
