//! Residue is found wherever it lies, nothing else is, and a zero needs a control.

mod evidence;
mod files;
mod postgres;
mod scan;
mod synth;
mod tree;
mod typed;

use std::convert::Infallible;

use sealift::residue::{Candidate, Confirm, Filter, FilterBuilder, Hit, ReadAt, Scanner};
use sealift::value::Original;

/// The key of every filter here; a real one is drawn.
pub(super) const KEY: [u8; 16] = *b"0123456789abcdef";
/// The key of every digest here.
pub(super) const DIGEST_KEY: [u8; 32] = [5; 32];

/// Files that are in memory.
pub(super) struct InMemory(pub(super) Vec<Vec<u8>>);

impl ReadAt for InMemory {
    type Error = Infallible;

    fn read_at(&self, file: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let file = &self.0[file as usize];
        let from = file.len().min(usize::try_from(offset).unwrap());
        let length = buffer.len().min(file.len() - from);
        buffer[..length].copy_from_slice(&file[from..from + length]);
        Ok(length)
    }
}

pub(super) fn filter_of(originals: &[Original]) -> Filter {
    let mut builder = FilterBuilder::new(KEY, originals.len() as u64);
    for original in originals {
        builder.add(original);
    }
    builder.build()
}

/// The candidates in a file that is fed in pieces of this size.
pub(super) fn candidates_in(filter: &Filter, bytes: &[u8], piece_bytes: usize) -> Vec<Candidate> {
    let mut scanner = Scanner::new(filter, 0);
    for piece in bytes.chunks(piece_bytes) {
        scanner.feed(piece);
    }
    scanner.finish()
}

/// Scans one file in memory from end to end.
pub(super) fn hits_in(originals: &[Original], bytes: &[u8], piece_bytes: usize) -> Vec<Hit> {
    let filter = filter_of(originals);
    let candidates = candidates_in(&filter, bytes, piece_bytes);
    let mut confirm = Confirm::new(&filter, DIGEST_KEY, candidates);
    let files = InMemory(vec![bytes.to_vec()]);
    for original in originals {
        confirm.check(original, &files).unwrap();
    }
    confirm.finish()
}
