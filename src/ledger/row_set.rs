//! Row-set roots: one hash over a set of vault entries, so that a deleted or an older one shows.
//!
//! What AEAD cannot see (a row that is gone, a row put back as it was) changes this root. It knows
//! no table: rows come in order, a root comes out.
//!
//! **Invariant:** rows come in strictly ascending order of (domain, token), so a set of rows has
//! one root, and a row cannot be counted twice.

use super::digest::Digest;
use super::tree::{Range, leaf_hash_of};

/// The root over rows in order, computed as they stream by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSetRoot {
    range: Range,
    last: Option<(u32, Vec<u8>)>,
}

/// Why a row or a stored state is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowSetError {
    /// The row does not come after the one before it.
    #[error("row {rows} of the row set does not come after the row before it")]
    Order {
        /// How many rows had come.
        rows: u64,
    },
    /// A token is longer than any token.
    #[error("row {rows} of the row set has a token of 4 GiB or more")]
    Token {
        /// How many rows had come.
        rows: u64,
    },
    /// The bytes are no stored state.
    #[error("the stored state of a row set cannot be read")]
    State,
}

impl RowSetRoot {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row: its domain, its token, and the sealed value as stored.
    ///
    /// The leaf is `domain 4 ‖ token length 4 ‖ token ‖ envelope`, big-endian.
    ///
    /// # Errors
    ///
    /// Returns [`RowSetError::Order`] if the row does not come after the last; the set is then as
    /// it was.
    pub fn push(&mut self, domain: u32, token: &[u8], envelope: &[u8]) -> Result<(), RowSetError> {
        self.append(domain, token, Self::leaf(domain, token, envelope))
    }

    /// The leaf of a row, for [`append`](Self::append): all that costs time, and needs no order.
    #[must_use]
    pub fn leaf(domain: u32, token: &[u8], envelope: &[u8]) -> Digest {
        let length = u32::try_from(token.len()).unwrap_or(u32::MAX);
        let head = (u64::from(domain) << 32 | u64::from(length)).to_be_bytes();
        leaf_hash_of(&[&head, token, envelope])
    }

    /// As [`push`](Self::push), for a row whose leaf is made.
    ///
    /// # Errors
    ///
    /// As [`push`](Self::push).
    pub fn append(&mut self, domain: u32, token: &[u8], leaf: Digest) -> Result<(), RowSetError> {
        let rows = self.rows();
        let is_after =
            self.last.as_ref().is_none_or(|(at, last)| (*at, last.as_slice()) < (domain, token));
        if !is_after {
            return Err(RowSetError::Order { rows });
        }
        if u32::try_from(token.len()).is_err() {
            return Err(RowSetError::Token { rows });
        }
        self.range.append(leaf);

        // The buffer of the row before is used again: this runs once for every row of a vault.
        let (at, last) = self.last.get_or_insert_default();
        *at = domain;
        last.clear();
        last.extend(token);
        Ok(())
    }

    /// How many rows the set has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.range.size()
    }

    /// Returns the root over the rows so far.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.range.root()
    }

    /// Writes the state, so that the rest can be added later: rows 8 ‖ hashes ‖ domain 4 ‖ token.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.rows().to_be_bytes().to_vec();
        bytes.extend(self.range.roots().iter().flat_map(|root| *root.as_bytes()));
        if let Some((domain, token)) = &self.last {
            bytes.extend(domain.to_be_bytes());
            bytes.extend(token);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// Returns [`RowSetError::State`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RowSetError> {
        let (rows, mut rest) = bytes.split_first_chunk::<8>().ok_or(RowSetError::State)?;
        let rows = u64::from_be_bytes(*rows);
        let mut roots = Vec::new();
        for _ in 0..rows.count_ones() {
            let (root, after) = rest.split_first_chunk::<32>().ok_or(RowSetError::State)?;
            roots.push(Digest::from_bytes(*root));
            rest = after;
        }
        let range = Range::from_parts(rows, roots).ok_or(RowSetError::State)?;
        let last = match (rows, rest.split_first_chunk::<4>()) {
            (0, None) if rest.is_empty() => None,
            (1.., Some((domain, token))) => Some((u32::from_be_bytes(*domain), token.to_vec())),
            (0, _) | (1.., None) => return Err(RowSetError::State),
        };
        Ok(Self { range, last })
    }
}
