//! How many entries a read of the vault asks for: as many as a number of bytes holds, as far as the
//! entries before them tell.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ports::EntryRow;

/// How many entries the next read brings, so that it stays within so many bytes.
///
/// Values may be large, and to add up their lengths costs the server as much as reading them. Tokens
/// are in no order that values have, so the entries of one read are like those of the next of its
/// domain: a read is as large as the last one lets expect, and never many times larger than that one
/// was.
pub(super) struct ScanPace {
    entries: AtomicUsize,
    bytes: usize,
}

impl ScanPace {
    /// Entries of the first read: of how large they are, nothing is known yet.
    const AT_FIRST: usize = 2;

    /// By how much a read is larger than the one before it.
    const GROWTH: usize = 8;

    /// Begins with reads that bring about so many bytes of sealed values.
    pub(super) fn new(bytes: usize) -> Self {
        Self { entries: AtomicUsize::new(Self::AT_FIRST), bytes }
    }

    /// Another domain: of how large its values are, nothing is known.
    pub(super) fn begin_again(&self) {
        self.entries.store(Self::AT_FIRST, Ordering::Relaxed);
    }

    /// How many the next read may ask for.
    pub(super) fn rows(&self, limit: usize) -> usize {
        self.entries.load(Ordering::Relaxed).min(limit)
    }

    /// Takes in what a read that asked for so many has brought.
    pub(super) fn saw(&self, asked: usize, entries: &[EntryRow]) {
        let bytes: usize = entries.iter().map(|entry| entry.envelope.len()).sum();
        let Some(each) = bytes.checked_div(entries.len()) else { return };
        let next = (asked * Self::GROWTH).min(self.bytes / each.max(1)).max(1);
        self.entries.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{DomainId, TokenBody};
    use crate::value::ValueType;

    fn entries(count: usize, bytes: usize) -> Vec<EntryRow> {
        let entry = |_| EntryRow {
            domain: DomainId(1),
            token: TokenBody::new(&[1; 16]),
            segment: 1,
            kind: ValueType::Text,
            envelope: vec![0; bytes],
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn a_read_grows_to_its_bytes_and_begins_small_with_each_domain() {
        let pace = ScanPace::new(10_000);
        assert_eq!(pace.rows(500), 2);
        pace.saw(2, &entries(2, 100));
        assert_eq!(pace.rows(500), 16);
        pace.saw(16, &entries(16, 100));
        assert_eq!(pace.rows(500), 100);
        pace.saw(100, &entries(100, 5_000));
        assert_eq!(pace.rows(500), 2);
        pace.saw(2, &entries(2, 1));
        assert_eq!(pace.rows(5), 5);
        pace.begin_again();
        assert_eq!(pace.rows(500), 2);
    }
}
