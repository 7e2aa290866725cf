//! Confirmation: which candidates are originals, byte for byte.
//!
//! The originals are streamed past the candidates. One whose stem's hash is among them is compared
//! with the bytes in the file, which are read again through [`ReadAt`]. This file does not know
//! what a file is.
//!
//! Memory is some 60 bytes a candidate; the number of candidates is bounded by whoever probes, who
//! confirms in rounds.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::encoding::Encoding;
use super::filter::{Filter, STEM_BYTES_MAX};
use super::scan::Candidate;
use crate::value::Original;

/// How much of a file is compared at a time.
const COMPARE_BYTES: usize = 16 * 1024;

/// How many offsets that share its stem are compared with one long original to the end, before the
/// rest count as parts. Without it, texts that all begin alike would cost the square of their
/// number.
const MISSES_MAX: usize = 64;

/// Reading the scanned files again.
pub trait ReadAt {
    /// Why reading failed.
    type Error;

    /// Reads from `file` at `offset` into `buffer` and returns how many bytes that were; fewer than
    /// asked for only at the end of the file.
    ///
    /// # Errors
    ///
    /// Returns an error where the file cannot be read.
    fn read_at(&self, file: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Self::Error>;
}

/// Names an original without telling it: the first 16 bytes of HMAC-SHA-256 under a key of the
/// caller's. Equal digests under one key mean equal originals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HitDigest([u8; 16]);

impl HitDigest {
    fn of(key: &[u8; 32], original: &Original) -> Self {
        // HMAC itself fills a short key with zeros up to the hash's block.
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(key);
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(b"sealift/residue/hit/v1");
        mac.update(&[original.kind().code()]);
        mac.update(original.expose());
        let mut digest = [0; 16];
        digest.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        Self(digest)
    }
}

impl fmt::Display for HitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl From<HitDigest> for String {
    fn from(digest: HitDigest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for HitDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        bytes.map(Self).ok_or("a hit's digest is 32 lowercase hex digits")
    }
}

/// How much of an original lies at a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All of it.
    Whole,
    /// Its beginning, [`STEM_BYTES_MAX`] bytes or more: the rest was overwritten, or lies on another
    /// page. Another text that begins alike looks the same.
    Part,
}

/// An original, found in a file. It holds no byte of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// Which file, by the caller's count.
    pub file: u32,
    /// Where it begins.
    pub offset: u64,
    /// The form in which it lies there.
    pub encoding: Encoding,
    /// How many bytes of that form lie there.
    pub length: u64,
    /// Whether that is all.
    pub extent: Extent,
    /// Which original.
    pub digest: HitDigest,
}

/// Candidates, waiting for the originals to come by.
///
/// [`Confirm::check`] every original, then [`Confirm::finish`].
pub struct Confirm<'a> {
    filter: &'a Filter,
    digest_key: Zeroizing<[u8; 32]>,
    /// Sorted by stem; within a bucket the settled ones come first.
    candidates: Vec<Candidate>,
    /// Beside each candidate, what was found there so far.
    found: Vec<Option<Hit>>,
    buckets: HashMap<u64, Bucket>,
}

/// The candidates with one stem.
struct Bucket {
    /// The first that is not settled yet. A settled one holds an original whole.
    open: usize,
    end: usize,
    /// The stems were compared byte for byte.
    proven: bool,
}

/// What is being compared with the files.
struct Sought<'a> {
    original: &'a Original,
    encoding: Encoding,
    encoded: &'a [u8],
    /// Made once: a long text that repeats itself is met at hundreds of thousands of places.
    digest: OnceCell<HitDigest>,
}

impl<'a> Confirm<'a> {
    /// Takes the candidates of one round.
    ///
    /// `digest_key` should be the same for a scan before and a scan after, so that their hits can be
    /// told to be the same original.
    #[must_use]
    pub fn new(filter: &'a Filter, digest_key: [u8; 32], mut candidates: Vec<Candidate>) -> Self {
        candidates.sort_unstable_by_key(|each| (each.stem, each.file, each.offset));
        let mut buckets = HashMap::new();
        let mut start = 0;
        for same in candidates.chunk_by(|left, right| left.stem == right.stem) {
            let end = start + same.len();
            buckets.insert(same[0].stem, Bucket { open: start, end, proven: false });
            start = end;
        }
        let found = vec![None; candidates.len()];
        Self { filter, digest_key: Zeroizing::new(digest_key), candidates, found, buckets }
    }

    /// How many candidates wait.
    #[must_use]
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// Compares one original, in all its forms, with the candidates that have its stem.
    ///
    /// # Errors
    ///
    /// Returns the reader's error; what was found until then is kept.
    pub fn check<R: ReadAt>(&mut self, original: &Original, files: &R) -> Result<(), R::Error> {
        for encoding in Encoding::ALL {
            let Some(stem) = encoding.stem(original) else { continue };
            let Some(mut bucket) = self.buckets.remove(&self.filter.mixer.stem(&stem)) else {
                continue;
            };
            // Forms that add nothing to an earlier one are `None` here, and were compared as that.
            let outcome = match encoding.encode(original) {
                Some(encoded) => {
                    let digest = OnceCell::new();
                    let sought = Sought { original, encoding, encoded: &encoded, digest };
                    self.compare_bucket(&mut bucket, &sought, files)
                }
                None => Ok(()),
            };
            self.buckets.insert(self.filter.mixer.stem(&stem), bucket);
            outcome?;
        }
        Ok(())
    }

    /// Gives the hits in the order of files and offsets, one per offset: the longest.
    #[must_use]
    pub fn finish(self) -> Vec<Hit> {
        let mut hits: Vec<Hit> = self.found.into_iter().flatten().collect();
        // ORDER: whole before part, then long before short, so that the first of an offset is kept.
        hits.sort_by_key(|hit| {
            (hit.file, hit.offset, hit.extent == Extent::Part, std::cmp::Reverse(hit.length))
        });
        hits.dedup_by_key(|hit| (hit.file, hit.offset));
        hits
    }

    fn compare_bucket<R: ReadAt>(
        &mut self,
        bucket: &mut Bucket,
        sought: &Sought<'_>,
        files: &R,
    ) -> Result<(), R::Error> {
        let stem_bytes = sought.encoded.len().min(STEM_BYTES_MAX);
        let is_all = stem_bytes == sought.encoded.len();
        let mut misses = 0;
        let mut at = bucket.open;
        while at < bucket.end {
            let past_limit = misses >= MISSES_MAX;
            if past_limit && bucket.proven {
                break;
            }
            // INVARIANT: nothing counts as a hit whose stem was not compared, so the first original
            // to come by compares the stem of every candidate, and only the stem beyond the limit.
            let limit = if past_limit { stem_bytes } else { sought.encoded.len() };
            let matched = self.compare(at, &sought.encoded[..limit], files)?;
            if matched < stem_bytes {
                misses += 1;
                at += 1;
                continue;
            }
            if matched == sought.encoded.len() {
                self.note(at, sought, matched, Extent::Whole);
                self.candidates.swap(at, bucket.open);
                self.found.swap(at, bucket.open);
                bucket.open += 1;
            } else {
                self.note(at, sought, matched, Extent::Part);
                misses += usize::from(!is_all);
            }
            at += 1;
        }
        bucket.proven = true;
        Ok(())
    }

    /// Keeps the longest match of a candidate.
    fn note(&mut self, at: usize, sought: &Sought<'_>, matched: usize, extent: Extent) {
        let length = matched as u64;
        let is_better = self.found[at]
            .is_none_or(|known| known.extent == Extent::Part && known.length < length);
        if is_better || extent == Extent::Whole {
            let Candidate { file, offset, .. } = self.candidates[at];
            let digest =
                *sought.digest.get_or_init(|| HitDigest::of(&self.digest_key, sought.original));
            let encoding = sought.encoding;
            self.found[at] = Some(Hit { file, offset, encoding, length, extent, digest });
        }
    }

    /// How many bytes at the candidate are those that are sought.
    fn compare<R: ReadAt>(&self, at: usize, sought: &[u8], files: &R) -> Result<usize, R::Error> {
        let Candidate { file, offset, .. } = self.candidates[at];
        let mut buffer = Zeroizing::new(vec![0; sought.len().min(COMPARE_BYTES)]);
        let mut matched = 0;
        for piece in sought.chunks(COMPARE_BYTES) {
            let buffer = &mut buffer[..piece.len()];
            let length = files.read_at(file, offset + matched as u64, buffer)?;
            let same = piece.iter().zip(&buffer[..length]).take_while(|(a, b)| a == b).count();
            matched += same;
            if same < piece.len() {
                break;
            }
        }
        Ok(matched)
    }
}

impl fmt::Debug for Confirm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Confirm({} candidates)", self.candidates.len())
    }
}
