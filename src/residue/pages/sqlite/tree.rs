//! One page of a b-tree: its cells, and where they lead.
//!
//! Slices in, offsets out; which page it is and who owns it is for the map to know.
// SPEC: https://www.sqlite.org/fileformat2.html

use std::ops::Range;

/// What the first page begins with, before its tree.
pub(super) const FILE_HEADER_BYTES: usize = 100;

/// A page of a b-tree, taken apart.
pub(super) struct TreePage {
    /// Whether its cells hold values. Those of a table's inner pages hold the number of a page and
    /// of a row.
    pub(super) holds_values: bool,
    /// Where the list of cells ends.
    pub(super) pointers_end: usize,
    /// The pages below.
    pub(super) children: Vec<u32>,
    /// What lies on it.
    pub(super) cells: Vec<Cell>,
}

impl TreePage {
    /// Takes a page apart; `None` where it is none of a tree.
    pub(super) fn read(page: u32, bytes: &[u8], usable: usize) -> Option<Self> {
        let start = if page == 1 { FILE_HEADER_BYTES } else { 0 };
        let kind = TreeKind::of(bytes[start])?;
        let header = if kind.is_leaf() { 8 } else { 12 };
        let count = half(bytes, start + 3);
        let pointers_end = start + header + count * 2;
        let mut children = Vec::new();
        if !kind.is_leaf() {
            children.push(number(bytes, start + 8));
        }
        let mut cells = Vec::with_capacity(count);
        let pointers = bytes.get(start + header..pointers_end)?;
        for pointer in pointers.chunks_exact(2) {
            let at = half(pointer, 0);
            let (cell, child) = Cell::read(kind, bytes, at, usable)?;
            cells.push(cell);
            children.extend(child);
        }
        let holds_values = kind != TreeKind::TableInterior;
        Some(Self { holds_values, pointers_end, children, cells })
    }
}

/// One cell of a page.
pub(super) struct Cell {
    /// The cell, its lengths and pointers included.
    pub(super) range: Range<usize>,
    /// The payload in it.
    pub(super) local: Range<usize>,
    /// The first overflow page, and how many bytes are on that and those after it.
    pub(super) overflow: Option<(u32, u64)>,
}

impl Cell {
    /// Takes a cell apart, with the page it leads down to.
    fn read(
        kind: TreeKind,
        bytes: &[u8],
        start: usize,
        usable: usize,
    ) -> Option<(Self, Option<u32>)> {
        let mut at = start;
        let child = if kind.is_leaf() {
            None
        } else {
            at += 4;
            Some(u32::from_be_bytes(bytes.get(start..at)?.try_into().ok()?))
        };
        if kind == TreeKind::TableInterior {
            let (_, length) = varint(bytes.get(at..)?)?;
            return Some((
                Self { range: start..at + length, local: at..at, overflow: None },
                child,
            ));
        }
        let (payload, length) = varint(bytes.get(at..)?)?;
        at += length;
        if kind == TreeKind::TableLeaf {
            at += varint(bytes.get(at..)?)?.1;
        }
        let local = kind.local_bytes(payload, usable);
        let end = at + local;
        let is_cut = payload > local as u64;
        // A cell takes four bytes at least, so that it can be freed.
        let range = start..(end + if is_cut { 4 } else { 0 }).max(start + 4);
        bytes.get(range.clone()).filter(|_| range.end <= usable)?;
        let overflow = is_cut.then(|| (number(bytes, end), payload - local as u64));
        Some((Self { range, local: at..end, overflow }, child))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TreeKind {
    IndexInterior,
    TableInterior,
    IndexLeaf,
    TableLeaf,
}

impl TreeKind {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            2 => Some(Self::IndexInterior),
            5 => Some(Self::TableInterior),
            10 => Some(Self::IndexLeaf),
            13 => Some(Self::TableLeaf),
            _ => None,
        }
    }

    fn is_leaf(self) -> bool {
        matches!(self, Self::IndexLeaf | Self::TableLeaf)
    }

    /// How much of a payload lies in the cell itself.
    // SPEC: https://www.sqlite.org/fileformat2.html, section 1.6
    fn local_bytes(self, payload: u64, usable: usize) -> usize {
        let most = match self {
            Self::TableLeaf => usable - 35,
            Self::IndexInterior | Self::IndexLeaf | Self::TableInterior => {
                (usable - 12) * 64 / 255 - 23
            }
        };
        let payload = usize::try_from(payload).unwrap_or(usize::MAX);
        if payload <= most {
            return payload;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let evened = least + (payload - least) % (usable - 4);
        if evened <= most { evened } else { least }
    }
}

/// The name and the root page of what a row of the schema describes, where it has pages.
pub(super) fn schema_entry(record: &[u8]) -> Option<(String, u32)> {
    let (header_bytes, mut at) = varint(record)?;
    let mut start = usize::try_from(header_bytes).ok()?;
    let mut columns = Vec::with_capacity(4);
    while columns.len() < 4 {
        let (kind, length) = varint(record.get(at..)?)?;
        at += length;
        let bytes = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 | 7 => 8,
            _ => usize::try_from(kind.checked_sub(12)? / 2).ok()?,
        };
        let end = start.checked_add(bytes)?;
        columns.push((kind, record.get(start..end)?));
        start = end;
    }
    // type, name, tbl_name, rootpage
    let name = String::from_utf8_lossy(columns[1].1).into_owned();
    let root = match columns[3] {
        (9, _) => 1,
        (1..=6, bytes) => bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)),
        _ => 0,
    };
    u32::try_from(root).ok().filter(|root| *root > 0).map(|root| (name, root))
}

/// Reads a variable-length integer and how many bytes it took.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((value << 8 | u64::from(*byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Four bytes, big-endian; zero where they are not there.
pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Two bytes, big-endian; zero where they are not there.
pub(super) fn half(bytes: &[u8], at: usize) -> usize {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map_or(0, |two| usize::from(u16::from_be_bytes(two)))
}
