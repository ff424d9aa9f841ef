//! Fuzz targets of the immutable model.

pub mod review;
pub mod trust;

use crate::base::fuzz::{Numbers, Target, Verdict, canonical};
use crate::base::id::{AssetId, ChunkId, CommitId, FileId, ManifestNodeId, MetadataId, PersonId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::chunker::{ChunkerId, ChunkerParameters};
use crate::object::commit::{AssetNote, Commit, Signature};
use crate::object::file_hash::{ChainingValue, value_count};
use crate::object::manifest::{
    ChunkChild, ChunkEntry, ChunkList, Manifest, ManifestNode, ValueChild, ValueList,
};
use crate::object::metadata::{FieldName, FieldValue, Metadata, TermId};
use crate::object::tree::{Content, ForeignAlgorithm, TreeChild, TreeEntry, TreeNode, ends_node};
use std::collections::BTreeMap;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target::new("object: tree node", &["object/tree.rs", "base/codec.rs"], tree_seeds, |bytes| {
        canonical(TreeNode::decode(bytes), TreeNode::encode)
    }),
    Target::new("object: metadata", &["object/metadata.rs"], metadata_seeds, |bytes| {
        canonical(Metadata::decode(bytes), Metadata::encode)
    }),
    Target::new("object: commit", &["object/commit.rs"], commit_seeds, |bytes| {
        canonical(Commit::decode(bytes), Commit::encode)
    }),
    Target::new("object: manifest", &["object/manifest.rs"], manifest_seeds, |bytes| {
        canonical(Manifest::decode(bytes), Manifest::encode)
    }),
    Target::new("object: manifest node", &["object/manifest.rs"], node_seeds, |bytes| {
        canonical(ManifestNode::decode(bytes), ManifestNode::encode)
    }),
    Target::new("object: chunker", &["object/chunker.rs"], chunker_seeds, |bytes| {
        canonical(ChunkerParameters::decode(bytes), |parameters| parameters.id().as_bytes().to_vec())
    }),
    Target::new("base: id", &["base/id.rs"], id_seeds, run_id),
    Target::new("base: path", &["base/path.rs", "base/escape.rs"], path_seeds, run_path),
];

const SAMPLES: u64 = 12;

fn samples(one: impl Fn(&mut Numbers) -> Vec<u8>) -> Vec<Vec<u8>> {
    (0..SAMPLES).map(|seed| one(&mut Numbers::new(seed))).collect()
}

fn content(numbers: &mut Numbers) -> Content {
    let (size, executable) = (numbers.any_size(), numbers.once_in(3));
    match numbers.below(5) {
        0 => Content::Directory { id: TreeId::from_bytes(numbers.array()) },
        1 => Content::Symlink { id: FileId::from_bytes(numbers.array()), size },
        2 => {
            let algorithm =
                [ForeignAlgorithm::Sha256, ForeignAlgorithm::GitBlobSha1, ForeignAlgorithm::GitBlobSha256]
                    [numbers.below(3)];
            let digest = numbers.bytes(algorithm.digest_bytes());
            Content::Foreign { algorithm, digest, size, executable }
        }
        _ => Content::File { id: FileId::from_bytes(numbers.array()), size, executable },
    }
}

fn names(numbers: &mut Numbers, level: u8) -> BTreeMap<Vec<u8>, u64> {
    let count = 2 + numbers.below(40);
    let names = (0..count).map(|_| (numbers.name(), numbers.next()));
    names.filter(|(name, _)| !ends_node(name, level) && name != b"." && name != b"..").collect()
}

fn tree_node(numbers: &mut Numbers) -> TreeNode {
    if numbers.once_in(3) {
        let level = 1 + numbers.below(3) as u8;
        let child = |(first_name, seed)| {
            let mut numbers = Numbers::new(seed);
            TreeChild { first_name, id: TreeId::from_bytes(numbers.array()), entries: numbers.any_size() | 1 }
        };
        return TreeNode::Inner { level, children: names(numbers, level).into_iter().map(child).collect() };
    }
    let entry = |(name, seed)| {
        let mut numbers = Numbers::new(seed);
        let content = content(&mut numbers);
        let asset = !content.is_directory() || numbers.once_in(3);
        TreeEntry {
            name,
            asset: asset.then(|| AssetId::from_bytes(numbers.array())),
            metadata: numbers.once_in(3).then(|| MetadataId::from_bytes(numbers.array())),
            content,
        }
    };
    TreeNode::Leaf(names(numbers, 0).into_iter().map(entry).collect())
}

fn tree_seeds() -> Vec<Vec<u8>> {
    let mut seeds = samples(|numbers| tree_node(numbers).encode());
    seeds.push(TreeNode::Leaf(Vec::new()).encode());
    seeds
}

fn field_value(numbers: &mut Numbers) -> FieldValue {
    let text = |numbers: &mut Numbers| String::from_utf8_lossy(&numbers.name()).into_owned();
    match numbers.below(8) {
        0 => FieldValue::Text(text(numbers)),
        1 => FieldValue::Integer(numbers.any_size() as i64),
        2 => FieldValue::Decimal { mantissa: numbers.any_size() as i64 / 20 * 10 + 3, scale: 2 },
        3 => FieldValue::Boolean(numbers.once_in(2)),
        4 => FieldValue::Date(numbers.any_size() as i32),
        5 => FieldValue::Moment(numbers.any_size() as i64),
        6 => FieldValue::Set((0..=numbers.below(5)).map(|_| text(numbers)).collect()),
        _ => FieldValue::Terms((0..=numbers.below(5)).map(|_| TermId(numbers.array())).collect()),
    }
}

fn metadata_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let mut metadata = Metadata::default();
        for index in 0..numbers.below(8) {
            if let Ok(name) = FieldName::new(&format!("field-{index}.x{}", numbers.below(99))) {
                metadata.fields.insert(name, field_value(numbers));
            }
        }
        metadata.encode()
    })
}

fn signature(numbers: &mut Numbers) -> Signature {
    let time = Timestamp { unix_ms: numbers.any_size() as i64, offset_minutes: numbers.below(1439) as i16 };
    Signature { person: PersonId::from_bytes(numbers.array()), time }
}

fn commit_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let note = |numbers: &mut Numbers| {
            let (asset, other) = (AssetId::from_bytes(numbers.array()), AssetId::from_bytes(numbers.array()));
            if numbers.once_in(2) {
                AssetNote::CopiedFrom { asset, source: other }
            } else {
                AssetNote::AliasOf { asset, other }
            }
        };
        let mut notes: Vec<AssetNote> = (0..numbers.below(4)).map(|_| note(numbers)).collect();
        notes.sort_unstable();
        let commit = Commit {
            tree: TreeId::from_bytes(numbers.array()),
            parents: (0..numbers.below(3)).map(|_| CommitId::from_bytes(numbers.array())).collect(),
            author: signature(numbers),
            committer: signature(numbers),
            message: String::from_utf8_lossy(&numbers.name()).into_owned(),
            notes,
            extensions: (0..numbers.below(3)).map(|n| (format!("x-{n}"), numbers.name())).collect(),
        };
        commit.encode()
    })
}

fn chunk(numbers: &mut Numbers) -> ChunkEntry {
    let mut id = numbers.array::<32>();
    // An id of these first bytes never ends a node.
    id[1] = 0xff;
    ChunkEntry { id: ChunkId::from_bytes(id), length: 1 + numbers.below(262_144) as u32 }
}

fn value(numbers: &mut Numbers) -> ChainingValue {
    ChainingValue::from_bytes(numbers.array())
}

fn manifest_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| {
        let file = FileId::from_bytes(numbers.array());
        let chunker = ChunkerId::from_bytes([1, 14, 16, 18]);
        let manifest = if numbers.once_in(2) {
            let entries: Vec<ChunkEntry> = (0..2 + numbers.below(30)).map(|_| chunk(numbers)).collect();
            let size = entries.iter().map(|entry| u64::from(entry.length)).sum();
            let values = (0..value_count(size)).map(|_| value(numbers)).collect();
            let (chunks, values) = (ChunkList::Here(entries), ValueList::Here(values));
            Manifest { file, size, chunker, chunks, values }
        } else {
            let root = ManifestNodeId::from_bytes(numbers.array());
            let size = (1 << 31) + numbers.next() % (1 << 50);
            let chunks = ChunkList::InNodes { root, level: 1 + numbers.below(3) as u8, chunks: size >> 16 };
            Manifest { file, size, chunker, chunks, values: ValueList::InNodes { root } }
        };
        manifest.encode()
    })
}

fn node_seeds() -> Vec<Vec<u8>> {
    let mut kind = 0;
    let mut nodes = Vec::new();
    for seed in 0..SAMPLES {
        let numbers = &mut Numbers::new(seed);
        let (count, level) = (2 + numbers.below(60), 1 + numbers.below(3) as u8);
        let node = match kind {
            0 => ManifestNode::Chunks((0..count).map(|_| chunk(numbers)).collect()),
            1 => {
                let child = |numbers: &mut Numbers| {
                    let bytes = 1 + numbers.next() % (1 << 40);
                    let id = ManifestNodeId::from_bytes(*chunk(numbers).id.as_bytes());
                    ChunkChild { id, bytes, chunks: bytes.div_ceil(65_536) }
                };
                ManifestNode::ChunkNodes { level, children: (0..count).map(|_| child(numbers)).collect() }
            }
            2 => ManifestNode::Values((0..count).map(|_| value(numbers)).collect()),
            _ => {
                let child = |numbers: &mut Numbers| ValueChild {
                    id: ManifestNodeId::from_bytes(numbers.array()),
                    value: value(numbers),
                };
                ManifestNode::ValueNodes { level, children: (0..count).map(|_| child(numbers)).collect() }
            }
        };
        nodes.push(node.encode());
        kind = (kind + 1) % 4;
    }
    nodes
}

fn chunker_seeds() -> Vec<Vec<u8>> {
    vec![ChunkerParameters::default().id().as_bytes().to_vec()]
}

fn id_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| FileId::from_bytes(numbers.array()).to_string().into_bytes())
}

fn run_id(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::Refused };
    canonical(text.parse::<FileId>(), |id| id.to_string().into_bytes())
}

fn path_seeds() -> Vec<Vec<u8>> {
    samples(|numbers| (0..=numbers.below(6)).map(|_| numbers.name()).collect::<Vec<_>>().join(&b'/'))
}

/// A path by its bytes, and by the percent-encoded form of them.
fn run_path(bytes: &[u8]) -> Verdict {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(path) = AssetPath::from_percent(text)
        && AssetPath::from_percent(&path.to_percent()).ok().as_ref() != Some(&path)
    {
        return Verdict::Wrong(format!("{path:?} does not come back from its percent-encoded form"));
    }
    let Ok(path) = AssetPath::from_bytes(bytes) else { return Verdict::Refused };
    if AssetPath::from_percent(&path.to_percent()).ok().as_ref() != Some(&path) {
        return Verdict::Wrong(format!("{path:?} does not come back from its percent-encoded form"));
    }
    let rebuilt = path.names().try_fold(AssetPath::root(), |above, name| above.join(name));
    canonical(rebuilt, |path| path.as_bytes().to_vec())
}
