//! Builds a manifest while its file is being read, in memory that does not grow with the file.

use crate::base::id::{FileId, ManifestNodeId};
use crate::object::chunker::ChunkerId;
use crate::object::file_hash::{ChainingValue, ValueMerger};
use crate::object::manifest::{
    ChunkChild, ChunkEntry, ChunkList, INLINE_ENTRIES_MAX, Manifest, ManifestNode, NODE_ENTRIES_MAX,
    ValueChild, ValueList, is_complete,
};

/// Takes chunks and chaining values from left to right and hands out finished nodes.
///
/// Chunks and values may be pushed in any interleaving. Nodes come lowest first and before anything
/// that points to them. Holds one unfinished node per level.
#[derive(Debug, Default)]
pub struct ManifestBuilder {
    size: u64,
    chunk_count: u64,
    chunks: Vec<ChunkEntry>,
    chunk_nodes: Levels<ChunkChild>,
    values: Vec<ChainingValue>,
    value_nodes: Levels<ValueChild>,
}

impl ManifestBuilder {
    /// Starts at the beginning of a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Length of all chunks taken so far in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next chunk; hands nodes that are now finished, and their ids, to `emit`.
    pub fn push_chunk<E>(
        &mut self,
        entry: ChunkEntry,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.chunks.last().is_some_and(|last| is_complete(self.chunks.len(), last.id.as_bytes())) {
            self.finish_chunks(emit)?;
        }
        self.size += u64::from(entry.length);
        self.chunk_count += 1;
        self.chunks.push(entry);
        Ok(())
    }

    /// Takes the chaining value of the next MiB; hands nodes that are now finished to `emit`.
    pub fn push_value<E>(
        &mut self,
        value: ChainingValue,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.values.len() == NODE_ENTRIES_MAX {
            self.finish_values(emit)?;
        }
        self.values.push(value);
        Ok(())
    }

    /// Hands out the nodes that are left and returns the manifest of `file`.
    ///
    /// `None` when there were fewer than two chunks: such a file has no manifest.
    pub fn finish<E>(
        mut self,
        file: FileId,
        chunker: ChunkerId,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<Option<Manifest>, E> {
        if self.chunk_count < 2 {
            return Ok(None);
        }
        let size = self.size;
        let chunks = if self.chunk_count <= INLINE_ENTRIES_MAX as u64 {
            ChunkList::Here(std::mem::take(&mut self.chunks))
        } else {
            self.finish_chunks(emit)?;
            let (root, level) = std::mem::take(&mut self.chunk_nodes).finish(emit)?;
            ChunkList::InNodes { root, level, chunks: self.chunk_count }
        };
        let values = if self.value_nodes.is_empty() && self.values.len() <= INLINE_ENTRIES_MAX {
            ValueList::Here(self.values)
        } else {
            self.finish_values(emit)?;
            ValueList::InNodes { root: self.value_nodes.finish(emit)?.0 }
        };
        Ok(Some(Manifest { file, size, chunker, chunks, values }))
    }

    /// Makes a node of the chunks that wait; there is at least one.
    fn finish_chunks<E>(
        &mut self,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let entries = std::mem::take(&mut self.chunks);
        let bytes = entries.iter().map(|entry| u64::from(entry.length)).sum();
        let chunks = entries.len() as u64;
        let id = emit_node(&ManifestNode::Chunks(entries), emit)?;
        self.chunk_nodes.push(0, ChunkChild { id, bytes, chunks }, emit)
    }

    /// Makes a node of the values that wait; there is at least one.
    fn finish_values<E>(
        &mut self,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let values = std::mem::take(&mut self.values);
        let value = merge(values.iter().copied());
        let id = emit_node(&ManifestNode::Values(values), emit)?;
        self.value_nodes.push(0, ValueChild { id, value }, emit)
    }
}

/// What the values of neighbours merge to; there is at least one.
#[expect(clippy::expect_used, reason = "no node is empty")]
fn merge(values: impl Iterator<Item = ChainingValue>) -> ChainingValue {
    let mut merger = ValueMerger::default();
    values.for_each(|value| merger.push(value));
    // Every caller has just taken the values of a node, and no node is empty.
    merger.finish_subtree().expect("a node has values")
}

fn emit_node<E>(
    node: &ManifestNode,
    emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
) -> Result<ManifestNodeId, E> {
    let bytes = node.encode();
    let id = ManifestNode::id_of(&bytes);
    emit(id, bytes)?;
    Ok(id)
}

/// A pointer to a node, of which nodes of the next level are made.
trait Child: Copy {
    /// The node that it points to.
    fn id(&self) -> ManifestNodeId;
    /// Whether these make a node that no other may join.
    fn are_complete(children: &[Self]) -> bool;
    /// The node that these make.
    fn node(level: u8, children: Vec<Self>) -> ManifestNode;
    /// A pointer to the node with this id that these make.
    fn parent(id: ManifestNodeId, children: &[Self]) -> Self;
}

impl Child for ChunkChild {
    fn id(&self) -> ManifestNodeId {
        self.id
    }

    fn are_complete(children: &[Self]) -> bool {
        children.last().is_some_and(|last| is_complete(children.len(), last.id.as_bytes()))
    }

    fn node(level: u8, children: Vec<Self>) -> ManifestNode {
        ManifestNode::ChunkNodes { level, children }
    }

    fn parent(id: ManifestNodeId, children: &[Self]) -> Self {
        let bytes = children.iter().map(|child| child.bytes).sum();
        Self { id, bytes, chunks: children.iter().map(|child| child.chunks).sum() }
    }
}

impl Child for ValueChild {
    fn id(&self) -> ManifestNodeId {
        self.id
    }

    fn are_complete(children: &[Self]) -> bool {
        children.len() == NODE_ENTRIES_MAX
    }

    fn node(level: u8, children: Vec<Self>) -> ManifestNode {
        ManifestNode::ValueNodes { level, children }
    }

    fn parent(id: ManifestNodeId, children: &[Self]) -> Self {
        Self { id, value: merge(children.iter().map(|child| child.value)) }
    }
}

/// Pointers that wait to become nodes: those at index `n` point to nodes of level `n`.
#[derive(Debug)]
struct Levels<C>(Vec<Vec<C>>);

impl<C> Default for Levels<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C: Child> Levels<C> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a pointer to a node of level `level`. A complete node is made only when another child
    /// comes, so that no level is ever left without one.
    fn push<E>(
        &mut self,
        mut level: usize,
        mut child: C,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            if level == self.0.len() {
                self.0.push(Vec::new());
            }
            let waiting = &mut self.0[level];
            if !C::are_complete(waiting) {
                waiting.push(child);
                return Ok(());
            }
            let children = std::mem::replace(waiting, vec![child]);
            child = emit_parent(level, children, emit)?;
            level += 1;
        }
    }

    /// Makes nodes of all that waits; returns the topmost and its level.
    fn finish<E>(
        mut self,
        emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
    ) -> Result<(ManifestNodeId, u8), E> {
        let mut level = 0;
        loop {
            let children = std::mem::take(&mut self.0[level]);
            if level + 1 == self.0.len() && children.len() == 1 {
                return Ok((children[0].id(), level as u8));
            }
            let parent = emit_parent(level, children, emit)?;
            level += 1;
            self.push(level, parent, emit)?;
        }
    }
}

fn emit_parent<C: Child, E>(
    level: usize,
    children: Vec<C>,
    emit: &mut impl FnMut(ManifestNodeId, Vec<u8>) -> Result<(), E>,
) -> Result<C, E> {
    let node = C::node(level as u8 + 1, children.clone());
    Ok(C::parent(emit_node(&node, emit)?, &children))
}
