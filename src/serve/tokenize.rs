//! Values to tokens. An oracle for whoever may guess values, so it has the controls of opening.

use std::collections::HashMap;

use super::domains::{Domain, domains};
use super::request::{Request, ServeError, decide_and_record};
use crate::access::form_for;
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
    keys: &KeyRing,
    request: &Request<'_>,
    values: &[Original],
) -> Result<Vec<Original>, ServeError> {
    let name = request.domain.unwrap_or_default();
    let domains = domains(vault, keys).await?;
    let domain = domains.iter().find(|domain| domain.name == name);
    let purpose =
        decide_and_record(vault, keys, request, Permission::Tokenize, values.len(), |draft| {
            draft.counts.insert(format!("domain {name}"), values.len() as u64);
        })
        .await?;
    let domain = domain
        .filter(|domain| form_for(&purpose, &domain.name, &domain.class).is_some())
        .ok_or_else(|| ServeError::NoDomain(name.to_owned()))?;
    refuse_while_loading(vault, name).await?;
    let (tokens, blind) = tokens(vault, keys, domain, values).await?;
    add_entries(vault, keys, &domain.column, &tokens, values, &blind).await?;
    tokens
        .iter()
        .enumerate()
        .map(|(at, token)| {
            domain.column.treatment.cell(token).map_err(|misfit| ServeError::Misfit {
                number: at + 1,
                domain: name.to_owned(),
                reason: misfit.to_string(),
            })
        })
        .collect()
}

/// A load holds its domains: what it merges must not change under it.
async fn refuse_while_loading(vault: &dyn Vault, domain: &str) -> Result<(), ServeError> {
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

async fn tokens(
    vault: &dyn Vault,
    keys: &KeyRing,
    domain: &Domain,
    values: &[Original],
) -> Result<(Vec<TokenBody>, Vec<BlindRow>), ServeError> {
    let column = &domain.column;
    let misfit = |at: usize, reason: String| ServeError::Misfit {
        number: at + 1,
        domain: domain.name.clone(),
        reason,
    };
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
