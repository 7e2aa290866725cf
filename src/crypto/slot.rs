//! Slots: the ways to reach a vault's root key.
//!
//! Each slot holds the root key, closed under a key made from something a person has: a passphrase,
//! a recovery code, a key file. Any one slot opens the vault, so a passphrase is changed by
//! replacing one slot. This file knows no file and no terminal.
//!
//! ```text
//! slot key: Argon2id(NFC(passphrase), salt, m, t, p)   or   HKDF(salt, random secret, label)
//! closed:   | commitment 32 | nonce 24 | ciphertext 32 | tag 16 |
//! AAD:      label ‖ version ‖ suite ‖ vault id ‖ slot id ‖ kind ‖ m ‖ t ‖ p ‖ salt
//! ```
//!
//! **Invariant:** parameters below the floor or above the cap are refused when a slot is made *and*
//! when it is opened: who can write the vault's tables can neither weaken a slot nor make opening
//! it exhaust the machine.

use argon2::{Algorithm, Argon2, Params, Version};
use data_encoding::HEXLOWER;
use rand::CryptoRng;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::committed::{self, BoxError};
use super::fields::Fields;
use super::id::VaultId;
use super::key::{KEY_BYTES, RootKey};
use super::recovery::{KeyFile, RecoveryCode};

const VERSION: u8 = 1;
const SUITE: u8 = 1;
const LABEL: &str = "sealift/v1/slot";
const RECOVERY_LABEL: &[u8] = b"sealift/v1/slot/recovery-code";
const KEY_FILE_LABEL: &[u8] = b"sealift/v1/slot/key-file";
const SALT_BYTES: usize = 16;
/// NFC makes no text longer than three times its UTF-8 (unicode.org/faq/normalization.html).
const NFC_GROWTH_MAX: usize = 3;

/// What opens a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum SlotKind {
    /// A passphrase, through Argon2id.
    Passphrase = 1,
    /// A [`RecoveryCode`].
    RecoveryCode = 2,
    /// A [`KeyFile`].
    KeyFile = 3,
}

impl SlotKind {
    /// The words that messages and reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::RecoveryCode => "recovery code",
            Self::KeyFile => "key file",
        }
    }
}

/// What Argon2id costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argon2Params {
    /// Memory, in KiB.
    pub m_kib: u32,
    /// Passes over it.
    pub t: u32,
    /// Lanes.
    pub p: u32,
}

/// Parameters of Argon2id outside what is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("argon2id parameter `{name}` is {found}, accepted is {min} to {max}")]
pub struct ParamsError {
    /// The parameter.
    pub name: &'static str,
    /// Its value.
    pub found: u32,
    /// The floor.
    pub min: u32,
    /// The cap.
    pub max: u32,
}

impl Argon2Params {
    /// The least that is accepted: 64 MiB, t=3, p=4 (RFC 9106, second recommendation).
    pub const FLOOR: Self = Self { m_kib: 64 * 1024, t: 3, p: 4 };
    /// The most that is accepted: 4 GiB; passes and lanes so that opening ends within minutes.
    pub const CAP: Self = Self { m_kib: 4 * 1024 * 1024, t: 64, p: 64 };

    /// Checks all three against floor and cap.
    ///
    /// # Errors
    ///
    /// Returns [`ParamsError`] for the first that lies outside.
    pub fn check(self) -> Result<(), ParamsError> {
        let Self { m_kib, t, p } = self;
        let bounds = [
            ("m_kib", m_kib, Self::FLOOR.m_kib, Self::CAP.m_kib),
            ("t", t, Self::FLOOR.t, Self::CAP.t),
            ("p", p, Self::FLOOR.p, Self::CAP.p),
        ];
        for (name, found, min, max) in bounds {
            if !(min..=max).contains(&found) {
                return Err(ParamsError { name, found, min, max });
            }
        }
        Ok(())
    }
}

impl Default for Argon2Params {
    /// 128 MiB, t=4, p=4: a few tenths of a second, once per command.
    fn default() -> Self {
        Self { m_kib: 128 * 1024, t: 4, p: 4 }
    }
}

/// What somebody presents to open a slot. Its parts wipe themselves when dropped.
#[derive(Debug)]
pub enum SlotSecret {
    /// A passphrase as it was typed.
    Passphrase(SecretString),
    /// A recovery code.
    RecoveryCode(RecoveryCode),
    /// A key file.
    KeyFile(KeyFile),
}

impl SlotSecret {
    /// The kind of slot that it opens.
    #[must_use]
    pub fn kind(&self) -> SlotKind {
        match self {
            Self::Passphrase(_) => SlotKind::Passphrase,
            Self::RecoveryCode(_) => SlotKind::RecoveryCode,
            Self::KeyFile(_) => SlotKind::KeyFile,
        }
    }
}

/// Why a slot was not made or did not open. No variant carries a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// The passphrase is empty.
    #[error("passphrase is empty")]
    EmptyPassphrase,
    /// The parameters of Argon2id are outside what is accepted.
    #[error("slot is not accepted")]
    Params(#[from] ParamsError),
    /// The machine has not the memory that the parameters ask for.
    #[error("argon2id needs {m_kib} KiB of memory, which this machine did not give")]
    Memory {
        /// What the parameters ask for.
        m_kib: u32,
    },
    /// The slot is opened by something else.
    #[error("slot {id} is opened by a {}", .kind.name())]
    WrongKind {
        /// The slot.
        id: u32,
        /// What opens it.
        kind: SlotKind,
    },
    /// The passphrase, code or file is not the slot's.
    ///
    /// A slot whose salt was altered looks the same.
    #[error("{} does not open slot {id}", .kind.name())]
    WrongSecret {
        /// The slot.
        id: u32,
        /// What was presented.
        kind: SlotKind,
    },
    /// The secret is right, but the slot was altered or comes from another vault.
    #[error("slot {id} failed authentication")]
    Unauthentic {
        /// The slot.
        id: u32,
    },
    /// A later Sealift wrote the slot.
    #[error("slot {id} has version {version}, known is {VERSION}")]
    UnknownVersion {
        /// The slot.
        id: u32,
        /// Its version.
        version: u8,
    },
}

/// One way to the root key. Stored as JSON; none of its fields is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    version: u8,
    /// The slot's number in its vault.
    pub id: u32,
    /// What opens it.
    pub kind: SlotKind,
    /// What Argon2id costs; only where a passphrase opens the slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argon2id: Option<Argon2Params>,
    #[serde(serialize_with = "write_hex", deserialize_with = "read_salt")]
    salt: [u8; SALT_BYTES],
    #[serde(serialize_with = "write_hex", deserialize_with = "read_hex")]
    wrapped: Vec<u8>,
}

impl Slot {
    /// Makes a slot that a passphrase opens. Takes as long as opening it will.
    ///
    /// # Errors
    ///
    /// Returns [`SlotError`] for an empty passphrase or parameters that are not accepted.
    pub fn with_passphrase(
        id: u32,
        root: &RootKey,
        vault: VaultId,
        passphrase: &SecretString,
        params: Argon2Params,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SlotError> {
        let mut slot = Self::blank(id, SlotKind::Passphrase, Some(params), rng);
        let key = stretch(passphrase, params, &slot.salt)?;
        slot.close(&key, root, vault, rng);
        Ok(slot)
    }

    /// Makes a slot that a recovery code opens.
    #[must_use]
    pub fn with_recovery_code(
        id: u32,
        root: &RootKey,
        vault: VaultId,
        code: &RecoveryCode,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut slot = Self::blank(id, SlotKind::RecoveryCode, None, rng);
        let key = committed::derive(&slot.salt, code.expose(), &[RECOVERY_LABEL]);
        slot.close(&key, root, vault, rng);
        slot
    }

    /// Makes a slot that a key file opens.
    #[must_use]
    pub fn with_key_file(
        id: u32,
        root: &RootKey,
        vault: VaultId,
        file: &KeyFile,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut slot = Self::blank(id, SlotKind::KeyFile, None, rng);
        let key = committed::derive(&slot.salt, file.expose(), &[KEY_FILE_LABEL]);
        slot.close(&key, root, vault, rng);
        slot
    }

    /// Opens the slot.
    ///
    /// Where it is a passphrase's, this takes the time and memory that its parameters say.
    ///
    /// # Errors
    ///
    /// Returns [`SlotError`]; nothing of the root key is let out then.
    pub fn open(&self, vault: VaultId, secret: &SlotSecret) -> Result<RootKey, SlotError> {
        let Self { id, kind, .. } = *self;
        if self.version != VERSION {
            return Err(SlotError::UnknownVersion { id, version: self.version });
        }
        if secret.kind() != kind {
            return Err(SlotError::WrongKind { id, kind });
        }
        let key = match (secret, self.argon2id) {
            (SlotSecret::Passphrase(passphrase), Some(params)) => {
                stretch(passphrase, params, &self.salt)?
            }
            (SlotSecret::RecoveryCode(code), None) => {
                committed::derive(&self.salt, code.expose(), &[RECOVERY_LABEL])
            }
            (SlotSecret::KeyFile(file), None) => {
                committed::derive(&self.salt, file.expose(), &[KEY_FILE_LABEL])
            }
            _ => return Err(SlotError::Unauthentic { id }),
        };
        let associated = self.associated(vault);
        let opened = committed::open(&key, LABEL, associated.as_bytes(), &self.wrapped);
        let secret = opened.map_err(|error| match error {
            BoxError::WrongKey => SlotError::WrongSecret { id, kind },
            BoxError::Unauthentic | BoxError::Malformed => SlotError::Unauthentic { id },
        })?;
        RootKey::from_secret(&secret).ok_or(SlotError::Unauthentic { id })
    }

    fn blank(
        id: u32,
        kind: SlotKind,
        argon2id: Option<Argon2Params>,
        rng: &mut impl CryptoRng,
    ) -> Self {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        Self { version: VERSION, id, kind, argon2id, salt, wrapped: Vec::new() }
    }

    fn close(
        &mut self,
        key: &[u8; KEY_BYTES],
        root: &RootKey,
        vault: VaultId,
        rng: &mut impl CryptoRng,
    ) {
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let associated = self.associated(vault);
        self.wrapped = committed::close(key, LABEL, associated.as_bytes(), nonce, root.expose());
    }

    fn associated(&self, vault: VaultId) -> Fields {
        let cost = self.argon2id.unwrap_or(Argon2Params { m_kib: 0, t: 0, p: 0 });
        Fields::labelled(LABEL)
            .field(&[self.version])
            .field(&[SUITE])
            .field(&vault.0)
            .field(&self.id.to_be_bytes())
            .field(&[self.kind as u8])
            .field(&cost.m_kib.to_be_bytes())
            .field(&cost.t.to_be_bytes())
            .field(&cost.p.to_be_bytes())
            .field(&self.salt)
    }
}

/// Makes a slot key of a passphrase.
///
/// Normalised to NFC first: one keyboard writes `é` as one code point, another as two.
fn stretch(
    passphrase: &SecretString,
    params: Argon2Params,
    salt: &[u8; SALT_BYTES],
) -> Result<Zeroizing<[u8; KEY_BYTES]>, SlotError> {
    params.check()?;
    let typed = passphrase.expose_secret();
    if typed.is_empty() {
        return Err(SlotError::EmptyPassphrase);
    }
    // The room is taken at once: a string that grew would leave the passphrase behind.
    let mut text = Zeroizing::new(String::with_capacity(typed.len() * NFC_GROWTH_MAX));
    text.extend(typed.nfc());
    let memory = |_| SlotError::Memory { m_kib: params.m_kib };
    let cost = Params::new(params.m_kib, params.t, params.p, Some(KEY_BYTES)).map_err(memory)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
        .hash_password_into(text.as_bytes(), salt, key.as_mut_slice())
        .map_err(memory)?;
    Ok(key)
}

fn write_hex<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(bytes.as_ref()))
}

fn read_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    HEXLOWER.decode(text.as_bytes()).map_err(serde::de::Error::custom)
}

fn read_salt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; SALT_BYTES], D::Error> {
    read_hex(deserializer)?.try_into().map_err(|_| serde::de::Error::custom("a salt is 16 bytes"))
}
