//! Where differences get their bytes from: the store, a file on disk, or memory.

use crate::base::id::{ChunkId, FileId, ManifestNodeId};
use crate::base::monitor::{Advance, Monitor};
use crate::diff::DiffError;
use crate::diff::bytes::{Part, PartId, parts_of_manifest, parts_of_node};
use crate::diff::model::ContentAccess;
use crate::object::chunker::{CHUNK_BYTES_MAX, Chunker, ChunkerParameters};
use crate::object::manifest::{ChunkEntry, ManifestNode};
use crate::object::manifest_build::ManifestBuilder;
use crate::object::manifest_read::ManifestSource as _;
use crate::repo::View;
use crate::repo::content::ContentError;
use crate::repo::extract::Extractor;
use crate::store::Space;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;

/// How much of a file on disk is read at once while its chunks are looked for, in bytes.
const WINDOW_BYTES: usize = 1 << 20;
/// Most bytes of manifest nodes that are kept of one file on disk, beyond those that are in the
/// store already: enough for 40 GB of new content. Beyond, whole nodes count as changed.
const NODE_BYTES_MAX: usize = 32 << 20;

/// Longest stored file that is read whole at the first touch, in bytes: every read verifies whole
/// chunks, so reading a small file in pieces costs more than having it.
const WHOLE_BYTES_MAX: u64 = 256 << 10;

/// Content of the store.
pub struct StoredAccess<'a> {
    view: &'a View,
    extractor: &'a Extractor<'a>,
    file: FileId,
    size: u64,
    whole: OnceCell<Vec<u8>>,
}

impl<'a> StoredAccess<'a> {
    /// Takes a file by its id and length in bytes; its manifest is read from `view`.
    pub fn new(view: &'a View, extractor: &'a Extractor<'a>, file: FileId, size: u64) -> Self {
        Self { view, extractor, file, size, whole: OnceCell::new() }
    }

    fn read_range(&self, range: Range<u64>) -> Result<Vec<u8>, DiffError> {
        let mut bytes = Vec::new();
        self.extractor.read_range(self.file, self.size, range, &mut bytes).map_err(failure)?;
        Ok(bytes)
    }

    fn whole(&self) -> Result<&[u8], DiffError> {
        if let Some(bytes) = self.whole.get() {
            return Ok(bytes);
        }
        let bytes = self.read_range(0..self.size)?;
        Ok(self.whole.get_or_init(|| bytes))
    }
}

impl ContentAccess for StoredAccess<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), DiffError> {
        if self.size <= WHOLE_BYTES_MAX {
            return copy_part(self.whole()?, offset, into);
        }
        let bytes = self.read_range(offset..offset.saturating_add(into.len() as u64))?;
        copy_part(&bytes, 0, into)
    }

    fn parts(&self) -> Result<Vec<Part>, DiffError> {
        let manifest = self.view.manifest(self.file).map_err(|error| failure(error.into()))?;
        match manifest {
            Some(manifest) => Ok(parts_of_manifest(&manifest)),
            None if self.size > CHUNK_BYTES_MAX as u64 => {
                Err(failure(ContentError::Missing { file: self.file }))
            }
            None if self.size == 0 => Ok(Vec::new()),
            None => Ok(vec![Part { id: PartId::Chunk(ChunkId::from(self.file)), bytes: self.size }]),
        }
    }

    fn parts_of(&self, node: ManifestNodeId) -> Result<Vec<Part>, DiffError> {
        let node = self.view.manifest_node(node).map_err(|error| failure(error.into()))?;
        Ok(parts_of_node(&node))
    }
}

/// A file on disk. Its chunks are looked for only when somebody asks what it consists of; then it
/// is read once from end to end.
pub struct DiskAccess<'a> {
    view: &'a View,
    monitor: &'a dyn Monitor,
    parameters: ChunkerParameters,
    file: File,
    size: u64,
    chunks: OnceCell<DiskChunks>,
}

/// Looks at the bytes of one chunk.
type EachChunk<'c> = dyn FnMut(&[u8]) -> Result<(), DiffError> + 'c;

/// What a file on disk consists of.
#[derive(Default)]
struct DiskChunks {
    parts: Vec<Part>,
    /// Nodes that the store does not have.
    nodes: HashMap<ManifestNodeId, Vec<u8>>,
    node_bytes: usize,
    /// How many bytes of the file lie below the nodes that were too many to keep.
    passed_over: HashMap<ManifestNodeId, u64>,
}

impl<'a> DiskAccess<'a> {
    /// Takes an open file as long as it is now. Nodes that the store has are read from `view`.
    pub fn new(
        file: File,
        view: &'a View,
        parameters: ChunkerParameters,
        monitor: &'a dyn Monitor,
    ) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { view, monitor, parameters, file, size, chunks: OnceCell::new() })
    }

    fn chunks(&self) -> Result<&DiskChunks, DiffError> {
        if let Some(chunks) = self.chunks.get() {
            return Ok(chunks);
        }
        let chunks = self.find_chunks()?;
        Ok(self.chunks.get_or_init(|| chunks))
    }

    fn find_chunks(&self) -> Result<DiskChunks, DiffError> {
        let mut found = DiskChunks::default();
        let mut builder = ManifestBuilder::new();
        let mut only = None;
        self.each_chunk(&mut |bytes| {
            // No chunk is longer than `CHUNK_BYTES_MAX`.
            let entry = ChunkEntry { id: ChunkId::of(bytes), length: bytes.len() as u32 };
            only = Some(entry);
            builder.push_chunk(entry, &mut |id, node| self.keep(&mut found, id, node))
        })?;
        // Nobody asks this manifest which file it makes.
        let (file, chunker) = (FileId::empty(), self.parameters.id());
        let manifest = builder.finish(file, chunker, &mut |id, node| self.keep(&mut found, id, node))?;
        found.parts = match (manifest, only) {
            (Some(manifest), _) => parts_of_manifest(&manifest),
            (None, Some(entry)) => vec![Part::from(&entry)],
            (None, None) => Vec::new(),
        };
        Ok(found)
    }

    /// Keeps a node unless the store has it.
    fn keep(&self, chunks: &mut DiskChunks, id: ManifestNodeId, node: Vec<u8>) -> Result<(), DiffError> {
        let is_stored = self.view.snapshot().contains(Space::ManifestNodes, id.as_bytes());
        if is_stored.map_err(|error| failure(error.into()))? {
            return Ok(());
        }
        if chunks.node_bytes + node.len() > NODE_BYTES_MAX {
            let parts = decode_parts(id, &node)?;
            chunks.passed_over.insert(id, parts.iter().map(|part| part.bytes).sum());
            return Ok(());
        }
        chunks.node_bytes += node.len();
        chunks.nodes.insert(id, node);
        Ok(())
    }

    /// Reads the file from end to end and hands out its chunks.
    fn each_chunk(&self, each: &mut EachChunk<'_>) -> Result<(), DiffError> {
        let mut chunker = Chunker::new(&self.parameters);
        let mut window = vec![0; WINDOW_BYTES];
        let mut chunk: Vec<u8> = Vec::new();
        let mut offset = 0;
        while offset < self.size {
            if self.monitor.is_cancelled() {
                return Err(DiffError::Cancelled);
            }
            let length = (self.size - offset).min(WINDOW_BYTES as u64) as usize;
            let bytes = &mut window[..length];
            self.read_at(offset, bytes)?;
            let mut start = 0;
            for end in chunker.cut_all(bytes) {
                chunk.extend_from_slice(&bytes[start..end]);
                each(&chunk)?;
                chunk.clear();
                start = end;
            }
            chunk.extend_from_slice(&bytes[start..]);
            offset += length as u64;
            self.monitor.advance(Advance { bytes: length as u64, ..Advance::default() });
        }
        if !chunk.is_empty() {
            each(&chunk)?;
        }
        Ok(())
    }
}

impl ContentAccess for DiskAccess<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), DiffError> {
        use std::os::unix::fs::FileExt as _;
        match self.file.read_exact_at(into, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(too_short()),
            other => other.map_err(|source| failure(ContentError::Read { source })),
        }
    }

    fn parts(&self) -> Result<Vec<Part>, DiffError> {
        Ok(self.chunks()?.parts.clone())
    }

    fn parts_of(&self, node: ManifestNodeId) -> Result<Vec<Part>, DiffError> {
        let chunks = self.chunks()?;
        if let Some(bytes) = chunks.nodes.get(&node) {
            return decode_parts(node, bytes);
        }
        if let Some(bytes) = chunks.passed_over.get(&node) {
            // Its id stands for all of it, and nothing in the store is called so.
            let id = PartId::Chunk(ChunkId::from_bytes(*node.as_bytes()));
            return Ok(vec![Part { id, bytes: *bytes }]);
        }
        let node = self.view.manifest_node(node).map_err(|error| failure(error.into()))?;
        Ok(parts_of_node(&node))
    }
}

/// A few bytes in memory: the target of a link on disk.
pub struct MemoryAccess(pub Vec<u8>);

impl ContentAccess for MemoryAccess {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<(), DiffError> {
        copy_part(&self.0, offset, into)
    }

    fn parts(&self) -> Result<Vec<Part>, DiffError> {
        let whole = Part { id: PartId::Chunk(ChunkId::of(&self.0)), bytes: self.size() };
        Ok(Some(whole).filter(|part| part.bytes > 0).into_iter().collect())
    }

    fn parts_of(&self, node: ManifestNodeId) -> Result<Vec<Part>, DiffError> {
        Err(DiffError::MalformedManifest { node })
    }
}

fn decode_parts(id: ManifestNodeId, node: &[u8]) -> Result<Vec<Part>, DiffError> {
    let node = ManifestNode::decode(node).map_err(|_| DiffError::MalformedManifest { node: id })?;
    Ok(parts_of_node(&node))
}

fn failure(error: ContentError) -> DiffError {
    match error {
        ContentError::Cancelled => DiffError::Cancelled,
        other => DiffError::Content(Box::new(other)),
    }
}

/// Fills `into` from `offset` on, or fails when there is not as much.
fn copy_part(bytes: &[u8], offset: u64, into: &mut [u8]) -> Result<(), DiffError> {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = start.saturating_add(into.len());
    into.copy_from_slice(bytes.get(start..end).ok_or_else(too_short)?);
    Ok(())
}

/// The file ended before what was asked for: it became shorter, or never had that length.
fn too_short() -> DiffError {
    DiffError::Content(Box::new(io::Error::from(io::ErrorKind::UnexpectedEof)))
}
