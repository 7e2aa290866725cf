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

/// Records that one bucket should hold: what is compared then lies near the processor.
const RECORDS_A_BUCKET: u64 = 25_000;

/// Files that are open at the same time; a power of two.
const BUCKETS_MAX: u64 = 256;

/// Bytes that wait for each file until they are written.
const WAITING_BYTES: usize = 16 << 10;

/// Bytes of a bucket that is compared in memory.
const BUCKET_BYTES_MAX: u64 = 12 << 20;

/// Bytes of a bucket for each token that it may hold: an entry and the cell that holds it.
const RECORD_BYTES: usize = 56;

/// Buckets that a larger one is sorted apart into; a power of two.
const PARTS: usize = 16;

/// How often that is tried: records of one token stay together, however many there are.
const LEVELS_MAX: u32 = 8;

/// What one record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The vault: this token opens to a value of this digest.
    Opens([u8; 16]),
    /// The vault: this token opens to a value that leads to it again, as no other does.
    Derives,
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
const DERIVES: u8 = 5;

/// Files by the hash of domain and token.
struct Files {
    dir: PathBuf,
    files: Vec<Mutex<BufWriter<File>>>,
}

impl Files {
    fn make(dir: PathBuf, count: usize) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let files = (0..count)
            .map(|at| {
                let file = File::create(dir.join(at.to_string()))?;
                Ok(Mutex::new(BufWriter::with_capacity(WAITING_BYTES, file)))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { dir, files })
    }

    /// The file of a hash. Files are a power of two, so lower bits choose.
    fn of(&self, hash: u64) -> usize {
        usize::try_from(hash % self.files.len() as u64).unwrap_or(0)
    }

    fn write(&self, file: usize, bytes: &[u8]) -> io::Result<()> {
        self.files[file].lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
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
    chooser: Chooser,
    bytes: AtomicU64,
}

/// Records of one thread on their way into the buckets: a file is asked for once for all that go
/// into it.
pub(crate) struct Records<'b> {
    buckets: &'b Buckets,
    bytes: Vec<u8>,
    /// Per record its file, and where it ends.
    ends: Vec<(usize, usize)>,
}

impl Records<'_> {
    /// Adds a record; `place` names the cell, for messages.
    ///
    /// `says 1 | domain 2 | length | token | length | place | digest 16`, a digest only where there
    /// is one to compare. A length has seven bits a byte, the lowest first.
    pub(crate) fn add(&mut self, domain: DomainId, token: &TokenBody, says: Says, place: &[u8]) {
        let (code, digest) = match says {
            Says::Opens(digest) => (OPENS, Some(digest)),
            Says::Derives => (DERIVES, None),
            Says::Holds(digest) => (HOLDS, Some(digest)),
            Says::HoldsAny => (HOLDS_ANY, None),
            Says::Counted => (COUNTED, None),
            Says::Expected => (EXPECTED, None),
        };
        self.bytes.push(code);
        let key = self.bytes.len();
        self.bytes.extend_from_slice(&domain.0.to_be_bytes());
        put(&mut self.bytes, token.as_bytes());
        let file = self.buckets.files.of(self.buckets.chooser.hash(&self.bytes[key..]));
        put(&mut self.bytes, place);
        self.bytes.extend_from_slice(digest.as_ref().map_or(&[], <[u8; 16]>::as_slice));
        self.ends.push((file, self.bytes.len()));
    }

    /// Hands them over: sorted by file, in one buffer.
    pub(crate) fn write(self) -> io::Result<()> {
        let files = &self.buckets.files;
        let mut ends = vec![0; files.files.len()];
        let mut begin = 0;
        for (file, end) in &self.ends {
            ends[*file] += end - begin;
            begin = *end;
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        // From the back, so that what is the end of a file's records becomes their beginning.
        let mut sorted = vec![0; total];
        let begins = self.ends.iter().map(|(_, end)| *end).rev().skip(1).chain([0]);
        for ((file, end), begin) in self.ends.iter().rev().zip(begins) {
            let to = ends[*file];
            ends[*file] = to - (end - begin);
            sorted[ends[*file]..to].copy_from_slice(&self.bytes[begin..*end]);
        }
        let next = ends.iter().copied().skip(1).chain([total]);
        for (file, (begin, end)) in ends.iter().copied().zip(next).enumerate() {
            if begin < end {
                files.write(file, &sorted[begin..end])?;
            }
        }
        self.buckets.bytes.fetch_add(total as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Writes bytes behind their length.
fn put(record: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        record.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    record.extend_from_slice(bytes);
}

/// Reads bytes behind their length: these, and what follows.
fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut length, mut shift, mut rest) = (0_usize, 0, bytes);
    loop {
        let (byte, after) = rest.split_first()?;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        (shift, rest) = (shift + 7, after);
        if byte & 0x80 == 0 {
            return rest.split_at_checked(length);
        }
    }
}

impl Buckets {
    /// Makes empty buckets for about so many records, in a folder of their own.
    pub(crate) fn make(dir: PathBuf, records: u64) -> io::Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let count = (records / RECORDS_A_BUCKET).next_power_of_two().clamp(1, BUCKETS_MAX);
        let files = Files::make(dir, usize::try_from(count).unwrap_or(1))?;
        Ok(Self { files, chooser: Chooser::new(), bytes: AtomicU64::new(0) })
    }

    /// The folder that they lie in.
    pub(crate) fn folder(&self) -> &Path {
        &self.files.dir
    }

    /// Begins to add about so many records.
    pub(crate) fn records(&self, about: usize) -> Records<'_> {
        let (bytes, ends) = (Vec::with_capacity(about * RECORD_BYTES), Vec::with_capacity(about));
        Records { buckets: self, bytes, ends }
    }

    /// How much was written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Compares what the two sides say, bucket by bucket on all cores, and removes the files. `judge`
    /// says what is told of what does not agree, by kind, domain, token and place.
    pub(crate) fn compare(
        self,
        judge: impl Fn(MismatchKind, DomainId, &TokenBody, &[u8]) -> Option<Mismatch> + Sync + Send,
        found: &mut Vec<Mismatch>,
    ) -> io::Result<()> {
        let dir = self.files.dir.clone();
        let levels = self.files.files.len().trailing_zeros();
        let chooser = self.chooser;
        let paths = self.files.finish()?;
        let mut buckets: Vec<(PathBuf, io::Result<Vec<Mismatch>>)> =
            paths.into_iter().map(|path| (path, Ok(Vec::new()))).collect();
        compute_each(&mut buckets, |(path, outcome)| {
            let sort = Sort { chooser: &chooser, used: levels, level: 0 };
            *outcome = compare_file(path, &sort, &judge);
        });
        for (_, outcome) in buckets {
            found.append(&mut outcome?);
        }
        fs::remove_dir_all(&dir)
    }
}

/// Chooses the bucket of a token. Keyed by chance: whoever may write cells cannot aim at one bucket.
struct Chooser(u64);

impl Chooser {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    fn hash(&self, key: &[u8]) -> u64 {
        let mut spread = Spread(self.0);
        spread.write(key);
        spread.write_u64(self.0);
        spread.finish()
    }
}

/// How a bucket came about, so that it can be sorted apart by what was not looked at yet.
struct Sort<'s> {
    chooser: &'s Chooser,
    /// Bits of the hash that chose the bucket.
    used: u32,
    level: u32,
}

/// Compares a bucket in memory where it fits, otherwise part by part; then removes it.
fn compare_file(
    path: &Path,
    sort: &Sort<'_>,
    judge: &impl Fn(MismatchKind, DomainId, &TokenBody, &[u8]) -> Option<Mismatch>,
) -> io::Result<Vec<Mismatch>> {
    let mut found = Vec::new();
    if fs::metadata(path)?.len() <= BUCKET_BYTES_MAX || sort.level == LEVELS_MAX {
        let bytes = fs::read(path)?;
        compare_bucket(&bytes, judge, &mut found)?;
    } else {
        let parts = part(path, sort)?;
        let next = Sort {
            chooser: sort.chooser,
            used: sort.used + PARTS.trailing_zeros(),
            level: sort.level + 1,
        };
        for path in &parts {
            found.append(&mut compare_file(path, &next, judge)?);
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
            let hash = sort.chooser.hash(record.key.0) >> sort.used;
            files.write(files.of(hash), &window[at..at + record.length])?;
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
    key: Key<'b>,
    place: &'b [u8],
    length: usize,
}

impl<'b> Record<'b> {
    /// Reads the record at the front; `None` where there is none that is whole.
    fn read(bytes: &'b [u8]) -> Option<Self> {
        let (&code, key) = bytes.split_first()?;
        let (_, rest) = take(key.get(2..)?)?;
        let key = Key(&key[..key.len() - rest.len()]);
        let (place, rest) = take(rest)?;
        let digest = || rest.first_chunk::<16>().copied();
        let (says, rest) = match code {
            OPENS => (Says::Opens(digest()?), &rest[16..]),
            HOLDS => (Says::Holds(digest()?), &rest[16..]),
            DERIVES => (Says::Derives, rest),
            HOLDS_ANY => (Says::HoldsAny, rest),
            COUNTED => (Says::Counted, rest),
            _ => (Says::Expected, rest),
        };
        Some(Self { says, key, place, length: bytes.len() - rest.len() })
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

/// Domain and token, as a record has them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key<'b>(&'b [u8]);

impl Key<'_> {
    fn domain(&self) -> DomainId {
        DomainId(self.0.first_chunk().map_or(0, |domain| u16::from_be_bytes(*domain)))
    }

    fn token(&self) -> TokenBody {
        let token = self.0.get(2..).and_then(take);
        TokenBody::new(token.map_or(&[], |(token, _)| token))
    }
}

impl Hash for Key<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
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
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.write_u64(rest);
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
    judge: &impl Fn(MismatchKind, DomainId, &TokenBody, &[u8]) -> Option<Mismatch>,
    found: &mut Vec<Mismatch>,
) -> io::Result<()> {
    let mut opens: Map<'_, Option<&[u8; 16]>> =
        Map::with_capacity_and_hasher(bytes.len() / RECORD_BYTES, BuildHasherDefault::default());
    let mut counted: Map<'_, Counted<'_>> = Map::default();
    each_record(bytes, |record, digest| match record.says {
        Says::Opens(_) => {
            opens.insert(record.key, digest);
        }
        Says::Derives => {
            opens.insert(record.key, None);
        }
        Says::Counted | Says::Expected => {
            let new = Counted { balance: 0, at: record.place };
            counted.entry(record.key).or_insert(new).balance +=
                if record.says == Says::Counted { 1 } else { -1 };
        }
        Says::Holds(_) | Says::HoldsAny => {}
    })?;
    each_record(bytes, |record, _| {
        let kind = match record.says {
            Says::Opens(_) | Says::Derives | Says::Counted | Says::Expected => return,
            Says::HoldsAny if opens.contains_key(&record.key) => return,
            Says::Holds(expected) => match opens.get(&record.key) {
                Some(Some(digest)) if **digest == expected => return,
                Some(_) => MismatchKind::Different,
                None => MismatchKind::Unknown,
            },
            Says::HoldsAny => MismatchKind::Unknown,
        };
        found.extend(judge(kind, record.key.domain(), &record.key.token(), record.place));
    })?;
    for (key, counted) in counted {
        let kind = match opens.get(&key) {
            None => MismatchKind::Unknown,
            // Fewer are rows that the application deleted or wrote since, as in a table with a key.
            Some(_) if counted.balance > 0 => MismatchKind::Multiset,
            Some(_) => continue,
        };
        found.extend(judge(kind, key.domain(), &key.token(), counted.at));
    }
    Ok(())
}

/// Visits each record, and the digest behind it where it has one.
fn each_record<'b>(
    bytes: &'b [u8],
    mut visit: impl FnMut(Record<'b>, Option<&'b [u8; 16]>),
) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let record = Record::read(rest).ok_or_else(cut)?;
        let (own, after) = rest.split_at_checked(record.length).ok_or_else(cut)?;
        rest = after;
        visit(record, own.last_chunk());
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
            let mut records = buckets.records(1);
            records.add(DomainId(1), &TokenBody::new(token), *says, b"place");
            records.write().unwrap();
        }
        let mut found = Vec::new();
        let told = |kind, _, _: &TokenBody, place: &[u8]| {
            Some(Mismatch { kind, place: String::from_utf8_lossy(place).into() })
        };
        buckets.compare(told, &mut found).unwrap();
        assert!(!base.path().join("buckets").exists());
        found.into_iter().map(|mismatch| mismatch.kind).collect()
    }

    #[test]
    fn a_token_that_opens_to_its_original_is_no_mismatch() {
        let records: [(&[u8], Says); 3] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Holds([1; 16])), (b"a", Says::HoldsAny)];
        assert_eq!(compared(&records), []);
        assert_eq!(compared(&[(b"a", Says::Derives), (b"a", Says::HoldsAny)]), []);
    }

    #[test]
    fn an_unknown_and_a_different_token_are_told_apart() {
        assert_eq!(compared(&[(b"a", Says::Holds([1; 16]))]), [MismatchKind::Unknown]);
        let records: [(&[u8], Says); 2] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Holds([2; 16]))];
        assert_eq!(compared(&records), [MismatchKind::Different]);
        // Where a token follows from its value, a cell that has another is told so.
        let records: [(&[u8], Says); 2] = [(b"a", Says::Derives), (b"a", Says::Holds([2; 16]))];
        assert_eq!(compared(&records), [MismatchKind::Different]);
    }

    #[test]
    fn a_bucket_that_is_too_large_is_sorted_apart() {
        let base = tempfile::tempdir().unwrap();
        let buckets = Buckets::make(base.path().join("buckets"), 1).unwrap();
        // One file, and three times what is compared in memory.
        let place = [0; 4_096];
        let mut records = buckets.records(0);
        for number in 0..9_000_u32 {
            let token = TokenBody::new(&number.to_be_bytes());
            if number != 4_711 {
                records.add(DomainId(1), &token, Says::Opens([1; 16]), &[]);
            }
            records.add(DomainId(1), &token, Says::HoldsAny, &place);
        }
        records.write().unwrap();
        assert!(buckets.bytes() > 2 * BUCKET_BYTES_MAX);
        let mut found = Vec::new();
        let told = |kind, _, token: &TokenBody, _: &[u8]| {
            Some(Mismatch { kind, place: format!("{token:?}") })
        };
        buckets.compare(told, &mut found).unwrap();
        let found: Vec<_> = found.into_iter().map(|m| (m.kind, m.place)).collect();
        assert_eq!(found, [(MismatchKind::Unknown, "TokenBody(00001267)".to_owned())]);
        assert!(!base.path().join("buckets").exists());
    }

    #[test]
    fn a_multiset_holds_no_more_than_was_expected() {
        let balanced: [(&[u8], Says); 3] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Counted), (b"a", Says::Expected)];
        assert_eq!(compared(&balanced), []);
        assert_eq!(compared(&balanced[..2]), [MismatchKind::Multiset]);
        let gone: [(&[u8], Says); 2] = [(b"a", Says::Opens([1; 16])), (b"a", Says::Expected)];
        assert_eq!(compared(&gone), [], "a row that the application deleted");
    }
}
