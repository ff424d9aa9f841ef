//! What the worktree stands on: its branch, edits that are no bytes, a merge under way, what of the
//! repository is shown. Local to one clone.

use crate::base::id::{AssetId, CommitId, MetadataId, TreeId};
use crate::base::path::AssetPath;
use crate::object::metadata::FieldName;
use crate::object::tree::Content;
use crate::object::tree_walk::tree_order;
use crate::repo::journal::FilesChange;
use crate::repo::refs::RefName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The state of the worktree apart from its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorktreeState {
    /// The branch that the next commit goes to.
    pub branch: RefName,
    /// Edits that are not in the files' bytes.
    #[serde(default)]
    pub pending: PendingEdits,
    /// A merge that waits for decisions or for its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeState>,
    /// A change of the files that was begun and not seen to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underway: Option<Underway>,
    /// Files that the last change wrote and that the system may not have brought to the disk yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsynced: Option<Unsynced>,
    /// Paths that a command could not bring to what the branch has, with what stands there instead. As
    /// long as it stands there, nobody has changed or removed anything: a commit leaves them alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unwritten: BTreeMap<AssetPath, LeftBehind>,
    /// The folders and files that the worktree shows; `None` shows everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sparse: Option<BTreeSet<AssetPath>>,
}

/// A finished change of files whose files nobody has synced: after a power loss some may be torn or
/// gone, or back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsynced {
    /// From what to what.
    #[serde(flatten)]
    pub files: FilesChange,
    /// The run of the system in which they were written: another one means that it went down since.
    pub boot: String,
    /// When they were written, on the clock of the file system, in nanoseconds since 1970.
    pub until_ns: i64,
}

/// What stands at a path that could not be brought to its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum LeftBehind {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// A file or link, as the file system told of it.
    File {
        /// Length in bytes.
        size: u64,
        /// Time of its last change in nanoseconds since 1970.
        mtime_ns: i64,
        /// Its number in the file system.
        inode: u64,
    },
}

/// A change of the files that was announced and is not seen to its end yet: all that is needed to go
/// on with it after a stop at any moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Underway {
    /// From what to what.
    #[serde(flatten)]
    pub files: FilesChange,
    /// The journal entry that it belongs to.
    #[serde(default)]
    pub sequence: u64,
    /// Under which name it sets aside what it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// The name under which lies what comes back to its place in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brings_back: Option<String>,
    /// Whether everything is done except for what comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cleared: bool,
    /// A file or folder that gets another place: then the files of the two trees, which are one, stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renaming: Option<Renaming>,
}

/// A move that was announced and is not noted as done yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renaming {
    /// Where it stood.
    pub from: AssetPath,
    /// Where it is to stand.
    pub to: AssetPath,
    /// What waited to be committed before, should it turn out that it cannot be moved.
    #[serde(default)]
    pub before: PendingEdits,
}

/// Uncommitted edits of names, identity and metadata.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingEdits {
    /// New metadata by path; `None` removes it.
    #[serde(default)]
    pub metadata: BTreeMap<AssetPath, Option<MetadataId>>,
    /// Which asset a new path continues: set by `mv` and `meta adopt`.
    #[serde(default)]
    pub assets: BTreeMap<AssetPath, AssetId>,
    /// Where a path that `mv` made came from.
    #[serde(default)]
    pub moves: BTreeMap<AssetPath, AssetPath>,
}

impl PendingEdits {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.metadata.is_empty() && self.assets.is_empty() && self.moves.is_empty()
    }
}

/// A merge that is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeState {
    /// What is merged in; `None` for uncommitted work that came back to a branch which had moved on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<CommitId>,
    /// Both sides together with what was decided since, ours where a decision waits. It also has what
    /// the worktree cannot show: what is hidden, foreign or left out by rules. `None` in records of
    /// before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<TreeId>,
    /// The name by which it was asked for.
    pub name: String,
    /// The message that its commit will have unless another is given.
    pub message: String,
    /// Paths that wait for a decision.
    pub conflicts: Vec<PendingConflict>,
    /// Descent to be recorded by its commit: the id that stays and its other name.
    #[serde(default)]
    pub aliases: Vec<(AssetId, AssetId)>,
}

/// One side of a conflict: an entry as that side's tree has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictSide {
    /// Where it stands on that side.
    pub path: AssetPath,
    /// Which asset it is.
    pub asset: Option<AssetId>,
    /// Its metadata.
    pub metadata: Option<MetadataId>,
    /// Its content.
    pub content: Content,
}

/// A path that two sides changed in ways that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingConflict {
    /// Where the worktree shows it.
    pub path: AssetPath,
    /// The kind of conflict, a stable word.
    pub kind: String,
    /// As it was where both began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<ConflictSide>,
    /// As this branch has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<ConflictSide>,
    /// As the other branch has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<ConflictSide>,
    /// Where theirs was put because ours has its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<AssetPath>,
    /// The metadata fields that differ, when that is what the conflict is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldName>,
}

/// Uncommitted work that was set aside with its branch by `switch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// The commit that the work stands on.
    pub base: Option<CommitId>,
    /// The worktree's files as a tree.
    pub tree: TreeId,
    /// Edits that are no bytes.
    pub pending: PendingEdits,
    /// A merge that was under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeState>,
    /// How many paths differ from the base.
    pub changed_paths: u64,
}

impl WorktreeState {
    /// The state of a new repository: on `branch`, nothing pending.
    pub fn on_branch(branch: RefName) -> Self {
        Self {
            branch,
            pending: PendingEdits::default(),
            merge: None,
            underway: None,
            unsynced: None,
            unwritten: BTreeMap::new(),
            sparse: None,
        }
    }

    /// Puts the paths that wait for a decision into the order of the tree.
    pub(crate) fn order_conflicts(&mut self) {
        if let Some(merge) = &mut self.merge {
            merge.conflicts.sort_by(|left, right| tree_order(&left.path, &right.path));
        }
    }

    /// The tree that the files are compared with and that a commit goes out from, when that is not the
    /// branch's newest: what a merge under way has made of both sides.
    ///
    /// Uncommitted work that came back is no part of it: it is still to be committed.
    pub fn ground(&self) -> Option<TreeId> {
        let merge = self.merge.as_ref().filter(|merge| merge.theirs.is_some());
        merge.and_then(|merge| merge.merged)
    }

    /// Whether the worktree shows `path`.
    pub fn shows(&self, path: &AssetPath) -> bool {
        let Some(shown) = &self.sparse else { return true };
        // Upwards through its folders, so that a long list costs no more than a short one.
        let mut above = Some(path.clone());
        while let Some(at) = above {
            if shown.contains(&at) {
                return true;
            }
            above = at.parent();
        }
        false
    }
}
