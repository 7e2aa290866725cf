//! Copies of the source that lie elsewhere: those that the source shows, beside those that somebody has
//! named, with who keeps each and until when.
//!
//! It judges nothing: a copy that nobody is named for is told as it is.

use crate::ledger::{CopyFact, NamedBy};
use crate::policy::CopyRule;
use crate::ports::ShownCopy;
use crate::run::error::RunError;
use crate::run::job::Job;
use crate::run::purge::tables;
use crate::run::residue::CONTROL;

/// Where the entry of the positive control keeps what the source showed then.
pub(crate) const SHOWN: &str = "elsewhere";

/// Every copy that is known of. What was there when the run began counts also where it is gone by now.
pub(super) async fn elsewhere(job: &Job, typed: &[CopyRule]) -> Result<Vec<CopyFact>, RunError> {
    let mut shown = job.source.elsewhere(&tables(job)).await?;
    for before in shown_before(job).await? {
        if !shown.iter().any(|now| now.kind == before.kind && now.name == before.name) {
            let told = format!("was there when the run began: {}", before.shown);
            shown.push(ShownCopy { shown: told, ..before });
        }
    }
    Ok(joined(&shown, &job.policy.elsewhere, typed))
}

async fn shown_before(job: &Job) -> Result<Vec<ShownCopy>, RunError> {
    let entries = job.vault.ledger_of(job.run).await?;
    let control = entries.into_iter().rfind(|entry| entry.action == CONTROL);
    let shown = control.and_then(|mut entry| entry.details.remove(SHOWN));
    Ok(shown.and_then(|shown| serde_json::from_value(shown).ok()).unwrap_or_default())
}

/// What was typed for a purge comes after the policy, and holds where both name a copy.
fn joined(shown: &[ShownCopy], policy: &[CopyRule], typed: &[CopyRule]) -> Vec<CopyFact> {
    let typed = typed.iter().map(|rule| (rule, NamedBy::Purge));
    let mut named: Vec<(&CopyRule, NamedBy)> = typed.collect();
    for rule in policy {
        if !named.iter().any(|(known, _)| known.kind == rule.kind && known.name == rule.name) {
            named.push((rule, NamedBy::Policy));
        }
    }
    let mut facts: Vec<CopyFact> = Vec::new();
    for copy in shown {
        let found = named.iter().find(|(rule, _)| rule.is_of(copy.kind, &copy.name));
        facts.push(CopyFact {
            kind: copy.kind,
            name: found.map_or_else(|| copy.name.clone(), |(rule, _)| rule.name.clone()),
            owner: found.map(|(rule, _)| rule.owner.clone()),
            expires: found.map(|(rule, _)| rule.expires.clone()),
            named: found.map(|(_, by)| *by),
            shown: Some(copy.shown.clone()),
        });
    }
    for (rule, by) in named {
        if !shown.iter().any(|copy| rule.is_of(copy.kind, &copy.name)) {
            facts.push(CopyFact {
                kind: rule.kind,
                name: rule.name.clone(),
                owner: Some(rule.owner.clone()),
                expires: Some(rule.expires.clone()),
                named: Some(by),
                shown: None,
            });
        }
    }
    facts.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::CopyKind;

    fn shown(kind: CopyKind, name: &str) -> ShownCopy {
        ShownCopy { kind, name: name.to_owned(), shown: "seen".to_owned() }
    }

    fn rule(text: &str) -> CopyRule {
        CopyRule::parse(text).unwrap()
    }

    #[test]
    fn what_the_source_shows_and_nobody_has_named_has_no_owner() {
        let facts = joined(&[shown(CopyKind::Slot, "billing")], &[], &[]);
        assert_eq!((facts.len(), facts[0].owner.as_ref(), facts[0].named), (1, None, None));
    }

    #[test]
    fn what_was_named_at_the_purge_holds_over_the_policy() {
        let policy =
            [rule("slot:billing:Old team:2027-01-31"), rule("export:csv:Sales:2027-01-01")];
        let typed = [rule("slot:billing:New team:2027-02-28")];
        let facts = joined(&[shown(CopyKind::Slot, "billing")], &policy, &typed);
        let told: Vec<_> = facts
            .iter()
            .map(|fact| (fact.name.as_str(), fact.owner.as_deref().unwrap(), fact.named.unwrap()))
            .collect();
        let expected = [("billing", "New team", NamedBy::Purge), ("csv", "Sales", NamedBy::Policy)];
        assert_eq!(told, expected);
        assert_eq!(facts[1].shown, None, "the source cannot know of an export");
    }
}
