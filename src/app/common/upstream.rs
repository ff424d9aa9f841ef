//! How a branch stands to that of a remote: what each has that the other does not, and whether others
//! have newer versions of what is being worked on here.

use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::app::status::ChangeLine;
use crate::base::id::{CommitId, TreeId};
use crate::base::monitor::SilentMonitor;
use crate::base::path::AssetPath;
use crate::diff::tree::{ChangeKinds, Difference, PathSet, compare_trees};
use crate::object::source::ObjectSource;
use crate::object::tree::{Content, TreeNode};
use crate::object::tree_walk::entry_at;
use crate::repo::history::common_ancestors;
use crate::repo::refs::RefName;
use crate::repo::{RepoError, View};
use crate::sync::tracking::{DEFAULT_REMOTE, remote_records};
use crate::sync::walk::commits_between;
use serde::Serialize;

/// Most changed paths that are compared.
const PATHS_MAX: usize = 10_000;

/// How a branch stands to that of a remote.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamLine {
    /// The remote's branch as it is called here: `origin/main`.
    pub name: String,
    /// Its newest commit when it was fetched last.
    pub commit: CommitId,
    /// Commits here that the remote did not have.
    pub ahead: u64,
    /// Commits there that are not in this branch.
    pub behind: u64,
    /// Paths that were changed here and of which the remote has newer versions.
    pub newer: Vec<AssetPath>,
    /// Paths of which the remote has newer versions than this branch, whoever held their locks meanwhile: at most
    /// 10,000.
    pub available: Vec<AssetPath>,
}

/// The remote's branch of the same name as the current one: that of `origin`, or else the first.
fn upstream_name(view: &View, branch: &RefName) -> Result<Option<(RefName, CommitId)>, AppError> {
    let mut remotes: Vec<String> = remote_records(view)?.into_iter().map(|(name, _)| name).collect();
    remotes.sort_by_key(|name| name != DEFAULT_REMOTE);
    for remote in remotes {
        let name = RefName::remote(&remote, branch)?;
        if let Some(target) = view.reference(&name)? {
            return Ok(Some((name, target.commit)));
        }
    }
    Ok(None)
}

/// Compares the current branch with the remote's.
pub fn upstream_of(session: &Session<'_>, changes: &[ChangeLine]) -> Result<Option<UpstreamLine>, AppError> {
    let view = &session.view;
    let Some((name, theirs)) = upstream_name(view, &session.state.branch)? else { return Ok(None) };
    let Some(ours) = session.head else { return Ok(None) };
    let (ahead, behind) = if ours == theirs {
        (0, 0)
    } else {
        (commits_beyond(view, ours, theirs)?, commits_beyond(view, theirs, ours)?)
    };
    let (mut newer, mut available) = (Vec::new(), Vec::new());
    if behind > 0 {
        let base = match common_ancestors(view, ours, theirs)?.first() {
            Some(id) => view.commit(*id)?.tree,
            None => TreeNode::empty_id(),
        };
        let after = view.commit(theirs)?.tree;
        available = newer_versions(view, base, after)?;
        for change in changes.iter().take(PATHS_MAX) {
            let path = change.from.as_ref().unwrap_or(&change.path);
            if differs(view, base, after, path)? {
                newer.push(change.path.clone());
            }
        }
    }
    let name = name.name().to_owned();
    Ok(Some(UpstreamLine { name, commit: theirs, ahead, behind, newer, available }))
}

/// Where files of another tree have other bytes, or are new.
fn newer_versions(view: &View, before: TreeId, after: TreeId) -> Result<Vec<AssetPath>, AppError> {
    let mut paths = Vec::new();
    compare_trees(view, before, after, &PathSet::everything(), &SilentMonitor, &mut |difference| {
        let Difference { path, before, after } = difference;
        let Some(after) = after.filter(|after| !matches!(after.content, Content::Directory { .. })) else {
            return Ok(());
        };
        let is_same = before.is_some_and(|before| !ChangeKinds::between(&before, &after).content);
        if !is_same && paths.len() < PATHS_MAX {
            paths.push(path);
        }
        Ok(())
    })?;
    Ok(paths)
}

fn differs(view: &View, before: TreeId, after: TreeId, path: &AssetPath) -> Result<bool, AppError> {
    let at = |tree| entry_at(view, tree, path).map_err(RepoError::from);
    let content = |tree| Ok::<_, RepoError>(at(tree)?.map(|entry| (entry.content, entry.metadata)));
    Ok(content(before)? != content(after)?)
}

/// How many commits `from` has that `other` does not.
fn commits_beyond(view: &View, from: CommitId, other: CommitId) -> Result<u64, AppError> {
    // Both histories are followed only as far back as they differ.
    Ok(commits_between(view, &[from], &[other])?.0.len() as u64)
}
