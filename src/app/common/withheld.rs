//! A clone of somebody who may not read everything shows only what they may read: a file whose content
//! is withheld must not look like one that they removed.

use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_walk::TreeWalk;
use crate::repo::refs::RefName;
use crate::repo::state::WorktreeState;
use crate::repo::{RepoError, Repository, View};
use crate::rules::pattern::Pattern;
use crate::sync::paths::is_hidden;
use std::collections::BTreeSet;

/// Has a worktree without files yet show what is not withheld of the state that a branch is at.
pub fn show_readable(repository: &Repository, branch: &RefName, hidden: &[Pattern]) -> Result<(), AppError> {
    let view = repository.view()?;
    if hidden.is_empty() || view.head()?.is_some() {
        return Ok(());
    }
    let Some(target) = view.reference(branch)? else { return Ok(()) };
    let shown = readable_paths(&view, view.commit(target.commit)?.tree, hidden)?;
    let mut edit = repository.edit()?;
    let state = edit.state()?;
    if state.sparse.is_none() {
        edit.put_state(&WorktreeState { sparse: Some(shown), ..state })?;
        edit.commit()?;
    }
    Ok(())
}

/// Files and whole folders in which nothing is withheld, the folders as high up as can be.
fn readable_paths(view: &View, tree: TreeId, hidden: &[Pattern]) -> Result<BTreeSet<AssetPath>, AppError> {
    let mut above_hidden = BTreeSet::new();
    for item in TreeWalk::new(view, tree, AssetPath::root()) {
        let (path, _) = item.map_err(RepoError::from)?;
        if is_hidden(hidden, &path) {
            let mut folder = path.parent();
            while let Some(above) = folder {
                folder = above.parent();
                above_hidden.insert(above);
            }
        }
    }
    let mut shown = BTreeSet::new();
    let mut walk = TreeWalk::new(view, tree, AssetPath::root());
    while let Some(item) = walk.next() {
        let (path, entry) = item.map_err(RepoError::from)?;
        let is_folder = matches!(entry.content, Content::Directory { .. });
        if is_hidden(hidden, &path) {
            walk.skip_folder();
        } else if !is_folder || !above_hidden.contains(&path) {
            walk.skip_folder();
            shown.insert(path);
        }
    }
    Ok(shown)
}
