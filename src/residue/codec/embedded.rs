//! Compressed values inside pages and records of PostgreSQL, found without knowing any schema.
//!
//! A compressed datum says so itself: in its length word and in a second word with method and
//! size. So does the first chunk of a value that was moved out of its row. Neither needs a line
//! pointer or a column's type, so that what a dead row left behind is found as well.
//!
//! ```text
//! in its row       | length << 2 | 2 | size, 30 bits; method, 2 bits | compressed …      |
//! first chunk      | chunk number 0 | length << 2 | size; method | compressed …         |
//! ```
// SPEC: src/include/varatt.h and src/include/access/toast_compression.h of PostgreSQL 13 to 18.

use super::{Codec, Unpacked, unpack};

/// The most that one value is unpacked to: its head is what is looked for.
const UNPACKED_MAX: usize = 256 * 1024;

/// What only looks like a compressed value comes to fewer bytes than this, if to any.
const PROBE_BYTES: usize = 512;
const PROBE_BYTES_MIN: usize = 32;

/// Length word and size word.
const WORDS: usize = 8;

/// Compressed bytes never come to more than so many times their length.
const RATIO_MAX: usize = 260;

/// The longest value that PostgreSQL can hold, in bytes.
const SIZE_MAX: usize = 1 << 30;

/// At which offsets a value may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stride {
    /// As on pages: at multiples of four.
    Aligned,
    /// As in records of changes: anywhere.
    Any,
}

/// Shows every compressed value that seems to begin in these bytes, unpacked, with its offset.
pub fn each_embedded(bytes: &[u8], stride: Stride, mut visit: impl FnMut(usize, Codec, Unpacked)) {
    let step = match stride {
        Stride::Aligned => 4,
        Stride::Any => 1,
    };
    let last = bytes.len().saturating_sub(WORDS);
    for at in (0..last).step_by(step) {
        let length = word(bytes, at);
        // The two low bits: 2 in a compressed datum, 0 in a chunk's.
        let found = match length & 3 {
            2 => datum(bytes, at),
            0 if at >= 4 && length != 0 && word(bytes, at - 4) == 0 => datum(bytes, at),
            _ => None,
        };
        if let Some((codec, unpacked)) = found {
            visit(at, codec, unpacked);
        }
    }
}

/// Unpacks what a length word at `at` says is there, if it can be that.
fn datum(bytes: &[u8], at: usize) -> Option<(Codec, Unpacked)> {
    let length = (word(bytes, at) >> 2) as usize;
    let info = word(bytes, at + 4);
    let size = (info & 0x3fff_ffff) as usize;
    let packed_length = length.checked_sub(WORDS).filter(|length| *length >= 4)?;
    let from = at + WORDS;
    // What is cut off at the end of the bytes is unpacked as far as it goes.
    let end = from.checked_add(packed_length)?;
    let packed = bytes.get(from..end.min(bytes.len()))?;
    // Nothing is kept compressed that did not become shorter.
    if packed.len() < 4 || size <= packed_length || size > SIZE_MAX {
        return None;
    }
    let is_chunk = word(bytes, at).trailing_zeros() >= 2;
    if is_chunk && end > bytes.len() {
        return None;
    }
    if !is_chunk && size / RATIO_MAX > packed_length {
        return None;
    }
    // The first of several chunks comes to less than the size of the whole.
    let size = size.min(packed.len() * RATIO_MAX).min(UNPACKED_MAX);
    let codec = match info >> 30 {
        0 => Codec::Pglz,
        1 => Codec::Lz4,
        _ => return None,
    };
    let probed = unpack(codec, packed, size.min(PROBE_BYTES));
    if probed.bytes.len() < PROBE_BYTES_MIN.min(size) {
        return None;
    }
    let unpacked = unpack(codec, packed, size);
    (unpacked.bytes.len() >= crate::residue::WINDOW_BYTES).then_some((codec, unpacked))
}

/// Four bytes as PostgreSQL has them on little-endian machines.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server wrote into a page: text that pglz made shorter, in its row.
    fn planted(codec: u32, packed: &[u8], size: usize) -> Vec<u8> {
        let length = u32::try_from(packed.len() + WORDS).unwrap();
        let mut datum = (length << 2 | 2).to_le_bytes().to_vec();
        datum.extend((codec << 30 | u32::try_from(size).unwrap()).to_le_bytes());
        datum.extend(packed);
        datum
    }

    fn found(bytes: &[u8], stride: Stride) -> Vec<(usize, Codec, Vec<u8>)> {
        let mut found = Vec::new();
        each_embedded(bytes, stride, |at, codec, unpacked| {
            found.push((at, codec, unpacked.bytes.to_vec()));
        });
        found
    }

    #[test]
    fn a_compressed_value_is_found_wherever_it_begins() {
        let text = b"alice@example.com ".repeat(20);
        let datum = planted(1, &lz4_flex::block::compress(&text), text.len());
        let mut page = vec![0; 64];
        page.extend(&datum);
        page.resize(512, 0);
        assert_eq!(found(&page, Stride::Aligned), [(64, Codec::Lz4, text.clone())]);
        page.insert(0, 0);
        // What else looks like a compressed value there unpacks to zeros, and harms nothing.
        let moved = (65, Codec::Lz4, text);
        assert!(!found(&page, Stride::Aligned).contains(&moved));
        assert!(found(&page, Stride::Any).contains(&moved));
    }

    #[test]
    fn the_first_chunk_of_several_gives_the_head_of_its_value() {
        let text: Vec<u8> =
            (0..4_000_u32).flat_map(|n| format!("{n}@example.com ").into_bytes()).collect();
        let packed = lz4_flex::block::compress(&text);
        let mut page = vec![0; 32];
        let length = u32::try_from(4 + 4 + 1_988).unwrap();
        page.extend((length << 2).to_le_bytes());
        page.extend((1 << 30 | u32::try_from(text.len()).unwrap()).to_le_bytes());
        page.extend(&packed[..1_988]);
        let found = found(&page, Stride::Aligned);
        assert_eq!(found.len(), 1);
        assert!(found[0].2.len() > 1_000 && text.starts_with(&found[0].2[..1_000]));
    }
}
