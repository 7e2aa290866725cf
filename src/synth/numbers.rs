//! Numbers with check digits: cards and accounts of banks that do not exist.
//!
//! It knows no person.

use super::draw::Draw;

/// The check digit that belongs behind these digits.
// SPEC: ISO/IEC 7812-1, annex B
#[must_use]
pub fn luhn_digit(digits: &str) -> char {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit.wrapping_sub(b'0'));
            let weighted = if place % 2 == 0 { digit * 2 } else { digit };
            if weighted > 9 { weighted - 9 } else { weighted }
        })
        .sum();
    char::from_digit((10 - sum % 10) % 10, 10).unwrap_or('0')
}

/// Card number `place` of a seed: sixteen digits, unique within the seed.
pub(super) fn card_number(seed: u64, place: u64) -> String {
    // 9999 is no issuer's. Both factors are coprime to 10^11, so that numbers look random and are
    // unique within a database.
    let place = u128::from(place) * 48_271 + u128::from(seed % 1_000_003);
    let body = place * 1_000_000_007 % 100_000_000_000;
    let digits = format!("9999{body:011}");
    format!("{digits}{}", luhn_digit(&digits))
}

/// An account at a bank that is none: a German sort code of zeros, or the bank `TEST`.
pub(super) fn iban(country: &str, draw: &mut Draw) -> Option<String> {
    let account = match country {
        "DE" => draw.shaped(&["00000000##########"]),
        "GB" => draw.shaped(&["TEST000000########"]),
        "NL" => draw.shaped(&["TEST##########"]),
        _ => return None,
    };
    let check = 98 - remainder(&format!("{account}{country}00"));
    Some(format!("{country}{check:02}{account}"))
}

/// The remainder by 97 of a number whose letters stand for 10 to 35.
// SPEC: ISO 13616-1, section 6, which takes it from ISO/IEC 7064 (MOD 97-10)
fn remainder(text: &str) -> u32 {
    text.chars().fold(0, |rest, sign| {
        let value = sign.to_digit(36).unwrap_or(0);
        let shift = if value > 9 { 100 } else { 10 };
        (rest * shift + value) % 97
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_luhns() {
        assert_eq!(luhn_digit("7992739871"), '3');
        assert_eq!(luhn_digit("411111111111111"), '1');
    }

    #[test]
    fn accounts_have_the_check_digits_of_their_standard() {
        // The standard's own example, moved round: the country and its digits at the end.
        assert_eq!(remainder("WEST12345698765432GB82"), 1);
        for country in ["DE", "GB", "NL"] {
            let iban = iban(country, &mut Draw::new(1, 2)).unwrap();
            assert_eq!(remainder(&format!("{}{}", &iban[4..], &iban[..4])), 1, "{iban}");
            assert!(iban.parse::<iban::Iban>().is_ok(), "{iban}");
        }
    }
}
