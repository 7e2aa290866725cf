//! Tokens of the kind `format`: FF1 (NIST SP 800-38G, revision 1) with AES-256, in three shapes.
//!
//! The token has the length and the alphabet of the value, names no domain and carries no
//! checksum, so that any text of the same shape opens to something: whoever opens one looks it up
//! in the vault as well. This file knows no vault.
//!
//! | shape | what FF1 permutes | what stays |
//! |---|---|---|
//! | `card` | the digits but the last; the last becomes the correct check digit plus one | spaces, hyphens |
//! | `digits` | all ASCII digits, radix 10 | every other character |
//! | `alnum` | all ASCII letters and digits, radix 62, as one string | every other character |
//!
//! **Invariant:** each shape is a bijection between the values it accepts and their tokens. FF1 is
//! one on the symbols, and what is no symbol keeps its place. So two values never share a token.
//! In `digits` and `alnum` about one value in 10ⁿ is its own token, n its length; in `card` none.
//!
//! **Invariant:** a token of shape `card` is never a valid card number.
//!
//! FF1 works on big integers that it does not wipe: under `format`, copies of a value stay in freed
//! memory until that is used again.

use aes::Aes256;
use fpe::ff1::{FF1, FlexibleNumeralString};
use zeroize::Zeroizing;

use super::DomainId;
use crate::policy::FormatShape;

/// The most symbols that are permuted. A bound on work, which grows with the square of the length.
pub const SYMBOLS_MAX: usize = 1024;

/// Digits and letters, in the order of their value.
const ALPHABET: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The digits that a card number may have.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

/// Why a value can have no token of its column's kind. Carries nothing of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// `format` and its like need text in UTF-8.
    #[error("a `format` token can stand only for text in UTF-8")]
    NotText,
    /// Fewer than 10⁶ values have this shape, so the token would give the value away.
    #[error("value has fewer than the {min} letters or digits that its format needs")]
    TooShort {
        /// How many are needed.
        min: usize,
    },
    /// It has more symbols than are permuted.
    #[error("value has more than {SYMBOLS_MAX} letters or digits")]
    TooLong,
    /// Shape `card`, and it is none.
    #[error("value is not a card number of 12 to 19 digits with a correct check digit")]
    NotACard,
    /// The text is not a token of this shape.
    #[error("text is not a token of this format")]
    NotAToken,
    /// The body is not one that this kind of token has.
    #[error("token body is not of this column's kind")]
    Body,
    /// `random` tokens are drawn, not derived.
    #[error("a `random` token is drawn and cannot be derived")]
    NotDerived,
    /// `format` tokens need the format key of their domain.
    #[error("a `format` token cannot be derived without a format key")]
    NoFormatKey,
}

/// FF1 under one format key, for one shape and domain.
pub struct FormatCipher {
    ff1: FF1<Aes256>,
    shape: FormatShape,
    tweak: [u8; 4],
}

impl FormatCipher {
    /// Sets the cipher up. The tweak is the domain's number, big-endian.
    #[must_use]
    #[expect(clippy::expect_used, reason = "10 and 62 are radices that FF1 takes")]
    pub fn new(key: &[u8; 32], shape: FormatShape, domain: DomainId) -> Self {
        let ff1 = FF1::new(key, shape.radix()).expect("10 and 62 lie between 2 and 65536");
        Self { ff1, shape, tweak: domain.to_be_bytes() }
    }

    /// Makes the token of a value.
    ///
    /// # Errors
    ///
    /// Returns a [`Misfit`] where the value has not the shape, or too few values have it.
    pub fn tokenize(&self, value: &str) -> Result<String, Misfit> {
        self.through(value, Direction::Forth).map(|token| token.to_string())
    }

    /// Computes the value of a token.
    ///
    /// # Errors
    ///
    /// Returns [`Misfit::NotAToken`] where [`tokenize`](Self::tokenize) cannot have written it.
    pub fn recover(&self, token: &str) -> Result<Zeroizing<String>, Misfit> {
        self.through(token, Direction::Back).map_err(|_| Misfit::NotAToken)
    }

    fn through(&self, text: &str, direction: Direction) -> Result<Zeroizing<String>, Misfit> {
        let mut symbols = symbols_of(self.shape, text)?;
        if self.shape == FormatShape::Card {
            let check = symbols.pop().ok_or(Misfit::NotACard)?;
            if check != (check_digit(&symbols) + direction.shift_before()) % 10 {
                return Err(Misfit::NotACard);
            }
        }
        let mut symbols = self.permute(&symbols, direction)?;
        if self.shape == FormatShape::Card {
            let check = check_digit(&symbols);
            symbols.push((check + direction.shift_after()) % 10);
        }
        Ok(refill(self.shape, text, &symbols))
    }

    fn permute(
        &self,
        symbols: &[u16],
        direction: Direction,
    ) -> Result<Zeroizing<Vec<u16>>, Misfit> {
        let input = FlexibleNumeralString::from(symbols.to_vec());
        let output = match direction {
            Direction::Forth => self.ff1.encrypt(&self.tweak, &input),
            Direction::Back => self.ff1.decrypt(&self.tweak, &input),
        };
        // The length is checked before; a refusal here is FF1's own check of the same.
        let output = output.map_err(|_| Misfit::TooShort { min: self.shape.symbols_min() })?;
        Ok(Zeroizing::new(output.into()))
    }
}

/// Whether a text has the shape of the tokens: for `card` it shows, for the others it only fits.
pub(super) fn fits_as_token(shape: FormatShape, text: &str) -> bool {
    let Ok(symbols) = symbols_of(shape, text) else { return false };
    match (shape, symbols.split_last()) {
        (FormatShape::Card, Some((check, number))) => *check == (check_digit(number) + 1) % 10,
        (FormatShape::Card, None) => false,
        (FormatShape::Digits | FormatShape::Alnum, _) => true,
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forth,
    Back,
}

impl Direction {
    /// By how much the check digit that comes in is off: a card's is right, a token's is not.
    fn shift_before(self) -> u16 {
        match self {
            Self::Forth => 0,
            Self::Back => 1,
        }
    }

    /// By how much the one that goes out is.
    fn shift_after(self) -> u16 {
        match self {
            Self::Forth => 1,
            Self::Back => 0,
        }
    }
}

impl FormatShape {
    fn radix(self) -> u32 {
        match self {
            Self::Card | Self::Digits => 10,
            Self::Alnum => 62,
        }
    }

    /// SP 800-38G r1 asks for 10⁶ values: six digits, or four of 62 symbols.
    fn symbols_min(self) -> usize {
        match self {
            Self::Card => *CARD_DIGITS.start(),
            Self::Digits => 6,
            Self::Alnum => 4,
        }
    }

    fn symbol(self, character: char) -> Option<u16> {
        let byte = u8::try_from(character).ok()?;
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' if self == Self::Alnum => byte - b'a' + 10,
            b'A'..=b'Z' if self == Self::Alnum => byte - b'A' + 36,
            _ => return None,
        };
        Some(u16::from(value))
    }
}

/// Takes the symbols out of a text, and refuses it where it has not the shape.
fn symbols_of(shape: FormatShape, text: &str) -> Result<Zeroizing<Vec<u16>>, Misfit> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(text.len().min(SYMBOLS_MAX)));
    for character in text.chars() {
        match shape.symbol(character) {
            Some(_) if symbols.len() == SYMBOLS_MAX => return Err(Misfit::TooLong),
            Some(symbol) => symbols.push(symbol),
            None if shape == FormatShape::Card && !matches!(character, ' ' | '-') => {
                return Err(Misfit::NotACard);
            }
            None => {}
        }
    }
    if shape == FormatShape::Card && !CARD_DIGITS.contains(&symbols.len()) {
        return Err(Misfit::NotACard);
    }
    if symbols.len() < shape.symbols_min() {
        return Err(Misfit::TooShort { min: shape.symbols_min() });
    }
    Ok(symbols)
}

/// Writes the symbols where symbols stood; there are as many as the text has places.
fn refill(shape: FormatShape, text: &str, symbols: &[u16]) -> Zeroizing<String> {
    let mut filled = Zeroizing::new(String::with_capacity(text.len()));
    let mut symbols = symbols.iter();
    for character in text.chars() {
        let next = shape.symbol(character).and_then(|_| symbols.next());
        filled.push(next.map_or(character, |value| char::from(ALPHABET[usize::from(*value)])));
    }
    filled
}

/// The check digit that makes a card number of these digits valid (ISO/IEC 7812-1, Luhn).
fn check_digit(number: &[u16]) -> u16 {
    let sum: u16 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 if *digit > 4 => digit * 2 - 9,
            0 => digit * 2,
            _ => *digit,
        })
        .sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_iso_7812() {
        // 7992739871 is the example of the standard's many explanations; its check digit is 3.
        assert_eq!(check_digit(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1]), 3);
        assert_eq!(check_digit(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]), 1);
    }

    #[test]
    fn symbols_go_back_to_the_characters_they_came_from() {
        let text: String = ALPHABET.iter().copied().map(char::from).collect();
        let symbols = symbols_of(FormatShape::Alnum, &text).unwrap();
        assert_eq!(*symbols, (0..62).collect::<Vec<u16>>());
        assert_eq!(*refill(FormatShape::Alnum, &text, &symbols), text);
    }

    #[test]
    fn no_length_up_to_the_bound_makes_ff1_stumble() {
        // FF1 computes the width of its halves in floating point; this walks every width, with the
        // largest numbers that fit them.
        for (shape, top) in [(FormatShape::Digits, '9'), (FormatShape::Alnum, 'Z')] {
            let cipher = FormatCipher::new(&[3; 32], shape, DomainId(1));
            for length in shape.symbols_min()..=SYMBOLS_MAX {
                if length > 80 && length % 37 != 0 && length < SYMBOLS_MAX - 2 {
                    continue;
                }
                let value: String = std::iter::repeat_n(top, length).collect();
                let token = cipher.tokenize(&value).unwrap();
                assert_eq!(*cipher.recover(&token).unwrap(), value, "{length} of {shape:?}");
            }
        }
    }
}
