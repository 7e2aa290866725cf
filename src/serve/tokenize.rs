//! Values to tokens. An oracle for whoever may guess values, so it has the controls of opening.

use std::collections::HashMap;
use std::sync::Arc;

use super::at_once::AtOnce;
use super::domains::Domain;
use super::grants::Grants;
use super::request::{Request, ServeError, World, decided, record_of};
use crate::crypto::KeyRing;
use crate::lifecycle::Phase;
use crate::plan::Assessment;
use crate::policy::Permission;
use crate::ports::{BlindRow, Vault};
use crate::run::add_entries;
use crate::token::TokenBody;
use crate::value::Original;

/// Gives values their tokens, sealing those that the vault does not have; one answer a value.
///
/// A token-shaped value is a value like any other: it gets a token of its own.
///
/// # Errors
///
/// [`ServeError`] where the request as a whole is refused or could not be recorded.
pub async fn tokenize(
    vault: &dyn Vault,
    keys: &Arc<KeyRing>,
    request: &Request<'_>,
    values: &[Original],
) -> Result<Vec<Original>, ServeError> {
    let grants = Grants::of(vault, Arc::clone(keys)).await?;
    tokenize_in(&AtOnce { vault }, &grants, request, values).await
}

pub(super) async fn tokenize_in(
    world: &dyn World,
    grants: &Grants,
    request: &Request<'_>,
    values: &[Original],
) -> Result<Vec<Original>, ServeError> {
    let (vault, keys) = (world.vault(), grants.keys.as_ref());
    let domain = recorded(world, grants, request, Permission::Tokenize, values.len()).await?;
    refuse_while_loading(vault, &domain.name).await?;
    let (tokens, blind) = tokens(vault, keys, domain, values).await?;
    let cells = tokens
        .iter()
        .enumerate()
        .map(|(at, token)| {
            let cell = domain.column.treatment.cell(token);
            cell.map_err(|misfit| domain.misfit(at, misfit.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    add_entries(vault, keys, &domain.column, &tokens, values, &blind).await?;
    Ok(cells)
}

/// Decides and records a request about values of one domain. Who is permitted gets the domain.
pub(super) async fn recorded<'g>(
    world: &dyn World,
    grants: &'g Grants,
    request: &Request<'_>,
    permission: Permission,
    count: usize,
) -> Result<&'g Domain, ServeError> {
    // ORDER: decide, record, and only then touch the vault for the values.
    let decided = decided(world, grants, request, permission, count).await?;
    let reason = world.reason(&grants.keys, &request.caller.name, request.reason);
    let name = request.domain.unwrap_or_default();
    let domain = named(grants, name);
    let record = record_of(request, permission, count, &decided, &reason, |record| {
        if let Some(domain) = domain {
            record.counts.insert(format!("domain {}", domain.name), count as u64);
        }
    });
    world.record(record, reason).await?;
    decided?;
    domain.ok_or_else(|| ServeError::NoDomain(name.to_owned()))
}

pub(super) fn named<'g>(grants: &'g Grants, name: &str) -> Option<&'g Domain> {
    grants.domains.iter().find(|domain| domain.name == name)
}

/// A load holds its domains: what it merges must not change under it.
pub(super) async fn refuse_while_loading(
    vault: &dyn Vault,
    domain: &str,
) -> Result<(), ServeError> {
    for run in vault.runs().await? {
        if !matches!(run.phase, Phase::Approved | Phase::BackedUp) {
            continue;
        }
        let Ok(plan) = serde_json::from_str::<Assessment>(&run.plan) else { continue };
        let loads = plan
            .units
            .iter()
            .flat_map(|unit| &unit.tables)
            .flat_map(|table| &table.columns)
            .any(|column| column.domain == domain);
        if loads {
            return Err(ServeError::Loading(domain.to_owned()));
        }
    }
    Ok(())
}

pub(super) async fn tokens(
    vault: &dyn Vault,
    keys: &KeyRing,
    domain: &Domain,
    values: &[Original],
) -> Result<(Vec<TokenBody>, Vec<BlindRow>), ServeError> {
    let column = &domain.column;
    let misfit = |at: usize, reason: String| domain.misfit(at, reason);
    if column.treatment.is_deterministic() {
        let tokens = values
            .iter()
            .enumerate()
            .map(|(at, value)| column.derive(keys, value).map_err(|m| misfit(at, m.to_string())))
            .collect::<Result<_, _>>()?;
        return Ok((tokens, Vec::new()));
    }
    if !column.treatment.is_deduplicated() {
        return Ok((values.iter().map(|_| crate::run::draw_token()).collect(), Vec::new()));
    }
    let digests: Vec<[u8; 16]> = values
        .iter()
        .enumerate()
        .map(|(at, value)| {
            column.blind_digest(keys, value).ok_or_else(|| misfit(at, "no key".to_owned()))
        })
        .collect::<Result<_, _>>()?;
    let winners = vault.blind(column.domain_id(), &digests).await?;
    let (mut tokens, mut blind) = (Vec::new(), Vec::new());
    let mut drawn: HashMap<[u8; 16], TokenBody> = HashMap::new();
    for (digest, winner) in digests.into_iter().zip(winners) {
        let is_new = winner.is_none() && !drawn.contains_key(&digest);
        let token = winner
            .unwrap_or_else(|| drawn.entry(digest).or_insert_with(crate::run::draw_token).clone());
        if is_new {
            blind.push(BlindRow { domain: column.domain_id(), digest, token: token.clone() });
        }
        tokens.push(token);
    }
    Ok((tokens, blind))
}
