//! Longer texts: what occurs in them.
//!
//! One pass over the bytes, stopping where something could begin: an `@`, a digit, a capital. It
//! says *whether* a text holds a kind, not where or how often.

use super::kind::Place;
use super::values::{
    Look, Places, Sighting, email_within, pair_of_names, recognise, registered_iban,
};

/// So much of one text is read.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Finds the kinds that occur in a text.
pub(super) fn scan(text: &str) -> Places {
    let text = cut(text, TEXT_BYTES_MAX);
    let bytes = text.as_bytes();
    let mut found = Places::default();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'@' => {
                if email_within(text, at) {
                    found.add(Place::Email);
                }
                at += 1;
            }
            b'0'..=b'9' | b'+' | b'(' => {
                let end = number_end(bytes, at);
                look_at_number(&text[at..end], &mut found);
                at = end.max(at + 1);
            }
            b'A'..=b'Z' | 0xc3..=0xdf => {
                let end = word_end(text, at);
                look_at_word(text, at, end, &mut found);
                at = end;
            }
            byte if byte.is_ascii_alphanumeric() || byte >= 0x80 => at = word_end(text, at),
            _ => at += 1,
        }
    }
    found
}

/// A text's beginning, at a character's boundary.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Where a run of digits and of what stands between them ends; two separators may follow each other.
fn number_end(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    let mut last = start;
    let mut gap = 0;
    while end < bytes.len() && end - start < 40 {
        match bytes[end] {
            b'0'..=b'9' => {
                gap = 0;
                last = end + 1;
            }
            b'+' | b'(' | b')' | b'-' | b'.' | b' ' | b'/' | b':' if gap < 2 => gap += 1,
            _ => break,
        }
        end += 1;
    }
    last
}

fn look_at_number(text: &str, found: &mut Places) {
    let look = Look::at(text);
    if look.digits < 7 {
        return;
    }
    let seen = recognise(&look);
    for place in [Place::Card, Place::Phone, Place::Ip] {
        if seen.matched.has(place) {
            found.add(place);
        }
    }
    if is_social_security(text) {
        found.add(Place::NationalId);
        found.remove(Place::Phone);
    }
}

/// `123-45-6789`: what texts of the United States hold; other schemes are digits among digits.
fn is_social_security(text: &str) -> bool {
    let text = text.trim();
    let bytes = text.as_bytes();
    bytes.len() == 11
        && bytes[3] == b'-'
        && bytes[6] == b'-'
        && text.bytes().filter(u8::is_ascii_digit).count() == 9
        && !text.starts_with("000")
        && !text.starts_with("666")
        && !text.starts_with('9')
}

/// Where the word that begins here ends; a character that begins none is taken alone.
fn word_end(text: &str, start: usize) -> usize {
    text[start..]
        .char_indices()
        .skip(1)
        .find(|(_, letter)| !letter.is_alphanumeric() && !matches!(letter, '\'' | '-'))
        .map_or(text.len(), |(at, _)| start + at)
}

/// A capital begins a name, or an IBAN.
fn look_at_word(text: &str, start: usize, end: usize, found: &mut Places) {
    let word = &text[start..end];
    let bytes = word.as_bytes();
    if bytes.len() >= 4
        && bytes[1].is_ascii_uppercase()
        && bytes[2..4].iter().all(u8::is_ascii_digit)
    {
        if !found.has(Place::Iban) && is_iban_at(text, start) {
            found.add(Place::Iban);
        }
        return;
    }
    if found.has(Place::PersonName) {
        return;
    }
    let rest = &text[end..];
    let Some(next) = rest.strip_prefix(' ') else { return };
    if next.is_empty() {
        return;
    }
    let next_end = word_end(next, 0);
    if pair_of_names(word, &next[..next_end]) {
        found.add(Place::PersonName);
    }
}

/// Tries the groups that follow, for an IBAN is often written in fours.
fn is_iban_at(text: &str, start: usize) -> bool {
    let rest = cut(&text[start..], 42);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ' ';
    let run = rest.find(|c| !is_part(c)).map_or(rest, |end| &rest[..end]);
    let mut end = run.len();
    while end >= 15 {
        if registered_iban(&run[..end]) {
            return true;
        }
        end = run[..end].rfind(' ').unwrap_or(0);
    }
    false
}

/// Whether a text is long enough to hold something beside what it is.
pub(super) fn is_text(look: &Look<'_>, seen: &Sighting) -> bool {
    let is_something = seen.matched.has(Place::Email)
        || seen.matched.has(Place::Iban)
        || seen.matched.has(Place::Secret);
    // Digits in groups have spaces too.
    let has_words = look.letters + look.wide >= 6;
    !is_something && has_words && (look.spaces >= 2 || look.has_at || look.text.len() > 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, place: Place) -> bool {
        scan(text).has(place)
    }

    #[test]
    fn what_stands_in_a_sentence_is_found() {
        assert!(holds("please write to alice@example.com, she knows", Place::Email));
        assert!(holds("call back at +49 30 901820 tomorrow", Place::Phone));
        assert!(holds("call (555) 010-4567.", Place::Phone));
        assert!(holds("card 4111 1111 1111 1111 declined", Place::Card));
        assert!(holds("to DE89 3704 0044 0532 0130 00 by Friday", Place::Iban));
        assert!(holds("SSN 123-45-6789 on file", Place::NationalId));
        assert!(holds("spoke with Alice Johnson about it", Place::PersonName));
    }

    #[test]
    fn a_sentence_without_any_holds_none() {
        for text in [
            "A fast-paced story of a robot and a shark who must fight in the Alps",
            "order 4711 of 2021-01-02 10:00 shipped with 3 items at 19.99 each",
            "see section 4.2.1 and table 17 for 1024 x 768 pixels",
            "",
        ] {
            assert!(scan(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn marks_of_other_scripts_are_stepped_over_whole() {
        let text = "’“–×（、，Ünal É’s ©2020 Ⅷ…";
        for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(scan(&text[..end]).is_empty());
        }
    }

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
