//! Paths that a command could not bring to what the branch has: their content was damaged, their name
//! may not be written, the folder would not have them.
//!
//! What stands there instead - nothing, or what the branch before had - is nobody's edit. It is
//! remembered until it is brought or somebody changes it, so that no commit takes it for one.

use crate::app::common::session::Session;
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::path::AssetPath;
use crate::object::path_set::PathSet;
use crate::object::tree::Content;
use crate::object::tree_walk::entry_at;
use crate::repo::state::{LeftBehind, Underway, WorktreeState};
use crate::repo::{RepoError, View};
use crate::worktree::checkout::{CheckoutPlan, CheckoutReport, Replaces};
use crate::worktree::stat::{Node, NodeKind};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a change of files did not come to, and what it dealt with.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Paths that were brought to their state or not, in no order.
    dealt_with: Vec<AssetPath>,
    /// Of these, those that were not, with what stands there. Work that nobody has committed is not among
    /// them: it stands there as a change, which it is.
    left: Vec<(AssetPath, LeftBehind)>,
}

impl Outcome {
    /// Adds what another plan came to, which was carried out after this one.
    pub fn add(&mut self, more: Self) {
        self.dealt_with.extend(more.dealt_with);
        self.left.extend(more.left);
    }

    /// Looks at what a plan came to, while the index still says what the files were before.
    pub fn of(session: &Session<'_>, plan: &CheckoutPlan, done: &CheckoutReport) -> Self {
        let refused = plan.refused.iter().map(|(path, _)| path);
        let unreadable = plan.unreadable.iter().map(|(path, _)| path);
        let not_planned = refused
            .chain(&plan.unavailable)
            .chain(plan.withheld.iter().map(|step| &step.path))
            .chain(unreadable);
        let failed: Vec<&AssetPath> =
            not_planned.clone().chain(done.failed.iter().map(|failed| &failed.path)).collect();
        let steps = plan.steps.iter().map(|step| &step.path);
        let dealt_with = steps.chain(not_planned).cloned().collect();
        let replaces: HashMap<&AssetPath, Replaces> = if failed.is_empty() {
            HashMap::new()
        } else {
            plan.steps.iter().chain(&plan.withheld).map(|step| (&step.path, step.replaces)).collect()
        };
        let withheld: HashSet<&AssetPath> = plan.withheld.iter().map(|step| &step.path).collect();
        let left = failed.into_iter().filter_map(|path| {
            let node = session.worktree.look(path).ok()?;
            if node.is_none() && withheld.contains(path) {
                // That nothing stands there is no change as long as it is withheld.
                return None;
            }
            let is_nobodys = match (replaces.get(path), &node) {
                (_, None) => true,
                (Some(Replaces::Committed(expected)), Some(node)) => {
                    expected.kind == node.kind && expected.stat.is_same_but_renamed(&node.stat)
                }
                (Some(Replaces::Folder), Some(node)) => node.kind == NodeKind::Directory,
                (Some(Replaces::Kept(_) | Replaces::Nothing), Some(_)) => false,
                (None, Some(node)) => is_as_committed(session, path, node),
            };
            is_nobodys.then(|| (path.clone(), left_behind(node.as_ref())))
        });
        Self { left: left.collect(), dealt_with }
    }

    /// Takes note in the state of what was not brought, as far as the branch has it otherwise.
    pub fn note(self, view: &View, state: &mut WorktreeState, underway: &Underway) -> Result<(), AppError> {
        if self.left.is_empty() && state.unwritten.is_empty() {
            return Ok(());
        }
        for path in &self.dealt_with {
            state.unwritten.remove(path);
        }
        let ground = view.ground(state)?;
        for (path, left) in self.left {
            let wanted = content_at(view, underway.files.after, &path)?;
            let is_folder = wanted.as_ref().is_some_and(Content::is_directory);
            // Where something else was asked for than the branch has, it is as it was before.
            if !is_folder && wanted == content_at(view, ground, &path)? {
                state.unwritten.insert(path, left);
            }
        }
        Ok(())
    }
}

fn content_at(view: &View, tree: TreeId, path: &AssetPath) -> Result<Option<Content>, AppError> {
    Ok(entry_at(view, tree, path).map_err(RepoError::from)?.map(|entry| entry.content))
}

fn is_as_committed(session: &Session<'_>, path: &AssetPath, node: &Node) -> bool {
    let record = session.index.as_ref().and_then(|index| index.find(path).ok().flatten());
    record.is_some_and(|record| record.is_unchanged(node))
}

fn left_behind(node: Option<&Node>) -> LeftBehind {
    match node {
        None => LeftBehind::Nothing,
        Some(Node { kind: NodeKind::Directory, .. }) => LeftBehind::Folder,
        Some(Node { stat, .. }) => {
            LeftBehind::File { size: stat.size, mtime_ns: stat.mtime_ns, inode: stat.inode }
        }
    }
}

/// Whether what a scan found in the place of a file, or that it found none, is what was left behind.
pub fn still_is(left: LeftBehind, node: Option<&Node>) -> bool {
    match (left, node) {
        // A folder in the place of a file is told as a file that is gone.
        (LeftBehind::Nothing | LeftBehind::Folder, None) => true,
        (left @ LeftBehind::File { .. }, Some(_)) => left == left_behind(node),
        _ => false,
    }
}

/// What is still so after a commit of `within` (of everything when empty), given what it found so.
pub fn after_commit(
    unwritten: &mut BTreeMap<AssetPath, LeftBehind>,
    within: &[AssetPath],
    found: &[AssetPath],
) {
    let asked = PathSet::new(within.iter().cloned());
    let found: HashSet<&AssetPath> = found.iter().collect();
    unwritten.retain(|path, _| !asked.includes(path) || found.contains(path));
}
