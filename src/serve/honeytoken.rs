//! Tokens that stand for nobody. Whoever opens one has tokens that nobody gave out.
//!
//! To the vault such a token is like any other, so that nobody can tell it by looking; what knows it
//! is a keyed digest on the ledger.

use std::sync::Arc;

use super::grants::Grants;
use super::request::ServeError;
use super::tokenize::{named, refuse_while_loading, tokens};
use crate::crypto::KeyRing;
use crate::ports::Vault;
use crate::run::add_entries;
use crate::value::Original;

/// A token that stands for nobody.
#[derive(Debug)]
pub struct Honeytoken {
    /// What is planted: the token, in the template of its domain.
    pub cell: Original,
    /// The keyed digest under which requests for it are recorded, in hex.
    pub digest: String,
}

/// Seals an invented value in a domain, and returns what is to be planted.
///
/// # Errors
///
/// [`ServeError`] where there is no such domain, or the value does not fit it.
pub async fn honeytoken(
    vault: &dyn Vault,
    keys: &Arc<KeyRing>,
    domain: &str,
    value: &Original,
) -> Result<Honeytoken, ServeError> {
    let grants = Grants::of(vault, Arc::clone(keys)).await?;
    let found = named(&grants, domain).ok_or_else(|| ServeError::NoDomain(domain.to_owned()))?;
    refuse_while_loading(vault, domain).await?;
    let values = std::slice::from_ref(value);
    let (drawn, blind) = tokens(vault, keys, found, values).await?;
    let token = drawn.first().ok_or_else(|| ServeError::NoDomain(domain.to_owned()))?;
    let cell = found.column.treatment.cell(token);
    let cell = cell.map_err(|misfit| found.misfit(0, misfit.to_string()))?;
    add_entries(vault, keys, &found.column, &drawn, values, &blind).await?;
    let id = found.column.domain_id().to_be_bytes();
    let digest = keys.index().digest("token", &[&id, token.as_bytes()]);
    Ok(Honeytoken { cell, digest: data_encoding::HEXLOWER.encode(&digest) })
}
