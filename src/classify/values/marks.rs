//! Values with marks of their own: secrets, blood groups, diagnoses, genders, vehicles, handles.

use super::{Look, Sighting};
use crate::classify::kind::Place;

/// Recognises them.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let text = look.text;
    if is_secret(text) {
        seen.is(Place::Secret);
        return;
    }
    if text.len() >= 4 && look.spaces == 0 {
        seen.may_be(Place::Secret);
    }
    if text.len() > 200 {
        return;
    }
    let chars = look.chars();
    if look.has_letters() && chars <= 40 {
        if chars <= 20 && is_gender(text) {
            seen.is(Place::Gender);
        }
        if look.digits == 0 {
            seen.may_be(Place::Belief);
        }
    }
    if chars <= 20 && look.marks <= 1 {
        seen.may_be(Place::Gender);
    }
    if (2..=120).contains(&chars) {
        seen.may_be(Place::Health);
    }
    if is_blood_group(text) || look.dots == 1 && is_icd(text) {
        seen.is(Place::Health);
    }
    if (2..=64).contains(&chars) && look.spaces <= 1 {
        seen.may_be(Place::Username);
    }
    if look.digits >= 1 && look.wide <= 8 && (4..=30).contains(&text.len()) && look.spaces <= 3 {
        seen.may_be(Place::Vehicle);
        if text.len() == 17 && look.letters + look.digits == 17 && is_vin(text) {
            seen.is_surely(Place::Vehicle);
        }
    }
    if look.spaces == 0 && (8..=128).contains(&text.len()) && look.digits > 0 {
        seen.may_be(Place::DeviceId);
    }
    if (20..=88).contains(&text.len()) && look.spaces == 0 && look.has_letters() {
        seen.may_be(Place::Wallet);
    }
    if text.starts_with("P<") && text.contains("<<") {
        seen.is(Place::Passport);
    }
}

/// Hashes of passwords in the formats that name themselves, keys of well-known makers, JWTs.
fn is_secret(text: &str) -> bool {
    const HEADS: [&str; 31] = [
        "$2a$",
        "$2b$",
        "$2y$",
        "$argon2",
        "$scrypt$",
        "$pbkdf2",
        "$1$",
        "$5$",
        "$6$",
        "$7$",
        "$y$",
        "$P$",
        "$H$",
        "pbkdf2_sha",
        "pbkdf2:sha",
        "scrypt:",
        "sha1$",
        "sha256$",
        "bcrypt$",
        "bcrypt_sha256$",
        "{SSHA",
        "{SHA",
        "{bcrypt}",
        "-----BEGIN",
        "sk_live_",
        "sk_test_",
        "ghp_",
        "github_pat_",
        "xoxb-",
        "xoxp-",
        "AQAAAA",
    ];
    let Some(first) = text.bytes().next() else { return false };
    if !matches!(first, b'$' | b'p' | b's' | b'b' | b'{' | b'-' | b'g' | b'x' | b'A' | b'e') {
        return false;
    }
    if HEADS.iter().any(|head| text.starts_with(head)) {
        return text.len() >= 20;
    }
    let is_aws = text.len() == 20
        && (text.starts_with("AKIA") || text.starts_with("ASIA"))
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_aws || text.starts_with("eyJ") && text.matches('.').count() == 2 && text.len() >= 40
}

fn is_gender(text: &str) -> bool {
    const WORDS: [&str; 38] = [
        "male",
        "female",
        "genderfluid",
        "genderqueer",
        "agender",
        "bigender",
        "non-binary",
        "nonbinary",
        "man",
        "woman",
        "männlich",
        "weiblich",
        "divers",
        "homme",
        "femme",
        "masculin",
        "féminin",
        "hombre",
        "mujer",
        "masculino",
        "femenino",
        "feminino",
        "maschio",
        "femmina",
        "man",
        "vrouw",
        "mężczyzna",
        "kobieta",
        "мужской",
        "женский",
        "男",
        "女",
        "男性",
        "女性",
        "남",
        "여",
        "ذكر",
        "أنثى",
    ];
    if text.len() == 1 {
        return matches!(text.as_bytes()[0], b'M' | b'F' | b'W' | b'm' | b'f' | b'w');
    }
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn is_blood_group(text: &str) -> bool {
    let group = text.strip_suffix(['+', '-', '−']).or_else(|| {
        let (group, sign) = text.split_once(' ')?;
        matches!(sign, "+" | "-" | "Rh+" | "Rh-" | "pos" | "neg" | "positive" | "negative")
            .then_some(group)
    });
    group.is_some_and(|group| matches!(group.trim(), "A" | "B" | "AB" | "O" | "0"))
}

/// ICD-10 with its dot: `J45.9`, `S72.001A`.
fn is_icd(text: &str) -> bool {
    let bytes = text.as_bytes();
    (5..=8).contains(&bytes.len())
        && bytes[0].is_ascii_uppercase()
        && bytes[1].is_ascii_digit()
        && (bytes[2].is_ascii_digit() || matches!(bytes[2], b'A' | b'B'))
        && bytes[3] == b'.'
        && bytes[4..].iter().all(u8::is_ascii_alphanumeric)
        && bytes[4].is_ascii_digit()
}

/// A chassis number: no I, O, Q, and the check digit in the ninth place.
fn is_vin(text: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let mut sum = 0;
    for (byte, weight) in text.bytes().zip(WEIGHTS) {
        let value = match byte.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => u32::from(digit - b'0'),
            letter @ b'A'..=b'H' => u32::from(letter - b'A') + 1,
            letter @ (b'J'..=b'N' | b'P' | b'R') => u32::from(letter - b'J') + 1,
            letter @ b'S'..=b'Z' => u32::from(letter - b'S') + 2,
            _ => return false,
        };
        sum += value * weight;
    }
    let wanted = match sum % 11 {
        10 => b'X',
        rest => b'0' + u8::try_from(rest).unwrap_or(0),
    };
    text.as_bytes()[8].to_ascii_uppercase() == wanted
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise as all;

    fn is(text: &str, place: Place) -> bool {
        all(&Look::at(text)).matched.has(place)
    }

    #[test]
    fn hashes_and_keys_that_name_themselves_are_secrets() {
        for text in [
            "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
            "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
            "pbkdf2_sha256$600000$salt$hash",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJleGFtcGxlIn0.c2lnbmF0dXJlLW9mLW5vYm9keQ",
        ] {
            assert!(is(text, Place::Secret), "{text}");
        }
        assert!(!is("password", Place::Secret) && !is("shipping:standard delivery", Place::Secret));
    }

    #[test]
    fn health_values_have_their_shapes() {
        assert!(
            is("AB+", Place::Health) && is("O-", Place::Health) && is("J45.901", Place::Health)
        );
        assert!(
            !is("A+B", Place::Health) && !is("A12", Place::Health) && !is("v1.2.3", Place::Health)
        );
    }

    #[test]
    fn a_chassis_number_has_a_check_digit() {
        assert!(is("1M8GDM9AXKP042788", Place::Vehicle));
        assert!(!is("1M8GDM9A1KP042788", Place::Vehicle));
    }
}
