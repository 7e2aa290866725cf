//! Merging stage files: sealed values in the order of domain and token, from many files at once.
//!
//! A file that is merged is open and has its next record in memory, so only so many are merged at a
//! time; where there are more, groups of them are merged into larger files first. These are made anew
//! by each attempt, and nobody but the attempt that made them knows their hash.
//!
//! It does not know what a record's envelope holds, nor what to do with equal tokens.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use crate::ports::{BackupStore, EntryRow, FileSeal, PlainReader};
use crate::run::batch::compute_each;
use crate::run::error::RunError;
use crate::run::record::StageRecord;
use crate::token::{DomainId, TokenBody};

/// Files that are merged at a time at most. Each has some 200 KiB of buffers.
const FILES_MAX: usize = 256;

/// Bytes of records that are in memory while they wait, one of each file.
const WAITING_BYTES: u64 = 48 << 20;

/// Files that are merged at a time at least, however large their records.
const FILES_MIN: usize = 4;

/// So few stage files that they can be merged at once.
pub(crate) struct Gathered {
    files: Vec<FileSeal>,
    /// Those of them that were made for it.
    made: Vec<String>,
}

impl Gathered {
    /// Merges groups of files until few are left. `may_go_on` is asked between groups.
    pub(crate) fn from(
        store: &dyn BackupStore,
        files: Vec<FileSeal>,
        may_go_on: impl Fn() -> Result<(), RunError>,
    ) -> Result<Self, RunError> {
        let most = at_a_time(&files);
        Self::of(store, files, most, may_go_on)
    }

    fn of(
        store: &dyn BackupStore,
        mut files: Vec<FileSeal>,
        most: usize,
        may_go_on: impl Fn() -> Result<(), RunError>,
    ) -> Result<Self, RunError> {
        let mut made: Vec<String> = Vec::new();
        for level in 0.. {
            if files.len() <= most {
                break;
            }
            let mut merged = Vec::with_capacity(files.len().div_ceil(most));
            for (group, at) in files.chunks(most).zip(0_usize..) {
                may_go_on()?;
                merged.push(merged_file(store, group, &format!("m{level}-{at}.stage"))?);
            }
            for name in made.drain(..) {
                store.remove(&name)?;
            }
            made.extend(merged.iter().map(|seal| seal.name.clone()));
            files = merged;
        }
        Ok(Self { files, made })
    }

    /// Begins to merge them, behind a token.
    pub(crate) fn open(
        &self,
        store: &dyn BackupStore,
        after: Option<&(DomainId, TokenBody)>,
    ) -> Result<Merge, RunError> {
        Merge::open(store, &self.files, after)
    }

    /// Removes what was made for the merge.
    pub(crate) fn remove(self, store: &dyn BackupStore) -> Result<(), RunError> {
        for name in self.made {
            store.remove(&name)?;
        }
        Ok(())
    }
}

/// How many files can be merged at a time, by the mean size of the records of each.
fn at_a_time(files: &[FileSeal]) -> usize {
    let record = |seal: &FileSeal| seal.bytes / seal.records.max(1);
    let largest = files.iter().map(record).max().unwrap_or(0).max(1);
    usize::try_from(WAITING_BYTES / largest).unwrap_or(FILES_MAX).clamp(FILES_MIN, FILES_MAX)
}

fn merged_file(
    store: &dyn BackupStore,
    group: &[FileSeal],
    name: &str,
) -> Result<FileSeal, RunError> {
    let mut merge = Merge::open(store, group, None)?;
    let mut writer = store.create_plain(name)?;
    let mut bytes = Vec::new();
    while let Some(entry) = merge.next()? {
        let record = StageRecord {
            domain: entry.domain.0,
            token: entry.token,
            kind: entry.kind,
            envelope: entry.envelope,
        };
        record.encode(&mut bytes);
        writer.write(&bytes)?;
    }
    Ok(writer.finish()?)
}

/// The next record of one file, ordered by (domain, token).
struct Front {
    entry: EntryRow,
    file: usize,
}

impl Front {
    fn key(&self) -> (DomainId, &TokenBody) {
        (self.entry.domain, &self.entry.token)
    }
}

impl PartialEq for Front {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.file == other.file
    }
}

impl Eq for Front {}

impl PartialOrd for Front {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Front {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key()).then(self.file.cmp(&other.file))
    }
}

/// A file that is merged.
struct Source {
    name: String,
    reader: Box<dyn PlainReader>,
}

impl Source {
    /// Opens a file and goes to its first record behind a token.
    fn open(
        store: &dyn BackupStore,
        seal: &FileSeal,
        after: Option<&(DomainId, TokenBody)>,
    ) -> Result<(Self, Option<EntryRow>), RunError> {
        let reader = store.open_plain(&seal.name, &seal.sha256)?;
        let mut source = Self { name: seal.name.clone(), reader };
        while let Some(entry) = source.next()? {
            let is_behind =
                after.is_none_or(|(domain, token)| (entry.domain, &entry.token) > (*domain, token));
            if is_behind {
                return Ok((source, Some(entry)));
            }
        }
        Ok((source, None))
    }

    fn next(&mut self) -> Result<Option<EntryRow>, RunError> {
        let Some(record) = self.reader.read()? else { return Ok(None) };
        let record = StageRecord::decode(record)
            .map_err(|source| RunError::Record { name: self.name.clone(), source })?;
        Ok(Some(EntryRow {
            domain: DomainId(record.domain),
            token: record.token,
            segment: 0,
            kind: record.kind,
            envelope: record.envelope,
        }))
    }
}

/// A file that is opened beside others, and what came of it.
struct Opening<'f> {
    seal: &'f FileSeal,
    opened: Option<Result<(Source, Option<EntryRow>), RunError>>,
}

/// Files at work: what comes next is the first of what each of them has next.
pub(crate) struct Merge {
    sources: Vec<Source>,
    fronts: BinaryHeap<Reverse<Front>>,
}

impl Merge {
    /// Opens files and goes to the first record of each behind a token.
    fn open(
        store: &dyn BackupStore,
        files: &[FileSeal],
        after: Option<&(DomainId, TokenBody)>,
    ) -> Result<Self, RunError> {
        let mut openings: Vec<Opening<'_>> =
            files.iter().map(|seal| Opening { seal, opened: None }).collect();
        // Each file is read through, for its hash.
        compute_each(&mut openings, |opening| {
            opening.opened = Some(Source::open(store, opening.seal, after));
        });
        let mut merge = Self { sources: Vec::new(), fronts: BinaryHeap::new() };
        for opened in openings.into_iter().filter_map(|opening| opening.opened) {
            let (source, first) = opened?;
            let file = merge.sources.len();
            merge.sources.push(source);
            merge.fronts.extend(first.map(|entry| Reverse(Front { entry, file })));
        }
        Ok(merge)
    }

    /// The domain and token of what comes next.
    pub(crate) fn front(&self) -> Option<(DomainId, &TokenBody)> {
        self.fronts.peek().map(|Reverse(front)| front.key())
    }

    /// Takes what comes next.
    pub(crate) fn next(&mut self) -> Result<Option<EntryRow>, RunError> {
        let Some(Reverse(Front { file, .. })) = self.fronts.peek() else { return Ok(None) };
        let file = *file;
        let next = self.sources[file].next()?.map(|entry| Front { entry, file });
        let Some(mut first) = self.fronts.peek_mut() else { return Ok(None) };
        // What comes next in its file takes its place: the heap is put in order once, not twice.
        let Reverse(Front { entry, .. }) = match next {
            Some(next) => std::mem::replace(&mut *first, Reverse(next)),
            None => PeekMut::pop(first),
        };
        Ok(Some(entry))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use zeroize::Zeroizing;

    use super::*;
    use crate::ports::{BackupError, RecordReader, RecordWriter};
    use crate::value::ValueType;

    type Shelf = Arc<Mutex<HashMap<String, Vec<Vec<u8>>>>>;

    #[derive(Default)]
    struct Memory(Shelf);

    struct Writing(Shelf, String, Vec<Vec<u8>>);

    struct Reading(std::vec::IntoIter<Vec<u8>>);

    struct ReadingPlain(std::vec::IntoIter<Vec<u8>>, Vec<u8>);

    impl RecordWriter for Writing {
        fn write(&mut self, record: &[u8]) -> Result<(), BackupError> {
            self.2.push(record.to_vec());
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<FileSeal, BackupError> {
            let Self(files, name, records) = *self;
            let seal = FileSeal {
                name: name.clone(),
                sha256: [0; 32],
                bytes: records.iter().map(|record| record.len() as u64).sum(),
                records: records.len() as u64,
            };
            files.lock().unwrap().insert(name, records);
            Ok(seal)
        }
    }

    impl RecordReader for Reading {
        fn read(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, BackupError> {
            Ok(self.0.next().map(Zeroizing::new))
        }
    }

    impl PlainReader for ReadingPlain {
        fn read(&mut self) -> Result<Option<&[u8]>, BackupError> {
            let Some(record) = self.0.next() else { return Ok(None) };
            self.1 = record;
            Ok(Some(&self.1))
        }
    }

    impl BackupStore for Memory {
        fn create(&self, name: &str) -> Result<Box<dyn RecordWriter>, BackupError> {
            Ok(Box::new(Writing(Arc::clone(&self.0), name.to_owned(), Vec::new())))
        }

        fn open(&self, name: &str, _: &[u8; 32]) -> Result<Box<dyn RecordReader>, BackupError> {
            Ok(Box::new(Reading(self.0.lock().unwrap()[name].clone().into_iter())))
        }

        fn create_plain(&self, name: &str) -> Result<Box<dyn RecordWriter>, BackupError> {
            self.create(name)
        }

        fn open_plain(
            &self,
            name: &str,
            _: &[u8; 32],
        ) -> Result<Box<dyn PlainReader>, BackupError> {
            let records = self.0.lock().unwrap()[name].clone();
            Ok(Box::new(ReadingPlain(records.into_iter(), Vec::new())))
        }

        fn open_unrecorded(&self, name: &str) -> Result<Box<dyn RecordReader>, BackupError> {
            self.open(name, &[0; 32])
        }

        fn rename(&self, from: &str, to: &str) -> Result<(), BackupError> {
            let mut files = self.0.lock().unwrap();
            let records = files.remove(from).unwrap();
            files.insert(to.to_owned(), records);
            Ok(())
        }

        fn remove(&self, name: &str) -> Result<(), BackupError> {
            self.0.lock().unwrap().remove(name);
            Ok(())
        }

        fn destroy(&self) -> Result<u64, BackupError> {
            Ok(0)
        }

        fn note_ledger(&self, _size: u64) -> Result<(), BackupError> {
            Ok(())
        }

        fn place(&self) -> String {
            String::new()
        }
    }

    /// A file with every seventh token, beginning at its number, and one that all have.
    fn staged(store: &Memory, number: u8) -> FileSeal {
        let mut writer = store.create_plain(&format!("u0-r{number}.stage")).unwrap();
        let mut bytes = Vec::new();
        let tokens = (0..20_u8).map(|at| [1, at, number]).chain([[9, 9, 9]]);
        for token in tokens {
            let record = StageRecord {
                domain: 1,
                token: TokenBody::new(&token),
                kind: ValueType::Text,
                envelope: vec![number],
            };
            record.encode(&mut bytes);
            writer.write(&bytes).unwrap();
        }
        writer.finish().unwrap()
    }

    fn merged(store: &Memory, gathered: &Gathered) -> Vec<(TokenBody, Vec<u8>)> {
        let mut merge = gathered.open(store, None).unwrap();
        let mut all = Vec::new();
        while let Some(entry) = merge.next().unwrap() {
            all.push((entry.token, entry.envelope));
        }
        all
    }

    #[test]
    fn many_files_are_merged_in_groups_and_nothing_is_lost_or_left() {
        let store = Memory::default();
        let files: Vec<FileSeal> = (0..30).map(|number| staged(&store, number)).collect();
        let at_once = Gathered::of(&store, files.clone(), 100, || Ok(())).unwrap();
        let in_groups = Gathered::of(&store, files, 4, || Ok(())).unwrap();
        assert!(in_groups.files.len() <= 4);

        let all = merged(&store, &in_groups);
        assert!(all.is_sorted_by(|one, two| one.0 <= two.0));
        assert_eq!(all.len(), 30 * 21);
        let mut sorted = all;
        sorted.sort();
        let mut expected = merged(&store, &at_once);
        expected.sort();
        assert_eq!(sorted, expected);

        in_groups.remove(&store).unwrap();
        assert_eq!(store.0.lock().unwrap().len(), 30, "what was made is gone");
    }

    #[test]
    fn few_files_are_open_where_their_records_are_large() {
        let file =
            |bytes, records| FileSeal { name: String::new(), sha256: [0; 32], bytes, records };
        assert_eq!(at_a_time(&[]), FILES_MAX);
        assert_eq!(at_a_time(&[file(8 << 20, 75_000)]), FILES_MAX);
        assert_eq!(at_a_time(&[file(8 << 20, 75_000), file(24 << 20, 24)]), 48);
        assert_eq!(at_a_time(&[file(32 << 20, 2)]), FILES_MIN);
    }
}
