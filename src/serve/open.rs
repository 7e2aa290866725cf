//! Tokens to values.

use std::collections::{BTreeMap, HashMap};

use super::domains::{Domain, domains, find};
use super::request::{Request, ServeError, decide_and_record};
use crate::access::{Shown, form_for, show};
use crate::crypto::KeyRing;
use crate::ledger::Draft;
use crate::policy::{Permission, Purpose};
use crate::ports::{EntryRow, Vault};
use crate::run::open_entry;
use crate::token::{DomainId, TokenBody};

/// The answer for one token.
#[derive(Debug)]
pub enum Answer {
    /// The value, in the purpose's form.
    Shown(Shown),
    /// Unknown, denied or altered: the three are not told apart.
    Refused,
}

/// Opens tokens for a purpose; one answer a token, in the order asked.
///
/// # Errors
///
/// [`ServeError`] where the request as a whole is refused or could not be recorded; no value has
/// left then.
pub async fn open(
    vault: &dyn Vault,
    keys: &KeyRing,
    request: &Request<'_>,
    tokens: &[String],
) -> Result<Vec<Answer>, ServeError> {
    let domains = domains(vault, keys).await?;
    let found: Vec<Option<(&Domain, TokenBody)>> =
        tokens.iter().map(|text| find(&domains, request.domain, text)).collect();
    let purpose =
        decide_and_record(vault, keys, request, Permission::Detokenize, tokens.len(), |draft| {
            describe(keys, draft, &found);
        })
        .await?;
    let entries = look_up(vault, &found).await?;
    Ok(found
        .into_iter()
        .map(|found| answer(keys, &purpose, &entries, found).map_or(Answer::Refused, Answer::Shown))
        .collect())
}

/// Counts by domain and keyed digests of the tokens, for the entry.
fn describe(keys: &KeyRing, draft: &mut Draft, found: &[Option<(&Domain, TokenBody)>]) {
    let mut digests = Vec::new();
    let mut by_domain: BTreeMap<String, u64> = BTreeMap::new();
    for (domain, token) in found.iter().flatten() {
        *by_domain.entry(format!("domain {}", domain.name)).or_default() += 1;
        let id = domain.column.domain_id().to_be_bytes();
        let digest = keys.index().digest("token", &[&id, token.as_bytes()]);
        digests.push(serde_json::Value::from(data_encoding::HEXLOWER.encode(&digest)));
    }
    draft.counts.extend(by_domain);
    draft.details.insert("tokens".into(), digests.into());
}

async fn look_up(
    vault: &dyn Vault,
    found: &[Option<(&Domain, TokenBody)>],
) -> Result<HashMap<(DomainId, TokenBody), EntryRow>, ServeError> {
    let mut wanted: HashMap<DomainId, Vec<TokenBody>> = HashMap::new();
    for (domain, token) in found.iter().flatten() {
        wanted.entry(domain.column.domain_id()).or_default().push(token.clone());
    }
    let mut entries = HashMap::new();
    for (domain, tokens) in wanted {
        for entry in vault.entries(domain, &tokens).await?.into_iter().flatten() {
            entries.insert((domain, entry.token.clone()), entry);
        }
    }
    Ok(entries)
}

fn answer(
    keys: &KeyRing,
    purpose: &Purpose,
    entries: &HashMap<(DomainId, TokenBody), EntryRow>,
    found: Option<(&Domain, TokenBody)>,
) -> Option<Shown> {
    let (domain, token) = found?;
    let form = form_for(purpose, &domain.name, &domain.class)?;
    let entry = entries.get(&(domain.column.domain_id(), token))?;
    let original = open_entry(keys, &domain.column, entry).ok()?;
    show(form, &original)
}
