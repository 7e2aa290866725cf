//! Verify's look at the vault: every entry is opened, and its token derived again.

use std::collections::HashMap;
use std::sync::Arc;

use super::{ENTRIES, Pass, unsorted};
use crate::crypto::{KeyRing, TokenKey, Verifier};
use crate::ledger::{Digest, RowSetRoot};
use crate::ports::EntryRow;
use crate::run::ahead::EntriesAhead;
use crate::run::batch::compute_chunks;
use crate::run::buckets::{Buckets, Says};
use crate::run::column::Column;
use crate::run::entries::{open_entry, token_name};
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::job::Job;
use crate::token::second::Message;
use crate::token::{DomainId, TokenBody};
use crate::value::Original;

/// Entries that one thread looks at in a row.
const CHUNK: usize = 1_000;

/// What was seen of a chunk, entry by entry.
struct Seen {
    leaves: Vec<Digest>,
    opened: Vec<Opened>,
}

/// What became of an entry.
#[derive(Clone, Copy)]
enum Opened {
    /// Its domain is none of the run's.
    NotOurs,
    /// It opens, and its token is the one that follows.
    Whole,
    /// It does not.
    Wrong(MismatchKind),
}

/// A verification's look at the vault, which goes on beside that at the source.
pub(super) struct VaultLook {
    job: Job,
    columns: Arc<HashMap<DomainId, Column>>,
    buckets: Arc<Buckets>,
    roots: HashMap<u32, RowSetRoot>,
    /// What is wrong.
    pub(super) found: Vec<Mismatch>,
    /// Entries that open, and lie under the token that follows.
    pub(super) whole: u64,
}

impl VaultLook {
    /// Begins with nothing read.
    pub(super) fn of(pass: &Pass<'_>) -> Self {
        let (columns, buckets) = (Arc::clone(&pass.columns), Arc::clone(&pass.buckets));
        let (roots, found) = (HashMap::new(), Vec::new());
        Self { job: pass.job.clone(), columns, buckets, roots, found, whole: 0 }
    }

    /// Opens every entry of the run's domains, derives its token again, and compares segments.
    pub(super) async fn read(mut self) -> Result<Self, RunError> {
        let mut ahead = EntriesAhead::begin(&self.job.vault, ENTRIES);
        loop {
            self.job.may_go_on()?;
            let entries = ahead.next().await?;
            if entries.is_empty() {
                self.compare_segments().await?;
                return Ok(self);
            }
            self.read_entries(&entries)?;
            self.job.progress.advance(entries.len() as u64);
        }
    }

    fn read_entries(&mut self, entries: &[EntryRow]) -> Result<(), RunError> {
        let keys = &self.job.keys;
        let derivers: HashMap<DomainId, Deriver<'_>> =
            self.columns.iter().map(|(id, column)| (*id, Deriver::of(keys, column))).collect();
        let buckets = &self.buckets;
        let looked = compute_chunks(entries, CHUNK, |_, chunk| {
            let mut records = buckets.records(chunk.len());
            let mut message = Message::default();
            let mut seen = Seen { leaves: Vec::with_capacity(chunk.len()), opened: Vec::new() };
            for entry in chunk {
                seen.leaves.push(leaf(entry));
                let deriver = derivers.get(&entry.domain);
                let says = deriver.map(|deriver| opens_to(keys, deriver, &mut message, entry));
                seen.opened.push(match says {
                    None => Opened::NotOurs,
                    Some(Err(kind)) => Opened::Wrong(kind),
                    Some(Ok(says)) => {
                        records.add(entry.domain, &entry.token, says, &[]);
                        Opened::Whole
                    }
                });
            }
            records.write().map(|()| seen)
        });
        for (chunk, looked) in entries.chunks(CHUNK).zip(looked) {
            let Seen { leaves, opened } = looked.map_err(unsorted(buckets.folder()))?;
            for ((entry, leaf), opened) in chunk.iter().zip(leaves).zip(opened) {
                self.roots
                    .entry(entry.segment)
                    .or_default()
                    .append(u32::from(entry.domain.0), entry.token.as_bytes(), leaf)
                    .map_err(|error| RunError::Inconsistent(error.to_string()))?;
                match opened {
                    Opened::NotOurs => {}
                    Opened::Whole => self.whole += 1,
                    Opened::Wrong(kind) => {
                        let column = &self.columns[&entry.domain];
                        let token = token_name(column, &entry.token);
                        let place = format!("entry `{token}` of domain `{}`", column.domain);
                        self.found.push(Mismatch { kind, place });
                    }
                }
            }
        }
        Ok(())
    }

    /// Deleted, added and older entries show in the root of their segment.
    async fn compare_segments(&mut self) -> Result<(), RunError> {
        let on_ledger = self.roots_on_ledger().await?;
        for segment in self.job.vault.segments().await? {
            let is_mine = segment.run == Some(self.job.run);
            let Some(root) = segment.root.as_ref().filter(|_| is_mine) else { continue };
            let now = self.roots.get(&segment.segment).cloned().unwrap_or_default();
            let is_same = now.root().as_bytes().as_slice() == root.as_slice()
                && on_ledger
                    .get(&segment.segment)
                    .is_none_or(|known| *known == now.root().to_string());
            if !is_same {
                let place = format!(
                    "segment {} ({} entries instead of {})",
                    segment.segment,
                    now.rows(),
                    segment.entries
                );
                self.found.push(Mismatch { kind: MismatchKind::Segment, place });
            }
        }
        Ok(())
    }

    /// Segment → root, as the entries of this run say it.
    async fn roots_on_ledger(&self) -> Result<HashMap<u32, String>, RunError> {
        let entries = self.job.vault.ledger_of(self.job.run).await?;
        Ok(entries
            .iter()
            .filter_map(|entry| {
                let segment = u32::try_from(*entry.counts.get("segment")?).ok()?;
                Some((segment, entry.details.get("root")?.as_str()?.to_owned()))
            })
            .collect())
    }
}

/// What an entry proves of its token.
///
/// Where a token follows from its value, the value that is opened has to lead to it again: then no
/// other value does. Elsewhere the value's digest is what cells are compared with.
fn opens_to(
    keys: &KeyRing,
    deriver: &Deriver<'_>,
    message: &mut Message,
    entry: &EntryRow,
) -> Result<Says, MismatchKind> {
    let column = deriver.column();
    let original = open_entry(keys, column, entry).map_err(|_| MismatchKind::Unauthentic)?;
    if !column.treatment.is_deterministic() {
        return Ok(Says::Opens(column.second_digest(keys, &original)));
    }
    if deriver.derive(message, &original).as_ref() == Some(&entry.token) {
        Ok(Says::Derives)
    } else {
        Err(MismatchKind::Misfiled)
    }
}

/// Derives the tokens of one column by the second implementation, value by value.
pub(super) struct Deriver<'d> {
    column: &'d Column,
    /// `None` where the domain has no such key: no token follows from a value then.
    mac: Option<Verifier>,
    format_key: Option<&'d [u8; 32]>,
}

impl<'d> Deriver<'d> {
    /// Makes the keys of a column ready.
    pub(super) fn of(keys: &'d KeyRing, column: &'d Column) -> Self {
        Self {
            column,
            mac: keys.token_key(&column.domain).map(TokenKey::verifier),
            format_key: keys.format_key(&column.domain).map(crate::crypto::FormatKey::expose),
        }
    }

    /// The column.
    pub(super) fn column(&self) -> &'d Column {
        self.column
    }

    /// The token of a value.
    pub(super) fn derive(&self, message: &mut Message, original: &Original) -> Option<TokenBody> {
        let verifier = self.mac.as_ref()?;
        let mac = |parts: &[&[u8]]| verifier.hmac(parts);
        message.derive(&self.column.treatment, &mac, self.format_key, original).ok()
    }
}

fn leaf(entry: &EntryRow) -> Digest {
    RowSetRoot::leaf(u32::from(entry.domain.0), entry.token.as_bytes(), &entry.envelope)
}

/// The row-set root over a segment as it lies in the vault now.
pub(crate) async fn segment_root(job: &Job, segment: u32) -> Result<RowSetRoot, RunError> {
    let mut root = RowSetRoot::new();
    let mut ahead = EntriesAhead::begin(&job.vault, ENTRIES);
    loop {
        let entries = ahead.next().await?;
        if entries.is_empty() {
            return Ok(root);
        }
        for entry in entries.iter().filter(|entry| entry.segment == segment) {
            root.append(u32::from(entry.domain.0), entry.token.as_bytes(), leaf(entry))
                .map_err(|error| RunError::Inconsistent(error.to_string()))?;
        }
    }
}
