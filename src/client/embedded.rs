//! A vault, opened by the program itself. It holds the passphrase's power: use it where the service
//! would run on the same machine, by the same hands.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{ClientError, Opened};
use crate::access::{Caller, Shown, is_in_force};
use crate::crypto::{Credential, KeyRing, Slot, SlotSecret};
use crate::engine::postgres::is_postgres;
use crate::engine::postgres::vault::PostgresVault;
use crate::engine::sqlite::vault::SqliteVault;
use crate::ports;
use crate::serve::{Answer, Callers, KeysError, Request, key_ring};
use crate::value::Original;

/// A vault and a caller. Each request is on the ledger before it is answered.
///
/// ```no_run
/// # async fn example() -> Result<(), sealift::ClientError> {
/// let passphrase = std::env::var("SEALIFT_PASSPHRASE").unwrap_or_default();
/// let credential = std::fs::read_to_string("carol.key").unwrap_or_default();
/// let vault = sealift::Vault::open("sqlite:vault.db", &passphrase.into(), &credential.into()).await?;
/// let answers = vault
///     .detokenize("support_case", "case 4711", &["slk001_h1s8d9p5sf99kvp82s78gmbgtwfn"])
///     .await?;
/// assert!(answers[0].as_text().is_some() || answers[0].is_refused());
/// # Ok(())
/// # }
/// ```
pub struct Vault {
    rows: Arc<dyn ports::Vault>,
    known: Mutex<Known>,
    credential: Credential,
}

/// Keys as they were when the vault last said that something had changed.
#[derive(Clone)]
struct Known {
    version: u64,
    keys: Arc<KeyRing>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault({})", self.known().keys.vault())
    }
}

impl Vault {
    /// Opens a vault with its passphrase, for the holder of a credential.
    ///
    /// # Errors
    ///
    /// [`ClientError`] where there is no vault, the passphrase does not open it, or the credential
    /// is not one of its callers'.
    pub async fn open(
        url: &str,
        passphrase: &SecretString,
        credential: &SecretString,
    ) -> Result<Self, ClientError> {
        let vault: Arc<dyn ports::Vault> = if is_postgres(url) {
            Arc::new(PostgresVault::open(url).await?)
        } else {
            Arc::new(SqliteVault::open(url).await?)
        };
        let header = vault.header().await?;
        let secret = SlotSecret::Passphrase(passphrase.clone());
        let mut root = None;
        for row in vault.slots().await? {
            let Ok(slot) = serde_json::from_str::<Slot>(&row.body) else { continue };
            if root.is_none() && slot.kind == secret.kind() {
                root = slot.open(header.vault, &secret).ok();
            }
        }
        let root = root.ok_or(ClientError::Unusable("the passphrase does not open this vault"))?;
        root.check(header.vault, &header.key_check)
            .map_err(|_| ClientError::Unusable("the key is not the one of this vault"))?;
        // ORDER: the version before the keys: what changes meanwhile is read again.
        let version = vault.grants_version().await?;
        let keys = Arc::new(key_ring(vault.as_ref(), root).await?);
        let credential = Credential::parse(credential.expose_secret())
            .map_err(|_| ClientError::Unusable("the credential is malformed"))?;
        let known = Mutex::new(Known { version, keys });
        let opened = Self { rows: vault, known, credential };
        opened.asks().await?;
        Ok(opened)
    }

    /// Opens tokens for a purpose; one answer a token, in the order asked.
    ///
    /// # Errors
    ///
    /// [`ClientError::Serve`] where the request as a whole is refused or could not be recorded.
    pub async fn detokenize(
        &self,
        purpose: &str,
        reason: &str,
        tokens: &[&str],
    ) -> Result<Vec<Opened>, ClientError> {
        self.open_tokens(None, purpose, reason, tokens).await
    }

    /// Opens tokens that do not name their domain (`format`, `uuid`).
    ///
    /// # Errors
    ///
    /// As [`Vault::detokenize`].
    pub async fn detokenize_in(
        &self,
        domain: &str,
        purpose: &str,
        reason: &str,
        tokens: &[&str],
    ) -> Result<Vec<Opened>, ClientError> {
        self.open_tokens(Some(domain), purpose, reason, tokens).await
    }

    async fn open_tokens(
        &self,
        domain: Option<&str>,
        purpose: &str,
        reason: &str,
        tokens: &[&str],
    ) -> Result<Vec<Opened>, ClientError> {
        let (caller, keys) = self.asks().await?;
        let request = Request { caller: &caller, purpose, reason, domain };
        let tokens: Vec<String> = tokens.iter().map(|&token| token.to_owned()).collect();
        let asked = tokens.clone();
        let answers = crate::serve::open(self.rows.as_ref(), &keys, &request, tokens).await?;
        Ok(answers.into_iter().zip(asked).map(|(answer, token)| opened(answer, token)).collect())
    }

    /// Gives values their tokens; one a value, in the order given.
    ///
    /// # Errors
    ///
    /// As [`Vault::detokenize`].
    pub async fn tokenize(
        &self,
        domain: &str,
        purpose: &str,
        reason: &str,
        values: &[&str],
    ) -> Result<Vec<String>, ClientError> {
        let (caller, keys) = self.asks().await?;
        let request = Request { caller: &caller, purpose, reason, domain: Some(domain) };
        let values: Vec<Original> = values.iter().map(|value| Original::text(value)).collect();
        let tokens = crate::serve::tokenize(self.rows.as_ref(), &keys, &request, &values).await?;
        Ok(tokens.iter().filter_map(|token| token.as_text().map(str::to_owned)).collect())
    }

    /// Says which token stands for each value; `None` where none does.
    ///
    /// # Errors
    ///
    /// As [`Vault::detokenize`].
    pub async fn search(
        &self,
        domain: &str,
        purpose: &str,
        reason: &str,
        values: &[&str],
    ) -> Result<Vec<Option<String>>, ClientError> {
        let (caller, keys) = self.asks().await?;
        let request = Request { caller: &caller, purpose, reason, domain: Some(domain) };
        let values: Vec<Original> = values.iter().map(|value| Original::text(value)).collect();
        let tokens = crate::serve::search(self.rows.as_ref(), &keys, &request, &values).await?;
        Ok(tokens.iter().map(|token| token.as_ref()?.as_text().map(str::to_owned)).collect())
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who asks, as the vault knows him now: he may have been revoked since it was opened. And the
    /// keys as they are now: values may have been sealed under newer ones.
    async fn asks(&self) -> Result<(Caller, Arc<KeyRing>), ClientError> {
        let mut known = self.known();
        let version = self.rows.grants_version().await?;
        if version != known.version {
            let root = known.keys.root().duplicate();
            let keys = key_ring(self.rows.as_ref(), root).await.map_err(|error| match error {
                KeysError::Ring(_) => {
                    ClientError::Unusable("the vault has another root key by now: open it again")
                }
                other => other.into(),
            })?;
            known = Known { version, keys: Arc::new(keys) };
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known.clone();
        }
        let unknown = ClientError::Unusable("the credential is not one of this vault's");
        let callers = Callers::read(self.rows.as_ref(), &known.keys).await?;
        let caller = callers.holder(&self.credential).cloned().ok_or(unknown)?;
        is_in_force(&caller, jiff::Timestamp::now()).map_err(crate::serve::ServeError::from)?;
        Ok((caller, known.keys))
    }
}

fn opened(answer: Answer, token: String) -> Opened {
    match answer {
        Answer::Refused => Opened::Refused,
        Answer::Passed => Opened::Text(Zeroizing::new(token)),
        Answer::Shown(shown) => match (shown.text(), &shown) {
            (Some(text), _) => Opened::Text(text),
            (None, Shown::Whole(original)) => {
                Opened::Bytes(Zeroizing::new(original.expose().to_vec()))
            }
            (None, Shown::Part(_)) => Opened::Refused,
        },
    }
}
