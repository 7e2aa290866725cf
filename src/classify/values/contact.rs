//! E-mail addresses and telephone numbers.

use super::{Look, Sighting};
use crate::classify::kind::Place;

/// Whether a whole text is an e-mail address: one `@`, a local part, a domain with a dot.
pub(super) fn is_email(text: &str) -> bool {
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    // `Alice Example <alice@example.com>`
    let text = match (text.rfind('<'), text.strip_suffix('>')) {
        (Some(at), Some(inner)) => &inner[at + 1..],
        _ => text,
    };
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    is_local(local.as_bytes()) && is_domain(domain.as_bytes())
}

fn is_local(local: &[u8]) -> bool {
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"!#$%&'*+/=?^_`{|}~.-".contains(byte)
    };
    (1..=64).contains(&local.len()) && local.iter().all(plain) && local[0] != b'.'
}

fn is_domain(domain: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || b".-".contains(byte);
    let Some(dot) = domain.iter().rposition(|byte| *byte == b'.') else { return false };
    let top = &domain[dot + 1..];
    domain.len() <= 255
        && domain.iter().all(plain)
        && dot > 0
        && !domain.starts_with(b".")
        && !domain.windows(2).any(|pair| pair == b"..")
        && top.len() >= 2
        && top.iter().all(|byte| !byte.is_ascii_digit())
}

/// The bytes around an `@` within a longer text that make an e-mail address.
pub(in crate::classify) fn email_within(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let before = bytes[..at].iter().rev().take_while(|byte| is_part(byte)).count();
    let after = bytes[at + 1..].iter().take_while(|byte| is_part(byte)).count();
    let domain = &bytes[at + 1..at + 1 + after];
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    before > 0 && is_domain(domain)
}

/// A telephone number: by its international prefix or by how its digits are grouped.
///
/// Digits alone are only plausible: so are order numbers.
pub(super) fn recognise_phone(look: &Look<'_>, seen: &mut Sighting) {
    if !(5..=20).contains(&look.digits) || look.text.len() > 40 || look.wide > 0 {
        return;
    }
    let text = without_extension(look.text);
    let bytes = text.as_bytes();
    let digits = bytes.iter().copied().filter(u8::is_ascii_digit).count();
    let allowed = |byte: &u8| byte.is_ascii_digit() || b"+-.()/ \t".contains(byte);
    if !(5..=15).contains(&digits)
        || !bytes.iter().all(allowed)
        || seen.day.is_some_and(super::Day::is_written)
    {
        return;
    }
    if seen.matched.has(Place::Ip) {
        return;
    }
    // A decimal point is no separator: `512.25`, `-0.1278`.
    let separators = bytes.iter().filter(|byte| b" -/.()".contains(byte)).count();
    let is_decimal = look.dots == 1 && separators == 1 || bytes[0] == b'-' || bytes[0] == b'.';
    if is_decimal {
        return;
    }
    seen.may_be(Place::Phone);
    seen.is_bare_phone = is_bare(bytes);
    let is_international = bytes[0] == b'+' && (7..=15).contains(&digits);
    if is_international || is_grouped(text, digits) || text.starts_with("tel:") {
        seen.is(Place::Phone);
    }
}

/// Digits alone with a trunk prefix, or a Chinese mobile number.
fn is_bare(bytes: &[u8]) -> bool {
    let is_number = bytes.iter().all(u8::is_ascii_digit);
    is_number
        && match bytes.len() {
            10 => bytes[0] == b'0' && bytes[1] != b'0',
            11 => {
                bytes[0] == b'0' && bytes[1] != b'0'
                    || bytes[0] == b'1' && (b'3'..=b'9').contains(&bytes[1])
            }
            _ => false,
        }
}

/// Cuts off `x123`, `ext. 123`.
fn without_extension(text: &str) -> &str {
    let cut = text.find(['x', '#']).or_else(|| text.find("ext"));
    let cut = cut.filter(|at| text[at + 1..].bytes().any(|byte| byte.is_ascii_digit()));
    let text = cut.map_or(text, |at| &text[..at]);
    text.trim_end_matches([' ', ',', 'e', '.'])
}

/// Whether digits stand in groups as people write telephone numbers.
fn is_grouped(text: &str, digits: usize) -> bool {
    if !(7..=14).contains(&digits) {
        return false;
    }
    let mut lengths = [0_usize; 8];
    let mut groups = 0;
    for group in text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()) {
        if groups == lengths.len() {
            return false;
        }
        lengths[groups] = group.len();
        groups += 1;
    }
    let lengths = &lengths[..groups];
    let has_parentheses = text.contains('(') && text.contains(')');
    let zero_first = text.starts_with('0') || text.starts_with("(0");
    match lengths {
        // (555) 010-4567, 555-010-4567, 555.010.4567, with 1 or 001 before it; 35 21 74 03;
        // 090-1234-5678; 8 800 555 35 35
        [3, 3, 4] | [1..=3, 3, 3, 4] | [2, 2, 2, 2] | [2 | 3, 4, 4] | [1, 3, 3, 2, 2] => true,
        [3, 3 | 4] => has_parentheses,
        // 06 12 34 56 78
        [2, 2, 2, 2, 2] => zero_first,
        // 030 1234567, 0171-1234567, (0221) 998877, 020 7946 0018, 0471 12 34 56
        [2..=5, rest @ ..] if zero_first || has_parentheses => {
            rest.iter().all(|length| (2..=8).contains(length)) && groups <= 6 && digits >= 9
        }
        // 600 123 456
        [3, 3, 3] => text.starts_with(['5', '6', '7', '8', '9']),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::values::recognise;

    #[test]
    fn addresses_are_recognised_and_near_misses_are_not() {
        for text in [
            "alice@example.com",
            "a.b+tag@mail.example.co.uk",
            "Alice Example <alice@example.com>",
            "mailto:bob@example.org",
            "用户@例子.广告",
        ] {
            assert!(is_email(text), "{text}");
        }
        for text in [
            "alice@",
            "@example.com",
            "alice@example",
            "a b@c",
            "git@host:repo",
            "x@1.2",
            "a@b..com",
        ] {
            assert!(!is_email(text), "{text}");
        }
    }

    fn phone(text: &str) -> bool {
        recognise(&Look::at(text)).matched.has(Place::Phone)
    }

    #[test]
    fn numbers_written_as_telephone_numbers_are_recognised() {
        for text in [
            "+49 30 901820",
            "+1 (555) 010-4567",
            "(555) 010-4567",
            "555-010-4567",
            "555.010.4567",
            "001-555-010-4567x123",
            "(020) 7946 0018",
            "06 12 34 56 78",
            "030 1234567",
            "+55 (12) 3923-5555",
            "090-1234-5678",
        ] {
            assert!(phone(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_telephone_numbers() {
        for text in [
            "2021-01-02",
            "2021-01-02 10:00:00",
            "01.02.2020",
            "4711",
            "12345678",
            "192.168.0.1",
            "512.25",
            "-0.127758",
            "978-3-16-148410-0",
            "4111111111111111",
            "1.234.567",
            "550e8400-e29b",
            "12:30:00",
            "1700000000",
        ] {
            assert!(!phone(text), "{text}");
        }
    }
}
