//! Values to the tokens that stand for them, where there are such. It seals nothing and opens nothing.
//!
//! Whoever may guess values learns here whether a guess is in the vault, so it has the controls of
//! opening, and a purpose has to show the domain in the form `match`.

use std::sync::Arc;

use super::at_once::AtOnce;
use super::domains::Domain;
use super::grants::Grants;
use super::request::{Request, ServeError, World};
use super::tokenize::recorded;
use crate::crypto::KeyRing;
use crate::policy::Permission;
use crate::ports::Vault;
use crate::run::compute;
use crate::token::TokenBody;
use crate::value::Original;

/// Says which token stands for each value; `None` where none does.
///
/// # Errors
///
/// [`ServeError`] where the request as a whole is refused or could not be recorded.
pub async fn search(
    vault: &dyn Vault,
    keys: &Arc<KeyRing>,
    request: &Request<'_>,
    values: &[Original],
) -> Result<Vec<Option<Original>>, ServeError> {
    let grants = Grants::of(vault, Arc::clone(keys)).await?;
    search_in(&AtOnce { vault }, &grants, request, values).await
}

pub(super) async fn search_in(
    world: &dyn World,
    grants: &Grants,
    request: &Request<'_>,
    values: &[Original],
) -> Result<Vec<Option<Original>>, ServeError> {
    let domain = recorded(world, grants, request, Permission::Search, values.len()).await?;
    let tokens = candidates(world, &grants.keys, domain, values).await?;
    let wanted: Vec<TokenBody> = tokens.iter().flatten().cloned().collect();
    // Whether it is there is asked; what is sealed under it stays where it is.
    let mut there = world.look_up(domain.column.domain_id(), wanted, 0).await?.into_iter();
    Ok(tokens
        .into_iter()
        .map(|token| {
            let token = token?;
            there.next().flatten()?;
            domain.column.treatment.cell(&token).ok()
        })
        .collect())
}

/// The token that stands for each value if one does. A value that cannot have one has none.
async fn candidates(
    world: &dyn World,
    keys: &KeyRing,
    domain: &Domain,
    values: &[Original],
) -> Result<Vec<Option<TokenBody>>, ServeError> {
    let column = &domain.column;
    if column.treatment.is_deterministic() {
        return Ok(compute(values, |value| column.derive(keys, value).ok()));
    }
    if !column.treatment.is_deduplicated() {
        return Err(ServeError::NotSearchable(domain.name.clone()));
    }
    let digests: Option<Vec<[u8; 16]>> =
        values.iter().map(|value| column.blind_digest(keys, value)).collect();
    let digests = digests.ok_or(ServeError::Unavailable)?;
    Ok(world.vault().blind(column.domain_id(), &digests).await?)
}
