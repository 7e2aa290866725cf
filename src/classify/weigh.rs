//! Name and values weighed: the one place where a confidence is made.
//!
//! ```text
//! by name    no value to look at     strong 0.70   medium 0.55   weak 0.20
//!            values could be it      strong 0.80   medium 0.62   weak 0.30
//!            values could not        the same, times half the share that could: below the bar
//! by value   full × share            from the table `ALONE`: what a kind is worth when every value
//!                                    is recognised, and from which share on it counts at all
//! together   1 − (1 − name) × (1 − value)
//! ```
//!
//! What the name calls something else (`order_no`, `title`) takes from kinds that are easily mistaken
//! and leaves those with check digits. A finding is reported from 0.5 on.

use super::counts::{Counts, Tally, ratio};
use super::finding::{CONFIDENCE_MIN, Contained, Evidence, Finding};
use super::heading::{Entity, Heading, Strength};
use super::kind::{Kind, Place};
use super::profile::Matches;
use super::values::national::SCHEMES;

/// What values are worth without a name.
struct Alone {
    place: Place,
    /// The confidence where all values are recognised.
    full: f64,
    /// Below this share it is worth nothing.
    share_min: f64,
    /// Fewer different values are an enumeration.
    distinct_min: u64,
    /// Whether a name that means something else leaves it as it is.
    is_certain: bool,
}

const fn alone(
    place: Place,
    full: f64,
    share_min: f64,
    distinct_min: u64,
    is_certain: bool,
) -> Alone {
    Alone { place, full, share_min, distinct_min, is_certain }
}

/// The kinds that values alone can show.
const ALONE: [Alone; 21] = [
    alone(Place::Email, 0.99, 0.25, 1, true),
    alone(Place::Iban, 0.99, 0.25, 1, true),
    alone(Place::Card, 0.97, 0.5, 2, true),
    alone(Place::Mac, 0.97, 0.5, 1, true),
    alone(Place::Ip, 0.95, 0.5, 1, false),
    alone(Place::Secret, 0.95, 0.5, 1, true),
    alone(Place::Wallet, 0.95, 0.5, 1, true),
    alone(Place::Passport, 0.9, 0.5, 1, true),
    alone(Place::Phone, 0.88, 0.4, 3, false),
    alone(Place::PersonName, 0.86, 0.4, 5, false),
    alone(Place::PostalAddress, 0.86, 0.35, 3, false),
    alone(Place::Vehicle, 0.85, 0.7, 3, false),
    alone(Place::DeviceId, 0.8, 0.8, 3, false),
    alone(Place::Company, 0.8, 0.3, 4, false),
    alone(Place::GeoPoint, 0.8, 0.7, 2, false),
    alone(Place::Gender, 0.72, 0.9, 2, false),
    alone(Place::Health, 0.72, 0.9, 2, false),
    alone(Place::FirstName, 0.75, 0.6, 8, false),
    alone(Place::LastName, 0.72, 0.6, 8, false),
    alone(Place::Postcode, 0.72, 0.7, 4, false),
    alone(Place::City, 0.68, 0.55, 6, false),
];

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
    let scheme = (place == Place::NationalId).then(|| best_scheme(heading, counts)).flatten();
    let tally = tally_of(place, scheme, counts);
    let by_value = match place {
        Place::NationalId => scheme.map_or(0.0, |scheme| scheme_alone(scheme, heading, counts)),
        Place::DateOfBirth => births_alone(heading, counts),
        Place::FreeText => texts_alone(heading, counts),
        _ => values_alone(place, heading, counts),
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
        // Two different values in many rows are a switch, whatever its name says.
        Place::PersonName
        | Place::FirstName
        | Place::LastName
        | Place::Company
        | Place::Email
        | Place::Phone
            if counts.tested >= 50 && counts.distinct.about() <= 3 =>
        {
            agreed * 0.6
        }
        _ => agreed,
    };
    agreed * (0.6 + 0.4 * plausible)
}

/// What values are worth without a name.
fn values_alone(place: Place, heading: &Heading, counts: &Counts) -> f64 {
    let Some(alone) = ALONE.iter().find(|alone| alone.place == place) else { return 0.0 };
    let tally = counts.of(place);
    let share = counts.share(tally.matched);
    if share < alone.share_min || is_enumeration(counts, alone.distinct_min) {
        return 0.0;
    }
    let rise = ((share - alone.share_min) / (0.9 - alone.share_min).max(0.05)).clamp(0.0, 1.0);
    let confidence = alone.full * (0.62 + 0.38 * rise) * few(counts.tested);
    confidence * trust(place, alone.is_certain, heading)
}

/// Few different values for as many as were seen.
fn is_enumeration(counts: &Counts, distinct_min: u64) -> bool {
    let distinct = counts.distinct.about();
    distinct < distinct_min && counts.tested >= 2 * distinct
}

/// One value is an anecdote.
fn few(tested: u64) -> f64 {
    1.0 - 0.25 / (1.0 + tested_as_real(tested))
}

#[expect(clippy::cast_precision_loss, reason = "a weight of a count needs no 53rd bit")]
fn tested_as_real(tested: u64) -> f64 {
    tested as f64
}

/// What the names leave of a kind that they do not mean.
fn trust(place: Place, is_certain: bool, heading: &Heading) -> f64 {
    if is_certain {
        return 1.0;
    }
    let is_number = matches!(place, Place::Phone | Place::DeviceId | Place::Vehicle | Place::Ip);
    if heading.is_key && is_number {
        return 0.3;
    }
    if heading.is_other {
        return if is_number { 0.6 } else { 0.45 };
    }
    let is_naming = matches!(
        place,
        Place::PersonName
            | Place::FirstName
            | Place::LastName
            | Place::Company
            | Place::City
            | Place::Health
            | Place::Gender
    );
    // Whose name a thing's column holds is not known: a brand, a composer, a place.
    if is_naming && heading.table == Entity::Thing && !heading.is_opaque && heading.hint.is_none() {
        return 0.55;
    }
    // The name means another kind, and clearly.
    let means_other = heading.hint.as_ref().is_some_and(|hint| hint.strength.is_clear());
    if means_other { 0.8 } else { 1.0 }
}

/// The scheme that most values follow, or the one that the name means.
fn best_scheme(heading: &Heading, counts: &Counts) -> Option<usize> {
    let named = heading.hint.as_ref().and_then(|hint| hint.scheme);
    let named = named.and_then(|name| SCHEMES.iter().position(|scheme| scheme.name == name));
    let followed = |place: &usize| counts.schemes[*place].shaped;
    if let Some(place) = named.filter(|place| counts.share(followed(place)) >= 0.3) {
        return Some(place);
    }
    let weight = |place: &usize| {
        let tally = counts.schemes[*place];
        counts.share(tally.shaped) * -SCHEMES[*place].chance.ln()
    };
    (0..SCHEMES.len())
        .filter(|place| counts.share(followed(place)) >= 0.5)
        .max_by(|one, two| weight(one).total_cmp(&weight(two)))
}

/// Schemes whose shape alone, as it is written, is nothing else.
const DISTINCT_SHAPES: [(&str, f64); 11] = [
    ("us_ssn", 0.9),
    ("us_itin", 0.9),
    ("uk_nino", 0.9),
    ("in_pan", 0.88),
    ("in_gst", 0.85),
    ("mx_rfc", 0.85),
    ("kr_rrn", 0.85),
    ("pk_cnic", 0.8),
    ("my_mykad", 0.8),
    ("dk_cpr", 0.7),
    ("eu_vat", 0.7),
];

/// What following a scheme is worth: the less likely by chance, the fewer values are needed.
fn scheme_alone(place: usize, heading: &Heading, counts: &Counts) -> f64 {
    let scheme = SCHEMES[place];
    let tally = counts.schemes[place];
    let distinct = counts.distinct.about();
    let trust = if heading.is_key || heading.is_other { 0.5 } else { 1.0 };
    let shape = DISTINCT_SHAPES.iter().find(|(name, _)| *name == scheme.name);
    if let Some((_, full)) = shape {
        let share = counts.share(tally.shaped);
        let is_shown = share >= 0.7 && distinct >= 2.min(counts.tested);
        return if is_shown { full * share * few(counts.tested) * trust } else { 0.0 };
    }
    let share = counts.share(tally.checked);
    let least = if scheme.chance > 0.02 { 0.95 } else { 0.7 };
    // The odds that random values hold by accident, as a power of e.
    let odds = -scheme.chance.ln() * tested_as_real(tally.checked.min(distinct));
    if share < least || odds < 20.0 {
        return 0.0;
    }
    let trust = if scheme.chance <= 0.001 { 1.0 } else { trust };
    0.92 * share * trust
}

/// Dates without a name are births only where nothing else speaks: an opaque name, years that
/// spread over a lifetime, no time of day.
fn births_alone(heading: &Heading, counts: &Counts) -> f64 {
    let days = counts.days;
    let is_birth = heading.is_opaque && counts.share(days.count) >= 0.9 && days.spread_as_births();
    match (is_birth, heading.beside_a_person) {
        (true, true) => 0.66,
        (true, false) => 0.56,
        _ => 0.0,
    }
}

/// Texts and mixtures: what occurs in them, as a share of all.
fn texts_alone(heading: &Heading, counts: &Counts) -> f64 {
    let clear = counts.share(counts.holding_clear);
    let any = counts.share(counts.holding);
    let is_mixture = counts.texts * 2 < counts.tested;
    // Short values most of which are one kind are that kind, not a mixture.
    let one_kind = Place::ALL.iter().map(|place| counts.share(counts.of(*place).matched));
    if is_mixture && one_kind.fold(0.0, f64::max) >= 0.4 {
        return 0.0;
    }
    let is_notes = heading.hint.as_ref().is_some_and(|hint| hint.kind == Kind::FreeText);
    let named = if is_notes { 0.06 } else { 0.0 };
    // Names alone make a text personal only where they are frequent: titles have names in them.
    let names_min = if is_notes { 0.05 } else { 0.15 };
    let by_names = if any >= names_min && !is_mixture { 0.5 + 0.3 * any } else { 0.0 };
    let least = if is_mixture { 0.1 } else { 0.005 };
    let by_clear = if clear >= least && counts.holding_clear >= 1 {
        0.52 + 0.4 * (clear * 3.0).min(1.0)
    } else {
        0.0
    };
    let is_thing = heading.is_other || heading.table == Entity::Thing && !is_notes;
    let by_names = if is_thing { by_names * 0.7 } else { by_names };
    let best = by_names.max(by_clear);
    if best > 0.0 { (best + named) * few(counts.tested) } else { 0.0 }
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
