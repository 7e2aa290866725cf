//! Cities, postcodes, points on the map.

use super::person::folded;
use super::{Look, Sighting};
use crate::classify::kind::Place;
use crate::classify::words;

/// Recognises them.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let text = look.text;
    if look.digits == 0 && look.has_letters() && text.len() <= 60 && look.spaces <= 5 {
        let is_plain =
            look.marks <= 3 && !text.bytes().any(|byte| b"@:/\\_{}[]<>=*#&!?;\"".contains(&byte));
        if is_plain {
            seen.may_be(Place::City);
            if is_city(text) {
                seen.is(Place::City);
            }
        }
    }
    if look.digits >= 2 && text.len() <= 12 {
        recognise_postcode(look, seen);
    } else if look.digits == 0 && look.letters == 4 && text.len() == 4 && look.uppers == 4 {
        seen.may_be(Place::Postcode);
    }
    if look.digits >= 1 {
        recognise_point(look, seen);
    }
}

/// A known city, alone or before its state: `Springfield, IL`.
fn is_city(text: &str) -> bool {
    let head = text.split([',', '(']).next().unwrap_or(text).trim();
    let mut buffer = [0; 64];
    if has_city_mark(head) {
        return true;
    }
    let Some(name) = folded(head, &mut buffer) else { return false };
    words::is_city(name) || sounds_like_a_town(name)
}

/// Marks of a town: `沈阳市`, `г. Москва`, `수원시`.
fn has_city_mark(text: &str) -> bool {
    const ENDS: [&str; 9] = ["市", "县", "縣", "町", "村", "郡", "시", "군", "읍"];
    const HEADS: [&str; 12] = [
        "г. ",
        "г ",
        "с. ",
        "п. ",
        "д. ",
        "ст. ",
        "пос. ",
        "м. ",
        "город ",
        "город. ",
        "село ",
        "місто ",
    ];
    if text.is_ascii() {
        return false;
    }
    let chars = text.chars().count();
    if matches!(text.as_bytes().first(), Some(0xd0 | 0xd1)) {
        let lower = zeroize::Zeroizing::new(text.to_lowercase());
        return chars <= 40 && HEADS.iter().any(|head| lower.starts_with(head));
    }
    (2..=7).contains(&chars) && ENDS.iter().any(|end| text.ends_with(end))
}

/// Endings and beginnings that towns of western languages have, and that are no family's name.
fn sounds_like_a_town(name: &str) -> bool {
    const ENDS: [&str; 34] = [
        "ville", "burg", "burgh", "town", "ton", "ford", "borough", "mouth", "port", "field",
        "stad", "furt", "fort", "chester", "haven", "land", "berg", "bury", "view", "shire",
        "dorf", "heim", "hausen", "hofen", "ingen", "stadt", "bach", "brug", "dam", "dijk", "grad",
        "gorod", "abad", "polis",
    ];
    const HEADS: [&str; 22] = [
        "new ", "north ", "south ", "east ", "west ", "port ", "lake ", "san ", "santa ", "sant ",
        "saint ", "saint-", "sainte-", "st. ", "bad ", "fort ", "mount ", "villa ", "puerto ",
        "los ", "las ", "el ",
    ];
    let words = name.split(' ').count();
    let ends = name.len() >= 7 && words == 1 && ENDS.iter().any(|end| name.ends_with(end));
    let begins = (2..=3).contains(&words) && HEADS.iter().any(|head| name.starts_with(head));
    let is_name = words::is_given(name) || words::is_family(name) || words::is_common(name);
    (ends || begins) && !is_name
}

/// Countries whose postcodes mix letters and digits have a shape of their own; digits alone are
/// only plausible.
fn recognise_postcode(look: &Look<'_>, seen: &mut Sighting) {
    let bytes = look.text.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    let mut shape = [0_u8; 12];
    for (place, byte) in bytes.iter().enumerate() {
        shape[place] = match byte {
            b'0'..=b'9' => b'9',
            b'a'..=b'z' | b'A'..=b'Z' => b'A',
            other => *other,
        };
    }
    let shape = std::str::from_utf8(&shape[..bytes.len()]).unwrap_or_default();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| look.text.starts_with(prefix));
    match shape {
        // United Kingdom, Canada, Netherlands; Sweden and others, Poland, Brazil, the United States,
        // Portugal
        "A9 9AA" | "A99 9AA" | "AA9 9AA" | "AA99 9AA" | "A9A 9AA" | "AA9A 9AA" | "A9A 9A9"
        | "9999 AA" | "999 99" | "99-999" | "99999-999" | "99999-9999" | "9999-999" => {
            seen.is(Place::Postcode);
        }
        // Japan, Ireland and others: could be numbers of something else
        "999-9999" | "A9A9A9" | "9999AA" | "A99 A999" | "AA99AA" | "A99A999" | "AA999AA"
        | "AA99" | "AA9999" | "AAA 9999" | "AA99 9A" => seen.may_be(Place::Postcode),
        // D-12345, SE-123 45, LV-1010
        _ if starts(&[
            "D-", "CH-", "A-", "F-", "SE-", "LV-", "LT-", "AD", "MD-", "FI-", "DK-", "NO-", "L-",
            "B-", "NL-", "SI-", "HR-",
        ]) =>
        {
            seen.may_be(Place::Postcode);
        }
        _ if look.letters == 0
            && (3..=9).contains(&look.digits)
            && bytes.iter().all(is_plain)
            && bytes[0] != b'-' =>
        {
            seen.may_be(Place::Postcode);
        }
        _ if look.letters <= 4
            && look.digits <= 6
            && look.chars() <= 9
            && bytes.iter().all(is_plain) =>
        {
            seen.may_be(Place::Postcode);
        }
        _ => {}
    }
}

/// `52.52,13.405`, `POINT(13.405 52.52)`, and any number that can be a degree.
fn recognise_point(look: &Look<'_>, seen: &mut Sighting) {
    let text = look.text;
    if text.len() > 80 {
        return;
    }
    let inner = text
        .strip_prefix("POINT")
        .or_else(|| text.split_once(";POINT").map(|(_, rest)| rest))
        .unwrap_or(text)
        .trim()
        .trim_matches(['(', ')', '[', ']']);
    if look.letters > 0 && inner.len() == text.len() {
        return;
    }
    let mut parts = inner.split([',', ' ', ';']).filter(|part| !part.is_empty());
    let degree = |part: &str| -> Option<bool> {
        let value: f64 = part.parse().ok()?;
        let decimals = part.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        (value.abs() <= 180.0).then_some(decimals >= 3)
    };
    match (parts.next().and_then(degree), parts.next().map(degree), parts.next()) {
        (Some(true), Some(Some(true)), None) => seen.is(Place::GeoPoint),
        (Some(_), None | Some(Some(_)), None) => seen.may_be(Place::GeoPoint),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise as all;

    fn is(text: &str, place: Place) -> bool {
        all(&Look::at(text)).matched.has(place)
    }

    #[test]
    fn cities_of_many_scripts_are_known() {
        for text in
            ["Berlin", "São Paulo", "New York", "München", "東京", "Springfield, IL", "москва"]
        {
            assert!(is(text, Place::City), "{text}");
        }
        for text in ["Blue Widget", "a@example.com", "Alice Example"] {
            assert!(!is(text, Place::City), "{text}");
        }
    }

    #[test]
    fn five_digits_alone_are_no_postcode() {
        assert!(is("SW1A 1AA", Place::Postcode) && is("K1A 0B1", Place::Postcode));
        assert!(!is("12345", Place::Postcode));
        assert!(all(&Look::at("12345")).plausible.has(Place::Postcode));
    }

    #[test]
    fn pairs_of_degrees_are_points() {
        assert!(
            is("52.5200,13.4050", Place::GeoPoint) && is("POINT(13.4050 52.5200)", Place::GeoPoint)
        );
        assert!(!is("19.99, 29.99", Place::GeoPoint) && !is("99.95", Place::GeoPoint));
    }
}
