//! National numbers: of persons and of taxpayers, with their check digits where they have any.
//!
//! A scheme says what it is called, how long its numbers are, and whether one follows it. One value
//! may follow several: which one a column follows is decided over all its values.

mod africa_asia;
mod americas;
mod europe;
mod europe_north_east;

use std::sync::LazyLock;

use super::{Look, Sighting};
use crate::classify::kind::Place;

/// What a scheme says about one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is none of its numbers.
    No,
    /// It has the shape; the scheme has no check digit, or none that is known.
    Shape,
    /// It has the shape, and the check digits hold.
    Checked,
}

impl Verdict {
    /// For schemes whose check digits hold or not.
    fn checked(holds: bool) -> Self {
        if holds { Self::Checked } else { Self::No }
    }

    /// For schemes without any.
    fn shaped(holds: bool) -> Self {
        if holds { Self::Shape } else { Self::No }
    }
}

/// One country's numbers of one kind.
pub(in crate::classify) struct Scheme {
    /// The stable word for evidence, such as `us_ssn`.
    pub(in crate::classify) name: &'static str,
    /// How many letters and digits, without separators.
    lengths: &'static [usize],
    /// Whether letters occur.
    letters: Letters,
    /// How likely a random value of this length follows it: the smaller, the fewer values prove it.
    pub(in crate::classify) chance: f64,
    /// Judges one value.
    judge: fn(&Form<'_>) -> Verdict,
}

/// Whether a scheme's numbers have letters in them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Letters {
    /// Digits only.
    Never,
    /// In every number.
    Always,
    /// In some: a check digit of ten.
    Sometimes,
}

/// A value as the schemes look at it.
pub(super) struct Form<'t> {
    /// As it is written.
    text: &'t [u8],
    /// Letters and digits only, in upper case.
    compact: &'t [u8],
    /// The same as numbers; letters are ten and more.
    numbers: &'t [u8],
}

impl Form<'_> {
    /// Whether it is written as a pattern says: `9` a digit, `A` a letter, everything else itself.
    fn is_written(&self, pattern: &str) -> bool {
        fits(self.text, pattern.as_bytes())
    }

    /// Whether its letters and digits are in the order of a pattern.
    fn is_made_of(&self, pattern: &str) -> bool {
        fits(self.compact, pattern.as_bytes())
    }

    /// The number that some of its digits write.
    fn number(&self, from: usize, to: usize) -> u32 {
        self.numbers[from..to].iter().fold(0, |sum, digit| sum * 10 + u32::from(*digit))
    }
}

/// Whether there can be such a day.
fn is_day(day: u32, month: u32) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

fn fits(text: &[u8], pattern: &[u8]) -> bool {
    text.len() == pattern.len()
        && text.iter().zip(pattern).all(|(byte, wanted)| match wanted {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_alphabetic(),
            b'*' => byte.is_ascii_alphanumeric(),
            _ => byte == wanted,
        })
}

/// Every scheme; sightings name them by their place here.
pub(in crate::classify) static SCHEMES: LazyLock<Vec<&'static Scheme>> = LazyLock::new(|| {
    let all =
        [europe::SCHEMES, europe_north_east::SCHEMES, americas::SCHEMES, africa_asia::SCHEMES];
    all.into_iter().flatten().collect()
});

/// The longest number of any scheme.
const LENGTH_MAX: usize = 20;

/// The schemes of each length, with letters and without: few are asked about any value.
static BY_LENGTH: LazyLock<Vec<Vec<usize>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); (LENGTH_MAX + 1) * 2];
    for (place, scheme) in SCHEMES.iter().enumerate() {
        for length in scheme.lengths {
            if scheme.letters != Letters::Always {
                table[length * 2].push(place);
            }
            if scheme.letters != Letters::Never {
                table[length * 2 + 1].push(place);
            }
        }
    }
    table
});

/// Finds the schemes that a value follows.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let chars = look.digits + look.letters;
    let is_shaped =
        look.wide == 0 && look.digits >= 4 && look.text.len() <= 30 && look.letters <= 14;
    if !is_shaped || !(5..=LENGTH_MAX).contains(&chars) || look.marks + look.spaces > 6 {
        return;
    }
    let mut compact = [0_u8; LENGTH_MAX];
    let mut numbers = [0_u8; LENGTH_MAX];
    let mut length = 0;
    for byte in look.text.bytes() {
        match byte {
            b'0'..=b'9' => numbers[length] = byte - b'0',
            b'a'..=b'z' | b'A'..=b'Z' => numbers[length] = byte.to_ascii_uppercase() - b'A' + 10,
            b' ' | b'-' | b'.' | b'/' | b'+' => continue,
            _ => return,
        }
        compact[length] = byte.to_ascii_uppercase();
        length += 1;
    }
    let (compact, numbers) = (&compact[..length], &numbers[..length]);
    seen.may_be(Place::NationalId);
    let is_trivial = compact.iter().all(|byte| *byte == compact[0]);
    if is_trivial {
        return;
    }
    if chars <= 12 && look.spaces <= 2 {
        seen.may_be(Place::Passport);
    }
    seen.may_be(Place::DrivingLicence);
    let form = Form { text: look.text.as_bytes(), compact, numbers };
    for place in &BY_LENGTH[length * 2 + usize::from(look.letters > 0)] {
        match (SCHEMES[*place].judge)(&form) {
            Verdict::No => {}
            Verdict::Shape => seen.shapes |= 1 << place,
            Verdict::Checked => {
                seen.shapes |= 1 << place;
                seen.schemes |= 1 << place;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The schemes that a value follows, those with check digits that hold first.
    pub(super) fn schemes_of(text: &str) -> (Vec<&'static str>, Vec<&'static str>) {
        let mut seen = Sighting::default();
        recognise(&Look::at(text), &mut seen);
        let named = |bits: u128| {
            let places = (0..SCHEMES.len()).filter(|place| bits & (1 << place) != 0);
            places.map(|place| SCHEMES[place].name).collect::<Vec<_>>()
        };
        (named(seen.schemes), named(seen.shapes))
    }

    #[test]
    fn every_scheme_has_a_bit_and_a_word_of_its_own() {
        assert!(SCHEMES.len() <= 128);
        let names: BTreeSet<&str> = SCHEMES.iter().map(|scheme| scheme.name).collect();
        assert_eq!(names.len(), SCHEMES.len());
    }

    #[test]
    fn published_examples_hold_and_neighbours_do_not() {
        // Examples of the issuing authorities and of encyclopaedias; no number of a living person.
        let examples = [
            ("de_steuer_id", "86095742719"),
            ("fr_nir", "2 55 08 14 168 025 38"),
            ("nl_bsn", "111222333"),
            ("be_nn", "85.07.30-033 28"),
            ("es_nif", "12345678Z"),
            ("es_nie", "X1234567L"),
            ("it_fiscal_code", "RSSMRA85T10A562S"),
            ("it_vat", "00743110157"),
            ("pt_nif", "123456789"),
            ("pl_pesel", "44051401359"),
            ("se_personnummer", "811218-9876"),
            ("fi_hetu", "131052-308T"),
            ("no_fodselsnummer", "01010750160"),
            ("ch_ahv", "756.9217.0769.85"),
            ("uk_nhs", "943 476 5919"),
            ("br_cpf", "111.444.777-35"),
            ("br_cnpj", "11.222.333/0001-81"),
            ("ar_cuit", "20-12345678-6"),
            ("cl_rut", "12.345.678-5"),
            ("ca_sin", "046 454 286"),
            ("cn_resident_id", "11010519491231002X"),
            ("in_aadhaar", "9999 4105 7058"),
            ("za_id", "8001015009087"),
            ("tr_tckn", "10000000146"),
            ("sg_nric", "S1234567D"),
            ("au_tfn", "123 456 782"),
            ("au_abn", "51 824 753 556"),
            ("au_acn", "004 085 616"),
            ("kr_rrn", "900101-1234568"),
            ("jp_my_number", "123456789018"),
            ("th_id", "1 2345 67890 12 1"),
            ("mx_curp", "HEGG560427MVZRRL04"),
            ("il_id", "123456782"),
            ("ro_cnp", "1800101221144"),
            ("cz_rodne_cislo", "736028/5163"),
            ("hr_oib", "33392005961"),
            ("bg_egn", "7523169263"),
            ("ee_isikukood", "37605030299"),
            ("tw_id", "A123456789"),
        ];
        for (scheme, example) in examples {
            let (checked, _) = schemes_of(example);
            assert!(checked.contains(&scheme), "{scheme}: {example} gives {checked:?}");
            let wrong = last_digit_changed(example);
            let (checked, _) = schemes_of(&wrong);
            assert!(!checked.contains(&scheme), "{scheme}: {wrong} gives {checked:?}");
        }
    }

    #[test]
    fn what_stands_behind_the_check_digit_may_change() {
        assert!(schemes_of("2123 45670 1").0.contains(&"au_medicare"));
        assert!(schemes_of("2123 45670 2").0.contains(&"au_medicare"));
        assert!(!schemes_of("2123 45671 1").0.contains(&"au_medicare"));
    }

    fn last_digit_changed(text: &str) -> String {
        let at = text.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let digit = text.as_bytes()[at] - b'0';
        let other = char::from(b'0' + (digit + 1) % 10);
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    }

    #[test]
    fn shapes_without_check_digits_are_shapes() {
        let examples = [
            ("us_ssn", "123-45-6789"),
            ("us_itin", "912-70-1234"),
            ("uk_nino", "AB 12 34 56 C"),
            ("in_pan", "ABCPE1234F"),
            ("dk_cpr", "070761-4285"),
            ("mx_rfc", "GODE561231GR8"),
        ];
        for (scheme, example) in examples {
            let (_, shapes) = schemes_of(example);
            assert!(shapes.contains(&scheme), "{scheme}: {example} gives {shapes:?}");
        }
        for impossible in ["000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000"] {
            assert!(!schemes_of(impossible).1.contains(&"us_ssn"), "{impossible}");
        }
    }
}
