//! Residue: originals that survive in bytes after they are gone from SQL, and how to find them.
//!
//! This room takes bytes and gives facts. It knows no database connection, opens no file, draws no
//! key; what reads files for it implements [`ReadAt`].
//!
//! ```text
//! originals ──▶ FilterBuilder ──▶ Filter ──probe(bytes)──▶ candidates ──▶ Confirm ──▶ hits ──▶ report
//!   (once)      keyed hashes of            offsets that may               │
//!               heads, no values           begin an original              │
//! originals ──────────────────────────────────────────────────────────────┘
//!   (again, streamed)
//! ```
//!
//! **Invariant:** no list of values is kept for a scan. The [`Filter`] holds bits set by keyed
//! hashes, lives in memory only and cannot be serialised; the originals are streamed past the
//! candidates a second time, and a [`Hit`] names an offset and a keyed digest, never a value.
//!
//! **Invariant:** a zero is evidence only beside an earlier non-zero of the same scan:
//! [`Evidence::weigh`] is the only way to a [`Verdict`].
//!
//! # What a byte scan cannot see
//!
//! - Numbers of few digits, values under [`WINDOW_BYTES`] bytes, and the bytes of numbers, UUIDs and
//!   timestamps that are `00` and `ff` for the most part: they would be found everywhere. They are
//!   counted as [`Unsearchable`] and proven by structure (pages without used free space, every cell
//!   a token).
//! - What is left of a value whose first bytes were overwritten, and less than
//!   [`STEM_BYTES_MAX`] bytes of a longer one. Structure again: [`pages`].
//! - Compressed bytes where nothing says where they begin ([`codec`] undoes the rest), and encrypted
//!   ones.

mod bloom;
pub mod codec;
mod confirm;
mod encoding;
mod filter;
pub mod pages;
mod report;
mod scan;

pub use confirm::{Confirm, Extent, Hit, HitDigest, ReadAt};
pub use encoding::Encoding;
pub use filter::{Filter, FilterBuilder, STEM_BYTES_MAX, Unsearchable, WINDOW_BYTES};
pub use report::{
    Doubt, Evidence, FileClass, FileReport, HitCounts, LocatedHit, Place, PlaceCounts, ScanReport,
    SkippedFile, Tally, Verdict,
};
pub use scan::{Candidate, Scanner};
