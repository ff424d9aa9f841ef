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

    /// The level below: what the nodes of this one list.
    fn lower<E>(self, source: &dyn Nodes<E>, entered: &mut Entered<'_, E>) -> Result<Self, E> {
        let mut below = Self { level: self.level - 1, nodes: Vec::new(), chunks: Vec::new() };
        for child in &self.nodes {
            let node = source.node(child.id)?;
            entered((child.id, node.is_some()))?;
            match node {
                Some(ManifestNode::ChunkNodes { children, .. }) => below.nodes.extend(children),
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
        if known.contains(&id) {
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
