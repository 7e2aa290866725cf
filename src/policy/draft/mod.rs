//! A policy drafted from what a scan found: which columns, in which domains, and why.
//!
//! A draft is for a steward to read. It begins with the treatment that each kind of value asks for,
//! and is then mended by the findings that would block its plan: one cautious change at a time,
//! each with its reason beside it. What cannot be mended is left out, and said so.
//!
//! **Invariant:** a draft holds names, counts and our own words, never a value.

mod because;
mod mend;
mod text;

pub use because::because;

use std::collections::{BTreeMap, HashMap};

use super::{ColumnName, ColumnRule, EmptyRule, Fit, Normalise, TableName, TokenKind};
use crate::catalog::{Catalog, Column};
use crate::classify::Kind;

/// A column that a scan would have in a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The column.
    pub name: ColumnName,
    /// What it holds.
    pub kind: Kind,
    /// The data class of that.
    pub class: String,
    /// How sure this is, 0 to 1.
    pub confidence: f64,
    /// What it rests on, as a sentence.
    pub why: String,
}

/// A policy in the making.
#[derive(Debug, Clone)]
pub struct Draft {
    source: String,
    remarks: Vec<String>,
    columns: Vec<Drafted>,
    left_out: Vec<(ColumnName, String)>,
    /// Triggers that must not fire, by table, each with the reason.
    suppressed: BTreeMap<TableName, Vec<(String, String)>>,
    joins: Vec<(ColumnName, ColumnName)>,
}

/// One column of a draft.
#[derive(Debug, Clone)]
struct Drafted {
    rule: ColumnRule,
    kind: Kind,
    why: String,
    notes: Vec<String>,
    /// Columns that foreign keys join have the same number, and change together.
    group: Option<usize>,
    /// Equal values have to get equal tokens here.
    needs_equal: bool,
}

impl Draft {
    /// Begins a draft.
    ///
    /// `alike` are pairs of candidates that hold the same values, by their places.
    #[must_use]
    pub fn new(
        source: &str,
        catalog: &Catalog,
        candidates: Vec<Candidate>,
        alike: &[(usize, usize)],
    ) -> Self {
        let mut draft = Self {
            source: source_name(source),
            remarks: Vec::new(),
            columns: Vec::new(),
            left_out: Vec::new(),
            suppressed: BTreeMap::new(),
            joins: joins(catalog),
        };
        let mut places = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            places.push(candidate.name.clone());
            draft.take(catalog, candidate);
        }
        draft.join(catalog);
        draft.share(&places, alike);
        draft
    }

    /// Whether there is no column in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// How many columns are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Columns that were found and left out, with the reasons.
    #[must_use]
    pub fn left_out(&self) -> &[(ColumnName, String)] {
        &self.left_out
    }

    /// Adds a remark to the head of the file.
    pub fn remark(&mut self, remark: impl Into<String>) {
        self.remarks.push(remark.into());
    }

    fn take(&mut self, catalog: &Catalog, candidate: Candidate) {
        let column = catalog
            .table(&candidate.name.table)
            .and_then(|table| table.column(&candidate.name.column));
        if let Some(reason) = column.and_then(unfit) {
            self.left_out.push((candidate.name, reason.to_owned()));
            return;
        }
        if self.columns.iter().any(|drafted| drafted.rule.name == candidate.name) {
            return;
        }
        let rule = ColumnRule {
            name: candidate.name,
            class: candidate.class,
            domain: None,
            token: candidate.kind.token(),
            format: None,
            template: None,
            empty: EmptyRule::default(),
            fit: Fit::default(),
            waive: Vec::new(),
            normalise: Normalise::default(),
            lossy_ok: false,
            dedupe: false,
        };
        self.columns.push(Drafted {
            rule,
            kind: candidate.kind,
            why: candidate.why,
            notes: Vec::new(),
            group: None,
            needs_equal: false,
        });
    }

    /// Brings columns that foreign keys join together: all of them in one domain, or none at all.
    fn join(&mut self, catalog: &Catalog) {
        let groups = groups(&self.joins);
        for (number, group) in groups.iter().enumerate() {
            let Some(first) = self.columns.iter().find(|one| group.contains(&one.rule.name)) else {
                continue;
            };
            let (class, kind, model) =
                (first.rule.class.clone(), first.kind.clone(), first.rule.name.clone());
            let unfit = group.iter().find_map(|name| {
                let column = catalog.table(&name.table)?.column(&name.column)?;
                Some((name, unfit(column)?))
            });
            if let Some((name, reason)) = unfit {
                let reason = format!("a foreign key joins it to `{name}`: {reason}");
                self.leave_out(|one| group.contains(&one.rule.name), &reason);
                continue;
            }
            for name in group {
                if !self.columns.iter().any(|one| one.rule.name == *name) {
                    self.take(
                        catalog,
                        Candidate {
                            name: name.clone(),
                            kind: kind.clone(),
                            class: class.clone(),
                            confidence: 1.0,
                            why: format!("a foreign key joins it to `{model}`"),
                        },
                    );
                }
            }
            let domain = self.free_domain(kind.name());
            for one in self.columns.iter_mut().filter(|one| group.contains(&one.rule.name)) {
                one.rule.class.clone_from(&class);
                one.rule.domain = Some(domain.clone());
                one.rule.token = TokenKind::Keyed;
                one.group = Some(number);
                one.needs_equal = true;
            }
        }
    }

    /// Gives columns with the same values one domain, so that joins over them survive.
    fn share(&mut self, places: &[ColumnName], alike: &[(usize, usize)]) {
        let drafted: HashMap<ColumnName, usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, drafted)| (drafted.rule.name.clone(), at))
            .collect();
        for (one, two) in alike {
            let find = |place: &usize| drafted.get(places.get(*place)?).copied();
            let (Some(one), Some(two)) = (find(one), find(two)) else { continue };
            let (first, second) = (&self.columns[one], &self.columns[two]);
            let is_fit = first.rule.class == second.rule.class
                && first.rule.token == TokenKind::Keyed
                && second.rule.token == TokenKind::Keyed;
            if !is_fit {
                continue;
            }
            let kind = first.kind.name().to_owned();
            let domain = match (first.rule.domain.clone(), second.rule.domain.clone()) {
                (Some(first), Some(second)) if first != second => {
                    // Two domains become one, with all their columns.
                    for other in &mut self.columns {
                        if other.rule.domain.as_deref() == Some(&second) {
                            other.rule.domain = Some(first.clone());
                        }
                    }
                    continue;
                }
                (Some(domain), _) | (None, Some(domain)) => domain,
                (None, None) => self.free_domain(&kind),
            };
            self.columns[one].rule.domain = Some(domain.clone());
            self.columns[two].rule.domain = Some(domain);
        }
    }

    /// A name for a domain that no other has: `email`, `email_2`.
    fn free_domain(&self, kind: &str) -> String {
        let is_taken =
            |name: &str| self.columns.iter().any(|one| one.rule.domain.as_deref() == Some(name));
        let mut number = 1;
        loop {
            let name = if number == 1 { kind.to_owned() } else { format!("{kind}_{number}") };
            if !is_taken(&name) {
                return name;
            }
            number += 1;
        }
    }

    fn leave_out(&mut self, which: impl Fn(&Drafted) -> bool, reason: &str) {
        let (out, kept): (Vec<_>, Vec<_>) = self.columns.drain(..).partition(&which);
        self.columns = kept;
        self.left_out.extend(out.into_iter().map(|one| (one.rule.name, reason.to_owned())));
    }
}

/// Why no token can be written into a column at all.
fn unfit(column: &Column) -> Option<&'static str> {
    if column.rowid_alias {
        Some("it is the row id of its table, which holds integers only")
    } else if column.generated.is_some() {
        Some("it is computed from other columns; cover those")
    } else {
        None
    }
}

/// Child and parent column of every foreign key.
fn joins(catalog: &Catalog) -> Vec<(ColumnName, ColumnName)> {
    let mut joins = Vec::new();
    for table in &catalog.tables {
        for key in table.foreign_keys.iter().filter(|key| catalog.table(&key.parent).is_some()) {
            for (child, parent) in key.columns.iter().zip(&key.parent_columns) {
                joins.push((
                    ColumnName { table: table.name.clone(), column: child.clone() },
                    ColumnName { table: key.parent.clone(), column: parent.clone() },
                ));
            }
        }
    }
    joins
}

/// Columns that are joined, directly or by way of others.
fn groups(joins: &[(ColumnName, ColumnName)]) -> Vec<Vec<ColumnName>> {
    let mut groups: Vec<Vec<ColumnName>> = Vec::new();
    for (child, parent) in joins {
        let (joined, apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.contains(child) || group.contains(parent));
        let mut group: Vec<ColumnName> = joined.into_iter().flatten().collect();
        group.extend([child.clone(), parent.clone()]);
        group.sort();
        group.dedup();
        groups = apart;
        groups.push(group);
    }
    groups
}

/// A name that a policy takes, as near to a file's as may be.
fn source_name(text: &str) -> String {
    let is_plain = |each: char| each.is_ascii_alphanumeric() || matches!(each, '_' | '-');
    let plain: String = text.chars().map(|each| if is_plain(each) { each } else { '-' }).collect();
    let plain = plain.trim_start_matches(|first: char| !first.is_ascii_alphanumeric());
    let cut: String = plain.chars().take(64).collect();
    if cut.is_empty() { "source".to_owned() } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_called_after_its_file() {
        assert_eq!(source_name("crm"), "crm");
        assert_eq!(source_name("Kunden 2026"), "Kunden-2026");
        assert_eq!(source_name("客户"), "source");
        assert_eq!(source_name(&"x".repeat(99)).len(), 64);
    }
}
