//! PostgreSQL's log of changes: its records, and the pages that they carry.
//!
//! A page that is changed for the first time after a checkpoint is written into the log as a whole,
//! compressed where the server is set so: a search for bytes does not see what is in it. The reader
//! is fed page by page. It follows addresses, not the names of files: a file that was recycled goes
//! on holding what it held, under the addresses of then.
//!
//! Nothing here checks sums: a record that is not understood is skipped, and the reader goes on at
//! the next page.
// SPEC: src/include/access/xlog_internal.h and xlogrecord.h of PostgreSQL 13 to 18.

use std::ops::Range;

use zeroize::Zeroizing;

use super::page::{PAGE_BYTES_MAX, half, word};
use crate::residue::codec::{Codec, unpack};

/// The first bytes of a page of the log, by version: 13 to 18.
const MAGICS: [usize; 6] = [0xd106, 0xd10d, 0xd110, 0xd113, 0xd116, 0xd118];
/// From this one on (PostgreSQL 15) an image says how it was compressed.
const MAGIC_15: usize = 0xd110;

const PAGE_HEADER_BYTES: usize = 24;
const LONG_HEADER_BYTES: usize = 40;
const IS_CONTINUED: usize = 0x0001;
const IS_LONG: usize = 0x0002;

const RECORD_HEADER_BYTES: usize = 24;
/// The longest record that is put together; a longer one is passed over.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// A page in a record.
pub struct Image {
    /// Which file of the record's database it is of.
    pub relation: u32,
    /// How it was compressed, if it was.
    pub codec: Option<Codec>,
    /// The page, its hole filled with zeros; only as much as came out.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Whether all of it came out.
    pub is_whole: bool,
}

/// One record of the log.
pub struct LogRecord {
    /// Its address.
    pub address: u64,
    /// The databases whose pages it changes.
    pub databases: Vec<u32>,
    /// The pages that it carries.
    pub images: Vec<Image>,
    /// All of its bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Where they lie: one part on each page, by file and offset as the reader was told.
    pub parts: Vec<(u32, Range<u64>)>,
}

/// Puts records together from pages.
#[derive(Default)]
pub struct LogReader {
    /// The address that the next page must have for what is held to go on.
    next: u64,
    /// The page size.
    page_bytes: usize,
    /// Set while a record is being put together.
    held: Option<Held>,
    is_15: bool,
    /// Pages that were none of a log.
    unread: u64,
    /// Records that were not understood, or whose beginning is not there.
    cut: u64,
}

struct Held {
    address: u64,
    wanted: usize,
    bytes: Zeroizing<Vec<u8>>,
    parts: Vec<(u32, Range<u64>)>,
}

/// A page of a file: which file, and where it begins in it.
type Position = (u32, u64);

impl LogReader {
    /// Begins.
    #[must_use]
    pub fn new(page_bytes: usize) -> Self {
        Self { page_bytes: page_bytes.min(2 * PAGE_BYTES_MAX), ..Self::default() }
    }

    /// Whether a file that begins so is one of a log.
    #[must_use]
    pub fn is_log(head: &[u8]) -> bool {
        head.len() >= LONG_HEADER_BYTES
            && MAGICS.contains(&half(head, 0))
            && half(head, 2) & IS_LONG != 0
    }

    /// Pages that were none of a log and not empty.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Records that could not be put together: their beginning or end lies in a file that is gone.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Takes the next page, which lies at this offset of this file, and shows each record that ends
    /// on it.
    pub fn page(&mut self, position: (u32, u64), page: &[u8], visit: &mut dyn FnMut(LogRecord)) {
        let magic = half(page, 0);
        if page.len() < LONG_HEADER_BYTES || !MAGICS.contains(&magic) {
            let is_set = page.iter().any(|byte| *byte != 0);
            self.unread += u64::from(is_set);
            // A page of zeros is where nothing was written yet.
            self.let_go(is_set);
            self.next = 0;
            return;
        }
        self.is_15 = magic >= MAGIC_15;
        let info = half(page, 2);
        let address = long(page, 8);
        if address != self.next {
            // Older pages behind newer ones were in the file before it was used again.
            self.let_go(address > self.next);
        }
        self.next = address + page.len() as u64;
        let start = if info & IS_LONG == 0 { PAGE_HEADER_BYTES } else { LONG_HEADER_BYTES };
        let mut at = start;
        if info & IS_CONTINUED != 0 {
            let rest = word(page, 16) as usize;
            let body = (position.0, position.1 + start as u64);
            at = self
                .go_on(body, &page[start..], rest, visit)
                .map_or(page.len(), |used| start + used);
        } else {
            self.let_go(true);
        }
        self.records(position, page, address, at, visit);
    }

    /// Ends: what was not finished is shown as far as it is there.
    pub fn finish(&mut self, visit: &mut dyn FnMut(LogRecord)) {
        if let Some(held) = self.held.take() {
            visit(self.parsed(held));
        }
    }

    /// The rest of a record that began on an earlier page. Returns how many bytes of the page were
    /// its own; `None` where it goes on to the next page.
    fn go_on(
        &mut self,
        (file, offset): Position,
        body: &[u8],
        rest: usize,
        visit: &mut dyn FnMut(LogRecord),
    ) -> Option<usize> {
        let here = rest.min(body.len());
        match &mut self.held {
            Some(held) if held.wanted - held.bytes.len() == rest => {
                held.bytes.extend_from_slice(&body[..here]);
                held.parts.push((file, offset..offset + here as u64));
                if rest <= body.len()
                    && let Some(held) = self.held.take()
                {
                    visit(self.parsed(held));
                }
            }
            // The record began in a file that is gone, or is too long.
            _ => {
                self.let_go(true);
                self.cut += u64::from(rest <= body.len());
            }
        }
        (rest <= body.len()).then(|| aligned(rest))
    }

    /// The records that begin on a page.
    fn records(
        &mut self,
        (file, offset): Position,
        page: &[u8],
        address: u64,
        mut at: usize,
        visit: &mut dyn FnMut(LogRecord),
    ) {
        // The length of a record is always on the page where it begins: it is aligned.
        while at + 4 <= page.len() {
            let length = word(page, at) as usize;
            // Zeros end what was written; anything else that is no length is not understood.
            if !(RECORD_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&length) {
                self.cut += u64::from(length != 0);
                return;
            }
            let here = length.min(page.len() - at);
            let bytes = Zeroizing::new(page[at..at + here].to_vec());
            let from = offset + at as u64;
            let parts = vec![(file, from..from + here as u64)];
            let held = Held { address: address + at as u64, wanted: length, bytes, parts };
            if here < length {
                self.held = Some(held);
                return;
            }
            visit(self.parsed(held));
            at += aligned(length);
        }
    }

    /// Lets go of a record whose end is not there. It counts, unless the log ends here.
    fn let_go(&mut self, is_cut: bool) {
        self.cut += u64::from(self.held.take().is_some() && is_cut);
    }

    fn parsed(&self, held: Held) -> LogRecord {
        let mut record = LogRecord {
            address: held.address,
            databases: Vec::new(),
            images: Vec::new(),
            bytes: held.bytes,
            parts: held.parts,
        };
        let blocks = Blocks::read(&record.bytes, self.is_15);
        record.databases = blocks.databases;
        let mut at = blocks.payload;
        for block in blocks.list {
            if let Some(image) = block.image {
                let end = (at + image.length).min(record.bytes.len());
                let bytes = record.bytes.get(at..end).unwrap_or_default();
                record.images.push(image.restored(block.relation, bytes, self.page_bytes));
                at += image.length;
            }
            at += block.data;
        }
        record
    }
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogReader(next {:X})", self.next)
    }
}

/// What a record's header says of its blocks.
#[derive(Default)]
struct Blocks {
    databases: Vec<u32>,
    list: Vec<Block>,
    /// Where images and data begin.
    payload: usize,
}

struct Block {
    relation: u32,
    image: Option<ImageHeader>,
    data: usize,
}

#[derive(Clone, Copy)]
struct ImageHeader {
    length: usize,
    hole_offset: usize,
    hole_length: usize,
    codec: Option<Codec>,
}

impl Blocks {
    /// Reads as far as it is understood.
    fn read(record: &[u8], is_15: bool) -> Self {
        let mut blocks = Self::default();
        let mut at = RECORD_HEADER_BYTES;
        let mut relation = (0, 0);
        let mut owed = 0;
        while let Some(id) = record.get(at).copied() {
            if at + owed >= record.len() {
                break;
            }
            at += 1;
            match id {
                // Main data, the last of the headers.
                0xff => {
                    at += 1;
                    break;
                }
                0xfe => {
                    at += 4;
                    break;
                }
                0xfd => at += 2,
                0xfc => at += 4,
                0..=32 => {
                    let Some(block) = Block::read(record, &mut at, &mut relation, is_15) else {
                        break;
                    };
                    owed += block.data + block.image.map_or(0, |image| image.length);
                    if !blocks.databases.contains(&relation.0) {
                        blocks.databases.push(relation.0);
                    }
                    blocks.list.push(block);
                }
                _ => break,
            }
        }
        blocks.payload = at;
        blocks
    }
}

impl Block {
    fn read(record: &[u8], at: &mut usize, relation: &mut (u32, u32), is_15: bool) -> Option<Self> {
        const HAS_IMAGE: u8 = 0x10;
        const SAME_RELATION: u8 = 0x80;
        let flags = *record.get(*at)?;
        let data = half(record.get(*at + 1..*at + 3)?, 0);
        *at += 3;
        let image =
            if flags & HAS_IMAGE == 0 { None } else { Some(ImageHeader::read(record, at, is_15)?) };
        if flags & SAME_RELATION == 0 {
            // Tablespace, database, file.
            record.get(*at..*at + 12)?;
            *relation = (word(record, *at + 4), word(record, *at + 8));
            *at += 12;
        }
        // The number of the block.
        *at += 4;
        Some(Self { relation: relation.1, image, data })
    }
}

impl ImageHeader {
    fn read(record: &[u8], at: &mut usize, is_15: bool) -> Option<Self> {
        const HAS_HOLE: u8 = 0x01;
        let header = record.get(*at..*at + 5)?;
        let (length, hole_offset, info) = (half(header, 0), half(header, 2), header[4]);
        *at += 5;
        let codec = match (is_15, info & 0x1c) {
            (true, 0x04) => Some(Codec::Pglz),
            (true, 0x08) => Some(Codec::Lz4),
            (true, 0x10) => Some(Codec::Zstd),
            (false, _) if info & 0x02 != 0 => Some(Codec::Pglz),
            _ => None,
        };
        let mut hole_length = usize::MAX;
        if codec.is_some() {
            hole_length = 0;
            if info & HAS_HOLE != 0 {
                hole_length = half(record.get(*at..*at + 2)?, 0);
                *at += 2;
            }
        }
        Some(Self { length, hole_offset, hole_length, codec })
    }

    /// The page as it was, with its hole.
    fn restored(self, relation: u32, packed: &[u8], page_bytes: usize) -> Image {
        let (without_hole, is_whole, hole_length) = match self.codec {
            None => {
                let is_whole = packed.len() == self.length;
                let hole = page_bytes.saturating_sub(self.length);
                (Zeroizing::new(packed.to_vec()), is_whole, hole)
            }
            Some(codec) => {
                let size = page_bytes.saturating_sub(self.hole_length);
                let unpacked = unpack(codec, packed, size);
                (unpacked.bytes, unpacked.is_whole, self.hole_length)
            }
        };
        let cut = self.hole_offset.min(without_hole.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(page_bytes));
        bytes.extend_from_slice(&without_hole[..cut]);
        bytes.resize(cut + hole_length.min(page_bytes - cut.min(page_bytes)), 0);
        bytes.extend_from_slice(&without_hole[cut..]);
        Image { relation, codec: self.codec, bytes, is_whole }
    }
}

/// Records begin at multiples of eight.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(8)
}

/// Eight bytes; zero where they are not there.
fn long(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes)
}
