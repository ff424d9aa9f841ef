//! Which chunks and manifest nodes a file has that another file does not.
//!
//! Level by level, nodes that stand in both lists are left unread, so the cost follows the
//! difference. What a very long list leaves open counts as new: that costs a question, no more.

use crate::base::id::{ChunkId, ManifestNodeId};
use crate::object::manifest::{ChunkChild, ChunkEntry, ChunkList, Manifest, ManifestNode, ValueList};
use crate::object::manifest_read::ManifestSource;
use std::collections::HashSet;

/// Chunks of the other file that are kept in mind: some 75 GB of content.
const CHUNKS_KEPT_MAX: usize = 1 << 20;

/// Takes what a file has and the other does not.
pub trait Parts<E> {
    /// A node of the manifest.
    fn node(&mut self, id: ManifestNodeId) -> Result<(), E>;
    /// A chunk.
    fn chunk(&mut self, entry: ChunkEntry) -> Result<(), E>;
    /// A node that is not here; what it lists is not known.
    fn absent(&mut self, id: ManifestNodeId) -> Result<(), E>;
}

/// Where nodes come from: `None` for one that is not here.
pub trait Nodes<E> {
    /// One node.
    fn node(&self, id: ManifestNodeId) -> Result<Option<ManifestNode>, E>;
}

/// Hands out the nodes and chunks of `file` that `before` does not have.
pub fn new_parts<E>(
    source: &dyn Nodes<E>,
    file: &Manifest,
    before: Option<&Manifest>,
    parts: &mut dyn Parts<E>,
) -> Result<(), E> {
    value_parts(source, file, before, parts)?;
    let mut new = Level::of(&file.chunks);
    let mut old = before.map(|before| Level::of(&before.chunks)).unwrap_or_default();
    while new.level > 0 {
        if old.level > new.level {
            old = old.lower(source, &mut |_| Ok(()))?;
            continue;
        }
        if old.level == new.level {
            let shared: HashSet<ManifestNodeId> = {
                let olds: HashSet<ManifestNodeId> = old.nodes.iter().map(|node| node.id).collect();
                new.nodes.iter().map(|node| node.id).filter(|id| olds.contains(id)).collect()
            };
            new.nodes.retain(|node| !shared.contains(&node.id));
            old.nodes.retain(|node| !shared.contains(&node.id));
            if new.level == 1 {
                return leaves(source, &new.nodes, &old, parts);
            }
            old = old.lower(source, &mut |_| Ok(()))?;
        } else if new.level == 1 {
            return leaves(source, &new.nodes, &old, parts);
        }
        let (mut entered, mut absent) = (Vec::new(), Vec::new());
        new = new.lower(source, &mut |(id, is_here)| {
            if is_here {
                entered.push(id);
            } else {
                absent.push(id);
            }
            Ok(())
        })?;
        entered.into_iter().try_for_each(|id| parts.node(id))?;
        absent.into_iter().try_for_each(|id| parts.absent(id))?;
    }
    let known: HashSet<ChunkId> = old.all_chunks(source)?;
    let chunks = new.chunks.into_iter().filter(|entry| !known.contains(&entry.id));
    chunks.into_iter().try_for_each(|entry| parts.chunk(entry))
}

/// One level of a chunk list: nodes whose children are leaves have level 1, chunks level 0.
#[derive(Default)]
struct Level {
    level: u8,
    nodes: Vec<ChunkChild>,
    chunks: Vec<ChunkEntry>,
}

type Entered<'a, E> = dyn FnMut((ManifestNodeId, bool)) -> Result<(), E> + 'a;

impl Level {
    fn of(list: &ChunkList) -> Self {
        match list {
            ChunkList::Here(entries) => Self { level: 0, nodes: Vec::new(), chunks: entries.clone() },
            ChunkList::InNodes { root, level, .. } => {
                let child = ChunkChild { id: *root, bytes: 0, chunks: 0 };
                Self { level: level + 1, nodes: vec![child], chunks: Vec::new() }
            }
        }
    }

    /// The level below: what the nodes of this one list. A node that is listed often, as of a file of which much is
    /// alike, or of one that was made to take up memory, is looked into once.
    fn lower<E>(self, source: &dyn Nodes<E>, entered: &mut Entered<'_, E>) -> Result<Self, E> {
        let mut below = Self { level: self.level - 1, nodes: Vec::new(), chunks: Vec::new() };
        let mut met = HashSet::new();
        for child in &self.nodes {
            let node = source.node(child.id)?;
            entered((child.id, node.is_some()))?;
            match node {
                Some(ManifestNode::ChunkNodes { children, .. }) => {
                    below.nodes.extend(children.into_iter().filter(|child| met.insert(child.id)));
                }
                Some(ManifestNode::Chunks(entries)) if below.chunks.len() < CHUNKS_KEPT_MAX => {
                    below.chunks.extend(entries);
                }
                _ => {}
            }
        }
        Ok(below)
    }

    fn all_chunks<E>(self, source: &dyn Nodes<E>) -> Result<HashSet<ChunkId>, E> {
        let mut level = self;
        while level.level > 0 {
            level = level.lower(source, &mut |_| Ok(()))?;
        }
        Ok(level.chunks.into_iter().map(|entry| entry.id).collect())
    }
}

/// Goes through leaves one by one, so that a list of any length takes little memory.
fn leaves<E>(
    source: &dyn Nodes<E>,
    nodes: &[ChunkChild],
    old: &Level,
    parts: &mut dyn Parts<E>,
) -> Result<(), E> {
    let old = Level { level: old.level, nodes: old.nodes.clone(), chunks: old.chunks.clone() };
    let known = old.all_chunks(source)?;
    for child in nodes {
        match source.node(child.id)? {
            Some(ManifestNode::Chunks(entries)) => {
                parts.node(child.id)?;
                for entry in entries.into_iter().filter(|entry| !known.contains(&entry.id)) {
                    parts.chunk(entry)?;
                }
            }
            Some(_) => parts.node(child.id)?,
            None => parts.absent(child.id)?,
        }
    }
    Ok(())
}

fn value_parts<E>(
    source: &dyn Nodes<E>,
    file: &Manifest,
    before: Option<&Manifest>,
    parts: &mut dyn Parts<E>,
) -> Result<(), E> {
    let ValueList::InNodes { root } = file.values else { return Ok(()) };
    let mut known = HashSet::new();
    if let Some(ValueList::InNodes { root: before }) = before.map(|before| &before.values) {
        each_value_node(source, *before, &mut |id, _| Ok(known.insert(id)))?;
    }
    each_value_node(source, root, &mut |id, is_here| {
        if !known.insert(id) {
            return Ok(false);
        }
        if is_here {
            parts.node(id)?;
        } else {
            parts.absent(id)?;
        }
        Ok(true)
    })
}

/// Visits value nodes from the root down, as far as `visit` says to go on.
fn each_value_node<E>(
    source: &dyn Nodes<E>,
    root: ManifestNodeId,
    visit: &mut dyn FnMut(ManifestNodeId, bool) -> Result<bool, E>,
) -> Result<(), E> {
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        let node = source.node(id)?;
        if visit(id, node.is_some())?
            && let Some(ManifestNode::ValueNodes { children, .. }) = node
        {
            waiting.extend(children.iter().rev().map(|child| child.id));
        }
    }
    Ok(())
}

/// Nodes of a [`ManifestSource`] whose missing ones `is_missing` can tell from other errors.
pub struct NodesOf<'a, S, F> {
    /// Where they are.
    pub source: &'a S,
    /// Whether an error says that a node is not there.
    pub is_missing: F,
}

impl<S: ManifestSource, F: Fn(&S::Error) -> bool> Nodes<S::Error> for NodesOf<'_, S, F> {
    fn node(&self, id: ManifestNodeId) -> Result<Option<ManifestNode>, S::Error> {
        match self.source.manifest_node(id) {
            Ok(node) => Ok(Some(node)),
            Err(error) if (self.is_missing)(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::FileId;
    use crate::object::chunker::ChunkerParameters;
    use crate::object::file_hash::ChainingValue;
    use crate::object::manifest::ValueChild;
    use std::collections::HashMap;
    use std::convert::Infallible;

    #[derive(Default)]
    struct Stored(HashMap<ManifestNodeId, ManifestNode>);

    impl Stored {
        fn put(&mut self, node: ManifestNode) -> ManifestNodeId {
            let id = ManifestNode::id_of(&node.encode());
            self.0.insert(id, node);
            id
        }
    }

    impl Nodes<Infallible> for Stored {
        fn node(&self, id: ManifestNodeId) -> Result<Option<ManifestNode>, Infallible> {
            Ok(self.0.get(&id).cloned())
        }
    }

    #[derive(Default)]
    struct Counted {
        nodes: Vec<ManifestNodeId>,
        chunks: usize,
    }

    impl Parts<Infallible> for Counted {
        fn node(&mut self, id: ManifestNodeId) -> Result<(), Infallible> {
            self.nodes.push(id);
            Ok(())
        }

        fn chunk(&mut self, _: ChunkEntry) -> Result<(), Infallible> {
            self.chunks += 1;
            Ok(())
        }

        fn absent(&mut self, id: ManifestNodeId) -> Result<(), Infallible> {
            unreachable!("{id} is there")
        }
    }

    /// A manifest of a few kilobytes that says it lists 1000^7 chunks.
    fn bomb(stored: &mut Stored) -> Manifest {
        let entry = ChunkEntry { id: ChunkId::of(b"again"), length: 16 };
        let mut chunks = stored.put(ManifestNode::Chunks(vec![entry; 1000]));
        let value = ChainingValue::from_bytes([7; 32]);
        let mut values = stored.put(ManifestNode::Values(vec![value; 1000]));
        for level in 1..=6 {
            let child = ChunkChild { id: chunks, bytes: 16_000, chunks: 1000 };
            chunks = stored.put(ManifestNode::ChunkNodes { level, children: vec![child; 1000] });
            let child = ValueChild { id: values, value };
            values = stored.put(ManifestNode::ValueNodes { level, children: vec![child; 1000] });
        }
        Manifest {
            file: FileId::of(b"a bomb"),
            size: 16_000 << 40,
            chunker: ChunkerParameters::default().id(),
            chunks: ChunkList::InNodes { root: chunks, level: 6, chunks: 1000 << 40 },
            values: ValueList::InNodes { root: values },
        }
    }

    #[test]
    fn a_manifest_that_lists_the_same_nodes_without_end_is_gone_through_once() {
        let mut stored = Stored::default();
        let bomb = bomb(&mut stored);
        let mut counted = Counted::default();
        new_parts(&stored, &bomb, None, &mut counted).unwrap_or_else(|never| match never {});
        let distinct: HashSet<ManifestNodeId> = counted.nodes.iter().copied().collect();
        assert_eq!((distinct.len(), counted.nodes.len(), counted.chunks), (14, 14, 1000));
        // Beside itself there is nothing new in it.
        let mut again = Counted::default();
        new_parts(&stored, &bomb, Some(&bomb), &mut again).unwrap_or_else(|never| match never {});
        assert_eq!((again.nodes.len(), again.chunks), (0, 0));
    }
}
