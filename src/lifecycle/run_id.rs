//! The name of a run: eight hex digits.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names a run. Eight lowercase hex digits on the command line and everywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(pub u32);

/// The text is not a run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a run id (eight hex digits)")]
pub struct RunIdError(pub String);

impl RunId {
    /// Reads eight lowercase hex digits.
    ///
    /// # Errors
    ///
    /// Returns [`RunIdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, RunIdError> {
        let malformed = || RunIdError(text.to_owned());
        if text.len() != 8 || text.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(malformed());
        }
        u32::from_str_radix(text, 16).map(Self).map_err(|_| malformed())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = RunIdError;

    fn try_from(text: String) -> Result<Self, RunIdError> {
        Self::parse(&text)
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.to_string()
    }
}
