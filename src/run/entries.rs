//! Sealing values into entries, and opening them again.

use std::collections::{HashMap, HashSet};

use rand::Rng;

use crate::crypto::{KeyRing, NONCE_BYTES, SEAL_OVERHEAD_BYTES};
use crate::policy::Normalise;
use crate::ports::{BlindRow, EntryRow, Vault};
use crate::run::batch::compute_chunks;
use crate::run::column::Column;
use crate::run::error::RunError;
use crate::run::record::StageRecord;
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

impl Sealing<'_> {
    /// Seals it behind what `bytes` holds already, with a nonce of its own.
    fn onto(
        &self,
        bytes: &mut Vec<u8>,
        keys: &KeyRing,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<(), RunError> {
        let column = self.column;
        let key = keys
            .data_key(column.data_key)
            .ok_or_else(|| RunError::NoKey(format!("domain `{}`", column.domain)))?;
        let context = column.context(keys, &self.token, self.original.kind());
        key.seal_onto(bytes, column.data_key, self.original, &context, nonce);
        Ok(())
    }
}

/// Values that one thread seals in a row.
const CHUNK: usize = 500;

/// Nonces for so many values.
fn nonces(count: usize) -> Vec<[u8; NONCE_BYTES]> {
    let mut nonces = vec![[0; NONCE_BYTES]; count];
    rand::rng().fill_bytes(nonces.as_flattened_mut());
    nonces
}

/// Seals values on all cores. The segment is filled in by whoever stores them.
pub(crate) fn seal_all(keys: &KeyRing, values: &[Sealing<'_>]) -> Result<Vec<EntryRow>, RunError> {
    let sealed = compute_chunks(values, CHUNK, |_, chunk| {
        let entries = chunk.iter().zip(nonces(chunk.len())).map(|(value, nonce)| {
            let mut envelope = Vec::new();
            value.onto(&mut envelope, keys, nonce)?;
            Ok(EntryRow {
                domain: value.column.domain_id(),
                token: value.token.clone(),
                segment: 0,
                kind: value.original.kind(),
                envelope,
            })
        });
        entries.collect::<Result<Vec<EntryRow>, RunError>>()
    });
    let mut entries = Vec::with_capacity(values.len());
    for sealed in sealed {
        entries.extend(sealed?);
    }
    Ok(entries)
}

/// Sealed values as records of a stage file.
pub(crate) struct SealedRecords(Vec<SealedChunk>);

/// Some of them: the records one behind the other, and where each ends.
struct SealedChunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl SealedRecords {
    /// Seals values on all cores, in the order in which they are given: where that is the order in
    /// which they lie in memory, nothing is waited for.
    pub(crate) fn of(keys: &KeyRing, values: &[&Sealing<'_>]) -> Result<Self, RunError> {
        let chunks = compute_chunks(values, CHUNK, |_, chunk| {
            let room = |value: &&Sealing<'_>| {
                value.original.len() + SEAL_OVERHEAD_BYTES + value.token.as_bytes().len() + 11
            };
            let mut bytes = Vec::with_capacity(chunk.iter().map(room).sum());
            let mut ends = Vec::with_capacity(chunk.len());
            for (value, nonce) in chunk.iter().zip(nonces(chunk.len())) {
                let (domain, kind) = (value.column.domain_id().0, value.original.kind());
                let envelope = value.original.len() + SEAL_OVERHEAD_BYTES;
                StageRecord::begin(&mut bytes, domain, kind, &value.token, envelope);
                value.onto(&mut bytes, keys, nonce)?;
                ends.push(bytes.len());
            }
            Ok(SealedChunk { bytes, ends })
        });
        chunks.into_iter().collect::<Result<_, RunError>>().map(Self)
    }

    /// The record of the value that was given in this place.
    pub(crate) fn get(&self, place: usize) -> Option<&[u8]> {
        let (chunk, at) = (self.0.get(place / CHUNK)?, place % CHUNK);
        let begin = at.checked_sub(1).map_or(Some(0), |before| chunk.ends.get(before).copied())?;
        chunk.bytes.get(begin..*chunk.ends.get(at)?)
    }
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
