//! The two sides of a comparison: what people ask for, and what that is.

use crate::app::common::describe::{CommitLine, Describer};
use crate::app::common::locate::{Located, locate_version};
use crate::app::error::AppError;
use crate::base::id::{AssetId, CommitId, TreeId};
use crate::base::path::AssetPath;
use crate::base::time::Timestamp;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::object::tree_walk::entry_at;
use crate::repo::versions::find_asset;
use crate::repo::{RepoError, View};
use serde::Serialize;

/// What to compare, as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// A revision expression.
    Revision(String),
    /// A version of the asset that stands, or last stood, at a path of the current branch.
    Version {
        /// Where.
        path: AssetPath,
        /// The number of the version, from 1.
        version: u64,
    },
}

/// One side of a comparison, as the report names it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "side", rename_all = "kebab-case")]
pub enum Side {
    /// The state before the first commit: nothing.
    Nothing,
    /// The files on disk.
    Worktree,
    /// A commit.
    Commit {
        /// Which.
        commit: Box<CommitLine>,
    },
    /// One asset of a commit.
    Asset {
        /// Where it stands there.
        path: AssetPath,
        /// The number of its version, when it was asked for by that.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// The commit.
        commit: Box<CommitLine>,
    },
}

impl Side {
    /// The number of the version, when it was asked for by that.
    pub fn version(&self) -> Option<u64> {
        match self {
            Self::Asset { version, .. } => *version,
            Self::Nothing | Self::Worktree | Self::Commit { .. } => None,
        }
    }
}

/// Both sides, found.
pub(super) struct Sides<P> {
    /// The older side, for the report.
    pub before: Side,
    /// The newer side, for the report.
    pub after: Side,
    /// What is compared.
    pub pair: P,
}

/// A commit, where there is one, and its tree.
pub(super) type State = (Option<CommitId>, TreeId);

/// Two stored states.
pub(super) enum Stored {
    /// Of everything, at or below some paths.
    Trees { before: State, after: State, paths: Vec<AssetPath> },
    /// Of one asset, or of two.
    Assets { before: Box<Located>, after: Box<Located> },
}

/// A stored state, to be compared with the worktree at or below some paths.
pub(super) struct WithWorktree {
    pub before: State,
    pub paths: Vec<AssetPath>,
    /// Only this asset, wherever it stands.
    pub asset: Option<AssetId>,
}

/// A point that was found.
enum Found {
    Commit { id: CommitId, tree: TreeId },
    Version { located: Box<Located>, version: u64 },
}

impl Sides<Stored> {
    /// Finds two stored states; without `before`, the older is the current branch's newest commit.
    pub fn find(
        view: &View,
        before: Option<&Point>,
        after: &Point,
        paths: Vec<AssetPath>,
        now: Timestamp,
    ) -> Result<Self, AppError> {
        let before = match before {
            Some(point) => find(view, point, now)?,
            None => current(view)?.ok_or(RepoError::NoCommits)?,
        };
        let after = find(view, after, now)?;
        pair_of(view, &mut Namer(Describer::new(view)?, view), before, after, paths)
    }

    /// What a commit did to its first parent.
    pub fn of_commit(view: &View, id: CommitId, paths: Vec<AssetPath>) -> Result<Self, AppError> {
        let commit = view.commit(id)?;
        let mut namer = Namer(Describer::new(view)?, view);
        let after = Side::Commit { commit: namer.commit(id)? };
        let (before, tree_before) = match commit.parents.first() {
            Some(parent) => (Side::Commit { commit: namer.commit(*parent)? }, view.commit(*parent)?.tree),
            None => (Side::Nothing, TreeNode::empty_id()),
        };
        let before_tree = (commit.parents.first().copied(), tree_before);
        let pair = Stored::Trees { before: before_tree, after: (Some(id), commit.tree), paths };
        Ok(Self { before, after, pair })
    }
}

impl Sides<WithWorktree> {
    /// Finds the older side of a comparison with the worktree; the current branch's newest commit
    /// when `before` is `None`.
    pub fn with_worktree(
        view: &View,
        before: Option<&Point>,
        paths: Vec<AssetPath>,
        now: Timestamp,
    ) -> Result<Self, AppError> {
        let mut namer = Namer(Describer::new(view)?, view);
        let found = match before {
            Some(point) => Some(find(view, point, now)?),
            None => current(view)?,
        };
        let pair = |before, paths, asset| WithWorktree { before, paths, asset };
        let (before, pair) = match found {
            None => (Side::Nothing, pair((None, TreeNode::empty_id()), paths, None)),
            Some(Found::Commit { id, tree }) => {
                (Side::Commit { commit: namer.commit(id)? }, pair((Some(id), tree), paths, None))
            }
            Some(Found::Version { located, version }) => {
                let side = namer.asset(&located, Some(version))?;
                let state = (Some(located.commit), located.tree);
                // An asset is followed to where it stands now; what never was one stays put.
                match located.entry.asset {
                    Some(asset) => (side, pair(state, Vec::new(), Some(asset))),
                    None => (side, pair(state, vec![located.path], None)),
                }
            }
        };
        Ok(Self { before, after: Side::Worktree, pair })
    }
}

fn find(view: &View, point: &Point, now: Timestamp) -> Result<Found, AppError> {
    match point {
        Point::Revision(text) => {
            let id = view.resolve(text, now)?.commit;
            Ok(Found::Commit { id, tree: view.commit(id)?.tree })
        }
        Point::Version { path, version } => {
            let located = Box::new(locate_version(view, path, *version)?);
            Ok(Found::Version { located, version: *version })
        }
    }
}

fn current(view: &View) -> Result<Option<Found>, AppError> {
    let Some(id) = view.head()? else { return Ok(None) };
    Ok(Some(Found::Commit { id, tree: view.commit(id)?.tree }))
}

fn pair_of(
    view: &View,
    namer: &mut Namer<'_>,
    before: Found,
    after: Found,
    paths: Vec<AssetPath>,
) -> Result<Sides<Stored>, AppError> {
    let (before, after) = match (before, after) {
        (Found::Commit { id, tree }, Found::Commit { id: other, tree: other_tree }) => {
            return Ok(Sides {
                before: Side::Commit { commit: namer.commit(id)? },
                after: Side::Commit { commit: namer.commit(other)? },
                pair: Stored::Trees { before: (Some(id), tree), after: (Some(other), other_tree), paths },
            });
        }
        (Found::Version { located, version }, Found::Commit { id, tree }) => {
            let after = same_asset(view, &located, id, tree)?;
            ((located, Some(version)), (after, None))
        }
        (Found::Commit { id, tree }, Found::Version { located, version }) => {
            let before = same_asset(view, &located, id, tree)?;
            ((before, None), (located, Some(version)))
        }
        (Found::Version { located, version }, Found::Version { located: other, version: other_version }) => {
            ((located, Some(version)), (other, Some(other_version)))
        }
    };
    Ok(Sides {
        before: namer.asset(&before.0, before.1)?,
        after: namer.asset(&after.0, after.1)?,
        pair: Stored::Assets { before: before.0, after: after.0 },
    })
}

/// Finds in a commit what is an asset of another: at its path, else wherever it stands there.
fn same_asset(
    view: &View,
    located: &Located,
    commit: CommitId,
    tree: TreeId,
) -> Result<Box<Located>, AppError> {
    let asset = located.entry.asset;
    let at_path = entry_at(view, tree, &located.path).map_err(RepoError::from)?;
    if let Some(entry) = at_path.filter(|entry| entry.asset == asset) {
        return Ok(Box::new(Located { commit, tree, path: located.path.clone(), entry }));
    }
    let placed = match asset {
        Some(asset) => find_asset(view, tree, None, asset, &AssetPath::root()).map_err(RepoError::from)?,
        None => None,
    };
    let placed = placed.ok_or_else(|| AppError::NotInRevision { path: located.path.clone() })?;
    Ok(Box::new(Located { commit, tree, path: placed.path, entry: placed.entry }))
}

/// Describes commits for sides.
struct Namer<'a>(Describer<'a>, &'a View);

impl Namer<'_> {
    fn commit(&mut self, id: CommitId) -> Result<Box<CommitLine>, AppError> {
        let commit = self.1.commit(id)?;
        Ok(Box::new(self.0.commit(id, &commit)?))
    }

    fn asset(&mut self, located: &Located, version: Option<u64>) -> Result<Side, AppError> {
        let commit = self.commit(located.commit)?;
        Ok(Side::Asset { path: located.path.clone(), version, commit })
    }
}
