//! What a finding rests on, as a sentence of counts.

use crate::classify::{Evidence, Finding};
use crate::words::grouped;

/// Says why a column was found to hold something, such as `59 of 59 look like it`.
#[must_use]
pub fn because(finding: &Finding) -> String {
    let evidence = &finding.evidence;
    let values = of_values(evidence);
    let name = evidence.by_name.as_ref().map(|name| format!("the name says `{name}`"));
    let mut text = match (values, name) {
        (Some(values), Some(name)) => format!("{values}, and {name}"),
        (Some(values), None) => values,
        (None, Some(name)) if evidence.tested == 0 => format!("{name}; there are no values yet"),
        (None, Some(name)) => format!("{name}; values tell nothing"),
        (None, None) => format!("{} values", grouped(evidence.tested)),
    };
    if let Some(path) = &finding.path {
        text = format!("in JSON at `{path}`: {text}");
    }
    text
}

fn of_values(evidence: &Evidence) -> Option<String> {
    let tested = grouped(evidence.tested);
    if !evidence.contains.is_empty() {
        let kinds: Vec<String> = evidence
            .contains
            .iter()
            .map(|part| format!("{} in {}", part.kind.title(), grouped(part.values)))
            .collect();
        return Some(format!("of {tested} texts, {}", kinds.join(", ")));
    }
    let checked = match evidence.verified {
        0 => String::new(),
        all if all == evidence.tested => ", all with correct check digits".to_owned(),
        some => format!(", {} with correct check digits", grouped(some)),
    };
    let scheme = evidence.scheme.as_ref().map(|scheme| format!(" ({scheme})")).unwrap_or_default();
    if evidence.matched > 0 {
        return Some(format!(
            "{} of {tested} look like it{scheme}{checked}",
            grouped(evidence.matched)
        ));
    }
    (evidence.plausible > 0)
        .then(|| format!("{} of {tested} can be it{scheme}", grouped(evidence.plausible)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{Contained, Kind};

    fn finding(evidence: Evidence) -> Finding {
        Finding {
            kind: Kind::Email,
            class: "contact".into(),
            path: None,
            confidence: 0.9,
            evidence,
        }
    }

    #[test]
    fn counts_and_name_make_a_sentence() {
        let evidence = Evidence {
            by_name: Some("email".into()),
            tested: 5_900,
            matched: 5_900,
            ..Evidence::default()
        };
        assert_eq!(
            because(&finding(evidence)),
            "5,900 of 5,900 look like it, and the name says `email`"
        );
    }

    #[test]
    fn what_stands_in_texts_is_listed() {
        let contains = vec![Contained { kind: Kind::Email, values: 1_204 }];
        let evidence = Evidence { tested: 2_000, contains, ..Evidence::default() };
        assert_eq!(because(&finding(evidence)), "of 2,000 texts, e-mail address in 1,204");
    }
}
