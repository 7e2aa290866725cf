//! Name and values weighed: the one place where a confidence is made.
//!
//! ```text
//! by name    no value to look at     strong 0.70   medium 0.55   weak 0.20
//!            values could be it      strong 0.80   medium 0.62   weak 0.30
//!            values could not        the same, times half the share that could: below the bar
//! by value   full × share            from the table in `alone`: what a kind is worth when every value
//!                                    is recognised, and from which share on it counts at all
//! together   1 − (1 − name) × (1 − value)
//! ```
//!
//! What the name calls something else (`order_no`, `title`) takes from kinds that are easily mistaken
//! and leaves those with check digits. Where it says nothing at all (`c1`), weaker evidence speaks
//! that is worth nothing beside a name: dates spread over lifetimes, names of which the lists know
//! half. A finding is reported from 0.5 on.

mod alone;

use super::counts::{Counts, Tally, ratio};
use super::finding::{CONFIDENCE_MIN, Contained, Evidence, Finding};
use super::heading::{Entity, Heading, Strength};
use super::kind::{Kind, Place};
use super::profile::Matches;
use super::values::national::SCHEMES;

/// What a column is found to hold: its best kind, and what a policy's patterns found beside it.
pub(super) fn findings(
    heading: &Heading,
    counts: &Counts,
    patterns: &[Matches<'_>],
) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        patterns.iter().filter_map(|matches| by_pattern(counts, matches)).collect();
    let mut best: Option<Verdict> = None;
    for place in Place::ALL {
        let verdict = weigh(*place, heading, counts);
        if best.as_ref().is_none_or(|other| verdict.confidence > other.confidence) {
            best = Some(verdict);
        }
    }
    let Some(best) = best.filter(|best| best.confidence >= CONFIDENCE_MIN) else { return findings };
    let is_explained = findings.iter().any(|finding| finding.confidence >= best.confidence);
    if !is_explained {
        findings.insert(0, best.into_finding(heading, counts));
    }
    findings
}

/// A policy's own pattern is believed: one match is a finding, more are a surer one.
fn by_pattern(counts: &Counts, matches: &Matches<'_>) -> Option<Finding> {
    if matches.count == 0 {
        return None;
    }
    let evidence =
        Evidence { matched: matches.count, plausible: matches.count, ..evidence(counts) };
    Some(Finding {
        kind: Kind::Pattern(matches.pattern.name.clone()),
        class: matches.pattern.class.clone(),
        path: None,
        confidence: rounded(0.5 + 0.49 * counts.share(matches.count)),
        evidence,
    })
}

/// How sure one kind is, and the scheme that its values follow.
struct Verdict {
    place: Place,
    confidence: f64,
    scheme: Option<usize>,
}

fn weigh(place: Place, heading: &Heading, counts: &Counts) -> Verdict {
    let hint = heading.hint.as_ref().filter(|hint| hint.kind.place() == Some(place));
    let scheme =
        (place == Place::NationalId).then(|| alone::best_scheme(heading, counts)).flatten();
    let tally = tally_of(place, scheme, counts);
    let by_value = match place {
        Place::NationalId => {
            scheme.map_or(0.0, |scheme| alone::scheme_alone(scheme, heading, counts))
        }
        Place::DateOfBirth => alone::births_alone(heading, counts),
        Place::FreeText => alone::texts_alone(heading, counts),
        Place::Phone => alone::values_alone(place, heading, counts)
            .max(alone::bare_phones_alone(heading, counts)),
        Place::PostalAddress => {
            alone::values_alone(place, heading, counts).max(alone::numbered_alone(heading, counts))
        }
        Place::PersonName | Place::City => alone::values_alone(place, heading, counts)
            .max(alone::opaque_words_alone(place, heading, counts)),
        Place::FirstName | Place::LastName => alone::values_alone(place, heading, counts)
            .max(alone::single_names_alone(place, heading, counts)),
        _ => alone::values_alone(place, heading, counts),
    };
    let confidence = match hint {
        None => by_value,
        Some(hint) => {
            let name = name_alone(place, hint.strength, tally, heading, counts);
            // Under its own name a kind needs no least share.
            let agreed = if name > 0.25 {
                0.9 * counts.share(tally.matched.max(tally.verified))
            } else {
                0.0
            };
            1.0 - (1.0 - name) * (1.0 - by_value.max(agreed))
        }
    };
    Verdict { place, confidence, scheme }
}

/// What a name is worth beside the values that it stands over.
fn name_alone(
    place: Place,
    strength: Strength,
    tally: Tally,
    heading: &Heading,
    counts: &Counts,
) -> f64 {
    if place == Place::FreeText {
        return 0.2;
    }
    let (unseen, agreed) = match strength {
        Strength::Strong => (0.70, 0.80),
        Strength::Medium => (0.55, 0.62),
        Strength::Weak => (0.20, 0.30),
    };
    if counts.tested == 0 {
        return unseen;
    }
    let plausible = counts.share(tally.plausible.max(tally.matched));
    if plausible < 0.5 {
        return agreed * plausible * 0.5;
    }
    let agreed = match place {
        // A list of all cities or companies is nobody's.
        Place::City | Place::Company | Place::GeoPoint | Place::Postcode
            if heading.table == Entity::Thing =>
        {
            agreed - if heading.beside_a_person || heading.beside_an_address { 0.0 } else { 0.2 }
        }
        // Where a storm or a station is, is nobody's address.
        Place::GeoPoint if !heading.is_about_a_person() => agreed * 0.55,
        // Two different values in many rows are a switch, whatever its name says.
        Place::PersonName
        | Place::FirstName
        | Place::LastName
        | Place::Company
        | Place::City
        | Place::Postcode
        | Place::PostalAddress
        | Place::Phone
            if counts.tested >= 20 && counts.distinct.about() <= 3 =>
        {
            agreed * 0.6
        }
        // Few values, hardly one of them anybody's name: `cellular`, `landline`.
        Place::PersonName
            if strength < Strength::Strong
                && counts.tested >= 10
                && counts.share(tally.matched) < 0.1
                && counts.share(counts.distinct.about()) < 0.34 =>
        {
            agreed * 0.7
        }
        // A number of some document may be anybody's, or a pet's.
        Place::DrivingLicence | Place::NationalId
            if strength == Strength::Medium && !heading.is_about_a_person() =>
        {
            agreed * 0.75
        }
        // What a thing's column is called like is weaker: a licence of a pet.
        _ if strength == Strength::Medium
            && heading.table == Entity::Thing
            && !heading.beside_a_person =>
        {
            agreed * 0.75
        }
        _ => agreed,
    };
    agreed * (0.6 + 0.4 * plausible)
}

/// The counts of a kind; of national numbers those of the scheme, as far as one is followed.
fn tally_of(place: Place, scheme: Option<usize>, counts: &Counts) -> Tally {
    let mut tally = counts.of(place);
    if place == Place::FreeText {
        tally.matched = counts.holding;
        tally.plausible = counts.holding;
    }
    if let Some(scheme) = scheme {
        tally.matched = counts.schemes[scheme].shaped;
        tally.verified = counts.schemes[scheme].checked;
    }
    if place == Place::DateOfBirth {
        tally.matched = counts.days.births;
    }
    tally
}

fn evidence(counts: &Counts) -> Evidence {
    Evidence {
        sampled: counts.sampled,
        nulls: counts.nulls,
        empties: counts.empties,
        skipped: counts.skipped,
        tested: counts.tested,
        distinct_about: counts.distinct.about(),
        ..Evidence::default()
    }
}

impl Verdict {
    fn into_finding(self, heading: &Heading, counts: &Counts) -> Finding {
        let kind = self.place.kind();
        let tally = tally_of(self.place, self.scheme, counts);
        let by_name =
            heading.hint.as_ref().filter(|hint| hint.kind == kind).map(|hint| hint.rule.to_owned());
        let contains = match self.place {
            Place::FreeText => contained(counts),
            _ => Vec::new(),
        };
        let evidence = Evidence {
            by_name,
            matched: tally.matched,
            plausible: tally.plausible.max(tally.matched),
            verified: tally.verified,
            scheme: self.scheme.map(|scheme| SCHEMES[scheme].name.to_owned()),
            contains,
            ..evidence(counts)
        };
        Finding {
            class: kind.class().to_owned(),
            kind,
            path: None,
            confidence: rounded(self.confidence),
            evidence,
        }
    }
}

/// What texts hold, the most frequent first.
fn contained(counts: &Counts) -> Vec<Contained> {
    let mut contained: Vec<Contained> = Place::ALL
        .iter()
        .map(|place| Contained { kind: place.kind(), values: counts.contained[*place as usize] })
        .filter(|contained| contained.values > 0 && ratio(contained.values, counts.tested) > 0.0)
        .collect();
    contained.sort_by_key(|contained| std::cmp::Reverse(contained.values));
    contained
}

/// Two decimals are what a person can weigh.
fn rounded(confidence: f64) -> f64 {
    (confidence.clamp(0.0, 0.99) * 100.0).round() / 100.0
}
