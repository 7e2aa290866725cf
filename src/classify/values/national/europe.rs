//! Germany, Austria, Switzerland, France, Benelux, Iberia, Italy, the British Isles, Greece.

use super::super::check_digit::{ean_13, luhn, mod_11_10, modulo, weighted};
use super::{Form, Letters, Scheme, Verdict, is_day};

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "de_steuer_id",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.05,
        judge: de_steuer_id,
    },
    Scheme { name: "de_sv", lengths: &[12], letters: Letters::Always, chance: 0.01, judge: de_sv },
    Scheme {
        name: "de_ausweis",
        lengths: &[9, 10],
        letters: Letters::Always,
        chance: 0.1,
        judge: de_ausweis,
    },
    Scheme {
        name: "at_svnr",
        lengths: &[10],
        letters: Letters::Never,
        chance: 0.03,
        judge: at_svnr,
    },
    Scheme {
        name: "ch_ahv",
        lengths: &[13],
        letters: Letters::Never,
        chance: 0.0001,
        judge: ch_ahv,
    },
    Scheme {
        name: "fr_nir",
        lengths: &[15],
        letters: Letters::Never,
        chance: 0.001,
        judge: fr_nir,
    },
    Scheme {
        name: "fr_siret",
        lengths: &[14],
        letters: Letters::Never,
        chance: 0.01,
        judge: fr_siret,
    },
    Scheme { name: "nl_bsn", lengths: &[9], letters: Letters::Never, chance: 0.09, judge: nl_bsn },
    Scheme { name: "be_nn", lengths: &[11], letters: Letters::Never, chance: 0.003, judge: be_nn },
    Scheme { name: "es_nif", lengths: &[9], letters: Letters::Always, chance: 0.04, judge: es_nif },
    Scheme {
        name: "es_nie",
        lengths: &[9],
        letters: Letters::Always,
        chance: 0.005,
        judge: es_nie,
    },
    Scheme { name: "es_cif", lengths: &[9], letters: Letters::Always, chance: 0.1, judge: es_cif },
    Scheme { name: "pt_nif", lengths: &[9], letters: Letters::Never, chance: 0.09, judge: pt_nif },
    Scheme {
        name: "it_fiscal_code",
        lengths: &[16],
        letters: Letters::Always,
        chance: 0.001,
        judge: it_fiscal_code,
    },
    Scheme { name: "it_vat", lengths: &[11], letters: Letters::Never, chance: 0.1, judge: it_vat },
    Scheme { name: "uk_nhs", lengths: &[10], letters: Letters::Never, chance: 0.09, judge: uk_nhs },
    Scheme {
        name: "uk_nino",
        lengths: &[9],
        letters: Letters::Always,
        chance: 0.001,
        judge: uk_nino,
    },
    Scheme {
        name: "ie_pps",
        lengths: &[8, 9],
        letters: Letters::Always,
        chance: 0.04,
        judge: ie_pps,
    },
    Scheme {
        name: "gr_amka",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.003,
        judge: gr_amka,
    },
    Scheme { name: "gr_afm", lengths: &[9], letters: Letters::Never, chance: 0.1, judge: gr_afm },
    Scheme {
        name: "eu_vat",
        lengths: &[10, 11, 12, 13, 14],
        letters: Letters::Always,
        chance: 0.01,
        judge: eu_vat,
    },
];

/// Eleven digits, the first not zero, one digit twice or three times among the first ten.
fn de_steuer_id(form: &Form<'_>) -> Verdict {
    let digits = form.numbers;
    let mut counts = [0_u8; 10];
    for digit in &digits[..10] {
        counts[usize::from(*digit)] += 1;
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let is_shaped = digits[0] != 0 && repeated == 1 && counts.iter().all(|count| *count <= 3);
    Verdict::checked(is_shaped && mod_11_10(digits))
}

/// `12 150849 C 03 1`: area, birth, initial, serial, check; the sum of the digits' cross sums.
fn de_sv(form: &Form<'_>) -> Verdict {
    if !form.is_made_of("99999999A999") || !is_day(form.number(2, 4) % 50, form.number(4, 6)) {
        return Verdict::No;
    }
    let letter = form.numbers[8] - 9;
    let mut digits = [0_u8; 12];
    digits[..8].copy_from_slice(&form.numbers[..8]);
    digits[8] = letter / 10;
    digits[9] = letter % 10;
    digits[10..].copy_from_slice(&form.numbers[9..11]);
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let sum: u32 =
        digits.iter().zip(weights).map(|(digit, w)| cross_sum(u32::from(*digit) * w)).sum();
    Verdict::checked(sum % 10 == u32::from(form.numbers[11]))
}

fn cross_sum(number: u32) -> u32 {
    number / 10 + number % 10
}

/// Identity cards and passports since 2010: letters without vowels, weights 7, 3, 1.
fn de_ausweis(form: &Form<'_>) -> Verdict {
    let is_allowed = |byte: &u8| byte.is_ascii_digit() || b"CFGHJKLMNPRTVWXYZ".contains(byte);
    let is_shaped =
        form.compact.iter().all(is_allowed) && b"CFGHJKLMNPRTVWXYZ".contains(&form.compact[0]);
    if !is_shaped {
        return Verdict::No;
    }
    if form.numbers.len() == 9 {
        return Verdict::Shape;
    }
    let sum = weighted(&form.numbers[..9], &[7, 3, 1, 7, 3, 1, 7, 3, 1]);
    Verdict::checked(sum % 10 == u32::from(form.numbers[9]))
}

/// Serial, check, birth: `1237 010180`.
fn at_svnr(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
    let has_day = is_day(form.number(4, 6), form.number(6, 8));
    Verdict::checked(has_day && form.numbers[0] != 0 && sum % 11 == u32::from(form.numbers[3]))
}

fn ch_ahv(form: &Form<'_>) -> Verdict {
    Verdict::checked(form.numbers[..3] == [7, 5, 6] && ean_13(form.numbers))
}

/// Sex, year, month, place, serial, key: 97 minus the rest.
fn fr_nir(form: &Form<'_>) -> Verdict {
    let digits = form.numbers;
    let is_shaped = matches!(digits[0], 1..=4 | 7 | 8) && (1..=12).contains(&form.number(3, 5));
    Verdict::checked(is_shaped && 97 - modulo(&digits[..13], 97) == form.number(13, 15))
}

/// Establishments: the whole number and its first nine digits are both Luhn numbers.
fn fr_siret(form: &Form<'_>) -> Verdict {
    Verdict::checked(luhn(form.numbers) && luhn(&form.numbers[..9]))
}

/// The eleven test: weights 9 to 2, the last digit minus one.
fn nl_bsn(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let check = u32::from(form.numbers[8]);
    Verdict::checked(sum % 11 == check && form.number(0, 8) > 1_000_000)
}

/// Birth, serial, 97 minus the rest; from 2000 on a two stands before.
fn be_nn(form: &Form<'_>) -> Verdict {
    let is_shaped = form.number(2, 4) <= 12 && form.number(4, 6) <= 31;
    let head = form.number(0, 9);
    let check = form.number(9, 11);
    let holds = 97 - head % 97 == check || 97 - (head % 97 + 2_000_000_000 % 97) % 97 == check;
    Verdict::checked(is_shaped && holds)
}

const ES_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn es_nif(form: &Form<'_>) -> Verdict {
    let is_shaped = form.is_made_of("99999999A");
    Verdict::checked(is_shaped && ES_LETTERS[form.number(0, 8) as usize % 23] == form.compact[8])
}

fn es_nie(form: &Form<'_>) -> Verdict {
    if !form.is_made_of("A9999999A") || !matches!(form.compact[0], b'X'..=b'Z') {
        return Verdict::No;
    }
    let number = u32::from(form.compact[0] - b'X') * 10_000_000 + form.number(1, 8);
    Verdict::checked(ES_LETTERS[number as usize % 23] == form.compact[8])
}

/// Companies: seven digits, and a digit or a letter as check.
fn es_cif(form: &Form<'_>) -> Verdict {
    if !form.is_made_of("A9999999*") || !b"ABCDEFGHJNPQRSUVW".contains(&form.compact[0]) {
        return Verdict::No;
    }
    let sum: u32 = form.numbers[1..8]
        .iter()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => cross_sum(u32::from(*digit) * 2),
            _ => u32::from(*digit),
        })
        .sum();
    let check = (10 - sum % 10) % 10;
    let letter = b"JABCDEFGHI"[check as usize];
    Verdict::checked(form.compact[8] == letter || u32::from(form.numbers[8]) == check)
}

fn pt_nif(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[9, 8, 7, 6, 5, 4, 3, 2]);
    let check = match 11 - sum % 11 {
        10 | 11 => 0,
        check => check,
    };
    let is_shaped = matches!(form.numbers[0], 1 | 2 | 3 | 5 | 6 | 8)
        || form.number(0, 2) == 45
        || form.numbers[0] == 9;
    Verdict::checked(is_shaped && check == u32::from(form.numbers[8]))
}

/// Letters of name, birth and place; the check letter weighs odd places by a table.
fn it_fiscal_code(form: &Form<'_>) -> Verdict {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let letters = [0, 1, 2, 3, 4, 5, 8, 11, 15].iter();
    let is_shaped = letters.clone().all(|place: &usize| form.compact[*place].is_ascii_uppercase())
        && b"ABCDEHLMPRST".contains(&form.compact[8]);
    if !is_shaped {
        return Verdict::No;
    }
    let sum: u32 = form.numbers[..15]
        .iter()
        .enumerate()
        .map(|(place, number)| {
            let value = if *number >= 10 { number - 10 } else { *number };
            if place % 2 == 0 { ODD[usize::from(value)] } else { u32::from(value) }
        })
        .sum();
    Verdict::checked(sum % 26 == u32::from(form.numbers[15] - 10))
}

fn it_vat(form: &Form<'_>) -> Verdict {
    let province = form.number(7, 10);
    let is_shaped = matches!(province, 1..=100 | 120 | 121 | 888 | 999);
    Verdict::checked(is_shaped && luhn(form.numbers))
}

fn uk_nhs(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[10, 9, 8, 7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 11;
    Verdict::checked(check == u32::from(form.numbers[9]) && form.numbers[0] != 0)
}

/// Two letters without D, F, I, Q, U, V, six digits, A to D.
fn uk_nino(form: &Form<'_>) -> Verdict {
    let is_shaped = form.is_made_of("AA999999A")
        && !form.compact[..2].iter().any(|byte| b"DFIQUV".contains(byte))
        && form.compact[1] != b'O'
        && matches!(form.compact[8], b'A'..=b'D')
        && ![b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"]
            .iter()
            .any(|no| form.compact.starts_with(*no));
    Verdict::shaped(is_shaped)
}

fn ie_pps(form: &Form<'_>) -> Verdict {
    if !form.is_made_of("9999999A") && !form.is_made_of("9999999AA") {
        return Verdict::No;
    }
    let second = form.numbers.get(8).map_or(0, |letter| u32::from(letter - 9) % 23);
    let sum = weighted(&form.numbers[..7], &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    let letter = b"WABCDEFGHIJKLMNOPQRSTUV"[(sum % 23) as usize];
    Verdict::checked(letter == form.compact[7])
}

fn gr_amka(form: &Form<'_>) -> Verdict {
    Verdict::checked(is_day(form.number(0, 2), form.number(2, 4)) && luhn(form.numbers))
}

fn gr_afm(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[256, 128, 64, 32, 16, 8, 4, 2]);
    Verdict::checked(sum % 11 % 10 == u32::from(form.numbers[8]) && form.number(0, 8) > 0)
}

/// A country and its number; without looking at each country's check digits.
fn eu_vat(form: &Form<'_>) -> Verdict {
    let patterns: &[&str] = match &form.compact[..2] {
        b"DE" => &["DE999999999"],
        b"AT" => &["ATU99999999"],
        b"BE" => &["BE9999999999"],
        b"DK" => &["DK99999999"],
        b"FI" => &["FI99999999"],
        b"FR" => &["FR**999999999"],
        b"GB" => &["GB999999999", "GB999999999999"],
        b"IE" => &["IE9999999A", "IE9999999AA"],
        b"IT" => &["IT99999999999"],
        b"LU" => &["LU99999999"],
        b"NL" => &["NL999999999B99"],
        b"PL" => &["PL9999999999"],
        b"PT" => &["PT999999999"],
        b"SE" => &["SE999999999999"],
        b"ES" => &["ES*9999999*"],
        b"CZ" => &["CZ99999999", "CZ999999999", "CZ9999999999"],
        b"HU" => &["HU99999999"],
        b"RO" => &["RO99999999", "RO999999999", "RO9999999999"],
        b"SK" => &["SK9999999999"],
        b"SI" => &["SI99999999"],
        b"HR" => &["HR99999999999"],
        b"EL" => &["EL999999999"],
        _ => &[],
    };
    Verdict::shaped(patterns.iter().any(|pattern| fits_country(form.compact, pattern)))
}

/// As [`super::fits`], but the two letters of the country are themselves.
fn fits_country(text: &[u8], pattern: &str) -> bool {
    let (head, tail) = pattern.as_bytes().split_at(2);
    text.starts_with(head) && super::fits(&text[2..], tail)
}
