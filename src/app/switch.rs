//! `switch`: goes to another branch. Uncommitted work stays with the branch it was made on, and is
//! carried over to what the branch has become when one comes back.

use crate::app::commit::is_none_lost;
use crate::app::common::drawn::DrawnTrees;
use crate::app::common::files_change::{FilesLine, prepare_with, targets_between};
use crate::app::common::known_files::KnownFiles;
use crate::app::common::problem::ProblemLine;
use crate::app::common::session::Session;
use crate::app::common::shelved::{TakenUp, take_up};
use crate::app::common::snapshot;
use crate::app::common::underway::{announce, finish_interrupted, perform};
use crate::app::draft::find_branch;
use crate::app::error::AppError;
use crate::app::status::problems_of;
use crate::base::id::CommitId;
use crate::base::monitor::{Monitor, Phase};
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::source::ObjectSource;
use crate::object::tree::TreeNode;
use crate::repo::edit::JournalNote;
use crate::repo::erased::ErasedFiles;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::refs::{RefName, RefTarget};
use crate::repo::state::{PendingConflict, Shelf, Underway, WorktreeState};
use crate::repo::{Edit, Repository};
use crate::worktree::index::Fresh;
use crate::worktree::status::{self, What};
use serde::Serialize;

/// What happened.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The branch that the worktree is on now.
    pub branch: String,
    /// Its newest commit; `None` before the first.
    pub commit: Option<CommitId>,
    /// The branch it was on.
    pub from: String,
    /// How many uncommitted paths stay with that branch.
    pub shelved_paths: u64,
    /// How many uncommitted paths were taken up again here.
    pub taken_up_paths: u64,
    /// Text files whose uncommitted changes and what was committed since came together line by line.
    pub texts_merged: Vec<AssetPath>,
    /// Uncommitted changes of what was changed by commits since, too: they wait for a decision.
    pub conflicts: Vec<PendingConflict>,
    /// What was done to the files.
    pub files: FilesLine,
    /// Packs of the repository that are missing or too short and had been counted on: what the
    /// uncommitted work needed of them was stored anew.
    #[serde(skip_serializing_if = "is_none_lost")]
    pub lost_packs: u64,
}

/// Goes to the branch or draft called `name`.
pub fn run(
    repository: &Repository,
    name: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let target = find_branch(&session.view, name)?;
    if target == session.state.branch {
        return Err(AppError::AlreadyThere { name: target });
    }
    go(session, target, clock, monitor)
}

/// Begins a draft at the present commit and goes on there: uncommitted work comes along.
pub fn begin_draft(
    repository: &Repository,
    name: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = Session::begin(repository, monitor)?;
    finish_interrupted(&mut session, clock, monitor)?;
    let name = RefName::draft(name)?;
    if session.view.reference(&name)?.is_some() {
        return Err(AppError::NameTaken { name });
    }
    let head = session.head.ok_or(crate::repo::RepoError::NoCommits)?;
    let mut edit = repository.edit()?;
    edit.set_reference(&name, None, Some(RefTarget::plain(head)))?;
    let before = session.state_in(&edit)?;
    let after = WorktreeState { branch: name.clone(), ..before.clone() };
    edit.put_state(&after)?;
    let from = before.branch.name().to_owned();
    let note = JournalNote {
        verb: "draft new",
        summary: format!("began {name} at {}", head.short()),
        state: Some(StateChange { before, after }),
        ..JournalNote::default()
    };
    edit.record(note, clock.now())?;
    edit.commit()?;
    Ok(Report {
        branch: name.name().to_owned(),
        commit: Some(head),
        from,
        shelved_paths: 0,
        taken_up_paths: 0,
        texts_merged: Vec::new(),
        conflicts: Vec::new(),
        files: FilesLine::default(),
        lost_packs: 0,
    })
}

/// Sets uncommitted work aside with its branch and brings the files to the other branch.
fn go(
    mut session: Session<'_>,
    target: RefName,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    monitor.phase(Phase { name: "Keeping uncommitted work", files_total: None, bytes_total: None });
    let parents: Vec<CommitId> = session.head.into_iter().collect();
    let mut snapshot = snapshot::take(&mut session, &[], &parents, monitor)?;
    let not_kept = not_kept(&session, &snapshot.changes)?;
    let lost_packs = snapshot.staged.lost_packs();
    let mut seen = snapshot::fresh_files(std::mem::take(&mut snapshot.refreshed), &snapshot.changes);
    leave_out_erased(&session, &mut seen)?;
    let known = KnownFiles::taken_in(&seen);
    let head = session.view.reference(&target)?.map(|found| found.commit);
    let head_tree = match head {
        Some(id) => session.view.commit(id)?.tree,
        None => TreeNode::empty_id(),
    };
    let from = session.state.branch.clone();
    let view = session.repository.view()?;
    let mut trees = DrawnTrees::over(&view);
    let mut paths: Vec<&AssetPath> = snapshot.assignment.edits.iter().map(|edit| &edit.path).collect();
    paths.dedup();
    let changed_paths = paths.len() as u64;
    let work = trees.draw(session.base, snapshot.assignment.edits)?;
    let shelf = session.view.shelf(&target)?;
    let mut taken = take_up(session.repository, &view, &mut trees, shelf, head, monitor)?;
    let files = FilesChange::between(work, taken.tree.unwrap_or(head_tree));
    let ground = taken.merge.as_ref().filter(|merge| merge.theirs.is_some()).and_then(|merge| merge.merged);
    let targets = targets_between(&session, &trees, files, ground.unwrap_or(head_tree), monitor)?;
    let plan = prepare_with(&session, &targets, &known, &taken.made, monitor)?;
    let staged = std::mem::take(&mut taken.staged);
    let change = Change { target, taken, files, changed_paths };
    let mut edit = session.repository.edit()?;
    for staged in std::iter::once(snapshot.staged).chain(staged) {
        edit.publish(staged)?;
    }
    trees.put(&mut edit)?;
    let (underway, shelved_paths) = change.announce(&session, &mut edit, clock)?;
    edit.commit()?;
    let mut done = perform(&mut session, underway, &plan.into(), "switch", clock, monitor)?;
    done.line.problems.extend(not_kept);
    Ok(Report {
        branch: change.target.name().to_owned(),
        commit: head,
        from: from.name().to_owned(),
        shelved_paths,
        taken_up_paths: change.taken.changed_paths,
        texts_merged: change.taken.texts_merged,
        conflicts: change.taken.conflicts,
        files: done.line,
        lost_packs,
    })
}

/// What stays out of the uncommitted work that is kept with its branch, because it was erased before.
fn not_kept(session: &Session<'_>, changes: &[status::Change]) -> Result<Vec<ProblemLine>, AppError> {
    let erased: Vec<status::Change> =
        changes.iter().filter(|change| change.what == What::Erased).cloned().collect();
    problems_of(&session.view, &erased)
}

/// Files that were read and not taken in do not count as kept.
fn leave_out_erased(session: &Session<'_>, seen: &mut Vec<Fresh>) -> Result<(), AppError> {
    let erased = ErasedFiles::of(&session.view);
    let mut failed = None;
    seen.retain(|file| match erased.has(file.id, file.stat.size) {
        Ok(is_erased) => !is_erased,
        Err(error) => {
            failed.get_or_insert(error);
            false
        }
    });
    failed.map_or(Ok(()), |error| Err(error.into()))
}

struct Change {
    target: RefName,
    /// Work that waited at the target.
    taken: TakenUp,
    files: FilesChange,
    /// How many paths differ from the commit that is left.
    changed_paths: u64,
}

impl Change {
    /// The uncommitted work stays with its branch, the state is the target's, and a note says that
    /// the files are still to follow. Says how many paths of uncommitted work there are.
    fn announce(
        &self,
        session: &Session<'_>,
        edit: &mut Edit,
        clock: &dyn Clock,
    ) -> Result<(Underway, u64), AppError> {
        let work = self.files.before;
        let before = session.state_in(edit)?;
        let is_clean = work == session.base && before.pending.is_empty() && before.merge.is_none();
        if !is_clean {
            let shelf = Shelf {
                base: session.head,
                tree: work,
                pending: before.pending.clone(),
                merge: before.merge.clone(),
                changed_paths: self.changed_paths,
            };
            edit.put_shelf(&before.branch, Some(&shelf))?;
        }
        edit.put_shelf(&self.target, None)?;
        let settled = WorktreeState {
            branch: self.target.clone(),
            pending: self.taken.pending.clone(),
            merge: self.taken.merge.clone(),
            underway: None,
            unsynced: before.unsynced.clone(),
            unwritten: before.unwritten.clone(),
            sparse: before.sparse.clone(),
        };
        let note = JournalNote {
            verb: "switch",
            summary: format!("switched from {} to {}", before.branch, self.target),
            state: Some(StateChange { before, after: settled.clone() }),
            files: Some(self.files),
            ..JournalNote::default()
        };
        let underway = announce(edit, note, settled, self.files, None, clock.now())?;
        Ok((underway, if is_clean { 0 } else { self.changed_paths }))
    }
}
