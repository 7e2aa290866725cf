//! Postal addresses and companies: texts that are known by the words in them.

use std::sync::LazyLock;

use super::person::folded;
use super::{Look, Sighting};
use crate::classify::kind::Place;

use crate::classify::hash::FastSet;

/// Words that name a street, alone or behind a name.
const STREETS: &str = "street st str avenue ave av boulevard blvd bd lane ln road rd drive dr court ct way place \
    pl square sq highway hwy terrace ter crescent cres close parkway pkwy circle cir loop trail trl row walk mews alley \
    rue quai chemin allee impasse cours route faubourg calle c avenida avda paseo plaza carrera cra cl ronda camino \
    carretera via viale corso piazza piazzale largo vicolo strada rua travessa praca rodovia alameda estrada \
    ulica ul aleja al os osiedle plac strasse weg platz allee gasse ring damm ufer straat laan plein gracht kade singel \
    gatan vagen gata vei veien vej vejen gade katu tie utca ut korut ter tere namesti ulice trida \
    sokak sokagi caddesi cad mahallesi mah bulvari jalan jl gang duong pho улица ул проспект пр пер переулок шоссе \
    бульвар бул набережная наб площадь пл вулиця вул οδος λεωφορος شارع طريق मार्ग सड़क पथ नगर रोड \
    box postfach apartado apt apartment suite ste unit floor flat building bldg block plot sector pkwy expressway \
    extension junction junctions ridge ridges station stravenue summit fort forge forges ford islands island isle key keys \
    knoll knolls lake lakes landing lodge mall manor manors meadow meadows mill mills mission motorway mount mountain neck \
    orchard oval overpass park parks pass passage path pike pine pines plain plains plaza point points port ports prairie \
    radial ramp ranch rapid rapids rest river roads shoal shoals shore shores skyway spring springs spur spurs squares \
    stream streets throughway trace track trafficway tunnel turnpike underpass union unions valley valleys viaduct view views \
    village villages ville vista walks wall ways well wells bypass camp canyon cape causeway center centers cliff cliffs club \
    common corner corners courts cove coves creek crest crossing crossroad curve dale dam divide estate estates falls ferry \
    field fields flats forest fork forks freeway garden gardens gateway glen glens green greens grove groves harbor harbors \
    haven heights hill hills hollow inlet";

/// Ends of words that name a street: `Hauptstraße`, `Kerkstraat`, `Storgatan`.
const STREET_ENDS: [&str; 30] = [
    "strasse", "str", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer", "straat", "laan",
    "plein", "gracht", "kade", "singel", "dreef", "gatan", "vagen", "gata", "veien", "vegen",
    "vei", "vej", "vejen", "gade", "katu", "kuja", "tie", "polku", "stien",
];

/// Words that end the name of a company.
const COMPANY_ENDS: &str = "inc incorporated llc llp lp ltd limited corp corporation co company plc gmbh mbh ag kg kgaa ohg \
    ug gbr se sa sas sarl sasu eurl scop snc srl srls spa sapa scarl sl slu sll scoop bv nv vof ab oy oyj asa as aps \
    amba ks is lda ltda eireli sgps cv sab spj spk spzoo hb kb pty kft zrt bt nyrt sro doo dd ad eood ood sia uab ou pvt pte bhd sdn pt tbk cia \
    group holding holdings partners associates sons brothers bros industries enterprises solutions technologies \
    consulting gruppe konzern cie fils freres hijos hermanos figli fratelli zn zonen soner \
    ооо оао зао ао пао ип нпо тов αε επε οε";

/// Marks of a company in scripts without spaces, anywhere in the text.
const COMPANY_MARKS: [&str; 14] = [
    "株式会社",
    "有限会社",
    "合同会社",
    "合資会社",
    "有限公司",
    "股份",
    "集团",
    "公司",
    "주식회사",
    "유한회사",
    "(주)",
    "شركة",
    "लिमिटेड",
    "कंपनी",
];

/// Dense scripts: marks of an address, of which two, or one with a digit, must occur.
const DENSE_MARKS: [&str; 29] = [
    "路", "街", "号", "弄", "区", "县", "市", "省", "镇", "村", "座", "室", "楼", "栋", "巷",
    "大道", "丁目", "番地", "都", "府", "県", "町", "郡", "로 ", "길 ", "동 ", "구 ", "시 ", "도 ",
];

static STREET_WORDS: LazyLock<FastSet<&'static str>> =
    LazyLock::new(|| STREETS.split_whitespace().collect());
static COMPANY_WORDS: LazyLock<FastSet<&'static str>> =
    LazyLock::new(|| COMPANY_ENDS.split_whitespace().collect());

/// Recognises them.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let chars = look.chars();
    if (3..=300).contains(&chars) && !look.has_at {
        seen.may_be(Place::PostalAddress);
        seen.is_numbered = is_numbered(look);
        let could_be = look.colons == 0 && (look.digits > 0 || look.wide > look.letters);
        if could_be && is_address(look) {
            seen.is(Place::PostalAddress);
        }
    }
    if (2..=120).contains(&chars) && !look.has_at && look.digits <= 6 {
        seen.may_be(Place::Company);
        if is_company(look.text) {
            seen.is(Place::Company);
        }
    }
}

/// Words, then one number of up to four digits: `Na Bouralce 686`.
fn is_numbered(look: &Look<'_>) -> bool {
    let Some((words, number)) = look.text.rsplit_once(' ') else { return false };
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits == look.digits
        && (1..=4).contains(&digits)
        && is_house_number(number)
        && words.starts_with(char::is_uppercase)
        && look.letters + look.wide >= 4
}

/// A number, and a word that names a street.
fn is_address(look: &Look<'_>) -> bool {
    if look.wide > look.letters && has_dense_script(look.text) {
        let marks = DENSE_MARKS.iter().filter(|mark| look.text.contains(**mark)).count();
        if marks >= 2 {
            return true;
        }
    }
    if look.letters + look.wide < 4 || look.spaces == 0 {
        return false;
    }
    let mut has_number = false;
    let mut has_street = false;
    let mut buffer = [0; 64];
    for (place, word) in
        look.text.split([' ', ',', '\n', '\t']).filter(|word| !word.is_empty()).enumerate().take(16)
    {
        let word = word.trim_matches(['.', ',', ';', '#', '(', ')']);
        if word.is_empty() {
            continue;
        }
        if word.as_bytes()[0].is_ascii_digit() {
            has_number |= is_house_number(word);
        } else if !has_street {
            let Some(word) = folded(word, &mut buffer) else { continue };
            let is_word = STREET_WORDS.contains(word)
                || word.split(['.', '\'']).next().is_some_and(|head| {
                    place == 0 && head.len() > 1 && STREET_WORDS.contains(head)
                });
            let is_end = word.len() > 5 && STREET_ENDS.iter().any(|end| word.ends_with(end));
            has_street = is_word || is_end;
        }
    }
    has_number && has_street
}

/// Whether there are characters of Han, kana or Hangul, by the first byte of their encoding.
fn has_dense_script(text: &str) -> bool {
    text.bytes().any(|byte| (0xe3..=0xed).contains(&byte))
}

/// `12`, `12a`, `12-14`, `12/3`; not a year with a unit, not `3.5`.
fn is_house_number(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &word[digits..];
    (1..=6).contains(&digits)
        && (rest.is_empty()
            || rest.len() <= 2 && rest.bytes().all(|byte| byte.is_ascii_alphabetic())
            || rest.starts_with(['-', '/']) && rest.len() <= 6)
}

fn is_company(text: &str) -> bool {
    if !text.is_ascii() && COMPANY_MARKS.iter().any(|mark| text.contains(mark)) {
        return true;
    }
    // `Smith, Jones and Brown`: partners
    if text.contains(", ") && (text.contains(" and ") || text.contains(" & ")) {
        let is_partner =
            |word: &str| word.starts_with(char::is_uppercase) || matches!(word, "and" | "&");
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        return words.clone().count() == 4 && words.clone().all(is_partner);
    }
    let mut words = text.split([' ', ',']).filter(|word| !word.is_empty()).rev();
    let Some(last) = words.next() else { return false };
    if words.next().is_none() {
        return false;
    }
    let mut compact = [0_u8; 24];
    let mut length = 0;
    let mut buffer = [0; 64];
    let Some(last) = folded(last, &mut buffer) else { return false };
    // `S.p.A.`, `a.s.`, `B.V.`, `A/S`
    for byte in last.bytes().filter(|byte| !b"./()".contains(byte)) {
        if length == compact.len() {
            return false;
        }
        compact[length] = byte;
        length += 1;
    }
    std::str::from_utf8(&compact[..length]).is_ok_and(|word| COMPANY_WORDS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise as all;

    fn is(text: &str, place: Place) -> bool {
        all(&Look::at(text)).matched.has(place)
    }

    #[test]
    fn a_street_with_a_number_is_an_address_in_many_languages() {
        for text in [
            "12 Main Street",
            "1498 rue Bélanger",
            "Theodor-Heuss-Straße 34",
            "Av. Brigadeiro Faria Lima, 2170",
            "Calle Mayor 5, 28013 Madrid",
            "Via Roma 12",
            "Kerkstraat 7a",
            "Storgatan 3",
            "ul. Długa 14/2",
            "ул. Ленина, 5",
            "PO Box 123",
            "123 Elm St Apt 4",
            "東京都千代田区丸の内1丁目2番地",
            "北京市朝阳区建国路88号",
            "8210 111 ST NW",
        ] {
            assert!(is(text, Place::PostalAddress), "{text}");
        }
        for text in [
            "Blue Widget 12",
            "3.5 mm Jack",
            "Windows 10",
            "Chapter 12",
            "2 Fast 2 Furious",
            "Order 4711",
            "2021-01-01 10:00:00",
        ] {
            assert!(!is(text, Place::PostalAddress), "{text}");
        }
    }

    #[test]
    fn a_legal_form_makes_a_company() {
        for text in [
            "Acme Inc.",
            "Beispiel GmbH",
            "Exemple S.A.",
            "Esempio S.p.A.",
            "Ejemplo, S.L.",
            "Voorbeeld B.V.",
            "Example Ltd",
            "株式会社サンプル",
            "示例有限公司",
            "Exempel AB",
            "Smith & Sons",
            "Smith, Jones and Brown",
            "Пример ООО",
        ] {
            assert!(is(text, Place::Company), "{text}");
        }
        for text in ["Alice Example", "Inc", "Rock and Roll", "For Those About To Rock"] {
            assert!(!is(text, Place::Company), "{text}");
        }
    }
}
