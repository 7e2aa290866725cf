//! The domains of a vault, ready to read and write tokens.

use super::request::ServeError;
use crate::access::grants::{DomainGrant, Grant};
use crate::crypto::{KeyId, KeyRing};
use crate::policy::ColumnRule;
use crate::ports::{DomainRow, Vault, VaultError};
use crate::run::Column;
use crate::token::{DomainId, Token, TokenBody, Treatment};

/// A domain of the vault.
#[derive(Debug)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// How its tokens are made.
    pub column: Column,
}

impl Domain {
    /// Says that a value, numbered from 0, cannot have a token here.
    pub(super) fn misfit(&self, at: usize, reason: String) -> ServeError {
        ServeError::Misfit { number: at + 1, domain: self.name.clone(), reason }
    }
}

/// Reads the domains whose rows carry the MAC that only the control key makes; others grant nothing.
///
/// # Errors
///
/// [`VaultError`] where they cannot be read.
pub async fn domains(vault: &dyn Vault, keys: &KeyRing) -> Result<Vec<Domain>, VaultError> {
    Ok(vault.domains().await?.iter().filter_map(|row| domain(keys, row)).collect())
}

fn domain(keys: &KeyRing, row: &DomainRow) -> Option<Domain> {
    let grant = DomainGrant {
        domain: row.domain,
        name: &row.name,
        class: &row.class,
        treatment: &row.treatment,
    };
    if !grant.is_genuine(keys.control(), &row.mac) {
        return None;
    }
    let rule: ColumnRule = serde_json::from_str(&row.treatment).ok()?;
    let column = Column {
        treatment: Treatment::from_rule(&rule, row.domain).ok()?,
        domain: row.name.clone(),
        data_key: keys.active_data(&row.name).unwrap_or(KeyId(0)),
        value_bytes_max: u64::MAX,
    };
    Some(Domain { name: row.name.clone(), class: row.class.clone(), column })
}

/// A token, and the domain that it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Found<'d> {
    /// The domain's number, as the token says it.
    pub(super) id: DomainId,
    /// The domain; `None` where the vault has no such domain, or another one was named. The token is
    /// looked up all the same, so that the time does not tell.
    pub(super) domain: Option<&'d Domain>,
    /// The token.
    pub(super) token: TokenBody,
}

/// Which domain a text's token belongs to, and the token; `None` where the text holds none.
///
/// A token that names its domain is found in the text, whatever template is around it; the others
/// need `named`.
pub(super) fn find<'d>(
    domains: &'d [Domain],
    named: Option<&str>,
    text: &str,
) -> Option<Found<'d>> {
    if let Some(token) = token_in(text) {
        let domain = domains
            .iter()
            .find(|domain| domain.column.domain_id() == token.domain)
            .filter(|domain| named.is_none_or(|named| named == domain.name));
        return Some(Found { id: token.domain, domain, token: token.body() });
    }
    let domain = domains.iter().find(|domain| Some(domain.name.as_str()) == named)?;
    let token = domain.column.treatment.accept(text)?;
    Some(Found { id: domain.column.domain_id(), domain: Some(domain), token })
}

/// The one token in a text, with or without a template around it.
fn token_in(text: &str) -> Option<Token> {
    let mut found = text.match_indices("sl").filter_map(|(at, _)| {
        let end = at.checked_add(crate::token::TOKEN_CHARS)?;
        Token::parse(text.get(at..end)?).ok()
    });
    let token = found.next()?;
    found.next().is_none().then_some(token)
}
