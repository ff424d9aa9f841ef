//! Joins two lines of work: a three-way merge of trees, by asset and path, content and metadata field.
//!
//! What happened to each asset since the base is found for both sides ([`tree`](crate::diff::tree)),
//! put side by side ([`tracks`](self::tracks)) and decided attribute by attribute: where it stands,
//! its bytes, its executable bit, each metadata field. An attribute that one side changed is taken
//! from that side, so a rename here and an edit there meet. Where both changed one differently, ours
//! stays and the conflict is listed as data; nothing else waits for it, and no asset that either side
//! still worked on is dropped. In the end every result gets a path ([`places`](self::places)).
//!
//! `docs/decisions/0401-merge-rules.md` states the rules with their reasons.

mod assets;
mod fields;
mod places;
mod text;
mod tracks;

pub use fields::{MetadataMerge, merge_metadata};
pub use text::{TextConflict, TextMerge, merge_text, merge_text_with_markers};

use crate::base::id::{AssetId, FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::diff::DiffError;
use crate::diff::tree::{Aliases, Located, MoveMatching, PathSet, TreeDiffOptions, diff_trees};
use crate::object::commit::AssetNote;
use crate::object::metadata::{FieldName, Metadata};
use crate::object::source::ObjectSource;
use crate::object::tree_edit::TreeEdit;
use crate::object::tree_walk::tree_order;
use serde::Serialize;

/// The three states that a merge looks at.
#[derive(Debug, Clone, Copy)]
pub struct MergeTrees<'a> {
    /// What both sides started from. The empty tree when they share no history.
    pub base: TreeId,
    /// The side that the result is applied to.
    pub ours: TreeId,
    /// The side that is merged in.
    pub theirs: TreeId,
    /// Other names of assets, as the history of both sides records them.
    pub aliases: &'a Aliases,
}

/// Gives a merge the content of text files and keeps what it makes of them.
pub trait MergeContent {
    /// All bytes of a file of at most [`TEXT_BYTES_MAX`](crate::diff::text::TEXT_BYTES_MAX) bytes.
    /// `None` when they are not at hand: the file is then a conflict as a whole.
    fn read(&mut self, id: FileId, size: u64) -> Result<Option<Vec<u8>>, DiffError>;

    /// Keeps the bytes of a merged file and says its id. A plan that is only shown may just hash them.
    fn keep(&mut self, bytes: &[u8]) -> Result<FileId, DiffError>;
}

/// The outcome of a merge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeMerge {
    /// What to change on our side, ready for `edit_tree` on our tree.
    pub edits: Vec<TreeEdit>,
    /// Metadata that the edits name and that neither side has; to be stored with them.
    pub metadata: Vec<Metadata>,
    /// What the merge commit records about assets, sorted and unique.
    pub notes: Vec<AssetNote>,
    /// Files whose text was merged by line.
    pub texts_merged: Vec<AssetPath>,
    /// What could not be decided, in tree order. Ours stands in the tree until somebody decides.
    pub conflicts: Vec<Conflict>,
}

/// One thing that a merge could not decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// Where it stands after the merge; for a taken path, the path that both wanted.
    pub path: AssetPath,
    /// Which asset, as it is called after the merge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: ConflictKind,
    /// The common state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Box<Located>>,
    /// Our state. For a taken path: what has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<Box<Located>>,
    /// Their state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Box<Located>>,
}

/// The ways in which two sides can disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "conflict", rename_all = "kebab-case")]
pub enum ConflictKind {
    /// Both sides changed the content and it cannot be merged. Ours is in the tree.
    BothEdited,
    /// One side changed or moved what the other removed. The changed one is in the tree.
    EditedAndRemoved,
    /// Both sides added the same path with different content. Ours is in the tree.
    BothAdded,
    /// Both sides moved it, to different places. It stands at ours.
    MovedApart,
    /// Two assets want one path, or one wants a path that leads through another. Ours has it; theirs
    /// was put at `placed`.
    PathTaken { placed: AssetPath },
    /// Both sides changed it and it is of another kind on each: a file here, a link there. Ours is in
    /// the tree.
    TypeChanged,
    /// Both sides set this metadata field differently. Ours is set.
    Metadata { field: FieldName },
}

/// Which side an attribute is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// Ours, or both alike.
    Ours,
    Theirs,
    /// Both changed it, differently.
    Conflict,
}

/// The three-way rule.
fn choose<T: PartialEq + ?Sized>(base: &T, ours: &T, theirs: &T) -> Choice {
    if ours == theirs || theirs == base {
        Choice::Ours
    } else if ours == base {
        Choice::Theirs
    } else {
        Choice::Conflict
    }
}

/// Merges two trees that come from a common one.
pub fn merge_trees<S: ObjectSource>(
    source: &S,
    trees: MergeTrees<'_>,
    content: &mut dyn MergeContent,
    monitor: &dyn Monitor,
) -> Result<TreeMerge, DiffError> {
    let mut merge = TreeMerge::default();
    if trees.theirs == trees.base || trees.theirs == trees.ours {
        return Ok(merge);
    }
    let everything = PathSet::everything();
    let options = TreeDiffOptions { paths: &everything, moves: MoveMatching::Asset, aliases: trees.aliases };
    let ours = diff_trees(source, trees.base, trees.ours, options, monitor)?;
    let theirs = diff_trees(source, trees.base, trees.theirs, options, monitor)?;
    let mut wanted = Vec::new();
    let mut merger = assets::AssetMerger { source, content, merge: &mut merge };
    for track in tracks::line_up(ours, theirs, trees.aliases) {
        if monitor.is_cancelled() {
            return Err(DiffError::Cancelled);
        }
        wanted.push(merger.decide(track)?);
    }
    places::Places::new(source, trees.ours, &wanted).assign(wanted, &mut merge)?;
    merge.conflicts.sort_by(|left, right| tree_order(&left.path, &right.path));
    merge.notes.sort_unstable();
    merge.notes.dedup();
    merge.metadata.sort_by_cached_key(Metadata::id);
    merge.metadata.dedup();
    Ok(merge)
}

#[cfg(test)]
mod tests;
