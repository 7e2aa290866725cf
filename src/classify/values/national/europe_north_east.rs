//! The Nordic countries, the Baltic, Central and Eastern Europe.

use super::super::check_digit::{luhn, mod_11_10, modulo, weighted};
use super::{Form, Letters, Scheme, Verdict, is_day};

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "se_personnummer",
        lengths: &[10, 12],
        letters: Letters::Never,
        chance: 0.004,
        judge: se_personnummer,
    },
    Scheme { name: "dk_cpr", lengths: &[10], letters: Letters::Never, chance: 0.04, judge: dk_cpr },
    Scheme {
        name: "no_fodselsnummer",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.001,
        judge: no_fodselsnummer,
    },
    Scheme {
        name: "fi_hetu",
        lengths: &[10, 11],
        letters: Letters::Always,
        chance: 0.001,
        judge: fi_hetu,
    },
    Scheme {
        name: "pl_pesel",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.01,
        judge: pl_pesel,
    },
    Scheme { name: "pl_nip", lengths: &[10], letters: Letters::Never, chance: 0.09, judge: pl_nip },
    Scheme {
        name: "cz_rodne_cislo",
        lengths: &[9, 10],
        letters: Letters::Never,
        chance: 0.005,
        judge: cz_rodne_cislo,
    },
    Scheme { name: "hu_tax", lengths: &[10], letters: Letters::Never, chance: 0.01, judge: hu_tax },
    Scheme {
        name: "ro_cnp",
        lengths: &[13],
        letters: Letters::Never,
        chance: 0.003,
        judge: ro_cnp,
    },
    Scheme {
        name: "bg_egn",
        lengths: &[10],
        letters: Letters::Never,
        chance: 0.005,
        judge: bg_egn,
    },
    Scheme { name: "hr_oib", lengths: &[11], letters: Letters::Never, chance: 0.1, judge: hr_oib },
    Scheme {
        name: "yu_jmbg",
        lengths: &[13],
        letters: Letters::Never,
        chance: 0.005,
        judge: yu_jmbg,
    },
    Scheme {
        name: "ee_isikukood",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.005,
        judge: ee_isikukood,
    },
    Scheme { name: "lv_pk", lengths: &[11], letters: Letters::Never, chance: 0.005, judge: lv_pk },
    Scheme {
        name: "ru_inn",
        lengths: &[10, 12],
        letters: Letters::Never,
        chance: 0.05,
        judge: ru_inn,
    },
    Scheme {
        name: "ru_snils",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.01,
        judge: ru_snils,
    },
    Scheme {
        name: "ua_rnokpp",
        lengths: &[10],
        letters: Letters::Never,
        chance: 0.09,
        judge: ua_rnokpp,
    },
    Scheme {
        name: "is_kennitala",
        lengths: &[10],
        letters: Letters::Never,
        chance: 0.005,
        judge: is_kennitala,
    },
];

/// Year, month, day (or day plus sixty), serial, Luhn over ten digits.
fn se_personnummer(form: &Form<'_>) -> Verdict {
    let skip = form.numbers.len() - 10;
    let is_century = skip == 0 || matches!(form.number(0, 2), 18..=20);
    let day = form.number(skip + 4, skip + 6);
    let has_day = is_day(if day > 60 { day - 60 } else { day }, form.number(skip + 2, skip + 4));
    Verdict::checked(is_century && has_day && luhn(&form.numbers[skip..]))
}

/// Since 2007 without a check digit: the date, and the hyphen of its writing, must do.
fn dk_cpr(form: &Form<'_>) -> Verdict {
    if !is_day(form.number(0, 2), form.number(2, 4)) {
        return Verdict::No;
    }
    let sum = weighted(form.numbers, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    match sum % 11 {
        0 => Verdict::Checked,
        _ => Verdict::shaped(form.is_written("999999-9999")),
    }
}

fn no_fodselsnummer(form: &Form<'_>) -> Verdict {
    let (day, month) = (form.number(0, 2), form.number(2, 4));
    let has_day = is_day(if day > 40 { day - 40 } else { day }, month % 20);
    let first = weighted(form.numbers, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
    let second = weighted(form.numbers, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
    Verdict::checked(has_day && first.is_multiple_of(11) && second.is_multiple_of(11))
}

/// `131052-308T`: the date, the century's sign, a serial, a letter of 31.
fn fi_hetu(form: &Form<'_>) -> Verdict {
    let signs = b"+-ABCDEFYXWVU";
    let is_written = form.text.len() == 11 && signs.contains(&form.text[6].to_ascii_uppercase());
    if !is_written {
        return Verdict::No;
    }
    let digits: Option<u32> =
        form.text[..6].iter().chain(&form.text[7..10]).try_fold(0, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        });
    let Some(number) = digits else { return Verdict::No };
    let letter = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number % 31) as usize];
    let (day, month) = (number / 10_000_000, number / 100_000 % 100);
    Verdict::checked(is_day(day, month) && letter == form.text[10].to_ascii_uppercase())
}

/// The month carries the century: plus twenty for the years from 2000.
fn pl_pesel(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
    let has_day = is_day(form.number(4, 6), form.number(2, 4) % 20);
    Verdict::checked(has_day && sum.is_multiple_of(10))
}

fn pl_nip(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[6, 5, 7, 2, 3, 4, 5, 6, 7]);
    Verdict::checked(sum % 11 == u32::from(form.numbers[9]) && form.numbers[0] != 0)
}

/// Divisible by eleven; women's months plus fifty, and plus twenty where serials ran out.
fn cz_rodne_cislo(form: &Form<'_>) -> Verdict {
    let month = form.number(2, 4) % 50 % 20;
    if !is_day(form.number(4, 6), month) {
        return Verdict::No;
    }
    if form.numbers.len() == 9 {
        // Before 1954 there was no check digit.
        return Verdict::shaped(form.is_written("999999/999"));
    }
    let head = modulo(&form.numbers[..9], 11) % 10;
    Verdict::checked(head == u32::from(form.numbers[9]))
}

fn hu_tax(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    Verdict::checked(form.numbers[0] == 8 && sum % 11 == u32::from(form.numbers[9]))
}

fn ro_cnp(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]);
    let check = if sum % 11 == 10 { 1 } else { sum % 11 };
    let has_day = is_day(form.number(5, 7), form.number(3, 5));
    Verdict::checked(form.numbers[0] != 0 && has_day && check == u32::from(form.numbers[12]))
}

fn bg_egn(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[2, 4, 8, 5, 10, 9, 7, 3, 6]);
    let has_day = is_day(form.number(4, 6), form.number(2, 4) % 20);
    Verdict::checked(has_day && sum % 11 % 10 == u32::from(form.numbers[9]))
}

fn hr_oib(form: &Form<'_>) -> Verdict {
    Verdict::checked(mod_11_10(form.numbers))
}

fn yu_jmbg(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = match 11 - sum % 11 {
        10 | 11 => 0,
        check => check,
    };
    let has_day = is_day(form.number(0, 2), form.number(2, 4));
    Verdict::checked(has_day && check == u32::from(form.numbers[12]))
}

/// Estonia and Lithuania: two rows of weights, the second where the first gives ten.
fn ee_isikukood(form: &Form<'_>) -> Verdict {
    let first = weighted(form.numbers, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = weighted(form.numbers, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let check = if first < 10 { first } else { second % 10 };
    let has_day = is_day(form.number(5, 7), form.number(3, 5));
    let is_century = (1..=6).contains(&form.numbers[0]);
    Verdict::checked(is_century && has_day && check == u32::from(form.numbers[10]))
}

fn lv_pk(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    let check = (1101 - sum) % 11 % 10;
    let has_day = is_day(form.number(0, 2), form.number(2, 4));
    Verdict::checked(has_day && check == u32::from(form.numbers[10]))
}

fn ru_inn(form: &Form<'_>) -> Verdict {
    let check = |weights: &[u32]| weighted(form.numbers, weights) % 11 % 10;
    let last = u32::from(form.numbers[form.numbers.len() - 1]);
    let holds = match form.numbers.len() {
        10 => check(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) == last,
        _ => {
            check(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == u32::from(form.numbers[10])
                && check(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == last
        }
    };
    Verdict::checked(holds && form.number(0, 2) > 0)
}

fn ru_snils(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[9, 8, 7, 6, 5, 4, 3, 2, 1]);
    Verdict::checked(form.number(0, 9) > 1_001_998 && sum % 101 % 100 == form.number(9, 11))
}

fn ua_rnokpp(form: &Form<'_>) -> Verdict {
    // The weight of the first digit is minus one; eleven times nine keeps the sum positive.
    let sum =
        weighted(&form.numbers[1..], &[5, 7, 9, 4, 6, 10, 5, 7]) + 99 - u32::from(form.numbers[0]);
    Verdict::checked(sum % 11 % 10 == u32::from(form.numbers[9]))
}

fn is_kennitala(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[3, 2, 7, 6, 5, 4, 3, 2, 1]);
    let has_day = is_day(form.number(0, 2) % 40, form.number(2, 4));
    let is_century = matches!(form.numbers[9], 8 | 9 | 0);
    Verdict::checked(has_day && is_century && sum.is_multiple_of(11))
}
