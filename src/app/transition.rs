//! Brings the files of the worktree from one state to another: what restore, switch, merge, undo
//! and sparse have in common.
//!
//! The order makes every stop harmless. First one transaction makes everything real that the change
//! rests on, the journal entry included, and notes that a change of files is under way. Then the
//! files change, each whole. Then the note goes. A command that finds the note finishes the change.

use crate::app::content::{CheckoutContent, StoredContent};
use crate::app::error::AppError;
use crate::app::export::ProblemLine;
use crate::app::session::Session;
use crate::base::id::{FileId, TreeId};
use crate::base::monitor::Monitor;
use crate::base::path::AssetPath;
use crate::base::time::Clock;
use crate::diff::tree::{PathSet, compare_trees};
use crate::object::tree::Content;
use crate::repo::View;
use crate::repo::journal::FilesChange;
use crate::worktree::checkout::{CheckoutPlan, CheckoutReport, LinkPolicy, PlanInput, Wanted, execute, plan};
use crate::worktree::clock::FsClock;
use crate::worktree::displaced::{self, Displacer};
use crate::worktree::index::Fresh;
use crate::worktree::root::Worktree;
use crate::worktree::seen::Seen;
use crate::worktree::stat::{FileStat, Node};
use crate::worktree::status::SEEN_FILE;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;

/// What a change of files did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FilesLine {
    /// Files and links that were written.
    pub written: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files and links that were removed.
    pub removed: u64,
    /// Files that were not committed and made room: they are kept.
    pub set_aside: Vec<AssetPath>,
    /// The name under which these are kept.
    pub set_aside_as: Option<String>,
    /// Paths that were left as they are, each with its reason.
    pub problems: Vec<ProblemLine>,
}

/// A change of files, carried out.
pub struct Done {
    /// What was done, for reports.
    pub line: FilesLine,
    /// What was seen of the written files, for the index.
    pub fresh: Vec<Fresh>,
}

/// Files whose content is known to be in the store although the index does not say so: those that
/// were taken in a moment ago.
#[derive(Debug, Default)]
pub struct KnownFiles {
    files: HashMap<AssetPath, (FileStat, FileId)>,
}

impl KnownFiles {
    /// Takes what a snapshot saw, as far as every later edit would show.
    pub fn of(fresh: &[Fresh]) -> Self {
        let settled = fresh.iter().filter(|seen| seen.settled);
        settled.map(|seen| (seen.path.clone(), seen.stat, seen.id)).collect()
    }

    fn find(&self, path: &AssetPath, node: &Node) -> Option<FileId> {
        let (stat, id) = self.files.get(path)?;
        (*stat == node.stat).then_some(*id)
    }
}

impl FromIterator<(AssetPath, FileStat, FileId)> for KnownFiles {
    fn from_iter<T: IntoIterator<Item = (AssetPath, FileStat, FileId)>>(files: T) -> Self {
        Self { files: files.into_iter().map(|(path, stat, id)| (path, (stat, id))).collect() }
    }
}

/// What must be written and removed to come from one tree to another, as far as the worktree shows it.
pub fn targets_between(
    session: &Session<'_>,
    view: &View,
    before: TreeId,
    after: TreeId,
    monitor: &dyn Monitor,
) -> Result<Vec<Wanted>, AppError> {
    let mut targets = Vec::new();
    compare_trees(view, before, after, &PathSet::everything(), monitor, &mut |difference| {
        let wanted = difference.after.as_ref().map(|value| value.content.clone());
        let is_folder = |content: &Content| content.is_directory();
        let only_folders = wanted.as_ref().is_none_or(is_folder)
            && difference.before.as_ref().is_none_or(|value| is_folder(&value.content));
        let same_bytes = match (&difference.before, &wanted) {
            (Some(before), Some(after)) => before.content == *after,
            _ => false,
        };
        if !only_folders && !same_bytes && session.state.shows(&difference.path) {
            let content = wanted.filter(|content| !content.is_directory());
            targets.push(Wanted { path: difference.path, content });
        }
        Ok(())
    })?;
    Ok(targets)
}

/// Plans to make `targets` true and makes sure that there is room for it.
pub fn prepare(
    session: &Session<'_>,
    targets: &[Wanted],
    known: &KnownFiles,
    monitor: &dyn Monitor,
) -> Result<CheckoutPlan, AppError> {
    let seen = Seen::open(&session.state_dir().join(SEEN_FILE));
    let input = PlanInput {
        worktree: &session.worktree,
        index: session.index.as_ref(),
        seen: seen.as_ref(),
        stored: &|path, node| known.find(path, node),
        wanted: targets,
    };
    let plan = plan(&input, monitor)?;
    plan.check_space(&session.worktree)?;
    Ok(plan)
}

/// Carries a plan out. `verb` names what is set aside.
pub fn carry_out(
    session: &Session<'_>,
    view: &View,
    plan: &CheckoutPlan,
    verb: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Done, AppError> {
    let stored = StoredContent::new(session.repository, view, monitor)?;
    let source = CheckoutContent(stored.extractor());
    let pent_dir = session.repository.pent_dir();
    let displacer = Displacer::new(pent_dir, verb, clock.now());
    let fs_clock = FsClock::new(&session.state_dir());
    let worktree = &session.worktree;
    let done = execute(plan, worktree, &source, &displacer, LinkPolicy::Any, Some(&fs_clock), monitor)?;
    Ok(Done { line: told(plan, &done, pent_dir, monitor)?, fresh: done.written })
}

/// What a checkout did, for reports; the monitor hears of the problems.
pub fn told(
    plan: &CheckoutPlan,
    done: &CheckoutReport,
    pent_dir: &Path,
    monitor: &dyn Monitor,
) -> Result<FilesLine, AppError> {
    let set_aside = match &done.displaced {
        Some(id) => displaced::find(pent_dir, id)?.items.into_iter().filter_map(|item| item.path).collect(),
        None => Vec::new(),
    };
    let mut problems = plan.problems();
    problems.extend(done.problems());
    problems.iter().for_each(|problem| monitor.problem(problem.clone()));
    Ok(FilesLine {
        written: done.written.len() as u64,
        bytes: done.bytes_written,
        removed: done.removed,
        set_aside,
        set_aside_as: done.displaced.clone(),
        problems: problems.into_iter().map(ProblemLine::from).collect(),
    })
}

/// Finishes a change of files that was cut off: the note that the last command left says from where
/// to where. Whatever stands at the paths concerned and is not as committed is set aside.
pub fn finish_interrupted(
    session: &mut Session<'_>,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Option<FilesLine>, AppError> {
    let Some(FilesChange { before, after }) = session.state.underway else { return Ok(None) };
    let view = session.repository.view()?;
    let mut targets = targets_between(session, &view, before, after, monitor)?;
    // What was written before the stop is there already.
    let there: Vec<bool> = targets.par_iter().map(|target| is_there(&session.worktree, target)).collect();
    let mut there = there.into_iter();
    targets.retain(|_| !there.next().unwrap_or(false));
    let plan = prepare(session, &targets, &KnownFiles::default(), monitor)?;
    let done = carry_out(session, &view, &plan, "recovery", clock, monitor)?;
    settle_change(session, None, &done.line)?;
    session.remember(done.fresh, monitor)?;
    Ok(Some(done.line))
}

/// Whether a target is true already, by reading the file.
fn is_there(worktree: &Worktree, target: &Wanted) -> bool {
    let found = worktree.look(&target.path).ok().flatten();
    match (&target.content, found) {
        (None, found) => found.is_none(),
        (Some(Content::File { id, size, .. }), Some(node)) if node.stat.size == *size => {
            let Ok(file) = worktree.open_file(&target.path) else { return false };
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(file).is_ok() && hasher.finalize().as_bytes() == id.as_bytes()
        }
        _ => false,
    }
}

/// Takes note that the files are as the state says, and of what the command of journal entry
/// `sequence` set aside.
pub fn settle_change(session: &Session<'_>, sequence: Option<u64>, line: &FilesLine) -> Result<(), AppError> {
    let mut edit = session.repository.edit()?;
    let mut state = edit.state()?;
    if state.underway.take().is_some() {
        edit.put_state(&state)?;
    }
    if let (Some(sequence), Some(id)) = (sequence, &line.set_aside_as) {
        edit.note_displaced(sequence, id)?;
    }
    Ok(edit.commit()?)
}
