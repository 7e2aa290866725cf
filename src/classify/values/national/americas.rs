//! The Americas.

use super::super::check_digit::{luhn, weighted};
use super::{Form, Letters, Scheme, Verdict, is_day};

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme { name: "us_ssn", lengths: &[9], letters: Letters::Never, chance: 0.02, judge: us_ssn },
    Scheme {
        name: "us_itin",
        lengths: &[9],
        letters: Letters::Never,
        chance: 0.01,
        judge: us_itin,
    },
    Scheme { name: "us_ein", lengths: &[9], letters: Letters::Never, chance: 0.02, judge: us_ein },
    Scheme { name: "us_npi", lengths: &[10], letters: Letters::Never, chance: 0.02, judge: us_npi },
    Scheme { name: "us_dea", lengths: &[9], letters: Letters::Always, chance: 0.01, judge: us_dea },
    Scheme { name: "ca_sin", lengths: &[9], letters: Letters::Never, chance: 0.08, judge: ca_sin },
    Scheme {
        name: "mx_curp",
        lengths: &[18],
        letters: Letters::Always,
        chance: 0.0001,
        judge: mx_curp,
    },
    Scheme {
        name: "mx_rfc",
        lengths: &[12, 13],
        letters: Letters::Always,
        chance: 0.001,
        judge: mx_rfc,
    },
    Scheme { name: "br_cpf", lengths: &[11], letters: Letters::Never, chance: 0.01, judge: br_cpf },
    Scheme {
        name: "br_cnpj",
        lengths: &[14],
        letters: Letters::Never,
        chance: 0.01,
        judge: br_cnpj,
    },
    Scheme {
        name: "ar_cuit",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.008,
        judge: ar_cuit,
    },
    Scheme {
        name: "cl_rut",
        lengths: &[8, 9],
        letters: Letters::Sometimes,
        chance: 0.09,
        judge: cl_rut,
    },
    Scheme {
        name: "pe_ruc",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.005,
        judge: pe_ruc,
    },
    Scheme {
        name: "ec_cedula",
        lengths: &[10],
        letters: Letters::Never,
        chance: 0.015,
        judge: ec_cedula,
    },
];

/// Only as it is written, in threes, twos and fours: nine digits alone say nothing.
fn us_ssn(form: &Form<'_>) -> Verdict {
    let is_written = form.is_written("999-99-9999") || form.is_written("999 99 9999");
    let area = form.number(0, 3);
    let is_area = area != 0 && area != 666 && area < 900;
    Verdict::shaped(is_written && is_area && form.number(3, 5) != 0 && form.number(5, 9) != 0)
}

fn us_itin(form: &Form<'_>) -> Verdict {
    let is_group = matches!(form.number(3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99);
    Verdict::shaped(form.is_written("999-99-9999") && form.numbers[0] == 9 && is_group)
}

fn us_ein(form: &Form<'_>) -> Verdict {
    Verdict::shaped(form.is_written("99-9999999"))
}

/// Providers of health care: Luhn with 80840 before it.
fn us_npi(form: &Form<'_>) -> Verdict {
    let mut digits = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    digits[5..].copy_from_slice(form.numbers);
    Verdict::checked(matches!(form.numbers[0], 1 | 2) && luhn(&digits))
}

/// Prescribers: two letters; the odd digits and twice the even ones end in the check digit.
fn us_dea(form: &Form<'_>) -> Verdict {
    if !form.is_made_of("AA9999999") || !b"ABCDEFGHJKLMPRSTUX".contains(&form.compact[0]) {
        return Verdict::No;
    }
    let sum = weighted(&form.numbers[2..8], &[1, 2, 1, 2, 1, 2]);
    Verdict::checked(sum % 10 == u32::from(form.numbers[8]))
}

fn ca_sin(form: &Form<'_>) -> Verdict {
    Verdict::checked(form.numbers[0] != 8 && luhn(form.numbers))
}

/// Four letters, birth, sex, state, three consonants, a homonym's mark, the check digit.
fn mx_curp(form: &Form<'_>) -> Verdict {
    let is_shaped =
        form.is_made_of("AAAA999999AAAAAA*9") && matches!(form.compact[10], b'H' | b'M' | b'X');
    if !is_shaped || !is_day(form.number(8, 10), form.number(6, 8)) {
        return Verdict::No;
    }
    // The letters stand in the order of the Spanish alphabet, with Ñ after N.
    let sum: u32 = form.numbers[..17]
        .iter()
        .zip((2..=18).rev())
        .map(|(number, weight)| (u32::from(*number) + u32::from(*number > 23)) * weight)
        .sum();
    Verdict::checked((10 - sum % 10) % 10 == u32::from(form.numbers[17]))
}

fn mx_rfc(form: &Form<'_>) -> Verdict {
    let letters = form.compact.len() - 9;
    let is_shaped = form.is_made_of("AAA999999***") || form.is_made_of("AAAA999999***");
    let at = |from: usize, to: usize| form.number(letters + from, letters + to);
    Verdict::shaped(is_shaped && is_day(at(4, 6), at(2, 4)))
}

fn br_cpf(form: &Form<'_>) -> Verdict {
    let digit = |weights: &[u32]| match weighted(form.numbers, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    Verdict::checked(
        digit(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(form.numbers[9])
            && digit(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(form.numbers[10]),
    )
}

fn br_cnpj(form: &Form<'_>) -> Verdict {
    let digit = |weights: &[u32]| match weighted(form.numbers, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    Verdict::checked(
        digit(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(form.numbers[12])
            && digit(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == u32::from(form.numbers[13]),
    )
}

fn ar_cuit(form: &Form<'_>) -> Verdict {
    let is_kind = matches!(form.number(0, 2), 20 | 23 | 24 | 25 | 26 | 27 | 30 | 33 | 34);
    let sum = weighted(form.numbers, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = (11 - sum % 11) % 11;
    Verdict::checked(is_kind && check % 10 == u32::from(form.numbers[10]) && check != 10)
}

/// Weights 2 to 7 from the right; ten is written `K`.
fn cl_rut(form: &Form<'_>) -> Verdict {
    let Some((check, number)) = form.numbers.split_last() else { return Verdict::No };
    if number.iter().any(|digit| *digit > 9) || number[0] == 0 {
        return Verdict::No;
    }
    let sum: u32 =
        number.iter().rev().zip([2, 3, 4, 5, 6, 7, 2, 3]).map(|(d, w)| u32::from(*d) * w).sum();
    let wanted = match 11 - sum % 11 {
        11 => 0,
        // K is the eleventh letter: ten, and ten more for the digits before the letters.
        10 => 20,
        digit => digit,
    };
    Verdict::checked(wanted == u32::from(*check))
}

fn pe_ruc(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let is_kind = matches!(form.number(0, 2), 10 | 15 | 16 | 17 | 20);
    Verdict::checked(is_kind && (11 - sum % 11) % 10 == u32::from(form.numbers[10]))
}

fn ec_cedula(form: &Form<'_>) -> Verdict {
    let is_shaped = matches!(form.number(0, 2), 1..=24 | 30) && form.numbers[2] < 6;
    Verdict::checked(is_shaped && luhn(form.numbers))
}
