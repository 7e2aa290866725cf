//! The secret types, one for each purpose.
//!
//! They hold bytes, and what is computed from them once: a key schedule, an absorbed MAC key. What
//! is done with a key stands in `seal.rs`, `mac.rs`, `wrap.rs`. This file knows no format.
//!
//! **Invariant:** none of these types prints, clones or serialises. `expose` lends the bytes, at
//! most within this crate; search for it to find who looks.

use std::fmt;

use hmac::KeyInit;
use rand::CryptoRng;
use secrecy::{ExposeSecret, SecretBox};
use xaes_256_gcm::Xaes256Gcm;
use zeroize::Zeroizing;

use super::fields::HmacState;
use super::state::KeyPurpose;

/// How long a symmetric key is.
pub(super) const KEY_BYTES: usize = 32;

/// A key that a [`RootKey`] wraps.
///
/// Implemented by the keys of this room and by nothing else.
pub trait WrappedKey: sealed::Material {
    /// What keys of this type are for. A wrap that says otherwise is refused.
    const PURPOSE: KeyPurpose;
}

mod sealed {
    /// The way from a key to its bytes and back, closed to other crates.
    pub trait Material: Sized {
        /// Takes over unwrapped bytes; `None` where they cannot be such a key.
        fn from_secret(secret: &[u8]) -> Option<Self>;

        /// Lends the bytes to the wrap.
        fn secret(&self) -> &[u8];
    }
}

pub(super) use sealed::Material;

/// Defines a 32-byte key that holds, beside its bytes, what is made of them once.
macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $purpose:ident, $ready:ty, $prepare:expr) => {
        $(#[$doc])*
        pub struct $name {
            secret: SecretBox<[u8; KEY_BYTES]>,
            ready: $ready,
        }

        impl $name {
            /// Draws a new key, in place on the heap, so that no copy stays on the stack.
            #[must_use]
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                Self::fill_with(|bytes| rng.fill_bytes(bytes))
            }

            fn fill_with(fill: impl FnOnce(&mut [u8; KEY_BYTES])) -> Self {
                let secret = SecretBox::init_with_mut(fill);
                let prepare: fn(&[u8; KEY_BYTES]) -> $ready = $prepare;
                let ready = prepare(secret.expose_secret());
                Self { secret, ready }
            }

            /// Lends what was made of the key once.
            #[allow(dead_code, reason = "some keys have nothing to prepare")]
            pub(super) fn ready(&self) -> &$ready {
                &self.ready
            }

            /// Lends the bytes. Search for this name to find who looks at keys.
            pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
                self.secret.expose_secret()
            }
        }

        impl WrappedKey for $name {
            const PURPOSE: KeyPurpose = KeyPurpose::$purpose;
        }

        impl Material for $name {
            fn from_secret(secret: &[u8]) -> Option<Self> {
                (secret.len() == KEY_BYTES)
                    .then(|| Self::fill_with(|bytes| bytes.copy_from_slice(secret)))
            }

            fn secret(&self) -> &[u8] {
                self.expose()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}

key! {
    /// Seals the values of one domain. Wiped from memory when dropped.
    ///
    /// Holds the cipher ready, so that a value costs no key schedule of its own; may be shared
    /// between threads.
    DataKey, Data, Xaes256Gcm, |bytes| Xaes256Gcm::new(bytes.into())
}

key! {
    /// Derives the tokens of one domain, and its blind index. Wiped from memory when dropped.
    TokenKey, Token, HmacState, keyed
}

key! {
    /// Encrypts one domain's values into their own format (FF1). Wiped from memory when dropped.
    FormatKey, Format, (), |_| ()
}

key! {
    /// Makes the MAC over rows that grant. Wiped from memory when dropped.
    ControlKey, Control, HmacState, keyed
}

key! {
    /// Makes keyed digests: row ids in quarantine, tokens in the ledger. Wiped when dropped.
    IndexKey, Index, HmacState, keyed
}

key! {
    /// The seed of the Ed25519 key that signs the ledger's checkpoints. Wiped when dropped.
    LedgerSeed, Ledger, (), |_| ()
}

impl LedgerSeed {
    /// Makes the signing key. It wipes itself when dropped.
    #[must_use]
    pub fn signing_key(&self) -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(self.expose())
    }
}

fn keyed(bytes: &[u8; KEY_BYTES]) -> HmacState {
    let padded = Zeroizing::new(block(bytes));
    HmacState::new((&*padded).into())
}

/// Pads a key to HMAC's block, as the specification does with every key shorter than that.
fn block(bytes: &[u8; KEY_BYTES]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..KEY_BYTES].copy_from_slice(bytes);
    block
}

/// Wraps every other key of a vault. Wiped from memory when dropped.
///
/// It is random, and reached only through a slot.
pub struct RootKey(SecretBox<[u8; KEY_BYTES]>);

impl RootKey {
    /// Makes a second copy of the key, to unwrap a vault's keys anew. Named so that each copy of a
    /// root key is a decision.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| {
            bytes.copy_from_slice(self.0.expose_secret());
        }))
    }

    /// Draws a new root key, in place on the heap.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| rng.fill_bytes(bytes)))
    }

    /// Takes over what a slot held; `None` where it is not 32 bytes.
    pub(super) fn from_secret(secret: &[u8]) -> Option<Self> {
        (secret.len() == KEY_BYTES).then(|| {
            Self(SecretBox::init_with_mut(|bytes: &mut [u8; KEY_BYTES]| {
                bytes.copy_from_slice(secret);
            }))
        })
    }

    /// Lends the bytes to a wrap or a slot.
    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

/// The secret that opens one run's backup, as the text of an `age` identity. Wiped when dropped.
pub struct RunSecret(SecretBox<str>);

impl RunSecret {
    /// Takes over the identity's text.
    #[must_use]
    pub fn from_text(text: String) -> Self {
        Self(text.into())
    }

    /// Lends the identity's text. Search for this name to find who looks at keys.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl WrappedKey for RunSecret {
    const PURPOSE: KeyPurpose = KeyPurpose::Run;
}

impl Material for RunSecret {
    fn from_secret(secret: &[u8]) -> Option<Self> {
        std::str::from_utf8(secret).ok().map(|text| Self(text.into()))
    }

    fn secret(&self) -> &[u8] {
        self.expose().as_bytes()
    }
}

impl fmt::Debug for RunSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_key_is_wiped_too() {
        // Each of these is a feature of its crate that is easily lost.
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Xaes256Gcm>();
        wiped::<sha2::block_api::Sha256VarCore>();
        wiped::<ed25519_dalek::SigningKey>();
    }

    #[test]
    fn keys_may_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<DataKey>();
        shared::<TokenKey>();
        shared::<RootKey>();
    }
}
