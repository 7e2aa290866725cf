//! Who asks. The first thing that a handler finds out.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use super::error::ApiError;
use super::router::App;
use crate::access::{Caller, Decision, Verb, is_in_force, may};
use crate::crypto::Credential;
use crate::serve::Grants;

/// The holder of a credential in force, and what the vault grants at this moment.
pub(super) struct Known {
    pub(super) caller: Caller,
    pub(super) grants: Arc<Grants>,
}

impl Known {
    /// Refuses a role that may not use a verb that needs no purpose.
    pub(super) fn permit(&self, verb: Verb) -> Result<(), ApiError> {
        match may(&self.caller.role, verb) {
            Decision::Permit => Ok(()),
            Decision::ByPurpose | Decision::Refuse => Err(ApiError::role_denied()),
        }
    }
}

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let credential = credential(parts).ok_or_else(ApiError::unauthenticated)?;
        let grants = app.service.grants().await.map_err(|error| ApiError::of(&error, ""))?;
        let holder = grants.callers.holder(&credential).cloned();
        let caller = holder.ok_or_else(ApiError::unauthenticated)?;
        if let Err(refusal) = is_in_force(&caller, jiff::Timestamp::now()) {
            tracing::warn!(caller = caller.name, kind = refusal.kind(), "a void credential");
            return Err(ApiError::unauthenticated());
        }
        app.service.used(&credential);
        Ok(Self { caller, grants })
    }
}

fn credential(parts: &Parts) -> Option<Credential> {
    let mut sent = parts.headers.get_all(header::AUTHORIZATION).iter();
    let text = sent.next()?.to_str().ok()?;
    // Two of them contradict each other.
    if sent.next().is_some() {
        return None;
    }
    let (scheme, credential) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    Credential::parse(credential.trim()).ok()
}
