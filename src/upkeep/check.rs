//! Reading a vault through: does every entry open, is every token the one of its value, and is the
//! set of entries the one that the ledger knows?
//!
//! **Invariant:** the second implementation derives the tokens, as in a verification: a mistake of
//! the first must not hide itself.

use std::collections::{BTreeMap, HashMap};

use super::UpkeepError;
use crate::crypto::KeyRing;
use crate::ledger::{Entry, Head, RowSetRoot, leaf_hash};
use crate::ports::{EntryRow, Progress, SegmentRow, Vault, VaultError};
use crate::run::{compute, open_entry, token_name};
use crate::serve::{Domain, domains};
use crate::token::{DomainId, second};

/// Entries that are read at once.
const ENTRIES: usize = 5_000;

/// Findings that are kept one by one; the rest are counted.
const FINDINGS_MAX: usize = 1_000;

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What: `unauthentic`, `misfiled`, `no_domain`, `segment`, `segment_record`, `ledger`.
    pub kind: &'static str,
    /// Where: a token, a domain, a segment. Never a value.
    pub place: String,
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Entries that opened to a value whose token is theirs.
    pub entries: u64,
    /// The same by domain.
    pub by_domain: BTreeMap<String, u64>,
    /// Segments whose root is the one on record.
    pub segments: u64,
    /// Ledger entries that are in the tree.
    pub ledger: u64,
    /// What does not hold, the first so many of it.
    pub findings: Vec<Finding>,
    /// What does not hold, in all.
    pub found: u64,
}

impl Checked {
    fn add(&mut self, kind: &'static str, place: String) {
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { kind, place });
        }
    }
}

/// Checks a vault.
///
/// # Errors
///
/// [`UpkeepError`] where it cannot be read. What does not hold is in the answer.
pub async fn check(
    vault: &dyn Vault,
    keys: &KeyRing,
    progress: &dyn Progress,
) -> Result<Checked, UpkeepError> {
    let mut checked = Checked::default();
    let known: HashMap<DomainId, Domain> = domains(vault, keys)
        .await?
        .into_iter()
        .map(|domain| (domain.column.domain_id(), domain))
        .collect();
    for row in vault.domains().await? {
        if !known.contains_key(&row.domain) {
            checked.add("no_domain", format!("the row of domain `{}` was altered", row.name));
        }
    }
    let segments = vault.segments().await?;
    progress.begin("read the vault", "entries", segments.iter().map(|row| row.entries).sum());
    let mut roots: HashMap<u32, RowSetRoot> = HashMap::new();
    let mut after = None;
    loop {
        let entries = vault.scan(after.clone(), ENTRIES).await?;
        let Some(last) = entries.last() else { break };
        after = Some((last.domain, last.token.clone()));
        look_at(keys, &known, &entries, &mut roots, &mut checked)?;
        progress.advance(entries.len() as u64);
    }
    progress.end();
    let on_ledger = ledger(vault, &mut checked).await?;
    compare(&segments, &roots, &on_ledger, &mut checked);
    Ok(checked)
}

/// Opens entries, derives their tokens again, and adds them to the roots of their segments.
fn look_at(
    keys: &KeyRing,
    known: &HashMap<DomainId, Domain>,
    entries: &[EntryRow],
    roots: &mut HashMap<u32, RowSetRoot>,
    checked: &mut Checked,
) -> Result<(), VaultError> {
    let wrong = compute(entries, |entry| wrong_with(keys, known.get(&entry.domain), entry));
    for (entry, wrong) in entries.iter().zip(wrong) {
        roots
            .entry(entry.segment)
            .or_default()
            .push(u32::from(entry.domain.0), entry.token.as_bytes(), &entry.envelope)
            .map_err(|error| VaultError::Inconsistent(error.to_string()))?;
        let domain = known.get(&entry.domain);
        let name = domain.map_or_else(|| entry.domain.0.to_string(), |domain| domain.name.clone());
        match wrong {
            None => {
                checked.entries += 1;
                *checked.by_domain.entry(name).or_default() += 1;
            }
            Some(kind) => {
                let token = domain.map_or_else(
                    || data_encoding::HEXLOWER.encode(entry.token.as_bytes()),
                    |domain| token_name(&domain.column, &entry.token),
                );
                checked.add(kind, format!("entry `{token}` of domain `{name}`"));
            }
        }
    }
    Ok(())
}

fn wrong_with(keys: &KeyRing, domain: Option<&Domain>, entry: &EntryRow) -> Option<&'static str> {
    let Some(domain) = domain else { return Some("no_domain") };
    let column = &domain.column;
    let Ok(original) = open_entry(keys, column, entry) else { return Some("unauthentic") };
    if !column.treatment.is_deterministic() {
        return None;
    }
    let Some(token_key) = keys.token_key(&domain.name) else { return Some("unauthentic") };
    let mac = |parts: &[&[u8]]| token_key.verifier_hmac(parts);
    let format_key = keys.format_key(&domain.name).map(crate::crypto::FormatKey::expose);
    let derived = second::derive(&column.treatment, &mac, format_key, &original);
    (derived.ok().as_ref() != Some(&entry.token)).then_some("misfiled")
}

/// Reads the ledger, and compares it with the head that says what is in it. Returns the root that it
/// knows of each segment.
async fn ledger(
    vault: &dyn Vault,
    checked: &mut Checked,
) -> Result<HashMap<u32, String>, UpkeepError> {
    let head = vault.head().await?;
    let mut again = Head::new();
    let mut roots = HashMap::new();
    // What is recorded meanwhile stands behind the head that was read.
    while again.size() < head.size() {
        let wanted = usize::try_from(head.size() - again.size()).unwrap_or(ENTRIES).min(ENTRIES);
        let bodies = vault.ledger(again.size(), wanted).await?;
        if bodies.is_empty() {
            break;
        }
        for body in bodies {
            match Entry::parse(&body) {
                Ok(entry) => roots.extend(root_in(&entry)),
                Err(_) => checked.add("ledger", format!("entry {} cannot be read", again.size())),
            }
            again.append(leaf_hash(&body));
        }
    }
    checked.ledger = again.size();
    if again.root() != head.root() {
        let place = format!(
            "{} of {} entries are there, and their tree is not the one of the head",
            again.size(),
            head.size()
        );
        checked.add("ledger", place);
    }
    Ok(roots)
}

fn root_in(entry: &Entry) -> Option<(u32, String)> {
    let segment = u32::try_from(*entry.counts.get("segment")?).ok()?;
    Some((segment, entry.details.get("root")?.as_str()?.to_owned()))
}

/// Deleted, added and older entries show in the root of their segment.
fn compare(
    segments: &[SegmentRow],
    roots: &HashMap<u32, RowSetRoot>,
    on_ledger: &HashMap<u32, String>,
    checked: &mut Checked,
) {
    for row in segments {
        let now = roots.get(&row.segment).cloned().unwrap_or_default();
        let root = now.root();
        let is_as_recorded =
            row.root.as_ref().is_none_or(|known| root.as_bytes() == known.as_slice());
        let is_as_told = on_ledger.get(&row.segment).is_none_or(|known| *known == root.to_string());
        // A segment without a root is still filled: more may have come since its row was read, and
        // that of a load counts its entries when it is closed.
        let is_as_many = match row.root {
            Some(_) => now.rows() == row.entries,
            None => now.rows() >= row.entries,
        };
        if !is_as_many || !is_as_recorded || !is_as_told {
            checked.add("segment", changed(row, &now));
        } else {
            checked.segments += 1;
        }
    }
    let recorded: Vec<u32> = segments.iter().map(|row| row.segment).collect();
    for segment in roots.keys().chain(on_ledger.keys()).filter(|it| !recorded.contains(it)) {
        checked.add("segment_record", format!("segment {segment} has no row"));
    }
}

fn changed(row: &SegmentRow, now: &RowSetRoot) -> String {
    let (there, known) = (now.rows(), row.entries);
    let what = match there.cmp(&known) {
        std::cmp::Ordering::Less => format!("{} entries are gone", known - there),
        std::cmp::Ordering::Greater => format!("{} entries were added", there - known),
        std::cmp::Ordering::Equal => {
            "an entry was replaced by another, or by an older one".to_owned()
        }
    };
    format!("segment {}: {what}", row.segment)
}
