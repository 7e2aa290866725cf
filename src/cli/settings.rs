//! What a command works on, after options and environment are put together.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::args::Args;
use super::exit::Failure;
use crate::engine::postgres::source::PostgresSource;
use crate::engine::postgres::vault::{PostgresRebuild, PostgresVault};
use crate::engine::postgres::{Address, is_postgres};
use crate::engine::sqlite::source::SqliteSource;
use crate::engine::sqlite::vault::{SqliteRebuild, SqliteVault};
use crate::ports::{Source, Vault, VaultHeader, VaultRebuild};

/// Where the vault is, unless somebody says otherwise.
const VAULT: &str = "sqlite:sealift-vault.db";

/// How the vault is unlocked.
#[derive(Debug, Clone)]
pub enum Unlock {
    /// With a passphrase.
    Passphrase {
        /// A file with it.
        file: Option<PathBuf>,
        /// From the environment.
        environment: Option<SecretString>,
    },
    /// With a recovery code.
    Recovery(PathBuf),
    /// With a key file.
    KeyFile(PathBuf),
}

impl Unlock {
    /// Whether somebody at the terminal is asked.
    pub(super) fn asks_a_person(&self) -> bool {
        matches!(self, Self::Passphrase { file: None, environment: None })
    }
}

/// What a command works on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The vault's URL.
    pub vault: String,
    /// The source's URL.
    pub source: Option<String>,
    /// How the vault is unlocked.
    pub unlock: Unlock,
    /// The file with the caller's credential.
    pub credential_file: Option<PathBuf>,
    /// The file that says who is told of what happens.
    pub notify: Option<PathBuf>,
}

impl Settings {
    /// Puts options and environment together.
    ///
    /// # Errors
    ///
    /// [`Failure`] where two ways to unlock are named.
    pub fn from_args(args: &Args) -> Result<Self, Failure> {
        let unlock = match (&args.unlock_recovery_file, &args.unlock_key_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::failed("two ways to unlock the vault are named")
                    .hint("leave out --unlock-recovery-file or --unlock-key-file"));
            }
            (Some(file), None) => Unlock::Recovery(file.clone()),
            (None, Some(file)) => Unlock::KeyFile(file.clone()),
            (None, None) => Unlock::Passphrase {
                file: args.passphrase_file.clone(),
                environment: std::env::var("SEALIFT_PASSPHRASE").ok().map(SecretString::from),
            },
        };
        Ok(Self {
            vault: args.vault.clone().unwrap_or_else(|| VAULT.to_owned()),
            source: args.source.clone(),
            unlock,
            credential_file: args.as_file.clone(),
            notify: args.notify.clone(),
        })
    }

    /// Opens the vault.
    ///
    /// # Errors
    ///
    /// [`Failure`] where there is none.
    pub async fn open_vault(&self) -> Result<Arc<dyn Vault>, Failure> {
        Ok(if is_postgres(&self.vault) {
            Arc::new(PostgresVault::open(&self.vault).await?)
        } else {
            Arc::new(SqliteVault::open(&self.vault).await?)
        })
    }

    /// Makes the vault.
    ///
    /// # Errors
    ///
    /// [`Failure`] where there is one already; nothing is changed then.
    pub(super) async fn create_vault(
        &self,
        header: &VaultHeader,
    ) -> Result<Arc<dyn Vault>, Failure> {
        Ok(if is_postgres(&self.vault) {
            Arc::new(PostgresVault::create(&self.vault, header).await?)
        } else {
            Arc::new(SqliteVault::create(&self.vault, header).await?)
        })
    }

    /// Begins to put a vault back where none is.
    ///
    /// # Errors
    ///
    /// [`Failure`] where there is one already; nothing is changed then.
    pub(super) async fn rebuild_vault(&self) -> Result<Box<dyn VaultRebuild>, Failure> {
        Ok(if is_postgres(&self.vault) {
            Box::new(PostgresRebuild::begin(&self.vault).await?)
        } else {
            Box::new(SqliteRebuild::begin(&self.vault).await?)
        })
    }

    /// Brings what was committed into the vault's own file, so that a copy of that file is a copy of
    /// the vault. Where another process uses it, that one does so when it ends.
    pub(super) async fn tidy_vault(&self) {
        let Some(path) = crate::engine::sqlite::path_of(&self.vault) else { return };
        let mut log = path.into_os_string();
        log.push("-wal");
        if !std::path::Path::new(&log).exists() {
            return;
        }
        if let Ok(vault) = SqliteVault::open(&self.vault).await {
            let _ = vault.settle().await;
            vault.close().await;
        }
    }

    /// Opens the source.
    ///
    /// # Errors
    ///
    /// [`Failure`] where none is named or it cannot be opened.
    pub async fn open_source(&self) -> Result<Arc<dyn Source>, Failure> {
        let url = self.source_url()?;
        if is_postgres(url) {
            return Ok(Arc::new(PostgresSource::open(url).await?));
        }
        Ok(Arc::new(SqliteSource::open(url).await?))
    }

    /// Whether several processes may work on a run: source and vault are servers then.
    pub(super) fn can_be_joined(&self) -> bool {
        is_postgres(&self.vault) && self.has_workers()
    }

    /// Whether the source lets several workers write.
    pub(super) fn has_workers(&self) -> bool {
        self.source.as_deref().is_some_and(is_postgres)
    }

    /// Opens the source for looking only; it may be read-only.
    ///
    /// # Errors
    ///
    /// [`Failure`] where none is named or it cannot be opened.
    pub async fn open_source_to_read(&self) -> Result<Arc<dyn Source>, Failure> {
        let url = self.source_url()?;
        if is_postgres(url) {
            return Ok(Arc::new(PostgresSource::open(url).await?));
        }
        Ok(Arc::new(SqliteSource::open_to_read(url).await?))
    }

    /// The source's URL as messages and files may show it: without a password.
    ///
    /// # Errors
    ///
    /// [`Failure`] where none is named.
    pub fn source_shown(&self) -> Result<String, Failure> {
        Ok(shown(self.source_url()?))
    }

    /// The vault's URL as messages may show it: without a password.
    pub(super) fn vault_shown(&self) -> String {
        shown(&self.vault)
    }

    /// The source's URL.
    ///
    /// # Errors
    ///
    /// [`Failure`] where none is named.
    pub fn source_url(&self) -> Result<&str, Failure> {
        self.source.as_deref().ok_or_else(|| {
            Failure::failed("no source is named")
                .hint("name it: `--source sqlite:PATH` or `--source postgres://USER@HOST/DATABASE`, or set \
                       SEALIFT_SOURCE")
        })
    }
}

/// A URL without its password.
pub(super) fn shown(url: &str) -> String {
    if !is_postgres(url) {
        return url.to_owned();
    }
    Address::parse(url)
        .map_or_else(|_| "postgres:".to_owned(), |address| address.shown().to_owned())
}
