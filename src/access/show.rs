//! The forms: how much of an original a purpose lets through.
//!
//! It knows no policy and no caller; it is told the form. `docs/ACCESS.md` has the table form ×
//! type with an example for each, and a test compares them.
//!
//! **Invariant:** what is left out is not there: a form is made of the characters that it shows
//! and of stars, never of the original with something drawn over it.

use std::fmt::{self, Write as _};

use zeroize::Zeroizing;

use crate::policy::Form;
use crate::value::{Original, ValueType};

/// How many characters `last4` shows, and of how many none.
const LAST: usize = 4;
/// Stands for a part whose length is not shown.
const HIDDEN: &str = "***";
/// Longer than any 64-bit number in decimal: the string never grows, so no copy is left behind.
const DECIMAL_CHARS_MAX: usize = 400;

/// What a caller gets to see. Cannot print or clone; wiped from memory when dropped.
pub enum Shown {
    /// The value itself, with its type.
    Whole(Original),
    /// A text that holds less than the value.
    Part(Zeroizing<String>),
}

impl Shown {
    /// The text that people and programs get: numbers in decimal, a real as one (`7.0`, not `7`);
    /// `None` where the value is bytes that are no text.
    #[must_use]
    pub fn text(&self) -> Option<Zeroizing<String>> {
        let original = match self {
            Self::Part(text) => return Some(text.clone()),
            Self::Whole(original) => original,
        };
        original
            .as_text()
            .map(str::to_owned)
            .or_else(|| original.as_integer().map(|number| number.to_string()))
            .or_else(|| original.as_real().map(|number| format!("{number:?}")))
            .map(Zeroizing::new)
    }

    /// The bytes of a value that is no text, in base64.
    #[must_use]
    pub fn base64(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Whole(original) if self.text().is_none() => {
                Some(Zeroizing::new(data_encoding::BASE64.encode(original.expose())))
            }
            Self::Whole(_) | Self::Part(_) => None,
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Shown::Whole(..)",
            Self::Part(_) => "Shown::Part(..)",
        })
    }
}

/// Shows `original` in `form`; `None` where it cannot be shown so, which is then refused.
#[must_use]
pub fn show(form: Form, original: &Original) -> Option<Shown> {
    match form {
        Form::Plain => Some(Shown::Whole(original.duplicate())),
        Form::Last4 => part(original, last4),
        Form::Masked => part(original, masked),
        Form::Match => None,
    }
}

/// What a text looks like. The look decides what may show, not the column's class: a column of
/// addresses holds other things too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// A number of ours, in decimal.
    Number,
    /// `alice@example.com`.
    Email,
    /// `1980-05-17`, `17.05.1980`, `5/17/1980 08:30`.
    Date,
    /// Digits with `+`, `-`, `.`, `/`, `(`, `)` and spaces between them.
    Digits,
    /// Everything else.
    Words,
}

/// Applies `reduce` to the text of a value; `None` where it has no characters to choose from.
fn part(original: &Original, reduce: fn(&str, Look) -> Zeroizing<String>) -> Option<Shown> {
    match original.kind() {
        ValueType::Text => original.as_text().map(|text| Shown::Part(reduce(text, look_of(text)))),
        ValueType::Integer => {
            let text = decimal(original.as_integer()?)?;
            Some(Shown::Part(reduce(&text, Look::Number)))
        }
        ValueType::Real => {
            let text = decimal(original.as_real()?)?;
            Some(Shown::Part(reduce(&text, Look::Number)))
        }
        ValueType::Blob => None,
    }
}

fn decimal(number: impl fmt::Display) -> Option<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::with_capacity(DECIMAL_CHARS_MAX));
    write!(text, "{number}").ok()?;
    Some(text)
}

fn last4(text: &str, look: Look) -> Zeroizing<String> {
    let length = text.chars().count();
    // The sign and the point of a number are not worth counting: -1234 would show as *1234.
    let counted = match look {
        Look::Number => digits_in(text),
        Look::Email | Look::Date | Look::Digits | Look::Words => length,
    };
    let first_shown = if counted > LAST { length - LAST } else { length };
    starred(text, |at, _| at >= first_shown)
}

fn masked(text: &str, look: Look) -> Zeroizing<String> {
    match look {
        Look::Email => masked_email(text),
        // Not even the first digit: it is the day's in some countries and tells nothing in others.
        Look::Date => starred(text, |_, each| !each.is_ascii_digit()),
        Look::Digits | Look::Number => {
            let shows_first = digits_in(text) > 1;
            starred(text, |at, each| !each.is_alphanumeric() || (at == 0 && shows_first))
        }
        Look::Words => {
            let shows_first = text.chars().nth(1).is_some();
            starred(text, |at, _| at == 0 && shows_first)
        }
    }
}

/// Shows the first character of the local part and the last label of the domain.
fn masked_email(text: &str) -> Zeroizing<String> {
    let (local, host) = text.split_once('@').unwrap_or((text, ""));
    let label = host.rsplit_once('.').map_or("", |(_, label)| label);
    let mut shown = Zeroizing::new(String::with_capacity(text.len() + 2 * HIDDEN.len()));
    let mut letters = local.chars();
    if let (Some(first), Some(_)) = (letters.next(), letters.next()) {
        shown.push(first);
    }
    for piece in [HIDDEN, "@", HIDDEN, ".", label] {
        shown.push_str(piece);
    }
    shown
}

/// Writes a star for each character that `keeps` does not name by its place and itself.
fn starred(text: &str, keeps: impl Fn(usize, char) -> bool) -> Zeroizing<String> {
    // A star is never longer than what it stands for, so the string does not grow.
    let mut shown = Zeroizing::new(String::with_capacity(text.len()));
    for (at, each) in text.chars().enumerate() {
        shown.push(if keeps(at, each) { each } else { '*' });
    }
    shown
}

fn look_of(text: &str) -> Look {
    if is_email(text) {
        Look::Email
    } else if is_date(text) {
        Look::Date
    } else if is_digits(text) {
        Look::Digits
    } else {
        Look::Words
    }
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.split_once('@') else { return false };
    let Some((rest, label)) = host.rsplit_once('.') else { return false };
    !local.is_empty()
        && !rest.is_empty()
        && label.chars().count() > 1
        && label.chars().all(char::is_alphabetic)
        && !text.chars().any(|each| each.is_whitespace() || each.is_control())
        && !host.contains('@')
}

fn is_date(text: &str) -> bool {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let Some(separator) = date.chars().find(|each| matches!(each, '-' | '/' | '.')) else {
        return false;
    };
    let mut parts = date.split(separator);
    let lengths = [parts.next(), parts.next(), parts.next()].map(|part| {
        part.filter(|part| part.bytes().all(|each| each.is_ascii_digit())).map_or(0, str::len)
    });
    parts.next().is_none()
        && matches!(lengths, [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 2 | 4])
        && time
            .bytes()
            .all(|each| each.is_ascii_digit() || matches!(each, b':' | b'.' | b'+' | b'-' | b'Z'))
}

fn is_digits(text: &str) -> bool {
    digits_in(text) > 0
        && text.chars().all(|each| {
            each.is_ascii_digit() || matches!(each, '+' | '-' | '.' | '/' | '(' | ')' | ' ')
        })
}

fn digits_in(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}
