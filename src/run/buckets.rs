//! Buckets: cells and vault entries, sorted apart by token into files that fit in memory one by one.
//!
//! A bucket holds what source and vault say of the same tokens, so that they can be compared in
//! memory. Records hold tokens, keyed digests and row keys, never a value; the files are removed
//! when the comparison is over.
//!
//! **Invariant:** no more than [`BUCKET_BYTES_MAX`] of a bucket are in memory for each core: a
//! larger one is sorted apart once more.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::run::batch::compute_each;
use crate::run::error::{Mismatch, MismatchKind};
use crate::token::{DomainId, TokenBody};

/// Records that one bucket should hold.
const RECORDS_A_BUCKET: u64 = 100_000;

/// Files that are open at the same time; a power of two.
const BUCKETS_MAX: u64 = 256;

/// Bytes of a bucket that is compared in memory.
const BUCKET_BYTES_MAX: u64 = 12 << 20;

/// Bytes of a bucket for each token that it may hold: an entry and the cell that holds it.
const RECORD_BYTES: usize = 96;

/// Buckets that a larger one is sorted apart into; a power of two.
const PARTS: usize = 16;

/// How often that is tried: records of one token stay together, however many there are.
const LEVELS_MAX: u32 = 8;

/// What one record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The vault: this token opens to a value of this digest, or to one that leads to it again.
    Opens([u8; 16]),
    /// A cell: it holds this token, and the backup's newest original has this digest.
    Holds([u8; 16]),
    /// A cell: it holds this token, and there is nothing more to compare.
    HoldsAny,
    /// A table without a key: one cell holds this token.
    Counted,
    /// A table without a key: one original of the backup has this token.
    Expected,
}

const OPENS: u8 = 0;
const HOLDS: u8 = 1;
const HOLDS_ANY: u8 = 2;
const COUNTED: u8 = 3;
const EXPECTED: u8 = 4;

/// Files by the hash of domain and token.
struct Files {
    dir: PathBuf,
    files: Vec<Mutex<BufWriter<File>>>,
}

impl Files {
    fn make(dir: PathBuf, count: usize) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let files = (0..count)
            .map(|at| Ok(Mutex::new(BufWriter::new(File::create(dir.join(at.to_string()))?))))
            .collect::<io::Result<_>>()?;
        Ok(Self { dir, files })
    }

    /// Writes into the file of a hash. Files are a power of two, so lower bits choose.
    fn write(&self, hash: u64, record: &[u8]) -> io::Result<()> {
        let count = self.files.len() as u64;
        let at = usize::try_from(hash % count).unwrap_or(0);
        self.files[at].lock().unwrap_or_else(PoisonError::into_inner).write_all(record)
    }

    /// Ends the writing; says where the files are.
    fn finish(self) -> io::Result<Vec<PathBuf>> {
        let count = self.files.len();
        for file in self.files {
            file.into_inner().unwrap_or_else(PoisonError::into_inner).flush()?;
        }
        Ok((0..count).map(|at| self.dir.join(at.to_string())).collect())
    }
}

/// The buckets of one verification. Many may add to them at the same time.
pub(crate) struct Buckets {
    files: Files,
    hasher: RandomState,
    bytes: AtomicU64,
}

impl Buckets {
    /// Makes empty buckets for about so many records, in a folder of their own.
    pub(crate) fn make(dir: PathBuf, records: u64) -> io::Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let count = (records / RECORDS_A_BUCKET).next_power_of_two().clamp(1, BUCKETS_MAX);
        let files = Files::make(dir, usize::try_from(count).unwrap_or(1))?;
        Ok(Self { files, hasher: RandomState::new(), bytes: AtomicU64::new(0) })
    }

    /// Adds a record; `place` names the cell, for messages.
    ///
    /// `says 1 | domain 2 | length 4 | token | length 4 | place | digest 16`, a digest only where
    /// there is one to compare.
    pub(crate) fn add(
        &self,
        domain: DomainId,
        token: &TokenBody,
        says: Says,
        place: &[u8],
    ) -> io::Result<()> {
        let (code, digest) = match says {
            Says::Opens(digest) => (OPENS, Some(digest)),
            Says::Holds(digest) => (HOLDS, Some(digest)),
            Says::HoldsAny => (HOLDS_ANY, None),
            Says::Counted => (COUNTED, None),
            Says::Expected => (EXPECTED, None),
        };
        let mut record = Vec::with_capacity(27 + token.as_bytes().len() + place.len());
        record.push(code);
        record.extend_from_slice(&domain.0.to_be_bytes());
        for part in [token.as_bytes(), place] {
            let length = u32::try_from(part.len()).map_err(io::Error::other)?;
            record.extend_from_slice(&length.to_be_bytes());
            record.extend_from_slice(part);
        }
        record.extend_from_slice(digest.as_ref().map_or(&[], <[u8; 16]>::as_slice));
        self.bytes.fetch_add(record.len() as u64, Ordering::Relaxed);
        let hash = self.hasher.hash_one((domain.0, token.as_bytes()));
        self.files.write(hash, &record)
    }

    /// How much was written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Compares what the two sides say, bucket by bucket on all cores, and removes the files. `name`
    /// turns domain, token and place into words.
    pub(crate) fn compare(
        self,
        name: impl Fn(DomainId, &TokenBody, &[u8]) -> String + Sync + Send,
        found: &mut Vec<Mismatch>,
    ) -> io::Result<()> {
        let dir = self.files.dir.clone();
        let levels = self.files.files.len().trailing_zeros();
        let hasher = self.hasher;
        let paths = self.files.finish()?;
        let mut buckets: Vec<(PathBuf, io::Result<Vec<Mismatch>>)> =
            paths.into_iter().map(|path| (path, Ok(Vec::new()))).collect();
        compute_each(&mut buckets, |(path, outcome)| {
            let sort = Sort { hasher: &hasher, used: levels, level: 0 };
            *outcome = compare_file(path, &sort, &name);
        });
        for (_, outcome) in buckets {
            found.append(&mut outcome?);
        }
        fs::remove_dir_all(&dir)
    }
}

/// How a bucket came about, so that it can be sorted apart by what was not looked at yet.
struct Sort<'s> {
    hasher: &'s RandomState,
    /// Bits of the hash that chose the bucket.
    used: u32,
    level: u32,
}

/// Compares a bucket in memory where it fits, otherwise part by part; then removes it.
fn compare_file(
    path: &Path,
    sort: &Sort<'_>,
    name: &impl Fn(DomainId, &TokenBody, &[u8]) -> String,
) -> io::Result<Vec<Mismatch>> {
    let mut found = Vec::new();
    if fs::metadata(path)?.len() <= BUCKET_BYTES_MAX || sort.level == LEVELS_MAX {
        let bytes = fs::read(path)?;
        compare_bucket(&bytes, name, &mut found)?;
    } else {
        let parts = part(path, sort)?;
        let next = Sort {
            hasher: sort.hasher,
            used: sort.used + PARTS.trailing_zeros(),
            level: sort.level + 1,
        };
        for path in &parts {
            found.append(&mut compare_file(path, &next, name)?);
        }
    }
    fs::remove_file(path)?;
    Ok(found)
}

/// Sorts a bucket apart, record by record.
fn part(path: &Path, sort: &Sort<'_>) -> io::Result<Vec<PathBuf>> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".parts");
    let files = Files::make(folder.into(), PARTS)?;
    let mut file = File::open(path)?;
    let mut window = Vec::new();
    loop {
        let rest = window.len();
        let read = Read::by_ref(&mut file).take(1 << 20).read_to_end(&mut window)?;
        let mut at = 0;
        while let Some(record) = Record::read(&window[at..]) {
            let hash = sort.hasher.hash_one((record.domain, record.token)) >> sort.used;
            files.write(hash, &window[at..at + record.length])?;
            at += record.length;
        }
        window.drain(..at);
        match (read, window.len()) {
            (0, 0) => return files.finish(),
            (0, _) if rest == window.len() => return Err(cut()),
            _ => {}
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a bucket ends within a record")
}

/// One record of a bucket that is in memory.
struct Record<'b> {
    says: Says,
    domain: u16,
    token: &'b [u8],
    place: &'b [u8],
    length: usize,
}

impl<'b> Record<'b> {
    /// Reads the record at the front; `None` where there is none that is whole.
    fn read(bytes: &'b [u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<3>()?;
        let mut part = || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (part, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            rest = after;
            Some(part)
        };
        let (token, place) = (part()?, part()?);
        let mut digest = || {
            let (digest, after) = rest.split_first_chunk::<16>()?;
            rest = after;
            Some(*digest)
        };
        let says = match head[0] {
            OPENS => Says::Opens(digest()?),
            HOLDS => Says::Holds(digest()?),
            HOLDS_ANY => Says::HoldsAny,
            COUNTED => Says::Counted,
            _ => Says::Expected,
        };
        let domain = u16::from_be_bytes([head[1], head[2]]);
        Some(Self { says, domain, token, place, length: bytes.len() - rest.len() })
    }

    fn key(&self) -> Key<'b> {
        Key::new(self.domain, self.token)
    }
}

/// What tables without a key say of one token.
#[derive(Clone, Copy)]
struct Counted<'b> {
    /// Cells that hold it minus originals that have it.
    balance: i64,
    /// Where the first of those cells is.
    at: &'b [u8],
}

/// Domain and token. Most tokens have sixteen bytes, and are compared as one number.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key<'b> {
    head: u128,
    domain: u16,
    length: usize,
    /// What is behind the head.
    tail: &'b [u8],
}

impl<'b> Key<'b> {
    fn new(domain: u16, token: &'b [u8]) -> Self {
        let (head, tail) = token.split_at(token.len().min(16));
        let mut number = [0; 16];
        number[..head.len()].copy_from_slice(head);
        Self { head: u128::from_be_bytes(number), domain, length: token.len(), tail }
    }

    /// The token again.
    fn token(&self) -> Vec<u8> {
        let head = self.head.to_be_bytes();
        [&head[..self.length.min(16)], self.tail].concat()
    }
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u16(self.domain);
        for half in [self.head >> 64, self.head & u128::from(u64::MAX)] {
            state.write_u64(u64::try_from(half).unwrap_or(0));
        }
        state.write(self.tail);
    }
}

type Map<'b, V> = HashMap<Key<'b>, V, BuildHasherDefault<Spread>>;

/// Spreads tokens over a table in memory. They are MACs or random, or the digits of a cipher:
/// nobody chooses them so that they meet, and the hash that a stranger could not aim at costs more
/// than the comparison itself.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // An odd number without a pattern: the golden ratio, as a fraction of 64 bits.
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn compare_bucket(
    bytes: &[u8],
    name: &impl Fn(DomainId, &TokenBody, &[u8]) -> String,
    found: &mut Vec<Mismatch>,
) -> io::Result<()> {
    let mut opens: Map<'_, [u8; 16]> =
        Map::with_capacity_and_hasher(bytes.len() / RECORD_BYTES, BuildHasherDefault::default());
    let mut counted: Map<'_, Counted<'_>> = Map::default();
    each_record(bytes, |record| match record.says {
        Says::Opens(digest) => {
            opens.insert(record.key(), digest);
        }
        Says::Counted | Says::Expected => {
            let new = Counted { balance: 0, at: record.place };
            counted.entry(record.key()).or_insert(new).balance +=
                if record.says == Says::Counted { 1 } else { -1 };
        }
        Says::Holds(_) | Says::HoldsAny => {}
    })?;
    each_record(bytes, |record| {
        let kind = match record.says {
            Says::Opens(_) | Says::Counted | Says::Expected => return,
            Says::HoldsAny if opens.contains_key(&record.key()) => return,
            Says::Holds(expected) => match opens.get(&record.key()) {
                Some(digest) if *digest == expected => return,
                Some(_) => MismatchKind::Different,
                None => MismatchKind::Unknown,
            },
            Says::HoldsAny => MismatchKind::Unknown,
        };
        let place = name(DomainId(record.domain), &TokenBody::new(record.token), record.place);
        found.push(Mismatch { kind, place });
    })?;
    for (key, counted) in counted {
        let kind = match opens.get(&key) {
            None => MismatchKind::Unknown,
            Some(_) if counted.balance != 0 => MismatchKind::Multiset,
            Some(_) => continue,
        };
        let place = name(DomainId(key.domain), &TokenBody::new(&key.token()), counted.at);
        found.push(Mismatch { kind, place });
    }
    Ok(())
}

fn each_record<'b>(bytes: &'b [u8], mut visit: impl FnMut(Record<'b>)) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let record = Record::read(rest).ok_or_else(cut)?;
        rest = &rest[record.length..];
        visit(record);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(records: &[(&[u8], Says)]) -> Vec<MismatchKind> {
        let base = tempfile::tempdir().unwrap();
        let buckets = Buckets::make(base.path().join("buckets"), 1_000_000).unwrap();
        for (token, says) in records {
            buckets.add(DomainId(1), &TokenBody::new(token), *says, b"place").unwrap();
        }
        let mut found = Vec::new();
        buckets.compare(|_, _, place| String::from_utf8_lossy(place).into(), &mut found).unwrap();
        assert!(!base.path().join("buckets").exists());
        found.into_iter().map(|mismatch| mismatch.kind).collect()
    }

    #[test]
    fn a_token_that_opens_to_its_original_is_no_mismatch() {
        let records: [(&[u8], Says); 3] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Holds([1; 16])), (b"a", Says::HoldsAny)];
        assert_eq!(compared(&records), []);
    }

    #[test]
    fn an_unknown_and_a_different_token_are_told_apart() {
        assert_eq!(compared(&[(b"a", Says::Holds([1; 16]))]), [MismatchKind::Unknown]);
        let records: [(&[u8], Says); 2] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Holds([2; 16]))];
        assert_eq!(compared(&records), [MismatchKind::Different]);
    }

    #[test]
    fn a_bucket_that_is_too_large_is_sorted_apart() {
        let base = tempfile::tempdir().unwrap();
        let buckets = Buckets::make(base.path().join("buckets"), 1).unwrap();
        // One file, and three times what is compared in memory.
        let place = [0; 4_096];
        for number in 0..9_000_u32 {
            let token = TokenBody::new(&number.to_be_bytes());
            if number != 4_711 {
                buckets.add(DomainId(1), &token, Says::Opens([1; 16]), &[]).unwrap();
            }
            buckets.add(DomainId(1), &token, Says::HoldsAny, &place).unwrap();
        }
        assert!(buckets.bytes() > 2 * BUCKET_BYTES_MAX);
        let mut found = Vec::new();
        buckets.compare(|_, token, _| format!("{token:?}"), &mut found).unwrap();
        let found: Vec<_> = found.into_iter().map(|m| (m.kind, m.place)).collect();
        assert_eq!(found, [(MismatchKind::Unknown, "TokenBody(00001267)".to_owned())]);
        assert!(!base.path().join("buckets").exists());
    }

    #[test]
    fn a_multiset_has_to_balance() {
        let balanced: [(&[u8], Says); 3] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Counted), (b"a", Says::Expected)];
        assert_eq!(compared(&balanced), []);
        assert_eq!(compared(&balanced[..2]), [MismatchKind::Multiset]);
    }
}
