//! The Merkle tree of RFC 6962: the root of a log, proofs that an entry is in the log, and proofs that the log only
//! grew.
//!
//! The hash of a leaf is SHA-256(0x00 ‖ entry), that of a node SHA-256(0x01 ‖ left ‖ right), that of the empty tree
//! SHA-256("").

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
    /// The empty tree.
    pub fn new() -> Frontier {
        Frontier::default()
    }

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
    let mut tree = Frontier::new();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

/// The number of leaves on the left of a tree of `size` > 1 leaves: the largest power of two below `size`.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The leaves of the left and of the right subtree of a tree of at least 2 leaves.
fn halves(leaves: &[Hash]) -> (&[Hash], &[Hash]) {
    leaves.split_at(split(leaves.len() as u64) as usize)
}

/// The sibling hashes on the path from the leaf at `index` to the root, nearest first (RFC 6962, section 2.1.1).
/// VALUE_INVALID if there is no such leaf.
pub fn inclusion_proof(leaves: &[Hash], index: u64) -> Result<Vec<Hash>> {
    match usize::try_from(index) {
        Ok(at) if at < leaves.len() => Ok(path(leaves, at)),
        _ => Err(invalid(format!("no leaf at {index} in a tree of {}", leaves.len()))),
    }
}

/// PATH of RFC 6962, section 2.1.1.
fn path(leaves: &[Hash], at: usize) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = halves(leaves);
    let (mut proof, sibling) = match at.checked_sub(left.len()) {
        None => (path(left, at), right),
        Some(at) => (path(right, at), left),
    };
    proof.push(root(sibling));
    proof
}

const TOO_FEW: &str = "it has too few hashes";
const TOO_MANY: &str = "it has too many hashes";

/// Checks that `leaf` is at `index` in the tree of `size` leaves with root `root`.
///
/// VALUE_INVALID if `index` is not below `size`; LEDGER_CORRUPT if the proof does not lead to the root.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<()> {
    if index >= size {
        return Err(invalid(format!("no leaf at {index} in a tree of {size}")));
    }
    let corrupt = |why: &str| {
        Error::new(ErrorKind::LedgerCorrupt, format!("inclusion proof of {index} in {size}: {why}"))
            .with_context("seq", index)
    };
    match root_by_path(leaf, index, size, proof).map_err(corrupt)? == *root {
        true => Ok(()),
        false => Err(corrupt("it leads to another root")),
    }
}

/// The root of a tree of `size` leaves, by the leaf at `at` and its [`path`]. The error says what is wrong with the
/// path.
fn root_by_path(leaf: &Hash, at: u64, size: u64, path: &[Hash]) -> Result<Hash, &'static str> {
    if size == 1 {
        return if path.is_empty() { Ok(*leaf) } else { Err(TOO_MANY) };
    }
    let (sibling, path) = path.split_last().ok_or(TOO_FEW)?;
    let left = split(size);
    Ok(match at.checked_sub(left) {
        None => node_hash(&root_by_path(leaf, at, left, path)?, sibling),
        Some(at) => node_hash(sibling, &root_by_path(leaf, at, size - left, path)?),
    })
}

/// The hashes that prove that the tree of the first `old` leaves is the beginning of this tree (RFC 6962, section
/// 2.1.2); empty for an empty or an equal old tree. VALUE_INVALID if `old` is larger than the number of leaves.
pub fn consistency_proof(leaves: &[Hash], old: u64) -> Result<Vec<Hash>> {
    match usize::try_from(old) {
        Ok(0) => Ok(Vec::new()),
        Ok(old) if old <= leaves.len() => Ok(subproof(leaves, old, true)),
        _ => Err(invalid(format!("a tree of {old} leaves is no beginning of one of {}", leaves.len()))),
    }
}

/// SUBPROOF of RFC 6962, section 2.1.2. `whole` is true while `leaves` begin with the first leaf of the log: then the
/// root over the `old` leaves is the old root, which the verifier knows.
fn subproof(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = halves(leaves);
    let (mut proof, sibling) = match old.checked_sub(left.len()) {
        None | Some(0) => (subproof(left, old, whole), right),
        Some(old) => (subproof(right, old, false), left),
    };
    proof.push(root(sibling));
    proof
}

/// Checks that the tree of `old` leaves with `old_root` is the beginning of the tree of `size` leaves with `root`. An
/// empty old tree is the beginning of every tree.
///
/// VALUE_INVALID if `old` is over `size`; LEDGER_FORKED if the proof does not lead to both roots.
pub fn verify_consistency(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> Result<()> {
    if old > size {
        return Err(invalid(format!("a tree of {old} leaves is no beginning of one of {size}")));
    }
    let forked =
        |why: &str| Error::new(ErrorKind::LedgerForked, format!("consistency proof from {old} to {size}: {why}"));
    if old == 0 || old == size {
        let same = if old == 0 { *old_root == Frontier::new().root() } else { old_root == root };
        return match (same, proof) {
            (_, [_, ..]) => Err(forked(TOO_MANY)),
            (false, _) => Err(forked("the roots differ")),
            (true, _) => Ok(()),
        };
    }
    match roots_by_subproof(old, size, Some(old_root), proof).map_err(forked)? {
        (found, _) if found != *old_root => Err(forked("it leads to another old root")),
        (_, found) if found != *root => Err(forked("it leads to another root")),
        _ => Ok(()),
    }
}

/// The roots of the old tree and of the new one, by a [`subproof`]. `known` is the old root, while the subtree begins
/// with the first leaf of the log. The error says what is wrong with the proof.
fn roots_by_subproof(old: u64, size: u64, known: Option<&Hash>, proof: &[Hash]) -> Result<(Hash, Hash), &'static str> {
    if old == size {
        return match (known, proof) {
            (Some(root), []) => Ok((*root, *root)),
            (None, [root]) => Ok((*root, *root)),
            (None, []) => Err(TOO_FEW),
            _ => Err(TOO_MANY),
        };
    }
    let (sibling, proof) = proof.split_last().ok_or(TOO_FEW)?;
    let left = split(size);
    Ok(match old.checked_sub(left) {
        None | Some(0) => {
            let (old, new) = roots_by_subproof(old, left, known, proof)?;
            (old, node_hash(&new, sibling))
        }
        Some(old) => {
            let (old, new) = roots_by_subproof(old, size - left, None, proof)?;
            (node_hash(sibling, &old), node_hash(sibling, &new))
        }
    })
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
                let (left, right) = halves(leaves);
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
