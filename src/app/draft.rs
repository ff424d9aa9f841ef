//! `draft`: branches to try things on.

use crate::app::common::describe::TimeLine;
use crate::app::common::guard::{Permit, set_reference};
use crate::app::error::AppError;
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::time::Clock;
use crate::object::source::ObjectSource;
use crate::repo::edit::JournalNote;
use crate::repo::history::count_only_in;
use crate::repo::journal::StateChange;
use crate::repo::refs::{DEFAULT_BRANCH, RefKind, RefName, RefTarget};
use crate::repo::{Repository, View};
use serde::Serialize;

/// All drafts and other branches.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// The branches, the current one first, then by name.
    pub branches: Vec<BranchLine>,
}

/// One branch.
#[derive(Debug, Clone, Serialize)]
pub struct BranchLine {
    /// Its name: `main`, `draft/poster`.
    pub name: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether the worktree is on it.
    pub current: bool,
    /// Its newest commit; `None` before the first.
    pub commit: Option<CommitId>,
    /// The first line of that commit's message.
    pub subject: Option<String>,
    /// When that commit was made.
    pub time: Option<TimeLine>,
    /// Uncommitted paths that wait there since the worktree left it.
    pub shelved_paths: Option<u64>,
}

/// What was made, renamed or removed.
#[derive(Debug, Clone, Serialize)]
pub struct ChangeReport {
    /// The draft after the deed, or the one that is gone.
    pub name: String,
    /// What it was called before, after a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Where it points or pointed.
    pub commit: Option<CommitId>,
}

/// Lists branches.
pub fn list(repository: &Repository) -> Result<ListReport, AppError> {
    let view = repository.view()?;
    let state = view.state()?;
    let mut branches = Vec::new();
    for (name, target) in view.references()? {
        if name.kind() != RefKind::Branch {
            continue;
        }
        let commit = view.commit(target.commit)?;
        branches.push(BranchLine {
            name: name.name().to_owned(),
            draft: name.is_draft(),
            current: name == state.branch,
            commit: Some(target.commit),
            subject: Some(commit.subject().to_owned()),
            time: Some(commit.committer.time.into()),
            shelved_paths: view.shelf(&name)?.map(|shelf| shelf.changed_paths),
        });
    }
    if !branches.iter().any(|branch| branch.current) {
        branches.push(BranchLine {
            name: state.branch.name().to_owned(),
            draft: state.branch.is_draft(),
            current: true,
            commit: None,
            subject: None,
            time: None,
            shelved_paths: None,
        });
    }
    branches.sort_by(|left, right| right.current.cmp(&left.current).then_with(|| left.name.cmp(&right.name)));
    Ok(ListReport { branches })
}

/// Makes a draft that begins at `revision`, without switching to it.
pub fn create(
    repository: &Repository,
    name: &str,
    revision: Option<&str>,
    clock: &dyn Clock,
) -> Result<ChangeReport, AppError> {
    let name = RefName::draft(name)?;
    let view = repository.view()?;
    let commit = view.resolve(revision.unwrap_or("@"), clock.now())?.commit;
    if view.reference(&name)?.is_some() {
        return Err(AppError::NameTaken { name });
    }
    let mut edit = repository.edit()?;
    edit.set_reference(&name, None, Some(RefTarget::plain(commit)))?;
    let summary = format!("began {name} at {}", commit.short());
    edit.record(JournalNote { verb: "draft new", summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    Ok(ChangeReport { name: name.name().to_owned(), renamed_from: None, commit: Some(commit) })
}

/// Gives a draft another name; work shelved with it comes along.
pub fn rename(
    repository: &Repository,
    from: &str,
    to: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ChangeReport, AppError> {
    // Whoever goes there or comes from there at this moment goes by the old name.
    let _lock = repository.store().lock_worktree(monitor)?;
    let (from, to) = (find_draft(&repository.view()?, from)?, RefName::draft(to)?);
    let view = repository.view()?;
    if view.reference(&to)?.is_some() {
        return Err(AppError::NameTaken { name: to });
    }
    let target = view.reference(&from)?;
    let shelf = view.shelf(&from)?;
    let mut edit = repository.edit()?;
    let commit = target.as_ref().map(|target| target.commit);
    if let Some(target) = target {
        edit.set_reference(&from, commit, None)?;
        edit.set_reference(&to, None, Some(target))?;
    }
    edit.put_shelf(&from, None)?;
    if let Some(shelf) = &shelf {
        edit.put_shelf(&to, Some(shelf))?;
    }
    let before = edit.state()?;
    let mut note = JournalNote {
        verb: "draft rename",
        summary: format!("renamed {from} to {to}"),
        ..JournalNote::default()
    };
    if before.branch == from {
        let mut after = before.clone();
        after.branch = to.clone();
        edit.put_state(&after)?;
        note.state = Some(StateChange { before, after });
    }
    edit.record(note, clock.now())?;
    edit.commit()?;
    Ok(ChangeReport { name: to.name().to_owned(), renamed_from: Some(from.name().to_owned()), commit })
}

/// Removes a draft, or a branch that is none and is not the default one. Refuses when that would leave commits or shelved work that nothing else reaches,
/// unless `force` is given; even then `undo` brings it back.
pub fn delete(
    repository: &Repository,
    name: &str,
    force: bool,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<ChangeReport, AppError> {
    let _lock = repository.store().lock_worktree(monitor)?;
    let view = repository.view()?;
    let name = match find_draft(&view, name) {
        // A branch that came along from elsewhere is removed like a draft; the one that all stand on is not.
        Err(AppError::NoDraft { name }) if name.name() != DEFAULT_BRANCH => name,
        found => found?,
    };
    if view.state()?.branch == name {
        return Err(AppError::CurrentBranch { name });
    }
    let commit = view.reference(&name)?.map(|target| target.commit);
    if let (Some(commit), false) = (commit, force) {
        let commits = commits_only_in(&view, &name, commit)?;
        if commits > 0 {
            return Err(AppError::NotMerged { name, commits });
        }
        if let Some(shelf) = view.shelf(&name)? {
            return Err(AppError::ShelvedWork { name, paths: shelf.changed_paths });
        }
    }
    // Refuses, since a protected branch is never removed.
    let wish = (&name, commit, None);
    let permit = Permit::for_name(repository, &view, wish, None, clock.now(), monitor)?;
    let mut edit = repository.edit()?;
    set_reference(&mut edit, permit, &name, commit, None)?;
    // A later draft of this name has nothing to do with the work that waited here.
    edit.put_shelf(&name, None)?;
    let summary = format!(
        "removed {name}{}",
        commit.map(|id| format!(", which was at {}", id.short())).unwrap_or_default()
    );
    edit.record(JournalNote { verb: "draft delete", summary, ..JournalNote::default() }, clock.now())?;
    edit.commit()?;
    Ok(ChangeReport { name: name.name().to_owned(), renamed_from: None, commit })
}

/// The draft of that name, also when there is a branch that is called so.
fn find_draft(view: &View, name: &str) -> Result<RefName, AppError> {
    let draft = RefName::draft(name)?;
    if view.state()?.branch == draft || view.reference(&draft)?.is_some() {
        return Ok(draft);
    }
    let found = find_branch(view, name)?;
    if found.is_draft() { Ok(found) } else { Err(AppError::NoDraft { name: found }) }
}

/// The branch that people mean by `name`: the draft of that name, or the branch.
pub fn find_branch(view: &View, name: &str) -> Result<RefName, AppError> {
    let current = view.state()?.branch;
    for candidate in [RefName::branch(name)?, RefName::draft(name)?] {
        if candidate == current || view.reference(&candidate)?.is_some() {
            return Ok(candidate);
        }
    }
    Err(AppError::NameUnknown { kind: "branch or draft", name: name.to_owned() })
}

/// How many commits of a branch no other name reaches.
fn commits_only_in(view: &View, name: &RefName, tip: CommitId) -> Result<u64, AppError> {
    let others = view.references()?.into_iter().filter(|(other, _)| other != name);
    let mut others: Vec<CommitId> = others.map(|(_, target)| target.commit).collect();
    others.sort_unstable();
    others.dedup();
    Ok(count_only_in(view, tip, &others)?)
}
