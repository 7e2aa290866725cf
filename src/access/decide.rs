//! The decisions: may this caller do this, now, under this purpose, and what may he see?
//!
//! It knows no token and no value, only how many there are.
//!
//! **Invariant:** times are stretches that hold their beginning and not their end: at the very
//! moment that a credential expires or a purpose ends, it is refused.

use jiff::Timestamp;

use crate::policy::{Form, Permission, Purpose};

use super::{Caller, Decision, Refusal, Verb, may};

/// Permits a verb of the command line to a caller, or says why not.
///
/// Verbs that need a purpose are not permitted here; [`decide`] is asked about those.
///
/// # Errors
///
/// Returns a [`Refusal`] if the credential is void, if the role may not use the verb, or if the
/// verb needs a purpose.
pub fn permit(caller: &Caller, verb: Verb, now: Timestamp) -> Result<(), Refusal> {
    is_in_force(caller, now)?;
    match may(&caller.role, verb) {
        Decision::Permit => Ok(()),
        Decision::ByPurpose => Err(Refusal::PurposeMissing { role: caller.role.clone(), verb }),
        Decision::Refuse => Err(Refusal::VerbDenied { role: caller.role.clone(), verb }),
    }
}

/// Permits a request of `count` tokens or values under a purpose, or says why not.
///
/// It decides the request as a whole; which of its tokens may be seen, and how, is a matter of
/// their domains: see [`form_for`].
///
/// # Errors
///
/// Returns a [`Refusal`] for the first of these that fails: the credential, the role, the
/// purpose's roles, what it may be used for, its validity, the size of the request.
pub fn decide(
    caller: &Caller,
    purpose: &Purpose,
    permission: Permission,
    count: usize,
    now: Timestamp,
) -> Result<(), Refusal> {
    is_in_force(caller, now)?;
    let verb = Verb::by(permission);
    // Deny wins: a purpose that names `approver` or `auditor` does not make a value theirs to see.
    if may(&caller.role, verb) == Decision::Refuse {
        return Err(Refusal::VerbDenied { role: caller.role.clone(), verb });
    }
    if !purpose.roles.iter().any(|role| role == caller.role.name()) {
        let purpose = purpose.name.clone();
        return Err(Refusal::RoleNotNamed { purpose, role: caller.role.clone() });
    }
    if !purpose.may.contains(&permission) {
        return Err(Refusal::PermissionDenied { purpose: purpose.name.clone(), permission });
    }
    is_valid(purpose, now)?;
    let max = purpose.max_tokens_per_request;
    if u64::try_from(count).is_ok_and(|count| count <= u64::from(max)) {
        Ok(())
    } else {
        Err(Refusal::TooMany { purpose: purpose.name.clone(), count, max })
    }
}

/// Permits a large request where a second person has unlocked the purpose for the caller.
///
/// `unlocked_until` is the end of the newest unlock, as the vault has it.
///
/// # Errors
///
/// Returns [`Refusal::Locked`] for more tokens than the purpose gives without an unlock in force.
pub fn decide_bulk(
    purpose: &Purpose,
    count: usize,
    unlocked_until: Option<&str>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(max) = purpose.unlock_above else { return Ok(()) };
    if u64::try_from(count).is_ok_and(|count| count <= u64::from(max)) {
        return Ok(());
    }
    if let Some(until) = unlocked_until
        && now < time(until, "the unlock", &purpose.name)?
    {
        return Ok(());
    }
    Err(Refusal::Locked { purpose: purpose.name.clone(), count, max })
}

/// How many tokens a caller has used under a purpose before this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// In the last minute.
    pub minute: u64,
    /// In the last day.
    pub day: u64,
}

/// Permits `count` more tokens beside those that were used, or says which rate is reached.
///
/// # Errors
///
/// Returns [`Refusal::RateReached`] if the request would go past a rate of the purpose.
pub fn decide_rate(purpose: &Purpose, count: usize, used: Used) -> Result<(), Refusal> {
    let limits = [
        ("minute", used.minute, purpose.max_tokens_per_minute.map(u64::from)),
        ("day", used.day, purpose.max_tokens_per_day),
    ];
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    for (per, used, limit) in limits {
        if let Some(max) = limit
            && used.saturating_add(count) > max
        {
            return Err(Refusal::RateReached { purpose: purpose.name.clone(), per, used, max });
        }
    }
    Ok(())
}

/// Finds the form in which a purpose sees the values of a domain; `None`: not at all.
///
/// What the purpose says of the domain goes before what it says of the domain's class, whichever
/// of the two shows more.
#[must_use]
pub fn form_for(purpose: &Purpose, domain: &str, class: &str) -> Option<Form> {
    purpose.show.get(domain).or_else(|| purpose.show.get(class)).copied()
}

/// Says whether a credential is in force: neither revoked nor at its end.
///
/// # Errors
///
/// Returns the [`Refusal`] that names when it ended.
pub fn is_in_force(caller: &Caller, now: Timestamp) -> Result<(), Refusal> {
    if let Some(at) = &caller.revoked_at {
        return Err(Refusal::CallerRevoked { caller: caller.name.clone(), at: at.clone() });
    }
    let Some(at) = &caller.expires_at else { return Ok(()) };
    if now < time(at, "expiry", &caller.name)? {
        Ok(())
    } else {
        Err(Refusal::CallerExpired { caller: caller.name.clone(), at: at.clone() })
    }
}

fn is_valid(purpose: &Purpose, now: Timestamp) -> Result<(), Refusal> {
    if let Some(from) = &purpose.valid_from
        && now < time(from, "`valid_from`", &purpose.name)?
    {
        let purpose = purpose.name.clone();
        return Err(Refusal::NotYetValid { purpose, from: from.clone() });
    }
    if let Some(until) = &purpose.valid_until
        && now >= time(until, "`valid_until`", &purpose.name)?
    {
        let purpose = purpose.name.clone();
        return Err(Refusal::NoLongerValid { purpose, until: until.clone() });
    }
    Ok(())
}

fn time(text: &str, what: &'static str, name: &str) -> Result<Timestamp, Refusal> {
    text.parse().map_err(|_| Refusal::UnreadableTime { what, name: name.to_owned() })
}
