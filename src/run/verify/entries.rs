//! Verify's look at the vault: every entry is opened, and its token derived again.

use std::collections::HashMap;

use super::{ENTRIES, Pass, bucket_error};
use crate::crypto::KeyRing;
use crate::ledger::{Digest, RowSetRoot};
use crate::ports::EntryRow;
use crate::run::ahead::EntriesAhead;
use crate::run::batch::compute;
use crate::run::buckets::Says;
use crate::run::column::Column;
use crate::run::entries::{open_entry, token_name};
use crate::run::error::{Mismatch, MismatchKind, RunError};
use crate::run::job::Job;
use crate::token::{TokenBody, second};
use crate::value::Original;

impl Pass<'_> {
    /// Opens every entry of the run's domains, and derives its token again.
    pub(super) async fn read_vault(&mut self) -> Result<(), RunError> {
        self.job.progress.begin("verify the vault", "entries", self.job.plan.estimate.entries);
        let mut ahead = EntriesAhead::begin(&self.job.vault, ENTRIES);
        loop {
            self.job.may_go_on()?;
            let entries = ahead.next().await?;
            if entries.is_empty() {
                break;
            }
            self.read_entries(&entries)?;
            self.job.progress.advance(entries.len() as u64);
        }
        self.job.progress.end();
        Ok(())
    }

    fn read_entries(&mut self, entries: &[EntryRow]) -> Result<(), RunError> {
        let columns = &self.columns;
        let keys = &self.job.keys;
        let looked: Vec<(Digest, Option<Result<Says, MismatchKind>>)> = compute(entries, |entry| {
            let opened = columns.get(&entry.domain).map(|column| opens_to(keys, column, entry));
            (leaf(entry), opened)
        });
        for (entry, (leaf, opened)) in entries.iter().zip(looked) {
            let root = self.roots.entry(entry.segment).or_default();
            root.append(u32::from(entry.domain.0), entry.token.as_bytes(), leaf)
                .map_err(|error| RunError::Inconsistent(error.to_string()))?;
            match opened {
                None => {}
                Some(Ok(says)) => {
                    self.tally.entries += 1;
                    self.buckets
                        .add(entry.domain, &entry.token, says, &[])
                        .map_err(bucket_error)?;
                }
                Some(Err(kind)) => {
                    let column = &self.columns[&entry.domain];
                    let token = token_name(column, &entry.token);
                    let place = format!("entry `{token}` of domain `{}`", column.domain);
                    self.found.push(Mismatch { kind, place });
                }
            }
        }
        Ok(())
    }

    /// Deleted, added and older entries show in the root of their segment.
    pub(super) async fn compare_segments(&mut self) -> Result<(), RunError> {
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
fn opens_to(keys: &KeyRing, column: &Column, entry: &EntryRow) -> Result<Says, MismatchKind> {
    let original = open_entry(keys, column, entry).map_err(|_| MismatchKind::Unauthentic)?;
    if !column.treatment.is_deterministic() {
        return Ok(Says::Opens(column.second_digest(keys, &original)));
    }
    if derived(keys, column, &original).as_ref() == Some(&entry.token) {
        Ok(Says::Opens([0; 16]))
    } else {
        Err(MismatchKind::Misfiled)
    }
}

/// The token of a value by the second implementation.
pub(super) fn derived(keys: &KeyRing, column: &Column, original: &Original) -> Option<TokenBody> {
    let token_key = keys.token_key(&column.domain)?;
    let mac = |parts: &[&[u8]]| token_key.verifier_hmac(parts);
    let format_key = keys.format_key(&column.domain).map(crate::crypto::FormatKey::expose);
    second::derive(&column.treatment, &mac, format_key, original).ok()
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
