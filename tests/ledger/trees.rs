//! Roots and proofs are those of RFC 6962, whoever computes them.

use proptest::prelude::*;
use sealift::ledger::proof::{check_consistency, check_inclusion, consistency, inclusion};
use sealift::ledger::{Digest, Head, RowSetError, RowSetRoot, leaf_hash, root_of};
use tlog_tiles::{Hash, HashReader};

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// The same tree, built by `tlog_tiles`.
fn stored(count: u64) -> Stored {
    let mut stored = Stored(Vec::new());
    for number in 0..count {
        let hashes = tlog_tiles::stored_hashes(number, &number.to_be_bytes(), &stored).unwrap();
        stored.0.extend(hashes);
    }
    stored
}

fn digests(hashes: Vec<Hash>) -> Vec<Digest> {
    hashes.into_iter().map(|hash| Digest::from_bytes(hash.0)).collect()
}

#[test]
fn an_empty_tree_has_the_hash_of_nothing_as_its_root() {
    assert_eq!(Head::new().root(), Digest::of(b""));
    assert_eq!(Head::new().size(), 0);
}

#[test]
fn a_head_survives_storage_at_every_size() {
    let mut head = Head::new();
    for leaf in leaves(70) {
        assert_eq!(Head::decode(&head.encode()).unwrap(), head);
        assert_eq!(Head::from_text(&head.to_text()).unwrap(), head);
        head.append(leaf);
    }
    let bytes = head.encode();
    assert!(Head::decode(&bytes[..bytes.len() - 32]).is_err());
    assert!(Head::decode(&bytes[..bytes.len() - 1]).is_err());
}

#[test]
fn roots_and_proofs_are_those_of_tlog_tiles() {
    let (leaves, stored) = (leaves(40), stored(40));
    let mut head = Head::new();
    for size in 1..=40_u64 {
        let end = usize::try_from(size).unwrap();
        head.append(leaves[end - 1]);
        let root = Digest::from_bytes(tlog_tiles::tree_hash(size, &stored).unwrap().0);
        assert_eq!(head.root(), root);
        assert_eq!(root_of(&leaves[..end]), root);
        for index in 0..size {
            let proof = inclusion(&leaves, index, size).unwrap();
            let theirs = tlog_tiles::prove_record(size, index, &stored).unwrap();
            assert_eq!(proof, digests(theirs));
            let leaf = leaves[usize::try_from(index).unwrap()];
            check_inclusion(&proof, leaf, index, size, root).unwrap();
            assert!(check_inclusion(&proof, Digest::ZERO, index, size, root).is_err());
        }
        for old in 1..=size {
            let proof = consistency(&leaves, old, size).unwrap();
            let theirs = tlog_tiles::prove_tree(size, old, &stored).unwrap();
            assert_eq!(proof, digests(theirs));
            let old_root = root_of(&leaves[..usize::try_from(old).unwrap()]);
            check_consistency(&proof, old, old_root, size, root).unwrap();
            assert!(check_consistency(&proof, old, Digest::ZERO, size, root).is_err());
        }
    }
}

#[test]
fn a_proof_beyond_the_tree_is_refused() {
    let leaves = leaves(3);
    assert!(inclusion(&leaves, 3, 3).is_err());
    assert!(inclusion(&leaves, 0, 4).is_err());
    assert!(consistency(&leaves, 3, 2).is_err());
    assert_eq!(consistency(&leaves, 0, 3).unwrap(), []);
    check_consistency(&[], 0, root_of(&[]), 3, root_of(&leaves)).unwrap();
    assert!(check_consistency(&[], 0, Digest::ZERO, 3, root_of(&leaves)).is_err());
    assert!(check_inclusion(&[], leaves[0], 3, 3, root_of(&leaves)).is_err());
}

fn row_set(rows: &[(u32, &str, &str)]) -> RowSetRoot {
    let mut set = RowSetRoot::new();
    for (domain, token, envelope) in rows {
        set.push(*domain, token.as_bytes(), envelope.as_bytes()).unwrap();
    }
    set
}

#[test]
fn a_deleted_an_older_and_a_moved_row_change_the_root() {
    let root = row_set(&[(1, "a", "x"), (1, "b", "y"), (2, "a", "z")]).root();
    for other in [
        &[(1, "a", "x"), (2, "a", "z")][..],
        &[(1, "a", "x"), (1, "b", "older"), (2, "a", "z")],
        &[(1, "a", "x"), (2, "a", "z"), (2, "b", "y")],
        &[(1, "a", "x"), (1, "bx", "y"), (2, "a", "z")],
    ] {
        assert_ne!(row_set(other).root(), root);
    }
}

#[test]
fn a_row_leaf_is_laid_out_as_the_format_says() {
    let mut leaf = vec![0, 0, 0, 7, 0, 0, 0, 2];
    leaf.extend(b"absealed");
    assert_eq!(row_set(&[(7, "ab", "sealed")]).root(), leaf_hash(&leaf));
}

#[test]
fn rows_out_of_order_and_repeated_rows_are_refused() {
    let mut set = row_set(&[(1, "b", "x")]);
    let before = set.clone();
    for (domain, token) in [(1, "b"), (1, "a"), (0, "z")] {
        let refused = set.push(domain, token.as_bytes(), b"x");
        assert_eq!(refused, Err(RowSetError::Order { rows: 1 }));
    }
    assert_eq!(set, before);
}

proptest! {
    /// Stopping anywhere, storing the state and going on gives the root of one go.
    #[test]
    fn a_row_set_can_be_continued(count in 0..80_u32, stop in 0..80_u32) {
        let push = |set: &mut RowSetRoot, number: u32| {
            set.push(number / 9, &number.to_be_bytes(), b"sealed").unwrap();
        };
        let mut whole = RowSetRoot::new();
        let mut parts = RowSetRoot::new();
        for number in 0..count {
            if number == stop {
                parts = RowSetRoot::decode(&parts.encode()).unwrap();
            }
            push(&mut whole, number);
            push(&mut parts, number);
        }
        prop_assert_eq!(whole.root(), parts.root());
        prop_assert_eq!(RowSetRoot::decode(&whole.encode()).unwrap(), whole);
    }
}
