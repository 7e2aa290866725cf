//! All unlocked keys of a vault, found by what they are for.

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

use super::{
    ControlKey, DataKey, FormatKey, IndexKey, KeyHeader, KeyId, KeyPurpose, KeyState, LedgerSeed,
    RootKey, RunSecret, TokenKey, UnwrapError, VaultId, WrappedKey,
};

/// The unlocked keys of a vault. Wiped from memory when dropped.
pub struct KeyRing {
    vault: VaultId,
    root: RootKey,
    headers: Vec<KeyHeader>,
    data: HashMap<KeyId, DataKey>,
    token: HashMap<String, TokenKey>,
    format: HashMap<String, FormatKey>,
    runs: HashMap<String, RunSecret>,
    control: ControlKey,
    index: IndexKey,
    ledger: LedgerSeed,
}

/// Why a vault's keys could not be unlocked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// A wrapped key does not open under the root key, or its header was changed.
    #[error("key {id} cannot be unwrapped")]
    Unwrap {
        /// The key.
        id: KeyId,
        /// Why.
        #[source]
        source: UnwrapError,
    },
    /// A key that every vault has is not there.
    #[error("the vault has no {} key", .0.name())]
    Missing(KeyPurpose),
}

impl KeyRing {
    /// Unwraps every key that may still open something.
    ///
    /// # Errors
    ///
    /// [`KeyRingError`] where a wrap was altered or a key that every vault has is missing.
    pub fn unlock(
        vault: VaultId,
        root: RootKey,
        keys: impl IntoIterator<Item = (KeyHeader, Option<Vec<u8>>)>,
    ) -> Result<Self, KeyRingError> {
        let mut headers = Vec::new();
        let (mut data, mut token, mut format) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut runs = HashMap::new();
        let (mut control, mut index, mut ledger) = (None, None, None);
        for (header, wrapped) in keys {
            let usable = header.state.may_open();
            let Some(wrapped) = wrapped.filter(|_| usable) else {
                headers.push(header);
                continue;
            };
            let subject = header.subject.clone();
            match header.purpose {
                KeyPurpose::Data => {
                    data.insert(header.id, unwrapped(&root, &header, &wrapped)?);
                }
                KeyPurpose::Token => {
                    token.insert(subject, unwrapped(&root, &header, &wrapped)?);
                }
                KeyPurpose::Format => {
                    format.insert(subject, unwrapped(&root, &header, &wrapped)?);
                }
                KeyPurpose::Run => {
                    runs.insert(subject, unwrapped(&root, &header, &wrapped)?);
                }
                KeyPurpose::Control => control = Some(unwrapped(&root, &header, &wrapped)?),
                KeyPurpose::Index => index = Some(unwrapped(&root, &header, &wrapped)?),
                KeyPurpose::Ledger => ledger = Some(unwrapped(&root, &header, &wrapped)?),
            }
            headers.push(header);
        }
        Ok(Self {
            vault,
            root,
            headers,
            data,
            token,
            format,
            runs,
            control: control.ok_or(KeyRingError::Missing(KeyPurpose::Control))?,
            index: index.ok_or(KeyRingError::Missing(KeyPurpose::Index))?,
            ledger: ledger.ok_or(KeyRingError::Missing(KeyPurpose::Ledger))?,
        })
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> VaultId {
        self.vault
    }

    /// The root key, for wrapping.
    #[must_use]
    pub fn root(&self) -> &RootKey {
        &self.root
    }

    /// The data key of this number.
    #[must_use]
    pub fn data_key(&self, id: KeyId) -> Option<&DataKey> {
        self.data.get(&id)
    }

    /// The number of the data key that seals new values of a domain.
    #[must_use]
    pub fn active_data(&self, domain: &str) -> Option<KeyId> {
        self.headers
            .iter()
            .filter(|h| h.purpose == KeyPurpose::Data && h.subject == domain)
            .filter(|h| h.state == KeyState::Active)
            .max_by_key(|header| header.version)
            .map(|header| header.id)
    }

    /// The token key of a domain.
    #[must_use]
    pub fn token_key(&self, domain: &str) -> Option<&TokenKey> {
        self.token.get(domain)
    }

    /// The format key of a domain.
    #[must_use]
    pub fn format_key(&self, domain: &str) -> Option<&FormatKey> {
        self.format.get(domain)
    }

    /// What opens the files of a run, while it is not destroyed.
    #[must_use]
    pub fn run_secret(&self, run: &str) -> Option<&RunSecret> {
        self.runs.get(run)
    }

    /// The key of the MACs over rows that grant.
    #[must_use]
    pub fn control(&self) -> &ControlKey {
        &self.control
    }

    /// The key of keyed digests.
    #[must_use]
    pub fn index(&self) -> &IndexKey {
        &self.index
    }

    /// The seed of the ledger's signing key.
    #[must_use]
    pub fn ledger(&self) -> &LedgerSeed {
        &self.ledger
    }

    /// What is known of every key, destroyed ones too.
    #[must_use]
    pub fn headers(&self) -> &[KeyHeader] {
        &self.headers
    }

    /// The newest usable key for a purpose and a subject.
    #[must_use]
    pub fn id_of(&self, purpose: KeyPurpose, subject: &str) -> Option<KeyId> {
        self.headers
            .iter()
            .filter(|header| header.purpose == purpose && header.subject == subject)
            .filter(|header| header.state.may_open())
            .max_by_key(|header| header.version)
            .map(|header| header.id)
    }

    /// The number that the next key gets.
    #[must_use]
    pub fn next_id(&self) -> KeyId {
        KeyId(self.headers.iter().map(|header| header.id.0).max().unwrap_or(0) + 1)
    }
}

fn unwrapped<K: WrappedKey>(
    root: &RootKey,
    header: &KeyHeader,
    wrapped: &[u8],
) -> Result<K, KeyRingError> {
    root.unwrap_key(header, wrapped)
        .map_err(|source| KeyRingError::Unwrap { id: header.id, source })
}

impl KeyRing {
    /// Unwraps the raw bytes of a key, to wrap them under another root key.
    ///
    /// # Errors
    ///
    /// [`KeyRingError::Unwrap`] where the wrap was altered.
    pub fn raw(
        &self,
        header: &KeyHeader,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyRingError> {
        self.root
            .unwrap(header, wrapped)
            .map_err(|source| KeyRingError::Unwrap { id: header.id, source })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys of vault {})", self.headers.len(), self.vault)
    }
}
