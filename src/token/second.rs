//! The derivation of tokens, written a second time, for verification only.
//!
//! Verification has to notice a mistake in [`derive`](super::keyed_bits), so it does not call it:
//! this file has its own encoder of the message, its own base32 and checksum (over `ring`), and it
//! decodes what it encoded and compares that with the value. Give it a [`KeyedMac`] over another
//! HMAC than the one that made the tokens. Nothing but verification uses this file.
//!
//! What it shares with the first: Unicode's tables (`nfc`, `casefold`) and FF1, which it checks by
//! running it backwards.

use std::ops::Deref;

use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::{DomainId, KeyedMac, Misfit, TokenBody, Treatment};
use crate::{
    policy::{Normalise, TokenKind},
    value::{Original, ValueType},
};

const LABEL: &str = "sealift/v1/token";
/// Where the length of the value ends; on a machine with short lengths it ends in zeros.
const LENGTH_END: usize = 38;
const CHECKSUM_LABEL: &str = "sealift/v1/token-check";
const SYMBOLS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why the second derivation gave no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecondError {
    /// What was encoded does not decode to the value: this build must not verify anything.
    #[error("an encoded value did not decode to what it was")]
    Encoding,
    /// A `format` token does not open to the value it was made of.
    #[error("a `format` token did not open to what it was made of")]
    Format,
    /// The value can have no such token.
    #[error("a value does not fit its kind of token")]
    Misfit(#[source] Misfit),
}

/// Derives the body of a value's token as [`Treatment::derive`] has to.
///
/// # Errors
///
/// Returns [`SecondError`]; the tokens of the column are then not verified.
pub fn derive(
    treatment: &Treatment,
    mac: &(impl KeyedMac + ?Sized),
    format_key: Option<&[u8; 32]>,
    original: &Original,
) -> Result<TokenBody, SecondError> {
    Message::default().derive(treatment, mac, format_key, original)
}

/// The message whose MAC is the token of a value, in memory that is used again for the next value.
/// Wiped when dropped, and where it has to grow.
#[derive(Default)]
pub struct Message(Zeroizing<Vec<u8>>);

impl Message {
    /// As [`derive`](fn@derive), value by value without asking for memory.
    ///
    /// # Errors
    ///
    /// As [`derive`](fn@derive).
    pub fn derive(
        &mut self,
        treatment: &Treatment,
        mac: &(impl KeyedMac + ?Sized),
        format_key: Option<&[u8; 32]>,
        original: &Original,
    ) -> Result<TokenBody, SecondError> {
        match treatment.kind() {
            TokenKind::Keyed => self.keyed(treatment, mac, original).map(TokenBody::from),
            TokenKind::Uuid => {
                self.keyed(treatment, mac, original).map(|bits| TokenBody::new(&uuid_bytes(bits)))
            }
            TokenKind::Format => format(treatment, mac, format_key, original),
            TokenKind::Random => Err(SecondError::Misfit(Misfit::NotDerived)),
        }
    }

    /// Encodes the message of a value, and checks that it decodes to the value.
    ///
    /// # Errors
    ///
    /// Returns [`SecondError::Encoding`] where it does not.
    pub fn encode_checked(
        &mut self,
        domain: DomainId,
        rule: Normalise,
        original: &Original,
    ) -> Result<&[u8], SecondError> {
        let value = normal_form(rule, original);
        self.encode(domain, rule, original.kind(), &value);
        let decoded = decode(&self.0).ok_or(SecondError::Encoding)?;
        // Without a rule the encoding has to hold the original itself, byte for byte.
        let meant: &[u8] = if rule == Normalise::None { original.expose() } else { &value };
        let faithful = decoded.label == LABEL.as_bytes()
            && decoded.domain == domain.0
            && decoded.rule == rule.code()
            && decoded.kind == original.kind()
            && decoded.value == meant;
        if faithful { Ok(&self.0) } else { Err(SecondError::Encoding) }
    }

    fn keyed(
        &mut self,
        treatment: &Treatment,
        mac: &(impl KeyedMac + ?Sized),
        original: &Original,
    ) -> Result<[u8; 16], SecondError> {
        let message = self.encode_checked(treatment.domain(), treatment.normalise(), original)?;
        let hash = mac.mac(&[message]);
        hash[..16].try_into().map_err(|_| SecondError::Encoding)
    }

    fn encode(&mut self, domain: DomainId, rule: Normalise, kind: ValueType, value: &[u8]) {
        let [high, low] = domain.0.to_be_bytes();
        let room = LABEL.len() + value.len() + 22;
        if self.0.capacity() < room {
            // Memory that grew by itself would be left as it is where it was.
            self.0 = Zeroizing::new(Vec::with_capacity(room));
        }
        let message = &mut *self.0;
        message.clear();
        message.extend_from_slice(&[16, 0]);
        message.extend_from_slice(LABEL.as_bytes());
        message.extend_from_slice(&[4, 0, 0, 0, high, low]);
        message.extend_from_slice(&[1, 0, rule.code()]);
        message.extend_from_slice(&[1, 0, kind.code()]);
        message.extend_from_slice(&value.len().to_le_bytes());
        message.resize(LENGTH_END, 0);
        message.extend_from_slice(value);
    }
}

/// A `format` token opens by itself, so it is shown to open to its value.
fn format(
    treatment: &Treatment,
    mac: &(impl KeyedMac + ?Sized),
    format_key: Option<&[u8; 32]>,
    original: &Original,
) -> Result<TokenBody, SecondError> {
    let body = treatment.derive(mac, format_key, original).map_err(SecondError::Misfit)?;
    let key = format_key.ok_or(SecondError::Misfit(Misfit::NoFormatKey))?;
    let opened = treatment.recover(key, &body).map_err(SecondError::Misfit)?;
    let meant = normal_form(treatment.normalise(), original);
    if *opened.expose() == *meant { Ok(body) } else { Err(SecondError::Format) }
}

/// Writes a token's text; `kind` is its letter.
#[must_use]
pub fn token_text(kind: char, domain: DomainId, body: [u8; 16]) -> String {
    let mut letter = [0; 4];
    let letter = kind.encode_utf8(&mut letter).as_bytes()[0];
    token_signs(letter, domain, body).into_iter().map(char::from).collect()
}

/// The same, sign by sign.
#[must_use]
pub fn token_signs(kind: u8, domain: DomainId, body: [u8; 16]) -> [u8; 35] {
    let domain = u64::from(domain.0);
    // What is hashed lies in one piece: the label, then the text as far as it has no checksum.
    let mut labelled = [0; CHECKSUM_LABEL.len() + 33];
    let (label, text) = labelled.split_at_mut(CHECKSUM_LABEL.len());
    label.copy_from_slice(CHECKSUM_LABEL.as_bytes());
    text.copy_from_slice(b"sl?000_00000000000000000000000000");
    text[2] = kind;
    for (sign, bits) in text[3..6].iter_mut().zip([domain >> 10, domain >> 5, domain]) {
        *sign = symbol(bits);
    }
    // Five bytes are eight signs, three times; the last byte is one sign and three bits.
    for (signs, bytes) in text[7..31].chunks_exact_mut(8).zip(body.chunks_exact(5)) {
        let bits = bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte));
        for (sign, place) in signs.iter_mut().zip(0..) {
            *sign = symbol(bits >> (35 - 5 * place));
        }
    }
    let last = u64::from(body[15]);
    text[31] = symbol(last >> 3);
    text[32] = symbol(last << 2);

    let mut whole = [0; 35];
    whole[..33].copy_from_slice(text);
    let hash = digest(&SHA256, &labelled);
    let bits = hash.as_ref().iter().take(2).fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    whole[33] = symbol(bits >> 11);
    whole[34] = symbol(bits >> 6);
    whole
}

/// The symbol of the lowest five bits.
fn symbol(bits: u64) -> u8 {
    SYMBOLS[(bits % 32) as usize]
}

/// Moves the keyed bits byte by byte where the first derivation shifts one big number.
fn uuid_bytes(bits: [u8; 16]) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid[..6].copy_from_slice(&bits[..6]);
    uuid[6] = 0x80 | bits[6] >> 4;
    uuid[7] = bits[6] << 4 | bits[7] >> 4;
    // From bit 60 on six bits fill the byte of the variant, then all is six bits early.
    uuid[8] = 0x80 | (bits[7] & 0x0f) << 2 | bits[8] >> 6;
    for at in 9..16 {
        uuid[at] = bits[at - 1] << 2 | bits[at] >> 6;
    }
    uuid
}

/// What is left of a value by a rule: part of the value itself, or bytes of its own, which are wiped.
enum Normal<'o> {
    Within(&'o [u8]),
    Made(Zeroizing<Vec<u8>>),
}

impl Deref for Normal<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Within(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

fn normal_form(rule: Normalise, original: &Original) -> Normal<'_> {
    let bytes = original.expose();
    // Whether it is text at all is asked by rules only.
    let text = if rule == Normalise::None { None } else { original.as_text() };
    let Some(text) = text else { return Normal::Within(bytes) };
    match rule {
        Normalise::None => Normal::Within(bytes),
        Normalise::Digits => {
            let mut digits = Zeroizing::new(bytes.to_vec());
            digits.retain(|byte| (48..58).contains(byte));
            Normal::Made(digits)
        }
        Normalise::Trim => Normal::Within(text.trim_matches(char::is_whitespace).as_bytes()),
        Normalise::Nfc | Normalise::Casefold => Normal::Made(super::normalise(rule, original)),
    }
}

struct Decoded<'m> {
    label: &'m [u8],
    domain: u16,
    rule: u8,
    kind: ValueType,
    value: &'m [u8],
}

/// Reads a message field by field; `None` where a length does not add up.
fn decode(message: &[u8]) -> Option<Decoded<'_>> {
    let mut rest = message;
    let mut short = || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (field, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
        rest = after;
        Some(field)
    };
    let (label, domain, rule, kind) = (short()?, short()?, short()?, short()?);
    let (length, value) = rest.split_first_chunk::<8>()?;
    let domain = u32::from_be_bytes(domain.try_into().ok()?);
    let ([rule], [kind]) = (rule, kind) else { return None };
    (u64::from_le_bytes(*length) == value.len() as u64).then_some(Decoded {
        label,
        domain: u16::try_from(domain).ok()?,
        rule: *rule,
        kind: ValueType::from_code(*kind)?,
        value,
    })
}
