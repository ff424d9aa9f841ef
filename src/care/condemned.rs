//! The list of what nothing reached any more, and since when.
//!
//! An entry is no verdict: whatever is reached again before it goes is taken off the list.

use crate::base::id::{ChunkId, CommitId, FileId, ManifestNodeId, MetadataId, PackId, TreeId};
use crate::repo::reach::Reached;
use crate::store::{Snapshot, Space, StoreError};

/// What can be condemned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A node of a directory.
    Tree,
    /// Metadata of an asset.
    Metadata,
    /// How a file is put together, confirmed or claimed.
    Manifest,
    /// A part of that.
    ManifestNode,
    /// A chunk of content.
    Chunk,
    /// A pack file that the database does not know.
    Pack,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Commit,
        Self::Tree,
        Self::Metadata,
        Self::Manifest,
        Self::ManifestNode,
        Self::Chunk,
        Self::Pack,
    ];

    /// First byte of the keys of this kind.
    pub const fn tag(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Tree => 2,
            Self::Metadata => 3,
            Self::Manifest => 4,
            Self::ManifestNode => 5,
            Self::Chunk => 6,
            Self::Pack => 7,
        }
    }

    /// The kind that a tag stands for.
    pub fn of_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.tag() == tag)
    }

    /// The space that holds objects of this kind; chunks and packs have tables of their own.
    pub const fn space(self) -> Option<Space> {
        match self {
            Self::Commit => Some(Space::Commits),
            Self::Tree => Some(Space::Trees),
            Self::Metadata => Some(Space::Metadata),
            Self::Manifest => Some(Space::Manifests),
            Self::ManifestNode => Some(Space::ManifestNodes),
            Self::Chunk | Self::Pack => None,
        }
    }

    /// The key on the list.
    pub fn key(self, id: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + id.len());
        key.push(self.tag());
        key.extend_from_slice(id);
        key
    }
}

/// Whether something was reached. A key that is none of its kind counts as not reached.
pub fn is_reached(reached: &Reached, kind: Kind, key: &[u8]) -> bool {
    match kind {
        Kind::Commit => CommitId::from_slice(key).is_some_and(|id| reached.commits.contains(&id)),
        Kind::Tree => TreeId::from_slice(key).is_some_and(|id| reached.trees.contains(&id)),
        Kind::Metadata => MetadataId::from_slice(key).is_some_and(|id| reached.metadata.contains(&id)),
        Kind::Manifest => is_manifest_reached(reached, key),
        Kind::ManifestNode => {
            ManifestNodeId::from_slice(key).is_some_and(|id| reached.manifest_nodes.contains(&id))
        }
        Kind::Chunk => ChunkId::from_slice(key).is_some_and(|id| reached.has_chunk(id)),
        // Only what the database does not know is ever condemned as a pack.
        Kind::Pack => false,
    }
}

/// The confirmed manifest of a reached file stays; claims stay as long as there is none.
fn is_manifest_reached(reached: &Reached, key: &[u8]) -> bool {
    let Some(file) = key.get(..FileId::SIZE).and_then(FileId::from_slice) else { return false };
    if key.len() == FileId::SIZE {
        reached.manifests.contains(&file)
    } else {
        reached.missing_files.contains(&file)
    }
}

/// Since when something has been condemned, in milliseconds since 1970; `None` when it is not.
pub fn since(snapshot: &Snapshot, kind: Kind, id: &[u8]) -> Result<Option<i64>, StoreError> {
    Ok(snapshot.get(Space::Condemned, &kind.key(id))?.and_then(|value| decode_moment(&value)))
}

/// The bytes of a moment.
pub fn encode_moment(unix_ms: i64) -> [u8; 8] {
    unix_ms.to_le_bytes()
}

/// Reads the bytes of a moment.
pub fn decode_moment(bytes: &[u8]) -> Option<i64> {
    bytes.try_into().ok().map(i64::from_le_bytes)
}

/// Takes a key of the list apart.
pub fn decode_key(key: &[u8]) -> Option<(Kind, &[u8])> {
    let (tag, id) = key.split_first()?;
    Some((Kind::of_tag(*tag)?, id))
}

/// The pack that a key of its kind names.
pub fn pack_of(id: &[u8]) -> Option<PackId> {
    PackId::from_slice(id)
}
