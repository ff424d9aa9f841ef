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
use crate::worktree::checkout::{CheckoutPlan, Target, Written, execute, plan};
use crate::worktree::clock::FsClock;
use crate::worktree::displaced::Displaced;
use crate::worktree::index::{Fresh, Index};
use crate::worktree::stat::{FileStat, Node, NodeKind};
use serde::Serialize;
use std::collections::HashMap;

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

impl Done {
    /// Adds what was done in a second step.
    pub fn add(&mut self, other: Self) {
        let FilesLine { written, bytes, removed, set_aside, set_aside_as, problems } = other.line;
        self.line.written += written;
        self.line.bytes += bytes;
        self.line.removed += removed;
        self.line.set_aside.extend(set_aside);
        self.line.set_aside_as = self.line.set_aside_as.take().or(set_aside_as);
        self.line.problems.extend(problems);
        self.fresh.extend(other.fresh);
    }
}

/// Files whose content is known to be in the store although the index does not say so: those that
/// were taken in a moment ago.
#[derive(Debug, Default)]
pub struct KnownFiles {
    stats: HashMap<AssetPath, FileStat>,
}

impl KnownFiles {
    /// Takes what a snapshot saw.
    pub fn of(fresh: &[Fresh]) -> Self {
        Self { stats: fresh.iter().map(|seen| (seen.path.clone(), seen.stat)).collect() }
    }

    /// Takes note of one file.
    pub fn add(&mut self, path: AssetPath, stat: FileStat) {
        self.stats.insert(path, stat);
    }

    fn has(&self, path: &AssetPath, node: &Node) -> bool {
        self.stats.get(path) == Some(&node.stat)
    }
}

/// Whether the index knows the file that stands there to be as committed.
fn is_clean(index: Option<&Index>, path: &AssetPath, node: &Node) -> bool {
    let record = index.and_then(|index| index.find(path).ok().flatten());
    record.is_some_and(|record| record.is_unchanged(node))
}

/// The content of a file that is as committed, if it is.
pub fn clean_content(session: &Session<'_>, path: &AssetPath) -> Result<Option<Content>, AppError> {
    let Some(index) = &session.index else { return Ok(None) };
    let Some(record) = index.find(path)? else { return Ok(None) };
    let found = session.worktree.look(path).ok().flatten();
    match found {
        Some(node) if record.is_unchanged(&node) => Ok(Some(record.content()?)),
        _ => Ok(None),
    }
}

/// What must be written and removed to come from one tree to another, as far as the worktree shows it.
pub fn targets_between(
    session: &Session<'_>,
    view: &View,
    before: TreeId,
    after: TreeId,
    monitor: &dyn Monitor,
) -> Result<Vec<Target>, AppError> {
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
            targets.push(Target { path: difference.path, content });
        }
        Ok(())
    })?;
    Ok(targets)
}

/// Plans to make `targets` true and makes sure that there is room for it.
pub fn prepare(
    session: &Session<'_>,
    targets: Vec<Target>,
    known: &KnownFiles,
    monitor: &dyn Monitor,
) -> Result<CheckoutPlan, AppError> {
    let index = session.index.as_ref();
    let is_stored = |path: &AssetPath, node: &Node| known.has(path, node) || is_clean(index, path, node);
    let plan = plan(&session.worktree, targets, &is_stored, monitor)?;
    let available = session.worktree.bytes_available().map_err(|source| AppError::Io {
        action: "asking for the free space of",
        path: session.repository.root().to_owned(),
        source,
    })?;
    if plan.bytes_to_write > available {
        let needed = plan.bytes_to_write;
        return Err(crate::worktree::WorktreeError::DiskFull { needed, available }.into());
    }
    Ok(plan)
}

/// Carries a plan out. `verb` names what is set aside.
pub fn carry_out(
    session: &Session<'_>,
    view: &View,
    plan: CheckoutPlan,
    verb: &str,
    clock: &dyn Clock,
    monitor: &dyn Monitor,
) -> Result<Done, AppError> {
    let stored = StoredContent::new(session.repository, view, monitor)?;
    let source = CheckoutContent(stored.extractor());
    let displaced = Displaced::of(session.repository.pent_dir());
    let set = displaced.begin(verb, clock.now());
    let done = execute(&session.worktree, plan, &source, &set, monitor)?;
    let set_aside_as = set.id();
    let set_aside = match &set_aside_as {
        Some(id) => displaced.read(id)?.items.into_iter().map(|item| item.path).collect(),
        None => Vec::new(),
    };
    let line = FilesLine {
        written: done.written.len() as u64,
        bytes: done.written.iter().filter_map(|written| written.content.size()).sum(),
        removed: done.removed.len() as u64,
        set_aside,
        set_aside_as,
        problems: done.problems.into_iter().map(ProblemLine::from).collect(),
    };
    Ok(Done { line, fresh: settle(session, done.written) })
}

/// Waits until the clock of the file system has moved past the last written file, so that every
/// later edit shows; then what was seen of the files can be trusted.
fn settle(session: &Session<'_>, written: Vec<Written>) -> Vec<Fresh> {
    let Some(latest) = written.iter().map(|written| written.stat).max_by_key(|stat| stat.ctime_ns) else {
        return Vec::new();
    };
    let settled = FsClock::new(&session.state_dir()).settle(&latest);
    written
        .into_iter()
        .filter_map(|written| {
            let id: FileId = written.content.file_id()?;
            Some(Fresh { path: written.path, id, stat: written.stat, settled })
        })
        .collect()
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
    targets.retain(|target| !is_there(session, target));
    let plan = prepare(session, targets, &KnownFiles::default(), monitor)?;
    let done = carry_out(session, &view, plan, "recovery", clock, monitor)?;
    settle_change(session, None, &done.line)?;
    session.remember(done.fresh, monitor)?;
    Ok(Some(done.line))
}

/// Whether a target is true already, by reading the file.
fn is_there(session: &Session<'_>, target: &Target) -> bool {
    let found = session.worktree.look(&target.path).ok().flatten();
    match (&target.content, found) {
        (None, found) => found.is_none(),
        (Some(Content::File { id, size, executable }), Some(node))
            if node.stat.size == *size && node.kind == (NodeKind::File { executable: *executable }) =>
        {
            let Ok(file) = session.worktree.open_file(&target.path) else { return false };
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
