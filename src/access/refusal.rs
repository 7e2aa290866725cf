//! Why a request was refused.
//!
//! It knows no transport: what of this an outsider is told, the edge decides by [`Refusal::code`].

use jiff::Timestamp;

use crate::policy::Permission;

use super::{Role, Verb};

/// Seconds of the stretches of time that have rates: they begin with the minute and the day (UTC).
pub(crate) const MINUTE_S: i64 = 60;
pub(crate) const DAY_S: i64 = 86_400;

/// Why a request was refused as a whole.
///
/// These kinds are for the log and the ledger; they hold names and counts, never a token, a value
/// or a reason. To a caller outside there is [`Refusal::code`], which tells a purpose that does
/// not exist from one that he may not use as little as possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The caller's credential was revoked.
    #[error("credential of `{caller}` was revoked at {at}")]
    CallerRevoked {
        /// The caller.
        caller: String,
        /// When, as the vault has it.
        at: String,
    },
    /// The caller's credential has ended.
    #[error("credential of `{caller}` ended at {at}")]
    CallerExpired {
        /// The caller.
        caller: String,
        /// When, as the vault has it.
        at: String,
    },
    /// The role may not use the verb, whatever a purpose says.
    #[error("role `{role}` may not `{}`", .verb.name())]
    VerbDenied {
        /// The role.
        role: Role,
        /// The verb.
        verb: Verb,
    },
    /// The verb is permitted only under a purpose, and none was named.
    #[error("`{}` needs a purpose that names role `{role}`", .verb.name())]
    PurposeMissing {
        /// The role.
        role: Role,
        /// The verb.
        verb: Verb,
    },
    /// No purpose in force has this name. For whoever looks purposes up.
    #[error("purpose `{purpose}` is not in force")]
    PurposeUnknown {
        /// The name as asked.
        purpose: String,
    },
    /// The purpose is not for this role.
    #[error("purpose `{purpose}` does not name role `{role}`")]
    RoleNotNamed {
        /// The purpose.
        purpose: String,
        /// The caller's role.
        role: Role,
    },
    /// The purpose may not be used for this.
    #[error("purpose `{purpose}` may not be used to `{}`", Verb::by(*.permission).name())]
    PermissionDenied {
        /// The purpose.
        purpose: String,
        /// What was asked for.
        permission: Permission,
    },
    /// The purpose is not valid yet.
    #[error("purpose `{purpose}` is valid from {from} on")]
    NotYetValid {
        /// The purpose.
        purpose: String,
        /// When it begins, as the policy has it.
        from: String,
    },
    /// The purpose is not valid any more.
    #[error("purpose `{purpose}` was valid until {until}")]
    NoLongerValid {
        /// The purpose.
        purpose: String,
        /// When it ended, as the policy has it.
        until: String,
    },
    /// The purpose does not show the domain for what is asked of its values, or the vault has none
    /// of that name: the two are not told apart.
    #[error(
        "purpose `{purpose}` shows no domain `{domain}` to `{}`",
        Verb::by(*.permission).name()
    )]
    DomainDenied {
        /// The purpose.
        purpose: String,
        /// The domain, as asked.
        domain: String,
        /// What was asked for.
        permission: Permission,
    },
    /// The request is larger than the purpose permits.
    #[error("request holds {count} tokens, purpose `{purpose}` permits {max}")]
    TooMany {
        /// The purpose.
        purpose: String,
        /// Tokens or values in the request.
        count: usize,
        /// How many it may hold.
        max: u32,
    },
    /// So large a request needs an unlock by a second person, and there is none in force.
    #[error("request holds {count} tokens, purpose `{purpose}` gives {max} without an unlock")]
    Locked {
        /// The purpose.
        purpose: String,
        /// Tokens or values in the request.
        count: usize,
        /// How many it may hold without an unlock.
        max: u32,
    },
    /// The caller has used up what the purpose permits in a stretch of time.
    #[error("purpose `{purpose}` permits {max} tokens a {per}, {used} were used")]
    RateReached {
        /// The purpose.
        purpose: String,
        /// `minute` or `day`.
        per: &'static str,
        /// Tokens used in it so far, without this request.
        used: u64,
        /// How many it may be.
        max: u64,
    },
    /// A time that decides cannot be read. What cannot be read is not taken for a permission.
    #[error("{what} of `{name}` is not a time")]
    UnreadableTime {
        /// Which time.
        what: &'static str,
        /// Of which caller or purpose.
        name: String,
    },
}

impl Refusal {
    /// The stable word for the log and the ledger.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CallerRevoked { .. } => "caller_revoked",
            Self::CallerExpired { .. } => "caller_expired",
            Self::VerbDenied { .. } => "verb_denied",
            Self::PurposeMissing { .. } => "purpose_missing",
            Self::PurposeUnknown { .. } => "purpose_unknown",
            Self::RoleNotNamed { .. } => "role_not_named",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::NoLongerValid { .. } => "no_longer_valid",
            Self::DomainDenied { .. } => "domain_denied",
            Self::TooMany { .. } => "too_many",
            Self::Locked { .. } => "bulk_locked",
            Self::RateReached { .. } => "rate_reached",
            Self::UnreadableTime { .. } => "unreadable_time",
        }
    }

    /// In how many seconds the stretch of time ends whose rate is used up.
    #[must_use]
    pub fn passes_after_s(&self, now: Timestamp) -> Option<u64> {
        let Self::RateReached { per, .. } = self else { return None };
        let length_s = if *per == "minute" { MINUTE_S } else { DAY_S };
        u64::try_from(length_s - now.as_second().rem_euclid(length_s)).ok()
    }

    /// The stable word for the caller.
    ///
    /// One word for all that he cannot change, so that he cannot find out which purposes exist.
    /// Only who may use the purpose learns of its limits, because he can ask again within them.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DomainDenied { .. } => "domain_denied",
            Self::TooMany { .. } => "too_many_tokens",
            Self::Locked { .. } => "bulk_locked",
            Self::RateReached { .. } => "rate_limited",
            Self::CallerRevoked { .. }
            | Self::CallerExpired { .. }
            | Self::VerbDenied { .. }
            | Self::PurposeMissing { .. }
            | Self::PurposeUnknown { .. }
            | Self::RoleNotNamed { .. }
            | Self::PermissionDenied { .. }
            | Self::NotYetValid { .. }
            | Self::NoLongerValid { .. }
            | Self::UnreadableTime { .. } => "purpose_denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_comes_back_when_its_minute_or_day_ends() {
        let now: Timestamp = "2026-11-22T23:58:45Z".parse().unwrap();
        let reached = |per| Refusal::RateReached { purpose: "p".to_owned(), per, used: 5, max: 5 };
        assert_eq!(reached("minute").passes_after_s(now), Some(15));
        assert_eq!(reached("day").passes_after_s(now), Some(75));
        let other = Refusal::PurposeUnknown { purpose: "p".to_owned() };
        assert_eq!(other.passes_after_s(now), None);
    }
}
