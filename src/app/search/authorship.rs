//! Which commit made each asset what it is now: who changed it last, and when.
//!
//! History is walked from its newest commit; a commit made what differs from all of its parents.

use crate::app::error::AppError;
use crate::base::id::{CommitId, PersonId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::diff::DiffError;
use crate::diff::tree::{Difference, PathSet, compare_trees, stands_by_itself};
use crate::object::commit::Commit;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_edit::EntryValue;
use crate::object::tree_walk::{TreeWalk, entry_at};
use crate::repo::history::Walk;
use crate::repo::{RepoError, View};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Up to so many paths only these are compared in each commit.
const FEW_PATHS: usize = 1_000;

/// Who made something what it is, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// The commit.
    pub commit: CommitId,
    /// Its author.
    pub author: PersonId,
    /// When.
    pub time: Timestamp,
}

impl Made {
    /// By a commit.
    pub const fn by(id: CommitId, commit: &Commit) -> Self {
        Self { commit: id, author: commit.author.person, time: commit.author.time }
    }
}

/// Takes what was found out about one path.
pub type Sink<'s> = dyn FnMut(AssetPath, EntryValue, Made) -> Result<(), AppError> + 's;

/// Hands out everything that stands in a commit. Memory: some bytes for each path.
pub fn of_all(
    view: &View,
    tip: CommitId,
    monitor: &dyn Monitor,
    sink: &mut Sink<'_>,
) -> Result<(), AppError> {
    let commit = view.commit(tip)?;
    let mut left = 0u64;
    for item in TreeWalk::new(view, commit.tree, AssetPath::root()) {
        left += u64::from(stands(item.map_err(RepoError::from)?.1.into()).is_some());
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
    }
    let mut seen: HashSet<u64> = HashSet::with_capacity(usize::try_from(left).unwrap_or(0));
    for item in Walk::from(view, [tip])? {
        if left == 0 {
            return Ok(());
        }
        let (id, made_by) = item?;
        let made = Made::by(id, &made_by);
        changed_by(view, &made_by, &PathSet::everything(), monitor, &mut |path, value| {
            if seen.contains(&hash(&path)) {
                return Ok(());
            }
            let now = entry_at(view, commit.tree, &path).map_err(RepoError::from)?;
            if now.map(EntryValue::from).as_ref() == Some(&value) {
                seen.insert(hash(&path));
                left -= 1;
                sink(path, value, made)?;
            }
            Ok(())
        })?;
    }
    // What no commit seems to have made: of a history that is not all here.
    let made = Made::by(tip, &commit);
    for item in TreeWalk::new(view, commit.tree, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if let (Some(value), false) = (stands(entry.into()), seen.contains(&hash(&path))) {
            sink(path, value, made)?;
        }
    }
    Ok(())
}

/// Hands out these paths of a commit.
pub fn of_some(
    view: &View,
    tip: CommitId,
    mut wanted: HashMap<AssetPath, EntryValue>,
    monitor: &dyn Monitor,
    sink: &mut Sink<'_>,
) -> Result<(), AppError> {
    for item in Walk::from(view, [tip])? {
        if wanted.is_empty() {
            return Ok(());
        }
        let (id, commit) = item?;
        let paths = if wanted.len() <= FEW_PATHS {
            PathSet::new(wanted.keys().cloned())
        } else {
            PathSet::everything()
        };
        let made = Made::by(id, &commit);
        changed_by(view, &commit, &paths, monitor, &mut |path, value| {
            if wanted.get(&path) == Some(&value) {
                wanted.remove(&path);
                sink(path, value, made)?;
            }
            Ok(())
        })?;
    }
    let made = Made::by(tip, &view.commit(tip)?);
    wanted.into_iter().try_for_each(|(path, value)| sink(path, value, made))
}

/// What a commit made: what differs from its first parent, and is in no other.
pub(super) fn changed_by(
    view: &View,
    commit: &Commit,
    paths: &PathSet,
    monitor: &dyn Monitor,
    visit: &mut dyn FnMut(AssetPath, EntryValue) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let mut before = Vec::new();
    for parent in &commit.parents {
        match view.commit(*parent) {
            Ok(parent) => before.push(parent.tree),
            Err(RepoError::Missing { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (first, others) =
        before.split_first().map_or((None, &[][..]), |(first, others)| (Some(*first), others));
    differences(view, first, commit.tree, paths, monitor, &mut |difference| {
        let Some(value) = difference.after else { return Ok(()) };
        for other in others {
            let there = entry_at(view, *other, &difference.path).map_err(RepoError::from)?;
            if there.map(EntryValue::from).as_ref() == Some(&value) {
                return Ok(());
            }
        }
        visit(difference.path, value)
    })
}

/// Hands out what differs between two trees, the first of which need not be there.
pub fn differences(
    view: &View,
    before: Option<TreeId>,
    after: TreeId,
    paths: &PathSet,
    monitor: &dyn Monitor,
    visit: &mut dyn FnMut(Difference) -> Result<(), AppError>,
) -> Result<(), AppError> {
    let before = before.unwrap_or_else(TreeNode::empty_id);
    let mut failed = None;
    let compared = compare_trees(view, before, after, paths, monitor, &mut |difference| {
        visit(difference).map_err(|error| {
            failed = Some(error);
            DiffError::Cancelled
        })
    });
    match (compared, failed) {
        (_, Some(error)) => Err(error),
        (Err(DiffError::Cancelled), None) => Err(AppError::Cancelled),
        (compared, None) => Ok(compared?),
    }
}

/// The value of an entry that is more than a way to what it holds.
pub(super) fn stands(value: EntryValue) -> Option<EntryValue> {
    Some(value).filter(stands_by_itself)
}

fn hash(path: &AssetPath) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.as_bytes().hash(&mut hasher);
    hasher.finish()
}
