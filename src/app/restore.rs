//! `restore`: brings any file or folder of any revision back into the worktree, or to another place.
//!
//! What it replaces and nobody has committed is set aside; `undo` brings that back.

use crate::app::content::{CheckoutContent, StoredContent};
use crate::app::error::AppError;
use crate::app::export::ProblemLine;
use crate::app::locate::{Located, locate};
use crate::app::session::Session;
use crate::app::transition::{
    FilesLine, KnownFiles, carry_out, clean_content, finish_interrupted, prepare, settle_change,
};
use crate::base::id::CommitId;
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::object::source::ObjectSource;
use crate::object::tree::Content;
use crate::object::tree_edit::{EntryValue, TreeEdit, edit_tree};
use crate::object::tree_walk::{TreeWalk, entry_at, tree_order};
use crate::repo::edit::JournalNote;
use crate::repo::journal::{FilesChange, StateChange};
use crate::repo::state::WorktreeState;
use crate::repo::{RepoError, Repository, View};
use crate::worktree::checkout::{CheckoutPlan, Target, execute, plan};
use crate::worktree::displaced::Displaced;
use crate::worktree::root::Worktree;
use crate::worktree::stat::NodeKind;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What to bring back.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// From which revision; the newest commit of the branch when `None`.
    pub revision: Option<String>,
    /// Which files and folders; the top folder for everything. `logo.psd@12` means its version 12.
    pub paths: Vec<AssetPath>,
    /// Also remove committed files that the revision does not have.
    pub exact: bool,
    /// Into this folder instead of the worktree.
    pub to: Option<PathBuf>,
    /// Only say what would happen.
    pub preview: bool,
}

/// What was brought back.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The commits that the files came from, without repetition.
    pub commits: Vec<CommitId>,
    /// Where to; `None` for the worktree.
    pub to: Option<PathBuf>,
    /// Whether nothing was done and this is what would be.
    pub preview: bool,
    /// Paths that are or would be written.
    pub write: Vec<AssetPath>,
    /// Paths that are or would be removed.
    pub remove: Vec<AssetPath>,
    /// Files that were so already.
    pub unchanged: u64,
    /// What was done; empty for a preview, except for what would be set aside.
    pub files: FilesLine,
}

/// One file to bring back: where to, and what.
struct Wanted {
    path: AssetPath,
    value: Option<EntryValue>,
}

/// Restores.
pub fn run(
    repository: &Repository,
    options: &Options,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut session = if options.preview || options.to.is_some() {
        Session::look(repository, monitor)?
    } else {
        Session::begin(repository, monitor)?
    };
    if !options.preview && options.to.is_none() {
        finish_interrupted(&mut session, clock, monitor)?;
    }
    let (wanted, commits) = collect(&session, options, clock)?;
    match &options.to {
        Some(folder) => elsewhere(&session, options, folder.clone(), wanted, commits, clock, monitor),
        None => here(session, options, wanted, commits, clock, monitor),
    }
}

/// Everything that the paths name, in tree order.
fn collect(
    session: &Session<'_>,
    options: &Options,
    clock: &dyn Clock,
) -> Result<(Vec<Wanted>, Vec<CommitId>), AppError> {
    let view = &session.view;
    let mut wanted = Vec::new();
    let mut commits = Vec::new();
    for path in &options.paths {
        let found = find(view, options.revision.as_deref(), path, clock)?;
        commits.push(found.commit);
        let is_version = found.version_of.is_some();
        let target = found.version_of.unwrap_or_else(|| path.clone());
        match &found.content {
            Some(Content::Directory { id }) => {
                for item in TreeWalk::new(view, *id, target.clone()) {
                    let (path, entry) = item.map_err(RepoError::from)?;
                    if !entry.content.is_directory() {
                        wanted.push(Wanted { path, value: Some(entry.into()) });
                    }
                }
                if options.exact && !is_version {
                    add_removals(session, &target, &mut wanted)?;
                }
            }
            _ => wanted.push(Wanted { path: target, value: found.value }),
        }
    }
    wanted.sort_by(|left, right| tree_order(&left.path, &right.path));
    wanted.dedup_by(|later, kept| later.path == kept.path);
    commits.sort();
    commits.dedup();
    Ok((wanted, commits))
}

/// What a path names in a revision.
struct Found {
    commit: CommitId,
    content: Option<Content>,
    value: Option<EntryValue>,
    /// The path without its `@n`, when it had one.
    version_of: Option<AssetPath>,
}

fn find(view: &View, revision: Option<&str>, path: &AssetPath, clock: &dyn Clock) -> Result<Found, AppError> {
    if path.is_root() {
        let commit = view.resolve(revision.unwrap_or("@"), clock.now())?.commit;
        let content = Some(Content::Directory { id: view.commit(commit)?.tree });
        return Ok(Found { commit, content, value: None, version_of: None });
    }
    let Located { commit, tree, entry, .. } = locate(view, revision, path, clock.now())?;
    let literal = entry_at(view, tree, path).map_err(RepoError::from)?.is_some();
    let version_of = if literal { None } else { without_version(path) };
    let content = Some(entry.content.clone());
    Ok(Found { commit, content, value: Some(entry.into()), version_of })
}

/// `brand/logo.psd@12` without its version.
fn without_version(path: &AssetPath) -> Option<AssetPath> {
    let at = path.as_bytes().iter().rposition(|byte| *byte == b'@')?;
    AssetPath::from_bytes(&path.as_bytes()[..at]).ok()
}

/// Committed files below `folder` that are not among what is wanted.
fn add_removals(session: &Session<'_>, folder: &AssetPath, wanted: &mut Vec<Wanted>) -> Result<(), AppError> {
    let kept: std::collections::HashSet<AssetPath> = wanted.iter().map(|item| item.path.clone()).collect();
    for item in TreeWalk::new(&session.view, session.base, AssetPath::root()) {
        let (path, entry) = item.map_err(RepoError::from)?;
        if !entry.content.is_directory() && path.is_within(folder) && !kept.contains(&path) {
            wanted.push(Wanted { path, value: None });
        }
    }
    Ok(())
}

/// Restores into another folder. Nothing there is overwritten either.
fn elsewhere(
    session: &Session<'_>,
    options: &Options,
    folder: PathBuf,
    wanted: Vec<Wanted>,
    commits: Vec<CommitId>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    if !options.preview {
        std::fs::create_dir_all(&folder).map_err(|source| AppError::Io {
            action: "making",
            path: folder.clone(),
            source,
        })?;
    }
    let write: Vec<AssetPath> = wanted.iter().map(|item| item.path.clone()).collect();
    let mut report = Report {
        commits,
        to: Some(folder.clone()),
        preview: options.preview,
        write,
        remove: Vec::new(),
        unchanged: 0,
        files: FilesLine::default(),
    };
    if options.preview {
        return Ok(report);
    }
    let root = Worktree::open(&folder)?;
    let targets = wanted
        .into_iter()
        .filter_map(|item| Some(Target { path: item.path, content: Some(item.value?.content) }))
        .collect();
    let plan = plan(&root, targets, &|_, _| false, monitor)?;
    let stored = StoredContent::new(session.repository, &session.view, monitor)?;
    let displaced = Displaced::of(session.repository.pent_dir());
    let set = displaced.begin("restore", clock.now());
    let done = execute(&root, plan, &CheckoutContent(stored.extractor()), &set, monitor)?;
    report.files.written = done.written.len() as u64;
    report.files.bytes = done.written.iter().filter_map(|written| written.content.size()).sum();
    report.files.set_aside_as = set.id();
    if let Some(id) = &report.files.set_aside_as {
        report.files.set_aside = displaced.read(id)?.items.into_iter().map(|item| item.path).collect();
    }
    report.files.problems = done.problems.into_iter().map(ProblemLine::from).collect();
    Ok(report)
}

/// Restores into the worktree.
fn here(
    mut session: Session<'_>,
    options: &Options,
    wanted: Vec<Wanted>,
    commits: Vec<CommitId>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Report, AppError> {
    let mut targets = Vec::new();
    let mut unchanged = 0;
    for item in &wanted {
        let content = item.value.as_ref().map(|value| value.content.clone());
        if content.is_some() && clean_content(&session, &item.path)? == content {
            unchanged += 1;
        } else {
            targets.push(Target { path: item.path.clone(), content });
        }
    }
    let plan = prepare(&session, targets, &KnownFiles::default(), monitor)?;
    let mut report = Report {
        commits,
        to: None,
        preview: options.preview,
        write: plan.writes.iter().map(|item| item.path.clone()).collect(),
        remove: plan.removals.iter().map(|item| item.path.clone()).collect(),
        unchanged,
        files: FilesLine::default(),
    };
    if options.preview {
        report.files.set_aside = plan.set_aside().map(|item| item.path.clone()).collect();
        return Ok(report);
    }
    let after = pending_after(&session, &wanted)?;
    if plan.is_empty() && plan.problems.is_empty() && after == session.state {
        return Ok(report);
    }
    let sequence = announce(&session, &plan, &wanted, after, &report, clock)?;
    let view = session.repository.view()?;
    let done = carry_out(&session, &view, plan, "restore", clock, monitor)?;
    settle_change(&session, Some(sequence), &done.line)?;
    session.remember(done.fresh, monitor)?;
    report.files = done.line;
    Ok(report)
}

/// The state after the restore: metadata comes back with its file, and a file that was gone goes on
/// as the asset that it was.
fn pending_after(session: &Session<'_>, wanted: &[Wanted]) -> Result<WorktreeState, AppError> {
    let mut state = session.state.clone();
    for Wanted { path, value } in wanted {
        let base = entry_at(&session.view, session.base, path).map_err(RepoError::from)?;
        let Some(value) = value else { continue };
        let base_metadata = base.as_ref().and_then(|entry| entry.metadata);
        if value.metadata == base_metadata {
            state.pending.metadata.remove(path);
        } else {
            state.pending.metadata.insert(path.clone(), value.metadata);
        }
        if let (None, Some(asset)) = (&base, value.asset) {
            state.pending.assets.insert(path.clone(), asset);
        }
    }
    Ok(state)
}

/// Writes the journal entry with the trees that undo needs, and the note that files are about to change.
fn announce(
    session: &Session<'_>,
    plan: &CheckoutPlan,
    wanted: &[Wanted],
    mut after: WorktreeState,
    report: &Report,
    clock: &dyn Clock,
) -> Result<u64, AppError> {
    let mut edit = session.repository.edit()?;
    let gone = not_there_before(session, plan, wanted)?;
    let put = wanted.iter().map(|item| TreeEdit { path: item.path.clone(), value: item.value.clone() });
    let put = sorted(put.chain(in_the_way(session, wanted)?).collect());
    let mut emit = |id, bytes: Vec<u8>| edit.put_tree_node(id, &bytes);
    let before = edit_tree(&session.view, session.base, gone, &mut emit).map_err(AppError::from_edit)?;
    let after_tree = edit_tree(&session.view, session.base, put, &mut emit).map_err(AppError::from_edit)?;
    let files = FilesChange { before, after: after_tree };
    let state = StateChange { before: edit.state()?, after: after.clone() };
    after.underway = Some(files);
    edit.put_state(&after)?;
    let from: Vec<String> = report.commits.iter().map(super::super::base::id::CommitId::short).collect();
    let count = report.write.len() + report.remove.len();
    let note = JournalNote {
        verb: "restore",
        summary: format!("restored {count} files from {}", from.join(", ")),
        state: (state.before != state.after).then_some(state),
        files: Some(files),
        ..JournalNote::default()
    };
    let sequence = edit.record(note, clock.now())?;
    edit.commit()?;
    Ok(sequence)
}

/// Paths that the base has and that did not stand in the files as it has them: those that were gone,
/// and those that were edited, which come back from where they are set aside.
fn not_there_before(
    session: &Session<'_>,
    plan: &CheckoutPlan,
    wanted: &[Wanted],
) -> Result<Vec<TreeEdit>, AppError> {
    let edited = plan.writes.iter().filter(|item| item.set_aside).map(|item| item.path.clone());
    let mut gone: Vec<AssetPath> = edited.collect();
    for Wanted { path, .. } in wanted {
        let found = session.worktree.look(path).map_err(|source| AppError::Io {
            action: "looking at",
            path: session.worktree.full_path(path),
            source,
        })?;
        if found.is_none_or(|node| node.kind == NodeKind::Directory) {
            gone.push(path.clone());
        }
    }
    // What stands there as a folder is no file of that name; folders of the base stay.
    let mut edits = Vec::new();
    for path in gone {
        let base = entry_at(&session.view, session.base, &path).map_err(RepoError::from)?;
        if base.is_some_and(|entry| !entry.content.is_directory()) {
            edits.push(TreeEdit { path, value: None });
        }
    }
    let mut edits = sorted(edits);
    edits.dedup();
    Ok(edits)
}

/// Files of the base that stand where the restored files need a folder.
fn in_the_way(session: &Session<'_>, wanted: &[Wanted]) -> Result<Vec<TreeEdit>, AppError> {
    let mut folders = BTreeSet::new();
    for item in wanted.iter().filter(|item| item.value.is_some()) {
        let mut above = item.path.parent();
        while let Some(folder) = above.filter(|folder| !folder.is_root()) {
            above = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
    }
    let mut edits = Vec::new();
    for path in folders {
        let base = entry_at(&session.view, session.base, &path).map_err(RepoError::from)?;
        if base.is_some_and(|entry| !entry.content.is_directory())
            && !wanted.iter().any(|item| item.path == path)
        {
            edits.push(TreeEdit { path, value: None });
        }
    }
    Ok(edits)
}

fn sorted(mut edits: Vec<TreeEdit>) -> Vec<TreeEdit> {
    edits.sort_by(|left, right| tree_order(&left.path, &right.path));
    edits
}
