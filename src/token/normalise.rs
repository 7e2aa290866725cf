//! Normal forms: what makes two values of a domain equal before a token is derived.
//!
//! It does not know whether a policy accepts that values with one normal form become one.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::{policy::Normalise, value::Original};

/// Brings a value into its normal form. Only text in UTF-8 has one; all else stays as it is.
#[must_use]
pub fn normalise(rule: Normalise, original: &Original) -> Zeroizing<Vec<u8>> {
    let Some(text) = original.as_text() else {
        return Zeroizing::new(original.expose().to_vec());
    };
    match rule {
        Normalise::None => Zeroizing::new(text.as_bytes().to_vec()),
        Normalise::Nfc => collect(text.nfc()),
        Normalise::Casefold => casefold(text),
        Normalise::Trim => Zeroizing::new(text.trim().as_bytes().to_vec()),
        Normalise::Digits => collect(text.chars().filter(char::is_ascii_digit)),
    }
}

/// The version of the Unicode tables behind `nfc` and `casefold`, for the report.
///
/// A later version may give newly assigned characters another form, and so another token.
#[must_use]
pub fn unicode_version() -> String {
    let (major, minor, patch) = unicode_normalization::UNICODE_VERSION;
    format!("{major}.{minor}.{patch}")
}

/// NFC of the lowercase of NFC. The lowercase is Unicode's own, in which a capital sigma at the
/// end of a word becomes a final one.
fn casefold(text: &str) -> Zeroizing<Vec<u8>> {
    if text.is_ascii() {
        return Zeroizing::new(text.as_bytes().to_ascii_lowercase());
    }
    let composed = collect(text.nfc());
    let lower = Zeroizing::new(String::from_utf8_lossy(&composed).to_lowercase());
    collect(lower.nfc())
}

/// Counts first, then writes, so that a growing buffer leaves no copies of the value behind.
fn collect(characters: impl Iterator<Item = char> + Clone) -> Zeroizing<Vec<u8>> {
    let length = characters.clone().map(char::len_utf8).sum();
    let mut bytes = Zeroizing::new(Vec::with_capacity(length));
    for character in characters {
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(rule: Normalise, text: &str) -> String {
        String::from_utf8(normalise(rule, &Original::text(text)).to_vec()).unwrap()
    }

    #[test]
    fn each_rule_merges_what_it_says_and_no_more() {
        assert_eq!(normal(Normalise::None, " e\u{301} "), " e\u{301} ");
        assert_eq!(normal(Normalise::Nfc, " e\u{301}E "), " \u{e9}E ");
        assert_eq!(normal(Normalise::Casefold, " E\u{301}x "), " \u{e9}x ");
        assert_eq!(normal(Normalise::Casefold, "ALICE@Example.COM"), "alice@example.com");
        assert_eq!(normal(Normalise::Trim, "\u{a0}\tA b\n"), "A b");
        assert_eq!(normal(Normalise::Digits, "+49 (30) 12-34"), "49301234");
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form() {
        for text in ["İstanbul", "ΟΔΟΣ ", "ſ\u{323}\u{307}", " \u{1e9b}\u{323}", "Ǆ", "12 a"]
        {
            for rule in [
                Normalise::None,
                Normalise::Nfc,
                Normalise::Casefold,
                Normalise::Trim,
                Normalise::Digits,
            ] {
                let once = normal(rule, text);
                assert_eq!(normal(rule, &once), once, "{rule:?} of {text}");
            }
        }
    }

    #[test]
    fn only_text_has_a_normal_form() {
        let blob = Original::new(crate::value::ValueType::Blob, b" A ".to_vec());
        assert_eq!(*normalise(Normalise::Trim, &blob), b" A ");
        let broken = Original::new(crate::value::ValueType::Text, b" \xff ".to_vec());
        assert_eq!(*normalise(Normalise::Trim, &broken), b" \xff ");
        assert_eq!(*normalise(Normalise::Digits, &Original::integer(7)), 7_i64.to_be_bytes());
    }
}
