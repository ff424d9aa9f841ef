//! Trees that were computed and are not stored yet, so that a plan can be made before anything is
//! changed.

use crate::app::error::AppError;
use crate::base::id::{CommitId, MetadataId, TreeId};
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::{TreeEdit, edit_tree};
use crate::repo::{Edit, RepoError, View};
use std::collections::HashMap;

/// The nodes of trees that are not stored yet, on top of those that are, with metadata they name.
pub struct DrawnTrees<'a> {
    view: &'a View,
    nodes: HashMap<TreeId, Vec<u8>>,
    metadata: HashMap<MetadataId, Metadata>,
}

impl<'a> DrawnTrees<'a> {
    /// None yet.
    pub fn over(view: &'a View) -> Self {
        Self { view, nodes: HashMap::new(), metadata: HashMap::new() }
    }

    /// What edits, which come in tree order, make of a tree that is stored or drawn.
    pub fn draw(&mut self, base: TreeId, edits: Vec<TreeEdit>) -> Result<TreeId, AppError> {
        let mut made = Vec::new();
        let mut keep = |id, bytes: Vec<u8>| -> Result<(), RepoError> {
            made.push((id, bytes));
            Ok(())
        };
        let tree = edit_tree(&*self, base, edits, &mut keep).map_err(AppError::from_edit)?;
        self.nodes.extend(made);
        Ok(tree)
    }

    /// Takes metadata that trees name and that is not stored yet.
    pub fn keep_metadata(&mut self, metadata: impl IntoIterator<Item = Metadata>) {
        self.metadata.extend(metadata.into_iter().map(|metadata| (metadata.id(), metadata)));
    }

    /// Stores them.
    pub fn put(&self, edit: &mut Edit) -> Result<(), RepoError> {
        self.metadata.values().try_for_each(|metadata| edit.put_metadata(metadata).map(drop))?;
        self.nodes.iter().try_for_each(|(id, bytes)| edit.put_tree_node(*id, bytes))
    }
}

impl ObjectSource for DrawnTrees<'_> {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        match self.nodes.get(&id) {
            Some(bytes) => TreeNode::decode(bytes).map_err(|source| RepoError::Damaged {
                kind: "tree",
                id: id.to_string(),
                source,
            }),
            None => self.view.tree_node(id),
        }
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        self.metadata.get(&id).map_or_else(|| self.view.metadata(id), |metadata| Ok(metadata.clone()))
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        self.view.commit(id)
    }
}
