//! The secrets that people keep instead of remembering: the recovery code and the key file.
//!
//! Both are random and open a slot of their own (see `slot.rs`). This file knows how they are
//! written, and no file system.

use std::fmt;

use data_encoding::HEXLOWER;
use rand::CryptoRng;
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::fields::Fields;
use crate::value::base32;

const CODE_BYTES: usize = 23;
const CHECK_BYTES: usize = 2;
const GROUP_SYMBOLS: usize = 5;
const CHECK_LABEL: &str = "sealift/v1/recovery-code";
const KEY_FILE_BYTES: usize = 32;

/// A recovery code: 184 random bits that open a vault when the passphrase is lost.
///
/// Written as eight groups of five symbols, `xxxxx-xxxxx-…`; the last two bytes are a checksum, so
/// that a mistyped code is told from a wrong one.
pub struct RecoveryCode(SecretBox<[u8; CODE_BYTES]>);

/// The text is not a recovery code. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryCodeError {
    /// Not forty symbols of the alphabet.
    #[error("a recovery code is 40 letters and digits in groups of five")]
    Malformed,
    /// The checksum does not fit: at least one symbol is not the one that was printed.
    #[error("recovery code has a wrong symbol: its checksum does not fit")]
    Checksum,
}

impl RecoveryCode {
    /// Draws a new code.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; CODE_BYTES]| rng.fill_bytes(bytes)))
    }

    /// Reads a code as a person types it: any case, with or without hyphens and white space,
    /// `o` for zero, `i` or `l` for one.
    ///
    /// # Errors
    ///
    /// Returns [`RecoveryCodeError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, RecoveryCodeError> {
        let mut plain = Zeroizing::new(String::with_capacity(text.len()));
        for symbol in text.chars().filter(|symbol| *symbol != '-' && !symbol.is_whitespace()) {
            plain.push(match symbol.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            });
        }
        let bytes =
            Zeroizing::new(base32::decode(&plain).map_err(|_| RecoveryCodeError::Malformed)?);
        let (code, check) =
            bytes.split_first_chunk::<CODE_BYTES>().ok_or(RecoveryCodeError::Malformed)?;
        if check.len() != CHECK_BYTES {
            return Err(RecoveryCodeError::Malformed);
        }
        if !bool::from(checksum(code).as_slice().ct_eq(check)) {
            return Err(RecoveryCodeError::Checksum);
        }
        Ok(Self(SecretBox::init_with_mut(|bytes: &mut [u8; CODE_BYTES]| *bytes = *code)))
    }

    /// Writes the code, for the one time that it is shown.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; CODE_BYTES + CHECK_BYTES]);
        bytes[..CODE_BYTES].copy_from_slice(self.expose());
        bytes[CODE_BYTES..].copy_from_slice(&checksum(self.expose()));
        let symbols = Zeroizing::new(base32::encode(bytes.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(symbols.len() * 2));
        for (place, symbol) in symbols.chars().enumerate() {
            if place > 0 && place % GROUP_SYMBOLS == 0 {
                text.push('-');
            }
            text.push(symbol);
        }
        text
    }

    /// Lends the random bytes to the slot.
    pub(super) fn expose(&self) -> &[u8; CODE_BYTES] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(..)")
    }
}

fn checksum(code: &[u8; CODE_BYTES]) -> [u8; CHECK_BYTES] {
    let message = Zeroizing::new(Fields::labelled(CHECK_LABEL).field(code).as_bytes().to_vec());
    let digest = Sha256::digest(message.as_slice());
    [digest[0], digest[1]]
}

/// A key file: 32 random bytes that open a vault without a person, written as one line of hex.
pub struct KeyFile(SecretBox<[u8; KEY_FILE_BYTES]>);

/// The text is not a key file. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key file is one line of 64 lowercase hex digits")]
pub struct KeyFileError;

impl KeyFile {
    /// Draws a new one.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_FILE_BYTES]| rng.fill_bytes(bytes)))
    }

    /// Reads the file's text; a line end may follow the line.
    ///
    /// # Errors
    ///
    /// Returns [`KeyFileError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let bytes = Zeroizing::new(HEXLOWER.decode(line.as_bytes()).map_err(|_| KeyFileError)?);
        if bytes.len() != KEY_FILE_BYTES {
            return Err(KeyFileError);
        }
        Ok(Self(SecretBox::init_with_mut(|secret: &mut [u8; KEY_FILE_BYTES]| {
            secret.copy_from_slice(&bytes);
        })))
    }

    /// Writes the line, without a line end.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(self.expose()))
    }

    /// Lends the bytes to the slot.
    pub(super) fn expose(&self) -> &[u8; KEY_FILE_BYTES] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile(..)")
    }
}
