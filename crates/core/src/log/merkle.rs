//! The Merkle tree of RFC 6962: the root of a log, proofs that an entry is in the log, and proofs that the log only
//! grew.
//!
//! The hash of a leaf is SHA-256(0x00 ‖ entry), that of a node SHA-256(0x01 ‖ left ‖ right), that of the empty tree
//! SHA-256("").

use std::ops::Range;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::value::Digest;

/// A SHA-256 value: a leaf, a node or a root.
pub type Hash = [u8; 32];

/// The hash of an entry as a leaf (RFC 6962, section 2.1).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The bytes of a leaf hash.
pub(super) fn hash_of(leaf: &Digest) -> Hash {
    leaf.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The hash of a node from the hashes of its two children (RFC 6962, section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A tree that grows leaf by leaf. It keeps only the roots of its complete subtrees: at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frontier {
    size: u64,
    /// One root for each bit that is set in `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // The new leaf completes one subtree for each bit at the end of `size` that is set.
        for _ in 0..self.size.trailing_ones() {
            node = self.peaks.pop().map_or(node, |left| node_hash(&left, &node));
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::digest(b"").into(),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// The root of a tree over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The number of leaves on the left of a tree of `size` > 1 leaves: the largest power of two below `size`.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// A step from the root of a tree down to a leaf.
struct Step {
    /// True for a step into the right half.
    right: bool,
    /// The leaves of the other half, which is the sibling.
    sibling: Range<u64>,
}

/// The steps from the root of a tree of `size` leaves towards the leaf at `at`, as far as the first subtree that `ends`
/// them; and the leaves of that subtree.
fn descend(at: u64, size: u64, ends: impl Fn(&Range<u64>) -> bool) -> (Vec<Step>, Range<u64>) {
    let (mut steps, mut subtree) = (Vec::new(), 0..size);
    while !ends(&subtree) {
        let middle = subtree.start + split(subtree.end - subtree.start);
        let (left, right) = (subtree.start..middle, middle..subtree.end);
        let (inside, sibling) = if at < middle { (left, right) } else { (right, left) };
        steps.push(Step { right: at >= middle, sibling });
        subtree = inside;
    }
    (steps, subtree)
}

/// The steps to a leaf.
fn to_leaf(at: u64, size: u64) -> Vec<Step> {
    descend(at, size, |subtree| subtree.end - subtree.start == 1).0
}

/// The steps to the largest subtree whose last leaf is the last of the first `old` leaves; and the leaves of that
/// subtree. If it begins with the first leaf, its root is the root over the `old` leaves, which the verifier knows.
fn to_old(old: u64, size: u64) -> (Vec<Step>, Range<u64>) {
    match old.checked_sub(1) {
        Some(last) => descend(last, size, |subtree| subtree.end == old),
        None => (Vec::new(), 0..0),
    }
}

/// The roots over these ranges of leaves.
fn roots<'r>(leaves: &[Hash], ranges: impl Iterator<Item = &'r Range<u64>>) -> Vec<Hash> {
    ranges.map(|range| root(leaves.get(range.start as usize..range.end as usize).unwrap_or_default())).collect()
}

/// The roots at the upper end of `steps` that follow from `node` at the lower end and from the siblings, nearest first:
/// that of the tree up to `node`, and that of the whole tree. The error says what is wrong with the siblings.
fn climb(node: &Hash, steps: &[Step], siblings: &[Hash]) -> Result<(Hash, Hash), &'static str> {
    if siblings.len() != steps.len() {
        return Err(if siblings.len() < steps.len() { TOO_FEW } else { TOO_MANY });
    }
    Ok(steps.iter().rev().zip(siblings).fold((*node, *node), |(old, new), (step, sibling)| match step.right {
        true => (node_hash(sibling, &old), node_hash(sibling, &new)),
        false => (old, node_hash(&new, sibling)),
    }))
}

const TOO_FEW: &str = "it has too few hashes";
const TOO_MANY: &str = "it has too many hashes";

/// The sibling hashes on the path from the leaf at `index` to the root, nearest first (RFC 6962, section 2.1.1).
/// VALUE_INVALID if there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>> {
    let size = leaves.len() as u64;
    check_index(index, size)?;
    Ok(roots(leaves, to_leaf(index, size).iter().rev().map(|step| &step.sibling)))
}

/// Checks that `leaf` is at `index` in the tree of `size` leaves with root `root`.
///
/// VALUE_INVALID if `index` is not below `size`; LEDGER_CORRUPT if the proof does not lead to the root.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<()> {
    check_index(index, size)?;
    let corrupt = |why: &str| {
        Error::new(ErrorKind::LedgerCorrupt, format!("inclusion proof of {index} in {size}: {why}"))
            .with_context("seq", index)
    };
    match climb(leaf, &to_leaf(index, size), proof).map_err(corrupt)? {
        (_, found) if found == *root => Ok(()),
        _ => Err(corrupt("it leads to another root")),
    }
}

/// The hashes that prove that the tree of the first `old` leaves is the beginning of this tree (RFC 6962, section
/// 2.1.2); empty for an empty or an equal old tree. VALUE_INVALID if `old` is larger than the number of leaves.
pub fn consistency_proof(leaves: &[Hash], old: u64) -> Result<Vec<Hash>> {
    let size = leaves.len() as u64;
    check_old(old, size)?;
    let (steps, subtree) = to_old(old, size);
    let unknown = (subtree.start > 0).then_some(&subtree);
    Ok(roots(leaves, unknown.into_iter().chain(steps.iter().rev().map(|step| &step.sibling))))
}

/// Checks that the tree of `old` leaves with `old_root` is the beginning of the tree of `size` leaves with `root`. An
/// empty old tree is the beginning of every tree.
///
/// VALUE_INVALID if `old` is over `size`; LEDGER_FORKED if the proof does not lead to both roots.
pub fn verify_consistency(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> Result<()> {
    check_old(old, size)?;
    let forked =
        |why: &str| Error::new(ErrorKind::LedgerForked, format!("consistency proof from {old} to {size}: {why}"));
    let (steps, subtree) = to_old(old, size);
    let (node, siblings) = match subtree.start {
        0 => (old_root, proof),
        _ => proof.split_first().ok_or_else(|| forked(TOO_FEW))?,
    };
    let same = if old == 0 { *old_root == Frontier::default().root() } else { old < size || old_root == root };
    match climb(node, &steps, siblings).map_err(forked)? {
        _ if !same => Err(forked("the roots differ")),
        (found, _) if found != *old_root => Err(forked("it leads to another old root")),
        (_, found) if old > 0 && found != *root => Err(forked("it leads to another root")),
        _ => Ok(()),
    }
}

fn check_index(index: u64, size: u64) -> Result<()> {
    if index < size { Ok(()) } else { Err(invalid(format!("no leaf at {index} in a tree of {size}"))) }
}

fn check_old(old: u64, size: u64) -> Result<()> {
    if old <= size { Ok(()) } else { Err(invalid(format!("a tree of {old} leaves is no beginning of one of {size}"))) }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::ValueInvalid, format!("proof: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition in RFC 6962, section 2.1.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest(b"").into(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                node_hash(&defined(left), &defined(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    proptest! {
        #[test]
        fn the_frontier_is_the_definition(count in 0u64..200) {
            let leaves = leaves(count);
            prop_assert_eq!(root(&leaves), defined(&leaves));
        }

        #[test]
        fn every_leaf_has_a_proof_and_no_other_leaf_fits_it(count in 1u64..130, pick in any::<u64>(), bad in any::<u64>()) {
            let (leaves, index) = (leaves(count), pick % count);
            let (proof, root) = (inclusion_proof(&leaves, index).unwrap(), root(&leaves));
            let leaf = leaves[index as usize];
            prop_assert!(verify_inclusion(&leaf, index, count, &proof, &root).is_ok());
            prop_assert!(verify_inclusion(&leaf_hash(b"other"), index, count, &proof, &root).is_err());
            prop_assert!(verify_inclusion(&leaf, index, count, &proof, &leaf).is_err() || count == 1);
            let other = bad % count;
            prop_assert_eq!(verify_inclusion(&leaf, other, count, &proof, &root).is_ok(), other == index);
            let mut long = proof.clone();
            long.push(leaf);
            prop_assert!(verify_inclusion(&leaf, index, count, &long, &root).is_err());
            if let Some((_, short)) = proof.split_last() {
                prop_assert!(verify_inclusion(&leaf, index, count, short, &root).is_err());
            }
        }

        #[test]
        fn every_beginning_has_a_proof_and_no_other_log_fits_it(count in 1u64..130, pick in any::<u64>(), hit in any::<u64>()) {
            let (leaves, old) = (leaves(count), pick % (count + 1));
            let (proof, new_root) = (consistency_proof(&leaves, old).unwrap(), root(&leaves));
            let old_root = root(&leaves[..old as usize]);
            prop_assert!(verify_consistency(old, &old_root, count, &new_root, &proof).is_ok());
            if old > 0 {
                let mut forked = leaves[..old as usize].to_vec();
                forked[(hit % old) as usize] = leaf_hash(b"other");
                prop_assert!(verify_consistency(old, &root(&forked), count, &new_root, &proof).is_err());
            }
            let mut long = proof.clone();
            long.push(new_root);
            prop_assert!(verify_consistency(old, &old_root, count, &new_root, &long).is_err());
            if let Some((_, short)) = proof.split_last() {
                prop_assert!(verify_consistency(old, &old_root, count, &new_root, short).is_err());
            }
        }
    }

    #[test]
    fn errors_say_what_and_why() {
        let tree = leaves(3);
        let proof = inclusion_proof(&tree, 1).unwrap();
        let error = |e: Result<()>| format!("{:?}", e.unwrap_err());
        assert_eq!(
            error(verify_inclusion(&tree[0], 1, 3, &proof, &root(&tree))),
            "LEDGER_CORRUPT: inclusion proof of 1 in 3: it leads to another root seq=\"1\""
        );
        assert_eq!(
            error(verify_consistency(2, &tree[0], 3, &root(&tree), &consistency_proof(&tree, 2).unwrap())),
            "LEDGER_FORKED: consistency proof from 2 to 3: it leads to another root"
        );
        assert_eq!(error(inclusion_proof(&tree, 3).map(drop)), "VALUE_INVALID: proof: no leaf at 3 in a tree of 3");
    }
}
