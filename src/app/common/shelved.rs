//! Takes uncommitted work up again that `switch` had set aside with its branch.
//!
//! The work is what differs between the state that it was made on and the files as they were left. When
//! the branch has moved on in the meantime - somebody landed on it - the files that were left are not
//! what the branch has with that work in it: the difference is carried over to the new state by the
//! rules of every merge, and where both changed the same thing, a decision waits.

use crate::app::common::drawn::DrawnTrees;
use crate::app::common::joining::{Joined, collect_aliases, join_trees};
use crate::app::error::AppError;
use crate::app::merge::pending_conflict;
use crate::base::id::{CommitId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::diff::merge::MergeTrees;
use crate::diff::tree::{Aliases, Change, MoveMatching, PathSet, TreeDiffOptions, diff_trees};
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_walk::entry_at;
use crate::repo::state::{MergeState, PendingConflict, PendingEdits, Shelf};
use crate::repo::{RepoError, Repository, View};
use crate::store::Staged;

/// What conflicts call work that came back: `resolve` makes a file name of it where both are kept.
const NAME: &str = "uncommitted work";

/// Work as it continues on its branch.
#[derive(Default)]
pub struct TakenUp {
    /// What the files are to be; `None` when no work waited.
    pub tree: Option<TreeId>,
    /// Edits that are no bytes.
    pub pending: PendingEdits,
    /// A merge that waits, or what of the work does not fit to what the branch has become.
    pub merge: Option<MergeState>,
    /// How many paths had uncommitted changes.
    pub changed_paths: u64,
    /// What came to wait for a decision.
    pub conflicts: Vec<PendingConflict>,
    /// Text files that came together line by line.
    pub texts_merged: Vec<AssetPath>,
    /// Their content, to be published with what names it.
    pub staged: Vec<Staged>,
}

impl TakenUp {
    /// The work as it was left.
    fn as_left(shelf: Shelf) -> Self {
        let Shelf { tree, pending, merge, changed_paths, .. } = shelf;
        Self { tree: Some(tree), pending, merge, changed_paths, ..Self::default() }
    }
}

/// Takes up what waits with a branch whose newest commit is `head`.
pub fn take_up(
    repository: &Repository,
    view: &View,
    trees: &mut DrawnTrees<'_>,
    shelf: Option<Shelf>,
    head: Option<CommitId>,
    monitor: &dyn Monitor,
) -> Result<TakenUp, AppError> {
    match shelf {
        None => Ok(TakenUp::default()),
        Some(shelf) if shelf.base == head => Ok(TakenUp::as_left(shelf)),
        Some(shelf) => Carrying::new(repository, view, &shelf, head, monitor)?.run(trees, shelf, head),
    }
}

struct Carrying<'a> {
    repository: &'a Repository,
    view: &'a View,
    monitor: &'a dyn Monitor,
    aliases: Aliases,
    taken: TakenUp,
}

impl<'a> Carrying<'a> {
    fn new(
        repository: &'a Repository,
        view: &'a View,
        shelf: &Shelf,
        head: Option<CommitId>,
        monitor: &'a dyn Monitor,
    ) -> Result<Self, AppError> {
        let aliases = collect_aliases(view, shelf.base.into_iter().chain(head))?;
        Ok(Self { repository, view, monitor, aliases, taken: TakenUp::default() })
    }

    fn run(
        mut self,
        trees: &mut DrawnTrees<'_>,
        shelf: Shelf,
        head: Option<CommitId>,
    ) -> Result<TakenUp, AppError> {
        let (old, new) = (self.tree_of(shelf.base)?, self.tree_of(head)?);
        // Work in the midst of a merge stands on what the merge had made; so that comes along first.
        let merged = shelf.merge.as_ref().filter(|merge| merge.theirs.is_some()).and_then(|it| it.merged);
        let (old_ground, new_ground) = match merged {
            Some(merged) => (merged, self.carry(trees, (old, merged), new)?),
            None => (old, new),
        };
        let work = self.carry(trees, (old_ground, shelf.tree), new_ground)?;
        let mut pending = pending_between(trees, (new_ground, work), &shelf.pending, self.monitor)?;
        keep_untracked(trees, [shelf.tree, work], &shelf.pending, &mut pending)?;
        let merge = match shelf.merge {
            Some(mut merge) if merge.theirs.is_some() => {
                merge.merged = merge.merged.map(|_| new_ground);
                merge.conflicts.extend(self.taken.conflicts.iter().cloned());
                Some(merge)
            }
            earlier => {
                let waiting = earlier.map(|merge| merge.conflicts).unwrap_or_default();
                let conflicts = [waiting, self.taken.conflicts.clone()].concat();
                (!conflicts.is_empty()).then(|| undecided(work, conflicts))
            }
        };
        self.taken.merge = merge;
        self.taken.tree = Some(work);
        self.taken.pending = pending;
        self.taken.changed_paths = shelf.changed_paths;
        Ok(self.taken)
    }

    fn tree_of(&self, commit: Option<CommitId>) -> Result<TreeId, AppError> {
        Ok(match commit {
            Some(id) => self.view.commit(id)?.tree,
            None => TreeNode::empty_id(),
        })
    }

    /// Carries the difference between two trees over to a third.
    fn carry(
        &mut self,
        trees: &mut DrawnTrees<'_>,
        (from, work): (TreeId, TreeId),
        onto: TreeId,
    ) -> Result<TreeId, AppError> {
        let sides = MergeTrees { base: from, ours: onto, theirs: work, aliases: &self.aliases };
        let Joined { merge, staged } = join_trees(self.repository, self.view, &*trees, sides, self.monitor)?;
        self.taken.conflicts.extend(merge.conflicts.iter().map(pending_conflict));
        self.taken.texts_merged.extend(merge.texts_merged);
        self.taken.staged.push(staged);
        trees.keep_metadata(merge.metadata);
        trees.draw(onto, merge.edits)
    }
}

/// Conflicts of work that came back. Decided, they are gone: the work is committed as any.
fn undecided(work: TreeId, conflicts: Vec<PendingConflict>) -> MergeState {
    MergeState {
        theirs: None,
        merged: Some(work),
        name: NAME.to_owned(),
        message: String::new(),
        conflicts,
        aliases: Vec::new(),
    }
}

/// The edits that, together with the files of the tree `work`, make that tree out of `ground`: which
/// asset moved where, and what is said of each. `earlier` tells which assets the user spoke for.
pub fn pending_between<S: ObjectSource>(
    source: &S,
    (ground, work): (TreeId, TreeId),
    earlier: &PendingEdits,
    monitor: &dyn Monitor,
) -> Result<PendingEdits, AppError> {
    let (paths, aliases) = (PathSet::everything(), Aliases::default());
    let options = TreeDiffOptions { paths: &paths, moves: MoveMatching::Asset, aliases: &aliases };
    let mut pending = PendingEdits::default();
    for change in diff_trees(source, ground, work, options, monitor)? {
        note_pending(&mut pending, change, earlier);
    }
    Ok(pending)
}

fn note_pending(pending: &mut PendingEdits, change: Change, earlier: &PendingEdits) {
    let Change { before, after: Some(after), .. } = change else { return };
    let before_metadata = before.as_ref().and_then(|before| before.value.metadata);
    if after.value.metadata != before_metadata {
        pending.metadata.insert(after.path.clone(), after.value.metadata);
    }
    let Some(asset) = after.value.asset.filter(|_| !after.value.content.is_directory()) else { return };
    match before {
        Some(before) if before.path != after.path => {
            pending.assets.insert(after.path.clone(), asset);
            pending.moves.insert(after.path, before.path);
        }
        before => {
            let was = before.and_then(|before| before.value.asset);
            if was != Some(asset) && earlier.assets.values().any(|other| *other == asset) {
                pending.assets.insert(after.path, asset);
            }
        }
    }
}

/// Keeps what was said of files that no tree has, since rules leave them out.
fn keep_untracked(
    trees: &DrawnTrees<'_>,
    known: [TreeId; 2],
    earlier: &PendingEdits,
    pending: &mut PendingEdits,
) -> Result<(), AppError> {
    for (path, metadata) in &earlier.metadata {
        let is_known = known.iter().try_fold(false, |is_known, tree| {
            Ok::<_, RepoError>(is_known || entry_at(trees, *tree, path).map_err(RepoError::from)?.is_some())
        })?;
        if !is_known {
            pending.metadata.entry(path.clone()).or_insert(*metadata);
        }
    }
    Ok(())
}
