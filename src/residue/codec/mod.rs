//! What compresses values, undone: a scan for bytes is blind to what lies compressed.
//!
//! Slices in, bytes out. Where the compressed bytes are cut short or damaged, what came out until
//! then is given: the head of a value is enough to find it. Nothing here knows where the bytes lie.
//!
//! **Invariant:** no more is ever unpacked than the caller allows, whatever the bytes claim.

mod embedded;
mod pglz;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use embedded::{Stride, each_embedded};

/// A way of compressing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// PostgreSQL's own.
    Pglz,
    /// An LZ4 block.
    Lz4,
    /// A Zstandard frame.
    Zstd,
    /// A gzip file.
    Gzip,
}

impl Codec {
    /// The word that reports use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pglz => "pglz",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// What came out of compressed bytes.
pub struct Unpacked {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether that is all: as many as were expected, and without a fault.
    pub is_whole: bool,
}

impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unpacked({} bytes, whole: {})", self.bytes.len(), self.is_whole)
    }
}

/// Unpacks a block that is known to come to `size` bytes.
#[must_use]
pub fn unpack(codec: Codec, bytes: &[u8], size: usize) -> Unpacked {
    match codec {
        Codec::Pglz => pglz::unpack(bytes, size),
        Codec::Lz4 => unpack_lz4(bytes, size),
        Codec::Zstd => unpack_stream(ruzstd::decoding::StreamingDecoder::new(bytes).ok(), size),
        Codec::Gzip => unpack_stream(Some(flate2::read::MultiGzDecoder::new(bytes)), size),
    }
}

fn unpack_lz4(bytes: &[u8], size: usize) -> Unpacked {
    let mut out = Zeroizing::new(vec![0; size]);
    if let Ok(length) = lz4_flex::block::decompress_into(bytes, &mut out) {
        out.truncate(length);
        return Unpacked { is_whole: length == size, bytes: out };
    }
    // What was written before the fault stands there; behind it are the zeros from above.
    let length = out.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    out.truncate(length);
    Unpacked { bytes: out, is_whole: false }
}

fn unpack_stream(stream: Option<impl std::io::Read>, size: usize) -> Unpacked {
    let mut out = Zeroizing::new(vec![0; size]);
    let mut length = 0;
    let Some(mut stream) = stream else {
        return Unpacked { bytes: Zeroizing::new(Vec::new()), is_whole: false };
    };
    while length < size {
        match stream.read(&mut out[length..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => length += read,
        }
    }
    out.truncate(length);
    Unpacked { is_whole: length == size, bytes: out }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"alice@example.com alice@example.com alice@example.com alice@example.com";

    #[test]
    fn a_block_that_is_cut_gives_its_head() {
        let packed = lz4_flex::block::compress(TEXT);
        let whole = unpack(Codec::Lz4, &packed, TEXT.len());
        assert!(whole.is_whole && *whole.bytes == TEXT);
        let cut = unpack(Codec::Lz4, &packed[..packed.len() - 4], TEXT.len());
        assert!(!cut.is_whole);
        assert!(cut.bytes.starts_with(b"alice@example.com"), "{} bytes", cut.bytes.len());
    }

    #[test]
    fn no_more_comes_out_than_is_allowed() {
        use std::io::Write as _;
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(&vec![b'a'; 1 << 20]).unwrap();
        let archive = packer.finish().unwrap();
        assert_eq!(unpack(Codec::Gzip, &archive, 1_000).bytes.len(), 1_000);
        // The decoder refuses a run of literals that does not fit before it writes any of it.
        assert!(unpack(Codec::Lz4, &lz4_flex::block::compress(TEXT), 8).bytes.len() <= 8);
    }

    #[test]
    fn what_is_no_such_thing_comes_to_nothing_and_harms_nothing() {
        for codec in [Codec::Pglz, Codec::Lz4, Codec::Zstd, Codec::Gzip] {
            for length in 0..40_u8 {
                let noise: Vec<u8> = (0..length).map(|at| at.wrapping_mul(97) ^ 0x5a).collect();
                assert!(unpack(codec, &noise, 100).bytes.len() <= 100);
            }
        }
    }
}
