//! Proofs that a leaf is in a tree, and that one tree is the beginning of another.
//!
//! Built from the leaf hashes as RFC 6962, section 2.1, has it; checked by `tlog_tiles`, which did
//! not build them. This file does not know what a leaf means.

use super::digest::Digest;
use super::tree::{node_hash, root_of};

/// Why a proof cannot be made, or does not prove what it claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The tree has no such leaf, or there are fewer leaves than the tree is said to have.
    #[error("a tree of {size} leaves has no place {place}")]
    Range {
        /// The leaf, or the smaller tree.
        place: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The hashes do not add up to the root.
    #[error("the proof does not lead to the root")]
    Unproven,
}

/// Returns the hashes that lead from leaf `index` to the root of the first `size` leaves.
///
/// # Errors
///
/// Returns [`ProofError::Range`] if there is no such leaf or tree.
pub fn inclusion(leaves: &[Digest], index: u64, size: u64) -> Result<Vec<Digest>, ProofError> {
    let (_, mut proofs) = inclusions(leaves, &[index], size)?;
    Ok(proofs.pop().unwrap_or_default())
}

/// Returns the root over the first `size` leaves, and for each of `places`, which ascend, the hashes
/// that lead from it there. Every hash of the tree is computed once, however many leaves are asked
/// for.
///
/// # Errors
///
/// Returns [`ProofError::Range`] if there is no such leaf or tree.
pub fn inclusions(
    leaves: &[Digest],
    places: &[u64],
    size: u64,
) -> Result<(Digest, Vec<Vec<Digest>>), ProofError> {
    let tree = first(leaves, size)?;
    let mut wanted = Vec::with_capacity(places.len());
    for (slot, place) in places.iter().enumerate() {
        let at = usize::try_from(*place).ok().filter(|at| *at < tree.len());
        wanted.push((at.ok_or(ProofError::Range { place: *place, size })?, slot));
    }
    let mut paths = vec![Vec::new(); places.len()];
    let root = paths_to(tree, &wanted, &mut paths);
    Ok((root, paths))
}

/// Returns the hashes that show the tree of `old` leaves to be the beginning of that of `new`.
///
/// # Errors
///
/// Returns [`ProofError::Range`] if `old` is larger than `new`, or there are fewer leaves.
pub fn consistency(leaves: &[Digest], old: u64, new: u64) -> Result<Vec<Digest>, ProofError> {
    let tree = first(leaves, new)?;
    let range = ProofError::Range { place: old, size: new };
    let part = usize::try_from(old).map_err(|_| range)?;
    if part > tree.len() {
        return Err(range);
    }
    let mut proof = Vec::new();
    if part > 0 {
        subproof(tree, part, true, &mut proof);
    }
    Ok(proof)
}

/// Checks that `leaf` has the place `index` in the tree of `size` leaves under `root`.
///
/// # Errors
///
/// Returns [`ProofError`] if the proof does not show it.
pub fn check_inclusion(
    proof: &[Digest],
    leaf: Digest,
    index: u64,
    size: u64,
    root: Digest,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::Range { place: index, size });
    }
    tlog_tiles::check_record(&hashes(proof), size, hash(root), index, hash(leaf))
        .map_err(|_| ProofError::Unproven)
}

/// Checks that the tree of `old` leaves under `old_root` is the beginning of the other.
///
/// # Errors
///
/// Returns [`ProofError`] if the proof does not show it.
pub fn check_consistency(
    proof: &[Digest],
    old: u64,
    old_root: Digest,
    new: u64,
    new_root: Digest,
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Range { place: old, size: new });
    }
    if old == 0 {
        // Every tree begins with the empty one, which has one root only.
        let is_empty_tree = proof.is_empty() && old_root == root_of(&[]);
        return if is_empty_tree { Ok(()) } else { Err(ProofError::Unproven) };
    }
    tlog_tiles::check_tree(&hashes(proof), new, hash(new_root), old, hash(old_root))
        .map_err(|_| ProofError::Unproven)
}

fn first(leaves: &[Digest], size: u64) -> Result<&[Digest], ProofError> {
    let count = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    usize::try_from(size)
        .ok()
        .and_then(|size| leaves.get(..size))
        .ok_or(ProofError::Range { place: size, size: count })
}

/// The largest power of two below `count`, where a tree of two leaves or more is split.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// Returns the root of `tree`, and adds to each path what lies beside it on the way there. `wanted`
/// has the places in this tree, ascending, each with its path.
fn paths_to(tree: &[Digest], wanted: &[(usize, usize)], paths: &mut [Vec<Digest>]) -> Digest {
    if wanted.is_empty() {
        return root_of(tree);
    }
    if let [leaf] = tree {
        return *leaf;
    }
    let (left, right) = tree.split_at(split(tree.len()));
    let (of_left, of_right) = wanted.split_at(wanted.partition_point(|(at, _)| *at < left.len()));
    let of_right: Vec<(usize, usize)> =
        of_right.iter().map(|(at, slot)| (at - left.len(), *slot)).collect();
    let (one, other) = (paths_to(left, of_left, paths), paths_to(right, &of_right, paths));
    for (_, slot) in of_left {
        paths[*slot].push(other);
    }
    for (_, slot) in &of_right {
        paths[*slot].push(one);
    }
    node_hash(one, other)
}

/// SPEC: RFC 6962, section 2.1.2. `is_known` says that the verifier holds this subtree's root: it
/// is that of the older tree.
fn subproof(tree: &[Digest], part: usize, is_known: bool, proof: &mut Vec<Digest>) {
    if part == tree.len() {
        if !is_known {
            proof.push(root_of(tree));
        }
        return;
    }
    let (left, right) = tree.split_at(split(tree.len()));
    if part <= left.len() {
        subproof(left, part, is_known, proof);
        proof.push(root_of(right));
    } else {
        subproof(right, part - left.len(), false, proof);
        proof.push(root_of(left));
    }
}

fn hash(digest: Digest) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*digest.as_bytes())
}

fn hashes(digests: &[Digest]) -> Vec<tlog_tiles::Hash> {
    digests.iter().copied().map(hash).collect()
}
