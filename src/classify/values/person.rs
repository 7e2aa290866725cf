//! Names of persons, by the given and family names in them.

use super::{Look, Sighting};
use crate::classify::heading::fold;
use crate::classify::kind::Place;
use crate::classify::words;

/// Titles before a name.
const TITLES: [&str; 46] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "sir",
    "dame",
    "lord",
    "lady",
    "rev",
    "fr",
    "hon",
    "capt",
    "herr",
    "frau",
    "hr",
    "dipl",
    "ing",
    "mag",
    "mme",
    "mlle",
    "m",
    "monsieur",
    "madame",
    "sr",
    "sra",
    "srta",
    "don",
    "dona",
    "dott",
    "dottssa",
    "sig",
    "sigra",
    "dhr",
    "mevr",
    "mw",
    "pan",
    "pani",
    "univprof",
    "univ.prof",
    "dipl.-ing",
    "drs",
    "ir",
    "engr",
];

/// Letters behind a name.
const TAILS: [&str; 18] = [
    "jr", "sr", "ii", "iii", "iv", "v", "md", "dds", "phd", "dvm", "esq", "bsc", "msc", "mba",
    "ba", "ma", "ph.d", "m.d",
];

/// Words within a name that are no name of their own.
const PARTICLES: [&str; 35] = [
    "van", "von", "de", "da", "do", "dos", "das", "del", "della", "der", "den", "di", "du", "la",
    "le", "les", "el", "al", "bin", "ibn", "ben", "bint", "y", "e", "ter", "ten", "te", "zu",
    "zum", "zur", "af", "av", "san", "st", "abu",
];

/// More words than this are a text.
const WORDS_MAX: usize = 6;

/// What the words of a text are.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent claims, each read by its name")]
struct Cues {
    /// Words that are names of neither kind.
    unknown: usize,
    /// Words of the name itself, without titles, initials, particles.
    words: usize,
    given: usize,
    family: usize,
    initials: usize,
    common: usize,
    lower: usize,
    has_title: bool,
    first_is_given: bool,
    last_is_family: bool,
    last_is_given: bool,
    first_is_family: bool,
}

/// Recognises names.
pub(super) fn recognise(look: &Look<'_>, seen: &mut Sighting) {
    let text = look.text;
    let chars = look.chars();
    if look.digits > 0 || look.has_at || chars < 2 && look.wide == 0 || chars > 80 {
        return;
    }
    if look.spaces > 8
        || look.marks > 8
        || text.bytes().any(|byte| b"/\\_:;!?*=<>[]{}|%$+~^".contains(&byte))
    {
        return;
    }
    if look.spaces <= 5 {
        seen.may_be(Place::PersonName);
    }
    if look.spaces <= 3 && chars <= 40 {
        seen.may_be(Place::FirstName);
        seen.may_be(Place::LastName);
    }
    if look.wide > 0
        && look.letters == 0
        && look.marks == 0
        && is_dense_name(text, look.spaces, seen)
    {
        return;
    }
    let cues = Cues::of(text);
    if cues.words == 1 && cues.initials == 0 && !cues.has_title {
        recognise_single(&cues, seen);
    } else if cues.is_full_name(text) {
        seen.is(Place::PersonName);
    }
}

fn recognise_single(cues: &Cues, seen: &mut Sighting) {
    if cues.common > 0 {
        return;
    }
    if cues.given > 0 {
        seen.is(Place::FirstName);
    }
    if cues.family > 0 {
        seen.is(Place::LastName);
    }
}

impl Cues {
    /// Looks at the words of a text.
    fn of(text: &str) -> Self {
        let mut cues = Self::default();
        let mut buffer = [0; 64];
        let pieces =
            text.split([' ', ',', '\u{a0}', '・', '\u{3000}']).filter(|piece| !piece.is_empty());
        for (place, piece) in pieces.enumerate() {
            let word = piece.trim_matches(['.', '"', '\'', '(', ')', '’']);
            let mut letters = word.chars();
            let Some(first) = letters.next() else { continue };
            let is_single = letters.next().is_none();
            if is_single && first.is_alphabetic() && first.is_ascii() {
                cues.initials += 1;
                continue;
            }
            let Some(word) = folded(word, &mut buffer) else {
                cues.unknown += 1;
                cues.words += 1;
                continue;
            };
            if TITLES.contains(&word) && (place == 0 || piece.ends_with('.')) {
                cues.has_title = true;
                continue;
            }
            if place > 0
                && (TAILS.contains(&word)
                    || PARTICLES.contains(&word)
                    || TITLES.contains(&word) && cues.words == 0)
            {
                continue;
            }
            cues.take(word, first);
        }
        cues
    }

    fn take(&mut self, word: &str, first: char) {
        let (is_given, is_family) = kinds_of(word);
        if self.words == 0 {
            self.first_is_given = is_given;
            self.first_is_family = is_family;
        }
        self.words += 1;
        self.last_is_family = is_family;
        self.last_is_given = is_given;
        self.given += usize::from(is_given);
        self.family += usize::from(is_family);
        self.unknown += usize::from(!is_given && !is_family);
        self.common += usize::from(words::is_common(word));
        self.lower += usize::from(first.is_lowercase());
    }

    /// Two or more words, of which one is a given name and the others are names or look like some.
    fn is_full_name(&self, text: &str) -> bool {
        let parts = self.words + usize::from(self.initials > 0);
        if parts < 2 || self.words == 0 || parts > 5 || self.words > WORDS_MAX || self.initials > 3
        {
            return false;
        }
        // `blue widget`: names are capitalised where a script has capitals, or all in lower case.
        let is_cased = self.lower == 0 || self.lower == self.words;
        if !is_cased || self.common * 2 > self.words || text.contains('&') {
            return false;
        }
        let has_comma = text.contains(',');
        if has_comma && text.matches(',').count() > 1 {
            return false;
        }
        let known = self.words - self.unknown;
        if self.has_title && known > 0 {
            return true;
        }
        if self.initials > 0 && self.words == 1 {
            // `J. Smith`, `Smith, J.`
            return self.family > 0 && self.common == 0;
        }
        if self.initials > 0 && self.words == 2 && self.first_is_given {
            // `John Q. Public`: an initial between two words is hardly anything else.
            return true;
        }
        let in_order = self.first_is_given && (self.last_is_family || self.last_is_given);
        let turned = self.first_is_family && self.last_is_given;
        if in_order || turned {
            return known * 2 > self.words || self.words <= 3;
        }
        // One known name beside an unknown: a name of a language that the lists know little of.
        self.lower == 0
            && self.common == 0
            && self.words <= 3
            && (self.first_is_given || has_comma && self.last_is_given)
    }
}

/// Whether a word is a given name, a family name; a double name is what its parts are.
fn kinds_of(word: &str) -> (bool, bool) {
    let whole = (words::is_given(word), words::is_family(word));
    if whole.0 || whole.1 {
        return whole;
    }
    if word.contains('-') {
        let both =
            word.split('-').filter(|part| !part.is_empty()).fold((true, true), |all, part| {
                (all.0 && words::is_given(part), all.1 && words::is_family(part))
            });
        return both;
    }
    let tail = word
        .strip_prefix("o'")
        .or_else(|| word.strip_prefix("d'"))
        .or_else(|| word.strip_prefix("mc"));
    if let Some(tail) = tail {
        return (false, tail.len() >= 3 && (words::is_family(tail) || words::is_given(tail)));
    }
    // Slavic and Greek women's names end otherwise than their families': `Новакова`, `Kowalska`.
    let stem = word
        .strip_suffix('а')
        .or_else(|| word.strip_suffix("ova"))
        .or_else(|| word.strip_suffix('a'));
    if let Some(stem) = stem.filter(|stem| stem.chars().count() >= 4) {
        return (false, words::is_family(stem) || is_skaya(word));
    }
    (false, word.ends_with("вич") || word.ends_with("ενκο") || word.ends_with("енко"))
}

/// `-ska` and `-cka` stand beside `-ski` and `-cki`; patronymics end in `-вна`.
fn is_skaya(word: &str) -> bool {
    if word.ends_with("вна") || word.ends_with("ская") {
        return true;
    }
    let Some(stem) =
        word.strip_suffix('a').filter(|_| word.ends_with("ska") || word.ends_with("cka"))
    else {
        return false;
    };
    let mut male = [0_u8; 48];
    let length = stem.len();
    if length + 1 > male.len() {
        return false;
    }
    male[..length].copy_from_slice(stem.as_bytes());
    male[length] = b'i';
    std::str::from_utf8(&male[..=length]).is_ok_and(words::is_family)
}

/// Names in scripts without spaces: Han and Hangul begin with the family name, kana is a name or
/// a word. Two to four characters.
fn is_dense_name(text: &str, spaces: usize, seen: &mut Sighting) -> bool {
    let is_han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}');
    let is_hangul = |c: char| matches!(c, '\u{ac00}'..='\u{d7a3}');
    let is_kana = |c: char| matches!(c, '\u{3040}'..='\u{30ff}');
    let mut count = 0;
    let (mut han, mut hangul, mut kana) = (0, 0, 0);
    for letter in text.chars().filter(|c| !c.is_whitespace()) {
        count += 1;
        han += usize::from(is_han(letter));
        hangul += usize::from(is_hangul(letter));
        kana += usize::from(is_kana(letter));
    }
    if han + hangul + kana != count || !(1..=8).contains(&count) {
        return false;
    }
    if spaces > 0 {
        let mut parts = text.split_whitespace();
        let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if words::is_family(first) || words::is_given(second) {
            seen.is(Place::PersonName);
        }
        return true;
    }
    if words::is_given(text) {
        seen.is(Place::FirstName);
    }
    if words::is_family(text) {
        seen.is(Place::LastName);
    }
    let begins_with_family = text
        .char_indices()
        .skip(1)
        .take(2)
        .any(|(at, _)| words::is_family(&text[..at]) && text[at..].chars().count() <= 3);
    let is_length =
        if hangul == count { count == 3 || count == 2 } else { (2..=4).contains(&count) };
    if is_length && begins_with_family && !words::is_city(text) {
        seen.is(Place::PersonName);
    }
    true
}

/// Folds a word into a buffer: lowercase without marks. Nothing where it is too long for a name.
pub(super) fn folded<'b>(word: &str, buffer: &'b mut [u8; 64]) -> Option<&'b str> {
    if word.is_ascii() {
        let place = buffer.get_mut(..word.len())?;
        place.copy_from_slice(word.as_bytes());
        place.make_ascii_lowercase();
        return std::str::from_utf8(place).ok();
    }
    // Scripts from Han on have neither case nor marks.
    if word.chars().all(|letter| letter >= '\u{2e80}') {
        let place = buffer.get_mut(..word.len())?;
        place.copy_from_slice(word.as_bytes());
        return std::str::from_utf8(place).ok();
    }
    let folded = zeroize::Zeroizing::new(fold(word));
    let place = buffer.get_mut(..folded.len())?;
    place.copy_from_slice(folded.as_bytes());
    std::str::from_utf8(place).ok()
}

/// Whether two words that follow each other in a text are a given and a family name.
pub(in crate::classify) fn pair_of_names(first: &str, second: &str) -> bool {
    let is_capital = |word: &str| word.starts_with(char::is_uppercase);
    if !is_capital(first) || !is_capital(second) {
        return false;
    }
    let (mut one, mut two) = ([0; 64], [0; 64]);
    let (Some(first), Some(second)) = (folded(first, &mut one), folded(second, &mut two)) else {
        return false;
    };
    first.len() > 2
        && second.len() > 2
        && words::is_given(first)
        && words::is_family(second)
        && !words::is_common(first)
        && !words::is_common(second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise as all;

    fn is(text: &str, place: Place) -> bool {
        all(&Look::at(text)).matched.has(place)
    }

    #[test]
    fn names_in_six_scripts_and_more_are_names() {
        for text in [
            "Alice Johnson",
            "Johnson, Alice",
            "Mr. John Smith",
            "John Q. Public",
            "J. Smith",
            "Jürgen Müller",
            "José García López",
            "Ludwig van Beethoven",
            "Иван Петров",
            "Анна Сергеевна Иванова",
            "Γιώργος Παπαδόπουλος",
            "محمد علي",
            "राहुल शर्मा",
            "王伟",
            "山田 太郎",
            "김민준",
            "Siobhan O'Brien",
            "Mary-Jane Watson",
            "ALICE JOHNSON",
            "Dr. Petra Schmidt",
            "Anna Kowalska",
            "Marie Dupont",
        ] {
            assert!(is(text, Place::PersonName), "{text}");
        }
    }

    #[test]
    fn titles_products_and_places_are_no_names() {
        for text in [
            "For Those About To Rock",
            "Blue Widget",
            "Balls to the Wall",
            "Rock And Roll",
            "Wireless Mouse",
            "Science Fiction",
            "Sales Manager",
            "United States",
            "in progress",
            "Restless and Wild",
            "Smith & Sons",
            "Acme Inc.",
            "TV Shows",
        ] {
            assert!(!is(text, Place::PersonName), "{text}");
        }
    }

    #[test]
    fn single_names_are_given_or_family_names() {
        assert!(
            is("Alice", Place::FirstName)
                && is("Schmidt", Place::LastName)
                && is("Gonçalves", Place::LastName)
        );
        assert!(!is("Pending", Place::FirstName) && !is("Rock", Place::LastName));
    }

    #[test]
    fn a_pair_in_a_text_is_a_name_only_in_capitals() {
        assert!(pair_of_names("Alice", "Johnson"));
        assert!(!pair_of_names("alice", "johnson") && !pair_of_names("The", "Rock"));
    }
}
