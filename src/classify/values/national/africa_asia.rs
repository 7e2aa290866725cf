//! Asia, Africa, Australia.

use super::super::check_digit::{luhn, mod_11_2, verhoeff, weighted};
use super::{Form, Letters, Scheme, Verdict, is_day};

pub(super) const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "cn_resident_id",
        lengths: &[18],
        letters: Letters::Sometimes,
        chance: 0.0001,
        judge: cn_resident_id,
    },
    Scheme { name: "tw_id", lengths: &[10], letters: Letters::Always, chance: 0.01, judge: tw_id },
    Scheme {
        name: "hk_id",
        lengths: &[8, 9],
        letters: Letters::Always,
        chance: 0.03,
        judge: hk_id,
    },
    Scheme {
        name: "jp_my_number",
        lengths: &[12],
        letters: Letters::Never,
        chance: 0.09,
        judge: jp_my_number,
    },
    Scheme {
        name: "kr_rrn",
        lengths: &[13],
        letters: Letters::Never,
        chance: 0.003,
        judge: kr_rrn,
    },
    Scheme {
        name: "in_aadhaar",
        lengths: &[12],
        letters: Letters::Never,
        chance: 0.08,
        judge: in_aadhaar,
    },
    Scheme {
        name: "in_pan",
        lengths: &[10],
        letters: Letters::Always,
        chance: 0.001,
        judge: in_pan,
    },
    Scheme {
        name: "in_voter",
        lengths: &[10],
        letters: Letters::Always,
        chance: 0.01,
        judge: in_voter,
    },
    Scheme {
        name: "in_gst",
        lengths: &[15],
        letters: Letters::Always,
        chance: 0.0001,
        judge: in_gst,
    },
    Scheme {
        name: "sg_nric",
        lengths: &[9],
        letters: Letters::Always,
        chance: 0.005,
        judge: sg_nric,
    },
    Scheme { name: "th_id", lengths: &[13], letters: Letters::Never, chance: 0.08, judge: th_id },
    Scheme {
        name: "my_mykad",
        lengths: &[12],
        letters: Letters::Never,
        chance: 0.02,
        judge: my_mykad,
    },
    Scheme {
        name: "pk_cnic",
        lengths: &[13],
        letters: Letters::Never,
        chance: 0.01,
        judge: pk_cnic,
    },
    Scheme {
        name: "ir_national",
        lengths: &[10],
        letters: Letters::Never,
        chance: 0.09,
        judge: ir_national,
    },
    Scheme { name: "ae_id", lengths: &[15], letters: Letters::Never, chance: 0.0001, judge: ae_id },
    Scheme { name: "sa_id", lengths: &[10], letters: Letters::Never, chance: 0.02, judge: sa_id },
    Scheme { name: "il_id", lengths: &[9], letters: Letters::Never, chance: 0.1, judge: il_id },
    Scheme {
        name: "tr_tckn",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.01,
        judge: tr_tckn,
    },
    Scheme {
        name: "kz_iin",
        lengths: &[12],
        letters: Letters::Never,
        chance: 0.004,
        judge: kz_iin,
    },
    Scheme { name: "za_id", lengths: &[13], letters: Letters::Never, chance: 0.002, judge: za_id },
    Scheme { name: "eg_id", lengths: &[14], letters: Letters::Never, chance: 0.005, judge: eg_id },
    Scheme { name: "au_tfn", lengths: &[9], letters: Letters::Never, chance: 0.09, judge: au_tfn },
    Scheme {
        name: "au_abn",
        lengths: &[11],
        letters: Letters::Never,
        chance: 0.011,
        judge: au_abn,
    },
    Scheme { name: "au_acn", lengths: &[9], letters: Letters::Never, chance: 0.1, judge: au_acn },
    Scheme {
        name: "au_medicare",
        lengths: &[10, 11],
        letters: Letters::Never,
        chance: 0.05,
        judge: au_medicare,
    },
    Scheme { name: "nz_ird", lengths: &[9], letters: Letters::Never, chance: 0.05, judge: nz_ird },
];

/// Place, birth, serial, and a check that may be `X` for ten.
fn cn_resident_id(form: &Form<'_>) -> Verdict {
    let (check, number) = (form.numbers[17], &form.numbers[..17]);
    if number.iter().any(|digit| *digit > 9) || !is_day(form.number(12, 14), form.number(10, 12)) {
        return Verdict::No;
    }
    let is_year = matches!(form.number(6, 10), 1880..=2100);
    // `X` as a letter is 33 here; it means ten.
    let check = if check == 33 { 10 } else { u32::from(check) };
    Verdict::checked(is_year && mod_11_2(number, check))
}

/// A letter worth two digits, then nine digits.
fn tw_id(form: &Form<'_>) -> Verdict {
    const LETTERS: [u32; 26] = [
        10, 11, 12, 13, 14, 15, 16, 17, 34, 18, 19, 20, 21, 22, 35, 23, 24, 25, 26, 27, 28, 29, 32,
        30, 31, 33,
    ];
    if !form.is_made_of("A999999999") || !matches!(form.numbers[1], 1 | 2 | 8 | 9) {
        return Verdict::No;
    }
    let letter = LETTERS[usize::from(form.numbers[0] - 10)];
    let sum =
        letter / 10 + letter % 10 * 9 + weighted(&form.numbers[1..], &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    Verdict::checked(sum.is_multiple_of(10))
}

/// One or two letters, six digits, and a check in brackets that may be `A` for ten.
fn hk_id(form: &Form<'_>) -> Verdict {
    let letters = form.compact.len() - 7;
    if !form.is_made_of("A999999*") && !form.is_made_of("AA999999*") {
        return Verdict::No;
    }
    let first = if letters == 1 { 36 } else { u32::from(form.numbers[0]) };
    let second = u32::from(form.numbers[letters - 1]);
    let sum = first * 9 + second * 8 + weighted(&form.numbers[letters..], &[7, 6, 5, 4, 3, 2, 1]);
    Verdict::checked(form.numbers[letters + 6] <= 10 && sum.is_multiple_of(11))
}

fn jp_my_number(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
    let check = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    Verdict::checked(check == u32::from(form.numbers[11]))
}

/// Birth, sex and century, place, check; since 2020 without a check digit.
fn kr_rrn(form: &Form<'_>) -> Verdict {
    if !is_day(form.number(4, 6), form.number(2, 4)) || !(1..=8).contains(&form.numbers[6]) {
        return Verdict::No;
    }
    let sum = weighted(form.numbers, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    if (11 - sum % 11) % 10 == u32::from(form.numbers[12]) {
        return Verdict::Checked;
    }
    Verdict::shaped(form.is_written("999999-9999999"))
}

fn in_aadhaar(form: &Form<'_>) -> Verdict {
    Verdict::checked(form.numbers[0] >= 2 && verhoeff(form.numbers))
}

/// The fourth letter says what kind of taxpayer it is.
fn in_pan(form: &Form<'_>) -> Verdict {
    Verdict::shaped(form.is_made_of("AAAAA9999A") && b"ABCFGHLJPTK".contains(&form.compact[3]))
}

fn in_voter(form: &Form<'_>) -> Verdict {
    Verdict::shaped(form.is_made_of("AAA9999999"))
}

fn in_gst(form: &Form<'_>) -> Verdict {
    Verdict::shaped(form.is_made_of("99AAAAA9999A*Z*") && (1..=38).contains(&form.number(0, 2)))
}

fn sg_nric(form: &Form<'_>) -> Verdict {
    if !form.is_made_of("A9999999A") {
        return Verdict::No;
    }
    let sum = weighted(&form.numbers[1..8], &[2, 7, 6, 5, 4, 3, 2]);
    let letter = match form.compact[0] {
        b'S' => b"JZIHGFEDCBA"[(sum % 11) as usize],
        b'T' => b"JZIHGFEDCBA"[((sum + 4) % 11) as usize],
        b'F' => b"XWUTRQPNMLK"[(sum % 11) as usize],
        b'G' => b"XWUTRQPNMLK"[((sum + 4) % 11) as usize],
        b'M' => b"KLJNPQRTUWX"[(10 - (sum + 3) % 11) as usize],
        _ => return Verdict::No,
    };
    Verdict::checked(letter == form.compact[8])
}

fn th_id(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    Verdict::checked(
        (1..=8).contains(&form.numbers[0]) && (11 - sum % 11) % 10 == u32::from(form.numbers[12]),
    )
}

fn my_mykad(form: &Form<'_>) -> Verdict {
    let has_day = is_day(form.number(4, 6), form.number(2, 4));
    Verdict::shaped(form.is_written("999999-99-9999") && has_day)
}

fn pk_cnic(form: &Form<'_>) -> Verdict {
    Verdict::shaped(form.is_written("99999-9999999-9"))
}

fn ir_national(form: &Form<'_>) -> Verdict {
    let rest = weighted(form.numbers, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if rest < 2 { rest } else { 11 - rest };
    Verdict::checked(check == u32::from(form.numbers[9]))
}

fn ae_id(form: &Form<'_>) -> Verdict {
    let is_year = matches!(form.number(3, 7), 1900..=2100);
    Verdict::checked(form.number(0, 3) == 784 && is_year && luhn(form.numbers))
}

fn sa_id(form: &Form<'_>) -> Verdict {
    Verdict::checked(matches!(form.numbers[0], 1 | 2) && luhn(form.numbers))
}

fn il_id(form: &Form<'_>) -> Verdict {
    Verdict::checked(luhn(form.numbers))
}

fn tr_tckn(form: &Form<'_>) -> Verdict {
    let digits = form.numbers;
    let odd = weighted(digits, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(digits, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let tenth = (odd * 7 + 100 - even) % 10;
    let sum: u32 = digits[..10].iter().map(|digit| u32::from(*digit)).sum();
    Verdict::checked(
        digits[0] != 0 && tenth == u32::from(digits[9]) && sum % 10 == u32::from(digits[10]),
    )
}

fn kz_iin(form: &Form<'_>) -> Verdict {
    if !is_day(form.number(4, 6), form.number(2, 4)) || form.numbers[6] > 6 {
        return Verdict::No;
    }
    let first = weighted(form.numbers, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
    let second = weighted(form.numbers, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
    let check = if first < 10 { first } else { second };
    Verdict::checked(check == u32::from(form.numbers[11]))
}

fn za_id(form: &Form<'_>) -> Verdict {
    let has_day = is_day(form.number(4, 6), form.number(2, 4));
    Verdict::checked(has_day && form.numbers[10] <= 2 && luhn(form.numbers))
}

fn eg_id(form: &Form<'_>) -> Verdict {
    let has_day = is_day(form.number(5, 7), form.number(3, 5));
    Verdict::shaped(
        matches!(form.numbers[0], 2 | 3) && has_day && matches!(form.number(7, 9), 1..=35 | 88),
    )
}

fn au_tfn(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[1, 4, 3, 7, 5, 8, 6, 9, 10]);
    Verdict::checked(sum.is_multiple_of(11) && form.number(0, 3) > 0)
}

fn au_abn(form: &Form<'_>) -> Verdict {
    if form.numbers[0] == 0 {
        return Verdict::No;
    }
    let sum = weighted(form.numbers, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    Verdict::checked((sum - 10).is_multiple_of(89))
}

fn au_acn(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[8, 7, 6, 5, 4, 3, 2, 1]);
    Verdict::checked((10 - sum % 10) % 10 == u32::from(form.numbers[8]))
}

fn au_medicare(form: &Form<'_>) -> Verdict {
    let sum = weighted(form.numbers, &[1, 3, 7, 9, 1, 3, 7, 9]);
    Verdict::checked((2..=6).contains(&form.numbers[0]) && sum % 10 == u32::from(form.numbers[8]))
}

fn nz_ird(form: &Form<'_>) -> Verdict {
    let first = weighted(form.numbers, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    let second = weighted(form.numbers, &[7, 4, 3, 2, 5, 2, 7, 6]) % 11;
    let rest = if first == 1 { second } else { first };
    let is_range = (10_000_000..150_000_000).contains(&form.number(0, 9));
    Verdict::checked(is_range && (11 - rest) % 11 == u32::from(form.numbers[8]))
}
