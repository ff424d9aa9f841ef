//! What somebody had removed by hand before a command, which does not come back when the command is undone.

use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::tree_edit::TreeEdit;
use crate::object::tree_walk::TreeWalk;
use crate::repo::RepoError;

/// The files of a folder, whose tree is `tree`, that are not in the worktree, as edits that leave them out, in tree
/// order: for when something else takes the place of the folder.
///
/// # Errors
/// When the repository cannot be read.
pub fn removed_below(
    session: &Session<'_>,
    tree: TreeId,
    folder: &AssetPath,
) -> Result<Vec<TreeEdit>, AppError> {
    let mut removed = Vec::new();
    for item in TreeWalk::new(&session.view, tree, folder.clone()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        let is_there = session.worktree.look(&path).is_ok_and(|found| found.is_some());
        if !entry.content.is_directory() && !is_there {
            removed.push(TreeEdit { path, value: None });
        }
    }
    Ok(removed)
}
