//! Trees with foreign content replaced by the files that it was found to be.
//!
//! The entries themselves stay as they are for ever, since ids rest on them. Whoever gives content out
//! or compares it with files looks through [`AtHand`]; whoever makes new trees looks at the
//! [`View`] itself.

use crate::base::id::{CommitId, MetadataId, TreeId};
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeNode};
use crate::repo::error::RepoError;
use crate::repo::view::View;

/// A view whose trees show tied foreign content as files.
pub struct AtHand<'a>(pub &'a View);

impl ObjectSource for AtHand<'_> {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        let mut node = self.0.tree_node(id)?;
        if let TreeNode::Leaf(entries) = &mut node {
            for entry in entries.iter_mut().filter(|entry| matches!(entry.content, Content::Foreign { .. })) {
                entry.content = self.0.at_hand(entry.content.clone())?;
            }
        }
        Ok(node)
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        self.0.metadata(id)
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        self.0.commit(id)
    }
}
