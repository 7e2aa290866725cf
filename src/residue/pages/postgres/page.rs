//! One page: its header and its line pointers.
//!
//! ```text
//! | header 24 | line pointers, 4 each | hole          | items            | special space |
//!                                     ^ lower         ^ upper            ^ special
//! ```
// SPEC: src/include/storage/bufpage.h and itemid.h of PostgreSQL 13 to 18.

use std::ops::Range;

/// The smallest page that a server can be built with.
pub const PAGE_BYTES_MIN: usize = 1_024;
/// The largest.
pub const PAGE_BYTES_MAX: usize = 32_768;

/// Header, without line pointers.
const HEADER_BYTES: usize = 24;
/// The layout of every version since 8.3.
const LAYOUT: u16 = 4;

/// A page, taken apart.
pub struct Page<'b> {
    bytes: &'b [u8],
    lower: usize,
    upper: usize,
    special: usize,
}

/// What a line pointer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// Free for the next item.
    Unused,
    /// It shows an item.
    Normal,
    /// It leads to another line pointer.
    Redirect,
    /// Its item is dead.
    Dead,
}

/// A line pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it says.
    pub state: ItemState,
    /// Where its item lies; empty where it has none.
    pub range: Range<usize>,
}

impl<'b> Page<'b> {
    /// Takes a page apart; `None` where it is empty (all zero), or none of a relation.
    #[must_use]
    pub fn read(bytes: &'b [u8]) -> Option<Self> {
        if bytes.len() < PAGE_BYTES_MIN || bytes.len() > PAGE_BYTES_MAX {
            return None;
        }
        let (lower, upper) = (half(bytes, 12), half(bytes, 14));
        let (special, layout) = (half(bytes, 16), half(bytes, 18));
        let is_sound = HEADER_BYTES <= lower
            && lower <= upper
            && upper <= special
            && special <= bytes.len()
            && layout == (bytes.len() | usize::from(LAYOUT));
        is_sound.then_some(Self { bytes, lower, upper, special })
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// Where nothing lies.
    #[must_use]
    pub fn hole(&self) -> Range<usize> {
        self.lower..self.upper
    }

    /// What the access method keeps at the end.
    #[must_use]
    pub fn special(&self) -> Range<usize> {
        self.special..self.bytes.len()
    }

    /// The line pointers in order.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        self.bytes[HEADER_BYTES..self.lower].chunks_exact(4).map(|four| {
            let word = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            let (offset, length) = ((word & 0x7fff) as usize, (word >> 17) as usize);
            let state = match word >> 15 & 3 {
                0 => ItemState::Unused,
                1 => ItemState::Normal,
                2 => ItemState::Redirect,
                _ => ItemState::Dead,
            };
            let is_inside = offset >= self.upper && offset + length <= self.special;
            let has_item = is_inside && length > 0 && state != ItemState::Redirect;
            Item { state, range: if has_item { offset..offset + length } else { 0..0 } }
        })
    }

    /// How many line pointers there are.
    #[must_use]
    pub fn pointers(&self) -> usize {
        (self.lower - HEADER_BYTES) / 4
    }
}

impl std::fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Page({} bytes, {} pointers)", self.bytes.len(), self.pointers())
    }
}

/// Two bytes; zero where they are not there.
pub(super) fn half(bytes: &[u8], at: usize) -> usize {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map_or(0, |two| usize::from(u16::from_le_bytes(two)))
}

/// Four bytes; zero where they are not there.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}
