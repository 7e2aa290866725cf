//! Who may read, beside who did: the purposes in force, and the domains that they show.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::columns::ColumnTotal;
use super::evidence::PeriodEvidence;
use crate::access::form_for;
use crate::lifecycle::Phase;
use crate::policy::{Form, TokenKind};
use crate::report::access::{PurposeLine, declared_line};
use crate::report::usage::Usage;

/// A domain: what of it was treated, who may read it, and whether anybody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DomainLine {
    /// Its name.
    pub domain: String,
    /// Its data class.
    pub class: String,
    /// The kinds of its tokens.
    pub tokens: BTreeSet<TokenKind>,
    /// Columns of it in these runs.
    pub columns: u64,
    /// Cells of theirs that were to get a token.
    pub cells: u64,
    /// Cells whose token the last verification opened and compared.
    pub verified: u64,
    /// Of these, the cells whose originals are purged.
    pub purged: u64,
    /// The purposes in force that show it, and in which form.
    pub shown_by: BTreeMap<String, Form>,
    /// Tokens or values of it that were asked for in the period, under any purpose.
    pub asked: u64,
    /// Whether somebody may read it, and nobody has asked for it in the period.
    pub is_never_read: bool,
}

/// What was asked under a purpose that is not in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UseBeyond {
    /// The purpose, as the requests named it.
    pub name: String,
    /// What was asked under it.
    pub used: Usage,
}

/// The purposes in force, each with what was asked under it.
pub(super) fn declared(evidence: &PeriodEvidence) -> Vec<PurposeLine> {
    let usage = &evidence.told.usage;
    let mut lines: Vec<PurposeLine> = evidence
        .purposes
        .iter()
        .map(|purpose| {
            declared_line(purpose, usage.get(&purpose.name).cloned().unwrap_or_default())
        })
        .collect();
    lines.sort_by(|one, other| one.name.cmp(&other.name));
    lines
}

/// What was asked under purposes that are not in force.
pub(super) fn beyond(evidence: &PeriodEvidence) -> Vec<UseBeyond> {
    let is_in_force = |name: &str| evidence.purposes.iter().any(|purpose| purpose.name == name);
    evidence
        .told
        .usage
        .iter()
        .filter(|(name, _)| !is_in_force(name))
        .map(|(name, used)| UseBeyond { name: name.clone(), used: used.clone() })
        .collect()
}

/// The domains of the vault, and those of the runs.
pub(super) fn domains(evidence: &PeriodEvidence, columns: &[ColumnTotal]) -> Vec<DomainLine> {
    let mut classes: BTreeMap<&str, &str> =
        columns.iter().map(|column| (column.domain.as_str(), column.class.as_str())).collect();
    // What the vault says of a domain counts: a policy that names another class is refused.
    classes.extend(evidence.domains.iter().map(|it| (it.name.as_str(), it.class.as_str())));
    classes
        .into_iter()
        .map(|(domain, class)| {
            let ours = || columns.iter().filter(|column| column.domain == domain);
            let purged = ours().filter(|it| matches!(it.phase, Phase::Purged | Phase::Closed));
            let shown_by: BTreeMap<String, Form> = evidence
                .purposes
                .iter()
                .filter_map(|purpose| {
                    Some((purpose.name.clone(), form_for(purpose, domain, class)?))
                })
                .collect();
            let asked =
                evidence.told.usage.values().filter_map(|used| used.domains.get(domain)).sum();
            DomainLine {
                domain: domain.to_owned(),
                class: class.to_owned(),
                tokens: ours().map(|column| column.token).collect(),
                columns: ours().count() as u64,
                cells: ours().map(|column| column.cells).sum(),
                verified: ours().filter_map(|column| column.verified).sum(),
                purged: purged.filter_map(|column| column.verified).sum(),
                is_never_read: !shown_by.is_empty() && asked == 0,
                shown_by,
                asked,
            }
        })
        .collect()
}
