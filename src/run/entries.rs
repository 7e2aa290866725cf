//! Sealing values into entries, and opening them again.

use std::collections::{HashMap, HashSet};

use rand::Rng;

use crate::crypto::KeyRing;
use crate::policy::Normalise;
use crate::ports::{BlindRow, EntryRow, Vault};
use crate::run::batch::compute;
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::token::{DomainId, TokenBody};
use crate::value::Original;

/// Bytes of random bits that a `random` token is.
const TOKEN_BYTES: usize = 16;

/// Draws a token.
#[must_use]
pub fn draw() -> TokenBody {
    let mut bytes = [0; TOKEN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    TokenBody::new(&bytes)
}

/// One value to be sealed under its token.
pub(crate) struct Sealing<'v> {
    /// The column.
    pub(crate) column: &'v Column,
    /// The token.
    pub(crate) token: TokenBody,
    /// The value.
    pub(crate) original: &'v Original,
}

/// Seals values on all cores. The segment is filled in by whoever stores them.
pub(crate) fn seal_all(keys: &KeyRing, values: &[Sealing<'_>]) -> Result<Vec<EntryRow>, RunError> {
    let mut nonces = vec![0_u8; values.len() * 24];
    rand::rng().fill_bytes(&mut nonces);
    let numbered: Vec<(usize, &Sealing<'_>)> = values.iter().enumerate().collect();
    compute(&numbered, |(at, value)| {
        let column = value.column;
        let key = keys
            .data_key(column.data_key)
            .ok_or_else(|| RunError::NoKey(format!("domain `{}`", column.domain)))?;
        let mut nonce = [0; 24];
        nonce.copy_from_slice(&nonces[at * 24..(at + 1) * 24]);
        let context = column.context(keys, &value.token, value.original.kind());
        Ok(EntryRow {
            domain: column.domain_id(),
            token: value.token.clone(),
            segment: 0,
            kind: value.original.kind(),
            envelope: key.seal(column.data_key, value.original, &context, nonce),
        })
    })
    .into_iter()
    .collect()
}

/// Seals values under their tokens and adds those that the vault does not have; those that it has
/// are opened and compared.
///
/// # Errors
///
/// [`RunError::Collision`] where a token stands for another value.
pub async fn add_entries(
    vault: &dyn Vault,
    keys: &KeyRing,
    column: &Column,
    tokens: &[TokenBody],
    values: &[Original],
    blind: &[BlindRow],
) -> Result<(), RunError> {
    let mut seen: HashSet<&TokenBody> = HashSet::new();
    let sealings: Vec<Sealing<'_>> = tokens
        .iter()
        .zip(values)
        .filter(|(token, _)| seen.insert(token))
        .map(|(token, original)| Sealing { column, token: token.clone(), original })
        .collect();
    let entries = seal_all(keys, &sealings)?;
    let there = vault.insert(None, &entries, blind, None).await?;
    compare(keys, &HashMap::from([(column.domain_id(), column.clone())]), &entries, &there)
}

/// Opens one entry.
///
/// # Errors
///
/// [`RunError::Unauthentic`] where it was altered, moved, or its key is not there.
pub fn open_entry(keys: &KeyRing, column: &Column, entry: &EntryRow) -> Result<Original, RunError> {
    let unauthentic = || RunError::Unauthentic { token: token_name(column, &entry.token) };
    let id = crate::crypto::envelope_key_id(&entry.envelope).map_err(|_| unauthentic())?;
    let key = keys.data_key(id).ok_or_else(unauthentic)?;
    key.open(&entry.envelope, &column.context(keys, &entry.token, entry.kind))
        .map_err(|_| unauthentic())
}

/// How messages name a token.
pub(crate) fn token_name(column: &Column, token: &TokenBody) -> String {
    column
        .treatment
        .token_text(token)
        .unwrap_or_else(|_| data_encoding::HEXLOWER.encode(token.as_bytes()))
}

/// Which of these token-shaped cells are tokens: (column, body) → whether the vault has it.
pub(crate) async fn known(
    vault: &dyn Vault,
    shaped: impl IntoIterator<Item = (DomainId, TokenBody)>,
) -> Result<HashMap<(DomainId, TokenBody), EntryRow>, RunError> {
    let mut wanted: HashMap<DomainId, Vec<TokenBody>> = HashMap::new();
    for (domain, token) in shaped {
        wanted.entry(domain).or_default().push(token);
    }
    let mut found = HashMap::new();
    for (domain, mut tokens) in wanted {
        tokens.sort_unstable();
        tokens.dedup();
        let entries = vault.entries(domain, &tokens).await?;
        for entry in entries.into_iter().flatten() {
            found.insert((domain, entry.token.clone()), entry);
        }
    }
    Ok(found)
}

/// Compares sealed values with entries that the vault has under the same tokens.
///
/// # Errors
///
/// [`RunError::Collision`] where one opens to another value. That is fatal: nothing goes on.
pub(crate) fn compare(
    keys: &KeyRing,
    columns: &HashMap<DomainId, Column>,
    mine: &[EntryRow],
    theirs: &[EntryRow],
) -> Result<(), RunError> {
    let mine: HashMap<(DomainId, &TokenBody), &EntryRow> =
        mine.iter().map(|entry| ((entry.domain, &entry.token), entry)).collect();
    for entry in theirs {
        let Some(own) = mine.get(&(entry.domain, &entry.token)) else { continue };
        same_value(keys, columns, own, entry)?;
    }
    Ok(())
}

/// Opens two entries of one token and compares what is in them.
pub(crate) fn same_value(
    keys: &KeyRing,
    columns: &HashMap<DomainId, Column>,
    one: &EntryRow,
    two: &EntryRow,
) -> Result<(), RunError> {
    let column = columns.get(&one.domain).ok_or_else(|| {
        RunError::Inconsistent("an entry belongs to a domain that no column has".to_owned())
    })?;
    let (first, second) = (open_entry(keys, column, one)?, open_entry(keys, column, two)?);
    let same = if column.treatment.is_lossy_ok() {
        column.digest(keys, &first) == column.digest(keys, &second)
    } else {
        first.same_as(&second)
    };
    if same { Ok(()) } else { Err(differ(keys, column, &one.token, &first, &second)) }
}

/// What is wrong where two values have one token.
pub(crate) fn differ(
    keys: &KeyRing,
    column: &Column,
    token: &TokenBody,
    one: &Original,
    two: &Original,
) -> RunError {
    let domain = column.domain.clone();
    let is_normalised = column.treatment.normalise() != Normalise::None;
    if is_normalised && column.digest(keys, one) == column.digest(keys, two) {
        return RunError::Spellings { domain };
    }
    RunError::Collision { domain, token: token_name(column, token) }
}
