//! `resolve`: decides what a merge could not.
//!
//! A decision changes what the merge has made of both sides, and nothing else of it: the bytes where
//! the bytes were undecided, the place where the place was. From that tree the files follow, like
//! those of any other change, so that it can be gone on with after a stop, taken back and done again.

mod decide;

use crate::app::common::drawn::DrawnTrees;
use crate::app::common::files_change::{FilesLine, prepare, targets_between};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::removed::removed_below;
use crate::app::common::session::Session;
use crate::app::common::shelved::pending_between;
use crate::app::common::underway::{announce, finish_interrupted, is_content, perform};
use crate::app::error::AppError;
use crate::base::id::TreeId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::metadata::Metadata;
use crate::object::tree::Content;
use crate::object::tree_edit::{EntryValue, TreeEdit};
use crate::object::tree_walk::{entry_at, tree_order};
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::state::{MergeState, PendingConflict, PendingEdits, WorktreeState};
use crate::repo::{RepoError, Repository};
use crate::worktree::stat::NodeKind;
use decide::Deciding;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// This branch's state stays.
    Ours,
    /// The other branch's state takes its place.
    Theirs,
    /// Ours stays, theirs stands beside it under a name of its own.
    Both,
    /// What stands in the files now is what was decided, by hand.
    AsIs,
}

/// What was decided.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The paths and what became of them.
    pub decided: Vec<DecidedLine>,
    /// Paths that still wait.
    pub undecided: Vec<AssetPath>,
    /// What was done to the files.
    pub files: FilesLine,
}

/// One decided path.
#[derive(Debug, Clone, Serialize)]
pub struct DecidedLine {
    /// The path.
    pub path: AssetPath,
    /// The decision.
    pub decision: Decision,
    /// Where theirs stands, when both are kept or when something else has its place.
    pub beside: Option<AssetPath>,
}

/// Decides about the conflicts at or below `paths`; all when empty.
pub fn run(
    repository: &Repository,
    paths: &[AssetPath],
    decision: Decision,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let merge = session.state.merge.clone().ok_or(AppError::NoMerge)?;
    let wanted = |conflict: &PendingConflict| {
        paths.is_empty() || paths.iter().any(|path| conflict.path.is_within(path))
    };
    if let Some(path) = paths.iter().find(|path| !merge.conflicts.iter().any(|c| c.path.is_within(path))) {
        return Err(AppError::NoConflict { path: path.clone() });
    }
    let (decided, left): (Vec<_>, Vec<_>) = merge.conflicts.iter().cloned().partition(wanted);
    // What stands in the files, apart from what was done to them by hand.
    let stands = merge.merged.unwrap_or(session.base);
    let mut deciding = Deciding::new(&session, &merge, stands);
    let mut lines = Vec::new();
    for conflict in &decided {
        let beside = deciding.decide(conflict, decision)?;
        lines.push(DecidedLine { path: conflict.path.clone(), decision, beside });
    }
    let work = deciding.finish();
    let undecided: Vec<AssetPath> = left.iter().map(|conflict| conflict.path.clone()).collect();
    let merge = MergeState { conflicts: left, ..merge };
    let files = work.carry_out(&mut session, merge, stands, clock, monitor)?;
    Ok(Report { decided: lines, undecided, files })
}

/// What decisions come to.
struct Work {
    /// What changes of what the merge had made.
    edits: BTreeMap<AssetPath, Option<EntryValue>>,
    /// Metadata that these name and that is not stored yet.
    metadata: Vec<Metadata>,
    /// Paths that are to be so in the files whatever was done to them by hand.
    certain: Vec<AssetPath>,
    /// Edits that are no bytes, as they are afterwards.
    pending: PendingEdits,
}

impl Work {
    /// Writes state and journal entry, then the files.
    fn carry_out(
        self,
        session: &mut Session<'_>,
        merge: MergeState,
        stands: TreeId,
        clock: &dyn Clock,
        monitor: &dyn Monitor,
    ) -> Result<FilesLine, AppError> {
        let view = session.repository.view()?;
        let mut trees = DrawnTrees::over(&view);
        trees.keep_metadata(self.metadata.iter().cloned());
        let gone = self.edited_by_hand(session, stands)?;
        let before = trees.draw(stands, gone)?;
        let touched: Vec<AssetPath> = self.edits.keys().cloned().collect();
        let merged = trees.draw(stands, in_order(self.edits))?;
        let files = FilesChange::between(before, merged);
        let ground = if merge.theirs.is_some() { merged } else { session.head_tree()? };
        let targets = targets_between(session, &trees, files, ground, monitor)?;
        let plan = prepare(session, &targets, &KnownFiles::default(), monitor)?;
        let mut settled = WorktreeState { pending: self.pending, ..session.state.clone() };
        if merge.theirs.is_none() {
            // Decided or not, it is uncommitted work: what differs from the branch is to be committed.
            let trees_of_work = (session.head_tree()?, merged);
            let told = pending_between(&trees, trees_of_work, &settled.pending, monitor)?;
            take_over(&mut settled.pending, &told, &touched);
        }
        let name = merge.name.clone();
        let is_over = merge.theirs.is_none() && merge.conflicts.is_empty();
        // Records of before the merged tree was kept have none: their commit goes out from ours.
        let merged = merge.merged.map(|_| merged);
        settled.merge = (!is_over).then_some(MergeState { merged, ..merge });
        let mut edit = session.repository.edit()?;
        trees.put(&mut edit)?;
        let note = JournalNote {
            verb: "resolve",
            summary: format!("decided about the merge of {name}"),
            state: Some(StateChange { before: session.state_in(&edit)?, after: settled.clone() }),
            files: Some(files),
            ..JournalNote::default()
        };
        let underway = announce(&mut edit, note, settled, files, None, clock.now())?;
        edit.commit()?;
        Ok(perform(session, underway, &plan.into(), "resolve", clock, monitor)?.line)
    }

    /// Files that are decided about and were removed by hand, or that are certain to be as decided afterwards and were
    /// edited by hand: what stood there before is nothing that a tree has.
    fn edited_by_hand(&self, session: &Session<'_>, stands: TreeId) -> Result<Vec<TreeEdit>, AppError> {
        let mut gone = BTreeMap::new();
        let certain: BTreeSet<&AssetPath> = self.certain.iter().collect();
        for path in self.edits.keys().chain(certain.iter().copied()) {
            // A file may take the place of a folder of which everything was removed.
            let entry = entry_at(&session.view, stands, path).map_err(RepoError::from)?;
            if let Some(Content::Directory { id }) = entry.as_ref().map(|entry| &entry.content) {
                gone.extend(
                    removed_below(session, *id, path)?.into_iter().map(|edit| (edit.path, edit.value)),
                );
            }
            let found = session.worktree.look(path).ok().flatten();
            let record = session.index.as_ref().map(|index| index.find(path)).transpose()?.flatten();
            let is_as_made = || {
                let is_known = found.zip(record).is_some_and(|(node, record)| record.is_unchanged(&node));
                // Of what was written a moment ago, or touched since, only the bytes tell.
                let content = entry.as_ref().map(|entry| &entry.content);
                let is_same = |(node, content)| is_content(&session.worktree, path, content, &node);
                is_known || found.zip(content).is_some_and(is_same)
            };
            // Nor does a file stand where a folder does.
            let is_gone = found.is_none_or(|node| node.kind == NodeKind::Directory);
            let is_by_hand = is_gone || (certain.contains(path) && !is_as_made());
            let Some(entry) = entry.filter(|entry| is_by_hand && !entry.content.is_directory()) else {
                continue;
            };
            // Of a file of which only the mode was changed nothing is set aside: its mode comes back from a tree.
            let other_mode = found
                .zip(with_other_mode(&entry.content))
                .filter(|(node, content)| is_content(&session.worktree, path, content, node));
            let value = other_mode.map(|(_, content)| EntryValue { content, ..entry.into() });
            gone.insert(path.clone(), value);
        }
        Ok(in_order(gone))
    }
}

/// The same file, to be run when it was not, and not to be run when it was.
fn with_other_mode(content: &Content) -> Option<Content> {
    match content {
        Content::File { id, size, executable } => {
            Some(Content::File { id: *id, size: *size, executable: !executable })
        }
        _ => None,
    }
}

fn in_order(edits: BTreeMap<AssetPath, Option<EntryValue>>) -> Vec<TreeEdit> {
    let mut edits: Vec<TreeEdit> = edits.into_iter().map(|(path, value)| TreeEdit { path, value }).collect();
    edits.sort_by(|left, right| tree_order(&left.path, &right.path));
    edits
}

/// Takes over what is told of some paths.
fn take_over(pending: &mut PendingEdits, told: &PendingEdits, paths: &[AssetPath]) {
    for path in paths {
        pending.metadata.remove(path);
        pending.assets.remove(path);
        pending.moves.remove(path);
        pending.metadata.extend(told.metadata.get(path).map(|metadata| (path.clone(), *metadata)));
        pending.assets.extend(told.assets.get(path).map(|asset| (path.clone(), *asset)));
        pending.moves.extend(told.moves.get(path).map(|from| (path.clone(), from.clone())));
    }
}
