//! Which assets differ, before anything is said about their content.

use crate::app::common::locate::Located as Found;
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::diff::compare::Disk;
use crate::app::diff::sides::{Stored, WithWorktree};
use crate::app::diff::worktree::{look, overlay};
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::diff::tree::{
    Aliases, Change, Located, MoveMatching, PathSet, TreeDiffOptions, diff_trees, match_differences,
};
use crate::object::commit::AssetNote;
use crate::object::tree_edit::EntryValue;
use crate::repo::View;
use crate::repo::history::Walk;
use crate::worktree::root::Worktree;

/// Assets that differ.
#[derive(Default)]
pub(super) struct Changes {
    /// What happened to each.
    pub list: Vec<Change>,
    /// The files on disk, when they are the side after.
    pub disk: Option<Disk>,
    /// Files on disk that could not be looked at.
    pub problems: Vec<ProblemLine>,
}

/// Finds what differs between two stored states.
pub(super) fn between(view: &View, pair: Stored, monitor: &dyn Monitor) -> Result<Changes, AppError> {
    let list = match pair {
        Stored::Trees { before, after, paths } => {
            with_aliases(view, [before.0, after.0], paths, monitor, &|options| {
                Ok(diff_trees(view, before.1, after.1, options, monitor)?)
            })?
        }
        Stored::Assets { before, after } => assets(*before, *after).into_iter().collect(),
    };
    Ok(Changes { list, ..Changes::default() })
}

/// Finds what differs between a stored state and the worktree.
pub(super) fn with_worktree(
    session: &Session<'_>,
    pair: WithWorktree,
    monitor: &dyn Monitor,
) -> Result<Changes, AppError> {
    let WithWorktree { before, paths, asset } = pair;
    let looked = look(session, &paths, monitor)?;
    let view = &session.view;
    let overlay = overlay(view, (before.1, session.base), &looked.changes, &looked.pending, monitor)?;
    let mut list = with_aliases(view, [before.0, session.head], paths, monitor, &|options| {
        Ok(match_differences(overlay.differences.iter().cloned(), options))
    })?;
    if asset.is_some() {
        list.retain(|change| change.asset == asset);
    }
    let worktree = Worktree::open(session.repository.root())?;
    let disk = Some(Disk { worktree, files: overlay.files });
    Ok(Changes { list, disk, problems: looked.problems })
}

/// Two states that were asked for by name are compared whatever their assets and paths are.
fn assets(before: Found, after: Found) -> Option<Change> {
    let located = |found: Found| Located { path: found.path, value: EntryValue::from(found.entry) };
    let mut change = Change::of(Some(located(before)), Some(located(after)))?;
    change.kinds.replaced = false;
    let assets = [&change.before, &change.after].map(|side| side.as_ref().and_then(|side| side.value.asset));
    change.kinds.moved &= assets[0] == assets[1];
    Some(change)
}

/// Finds changes; once more with the other names of assets when one asset seems to have taken the
/// path of another.
fn with_aliases(
    view: &View,
    commits: [Option<CommitId>; 2],
    paths: Vec<AssetPath>,
    monitor: &dyn Monitor,
    find: &dyn Fn(TreeDiffOptions<'_>) -> Result<Vec<Change>, AppError>,
) -> Result<Vec<Change>, AppError> {
    let (paths, moves) = (PathSet::new(paths), MoveMatching::Asset);
    let changes = find(TreeDiffOptions { paths: &paths, moves, aliases: &Aliases::default() })?;
    if !changes.iter().any(|change| change.kinds.replaced) {
        return Ok(changes);
    }
    let pairs = alias_pairs(view, commits, monitor)?;
    if pairs.is_empty() {
        return Ok(changes);
    }
    find(TreeDiffOptions { paths: &paths, moves, aliases: &Aliases::new(pairs) })
}

/// Other names of assets that any commit below two recorded, each with the name that was kept.
fn alias_pairs(
    view: &View,
    commits: [Option<CommitId>; 2],
    monitor: &dyn Monitor,
) -> Result<Vec<(AssetId, AssetId)>, AppError> {
    let mut pairs = Vec::new();
    for item in Walk::from(view, commits.into_iter().flatten())? {
        if monitor.is_cancelled() {
            return Err(AppError::Cancelled);
        }
        let (_, commit) = item?;
        pairs.extend(commit.notes.iter().filter_map(|note| match note {
            AssetNote::AliasOf { asset, other } => Some((*other, *asset)),
            AssetNote::CopiedFrom { .. } => None,
        }));
    }
    Ok(pairs)
}
