//! Names taken apart: `customerEmail`, `CUSTOMER_EMAIL`, `customeremail` and `E-Mail` are words.
//!
//! This file knows no rule; it is given the words that a glued name may consist of.

use std::slice;

use unicode_normalization::UnicodeNormalization;

use crate::classify::hash::FastSet;

/// The words of a name, folded. Digits are left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Puts another word where there is one for it.
    pub(super) fn map(self, replace: impl Fn(&str) -> Option<String>) -> Self {
        Self(self.0.into_iter().map(|word| replace(&word).unwrap_or(word)).collect())
    }

    /// One after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        Iter(self.0.iter())
    }
}

#[derive(Clone)]
struct Iter<'w>(slice::Iter<'w, String>);

impl<'w> Iterator for Iter<'w> {
    type Item = &'w str;

    fn next(&mut self) -> Option<&'w str> {
        self.0.next().map(String::as_str)
    }
}

/// More of a name is not looked at.
const NAME_CHARS_MAX: usize = 128;

/// Lowercase without the marks of Latin, Greek and Cyrillic letters.
pub(in crate::classify) fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    if lower.is_ascii() {
        return lower;
    }
    let mut plain = String::with_capacity(lower.len());
    for letter in lower.nfkd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')).nfc() {
        match letter {
            'ß' => plain.push_str("ss"),
            'ø' => plain.push('o'),
            'ł' => plain.push('l'),
            'đ' | 'ð' => plain.push('d'),
            'ı' => plain.push('i'),
            'þ' => plain.push_str("th"),
            'æ' => plain.push_str("ae"),
            'œ' => plain.push_str("oe"),
            other => plain.push(other),
        }
    }
    plain
}

/// Takes a name apart, and glued words with it where all their parts are known.
pub(super) fn words(name: &str, vocabulary: &FastSet<String>) -> Words {
    let mut words = Vec::new();
    for word in cased(name) {
        let folded = fold(&word);
        if vocabulary.contains(&folded) {
            words.push(folded);
        } else if let Some(parts) = unglue(&folded, vocabulary) {
            words.extend(parts);
        } else {
            words.push(folded);
        }
    }
    Words(words.into_iter().map(|word| canonical(&word).to_owned()).collect())
}

/// Abbreviations that names of columns are made with, and the words they stand for.
const SHORTENED: [(&str, &str); 17] = [
    ("nm", "name"),
    ("dt", "date"),
    ("cd", "code"),
    ("nbr", "number"),
    ("num", "number"),
    ("nr", "no"),
    ("cust", "customer"),
    ("cstmr", "customer"),
    ("empl", "employee"),
    ("emplr", "employer"),
    ("addrs", "address"),
    ("cntct", "contact"),
    ("frst", "first"),
    ("lst", "last"),
    ("mdl", "middle"),
    ("supp", "supplier"),
    ("vndr", "vendor"),
];

/// A word in the form in which rules are kept.
pub(super) fn canonical(word: &str) -> &str {
    SHORTENED.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| long)
}

/// What is left of a word when its vowels are dropped, its first letter kept: `brth`, `pstl`.
pub(super) fn skeleton(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().into_iter();
    first.chain(letters.filter(|letter| !is_vowel(*letter))).collect()
}

/// Whether a word is written without vowels.
pub(super) fn is_skeleton(word: &str) -> bool {
    word.len() >= 3 && word.is_ascii() && !word.chars().skip(1).any(is_vowel)
}

fn is_vowel(letter: char) -> bool {
    matches!(letter, 'a' | 'e' | 'i' | 'o' | 'u')
}

/// Splits where the name's own writing does: at signs, at digits, and where case changes.
fn cased(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().take(NAME_CHARS_MAX).collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_alphabetic() && !is_mark(*letter) {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(|c| c.is_lowercase())
                || (before.is_some_and(|c| c.is_uppercase())
                    && after.is_some_and(|c| c.is_lowercase())));
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.push(*letter);
    }
    if !word.is_empty() {
        words.push(word);
    }
    join_single_letters(words)
}

/// Vowel signs of Indic and Thai scripts are marks, not letters, and belong to their word.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{e7f}' | '\u{64b}'..='\u{65f}')
}

/// `E-Mail` and `eMail` are one word, not a letter and a word.
fn join_single_letters(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let is_mail = word.to_lowercase().starts_with("mail");
        match joined.last_mut() {
            Some(last) if is_mail && last.eq_ignore_ascii_case("e") => last.push_str(&word),
            _ => joined.push(word),
        }
    }
    joined
}

/// The fewest known words that make up a glued one.
fn unglue(word: &str, vocabulary: &FastSet<String>) -> Option<Vec<String>> {
    if !(5..=40).contains(&word.len()) || !word.is_ascii() {
        return None;
    }
    // best[i]: the fewest words for the first i bytes, and where the last of them begins.
    let mut best: Vec<Option<(usize, usize)>> = vec![None; word.len() + 1];
    best[0] = Some((0, 0));
    for end in 2..=word.len() {
        for start in 0..end - 1 {
            let Some((count, _)) = best[start] else { continue };
            let part = &word[start..end];
            let is_known =
                if part.len() < 3 { SHORT.contains(&part) } else { vocabulary.contains(part) };
            if is_known && best[end].is_none_or(|(fewest, _)| count + 1 < fewest) {
                best[end] = Some((count + 1, start));
            }
        }
    }
    let mut parts = Vec::new();
    let mut end = word.len();
    while end > 0 {
        let (_, start) = best[end]?;
        parts.push(word[start..end].to_owned());
        end = start;
    }
    parts.reverse();
    Some(parts)
}

/// Two-letter words that occur glued: in any other place two letters are an accident.
const SHORT: [&str; 8] = ["nm", "no", "nr", "id", "ip", "cd", "dt", "at"];

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &str) -> Vec<String> {
        let vocabulary = ["customer", "email", "first", "name"].map(str::to_owned).into();
        let vocabulary: std::collections::HashSet<String> = vocabulary;
        words(name, &vocabulary.into_iter().collect()).0
    }

    #[test]
    fn every_way_to_write_two_words_is_taken_apart() {
        for name in [
            "customer_email",
            "customerEmail",
            "CustomerEmail",
            "CUSTOMER_EMAIL",
            "customer-email",
            "customer email",
            "customeremail",
            "customer_email_2",
            "Customer E-Mail",
        ] {
            assert_eq!(split(name), ["customer", "email"], "{name}");
        }
    }

    #[test]
    fn a_word_that_is_not_all_known_stays_whole() {
        assert_eq!(split("emailing"), ["emailing"]);
    }

    #[test]
    fn marks_fall_and_kana_keeps_its_own() {
        assert_eq!(fold("Prénom Straße ŁÓDŹ"), "prenom strasse lodz");
        assert_eq!(fold("ガ"), "ガ");
    }
}
