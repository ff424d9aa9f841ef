//! What landing a draft would make, worked out without changing anything.

use crate::app::common::drawn::DrawnTrees;
use crate::app::common::joining::{Joined, join_commits};
use crate::app::error::AppError;
use crate::app::review::transitions::{holds, transitions_between};
use crate::base::id::{CommitId, MetadataId, TreeId};
use crate::base::monitor::Monitor;
use crate::diff::merge::TreeMerge;
use crate::object::commit::Commit;
use crate::object::metadata::Metadata;
use crate::object::source::ObjectSource;
use crate::object::transition::{Transition, TransitionList};
use crate::object::tree::TreeNode;
use crate::repo::{Edit, RepoError, Repository, View};
use crate::store::Staged;

/// Both sides joined, and what that would change on the branch.
pub struct Prospect<'a> {
    view: &'a View,
    drawn: DrawnTrees<'a>,
    /// The branch's newest commit.
    pub base: CommitId,
    /// The draft's newest commit.
    pub head: CommitId,
    /// How they come together.
    pub merge: TreeMerge,
    /// The branch's state now.
    pub before: TreeId,
    /// The state that would land.
    pub tree: TreeId,
    /// What it would change.
    pub list: TransitionList,
    staged: Option<Staged>,
}

impl<'a> Prospect<'a> {
    /// Works out what landing `head` on `base` would make.
    pub fn of(
        repository: &Repository,
        view: &'a View,
        base: CommitId,
        head: CommitId,
        monitor: &dyn Monitor,
    ) -> Result<Self, AppError> {
        let Joined { merge, staged, .. } = join_commits(repository, view, base, head, monitor)?;
        let before = view.commit(base)?.tree;
        let mut drawn = DrawnTrees::over(view);
        let tree = drawn.draw(before, merge.edits.clone())?;
        let (list, staged) = (TransitionList::default(), Some(staged));
        let mut prospect = Self { view, drawn, base, head, merge, before, tree, list, staged };
        prospect.list = transitions_between(&prospect, before, tree, monitor)?;
        Ok(prospect)
    }

    /// Keeps the metadata that came about by joining both sides, so that it can be looked at.
    pub fn keep_metadata(&self, edit: &mut Edit) -> Result<(), RepoError> {
        self.merge.metadata.iter().try_for_each(|metadata| edit.put_metadata(metadata).map(drop))
    }

    /// Makes the state that would land part of a change.
    pub fn keep(&mut self, edit: &mut Edit) -> Result<(), RepoError> {
        if let Some(staged) = self.staged.take() {
            edit.publish(staged)?;
        }
        self.keep_metadata(edit)?;
        self.drawn.put(edit)
    }

    /// Whether the state that would land has what a transition asks for.
    pub fn holds(&self, transition: &Transition) -> Result<bool, RepoError> {
        holds(self, self.tree, transition)
    }
}

/// The objects of the repository together with the nodes of the state that would land.
impl ObjectSource for Prospect<'_> {
    type Error = RepoError;

    fn tree_node(&self, id: TreeId) -> Result<TreeNode, RepoError> {
        self.drawn.tree_node(id)
    }

    fn metadata(&self, id: MetadataId) -> Result<Metadata, RepoError> {
        let made = self.merge.metadata.iter().find(|metadata| metadata.id() == id);
        made.map_or_else(|| self.view.metadata(id), |metadata| Ok(metadata.clone()))
    }

    fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        self.view.commit(id)
    }
}
