//! How two files differ as bytes: which ranges changed, and how much both share.
//!
//! Nothing is read to find out but the lists of chunks, and of these only what differs: a manifest
//! node that both files have counts as one piece. Where few ranges changed, their edges are then
//! compared byte by byte, since a chunk is tens of kilobytes and the change may be one.

mod ranges;

pub use ranges::{ByteDiff, ByteRange, ChangedRange, diff_parts};

use crate::base::id::{ChunkId, ManifestNodeId};
use crate::diff::DiffError;
use crate::diff::model::ContentAccess;
use crate::object::manifest::{ChunkChild, ChunkEntry, ChunkList, Manifest, ManifestNode};
use std::collections::HashSet;

/// Most pieces of one file that are told apart. A file of 64 GB without anything in common with the
/// other version has about as many; beyond, whole nodes count as changed.
const PARTS_MAX: usize = 1 << 20;
/// Most changed ranges whose edges are compared byte by byte.
const EDGES_MAX: usize = 64;
/// Most bytes compared at each edge: one chunk and some.
const EDGE_BYTES_MAX: u64 = 512 << 10;
/// Bytes compared at a time.
const STEP_BYTES: u64 = 32 << 10;

/// Names a piece of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartId {
    /// One chunk.
    Chunk(ChunkId),
    /// The chunks that a node of a manifest lists.
    Node(ManifestNodeId),
}

/// A piece of a file's content and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Equal ids mean equal bytes.
    pub id: PartId,
    /// How many bytes.
    pub bytes: u64,
}

impl From<&ChunkEntry> for Part {
    fn from(entry: &ChunkEntry) -> Self {
        Self { id: PartId::Chunk(entry.id), bytes: u64::from(entry.length) }
    }
}

impl From<&ChunkChild> for Part {
    fn from(child: &ChunkChild) -> Self {
        Self { id: PartId::Node(child.id), bytes: child.bytes }
    }
}

/// The pieces that a manifest names directly.
pub fn parts_of_manifest(manifest: &Manifest) -> Vec<Part> {
    match &manifest.chunks {
        ChunkList::Here(entries) => entries.iter().map(Part::from).collect(),
        ChunkList::InNodes { root, .. } => vec![Part { id: PartId::Node(*root), bytes: manifest.size }],
    }
}

/// The pieces that a node of a chunk list names; none for a node of another kind.
pub fn parts_of_node(node: &ManifestNode) -> Vec<Part> {
    match node {
        ManifestNode::Chunks(entries) => entries.iter().map(Part::from).collect(),
        ManifestNode::ChunkNodes { children, .. } => children.iter().map(Part::from).collect(),
        ManifestNode::Values(_) | ManifestNode::ValueNodes { .. } => Vec::new(),
    }
}

/// Finds how two files differ as bytes.
pub fn diff_bytes(before: &dyn ContentAccess, after: &dyn ContentAccess) -> Result<ByteDiff, DiffError> {
    let (mut old, mut new) = (before.parts()?, after.parts()?);
    loop {
        let (old_ids, new_ids) = (ids(&old), ids(&new));
        let opened = (open_unshared(before, &mut old, &new_ids)?, open_unshared(after, &mut new, &old_ids)?);
        if opened == (false, false) {
            break;
        }
    }
    let mut diff = diff_parts(&old, &new);
    for changed in diff.ranges.iter_mut().take(EDGES_MAX) {
        trim_front(changed, before, after)?;
        trim_back(changed, before, after)?;
    }
    diff.ranges.retain(|changed| changed.before.bytes > 0 || changed.after.bytes > 0);
    Ok(diff)
}

fn ids(parts: &[Part]) -> HashSet<PartId> {
    parts.iter().map(|part| part.id).collect()
}

/// Replaces nodes that the other file does not have by what they list. Says whether there were any.
fn open_unshared(
    content: &dyn ContentAccess,
    parts: &mut Vec<Part>,
    other: &HashSet<PartId>,
) -> Result<bool, DiffError> {
    let is_unshared = |part: &Part| matches!(part.id, PartId::Node(_)) && !other.contains(&part.id);
    if parts.len() >= PARTS_MAX || !parts.iter().any(is_unshared) {
        return Ok(false);
    }
    let mut opened = Vec::with_capacity(parts.len() * 2);
    let mut has_opened = false;
    for part in parts.iter() {
        match part.id {
            PartId::Node(node) if is_unshared(part) && opened.len() < PARTS_MAX => {
                let inside = content.parts_of(node)?;
                // Lengths that do not add up would put every later range at a wrong place.
                if inside.iter().try_fold(0u64, |sum, part| sum.checked_add(part.bytes)) != Some(part.bytes) {
                    return Err(DiffError::MalformedManifest { node });
                }
                opened.extend(inside);
                has_opened = true;
            }
            _ => opened.push(*part),
        }
    }
    *parts = opened;
    Ok(has_opened)
}

/// Moves the start of a changed range past bytes that are equal on both sides.
fn trim_front(
    changed: &mut ChangedRange,
    before: &dyn ContentAccess,
    after: &dyn ContentAccess,
) -> Result<(), DiffError> {
    let equal = equal_bytes(changed, |equal, step| {
        let old = read(before, changed.before.start + equal, step)?;
        let new = read(after, changed.after.start + equal, step)?;
        Ok(old.iter().zip(&new).take_while(|(old, new)| old == new).count() as u64)
    })?;
    for range in [&mut changed.before, &mut changed.after] {
        range.start += equal;
        range.bytes -= equal;
    }
    Ok(())
}

/// Moves the end of a changed range before bytes that are equal on both sides.
fn trim_back(
    changed: &mut ChangedRange,
    before: &dyn ContentAccess,
    after: &dyn ContentAccess,
) -> Result<(), DiffError> {
    let equal = equal_bytes(changed, |equal, step| {
        let old = read(before, changed.before.end() - equal - step, step)?;
        let new = read(after, changed.after.end() - equal - step, step)?;
        Ok(old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count() as u64)
    })?;
    changed.before.bytes -= equal;
    changed.after.bytes -= equal;
    Ok(())
}

/// How many bytes at an edge of a changed range are equal: `compare` says how many of the next `step`
/// behind the first `equal` ones are.
fn equal_bytes(
    changed: &ChangedRange,
    compare: impl Fn(u64, u64) -> Result<u64, DiffError>,
) -> Result<u64, DiffError> {
    let most = changed.before.bytes.min(changed.after.bytes).min(EDGE_BYTES_MAX);
    let mut equal = 0;
    while equal < most {
        let step = STEP_BYTES.min(most - equal);
        let same = compare(equal, step)?;
        equal += same;
        if same < step {
            break;
        }
    }
    Ok(equal)
}

fn read(content: &dyn ContentAccess, offset: u64, bytes: u64) -> Result<Vec<u8>, DiffError> {
    let mut buffer = vec![0; bytes as usize];
    content.read_at(offset, &mut buffer)?;
    Ok(buffer)
}

#[cfg(test)]
mod tests;
