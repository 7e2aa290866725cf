//! Candidates with the bytes that lie there, so that nothing has to be read twice.

use std::convert::Infallible;

use zeroize::Zeroizing;

use super::SNIPPET_BYTES;
use crate::residue::codec::Codec;
use crate::residue::{Candidate, Filter, Place, ReadAt};

/// Where a candidate lies.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    /// Which file of the scan.
    pub(super) file: u32,
    /// Where in it; of what was unpacked, where that begins.
    pub(super) offset: u64,
    /// How it lay compressed.
    pub(super) via: Option<Codec>,
    /// Where that is in the structure of the file.
    pub(super) place: Place,
}

/// The candidates of a round. Each has its number as its file, so that bytes are found again.
#[derive(Default)]
pub(super) struct Slots {
    spots: Vec<Spot>,
    bytes: Vec<Zeroizing<Box<[u8]>>>,
    candidates: Vec<Candidate>,
}

impl Slots {
    pub(super) fn len(&self) -> usize {
        self.candidates.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Takes in a candidate with what lies there.
    pub(super) fn add(&mut self, mut candidate: Candidate, spot: Spot, snippet: &[u8]) {
        candidate.file = u32::try_from(self.spots.len()).unwrap_or(u32::MAX);
        candidate.offset = 0;
        self.candidates.push(candidate);
        self.spots.push(spot);
        self.bytes.push(Zeroizing::new(snippet.into()));
    }

    /// Takes out the candidates, to be confirmed.
    pub(super) fn candidates(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.candidates)
    }

    pub(super) fn spot(&self, number: u32) -> &Spot {
        &self.spots[number as usize]
    }
}

impl ReadAt for Slots {
    type Error = Infallible;

    fn read_at(&self, file: u32, offset: u64, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let bytes = &self.bytes[file as usize];
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }
}

/// The candidates in some bytes, each with what lies there; at most so many or a few more.
pub(super) fn probe_all(
    filter: &Filter,
    bytes: &[u8],
    candidates_max: usize,
) -> Vec<(Candidate, Zeroizing<Vec<u8>>)> {
    let mut found = Vec::new();
    filter.probe((0, 0), bytes, bytes.len(), candidates_max, &mut found);
    let snippet = |candidate: &Candidate| {
        let from = usize::try_from(candidate.offset).unwrap_or(usize::MAX).min(bytes.len());
        Zeroizing::new(bytes[from..bytes.len().min(from + SNIPPET_BYTES)].to_vec())
    };
    found.into_iter().map(|candidate| (candidate, snippet(&candidate))).collect()
}
