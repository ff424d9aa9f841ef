//! Manifests: how a file of several chunks is put together.
//!
//! A manifest lists a file's chunks and the BLAKE3 chaining value of every aligned MiB. It is
//! storage, not identity: cut otherwise, the same file has another manifest and the same id. Files
//! of one chunk or none have no manifest.
//!
//! Short lists stand in the manifest itself. Longer chunk lists are cut into nodes by the bits of
//! the ids in them, so an edit in a very large file changes a few nodes; chaining values stand in
//! groups of 1,024, one GiB each, by position. `manifest_build` writes both, `manifest_read` reads
//! and checks them; `docs/format/chunks-and-manifests.md` has the bytes.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{ChunkId, FileId, ManifestNodeId};
use crate::object::chunker::{CHUNK_BYTES_MAX, ChunkerId};
use crate::object::file_hash::{ChainingValue, value_count};
use crate::object::{ObjectKind, hash_object};

/// Fewest entries of a chunk-list node that is not the last of its level.
pub const NODE_ENTRIES_MIN: usize = 64;
/// Most entries of one node, and the exact number in every value node but the last of its level.
pub const NODE_ENTRIES_MAX: usize = 1024;
/// Lists of at most this many entries stand in the manifest itself.
pub const INLINE_ENTRIES_MAX: usize = 64;
/// Highest level of a node; leaves have level 0.
pub const NODE_LEVEL_MAX: u8 = 8;
/// A node may end after an id whose first two bytes, little-endian, are below this: one in 192,
/// so that nodes have 256 entries on average.
const NODE_CUT_BELOW: u16 = 342;
/// Version of the encodings.
const VERSION: u8 = 1;

const KIND_MANIFEST: u8 = 0;
const KIND_CHUNKS: u8 = 1;
const KIND_CHUNK_NODES: u8 = 2;
const KIND_VALUES: u8 = 3;
const KIND_VALUE_NODES: u8 = 4;
const LIST_HERE: u8 = 0;
const LIST_IN_NODES: u8 = 1;

/// One chunk of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkEntry {
    /// The chunk.
    pub id: ChunkId,
    /// Its length in bytes, from 1 to [`CHUNK_BYTES_MAX`].
    pub length: u32,
}

/// A pointer to a node of the chunk list one level below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkChild {
    /// The node.
    pub id: ManifestNodeId,
    /// Length of all chunks below it in bytes.
    pub bytes: u64,
    /// How many chunks lie below it.
    pub chunks: u64,
}

/// A pointer to a node of chaining values one level below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueChild {
    /// The node.
    pub id: ManifestNodeId,
    /// What the values below it merge to.
    pub value: ChainingValue,
}

/// One stored node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestNode {
    /// Chunks in the order of the file.
    Chunks(Vec<ChunkEntry>),
    /// Nodes of the chunk list; `level` is 1 right above the chunks.
    ChunkNodes { level: u8, children: Vec<ChunkChild> },
    /// Chaining values of up to 1,024 MiB that follow each other.
    Values(Vec<ChainingValue>),
    /// Nodes of chaining values; `level` is 1 right above the values.
    ValueNodes { level: u8, children: Vec<ValueChild> },
}

/// Where a manifest's chunks are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChunkList {
    /// In the manifest, when they are no more than [`INLINE_ENTRIES_MAX`].
    Here(Vec<ChunkEntry>),
    /// In nodes below `root`, which has this level.
    InNodes { root: ManifestNodeId, level: u8, chunks: u64 },
}

/// Where a manifest's chaining values are listed. Their number follows from the file's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueList {
    /// In the manifest, when they are no more than [`INLINE_ENTRIES_MAX`].
    Here(Vec<ChainingValue>),
    /// In nodes below `root`; its level follows from the number of values.
    InNodes { root: ManifestNodeId },
}

/// How one file is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The file.
    pub file: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// How it was cut.
    pub chunker: ChunkerId,
    /// Its chunks.
    pub chunks: ChunkList,
    /// The chaining value of every aligned MiB.
    pub values: ValueList,
}

/// Whether a chunk-list node of `count` entries whose last has these id bytes is complete.
pub(crate) fn is_complete(count: usize, last_id: &[u8; 32]) -> bool {
    let bits = u16::from_le_bytes([last_id[0], last_id[1]]);
    count >= NODE_ENTRIES_MAX || (count >= NODE_ENTRIES_MIN && bits < NODE_CUT_BELOW)
}

/// The level of the topmost node for this many values: the least one at which they fit in a node.
pub(crate) fn value_root_level(values: u64) -> u8 {
    let mut level = 0;
    let mut nodes = values.div_ceil(NODE_ENTRIES_MAX as u64);
    while nodes > 1 {
        nodes = nodes.div_ceil(NODE_ENTRIES_MAX as u64);
        level += 1;
    }
    level
}

impl ManifestNode {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::Chunks(entries) => {
                out.u8(KIND_CHUNKS);
                encode_chunks(&mut out, entries);
            }
            Self::ChunkNodes { level, children } => {
                out.u8(KIND_CHUNK_NODES).u8(*level).uint(children.len() as u64);
                for child in children {
                    out.raw(child.id.as_bytes()).uint(child.bytes).uint(child.chunks);
                }
            }
            Self::Values(values) => {
                out.u8(KIND_VALUES);
                encode_values(&mut out, values);
            }
            Self::ValueNodes { level, children } => {
                out.u8(KIND_VALUE_NODES).u8(*level).uint(children.len() as u64);
                for child in children {
                    out.raw(child.id.as_bytes()).raw(child.value.as_bytes());
                }
            }
        }
        out.finish()
    }

    /// Reads canonical bytes. Whether a node fits into its tree is for `manifest_read` to check.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("manifest node", bytes);
        input.version(VERSION)?;
        let node = match input.u8()? {
            KIND_CHUNKS => Self::Chunks(decode_chunks(&mut input, NODE_ENTRIES_MAX)?),
            KIND_CHUNK_NODES => {
                let level = decode_level(&mut input)?;
                Self::ChunkNodes { level, children: decode_chunk_children(&mut input)? }
            }
            KIND_VALUES => Self::Values(decode_values(&mut input, NODE_ENTRIES_MAX)?),
            KIND_VALUE_NODES => {
                let level = decode_level(&mut input)?;
                Self::ValueNodes { level, children: decode_value_children(&mut input)? }
            }
            _ => return Err(input.error(DecodeErrorKind::Tag)),
        };
        input.finish()?;
        Ok(node)
    }

    /// The id that follows from canonical bytes.
    pub fn id_of(bytes: &[u8]) -> ManifestNodeId {
        ManifestNodeId::from_bytes(hash_object(ObjectKind::ManifestNode, bytes))
    }
}

impl Manifest {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        out.u8(KIND_MANIFEST).raw(self.file.as_bytes()).uint(self.size).raw(self.chunker.as_bytes());
        match &self.chunks {
            ChunkList::Here(entries) => {
                out.u8(LIST_HERE);
                encode_chunks(&mut out, entries);
            }
            ChunkList::InNodes { root, level, chunks } => {
                out.u8(LIST_IN_NODES).raw(root.as_bytes()).u8(*level).uint(*chunks);
            }
        }
        match &self.values {
            ValueList::Here(values) => {
                out.u8(LIST_HERE);
                encode_values(&mut out, values);
            }
            ValueList::InNodes { root } => {
                out.u8(LIST_IN_NODES).raw(root.as_bytes());
            }
        }
        out.finish()
    }

    /// Reads canonical bytes. Lists that stand in the manifest must add up to its size.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("manifest", bytes);
        input.version(VERSION)?;
        if input.u8()? != KIND_MANIFEST {
            return Err(input.error(DecodeErrorKind::Tag));
        }
        let file = FileId::from_bytes(input.array()?);
        let size = input.uint()?;
        let chunker = ChunkerId::from_bytes(input.array()?);
        let chunks = decode_chunk_list(&mut input, size)?;
        let values = decode_value_list(&mut input, size)?;
        input.finish()?;
        Ok(Self { file, size, chunker, chunks, values })
    }

    /// How many chunks the file has.
    pub fn chunk_count(&self) -> u64 {
        match &self.chunks {
            ChunkList::Here(entries) => entries.len() as u64,
            ChunkList::InNodes { chunks, .. } => *chunks,
        }
    }
}

/// The key in the manifests' space of the one manifest of a file that its content has confirmed.
pub fn verified_key(file: FileId) -> [u8; FileId::SIZE] {
    *file.as_bytes()
}

/// The key in the manifests' space of a claim: a manifest that no content has confirmed yet.
///
/// It begins with the file's id, so a scan of that prefix finds the confirmed manifest first and
/// then every claim. Each has a key of its own: storing one never replaces another.
pub fn claim_key(file: FileId, manifest_bytes: &[u8]) -> [u8; FileId::SIZE + ManifestNodeId::SIZE] {
    let mut key = [0; FileId::SIZE + ManifestNodeId::SIZE];
    key[..FileId::SIZE].copy_from_slice(file.as_bytes());
    key[FileId::SIZE..].copy_from_slice(ManifestNode::id_of(manifest_bytes).as_bytes());
    key
}

fn encode_chunks(out: &mut Encoder, entries: &[ChunkEntry]) {
    out.uint(entries.len() as u64);
    for entry in entries {
        out.raw(entry.id.as_bytes()).uint(u64::from(entry.length));
    }
}

fn encode_values(out: &mut Encoder, values: &[ChainingValue]) {
    out.uint(values.len() as u64);
    for value in values {
        out.raw(value.as_bytes());
    }
}

/// Reads a count from 1 to `limit`, of entries that have at least `bytes_min` bytes each.
fn decode_count(input: &mut Decoder<'_>, limit: usize, bytes_min: usize) -> Result<usize, DecodeError> {
    let count = input.count(limit)?;
    if count == 0 {
        return Err(input.error(DecodeErrorKind::Value));
    }
    if count * bytes_min > input.remaining() {
        return Err(input.error(DecodeErrorKind::Truncated));
    }
    Ok(count)
}

/// Reads a level above that of the leaves.
fn decode_level(input: &mut Decoder<'_>) -> Result<u8, DecodeError> {
    match input.u8()? {
        level @ 1..=NODE_LEVEL_MAX => Ok(level),
        _ => Err(input.error(DecodeErrorKind::Limit)),
    }
}

fn decode_chunks(input: &mut Decoder<'_>, limit: usize) -> Result<Vec<ChunkEntry>, DecodeError> {
    let count = decode_count(input, limit, ChunkId::SIZE + 1)?;
    let mut entries: Vec<ChunkEntry> = Vec::with_capacity(count);
    for index in 0..count {
        if entries.last().is_some_and(|last| is_complete(index, last.id.as_bytes())) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        let id = ChunkId::from_bytes(input.array()?);
        let length = input.count(CHUNK_BYTES_MAX)? as u32;
        if length == 0 {
            return Err(input.error(DecodeErrorKind::Value));
        }
        entries.push(ChunkEntry { id, length });
    }
    Ok(entries)
}

fn decode_chunk_children(input: &mut Decoder<'_>) -> Result<Vec<ChunkChild>, DecodeError> {
    let count = decode_count(input, NODE_ENTRIES_MAX, ManifestNodeId::SIZE + 2)?;
    let mut children: Vec<ChunkChild> = Vec::with_capacity(count);
    let mut bytes_total = 0u64;
    for index in 0..count {
        if children.last().is_some_and(|last| is_complete(index, last.id.as_bytes())) {
            return Err(input.error(DecodeErrorKind::Order));
        }
        let id = ManifestNodeId::from_bytes(input.array()?);
        let (bytes, chunks) = (input.uint()?, input.uint()?);
        let total = bytes_total.checked_add(bytes).filter(|_| chunks > 0 && chunks <= bytes);
        bytes_total = total.ok_or_else(|| input.error(DecodeErrorKind::Value))?;
        children.push(ChunkChild { id, bytes, chunks });
    }
    Ok(children)
}

fn decode_values(input: &mut Decoder<'_>, limit: usize) -> Result<Vec<ChainingValue>, DecodeError> {
    let count = decode_count(input, limit, ChainingValue::SIZE)?;
    (0..count).map(|_| input.array().map(ChainingValue::from_bytes)).collect()
}

fn decode_value_children(input: &mut Decoder<'_>) -> Result<Vec<ValueChild>, DecodeError> {
    let count = decode_count(input, NODE_ENTRIES_MAX, ManifestNodeId::SIZE + ChainingValue::SIZE)?;
    let child = |input: &mut Decoder<'_>| {
        let id = ManifestNodeId::from_bytes(input.array()?);
        Ok(ValueChild { id, value: ChainingValue::from_bytes(input.array()?) })
    };
    (0..count).map(|_| child(input)).collect()
}

fn decode_chunk_list(input: &mut Decoder<'_>, size: u64) -> Result<ChunkList, DecodeError> {
    let list = match input.u8()? {
        LIST_HERE => {
            let entries = decode_chunks(input, INLINE_ENTRIES_MAX)?;
            let bytes: u64 = entries.iter().map(|entry| u64::from(entry.length)).sum();
            (entries.len() > 1 && bytes == size).then_some(ChunkList::Here(entries))
        }
        LIST_IN_NODES => {
            let root = ManifestNodeId::from_bytes(input.array()?);
            let (level, chunks) = (input.u8()?, input.uint()?);
            let fits = level <= NODE_LEVEL_MAX && chunks > INLINE_ENTRIES_MAX as u64 && chunks <= size;
            fits.then_some(ChunkList::InNodes { root, level, chunks })
        }
        _ => return Err(input.error(DecodeErrorKind::Tag)),
    };
    list.ok_or_else(|| input.error(DecodeErrorKind::Value))
}

fn decode_value_list(input: &mut Decoder<'_>, size: u64) -> Result<ValueList, DecodeError> {
    let expected = value_count(size);
    let list = match input.u8()? {
        LIST_HERE => {
            let count = input.count(INLINE_ENTRIES_MAX)?;
            if count as u64 != expected {
                return Err(input.error(DecodeErrorKind::Value));
            }
            let values: Result<_, _> =
                (0..count).map(|_| input.array().map(ChainingValue::from_bytes)).collect();
            Some(ValueList::Here(values?))
        }
        LIST_IN_NODES => {
            let root = ManifestNodeId::from_bytes(input.array()?);
            (expected > INLINE_ENTRIES_MAX as u64).then_some(ValueList::InNodes { root })
        }
        _ => return Err(input.error(DecodeErrorKind::Tag)),
    };
    list.ok_or_else(|| input.error(DecodeErrorKind::Value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk(number: u8, length: u32) -> ChunkEntry {
        ChunkEntry { id: ChunkId::from_bytes([number; 32]), length }
    }

    fn value(number: u8) -> ChainingValue {
        ChainingValue::from_bytes([number; 32])
    }

    fn node_id(number: u8) -> ManifestNodeId {
        ManifestNodeId::from_bytes([number; 32])
    }

    fn short() -> Manifest {
        Manifest {
            file: FileId::from_bytes([9; 32]),
            size: 2_500_000,
            chunker: ChunkerId::from_bytes([1, 14, 16, 18]),
            chunks: ChunkList::Here(vec![chunk(1, 2_000_000), chunk(2, 500_000)]),
            values: ValueList::Here(vec![value(3), value(4), value(5)]),
        }
    }

    fn long() -> Manifest {
        Manifest {
            size: 1 << 40,
            chunks: ChunkList::InNodes { root: node_id(6), level: 2, chunks: 14_000_000 },
            values: ValueList::InNodes { root: node_id(7) },
            ..short()
        }
    }

    fn nodes() -> [ManifestNode; 4] {
        let child = |number| ChunkChild { id: node_id(number), bytes: 1 << 30, chunks: 14_000 };
        let group = |number| ValueChild { id: node_id(number), value: value(number) };
        [
            ManifestNode::Chunks(vec![chunk(1, 1), chunk(2, 262_144)]),
            ManifestNode::ChunkNodes { level: 1, children: vec![child(1), child(2)] },
            ManifestNode::Values(vec![value(1), value(2)]),
            ManifestNode::ValueNodes { level: 1, children: vec![group(1), group(2)] },
        ]
    }

    #[test]
    fn every_kind_of_node_decodes_to_itself_and_has_its_frozen_id() {
        let ids = nodes().map(|node| {
            let bytes = node.encode();
            assert_eq!(ManifestNode::decode(&bytes), Ok(node));
            ManifestNode::id_of(&bytes).to_string()
        });
        assert_eq!(
            ids,
            [
                "d70b08cb2327c281cad296c2a1872094f5a99d8f760f4493ccba5af6714e4f4f",
                "decb9e6eed22f87c0cc2a1376c8cf64a2819364822550f3bef85d5299af5aa7d",
                "4b2585751f3449f591db65a1d44b220be5c3ba5aaa8b1d77132420a11ad9c613",
                "3b9d483bcf5bd22c31da6bdfcdfb3714076c8d67a5fa4ee1b84152ad4e309c6c",
            ]
        );
    }

    #[test]
    fn manifests_decode_to_themselves_and_have_their_frozen_bytes() {
        for (manifest, frozen) in [
            (short(), "7b5ec3d73cb0d4cdcd98cbd26917f5df8f59b199655e02b98fe1438a90bf5af9"),
            (long(), "5d5652380bc52904e00ed2aa6dc7a1fa56cfe653da0ff2f3f34a57366a15db15"),
        ] {
            let bytes = manifest.encode();
            assert_eq!(Manifest::decode(&bytes), Ok(manifest));
            assert_eq!(ManifestNode::id_of(&bytes).to_string(), frozen);
        }
    }

    #[test]
    fn the_example_of_the_format_document_is_what_a_writer_writes() {
        let mut expected = vec![1, 0];
        expected.extend([9; 32]);
        expected.extend([0xa0, 0xcb, 0x98, 0x01, 1, 14, 16, 18, 0, 2]);
        expected.extend([1; 32]);
        expected.extend([0x80, 0x89, 0x7a]);
        expected.extend([2; 32]);
        expected.extend([0xa0, 0xc2, 0x1e, 0, 3]);
        expected.extend([[3; 32], [4; 32], [5; 32]].concat());
        assert_eq!(short().encode(), expected);
    }

    #[test]
    fn lists_that_do_not_add_up_or_stand_in_the_wrong_place_are_refused() {
        let refused = [
            Manifest { size: 2_500_001, ..short() },
            Manifest { chunks: ChunkList::Here(vec![chunk(1, 2_500_000)]), ..short() },
            Manifest { values: ValueList::Here(vec![value(3), value(4)]), ..short() },
            Manifest { values: ValueList::InNodes { root: node_id(1) }, ..short() },
            Manifest { chunks: ChunkList::InNodes { root: node_id(1), level: 0, chunks: 64 }, ..long() },
            Manifest { chunks: ChunkList::InNodes { root: node_id(1), level: 9, chunks: 65 }, ..long() },
        ];
        for manifest in refused {
            assert!(Manifest::decode(&manifest.encode()).is_err(), "{manifest:?}");
        }
    }

    #[test]
    fn nodes_that_no_writer_makes_are_refused() {
        let child = ChunkChild { id: node_id(255), bytes: u64::MAX, chunks: 1 };
        let refused = [
            ManifestNode::Chunks(Vec::new()),
            ManifestNode::Chunks(vec![chunk(1, 0)]),
            ManifestNode::Chunks(vec![chunk(1, CHUNK_BYTES_MAX as u32 + 1)]),
            // An id of zeros ends a node once there are 64 entries.
            ManifestNode::Chunks(vec![chunk(0, 1); 65]),
            ManifestNode::Chunks(vec![chunk(255, 1); 1025]),
            ManifestNode::ChunkNodes { level: 0, children: vec![ChunkChild { bytes: 5, ..child }] },
            ManifestNode::ChunkNodes { level: 1, children: vec![child; 2] },
            ManifestNode::ChunkNodes { level: 1, children: vec![ChunkChild { bytes: 0, ..child }] },
            ManifestNode::Values(vec![value(1); 1025]),
            ManifestNode::ValueNodes { level: 1, children: Vec::new() },
        ];
        for node in refused {
            assert!(ManifestNode::decode(&node.encode()).is_err(), "{node:?}");
        }
        assert!(ManifestNode::decode(&ManifestNode::Chunks(vec![chunk(0, 1); 64]).encode()).is_ok());
        assert!(ManifestNode::decode(&ManifestNode::Chunks(vec![chunk(255, 1); 1024]).encode()).is_ok());
    }

    #[test]
    fn a_claim_is_found_after_the_confirmed_manifest_of_its_file() {
        let manifest = short();
        let claim = claim_key(manifest.file, &manifest.encode());
        let other = claim_key(manifest.file, &long().encode());
        assert!(claim.starts_with(&verified_key(manifest.file)) && claim != other);
        assert!(verified_key(manifest.file).as_slice() < claim.as_slice());
    }

    proptest! {
        #[test]
        fn bytes_that_decode_encode_to_themselves_and_others_never_panic(
            which in 0usize..6,
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
            noise in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let mut bytes = match which {
                4 => short().encode(),
                5 => long().encode(),
                _ => nodes()[which].encode(),
            };
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())], &noise[..]] {
                if let Ok(node) = ManifestNode::decode(bytes) {
                    prop_assert_eq!(node.encode(), bytes);
                }
                if let Ok(manifest) = Manifest::decode(bytes) {
                    prop_assert_eq!(manifest.encode(), bytes);
                }
            }
        }
    }
}
