//! Keys, and what is done with them: wrapping keys, sealing originals, MACs over rows that grant.
//!
//! This room knows no database, no file, no clock and no source of randomness: bytes, times and
//! generators come in as arguments, so that `tests/vectors` can pin every byte. The formats are
//! written down in `docs/FORMATS.md`.
//!
//! ```text
//! passphrase, recovery code, key file ──slot──▶ RootKey ──wrap──▶ DataKey     seals originals
//!                                                          ├────▶ TokenKey    derives tokens
//!                                                          ├────▶ FormatKey   FF1
//!                                                          ├────▶ RunSecret   opens a run's backup
//!                                                          ├────▶ ControlKey  MAC over rows that grant
//!                                                          ├────▶ IndexKey    keyed digests, reasons
//!                                                          └────▶ LedgerSeed  signs checkpoints
//! ```
//!
//! **Invariant:** no key of this room can print, clone or serialise, and each purpose is a type of
//! its own, so that a wrong key does not compile.
//!
//! ```compile_fail,E0277
//! fn copied<T: Clone>() {}
//! copied::<sealift::crypto::DataKey>();
//! ```
//!
//! ```compile_fail,E0277
//! fn written<T: serde::Serialize>() {}
//! written::<sealift::crypto::DataKey>();
//! ```
//!
//! **Invariant:** keys are random and wrapped, never derived from their parent: a destroyed key
//! stays destroyed.

mod committed;
mod credential;
mod fields;
mod id;
mod key;
mod key_check;
mod keyring;
mod mac;
mod reason;
mod recovery;
mod seal;
mod second;
mod slot;
mod state;
mod wrap;

pub use credential::{Credential, CredentialError, CredentialId, SignatureError, verify_signature};
pub use id::{KeyId, VaultId, VaultIdError};
pub use key::{
    ControlKey, DataKey, FormatKey, IndexKey, LedgerSeed, RootKey, RunSecret, TokenKey, WrappedKey,
};
pub use key_check::WrongKey;
pub use keyring::{KeyRing, KeyRingError};
pub use recovery::{KeyFile, KeyFileError, RecoveryCode, RecoveryCodeError};
pub use seal::{NONCE_BYTES, OpenError, SEAL_OVERHEAD_BYTES, SealContext, envelope_key_id};
pub use second::Verifier;
pub use slot::{Argon2Params, ParamsError, Slot, SlotError, SlotKind, SlotSecret};
pub use state::{IllegalKeyTransition, KeyPurpose, KeyState};
pub use wrap::{KeyHeader, UnwrapError};
