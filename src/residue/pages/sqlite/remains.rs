//! What lies in the unused part of a tree's pages, held against the cells of the same tree.
//!
//! SQLite balances a tree by copying cells between neighbours. Where a page turns out too small for
//! what was begun to be copied into it, it is written anew from the end, and what was copied until
//! then stays in the middle, also under `secure_delete`, also when it is VACUUM that builds the tree.
//! Such bytes are copies of rows and keys that SQL still sees. Nothing here knows files.
//!
//! **Invariant:** bytes are explained only by whole live cells in a row. The last may be cut short;
//! the first may lack its beginning where 24 bytes or more of it are left.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use zeroize::Zeroizing;

use super::Structure;

/// More unused parts than this are no trace of a balancing, and are not looked into.
const RUNS_MAX: usize = 512;

/// By so many first bytes a cell is looked for: as many of these as it has.
const HEADS: [usize; 3] = [24, 8, 2];

/// Of what is left at the end of a run the beginning of a cell is looked for.
const HEAD_BYTES: usize = HEADS[0];

/// More bytes in unused parts than this are no trace of a balancing either.
const RUN_BYTES_MAX: usize = 1 << 16;

/// A hash of tree and first bytes: two that share one are told apart when cells are compared.
type Head = u64;

/// Runs, and where in each.
type Places = Vec<(usize, usize)>;

/// Everything that lies in unused parts.
#[derive(Default)]
pub(super) struct Remains {
    runs: Vec<Run>,
    /// Where a whole cell can begin.
    heads: HashMap<Head, Places>,
    /// Where a cell can begin that is cut at the end of its run.
    tails: HashMap<Head, Places>,
    bytes: usize,
    /// There is too much of it: nothing is explained any more.
    is_beyond: bool,
    owners: BTreeSet<u32>,
    /// Beyond those that are kept.
    set: u64,
    pages: HashSet<u32>,
}

/// From the first to the last byte that is set in one unused part.
struct Run {
    page: u32,
    bytes: Zeroizing<Vec<u8>>,
    /// From where to where a live cell repeats it.
    pieces: BTreeSet<(usize, usize)>,
    is_explained: bool,
}

impl Remains {
    /// Takes in an unused part of a page.
    pub(super) fn note(&mut self, page: u32, owner: u32, unused: &[u8]) {
        let Some(first) = unused.iter().position(|byte| *byte != 0) else { return };
        let last = unused.iter().rposition(|byte| *byte != 0).unwrap_or(first);
        let bytes = &unused[first..=last];
        if self.runs.len() >= RUNS_MAX || self.bytes + bytes.len() > RUN_BYTES_MAX {
            self.give_up();
        }
        if self.is_beyond {
            self.set += set_in(bytes);
            self.pages.insert(page);
            return;
        }
        self.bytes += bytes.len();
        self.owners.insert(owner);
        let run = self.runs.len();
        for at in 0..bytes.len() {
            let rest = &bytes[at..];
            for length in HEADS {
                if let Some(head) = rest.get(..length) {
                    self.heads.entry(head_of(owner, head)).or_default().push((run, at));
                }
            }
            if rest.len() < HEAD_BYTES {
                let head = &rest[..rest.len().min(2)];
                self.tails.entry(head_of(owner, head)).or_default().push((run, at));
            }
        }
        let bytes = Zeroizing::new(bytes.to_vec());
        self.runs.push(Run { page, bytes, pieces: BTreeSet::new(), is_explained: false });
    }

    /// So much is no trace of a balancing: all of it counts, and no time is lost with it.
    fn give_up(&mut self) {
        self.is_beyond = true;
        for run in self.runs.drain(..) {
            self.set += set_in(&run.bytes);
            self.pages.insert(run.page);
        }
        self.heads.clear();
        self.tails.clear();
        self.owners.clear();
    }

    /// Whether something lies on pages of this tree.
    pub(super) fn asks_about(&self, owner: u32) -> bool {
        self.owners.contains(&owner)
    }

    /// Holds a live cell of a tree against what lies on its pages.
    pub(super) fn compare(&mut self, owner: u32, cell: &[u8]) {
        if let Some(length) = HEADS.into_iter().find(|length| cell.len() >= *length) {
            let head = head_of(owner, &cell[..length]);
            for (run, at) in self.heads.get(&head).into_iter().flatten() {
                self.runs[*run].compare(*at, cell);
            }
        }
        for length in [1, 2] {
            let Some(head) = cell.get(..length) else { continue };
            for (run, at) in self.tails.get(&head_of(owner, head)).into_iter().flatten() {
                self.runs[*run].compare(*at, cell);
            }
        }
        // What lacks its beginning: only where it is first, and long enough.
        for from in 1..cell.len().saturating_sub(HEAD_BYTES - 1) {
            let head = head_of(owner, &cell[from..from + HEAD_BYTES]);
            for (run, at) in self.heads.get(&head).into_iter().flatten() {
                if *at == 0 {
                    self.runs[*run].compare(0, &cell[from..]);
                }
            }
        }
    }

    /// Adds what was found to the facts.
    pub(super) fn count(self, facts: &mut Structure) {
        let mut pages = self.pages;
        facts.unused_bytes_set += self.set;
        for run in &self.runs {
            let set = set_in(&run.bytes);
            if run.is_explained {
                facts.copied_bytes += set;
            } else {
                facts.unused_bytes_set += set;
                pages.insert(run.page);
            }
        }
        facts.pages_with_unused_set += pages.len() as u64;
    }
}

impl Run {
    fn compare(&mut self, at: usize, cell: &[u8]) {
        if self.is_explained {
            return;
        }
        let rest = &self.bytes[at..];
        let length = rest.len().min(cell.len());
        if rest[..length] == cell[..length] && self.pieces.insert((at, at + length)) {
            self.is_explained = self.is_tiled();
        }
    }

    /// Whether pieces lead from the beginning to the end without a gap.
    fn is_tiled(&self) -> bool {
        let mut reached = HashSet::from([0]);
        for (from, to) in &self.pieces {
            if reached.contains(from) {
                reached.insert(*to);
            }
        }
        reached.contains(&self.bytes.len())
    }
}

fn head_of(owner: u32, bytes: &[u8]) -> Head {
    let mut hasher = DefaultHasher::new();
    (owner, bytes).hash(&mut hasher);
    hasher.finish()
}

fn set_in(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte != 0).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighed(unused: &[u8], cells: &[&[u8]]) -> Structure {
        let mut remains = Remains::default();
        remains.note(7, 1, unused);
        for cell in cells {
            remains.compare(1, cell);
        }
        let mut facts = Structure::default();
        remains.count(&mut facts);
        facts
    }

    const CELLS: [&[u8]; 2] = [
        b"\x23\x03\x4b\x01slk_aaaaaaaaaaaaaaaaaaaaaaaaaaa",
        b"\x23\x03\x4b\x01slk_bbbbbbbbbbbbbbbbbbbbbbbbbbb",
    ];

    #[test]
    fn copies_of_live_cells_are_explained_also_when_the_last_is_cut() {
        let two = [b"\0\0", CELLS[0], &CELLS[1][..9], b"\0\0"].concat();
        let facts = weighed(&two, &CELLS);
        assert_eq!((facts.pages_with_unused_set, facts.unused_bytes_set), (0, 0));
        assert_eq!(facts.copied_bytes, CELLS[0].len() as u64 + 9);
        assert_eq!(weighed(&CELLS[1][..2], &CELLS).unused_bytes_set, 0);
        let headless = [&CELLS[0][5..], CELLS[1]].concat();
        assert_eq!(weighed(&headless, &CELLS).unused_bytes_set, 0);
    }

    #[test]
    fn anything_else_is_not_however_short() {
        for other in [&b"Anna"[..], b"\x23\x03\x4b\x01slk_ccc", b"a", b"aaaaaaa"] {
            let unused = [CELLS[0], other].concat();
            let facts = weighed(&unused, &CELLS);
            assert_eq!(facts.pages_with_unused_set, 1);
            assert!(facts.unused_bytes_set > 0);
            assert_eq!(weighed(other, &CELLS).pages_with_unused_set, 1, "{other:?}");
        }
        assert_eq!(weighed(CELLS[0], &[]).pages_with_unused_set, 1);
    }
}
