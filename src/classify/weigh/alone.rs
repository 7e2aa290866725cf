//! What values are worth without a name: shares of what was recognised, and when they count.
//!
//! This file knows of a heading only what it takes away: that a name means something else, or that
//! it says nothing at all, so that weaker evidence may speak.

use crate::classify::counts::Counts;
use crate::classify::heading::{Entity, Heading};
use crate::classify::kind::{Kind, Place};
use crate::classify::values::national::SCHEMES;

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
    alone(Place::Phone, 0.88, 0.5, 3, false),
    alone(Place::PersonName, 0.86, 0.5, 5, false),
    alone(Place::PostalAddress, 0.86, 0.35, 3, false),
    alone(Place::Vehicle, 0.85, 0.7, 3, false),
    alone(Place::DeviceId, 0.8, 0.8, 3, false),
    alone(Place::Company, 0.8, 0.3, 4, false),
    alone(Place::GeoPoint, 0.8, 0.7, 2, false),
    alone(Place::Gender, 0.72, 0.9, 2, false),
    alone(Place::Health, 0.72, 0.9, 2, false),
    alone(Place::FirstName, 0.75, 0.55, 8, false),
    alone(Place::LastName, 0.72, 0.55, 8, false),
    alone(Place::Postcode, 0.72, 0.7, 4, false),
    alone(Place::City, 0.68, 0.55, 6, false),
];

/// What values are worth without a name.
pub(super) fn values_alone(place: Place, heading: &Heading, counts: &Counts) -> f64 {
    let Some(alone) = ALONE.iter().find(|alone| alone.place == place) else { return 0.0 };
    let tally = counts.of(place);
    let share = counts.share(tally.matched);
    let could_all = place == Place::Phone && counts.share(tally.plausible) >= 0.9;
    let share_min = if could_all { 0.28 } else { alone.share_min };
    if share < share_min || is_enumeration(counts, alone.distinct_min) {
        return 0.0;
    }
    // Two or three values that happen to be names are not yet a column of names.
    if is_by_words(place) && counts.tested < 4 {
        return 0.0;
    }
    let rise = ((share - share_min) / (0.9 - share_min).max(0.05)).clamp(0.0, 1.0);
    let confidence = alone.full * (0.55 + 0.45 * rise) * few(counts.tested);
    confidence * trust(place, alone.is_certain, heading)
}

/// Kinds that are known by the words in them.
fn is_by_words(place: Place) -> bool {
    matches!(
        place,
        Place::PersonName
            | Place::FirstName
            | Place::LastName
            | Place::Company
            | Place::City
            | Place::Health
    )
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
    let is_naming = is_by_words(place) || place == Place::Gender;
    // Whose name a thing's column holds is not known: a brand, a composer, a place.
    if is_naming && heading.table == Entity::Thing && !heading.is_opaque && heading.hint.is_none() {
        return 0.55;
    }
    // The name means another kind, and clearly.
    let means_other = heading.hint.as_ref().is_some_and(|hint| hint.strength.is_clear());
    if means_other { 0.8 } else { 1.0 }
}

/// The scheme that most values follow, or the one that the name means.
pub(super) fn best_scheme(heading: &Heading, counts: &Counts) -> Option<usize> {
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
pub(super) fn scheme_alone(place: usize, heading: &Heading, counts: &Counts) -> f64 {
    let scheme = SCHEMES[place];
    let tally = counts.schemes[place];
    let distinct = counts.distinct.about();
    let trust = if heading.is_key || heading.is_other { 0.5 } else { 1.0 };
    let written = DISTINCT_SHAPES.iter().find(|(name, _)| *name == scheme.name);
    if let Some((_, full)) = written {
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
pub(super) fn births_alone(heading: &Heading, counts: &Counts) -> f64 {
    let days = counts.days;
    let is_birth = heading.is_opaque && counts.share(days.count) >= 0.9 && days.spread_as_births();
    match (is_birth, heading.beside_a_person) {
        (true, true) => 0.66,
        (true, false) => 0.56,
        _ => 0.0,
    }
}

/// Words before a house number, in a column that nothing else is known of.
pub(super) fn numbered_alone(heading: &Heading, counts: &Counts) -> f64 {
    let share = counts.share(counts.numbered);
    let is_varied = counts.distinct.about() >= 12 && counts.share(counts.distinct.about()) >= 0.5;
    let some = counts.share(counts.of(Place::PostalAddress).matched) >= 0.02;
    if heading.is_opaque && share >= 0.85 && is_varied && some { 0.56 } else { 0.0 }
}

/// Names and towns of which the lists know a part, in a column that nothing else is known of: all
/// values could be one, and they are many.
pub(super) fn opaque_words_alone(place: Place, heading: &Heading, counts: &Counts) -> f64 {
    let tally = counts.of(place);
    let (share, least) = match place {
        Place::City if counts.share(counts.single_names) >= 0.25 => return 0.0,
        Place::City => (counts.share(tally.matched), 0.25),
        _ => (counts.share(tally.matched), 0.3),
    };
    let could_all = counts.share(tally.plausible) >= 0.95 && counts.distinct.about() >= 20;
    if !heading.is_opaque || share < least || !could_all {
        return 0.0;
    }
    0.51 + 0.3 * (share - least)
}

/// Single names of which the lists know about half: towns and things share hardly any with them.
pub(super) fn single_names_alone(place: Place, heading: &Heading, counts: &Counts) -> f64 {
    let (given, family) = (counts.of(Place::FirstName), counts.of(Place::LastName));
    let larger = if given.matched >= family.matched { Place::FirstName } else { Place::LastName };
    let share = counts.share(counts.single_names);
    let plausible = counts.share(given.plausible);
    let least = if heading.is_opaque { 0.42 } else { 0.6 };
    let is_varied = counts.distinct.about() >= 20 && plausible >= 0.9;
    if place != larger || share < least || !is_varied {
        return 0.0;
    }
    let full = if heading.is_opaque { 0.52 } else { 0.5 };
    (full + 0.4 * (share - least)) * trust(place, false, heading)
}

/// Digits alone are telephone numbers where nothing else speaks and all of them could be one.
pub(super) fn bare_phones_alone(heading: &Heading, counts: &Counts) -> f64 {
    let both = counts.share(counts.bare_phones + counts.of(Place::Phone).matched);
    let is_varied = counts.distinct.about() >= 12 && counts.share(counts.distinct.about()) >= 0.5;
    if heading.is_opaque && both >= 0.9 && is_varied { 0.6 } else { 0.0 }
}

/// Texts and mixtures: what occurs in them, as a share of all.
pub(super) fn texts_alone(heading: &Heading, counts: &Counts) -> f64 {
    let clear = counts.share(counts.holding_clear);
    let any = counts.share(counts.holding);
    let is_mixture = counts.texts * 2 < counts.tested;
    if is_mixture && !is_mixed(heading, counts) {
        return 0.0;
    }
    let is_notes = heading.hint.as_ref().is_some_and(|hint| hint.kind == Kind::FreeText);
    let bonus = if is_notes { 0.06 } else { 0.0 };
    // Names alone make a text personal only where they are frequent: titles have names in them.
    let least_names = if is_notes { 0.05 } else { 0.15 };
    let from_names = if any >= least_names && counts.holding >= 3 && !is_mixture {
        0.5 + 0.3 * any
    } else {
        0.0
    };
    let least = if is_mixture { 0.1 } else { 0.005 };
    let from_clear = if clear >= least && counts.holding_clear >= 1 {
        0.52 + 0.4 * (clear * 3.0).min(1.0)
    } else {
        0.0
    };
    let is_thing = heading.is_other || heading.table == Entity::Thing && !is_notes;
    let from_names = if is_thing { from_names * 0.7 } else { from_names };
    let best = from_names.max(from_clear);
    if best > 0.0 { (best + bonus) * few(counts.tested) } else { 0.0 }
}

/// Whether short values are of several kinds, and not of one that is recognised in part.
fn is_mixed(heading: &Heading, counts: &Counts) -> bool {
    let one_kind = Place::ALL.iter().map(|place| counts.share(counts.of(*place).matched));
    if one_kind.fold(0.0, f64::max) >= 0.4 {
        return false;
    }
    let hinted = heading.hint.as_ref().filter(|hint| hint.strength.is_clear());
    let is_hinted = hinted
        .and_then(|hint| hint.kind.place())
        .is_some_and(|place| counts.share(counts.of(place).plausible) >= 0.8);
    // Of long numbers every tenth has the check digit of a card.
    let by_chance = |place: &Place| {
        *place == Place::Card && counts.of(*place).plausible > counts.of(*place).matched * 2
    };
    let frequent = |place: &Place| {
        counts.share(counts.contained[*place as usize]) >= 0.08 && !by_chance(place)
    };
    let kinds = Place::ALL.iter().filter(|place| frequent(place)).count();
    let certain = [Place::Email, Place::Iban, Place::Card].iter().any(frequent);
    !is_hinted && (certain || kinds >= 2)
}
