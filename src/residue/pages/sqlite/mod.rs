//! The pages of a SQLite database file: which bytes SQL still sees, and which nobody does.
//!
//! It follows every b-tree from the schema down, and the list of free pages. It knows nothing of a
//! write-ahead log: beside one that has content, the file alone does not say what is live.
//!
//! **Invariant:** only bytes inside a cell, or inside an overflow page that a cell leads to, count
//! as live. What is not understood is never live.
//!
//! Why the first bytes of a deleted value survive: SQLite overwrites four bytes of a freed cell,
//! and those are lengths and types, which lie before the values.
// SPEC: https://www.sqlite.org/fileformat2.html

use std::ops::Range;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::remains::Remains;
use self::tree::{FILE_HEADER_BYTES, TreePage, half, number, schema_entry};
use crate::residue::{Place, ReadAt};

mod remains;
mod tree;

/// The most pages that are mapped: 12 bytes of memory each.
const PAGES_MAX: u64 = 1 << 24;
/// How much of a schema entry is read: its text may be long, what is needed comes first.
const SCHEMA_ENTRY_BYTES_MAX: usize = 64 * 1024;
/// Between cells SQLite leaves gaps of up to three bytes, too small to reuse. Nothing that is searched
/// for fits into one, so they are not looked at.
const FRAGMENT_BYTES_MAX: usize = 3;
/// The page with this byte is never used for content.
const LOCK_BYTE: usize = 0x4000_0000;
/// The owner of the schema's own pages, the only ones whose content is looked at.
const SCHEMA: u32 = 0;

/// What each page of a database file is for.
pub struct PageMap {
    file: u32,
    page_size: usize,
    usable: usize,
    pages: Vec<Page>,
    owners: Vec<String>,
}

#[derive(Clone, Copy)]
struct Page {
    role: Role,
    /// Index into the owners.
    owner: u32,
    /// Overflow pages: how many bytes are in use.
    used: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Unreached,
    Tree,
    Overflow,
    Free,
    /// Kept by `auto_vacuum`; holds page numbers only.
    PointerMap,
}

/// What the pages say about bytes that nobody uses, whatever was in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Structure {
    /// Pages in the file.
    pub pages: u64,
    /// Pages on the list of free pages.
    pub free_pages: u64,
    /// Pages that no tree and no list leads to and that are not all zero.
    pub unreached_pages_set: u64,
    /// Pages in use whose unused bytes are not all zero.
    pub pages_with_unused_set: u64,
    /// Unused bytes that are not zero, on all pages in use; gaps of up to three bytes between cells
    /// are left out, and so is what repeats live cells of the same tree.
    pub unused_bytes_set: u64,
    /// Unused bytes that repeat cells which SQL still sees, moved when their tree was balanced.
    #[serde(default)]
    pub copied_bytes: u64,
    /// Offsets of cells behind the list of those in use, two bytes each. They hold no content.
    pub stale_pointers: u64,
}

impl Structure {
    /// Whether no byte outside live content can hold anything.
    #[must_use]
    pub fn is_without_remains(&self) -> bool {
        self.free_pages == 0 && self.unreached_pages_set == 0 && self.unused_bytes_set == 0
    }
}

impl PageMap {
    /// Follows the trees of a database file; `None` where it is no SQLite database, is larger than
    /// can be mapped, or is malformed.
    ///
    /// # Errors
    ///
    /// Returns the reader's error.
    pub fn read<R: ReadAt>(file: u32, files: &R) -> Result<Option<Self>, R::Error> {
        let mut header = [0; FILE_HEADER_BYTES];
        let length = files.read_at(file, 0, &mut header)?;
        if length < FILE_HEADER_BYTES || !header.starts_with(b"SQLite format 3\0") {
            return Ok(None);
        }
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            size => usize::from(size),
        };
        let pages = u64::from(number(&header, 28));
        let usable = page_size.saturating_sub(usize::from(header[20]));
        if !page_size.is_power_of_two() || page_size < 512 || usable < 480 || pages > PAGES_MAX {
            return Ok(None);
        }
        let pages = pages_there(file, files, page_size as u64, pages)?;
        let unreached = Page { role: Role::Unreached, owner: 0, used: 0 };
        let mut map = Self {
            file,
            page_size,
            usable,
            pages: vec![unreached; usize::try_from(pages).unwrap_or(0)],
            owners: vec!["sqlite_schema".to_owned()],
        };
        if number(&header, 52) != 0 {
            map.claim_pointer_maps();
        }
        let is_whole = map.follow_all(files, number(&header, 32))?;
        Ok(is_whole.then_some(map))
    }

    /// Says where an offset of the file lies.
    ///
    /// # Errors
    ///
    /// Returns the reader's error.
    pub fn place<R: ReadAt>(&self, offset: u64, files: &R) -> Result<Place, R::Error> {
        let index = usize::try_from(offset / self.page_size as u64).unwrap_or(usize::MAX);
        let within = usize::try_from(offset % self.page_size as u64).unwrap_or(0);
        let number = u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1);
        let Some(page) = self.pages.get(index) else { return Ok(Place::Free { page: number }) };
        let is_live = match page.role {
            Role::Unreached | Role::Free | Role::PointerMap => {
                return Ok(Place::Free { page: number });
            }
            Role::Overflow => (4..4 + page.used as usize).contains(&within),
            Role::Tree => {
                let bytes = self.page(number, files)?;
                let cells = TreePage::read(number, &bytes, self.usable).map(|tree| tree.cells);
                cells.is_some_and(|cells| cells.iter().any(|cell| cell.range.contains(&within)))
            }
        };
        let owner = self.owners[page.owner as usize].clone();
        Ok(if is_live {
            Place::Live { page: number, owner }
        } else {
            Place::Unused { page: number, owner }
        })
    }

    /// Looks at every byte that is not live.
    ///
    /// Pages that VACUUM has just written hold nothing there; a later change leaves something.
    ///
    /// # Errors
    ///
    /// Returns the reader's error.
    pub fn structure<R: ReadAt>(&self, files: &R) -> Result<Structure, R::Error> {
        let mut facts = Structure { pages: self.pages.len() as u64, ..Structure::default() };
        let mut remains = Remains::default();
        for (index, page) in self.pages.iter().enumerate() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let bytes = self.page(number, files)?;
            let unused = match page.role {
                Role::PointerMap => continue,
                Role::Free => {
                    facts.free_pages += 1;
                    continue;
                }
                Role::Unreached => {
                    facts.unreached_pages_set += u64::from(bytes.iter().any(|byte| *byte != 0));
                    continue;
                }
                Role::Overflow => std::iter::once(4 + page.used as usize..self.usable).collect(),
                Role::Tree => {
                    let (unused, stale_pointers) = self.unused(number, &bytes);
                    facts.stale_pointers += stale_pointers;
                    unused
                }
            };
            for range in unused {
                remains.note(number, page.owner, &bytes[range]);
            }
        }
        for index in 0..self.pages.len() {
            let page = self.pages[index];
            if page.role == Role::Tree && remains.asks_about(page.owner) {
                let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
                let bytes = self.page(number, files)?;
                let tree = TreePage::read(number, &bytes, self.usable);
                for cell in tree.into_iter().flat_map(|tree| tree.cells) {
                    remains.compare(page.owner, &bytes[cell.range]);
                }
            }
        }
        remains.count(&mut facts);
        Ok(facts)
    }

    /// The bytes of a tree's page that are neither header, pointer, cell nor link between free
    /// blocks; of a page that is not understood, all; of an inner page of a table, which never held
    /// a value, none. With the number of stale pointers, which are left out.
    fn unused(&self, page: u32, bytes: &[u8]) -> (Vec<Range<usize>>, u64) {
        let Some(tree) = TreePage::read(page, bytes, self.usable) else {
            return (std::iter::once(0..self.usable).collect(), 0);
        };
        // VACUUM fills tables row by row; in their inner pages cells are moved as the tree grows, and
        // some of what was moved stays, also under `secure_delete`: numbers of pages and rows. An
        // original of eight bytes or more would still be found there by the scan.
        if !tree.holds_values {
            return (Vec::new(), 0);
        }
        let mut used: Vec<_> = tree.cells.into_iter().map(|cell| cell.range).collect();
        let start = if page == 1 { FILE_HEADER_BYTES } else { 0 };
        let mut block = half(bytes, start + 1);
        // Each link leads to a later block, so this ends.
        while block != 0 && block + 4 <= self.usable {
            used.push(block..block + 4);
            let next = half(bytes, block);
            block = if next > block { next } else { 0 };
        }
        used.push(self.usable..self.usable);
        used.sort_unstable_by_key(|range| range.start);
        let mut unused = Vec::with_capacity(used.len());
        // Removing a cell moves the pointers behind its own down and leaves the last one twice, also
        // under `secure_delete`. It is an offset on this page, which text cannot be on pages of up to
        // 8 KiB: two printable bytes make a larger number.
        let is_stale = |at: usize| (tree.pointers_end..self.usable).contains(&half(bytes, at));
        let first_used = used.first().map_or(self.usable, |range| range.start);
        let gap = (tree.pointers_end..first_used.saturating_sub(1)).step_by(2);
        let stale = gap.take_while(|at| is_stale(*at)).count();
        let mut at = tree.pointers_end + stale * 2;
        for range in used {
            if at + FRAGMENT_BYTES_MAX < range.start {
                unused.push(at..range.start.min(self.usable));
            }
            at = at.max(range.end);
        }
        (unused, stale as u64)
    }

    // SPEC: https://www.sqlite.org/fileformat2.html, section 1.8
    fn claim_pointer_maps(&mut self) {
        let lock_page = LOCK_BYTE / self.page_size + 1;
        for page in (2..=self.pages.len()).step_by(self.usable / 5 + 1) {
            let page = if page == lock_page { page + 1 } else { page };
            self.claim(u32::try_from(page).unwrap_or(0), Role::PointerMap, 0, 0);
        }
    }

    /// Follows the schema, then each tree that it names, then the free list. Returns whether all of
    /// it was understood.
    fn follow_all<R: ReadAt>(&mut self, files: &R, free: u32) -> Result<bool, R::Error> {
        let mut roots = Vec::new();
        if !self
            .follow_tree(1, SCHEMA, files, &mut |payload| roots.extend(schema_entry(payload)))?
        {
            return Ok(false);
        }
        for (name, root) in roots {
            let owner = u32::try_from(self.owners.len()).unwrap_or(0);
            self.owners.push(name);
            if !self.follow_tree(root, owner, files, &mut |_| {})? {
                return Ok(false);
            }
        }
        self.follow_free_list(free, files)
    }

    fn follow_tree<R: ReadAt>(
        &mut self,
        root: u32,
        owner: u32,
        files: &R,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, R::Error> {
        let mut waiting = vec![root];
        while let Some(number) = waiting.pop() {
            // A page that is met twice is a cycle or a cross-link: not understood.
            if !self.claim(number, Role::Tree, owner, 0) {
                return Ok(false);
            }
            let bytes = self.page(number, files)?;
            let Some(tree) = TreePage::read(number, &bytes, self.usable) else { return Ok(false) };
            waiting.extend(tree.children);
            for cell in tree.cells {
                let mut payload = Vec::new();
                if owner == SCHEMA {
                    payload.extend_from_slice(&bytes[cell.local.clone()]);
                }
                if let Some((first, rest)) = cell.overflow {
                    let chain = (first, rest, owner);
                    if !self.follow_overflow(chain, files, &mut payload)? {
                        return Ok(false);
                    }
                }
                if owner == SCHEMA {
                    each(&payload);
                }
            }
        }
        Ok(true)
    }

    fn follow_overflow<R: ReadAt>(
        &mut self,
        (mut next, mut rest, owner): (u32, u64, u32),
        files: &R,
        payload: &mut Vec<u8>,
    ) -> Result<bool, R::Error> {
        while rest > 0 {
            let used = rest.min(self.usable as u64 - 4);
            if !self.claim(next, Role::Overflow, owner, u32::try_from(used).unwrap_or(0)) {
                return Ok(false);
            }
            let bytes = self.page(next, files)?;
            if owner == SCHEMA && payload.len() < SCHEMA_ENTRY_BYTES_MAX {
                payload.extend_from_slice(&bytes[4..4 + usize::try_from(used).unwrap_or(0)]);
            }
            next = number(&bytes, 0);
            rest -= used;
        }
        Ok(true)
    }

    fn follow_free_list<R: ReadAt>(&mut self, first: u32, files: &R) -> Result<bool, R::Error> {
        let mut trunk = first;
        while trunk != 0 {
            if !self.claim(trunk, Role::Free, 0, 0) {
                return Ok(false);
            }
            let bytes = self.page(trunk, files)?;
            let leaves = number(&bytes, 4) as usize;
            if leaves > self.usable / 4 - 2 {
                return Ok(false);
            }
            for leaf in 0..leaves {
                if !self.claim(number(&bytes, 8 + leaf * 4), Role::Free, 0, 0) {
                    return Ok(false);
                }
            }
            trunk = number(&bytes, 0);
        }
        Ok(true)
    }

    /// Gives a page its one role; false where it has one already or does not exist.
    fn claim(&mut self, number: u32, role: Role, owner: u32, used: u32) -> bool {
        let index = (number as usize).wrapping_sub(1);
        match self.pages.get_mut(index) {
            Some(page) if page.role == Role::Unreached => {
                *page = Page { role, owner, used };
                true
            }
            _ => false,
        }
    }

    /// Reads a page; what the file does not have of it is zero.
    fn page<R: ReadAt>(&self, number: u32, files: &R) -> Result<Zeroizing<Vec<u8>>, R::Error> {
        let mut bytes = Zeroizing::new(vec![0; self.page_size]);
        let offset = u64::from(number.saturating_sub(1)) * self.page_size as u64;
        files.read_at(self.file, offset, &mut bytes)?;
        Ok(bytes)
    }
}

impl std::fmt::Debug for PageMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PageMap({} pages, {} trees)", self.pages.len(), self.owners.len())
    }
}

/// How many of the pages that a header counts are in the file: one that counts too many is not
/// followed into nothing, page by page.
fn pages_there<R: ReadAt>(
    file: u32,
    files: &R,
    page_size: u64,
    counted: u64,
) -> Result<u64, R::Error> {
    let (mut there, mut beyond) = (0, counted + 1);
    let mut page = counted;
    while there + 1 < beyond {
        if files.read_at(file, page.saturating_sub(1) * page_size, &mut [0])? > 0 {
            there = page;
        } else {
            beyond = page;
        }
        page = there.midpoint(beyond);
    }
    Ok(there)
}
