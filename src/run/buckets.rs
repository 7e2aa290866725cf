//! Buckets: cells and vault entries, sorted apart by token into files that fit in memory one by one.
//!
//! A bucket holds what source and vault say of the same tokens, so that they can be compared in
//! memory. Records hold tokens, keyed digests and row keys, never a value; the files are removed
//! when the comparison is over.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use crate::run::error::{Mismatch, MismatchKind};
use crate::token::{DomainId, TokenBody};

/// Records that one bucket should hold.
const RECORDS_A_BUCKET: u64 = 100_000;

/// Files that are open at the same time.
const BUCKETS_MAX: u64 = 256;

/// What one record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// The vault: this token opens to a value of this digest.
    Opens([u8; 16]),
    /// A cell: it holds this token, and the backup's newest original has this digest.
    Holds([u8; 16]),
    /// A cell: it holds this token, and the backup says nothing about it.
    HoldsAny,
    /// A table without a key: one cell holds this token.
    Counted,
    /// A table without a key: one original of the backup has this token.
    Expected,
}

/// A record without its token and its place.
const RECORD_BYTES: usize = 27;

const OPENS: u8 = 0;
const HOLDS: u8 = 1;
const HOLDS_ANY: u8 = 2;
const COUNTED: u8 = 3;
const EXPECTED: u8 = 4;

/// The buckets of one verification.
pub(crate) struct Buckets {
    dir: PathBuf,
    files: Vec<BufWriter<File>>,
    hasher: RandomState,
    bytes: u64,
}

impl Buckets {
    /// Makes empty buckets for about so many records, in a folder of their own.
    pub(crate) fn make(dir: PathBuf, records: u64) -> io::Result<Self> {
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        let count = (records / RECORDS_A_BUCKET).next_power_of_two().clamp(1, BUCKETS_MAX);
        let files = (0..count)
            .map(|at| File::create(dir.join(at.to_string())).map(BufWriter::new))
            .collect::<io::Result<_>>()?;
        Ok(Self { dir, files, hasher: RandomState::new(), bytes: 0 })
    }

    /// Adds a record; `place` names the cell, for messages.
    pub(crate) fn add(
        &mut self,
        domain: DomainId,
        token: &TokenBody,
        says: Says,
        place: &[u8],
    ) -> io::Result<()> {
        let hash = self.hasher.hash_one((domain.0, token.as_bytes()));
        let at = usize::try_from(hash % self.files.len() as u64).unwrap_or(0);
        let (code, digest) = match says {
            Says::Opens(digest) => (OPENS, digest),
            Says::Holds(digest) => (HOLDS, digest),
            Says::HoldsAny => (HOLDS_ANY, [0; 16]),
            Says::Counted => (COUNTED, [0; 16]),
            Says::Expected => (EXPECTED, [0; 16]),
        };
        self.bytes += (RECORD_BYTES + token.as_bytes().len() + place.len()) as u64;
        let file = &mut self.files[at];
        file.write_all(&[code])?;
        file.write_all(&digest)?;
        file.write_all(&domain.0.to_be_bytes())?;
        write_part(file, token.as_bytes())?;
        write_part(file, place)
    }

    /// How much was written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Compares what the two sides say, bucket by bucket, and removes the files. `name` turns
    /// domain, token and place into words.
    pub(crate) fn compare(
        self,
        name: impl Fn(DomainId, &TokenBody, &[u8]) -> String,
        found: &mut Vec<Mismatch>,
    ) -> io::Result<()> {
        let count = self.files.len();
        for mut file in self.files {
            file.flush()?;
        }
        for at in 0..count {
            let path = self.dir.join(at.to_string());
            compare_bucket(&path, &name, found)?;
            fs::remove_file(&path)?;
        }
        fs::remove_dir_all(&self.dir)
    }
}

fn write_part(file: &mut impl Write, part: &[u8]) -> io::Result<()> {
    let length = u32::try_from(part.len()).map_err(io::Error::other)?;
    file.write_all(&length.to_be_bytes())?;
    file.write_all(part)
}

fn read_part(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let mut part = vec![0; u32::from_be_bytes(length) as usize];
    file.read_exact(&mut part)?;
    Ok(part)
}

/// What is known of one token.
#[derive(Default)]
struct Known {
    opens: Option<[u8; 16]>,
    /// Cells that hold it minus originals that have it, in tables without a key.
    balance: i64,
    /// Where the first of those cells is.
    counted_at: Option<Vec<u8>>,
}

type Key = (u16, TokenBody);

fn compare_bucket(
    path: &std::path::Path,
    name: &impl Fn(DomainId, &TokenBody, &[u8]) -> String,
    found: &mut Vec<Mismatch>,
) -> io::Result<()> {
    let mut known: HashMap<Key, Known> = HashMap::new();
    each_record(path, |says, domain, token, place| {
        let known = known.entry((domain, token)).or_default();
        match says {
            Says::Opens(digest) => known.opens = Some(digest),
            Says::Counted => {
                known.balance += 1;
                known.counted_at.get_or_insert(place);
            }
            Says::Expected => {
                known.balance -= 1;
                known.counted_at.get_or_insert(place);
            }
            Says::Holds(_) | Says::HoldsAny => {}
        }
    })?;
    each_record(path, |says, domain, token, place| {
        let opens = known.get(&(domain, token.clone())).and_then(|known| known.opens);
        let kind = match (says, opens) {
            (Says::Holds(_) | Says::HoldsAny, None) => MismatchKind::Unknown,
            (Says::Holds(expected), Some(digest)) if expected != digest => MismatchKind::Different,
            (
                Says::Opens(_) | Says::Holds(_) | Says::HoldsAny | Says::Counted | Says::Expected,
                _,
            ) => return,
        };
        found.push(Mismatch { kind, place: name(DomainId(domain), &token, &place) });
    })?;
    for ((domain, token), known) in known {
        let Some(place) = known.counted_at else { continue };
        let kind = match known.opens {
            None => MismatchKind::Unknown,
            Some(_) if known.balance != 0 => MismatchKind::Multiset,
            Some(_) => continue,
        };
        found.push(Mismatch { kind, place: name(DomainId(domain), &token, &place) });
    }
    Ok(())
}

fn each_record(
    path: &std::path::Path,
    mut visit: impl FnMut(Says, u16, TokenBody, Vec<u8>),
) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut head = [0; 19];
    loop {
        match file.read(&mut head[..1])? {
            0 => return Ok(()),
            _ => file.read_exact(&mut head[1..])?,
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&head[1..17]);
        let domain = u16::from_be_bytes([head[17], head[18]]);
        let token = TokenBody::new(&read_part(&mut file)?);
        let place = read_part(&mut file)?;
        let says = match head[0] {
            OPENS => Says::Opens(digest),
            HOLDS => Says::Holds(digest),
            HOLDS_ANY => Says::HoldsAny,
            COUNTED => Says::Counted,
            _ => Says::Expected,
        };
        visit(says, domain, token, place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(records: &[(&[u8], Says)]) -> Vec<MismatchKind> {
        let base = tempfile::tempdir().unwrap();
        let mut buckets = Buckets::make(base.path().join("buckets"), 1_000_000).unwrap();
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
    fn a_multiset_has_to_balance() {
        let balanced: [(&[u8], Says); 3] =
            [(b"a", Says::Opens([1; 16])), (b"a", Says::Counted), (b"a", Says::Expected)];
        assert_eq!(compared(&balanced), []);
        assert_eq!(compared(&balanced[..2]), [MismatchKind::Multiset]);
    }
}
