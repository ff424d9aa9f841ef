//! Where floors above get typed objects from, without knowing a store.

use crate::base::id::{CommitId, MetadataId, TreeId};
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::object::tree::TreeNode;

/// Gives out verified objects by id.
///
/// Every method re-hashes or trusts bytes that were re-hashed when they were stored, and fails with
/// an error that names the id when the object is missing or damaged. Callable from several threads.
pub trait ObjectSource: Sync {
    /// Why an object could not be had.
    type Error: std::error::Error + Send + Sync + 'static;

    /// One node of a directory.
    fn tree_node(&self, id: TreeId) -> Result<TreeNode, Self::Error>;
    /// One asset's metadata.
    fn metadata(&self, id: MetadataId) -> Result<Metadata, Self::Error>;
    /// A commit.
    fn commit(&self, id: CommitId) -> Result<Commit, Self::Error>;
}
