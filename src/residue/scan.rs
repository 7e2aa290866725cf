//! The scan: bytes of files past the filter, in pieces of any size.
//!
//! Pure functions over slices. Whoever reads the files decides how they are cut; a value that lies
//! across a cut is found because each piece is looked at together with the bytes that follow it.

use std::fmt;

use zeroize::Zeroizing;

use super::filter::{Filter, STEM_BYTES_MAX, TOGETHER};

/// An offset at which an original may begin, still to be confirmed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which file, by the caller's count.
    pub file: u32,
    /// Where in the file.
    pub offset: u64,
    /// The keyed hash of the stem that seems to lie there.
    pub(super) stem: u64,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate(file {}, offset {})", self.file, self.offset)
    }
}

impl Filter {
    /// How many bytes after its last start a piece should bring along.
    pub const LOOK_AHEAD_BYTES: usize = STEM_BYTES_MAX - 1;

    /// Finds the candidates that begin in the first `starts` bytes of `bytes`; what follows those
    /// is looked at, and belongs to the next piece.
    ///
    /// `offset` is where `bytes` begin in the file. Stops once `found` holds `candidates_max` or a
    /// few more, and returns how many starts were looked at: the scan goes on from there.
    pub fn probe(
        &self,
        (file, offset): (u32, u64),
        bytes: &[u8],
        starts: usize,
        candidates_max: usize,
        found: &mut Vec<Candidate>,
    ) -> usize {
        let mut places = [0; TOGETHER];
        for from in (0..starts.min(bytes.len())).step_by(TOGETHER) {
            let passed = self.may_begin(&bytes[from..], starts - from, &mut places);
            for at in passed.iter().map(|at| from + usize::from(*at)) {
                self.stems_at(&bytes[at..], |stem| {
                    found.push(Candidate { file, offset: offset + at as u64, stem });
                });
                if found.len() >= candidates_max {
                    return at + 1;
                }
            }
        }
        starts
    }
}

/// Feeds a file to the filter piece by piece, for those who read from a stream.
///
/// Memory is the candidates and one piece; a piece of a known size bounds both.
pub struct Scanner<'a> {
    filter: &'a Filter,
    file: u32,
    /// Where `held` begins in the file.
    offset: u64,
    held: Zeroizing<Vec<u8>>,
    found: Vec<Candidate>,
}

impl<'a> Scanner<'a> {
    /// Starts at the beginning of a file.
    #[must_use]
    pub fn new(filter: &'a Filter, file: u32) -> Self {
        let held = Zeroizing::new(Vec::new());
        Self { filter, file, offset: 0, held, found: Vec::new() }
    }

    /// Takes the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
        let starts = self.held.len().saturating_sub(Filter::LOOK_AHEAD_BYTES);
        self.look_at(starts);
    }

    /// Takes out the candidates found so far, so that they can be confirmed before the next piece.
    #[must_use]
    pub fn take(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.found)
    }

    /// Ends the file and gives the candidates that were not taken out yet.
    #[must_use]
    pub fn finish(mut self) -> Vec<Candidate> {
        self.look_at(self.held.len());
        self.found
    }

    fn look_at(&mut self, starts: usize) {
        let place = (self.file, self.offset);
        self.filter.probe(place, &self.held, starts, usize::MAX, &mut self.found);
        self.held.drain(..starts);
        self.offset += starts as u64;
    }
}

impl fmt::Debug for Scanner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scanner(file {}, offset {})", self.file, self.offset)
    }
}
