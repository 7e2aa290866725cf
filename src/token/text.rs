//! The text of `keyed` and `random` tokens: one grammar, strict both ways.
//!
//! It knows no key and no vault, so it can say that a text is a token, not that it opens.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{DomainId, TokenBody};
use crate::{
    policy::TokenKind,
    value::base32::{self, SYMBOLS},
};

/// What every token begins with.
const PREFIX: &str = "sl";

/// Bound into the checksum, so that ten bits of some other hash never pass for it.
const CHECKSUM_LABEL: &[u8] = b"sealift/v1/token-check";

/// Symbols of base32 that sixteen bytes take.
const BODY_CHARS: usize = 26;

/// How long a token is, in characters and in bytes.
pub const TOKEN_CHARS: usize = 35;

/// A regular expression that every token matches, for scanners, fences and DLP rules.
///
/// Not anchored. It does not see the checksum: of texts that match by chance, [`Token::parse`]
/// refuses 1023 in 1024.
pub const PATTERN: &str =
    "sl[kr][0-9a-hjkmnp-tv-z]{3}_[0-9a-hjkmnp-tv-z]{25}[048cgmrw][0-9a-hjkmnp-tv-z]{2}";

/// One symbol of the alphabet, in the language of `GLOB`.
const GLOB_SYMBOL: &str = "[0-9a-hjkmnp-tv-z]";

/// A pattern for SQLite's `GLOB` that every token of one kind and domain matches.
///
/// A filter that saves reading, not a decision: that is [`Token::parse`]'s.
#[must_use]
pub fn sqlite_glob(kind: TextKind, domain: DomainId) -> String {
    format!("{}{}", head(kind, domain), GLOB_SYMBOL.repeat(BODY_CHARS + 2))
}

/// The kinds of token that are written in this grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TextKind {
    /// Derived from the value under the domain's token key.
    Keyed,
    /// Drawn.
    Random,
}

impl TextKind {
    /// The letter after the prefix.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Keyed => 'k',
            Self::Random => 'r',
        }
    }

    fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'k' => Some(Self::Keyed),
            b'r' => Some(Self::Random),
            _ => None,
        }
    }
}

impl From<TextKind> for TokenKind {
    fn from(kind: TextKind) -> Self {
        match kind {
            TextKind::Keyed => Self::Keyed,
            TextKind::Random => Self::Random,
        }
    }
}

/// A `keyed` or a `random` token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Whether it was derived or drawn.
    pub kind: TextKind,
    /// The domain it belongs to.
    pub domain: DomainId,
    body: [u8; 16],
}

/// Why a text is not a token. Carries nothing of the text: it may be an original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It has not the length of a token.
    #[error("a token has {TOKEN_CHARS} characters")]
    Length,
    /// It does not begin as tokens do, or lacks the underscore.
    #[error("a token begins with `slk` or `slr`, a domain code and an underscore")]
    Head,
    /// The domain code names no domain.
    #[error("the domain code of the token names no domain")]
    Domain,
    /// The body is not canonical lowercase base32.
    #[error("the body of the token is not lowercase base32")]
    Body,
    /// The last two characters do not follow from the others.
    #[error("the checksum of the token is wrong")]
    Checksum,
}

impl Token {
    /// Puts a token together.
    #[must_use]
    pub fn new(kind: TextKind, domain: DomainId, body: [u8; 16]) -> Self {
        Self { kind, domain, body }
    }

    /// The bytes by which the vault keys the entry.
    #[must_use]
    pub fn body(&self) -> TokenBody {
        self.body.into()
    }

    /// Reads a token; accepts exactly what `Display` writes.
    ///
    /// # Errors
    ///
    /// Returns [`TokenError`], which says what is wrong and repeats nothing of the text.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if text.len() != TOKEN_CHARS || !text.is_ascii() {
            return Err(TokenError::Length);
        }
        let (checked, checksum) = text.split_at(TOKEN_CHARS - 2);
        let (head, body) = checked.split_at(TOKEN_CHARS - 2 - BODY_CHARS);
        let rest = head.strip_prefix(PREFIX).ok_or(TokenError::Head)?;
        let kind = TextKind::from_letter(rest.as_bytes()[0]).ok_or(TokenError::Head)?;
        let code = rest[1..].strip_suffix('_').ok_or(TokenError::Head)?;
        let domain = DomainId::from_code(code).ok_or(TokenError::Domain)?;
        let body = base32::decode(body).map_err(|_| TokenError::Body)?;
        let body = body.as_slice().try_into().map_err(|_| TokenError::Body)?;
        if !checksum.chars().eq(checksum_of(checked)) {
            return Err(TokenError::Checksum);
        }
        Ok(Self { kind, domain, body })
    }
}

/// Whether there is something in a text that looks like a token, whether or not it is one: its
/// checksum may be wrong, its letters may be capitals.
#[must_use]
pub fn has_token_shape(text: &str) -> bool {
    const HEAD_CHARS: usize = TOKEN_CHARS - 2 - BODY_CHARS;

    text.as_bytes().windows(TOKEN_CHARS).any(|window| {
        let (head, rest) = window.split_at(HEAD_CHARS);
        head[..2].eq_ignore_ascii_case(b"sl")
            && head[HEAD_CHARS - 1] == b'_'
            && head[2..HEAD_CHARS - 1].iter().chain(rest).all(u8::is_ascii_alphanumeric)
    })
}

impl Token {
    /// The token as it is written: what `Display` shows, without the way through a formatter.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(TOKEN_CHARS);
        text.push_str(PREFIX);
        text.push(self.kind.letter());
        text.extend(self.domain.symbols());
        text.push('_');
        base32::append(&self.body, &mut text);
        text.extend(checksum_of(&text));
        text
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

fn head(kind: TextKind, domain: DomainId) -> String {
    format!("{PREFIX}{}{}_", kind.letter(), domain.code())
}

/// Ten bits against slips of the pen. Not a MAC: whether a token opens, only the vault can say.
fn checksum_of(text: &str) -> [char; 2] {
    let hash = Sha256::new().chain_update(CHECKSUM_LABEL).chain_update(text).finalize();
    let bits = u16::from_be_bytes([hash[0], hash[1]]) >> 6;
    [bits >> 5, bits & 31].map(|value| char::from(SYMBOLS.as_bytes()[usize::from(value)]))
}
