//! Where a passphrase comes from: a file, the environment, or a prompt; never an argument.
//!
//! It does not know what the passphrase opens.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::file::{SecretFileError, read_secret_file};

/// Where to find the passphrase.
#[derive(Debug)]
pub enum PassphraseSource {
    /// The first and only line of this file.
    File(PathBuf),
    /// The value of `SEALIFT_PASSPHRASE`, as the caller found it.
    Environment(SecretString),
    /// A person at the terminal.
    Prompt,
}

/// Why there is no passphrase. No variant carries one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// None was given, and there is no one to ask.
    #[error("no passphrase is given, and standard input is not a terminal")]
    NoTerminal,
    /// It is empty.
    #[error("passphrase is empty")]
    Empty,
    /// The two times it was typed differ.
    #[error("the two passphrases differ")]
    Differ,
    /// The file could not be read.
    #[error("passphrase file could not be read")]
    File(#[from] SecretFileError),
    /// The terminal could not be read.
    #[error("terminal could not be read")]
    Terminal(#[source] io::Error),
}

impl PassphraseSource {
    /// Chooses: a file that was named, else the environment's value, else the prompt.
    ///
    /// The file comes first, because naming it is the more deliberate act.
    #[must_use]
    pub fn choose(file: Option<PathBuf>, environment: Option<SecretString>) -> Self {
        match (file, environment) {
            (Some(path), _) => Self::File(path),
            (None, Some(value)) => Self::Environment(value),
            (None, None) => Self::Prompt,
        }
    }

    /// Reads the passphrase of a vault that exists.
    ///
    /// # Errors
    ///
    /// Returns [`PassphraseError`] where there is none; nobody is asked without a terminal.
    pub fn read(self) -> Result<SecretString, PassphraseError> {
        let passphrase = match self {
            Self::File(path) => read_secret_file(&path)?.as_str().into(),
            Self::Environment(value) => value,
            Self::Prompt => ask("Passphrase: ")?,
        };
        if passphrase.expose_secret().is_empty() {
            return Err(PassphraseError::Empty);
        }
        Ok(passphrase)
    }

    /// Reads a new passphrase; at a terminal it is asked for twice.
    ///
    /// # Errors
    ///
    /// Returns [`PassphraseError`] where there is none, or the two differ.
    pub fn read_new(self) -> Result<SecretString, PassphraseError> {
        let twice = matches!(self, Self::Prompt);
        let passphrase = self.read()?;
        if twice && ask("The same again: ")?.expose_secret() != passphrase.expose_secret() {
            return Err(PassphraseError::Differ);
        }
        Ok(passphrase)
    }
}

fn ask(question: &str) -> Result<SecretString, PassphraseError> {
    if !io::stdin().is_terminal() {
        return Err(PassphraseError::NoTerminal);
    }
    let typed =
        Zeroizing::new(rpassword::prompt_password(question).map_err(PassphraseError::Terminal)?);
    Ok(typed.as_str().into())
}
