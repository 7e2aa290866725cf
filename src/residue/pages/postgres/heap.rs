//! What lies on a page beside what SQL sees.
//!
//! It tells live from dead by what a tuple's header says of itself. Whether a transaction without a
//! mark has committed is not known here; such a tuple counts as there.

use std::ops::Range;

use super::page::{Item, ItemState, Page, half, word};

// SPEC: src/include/access/htup_details.h of PostgreSQL 13 to 18.
const TUPLE_HEADER_BYTES: usize = 23;
const XMIN_COMMITTED: usize = 0x0100;
const XMIN_INVALID: usize = 0x0200;
const XMAX_INVALID: usize = 0x0800;
const XMAX_LOCK_ONLY: usize = 0x0080;

/// What a relation's pages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationKind {
    /// Rows: a table, a materialised view, or the values moved out of one.
    Heap,
    /// A B-tree.
    BTree,
    /// An index of another access method.
    OtherIndex,
    /// No rows: a map of free space or of visibility, a sequence.
    Other,
}

/// What may repeat what SQL sees, so that it is no remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// Nothing does.
    No,
    /// The hole's only content is the beginning of the item behind it, or the last line pointer.
    Yes,
}

/// What one page, or all pages of a relation, hold beside live content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageFacts {
    /// Pages that were taken apart, empty ones included.
    pub pages: u64,
    /// Pages that are none of a relation, though not empty.
    pub unread: u64,
    /// Pages whose hole holds something.
    pub holes_set: u64,
    /// Line pointers to dead items that keep their bytes, and those that lead to others.
    pub dead_items: u64,
    /// Rows that a transaction has deleted or replaced.
    pub deleted_rows: u64,
    /// Rows and index entries that SQL sees.
    pub live_items: u64,
}

impl PageFacts {
    /// Whether nothing but a hole holds something beside what SQL sees.
    #[must_use]
    pub fn is_hole_alone(&self) -> bool {
        self.holes_set > 0 && self.unread + self.dead_items + self.deleted_rows == 0
    }

    /// Whether nothing lies there beside what SQL sees.
    #[must_use]
    pub fn is_without_remains(&self) -> bool {
        self.unread + self.holes_set + self.dead_items + self.deleted_rows == 0
    }

    /// Adds the facts of other pages.
    pub fn add(&mut self, other: &Self) {
        self.pages += other.pages;
        self.unread += other.unread;
        self.holes_set += other.holes_set;
        self.dead_items += other.dead_items;
        self.deleted_rows += other.deleted_rows;
        self.live_items += other.live_items;
    }
}

/// Takes one page apart.
#[must_use]
pub fn examine(bytes: &[u8], kind: RelationKind) -> PageFacts {
    let mut facts = PageFacts { pages: 1, ..PageFacts::default() };
    let Some(page) = Page::read(bytes) else {
        facts.unread = u64::from(bytes.iter().any(|byte| *byte != 0));
        return facts;
    };
    if kind == RelationKind::Other {
        return facts;
    }
    if kind == RelationKind::BTree && is_meta(&page) {
        return facts;
    }
    let is_set = bytes[page.hole()].iter().any(|byte| *byte != 0);
    facts.holes_set = u64::from(is_set && copied(&page, kind) == Copied::No);
    if kind == RelationKind::OtherIndex {
        // What lies in front of the hole there is not always a list of line pointers.
        return facts;
    }
    for item in page.items() {
        match item.state {
            ItemState::Unused | ItemState::Dead if item.range.is_empty() => {}
            ItemState::Unused | ItemState::Dead | ItemState::Redirect => facts.dead_items += 1,
            ItemState::Normal if kind == RelationKind::Heap && !is_there(bytes, &item.range) => {
                facts.deleted_rows += 1;
            }
            ItemState::Normal => facts.live_items += 1,
        }
    }
    // What lies between items is as little seen by SQL as the hole.
    facts.holes_set = facts.holes_set.max(u64::from(has_gap(&page)));
    facts
}

/// Whether SQL sees what lies at this offset of the page.
#[must_use]
pub fn holds_live(bytes: &[u8], kind: RelationKind, offset: usize) -> bool {
    let Some(page) = Page::read(bytes) else { return false };
    let shows = |item: &Item| item.state == ItemState::Normal && item.range.contains(&offset);
    match kind {
        RelationKind::Heap => page.items().any(|item| shows(&item) && is_there(bytes, &item.range)),
        RelationKind::BTree | RelationKind::OtherIndex => page.items().any(|item| shows(&item)),
        RelationKind::Other => false,
    }
}

/// The first page of a B-tree holds no items.
// SPEC: BTPageOpaqueData and BTP_META of src/include/access/nbtree.h
fn is_meta(page: &Page<'_>) -> bool {
    const FLAGS: usize = 12;
    const META: usize = 1 << 3;
    half(&page.bytes()[page.special()], FLAGS) & META != 0
}

/// Whether a row is there for SQL, as far as its header says.
fn is_there(bytes: &[u8], range: &Range<usize>) -> bool {
    if range.len() < TUPLE_HEADER_BYTES {
        return false;
    }
    let tuple = &bytes[range.clone()];
    let (mask, xmax) = (half(tuple, 20), word(tuple, 4));
    let was_written = mask & (XMIN_COMMITTED | XMIN_INVALID) != XMIN_INVALID;
    let is_kept = xmax == 0 || mask & (XMAX_INVALID | XMAX_LOCK_ONLY) != 0;
    was_written && is_kept
}

/// A B-tree is built by moving items: the first bytes of the lowest item stay where they were, just
/// before it, and so does the last line pointer. Both repeat what is still there.
// SPEC: _bt_buildadd and _bt_slideleft of src/backend/access/nbtree/nbtsort.c
fn copied(page: &Page<'_>, kind: RelationKind) -> Copied {
    if kind != RelationKind::BTree {
        return Copied::No;
    }
    let bytes = page.bytes();
    let Some(left) = unexplained(page) else { return Copied::Yes };
    let behind = bytes.get(left.end..(left.end + left.len()).min(page.special().start));
    match behind {
        Some(behind) if *behind == bytes[left] => Copied::Yes,
        _ => Copied::No,
    }
}

/// What is set in the hole of a B-tree's page, behind a line pointer that is there twice; `None` where
/// nothing is.
pub(super) fn unexplained(page: &Page<'_>) -> Option<Range<usize>> {
    let (bytes, mut hole) = (page.bytes(), page.hole());
    let is_pointer = page.pointers() > 0
        && hole.len() >= 4
        && bytes[hole.start - 4..hole.start] == bytes[hole.start..hole.start + 4];
    if is_pointer {
        hole.start += 4;
    }
    let first = bytes[hole.clone()].iter().position(|byte| *byte != 0)?;
    // Items begin at multiples of eight, and one that begins with zeros was moved with them.
    let length = (hole.len() - first).next_multiple_of(8).min(hole.len());
    Some(hole.end - length..hole.end)
}

/// Whether bytes between two items, or behind the last, are set. Items are padded to eight bytes
/// with zeros.
pub(super) fn has_gap(page: &Page<'_>) -> bool {
    let mut ranges: Vec<Range<usize>> =
        page.items().map(|item| item.range).filter(|range| !range.is_empty()).collect();
    ranges.sort_unstable_by_key(|range| range.start);
    let mut at = page.hole().end;
    let end = page.special().start;
    for range in ranges.into_iter().chain(std::iter::once(end..end)) {
        if at < range.start && page.bytes()[at..range.start].iter().any(|byte| *byte != 0) {
            return true;
        }
        at = at.max(range.end);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 8_192;

    /// A page of a table with one row of this text, written and not deleted.
    fn page(text: &[u8]) -> Vec<u8> {
        let mut page = vec![0; BYTES];
        let length = TUPLE_HEADER_BYTES + 1 + text.len();
        let upper = (BYTES - length) / 8 * 8;
        page[12..14].copy_from_slice(&28_u16.to_le_bytes());
        page[14..16].copy_from_slice(&u16::try_from(upper).unwrap().to_le_bytes());
        page[16..18].copy_from_slice(&8_192_u16.to_le_bytes());
        page[18..20].copy_from_slice(&(8_192_u16 | 4).to_le_bytes());
        point(&mut page, 24, upper, 1, length);
        page[upper..upper + 4].copy_from_slice(&700_u32.to_le_bytes());
        let mask = u16::try_from(XMIN_COMMITTED | XMAX_INVALID).unwrap();
        page[upper + 20..upper + 22].copy_from_slice(&mask.to_le_bytes());
        page[upper + 22] = 24;
        page[upper + 24..upper + 24 + text.len()].copy_from_slice(text);
        page
    }

    fn point(page: &mut [u8], at: usize, offset: usize, state: u32, length: usize) {
        let (offset, length) = (u32::try_from(offset).unwrap(), u32::try_from(length).unwrap());
        page[at..at + 4].copy_from_slice(&(offset | state << 15 | length << 17).to_le_bytes());
    }

    fn upper(page: &[u8]) -> usize {
        half(page, 14)
    }

    #[test]
    fn a_page_with_one_row_holds_nothing_else() {
        let page = page(b"alice@example.com");
        let facts = examine(&page, RelationKind::Heap);
        assert!(facts.is_without_remains() && facts.live_items == 1, "{facts:?}");
        assert!(holds_live(&page, RelationKind::Heap, upper(&page) + 24));
        assert!(examine(&[0; BYTES], RelationKind::Heap).is_without_remains());
    }

    #[test]
    fn dead_bytes_in_the_hole_are_seen() {
        let mut page = page(b"alice@example.com");
        page[4_000..4_017].copy_from_slice(b"carol@example.com");
        let facts = examine(&page, RelationKind::Heap);
        assert_eq!((facts.holes_set, facts.is_without_remains()), (1, false));
        assert!(!holds_live(&page, RelationKind::Heap, 4_000));
    }

    #[test]
    fn a_deleted_row_is_not_live() {
        let mut page = page(b"alice@example.com");
        let at = upper(&page);
        page[at + 4..at + 8].copy_from_slice(&701_u32.to_le_bytes());
        let mask = u16::try_from(XMIN_COMMITTED).unwrap();
        page[at + 20..at + 22].copy_from_slice(&mask.to_le_bytes());
        assert_eq!(examine(&page, RelationKind::Heap).deleted_rows, 1);
        assert!(!holds_live(&page, RelationKind::Heap, at + 24));
    }

    #[test]
    fn a_dead_item_that_keeps_its_bytes_is_seen_and_so_is_a_redirect() {
        let mut dead = page(b"alice@example.com");
        let (at, length) = (upper(&dead), TUPLE_HEADER_BYTES + 18);
        point(&mut dead, 24, at, 3, length);
        assert_eq!(examine(&dead, RelationKind::Heap).dead_items, 1);
        let mut led = page(b"alice@example.com");
        point(&mut led, 24, 1, 2, 0);
        assert_eq!(examine(&led, RelationKind::Heap).dead_items, 1);
    }

    #[test]
    fn what_a_b_tree_repeats_of_its_own_items_is_no_remainder() {
        let mut page = page(b"alice@example.com");
        let at = upper(&page);
        let head = page[at..at + 16].to_vec();
        page[at - 16..at].copy_from_slice(&head);
        assert!(examine(&page, RelationKind::BTree).is_without_remains());
        assert!(!examine(&page, RelationKind::Heap).is_without_remains());
        page[at - 10] = b'x';
        assert!(!examine(&page, RelationKind::BTree).is_without_remains());
    }

    #[test]
    fn what_is_no_page_is_never_live() {
        let noise: Vec<u8> = (0..BYTES).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect();
        assert_eq!(examine(&noise, RelationKind::Heap).unread, 1);
        assert!((0..BYTES).all(|at| !holds_live(&noise, RelationKind::Heap, at)));
    }
}
