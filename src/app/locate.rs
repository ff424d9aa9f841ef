//! Finds what a person means by a path, with or without a revision or a version number.

use crate::app::error::AppError;
use crate::base::id::{CommitId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeEntry;
use crate::object::tree_walk::entry_at;
use crate::repo::{RepoError, View};

/// An entry found in a commit.
#[derive(Debug, Clone)]
pub struct Located {
    /// The commit.
    pub commit: CommitId,
    /// That commit's tree.
    pub tree: TreeId,
    /// Where it stands there.
    pub path: AssetPath,
    /// What stands there.
    pub entry: TreeEntry,
}

/// Finds `path` in `revision` (the newest commit of the current branch when `None`).
///
/// Without a revision, `logo.psd@40` means version 40 of `logo.psd`, unless a file is called so.
pub fn locate(
    view: &View,
    revision: Option<&str>,
    path: &AssetPath,
    now: Timestamp,
) -> Result<Located, AppError> {
    let commit = view.resolve(revision.unwrap_or("@"), now)?.commit;
    let tree = view.commit(commit)?.tree;
    if let Some(entry) = entry_at(view, tree, path).map_err(RepoError::from)? {
        return Ok(Located { commit, tree, path: path.clone(), entry });
    }
    if revision.is_none() {
        if let Some(text) = version_expression(path) {
            let resolved = view.resolve(&text, now)?;
            let path = resolved.path.unwrap_or_else(|| path.clone());
            let tree = view.commit(resolved.commit)?.tree;
            if let Some(entry) = entry_at(view, tree, &path).map_err(RepoError::from)? {
                return Ok(Located { commit: resolved.commit, tree, path, entry });
            }
        }
    }
    Err(AppError::NotInRevision { path: path.clone() })
}

/// The path as a revision expression when it ends in `@` and a number.
pub fn version_expression(path: &AssetPath) -> Option<String> {
    let text = std::str::from_utf8(path.as_bytes()).ok()?;
    let (before, number) = text.rsplit_once('@')?;
    let is_version = !before.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_version.then(|| text.to_owned())
}
