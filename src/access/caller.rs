//! Who asks, and in which role.
//!
//! It knows no credential: whoever reads a credential says which caller it belongs to.

use std::fmt;
use std::str::FromStr;

/// The longest name of a role, in characters. The same as in a policy.
const NAME_CHARS_MAX: usize = 64;

/// In which role a caller asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// Scans, plans, runs, verifies, purges, rolls back. Approves nothing.
    Steward,
    /// Signs plans and purges. Sees no value.
    Approver,
    /// Reads what the vault says about itself. Sees no value.
    Auditor,
    /// Any other name: it can do what purposes name it for, and nothing else.
    Other(RoleName),
}

/// The name of a role that is none of the three built in.
///
/// **Invariant:** it is never `steward`, `approver` or `auditor`, so that a role which is written
/// down and read again is the same role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoleName(String);

impl RoleName {
    /// Lends the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// It is not written as a name.
    #[error(
        "`{0}` is not the name of a role (letters, digits, `_` and `-`, a letter or digit first, \
         {NAME_CHARS_MAX} at most)"
    )]
    NotAName(String),
    /// It is a built-in role in another spelling, which would be a role that can do nothing.
    #[error("role `{found}` is written `{expected}`")]
    Misspelt {
        /// The name as written.
        found: String,
        /// The name as it should be.
        expected: &'static str,
    },
}

impl Role {
    /// The word that the vault, policies and the command line use.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Steward => "steward",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Other(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        for built_in in [Self::Steward, Self::Approver, Self::Auditor] {
            if text == built_in.name() {
                return Ok(built_in);
            }
        }
        for expected in ["steward", "approver", "auditor"] {
            if text.eq_ignore_ascii_case(expected) {
                return Err(RoleError::Misspelt { found: text.to_owned(), expected });
            }
        }
        let is_name = text.len() <= NAME_CHARS_MAX
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '_' | '-'));
        if !is_name {
            return Err(RoleError::NotAName(text.to_owned()));
        }
        Ok(Self::Other(RoleName(text.to_owned())))
    }
}

/// Somebody who may ask, known by a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name, as the ledger writes it.
    pub name: String,
    /// The role.
    pub role: Role,
    /// RFC 3339; from then on the credential is refused.
    pub expires_at: Option<String>,
    /// RFC 3339; a credential that was revoked is refused whatever the time is.
    pub revoked_at: Option<String>,
}
