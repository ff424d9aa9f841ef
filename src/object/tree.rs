//! Trees: what a directory holds.
//!
//! Entries are sorted by the bytes of their names. A large directory is cut into nodes by content
//! (see `tree_build`), so one change in a directory of a million files rewrites a few nodes only.

use crate::base::codec::{DecodeError, DecodeErrorKind, Decoder, Encoder};
use crate::base::id::{AssetId, FileId, MetadataId, TreeId};
use crate::base::path::{NAME_BYTES_MAX, check_name};
use crate::object::{ObjectKind, hash_object};
use serde::{Deserialize, Serialize};

/// Version of the encoding.
const VERSION: u8 = 1;
/// Fewest entries of a node that is not the last of its directory.
pub const NODE_ENTRIES_MIN: usize = 16;
/// Most entries of one node.
pub const NODE_ENTRIES_MAX: usize = 256;
/// A node ends after a name whose mixed hash has these bits clear: every 64th on average.
const NODE_CUT_MASK: u64 = 63;
/// Tallest tree of nodes.
pub const NODE_LEVELS_MAX: u8 = 16;
/// Longest digest of a foreign entry, in bytes.
const FOREIGN_DIGEST_BYTES_MAX: usize = 64;

const KIND_FILE: u8 = 1;
const KIND_EXECUTABLE: u8 = 2;
const KIND_DIRECTORY: u8 = 3;
const KIND_SYMLINK: u8 = 4;
const KIND_FOREIGN: u8 = 5;
const KIND_FOREIGN_EXECUTABLE: u8 = 6;
const KIND_BITS: u8 = 0x0f;
const HAS_ASSET: u8 = 0x10;
const HAS_METADATA: u8 = 0x20;

/// The hash by which content known only elsewhere is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignAlgorithm {
    /// SHA-256, as Git LFS uses it.
    Sha256,
    /// SHA-1 of a Git blob object.
    GitBlobSha1,
    /// SHA-256 of a Git blob object.
    GitBlobSha256,
    /// SHA-1 of a Git commit object: a submodule entry. Its size is 0.
    GitCommitSha1,
}

impl ForeignAlgorithm {
    /// The number that stands for it in stored bytes.
    pub const fn tag(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::GitBlobSha1 => 2,
            Self::GitBlobSha256 => 3,
            Self::GitCommitSha1 => 4,
        }
    }

    /// Reverses [`tag`](Self::tag).
    pub const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Self::Sha256),
            2 => Some(Self::GitBlobSha1),
            3 => Some(Self::GitBlobSha256),
            4 => Some(Self::GitCommitSha1),
            _ => None,
        }
    }

    /// Length of its digests in bytes.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::GitBlobSha1 | Self::GitCommitSha1 => 20,
            Self::Sha256 | Self::GitBlobSha256 => 32,
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Content {
    /// A file: its id and size say everything about its bytes.
    File { id: FileId, size: u64, executable: bool },
    /// A directory.
    Directory { id: TreeId },
    /// A symbolic link; its target is kept as a file's bytes.
    Symlink { id: FileId, size: u64 },
    /// Content known only by another hash. It stays as it is for ever.
    Foreign {
        algorithm: ForeignAlgorithm,
        #[serde(with = "hex_digest")]
        digest: Vec<u8>,
        size: u64,
        executable: bool,
    },
}

/// Digests of foreign entries as hexadecimal text.
mod hex_digest {
    use crate::base::id::write_hex;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    struct Hex<'a>(&'a [u8]);

    impl std::fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write_hex(f, self.0)
        }
    }

    pub fn serialize<S: Serializer>(digest: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Hex(digest))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pairs = text.as_bytes().chunks(2);
        pairs
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<Vec<u8>>>()
            .ok_or_else(|| D::Error::custom("a digest is written in hexadecimal"))
    }
}

impl Content {
    /// Its size in bytes; `None` for a directory.
    pub const fn size(&self) -> Option<u64> {
        match self {
            Self::File { size, .. } | Self::Symlink { size, .. } | Self::Foreign { size, .. } => Some(*size),
            Self::Directory { .. } => None,
        }
    }

    /// The file id of content that the repository itself can hold.
    pub const fn file_id(&self) -> Option<FileId> {
        match self {
            Self::File { id, .. } | Self::Symlink { id, .. } => Some(*id),
            Self::Directory { .. } | Self::Foreign { .. } => None,
        }
    }

    /// Whether the executable bit is set.
    pub const fn is_executable(&self) -> bool {
        matches!(self, Self::File { executable: true, .. } | Self::Foreign { executable: true, .. })
    }

    /// Whether it is a directory.
    pub const fn is_directory(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name: never empty, `.` or `..`, no slash, no NUL.
    pub name: Vec<u8>,
    /// Which asset it is. Directories have one only when they are assets themselves.
    pub asset: Option<AssetId>,
    /// Its metadata, when it has any.
    pub metadata: Option<MetadataId>,
    /// What it is.
    pub content: Content,
}

/// A pointer to a node one level below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChild {
    /// The first name found there.
    pub first_name: Vec<u8>,
    /// The node.
    pub id: TreeId,
    /// How many entries lie below it.
    pub entries: u64,
}

/// One stored node of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeNode {
    /// Entries themselves.
    Leaf(Vec<TreeEntry>),
    /// Pointers to nodes of the next lower level; `level` is 1 right above the leaves.
    Inner { level: u8, children: Vec<TreeChild> },
}

/// Whether a node ends after the entry or child with this name: FNV-1a (64 bit) over the name,
/// mixed so that all bits count, with the level folded in.
pub fn ends_node(name: &[u8], level: u8) -> bool {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in name.iter().chain(std::iter::once(&level)) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash ^ (hash >> 29) ^ (hash >> 47)) & NODE_CUT_MASK == 0
}

impl TreeNode {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::with_version(VERSION);
        match self {
            Self::Leaf(entries) => {
                out.u8(0).uint(entries.len() as u64);
                for entry in entries {
                    encode_entry(&mut out, entry);
                }
            }
            Self::Inner { level, children } => {
                out.u8(*level).uint(children.len() as u64);
                for child in children {
                    out.bytes(&child.first_name).raw(child.id.as_bytes()).uint(child.entries);
                }
            }
        }
        out.finish()
    }

    /// Reads canonical bytes. Order, names, kinds and the places where nodes must end are checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Decoder::new("tree", bytes);
        input.version(VERSION)?;
        let level = input.u8()?;
        if level > NODE_LEVELS_MAX {
            return Err(input.error(DecodeErrorKind::Limit));
        }
        let count = input.count(NODE_ENTRIES_MAX)?;
        let node = if level == 0 {
            Self::Leaf(decode_sorted(&mut input, level, count, decode_entry, |entry| &entry.name)?)
        } else {
            let children = decode_sorted(&mut input, level, count, decode_child, |child| &child.first_name)?;
            if children.len() < 2 {
                return Err(input.error(DecodeErrorKind::Value));
            }
            Self::Inner { level, children }
        };
        input.finish()?;
        Ok(node)
    }

    /// The id that follows from canonical bytes.
    pub fn id_of(bytes: &[u8]) -> TreeId {
        TreeId::from_bytes(hash_object(ObjectKind::Tree, bytes))
    }

    /// The id of the directory with no entries.
    pub fn empty_id() -> TreeId {
        Self::id_of(&Self::Leaf(Vec::new()).encode())
    }
}

fn encode_entry(out: &mut Encoder, entry: &TreeEntry) {
    let kind = match &entry.content {
        Content::File { executable: false, .. } => KIND_FILE,
        Content::File { executable: true, .. } => KIND_EXECUTABLE,
        Content::Directory { .. } => KIND_DIRECTORY,
        Content::Symlink { .. } => KIND_SYMLINK,
        Content::Foreign { executable: false, .. } => KIND_FOREIGN,
        Content::Foreign { executable: true, .. } => KIND_FOREIGN_EXECUTABLE,
    };
    let asset = if entry.asset.is_some() { HAS_ASSET } else { 0 };
    let metadata = if entry.metadata.is_some() { HAS_METADATA } else { 0 };
    out.u8(kind | asset | metadata).bytes(&entry.name);
    if let Some(asset) = &entry.asset {
        out.raw(asset.as_bytes());
    }
    if let Some(metadata) = &entry.metadata {
        out.raw(metadata.as_bytes());
    }
    match &entry.content {
        Content::File { id, size, .. } | Content::Symlink { id, size } => out.raw(id.as_bytes()).uint(*size),
        Content::Directory { id } => out.raw(id.as_bytes()),
        Content::Foreign { algorithm, digest, size, .. } => out.u8(algorithm.tag()).bytes(digest).uint(*size),
    };
}

fn decode_entry(input: &mut Decoder<'_>) -> Result<TreeEntry, DecodeError> {
    let flags = input.u8()?;
    if flags & !(KIND_BITS | HAS_ASSET | HAS_METADATA) != 0 {
        return Err(input.error(DecodeErrorKind::Tag));
    }
    let name = decode_name(input)?;
    let asset = if flags & HAS_ASSET != 0 { Some(AssetId::from_bytes(input.array()?)) } else { None };
    let metadata =
        if flags & HAS_METADATA != 0 { Some(MetadataId::from_bytes(input.array()?)) } else { None };
    let kind = flags & KIND_BITS;
    let content = match kind {
        KIND_FILE | KIND_EXECUTABLE => Content::File {
            id: FileId::from_bytes(input.array()?),
            size: input.uint()?,
            executable: kind == KIND_EXECUTABLE,
        },
        KIND_DIRECTORY => Content::Directory { id: TreeId::from_bytes(input.array()?) },
        KIND_SYMLINK => Content::Symlink { id: FileId::from_bytes(input.array()?), size: input.uint()? },
        KIND_FOREIGN | KIND_FOREIGN_EXECUTABLE => decode_foreign(input, kind == KIND_FOREIGN_EXECUTABLE)?,
        _ => return Err(input.error(DecodeErrorKind::Tag)),
    };
    let needs_asset = !matches!(content, Content::Directory { .. });
    if needs_asset && asset.is_none() {
        return Err(input.error(DecodeErrorKind::Value));
    }
    Ok(TreeEntry { name, asset, metadata, content })
}

fn decode_foreign(input: &mut Decoder<'_>, executable: bool) -> Result<Content, DecodeError> {
    let algorithm =
        ForeignAlgorithm::from_tag(input.u8()?).ok_or_else(|| input.error(DecodeErrorKind::Tag))?;
    let digest = input.bytes(FOREIGN_DIGEST_BYTES_MAX)?.to_vec();
    if digest.len() != algorithm.digest_bytes() {
        return Err(input.error(DecodeErrorKind::Value));
    }
    Ok(Content::Foreign { algorithm, digest, size: input.uint()?, executable })
}

fn decode_name(input: &mut Decoder<'_>) -> Result<Vec<u8>, DecodeError> {
    let name = input.bytes(NAME_BYTES_MAX)?;
    check_name(name).map_err(|_| input.error(DecodeErrorKind::Name))?;
    Ok(name.to_vec())
}

fn decode_child(input: &mut Decoder<'_>) -> Result<TreeChild, DecodeError> {
    let first_name = decode_name(input)?;
    let id = TreeId::from_bytes(input.array()?);
    let entries = input.uint()?;
    if entries == 0 {
        return Err(input.error(DecodeErrorKind::Value));
    }
    Ok(TreeChild { first_name, id, entries })
}

/// Decodes `count` items whose names rise and of which none ends the node before the last.
fn decode_sorted<'a, T>(
    input: &mut Decoder<'a>,
    level: u8,
    count: usize,
    decode: impl Fn(&mut Decoder<'a>) -> Result<T, DecodeError>,
    name: impl Fn(&T) -> &Vec<u8>,
) -> Result<Vec<T>, DecodeError> {
    let mut items: Vec<T> = Vec::with_capacity(count);
    for index in 0..count {
        let item = decode(input)?;
        if let Some(last) = items.last() {
            let overdue = index >= NODE_ENTRIES_MIN && ends_node(name(last), level);
            if name(last) >= name(&item) || overdue {
                return Err(input.error(DecodeErrorKind::Order));
            }
        }
        items.push(item);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TreeNode {
        let entry = |name: &str, content| TreeEntry {
            name: name.into(),
            asset: Some(AssetId::from_bytes([7; 16])),
            metadata: None,
            content,
        };
        let file = FileId::from_bytes([1; 32]);
        let foreign = Content::Foreign {
            algorithm: ForeignAlgorithm::Sha256,
            digest: vec![3; 32],
            size: 9,
            executable: false,
        };
        let mut tagged = entry("b.psd", Content::File { id: file, size: 1 << 40, executable: true });
        tagged.metadata = Some(MetadataId::from_bytes([8; 32]));
        let mut folder = entry("d", Content::Directory { id: TreeId::from_bytes([2; 32]) });
        folder.asset = None;
        TreeNode::Leaf(vec![
            entry("a.png", Content::File { id: file, size: 5, executable: false }),
            tagged,
            entry("c", Content::Symlink { id: file, size: 5 }),
            folder,
            entry("e.mov", foreign),
        ])
    }

    #[test]
    fn a_tree_decodes_to_itself_and_has_its_frozen_id() {
        let node = sample();
        let bytes = node.encode();
        assert_eq!(TreeNode::decode(&bytes), Ok(node));
        assert_eq!(
            TreeNode::id_of(&bytes).to_string(),
            "ae1bb56ec4964f4754b9d679e248071840691bdba8bb28706c8584f1dafd438c"
        );
        assert_eq!(
            TreeNode::empty_id().to_string(),
            "eba335cbba91ac9b7ac3336519616eb680aeb21cf56b7ac384fe0720fc140816"
        );
    }

    #[test]
    fn a_file_can_never_pose_as_a_tree() {
        let bytes = sample().encode();
        assert_ne!(TreeNode::id_of(&bytes).as_bytes(), blake3::hash(&bytes).as_bytes());
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let TreeNode::Leaf(mut entries) = sample() else { unreachable!("the sample is a leaf") };
        entries.truncate(1);
        for name in ["..", "a/b", ""] {
            entries[0].name = name.into();
            let bytes = TreeNode::Leaf(entries.clone()).encode();
            assert_eq!(TreeNode::decode(&bytes).map_err(|e| e.kind), Err(DecodeErrorKind::Name), "{name}");
        }
    }

    #[test]
    fn unsorted_and_repeated_entries_are_refused() {
        let TreeNode::Leaf(mut entries) = sample() else { unreachable!("the sample is a leaf") };
        entries.swap(0, 1);
        assert!(TreeNode::decode(&TreeNode::Leaf(entries.clone()).encode()).is_err());
        entries[0] = entries[1].clone();
        assert!(TreeNode::decode(&TreeNode::Leaf(entries).encode()).is_err());
    }
}
