//! Tokens to values.
//!
//! **Invariant:** unknown, denied and altered tokens take the same way: each is looked up, each has
//! an envelope opened (a decoy's, where there is none that may be), and each gets `refused`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rand::Rng;
use tokio::sync::OwnedSemaphorePermit;

use super::at_once::AtOnce;
use super::domains::{Domain, Found, find};
use super::grants::{Grants, InForce};
use super::request::{Request, ServeError, World, decided, record_of};
use crate::access::{Shown, form_for, show};
use crate::crypto::KeyRing;
use crate::ledger::IntakeRecord;
use crate::policy::{Form, Permission};
use crate::ports::{EntryRow, Looked, Vault};
use crate::run::{compute, open_entry};
use crate::token::{DomainId, TokenBody};
use crate::value::{Original, ValueType};

/// Tokens that are looked up at once. Larger requests are answered in pieces of this size or less.
const TOKENS_A_PIECE: usize = 1_000;

/// Envelopes that are larger are looked up apart, and counted: pieces are bounded by bytes too, so
/// that the memory that a request takes grows neither with its tokens nor with their values.
const SMALL_BYTES: usize = 4 << 10;

/// A piece ends with the large value that takes it past this.
const LARGE_BYTES_A_PIECE: usize = 1 << 20;

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
    /// The next token that is not answered.
    at: usize,
    /// Where the tokens end that are looked up.
    looked_through: usize,
    /// What came of looking them up.
    looked: HashMap<(DomainId, TokenBody), Looked>,
}

/// Some of the tokens of a request, with their answers.
pub struct Piece {
    /// The tokens, as they were sent.
    pub tokens: Vec<String>,
    /// One answer a token.
    pub answers: Vec<Answer>,
    /// Held as long as the piece is, where it holds large values.
    _held: Option<OwnedSemaphorePermit>,
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
    while let Some(piece) = opening.next(&world).await? {
        answers.extend(piece.answers);
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
    let looked = HashMap::new();
    Ok(Opening { grants, in_force, named, tokens, at: 0, looked_through: 0, looked })
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
    /// Whether every token is answered.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The next tokens with their answers; `None` at the end.
    pub(super) async fn next(&mut self, world: &dyn World) -> Result<Option<Piece>, ServeError> {
        if self.is_done() {
            return Ok(None);
        }
        let grants = Arc::clone(&self.grants);
        let is_looked_up = self.at < self.looked_through;
        if !is_looked_up {
            self.looked_through = self.tokens.len().min(self.at + TOKENS_A_PIECE);
        }
        let asked = self.tokens[self.at..self.looked_through].iter();
        let mut found: Vec<Option<Found<'_>>> =
            asked.map(|text| find(&grants.domains, self.named.as_deref(), text)).collect();
        if !is_looked_up {
            self.looked = look_up(world, found.iter().flatten().cloned(), SMALL_BYTES).await?;
        }
        let (end, bytes, large) = self.end_of_piece(&found);
        found.truncate(end - self.at);
        let held = if bytes > 0 { world.hold(bytes).await? } else { None };
        let whole = look_up(world, large.into_iter(), usize::MAX).await?;
        let tokens: Vec<String> =
            self.tokens[self.at..end].iter_mut().map(std::mem::take).collect();
        self.at = end;
        let asked: Vec<(&String, Option<Found<'_>>)> = tokens.iter().zip(found).collect();
        let answers = compute(&asked, |(text, found)| {
            let entry = found.as_ref().and_then(|found| {
                let key = (found.id, found.token.clone());
                match self.looked.get(&key)? {
                    Looked::Large(_) => whole.get(&key),
                    small @ Looked::Entry(_) => Some(small),
                }
            });
            self.answer(text, found.as_ref(), entry)
        });
        drop(asked);
        Ok(Some(Piece { tokens, answers, _held: held }))
    }

    /// Where the next piece ends, how many bytes of large values are in it, and which these are: of
    /// what may not be shown, nothing large is fetched.
    fn end_of_piece<'f>(&self, found: &[Option<Found<'f>>]) -> (usize, usize, Vec<Found<'f>>) {
        let (mut bytes, mut large) = (0, Vec::new());
        if self.looked.values().all(|looked| matches!(looked, Looked::Entry(_))) {
            return (self.looked_through, bytes, large);
        }
        for (at, found) in (self.at..).zip(found) {
            let Some(found) = found else { continue };
            let key = (found.id, found.token.clone());
            let Some(Looked::Large(size)) = self.looked.get(&key) else { continue };
            if self.form(found).is_some() {
                bytes += size;
                large.push(found.clone());
            }
            if bytes >= LARGE_BYTES_A_PIECE {
                return (at + 1, bytes, large);
            }
        }
        (self.looked_through, bytes, large)
    }

    /// The form in which the purpose shows what a token stands for, if it does.
    fn form(&self, found: &Found<'_>) -> Option<Form> {
        let domain = found.domain?;
        form_for(&self.in_force.purpose, &domain.name, &domain.class)
    }

    fn answer(&self, text: &str, found: Option<&Found<'_>>, entry: Option<&Looked>) -> Answer {
        if found.is_none() && self.in_force.purpose.pass_originals && is_passed(text) {
            return Answer::Passed;
        }
        let permitted = found.and_then(|found| Some((found.domain?, self.form(found)?)));
        let shown = match (permitted, entry) {
            (Some((domain, form)), Some(Looked::Entry(entry))) => {
                open_entry(&self.grants.keys, &domain.column, entry)
                    .ok()
                    .and_then(|original| show(form, &original))
            }
            _ => self.grants.decoy.open(&self.grants).and(None),
        };
        shown.map_or(Answer::Refused, Answer::Shown)
    }
}

async fn look_up<'f>(
    world: &dyn World,
    found: impl Iterator<Item = Found<'f>>,
    bytes_max: usize,
) -> Result<HashMap<(DomainId, TokenBody), Looked>, ServeError> {
    let mut wanted: HashMap<DomainId, Vec<TokenBody>> = HashMap::new();
    for found in found {
        wanted.entry(found.id).or_default().push(found.token);
    }
    let mut all = HashMap::new();
    for (domain, tokens) in wanted {
        let looked = world.look_up(domain, tokens.clone(), bytes_max).await?;
        all.extend(
            tokens
                .into_iter()
                .zip(looked)
                .filter_map(|(token, looked)| Some(((domain, token), looked?))),
        );
    }
    Ok(all)
}
