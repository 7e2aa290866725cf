//! Where somebody lives: names, addresses and numbers as they are written there.
//!
//! Names come from the lists of the crate `fake`. It writes no row.

use fake::Fake;
use fake::faker::address::raw::{CityPrefix, CitySuffix, StreetSuffix};
use fake::faker::company::raw::CompanyName;
use fake::faker::name::raw::{FirstName, LastName};
use fake::locales::{AR_SA, DE_DE, Data, EN, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, ZH_CN};
use unicode_normalization::UnicodeNormalization;

use super::draw::Draw;

/// Where somebody lives, and so how names and numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locale {
    UnitedStates,
    Britain,
    Germany,
    France,
    Italy,
    Brazil,
    Netherlands,
    Japan,
    China,
    SaudiArabia,
}

/// Somebody's name.
pub(super) struct Name {
    pub(super) first: &'static str,
    pub(super) last: &'static str,
    /// Both, in the order of the country.
    pub(super) full: String,
}

impl Locale {
    /// Draws one: most customers live where a shop in Europe sells.
    pub(super) fn draw(draw: &mut Draw) -> Self {
        match draw.below(100) {
            0..16 => Self::UnitedStates,
            16..30 => Self::Britain,
            30..52 => Self::Germany,
            52..66 => Self::France,
            66..76 => Self::Italy,
            76..84 => Self::Brazil,
            84..91 => Self::Netherlands,
            91..95 => Self::Japan,
            95..98 => Self::China,
            _ => Self::SaudiArabia,
        }
    }

    /// The country's code.
    pub(super) fn country(self) -> &'static str {
        match self {
            Self::UnitedStates => "US",
            Self::Britain => "GB",
            Self::Germany => "DE",
            Self::France => "FR",
            Self::Italy => "IT",
            Self::Brazil => "BR",
            Self::Netherlands => "NL",
            Self::Japan => "JP",
            Self::China => "CN",
            Self::SaudiArabia => "SA",
        }
    }

    /// The language of letters to customers.
    pub(super) fn language(self) -> &'static str {
        match self {
            Self::UnitedStates | Self::Britain => "en",
            Self::Germany => "de",
            Self::France => "fr",
            Self::Italy => "it",
            Self::Brazil => "pt",
            Self::Netherlands => "nl",
            Self::Japan => "ja",
            Self::China => "zh",
            Self::SaudiArabia => "ar",
        }
    }

    pub(super) fn name(self, draw: &mut Draw) -> Name {
        match self {
            Self::UnitedStates | Self::Britain => name_of(EN, draw),
            Self::Germany => name_of(DE_DE, draw),
            Self::France => name_of(FR_FR, draw),
            Self::Italy => name_of(IT_IT, draw),
            Self::Brazil => name_of(PT_BR, draw),
            Self::Netherlands => name_of(NL_NL, draw),
            Self::Japan => name_of(JA_JP, draw),
            Self::China => name_of(ZH_CN, draw),
            Self::SaudiArabia => name_of(AR_SA, draw),
        }
    }

    /// Street and number.
    pub(super) fn address(self, draw: &mut Draw) -> String {
        let number = 1 + draw.below(180);
        match self {
            Self::UnitedStates => format!("{} {}", number * 10 + 1, street(EN, " ", draw)),
            Self::Britain => format!("{number} {}", street(EN, " ", draw)),
            Self::Germany => format!("{} {number}", street(DE_DE, "", draw)),
            Self::France => format!("{number} {}", street_behind(FR_FR, draw)),
            Self::Italy => format!("{} {number}", street_behind(IT_IT, draw)),
            Self::Brazil => format!("{}, {number}", street_behind(PT_BR, draw)),
            Self::Netherlands => format!("{} {number}", street(NL_NL, "", draw)),
            Self::Japan => {
                let quarter = draw.one_of(&JAPANESE_QUARTERS);
                format!("{quarter}{}丁目{}-{number}", 1 + draw.below(6), 1 + draw.below(20))
            }
            Self::China => format!("{}{number}号", street(ZH_CN, "", draw)),
            Self::SaudiArabia => format!("شارع {} {number}", last_name(AR_SA, draw)),
        }
    }

    /// A town that is called after people, as towns are. It never holds somebody's whole name, so
    /// that an address is not found where there is none.
    pub(super) fn city(self, draw: &mut Draw) -> String {
        match self {
            Self::UnitedStates | Self::Britain => town(EN, " ", "", draw),
            Self::Germany => town(DE_DE, "-", "", draw),
            Self::Netherlands => town(NL_NL, "-", "", draw),
            Self::Italy => town(IT_IT, " ", " ", draw),
            Self::China => town(ZH_CN, "", "", draw),
            Self::France => {
                let first: &str = FirstName(FR_FR).fake_with_rng(draw);
                format!("Saint-{first}{}", draw.one_of(&FRENCH_PLACES))
            }
            Self::Brazil => {
                format!("{} {}", draw.one_of(&BRAZILIAN_PLACES), last_name(PT_BR, draw))
            }
            Self::Japan => format!("{}市", last_name(JA_JP, draw)),
            Self::SaudiArabia => format!("مدينة {}", last_name(AR_SA, draw)),
        }
    }

    /// A telephone number: of a range that the regulator keeps for fiction, where there is one.
    pub(super) fn phone(self, draw: &mut Draw) -> String {
        draw.shaped(match self {
            Self::UnitedStates => &["(^##) 555-01##", "+1 ^##-555-01##", "^##-555-01##"],
            Self::Britain => BRITISH_NUMBERS,
            Self::Germany => GERMAN_NUMBERS,
            Self::France => FRENCH_NUMBERS,
            Self::Italy => &["+39 3## #######", "0## #######", "+39 0# ########"],
            Self::Brazil => &["(^#) 9####-####", "(^#) 3###-####", "+55 ^# 9####-####"],
            Self::Netherlands => &["+31 6 ########", "020 ### ####", "06-########"],
            Self::Japan => &["090-####-####", "080-####-####", "03-####-####", "+81 90-####-####"],
            Self::China => &["+86 1^# #### ####", "1^##########"],
            Self::SaudiArabia => &["+966 5# ### ####", "05########"],
        })
    }

    pub(super) fn company(self, draw: &mut Draw) -> String {
        match self {
            Self::UnitedStates | Self::Britain => CompanyName(EN).fake_with_rng(draw),
            Self::Germany => CompanyName(DE_DE).fake_with_rng(draw),
            Self::France => CompanyName(FR_FR).fake_with_rng(draw),
            Self::Italy => CompanyName(IT_IT).fake_with_rng(draw),
            Self::Brazil => CompanyName(PT_BR).fake_with_rng(draw),
            Self::Netherlands => CompanyName(NL_NL).fake_with_rng(draw),
            Self::Japan => CompanyName(JA_JP).fake_with_rng(draw),
            Self::China => CompanyName(ZH_CN).fake_with_rng(draw),
            Self::SaudiArabia => format!("شركة {}", last_name(AR_SA, draw)),
        }
    }

    /// What stands in an address before the number that makes it unique. Names in other scripts
    /// become a word that people of the country might take.
    pub(super) fn mailbox(self, name: &Name, draw: &mut Draw) -> String {
        let words = match self {
            Self::Japan => JAPANESE_WORDS,
            Self::China => CHINESE_WORDS,
            Self::SaudiArabia => ARABIC_WORDS,
            Self::UnitedStates
            | Self::Britain
            | Self::Germany
            | Self::France
            | Self::Italy
            | Self::Brazil
            | Self::Netherlands => {
                let (first, last) = (ascii(name.first), ascii(name.last));
                return match draw.below(4) {
                    0 => format!("{last}{}", initial(&first)),
                    1 => format!("{}.{last}", initial(&first)),
                    _ => format!("{first}.{last}"),
                };
            }
        };
        (*draw.one_of(words)).to_owned()
    }
}

fn name_of<L: Data + Copy>(locale: L, draw: &mut Draw) -> Name {
    let first: &'static str = FirstName(locale).fake_with_rng(draw);
    let last: &'static str = LastName(locale).fake_with_rng(draw);
    let full = L::NAME_TPL.replace("{FirstName}", first).replace("{LastName}", last);
    Name { first, last, full }
}

fn last_name<L: Data>(locale: L, draw: &mut Draw) -> &'static str {
    LastName(locale).fake_with_rng(draw)
}

/// A street whose kind stands behind its name.
fn street<L: Data + Copy>(locale: L, between: &str, draw: &mut Draw) -> String {
    let kind: &str = StreetSuffix(locale).fake_with_rng(draw);
    format!("{}{between}{kind}", last_name(locale, draw))
}

/// A street whose kind stands before its name.
fn street_behind<L: Data + Copy>(locale: L, draw: &mut Draw) -> String {
    let kind: &str = StreetSuffix(locale).fake_with_rng(draw);
    format!("{kind} {}", last_name(locale, draw))
}

fn town<L: Data + Copy>(locale: L, before: &str, behind: &str, draw: &mut Draw) -> String {
    let end: &str = CitySuffix(locale).fake_with_rng(draw);
    let name = format!("{}{behind}{end}", last_name(locale, draw));
    if draw.once_in(3) {
        let begin: &str = CityPrefix(locale).fake_with_rng(draw);
        return format!("{begin}{before}{name}");
    }
    name
}

fn initial(name: &str) -> &str {
    name.get(..1).unwrap_or_default()
}

/// The name as it stands in an address.
pub(super) fn ascii(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for sign in name.nfd() {
        match sign {
            'ß' => plain.push_str("ss"),
            'Æ' | 'æ' => plain.push_str("ae"),
            'Œ' | 'œ' => plain.push_str("oe"),
            'Ø' | 'ø' => plain.push('o'),
            'Ł' | 'ł' => plain.push('l'),
            'ı' => plain.push('i'),
            sign if sign.is_ascii_alphanumeric() => plain.push(sign.to_ascii_lowercase()),
            _ => {}
        }
    }
    plain
}

// SPEC: Ofcom, "Telephone numbers for use in TV and radio drama programmes"
const BRITISH_NUMBERS: &[&str] = &[
    "020 7946 0###",
    "0113 496 0###",
    "0114 496 0###",
    "0115 496 0###",
    "0116 496 0###",
    "0117 496 0###",
    "0118 496 0###",
    "0121 496 0###",
    "0131 496 0###",
    "0141 496 0###",
    "0151 496 0###",
    "0161 496 0###",
    "0191 498 0###",
    "01632 960###",
    "07700 900###",
    "+44 7700 900###",
    "+44 20 7946 0###",
];

// SPEC: Bundesnetzagentur, "Rufnummern für Medienproduktionen"
const GERMAN_NUMBERS: &[&str] = &[
    "030 23125 ###",
    "040 66969 ###",
    "069 90009 ###",
    "089 99998 ###",
    "0221 4710 ###",
    "030/23125###",
    "040-66969###",
    "+49 30 23125 ###",
    "+49 40 66969 ###",
    "+49 69 90009 ###",
    "+49 89 99998 ###",
    "+49 221 4710 ###",
    "+49 (0)30 23125###",
    "+49 (0)89 99998###",
];

// SPEC: ARCEP, decision 2018-0881, numbers for audiovisual works
const FRENCH_NUMBERS: &[&str] = &[
    "01 99 00 ## ##",
    "02 61 91 ## ##",
    "03 53 01 ## ##",
    "04 65 71 ## ##",
    "05 36 49 ## ##",
    "06 39 98 ## ##",
    "+33 6 39 98 ## ##",
];

const FRENCH_PLACES: [&str; 8] =
    ["-sur-Loire", "-les-Bains", "-en-Forêt", "-le-Vieux", "-sur-Mer", "-des-Prés", "-la-Tour", ""];

const BRAZILIAN_PLACES: [&str; 6] = ["Nova", "Porto", "Vila", "Campo", "Ribeirão", "Serra"];

const JAPANESE_QUARTERS: [&str; 12] = [
    "中央",
    "本町",
    "栄町",
    "緑町",
    "旭町",
    "元町",
    "幸町",
    "新町",
    "桜木町",
    "大手町",
    "末広町",
    "宮前",
];

const JAPANESE_WORDS: &[&str] =
    &["sakura", "hana", "sora", "yuki", "mizu", "tsuki", "kaze", "hoshi", "kumo", "haru"];

const CHINESE_WORDS: &[&str] =
    &["mingyue", "xiaolong", "qingshan", "baiyun", "chunfeng", "jinse", "tianya", "xingchen"];

const ARABIC_WORDS: &[&str] = &["nour", "amal", "badr", "reem", "najm", "warda", "bahr", "sahar"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_addresses_without_their_marks() {
        assert_eq!(ascii("Jörg"), "jorg");
        assert_eq!(ascii("Weiß"), "weiss");
        assert_eq!(ascii("O'Brien"), "obrien");
        assert_eq!(ascii("Zoë"), "zoe");
        assert_eq!(ascii("Łucja"), "lucja");
    }
}
