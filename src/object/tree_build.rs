//! Cuts the entries of a directory into nodes, level by level.
//!
//! Where a node ends depends on the names around it only, so that an edit, an insertion or a
//! removal changes the nodes it touches and their parents, and no others. The idea is that of
//! prolly trees (Noms) and of content-defined chunking.

use crate::base::id::TreeId;
use crate::object::tree::{NODE_ENTRIES_MAX, NODE_ENTRIES_MIN, TreeChild, TreeEntry, TreeNode, ends_node};

/// Builds all nodes of one directory from its entries, which must be sorted by name and unique.
///
/// Hands each node's id and canonical bytes to `emit`, parts before what they are part of, and
/// returns the id of the topmost: the directory's id.
pub fn build_tree<E>(
    entries: impl IntoIterator<Item = TreeEntry>,
    emit: impl FnMut(TreeId, Vec<u8>) -> Result<(), E>,
) -> Result<TreeId, E> {
    let mut builder = TreeBuilder::new(emit);
    for entry in entries {
        builder.push(entry)?;
    }
    Ok(builder.finish()?.id)
}

/// Whether a node of `count` entries that ends with `name` is complete.
fn is_full(count: usize, name: &[u8], level: u8) -> bool {
    count >= NODE_ENTRIES_MAX || (count >= NODE_ENTRIES_MIN && ends_node(name, level))
}

/// What one level above the leaves has gathered so far.
#[derive(Default)]
struct Level {
    /// Children of the node that is being filled.
    pending: Vec<TreeChild>,
    /// Whether a node of this level is complete already.
    has_finished: bool,
}

/// Builds one directory as a stream: never holds more than one unfinished node of each level.
///
/// Complete nodes of an older state of the directory can be taken over whole ([`push_node`]), which
/// is what makes an edit cost what it touches.
///
/// [`push_node`]: TreeBuilder::push_node
pub struct TreeBuilder<F> {
    emit: F,
    entries: Vec<TreeEntry>,
    /// Level 1 first.
    levels: Vec<Level>,
}

impl<E, F: FnMut(TreeId, Vec<u8>) -> Result<(), E>> TreeBuilder<F> {
    /// Starts an empty directory whose nodes go to `emit`.
    pub fn new(emit: F) -> Self {
        Self { emit, entries: Vec::new(), levels: Vec::new() }
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.levels.is_empty()
    }

    /// Adds the next entry; its name must follow all names before it.
    pub fn push(&mut self, entry: TreeEntry) -> Result<(), E> {
        debug_assert!(
            self.entries.last().is_none_or(|last| last.name < entry.name),
            "entries must be sorted"
        );
        let full = is_full(self.entries.len() + 1, &entry.name, 0);
        self.entries.push(entry);
        if full { self.finish_leaf() } else { Ok(()) }
    }

    /// Whether a complete node of `level` (0: a leaf) may be pushed here: no node of that level or
    /// below is half filled.
    pub fn takes_node(&self, level: u8) -> bool {
        self.entries.is_empty()
            && self.levels.iter().take(usize::from(level)).all(|level| level.pending.is_empty())
    }

    /// Takes over a complete node of `level` (0: a leaf) with everything below it.
    ///
    /// It must be complete - so not the last of its level where it comes from - and
    /// [`takes_node`](Self::takes_node) must allow it.
    pub fn push_node(&mut self, level: u8, node: TreeChild) -> Result<(), E> {
        debug_assert!(self.takes_node(level), "a node may only follow complete nodes");
        for below in 0..usize::from(level) {
            self.level(below).has_finished = true;
        }
        self.push_child(usize::from(level), node)
    }

    /// Finishes the directory and says its id, its first name (empty without entries) and how many
    /// entries it has.
    pub fn finish(mut self) -> Result<TreeChild, E> {
        if !self.entries.is_empty() || self.levels.is_empty() {
            self.finish_leaf()?;
        }
        let mut index = 0;
        loop {
            let level = self.level(index);
            let mut pending = std::mem::take(&mut level.pending);
            let whole = !level.has_finished && pending.len() == 1;
            match pending.pop() {
                Some(root) if whole => return Ok(root),
                // A node with one child would say nothing that the child does not say.
                Some(only) if pending.is_empty() => self.push_child(index + 1, only)?,
                Some(last) => {
                    pending.push(last);
                    self.finish_node(index, pending)?;
                }
                None => {}
            }
            index += 1;
        }
    }

    fn level(&mut self, index: usize) -> &mut Level {
        if self.levels.len() <= index {
            self.levels.resize_with(index + 1, Level::default);
        }
        &mut self.levels[index]
    }

    fn finish_leaf(&mut self) -> Result<(), E> {
        let entries = std::mem::take(&mut self.entries);
        let first_name = entries.first().map(|entry| entry.name.clone()).unwrap_or_default();
        let count = entries.len() as u64;
        let id = self.emit(&TreeNode::Leaf(entries))?;
        self.push_child(0, TreeChild { first_name, id, entries: count })
    }

    /// Adds a child to the level with this index; a node that is full by that goes up.
    fn push_child(&mut self, index: usize, child: TreeChild) -> Result<(), E> {
        let level_number = index as u8 + 1;
        let level = self.level(index);
        let full = is_full(level.pending.len() + 1, &child.first_name, level_number);
        level.pending.push(child);
        if !full {
            return Ok(());
        }
        let children = std::mem::take(&mut level.pending);
        self.finish_node(index, children)
    }

    fn finish_node(&mut self, index: usize, children: Vec<TreeChild>) -> Result<(), E> {
        let first_name = children.first().map(|child| child.first_name.clone()).unwrap_or_default();
        let entries = children.iter().map(|child| child.entries).sum();
        let id = self.emit(&TreeNode::Inner { level: index as u8 + 1, children })?;
        self.level(index).has_finished = true;
        self.push_child(index + 1, TreeChild { first_name, id, entries })
    }

    fn emit(&mut self, node: &TreeNode) -> Result<TreeId, E> {
        let bytes = node.encode();
        let id = TreeNode::id_of(&bytes);
        (self.emit)(id, bytes)?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{AssetId, FileId};
    use crate::object::tree::Content;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    fn entry(number: u32) -> TreeEntry {
        TreeEntry {
            name: format!("frame-{number:07}.exr").into_bytes(),
            asset: Some(AssetId::from_bytes([1; 16])),
            metadata: None,
            content: Content::File { id: FileId::from_bytes([2; 32]), size: 1, executable: false },
        }
    }

    fn build(numbers: impl Iterator<Item = u32>) -> (TreeId, BTreeMap<TreeId, Vec<u8>>) {
        let mut nodes = BTreeMap::new();
        let root = build_tree(numbers.map(entry), |id, bytes| {
            nodes.insert(id, bytes);
            Ok::<(), Infallible>(())
        });
        (root.unwrap_or_else(|never| match never {}), nodes)
    }

    fn names_below(id: TreeId, nodes: &BTreeMap<TreeId, Vec<u8>>, into: &mut Vec<Vec<u8>>) {
        match TreeNode::decode(&nodes[&id]).expect("a node that the writer wrote") {
            TreeNode::Leaf(entries) => into.extend(entries.into_iter().map(|entry| entry.name)),
            TreeNode::Inner { children, .. } => {
                for child in children {
                    let before = into.len();
                    names_below(child.id, nodes, into);
                    assert_eq!(into[before], child.first_name);
                    assert_eq!((into.len() - before) as u64, child.entries);
                }
            }
        }
    }

    #[test]
    fn every_entry_of_a_large_directory_is_found_again_in_order() {
        let (root, nodes) = build(0..20_000);
        let mut names = Vec::new();
        names_below(root, &nodes, &mut names);
        assert_eq!(names, (0..20_000).map(|number| entry(number).name).collect::<Vec<_>>());
    }

    #[test]
    fn one_more_entry_among_many_rewrites_a_handful_of_nodes() {
        let (_, before) = build((0..20_000).filter(|number| *number != 9_999));
        let (_, after) = build(0..20_000);
        let new = after.keys().filter(|id| !before.contains_key(id)).count();
        assert!(new <= 8, "{new} of {} nodes are new", after.len());
    }

    #[test]
    fn an_empty_directory_is_one_empty_leaf() {
        let (root, nodes) = build(0..0);
        assert_eq!(nodes.len(), 1);
        assert_eq!(root, TreeNode::empty_id());
    }

    #[test]
    fn a_large_directory_has_its_frozen_id() {
        let ids: Vec<String> =
            [1, 200, 1_000, 20_000, 100_000].iter().map(|n| build(0..*n).0.short()).collect();
        assert_eq!(ids, ["f8f2f40937", "66f4e75f1e", "31b5b3ada7", "42b76f94d0", "ea78dabf26"]);
    }
}
