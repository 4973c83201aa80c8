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
    let mut hash = Hash::default();
    hash.iter_mut().zip(leaf.as_bytes()).for_each(|(to, from)| *to = *from);
    hash
}

/// The hash of a node from the hashes of its two children (RFC 6962, section 2.1).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    let (_, rest) = bytes.split_at_mut(1);
    let (first, second) = rest.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    Sha256::digest(bytes).into()
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
        self.push_subtree(0, leaf);
    }

    /// Adds the root of the next 2^`level` leaves. The tree's size must be a multiple of 2^`level`.
    pub(crate) fn push_subtree(&mut self, level: u32, root: Hash) {
        debug_assert_eq!(self.size % (1 << level), 0, "a subtree stands at a multiple of its size");
        let mut node = root;
        let mut rest = self.size >> level;
        while rest & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
            rest >>= 1;
        }
        self.peaks.push(node);
        self.size += 1 << level;
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
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
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
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = match at.checked_sub(left.len()) {
        None => (path(left, at), right),
        Some(at) => (path(right, at), left),
    };
    proof.push(root(sibling));
    proof
}

/// The way from a leaf up to the root of a tree.
struct Climb {
    /// The index of the node among those of its level.
    at: u64,
    /// The index of the last node of that level.
    last: u64,
}

impl Climb {
    /// Goes to the next node that has a sibling. True if the sibling is on the left; none at the root.
    fn sibling_is_left(&mut self) -> Option<bool> {
        if self.last == 0 {
            return None;
        }
        let left = self.at & 1 == 1 || self.at == self.last;
        // A last node without a sibling is the node of the level above.
        while left && self.at & 1 == 0 && self.at != 0 {
            self.up();
        }
        self.up();
        Some(left)
    }

    fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }
}

/// Checks that `leaf` is at `index` in the tree of `size` leaves with root `root` (RFC 9162, section 2.1.3.2).
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
    let mut climb = Climb { at: index, last: size - 1 };
    let mut node = *leaf;
    for sibling in proof {
        node = match climb.sibling_is_left() {
            None => return Err(corrupt("it has too many hashes")),
            Some(true) => node_hash(sibling, &node),
            Some(false) => node_hash(&node, sibling),
        };
    }
    match () {
        () if climb.last != 0 => Err(corrupt("it has too few hashes")),
        () if node != *root => Err(corrupt("it leads to another root")),
        () => Ok(()),
    }
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
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, sibling) = match old.checked_sub(left.len()) {
        None | Some(0) => (subproof(left, old, whole), right),
        Some(old) => (subproof(right, old, false), left),
    };
    proof.push(root(sibling));
    proof
}

/// Checks that the tree of `old` leaves with `old_root` is the beginning of the tree of `size` leaves with `root` (RFC
/// 9162, section 2.1.4.2). An empty old tree is the beginning of every tree.
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
            (_, [_, ..]) => Err(forked("it has too many hashes")),
            (false, _) => Err(forked("the roots differ")),
            (true, _) => Ok(()),
        };
    }
    let mut hashes = proof.iter();
    // If `old` is a power of two, the old root is a node of the new tree, and the proof leaves it out.
    let first = match old.is_power_of_two() {
        true => *old_root,
        false => *hashes.next().ok_or_else(|| forked("it has too few hashes"))?,
    };
    let mut climb = Climb { at: old - 1, last: size - 1 };
    while climb.at & 1 == 1 {
        climb.up();
    }
    let (mut old_node, mut node) = (first, first);
    for sibling in hashes {
        match climb.sibling_is_left() {
            None => return Err(forked("it has too many hashes")),
            Some(true) => (old_node, node) = (node_hash(sibling, &old_node), node_hash(sibling, &node)),
            Some(false) => node = node_hash(&node, sibling),
        }
    }
    match () {
        () if climb.last != 0 => Err(forked("it has too few hashes")),
        () if old_node != *old_root => Err(forked("it leads to another old root")),
        () if node != *root => Err(forked("it leads to another root")),
        () => Ok(()),
    }
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
                let (left, right) = leaves.split_at(split(leaves.len()));
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
        fn subtrees_are_pushed_as_their_leaves_are(whole in 0u64..5, level in 0u32..4, rest in 0u64..9) {
            let (size, leaves) = (1 << level, leaves((whole << level) + rest));
            let mut tree = Frontier::new();
            for part in leaves.chunks(size) {
                match part.len() == size {
                    true => tree.push_subtree(level, root(part)),
                    false => part.iter().for_each(|leaf| tree.push(*leaf)),
                }
            }
            prop_assert_eq!(tree.root(), defined(&leaves));
            prop_assert_eq!(tree.size(), leaves.len() as u64);
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
