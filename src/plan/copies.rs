//! Pitfall: values of a column in scope also stand where the policy does not reach.

use super::case::{Case, warns};
use super::facts::CopyFacts;
use super::model::Finding;
use crate::policy::{ColumnRule, Policy};

const PITFALL: &str = "copies";

pub(super) fn find(case: &Case<'_>) -> Vec<Finding> {
    let copies = case.facts.copies.iter();
    copies
        .filter(|copy| !case.covers(&copy.at.table, &copy.at.column))
        .map(|copy| {
            warns(PITFALL, copy.of.to_string(), copied_line(copy), copied_remedy(case.policy, copy))
        })
        .collect()
}

/// What was found, as a sentence: `59 of 59 values also in `Invoice.BillingAddress`, in 412 cells`.
#[must_use]
pub fn copied_line(copy: &CopyFacts) -> String {
    let mut parts = Vec::new();
    if copy.matched > 0 {
        let about = if copy.distinct_exact { "" } else { "about " };
        parts.push(format!(
            "{about}{} of {} values also in `{}`, in {}",
            copy.matched,
            copy.distinct,
            copy.at,
            super::case::counted(copy.cells, "cell")
        ));
    }
    if copy.containing > 0 {
        let verb = if copy.containing == 1 { "holds" } else { "hold" };
        parts.push(format!(
            "{} of `{}` {verb} one inside a longer text",
            super::case::counted(copy.containing, "cell"),
            copy.at
        ));
    }
    let text = parts.join("; ");
    match copy.rows_about {
        _ if copy.is_whole => text,
        Some(rows) => format!("at least {text} ({} of about {rows} rows read)", copy.rows_read),
        None => format!("at least {text} ({} rows read, and there are more)", copy.rows_read),
    }
}

/// The lines of the policy that would cover the copy.
#[must_use]
pub fn copied_remedy(policy: &Policy, copy: &CopyFacts) -> String {
    let rule = policy.columns.iter().find(|rule| rule.name == copy.of);
    let Some(rule) = rule else { return String::new() };
    if copy.matched == 0 {
        return format!(
            "add to the policy: [[column]] name = {:?}, class = {:?}, token = \"random\"; or accept \
             that the texts keep them",
            copy.at.to_string(),
            rule.class
        );
    }
    let domain = policy.domain_of(rule);
    let mut lines = vec![
        format!("name = {:?}", copy.at.to_string()),
        format!("class = {:?}", rule.class),
        format!("domain = {domain:?}"),
        format!("token = {:?}", rule.token.name()),
    ];
    lines.extend(more_of(rule));
    let own = if rule.domain.is_some() {
        String::new()
    } else {
        format!("; and to `{}`: domain = {domain:?}", copy.of)
    };
    format!("add to the policy: [[column]] {}{own}", lines.join(", "))
}

/// What the columns of a domain have to have in common beside the kind of token.
fn more_of(rule: &ColumnRule) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(shape) = rule.format {
        let word = match shape {
            crate::policy::FormatShape::Card => "card",
            crate::policy::FormatShape::Digits => "digits",
            crate::policy::FormatShape::Alnum => "alnum",
        };
        lines.push(format!("format = {word:?}"));
    }
    lines.extend(rule.dedupe.then(|| "dedupe = true".to_owned()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ColumnName;

    fn copy() -> CopyFacts {
        CopyFacts {
            of: ColumnName::parse("people.address").unwrap(),
            at: ColumnName::parse("bills.address").unwrap(),
            distinct: 59,
            distinct_exact: true,
            matched: 59,
            cells: 412,
            containing: 0,
            rows_read: 412,
            rows_about: Some(412),
            is_whole: true,
        }
    }

    #[test]
    fn what_was_read_whole_is_said_without_a_doubt() {
        assert_eq!(copied_line(&copy()), "59 of 59 values also in `bills.address`, in 412 cells");
    }

    #[test]
    fn what_was_sampled_is_a_least_figure() {
        let part = CopyFacts { is_whole: false, rows_about: Some(9_000), ..copy() };
        let line = copied_line(&part);
        assert!(line.starts_with("at least 59 of 59"), "{line}");
        assert!(line.ends_with("(412 of about 9000 rows read)"), "{line}");
    }

    #[test]
    fn texts_that_hold_a_value_are_told_apart_from_copies() {
        let inside = CopyFacts { matched: 0, cells: 0, containing: 1, ..copy() };
        assert_eq!(
            copied_line(&inside),
            "1 cell of `bills.address` holds one inside a longer text"
        );
    }
}
