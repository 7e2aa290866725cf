//! The tree's growing edge: append a leaf, know the root, without reading what came before.
//!
//! RFC 6962: a leaf is SHA-256(0x00 ‖ bytes), a node SHA-256(0x01 ‖ left ‖ right). This file does
//! not know what a leaf means.
//!
//! **Invariant:** appending costs O(log n) hashes and needs O(log n) hashes of state.

use sha2::{Digest as _, Sha256};

use super::digest::Digest;
use super::entry::{Draft, Entered, Entry, EntryError};

/// Returns the hash of a leaf that holds `bytes`.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Digest {
    Digest::from_bytes(tlog_tiles::record_hash(bytes).0)
}

/// As [`leaf_hash`], over parts one behind the other: nothing of them is copied.
pub(super) fn leaf_hash_of(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new_with_prefix([0]);
    for part in parts {
        hash.update(part);
    }
    Digest::from_bytes(hash.finalize().into())
}

/// Returns the hash of the node above `left` and `right`.
#[must_use]
pub fn node_hash(left: Digest, right: Digest) -> Digest {
    let hash = |digest: Digest| tlog_tiles::Hash(*digest.as_bytes());
    Digest::from_bytes(tlog_tiles::node_hash(hash(left), hash(right)).0)
}

/// Returns the root over `leaves`.
#[must_use]
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut range = Range::default();
    for leaf in leaves {
        range.append(*leaf);
    }
    range.root()
}

/// A compact range: the roots of the perfect subtrees that the leaves so far fall into, the largest
/// first. There is one for each bit that is set in `size`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Range {
    size: u64,
    roots: Vec<Digest>,
}

impl Range {
    pub(super) fn append(&mut self, leaf: Digest) {
        let mut hash = leaf;
        let mut bits = self.size;
        // Each trailing 1 is a subtree as tall as the one in hand: together they make a taller one.
        while bits & 1 == 1 {
            if let Some(left) = self.roots.pop() {
                hash = node_hash(left, hash);
            }
            bits >>= 1;
        }
        self.roots.push(hash);
        self.size += 1;
    }

    pub(super) fn root(&self) -> Digest {
        let mut subtrees = self.roots.iter().rev();
        let Some(smallest) = subtrees.next() else {
            return Digest::from_bytes(tlog_tiles::EMPTY_HASH.0);
        };
        subtrees.fold(*smallest, |right, left| node_hash(*left, right))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn roots(&self) -> &[Digest] {
        &self.roots
    }

    pub(super) fn from_parts(size: u64, roots: Vec<Digest>) -> Option<Self> {
        (usize::try_from(size.count_ones()) == Ok(roots.len())).then_some(Self { size, roots })
    }
}

/// Where the ledger ends: its size, its last leaf, and what is needed to append the next.
///
/// The last leaf is kept apart from the tree before it. So a head is at the same time the proof
/// that this leaf is the last one under the root, and a verifier who trusts the root can walk the
/// links backwards from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    before: Range,
    last: Option<Digest>,
}

/// The bytes are no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored head of the ledger cannot be read")]
pub struct HeadError;

impl Head {
    /// The head of an empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries the ledger has, which is the place of the next one.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.before.size() + u64::from(self.last.is_some())
    }

    /// The leaf hash of the last entry; zeros where there is none.
    #[must_use]
    pub fn last(&self) -> Digest {
        self.last.unwrap_or(Digest::ZERO)
    }

    /// Appends a leaf.
    pub fn append(&mut self, leaf: Digest) {
        if let Some(last) = self.last.replace(leaf) {
            self.before.append(last);
        }
    }

    /// Gives `draft` the next place, links it to the entry before, and appends it.
    ///
    /// # Errors
    ///
    /// Returns [`EntryError`] if the draft has no canonical form; the head is then as it was.
    pub fn enter(&mut self, draft: Draft) -> Result<Entered, EntryError> {
        let entered = Entry::place(draft, self.size(), self.last()).into_entered()?;
        self.append(entered.leaf);
        Ok(entered)
    }

    /// Returns the root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        let Some(last) = self.last else { return self.before.root() };
        let mut whole = self.before.clone();
        whole.append(last);
        whole.root()
    }

    /// Writes the head for storage: size, 8 bytes big-endian; the last leaf; the subtree roots.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.size().to_be_bytes().to_vec();
        if let Some(last) = self.last {
            bytes.extend(last.as_bytes());
        }
        bytes.extend(self.before.roots().iter().flat_map(|root| *root.as_bytes()));
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// Returns [`HeadError`] if the number of hashes does not fit the size.
    pub fn decode(bytes: &[u8]) -> Result<Self, HeadError> {
        let (size, hashes) = bytes.split_first_chunk::<8>().ok_or(HeadError)?;
        let (hashes, rest) = hashes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(HeadError);
        }
        let digests = hashes.iter().map(|hash| Digest::from_bytes(*hash));
        Self::from_parts(u64::from_be_bytes(*size), digests)
    }

    /// Writes the head as `head.txt`: the size, then each hash of [`encode`](Self::encode), a line
    /// each.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.size());
        for hash in self.last.iter().chain(self.before.roots()) {
            text.push_str(&hash.to_string());
            text.push('\n');
        }
        text
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    ///
    /// Returns [`HeadError`] for anything else.
    pub fn from_text(text: &str) -> Result<Self, HeadError> {
        let mut lines = text.strip_suffix('\n').ok_or(HeadError)?.split('\n');
        let number = lines.next().ok_or(HeadError)?;
        let size: u64 = number.parse().map_err(|_| HeadError)?;
        if size.to_string() != number {
            return Err(HeadError);
        }
        let hashes: Vec<Digest> =
            lines.map(Digest::parse).collect::<Result<_, _>>().map_err(|_| HeadError)?;
        Self::from_parts(size, hashes.into_iter())
    }

    fn from_parts(size: u64, mut hashes: impl Iterator<Item = Digest>) -> Result<Self, HeadError> {
        let Some(before) = size.checked_sub(1) else {
            return if hashes.next().is_none() { Ok(Self::new()) } else { Err(HeadError) };
        };
        let last = Some(hashes.next().ok_or(HeadError)?);
        let before = Range::from_parts(before, hashes.collect()).ok_or(HeadError)?;
        Ok(Self { before, last })
    }
}
