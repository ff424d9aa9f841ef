//! Walks the chunk list of a manifest, looks places up in it, and checks the whole manifest.
//!
//! Nodes are loaded one path at a time. Each is compared with what the node above says of it, so a
//! list that does not add up, or that a writer would have cut otherwise, is an error at the node
//! where that shows, and no chunk ever appears at a wrong offset.

use crate::base::id::{ChunkId, FileId, ManifestNodeId};
use crate::object::chunker::CHUNK_BYTES_MAX;
use crate::object::manifest::{ChunkChild, ChunkEntry, ChunkList, Manifest, ManifestNode, is_complete};
use crate::object::manifest_values::ValueCursor;

/// Gives out verified manifest nodes by id.
///
/// The bytes were hashed against the id when they were stored or now; a missing or damaged node is
/// an error that names it. Callable from several threads.
pub trait ManifestSource: Sync {
    /// Why a node could not be had.
    type Error: std::error::Error + Send + Sync + 'static;

    /// One node.
    fn manifest_node(&self, id: ManifestNodeId) -> Result<ManifestNode, Self::Error>;
}

/// Why a manifest could not be read or believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError<E: std::error::Error + 'static> {
    /// A node could not be had.
    #[error("a part of the manifest of file {file} cannot be read")]
    Source { file: FileId, source: E },
    /// A node is not what the one above it says, or not what a writer would have written there.
    #[error("node {node} does not fit into the manifest of file {file}")]
    Misfit { file: FileId, node: ManifestNodeId },
    /// The chaining values in the manifest do not merge to the id of its file.
    #[error("the hashes in the manifest of file {file} are not those of that file")]
    Values { file: FileId },
}

/// One chunk and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkSpan {
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// The chunk.
    pub id: ChunkId,
    /// Its length in bytes.
    pub length: u32,
}

impl ChunkSpan {
    /// The first byte after it.
    pub fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }
}

/// What stands next in a chunk list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkItem {
    /// A node that has not been loaded.
    Subtree { child: ChunkChild, level: u8 },
    /// A chunk.
    Chunk(ChunkSpan),
}

/// A part of a chunk list that has been loaded, and how much of it is behind.
#[derive(Debug, Clone)]
enum Frame {
    /// `level` is that of the nodes pointed to; `last` says that nothing follows on their level.
    Nodes {
        level: u8,
        children: Vec<ChunkChild>,
        next: usize,
        last: bool,
    },
    Chunks {
        entries: Vec<ChunkEntry>,
        next: usize,
    },
}

/// Walks a chunk list from left to right and loads only what it enters.
///
/// As an iterator it enters everything and yields every chunk. After an error it has ended.
#[derive(Debug)]
pub struct ChunkCursor<'a, S> {
    source: &'a S,
    file: FileId,
    offset: u64,
    /// The path from the root; the last frame always has something ahead.
    path: Vec<Frame>,
}

impl<'a, S: ManifestSource> ChunkCursor<'a, S> {
    /// Starts at the first chunk.
    pub fn new(manifest: &Manifest, source: &'a S) -> Self {
        let frame = match &manifest.chunks {
            ChunkList::Here(entries) => Frame::Chunks { entries: entries.clone(), next: 0 },
            ChunkList::InNodes { root, level, chunks } => {
                let child = ChunkChild { id: *root, bytes: manifest.size, chunks: *chunks };
                Frame::Nodes { level: *level, children: vec![child], next: 0, last: true }
            }
        };
        Self { source, file: manifest.file, offset: 0, path: vec![frame] }
    }

    /// Walks a file that has no manifest: one chunk, or none when it is empty.
    ///
    /// A size that no single chunk can have is treated as the longest one's; the caller has no
    /// manifest for a file that needs one, and reading the chunk will say so.
    pub fn without_manifest(file: FileId, size: u64, source: &'a S) -> Self {
        let length = size.min(CHUNK_BYTES_MAX as u64) as u32;
        let entry = ChunkEntry { id: ChunkId::from(file), length };
        let frame = Frame::Chunks { entries: vec![entry], next: 0 };
        let path = if size == 0 { Vec::new() } else { vec![frame] };
        Self { source, file, offset: 0, path }
    }

    /// Where the next item begins, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What stands next; `None` at the end.
    pub fn peek(&self) -> Option<ChunkItem> {
        Some(match self.path.last()? {
            Frame::Nodes { level, children, next, .. } => {
                ChunkItem::Subtree { child: *children.get(*next)?, level: *level }
            }
            Frame::Chunks { entries, next } => {
                let entry = entries.get(*next)?;
                ChunkItem::Chunk(ChunkSpan { offset: self.offset, id: entry.id, length: entry.length })
            }
        })
    }

    /// Goes past what stands next without loading it.
    pub fn pass(&mut self) {
        match self.path.last_mut() {
            Some(Frame::Nodes { children, next, .. }) => {
                self.offset += children[*next].bytes;
                *next += 1;
            }
            Some(Frame::Chunks { entries, next }) => {
                self.offset += u64::from(entries[*next].length);
                *next += 1;
            }
            None => {}
        }
        while self.path.last().is_some_and(Frame::is_behind) {
            self.path.pop();
        }
    }

    /// Loads the node that stands next, so that its first child stands next; does nothing when that
    /// is a chunk or the end.
    pub fn enter(&mut self) -> Result<(), ManifestError<S::Error>> {
        let is_root = self.path.len() == 1;
        let Some(Frame::Nodes { level, children, next, last }) = self.path.last_mut() else {
            return Ok(());
        };
        let (child, level) = (children[*next], *level);
        *next += 1;
        let is_last = *last && *next == children.len();
        let node = self.source.manifest_node(child.id);
        let frame =
            node.map_err(|source| ManifestError::Source { file: self.file, source }).and_then(|node| {
                let frame = frame_of(node, &child, level, is_last);
                let frame = frame.filter(|frame| !is_root || frame.may_be_root());
                frame.ok_or(ManifestError::Misfit { file: self.file, node: child.id })
            });
        match frame {
            Ok(frame) => self.path.push(frame),
            Err(error) => {
                self.path.clear();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Goes on to the chunk that holds byte `offset`, or to the end when no later chunk does.
    pub fn seek(&mut self, offset: u64) -> Result<(), ManifestError<S::Error>> {
        while let Some(item) = self.peek() {
            let length = match item {
                ChunkItem::Subtree { child, .. } => child.bytes,
                ChunkItem::Chunk(span) => u64::from(span.length),
            };
            if self.offset + length <= offset {
                self.pass();
            } else if matches!(item, ChunkItem::Subtree { .. }) {
                self.enter()?;
            } else {
                break;
            }
        }
        Ok(())
    }
}

impl<S: ManifestSource> Iterator for ChunkCursor<'_, S> {
    type Item = Result<ChunkSpan, ManifestError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.peek()? {
                ChunkItem::Chunk(span) => {
                    self.pass();
                    return Some(Ok(span));
                }
                ChunkItem::Subtree { .. } => {
                    if let Err(error) = self.enter() {
                        return Some(Err(error));
                    }
                }
            }
        }
    }
}

impl Frame {
    fn is_behind(&self) -> bool {
        match self {
            Self::Nodes { children, next, .. } => *next == children.len(),
            Self::Chunks { entries, next } => *next == entries.len(),
        }
    }

    /// A root with one child would be no root.
    fn may_be_root(&self) -> bool {
        !matches!(self, Self::Nodes { children, .. } if children.len() < 2)
    }
}

/// The frame for a node, if it is what its parent says and, unless it is the last, complete.
fn frame_of(node: ManifestNode, expected: &ChunkChild, level: u8, last: bool) -> Option<Frame> {
    let (bytes, chunks, complete, frame) = match node {
        ManifestNode::Chunks(entries) if level == 0 => {
            let bytes: u64 = entries.iter().map(|entry| u64::from(entry.length)).sum();
            let complete = is_complete(entries.len(), entries.last()?.id.as_bytes());
            (bytes, entries.len() as u64, complete, Frame::Chunks { entries, next: 0 })
        }
        ManifestNode::ChunkNodes { level: found, children } if found == level && level > 0 => {
            let bytes: u64 = children.iter().map(|child| child.bytes).sum();
            // No more chunks than bytes lie below a child, so this sum cannot overflow either.
            let chunks: u64 = children.iter().map(|child| child.chunks).sum();
            let complete = is_complete(children.len(), children.last()?.id.as_bytes());
            (bytes, chunks, complete, Frame::Nodes { level: level - 1, children, next: 0, last })
        }
        _ => return None,
    };
    (bytes == expected.bytes && chunks == expected.chunks && (last || complete)).then_some(frame)
}

/// Checks everything about a manifest that can be checked without content.
///
/// The chunks must add up to the size, the chaining values must merge to the file's id, and every
/// node must be the one that a writer would have written. A file of one MiB or less has no chaining
/// values: only its content can confirm what its manifest claims.
pub fn check<S: ManifestSource>(manifest: &Manifest, source: &S) -> Result<(), ManifestError<S::Error>> {
    for span in ChunkCursor::new(manifest, source) {
        span?;
    }
    for value in ValueCursor::new(manifest, source, 0) {
        value?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::chunker::ChunkerParameters;
    use crate::object::file_hash::{ChainingValue, ValueMerger, value_count};
    use crate::object::manifest::ValueList;
    use crate::object::manifest_build::ManifestBuilder;
    use std::collections::{BTreeMap, BTreeSet};
    use std::convert::Infallible;

    #[derive(Debug, Default)]
    struct Nodes(BTreeMap<ManifestNodeId, Vec<u8>>);

    #[derive(Debug, PartialEq, Eq, thiserror::Error)]
    #[error("no node {0}")]
    struct Missing(ManifestNodeId);

    impl ManifestSource for Nodes {
        type Error = Missing;

        fn manifest_node(&self, id: ManifestNodeId) -> Result<ManifestNode, Missing> {
            let bytes = self.0.get(&id).ok_or(Missing(id))?;
            Ok(ManifestNode::decode(bytes).expect("a node that the writer wrote"))
        }
    }

    impl Nodes {
        fn put(&mut self, node: &ManifestNode) -> ManifestNodeId {
            let bytes = node.encode();
            let id = ManifestNode::id_of(&bytes);
            self.0.insert(id, bytes);
            id
        }
    }

    fn entry(number: u64) -> ChunkEntry {
        let length = 16_384 + (number * 7919 % 180_000) as u32;
        ChunkEntry { id: ChunkId::of(&number.to_le_bytes()), length }
    }

    /// A manifest of these chunks, with made-up values that merge to a made-up file id.
    fn build(chunks: impl IntoIterator<Item = ChunkEntry>) -> (Manifest, Nodes) {
        let mut nodes = Nodes::default();
        let mut emit = |id, bytes| {
            nodes.0.insert(id, bytes);
            Ok::<(), Infallible>(())
        };
        let mut builder = ManifestBuilder::new();
        for chunk in chunks {
            builder.push_chunk(chunk, &mut emit).unwrap_or_else(|never| match never {});
        }
        let mut merger = ValueMerger::default();
        for index in 0..value_count(builder.size()) {
            let value = ChainingValue::from_bytes(*blake3::hash(&index.to_le_bytes()).as_bytes());
            merger.push(value);
            builder.push_value(value, &mut emit).unwrap_or_else(|never| match never {});
        }
        let file = merger.finish_file().unwrap_or_else(FileId::empty);
        let manifest = builder
            .finish(file, ChunkerParameters::default().id(), &mut emit)
            .unwrap_or_else(|never| match never {})
            .expect("several chunks");
        assert_eq!(Manifest::decode(&manifest.encode()).as_ref(), Ok(&manifest));
        (manifest, nodes)
    }

    #[test]
    fn every_chunk_and_value_of_short_and_long_lists_is_found_again() {
        for count in [2, 63, 64, 65, 66, 1000, 1500, 40_000] {
            let (manifest, nodes) = build((0..count).map(entry));
            assert_eq!(check(&manifest, &nodes), Ok(()), "{count} chunks");
            assert_eq!(manifest.chunk_count(), count);
            let mut offset = 0;
            let mut numbers = 0..count;
            for span in ChunkCursor::new(&manifest, &nodes) {
                let span = span.expect("a sound list");
                let entry = entry(numbers.next().expect("no chunk too many"));
                assert_eq!(span, ChunkSpan { offset, id: entry.id, length: entry.length });
                offset = span.end();
            }
            assert_eq!((numbers.next(), offset), (None, manifest.size));
            let values = ValueCursor::new(&manifest, &nodes, 0).count() as u64;
            assert_eq!(values, value_count(manifest.size));
        }
    }

    #[test]
    fn a_chunk_is_found_by_any_offset_in_it() {
        let (manifest, nodes) = build((0..5000).map(entry));
        let spans: Vec<_> =
            ChunkCursor::new(&manifest, &nodes).collect::<Result<_, _>>().expect("a sound list");
        for span in spans.iter().step_by(97) {
            for offset in [span.offset, span.offset + 1, span.end() - 1] {
                let mut cursor = ChunkCursor::new(&manifest, &nodes);
                cursor.seek(offset).expect("a sound list");
                assert_eq!(cursor.peek(), Some(ChunkItem::Chunk(*span)));
            }
        }
        let mut cursor = ChunkCursor::new(&manifest, &nodes);
        cursor.seek(manifest.size).expect("a sound list");
        assert_eq!((cursor.peek(), cursor.offset()), (None, manifest.size));
    }

    #[test]
    fn values_are_found_from_any_place_and_load_one_path_only() {
        // 200 MB chunks do not exist; a list this long made of small ones would be slow to build.
        let large = |number| ChunkEntry { id: entry(number).id, length: 4 << 20 };
        let (manifest, mut nodes) = build((0..800).map(large));
        assert_eq!(value_count(manifest.size), 3200);
        let all: Vec<_> =
            ValueCursor::new(&manifest, &nodes, 0).collect::<Result<_, _>>().expect("sound values");
        for first in [0, 1, 1023, 1024, 2048, 3071, 3072, 3199] {
            let rest: Result<Vec<_>, _> = ValueCursor::new(&manifest, &nodes, first).collect();
            assert_eq!(rest.as_deref(), Ok(&all[first as usize..]));
        }
        assert!(ValueCursor::new(&manifest, &nodes, 3200).next().is_none());
        let ValueList::InNodes { root } = manifest.values else { unreachable!("more than 64 values") };
        let ManifestNode::ValueNodes { children, .. } = nodes.manifest_node(root).expect("the root") else {
            unreachable!("more than 1,024 values")
        };
        nodes.0.remove(&children[0].id);
        assert_eq!(ValueCursor::new(&manifest, &nodes, 1024).next(), Some(Ok(all[1024])));
        assert!(matches!(
            ValueCursor::new(&manifest, &nodes, 3).next(),
            Some(Err(ManifestError::Source { .. }))
        ));
    }

    #[test]
    fn an_edit_in_a_long_list_rewrites_a_handful_of_nodes() {
        let (_, before) = build((0..200_000).map(entry));
        let edited = |number| {
            if number == 123_456 { ChunkEntry { length: 5, ..entry(1 << 40) } } else { entry(number) }
        };
        let (_, after) = build((0..200_000).map(edited));
        let chunk_nodes = |nodes: &Nodes| -> BTreeSet<ManifestNodeId> {
            let is_chunks = |bytes: &[u8]| bytes[1] <= 2;
            nodes.0.iter().filter(|(_, bytes)| is_chunks(bytes)).map(|(id, _)| *id).collect()
        };
        let (before, after) = (chunk_nodes(&before), chunk_nodes(&after));
        let new = after.difference(&before).count();
        assert!(after.len() > 700 && new <= 6, "{new} of {} nodes are new", after.len());
    }

    /// Replaces the root of the chunk list by what `change` makes of it.
    fn with_root(change: impl Fn(&mut Vec<ChunkChild>, &mut Nodes)) -> Result<(), ManifestError<Missing>> {
        let (mut manifest, mut nodes) = build((0..2000).map(entry));
        let ChunkList::InNodes { root, .. } = &mut manifest.chunks else { unreachable!("a long list") };
        let Ok(ManifestNode::ChunkNodes { level, mut children }) = nodes.manifest_node(*root) else {
            unreachable!("a list of several nodes")
        };
        change(&mut children, &mut nodes);
        *root = nodes.put(&ManifestNode::ChunkNodes { level, children });
        check(&manifest, &nodes)
    }

    #[test]
    fn nodes_that_lie_about_what_is_below_are_refused() {
        assert_eq!(with_root(|_, _| {}), Ok(()));
        let moved_bytes = with_root(|children, _| {
            children[0].bytes += 1;
            children[1].bytes -= 1;
        });
        assert!(matches!(moved_bytes, Err(ManifestError::Misfit { .. })));
        let more_chunks = with_root(|children, _| children[0].chunks += 1);
        assert!(matches!(more_chunks, Err(ManifestError::Misfit { .. })));
        let missing = with_root(|children, nodes| drop(nodes.0.remove(&children[1].id)));
        assert!(matches!(missing, Err(ManifestError::Source { .. })));
    }

    #[test]
    fn a_list_cut_at_other_places_is_refused() {
        let recut = with_root(|children, nodes| {
            let Ok(ManifestNode::Chunks(mut first)) = nodes.manifest_node(children[0].id) else {
                unreachable!("leaves lie right below")
            };
            let second = first.split_off(first.len() / 2);
            for (at, part) in [first, second].into_iter().enumerate() {
                let bytes = part.iter().map(|entry| u64::from(entry.length)).sum();
                let chunks = part.len() as u64;
                let child = ChunkChild { id: nodes.put(&ManifestNode::Chunks(part)), bytes, chunks };
                if at == 0 { children[0] = child } else { children.insert(1, child) }
            }
        });
        assert!(matches!(recut, Err(ManifestError::Misfit { .. })));
    }

    #[test]
    fn values_of_another_file_are_refused() {
        let (mut manifest, nodes) = build((0..2000).map(entry));
        let (other, other_nodes) = build((1..2001).map(entry));
        assert_eq!(check(&manifest, &nodes), Ok(()));
        manifest.file = FileId::empty();
        assert_eq!(check(&manifest, &nodes), Err(ManifestError::Values { file: FileId::empty() }));
        manifest.file = other.file;
        manifest.values = other.values;
        assert!(check(&manifest, &other_nodes).is_err(), "its chunk nodes are not there");
    }
}
