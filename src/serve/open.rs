//! Tokens to values.
//!
//! **Invariant:** unknown, denied and altered tokens take the same way: each is looked up, each has
//! an envelope opened (a decoy's, where there is none that may be), and each gets `refused`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rand::Rng;

use super::at_once::AtOnce;
use super::domains::{Domain, Found, find};
use super::grants::{Grants, InForce};
use super::request::{Request, ServeError, World, decided, record_of};
use crate::access::{Shown, form_for, show};
use crate::crypto::KeyRing;
use crate::ledger::IntakeRecord;
use crate::policy::Permission;
use crate::ports::{EntryRow, Vault};
use crate::run::{compute, open_entry};
use crate::token::{DomainId, TokenBody};
use crate::value::{Original, ValueType};

/// Tokens that are opened at once. Larger requests are answered in pieces of this size, so that the
/// memory that a request takes does not grow with it.
pub const TOKENS_A_PIECE: usize = 1_000;

/// The answer for one token.
#[derive(Debug)]
pub enum Answer {
    /// The value, in the purpose's form.
    Shown(Shown),
    /// It is no token, and the purpose passes originals: it is returned as it came.
    Passed,
    /// Unknown, denied or altered: the three are not told apart.
    Refused,
}

/// A request that was permitted and recorded, and may now be answered.
pub struct Opening {
    grants: Arc<Grants>,
    in_force: Arc<InForce>,
    named: Option<String>,
    tokens: Vec<String>,
    at: usize,
}

/// A sealed value of nobody's, opened in the place of one that may not be.
pub(super) struct Decoy(Option<(usize, EntryRow)>);

impl Decoy {
    /// Seals it under the key of some domain, for another token than it will be opened with.
    pub(super) fn new(keys: &KeyRing, domains: &[Domain]) -> Self {
        Self(domains.iter().enumerate().find_map(|(at, domain)| {
            let key = keys.data_key(domain.column.data_key)?;
            let mut nonce = [0; 24];
            rand::rng().fill_bytes(&mut nonce);
            let original = Original::text("nobody@example.invalid");
            let sealed_for = TokenBody::new(&[0; 16]);
            let context = domain.column.context(keys, &sealed_for, ValueType::Text);
            let envelope = key.seal(domain.column.data_key, &original, &context, nonce);
            let entry = EntryRow {
                domain: domain.column.domain_id(),
                token: TokenBody::new(&[1; 16]),
                segment: 0,
                kind: ValueType::Text,
                envelope,
            };
            Some((at, entry))
        }))
    }

    /// Fails to open, as an altered entry does.
    fn open(&self, grants: &Grants) -> Option<Original> {
        let (at, entry) = self.0.as_ref()?;
        let domain = grants.domains.get(*at)?;
        open_entry(&grants.keys, &domain.column, std::hint::black_box(entry)).ok()
    }
}

/// Opens tokens for a purpose; one answer a token, in the order asked.
///
/// # Errors
///
/// [`ServeError`] where the request as a whole is refused or could not be recorded; no value has
/// left then.
pub async fn open(
    vault: &dyn Vault,
    keys: &Arc<KeyRing>,
    request: &Request<'_>,
    tokens: Vec<String>,
) -> Result<Vec<Answer>, ServeError> {
    let grants = Arc::new(Grants::of(vault, Arc::clone(keys)).await?);
    let world = AtOnce { vault };
    let mut opening = begin(&world, grants, request, tokens).await?;
    let mut answers = Vec::new();
    while let Some((_, piece)) = opening.next(&world).await? {
        answers.extend(piece);
    }
    Ok(answers)
}

/// Decides and records. Nothing is looked up before, and nothing is opened here.
pub(super) async fn begin(
    world: &dyn World,
    grants: Arc<Grants>,
    request: &Request<'_>,
    tokens: Vec<String>,
) -> Result<Opening, ServeError> {
    // ORDER: decide, record, open, answer. A decision is recorded whichever way it went; a value is
    // opened only after the record is durable; and what could not be recorded is not opened.
    let decided = decided(world, &grants, request, Permission::Detokenize, tokens.len()).await?;
    let reason = world.reason(&grants.keys, &request.caller.name, request.reason);
    let record =
        record_of(request, Permission::Detokenize, tokens.len(), &decided, &reason, |record| {
            let passes = decided.as_ref().is_ok_and(|found| found.purpose.pass_originals);
            describe(&grants, request.domain, &tokens, passes, record);
        });
    world.record(record, reason).await?;
    let in_force = decided?;
    let named = request.domain.map(str::to_owned);
    Ok(Opening { grants, in_force, named, tokens, at: 0 })
}

/// Counts by domain and keyed digests of the tokens, for the record.
fn describe(
    grants: &Grants,
    named: Option<&str>,
    tokens: &[String],
    passes: bool,
    record: &mut IntakeRecord,
) {
    let mut by_domain: BTreeMap<&str, u64> = BTreeMap::new();
    let mut as_they_were = 0_u64;
    let found = compute(tokens, |text| {
        let found = find(&grants.domains, named, text);
        let digest = found.as_ref().map(|found| {
            let id = found.id.to_be_bytes();
            let digest = grants.keys.index().digest("token", &[&id, found.token.as_bytes()]);
            data_encoding::HEXLOWER.encode(&digest)
        });
        (found, digest)
    });
    record.token_digests.reserve(tokens.len());
    for ((found, digest), text) in found.into_iter().zip(tokens) {
        match found.and_then(|found| found.domain) {
            Some(domain) => *by_domain.entry(domain.name.as_str()).or_default() += 1,
            None if passes && is_passed(text) => as_they_were += 1,
            None => {}
        }
        record.token_digests.extend(digest);
    }
    for (name, count) in by_domain {
        record.counts.insert(format!("domain {name}"), count);
    }
    if as_they_were > 0 {
        record.counts.insert("passed".to_owned(), as_they_were);
    }
}

/// Whether a text may be returned as it came, where the purpose passes originals. What has the
/// shape of a token never is, whatever it says beside it.
fn is_passed(text: &str) -> bool {
    !crate::token::has_token_shape(text)
}

impl Opening {
    /// How many tokens were asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The next tokens with their answers; `None` at the end.
    pub(super) async fn next(
        &mut self,
        world: &dyn World,
    ) -> Result<Option<(Vec<String>, Vec<Answer>)>, ServeError> {
        if self.at >= self.tokens.len() {
            return Ok(None);
        }
        let end = self.tokens.len().min(self.at + TOKENS_A_PIECE);
        let piece: Vec<String> = self.tokens[self.at..end].iter_mut().map(std::mem::take).collect();
        self.at = end;
        let named = self.named.as_deref();
        let domains = &self.grants.domains;
        let found: Vec<Option<Found<'_>>> =
            piece.iter().map(|text| find(domains, named, text)).collect();
        let entries = look_up(world, &found).await?;
        let asked: Vec<(&String, Option<Found<'_>>)> = piece.iter().zip(found).collect();
        let answers = compute(&asked, |(text, found)| self.answer(&entries, text, found.as_ref()));
        drop(asked);
        Ok(Some((piece, answers)))
    }

    fn answer(
        &self,
        entries: &HashMap<(DomainId, TokenBody), EntryRow>,
        text: &str,
        found: Option<&Found<'_>>,
    ) -> Answer {
        if found.is_none() && self.in_force.purpose.pass_originals && is_passed(text) {
            return Answer::Passed;
        }
        let permitted = found.and_then(|found| {
            let domain = found.domain?;
            let form = form_for(&self.in_force.purpose, &domain.name, &domain.class)?;
            Some((domain, form, entries.get(&(found.id, found.token.clone()))?))
        });
        let shown = match permitted {
            Some((domain, form, entry)) => open_entry(&self.grants.keys, &domain.column, entry)
                .ok()
                .and_then(|original| show(form, &original)),
            None => self.grants.decoy.open(&self.grants).and(None),
        };
        shown.map_or(Answer::Refused, Answer::Shown)
    }
}

async fn look_up(
    world: &dyn World,
    found: &[Option<Found<'_>>],
) -> Result<HashMap<(DomainId, TokenBody), EntryRow>, ServeError> {
    let mut wanted: HashMap<DomainId, Vec<TokenBody>> = HashMap::new();
    for found in found.iter().flatten() {
        wanted.entry(found.id).or_default().push(found.token.clone());
    }
    let mut entries = HashMap::new();
    for (domain, tokens) in wanted {
        for entry in world.look_up(domain, tokens).await?.into_iter().flatten() {
            entries.insert((domain, entry.token.clone()), entry);
        }
    }
    Ok(entries)
}
