//! Where the content of files is found, and what can go wrong with it.

use crate::base::codec::DecodeError;
use crate::base::id::{ChunkId, FileId, ManifestNodeId};
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::object::manifest::{Manifest, ManifestNode, verified_key};
use crate::object::manifest_read::{ChunkCursor, ManifestError, ManifestSource};
use crate::store::{Snapshot, Space, StoreError};
use std::io;

/// Why content could not be taken in or given out.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The file being taken in could not be read.
    #[error("reading the file failed")]
    Read { source: io::Error },
    /// What is given out could not be written.
    #[error("writing the file failed")]
    Write { source: io::Error },
    /// The user asked to stop.
    #[error("stopped on request")]
    Cancelled,
    /// The store failed.
    #[error("the repository's store failed")]
    Store { source: StoreError },
    /// The repository has neither a manifest nor a chunk of this file.
    #[error("the content of file {file} is not in the repository")]
    Missing { file: FileId },
    /// One chunk is missing or damaged.
    #[error("chunk {chunk}, at byte {offset} of file {file}, cannot be read")]
    Chunk { file: FileId, chunk: ChunkId, offset: u64, source: Box<StoreError> },
    /// The manifest cannot be made sense of.
    #[error("the manifest of file {file} is damaged")]
    ManifestRecord { file: FileId, source: DecodeError },
    /// The lists of the manifest cannot be read or do not hold together.
    #[error("the chunk list of a file is damaged")]
    Manifest { source: Box<ManifestError<NodeError>> },
    /// The content has another length than expected.
    #[error("file {file} has {found} bytes, not {expected}")]
    Size { file: FileId, expected: u64, found: u64 },
    /// Every chunk is sound, but together they are another file: the manifest is wrong.
    #[error("the chunks of file {file} make another file, {found}")]
    Content { file: FileId, found: FileId },
}

impl From<StoreError> for ContentError {
    fn from(source: StoreError) -> Self {
        match source {
            StoreError::Cancelled => Self::Cancelled,
            source => Self::Store { source },
        }
    }
}

impl From<ManifestError<NodeError>> for ContentError {
    fn from(source: ManifestError<NodeError>) -> Self {
        Self::Manifest { source: Box::new(source) }
    }
}

/// Why a manifest node could not be had.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store failed.
    #[error("the repository's store failed")]
    Store { source: StoreError },
    /// It is not there.
    #[error("manifest node {node} is not in the repository")]
    Missing { node: ManifestNodeId },
    /// Its bytes have another hash.
    #[error("manifest node {node} has other bytes than its id says")]
    Hash { node: ManifestNodeId },
    /// Its bytes are no node.
    #[error("manifest node {node} is damaged")]
    Damaged { node: ManifestNodeId, source: DecodeError },
}

/// The manifests of a store as of one moment. Every node is hashed again when it is read.
#[derive(Debug, Clone, Copy)]
pub struct StoredManifests<'a> {
    snapshot: &'a Snapshot,
}

impl<'a> StoredManifests<'a> {
    /// Reads from this snapshot.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot }
    }

    /// The confirmed manifest of a file; `None` when it has none, as files of one chunk do.
    pub fn find(&self, file: FileId) -> Result<Option<Manifest>, ContentError> {
        let found = self.snapshot.with(Space::Manifests, &verified_key(file), Manifest::decode)?;
        let manifest = found.transpose();
        let manifest = manifest.map_err(|source| ContentError::ManifestRecord { file, source })?;
        match manifest {
            Some(manifest) if manifest.file != file => {
                Err(ContentError::Content { file, found: manifest.file })
            }
            manifest => Ok(manifest),
        }
    }

    /// The chunks of a file of `size` bytes, from its manifest or because it is one chunk.
    ///
    /// Whether a single chunk is there shows when it is read.
    pub fn chunks(&self, file: FileId, size: u64) -> Result<ChunkCursor<'_, Self>, ContentError> {
        match self.find(file)? {
            Some(manifest) if manifest.size != size => {
                Err(ContentError::Size { file, expected: size, found: manifest.size })
            }
            Some(manifest) => Ok(ChunkCursor::new(&manifest, self)),
            None if size > CHUNK_BYTES_MAX as u64 => Err(ContentError::Missing { file }),
            None => Ok(ChunkCursor::without_manifest(file, size, self)),
        }
    }

    /// Whether all content of a file is here, or at least its manifest and so, once, all of it.
    pub fn has_file(&self, file: FileId, size: u64) -> Result<bool, ContentError> {
        let known = size == 0
            || self.snapshot.contains(Space::Manifests, &verified_key(file))?
            || self.snapshot.has_chunk(ChunkId::from(file))?;
        Ok(known)
    }
}

impl ManifestSource for StoredManifests<'_> {
    type Error = NodeError;

    fn manifest_node(&self, node: ManifestNodeId) -> Result<ManifestNode, NodeError> {
        let found = self.snapshot.with(Space::ManifestNodes, node.as_bytes(), |bytes| {
            if ManifestNode::id_of(bytes) != node {
                return Err(NodeError::Hash { node });
            }
            ManifestNode::decode(bytes).map_err(|source| NodeError::Damaged { node, source })
        });
        found.map_err(|source| NodeError::Store { source })?.unwrap_or(Err(NodeError::Missing { node }))
    }
}
