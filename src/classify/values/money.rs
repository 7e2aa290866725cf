//! Payment cards, bank accounts, wallets.

use iban::Iban;
use sha2::{Digest, Sha256};

use super::check_digit::{luhn, mod_97, weighted};
use super::{Look, Sighting};
use crate::classify::kind::Place;

/// Recognises them.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let text = look.text;
    if look.wide > 0 || text.len() > 110 {
        return;
    }
    recognise_card(look, seen);
    if look.letters >= 2 && look.digits >= 2 && iban(text) {
        seen.is_surely(Place::Iban);
    }
    if look.letters == 0 && look.marks <= 4 {
        if (4..=22).contains(&look.digits) {
            seen.may_be(Place::BankAccount);
        }
        if look.is_number() && is_account_with_check(text) {
            seen.verified.add(Place::BankAccount);
        }
    } else if look.digits >= 4 && look.spaces <= 8 && text.len() <= 40 && look.digits > look.letters
    {
        seen.may_be(Place::BankAccount);
    }
    if look.spaces == 0 && look.letters > 0 && is_wallet(text) {
        seen.is(Place::Wallet);
    }
    if matches!(look.digits, 3 | 4) && look.letters == 0 && look.marks <= 1 || seen.day.is_some() {
        seen.may_be(Place::CardDetail);
    }
    if look.letters == 0 && look.marks <= 4 && look.digits <= 12 {
        seen.may_be(Place::Income);
    }
}

fn recognise_card(look: &Look<'_>, seen: &mut Sighting) {
    let is_shaped =
        look.letters == 0 && look.marks == look.dashes && look.dashes + look.spaces <= 6;
    if !(12..=19).contains(&look.digits) || !is_shaped {
        return;
    }
    seen.may_be(Place::Card);
    if let Some(issuer) = card_digits(look.text) {
        seen.verified.add(Place::Card);
        if issuer {
            seen.is(Place::Card);
        }
    }
    // Fifteen digits with a check digit that no issuer of cards begins a number with: a handset.
    let is_handset = look.is_number() && look.digits == 15 && !seen.matched.has(Place::Card);
    if is_handset
        && seen.verified.has(Place::Card)
        && look.text.starts_with(['0', '3', '8', '9', '4', '5'])
    {
        seen.is_surely(Place::DeviceId);
    }
}

/// Whether 12 to 19 digits have a correct check digit, and, if so, whether they begin as an
/// issuer's numbers do.
fn card_digits(text: &str) -> Option<bool> {
    let mut digits = [0_u8; 19];
    let mut length = 0;
    for byte in text.bytes().filter(u8::is_ascii_digit) {
        *digits.get_mut(length)? = byte - b'0';
        length += 1;
    }
    let digits = &digits[..length];
    let is_trivial = digits.iter().all(|digit| *digit == digits[0]);
    (length >= 12 && !is_trivial && luhn(digits)).then(|| is_issued(digits))
}

/// Whether an issuer's range (ISO/IEC 7812) begins like this, for numbers of this length.
fn is_issued(digits: &[u8]) -> bool {
    let head = digits.iter().take(6).fold(0_u32, |head, digit| head * 10 + u32::from(*digit));
    match digits.len() {
        13 | 16 | 19 if digits[0] == 4 => true,
        16 => {
            matches!(head, 510_000..=559_999 | 222_100..=272_099 | 220_000..=220_499)
                || matches!(head, 601_100..=601_199 | 622_126..=622_925 | 644_000..=659_999)
                || matches!(head, 352_800..=358_999 | 620_000..=629_999 | 500_000..=509_999)
                || matches!(head, 560_000..=589_999 | 670_000..=679_999 | 300_000..=305_999)
                || matches!(head, 360_000..=369_999 | 380_000..=399_999 | 636_000..=639_999)
        }
        15 => {
            matches!(head, 340_000..=349_999 | 370_000..=379_999 | 213_100..=213_199 | 180_000..=180_099)
        }
        14 => matches!(head, 300_000..=305_999 | 360_000..=369_999 | 380_000..=399_999),
        12 | 13 | 17..=19 => {
            matches!(head, 500_000..=509_999 | 560_000..=589_999 | 620_000..=629_999 | 670_000..=679_999)
        }
        _ => false,
    }
}

/// Whether a text is an IBAN: a country, check digits that hold, eleven to thirty more characters.
///
/// The registry of lengths is not asked: it grows, and test data make up others.
fn iban(text: &str) -> bool {
    let mut compact = [0_u8; 34];
    let mut length = 0;
    for byte in text.bytes() {
        if byte == b' ' || byte == b'-' {
            continue;
        }
        if !byte.is_ascii_alphanumeric() || length == compact.len() {
            return false;
        }
        compact[length] = byte.to_ascii_uppercase();
        length += 1;
    }
    let compact = &compact[..length];
    let is_shaped = length >= 15
        && compact[..2].iter().all(u8::is_ascii_uppercase)
        && compact[2..4].iter().all(u8::is_ascii_digit);
    is_shaped && mod_97(compact)
}

/// Whether a text is an IBAN of a registered country, of its length: what is believed within texts.
pub(in crate::classify) fn registered_iban(text: &str) -> bool {
    let compact: zeroize::Zeroizing<String> =
        zeroize::Zeroizing::new(text.chars().filter(|c| *c != ' ').collect());
    iban(text) && compact.parse::<Iban>().is_ok()
}

/// National account numbers with check digits: the routing number of the United States, the CLABE
/// of Mexico.
fn is_account_with_check(text: &str) -> bool {
    let mut digits = [0_u8; 18];
    if text.len() > digits.len() {
        return false;
    }
    for (place, byte) in text.bytes().enumerate() {
        digits[place] = byte - b'0';
    }
    match text.len() {
        9 => {
            let region = digits[0] * 10 + digits[1];
            matches!(region, 1..=12 | 21..=32 | 61..=72 | 80)
                && weighted(&digits[..9], &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        }
        18 => {
            let weights = [3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7, 1, 3, 7];
            let sum: u32 = digits.iter().zip(weights).map(|(d, w)| u32::from(*d) * w % 10).sum();
            (10 - sum % 10) % 10 == u32::from(digits[17])
        }
        _ => false,
    }
}

/// A wallet: Bitcoin's base58 with its checksum, bech32 by its shape, Ethereum's forty digits.
fn is_wallet(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes {
        [b'0', b'x', rest @ ..] => rest.len() == 40 && rest.iter().all(u8::is_ascii_hexdigit),
        [b'b', b'c', b'1', rest @ ..] => {
            (11..=87).contains(&rest.len())
                && rest.iter().all(|byte| b"qpzry9x8gf2tvdw0s3jn54khce6mua7l".contains(byte))
        }
        [b'1' | b'3', ..] => (26..=35).contains(&bytes.len()) && is_base58_check(bytes),
        _ => false,
    }
}

/// 25 bytes in base58, of which the last four are the double SHA-256 of the others.
fn is_base58_check(text: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = [0_u8; 25];
    for symbol in text {
        let Some(value) = ALPHABET.iter().position(|known| known == symbol) else { return false };
        let mut carry = u32::try_from(value).unwrap_or(0);
        for byte in bytes.iter_mut().rev() {
            carry += u32::from(*byte) * 58;
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        if carry != 0 {
            return false;
        }
    }
    let (body, check) = bytes.split_at(21);
    Sha256::digest(Sha256::digest(body))[..4] == *check
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise as all;

    fn is(text: &str, place: Place) -> bool {
        all(&Look::at(text)).matched.has(place)
    }

    #[test]
    fn cards_need_an_issuer_and_a_check_digit() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
        ] {
            assert!(is(text, Place::Card), "{text}");
        }
        for text in [
            "4111111111111112",
            "1234567812345670",
            "0000000000000000",
            "4111111111",
            "2021010112345678",
        ] {
            assert!(!is(text, Place::Card), "{text}");
        }
    }

    #[test]
    fn ibans_need_their_check_digits_and_their_length() {
        for text in [
            "DE89370400440532013000",
            "GB29 NWBK 6016 1331 9268 19",
            "FR1420041010050500013M02606",
            "nl91abna0417164300",
        ] {
            assert!(is(text, Place::Iban), "{text}");
        }
        for text in
            ["DE88370400440532013000", "GB29NWBK6016133192681", "XX89370400440532013000", "DE89"]
        {
            assert!(!is(text, Place::Iban), "{text}");
        }
    }

    #[test]
    fn wallets_need_their_checksum_where_they_have_one() {
        assert!(is("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", Place::Wallet));
        assert!(!is("1BoatSLRHtKNngkdXEeobR76b53LETtpyU", Place::Wallet));
        assert!(is("0x52908400098527886E0F7030069857D2E4169EE7", Place::Wallet));
        assert!(is("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Place::Wallet));
    }

    #[test]
    fn routing_numbers_and_clabes_have_check_digits() {
        assert!(is_account_with_check("021000021"));
        assert!(!is_account_with_check("021000022"));
        assert!(is_account_with_check("032180000118359719"));
    }
}
