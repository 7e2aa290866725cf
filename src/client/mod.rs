//! Ways in for programs in Rust: [`Client`] asks a service over HTTP, [`Vault`] opens a vault itself.
//!
//! Both take the same questions and give the same answers. Neither knows how a purpose is decided.

mod embedded;
mod http;

pub use embedded::Vault;
pub use http::Client;

/// The examples of `docs/ACCESS.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ACCESS.md")]
struct Examples;

use std::fmt;

use zeroize::Zeroizing;

/// What a token stands for. It cannot print, and is wiped from memory when dropped.
pub enum Opened {
    /// A text, or a number in decimal.
    Text(Zeroizing<String>),
    /// Bytes that are no text.
    Bytes(Zeroizing<Vec<u8>>),
    /// Unknown, denied or altered: the three are not told apart.
    Refused,
}

impl Opened {
    /// The text; `None` for bytes, and for what is refused.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(_) | Self::Refused => None,
        }
    }

    /// Whether it is refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Opened::Text(..)",
            Self::Bytes(_) => "Opened::Bytes(..)",
            Self::Refused => "Opened::Refused",
        })
    }
}

/// Why a request got no answer. No variant holds a value, a token or a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address, the passphrase or the credential cannot be used as given.
    #[error("{0}")]
    Unusable(&'static str),
    /// The service refused the request as a whole.
    #[error("the service answered `{code}`: {message} (request {request_id})")]
    Answered {
        /// The HTTP status.
        status: u16,
        /// The stable word.
        code: String,
        /// The sentence.
        message: String,
        /// Names the request in the log of the service.
        request_id: String,
    },
    /// The service cannot be reached, or its answer is not one.
    #[error("the service did not answer as it says")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The vault refused the request as a whole, or failed.
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    /// The vault cannot be opened.
    #[error(transparent)]
    Vault(#[from] crate::ports::VaultError),
    /// The vault's keys cannot be read.
    #[error(transparent)]
    Keys(#[from] crate::serve::KeysError),
}

impl ClientError {
    /// Whether the same request may be answered a little later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Answered { status, .. } => matches!(status, 429 | 503),
            Self::Transport(_) => true,
            Self::Serve(error) => error.remedy() == crate::ports::Remedy::RetryLater,
            Self::Vault(error) => error.remedy() == crate::ports::Remedy::RetryLater,
            Self::Unusable(_) | Self::Keys(_) => false,
        }
    }
}
