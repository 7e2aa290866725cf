//! How many rows a read asks for: as many as a number of bytes holds, as far as the rows before them
//! tell.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ports::Limit;

/// How many rows the next read brings, so that it stays within so many bytes.
///
/// Values may be large, and to add up their lengths may cost the server as much as reading them. Most
/// rows are like those before them: a read is as large as the last one lets expect, and never many
/// times larger than that one was.
#[derive(Debug)]
pub(super) struct ReadPace {
    /// Rows of a first read: of how large they are, nothing is known yet.
    first: usize,
    /// Rows that the next read may ask for, whatever their size.
    rows: AtomicUsize,
    /// Bytes of each row, as the last read had them.
    each: AtomicUsize,
}

impl ReadPace {
    /// By how much a read is larger than the one before it.
    const GROWTH: usize = 8;

    /// Begins with a read of so many rows.
    pub(super) fn new(first: usize) -> Self {
        Self { first, rows: AtomicUsize::new(first), each: AtomicUsize::new(0) }
    }

    /// Other values come: of how large they are, nothing is known.
    pub(super) fn begin_again(&self) {
        self.rows.store(self.first, Ordering::Relaxed);
        self.each.store(0, Ordering::Relaxed);
    }

    /// How many rows the next read may ask for; at least one.
    pub(super) fn rows(&self, limit: Limit) -> usize {
        let fit = limit.bytes.checked_div(self.each.load(Ordering::Relaxed));
        let rows = self.rows.load(Ordering::Relaxed).min(limit.rows);
        fit.map_or(rows, |fit| rows.min(fit)).max(1)
    }

    /// Takes in what a read that asked for so many has brought.
    pub(super) fn saw(&self, asked: usize, rows: usize, bytes: usize) {
        if rows > 0 {
            self.rows.store(asked.saturating_mul(Self::GROWTH), Ordering::Relaxed);
            self.each.store(bytes.div_ceil(rows), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_grows_to_its_bytes_and_begins_small_with_other_values() {
        let pace = ReadPace::new(2);
        let limit = Limit { rows: 500, bytes: 10_000 };
        assert_eq!(pace.rows(limit), 2);
        pace.saw(2, 2, 200);
        assert_eq!(pace.rows(limit), 16);
        pace.saw(16, 16, 1_600);
        assert_eq!(pace.rows(limit), 100);
        pace.saw(100, 2, 10_000);
        assert_eq!(pace.rows(limit), 2);
        pace.saw(2, 2, 2);
        assert_eq!(pace.rows(Limit { rows: 5, ..limit }), 5);
        assert_eq!(pace.rows(limit), 16);
        pace.saw(16, 0, 0);
        assert_eq!(pace.rows(limit), 16, "where nothing came, nothing is known");
        pace.saw(16, 1, 1 << 30);
        assert_eq!(pace.rows(limit), 1, "a row that is larger is read alone");
        pace.begin_again();
        assert_eq!(pace.rows(limit), 2);
    }
}
