//! Check digits: the arithmetic that many schemes share. Digits are given as numbers 0 to 9.

/// Luhn (ISO/IEC 7812-1): every second digit from the right doubled, the sum divisible by ten.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit);
            match place % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

/// The sum of digits times weights, as far as there are both.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// The number that digits write, modulo something.
pub(super) fn modulo(digits: &[u8], modulus: u32) -> u32 {
    digits.iter().fold(0, |rest, digit| (rest * 10 + u32::from(*digit)) % modulus)
}

/// ISO 7064 MOD 11,10, with the check digit last: German and Croatian numbers.
pub(super) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((check, number)) = digits.split_last() else { return false };
    let product = number.iter().fold(10, |product, digit| {
        let sum = match (product + u32::from(*digit)) % 10 {
            0 => 10,
            sum => sum,
        };
        sum * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// ISO 7064 MOD 11-2, as in Chinese resident numbers: the check character may be ten, an `X`.
pub(super) fn mod_11_2(digits: &[u8], check: u32) -> bool {
    let rest = digits.iter().fold(0, |rest, digit| (rest + u32::from(*digit)) * 2 % 11);
    (12 - rest) % 11 == check
}

/// EAN-13: weights one and three in turn from the left.
pub(super) fn ean_13(digits: &[u8]) -> bool {
    let weights = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1];
    digits.len() == 13 && weighted(digits, &weights).is_multiple_of(10)
}

/// ISO 7064 MOD 97-10 over letters and digits, the first four characters moved to the end (IBAN).
pub(super) fn mod_97(text: &[u8]) -> bool {
    if text.len() < 5 {
        return false;
    }
    let (head, tail) = text.split_at(4);
    let mut rest: u32 = 0;
    for byte in tail.iter().chain(head) {
        rest = match byte {
            b'0'..=b'9' => rest * 10 + u32::from(byte - b'0'),
            b'A'..=b'Z' => rest * 100 + u32::from(byte - b'A') + 10,
            _ => return false,
        } % 97;
    }
    rest == 1
}

/// Verhoeff: the dihedral group of order ten.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PRODUCT: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const TURN: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let check = digits.iter().rev().enumerate().fold(0_u8, |check, (place, digit)| {
        PRODUCT[usize::from(check)][usize::from(TURN[place % 8][usize::from(*digit % 10)])]
    });
    !digits.is_empty() && check == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    /// One digit changed is noticed by every one of them, wherever it stands.
    fn notices_one_changed_digit(text: &str, holds: impl Fn(&[u8]) -> bool) {
        let good = digits(text);
        assert!(holds(&good), "{text}");
        for place in 0..good.len() {
            let mut bad = good.clone();
            bad[place] = (bad[place] + 1) % 10;
            assert!(!holds(&bad), "{text} at {place}");
        }
    }

    #[test]
    fn one_changed_digit_is_noticed() {
        notices_one_changed_digit("4111111111111111", luhn);
        notices_one_changed_digit("86095742719", mod_11_10);
        notices_one_changed_digit("7569217076985", ean_13);
        notices_one_changed_digit("2363", verhoeff);
        notices_one_changed_digit("999941057058", verhoeff);
    }

    #[test]
    fn iban_check_digits_are_those_of_iso_7064() {
        assert!(mod_97(b"GB29NWBK60161331926819"));
        assert!(mod_97(b"DE89370400440532013000"));
        assert!(!mod_97(b"DE88370400440532013000"));
        assert!(!mod_97(b"DE"));
    }

    #[test]
    fn the_chinese_check_may_be_ten() {
        assert!(mod_11_2(&digits("11010519491231002"), 10));
        assert!(!mod_11_2(&digits("11010519491231002"), 9));
    }

    #[test]
    fn a_number_modulo_another() {
        assert_eq!(modulo(&digits("85073003"), 97), 85_073_003 % 97);
    }
}
