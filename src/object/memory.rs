//! Objects held in memory: for tests, and for plans whose trees nobody has stored yet.

use crate::base::id::{CommitId, MetadataId, TreeId};
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::{TreeEntry, TreeNode};
use crate::object::tree_build::build_tree;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

/// An object that is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingObject {
    #[error("tree {0} is not here")]
    Tree(TreeId),
    #[error("metadata {0} is not here")]
    Metadata(MetadataId),
    #[error("commit {0} is not here")]
    Commit(CommitId),
}

/// Keeps objects by id and counts how many tree nodes were asked for.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    nodes: HashMap<TreeId, TreeNode>,
    metadata: HashMap<MetadataId, Metadata>,
    commits: HashMap<CommitId, Commit>,
    nodes_read: AtomicU64,
}

impl MemoryObjects {
    /// Keeps one node.
    pub fn put_node(&mut self, node: TreeNode) -> TreeId {
        let id = TreeNode::id_of(&node.encode());
        self.nodes.insert(id, node);
        id
    }

    /// Builds and keeps a directory from sorted entries.
    pub fn put_directory(&mut self, entries: impl IntoIterator<Item = TreeEntry>) -> TreeId {
        let mut nodes = Vec::new();
        let root = build_tree(entries, |_, bytes| {
            nodes.push(bytes);
            Ok::<(), Infallible>(())
        });
        for bytes in nodes {
            self.put_encoded(&bytes);
        }
        root.unwrap_or_else(|never| match never {})
    }

    /// Keeps the node that these canonical bytes say; anything else is passed over.
    pub fn put_encoded(&mut self, bytes: &[u8]) {
        if let Ok(node) = TreeNode::decode(bytes) {
            self.nodes.insert(TreeNode::id_of(bytes), node);
        }
    }

    /// Keeps one asset's metadata.
    pub fn put_metadata(&mut self, metadata: Metadata) -> MetadataId {
        let id = metadata.id();
        self.metadata.insert(id, metadata);
        id
    }

    /// Keeps a commit.
    pub fn put_commit(&mut self, commit: Commit) -> CommitId {
        let id = commit.id();
        self.commits.insert(id, commit);
        id
    }

    /// Forgets one node, as damage would.
    pub fn forget_node(&mut self, id: TreeId) {
        self.nodes.remove(&id);
    }

    /// How many nodes are kept.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many nodes were asked for so far.
    pub fn nodes_read(&self) -> u64 {
        self.nodes_read.load(Ordering::Relaxed)
    }
}

impl ObjectSource for MemoryObjects {
    type Error = MissingObject;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, MissingObject> {
        self.nodes_read.fetch_add(1, Ordering::Relaxed);
        self.nodes.get(&id).cloned().ok_or(MissingObject::Tree(id))
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, MissingObject> {
        self.metadata.get(&id).cloned().ok_or(MissingObject::Metadata(id))
    }

    fn commit(&self, id: CommitId) -> Result<Commit, MissingObject> {
        self.commits.get(&id).cloned().ok_or(MissingObject::Commit(id))
    }
}
