//! Trees and commits on their way: made one after the other, published in batches.

use crate::base::id::{CommitId, MetadataId, TreeId};
use crate::import::error::ImportError;
use crate::import::recent::Recent;
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::{EditError, TreeEdit, edit_tree};
use crate::repo::RepoError;
use crate::store::{ChunkWriter, Space};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries of tree nodes that are kept at hand, decoded: some 200 bytes each.
const ENTRIES_KEPT: usize = 60_000;

/// Trees and commits that were made, those not published yet included.
pub(crate) struct Nodes<'a> {
    writer: &'a ChunkWriter<'a>,
    recent: Mutex<Recent<TreeId, TreeNode>>,
    /// Bytes of nodes that are not published yet.
    pending: Mutex<HashMap<TreeId, Vec<u8>>>,
    /// Bytes of commits that are not published yet.
    pending_commits: Mutex<HashMap<CommitId, Vec<u8>>>,
}

impl<'a> Nodes<'a> {
    /// Begins with what the writer's store has.
    pub fn new(writer: &'a ChunkWriter<'a>) -> Self {
        let recent = Mutex::new(Recent::new(ENTRIES_KEPT));
        Self { writer, recent, pending: Mutex::default(), pending_commits: Mutex::default() }
    }

    /// Takes note that everything put so far is published.
    pub fn published(&self) {
        locked(&self.pending).clear();
        locked(&self.pending_commits).clear();
    }

    /// Puts a commit.
    pub fn put_commit(&self, id: CommitId, bytes: &[u8]) -> Result<(), ImportError> {
        self.writer.put_object(Space::Commits, id.as_bytes(), bytes)?;
        locked(&self.pending_commits).insert(id, bytes.to_vec());
        Ok(())
    }

    /// Applies changes, which must be in tree order, to a tree and says the id of the new one.
    pub fn edit(&self, base: TreeId, edits: Vec<TreeEdit>) -> Result<TreeId, ImportError> {
        edit_tree(self, base, edits, &mut |id, bytes| -> Result<(), RepoError> {
            self.writer.put_object(Space::Trees, id.as_bytes(), &bytes)?;
            locked(&self.pending).insert(id, bytes);
            Ok(())
        })
        .map_err(edit_failed)
    }
}

impl ObjectSource for Nodes<'_> {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        if id == TreeNode::empty_id() {
            return Ok(TreeNode::Leaf(Vec::new()));
        }
        if let Some(node) = locked(&self.recent).get(&id) {
            return Ok(node.clone());
        }
        let pending = locked(&self.pending).get(&id).cloned();
        let stored = match pending {
            Some(bytes) => Some(bytes),
            None => self.writer.stored_object(Space::Trees, id.as_bytes())?,
        };
        let bytes = stored.ok_or_else(|| RepoError::Missing { kind: "tree", id: id.to_string() })?;
        let node = TreeNode::decode(&bytes).map_err(|source| RepoError::Damaged {
            kind: "tree",
            id: id.to_string(),
            source,
        })?;
        let entries = match &node {
            TreeNode::Leaf(entries) => entries.len(),
            TreeNode::Inner { children, .. } => children.len(),
        };
        locked(&self.recent).put_weighing(id, node.clone(), entries + 1);
        Ok(node)
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        Err(RepoError::Missing { kind: "metadata", id: id.to_string() })
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        let pending = locked(&self.pending_commits).get(&id).cloned();
        let bytes = match pending {
            Some(bytes) => Some(bytes),
            None => self.writer.stored_object(Space::Commits, id.as_bytes())?,
        };
        let bytes = bytes.ok_or_else(|| RepoError::Missing { kind: "commit", id: id.to_string() })?;
        Commit::decode(&bytes).map_err(|source| RepoError::Damaged {
            kind: "commit",
            id: id.to_string(),
            source,
        })
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn edit_failed(error: EditError<RepoError, RepoError>) -> ImportError {
    match error {
        EditError::Walk(error) => ImportError::Repo(error.into()),
        EditError::Emit(error) => ImportError::Repo(error),
        other => ImportError::Repo(RepoError::Structure { message: other.to_string() }),
    }
}
