//! What a B-tree page repeats of the page to its right.
//!
//! A tree is built from left to right. The item that does not fit any more goes to the next page, and a
//! shortened form of it stays as this page's upper bound, written over the end of the item: its first
//! bytes lie on, before the bound. They are live, on the page to the right.
// SPEC: _bt_buildadd of src/backend/access/nbtree/nbtsort.c; BTPageOpaqueData of nbtree.h

use zeroize::Zeroizing;

use super::heap::{has_gap, unexplained};
use super::page::{ItemState, Page, word};

/// Where the special space has the number of the page to the right; 0 where there is none.
const RIGHT: usize = 4;

/// Bytes of a page that are no remainder where the page to its right begins with them.
pub struct Repeats {
    block: u32,
    bytes: Zeroizing<Vec<u8>>,
}

impl Repeats {
    /// What a page repeats, if that is all that lies in its hole.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let page = Page::read(bytes)?;
        let block = word(&bytes[page.special()], RIGHT);
        let left = unexplained(&page)?;
        (block != 0 && left.end == page.hole().end && !has_gap(&page))
            .then(|| Self { block, bytes: Zeroizing::new(bytes[left].to_vec()) })
    }

    /// The number of the page to the right.
    #[must_use]
    pub fn block(&self) -> u32 {
        self.block
    }

    /// Whether this is the page to the right, and its first entry begins with those bytes.
    #[must_use]
    pub fn is_of(&self, right: &[u8]) -> bool {
        let Some(page) = Page::read(right) else { return false };
        // A page that has one to its right itself begins with its upper bound.
        let has_bound = word(&right[page.special()], RIGHT) != 0;
        let first = page.items().nth(usize::from(has_bound));
        first.is_some_and(|item| {
            item.state == ItemState::Normal && right[item.range].starts_with(&self.bytes)
        })
    }
}

impl std::fmt::Debug for Repeats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Repeats(page {}, {} bytes)", self.block, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{RelationKind, examine};
    use super::*;

    const BYTES: usize = 8_192;

    /// A leaf with these items, the first of them its upper bound where there is a page to its right.
    fn leaf(items: &[&[u8]], right: u32) -> Vec<u8> {
        let mut page = vec![0; BYTES];
        let special = BYTES - 16;
        let mut upper = special;
        for (at, item) in items.iter().enumerate() {
            upper = (upper - item.len()) / 8 * 8;
            page[upper..upper + item.len()].copy_from_slice(item);
            let pointer = u32::try_from(upper | 1 << 15 | item.len() << 17).unwrap();
            page[24 + at * 4..28 + at * 4].copy_from_slice(&pointer.to_le_bytes());
        }
        let lower = u16::try_from(24 + items.len() * 4).unwrap();
        page[12..14].copy_from_slice(&lower.to_le_bytes());
        page[14..16].copy_from_slice(&u16::try_from(upper).unwrap().to_le_bytes());
        page[16..18].copy_from_slice(&u16::try_from(special).unwrap().to_le_bytes());
        page[18..20].copy_from_slice(&(8_192_u16 | 4).to_le_bytes());
        page[special + RIGHT..special + 8].copy_from_slice(&right.to_le_bytes());
        page
    }

    /// A page whose upper bound was shortened from `whole`, and the page to its right.
    fn pair(whole: &[u8], left_of_it: usize) -> (Vec<u8>, Vec<u8>) {
        let mut left = leaf(&[b"bound for the left", b"an entry of the tree"], 2);
        let upper = usize::from(u16::from_le_bytes([left[14], left[15]]));
        left[upper - left_of_it..upper].copy_from_slice(&whole[..left_of_it]);
        (left, leaf(&[b"bound of the right", whole, b"one more entry"], 3))
    }

    #[test]
    fn the_beginning_of_the_right_pages_first_entry_is_no_remainder() {
        let (left, right) = pair(b"token one, token two, token three", 24);
        assert!(!examine(&left, RelationKind::BTree).is_without_remains());
        let repeats = Repeats::of(&left).unwrap();
        assert_eq!(repeats.block(), 2);
        assert!(repeats.is_of(&right));
        // The last page of a level has no upper bound.
        assert!(repeats.is_of(&leaf(&[b"token one, token two, token three"], 0)));
    }

    #[test]
    fn anything_else_in_the_hole_is_one() {
        let (mut left, right) = pair(b"token one, token two, token three", 24);
        let upper = usize::from(u16::from_le_bytes([left[14], left[15]]));
        left[upper - 8] ^= 1;
        assert!(!Repeats::of(&left).unwrap().is_of(&right), "a byte of it differs");
        let (mut left, right) = pair(b"token one, token two, token three", 24);
        left[4_000..4_017].copy_from_slice(b"carol@example.com");
        assert!(!Repeats::of(&left).unwrap().is_of(&right), "something lies before it");
        let (left, _) = pair(b"token one, token two, token three", 24);
        let other = leaf(&[b"bound of the right", b"another entry altogether, as long"], 3);
        assert!(!Repeats::of(&left).unwrap().is_of(&other), "it is nobody's beginning");
    }
}
