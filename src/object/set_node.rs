//! Grow-only sets as trees: the same members make the same tree, whoever put them together and in
//! whatever order, so that two sets are compared from the top down at a cost that follows their
//! difference.
//!
//! A set of at most [`LEAF_MEMBERS_MAX`] members is a leaf. A larger one is split by the next four
//! bits of their ids, again and again; ids are hashes, so the tree is even. Exact bytes:
//! `docs/protocol.md`.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::object::{ObjectKind, hash_object};
use std::collections::BTreeMap;

/// Most members of a leaf.
pub const LEAF_MEMBERS_MAX: usize = 64;
/// Levels of a tree: four bits of an id each.
pub const DEPTH_MAX: usize = 64;
/// Most members of a set that is taken from elsewhere.
pub const MEMBERS_MAX: u64 = 1 << 22;
const VERSION: u8 = 1;
const LEAF: u8 = 0;
const INNER: u8 = 1;

/// A member of a set: the id of an object, and the number of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The object's id.
    pub id: [u8; 32],
    /// The number of its kind.
    pub kind: u8,
}

impl Member {
    /// The four bits of its id that say where it stands at a depth.
    pub const fn digit(&self, depth: usize) -> u8 {
        let byte = self.id[depth / 2];
        if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
    }

    /// Whether it stands below a place: the digits from the top of the tree.
    pub fn is_below(&self, place: &[u8]) -> bool {
        place.iter().enumerate().all(|(depth, digit)| self.digit(depth) == *digit)
    }
}

/// A tree with at least one member: what its node is called, and how many members it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetRoot {
    /// The id of its topmost node.
    pub node: [u8; 32],
    /// How many members there are.
    pub count: u64,
}

impl SetRoot {
    /// The bytes that stand as the head of a set.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.uint(self.count).raw(&self.node);
        out.finish()
    }

    /// Reads the head of a set.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("head of a set", bytes);
        input.version(VERSION)?;
        let count = input.uint()?;
        if count == 0 || count > MEMBERS_MAX {
            return Err(input.error(DecodeErrorKind::Limit));
        }
        let root = Self { node: input.array()?, count };
        input.finish()?;
        Ok(root)
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetNode {
    /// Members, sorted by id and kind.
    Leaf(Vec<Member>),
    /// Smaller trees by their next digit.
    Inner(BTreeMap<u8, SetRoot>),
}

impl SetNode {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::Leaf(members) => {
                out.u8(LEAF).uint(members.len() as u64);
                for member in members {
                    out.raw(&member.id).u8(member.kind);
                }
            }
            Self::Inner(children) => {
                out.u8(INNER).uint(children.len() as u64);
                for (digit, child) in children {
                    out.u8(*digit).uint(child.count).raw(&child.node);
                }
            }
        }
        out.finish()
    }

    /// Reads canonical bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("node of a set", bytes);
        input.version(VERSION)?;
        let node = match input.u8()? {
            LEAF => Self::Leaf(read_members(&mut input)?),
            INNER => Self::Inner(read_children(&mut input)?),
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(node)
    }

    /// How many members are below it.
    pub fn count(&self) -> u64 {
        match self {
            Self::Leaf(members) => members.len() as u64,
            Self::Inner(children) => children.values().map(|child| child.count).sum(),
        }
    }

    /// Its name and count, as the node above it has them.
    pub fn root(&self) -> SetRoot {
        SetRoot { node: Self::id_of(&self.encode()), count: self.count() }
    }

    /// The id of a node with these bytes.
    pub fn id_of(bytes: &[u8]) -> [u8; 32] {
        hash_object(ObjectKind::SetNode, bytes)
    }
}

fn read_members(input: &mut Decoder<'_>) -> Result<Vec<Member>, DecodeError> {
    let count = input.count(LEAF_MEMBERS_MAX)?;
    let mut members: Vec<Member> = Vec::with_capacity(count);
    for _ in 0..count {
        let member = Member { id: input.array()?, kind: input.u8()? };
        if members.last().is_some_and(|last| *last >= member) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        members.push(member);
    }
    if members.is_empty() { Err(input.error(DecodeErrorKind::Value)) } else { Ok(members) }
}

fn read_children(input: &mut Decoder<'_>) -> Result<BTreeMap<u8, SetRoot>, DecodeError> {
    let mut children = BTreeMap::new();
    let mut total = 0u64;
    for _ in 0..input.count(16)? {
        let digit = input.u8()?;
        let child = SetRoot { count: input.uint()?, node: input.array()? };
        let follows = children.last_key_value().is_none_or(|(last, _)| *last < digit);
        if digit > 15 || !follows {
            return Err(input.error(DecodeErrorKind::Order));
        }
        if child.count == 0 || child.count > MEMBERS_MAX {
            return Err(input.error(DecodeErrorKind::Limit));
        }
        total += child.count;
        children.insert(digit, child);
    }
    // What fits into a leaf is one.
    if total > LEAF_MEMBERS_MAX as u64 && total <= MEMBERS_MAX {
        Ok(children)
    } else {
        Err(input.error(DecodeErrorKind::Value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(number: u8) -> Member {
        Member { id: [number; 32], kind: 9 }
    }

    #[test]
    fn the_bytes_of_nodes_are_pinned() {
        let leaf = SetNode::Leaf(vec![member(1), member(2)]);
        let mut expected = vec![1, 0, 2];
        expected.extend([[1u8; 32].as_slice(), &[9], &[2u8; 32], &[9]].concat());
        assert_eq!(leaf.encode(), expected);
        assert_eq!(SetNode::decode(&expected), Ok(leaf.clone()));
        let context = "pentimento set node v1";
        assert_eq!(leaf.root(), SetRoot { node: blake3::derive_key(context, &expected), count: 2 });
        let inner = SetNode::Inner(BTreeMap::from([(3, SetRoot { node: [5; 32], count: 70 })]));
        let expected = [[1u8, 1, 1, 3, 70].as_slice(), &[5; 32]].concat();
        assert_eq!(inner.encode(), expected);
        assert_eq!(SetNode::decode(&expected), Ok(inner));
        let head = SetRoot { node: [7; 32], count: 300 };
        assert_eq!(head.encode(), [[1u8, 0xac, 2].as_slice(), &[7; 32]].concat());
        assert_eq!(SetRoot::decode(&head.encode()), Ok(head));
    }

    #[test]
    fn what_no_writer_would_write_is_refused() {
        let child = |count| SetRoot { node: [5; 32], count };
        for node in [
            SetNode::Leaf(Vec::new()),
            SetNode::Leaf(vec![member(2), member(1)]),
            SetNode::Leaf(vec![member(1), member(1)]),
            SetNode::Leaf((0..65).map(member).collect()),
            SetNode::Inner(BTreeMap::new()),
            SetNode::Inner(BTreeMap::from([(0, child(64))])),
            SetNode::Inner(BTreeMap::from([(16, child(70))])),
            SetNode::Inner(BTreeMap::from([(0, child(0)), (1, child(70))])),
            SetNode::Inner(BTreeMap::from([(0, child(u64::MAX)), (1, child(70))])),
        ] {
            assert!(SetNode::decode(&node.encode()).is_err(), "{node:?}");
        }
        assert!(SetRoot::decode(&SetRoot { node: [1; 32], count: 0 }.encode()).is_err());
    }

    #[test]
    fn digits_are_read_from_the_left() {
        let one = Member { id: std::array::from_fn(|at| if at == 0 { 0xab } else { 0xcd }), kind: 0 };
        assert_eq!([one.digit(0), one.digit(1), one.digit(2), one.digit(63)], [0xa, 0xb, 0xc, 0xd]);
        assert!(one.is_below(&[0xa, 0xb]) && !one.is_below(&[0xa, 0xc]));
    }
}
